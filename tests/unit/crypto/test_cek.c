/* SPDX-License-Identifier: MIT */
/* crypto/cek: exact lengths and prefixes, and nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/cek.h"

static const uint8_t k[CEK_LEN] = "0123456789abcdef0123456789abcde";

static void
takes_back_what_it_makes(void **state)
{
	(void)state;
	for (int p = PROTOCOL_V1; p <= PROTOCOL_V2_1; p++) {
		uint8_t bytes[CEK_UNWRAPPED_MAX];
		struct cek in, out = { { 0 } };
		struct err e = { 0 };
		size_t n = 0;

		memcpy(in.k, k, CEK_LEN);
		cek_to_unwrapped((enum protocol)p, &in, bytes, &n);
		assert_int_equal(n, p == PROTOCOL_V1 ? 32 : 40);
		assert_int_equal(cek_from_unwrapped((enum protocol)p, span_of(bytes, n), &out, &e),
				 0);
		assert_memory_equal(out.k, k, CEK_LEN);
		if (p != PROTOCOL_V1)
			assert_memory_equal(bytes,
					    p == PROTOCOL_V2_0 ? "2.0\0\0\0\0" : "2.1\0\0\0\0", 8);
	}
}

static void
refuse(enum protocol p, const uint8_t *bytes, size_t n)
{
	struct cek out = { { 42 } };
	struct err e = { 0 };

	assert_int_equal(cek_from_unwrapped(p, span_of(bytes, n), &out, &e), -EBADMSG);
	assert_string_equal(e.event, "integrity.cek");
	assert_int_equal(out.k[0], 42);
}

/* A key of one protocol under the name of another: never cut, never filled up. */
static void
refuses_every_relabelling(void **state)
{
	(void)state;
	for (int made = PROTOCOL_V1; made <= PROTOCOL_V2_1; made++)
		for (int named = PROTOCOL_V1; named <= PROTOCOL_V2_1; named++) {
			uint8_t bytes[CEK_UNWRAPPED_MAX];
			struct cek in;
			size_t n = 0;

			if (made == named)
				continue;
			memcpy(in.k, k, CEK_LEN);
			cek_to_unwrapped((enum protocol)made, &in, bytes, &n);
			refuse((enum protocol)named, bytes, n);
		}
}

static void
refuses_every_other_length(void **state)
{
	uint8_t bytes[CEK_UNWRAPPED_MAX] = "2.0";

	(void)state;
	for (size_t n = 0; n <= sizeof(bytes); n++) {
		if (n != 32)
			refuse(PROTOCOL_V1, bytes, n);
		if (n != 40)
			refuse(PROTOCOL_V2_0, bytes, n);
	}
}

static void
compares_all_eight_bytes_of_the_prefix(void **state)
{
	uint8_t bytes[40] = "2.1";

	(void)state;
	for (size_t at = 0; at < 8; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bytes[at] ^= (uint8_t)(1u << bit);
			refuse(PROTOCOL_V2_1, bytes, sizeof(bytes));
			bytes[at] ^= (uint8_t)(1u << bit);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_back_what_it_makes),
		cmocka_unit_test(refuses_every_relabelling),
		cmocka_unit_test(refuses_every_other_length),
		cmocka_unit_test(compares_all_eight_bytes_of_the_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
