/* SPDX-License-Identifier: MIT */
/* Pages of feeds are taken apart byte for byte. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmosfeed.h"
#include "base/buf.h"

/* The items of a page, a line each. */
static int
items(const char *page, struct buf *lines, struct err *e)
{
	AUTO_COSMOSFEED feed = { 0 };
	int r = cosmosfeed_parse(span_str(page), "Documents", &feed, e);

	buf_reset(lines);
	for (size_t i = 0; r == 0 && i < feed.n; i++) {
		struct err ignored = { 0 };

		assert_int_equal(buf_add(lines, feed.item[i].p, feed.item[i].n, &ignored), 0);
		assert_int_equal(buf_add_str(lines, "\n", &ignored), 0);
	}
	return r;
}

static void
test_items_are_the_bytes_of_the_answer(void **state)
{
	static const struct {
		const char *page, *wanted;
	} rows[] = {
		{ "{\"Documents\":[]}", "" },
		{ " { \"Documents\" : [ ] } \n", "" },
		{ "{\"_rid\":\"x\",\"Documents\":[{\"a\":1.0},{ \"b\" : [{}] }],\"_count\":2}",
		  "{\"a\":1.0}\n{ \"b\" : [{}] }\n" },
		{ "{\"Document\\u0073\":[{}]}", "{}\n" },
		{ "{\"x\":{\"Documents\":[{\"no\":1}]},\"Documents\":[{}],\"_count\":7}", "{}\n" },
		{ "{\"Documents\":[{\"q\":\"}],{\\\"\\\\\"}]}", "{\"q\":\"}],{\\\"\\\\\"}\n" },
		/* What stands in an item is judged by whoever reads it. */
		{ "{\"Documents\":[{\"a\":\"\377\"},{\"a\":01,]},{}]}", NULL },
		{ "{\"Documents\":[{\"a\":\"\377\"},{\"a\":01,},{}]}",
		  "{\"a\":\"\377\"}\n{\"a\":01,}\n{}\n" },
	};
	AUTO_BUF lines;

	(void)state;
	buf_init(&lines, 1 << 12);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		int r = items(rows[i].page, &lines, &e);

		assert_int_equal(r, rows[i].wanted != NULL ? 0 : -EIO);
		assert_string_equal(buf_str(&lines), rows[i].wanted != NULL ? rows[i].wanted : "");
	}
}

static void
test_other_answers_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"null",
		"[]",
		"{}",
		"{\"documents\":[]}",
		"{\"Documents\":{}}",
		"{\"Documents\":null}",
		"{\"Documents\":[1]}",
		"{\"Documents\":[{},[]]}",
		"{\"Documents\":[{},]}",
		"{\"Documents\":[{}{}]}",
		"{\"Documents\":[{}]",
		"{\"Documents\":[{\"a\":1]}",
		"{\"Documents\":[{\"a\":\"}]}",
		"{\"Documents\":[{\"a\":\"\\",
		"{\"Documents\":[{",
		"{\"Documents\":[{}],\"Documents\":[]}",
		"{\"Documents\":[{}]}{}",
		"{\"Documents\":[{}],\"x\":\"\377\"}",
		"{\"x\":[01],\"Documents\":[]}",
		"<html>",
	};
	AUTO_BUF lines;

	(void)state;
	buf_init(&lines, 1 << 12);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		assert_int_equal(items(rows[i], &lines, &e), -EIO);
		assert_string_equal(e.event, "net.protocol");
	}
}

/* Deeper than a document may be: the others on its page are none the worse. */
static void
test_an_item_may_be_too_deep(void **state)
{
	enum { DEPTH = 5000 };
	AUTO_BUF page, lines;
	struct err e = { 0 };

	(void)state;
	buf_init(&page, 1 << 16);
	buf_init(&lines, 1 << 16);
	assert_int_equal(buf_add_str(&page, "{\"Documents\":[{\"a\":", &e), 0);
	for (unsigned i = 0; i < DEPTH; i++)
		assert_int_equal(buf_add_str(&page, "[", &e), 0);
	for (unsigned i = 0; i < DEPTH; i++)
		assert_int_equal(buf_add_str(&page, "]", &e), 0);
	assert_int_equal(buf_add_str(&page, "},{\"b\":1}]}", &e), 0);
	assert_int_equal(items(buf_str(&page), &lines, &e), 0);
	assert_non_null(strstr(buf_str(&lines), "\n{\"b\":1}\n"));
}

static void
test_the_number_of_items_is_bounded(void **state)
{
	AUTO_BUF page, lines;
	struct err e = { 0 };

	(void)state;
	buf_init(&page, 4 << 20);
	buf_init(&lines, 4 << 20);
	assert_int_equal(buf_add_str(&page, "{\"Documents\":[{}", &e), 0);
	for (unsigned i = 1; i < COSMOSFEED_ITEMS_MAX; i++)
		assert_int_equal(buf_add_str(&page, ",{}", &e), 0);
	assert_int_equal(buf_add_str(&page, "]}", &e), 0);
	assert_int_equal(items(buf_str(&page), &lines, &e), 0);
	assert_int_equal(lines.n, 3 * COSMOSFEED_ITEMS_MAX);
	page.n -= 2;
	assert_int_equal(buf_add_str(&page, ",{}]}", &e), 0);
	assert_int_equal(items(buf_str(&page), &lines, &e), -EIO);
}

static void
test_strings_of_objects(void **state)
{
	static const struct {
		const char *object, *wanted;
	} rows[] = {
		{ "{\"id\":\"a\"}", "a" },
		{ "{\"x\":{\"id\":\"no\"},\"i\\u0064\":\"\\u00e9\",\"y\":[[[1]]]}", "\303\251" },
		{ "{\"id\":\"\"}", "" },
		{ "{\"id\":1}", NULL },
		{ "{\"id\":null}", NULL },
		{ "{\"id\":{}}", NULL },
		{ "{\"id\":\"a\",\"id\":\"a\"}", NULL },
		{ "{\"ID\":\"a\"}", NULL },
		{ "{\"id\":\"a\"", NULL },
		{ "{\"id\":\"a\"}}", NULL },
		{ "{\"id\":\"a\",\"x\":[}", NULL },
		{ "[\"id\"]", NULL },
		{ "", NULL },
	};
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 1 << 10);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		int r = cosmosfeed_string(span_str(rows[i].object), "id", &out, &e);

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
		cmocka_unit_test(test_items_are_the_bytes_of_the_answer),
		cmocka_unit_test(test_other_answers_are_refused),
		cmocka_unit_test(test_an_item_may_be_too_deep),
		cmocka_unit_test(test_the_number_of_items_is_bounded),
		cmocka_unit_test(test_strings_of_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
