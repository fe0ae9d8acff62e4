/* SPDX-License-Identifier: MIT */
/* crypto/kek: the public half of an RSA key, and what a key wraps with by itself. */
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

#include "crypto/kek.h"

/* A key pair: the private half as a kek, and the numbers of the public one. */
static struct kek *private_half;
static uint8_t n[256], exponent[] = { 1, 0, 1 };

static int
make_pair(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	BIGNUM *bn = NULL;
	struct err e = { 0 };
	char *pem;
	long n_pem;

	(void)state;
	assert_int_equal(EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &bn), 1);
	assert_int_equal(BN_bn2bin(bn, n), sizeof(n));
	BN_free(bn);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, rsa, NULL, NULL, 0, NULL, NULL), 1);
	n_pem = BIO_get_mem_data(bio, &pem);
	assert_int_equal(kek_from_pem(span_of(pem, (size_t)n_pem), &private_half, &e), 0);
	BIO_free(bio);
	EVP_PKEY_free(rsa);
	return 0;
}

static int
free_pair(void **state)
{
	(void)state;
	kek_free(private_half);
	return 0;
}

static struct kek *
public_half(void)
{
	struct kek *k = NULL;
	struct err e = { 0 };

	assert_int_equal(kek_from_rsa_public(span_of(n, sizeof(n)),
					     span_of(exponent, sizeof(exponent)), &k, &e),
			 0);
	return k;
}

static void
the_private_half_opens_what_the_public_half_wraps(void **state)
{
	static const enum wrap_alg algs[] = { WRAP_RSA_OAEP, WRAP_RSA_OAEP_256 };
	static const uint8_t plain[40] = "2.0";
	struct kek *k = public_half();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		uint8_t out[CEK_UNWRAPPED_MAX];
		struct err e = { 0 };
		size_t got = 0;
		AUTO_BUF w;

		buf_init(&w, ENVELOPE_WRAPPED_MAX);
		assert_int_equal(kek_wrap(k, algs[i], span_of(plain, sizeof(plain)), &w, &e), 0);
		assert_int_equal(w.n, 256);
		assert_int_equal(kek_unwrap(private_half, algs[1 - i], buf_span(&w),
					    (struct room){ out, sizeof(out) }, &got, &e),
				 -EBADMSG);
		err_clear(&e);
		assert_int_equal(kek_unwrap(private_half, algs[i], buf_span(&w),
					    (struct room){ out, sizeof(out) }, &got, &e),
				 0);
		assert_int_equal(got, sizeof(plain));
		assert_memory_equal(out, plain, got);
	}
	kek_free(k);
}

static void
the_public_half_does_not_unwrap(void **state)
{
	static const uint8_t wrapped[256] = { 1 };
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct kek *k = public_half();
	struct err e = { 0 };
	size_t got = 77;

	(void)state;
	assert_int_equal(kek_unwrap(k, WRAP_RSA_OAEP, span_of(wrapped, sizeof(wrapped)),
				    (struct room){ out, sizeof(out) }, &got, &e),
			 -EACCES);
	assert_string_equal(e.event, "policy.kek");
	assert_int_equal(got, 77);
	err_clear(&e);
	assert_int_equal(kek_unwrap(k, WRAP_A256KW, span_of(wrapped, 48),
				    (struct room){ out, sizeof(out) }, &got, &e),
			 -EACCES);
	assert_string_equal(e.event, "policy.kek_alg");
	kek_free(k);
}

static void
it_wraps_with_rsa_algorithms_only(void **state)
{
	static const uint8_t plain[40] = "2.0";
	struct kek *k = public_half();

	(void)state;
	for (int alg = WRAP_RSA_OAEP; alg <= WRAP_A256KW; alg++) {
		const bool fits = alg == WRAP_RSA_OAEP || alg == WRAP_RSA_OAEP_256;
		struct err e = { 0 };
		AUTO_BUF w;

		buf_init(&w, ENVELOPE_WRAPPED_MAX);
		assert_int_equal(kek_fits(k, (enum wrap_alg)alg), fits);
		assert_int_equal(
			kek_wrap(k, (enum wrap_alg)alg, span_of(plain, sizeof(plain)), &w, &e),
			fits ? 0 : -EACCES);
		if (!fits)
			assert_string_equal(e.event, "policy.kek_alg");
	}
	kek_free(k);
}

static void
leading_zeros_are_no_part_of_a_number(void **state)
{
	uint8_t padded[1000 + sizeof(n)] = { 0 }; /* longer than any modulus */
	static const uint8_t long_exponent[20] = { [17] = 1, [19] = 1 };
	struct kek *k = NULL;
	struct err e = { 0 };

	(void)state;
	memcpy(padded + 1000, n, sizeof(n));
	assert_int_equal(kek_from_rsa_public(span_of(padded, sizeof(padded)),
					     span_of(long_exponent, sizeof(long_exponent)), &k, &e),
			 0);
	kek_free(k);
}

static void
refuse(struct span modulus, struct span with)
{
	struct kek *k = NULL;
	struct err e = { 0 };

	assert_int_equal(kek_from_rsa_public(modulus, with, &k, &e), -EINVAL);
	assert_int_equal(e.no, EINVAL);
	assert_null(k);
}

static void
numbers_that_are_no_key_are_refused(void **state)
{
	static const uint8_t one[] = { 1 }, two[] = { 2 }, even[] = { 1, 0, 0 }, zero[3] = { 0 },
			     nine[9] = { [0] = 1, [8] = 1 };
	const struct span good = span_of(n, sizeof(n)), e3 = span_of(exponent, sizeof(exponent));
	uint8_t *huge = malloc(100 << 10), even_n[sizeof(n)];

	(void)state;
	assert_non_null(huge);
	memset(huge, 0xff, 100 << 10);
	memcpy(even_n, n, sizeof(n));
	even_n[sizeof(n) - 1] &= 0xfe;
	refuse(span_of(even_n, sizeof(even_n)), e3);
	refuse(span_of(NULL, 0), e3);
	refuse(span_of(zero, sizeof(zero)), e3);
	refuse(span_of(n, 128), e3);
	refuse(span_of(n, 255), e3);	 /* 2,040 bits */
	refuse(span_of(huge, 1025), e3); /* 8,200 */
	refuse(span_of(huge, 100 << 10), e3);
	refuse(good, span_of(NULL, 0));
	refuse(good, span_of(zero, sizeof(zero)));
	refuse(good, span_of(one, sizeof(one)));
	refuse(good, span_of(two, sizeof(two)));
	refuse(good, span_of(even, sizeof(even)));
	refuse(good, span_of(nine, sizeof(nine)));
	refuse(good, span_of(huge, 100 << 10));
	free(huge);
}

static void
a_key_has_an_algorithm_of_its_own(void **state)
{
	static const struct {
		const char *jwk;
		enum wrap_alg alg;
	} cases[] = {
		{ "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAA\"}", WRAP_A128KW },
		{ "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}", WRAP_A192KW },
		{ "{\"kty\":\"oct\",\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}",
		  WRAP_A256KW },
	};
	struct kek *k = public_half();

	(void)state;
	assert_int_equal(kek_default_alg(k), WRAP_RSA_OAEP);
	assert_int_equal(kek_default_alg(private_half), WRAP_RSA_OAEP);
	kek_free(k);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		assert_int_equal(kek_from_jwk(span_str(cases[i].jwk), &k, &e), 0);
		assert_int_equal(kek_default_alg(k), cases[i].alg);
		assert_true(kek_fits(k, cases[i].alg));
		kek_free(k);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_private_half_opens_what_the_public_half_wraps),
		cmocka_unit_test(the_public_half_does_not_unwrap),
		cmocka_unit_test(it_wraps_with_rsa_algorithms_only),
		cmocka_unit_test(leading_zeros_are_no_part_of_a_number),
		cmocka_unit_test(numbers_that_are_no_key_are_refused),
		cmocka_unit_test(a_key_has_an_algorithm_of_its_own),
	};

	return cmocka_run_group_tests(tests, make_pair, free_pair);
}
