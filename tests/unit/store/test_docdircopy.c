/* SPDX-License-Identifier: MIT */
/* Copying a container from a store that pages, empties, repeats and fails as services do. */
#include "tests/unit/store/docroot.h"

#define KEY_1	"{\"id\":\"one\", \"x\":1}"
#define KEY_2	"{\"id\":\"two\"}"
#define TIMEOUT (7 * NS_PER_S)

enum { PAGES = 4 };

/* What each page has; the second is empty and not the last, the third repeats a document that has
 * changed meanwhile. */
static const char *const pages[PAGES][3] = {
	{ "{\"id\":\"1\",\"pk\":\"a\"}", "{\"id\":\"2\",\"pk\":\"a\" }" },
	{ NULL },
	{ "{\"id\":\"1\",\"pk\":\"b\"}", "{\"id\":\"1\",\"pk\":\"a\",\"new\":1}" },
	{ "{\"id\":\"3\",\"pk\":null}" },
};

struct fake {
	struct docstore store;
	const char *key;
	unsigned fail_page; /* from 1; 0 = none */
	int fail_no;
	unsigned asked;
};

static void
assert_deadline(struct deadline d)
{
	const int64_t left = deadline_left_ns(d);

	assert_true(d.at_ns != 0 && left > TIMEOUT / 2 && left <= TIMEOUT);
}

static int
fake_container(struct docstore *s, const struct docstore_at *at, struct buf *out, struct deadline d,
	       struct err *e)
{
	(void)s;
	assert_deadline(d);
	assert_string_equal(at->database, "db");
	assert_string_equal(at->container, "c");
	buf_reset(out);
	return buf_add_str(out, DOC_CONTAINER, e);
}

static int
fake_keys(struct docstore *s, const char *database, struct docstore_sink sink, struct deadline d,
	  struct err *e)
{
	const struct fake *f = (struct fake *)s;
	int r;

	assert_deadline(d);
	assert_string_equal(database, "db");
	r = sink.text(sink.arg, span_str(KEY_1), e);
	return r != 0 ? r : sink.text(sink.arg, span_str(f->key), e);
}

static int
fake_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	  struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	  struct deadline d, struct err *e)
{
	struct fake *f = (struct fake *)s;
	const unsigned page = cursor->n > 0 ? cursor->p[0] - (unsigned)'0' : 0;
	int r = 0;

	assert_deadline(d);
	assert_string_equal(at->rid, "r1");
	assert_string_equal(at->def->id, "c");
	assert_true(sel->what == DOCSTORE_DOCUMENTS && sel->min == NULL && !sel->changes);
	f->asked++;
	if (page + 1 == f->fail_page)
		return err_set(e, f->fail_no, "the test's store fails");
	for (unsigned i = 0; r == 0 && i < 3 && pages[page][i] != NULL; i++)
		r = sink.text(sink.arg, span_str(pages[page][i]), e);
	buf_reset(cursor);
	if (r == 0 && page + 1 < PAGES)
		r = buf_addf(cursor, e, "%u", page + 1);
	out->charge = 3;
	return r;
}

static const struct docstore_ops fake_ops = {
	.name = "fake", .container = fake_container, .keys = fake_keys, .page = fake_page
};

struct seen {
	unsigned calls, stop_at;
	uint64_t documents, bytes;
};

static int
see(void *arg, uint64_t documents, uint64_t bytes, struct err *e)
{
	struct seen *s = arg;

	s->calls++;
	assert_true(documents >= s->documents && bytes >= s->bytes);
	s->documents = documents;
	s->bytes = bytes;
	return s->calls == s->stop_at ? err_set(e, ECANCELED, "stopped") : 0;
}

static int
copy(struct fake *f, struct docdir_progress progress, struct err *e)
{
	struct docdir_writer *w = NULL;
	int r = docdir_writer_new(docroot, &w, e);

	if (r == 0)
		r = docdir_copy(&f->store, "db", "c", w, progress, TIMEOUT, e);
	docdir_writer_free(w);
	return r;
}

static unsigned
lines_of(const struct docstore_select *sel, struct docroot_lines *lines)
{
	struct docstore *s = docroot_open();
	struct err e = { 0 };
	int r = docroot_pages(s, sel, lines, &e);

	docstore_free(s);
	if (r == -ENOENT)
		return 0;
	assert_int_equal(r, 0);
	return lines->n;
}

static void
every_page_is_copied(void **state)
{
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	struct fake f = { .store.ops = &fake_ops, .key = KEY_2 };
	struct docroot_lines lines = { .n = 0 };
	struct seen seen = { 0 };
	struct err e = { 0 };
	struct docstore *s;

	(void)state;
	if (copy(&f, (struct docdir_progress){ see, &seen }, &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(f.asked, PAGES);
	assert_int_equal(seen.calls, PAGES);
	assert_int_equal(seen.documents, 5);
	assert_int_equal(seen.bytes, strlen(pages[0][0]) + strlen(pages[0][1]) +
					     strlen(pages[2][0]) + strlen(pages[2][1]) +
					     strlen(pages[3][0]));
	assert_int_equal(lines_of(&all, &lines), 4);
	assert_null(strstr(lines.text, pages[0][0]));
	assert_non_null(strstr(lines.text, pages[0][1]));
	assert_non_null(strstr(lines.text, pages[2][0]));
	assert_non_null(strstr(lines.text, pages[2][1]));
	assert_non_null(strstr(lines.text, pages[3][0]));
	s = docroot_open();
	lines = (struct docroot_lines){ .n = 0 };
	assert_int_equal(docstore_keys(s, "db", (struct docstore_sink){ docroot_add_line, &lines },
				       (struct deadline){ 0 }, &e),
			 0);
	assert_string_equal(lines.text, KEY_1 "\n" KEY_2 "\n");
	docstore_free(s);
}

static void
a_copy_that_fails_is_not_there(void **state)
{
	static const int errors[] = { ETIMEDOUT, ESTALE, EACCES, EIO };
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	struct docroot_lines lines = { .n = 0 };

	(void)state;
	for (unsigned page = 1; page <= PAGES; page++) {
		const int no = errors[page % ARRAY_LEN(errors)];
		struct fake f = {
			.store.ops = &fake_ops, .key = KEY_2, .fail_page = page, .fail_no = no
		};
		struct err e = { 0 };

		assert_int_equal(copy(&f, (struct docdir_progress){ NULL, NULL }, &e), -no);
		assert_int_equal(f.asked, page);
		assert_int_equal(lines_of(&all, &lines), 0);
	}
}

/* What was there stays: the documents that the copy would remove at its end above all. */
static void
a_copy_that_fails_keeps_what_was_there(void **state)
{
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	struct fake good = { .store.ops = &fake_ops, .key = KEY_2 },
		    bad = { .store.ops = &fake_ops, .key = KEY_2, .fail_page = 3, .fail_no = EIO };
	struct docroot_lines lines;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(copy(&good, (struct docdir_progress){ NULL, NULL }, &e), 0);
	assert_int_equal(copy(&bad, (struct docdir_progress){ NULL, NULL }, &e), -EIO);
	assert_int_equal(lines_of(&all, &lines), 4);
}

static void
a_copy_ends_when_whoever_watches_it_says_so(void **state)
{
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	struct fake f = { .store.ops = &fake_ops, .key = KEY_2 };
	struct docroot_lines lines = { .n = 0 };
	struct seen seen = { .stop_at = 2 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(copy(&f, (struct docdir_progress){ see, &seen }, &e), -ECANCELED);
	assert_int_equal(f.asked, 2);
	assert_int_equal(lines_of(&all, &lines), 0);
}

static void
a_key_without_a_good_id_ends_the_copy(void **state)
{
	static const char *const keys[] = { "{\"x\":1}", "{\"id\":1}", "{\"id\":\"../x\"}", "{" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct fake f = { .store.ops = &fake_ops, .key = keys[i] };
		struct err e = { 0 };

		assert_int_equal(copy(&f, (struct docdir_progress){ NULL, NULL }, &e), -EBADMSG);
		assert_int_equal(f.asked, 0);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, docroot_make, docroot_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_page_is_copied),
		TEST(a_copy_that_fails_is_not_there),
		TEST(a_copy_that_fails_keeps_what_was_there),
		TEST(a_copy_ends_when_whoever_watches_it_says_so),
		TEST(a_key_without_a_good_id_ends_the_copy),
	};

	return cmocka_run_group_tests_name("docdircopy", tests, NULL, NULL);
}
