/* SPDX-License-Identifier: MIT */
/* crypto/unseal, V1: known answers, sizes, spans, and that all failures are one. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/unseal.h"
#include "tests/support/sealer.h"

static const struct cek key = {
	{ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
	  16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31 }
};
static const struct envelope env = {
	.protocol = PROTOCOL_V1,
	.iv = { 0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad,
		0xae, 0xaf },
};

/* Unseals one span in pieces. */
static int
unseal_span(const struct layout *l, const uint8_t *stored, uint64_t span, size_t piece,
	    struct room out, size_t *out_n, struct err *e)
{
	struct unsealer *u = NULL;
	struct bad_regions bad;
	struct span_place p;
	int r;

	layout_span(l, span, &p);
	assert_int_equal(unsealer_new(&u, e), 0);
	r = unseal_begin(u, l, &key, NULL, span, out, e);
	for (uint64_t at = 0; r == 0 && at < p.stored_len; at += piece)
		r = unseal_feed(u,
				span_of(stored + p.stored_off + at,
					p.stored_len - at < piece ? p.stored_len - at : piece),
				e);
	if (r == 0) {
		r = unseal_end(u, out_n, &bad, e);
		assert_int_equal(bad.n, 0);
		assert_null(bad.at);
	}
	unsealer_free(u);
	return r;
}

static int
exact_size(const struct layout *l, const uint8_t *stored, uint64_t *out, struct err *e)
{
	struct span_place tail;

	layout_v1_tail(l, &tail);
	return v1_exact_size(l, &key, span_of(stored + tail.stored_off, tail.stored_len), out, e);
}

static const struct {
	const char *plain, *stored;
} answers[] = {
	{ "", "600d07a3b9b2c4e4082153d6d1707aa6" },
	{ "hello world", "dbe615888cba8369bc71d49b9cb64d92" },
	{ "0123456789abcdef", "ce1cf3a4e3b87b139ba3cff10ace35b606d96b2e184bf22b73d31ba4be14d8c9" },
	{ "0123456789abcdefg", "ce1cf3a4e3b87b139ba3cff10ace35b67c7c2d4d37a99facf79995064ab90afe" },
};

static void
opens_the_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const size_t n_stored = strlen(answers[i].stored) / 2;
		uint8_t stored[64], out[64];
		struct layout l;
		struct err e = { 0 };
		uint64_t size = 0;
		size_t n = 0;

		for (size_t b = 0; b < n_stored; b++) {
			const char pair[3] = { answers[i].stored[2 * b],
					       answers[i].stored[2 * b + 1], '\0' };

			stored[b] = (uint8_t)strtoul(pair, NULL, 16);
		}
		assert_int_equal(layout_init(&l, &env, n_stored, false, 0, &e), 0);
		assert_int_equal(unseal_span(&l, stored, 0, 64, (struct room){ out, 64 }, &n, &e),
				 0);
		assert_int_equal(n, strlen(answers[i].plain));
		assert_memory_equal(out, answers[i].plain, n);
		assert_int_equal(exact_size(&l, stored, &size, &e), 0);
		assert_int_equal(size, n);
	}
}

static void
reads_all_sizes_in_any_pieces(void **state)
{
	static const size_t pieces[] = { 1, 7, 15, 16, 17, 33, 4096 };

	(void)state;
	for (size_t n = 0; n < 100; n++)
		for (size_t p = 0; p < ARRAY_LEN(pieces); p++)
			for (int sized = 0; sized < 2; sized++) {
				uint8_t plain[100], stored[128], out[128];
				struct layout l;
				struct err e = { 0 };
				uint64_t size = 0;
				size_t n_stored, got = 0;

				sealer_pattern(plain, n, (unsigned)n);
				n_stored = sealer_cbc_padded(key.k, env.iv, plain, n, stored);
				assert_int_equal(layout_init(&l, &env, n_stored, false, 0, &e), 0);
				assert_int_equal(exact_size(&l, stored, &size, &e), 0);
				assert_int_equal(size, n);
				if (sized)
					layout_set_v1_size(&l, size);
				assert_int_equal(unseal_span(&l, stored, 0, pieces[p],
							     (struct room){ out, 128 }, &got, &e),
						 0);
				assert_int_equal(got, n);
				assert_memory_equal(out, plain, n);
			}
}

/* Around two spans, the padding alone in the last one included. */
static void
every_span_opens_by_itself(void **state)
{
	static const size_t sizes[] = { SPAN_TARGET - 17, SPAN_TARGET - 16,	SPAN_TARGET - 1,
					SPAN_TARGET,	  SPAN_TARGET + 1,	SPAN_TARGET + 16,
					2 * SPAN_TARGET,  2 * SPAN_TARGET + 100 };
	const size_t room = 2 * SPAN_TARGET + 200;
	uint8_t *plain = malloc(room), *stored = malloc(room), *out = malloc(room);

	(void)state;
	sealer_pattern(plain, room, 5);
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct layout l;
		struct err e = { 0 };
		const size_t n_stored = sealer_cbc_padded(key.k, env.iv, plain, sizes[i], stored);

		assert_int_equal(layout_init(&l, &env, n_stored, false, 0, &e), 0);
		for (uint64_t s = l.n_spans; s-- > 0;) {
			struct span_place p;
			size_t n = 0;

			layout_span(&l, s, &p);
			assert_int_equal(unseal_span(&l, stored, s, 130001,
						     (struct room){ out, p.plain_len + CBC_BLOCK },
						     &n, &e),
					 0);
			assert_int_equal(p.plain_off + n,
					 s + 1 == l.n_spans ? sizes[i] : (s + 1) * SPAN_TARGET);
			assert_memory_equal(out, plain + p.plain_off, n);
		}
	}
	free(plain);
	free(stored);
	free(out);
}

static void
page_blobs_carry_no_padding(void **state)
{
	uint8_t plain[1024], stored[1024], out[1040];
	struct layout l;
	struct err e = { 0 };
	uint64_t size = 0;
	size_t n = 0;

	(void)state;
	memset(plain, 2, sizeof(plain)); /* looks like padding */
	sealer_cbc(key.k, env.iv, plain, sizeof(plain), stored);
	assert_int_equal(layout_init(&l, &env, sizeof(stored), true, 0, &e), 0);
	assert_int_equal(unseal_span(&l, stored, 0, 100, (struct room){ out, sizeof(out) }, &n, &e),
			 0);
	assert_int_equal(n, sizeof(plain));
	assert_memory_equal(out, plain, n);
	assert_int_equal(v1_exact_size(&l, &key, span_of(NULL, 0), &size, &e), 0);
	assert_int_equal(size, sizeof(plain));
}

/* Whether the last 16 bytes end in padding that a writer makes, said slowly. */
static bool
is_padded(const uint8_t *block)
{
	const unsigned pad = block[15];

	if (pad < 1 || pad > 16)
		return false;
	for (unsigned i = 16 - pad; i < 16; i++)
		if (block[i] != pad)
			return false;
	return true;
}

static void
expect_the_one_failure(const struct err *e)
{
	struct err same = { .no = EIO, .event = "integrity.v1" };

	(void)strcpy(same.text, "the blob could not be decrypted");
	assert_int_equal(e->no, same.no);
	assert_string_equal(e->event, same.event);
	assert_string_equal(e->text, same.text);
	assert_null(e->advice);
}

static void
check_last_block(const uint8_t *block)
{
	uint8_t plain[32] = { 9 }, stored[32], out[48];
	struct layout l;
	struct err e = { 0 };
	uint64_t size = 77;
	size_t n = 77;
	int r;

	memcpy(plain + 16, block, 16);
	sealer_cbc(key.k, env.iv, plain, sizeof(plain), stored);
	assert_int_equal(layout_init(&l, &env, sizeof(stored), false, 0, &e), 0);
	memset(out, 1, sizeof(out));
	r = unseal_span(&l, stored, 0, 32, (struct room){ out, sizeof(out) }, &n, &e);
	assert_int_equal(r, is_padded(block) ? 0 : -EIO);
	if (r == 0)
		assert_int_equal(n, 32u - block[15]);
	else {
		static const uint8_t zeros[32];

		expect_the_one_failure(&e);
		assert_int_equal(n, 77);
		assert_memory_equal(out, zeros, sizeof(zeros));
	}
	err_clear(&e);
	r = exact_size(&l, stored, &size, &e);
	assert_int_equal(r, is_padded(block) ? 0 : -EIO);
	assert_int_equal(size, r == 0 ? 32u - block[15] : 77);
	if (r < 0)
		expect_the_one_failure(&e);
}

/* All last bytes; and for every right padding each of its bytes wrong by one bit. */
static void
takes_only_the_padding_that_a_writer_makes(void **state)
{
	(void)state;
	for (unsigned pad = 0; pad < 256; pad++) {
		uint8_t block[16];

		for (unsigned fill = 0; fill <= 16; fill++) {
			memset(block, 0x33, sizeof(block));
			for (unsigned i = 16 - fill; i < 16; i++)
				block[i] = (uint8_t)pad;
			block[15] = (uint8_t)pad;
			check_last_block(block);
		}
		if (pad < 1 || pad > 16)
			continue;
		for (unsigned i = 0; i < 16; i++)
			for (unsigned bit = 0; bit < 8; bit++) {
				memset(block, (int)pad, sizeof(block));
				block[i] ^= (uint8_t)(1u << bit);
				check_last_block(block);
			}
	}
}

static void
all_failures_are_one(void **state)
{
	uint8_t plain[40] = { 0 }, stored[48], out[64];
	struct layout l;
	struct err e = { 0 };
	uint64_t size = 77;
	size_t n = 77;

	(void)state;
	assert_int_equal(sealer_cbc_padded(key.k, env.iv, plain, 40, stored), 48);
	assert_int_equal(layout_init(&l, &env, 47, false, 0, &e), -EIO);
	expect_the_one_failure(&e);
	err_clear(&e);
	assert_int_equal(layout_init(&l, &env, 48, false, 0, &e), 0);
	assert_int_equal(v1_exact_size(&l, &key, span_of(stored, 31), &size, &e), -EIO);
	expect_the_one_failure(&e);
	err_clear(&e);
	/* The size that the tail gave, and a last span that disagrees. */
	layout_set_v1_size(&l, 39);
	assert_int_equal(unseal_span(&l, stored, 0, 48, (struct room){ out, 64 }, &n, &e), -EIO);
	expect_the_one_failure(&e);
	err_clear(&e);
	/* Last block gone: what is left does not end in padding. */
	assert_int_equal(layout_init(&l, &env, 32, false, 0, &e), 0);
	assert_int_equal(unseal_span(&l, stored, 0, 48, (struct room){ out, 64 }, &n, &e), -EIO);
	expect_the_one_failure(&e);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_the_known_answers),
		cmocka_unit_test(reads_all_sizes_in_any_pieces),
		cmocka_unit_test(every_span_opens_by_itself),
		cmocka_unit_test(page_blobs_carry_no_padding),
		cmocka_unit_test(takes_only_the_padding_that_a_writer_makes),
		cmocka_unit_test(all_failures_are_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
