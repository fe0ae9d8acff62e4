/* SPDX-License-Identifier: MIT */
/* base/number: the shortest text of a double against Python's repr(), and text read exactly. */
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/number.h"
#include "tests/unit/base/number_table.h"

enum { RANDOM = 1000000 };

static double
double_of(uint64_t bits)
{
	double v;

	memcpy(&v, &bits, sizeof(v));
	return v;
}

static uint64_t
bits_of(double v)
{
	uint64_t bits;

	memcpy(&bits, &v, sizeof(bits));
	return bits;
}

static void
prints_what_repr_prints(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reprs); i++) {
		char text[NUMBER_TEXT_MAX];
		double back = 7;

		assert_int_equal(number_print(double_of(reprs[i].bits), text),
				 strlen(reprs[i].text));
		assert_string_equal(text, reprs[i].text);
		assert_true(number_parse(span_str(text), &back));
		assert_int_equal(bits_of(back), reprs[i].bits);
	}
}

/* The digits of a text, and how many there are without zeros at either end. */
static int
significant(const char *text)
{
	int n = 0, zeros = 0;

	for (; *text != '\0' && *text != 'e'; text++) {
		if (*text < '0' || *text > '9' || (n == 0 && *text == '0'))
			continue;
		n++;
		zeros = *text == '0' ? zeros + 1 : 0;
	}
	return n - zeros;
}

/* All bits now and then, and numbers near the least ones; mostly an exponent of everyday life. */
static uint64_t
random_bits(uint64_t seed, int i)
{
	const uint64_t exponent = 1023 - 64 + (seed >> 52) % 128;

	if (i % 8 == 0)
		return seed;
	if (i % 16 == 1)
		return seed & UINT64_C(0x801fffffffffffff);
	return (seed & UINT64_C(0x800fffffffffffff)) | exponent << 52;
}

static void
no_shorter_text_reads_back(void **state)
{
	uint64_t seed = UINT64_C(88172645463325252);

	(void)state;
	for (int i = 0; i < RANDOM; i++) {
		char text[NUMBER_TEXT_MAX], shorter[64];
		double v, back = 7;
		int n;

		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		v = double_of(random_bits(seed, i));
		if (!isfinite(v))
			continue;
		assert_true(number_print(v, text) < NUMBER_TEXT_MAX);
		assert_true(number_parse(span_str(text), &back));
		if (bits_of(back) != bits_of(v))
			fail_msg("%a: %s", v, text);
		n = significant(text);
		if (n < 2)
			continue;
		(void)snprintf(shorter, sizeof(shorter), "%.*e", n - 2, v);
		if (strtod(shorter, NULL) == v)
			fail_msg("%a: %s, but %s", v, text, shorter);
	}
}

/* Integers over powers of ten take a short way; it must lead to the same place. */
static void
short_decimals_stay_as_they_were_written(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[64], got[NUMBER_TEXT_MAX];
		uint64_t n;
		int places;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		n = (seed >> 20) % UINT64_C(1000000000000) >> (seed % 30);
		places = 1 + (int)(seed >> 60) % 6;
		for (int z = 0; z < places; z++)
			n = n * 10 + (z == places - 1 ? 7 : 3);
		if (n > UINT64_C(999999999999999))
			continue;
		(void)snprintf(text, sizeof(text), "%020llu", (unsigned long long)n);
		memmove(text + 21 - places, text + 20 - places, (size_t)places + 1);
		text[20 - places] = '.';
		(void)number_print(strtod(text, NULL), got);
		if (strchr(got, 'e') == NULL)
			assert_string_equal(got, text + strspn(text, "0") -
							 (text[strspn(text, "0")] == '.'));
	}
}

static void
integers_are_printed_to_the_last(void **state)
{
	static const struct {
		long long value;
		const char *text;
	} cases[] = {
		{ 0, "0" },
		{ -1, "-1" },
		{ 10, "10" },
		{ INT64_MAX, "9223372036854775807" },
		{ INT64_MIN, "-9223372036854775808" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char text[NUMBER_TEXT_MAX];

		assert_int_equal(number_print_long(cases[i].value, text), strlen(cases[i].text));
		assert_string_equal(text, cases[i].text);
	}
}

static const struct {
	double value;
	const char *text;
} js[] = {
	{ 0.0, "0" },
	{ -0.0, "0" },
	{ 1.0, "1" },
	{ -17.0, "-17" },
	{ 1.5, "1.5" },
	{ 1e15, "1000000000000000" },
	{ 9007199254740991.0, "9007199254740991" },
	{ 9007199254740992.0, "9007199254740992" },
	{ -9007199254740992.0, "-9007199254740992" },
	{ 9007199254740994.0, "9007199254740994" },
	{ 1e20, "100000000000000000000" },
	{ -123456789012345680000.0, "-123456789012345680000" },
	{ 1e21, "1e+21" },
	{ 1e300, "1e+300" },
	{ 0.001, "0.001" },
	{ 1e-5, "0.00001" },
	{ 1e-6, "0.000001" },
	{ -1.2345678901234567e-6, "-0.0000012345678901234567" },
	{ 1e-7, "1e-7" },
	{ -1.5e-7, "-1.5e-7" },
	{ 1e-10, "1e-10" },
	{ 5e-324, "5e-324" },
	{ 0.1, "0.1" },
};

static void
numbers_of_javascript_are_as_it_writes_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(js); i++) {
		char text[NUMBER_TEXT_MAX];

		assert_int_equal(number_print_js(js[i].value, text), strlen(js[i].text));
		assert_string_equal(text, js[i].text);
	}
}

static const struct {
	const char *text;
	size_t len; /* of the number at its front */
	bool good;  /* all of it is one, and a double holds it */
	double value;
} numbers[] = {
	{ "0", 1, true, 0 },
	{ "-0", 2, true, -0.0 },
	{ "-0.0e-0", 7, true, -0.0 },
	{ "1", 1, true, 1 },
	{ "1.0", 3, true, 1 },
	{ "1E3", 3, true, 1000 },
	{ "1e+3", 4, true, 1000 },
	{ "1e-3", 4, true, 0.001 },
	{ "1e00000000000000000000003", 25, true, 1000 },
	{ "9007199254740993", 16, true, 9007199254740992.0 },
	{ "9007199254740993.0000000000000000000000000000000000000001", 57, true,
	  9007199254740994.0 },
	{ "18446744073709551615", 20, true, 18446744073709551616.0 },
	{ "1.7976931348623157e308", 22, true, 1.7976931348623157e308 },
	{ "1.7976931348623159e308", 22, false, 0 },
	{ "1e400", 5, false, 0 },
	{ "-1e400", 6, false, 0 },
	{ "1e-400", 6, true, 0 },
	{ "2.4703282292062328e-324", 23, true, 5e-324 },
	{ "2.4703282292062327e-324", 23, true, 0 },
	{ "", 0, false, 0 },
	{ "-", 0, false, 0 },
	{ "+1", 0, false, 0 },
	{ ".5", 0, false, 0 },
	{ "1.", 0, false, 0 },
	{ "1.e3", 0, false, 0 },
	{ "1e", 0, false, 0 },
	{ "1e+", 0, false, 0 },
	{ "-.5", 0, false, 0 },
	{ "--1", 0, false, 0 },
	{ "01", 1, false, 0 },
	{ "00", 1, false, 0 },
	{ "-01", 2, false, 0 },
	{ "1 ", 1, false, 0 },
	{ " 1", 0, false, 0 },
	{ "1,5", 1, false, 0 },
	{ "0x10", 1, false, 0 },
	{ "1e5.5", 3, false, 0 },
	{ "Infinity", 0, false, 0 },
	{ "NaN", 0, false, 0 },
	{ "nan", 0, false, 0 },
};

static void
reads_json_numbers_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		double v = 4711;

		if (number_len(span_str(numbers[i].text)) != numbers[i].len)
			fail_msg("%s", numbers[i].text);
		if (number_parse(span_str(numbers[i].text), &v) != numbers[i].good)
			fail_msg("%s", numbers[i].text);
		assert_int_equal(bits_of(v), bits_of(numbers[i].good ? numbers[i].value : 4711));
	}
	assert_int_equal(number_len(span_of(NULL, 0)), 0);
}

/* Half between two doubles, decided by a digit far behind what any buffer of fixed size holds. */
static void
digits_without_end_are_read(void **state)
{
	char text[5000];
	double v = 0;

	(void)state;
	memset(text, '0', sizeof(text));
	memcpy(text, "9007199254740993.", 17);
	assert_true(number_parse(span_of(text, sizeof(text)), &v));
	assert_true(v == 9007199254740992.0);
	text[sizeof(text) - 1] = '1';
	assert_true(number_parse(span_of(text, sizeof(text)), &v));
	assert_true(v == 9007199254740994.0);
}

static void
a_number_ends_where_its_span_ends(void **state)
{
	double v = 0;

	(void)state;
	assert_true(number_parse(span_of("12345", 3), &v));
	assert_true(v == 123);
}

static const struct {
	const char *text;
	bool good;
	long long value;
} longs[] = {
	{ "0", true, 0 },
	{ "-0", true, 0 },
	{ "-1", true, -1 },
	{ "42", true, 42 },
	{ "9223372036854775807", true, INT64_MAX },
	{ "9223372036854775808", false, 0 },
	{ "-9223372036854775808", true, INT64_MIN },
	{ "-9223372036854775809", false, 0 },
	{ "18446744073709551615", false, 0 },
	{ "99999999999999999999999", false, 0 },
	{ "", false, 0 },
	{ "-", false, 0 },
	{ "+1", false, 0 },
	{ "01", false, 0 },
	{ "-01", false, 0 },
	{ "1.0", false, 0 },
	{ "1e3", false, 0 },
	{ "1 ", false, 0 },
	{ "--1", false, 0 },
};

static void
integers_have_64_bits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(longs); i++) {
		long long v = 4711;

		if (number_parse_long(span_str(longs[i].text), &v) != longs[i].good)
			fail_msg("%s", longs[i].text);
		assert_true(v == (longs[i].good ? longs[i].value : 4711));
	}
}

/* With a comma for a point, where the machine has such a locale. */
static void
no_locale_changes_a_number(void **state)
{
	char text[NUMBER_TEXT_MAX];
	double v = 0;

	(void)state;
	if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
		skip();
	(void)number_print(1234567.1234567, text);
	assert_string_equal(text, "1234567.1234567");
	(void)number_print(0.1 + 0.2, text);
	assert_string_equal(text, "0.30000000000000004");
	assert_true(number_parse(span_str("1.5"), &v));
	assert_true(v == 1.5);
	(void)setlocale(LC_NUMERIC, "C");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(prints_what_repr_prints),
		cmocka_unit_test(no_shorter_text_reads_back),
		cmocka_unit_test(short_decimals_stay_as_they_were_written),
		cmocka_unit_test(numbers_of_javascript_are_as_it_writes_them),
		cmocka_unit_test(integers_are_printed_to_the_last),
		cmocka_unit_test(reads_json_numbers_and_nothing_else),
		cmocka_unit_test(digits_without_end_are_read),
		cmocka_unit_test(a_number_ends_where_its_span_ends),
		cmocka_unit_test(integers_have_64_bits),
		cmocka_unit_test(no_locale_changes_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
