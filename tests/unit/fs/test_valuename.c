/* SPDX-License-Identifier: MIT */
/*
 * Names of values, documents and ranges: the tables of docs/SEMANTICS.md, and no two values with
 * one name, nor two names with one value.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/docstore.h"
#include "fs/valuename.h"

enum { BYTES_MAX = 4096 };

static bool
same(const struct docvalue *a, const struct docvalue *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case DOCVALUE_STRING:
	case DOCVALUE_STORED:
		return a->text.n == b->text.n &&
		       (a->text.n == 0 || memcmp(a->text.p, b->text.p, a->text.n) == 0);
	case DOCVALUE_LONG:
		return a->integer == b->integer;
	case DOCVALUE_DOUBLE:
		return memcmp(&a->real, &b->real, sizeof(a->real)) == 0;
	default:
		return true;
	}
}

static enum names_kind
parse(const char *name, bool sealed, const char *suffix, struct docvalue *out, struct buf *bytes)
{
	enum names_kind kind = NAMES_SHADOWED;
	struct err e = { 0 };

	assert_int_equal(valuename_parse(name, sealed, suffix, &kind, out, bytes, &e), 0);
	return kind;
}

static void
assert_name(const struct docvalue *v, bool sealed, const char *suffix, const char *want)
{
	struct docvalue back;
	struct err e = { 0 };
	AUTO_BUF name, bytes;

	buf_init(&name, NAMES_FILE_MAX);
	buf_init(&bytes, BYTES_MAX);
	assert_int_equal(valuename_of(v, sealed, suffix, &name, &e), 0);
	assert_string_equal(buf_str(&name), want);
	assert_int_equal(parse(want, sealed, suffix, &back, &bytes), NAMES_PLAIN);
	assert_true(same(v, &back));
}

/* ---- strings ---- */

#define TEXT(s) s, sizeof(s) - 1

static const struct {
	const char *text;
	size_t n;
	const char *name;
} strings[] = {
	{ TEXT("Berlin"), "Berlin" },
	{ TEXT("with blank"), "with blank" },
	{ TEXT("a/b"), "a%2Fb" },
	{ TEXT("/"), "%2F" },
	{ TEXT("="), "%3D" },
	{ TEXT("=1"), "%3D1" },
	{ TEXT("=sealed:x"), "%3Dsealed:x" },
	{ TEXT("a=b"), "a=b" },
	{ TEXT("1"), "1" },
	{ TEXT("true"), "true" },
	{ TEXT("null"), "null" },
	{ TEXT(""), "%00" },
	{ TEXT("\0"), "%C0%80" },
	{ TEXT("\0\0"), "%C0%80%C0%80" },
	{ TEXT("a\0b"), "a%C0%80b" },
	{ TEXT("."), "%2E" },
	{ TEXT(".."), "%2E%2E" },
	{ TEXT("..."), "..." },
	{ TEXT("x.json"), "x.json" },
	{ TEXT(".json"), ".json" },
	{ TEXT("100%"), "100%" },
	{ TEXT("%00"), "%2500" },
	{ TEXT("%2F"), "%252F" },
	{ TEXT("%3D"), "%253D" },
	{ TEXT("%C0%80"), "%25C0%2580" },
	{ TEXT("%~"), "%25~" },
	{ TEXT("%/"), "%%2F" },
	{ TEXT("%\0"), "%%C0%80" },
	{ TEXT("\n\x7f"), "%0A%7F" },
	{ TEXT("\xc3\xa9"), "\xc3\xa9" },
	{ TEXT("\xed\xa0\x80"), "%ED%A0%80" }, /* a surrogate alone */
	{ TEXT("\xf0\x9f\x98\x80"), "\xf0\x9f\x98\x80" },
	{ TEXT("\xed\xb8\x80\xed\xa0\xbd"), "%ED%B8%80%ED%A0%BD" },
	{ TEXT("\xed\xa0\xbdx\xed\xb8\x80"), "%ED%A0%BDx%ED%B8%80" },
};

static void
strings_have_the_names_of_the_table_and_back(void **state)
{
	char want[NAMES_FILE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct docvalue v = { .kind = DOCVALUE_STRING,
				      .text = span_of(strings[i].text, strings[i].n) };

		for (int sealed = 0; sealed < 2; sealed++) {
			assert_name(&v, sealed != 0, "", strings[i].name);
			(void)snprintf(want, sizeof(want), "%s.json", strings[i].name);
			assert_name(&v, sealed != 0, ".json", want);
		}
	}
}

static void
what_does_not_open_is_called_by_its_stored_text(void **state)
{
	char want[NAMES_FILE_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(strings); i++) {
		struct docvalue v = { .kind = DOCVALUE_STORED,
				      .text = span_of(strings[i].text, strings[i].n) };

		(void)snprintf(want, sizeof(want), "=sealed:%s", strings[i].name);
		assert_name(&v, true, "", want);
		(void)snprintf(want, sizeof(want), "=sealed:%s.json", strings[i].name);
		assert_name(&v, true, ".json", want);
	}
}

/* ---- the other types ---- */

static const struct {
	bool sealed;
	struct docvalue v;
	const char *name;
} others[] = {
	{ false, { .kind = DOCVALUE_TRUE }, "=true" },
	{ true, { .kind = DOCVALUE_TRUE }, "=true" },
	{ false, { .kind = DOCVALUE_FALSE }, "=false" },
	{ false, { .kind = DOCVALUE_NULL }, "=null" },
	{ true, { .kind = DOCVALUE_ABSENT }, "=undefined" },
	{ false, { .kind = DOCVALUE_DOUBLE, .real = 1 }, "=1" },
	{ false, { .kind = DOCVALUE_DOUBLE, .real = -2.5 }, "=-2.5" },
	{ false, { .kind = DOCVALUE_DOUBLE, .real = 0 }, "=0" },
	{ false, { .kind = DOCVALUE_DOUBLE, .real = 1e21 }, "=1e+21" },
	{ false, { .kind = DOCVALUE_DOUBLE, .real = 9007199254740991 }, "=9007199254740991" },
	{ false, { .kind = DOCVALUE_DOUBLE, .real = 5e-324 }, "=5e-324" },
	{ true, { .kind = DOCVALUE_DOUBLE, .real = 1 }, "=1.0" },
	{ true, { .kind = DOCVALUE_DOUBLE, .real = -0.0 }, "=-0.0" },
	{ true, { .kind = DOCVALUE_DOUBLE, .real = 0.1 }, "=0.1" },
	{ true, { .kind = DOCVALUE_DOUBLE, .real = 1e16 }, "=1e+16" },
	{ true, { .kind = DOCVALUE_LONG, .integer = 1 }, "=1" },
	{ true, { .kind = DOCVALUE_LONG, .integer = -1 }, "=-1" },
	{ true, { .kind = DOCVALUE_LONG, .integer = INT64_MAX }, "=9223372036854775807" },
	{ true, { .kind = DOCVALUE_LONG, .integer = INT64_MIN }, "=-9223372036854775808" },
};

static void
values_of_other_types_have_the_names_of_the_table_and_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_name(&others[i].v, others[i].sealed, "", others[i].name);
}

/* ---- names of nothing ---- */

static const struct {
	const char *name;
	const char *suffix;
	bool sealed;
} nothing[] = {
	{ "", "", false },
	{ "=", "", false },
	{ "=", "", true },
	{ "=True", "", false },
	{ "=true ", "", false },
	{ "=01", "", true },
	{ "=+1", "", true },
	{ "=1.0", "", false }, /* in clear it is "=1" */
	{ "=1.00", "", true },
	{ "=-0", "", true },
	{ "=-0", "", false },
	{ "=1e21", "", false },
	{ "=1E+21", "", false },
	{ "=1e400", "", false },
	{ "=9223372036854775808", "", true },
	{ "=nan", "", true },
	{ "=0x10", "", true },
	{ "=sealed", "", true },
	{ "=sealed:", "", true },
	{ "=sealed:x", "", false }, /* nothing is sealed there: the string x is called x */
	{ "=sealed:%41", "", true },
	{ "a/b", "", false },
	{ "=x", "", false },
	{ "%41", "", false },
	{ "a%00", "", false },
	{ "%00%00", "", false },
	{ "%C0%81", "", true },
	{ "%FF", "", false },
	{ "a%E2%82", "", false },
	{ "%ED%A0%BD%ED%B8%80", "", false }, /* a pair: the character itself is shown */
	{ "=sealed:%FF", "", true },
	{ "a%3Db", "", false },
	{ ".", "", false },
	{ "..", "", false },
	{ "x", ".json", false },
	{ ".json", ".json", false },
	{ "x.JSON", ".json", false },
	{ "..json", ".json", false },
	{ "=1", ".json", true },
};

static void
names_that_no_value_has_stand_for_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
		struct docvalue v = { .kind = DOCVALUE_NULL, .integer = 77 };
		enum names_kind kind;
		AUTO_BUF bytes;

		buf_init(&bytes, BYTES_MAX);
		kind = parse(nothing[i].name, nothing[i].sealed, nothing[i].suffix, &v, &bytes);
		if (kind != NAMES_NOTHING || v.kind != DOCVALUE_NULL || v.integer != 77)
			fail_msg("'%s' stands for something", nothing[i].name);
	}
}

/* Every text of up to three bytes out of those that matter, as a name and as a value. */
static void
no_two_names_have_one_value_and_no_two_values_one_name(void **state)
{
	static const char alphabet[] = "\0a%/=.~20CF8E-1\xc3\xa9\xed\xa0\x80";
	enum { LETTERS = sizeof(alphabet) - 1 };

	(void)state;
	for (unsigned i = 0; i < LETTERS * LETTERS * LETTERS * 4; i++) {
		const char text[3] = { alphabet[i / 4 % LETTERS],
				       alphabet[i / 4 / LETTERS % LETTERS],
				       alphabet[i / 4 / LETTERS / LETTERS] };
		const struct docvalue v = { .kind = DOCVALUE_STRING, .text = span_of(text, i % 4) };
		char as_name[4] = "";
		struct docvalue back;
		struct err e = { 0 };
		AUTO_BUF name, bytes;

		buf_init(&name, NAMES_FILE_MAX);
		buf_init(&bytes, BYTES_MAX);
		assert_int_equal(valuename_of(&v, true, "", &name, &e), 0);
		assert_null(strchr(buf_str(&name), '/'));
		/* Bytes that no JSON holds are no value. */
		if (parse(buf_str(&name), true, "", &back, &bytes) == NAMES_PLAIN)
			assert_true(same(&v, &back));
		memcpy(as_name, text, i % 4);
		if (parse(as_name, true, "", &back, &bytes) == NAMES_PLAIN) {
			assert_int_equal(valuename_of(&back, true, "", &name, &e), 0);
			assert_string_equal(buf_str(&name), as_name);
		}
	}
}

/* ---- long ones ---- */

static void
long_names_are_cut_and_keep_their_suffix(void **state)
{
	static const char *const unit[] = { "n", "\xc3\xbc", "/", "\xf0\x9f\x98\x80", "%41" };
	char text[2048];

	(void)state;
	for (size_t u = 0; u < ARRAY_LEN(unit); u++)
		for (size_t n = 1; n * strlen(unit[u]) < 1100; n++) {
			const size_t len = strlen(unit[u]);
			struct docvalue v = { .kind = DOCVALUE_STRING,
					      .text = span_of(text, n * len) },
					back;
			enum names_kind kind;
			struct err e = { 0 };
			AUTO_BUF name, stored, bytes;

			for (size_t i = 0; i < n; i++)
				memcpy(text + i * len, unit[u], len);
			buf_init(&name, NAMES_FILE_MAX);
			buf_init(&stored, NAMES_FILE_MAX);
			buf_init(&bytes, BYTES_MAX);
			assert_int_equal(valuename_of(&v, true, ".json", &name, &e), 0);
			assert_string_equal(buf_str(&name) + name.n - 5, ".json");
			kind = parse(buf_str(&name), true, ".json", &back, &bytes);
			assert_true(kind == NAMES_PLAIN ? same(&v, &back) : kind == NAMES_ALIAS);
			v.kind = DOCVALUE_STORED;
			assert_int_equal(valuename_of(&v, true, ".json", &stored, &e), 0);
			kind = parse(buf_str(&stored), true, ".json", &back, &bytes);
			assert_true(kind == NAMES_PLAIN ? same(&v, &back) : kind == NAMES_ALIAS);
			assert_string_not_equal(buf_str(&name), buf_str(&stored));
		}
}

static void
the_last_name_that_fits_is_not_cut(void **state)
{
	char text[300];

	(void)state;
	memset(text, 'n', sizeof(text));
	for (size_t n = 240; n < 260; n++) {
		const struct docvalue v = { .kind = DOCVALUE_STRING, .text = span_of(text, n) };
		struct docvalue back;
		struct err e = { 0 };
		AUTO_BUF name, bytes;

		buf_init(&name, NAMES_FILE_MAX);
		buf_init(&bytes, BYTES_MAX);
		assert_int_equal(valuename_of(&v, false, ".json", &name, &e), 0);
		assert_int_equal(name.n, n + 5 <= NAMES_FILE_MAX ? n + 5 : NAMES_FILE_MAX);
		assert_int_equal(parse(buf_str(&name), false, ".json", &back, &bytes),
				 n + 5 <= NAMES_FILE_MAX ? NAMES_PLAIN : NAMES_ALIAS);
	}
}

/* ---- ranges ---- */

static void
ranges_are_called_by_their_bounds(void **state)
{
	static const struct {
		const char *min, *max, *name;
	} table[] = {
		{ "", "FF", "0-FF.jsonl" },
		{ "", "05C1DFFFFFFFFC", "0-05C1DFFFFFFFFC.jsonl" },
		{ "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF", "2FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF",
		  "1FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF-2FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF.jsonl" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1];
		struct err e = { 0 };
		AUTO_BUF name;

		buf_init(&name, NAMES_FILE_MAX);
		assert_int_equal(valuename_of_range(table[i].min, table[i].max, &name, &e), 0);
		assert_string_equal(buf_str(&name), table[i].name);
		assert_true(valuename_range(table[i].name, min, max));
		assert_string_equal(min, table[i].min);
		assert_string_equal(max, table[i].max);
	}
}

static void
what_no_range_is_called_is_none(void **state)
{
	static const char *const none[] = {
		"",
		"0-FF",
		"0-FF.json",
		"0FF.jsonl",
		"-FF.jsonl",
		"0-.jsonl",
		"FF-FF.jsonl",
		"FF-0.jsonl",
		"0-0.jsonl",
		"0-ff.jsonl",
		"00-GG.jsonl",
		"0-FF.jsonl.jsonl",
		"0-FF.jsonlx",
		"0--FF.jsonl",
		"05-05.jsonl",
		"2F-1F.jsonl",
		"0-FF00.jsonl",
		" 0-FF.jsonl",
		"0-FF-.jsonl",
		"0-5.jsonl",
	};
	char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(none); i++)
		if (valuename_range(none[i], min, max))
			fail_msg("'%s' is a range", none[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(strings_have_the_names_of_the_table_and_back),
		cmocka_unit_test(what_does_not_open_is_called_by_its_stored_text),
		cmocka_unit_test(values_of_other_types_have_the_names_of_the_table_and_back),
		cmocka_unit_test(names_that_no_value_has_stand_for_nothing),
		cmocka_unit_test(no_two_names_have_one_value_and_no_two_values_one_name),
		cmocka_unit_test(long_names_are_cut_and_keep_their_suffix),
		cmocka_unit_test(the_last_name_that_fits_is_not_cut),
		cmocka_unit_test(ranges_are_called_by_their_bounds),
		cmocka_unit_test(what_no_range_is_called_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
