/* SPDX-License-Identifier: MIT */
/* Partition texts: one spelling for each partition. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/partition.h"

static const struct container_def plain = { .n_partition = 1 }, three = { .n_partition = 3 },
				  migrated = { .n_partition = 1, .system_key = true };

/* ---- writing */

static void
test_values_have_one_spelling(void **state)
{
	static const struct {
		const char *raw, *wanted;
	} rows[] = {
		{ "\"p\"", "[\"p\"]" },
		{ "\"\\u0070\"", "[\"p\"]" },
		{ "\"\"", "[\"\"]" },
		{ "\"\\u00e9\\u65E5\\\"\\\\\\/\\u007f\"", "[\"\\u00e9\\u65e5\\\"\\\\/\\u007f\"]" },
		{ "\"\303\251\346\227\245\177\"", "[\"\\u00e9\\u65e5\\u007f\"]" },
		{ "\"\360\237\230\200\"", "[\"\\ud83d\\ude00\"]" },
		{ "\"\\ud83d\"", "[\"\\ud83d\"]" }, /* half a character, as some clients write */
		{ "\"\\n\\u0000\"", "[\"\\n\\u0000\"]" },
		{ "1", "[1]" },
		{ "1.0", "[1]" },
		{ "1.50", "[1.5]" },
		{ "-0.0", "[0]" },
		{ "1e3", "[1000]" },
		{ " 2 ", "[2]" },
		{ "true", "[true]" },
		{ "false", "[false]" },
		{ "null", "[null]" },
		{ NULL, "[{}]" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, 1 << 10);
		assert_int_equal(partition_add(&out,
					       rows[i].raw != NULL ? span_str(rows[i].raw)
								   : span_of(NULL, 0),
					       &e),
				 0);
		assert_int_equal(partition_end(&out, &plain, &e), 0);
		assert_string_equal(buf_str(&out), rows[i].wanted);
	}
}

static void
test_what_is_no_scalar_is_refused(void **state)
{
	static const char *const rows[] = { "",	     "{}",  "[]",      "[1]", "\"a",
					    "tru",   "1 2", "1,2",     "01",  "\"\\x\"",
					    "1e400", "nan", "\"\377\"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, 1 << 10);
		assert_int_equal(partition_add(&out, span_str("1"), &e), 0);
		assert_int_equal(partition_add(&out, span_str(rows[i]), &e), -EINVAL);
		assert_string_equal(buf_str(&out), "[1"); /* as before */
	}
}

static void
test_a_ceiling_is_kept(void **state)
{
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 6);
	assert_int_equal(partition_add(&out, span_str("\"abc\""), &e), 0);
	assert_int_equal(partition_add(&out, span_str("1"), &e), -EFBIG);
	assert_int_equal(out.n, 6);
}

static void
test_strings_are_given_as_bytes(void **state)
{
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 1 << 10);
	assert_int_equal(partition_add_string(&out, span_str("a\"\303\251"), &e), 0);
	assert_int_equal(partition_add_string(&out, span_str(""), &e), 0);
	assert_int_equal(partition_end(&out, &plain, &e), 0);
	assert_string_equal(buf_str(&out), "[\"a\\\"\\u00e9\",\"\"]");
}

static void
test_documents_name_their_partition(void **state)
{
	const struct document_head nested = { .partition = { span_str("\"x\""),
							     { NULL, 0 },
							     span_str("2.0") } },
				   none = { .partition = { { NULL, 0 } } },
				   null = { .partition = { span_str("null") } },
				   odd = { .partition = { span_str("1e999") } };
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 1 << 10);
	assert_int_equal(partition_of(&three, &nested, &out, &e), 0);
	assert_string_equal(buf_str(&out), "[\"x\",{},2]");
	assert_int_equal(partition_of(&plain, &none, &out, &e), 0);
	assert_string_equal(buf_str(&out), "[{}]");
	assert_int_equal(partition_of(&migrated, &none, &out, &e), 0);
	assert_string_equal(buf_str(&out), "[]");
	assert_int_equal(partition_of(&migrated, &null, &out, &e), 0);
	assert_string_equal(buf_str(&out), "[null]");
	assert_int_equal(partition_of(&plain, &odd, &out, &e), -EINVAL);
}

/* ---- reading */

static int
add_line(void *arg, unsigned i, struct span raw, struct err *e)
{
	struct buf *lines = arg;

	if (raw.p == NULL)
		return buf_addf(lines, e, "%u absent\n", i);
	return buf_addf(lines, e, "%u %.*s\n", i, (int)raw.n, (const char *)raw.p);
}

static void
test_texts_are_taken_apart(void **state)
{
	static const struct {
		const char *text, *wanted; /* NULL: refused */
	} rows[] = {
		{ "[\"a\\u00e9\"]", "0 \"a\\u00e9\"\n" },
		{ "[1,{},null]", "0 1\n1 absent\n2 null\n" },
		{ "[true,false]", "0 true\n1 false\n" },
		{ "[]", "" },
		{ "", NULL },
		{ "1", NULL },
		{ "[1", NULL },
		{ "[1]x", NULL },
		{ "[1,2,3,4]", NULL },
		{ "[[1]]", NULL },
		{ "[{\"a\":1}]", NULL },
		{ "[1,]", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		AUTO_BUF lines;
		int r;

		buf_init(&lines, 1 << 10);
		r = partition_each(rows[i].text, add_line, &lines, &e);
		assert_int_equal(r, rows[i].wanted != NULL ? 0 : -EINVAL);
		assert_string_equal(buf_str(&lines), rows[i].wanted != NULL ? rows[i].wanted : "");
	}
}

static int
refuse_second(void *arg, unsigned i, struct span raw, struct err *e)
{
	(void)raw;
	++*(unsigned *)arg;
	return i == 1 ? err_set(e, EDOM, "enough") : 0;
}

static void
test_whoever_is_called_may_stop(void **state)
{
	struct err e = { 0 };
	unsigned calls = 0;

	(void)state;
	assert_int_equal(partition_each("[1,2,3]", refuse_second, &calls, &e), -EDOM);
	assert_int_equal(calls, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_have_one_spelling),
		cmocka_unit_test(test_what_is_no_scalar_is_refused),
		cmocka_unit_test(test_a_ceiling_is_kept),
		cmocka_unit_test(test_strings_are_given_as_bytes),
		cmocka_unit_test(test_documents_name_their_partition),
		cmocka_unit_test(test_texts_are_taken_apart),
		cmocka_unit_test(test_whoever_is_called_may_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
