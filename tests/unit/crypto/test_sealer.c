/* SPDX-License-Identifier: MIT */
/* crypto/sealer: what it seals opens again, no key serves twice, and no way leads back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"
#include "crypto/layout.h"
#include "crypto/sealer.h"
#include "crypto/unseal.h"
#include "tests/support/sealer.h"

enum { R = 16, ROOM = 4096 };

static struct sealer *
fresh(uint64_t region_len)
{
	struct sealer *s = NULL;
	struct err e = { 0 };

	assert_int_equal(sealer_new(region_len, &s, &e), 0);
	return s;
}

static int
seal_region(struct sealer *s, struct span plain, struct room out, size_t *n, struct err *e)
{
	int r = sealer_begin(s, out, e);

	if (r == 0)
		r = sealer_add(s, plain, e);
	if (r == 0)
		r = sealer_end(s, n, e);
	return r;
}

static void
every_size_opens_again(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 5 * R; n++) {
		const struct envelope env = { .protocol = PROTOCOL_V2_0, .region_len = R };
		uint8_t plain[5 * R], stored[ROOM], back[5 * R];
		struct sealer *s = fresh(R);
		struct unsealer *u = NULL;
		struct region_order order;
		struct bad_regions bad;
		struct err e = { 0 };
		struct layout l;
		size_t at = 0, some, n_back;

		sealer_pattern(plain, n, 3);
		for (size_t off = 0; off < n; off += R, at += some)
			assert_int_equal(seal_region(s, span_of(plain + off, u64_min(R, n - off)),
						     (struct room){ stored + at, ROOM - at }, &some,
						     &e),
					 0);
		region_order_init(&order, false);
		assert_int_equal(layout_init(&l, &env, at, false, UINT64_MAX, &e), 0);
		assert_int_equal(l.plain_size, n);
		assert_int_equal(unsealer_new(&u, &e), 0);
		assert_int_equal(unseal_begin(u, &l, sealer_cek(s), &order, 0,
					      (struct room){ back, sizeof(back) }, &e),
				 0);
		assert_int_equal(unseal_feed(u, span_of(stored, at), &e), 0);
		assert_int_equal(unseal_end(u, &n_back, &bad, &e), 0);
		assert_int_equal(bad.n, 0);
		assert_int_equal(n_back, n);
		assert_memory_equal(back, plain, n);
		bad_regions_clear(&bad);
		unsealer_free(u);
		sealer_free(s);
	}
}

static void
no_two_have_one_key(void **state)
{
	struct sealer *a = fresh(R), *b = fresh(R);

	(void)state;
	assert_memory_not_equal(sealer_cek(a)->k, sealer_cek(b)->k, CEK_LEN);
	sealer_free(a);
	sealer_free(b);
	sealer_free(NULL);
}

static void
refuses_lengths_that_no_region_has(void **state)
{
	static const uint64_t wrong[] = { 0, (UINT64_C(1) << 30) + 1, UINT64_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct sealer *s = NULL;
		struct err e = { 0 };

		assert_int_equal(sealer_new(wrong[i], &s, &e), -EINVAL);
		assert_null(s);
	}
}

/* Steps: B begin, b begin with little room, n with none; F a full region's bytes, S some, 0 none; E
 * end.  All but the last succeed. */
static void
misuse_ends_it(void **state)
{
	static const struct {
		const char *steps;
		int last;
		bool goes_on; /* only a region after the last one does no harm */
	} known[] = {
		{ "F", -EINVAL, false },
		{ "E", -EINVAL, false },
		{ "n", -EINVAL, false },
		{ "BB", -EINVAL, false }, /* the nonce would come again */
		{ "BFS", -EINVAL, false },
		{ "BSF", -EINVAL, false },
		{ "BFEBFEBE", -EINVAL, false }, /* no blob ends in an empty region */
		{ "BFEB0E", -EINVAL, false },
		{ "bF", -EINVAL, false },
		{ "BFEE", -EINVAL, false },
		{ "BFES", -EINVAL, false },
		{ "BSEB", -EINVAL, true },
		{ "BEB", -EINVAL, true },
		{ "BFEBSEB", -EINVAL, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct sealer *s = fresh(R);
		static uint8_t plain[R], out[ROOM];
		struct err e = { 0 };
		size_t n = 0;

		for (const char *p = known[i].steps; *p != '\0'; p++) {
			int r = -1;

			if (*p == 'B')
				r = sealer_begin(s, (struct room){ out, ROOM }, &e);
			else if (*p == 'b')
				r = sealer_begin(s, (struct room){ out, R + 27 }, &e);
			else if (*p == 'n')
				r = sealer_begin(s, (struct room){ out, 27 }, &e);
			else if (*p == 'E')
				r = sealer_end(s, &n, &e);
			else
				r = sealer_add(s,
					       span_of(plain, *p == 'F'	  ? R
							      : *p == 'S' ? 5
									  : 0),
					       &e);
			assert_int_equal(r, p[1] == '\0' ? known[i].last : 0);
		}
		for (unsigned k = 0; k < 3; k++) {
			const int want = known[i].goes_on ? -EINVAL : -EIO;

			err_clear(&e);
			assert_int_equal(sealer_begin(s, (struct room){ out, ROOM }, &e), want);
		}
		sealer_free(s);
	}
}

static void
writes_no_more_than_it_says(void **state)
{
	struct sealer *s = fresh(R);
	uint8_t out[R + REGION_OVERHEAD + 8], plain[R] = { 0 };
	struct err e = { 0 };
	size_t n = 0;

	(void)state;
	memset(out, 0xa5, sizeof(out));
	assert_int_equal(seal_region(s, span_of(plain, R),
				     (struct room){ out, R + REGION_OVERHEAD }, &n, &e),
			 0);
	assert_int_equal(n, R + REGION_OVERHEAD);
	for (size_t i = n; i < sizeof(out); i++)
		assert_int_equal(out[i], 0xa5);
	memset(out, 0xa5, sizeof(out));
	assert_int_equal(
		seal_region(s, span_of(plain, 3), (struct room){ out, sizeof(out) }, &n, &e), 0);
	assert_int_equal(n, 3 + REGION_OVERHEAD);
	for (size_t i = n; i < sizeof(out); i++)
		assert_int_equal(out[i], 0xa5);
	sealer_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_size_opens_again),
		cmocka_unit_test(no_two_have_one_key),
		cmocka_unit_test(refuses_lengths_that_no_region_has),
		cmocka_unit_test(misuse_ends_it),
		cmocka_unit_test(writes_no_more_than_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
