/* SPDX-License-Identifier: MIT */
/* Cursors: as text and back, cut where ranges end, and hostile ones. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmoscursor.h"

#define CURSOR(kind, from, quiet, segments)                                                \
	"{\"v\":1,\"kind\":\"" kind "\",\"rid\":\"r=\",\"from\":" from ",\"quiet\":" quiet \
	",\"segments\":[" segments "]}"

static void
assert_written(const struct cosmoscursor *c, const char *wanted)
{
	struct err e = { 0 };
	AUTO_BUF out;

	buf_init(&out, DOCSTORE_CURSOR_MAX);
	assert_int_equal(cosmoscursor_write(c, &out, &e), 0);
	assert_string_equal(buf_str(&out), wanted);
}

static void
test_segments_are_cut_and_finished(void **state)
{
	struct cosmosrange low = { "1", "", "3F" }, high = { "2", "3F", "FF" };
	AUTO_COSMOSCURSOR c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cosmoscursor_new(COSMOSCURSOR_FEED, "r=", "", "FF", &c, &e), 0);
	assert_int_equal(cosmoscursor_advance(&c, "a \"quoted\" \\ token", &e), 0);
	assert_int_equal(cosmoscursor_cut(&c, &low, &e), 0);
	assert_written(&c, CURSOR("feed", "-1", "0",
				  "[\"\",\"3F\",\"a \\\"quoted\\\" \\\\ token\"],"
				  "[\"3F\",\"FF\",\"a \\\"quoted\\\" \\\\ token\"]"));
	assert_int_equal(cosmoscursor_advance(&c, "", &e), 0);
	assert_int_equal(cosmoscursor_cut(&c, &high, &e), 0); /* it fits */
	assert_written(
		&c, CURSOR("feed", "-1", "0", "[\"3F\",\"FF\",\"a \\\"quoted\\\" \\\\ token\"]"));
	assert_int_equal(cosmoscursor_advance(&c, NULL, &e), 0);
	assert_int_equal(c.n, 0);
}

static void
test_segments_take_turns(void **state)
{
	AUTO_COSMOSCURSOR c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cosmoscursor_parse(span_str(CURSOR("changes", "5", "2",
							    "[\"\",\"1\",null],[\"1\",\"2\",\"x\"],"
							    "[\"2\",\"FF\",\"\\\"9\\\"\"]")),
					    COSMOSCURSOR_CHANGES, &c, &e),
			 0);
	assert_int_equal(c.from_s, 5);
	assert_int_equal(c.quiet, 2);
	cosmoscursor_rotate(&c);
	assert_written(&c, CURSOR("changes", "5", "2",
				  "[\"1\",\"2\",\"x\"],[\"2\",\"FF\",\"\\\"9\\\"\"],"
				  "[\"\",\"1\",null]"));
}

static void
test_text_that_is_no_cursor(void **state)
{
	static const char *const rows[] = {
		"",
		"{}",
		"[]",
		"1",
		CURSOR("query", "-1", "0", "[\"\",\"FF\",null]"), /* of another walk */
		CURSOR("nothing", "-1", "0", "[\"\",\"FF\",null]"),
		CURSOR("feed", "-1", "0", ""),
		CURSOR("feed", "-2", "0", "[\"\",\"FF\",null]"),
		CURSOR("feed", "1.5", "0", "[\"\",\"FF\",null]"),
		CURSOR("feed", "\"1\"", "0", "[\"\",\"FF\",null]"),
		CURSOR("feed", "-1", "101", "[\"\",\"FF\",null]"),
		CURSOR("feed", "-1", "-1", "[\"\",\"FF\",null]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\"]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",null,null]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",1]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",\"\"]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",\"a\\r\\nInjected: 1\"]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",\"\\u007f\"]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",\"\\u00e9\"]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",\"a\\u0000b\"]"),
		CURSOR("feed", "-1", "0", "[0,\"FF\",null]"),
		CURSOR("feed", "-1", "0", "[\"\",null,null]"),
		CURSOR("feed", "-1", "0", "[\"FF\",\"\",null]"),
		CURSOR("feed", "-1", "0", "[\"3F\",\"3F\",null]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF00\",null]"),
		CURSOR("feed", "-1", "0", "[\"\",\"g\",null]"),
		CURSOR("feed", "-1", "0", "[\"\",\"3F\",null],[\"3E\",\"FF\",null]"),
		CURSOR("feed", "-1", "0", "[\"3E\",\"FF\",null],[\"\",\"3F\",null]"),
		CURSOR("feed", "-1", "0", "[\"\",\"FF\",null]") "x",
		"{\"v\":2,\"kind\":\"feed\",\"rid\":\"r\",\"from\":-1,\"quiet\":0,\"segments\":[["
		"\"\",\"FF\",null]]}",
		"{\"v\":1,\"kind\":\"feed\",\"from\":-1,\"quiet\":0,\"segments\":[[\"\",\"FF\","
		"null]]}",
		"{\"v\":1,\"kind\":\"feed\",\"rid\":7,\"from\":-1,\"quiet\":0,\"segments\":[[\"\","
		"\"FF\",null]]}",
		"{\"v\":1,\"kind\":\"feed\",\"rid\":\"r\",\"from\":-1,\"quiet\":0,\"segments\":[["
		"\"\",\"FF\",null]],\"more\":1}",
		"{\"v\":1,\"v\":1,\"kind\":\"feed\",\"rid\":\"r\",\"from\":-1,\"quiet\":0,"
		"\"segments\":[[\"\",\"FF\",null]]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cosmoscursor c = { 0 };
		struct err e = { 0 };

		assert_int_equal(cosmoscursor_parse(span_str(rows[i]), COSMOSCURSOR_FEED, &c, &e),
				 -EINVAL);
		assert_null(c.segment);
	}
}

/* Segments that have been quiet are fewer than there are: all of them would be idle. */
static void
test_quiet_segments_are_counted(void **state)
{
	AUTO_COSMOSCURSOR c = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
		cosmoscursor_parse(span_str(CURSOR("changes", "-1", "1", "[\"\",\"FF\",null]")),
				   COSMOSCURSOR_CHANGES, &c, &e),
		-EINVAL);
	err_clear(&e);
	assert_int_equal(
		cosmoscursor_parse(span_str(CURSOR("feed", "-1", "100", "[\"\",\"FF\",null]")),
				   COSMOSCURSOR_FEED, &c, &e),
		0);
	assert_int_equal(c.quiet, 100);
}

static void
test_a_cursor_has_a_ceiling(void **state)
{
	AUTO_COSMOSCURSOR c = { 0 };
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 40);
	assert_int_equal(cosmoscursor_new(COSMOSCURSOR_FEED, "", "", "FF", &c, &e), 0);
	assert_int_equal(cosmoscursor_write(&c, &out, &e), -EFBIG);
	assert_int_equal(out.n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_segments_are_cut_and_finished),
		cmocka_unit_test(test_segments_take_turns),
		cmocka_unit_test(test_text_that_is_no_cursor),
		cmocka_unit_test(test_quiet_segments_are_counted),
		cmocka_unit_test(test_a_cursor_has_a_ceiling),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
