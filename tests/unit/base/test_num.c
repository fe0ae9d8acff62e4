/* SPDX-License-Identifier: MIT */
/* Checked numbers: the last one that fits, the first that does not, and what is no number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"

static void
sums_and_products_that_do_not_fit_are_told(void **state)
{
	uint64_t u = 7;
	size_t s = 7;

	(void)state;
	assert_true(u64_add(UINT64_MAX - 1, 1, &u) && u == UINT64_MAX);
	assert_false(u64_add(UINT64_MAX, 1, &u));
	assert_true(u64_mul(UINT64_C(1) << 32, (UINT64_C(1) << 32) - 1, &u));
	assert_false(u64_mul(UINT64_C(1) << 32, UINT64_C(1) << 32, &u));
	assert_true(u64_mul(UINT64_MAX, 0, &u) && u == 0);
	assert_true(size_add(SIZE_MAX, 0, &s) && s == SIZE_MAX);
	assert_false(size_add(SIZE_MAX, 1, &s));
	assert_true(size_mul(SIZE_MAX, 1, &s) && s == SIZE_MAX);
	assert_false(size_mul(SIZE_MAX, 2, &s));
	assert_int_equal(u64_min(1, 2), 1);
	assert_int_equal(u64_max(1, 2), 2);
}

enum { UNTOUCHED = 4711 };

static const struct {
	const char *text;
	bool good;
	uint64_t value;
} numbers[] = {
	{ "0", true, 0 },
	{ "00", true, 0 },
	{ "18446744073709551615", true, UINT64_MAX },
	{ "18446744073709551616", false, 0 },
	{ "99999999999999999999", false, 0 },
	{ "00000000000000000001", true, 1 },
	{ "000000000000000000001", false, 0 }, /* 21 digits */
	{ "", false, 0 },
	{ "+1", false, 0 },
	{ "-1", false, 0 },
	{ " 1", false, 0 },
	{ "1 ", false, 0 },
	{ "0x10", false, 0 },
	{ "1e3", false, 0 },
	{ "1.0", false, 0 },
	{ "/", false, 0 },
	{ ":", false, 0 },
}, sizes[] = {
	{ "4096", true, 4096 },
	{ "256M", true, UINT64_C(256) << 20 },
	{ "4MiB", true, UINT64_C(4) << 20 },
	{ "1G", true, UINT64_C(1) << 30 },
	{ "1GiB", true, UINT64_C(1) << 30 },
	{ "3k", true, 3072 },
	{ "3KiB", true, 3072 },
	{ "1T", true, UINT64_C(1) << 40 },
	{ "16777215T", true, UINT64_C(16777215) << 40 },
	{ "16777216T", false, 0 },
	{ "18446744073709551615B", true, UINT64_MAX },
	{ "18446744073709551615K", false, 0 },
	{ "0G", true, 0 },
	{ "G", false, 0 },
	{ "", false, 0 },
	{ "1 M", false, 0 },
	{ "1MB", false, 0 },
	{ "1mib", false, 0 },
	{ "-1M", false, 0 },
	{ "1.5G", false, 0 },
	{ "1MM", false, 0 },
};

static void
numbers_are_digits_and_nothing_else(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
		uint64_t v = UNTOUCHED;

		assert_int_equal(u64_parse_str(numbers[i].text, &v), numbers[i].good);
		assert_int_equal(v, numbers[i].good ? numbers[i].value : UNTOUCHED);
	}
}

static void
only_so_many_digits_are_read_as_are_given(void **state)
{
	uint64_t v = UNTOUCHED;

	(void)state;
	assert_true(u64_parse("12345", 3, &v) && v == 123);
	assert_false(u64_parse("12x", 3, &v));
	assert_true(u64_parse("12x", 2, &v) && v == 12);
	assert_false(u64_parse("1", 0, &v));
	assert_false(u64_parse("1\0"
			       "2",
			       3, &v));
}

static void
sizes_have_units_of_1024(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t v = UNTOUCHED;

		assert_int_equal(u64_parse_size(sizes[i].text, &v), sizes[i].good);
		assert_int_equal(v, sizes[i].good ? sizes[i].value : UNTOUCHED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sums_and_products_that_do_not_fit_are_told),
		cmocka_unit_test(numbers_are_digits_and_nothing_else),
		cmocka_unit_test(only_so_many_digits_are_read_as_are_given),
		cmocka_unit_test(sizes_have_units_of_1024),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
