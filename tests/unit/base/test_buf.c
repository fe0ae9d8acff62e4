/* SPDX-License-Identifier: MIT */
/* The growable buffer: never beyond its ceiling, unchanged when it fails, always a string. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"

static void
what_is_added_is_held(void **state)
{
	struct err e = { 0 };
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 100);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_span(&b).n, 0);
	assert_int_equal(buf_add_str(&b, "one", &e), 0);
	assert_int_equal(buf_add(&b, "\0two", 4, &e), 0);
	assert_int_equal(buf_addf(&b, &e, "-%d-%s", 3, "four"), 0);
	assert_int_equal(b.n, 14);
	assert_memory_equal(b.p, "one\0two-3-four", 15);
	assert_int_equal(buf_add(&b, NULL, 0, &e), 0);
	buf_reset(&b);
	assert_int_equal(b.n, 0);
	assert_string_equal(buf_str(&b), "");
	buf_clear(&b);
	assert_null(b.p);
	assert_int_equal(buf_add_str(&b, "again", &e), 0);
	assert_string_equal(buf_str(&b), "again");
}

/* For ceilings around the sizes in which it grows. */
static void
the_ceiling_is_reached_and_not_passed(void **state)
{
	static const size_t ceilings[] = { 0, 1, 2, 254, 255, 256, 257, 511, 512, 513, 5000 };
	char x[5001];

	(void)state;
	memset(x, 'x', sizeof(x));
	for (size_t i = 0; i < ARRAY_LEN(ceilings); i++) {
		const size_t max = ceilings[i];
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, max);
		for (size_t n = 0; n < max; n++)
			assert_int_equal(buf_add(&b, x, 1, &e), 0);
		assert_int_equal(b.n, max);
		assert_int_equal(buf_add(&b, x, 1, &e), -EFBIG);
		assert_int_equal(b.n, max);
		assert_int_equal(strlen(buf_str(&b)), max);
		err_clear(&e);
		assert_int_equal(buf_addf(&b, &e, "%s", "x"), -EFBIG);
		assert_int_equal(strlen(buf_str(&b)), max);
		err_clear(&e);
		assert_int_equal(buf_addf(&b, &e, "%s", ""), 0);
		buf_clear(&b);
		assert_int_equal(buf_add(&b, x, max, &e), 0);
		assert_true(b.room <= max + 1);
		buf_clear(&b);
		assert_int_equal(buf_add(&b, x, max + 1, &e), -EFBIG);
		assert_null(b.p);
	}
}

static void
a_size_that_overflows_is_refused(void **state)
{
	struct err e = { 0 };
	uint8_t *to = NULL;
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 1000);
	assert_int_equal(buf_add_str(&b, "some", &e), 0);
	assert_int_equal(buf_reserve(&b, SIZE_MAX, &to, &e), -EFBIG);
	err_clear(&e);
	assert_int_equal(buf_reserve(&b, SIZE_MAX - 3, &to, &e), -EFBIG);
	assert_null(to);
	assert_string_equal(buf_str(&b), "some");
}

static void
reserved_room_is_the_callers_to_fill(void **state)
{
	struct err e = { 0 };
	uint8_t *to;
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 10000);
	assert_int_equal(buf_add_str(&b, "head", &e), 0);
	assert_int_equal(buf_reserve(&b, 5000, &to, &e), 0);
	memset(to, 'y', 5000);
	assert_int_equal(b.n, 4);
	assert_string_equal(buf_str(&b), "head"); /* not yet */
	memset(to, 'y', 5000);
	b.n += 5000;
	assert_int_equal(strlen(buf_str(&b)), 5004);
	assert_memory_equal(b.p, "heady", 5);
}

static void
forgotten_bytes_are_wiped(void **state)
{
	static const char zeros[6];
	struct err e = { 0 };
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 100);
	assert_int_equal(buf_add_str(&b, "secret", &e), 0);
	buf_reset(&b);
	assert_memory_equal(b.p, zeros, 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_added_is_held),
		cmocka_unit_test(the_ceiling_is_reached_and_not_passed),
		cmocka_unit_test(a_size_that_overflows_is_refused),
		cmocka_unit_test(reserved_room_is_the_callers_to_fill),
		cmocka_unit_test(forgotten_bytes_are_wiped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
