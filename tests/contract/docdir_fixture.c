/* SPDX-License-Identifier: MIT */
/* Fills a dir: store of documents: see docdir_fixture.h. */
#include "tests/contract/docdir_fixture.h"

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/store/docdir.h"
#include "crypto/mac.h"

#define DATABASE "the shop"
#define IN_PATH	 "databases/the%20shop.d"

/* ---- files */

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void
make_dir(const struct docdir_fixture *d, const char *path)
{
	char whole[512];

	(void)snprintf(whole, sizeof(whole), "%s/%s", d->root, path);
	if (mkdir(whole, 0755) < 0 && errno != EEXIST)
		fail_msg("mkdir %s", whole);
}

static void
write_file(const struct docdir_fixture *d, const char *path, const char *text)
{
	char whole[512], temporary[80];
	FILE *f;

	(void)snprintf(whole, sizeof(whole), "%s/%s", d->root, path);
	(void)snprintf(temporary, sizeof(temporary), "%s/.tmp", d->root);
	f = fopen(temporary, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
	if (rename(temporary, whole) < 0)
		fail_msg("rename to %s", whole);
}

/* What is not a letter or digit, and no '-', '_' or '.', is %XX: enough for the suite's names. */
static void
encode(const char *name, char out[static 128])
{
	size_t n = 0;

	for (; *name != '\0'; name++)
		n += (size_t)snprintf(out + n, 128 - n,
				      strchr(" %&", *name) != NULL ? "%%%02X" : "%c",
				      (unsigned char)*name);
}

static void
container_path(const char *container, char out[static 256])
{
	char encoded[128];

	encode(container, encoded);
	(void)snprintf(out, 256, "%s/containers/%s.d", IN_PATH, encoded);
}

static void
hex_of(const char *text, unsigned bytes, char *out)
{
	uint8_t digest[SHA256_LEN];
	struct err e = { 0 };

	assert_int_equal(sha256(span_str(text), digest, &e), 0);
	for (unsigned i = 0; i < bytes; i++)
		(void)snprintf(out + 2 * i, 3, "%02X", digest[i]);
}

static char *
json_string(const char *s)
{
	char *text = NULL;
	size_t n;
	FILE *f = open_memstream(&text, &n);

	(void)fputc('"', f);
	for (; *s != '\0'; s++)
		(void)fprintf(f, *s == '"' || *s == '\\' ? "\\%c" : "%c", *s);
	(void)fputc('"', f);
	(void)fclose(f);
	return text;
}

/* ---- the fixture */

static bool
can_hold(const char *id)
{
	(void)id;
	return true;
}

static void
reset(void *arg)
{
	struct docdir_fixture *d = arg;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/databases", d->root);
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	make_dir(d, "databases");
	make_dir(d, IN_PATH);
	write_file(d, "azcryptfs-store.json",
		   "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"documents\"}");
}

static void
make(void *arg, const char *container, const char *partition_key)
{
	struct docdir_fixture *d = arg;
	char path[256], whole[512], *text, *id = json_string(container);

	container_path(container, path);
	(void)snprintf(whole, sizeof(whole), "%s/%s", d->root, path);
	(void)nftw(whole, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	make_dir(d, IN_PATH "/containers");
	make_dir(d, path);
	(void)snprintf(whole, sizeof(whole), "%s/container.json", path);
	assert_true(asprintf(&text, "{ \"id\": %s, \"partitionKey\": %s, \"_rid\": \"rid%u==\" }\n",
			     id, partition_key, ++d->serial) > 0);
	write_file(d, whole, text);
	free(text);
	free(id);
}

static char *
put_key(void *arg, const char *id, const char *wrapped)
{
	struct docdir_fixture *d = arg;
	char encoded[128], path[256], *text;

	encode(id, encoded);
	make_dir(d, IN_PATH "/keys");
	(void)snprintf(path, sizeof(path), "%s/keys/%s.json", IN_PATH, encoded);
	assert_true(asprintf(&text,
			     "{\"id\":\"%s\", \"wrappedDataEncryptionKey\":\"%s\",\n"
			     "\"_etag\": \"\\\"%08x\\\"\"}",
			     id, wrapped, ++d->serial) > 0);
	write_file(d, path, text);
	return text;
}

static char *
put(void *arg, const char *container, const struct contract_document *document)
{
	struct docdir_fixture *d = arg;
	char path[256], whole[512], p[17], i[65], *text, *id = json_string(document->id);

	hex_of(document->partition, 8, p);
	hex_of(document->id, 16, i);
	container_path(container, path);
	(void)snprintf(whole, sizeof(whole), "%s/documents", path);
	make_dir(d, whole);
	(void)snprintf(whole, sizeof(whole), "%s/documents/%.2s", path, p);
	make_dir(d, whole);
	(void)snprintf(whole, sizeof(whole), "%s/documents/%.2s/%s-%s.json", path, p, p, i);
	d->serial++;
	assert_true(asprintf(&text,
			     "{\n \"id\": %s,\t%s,\r\n\"_etag\":\"\\\"%08x\\\"\",\"_ts\":%u}\n", id,
			     document->members, d->serial, 1700000000 + d->serial) > 0);
	write_file(d, whole, text);
	free(id);
	return text;
}

static struct docstore *
open_store(void *arg)
{
	struct docdir_fixture *d = arg;
	struct docstore *s = NULL;
	struct err e = { 0 };

	if (docdir_open(d->root, "", "", &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

void
docdir_fixture_init(struct docdir_fixture *d)
{
	(void)snprintf(d->root, sizeof(d->root), "/tmp/azc-docdir-XXXXXX");
	d->serial = 0;
	assert_non_null(mkdtemp(d->root));
}

void
docdir_fixture_clear(struct docdir_fixture *d)
{
	(void)nftw(d->root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

struct docstore_fixture
docdir_fixture_of(struct docdir_fixture *d)
{
	return (struct docstore_fixture){ d,	DATABASE, can_hold, reset,
					  make, put_key,  put,	    open_store };
}
