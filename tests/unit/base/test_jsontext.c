/* SPDX-License-Identifier: MIT */
/* base/jsonscan: strings of JSON to bytes and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsonscan.h"

enum { ROOM = 1000 };

static const struct {
	const char *raw;
	const char *bytes;
	size_t n;
} strings[] = {
	{ "", "", 0 },
	{ "abc", "abc", 3 },
	{ "\\\"\\\\\\/\\b\\f\\n\\r\\t", "\"\\/\b\f\n\r\t", 8 },
	{ "a\\u0000b", "a\0b", 3 },
	{ "\\u0041\\u007f\\u0080\\u07FF\\u0800\\uffff",
	  "A\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf", 12 },
	{ "\\ud83d\\ude00", "\xf0\x9f\x98\x80", 4 },
	{ "\\uD800\\uDC00\\udbff\\udfff", "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf", 8 },
	{ "\\ud800", "\xed\xa0\x80", 3 },
	{ "\\udc00\\ud800", "\xed\xb0\x80\xed\xa0\x80", 6 },
	{ "\\ud800x\\udc00", "\xed\xa0\x80x\xed\xb0\x80", 7 },
	{ "\\ud800\\ud800\\udc00", "\xed\xa0\x80\xf0\x90\x80\x80", 7 },
	{ "\\ud800\\n", "\xed\xa0\x80\n", 4 },
	{ "\\ud800\\u0041",
	  "\xed\xa0\x80"
	  "A",
	  4 },
	{ "\xc3\xa9\\u00e9\xc3\xa9", "\xc3\xa9\xc3\xa9\xc3\xa9", 6 },
	{ "\\\\u0041", "\\u0041", 6 },
};

static void
escapes_stand_for_their_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		const size_t n = strlen(strings[i].raw);
		const bool escaped = strchr(strings[i].raw, '\\') != NULL;
		uint8_t *raw = malloc(n > 0 ? n : 1);
		const struct span bytes = span_of(strings[i].bytes, strings[i].n);
		struct err e = { 0 };
		AUTO_BUF b;

		memcpy(raw, strings[i].raw, n);
		buf_init(&b, 1 + strings[i].n);
		assert_int_equal(buf_add(&b, "<", 1, &e), 0);
		assert_int_equal(jsonscan_unescape(span_of(raw, n), &b, &e), 0);
		assert_int_equal(b.n, 1 + strings[i].n);
		assert_memory_equal(b.p + 1, strings[i].bytes, strings[i].n);
		assert_true(jsonscan_is(span_of(raw, n), escaped, bytes));
		assert_true(jsonscan_is(span_of(raw, n), true, bytes));
		free(raw);
	}
}

static void
is_tells_what_is_longer_shorter_or_another(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		const struct span raw = span_str(strings[i].raw);
		const size_t n = strings[i].n;
		char other[32];

		memcpy(other, strings[i].bytes, n);
		other[n] = 'x';
		assert_false(jsonscan_is(raw, true, span_of(other, n + 1)));
		if (n == 0)
			continue;
		assert_false(jsonscan_is(raw, true, span_of(other, n - 1)));
		for (size_t k = 0; k < n; k++) {
			other[k] ^= 1;
			assert_false(jsonscan_is(raw, true, span_of(other, n)));
			other[k] ^= 1;
		}
	}
	assert_false(jsonscan_is(span_str("abc"), false, span_str("abd")));
	assert_false(jsonscan_is(span_str("abc"), false, span_str("ab")));
	assert_true(jsonscan_is(span_of(NULL, 0), false, span_of(NULL, 0)));
}

static const struct {
	const char *bytes;
	size_t n;
	const char *plain, *ascii;
} quoted[] = {
	{ "", 0, "\"\"", "\"\"" },
	{ "abc", 3, "\"abc\"", "\"abc\"" },
	{ "\"\\/\b\f\n\r\t", 8, "\"\\\"\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
	{ "a\0b\x1f", 4, "\"a\\u0000b\\u001f\"", "\"a\\u0000b\\u001f\"" },
	{ "\x7e\x7f", 2, "\"\x7e\x7f\"", "\"~\\u007f\"" },
	{ "\xc3\xa9\xe6\x97\xa5\"\\\x7f", 8, "\"\xc3\xa9\xe6\x97\xa5\\\"\\\\\x7f\"",
	  "\"\\u00e9\\u65e5\\\"\\\\\\u007f\"" },
	{ "\xf0\x9f\x98\x80", 4, "\"\xf0\x9f\x98\x80\"", "\"\\ud83d\\ude00\"" },
	{ "\xf4\x8f\xbf\xbf", 4, "\"\xf4\x8f\xbf\xbf\"", "\"\\udbff\\udfff\"" },
	{ "0123456789\x7f"
	  "abcdefghij",
	  21,
	  "\"0123456789\x7f"
	  "abcdefghij\"",
	  "\"0123456789\\u007fabcdefghij\"" },
	{ "01234567\n89abcdef\"01234567", 26, "\"01234567\\n89abcdef\\\"01234567\"",
	  "\"01234567\\n89abcdef\\\"01234567\"" },
};

static void
quoting_escapes_what_must_be(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(quoted); i++) {
		const struct span bytes = span_of(quoted[i].bytes, quoted[i].n);
		struct err e = { 0 };
		AUTO_BUF plain, ascii;

		buf_init(&plain, strlen(quoted[i].plain));
		buf_init(&ascii, strlen(quoted[i].ascii));
		assert_int_equal(jsonscan_quote(bytes, &plain, &e), 0);
		assert_string_equal(buf_str(&plain), quoted[i].plain);
		assert_int_equal(jsonscan_quote_ascii(bytes, &ascii, &e), 0);
		assert_string_equal(buf_str(&ascii), quoted[i].ascii);
	}
}

/* Each byte and its neighbours, so that runs end at every place of a word. */
static void
what_was_quoted_reads_back(void **state)
{
	uint8_t bytes[40];

	(void)state;
	for (int c = 0; c < 128; c++) {
		for (size_t at = 0; at < sizeof(bytes); at++) {
			struct jsonscan s;
			struct err e = { 0 };
			AUTO_BUF text, back;

			memset(bytes, 'x', sizeof(bytes));
			bytes[at] = (uint8_t)c;
			buf_init(&text, ROOM);
			buf_init(&back, ROOM);
			assert_int_equal(jsonscan_quote(span_of(bytes, sizeof(bytes)), &text, &e),
					 0);
			jsonscan_init(&s, buf_span(&text), 1, NULL);
			assert_int_equal(jsonscan_next(&s), JSONSCAN_STRING);
			assert_int_equal(s.escaped, c < 32 || c == '"' || c == '\\');
			assert_int_equal(jsonscan_unescape(s.token, &back, &e), 0);
			assert_int_equal(jsonscan_next(&s), JSONSCAN_END);
			assert_int_equal(back.n, sizeof(bytes));
			assert_memory_equal(back.p, bytes, sizeof(bytes));
		}
	}
}

static void
lone_surrogates_and_broken_bytes_have_an_escape(void **state)
{
	static const struct {
		const char *bytes, *text;
	} cases[] = {
		{ "\xed\xa0\x80", "\"\\ud800\"" },
		{ "\xed\xb0\x80\xed\xa0\x80", "\"\\udc00\\ud800\"" },
		{ "\xed\xa0", "\"\\ufffd\\ufffd\"" },
		{ "\xff", "\"\\ufffd\"" },
		{ "\xc3", "\"\\ufffd\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, ROOM);
		assert_int_equal(jsonscan_quote_ascii(span_str(cases[i].bytes), &b, &e), 0);
		assert_string_equal(buf_str(&b), cases[i].text);
	}
}

static void
a_full_buffer_stays_as_it_was(void **state)
{
	struct err e = { 0 };
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 4);
	assert_int_equal(jsonscan_quote(span_str("abc"), &b, &e), -EFBIG);
	assert_int_equal(b.n, 0);
	err_clear(&e);
	assert_int_equal(jsonscan_quote_ascii(span_str("\x7f"), &b, &e), -EFBIG);
	err_clear(&e);
	assert_int_equal(jsonscan_unescape(span_str("\\u0041bcde"), &b, &e), -EFBIG);
	assert_int_equal(b.n, 0);
	err_clear(&e);
	assert_int_equal(jsonscan_unescape(span_str("\\u0041bcd"), &b, &e), 0);
	assert_string_equal(buf_str(&b), "Abcd");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escapes_stand_for_their_bytes),
		cmocka_unit_test(is_tells_what_is_longer_shorter_or_another),
		cmocka_unit_test(quoting_escapes_what_must_be),
		cmocka_unit_test(what_was_quoted_reads_back),
		cmocka_unit_test(lone_surrogates_and_broken_bytes_have_an_escape),
		cmocka_unit_test(a_full_buffer_stays_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
