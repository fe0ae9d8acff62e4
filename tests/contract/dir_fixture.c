/* SPDX-License-Identifier: MIT */
/* Fills a dir: store: see dir_fixture.h. */
#include "tests/contract/dir_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/store/dir.h"

/* ---- names of files */

static int
unit_of(unsigned char c, bool first, char out[4])
{
	const bool kept = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
			  (c >= 'a' && c <= 'z') || c == '_' || c == '-' || (c == '.' && !first);

	return kept ? snprintf(out, 4, "%c", c) : snprintf(out, 4, "%%%02X", c);
}

/* Makes and enters what the bytes of one component need; *end is its last piece. */
static int
enter(int at, const char *component, size_t n, char end[256])
{
	char unit[4];
	int len;

	end[0] = '\0';
	if (n == 0)
		strcpy(end, "%");
	for (size_t i = 0; i < n; i++) {
		len = unit_of((unsigned char)component[i], i == 0, unit);
		if (strlen(end) + (size_t)len > 200) {
			char name[256];
			int next;

			(void)snprintf(name, sizeof(name), "%.200s.c", end);
			assert_true(mkdirat(at, name, 0755) == 0 || errno == EEXIST);
			next = openat(at, name, O_RDONLY | O_DIRECTORY);
			assert_true(next >= 0);
			(void)close(at);
			at = next;
			end[0] = '\0';
		}
		strcat(end, unit);
	}
	return at;
}

/* The directory of an object's files, and the last piece of its name. */
static int
place(const struct dir_fixture *d, const char *name, char end[256])
{
	char path[128], directory[260];
	const char *slash;
	int at, next;

	(void)snprintf(path, sizeof(path), "%s/objects", d->root);
	at = open(path, O_RDONLY | O_DIRECTORY);
	assert_true(at >= 0);
	for (; (slash = strchr(name, '/')) != NULL; name = slash + 1) {
		at = enter(at, name, (size_t)(slash - name), end);
		(void)snprintf(directory, sizeof(directory), "%.200s.d", end);
		assert_true(mkdirat(at, directory, 0755) == 0 || errno == EEXIST);
		next = openat(at, directory, O_RDONLY | O_DIRECTORY);
		assert_true(next >= 0);
		(void)close(at);
		at = next;
	}
	return enter(at, name, strlen(name), end);
}

/* ---- files */

static void
write_file(int at, const char *name, const void *p, size_t n)
{
	int fd = openat(at, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, p, n), n);
	assert_int_equal(close(fd), 0);
}

static void
json_string(FILE *f, const char *s)
{
	(void)fputc('"', f);
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || *s == '"' || *s == '\\')
			(void)fprintf(f, "\\u%04x", (unsigned char)*s);
		else
			(void)fputc(*s, f);
	(void)fputc('"', f);
}

static void
write_metadata(int at, const char *end, const struct contract_object *o, const char *content,
	       unsigned serial)
{
	char *text = NULL, file[260];
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)fprintf(f, "{\"version\":1,\"name\":");
	json_string(f, o->name);
	(void)fprintf(f,
		      ",\"content\":\"%s\",\"length\":%zu,\"etag\":\"0x%08X\",\"last_modified\":"
		      "\"2026-11-20T00:00:00Z\","
		      "\"content_type\":\"text/plain\",\"blob_type\":\"BlockBlob\",\"metadata\":{",
		      content, o->bytes.n, serial);
	if (o->metadata_name != NULL) {
		json_string(f, o->metadata_name);
		(void)fputc(':', f);
		json_string(f, o->metadata_value);
	}
	(void)fprintf(f, "}}");
	(void)fclose(f);
	write_file(at, ".tmp-metadata", text, n);
	(void)snprintf(file, sizeof(file), "%.200s.m", end);
	assert_int_equal(renameat(at, ".tmp-metadata", at, file), 0);
	free(text);
}

static void
put(void *arg, const struct contract_object *o)
{
	struct dir_fixture *d = arg;
	char end[256], content[300];
	int at = place(d, o->name, end);

	d->serial++;
	(void)snprintf(content, sizeof(content), "%.200s.%016x.x", end, d->serial);
	write_file(at, content, o->bytes.p, o->bytes.n);
	write_metadata(at, end, o, content, d->serial);
	(void)close(at);
}

/* Leaves the directories, as an unlink by hand would, and the content. */
static void
remove_object(void *arg, const char *name)
{
	char end[256], file[260];
	int at = place(arg, name, end);

	(void)snprintf(file, sizeof(file), "%.200s.m", end);
	assert_int_equal(unlinkat(at, file, 0), 0);
	(void)close(at);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void
reset(void *arg)
{
	static const char marker[] =
		"{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}";
	struct dir_fixture *d = arg;
	char path[128];
	int root;

	(void)snprintf(path, sizeof(path), "%s/objects", d->root);
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	assert_int_equal(mkdir(path, 0755), 0);
	root = open(d->root, O_RDONLY | O_DIRECTORY);
	assert_true(root >= 0);
	write_file(root, "azcryptfs-store.json", marker, strlen(marker));
	(void)close(root);
}

static struct store *
open_store(void *arg, const char *prefix)
{
	struct dir_fixture *d = arg;
	struct err e = { 0 };
	struct store *s = NULL;

	if (dir_store_open(d->root, prefix, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static bool
can_hold(const char *name)
{
	(void)name;
	return true;
}

void
dir_fixture_init(struct dir_fixture *d)
{
	strcpy(d->root, "/tmp/azc-dir-XXXXXX");
	d->serial = 0;
	assert_non_null(mkdtemp(d->root));
}

void
dir_fixture_clear(struct dir_fixture *d)
{
	(void)nftw(d->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct contract_fixture
dir_fixture_of(struct dir_fixture *d)
{
	return (struct contract_fixture){ .arg = d,
					  .can_hold = can_hold,
					  .reset = reset,
					  .put = put,
					  .remove = remove_object,
					  .open = open_store };
}
