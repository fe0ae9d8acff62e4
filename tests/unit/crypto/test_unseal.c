/* SPDX-License-Identifier: MIT */
/*
 * crypto/unseal, V2: known answers, every byte of a blob altered, every cut,
 * regions moved about, in all three dialects; fed in all ways.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/unseal.h"
#include "tests/support/sealer.h"

enum { R = 16, S = R + REGION_OVERHEAD, BLOB_MAX = 8192, GUARD = 0xa5 };

static const struct cek key = {
	{ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
	  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 }
};

static const enum nonce_dialect dialects[] = { NONCE_PYTHON, NONCE_JAVA, NONCE_DOTNET };

struct blob {
	uint8_t stored[BLOB_MAX], plain[BLOB_MAX];
	size_t n_stored, n_plain;
};

/* A blob of n_plain bytes in regions of region_len. */
static void
make_blob(struct blob *b, enum nonce_dialect d, size_t region_len, size_t n_plain)
{
	b->n_plain = n_plain;
	b->n_stored = 0;
	sealer_pattern(b->plain, n_plain, 7);
	for (size_t i = 0; i * region_len < n_plain; i++) {
		const size_t off = i * region_len;
		const size_t n = n_plain - off < region_len ? n_plain - off : region_len;
		uint8_t nonce[REGION_NONCE_LEN];

		nonce_make(d, i, nonce);
		sealer_region(key.k, nonce, b->plain + off, n, b->stored + b->n_stored);
		b->n_stored += n + REGION_OVERHEAD;
	}
}

struct result {
	uint8_t out[BLOB_MAX + 1];
	size_t n;
	uint64_t bad[64];
	size_t n_bad;
	struct err why; /* of the first bad region */
};

/* Unseals a blob of one span in pieces of `piece` bytes (0: pieces of growing, odd sizes). */
static int
unseal_all(const uint8_t *stored, size_t n_stored, uint64_t region_len, size_t piece,
	   struct region_order *order, struct result *res)
{
	const struct envelope env = { .protocol = PROTOCOL_V2_1, .region_len = region_len };
	struct unsealer *u = NULL;
	struct bad_regions bad;
	struct err e = { 0 };
	struct layout l;
	size_t at = 0, step = 1;
	int r = layout_init(&l, &env, n_stored, false, UINT64_MAX, &e);

	memset(res, GUARD, sizeof(*res));
	if (r < 0)
		return r;
	res->n = res->n_bad = 0;
	if (l.n_spans == 0)
		return 0;
	assert_int_equal(l.n_spans, 1);
	assert_int_equal(unsealer_new(&u, &e), 0);
	assert_int_equal(
		unseal_begin(u, &l, &key, order, 0, (struct room){ res->out, l.plain_size }, &e),
		0);
	while (at < n_stored) {
		const size_t want = piece > 0 ? piece : (step = step * 7 % 61 + 1);
		const size_t n = n_stored - at < want ? n_stored - at : want;

		assert_int_equal(unseal_feed(u, span_of(stored + at, n), &e), 0);
		at += n;
	}
	assert_int_equal(unseal_end(u, &res->n, &bad, &e), 0);
	assert_int_equal(res->n, l.plain_size);
	assert_int_equal(res->out[l.plain_size], GUARD);
	res->n_bad = bad.n;
	for (size_t i = 0; i < bad.n; i++)
		res->bad[i] = bad.at[i];
	res->why = bad.first;
	bad_regions_clear(&bad);
	unsealer_free(u);
	return 0;
}

/*
 * Of a blob with regions of R bytes: exactly the regions of the set are bad and wiped, all others
 * right.
 */
static void
expect_bad(const struct result *res, const uint8_t *plain, uint64_t bad_set, const char *event)
{
	size_t next = 0;

	for (size_t i = 0; i * R < res->n; i++) {
		const size_t n = res->n - i * R < R ? res->n - i * R : R;
		static const uint8_t zeros[R];

		if ((bad_set >> i & 1) == 0) {
			assert_memory_equal(res->out + i * R, plain + i * R, n);
			continue;
		}
		assert_true(next < res->n_bad);
		assert_int_equal(res->bad[next++], i);
		assert_memory_equal(res->out + i * R, zeros, n);
	}
	assert_int_equal(next, res->n_bad);
	if (next > 0) {
		assert_int_equal(res->why.no, EBADMSG);
		assert_string_equal(res->why.event, event);
	}
}

static size_t
from_hex(const char *hex, uint8_t *out)
{
	const size_t n = strlen(hex) / 2;

	for (size_t i = 0; i < n; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return n;
}

static const struct {
	const char *name;
	uint64_t region_len;
	const char *stored;
	const char *plain; /* hex */
	unsigned maybe;
} answers[] = {
	{ "hello world, Python or Java", 4194304,
	  "00000000000000000000000066d9d9b2da0cf4d27ac4cdc62bca7e4b3489205fdd9299dc89f46f",
	  "68656c6c6f20776f726c64", NONCE_PYTHON | NONCE_JAVA },
	{ "hello world, .NET", 4194304,
	  "0000000001000000000000008df2195c11e169672cf12b24c08b21c842a9119347916a69228db3",
	  "68656c6c6f20776f726c64", NONCE_DOTNET },
	{ "empty region", 4194304, "000000000000000000000000f05d76ae4ab99fe5a6f69b3148c2363d", "",
	  NONCE_PYTHON | NONCE_JAVA },
	{ "three regions, Java", 16,
	  "0000000000000000000000000ebdb7ddb12985ba00a1a33e14219f962a62b8712eb3268f46c04c1e4bd0ed40"
	  "000000000000000100000000211a766e2588ca85fc4a8480a22a1992cddb31139f840d67ae6e8a0c147a48b4"
	  "00000000000000020000000044095df9a2a5d52393f62747396836011c",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", NONCE_JAVA },
	{ "three regions, .NET", 16,
	  "000000000100000000000000e59677337ac4180f5694457de15ebcf941c4b2f358dc6b8246db971b729b98db"
	  "0000000002000000000000008373d71f64d6dd825700222444eec49c1c08a59b70f62f32962c17729fd9389c"
	  "000000000300000000000000ce32c69918ca4cefc204a9583224a29914",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20", NONCE_DOTNET },
	{ "two regions, Python", 16,
	  "0000000000000000000000000ebdb7ddb12985ba00a1a33e14219f962a62b8712eb3268f46c04c1e4bd0ed40"
	  "00000000000000000000000105c7adef50e1260916374b22f0bb24e82c24569f81fb1f671a8862e20ad4179"
	  "0",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", NONCE_PYTHON },
};

static void
opens_the_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		uint8_t stored[256], plain[256];
		const size_t n_stored = from_hex(answers[i].stored, stored);
		const size_t n_plain = from_hex(answers[i].plain, plain);
		struct region_order o;
		struct result res;

		region_order_init(&o, false);
		assert_int_equal(
			unseal_all(stored, n_stored, answers[i].region_len, n_stored, &o, &res), 0);
		if (res.n != n_plain || res.n_bad != 0 || memcmp(res.out, plain, n_plain) != 0)
			fail_msg("%s", answers[i].name);
		assert_int_equal(atomic_load(&o.maybe), answers[i].maybe);
	}
}

static void
opens_blobs_of_all_sizes_in_any_pieces(void **state)
{
	static const size_t pieces[] = { 1, 2, 3, 11, 12, 13, 16, 27, 28, 29, 43, 44, 45, 500, 0 };
	static struct blob b;

	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(dialects); d++)
		for (size_t n = 0; n <= 5 * R + 1; n++) {
			make_blob(&b, dialects[d], R, n);
			for (size_t p = 0; p < ARRAY_LEN(pieces); p++) {
				struct region_order o;
				struct result res;

				region_order_init(&o, false);
				assert_int_equal(
					unseal_all(b.stored, b.n_stored, R, pieces[p], &o, &res),
					0);
				assert_int_equal(res.n, n);
				expect_bad(&res, b.plain, 0, NULL);
			}
		}
}

/* 3 regions and a tail of 5 bytes: every bit position class of every byte. */
static void
any_changed_byte_loses_its_region_only(void **state)
{
	static struct blob b;

	(void)state;
	make_blob(&b, NONCE_PYTHON, R, 3 * R + 5);
	for (size_t at = 0; at < b.n_stored; at++)
		for (unsigned bit = 0; bit < 8; bit++) {
			struct region_order o;
			struct result res;

			region_order_init(&o, false);
			b.stored[at] ^= (uint8_t)(1u << bit);
			assert_int_equal(unseal_all(b.stored, b.n_stored, R, 0, &o, &res), 0);
			expect_bad(&res, b.plain, 1u << (at / S), "integrity.region");
			b.stored[at] ^= (uint8_t)(1u << bit);
			/* A damaged transfer must not decide whose numbering it is. */
			assert_true((atomic_load(&o.maybe) & NONCE_PYTHON) != 0);
		}
}

/* The one thing that the format cannot show: whole regions missing at the end. */
static void
every_cut_is_seen_but_at_the_end_of_a_region(void **state)
{
	static struct blob b;

	(void)state;
	make_blob(&b, NONCE_JAVA, R, 3 * R + 5);
	for (size_t n = 0; n < b.n_stored; n++) {
		struct region_order o;
		struct result res;
		int r;

		region_order_init(&o, false);
		r = unseal_all(b.stored, n, R, 0, &o, &res);
		if (n % S == 0) {
			assert_int_equal(r, 0);
			assert_int_equal(res.n, n / S * R);
			expect_bad(&res, b.plain, 0, NULL);
		} else if (n == REGION_OVERHEAD) {
			/* Looks like an empty blob; its tag does not verify. */
			assert_int_equal(r, 0);
			assert_int_equal(res.n_bad, 1);
		} else if (n % S <= REGION_OVERHEAD)
			assert_int_equal(r, -EBADMSG);
		else {
			assert_int_equal(r, 0);
			expect_bad(&res, b.plain, 1u << (n / S), "integrity.region");
		}
	}
}

static void
appended_bytes_are_seen(void **state)
{
	static struct blob b;

	(void)state;
	make_blob(&b, NONCE_PYTHON, R, 2 * R + 5);
	for (size_t more = 1; more <= 2 * S; more++) {
		struct region_order o;
		struct result res;
		int r;

		sealer_pattern(b.stored + b.n_stored, more, 3);
		region_order_init(&o, false);
		r = unseal_all(b.stored, b.n_stored + more, R, 0, &o, &res);
		assert_true(r == -EBADMSG || res.n_bad > 0);
		if (r == 0)
			assert_memory_equal(res.out, b.plain, 2 * R);
	}
}

/*
 * All ways to fill k places with regions of a blob of five: right only where each is in its place.
 */
static void
check_arrangement(const struct blob *b, const unsigned *from, size_t k)
{
	uint8_t stored[5 * S];
	uint64_t bad = 0;
	struct region_order o;
	struct result res;

	for (size_t i = 0; i < k; i++) {
		memcpy(stored + i * S, b->stored + from[i] * S, S);
		if (from[i] != i)
			bad |= 1u << i;
	}
	region_order_init(&o, false);
	assert_int_equal(unseal_all(stored, k * S, R, 0, &o, &res), 0);
	expect_bad(&res, b->plain, bad, "integrity.order");
}

static void
regions_swapped_repeated_or_dropped_are_seen(void **state)
{
	static struct blob b;

	(void)state;
	for (size_t d = 0; d < ARRAY_LEN(dialects); d++) {
		make_blob(&b, dialects[d], R, 5 * R);
		for (size_t k = 1; k <= 5; k++) {
			size_t all = 1;

			for (size_t i = 0; i < k; i++)
				all *= 5;
			for (size_t code = 0; code < all; code++) {
				unsigned from[5];
				size_t rest = code;

				for (size_t i = 0; i < k; i++, rest /= 5)
					from[i] = (unsigned)(rest % 5);
				check_arrangement(&b, from, k);
			}
		}
	}
}

/* Regions of one dialect among those of another: the first that verifies decides. */
static void
mixed_dialects_are_seen(void **state)
{
	static struct blob a, b;

	(void)state;
	for (size_t x = 0; x < ARRAY_LEN(dialects); x++)
		for (size_t y = 0; y < ARRAY_LEN(dialects); y++) {
			struct region_order o;
			struct result res;

			make_blob(&a, dialects[x], R, 5 * R);
			make_blob(&b, dialects[y], R, 5 * R);
			memcpy(a.stored + 3 * S, b.stored + 3 * S, S);
			region_order_init(&o, false);
			assert_int_equal(unseal_all(a.stored, a.n_stored, R, 0, &o, &res), 0);
			expect_bad(&res, a.plain, x == y ? 0 : 1u << 3, "integrity.order");
		}
}

static void
recover_reads_moved_regions_and_counts_them(void **state)
{
	static struct blob b;
	struct region_order o;
	struct result res;
	uint8_t first[S];

	(void)state;
	make_blob(&b, NONCE_DOTNET, R, 4 * R);
	memcpy(first, b.stored, S);
	memcpy(b.stored, b.stored + S, S);
	memcpy(b.stored + S, first, S);
	region_order_init(&o, true);
	assert_int_equal(unseal_all(b.stored, b.n_stored, R, 0, &o, &res), 0);
	assert_int_equal(res.n_bad, 0);
	assert_int_equal(atomic_load(&o.misordered), 2);
	assert_memory_equal(res.out, b.plain + R, R);
	assert_memory_equal(res.out + R, b.plain, R);
	b.stored[2 * S + 20] ^= 1;
	assert_int_equal(unseal_all(b.stored, b.n_stored, R, 0, &o, &res), 0);
	assert_int_equal(res.n_bad, 1);
	assert_int_equal(res.bad[0], 2);
}

static void
another_key_opens_nothing(void **state)
{
	static struct blob b;
	struct region_order o;
	struct result res;

	(void)state;
	make_blob(&b, NONCE_PYTHON, R, 3 * R);
	sealer_region((const uint8_t *)"another key of thirty-two bytes", b.stored + S, b.plain + R,
		      R, b.stored + S);
	region_order_init(&o, false);
	assert_int_equal(unseal_all(b.stored, b.n_stored, R, 0, &o, &res), 0);
	expect_bad(&res, b.plain, 1u << 1, "integrity.region");
}

/* More than 2^16 regions in two spans: the place of a region is counted within the blob. */
static void
counts_regions_across_spans(void **state)
{
	enum { LEN = 64, N = SPAN_TARGET / LEN + 300 };
	const struct envelope env = { .protocol = PROTOCOL_V2_1, .region_len = LEN };
	uint8_t *stored = malloc((size_t)N * (LEN + REGION_OVERHEAD)), *out = malloc(SPAN_TARGET);
	struct unsealer *u = NULL;
	struct region_order o;
	struct layout l;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < N; i++) {
		uint8_t plain[LEN], nonce[REGION_NONCE_LEN];

		sealer_pattern(plain, LEN, (unsigned)i);
		nonce_make(NONCE_JAVA, i, nonce);
		sealer_region(key.k, nonce, plain, LEN, stored + i * (LEN + REGION_OVERHEAD));
	}
	/* Java's region 256 carries the nonce of .NET's 65535. */
	memcpy(stored + (size_t)65535 * (LEN + REGION_OVERHEAD),
	       stored + (size_t)256 * (LEN + REGION_OVERHEAD), LEN + REGION_OVERHEAD);
	assert_int_equal(
		layout_init(&l, &env, (uint64_t)N * (LEN + REGION_OVERHEAD), false, 1 << 20, &e),
		0);
	assert_int_equal(l.n_spans, 2);
	assert_int_equal(unsealer_new(&u, &e), 0);
	region_order_init(&o, false);
	for (uint64_t i = 0; i < 2; i++) {
		struct bad_regions bad;
		struct span_place p;
		size_t n;

		layout_span(&l, i, &p);
		assert_int_equal(
			unseal_begin(u, &l, &key, &o, i, (struct room){ out, p.plain_len }, &e), 0);
		assert_int_equal(unseal_feed(u, span_of(stored + p.stored_off, p.stored_len), &e),
				 0);
		assert_int_equal(unseal_end(u, &n, &bad, &e), 0);
		assert_int_equal(bad.n, i == 0 ? 1 : 0);
		if (i == 0)
			assert_int_equal(bad.at[0], 65535);
		bad_regions_clear(&bad);
	}
	unsealer_free(u);
	free(stored);
	free(out);
}

static void
missing_and_surplus_bytes_fail_and_leave_nothing_behind(void **state)
{
	static struct blob b;
	const struct envelope env = { .protocol = PROTOCOL_V2_1, .region_len = R };
	uint8_t out[2 * R], zeros[2 * R] = { 0 };
	struct unsealer *u = NULL;
	struct bad_regions bad;
	struct region_order o;
	struct layout l;
	struct err e = { 0 };
	size_t n = 77;

	(void)state;
	make_blob(&b, NONCE_PYTHON, R, 2 * R);
	assert_int_equal(layout_init(&l, &env, b.n_stored, false, 1000, &e), 0);
	assert_int_equal(unsealer_new(&u, &e), 0);
	region_order_init(&o, false);
	for (size_t cut = 0; cut < b.n_stored; cut++) {
		memset(out, 1, sizeof(out));
		assert_int_equal(unseal_begin(u, &l, &key, &o, 0, (struct room){ out, 2 * R }, &e),
				 0);
		assert_int_equal(unseal_feed(u, span_of(b.stored, cut), &e), 0);
		assert_int_equal(unseal_end(u, &n, &bad, &e), -EIO);
		assert_int_equal(n, 77);
		assert_memory_equal(out, zeros, sizeof(out));
		err_clear(&e);
	}
	assert_int_equal(unseal_begin(u, &l, &key, &o, 0, (struct room){ out, 2 * R }, &e), 0);
	assert_int_equal(unseal_feed(u, span_of(b.stored, b.n_stored + 1), &e), -EIO);
	assert_memory_equal(out, zeros, sizeof(out));
	err_clear(&e);
	/* A retry starts over, whatever came before. */
	assert_int_equal(unseal_begin(u, &l, &key, &o, 0, (struct room){ out, 2 * R }, &e), 0);
	assert_int_equal(unseal_feed(u, span_of(b.stored, 50), &e), 0);
	assert_int_equal(unseal_begin(u, &l, &key, &o, 0, (struct room){ out, 2 * R }, &e), 0);
	assert_int_equal(unseal_feed(u, span_of(b.stored, b.n_stored), &e), 0);
	assert_int_equal(unseal_end(u, &n, &bad, &e), 0);
	assert_int_equal(bad.n, 0);
	assert_memory_equal(out, b.plain, 2 * R);
	unsealer_free(u);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_the_known_answers),
		cmocka_unit_test(opens_blobs_of_all_sizes_in_any_pieces),
		cmocka_unit_test(any_changed_byte_loses_its_region_only),
		cmocka_unit_test(every_cut_is_seen_but_at_the_end_of_a_region),
		cmocka_unit_test(appended_bytes_are_seen),
		cmocka_unit_test(regions_swapped_repeated_or_dropped_are_seen),
		cmocka_unit_test(mixed_dialects_are_seen),
		cmocka_unit_test(recover_reads_moved_regions_and_counts_them),
		cmocka_unit_test(another_key_opens_nothing),
		cmocka_unit_test(counts_regions_across_spans),
		cmocka_unit_test(missing_and_surplus_bytes_fail_and_leave_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
