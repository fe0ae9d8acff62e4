/* SPDX-License-Identifier: MIT */
/* Queries: names are quoted, values are bound, and rows name partitions. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmosquery.h"

#define TEXTS(...) ((const char *const[]){ __VA_ARGS__ })

static char name_a[] = "a", name_b[] = "b\"]", name_x[] = "x y";
static const struct container_def def = {
	.partition = { { { name_a, name_b }, 2, -1 }, { { name_x }, 1, -1 } }, .n_partition = 2
};

static int
body(const struct docstore_select *sel, struct buf *out, struct err *e)
{
	buf_reset(out);
	return cosmosquery_body(&def, sel, out, e);
}

static void
assert_body(const struct docstore_select *sel, const char *wanted)
{
	struct err e = { 0 };
	AUTO_BUF out;

	buf_init(&out, 1 << 16);
	if (body(sel, &out, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(buf_str(&out), wanted);
}

static void
test_texts(void **state)
{
	const struct docstore_equal one = { TEXTS("ssn"), 1, TEXTS("\"c\\\"ell\""), 1 };
	const struct docstore_equal several[] = {
		{ TEXTS("a\\", "b\n"), 2, TEXTS("1", "{}", "null"), 3 },
		{ TEXTS("c"), 1, TEXTS("{}"), 1 },
		{ TEXTS("d"), 1, TEXTS("true", "{}"), 2 },
	};

	(void)state;
	assert_body(&(struct docstore_select){ .equal = &one, .n_equal = 1 },
		    "{\"query\":\"SELECT * FROM c WHERE (c[\\\"ssn\\\"] = @v0)\","
		    "\"parameters\":[{\"name\":\"@v0\",\"value\":\"c\\\"ell\"}]}");
	assert_body(
		&(struct docstore_select){ .equal = several, .n_equal = 3 },
		"{\"query\":\"SELECT * FROM c WHERE "
		"(c[\\\"a\\\\\\\\\\\"][\\\"b\\\\n\\\"] IN (@v0,@v1) OR "
		"NOT IS_DEFINED(c[\\\"a\\\\\\\\\\\"][\\\"b\\\\n\\\"])) AND "
		"(NOT IS_DEFINED(c[\\\"c\\\"])) AND "
		"(c[\\\"d\\\"] = @v2 OR NOT IS_DEFINED(c[\\\"d\\\"]))\","
		"\"parameters\":[{\"name\":\"@v0\",\"value\":1},{\"name\":\"@v1\",\"value\":null},"
		"{\"name\":\"@v2\",\"value\":true}]}");
	assert_body(
		&(struct docstore_select){ .what = DOCSTORE_PARTITIONS },
		"{\"query\":\"SELECT c[\\\"a\\\"][\\\"b\\\\\\\"]\\\"] AS p0,c[\\\"x y\\\"] AS p1 "
		"FROM c\",\"parameters\":[]}");
}

static void
test_a_query_is_needed_for_more_than_a_feed(void **state)
{
	(void)state;
	assert_false(cosmosquery_is_needed(&(struct docstore_select){ .partition = "[1]" }));
	assert_true(cosmosquery_is_needed(&(struct docstore_select){ .n_equal = 1 }));
	assert_true(
		cosmosquery_is_needed(&(struct docstore_select){ .what = DOCSTORE_PARTITIONS }));
}

/* Nothing of a value gets into the text, whatever it holds. */
static void
test_values_that_are_none_are_refused(void **state)
{
	static const char *const rows[] = {
		"",    "[1]",	   "{\"a\":1}", "1,2", "1}],\"x\":[{\"y\":1", "\"a\" OR 1=1",
		"nul", "\"\377\"", "{ }"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct docstore_equal equal = { TEXTS("a"), 1, &rows[i], 1 };
		const struct docstore_select sel = { .equal = &equal, .n_equal = 1 };
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, 1 << 16);
		assert_int_equal(body(&sel, &out, &e), -EINVAL);
	}
}

static void
test_names_that_are_no_text_are_refused(void **state)
{
	const struct docstore_equal equal = { TEXTS("\377"), 1, TEXTS("1"), 1 };
	const struct docstore_select sel = { .equal = &equal, .n_equal = 1 };
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 1 << 16);
	assert_int_equal(body(&sel, &out, &e), -EINVAL);
}

static void
test_rows_become_partitions(void **state)
{
	static const struct {
		const char *row, *wanted; /* NULL: refused */
	} rows[] = {
		{ "{\"p0\":\"\303\251\",\"p1\":1.0}", "[\"\\u00e9\",1]" },
		{ "{\"p1\":null}", "[{},null]" },
		{ "{ }", "[{},{}]" },
		{ "{\"p0\":{\"p1\":[{}]},\"p1\":[1]}", "[{},{}]" },
		{ "{\"p\\u0030\":true}", "[true,{}]" },
		{ "{\"p0\":1,\"p0\":2}", NULL },
		{ "{\"p3\":1}", NULL },
		{ "{\"id\":1}", NULL },
		{ "{\"p0\":1e999}", NULL },
		{ "{\"p0\":tru}", NULL },
		{ "{\"p0\":[", NULL },
		{ "{\"p0\":1,}", NULL },
		{ "{\"p0\":1", NULL },
		{ "[]", NULL },
		{ "", NULL },
	};
	AUTO_BUF out;

	(void)state;
	buf_init(&out, DOCSTORE_PARTITION_MAX);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		int r = cosmosquery_partition(&def, span_str(rows[i].row), &out, &e);

		assert_int_equal(r, rows[i].wanted != NULL ? 0 : -EIO);
		if (r == 0)
			assert_string_equal(buf_str(&out), rows[i].wanted);
		else
			assert_string_equal(e.event, "net.protocol");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_a_query_is_needed_for_more_than_a_feed),
		cmocka_unit_test(test_values_that_are_none_are_refused),
		cmocka_unit_test(test_names_that_are_no_text_are_refused),
		cmocka_unit_test(test_rows_become_partitions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
