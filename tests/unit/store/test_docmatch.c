/* SPDX-License-Identifier: MIT */
/* Members of stored documents, and the names that documents have in a directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "backend/store/docmatch.h"
#include "backend/store/docname.h"

static const struct {
	const char *what, *text;
	const char *token[3], *value;
	bool holds;
} rows[] = {
	{ "a string", "{\"a\":\"x\"}", { "a" }, "\"x\"", true },
	{ "an escape here", "{\"a\":\"\\u0078\"}", { "a" }, "\"x\"", true },
	{ "an escape there", "{\"a\":\"x\"}", { "a" }, "\"\\u0078\"", true },
	{ "escapes on both sides", "{\"a\":\"\\/\"}", { "a" }, "\"\\u002f\"", true },
	{ "an escaped name", "{\"\\u0061\":1}", { "a" }, "1", true },
	{ "a longer string", "{\"a\":\"xy\"}", { "a" }, "\"x\"", false },
	{ "upper case", "{\"a\":\"X\"}", { "a" }, "\"x\"", false },
	{ "a NUL inside", "{\"a\":\"\\u0000x\"}", { "a" }, "\"\\u0000x\"", true },
	{ "what stands before a NUL", "{\"a\":\"\\u0000x\"}", { "a" }, "\"\"", false },
	{ "a string and a number", "{\"a\":\"1\"}", { "a" }, "1", false },
	{ "numbers", "{\"a\":1e2}", { "a" }, "100.0", true },
	{ "zeros", "{\"a\":-0}", { "a" }, "0", true },
	{ "other numbers", "{\"a\":1}", { "a" }, "2", false },
	{ "beyond doubles, alike", "{\"a\":1e999}", { "a" }, "1e999", true },
	{ "beyond doubles, not alike", "{\"a\":1e999}", { "a" }, "2e999", false },
	{ "true", "{\"a\":true}", { "a" }, "true", true },
	{ "true and false", "{\"a\":true}", { "a" }, "false", false },
	{ "null", "{\"a\":null}", { "a" }, "null", true },
	{ "null is not absent", "{\"a\":null}", { "a" }, "{}", false },
	{ "absent", "{\"b\":1}", { "a" }, "{}", true },
	{ "absent from nothing", "{}", { "a" }, "{}", true },
	{ "absent, below", "{\"a\":{}}", { "a", "b" }, "{}", true },
	{ "absent, below a scalar", "{\"a\":1}", { "a", "b" }, "{}", true },
	{ "absent, below an array", "{\"a\":[{\"b\":1}]}", { "a", "b" }, "{}", true },
	{ "an object is not absent", "{\"a\":{}}", { "a" }, "{}", false },
	{ "an array is not absent", "{\"a\":[]}", { "a" }, "{}", false },
	{ "absent is not null", "{\"b\":1}", { "a" }, "null", false },
	{ "below", "{\"x\":[{\"a\":1}],\"a\":{\"b\":{\"c\":7}}}", { "a", "b", "c" }, "7", true },
	{ "the same name deeper", "{\"x\":{\"a\":1},\"a\":2}", { "a" }, "1", false },
	{ "an empty name", "{\"\":1}", { "" }, "1", true },
};

static void
a_member_equals_a_scalar_by_its_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct docstore_equal equal = { rows[i].token, 0, &rows[i].value, 1 };
		struct err e = { 0 };
		bool holds = !rows[i].holds;

		while (equal.n_tokens < 3 && rows[i].token[equal.n_tokens] != NULL)
			equal.n_tokens++;
		assert_int_equal(docmatch_all(span_str(rows[i].text), &equal, 1, &holds, &e), 0);
		if (holds != rows[i].holds)
			fail_msg("%s", rows[i].what);
	}
}

static void
a_condition_that_is_no_scalar_is_refused(void **state)
{
	static const char *const values[] = { "",    "x",  "[]",  "[1]",    "{\"a\":1}",
					      "1 2", "\"", "nul", "\"\\x\"" };
	static const char *const token[] = { "a" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(values); i++) {
		const struct docstore_equal equal = { token, 1, &values[i], 1 };
		struct err e = { 0 };
		bool holds = true;

		assert_int_equal(docmatch_all(span_str("{\"a\":1}"), &equal, 1, &holds, &e),
				 -EINVAL);
		assert_true(holds);
	}
}

static void
malformed_texts_are_refused_on_the_way(void **state)
{
	static const char *const texts[] = { "", "{", "{\"b\":}", "{\"b\":1,}", "{\"b\":[1}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e = { 0 };
		bool found = true;
		AUTO_BUF out;

		buf_init(&out, 64);
		assert_int_equal(docmatch_string(span_str(texts[i]), "a", &out, &found, &e),
				 -EBADMSG);
		assert_true(found);
	}
}

static void
a_string_is_found_unescaped(void **state)
{
	struct err e = { 0 };
	bool found = false;
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 64);
	assert_int_equal(docmatch_string(span_str("{\"a\":{\"id\":\"no\"},\"id\":\"\\u0079\\n\"}"),
					 "id", &out, &found, &e),
			 0);
	assert_true(found);
	assert_string_equal(buf_str(&out), "y\n");
	assert_int_equal(docmatch_string(span_str("{\"id\":1}"), "id", &out, &found, &e), 0);
	assert_false(found);
}

static void
etags_are_the_same_with_quotes_and_without(void **state)
{
	static const struct {
		const char *stored, *etag;
		bool same;
	} etags[] = {
		{ "\\\"x-1\\\"", "\"x-1\"", true },
		{ "\\\"x-1\\\"", "x-1", true },
		{ "x-1", "\"x-1\"", true },
		{ "x-1", "x-1", true },
		{ "x-1", "x-2", false },
		{ "x-1", "x-", false },
		{ "\\\"", "\"", true },
		{ "", "\"\"", true },
		{ "\\u0022x\\u0022", "x", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(etags); i++)
		assert_int_equal(docmatch_etag(span_str(etags[i].stored), etags[i].etag),
				 etags[i].same);
	assert_false(docmatch_etag(span_of(NULL, 0), "x"));
	assert_false(docmatch_etag(span_of(NULL, 0), "\"\""));
}

static void
a_name_is_what_the_layout_says(void **state)
{
	/* sha256sum of ["p1"] and of mix-1 */
	static const char name[] = "A49BA8BB2E513B94-6FA3AEE1401B78B828C2AF3ED8B81193";
	static const char *const bad[] = { "A49BA8BB2E513B94-6FA3AEE1401B78B828C2AF3ED8B8119",
					   "A49BA8BB2E513B94-6FA3AEE1401B78B828C2AF3ED8B811930",
					   "a49BA8BB2E513B94-6FA3AEE1401B78B828C2AF3ED8B81193",
					   "A49BA8BB2E513B94_6FA3AEE1401B78B828C2AF3ED8B81193",
					   "A49BA8BB2E513B94-6FA3AEE1401B78B828C2AF3ED8B8119G",
					   "" };
	char text[DOCNAME_TEXT + 1];
	struct docname of, parsed;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(docname_of(span_str("[\"p1\"]"), span_str("mix-1"), &of, &e), 0);
	docname_print(&of, text);
	assert_string_equal(text, name);
	assert_true(docname_parse(name, strlen(name), &parsed));
	assert_int_equal(docname_compare(&of, &parsed), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(docname_parse(bad[i], strlen(bad[i]), &parsed));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_member_equals_a_scalar_by_its_value),
		cmocka_unit_test(a_condition_that_is_no_scalar_is_refused),
		cmocka_unit_test(malformed_texts_are_refused_on_the_way),
		cmocka_unit_test(a_string_is_found_unescaped),
		cmocka_unit_test(etags_are_the_same_with_quotes_and_without),
		cmocka_unit_test(a_name_is_what_the_layout_says),
	};

	return cmocka_run_group_tests_name("docmatch", tests, NULL, NULL);
}
