/* SPDX-License-Identifier: MIT */
/* base/jsonscan: the tokens of a text and their places, what is refused, and skipping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsonscan.h"

static struct jsonnames *names;

static int
make_names(void **state)
{
	struct err e = { 0 };

	(void)state;
	return jsonnames_new(42, &names, &e);
}

static int
free_names(void **state)
{
	(void)state;
	jsonnames_free(names);
	jsonnames_free(NULL);
	return 0;
}

/* In a block of exactly its size, so that a sanitizer sees a read past its end. */
static struct span
exact(struct span text)
{
	uint8_t *p = malloc(text.n > 0 ? text.n : 1);

	memcpy(p, text.p, text.n);
	return span_of(p, text.n);
}

/* NULL: the text is good. */
static const char *
fault_of(struct span text, unsigned depth, struct jsonnames *with)
{
	const struct span copy = exact(text);
	struct jsonscan s;
	enum jsonscan_token t;

	jsonscan_init(&s, copy, depth, with);
	do
		t = jsonscan_next(&s);
	while (t != JSONSCAN_END && t != JSONSCAN_BAD);
	assert_true(s.at <= text.n && s.end <= text.n);
	assert_int_equal(jsonscan_next(&s), t); /* the last answer stays */
	if (t == JSONSCAN_BAD)
		assert_false(jsonscan_skip(&s));
	free((void *)(uintptr_t)copy.p);
	return t == JSONSCAN_BAD ? s.why : NULL;
}

static const char *const good[] = {
	"null",
	" \t\r\n true \t\r\n ",
	"0",
	"-0",
	"1e400",
	"18446744073709551615",
	"\"\"",
	"\"\\u0000\\ud800\\udc00\\udc00\\ud800\"",
	"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\uabCD\"",
	"\"\x7f\"",
	"\"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f"
	"\xbf\xbf\"",
	"[]",
	"{}",
	"[ ]",
	"{ }",
	"[1,2]",
	"[[],{},[[]]]",
	"{\"\":0}",
	"{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}",
	"{\"a\" : 1 , \"b\" : [ 1 , 2 ] }",
	"{\"a\":1,\"A\":1,\"a \":1,\"\\u0061\\u0061\":1}",
};

static const struct {
	const char *text, *why;
} bad[] = {
	{ "", "a value is missing" },
	{ " ", "a value is missing" },
	{ "nul", "a value is none" },
	{ "nulL", "a value is none" },
	{ "tru", "a value is none" },
	{ "fals", "a value is none" },
	{ "nullx", "text after the value" },
	{ "True", "a value is none" },
	{ "'a'", "a value is none" },
	{ "1 2", "text after the value" },
	{ "01", "text after the value" },
	{ "-", "a number is none" },
	{ "+1", "a value is none" },
	{ ".5", "a value is none" },
	{ "1.", "a number is none" },
	{ "NaN", "a value is none" },
	{ "\xef\xbb\xbf{}", "a value is none" },
	{ "[1]]", "text after the value" },
	{ "{}{}", "text after the value" },
	{ "[", "a value is missing" },
	{ "[1", "a comma or an end is missing" },
	{ "[1,", "a value is missing" },
	{ "[1,]", "a value is none" },
	{ "[,1]", "a value is none" },
	{ "[1 2]", "a comma or an end is missing" },
	{ "[1:2]", "a comma or an end is missing" },
	{ "[1}", "a comma or an end is missing" },
	{ "[}", "a value is none" },
	{ "{]", "a name is missing" },
	{ "{\"a\":1]", "a comma or an end is missing" },
	{ "{", "a name is missing" },
	{ "{\"a\"", "a colon is missing" },
	{ "{\"a\"}", "a colon is missing" },
	{ "{\"a\",1}", "a colon is missing" },
	{ "{\"a\"::1}", "a value is none" },
	{ "{\"a\":", "a value is missing" },
	{ "{\"a\":}", "a value is none" },
	{ "{\"a\":1", "a comma or an end is missing" },
	{ "{\"a\":1,", "a name is missing" },
	{ "{\"a\":1,}", "a name is missing" },
	{ "{,\"a\":1}", "a name is missing" },
	{ "{a:1}", "a name is missing" },
	{ "{1:1}", "a name is missing" },
	{ "{\"a\":1 \"b\":2}", "a comma or an end is missing" },
	{ "// comment\n1", "a value is none" },
	{ "\"", "a string does not end" },
	{ "\"abc", "a string does not end" },
	{ "\"abc\\\"", "a string does not end" },
	{ "\"abcdefghijklmnop", "a string does not end" },
	{ "\"\\", "an escape is none" },
	{ "\"\\x\"", "an escape is none" },
	{ "\"\\u\"", "an escape is none" },
	{ "\"\\u123\"", "an escape is none" },
	{ "\"\\u12g4\"", "an escape is none" },
	{ "\"\\U0041\"", "an escape is none" },
	{ "\"\\u123", "an escape is none" },
	{ "\"a\nb\"", "a control character in a string" },
	{ "\"a\rb\"", "a control character in a string" },
	{ "\"0123456789\tabcdefgh\"", "a control character in a string" },
	{ "\"\x1f\"", "a control character in a string" },
	{ "\"\x80\"", "a string is not UTF-8" },
	{ "\"\xc2\"", "a string is not UTF-8" },
	{ "\"\xc1\x81\"", "a string is not UTF-8" },
	{ "\"\xe0\x9f\xbf\"", "a string is not UTF-8" },
	{ "\"\xed\xa0\x80\"", "a string is not UTF-8" },
	{ "\"\xf0\x8f\xbf\xbf\"", "a string is not UTF-8" },
	{ "\"\xf4\x90\x80\x80\"", "a string is not UTF-8" },
	{ "\"\xf5\x80\x80\x80\"", "a string is not UTF-8" },
	{ "\"\xff\"", "a string is not UTF-8" },
	{ "\"\xe2\x82", "a string is not UTF-8" },
	{ "\xc3\xa9", "a value is none" },
	{ "[\f1]", "a value is none" },
	{ "[1\v]", "a comma or an end is missing" },
	{ "{\"a\":1,\"a\":2}", "a member is there twice" },
	{ "{\"a\":1,\"b\":[{\"a\":2}],\"a\":2}", "a member is there twice" },
	{ "{\"a\":1,\"\\u0061\":2}", "a member is there twice" },
	{ "{\"\\u0061b\":1,\"a\\u0062\":2}", "a member is there twice" },
	{ "{\"\":1,\"\":2}", "a member is there twice" },
	{ "{\"\\ud83d\\ude00\":1,\"\xf0\x9f\x98\x80\":2}", "a member is there twice" },
	{ "[{\"x\":{\"b\":1,\"c\":{},\"b\":2}}]", "a member is there twice" },
};

static void
takes_what_the_grammar_takes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		const char *why = fault_of(span_str(good[i]), 64, names);

		if (why != NULL)
			fail_msg("%s: %s", good[i], why);
	}
	assert_non_null(fault_of(span_of("\"\0\"", 3), 64, names));
	assert_non_null(fault_of(span_of("1\0", 2), 64, names));
}

static void
says_why_it_refuses(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *why = fault_of(span_str(bad[i].text), 64, names);

		if (why == NULL)
			fail_msg("%s", bad[i].text);
		assert_string_equal(why, bad[i].why);
	}
}

/* Cut anywhere, a text of one object is none. */
static void
refuses_every_beginning_of_a_text(void **state)
{
	static const char text[] = "{\"a\\n\xc3\xa9\":[1.5e3,true,{\"b\":null}],\"c\":\"\\u00e9\"}";

	(void)state;
	assert_null(fault_of(span_str(text), 64, names));
	for (size_t n = 0; n < sizeof(text) - 1; n++)
		assert_non_null(fault_of(span_of(text, n), 64, names));
}

static void
repeated_names_pass_where_nobody_looks(void **state)
{
	(void)state;
	assert_null(fault_of(span_str("{\"a\":1,\"a\":2}"), 64, NULL));
}

static void
nesting_has_a_limit(void **state)
{
	char text[JSONSCAN_DEPTH_MAX * 2 + 2] = "";

	(void)state;
	for (int depth = 1; depth <= JSONSCAN_DEPTH_MAX; depth++) {
		memset(text, '[', (size_t)depth);
		memset(text + depth, ']', (size_t)depth);
		assert_null(fault_of(span_of(text, 2 * (size_t)depth), (unsigned)depth, names));
		if (depth > 1)
			assert_string_equal(fault_of(span_of(text, 2 * (size_t)depth),
						     (unsigned)depth - 1, names),
					    "too deep");
	}
	memset(text, '[', sizeof(text));
	assert_string_equal(fault_of(span_of(text, sizeof(text)), 64, names), "too deep");
}

static const struct {
	enum jsonscan_token type;
	const char *token;
	size_t at, end;
	unsigned depth;
	bool escaped;
} tokens[] = {
	{ JSONSCAN_OBJECT, "{", 1, 2, 1, false },
	{ JSONSCAN_NAME, "a", 2, 5, 1, false },
	{ JSONSCAN_ARRAY, "[", 7, 8, 2, false },
	{ JSONSCAN_NUMBER, "-1.5e3", 8, 14, 2, false },
	{ JSONSCAN_STRING, "x\\ty", 15, 21, 2, true },
	{ JSONSCAN_TRUE, "true", 23, 27, 2, false },
	{ JSONSCAN_FALSE, "false", 28, 33, 2, false },
	{ JSONSCAN_NULL, "null", 34, 38, 2, false },
	{ JSONSCAN_ARRAY_END, "]", 38, 39, 1, false },
	{ JSONSCAN_NAME, "\\u0062", 41, 49, 1, true },
	{ JSONSCAN_STRING, "", 50, 52, 1, false },
	{ JSONSCAN_OBJECT_END, "}", 52, 53, 0, false },
	{ JSONSCAN_END, "", 54, 54, 0, false },
};

static void
tells_each_token_and_its_place(void **state)
{
	const char *text = " {\"a\": [-1.5e3,\"x\\ty\", true,false,null], \"\\u0062\":\"\"} ";
	struct jsonscan s;

	(void)state;
	jsonscan_init(&s, span_str(text), 8, names);
	for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
		assert_int_equal(jsonscan_next(&s), tokens[i].type);
		assert_int_equal(s.token.n, strlen(tokens[i].token));
		assert_memory_equal(s.token.p, tokens[i].token, s.token.n);
		assert_int_equal(s.at, tokens[i].at);
		assert_int_equal(s.end, tokens[i].end);
		assert_int_equal(s.depth, tokens[i].depth);
		if (s.token.n > 0 &&
		    (tokens[i].type == JSONSCAN_NAME || tokens[i].type == JSONSCAN_STRING))
			assert_int_equal(s.escaped, tokens[i].escaped);
	}
}

/* Every length of run and every place of what ends it, around the words of eight bytes. */
static void
finds_the_end_of_strings_of_any_length(void **state)
{
	char text[80];

	(void)state;
	for (size_t n = 0; n < 40; n++) {
		for (size_t odd = 0; odd <= n; odd++) {
			struct jsonscan s;

			memset(text, 'x', sizeof(text));
			text[0] = text[n + 1] = '"';
			if (odd < n)
				text[1 + odd] = '\x7f';
			jsonscan_init(&s, span_of(text, n + 2), 1, NULL);
			assert_int_equal(jsonscan_next(&s), JSONSCAN_STRING);
			assert_int_equal(s.token.n, n);
			if (odd == n)
				continue;
			text[1 + odd] = '\x1f';
			assert_non_null(fault_of(span_of(text, n + 2), 1, NULL));
			text[1 + odd] = '\x80';
			assert_non_null(fault_of(span_of(text, n + 2), 1, NULL));
			text[1 + odd] = '"';
			jsonscan_init(&s, span_of(text, n + 2), 1, NULL);
			assert_int_equal(jsonscan_next(&s), JSONSCAN_STRING);
			assert_int_equal(s.token.n, odd);
		}
	}
}

static void
skips_what_comes_next(void **state)
{
	const char *text = "{\"a\":[1,[2],{\"b\":3}],\"c\":{\"d\":{}},\"e\":5,\"f\":[]}";
	struct jsonscan s;

	(void)state;
	jsonscan_init(&s, span_str(text), 8, names);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_NAME);
	assert_true(jsonscan_skip(&s)); /* over the array behind the name */
	assert_int_equal(s.end, 20);
	assert_int_equal(s.depth, 1);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_NAME);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT);
	assert_true(jsonscan_skip(&s)); /* to its end */
	assert_int_equal(s.token.p[0], '}');
	assert_int_equal(jsonscan_next(&s), JSONSCAN_NAME);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_NUMBER);
	assert_true(jsonscan_skip(&s)); /* nothing */
	assert_int_equal(jsonscan_next(&s), JSONSCAN_NAME);
	assert_true(jsonscan_skip(&s));
	assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT_END);
	assert_true(jsonscan_skip(&s));
	assert_int_equal(jsonscan_next(&s), JSONSCAN_END);

	jsonscan_init(&s, span_str(text), 8, names);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT);
	assert_true(jsonscan_skip(&s)); /* the whole of it */
	assert_int_equal(jsonscan_next(&s), JSONSCAN_END);
}

static void
skipping_is_as_strict_as_reading(void **state)
{
	static const char *const texts[] = { "[{\"a\":1,\"a\":2}]", "[[1}]", "[\"\xff\"]", "[[" };
	struct jsonscan s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		jsonscan_init(&s, span_str(texts[i]), 8, names);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_ARRAY);
		assert_false(jsonscan_skip(&s));
		assert_int_equal(jsonscan_next(&s), JSONSCAN_BAD);
	}
	jsonscan_init(&s, span_str("{\"a\":x}"), 8, names);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT);
	assert_int_equal(jsonscan_next(&s), JSONSCAN_NAME);
	assert_false(jsonscan_skip(&s));
}

static void
jumps_over_whatever_somebody_else_will_scan(void **state)
{
	static const char *const texts[] = {
		"{}",
		"{ }",
		"{\"a\":[1,{}]}",
		"{\"}\":\"]\\\"}\\\\\"}",
		"{\"a\":1,\"a\":2}",
		"{01,,\xff}",
		"{[{]}}",
		"{[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		const size_t n = strlen(texts[i]);
		struct jsonscan s;
		char text[128];

		(void)snprintf(text, sizeof(text), "[%s , %s]", texts[i], texts[i]);
		jsonscan_init(&s, span_str(text), 2, names);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_ARRAY);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT);
		assert_true(jsonscan_jump(&s));
		assert_int_equal(s.end, 1 + n);
		assert_int_equal(s.depth, 1);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_OBJECT);
		assert_true(jsonscan_jump(&s));
		assert_int_equal(s.end, 4 + 2 * n);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_ARRAY_END);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_END);
	}
}

static void
jumps_nowhere_when_there_is_no_end(void **state)
{
	static const char *const texts[] = { "{",	  "{[}", "{\"}", "{\"\\\"}", "{\"\\",
					     "{\"a\":1]", "{{}", "[}",	 "[[]",	     "[\"]" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct jsonscan s;

		jsonscan_init(&s, span_str(texts[i]), 2, NULL);
		assert_int_equal(jsonscan_next(&s),
				 texts[i][0] == '{' ? JSONSCAN_OBJECT : JSONSCAN_ARRAY);
		assert_false(jsonscan_jump(&s));
		assert_non_null(s.why);
		assert_int_equal(jsonscan_next(&s), JSONSCAN_BAD);
	}
}

/* Through several growths of the table, with objects open around and inside. */
static void
finds_a_repeated_name_among_many(void **state)
{
	enum { MANY = 20000 };
	char *text = malloc(MANY * 32), *to = text;
	size_t n;

	(void)state;
	to += sprintf(to, "{\"n7\":0,\"in\":{");
	for (int i = 0; i < MANY; i++)
		to += sprintf(to, "%s\"%sn%d\":{\"n%d\":1}", i > 0 ? "," : "",
			      i % 3 == 0 ? "\\u0041" : "", i, i);
	n = (size_t)(to - text);
	(void)sprintf(to, "}}");
	assert_null(fault_of(span_of(text, n + 2), 64, names));
	for (int i = 0; i < MANY; i += 997) {
		const int len = sprintf(to, ",\"%sn%d\":1}}", i % 3 == 0 ? "A" : "", i);

		assert_string_equal(fault_of(span_of(text, n + (size_t)len), 64, names),
				    "a member is there twice");
	}
	/* After the inner object its names are free again, those of the outer one are not. */
	(void)sprintf(to, "},\"n8\":1,\"An9\":1}");
	assert_null(fault_of(span_of(text, n + strlen(to)), 64, names));
	(void)sprintf(to, "},\"n8\":1,\"n7\":1}");
	assert_non_null(fault_of(span_of(text, n + strlen(to)), 64, names));
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_the_grammar_takes),
		cmocka_unit_test(says_why_it_refuses),
		cmocka_unit_test(refuses_every_beginning_of_a_text),
		cmocka_unit_test(repeated_names_pass_where_nobody_looks),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(tells_each_token_and_its_place),
		cmocka_unit_test(finds_the_end_of_strings_of_any_length),
		cmocka_unit_test(skips_what_comes_next),
		cmocka_unit_test(skipping_is_as_strict_as_reading),
		cmocka_unit_test(jumps_over_whatever_somebody_else_will_scan),
		cmocka_unit_test(jumps_nowhere_when_there_is_no_end),
		cmocka_unit_test(finds_a_repeated_name_among_many),
	};

	return cmocka_run_group_tests(tests, make_names, free_names);
}
