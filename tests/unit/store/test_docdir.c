/* SPDX-License-Identifier: MIT */
/* The dir: store of documents against hostile and damaged directories; the rest of what it does is
 * in the contract suite. */
#include "tests/unit/store/docroot.h"

#include <fcntl.h>

#include "backend/store/docdircontainer.h"
#include "backend/store/docdirrange.h"

#define ONE	"{\"id\":\"1\",\"pk\":\"a\",\"_ts\":10}"
#define TWO	"{\"id\":\"2\",\"pk\":\"a\",\"_ts\":20}"
#define A	"[\"a\"]"
#define SECRETS "/etc/hostname"

static const struct docstore_at at = { .database = "db", .container = "c" };
static const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
static const struct deadline never = { 0 };

static int
set_up(void **state)
{
	(void)docroot_make_store(state);
	docroot_put(A, "1", ONE);
	return 0;
}

static int
get(struct docstore *s, const char *partition, const char *id, struct buf *out, struct err *e)
{
	err_clear(e);
	return docstore_get(s, &at, partition, id, NULL, out, NULL, never, e);
}

static void
assert_documents(struct docstore *s, const char *wanted)
{
	struct docroot_lines lines;
	struct err e = { 0 };

	if (docroot_pages(s, &all, &lines, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(lines.text, wanted);
}

/* ---- documents that are not as they should be */

static const struct {
	const char *what, *text;
} hostile[] = {
	{ "empty", "" },
	{ "not JSON", "x" },
	{ "not an object", "[]" },
	{ "cut off", "{\"id\":\"1\",\"pk\":\"a\"" },
	{ "something after it", ONE "x" },
	{ "a member twice", "{\"id\":\"1\",\"id\":\"1\",\"pk\":\"a\"}" },
	{ "no id", "{\"pk\":\"a\"}" },
	{ "an id that is no string", "{\"id\":1,\"pk\":\"a\"}" },
	{ "another id", "{\"id\":\"2\",\"pk\":\"a\"}" },
	{ "another partition", "{\"id\":\"1\",\"pk\":\"b\"}" },
	{ "no partition", "{\"id\":\"1\"}" },
	{ "a partition of another type", "{\"id\":\"1\",\"pk\":1}" },
	{ "not UTF-8", "{\"id\":\"1\",\"pk\":\"a\",\"x\":\"\xff\"}" },
	{ "an id with a NUL", "{\"id\":\"1\\u0000\",\"pk\":\"a\"}" },
};

static void
a_malformed_document_fails_what_reads_it_and_is_named(void **state)
{
	static const struct docstore_select partitions = { .changes = true };
	char path[256];

	(void)state;
	docroot_place(A, "1", path);
	for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
		struct docstore *s = docroot_open();
		struct docroot_lines lines;
		struct err e = { 0 };
		AUTO_BUF text;

		buf_init(&text, 4 << 20);
		docroot_file(path, hostile[i].text);
		if (get(s, A, "1", &text, &e) != -EBADMSG)
			fail_msg("%s: %s", hostile[i].what, e.text);
		assert_non_null(strstr(e.text, path));
		assert_int_equal(text.n, 0);
		err_clear(&e);
		assert_int_equal(docroot_pages(s, &all, &lines, &e), -EBADMSG);
		assert_non_null(strstr(e.text, path));
		assert_int_equal(lines.n, 0);
		err_clear(&e);
		assert_int_equal(docroot_pages(s, &partitions, &lines, &e), -EBADMSG);
		docstore_free(s);
	}
}

static void
a_huge_file_is_not_read(void **state)
{
	struct docroot_lines lines;
	char path[256], whole[1024];
	struct docstore *s;
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	docroot_place(A, "1", path);
	docroot_path(path, whole);
	assert_int_equal(truncate(whole, INT64_C(1) << 40), 0);
	s = docroot_open();
	buf_init(&text, 4 << 20);
	assert_int_equal(get(s, A, "1", &text, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "larger"));
	err_clear(&e);
	assert_int_equal(docroot_pages(s, &all, &lines, &e), -EBADMSG);
	err_clear(&e);
	docroot_path(DOC_IN "/container.json", whole);
	assert_int_equal(truncate(whole, INT64_C(1) << 40), 0);
	assert_int_equal(get(s, A, "1", &text, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "container.json"));
	docstore_free(s);
}

static void
what_is_no_regular_file_or_spelled_otherwise_is_not_there(void **state)
{
	char path[256], whole[1024], moved[512];
	struct docstore *s = docroot_open();
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	buf_init(&text, 4 << 20);
	docroot_place(A, "2", path);
	docroot_path(path, whole);
	assert_int_equal(symlink(SECRETS, whole), 0);
	assert_int_equal(get(s, A, "2", &text, &e), -ENOENT);
	assert_documents(s, ONE "\n");
	assert_int_equal(unlink(whole), 0);
	assert_int_equal(mkfifo(whole, 0600), 0);
	assert_int_equal(get(s, A, "2", &text, &e), -ENOENT);
	assert_documents(s, ONE "\n");
	assert_int_equal(unlink(whole), 0);
	assert_int_equal(mkdir(whole, 0700), 0);
	assert_int_equal(get(s, A, "2", &text, &e), -ENOENT);
	assert_documents(s, ONE "\n");
	/* a good document under names that are none */
	docroot_place(A, "1", path);
	*strrchr(path, '/') = '\0';
	for (const char *const *name = (const char *const[]){ "x.json", ".hidden.json", "README",
							      "0000000000000000-0.json", NULL };
	     *name != NULL; name++) {
		(void)snprintf(moved, sizeof(moved), "%s/%s", path, *name);
		docroot_file(moved, ONE);
	}
	assert_documents(s, ONE "\n");
	docstore_free(s);
}

/* The name of another directory HH, in lower case, or with something behind it. */
static void
a_name_in_the_wrong_directory_is_not_there(void **state)
{
	struct docstore *s = docroot_open();
	char path[256], other[512], *name;

	(void)state;
	docroot_place(A, "1", path);
	name = strrchr(path, '/') + 1;
	docroot_dir(DOC_IN "/documents/00");
	(void)snprintf(other, sizeof(other), DOC_IN "/documents/00/%s", name);
	docroot_file(other, ONE);
	docroot_dir(DOC_IN "/documents/0a");
	docroot_dir(DOC_IN "/documents/AAA");
	(void)snprintf(other, sizeof(other), DOC_IN "/documents/AAA/%s", name);
	docroot_file(other, ONE);
	assert_documents(s, ONE "\n");
	docstore_free(s);
}

static void
links_on_the_way_are_not_followed(void **state)
{
	static const char *const links[] = { DOC_IN "/documents", DOC_IN,
					     "databases/db.d/containers", "databases/db.d" };
	struct docstore *s = docroot_open();
	char whole[1024], moved[1024];
	struct docroot_lines lines;
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	buf_init(&text, 4 << 20);
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		docroot_path(links[i], whole);
		docroot_path("aside", moved);
		assert_int_equal(rename(whole, moved), 0);
		assert_int_equal(symlink(moved, whole), 0);
		assert_int_equal(get(s, A, "1", &text, &e), -ENOENT);
		err_clear(&e);
		(void)docroot_pages(s, &all, &lines, &e);
		assert_int_equal(lines.n, 0);
		assert_int_equal(unlink(whole), 0);
		assert_int_equal(rename(moved, whole), 0);
	}
	assert_documents(s, ONE "\n");
	docstore_free(s);
}

/* ---- names of databases, containers and keys */

static void
odd_names_are_not_listed_and_do_not_hide_others(void **state)
{
	static const char *const odd[] = { "x",	    "x.c",	".d",	     "%2F.d",
					   "%2e.d", "%2E%2E.d", "a%00.d",    "a%3F.d",
					   "%FF.d", "%0A.d",	"lower%c3.d" };
	struct docstore *s = docroot_open();
	struct docroot_lines lines = { .n = 0 };
	struct err e = { 0 };
	char path[128], whole[1024];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(odd); i++) {
		(void)snprintf(path, sizeof(path), "databases/%s", odd[i]);
		docroot_dir(path);
		(void)snprintf(path, sizeof(path), "databases/db.d/containers/%s", odd[i]);
		docroot_dir(path);
		(void)snprintf(path, sizeof(path), "databases/db.d/containers/%s/container.json",
			       odd[i]);
		docroot_file(path, DOC_CONTAINER);
	}
	docroot_file("databases/file.d", "x");
	docroot_path("databases/link.d", whole);
	assert_int_equal(symlink("db.d", whole), 0);
	docroot_dir("databases/db.d/containers/unfinished.d");
	assert_int_equal(docstore_list(s, NULL, (struct docstore_names){ docroot_add_name, &lines },
				       never, &e),
			 0);
	assert_string_equal(lines.text, "db\n");
	lines = (struct docroot_lines){ .n = 0 };
	assert_int_equal(docstore_list(s, "db", (struct docstore_names){ docroot_add_name, &lines },
				       never, &e),
			 0);
	assert_string_equal(lines.text, "c\n");
	docstore_free(s);
}

static void
names_that_no_service_has_are_not_there(void **state)
{
	static const char *const names[] = { "..",	 ".",	 "a/b", "../db",
					     "db/../db", "a\\b", "\n",	"\xff" };
	struct docstore *s = docroot_open();
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	buf_init(&text, CONTAINER_TEXT_MAX);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const struct docstore_at database = { .database = names[i], .container = "c" },
					 container = { .database = "db", .container = names[i] };

		assert_int_equal(docstore_container(s, &database, &text, never, &e), -ENOENT);
		err_clear(&e);
		assert_int_equal(docstore_container(s, &container, &text, never, &e), -ENOENT);
		err_clear(&e);
		assert_int_equal(docstore_key(s, "db", names[i], NULL, &text, NULL, never, &e),
				 -ENOENT);
		assert_string_equal(e.event, "remote.gone");
		err_clear(&e);
	}
	docstore_free(s);
}

static void
a_resource_of_another_id_is_refused_and_named(void **state)
{
	struct docstore *s = docroot_open();
	struct docroot_lines lines = { .n = 0 };
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	buf_init(&text, CONTAINER_TEXT_MAX);
	docroot_file(DOC_IN "/container.json", "{\"id\":\"other\",\"_rid\":\"r1\"}");
	assert_int_equal(docstore_container(s, &at, &text, never, &e), -EBADMSG);
	assert_non_null(strstr(e.text, DOC_IN "/container.json"));
	err_clear(&e);
	docroot_file("databases/db.d/keys/k.json", "{\"id\":\"j\"}");
	assert_int_equal(docstore_key(s, "db", "k", NULL, &text, NULL, never, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "databases/db.d/keys/k.json"));
	err_clear(&e);
	assert_int_equal(docstore_keys(s, "db", (struct docstore_sink){ docroot_add_line, &lines },
				       never, &e),
			 -EBADMSG);
	assert_int_equal(lines.n, 0);
	docstore_free(s);
}

static void
keys_that_cannot_be_are_not_there(void **state)
{
	struct docstore *s = docroot_open();
	struct docroot_lines lines = { .n = 0 };
	struct err e = { 0 };
	char whole[1024];

	(void)state;
	docroot_file("databases/db.d/keys/good.json", "{\"id\":\"good\"}");
	docroot_file("databases/db.d/keys/%2F.json", "{\"id\":\"/\"}");
	docroot_file("databases/db.d/keys/%5C.json", "{\"id\":\"\\\\\"}");
	docroot_file("databases/db.d/keys/good.txt", "{\"id\":\"good\"}");
	docroot_path("databases/db.d/keys/link.json", whole);
	assert_int_equal(symlink("good.json", whole), 0);
	docroot_path("databases/db.d/keys/pipe.json", whole);
	assert_int_equal(mkfifo(whole, 0600), 0);
	docroot_path("databases/db.d/keys/dir.json", whole);
	assert_int_equal(mkdir(whole, 0700), 0);
	assert_int_equal(docstore_keys(s, "db", (struct docstore_sink){ docroot_add_line, &lines },
				       never, &e),
			 0);
	assert_string_equal(lines.text, "{\"id\":\"good\"}\n");
	docstore_free(s);
}

/* ---- opening */

static const struct {
	const char *what, *marker;
	int no;
} markers[] = {
	{ "no marker", NULL, EINVAL },
	{ "not JSON", "x", EINVAL },
	{ "another format", "{\"format\":\"x\",\"version\":1,\"kind\":\"documents\"}", EINVAL },
	{ "a newer version", "{\"format\":\"azcryptfs-dir\",\"version\":2,\"kind\":\"documents\"}",
	  EINVAL },
	{ "another kind", "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}",
	  EINVAL },
	{ "an unknown kind", "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"x\"}",
	  EINVAL },
	{ "no kind", "{\"format\":\"azcryptfs-dir\",\"version\":1}", EINVAL },
};

static void
only_a_store_of_documents_opens(void **state)
{
	struct docstore *s = NULL;
	struct err e = { 0 };
	char whole[1024];

	(void)state;
	docroot_path("azcryptfs-store.json", whole);
	for (size_t i = 0; i < ARRAY_LEN(markers); i++) {
		if (markers[i].marker != NULL)
			docroot_file("azcryptfs-store.json", markers[i].marker);
		else
			assert_int_equal(unlink(whole), 0);
		if (docdir_open(docroot, "", "", &s, &e) != -markers[i].no)
			fail_msg("%s: %s", markers[i].what, e.text);
		assert_non_null(strstr(e.text, docroot));
		assert_null(s);
		err_clear(&e);
	}
	assert_int_equal(docdir_open("/nonexistent", "", "", &s, &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(docdir_open(whole, "", "", &s, &e), -ENOTDIR);
	err_clear(&e);
	docroot_file("azcryptfs-store.json", DOC_MARKER);
	assert_int_equal(docdir_open(docroot, "a/b", "", &s, &e), -EINVAL);
	err_clear(&e);
	assert_int_equal(docdir_open(docroot, "db", "..", &s, &e), -EINVAL);
	err_clear(&e);
	assert_int_equal(docdir_open(docroot, "db", "c", &s, &e), 0);
	assert_string_equal(s->database, "db");
	assert_string_equal(s->container, "c");
	assert_non_null(strstr(s->label, "/db/c"));
	docstore_free(s);
}

/* ---- which container it is */

static void
a_container_is_the_one_that_the_caller_knows(void **state)
{
	struct container_def def = { .id = NULL };
	struct docstore_at known = at;
	struct docroot_lines lines = { .n = 0 };
	const struct docstore_sink sink = { docroot_add_line, &lines };
	struct docstore *s = docroot_open();
	struct err e = { 0 };
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	known.rid = "r1";
	assert_int_equal(docstore_page(s, &known, &all, &cursor, sink, NULL, never, &e), 0);
	assert_int_equal(lines.n, 1);
	known.rid = "r2";
	assert_int_equal(docstore_page(s, &known, &all, &cursor, sink, NULL, never, &e), -ESTALE);
	assert_string_equal(e.event, "remote.recreated");
	err_clear(&e);
	assert_int_equal(container_def_parse(span_str(DOC_CONTAINER), &def, &e), 0);
	known = (struct docstore_at){ .database = "db", .container = "c", .def = &def };
	assert_int_equal(docstore_page(s, &known, &all, &cursor, sink, NULL, never, &e), 0);
	docroot_file(DOC_IN "/container.json",
		     "{\"id\":\"c\",\"_rid\":\"r3\",\"partitionKey\":{\"paths\":[\"/pk\"]}}");
	assert_int_equal(docstore_page(s, &known, &all, &cursor, sink, NULL, never, &e), -ESTALE);
	err_clear(&e);
	docroot_file(DOC_IN "/container.json", "{\"id\":\"c\",\"_rid\":[]}");
	assert_int_equal(docstore_page(s, &known, &all, &cursor, sink, NULL, never, &e), -ESTALE);
	err_clear(&e);
	assert_int_equal(docstore_page(s, &at, &all, &cursor, sink, NULL, never, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "container.json"));
	container_def_clear(&def);
	docstore_free(s);
}

/* ---- pages and bounds */

/* Ids that are found for a P that begins so: what lies at both ends of the range. */
static void
every_document_lies_below_FF(void **state)
{
	static const struct {
		const char *min, *max;
		bool low, high; /* P of zeros, P of Fs */
	} rows[] = {
		{ NULL, NULL, true, true },
		{ "", "FF", true, true },
		{ "", "80", true, false },
		{ "80", "FF", false, true },
		{ "", "FFFF", true, false },
		{ "FFFF", "FF", false, true },
		{ "FFFFFFFFFFFFFFFF", "FF", false, true },
		{ "FFFFFFFFFFFFFFFF00", "FF", false, false },
		{ "", "FFFFFFFFFFFFFFFF", true, false },
		{ "", "FFFFFFFFFFFFFFFF00", true, true },
		{ "00", "0000000000000001", true, false },
		{ "0000000000000001", "FF", false, true },
		{ "00", "01", true, false },
	};
	struct docname low = { { 0 } }, high;

	(void)state;
	memset(high.b, 0xff, sizeof(high.b));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct docstore_select sel = { .min = rows[i].min, .max = rows[i].max };
		struct docdirrange range;
		struct err e = { 0 };

		assert_int_equal(docdirrange_of(&sel, &range, &e), 0);
		if (docdirrange_has(&range, &low) != rows[i].low ||
		    docdirrange_has(&range, &high) != rows[i].high)
			fail_msg("row %zu", i);
		assert_true(!rows[i].low || docdirrange_meets(&range, 0));
		assert_true(!rows[i].high || docdirrange_meets(&range, 0xff));
	}
}

static void
bounds_that_are_none_are_refused(void **state)
{
	static const char *const bounds[][2] = { { "FF", "FF" }, { "80", "70" }, { "80", "80" },
						 { "ff", "FF" }, { "x", "FF" },	 { "", "G0" },
						 { "", "" } };
	struct docstore *s = docroot_open();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bounds); i++) {
		const struct docstore_select sel = { .min = bounds[i][0], .max = bounds[i][1] };
		struct docroot_lines lines;
		struct err e = { 0 };

		assert_int_equal(docroot_pages(s, &sel, &lines, &e), -EINVAL);
	}
	docstore_free(s);
}

static void
a_cursor_of_the_container_before_is_refused(void **state)
{
	const struct docstore_select feed = { .changes = true }, one = { .max_items = 1 };
	struct docroot_lines lines = { .n = 0 };
	const struct docstore_sink sink = { docroot_add_line, &lines };
	struct docstore *s = docroot_open();
	struct err e = { 0 };
	AUTO_BUF pages, changes;

	(void)state;
	buf_init(&pages, DOCSTORE_CURSOR_MAX);
	buf_init(&changes, DOCSTORE_CURSOR_MAX);
	docroot_put(A, "2", TWO);
	assert_int_equal(docstore_page(s, &at, &one, &pages, sink, NULL, never, &e), 0);
	assert_int_equal(docstore_page(s, &at, &feed, &changes, sink, NULL, never, &e), 0);
	assert_int_equal(docstore_page(s, &at, &feed, &pages, sink, NULL, never, &e), -EINVAL);
	err_clear(&e);
	assert_int_equal(docstore_page(s, &at, &one, &changes, sink, NULL, never, &e), -EINVAL);
	err_clear(&e);
	docroot_file(DOC_IN "/container.json",
		     "{\"id\":\"c\",\"_rid\":\"r2\",\"partitionKey\":{\"paths\":[\"/pk\"]}}");
	assert_int_equal(docstore_page(s, &at, &one, &pages, sink, NULL, never, &e), -ESTALE);
	err_clear(&e);
	assert_int_equal(docstore_page(s, &at, &feed, &changes, sink, NULL, never, &e), -ESTALE);
	assert_string_equal(e.event, "remote.recreated");
	docstore_free(s);
}

/* Documents larger than a page come one by one; small ones until the page is full. */
static void
a_page_is_bounded_in_bytes(void **state)
{
	enum { LARGE = 3 << 20 };
	struct docstore *s = docroot_open();
	const struct docstore_sink sink = { docroot_add_line, NULL };
	char *text = malloc(LARGE + 64), id[8];
	struct err e = { 0 };
	unsigned seen = 0;
	AUTO_BUF cursor;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		(void)snprintf(id, sizeof(id), "big%u", i);
		memset(text, ' ', LARGE);
		(void)snprintf(text + LARGE, 64, "{\"id\":\"%s\",\"pk\":\"a\"}", id);
		docroot_put(A, id, text);
	}
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	do {
		struct docroot_lines lines = { .n = 0 };
		struct docstore_sink to = sink;

		to.arg = &lines;
		assert_int_equal(docstore_page(s, &at, &all, &cursor, to, NULL, never, &e), 0);
		assert_true(lines.n <= 3);
		seen += lines.n;
	} while (cursor.n > 0);
	assert_int_equal(seen, 6);
	free(text);
	docstore_free(s);
}

static void
the_feed_is_in_the_order_of_time(void **state)
{
	const struct docstore_select feed = { .changes = true }, since = {
		.changes = true, .start = DOCSTORE_FROM_TIME, .start_s = 20
	};
	struct docstore *s = docroot_open();
	struct docroot_lines lines;
	struct err e = { 0 };

	(void)state;
	docroot_put("[\"b\"]", "0", "{\"id\":\"0\",\"pk\":\"b\"}");
	docroot_put("[\"z\"]", "9", "{\"id\":\"9\",\"pk\":\"z\",\"_ts\":5}");
	docroot_put(A, "2", TWO);
	assert_int_equal(docroot_pages(s, &feed, &lines, &e), 0);
	assert_string_equal(lines.text,
			    "{\"id\":\"0\",\"pk\":\"b\"}\n"
			    "{\"id\":\"9\",\"pk\":\"z\",\"_ts\":5}\n" ONE "\n" TWO "\n");
	assert_int_equal(docroot_pages(s, &since, &lines, &e), 0);
	assert_string_equal(lines.text, TWO "\n");
	docstore_free(s);
}

/* What was read while a container was made anew is of two containers, and is not handed out. */
static void
a_container_that_changes_under_a_call_is_stale(void **state)
{
	static const char other[] =
		"{\"id\":\"c\",\"_rid\":\"r2\",\"partitionKey\":{\"paths\":[\"/pk\"]}}";
	struct docdir_container c;
	struct err e = { 0 };
	char path[1024];
	int databases;

	(void)state;
	docroot_path("databases", path);
	databases = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(databases >= 0);
	assert_int_equal(docdir_container_enter(databases, &at, &c, &e), 0);
	assert_int_equal(docdir_container_check(&c, &e), 0);
	docroot_file(DOC_IN "/container.json", other);
	assert_int_equal(docdir_container_check(&c, &e), -ESTALE);
	assert_string_equal(e.event, "remote.recreated");
	err_clear(&e);
	docroot_path(DOC_IN "/container.json", path);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(docdir_container_check(&c, &e), -ESTALE);
	assert_string_equal(e.event, "remote.recreated");
	docdir_container_leave(&c);
	(void)close(databases);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, docroot_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_container_that_changes_under_a_call_is_stale),
		TEST(a_malformed_document_fails_what_reads_it_and_is_named),
		TEST(a_huge_file_is_not_read),
		TEST(what_is_no_regular_file_or_spelled_otherwise_is_not_there),
		TEST(a_name_in_the_wrong_directory_is_not_there),
		TEST(links_on_the_way_are_not_followed),
		TEST(odd_names_are_not_listed_and_do_not_hide_others),
		TEST(names_that_no_service_has_are_not_there),
		TEST(a_resource_of_another_id_is_refused_and_named),
		TEST(keys_that_cannot_be_are_not_there),
		TEST(only_a_store_of_documents_opens),
		TEST(a_container_is_the_one_that_the_caller_knows),
		TEST(every_document_lies_below_FF),
		TEST(bounds_that_are_none_are_refused),
		TEST(a_cursor_of_the_container_before_is_refused),
		TEST(a_page_is_bounded_in_bytes),
		TEST(the_feed_is_in_the_order_of_time),
	};

	return cmocka_run_group_tests_name("docdir", tests, NULL, NULL);
}
