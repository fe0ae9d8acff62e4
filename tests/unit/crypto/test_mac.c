/* SPDX-License-Identifier: MIT */
/* crypto/mac: RFC 4231 and FIPS 180-2 answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "crypto/mac.h"

static void
expect_hex(const uint8_t *got, const char *want)
{
	char hex[2 * SHA256_LEN + 1];

	for (size_t i = 0; i < SHA256_LEN; i++)
		(void)snprintf(hex + 2 * i, 3, "%02x", got[i]);
	assert_string_equal(hex, want);
}

static void
hmac_has_the_known_answers(void **state)
{
	uint8_t mac[SHA256_LEN], aa[131];
	struct err e = { 0 };

	(void)state;
	memset(aa, 0xaa, sizeof(aa));
	assert_int_equal(
		hmac_sha256(span_str("Jefe"), span_str("what do ya want for nothing?"), mac, &e),
		0);
	expect_hex(mac, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	assert_int_equal(
		hmac_sha256(span_of(aa, sizeof(aa)),
			    span_str("Test Using Larger Than Block-Size Key - Hash Key First"), mac,
			    &e),
		0);
	expect_hex(mac, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	assert_int_equal(hmac_sha256(span_of(NULL, 0), span_of(NULL, 0), mac, &e), 0);
	expect_hex(mac, "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void
sha256_has_the_known_answers(void **state)
{
	uint8_t hash[SHA256_LEN];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sha256(span_str("abc"), hash, &e), 0);
	expect_hex(hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(sha256(span_of(NULL, 0), hash, &e), 0);
	expect_hex(hash, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void
random_bytes_differ(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(random_bytes((struct room){ a, sizeof(a) }, &e), 0);
	assert_int_equal(random_bytes((struct room){ b, sizeof(b) }, &e), 0);
	assert_memory_not_equal(a, b, sizeof(a));
}

static void
equal_means_all_bytes(void **state)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 };

	(void)state;
	assert_true(mac_equal(a, b, sizeof(a)));
	for (size_t i = 0; i < sizeof(a); i++) {
		b[i] = 1;
		assert_false(mac_equal(a, b, sizeof(a)));
		assert_true(mac_equal(a, b, i));
		b[i] = 0;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hmac_has_the_known_answers),
		cmocka_unit_test(sha256_has_the_known_answers),
		cmocka_unit_test(random_bytes_differ),
		cmocka_unit_test(equal_means_all_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
