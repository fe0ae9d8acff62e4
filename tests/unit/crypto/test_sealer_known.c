/* SPDX-License-Identifier: MIT */
/*
 * All that is sealed, byte for byte: with a source of randomness that gives 00 01 02 ... for keys
 * and b0 b1 b2 ... for IVs, in place of crypto/random.c.
 *
 * Where a vector is not one of the SDKs, it was computed with Python's cryptography 48: AESGCM with
 * the nonce i.to_bytes(12, "big") for region i, no associated data, over bytes
 * ((i * i >> 3) + i * 7 + 1) & 255.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/num.h"
#include "crypto/cell.h"
#include "crypto/layout.h"
#include "crypto/mac.h"
#include "crypto/random.h"
#include "crypto/sealer.h"
#include "tests/unit/crypto/cosmosset.h"

enum { R4M = SEALER_REGION, PLAIN_MAX = 2 * R4M, HEX_MAX = 400 };

static unsigned secrets, publics; /* how often each was asked */

int
random_secret(struct room out, struct err *e)
{
	(void)e;
	secrets++;
	for (size_t i = 0; i < out.n; i++)
		out.p[i] = (uint8_t)i;
	return 0;
}

int
random_public(struct room out, struct err *e)
{
	(void)e;
	publics++;
	for (size_t i = 0; i < out.n; i++)
		out.p[i] = (uint8_t)(0xb0 + i);
	return 0;
}

static const char *
hex_of(const uint8_t *p, size_t n)
{
	static char hex[HEX_MAX + 1];

	assert_true(2 * n <= HEX_MAX);
	for (size_t i = 0; i < n; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", p[i]);
	return hex;
}

/* A whole blob as a writer makes it, each region in pieces of `piece` bytes. */
static size_t
seal_blob(uint64_t region_len, struct span plain, size_t piece, uint8_t *out, size_t room)
{
	struct sealer *s = NULL;
	struct err e = { 0 };
	const size_t all = plain.n;
	size_t stored = 0;

	assert_int_equal(sealer_new(region_len, &s, &e), 0);
	do {
		struct span region = span_of(plain.p, u64_min(plain.n, region_len));
		size_t n = 0;

		plain = span_of(plain.p + region.n, plain.n - region.n);
		assert_int_equal(sealer_begin(s, (struct room){ out + stored, room - stored }, &e),
				 0);
		while (region.n > 0) {
			const size_t some = u64_min(region.n, piece);

			assert_int_equal(sealer_add(s, span_of(region.p, some), &e), 0);
			region = span_of(region.p + some, region.n - some);
		}
		assert_int_equal(sealer_end(s, &n, &e), 0);
		stored += n;
	} while (plain.n > 0);
	assert_int_equal(sealer_plain_size(s), all);
	assert_int_equal(sealer_regions(s), all == 0 ? 1 : (all + region_len - 1) / region_len);
	sealer_free(s);
	return stored;
}

static void
the_vectors_of_the_format(void **state)
{
	uint8_t counting[33], out[200];
	size_t n;

	(void)state;
	secrets = 0;
	for (size_t i = 0; i < sizeof(counting); i++)
		counting[i] = (uint8_t)i;
	n = seal_blob(R4M, span_str("hello world"), 3, out, sizeof(out));
	assert_string_equal(hex_of(out, n), "000000000000000000000000"
					    "66d9d9b2da0cf4d27ac4cd"
					    "c62bca7e4b3489205fdd9299dc89f46f");
	n = seal_blob(16, span_of(NULL, 0), 1, out, sizeof(out));
	assert_string_equal(hex_of(out, n), "000000000000000000000000"
					    "f05d76ae4ab99fe5a6f69b3148c2363d");
	n = seal_blob(16, span_of(counting, sizeof(counting)), 16, out, sizeof(out));
	assert_string_equal(hex_of(out, n),
			    "000000000000000000000000"
			    "0ebdb7ddb12985ba00a1a33e14219f962a62b8712eb3268f46c04c1e4bd0ed40"
			    "000000000000000000000001"
			    "05c7adef50e1260916374b22f0bb24e82c24569f81fb1f671a8862e20ad41790"
			    "000000000000000000000002"
			    "e9a9e6fd730cbd421d17aa6afda540428c");
	assert_int_equal(secrets, 3); /* one key for each, from the source for secrets */
}

static void
sizes_around_a_region(void **state)
{
	static const struct {
		uint64_t region_len;
		size_t n;
		const char *sha256;
	} known[] = {
		{ 16, 0, "7e22c27a0e9e66ef40579f9d472f40c553946cf186a86ad1145885ab55ab6ffd" },
		{ 16, 1, "c871a623705846761159dbd8670e072f9d20d3170073a949408ba63abc26735d" },
		{ 16, 15, "b8de6a155c2ed93be41cef216b6d80fea113790ea10f6e6919f6d7208d82e410" },
		{ 16, 16, "8c23ea7f14dd6fc139f39d24cd52240b1c4c13e6f202009e620c0b500ad878ee" },
		{ 16, 17, "f07cfcf95f540ed76e3475bfa3151296eac4f08b74273754504435d2f5505fe6" },
		{ 16, 32, "9d3791c77ccf2fc3e67e26e1670d22ce051aa31f02de1144246f2504dcaf6b1b" },
		{ 100, 99, "a917e6d2deea1bb36b09d4cde63f684d741d03ddb6bf29c72ca9d21a811afe57" },
		{ 100, 100, "f1fb4020ca587bcc164778281a4369af90c1f136cebbafffe3cf80491913b089" },
		{ 100, 101, "ef1f7cfd66dd7d4676d9806280ebbfd361a67b2d94a80d70419d5d6b501cd63e" },
		{ 100, 200, "052b2e56186d86912c8c940305aeed55dba9e55ec0d0d6c4f92f2187a2986a15" },
		{ R4M, 16, "8c23ea7f14dd6fc139f39d24cd52240b1c4c13e6f202009e620c0b500ad878ee" },
		{ R4M, R4M - 1,
		  "93de3fd6ebe5f45de51425493d8208f1dcffd4f461320fd200841fe9a3693a5d" },
		{ R4M, R4M, "58340ac1d9820be84e27b5a1a4aebee237c7da1a9d037c9b3965152bdbe93af7" },
		{ R4M, R4M + 1,
		  "fa1cbdccaf0b08b7e5b0ab4ea54a031c18c751314db252eed249bb8d3f3d7e6e" },
		{ R4M, 2 * R4M,
		  "982da65b2a61a0b71d67028f68bd5c7d998ed94d1a1e0962b03453a47a8ffdea" },
	};
	static const size_t pieces[] = { PLAIN_MAX, 65536, 4099 };
	static uint8_t plain[PLAIN_MAX], out[PLAIN_MAX + 64 * REGION_OVERHEAD];

	(void)state;
	for (uint64_t i = 0; i < sizeof(plain); i++)
		plain[i] = (uint8_t)((i * i >> 3) + i * 7 + 1);
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		for (size_t k = 0; k < ARRAY_LEN(pieces); k++) {
			uint8_t hash[SHA256_LEN];
			struct err e = { 0 };
			const size_t n = seal_blob(known[i].region_len, span_of(plain, known[i].n),
						   pieces[k], out, sizeof(out));

			assert_int_equal(sha256(span_of(out, n), hash, &e), 0);
			assert_string_equal(hex_of(hash, sizeof(hash)), known[i].sha256);
		}
}

static void
a_randomized_cell(void **state)
{
	struct dek_keys *k = cosmos_keys_of_hex(
		"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");
	const struct cell_value v = { .type = CELL_STRING, .text = span_str("hello") };
	struct cell_worker *w = NULL;
	struct cell_value back;
	struct err e = { 0 };
	uint8_t cell[200];
	size_t n = 0;
	AUTO_BUF text, same;

	(void)state;
	publics = 0;
	buf_init(&text, 1000);
	buf_init(&same, 1000);
	assert_int_equal(cell_worker_new(&w, &e), 0);
	assert_int_equal(cell_seal_kind(w, k, CELL_RANDOMIZED, &v, BASE64_STANDARD, &text, &e), 0);
	assert_int_equal(publics, 1);
	assert_true(base64_decode(BASE64_STANDARD, buf_span(&text),
				  (struct room){ cell, sizeof(cell) }, &n));
	assert_string_equal(hex_of(cell, n),
			    "05010516ba4445456c5c6030e2aa1f3e69baac84b169169a24a1d8001684585c4a35"
			    "b0b1b2b3b4b5b6b7b8b9babbbcbdbebf"
			    "f170077491bc5cf8891ab24ffef20f6d");
	assert_int_equal(cell_unseal(w, k, CELL_RANDOMIZED, buf_span(&text), &back), CELL_GOOD);
	assert_int_equal(back.text.n, 5);
	assert_int_equal(cell_unseal(w, k, CELL_DETERMINISTIC, buf_span(&text), &back),
			 CELL_WRONG_IV);
	buf_reset(&text);
	assert_int_equal(cell_seal_kind(w, k, CELL_DETERMINISTIC, &v, BASE64_STANDARD, &text, &e),
			 0);
	assert_int_equal(cell_seal(w, k, &v, BASE64_STANDARD, &same, &e), 0);
	assert_string_equal(buf_str(&text), buf_str(&same));
	assert_string_equal(buf_str(&text),
			    "BQFqyvAUJJ5QC62lErj9/ByVU9Pe0o57qmDpNPOPo/BBTPzImBsZ5ODHalR0w6HJUsCLIp"
			    "NX35zUBqwypI+bbCm3");
	assert_int_equal(publics, 1); /* deterministic means that nobody asks */
	cell_worker_free(w);
	dek_keys_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_vectors_of_the_format),
		cmocka_unit_test(sizes_around_a_region),
		cmocka_unit_test(a_randomized_cell),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
