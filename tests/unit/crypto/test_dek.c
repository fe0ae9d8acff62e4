/* SPDX-License-Identifier: MIT */
/* crypto/dek, crypto/hmackey: the keys of a DEK, and HMAC with a prepared key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/dekkeys.h"
#include "tests/unit/crypto/cosmosset.h"

/* A prepared key is seen through what it does: here, to this text. */
static void
expect_hmac_key(const struct hmac_key *k, const char *hex)
{
	const struct span data = span_str("any data");
	uint8_t key[32], want[SHA256_LEN], have[SHA256_LEN];
	struct err e = { 0 };

	assert_int_equal(cosmos_hex(hex, key, sizeof(key)), sizeof(key));
	assert_int_equal(hmac_sha256(span_of(key, sizeof(key)), data, want, &e), 0);
	hmac_key_mac(k, data, have);
	assert_memory_equal(have, want, sizeof(want));
}

static void
expect_keys(struct dek_keys *k, const char *enc, const char *mac, const char *iv)
{
	uint8_t want[DEK_KEY_LEN];

	assert_int_equal(cosmos_hex(enc, want, sizeof(want)), sizeof(want));
	assert_memory_equal(k->enc, want, sizeof(want));
	expect_hmac_key(&k->mac, mac);
	expect_hmac_key(&k->iv, iv);
	dek_keys_free(k);
}

static void
the_three_keys_are_those_of_the_official_clients(void **state)
{
	(void)state;
	expect_keys(cosmos_keys_of_hex(
			    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
		    "6c0021c6bdb86ca2bc0f82429c9d3233c7c9b85c2bba43cbb2c8aea6fa83011f",
		    "a9351df2fd2a875799d79b04e6112871ed4627a836b32ca105f518a3e63a164f",
		    "7b1ee9e7322448db999d5fc92947b36d7c034921ecc5f98e088fc87b8174b12e");
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *keys = cosmos_file(cosmos_sets[s], "keys/unwrapped.json");
		const json_t *key;
		size_t i;

		assert_true(json_array_size(keys) >= 4);
		json_array_foreach(keys, i, key)
			expect_keys(cosmos_keys_of_hex(cosmos_text(key, "dataEncryptionKeyHex")),
				    cosmos_text(key, "encryptionKeyHex"),
				    cosmos_text(key, "macKeyHex"), cosmos_text(key, "ivKeyHex"));
		json_decref(keys);
	}
}

static void
fingerprint_of(const struct cek *dek, char out[static DEK_FINGERPRINT_LEN + 1])
{
	struct dek_keys *k = NULL;
	struct err e = { 0 };

	assert_int_equal(dek_keys_new(dek, &k, &e), 0);
	assert_int_equal(dek_fingerprint(k, out, &e), 0);
	dek_keys_free(k);
}

/* Pins of containers are kept: the value must never change. */
static void
the_fingerprint_tells_keys_apart_and_stays(void **state)
{
	char first[DEK_FINGERPRINT_LEN + 1], again[sizeof(first)], other[sizeof(first)];
	struct cek dek = { .k = { 1, 2, 3 } };

	(void)state;
	fingerprint_of(&dek, first);
	fingerprint_of(&dek, again);
	assert_string_equal(first, "80138508e736886955ed4518bc525078");
	assert_string_equal(first, again);
	dek.k[CEK_LEN - 1] ^= 1;
	fingerprint_of(&dek, other);
	assert_string_not_equal(first, other);
}

static void
generations_never_repeat(void **state)
{
	struct cek dek = { .k = { 0 } };
	uint64_t last = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct dek_keys *k = NULL;
		struct err e = { 0 };

		assert_int_equal(dek_keys_new(&dek, &k, &e), 0);
		assert_true(k->generation > last);
		last = k->generation;
		dek_keys_free(k);
	}
	dek_keys_free(NULL);
}

static void
a_prepared_key_gives_the_hmac(void **state)
{
	uint8_t key[64], data[300], want[SHA256_LEN], have[SHA256_LEN];
	struct hmac_key k;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7);
	for (size_t n_key = 0; n_key <= sizeof(key); n_key += 8) {
		memset(key, (int)n_key + 1, sizeof(key));
		hmac_key_init(&k, span_of(key, n_key));
		for (size_t n = 0; n <= sizeof(data); n++) {
			struct err e = { 0 };

			assert_int_equal(
				hmac_sha256(span_of(key, n_key), span_of(data, n), want, &e), 0);
			hmac_key_mac(&k, span_of(n > 0 ? data : NULL, n), have);
			assert_memory_equal(have, want, sizeof(want));
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_three_keys_are_those_of_the_official_clients),
		cmocka_unit_test(the_fingerprint_tells_keys_apart_and_stays),
		cmocka_unit_test(generations_never_repeat),
		cmocka_unit_test(a_prepared_key_gives_the_hmac),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
