/* SPDX-License-Identifier: MIT */
/* crypto/layout: the table of sizes at all edges, and that spans tile a blob. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/layout.h"

static const uint64_t MIB = UINT64_C(1) << 20, TIB = UINT64_C(1) << 40;

#define R_4MIB (UINT64_C(4) << 20)
#define R_MAX  (UINT64_C(1) << 30)

static const struct {
	const char *name;
	uint64_t region_len, stored;
	int no;
	uint64_t plain;
} v2_sizes[] = {
	{ "no bytes", R_4MIB, 0, 0, 0 },
	{ "one byte", R_4MIB, 1, EBADMSG, 0 },
	{ "a nonce only", R_4MIB, 12, EBADMSG, 0 },
	{ "one byte short of a region", R_4MIB, 27, EBADMSG, 0 },
	{ "one empty region", R_4MIB, 28, 0, 0 },
	{ "one byte of plaintext", R_4MIB, 29, 0, 1 },
	{ "15 bytes", R_4MIB, 43, 0, 15 },
	{ "16 bytes", R_4MIB, 44, 0, 16 },
	{ "17 bytes", R_4MIB, 45, 0, 17 },
	{ "R - 1", R_4MIB, 4194331, 0, 4194303 },
	{ "R", R_4MIB, 4194332, 0, 4194304 },
	{ "R and a byte that is no region", R_4MIB, 4194333, EBADMSG, 0 },
	{ "R and 27 bytes", R_4MIB, 4194332 + 27, EBADMSG, 0 },
	{ "R and an empty region", R_4MIB, 4194332 + 28, EBADMSG, 0 },
	{ "R + 1", R_4MIB, 4194361, 0, 4194305 },
	{ "2R", R_4MIB, 8388664, 0, 8388608 },
	{ "3R + 5", R_4MIB, 3 * 4194332 + 33, 0, 3 * R_4MIB + 5 },
	{ "ten thousand million", R_4MIB, 10000066780, 0, 10000000000 },
	{ "190 TiB", R_4MIB, 49807360 * (R_4MIB + 28), 0, 49807360 * R_4MIB },
	{ "190 TiB in the largest regions", R_MAX, 194560 * (R_MAX + 28), 0, 194560 * R_MAX },
	{ "small blob, largest region", R_MAX, 5028, 0, 5000 },
	{ "16-byte regions", 16, 44 * 3, 0, 48 },
	{ "16-byte regions, 5 more", 16, 44 * 3 + 33, 0, 53 },
	{ "16-byte regions, 28 more", 16, 44 * 3 + 28, EBADMSG, 0 },
	{ "regions of one byte", 1, 29 * 7, 0, 7 },
	{ "regions of one byte, one short", 1, 29 * 7 - 1, EBADMSG, 0 },
	{ "regions of one byte, 190 TiB", 1, 29 * (190 * (UINT64_C(1) << 40) / 29), 0,
	  190 * (UINT64_C(1) << 40) / 29 },
	{ "region length 0", 0, 100, EBADMSG, 0 },
	{ "region length beyond 1 GiB", R_MAX + 1, 100, EBADMSG, 0 },
	{ "a length that no file has", 16, UINT64_C(1) << 63, EBADMSG, 0 },
	{ "the longest number", R_4MIB, UINT64_MAX, EBADMSG, 0 },
};

static void
knows_the_plaintext_size_of_every_v2_blob(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v2_sizes); i++) {
		uint64_t plain = 12345;
		struct err e = { 0 };
		const int r = layout_v2_plain_size(v2_sizes[i].region_len, v2_sizes[i].stored,
						   &plain, &e);
		const uint64_t hint = layout_hint_size(PROTOCOL_V2_1, v2_sizes[i].region_len,
						       v2_sizes[i].stored, false);

		if (r != -v2_sizes[i].no || e.no != v2_sizes[i].no)
			fail_msg("%s: %d", v2_sizes[i].name, r);
		if (plain != (r == 0 ? v2_sizes[i].plain : 12345))
			fail_msg("%s: plain size", v2_sizes[i].name);
		if (r < 0)
			assert_string_equal(e.event, "integrity.size");
		assert_int_equal(hint, r == 0 ? v2_sizes[i].plain : v2_sizes[i].stored);
	}
}

static const struct {
	const char *name;
	uint64_t stored;
	bool page;
	int no;
	uint64_t bound; /* plaintext size that init shows */
	uint64_t spans;
	uint64_t hint;
} v1_sizes[] = {
	{ "no bytes", 0, false, EIO, 0, 0, 0 },
	{ "15 bytes", 15, false, EIO, 0, 0, 15 },
	{ "one block", 16, false, 0, 15, 1, 15 },
	{ "17 bytes", 17, false, EIO, 0, 0, 17 },
	{ "two blocks", 32, false, 0, 31, 1, 31 },
	{ "4 MiB", 4 << 20, false, 0, (4 << 20) - 1, 1, (4 << 20) - 1 },
	{ "4 MiB and a block", (4 << 20) + 16, false, 0, (4 << 20) + 15, 2, (4 << 20) + 15 },
	{ "190 TiB", 190 * (UINT64_C(1) << 40), false, 0, 190 * (UINT64_C(1) << 40) - 1, 49807360,
	  190 * (UINT64_C(1) << 40) - 1 },
	{ "a length that no file has", UINT64_C(1) << 63, false, EIO, 0, 0, UINT64_C(1) << 63 },
	{ "page blob without pages", 0, true, 0, 0, 0, 0 },
	{ "page blob", 512, true, 0, 512, 1, 512 },
	{ "page blob of an odd length", 520, true, EIO, 0, 0, 520 },
};

static void
bounds_the_plaintext_size_of_every_v1_blob(void **state)
{
	const struct envelope env = { .protocol = PROTOCOL_V1, .iv = "0123456789abcde" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(v1_sizes); i++) {
		struct layout l = { .stored_size = 12345 };
		struct err e = { 0 };
		const int r = layout_init(&l, &env, v1_sizes[i].stored, v1_sizes[i].page, 1, &e);

		if (r != -v1_sizes[i].no)
			fail_msg("%s: %d", v1_sizes[i].name, r);
		assert_int_equal(
			layout_hint_size(PROTOCOL_V1, 0, v1_sizes[i].stored, v1_sizes[i].page),
			v1_sizes[i].hint);
		if (r < 0) {
			assert_string_equal(e.event, "integrity.v1");
			assert_int_equal(l.stored_size, 12345);
			continue;
		}
		assert_int_equal(l.plain_size, v1_sizes[i].bound);
		assert_int_equal(l.n_spans, v1_sizes[i].spans);
		assert_int_equal(l.padded, !v1_sizes[i].page);
		assert_int_equal(l.size_exact, v1_sizes[i].page);
		assert_memory_equal(l.iv, env.iv, sizeof(l.iv));
	}
}

static const uint64_t region_lens[] = { 1,	2,	    15,	      16,     17,
					1000,	4096,	    65536,    777777, R_4MIB - 1,
					R_4MIB, R_4MIB + 1, 64 << 20, R_MAX };

/* Every span in order: no gap, no overlap, whole regions, and all of the blob. */
static void
check_tiling(const struct layout *l)
{
	const uint64_t whole = l->region_len + REGION_OVERHEAD;
	uint64_t stored = 0, plain = 0;

	for (uint64_t i = 0; i < l->n_spans; i++) {
		struct span_place p;

		layout_span(l, i, &p);
		assert_int_equal(p.stored_off, stored);
		assert_int_equal(p.plain_off, plain);
		assert_true(p.stored_len > 0);
		assert_int_equal(p.plain_off, i * l->span_len);
		if (i + 1 < l->n_spans) {
			assert_int_equal(p.plain_len, l->span_len);
			assert_int_equal(p.stored_len % whole, 0);
		}
		assert_true(p.stored_len <= whole || p.plain_len <= SPAN_TARGET);
		stored += p.stored_len;
		plain += p.plain_len;
	}
	assert_int_equal(stored, l->stored_size);
	assert_int_equal(plain, l->plain_size);
	assert_true(l->span_len > 0);
}

static void
v2_spans_tile_the_blob(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(region_lens); i++) {
		const uint64_t R = region_lens[i];
		const uint64_t sizes[] = { 0,	  1,	   15,		16,	    17,
					   R - 1, R,	   R + 1,	2 * R,	    3 * R + 5,
					   MIB,	  4 * MIB, 4 * MIB + 1, 9 * MIB + 7 };

		for (size_t s = 0; s < ARRAY_LEN(sizes); s++) {
			const struct envelope env = { .protocol = PROTOCOL_V2_1, .region_len = R };
			const uint64_t stored = sizes[s] +
						REGION_OVERHEAD * ((sizes[s] + R - 1) / R);
			struct layout l;
			struct err e = { 0 };

			assert_int_equal(layout_init(&l, &env, stored, false, UINT64_MAX, &e), 0);
			assert_int_equal(l.plain_size, sizes[s]);
			assert_true(l.size_exact);
			check_tiling(&l);
		}
	}
}

static void
v1_spans_bring_the_block_before_them(void **state)
{
	const struct envelope env = { .protocol = PROTOCOL_V1 };
	struct span_place p;
	struct layout l;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(layout_init(&l, &env, 2 * SPAN_TARGET + 32, false, 1, &e), 0);
	assert_int_equal(l.n_spans, 3);
	layout_span(&l, 0, &p);
	assert_int_equal(p.stored_off, 0);
	assert_int_equal(p.stored_len, SPAN_TARGET);
	layout_span(&l, 1, &p);
	assert_int_equal(p.stored_off, SPAN_TARGET - 16);
	assert_int_equal(p.stored_len, SPAN_TARGET + 16);
	assert_int_equal(p.plain_off, SPAN_TARGET);
	layout_span(&l, 2, &p);
	assert_int_equal(p.stored_off, 2 * SPAN_TARGET - 16);
	assert_int_equal(p.stored_len, 48);
	assert_int_equal(p.plain_len, 31);
	layout_set_v1_size(&l, 2 * SPAN_TARGET + 16);
	assert_true(l.size_exact);
	layout_span(&l, 2, &p);
	assert_int_equal(p.plain_len, 16);
	layout_v1_tail(&l, &p);
	assert_int_equal(p.stored_off, 2 * SPAN_TARGET);
	assert_int_equal(p.stored_len, 32);
}

/* The last span holds nothing but padding: it exists, and is empty once the size is known. */
static void
v1_padding_may_have_a_span_of_its_own(void **state)
{
	const struct envelope env = { .protocol = PROTOCOL_V1 };
	struct span_place p;
	struct layout l;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(layout_init(&l, &env, SPAN_TARGET + 16, false, 1, &e), 0);
	layout_set_v1_size(&l, SPAN_TARGET);
	assert_int_equal(l.n_spans, 2);
	layout_span(&l, 1, &p);
	assert_int_equal(p.plain_len, 0);
	assert_int_equal(p.stored_len, 32);
}

static const struct {
	const char *name;
	uint64_t region_len, stored, max_region;
	int no;
} caps[] = {
	{ "regions at the cap", R_4MIB, 3 * (R_4MIB + 28), R_4MIB + 28, 0 },
	{ "regions one byte over the cap", R_4MIB, 3 * (R_4MIB + 28), R_4MIB + 27, EFBIG },
	{ "small blob that names a huge region", R_MAX, 5028, 5028, 0 },
	{ "small blob over the cap", R_MAX, 5028, 5027, EFBIG },
	{ "whole region of 1 GiB", R_MAX, R_MAX + 28, 64 << 20, EFBIG },
	{ "no bytes", R_MAX, 0, 0, 0 },
	{ "impossible size comes first", R_MAX, R_MAX + 29, 16, EBADMSG },
};

static void
caps_what_must_be_held_not_what_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(caps); i++) {
		const struct envelope env = { .protocol = PROTOCOL_V2_1,
					      .region_len = caps[i].region_len };
		struct layout l = { .stored_size = 12345 };
		struct err e = { 0 };

		if (layout_init(&l, &env, caps[i].stored, false, caps[i].max_region, &e) !=
		    -caps[i].no)
			fail_msg("%s", caps[i].name);
		if (caps[i].no == EFBIG)
			assert_string_equal(e.event, "policy.max_region");
		if (caps[i].no != 0)
			assert_int_equal(l.stored_size, 12345);
	}
}

static void
the_largest_blob_has_sound_spans_at_its_end(void **state)
{
	const struct envelope env = { .protocol = PROTOCOL_V2_1, .region_len = 1 };
	const uint64_t n = 190 * TIB / 29;
	struct span_place p;
	struct layout l;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(layout_init(&l, &env, 29 * n, false, 64 << 20, &e), 0);
	layout_span(&l, l.n_spans - 1, &p);
	assert_int_equal(p.stored_off + p.stored_len, 29 * n);
	assert_int_equal(p.plain_off + p.plain_len, n);
	layout_span(&l, 0, &p);
	assert_true(p.stored_len <= 8 << 20);
}

static void
an_empty_region_is_a_span_to_be_verified(void **state)
{
	const struct envelope env = { .protocol = PROTOCOL_V2_0, .region_len = R_4MIB };
	struct span_place p;
	struct layout l;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(layout_init(&l, &env, 0, false, 64 << 20, &e), 0);
	assert_int_equal(l.n_spans, 0);
	assert_true(l.span_len > 0);
	assert_int_equal(layout_init(&l, &env, 28, false, 64 << 20, &e), 0);
	assert_int_equal(l.n_spans, 1);
	layout_span(&l, 0, &p);
	assert_int_equal(p.stored_len, 28);
	assert_int_equal(p.plain_len, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_plaintext_size_of_every_v2_blob),
		cmocka_unit_test(bounds_the_plaintext_size_of_every_v1_blob),
		cmocka_unit_test(v2_spans_tile_the_blob),
		cmocka_unit_test(v1_spans_bring_the_block_before_them),
		cmocka_unit_test(v1_padding_may_have_a_span_of_its_own),
		cmocka_unit_test(caps_what_must_be_held_not_what_is_named),
		cmocka_unit_test(the_largest_blob_has_sound_spans_at_its_end),
		cmocka_unit_test(an_empty_region_is_a_span_to_be_verified),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
