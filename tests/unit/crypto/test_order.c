/* SPDX-License-Identifier: MIT */
/* crypto/order: the three ways of numbering regions, and how they narrow to one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/order.h"

#define G32 (UINT64_C(1) << 32)

static const struct {
	const char *name;
	const char *nonce;
	uint64_t i;
	unsigned dialects;
} nonces[] = {
	{ "all zero is region 0 of two", "\0\0\0\0\0\0\0\0\0\0\0\0", 0, NONCE_PYTHON | NONCE_JAVA },
	{ "Python 1", "\0\0\0\0\0\0\0\0\0\0\0\1", 1, NONCE_PYTHON },
	{ "Python 256", "\0\0\0\0\0\0\0\0\0\0\1\0", 256, NONCE_PYTHON },
	{ "Java 1", "\0\0\0\0\0\0\0\1\0\0\0\0", 1, NONCE_JAVA },
	{ "Java 256", "\0\0\0\0\0\0\1\0\0\0\0\0", 256, NONCE_JAVA },
	{ ".NET 0", "\0\0\0\0\1\0\0\0\0\0\0\0", 0, NONCE_DOTNET },
	{ ".NET 1", "\0\0\0\0\2\0\0\0\0\0\0\0", 1, NONCE_DOTNET },
	{ ".NET 256", "\0\0\0\0\1\1\0\0\0\0\0\0", 256, NONCE_DOTNET },
	{ "Java's 256 is .NET's 65535", "\0\0\0\0\0\0\1\0\0\0\0\0", 65535, NONCE_DOTNET },
	{ "Python 0 at 1", "\0\0\0\0\0\0\0\0\0\0\0\0", 1, 0 },
	{ "Python 1 at 0", "\0\0\0\0\0\0\0\0\0\0\0\1", 0, 0 },
	{ ".NET 0 at 1", "\0\0\0\0\1\0\0\0\0\0\0\0", 1, 0 },
	{ "Python beyond 64 bits", "\0\0\0\1\0\0\0\0\0\0\0\1", 1, 0 },
	{ "Java with something behind", "\0\0\0\0\0\0\0\1\0\0\0\1", 1, 0 },
	{ ".NET with something before", "\1\0\0\0\2\0\0\0\0\0\0\0", 1, 0 },
	{ "Java, number cut to 32 bits, 2^31", "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0", G32 / 2,
	  NONCE_JAVA },
	{ "Java, right number 2^31", "\0\0\0\0\x80\0\0\0\0\0\0\0", G32 / 2, NONCE_JAVA },
	{ "Java, number cut, 2^32 - 1", "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0", G32 - 1,
	  NONCE_JAVA },
	{ "Java, number cut, one off", "\xff\xff\xff\xff\x80\0\0\1\0\0\0\0", G32 / 2, 0 },
	{ "Java, sign below 2^31", "\xff\xff\xff\xff\x7f\xff\xff\xff\0\0\0\0", G32 / 2 - 1, 0 },
	{ "Java, repeated number 2^32", "\0\0\0\0\0\0\0\0\0\0\0\0", G32, 0 },
	{ "Java, number cut, repeated beyond 2^32", "\xff\xff\xff\xff\x80\0\0\0\0\0\0\0",
	  G32 + G32 / 2, 0 },
	{ "Java, right number 2^32", "\0\0\0\1\0\0\0\0\0\0\0\0", G32, NONCE_JAVA },
};

static void
tells_who_writes_which_nonce(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nonces); i++)
		if (nonce_dialects((const uint8_t *)nonces[i].nonce, nonces[i].i) !=
		    nonces[i].dialects)
			fail_msg("%s", nonces[i].name);
}

static const enum nonce_dialect dialects[] = { NONCE_PYTHON, NONCE_JAVA, NONCE_DOTNET };
static const uint64_t places[] = { 0,	  1,	   2,	    255, 256,	  65534,      65535,
				   65536, G32 / 2, G32 - 1, G32, G32 + 1, 1ull << 48, INT64_MAX };

static void
makes_nonces_that_it_knows_again(void **state)
{
	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(dialects); d++)
		for (size_t i = 0; i < ARRAY_LEN(places); i++) {
			uint8_t nonce[REGION_NONCE_LEN];

			nonce_make(dialects[d], places[i], nonce);
			assert_true((nonce_dialects(nonce, places[i]) & dialects[d]) != 0);
			for (size_t j = 0; j < ARRAY_LEN(places); j++)
				if (j != i)
					assert_true((nonce_dialects(nonce, places[j]) &
						     dialects[d]) == 0);
		}
}

/* Region a in one dialect, then region b in another: right only when they are the same. */
static void
accepts_one_dialect_for_a_blob(void **state)
{
	(void)state;
	for (size_t a = 0; a < ARRAY_LEN(dialects); a++)
		for (size_t b = 0; b < ARRAY_LEN(dialects); b++) {
			uint8_t nonce[REGION_NONCE_LEN];
			struct region_order o;

			region_order_init(&o, false);
			nonce_make(dialects[a], 7, nonce);
			assert_true(region_order_accepts(&o, nonce, 7));
			assert_int_equal(atomic_load(&o.maybe), dialects[a]);
			nonce_make(dialects[b], 8, nonce);
			assert_int_equal(region_order_accepts(&o, nonce, 8), a == b);
			/* What was refused has decided nothing. */
			assert_int_equal(atomic_load(&o.maybe), dialects[a]);
		}
}

static void
is_not_fooled_by_the_nonce_that_two_dialects_share(void **state)
{
	uint8_t nonce[REGION_NONCE_LEN];
	struct region_order o;

	(void)state;
	region_order_init(&o, false);
	nonce_make(NONCE_JAVA, 1, nonce);
	assert_true(region_order_accepts(&o, nonce, 1));
	nonce_make(NONCE_JAVA, 256, nonce);
	assert_true(region_order_accepts(&o, nonce, 256));
	assert_false(region_order_accepts(&o, nonce, 65535));
}

static void
recover_lets_pass_and_counts(void **state)
{
	uint8_t nonce[REGION_NONCE_LEN];
	struct region_order o;

	(void)state;
	region_order_init(&o, true);
	nonce_make(NONCE_PYTHON, 3, nonce);
	assert_true(region_order_accepts(&o, nonce, 3));
	assert_int_equal(atomic_load(&o.misordered), 0);
	assert_true(region_order_accepts(&o, nonce, 4));
	assert_int_equal(atomic_load(&o.misordered), 1);
	assert_int_equal(atomic_load(&o.maybe), NONCE_PYTHON);
}

static void
names_what_is_still_possible(void **state)
{
	uint8_t nonce[REGION_NONCE_LEN] = { 0 };
	struct region_order o;

	(void)state;
	region_order_init(&o, false);
	assert_string_equal(region_order_name(&o), "python, java or dotnet");
	assert_true(region_order_accepts(&o, nonce, 0));
	assert_string_equal(region_order_name(&o), "python or java");
	nonce_make(NONCE_JAVA, 1, nonce);
	assert_true(region_order_accepts(&o, nonce, 1));
	assert_string_equal(region_order_name(&o), "java");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_who_writes_which_nonce),
		cmocka_unit_test(makes_nonces_that_it_knows_again),
		cmocka_unit_test(accepts_one_dialect_for_a_blob),
		cmocka_unit_test(is_not_fooled_by_the_nonce_that_two_dialects_share),
		cmocka_unit_test(recover_lets_pass_and_counts),
		cmocka_unit_test(names_what_is_still_possible),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
