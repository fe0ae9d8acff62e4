/* SPDX-License-Identifier: MIT */
/* The dir: store against hostile and damaged directories, and against replacement while it reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/store/dir.h"
#include "tests/unit/store/lines.h"

#define MARKER "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}"
#define ETC                                                                                       \
	",\"etag\":\"1\",\"last_modified\":\"2026-11-20T00:00:00Z\",\"blob_type\":\"BlockBlob\"," \
	"\"metadata\":{}}"
#define CONTENT "\"content\":\"a.0123456789abcdef.x\",\"length\":3"
#define GOOD	"{\"version\":1,\"name\":\"a\"," CONTENT ETC

static const struct deadline never = { 0 };
static char root[64];

static void
write_file(const char *path, const char *text, size_t n)
{
	char whole[256], temporary[256];
	FILE *f;

	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	(void)snprintf(temporary, sizeof(temporary), "%s/.tmp", root);
	f = fopen(temporary, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(rename(temporary, whole), 0);
}

static void
write_text(const char *path, const char *text)
{
	write_file(path, text, strlen(text));
}

static void
make_dir(const char *path)
{
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	assert_int_equal(mkdir(whole, 0755), 0);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int
set_up(void **state)
{
	(void)state;
	strcpy(root, "/tmp/azc-dir-XXXXXX");
	assert_non_null(mkdtemp(root));
	make_dir("objects");
	write_text("azcryptfs-store.json", MARKER);
	write_text("objects/a.0123456789abcdef.x", "abc");
	write_text("objects/a.m", GOOD);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	(void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static struct store *
open_store(void)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (dir_store_open(root, "", &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static int
take(void *arg, struct span piece, struct err *e)
{
	(void)e;
	(void)strncat(arg, (const char *)piece.p, piece.n);
	return 0;
}

static int
get(struct store *s, const char *name, char text[64], struct err *e)
{
	const struct store_get what = { .name = name, .max = 60 };

	err_clear(e);
	text[0] = '\0';
	return store_get(s, &what, (struct store_get_sink){ NULL, take, text }, NULL, never, e);
}

static void
assert_listing(struct store *s, bool delimited, const char *want)
{
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF cursor;

	buf_init(&cursor, STORE_CURSOR_MAX);
	if (store_list(s, span_str(""), delimited, 0, &cursor, lines_sink(&lines), never, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(lines.text, want);
}

/* ---- metadata files */

#define NAMED(name)   "{\"version\":1,\"name\":" name "," CONTENT ETC
#define WITH(content) "{\"version\":1,\"name\":\"a\"," content ETC

static const struct {
	const char *what, *text;
} hostile[] = {
	{ "empty", "" },
	{ "not JSON", "a" },
	{ "not an object", "[]" },
	{ "something after it", GOOD "x" },
	{ "a member twice", "{\"version\":1,\"name\":\"a\",\"name\":\"a\"," CONTENT ETC },
	{ "too deep", "{\"x\":[[[[[[[[[[]]]]]]]]]]," },
	{ "no version", "{\"name\":\"a\"," CONTENT ETC },
	{ "a newer version", "{\"version\":2,\"name\":\"a\"," CONTENT ETC },
	{ "the name of another place", NAMED("\"b\"") },
	{ "a name with a NUL", NAMED("\"a\\u0000\"") },
	{ "no name", NAMED("1") },
	{ "content above", WITH("\"content\":\"../a.0123456789abcdef.x\",\"length\":3") },
	{ "content elsewhere", WITH("\"content\":\"/etc/passwd\",\"length\":3") },
	{ "content of another object", WITH("\"content\":\"b.0123456789abcdef.x\",\"length\":3") },
	{ "content in a directory", WITH("\"content\":\"a.d/a.0123456789abcdef.x\",\"length\":3") },
	{ "the metadata file as content", WITH("\"content\":\"a.m\",\"length\":3") },
	{ "content with capitals", WITH("\"content\":\"a.0123456789ABCDEF.x\",\"length\":3") },
	{ "content with too many digits",
	  WITH("\"content\":\"a.0123456789abcdef0.x\",\"length\":3") },
	{ "content with a dot at its end",
	  WITH("\"content\":\"a.0123456789abcdef.x.\",\"length\":3") },
	{ "no content", WITH("\"length\":3") },
	{ "no length", WITH("\"content\":\"a.0123456789abcdef.x\"") },
	{ "a negative length", WITH("\"content\":\"a.0123456789abcdef.x\",\"length\":-3") },
	{ "a length with a fraction", WITH("\"content\":\"a.0123456789abcdef.x\",\"length\":3.0") },
	{ "a length beyond 64 bits",
	  WITH("\"content\":\"a.0123456789abcdef.x\",\"length\":99999999999999999999") },
	{ "no ETag", "{\"version\":1,\"name\":\"a\"," CONTENT
		     ",\"last_modified\":\"2026-11-20T00:00:00Z\",\"blob_type\":\"BlockBlob\"}" },
	{ "an ETag with a line break", "{\"version\":1,\"name\":\"a\"," CONTENT
				       ",\"etag\":\"a\\nb\",\"last_modified\":\"2026-11-20T00:00:"
				       "00Z\",\"blob_type\":\"BlockBlob\"}" },
	{ "an ETag in quotes", "{\"version\":1,\"name\":\"a\"," CONTENT
			       ",\"etag\":\"\\\"1\\\"\",\"last_modified\":\"2026-11-20T00:00:00Z\","
			       "\"blob_type\":\"BlockBlob\"}" },
	{ "no date",
	  "{\"version\":1,\"name\":\"a\"," CONTENT ",\"etag\":\"1\",\"blob_type\":\"BlockBlob\"}" },
	{ "an odd date",
	  "{\"version\":1,\"name\":\"a\"," CONTENT
	  ",\"etag\":\"1\",\"last_modified\":\"yesterday\",\"blob_type\":\"BlockBlob\"}" },
	{ "an unknown type",
	  "{\"version\":1,\"name\":\"a\"," CONTENT
	  ",\"etag\":\"1\",\"last_modified\":\"2026-11-20T00:00:00Z\",\"blob_type\":\"x\"}" },
	{ "metadata that are a list", "{\"version\":1,\"name\":\"a\"," CONTENT
				      ",\"etag\":\"1\",\"last_modified\":\"2026-11-20T00:00:00Z\","
				      "\"blob_type\":\"BlockBlob\",\"metadata\":[]}" },
	{ "metadata that are no text", "{\"version\":1,\"name\":\"a\"," CONTENT
				       ",\"etag\":\"1\",\"last_modified\":\"2026-11-20T00:00:00Z\","
				       "\"blob_type\":\"BlockBlob\",\"metadata\":{\"x\":{}}}" },
};

static void
assert_refused(struct store *s, const char *what)
{
	struct lines lines;
	struct err e = { 0 };
	char text[64];

	if (get(s, "a", text, &e) != -EBADMSG)
		fail_msg("accepted: %s", what);
	assert_non_null(strstr(e.text, "objects/a.m: "));
	assert_string_equal(e.event, "integrity.dir");
	err_clear(&e);
	assert_int_equal(store_head(s, "a", NULL, lines_sink(&lines), NULL, never, &e), -EBADMSG);
	err_clear(&e);
	assert_int_equal(store_probe(s, "a", lines_sink(&lines), never, &e), -EBADMSG);
}

static void
test_hostile_metadata(void **state)
{
	struct store *s = open_store();

	(void)state;
	write_text("objects/b.0123456789abcdef.x", "");
	write_text("objects/b.m", "{\"version\":1,\"name\":\"b\",\"content\":\"b.0123456789abcdef."
				  "x\",\"length\":0" ETC);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		write_text("objects/a.m", hostile[i].text);
		assert_refused(s, hostile[i].what);
		assert_listing(s, true,
			       "o a 0 unreadable \no b 0 1\n"); /* its neighbours are seen */
	}
	write_text("objects/a.m", GOOD);
	assert_listing(s, true, "o a 3 1\no b 0 1\n");
	store_free(s);
}

static void
test_metadata_sizes(void **state)
{
	struct store *s = open_store();
	char *text = malloc(100000), out[64];
	struct err e = { 0 };

	(void)state;
	memset(text, ' ', 100000);
	memcpy(text, GOOD, strlen(GOOD));
	write_file("objects/a.m", text, 64 << 10);
	assert_int_equal(get(s, "a", out, &e), 0);
	write_file("objects/a.m", text, (64 << 10) + 1);
	assert_refused(s, "one byte too many");
	memset(text, '[', 100000);
	write_file("objects/a.m", text, 60000);
	assert_refused(s, "very deep");
	free(text);
	store_free(s);
}

/* ---- content */

static void
test_content_that_does_not_fit(void **state)
{
	struct store *s = open_store();
	char out[64], path[256];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(get(s, "a", out, &e), 0);
	assert_string_equal(out, "abc");
	write_text("objects/a.0123456789abcdef.x", "abcd");
	assert_int_equal(get(s, "a", out, &e), -EIO);
	write_text("objects/a.0123456789abcdef.x", "ab");
	assert_int_equal(get(s, "a", out, &e), -EIO);
	(void)snprintf(path, sizeof(path), "%s/objects/a.0123456789abcdef.x", root);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(get(s, "a", out, &e), -EIO);
	assert_non_null(strstr(e.text, "missing"));
	store_free(s);
}

static void
link_to(const char *target, const char *path)
{
	char whole[256];

	(void)snprintf(whole, sizeof(whole), "%s/%s", root, path);
	(void)unlink(whole);
	assert_int_equal(symlink(target, whole), 0);
}

static void
test_links_are_no_part_of_a_store(void **state)
{
	struct store *s = open_store();
	char out[64], outside[128];
	struct err e = { 0 };
	struct lines lines;

	(void)state;
	make_dir("outside");
	write_text("outside/a.0123456789abcdef.x", "out");
	write_text("outside/a.m", "{\"version\":1,\"name\":\"l/a\"," CONTENT ETC);
	(void)snprintf(outside, sizeof(outside), "%s/outside", root);
	link_to(outside, "objects/l.d");
	link_to("../outside/a.m", "objects/m.m");
	assert_int_equal(get(s, "l/a", out, &e), -ENOENT);
	assert_int_equal(get(s, "m", out, &e), -ENOENT);
	assert_int_equal(store_probe(s, "l", lines_sink(&lines), never, (err_clear(&e), &e)), 0);
	assert_string_equal(lines.text, "");
	assert_listing(s, true, "o a 3 1\n");
	assert_listing(s, false, "o a 3 1\n");
	link_to("../outside/a.0123456789abcdef.x", "objects/a.0123456789abcdef.x");
	assert_int_equal(get(s, "a", out, &e), -EIO);
	store_free(s);
}

static void
test_other_files_are_ignored(void **state)
{
	static const char *const files[] = { "README", ".hidden.m", ".tmp-1", "%41.m", "%2e.m",
					     "x y.m",  "a.m.bak",   "b.x",    ".m",    ".d" };
	struct store *s = open_store();
	char path[64];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(path, sizeof(path), "objects/%s", files[i]);
		write_text(path, GOOD);
	}
	write_text("objects/file.d", "no directory");
	make_dir("objects/dir.m");
	make_dir("objects/empty.d");
	make_dir("objects/empty.d/more.d");
	write_text("objects/bb.m", "{\"version\":1,\"name\":\"bb\",\"content\":"
				   "\"bb.0123456789abcdef.x\",\"length\":0" ETC);
	make_dir("objects/b.c"); /* no piece of a name is as short as that */
	write_text("objects/b.c/b.m", GOOD);
	make_dir("objects/short.c");
	write_text("objects/short.c/er.m", GOOD);
	assert_listing(s, true, "o a 3 1\no bb 0 1\n");
	assert_listing(s, false, "o a 3 1\no bb 0 1\n");
	store_free(s);
}

static void
test_deep_directories(void **state)
{
	struct store *s = open_store();
	int at = open(root, O_RDONLY | O_DIRECTORY), next;
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF cursor;

	(void)state;
	next = openat(at, "objects", O_RDONLY | O_DIRECTORY);
	for (unsigned i = 0; i < 300; i++) {
		(void)close(at);
		at = next;
		assert_int_equal(mkdirat(at, "x.d", 0755), 0);
		next = openat(at, "x.d", O_RDONLY | O_DIRECTORY);
	}
	(void)close(at);
	(void)close(next);
	buf_init(&cursor, STORE_CURSOR_MAX);
	assert_int_equal(
		store_list(s, span_str(""), false, 0, &cursor, lines_sink(&lines), never, &e),
		-ENAMETOOLONG);
	store_free(s);
}

/* ---- opening */

static void
test_what_is_no_store(void **state)
{
	static const char *const markers[] = {
		"",
		"{}",
		"{\"format\":\"other\",\"version\":1,\"kind\":\"blobs\"}",
		"{\"format\":\"azcryptfs-dir\",\"version\":2,\"kind\":\"blobs\"}",
		"{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"documents\"}",
		"{\"format\":\"azcryptfs-dir\",\"version\":1}"
	};
	struct store *s = NULL;
	char path[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
		struct err e = { 0 };

		write_text("azcryptfs-store.json", markers[i]);
		assert_int_equal(dir_store_open(root, "", &s, &e), -EINVAL);
		assert_non_null(strstr(e.text, root));
	}
	for (unsigned i = 0; i < 3; i++) {
		static const char *const paths[] = { "objects", "nothing", "azcryptfs-store.json" };
		static const int errnos[] = { EINVAL, ENOENT, ENOTDIR };
		struct err e = { 0 };

		(void)snprintf(path, sizeof(path), "%s/%s", root, paths[i]);
		assert_int_equal(dir_store_open(path, "", &s, &e), -errnos[i]);
	}
	assert_null(s);
}

/* ---- replacement */

static atomic_bool replacing;

/* As a writer does it: content first, then the metadata by rename, then the old content goes. */
static void *
replace_all_the_time(void *arg)
{
	char content[64], text[512], path[128], old[256] = "";

	(void)arg;
	for (unsigned i = 1; atomic_load(&replacing); i++) {
		(void)snprintf(content, sizeof(content), "a.%016x.x", i);
		(void)snprintf(path, sizeof(path), "objects/%s", content);
		(void)snprintf(text, sizeof(text), "%032u", i);
		write_text(path, text);
		(void)snprintf(
			text, sizeof(text),
			"{\"version\":1,\"name\":\"a\",\"content\":\"%s\",\"length\":32,\"etag\":"
			"\"%u\","
			"\"last_modified\":\"2026-11-20T00:00:00Z\",\"blob_type\":\"BlockBlob\"}",
			content, i);
		write_text("objects/a.m", text);
		if (old[0] != '\0')
			(void)unlink(old);
		(void)snprintf(old, sizeof(old), "%s/%s", root, path);
	}
	return NULL;
}

struct version {
	char etag[STORE_ETAG_MAX + 1], text[64];
};

static int
begin_version(void *arg, const struct store_entry *entry, struct err *e)
{
	struct version *v = arg;

	(void)e;
	(void)snprintf(v->etag, sizeof(v->etag), "%s", entry->etag);
	v->text[0] = '\0';
	return 0;
}

static int
take_version(void *arg, struct span piece, struct err *e)
{
	return take(((struct version *)arg)->text, piece, e);
}

static void
test_a_reader_has_one_version(void **state)
{
	const struct store_get what = { .name = "a", .max = 60 };
	struct store *s = open_store();
	char want[64];
	pthread_t writer;

	(void)state;
	atomic_store(&replacing, true);
	assert_int_equal(pthread_create(&writer, NULL, replace_all_the_time, NULL), 0);
	for (unsigned i = 0; i < 3000; i++) {
		struct version v = { .etag = "" };
		struct err e = { 0 };

		if (store_get(s, &what, (struct store_get_sink){ begin_version, take_version, &v },
			      NULL, never, &e) < 0)
			fail_msg("%s", e.text);
		(void)snprintf(want, sizeof(want), "%032u", (unsigned)strtoul(v.etag, NULL, 10));
		if (strcmp(v.text, "abc") != 0)
			assert_string_equal(v.text, want);
	}
	atomic_store(&replacing, false);
	assert_int_equal(pthread_join(writer, NULL), 0);
	store_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hostile_metadata),	      TEST(test_metadata_sizes),
		TEST(test_content_that_does_not_fit), TEST(test_links_are_no_part_of_a_store),
		TEST(test_other_files_are_ignored),   TEST(test_deep_directories),
		TEST(test_what_is_no_store),	      TEST(test_a_reader_has_one_version),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
