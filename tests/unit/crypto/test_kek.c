/* SPDX-License-Identifier: MIT */
/*
 * crypto/kek: known answers, the keys of the vector sets, keys as PEM and as
 * JWK, and that a wrapped key which does not open says nothing but that.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/base64.h"
#include "crypto/kek.h"

static void
from_hex(const char *hex, uint8_t *out, size_t n)
{
	assert_int_equal(strlen(hex), 2 * n);
	for (size_t i = 0; i < n; i++) {
		const char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		out[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

static struct kek *
aes_kek(const uint8_t *key, size_t n)
{
	struct kek *k = NULL;
	struct err e = { 0 };
	AUTO_BUF jwk;

	buf_init(&jwk, 1000);
	assert_int_equal(buf_add_str(&jwk, "{\"kty\":\"oct\",\"kid\":\"x\",\"k\":\"", &e), 0);
	assert_int_equal(base64_encode(BASE64_URL, span_of(key, n), &jwk, &e), 0);
	assert_int_equal(buf_add_str(&jwk, "\"}", &e), 0);
	assert_int_equal(kek_from_jwk(buf_span(&jwk), &k, &e), 0);
	return k;
}

/* RFC 3394 section 4, and the formats' own. */
static const struct {
	const char *name;
	enum wrap_alg alg;
	const char *kek, *plain, *wrapped;
} answers[] = {
	{ "RFC 3394 4.1", WRAP_A128KW, "000102030405060708090a0b0c0d0e0f",
	  "00112233445566778899aabbccddeeff", "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5" },
	{ "RFC 3394 4.4", WRAP_A192KW, "000102030405060708090a0b0c0d0e0f1011121314151617",
	  "00112233445566778899aabbccddeeff0001020304050607",
	  "031d33264e15d33268f24ec260743edce1c6c7ddee725a936ba814915c6762d2" },
	{ "V1 key", WRAP_A256KW, "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
	  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "c1a9bb689aeab408aa5250b5fa27911a34d09cf2c3c5db0f1a54c6bc2773a21dfe64e0c6d7be9352" },
	{ "2.0 key", WRAP_A256KW,
	  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
	  "322e300000000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "02a3442d9872db92c99a88e5ce5c7af5dd17a38633773f2dff67ad65f0f3e07cc3d7ac3dde6aed20"
	  "9556993e18fb06fb" },
	{ "2.1 key", WRAP_A256KW,
	  "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f",
	  "322e310000000000000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
	  "db5195916c2dc8b31e913e2a18b8b484926baab01f78b2939ef88d1c5cac4d1584bd67d0686a5fd4"
	  "be2ccdf8345b3b5f" },
};

static void
aes_wraps_have_the_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		const size_t n_kek = strlen(answers[i].kek) / 2, n = strlen(answers[i].plain) / 2;
		uint8_t kek[32], plain[64], wrapped[72], out[CEK_UNWRAPPED_MAX];
		struct err e = { 0 };
		struct kek *k;
		size_t got = 0;
		AUTO_BUF b;

		from_hex(answers[i].kek, kek, n_kek);
		from_hex(answers[i].plain, plain, n);
		from_hex(answers[i].wrapped, wrapped, n + 8);
		k = aes_kek(kek, n_kek);
		buf_init(&b, 100);
		assert_int_equal(kek_wrap(k, answers[i].alg, span_of(plain, n), &b, &e), 0);
		assert_int_equal(b.n, n + 8);
		assert_memory_equal(b.p, wrapped, n + 8);
		assert_int_equal(kek_unwrap(k, answers[i].alg, span_of(wrapped, n + 8),
					    (struct room){ out, sizeof(out) }, &got, &e),
				 0);
		assert_int_equal(got, n);
		assert_memory_equal(out, plain, n);
		kek_free(k);
	}
}

static void
expect_refusal(const struct kek *k, enum wrap_alg alg, struct span wrapped)
{
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	size_t n = 77;

	memset(out, 0xa5, sizeof(out));
	assert_int_equal(kek_unwrap(k, alg, wrapped, (struct room){ out, sizeof(out) }, &n, &e),
			 -EBADMSG);
	assert_string_equal(e.text, "the wrapped key is not one of this key");
	assert_string_equal(e.event, "integrity.cek");
	assert_int_equal(n, 77);
	for (size_t i = 0; i < sizeof(out); i++)
		assert_int_equal(out[i], 0xa5);
}

static EVP_PKEY *
new_rsa(unsigned bits)
{
	EVP_PKEY *rsa = EVP_RSA_gen(bits);

	assert_non_null(rsa);
	return rsa;
}

/* The private key as PEM, PKCS#8 or PKCS#1; password NULL for none. */
static void
to_pem(EVP_PKEY *rsa, bool traditional, const char *password, struct buf *out)
{
	const EVP_CIPHER *cipher = password != NULL ? EVP_aes_128_cbc() : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	struct err e = { 0 };
	char *p;
	long n;

	if (traditional)
		assert_int_equal(
			PEM_write_bio_PrivateKey_traditional(bio, rsa, cipher, NULL, 0, NULL, NULL),
			1);
	else
		assert_int_equal(PEM_write_bio_PKCS8PrivateKey(
					 bio, rsa, cipher, password,
					 password != NULL ? (int)strlen(password) : 0, NULL, NULL),
				 1);
	n = BIO_get_mem_data(bio, &p);
	buf_init(out, 65536);
	assert_int_equal(buf_add(out, p, (size_t)n, &e), 0);
	BIO_free(bio);
}

static const char *const parts[][2] = {
	{ "n", OSSL_PKEY_PARAM_RSA_N },		 { "e", OSSL_PKEY_PARAM_RSA_E },
	{ "d", OSSL_PKEY_PARAM_RSA_D },		 { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
	{ "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },	 { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
	{ "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};

/* The same as a JWK, without the part of that index. */
static void
to_jwk(EVP_PKEY *rsa, size_t without, struct buf *out)
{
	struct err e = { 0 };

	buf_init(out, 65536);
	assert_int_equal(buf_add_str(out, "{\"kty\":\"RSA\"", &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		uint8_t bytes[1024];
		BIGNUM *bn = NULL;
		int n;

		if (i == without)
			continue;
		assert_int_equal(EVP_PKEY_get_bn_param(rsa, parts[i][1], &bn), 1);
		n = BN_bn2bin(bn, bytes);
		assert_int_equal(buf_addf(out, &e, ",\"%s\":\"", parts[i][0]), 0);
		assert_int_equal(base64_encode(BASE64_URL, span_of(bytes, (size_t)n), out, &e), 0);
		assert_int_equal(buf_add_str(out, "\"", &e), 0);
		BN_free(bn);
	}
	assert_int_equal(buf_add_str(out, "}", &e), 0);
}

static void
rsa_keys_from_pem_and_jwk_open_each_others_wraps(void **state)
{
	static const enum wrap_alg algs[] = { WRAP_RSA_OAEP, WRAP_RSA_OAEP_256 };
	EVP_PKEY *rsa = new_rsa(2048);
	struct kek *keks[3] = { NULL };
	struct err e = { 0 };
	uint8_t plain[40] = "2.0";
	AUTO_BUF pkcs8;
	AUTO_BUF pkcs1;
	AUTO_BUF jwk;

	(void)state;
	to_pem(rsa, false, NULL, &pkcs8);
	to_pem(rsa, true, NULL, &pkcs1);
	to_jwk(rsa, 99, &jwk);
	assert_int_equal(kek_from_pem(buf_span(&pkcs8), &keks[0], &e), 0);
	assert_int_equal(kek_from_pem(buf_span(&pkcs1), &keks[1], &e), 0);
	assert_int_equal(kek_from_jwk(buf_span(&jwk), &keks[2], &e), 0);
	for (size_t a = 0; a < ARRAY_LEN(algs); a++)
		for (size_t i = 0; i < 3; i++)
			for (size_t j = 0; j < 3; j++) {
				uint8_t out[CEK_UNWRAPPED_MAX];
				size_t n = 0;
				AUTO_BUF w;

				buf_init(&w, 1024);
				assert_int_equal(kek_wrap(keks[i], algs[a],
							  span_of(plain, sizeof(plain)), &w, &e),
						 0);
				assert_int_equal(w.n, 256);
				assert_int_equal(kek_unwrap(keks[j], algs[a], buf_span(&w),
							    (struct room){ out, sizeof(out) }, &n,
							    &e),
						 0);
				assert_int_equal(n, sizeof(plain));
				assert_memory_equal(out, plain, n);
				/* SHA-1 and SHA-256 are not taken for each other. */
				expect_refusal(keks[j], algs[1 - a], buf_span(&w));
			}
	for (size_t i = 0; i < 3; i++)
		kek_free(keks[i]);
	EVP_PKEY_free(rsa);
}

/* Plaintext that is no content key, wrapped with OpenSSL alone. */
static size_t
oaep(EVP_PKEY *rsa, int padding, const uint8_t *plain, size_t n, uint8_t *out)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(rsa, NULL);
	size_t made = 1024;

	assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
	assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(ctx, padding), 1);
	assert_int_equal(EVP_PKEY_encrypt(ctx, out, &made, plain, n), 1);
	EVP_PKEY_CTX_free(ctx);
	return made;
}

static void
what_does_not_open_says_nothing_more(void **state)
{
	EVP_PKEY *rsa = new_rsa(2048), *other = new_rsa(2048);
	uint8_t plain[100] = { 0 }, wrapped[1024] = { 0 };
	struct kek *k = NULL, *aes;
	struct err e = { 0 };
	size_t n;
	AUTO_BUF pem;

	(void)state;
	to_pem(rsa, false, NULL, &pem);
	assert_int_equal(kek_from_pem(buf_span(&pem), &k, &e), 0);
	n = oaep(rsa, RSA_PKCS1_OAEP_PADDING, plain, 65, wrapped);
	expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, n));
	n = oaep(rsa, RSA_PKCS1_PADDING, plain, 40, wrapped);
	expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, n));
	n = oaep(other, RSA_PKCS1_OAEP_PADDING, plain, 40, wrapped);
	expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, n));
	memset(wrapped, 0xff, sizeof(wrapped)); /* larger than the modulus */
	expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, 256));
	n = oaep(rsa, RSA_PKCS1_OAEP_PADDING, plain, 40, wrapped);
	for (size_t cut = 0; cut < n; cut += 5)
		expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, cut));
	expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, n + 1));
	for (size_t at = 0; at < n; at += 17) {
		wrapped[at] ^= 1;
		expect_refusal(k, WRAP_RSA_OAEP, span_of(wrapped, n));
		wrapped[at] ^= 1;
	}
	aes = aes_kek(plain, 32);
	for (size_t len = 0; len <= 120; len++)
		expect_refusal(aes, WRAP_A256KW, span_of(wrapped, len));
	kek_free(aes);
	kek_free(k);
	EVP_PKEY_free(rsa);
	EVP_PKEY_free(other);
}

static void
only_fitting_algorithms_are_tried(void **state)
{
	static const uint8_t bytes[32] = { 1 };
	struct kek *keks[4] = { aes_kek(bytes, 16), aes_kek(bytes, 24), aes_kek(bytes, 32), NULL };
	static const unsigned fits[4] = { 1u << WRAP_A128KW, 1u << WRAP_A192KW, 1u << WRAP_A256KW,
					  1u << WRAP_RSA_OAEP | 1u << WRAP_RSA_OAEP_256 };
	EVP_PKEY *rsa = new_rsa(2048);
	struct err e = { 0 };
	AUTO_BUF pem;

	(void)state;
	to_pem(rsa, false, NULL, &pem);
	assert_int_equal(kek_from_pem(buf_span(&pem), &keks[3], &e), 0);
	for (size_t i = 0; i < 4; i++) {
		for (int alg = WRAP_RSA_OAEP; alg <= WRAP_A256KW; alg++) {
			uint8_t out[CEK_UNWRAPPED_MAX];
			size_t n;

			assert_int_equal(kek_fits(keks[i], (enum wrap_alg)alg), fits[i] >> alg & 1);
			if ((fits[i] >> alg & 1) != 0)
				continue;
			assert_int_equal(kek_unwrap(keks[i], (enum wrap_alg)alg, span_of(bytes, 32),
						    (struct room){ out, sizeof(out) }, &n, &e),
					 -EACCES);
			assert_string_equal(e.event, "policy.kek_alg");
			err_clear(&e);
		}
		kek_free(keks[i]);
	}
	EVP_PKEY_free(rsa);
}

static void
refuse_pem(EVP_PKEY *key, bool traditional, const char *password)
{
	struct kek *k = NULL;
	struct err e = { 0 };
	AUTO_BUF pem;

	to_pem(key, traditional, password, &pem);
	assert_int_equal(kek_from_pem(buf_span(&pem), &k, &e), -EINVAL);
	assert_null(k);
	EVP_PKEY_free(key);
}

static void
refuses_other_pem_files(void **state)
{
	static const char *const texts[] = {
		"", "hello", "-----BEGIN PRIVATE KEY-----\n",
		"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"
	};

	(void)state;
	refuse_pem(new_rsa(1024), false, NULL);
	refuse_pem(new_rsa(2048), false, "secret");
	refuse_pem(EVP_EC_gen("P-256"), false, NULL);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct kek *k = NULL;
		struct err e = { 0 };

		assert_int_equal(kek_from_pem(span_str(texts[i]), &k, &e), -EINVAL);
		assert_null(k);
	}
}

#define TINY_RSA                                                                               \
	"{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\",\"d\":\"AQ\",\"p\":\"AQ\",\"q\":\"AQ\"," \
	"\"dp\":\"AQ\",\"dq\":\"AQ\",\"qi\":\"AQ\"}"

static const char *const bad_jwks[] = {
	"",
	"null",
	"[]",
	"{}",
	"{\"kty\":1}",
	"{\"kty\":\"EC\"}",
	"{\"kty\":\"oct\"}",
	"{\"kty\":\"oct\",\"k\":5}",
	"{\"kty\":\"oct\",\"k\":\"\"}",
	"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAA\"}",    /* 15 bytes */
	"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAA\"}", /* 17 bytes */
	"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAA+\"}",  /* not url */
	"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\"} more",
	"{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"k\":\"BBBBBBBBBBBBBBBBBBBBBA\"}",
	"{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\",\"d\":\"AQ\",\"p\":\"AQ\",\"q\":\"AQ\"}",
	TINY_RSA,
};

static void
refuses_other_jwks(void **state)
{
	EVP_PKEY *rsa = new_rsa(2048);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad_jwks); i++) {
		struct kek *k = NULL;
		struct err e = { 0 };

		if (kek_from_jwk(span_str(bad_jwks[i]), &k, &e) != -EINVAL)
			fail_msg("%s", bad_jwks[i]);
		assert_null(k);
	}
	for (size_t without = 0; without < ARRAY_LEN(parts); without++) {
		struct kek *k = NULL;
		struct err e = { 0 };
		AUTO_BUF jwk;

		to_jwk(rsa, without, &jwk);
		assert_int_equal(kek_from_jwk(buf_span(&jwk), &k, &e), -EINVAL);
	}
	EVP_PKEY_free(rsa);
}

static void
wraps_only_what_may_be_a_content_key(void **state)
{
	static const uint8_t bytes[80] = { 0 };
	static const size_t lens[] = { 0, 8, 15, 33, 65, 72, 80 };
	struct kek *k = aes_kek(bytes, 16);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, 1024);
		assert_int_equal(kek_wrap(k, WRAP_A128KW, span_of(bytes, lens[i]), &b, &e),
				 -EINVAL);
		assert_int_equal(b.n, 0);
	}
	kek_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aes_wraps_have_the_known_answers),
		cmocka_unit_test(rsa_keys_from_pem_and_jwk_open_each_others_wraps),
		cmocka_unit_test(what_does_not_open_says_nothing_more),
		cmocka_unit_test(only_fitting_algorithms_are_tried),
		cmocka_unit_test(refuses_other_pem_files),
		cmocka_unit_test(refuses_other_jwks),
		cmocka_unit_test(wraps_only_what_may_be_a_content_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
