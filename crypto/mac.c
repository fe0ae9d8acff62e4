/* SPDX-License-Identifier: MIT */
/* Hashes, random bytes, constant-time comparison: see mac.h. */
#include "crypto/mac.h"

#include <errno.h>
#include <limits.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "crypto/ossl.h"

int
hmac_sha256(struct span key, struct span data, uint8_t out[static SHA256_LEN], struct err *e)
{
	uint8_t mac[SHA256_LEN];
	unsigned n = 0;
	int r = 0;

	if (key.n > INT_MAX)
		return err_set(e, EINVAL, "a key of %zu bytes", key.n);
	/* A key of NULL would mean "the key of the call before". */
	if (HMAC(EVP_sha256(), key.n > 0 ? (const void *)key.p : "", (int)key.n,
		 data.n > 0 ? data.p : (const uint8_t *)"", data.n, mac, &n) == NULL ||
	    n != SHA256_LEN)
		r = ossl_failed(e, "HMAC-SHA256");
	else
		memcpy(out, mac, SHA256_LEN);
	OPENSSL_cleanse(mac, sizeof(mac));
	return r;
}

int
sha256(struct span data, uint8_t out[static SHA256_LEN], struct err *e)
{
	uint8_t hash[SHA256_LEN];
	unsigned n = 0;

	if (EVP_Digest(data.n > 0 ? (const void *)data.p : "", data.n, hash, &n, EVP_sha256(),
		       NULL) != 1 ||
	    n != SHA256_LEN)
		return ossl_failed(e, "SHA-256");
	memcpy(out, hash, SHA256_LEN);
	return 0;
}

int
random_bytes(struct room out, struct err *e)
{
	while (out.n > 0) {
		const size_t n = out.n < INT_MAX ? out.n : INT_MAX;

		if (RAND_bytes(out.p, (int)n) != 1)
			return ossl_failed(e, "the random number generator");
		out.p += n;
		out.n -= n;
	}
	return 0;
}

bool
mac_equal(const void *a, const void *b, size_t n)
{
	return CRYPTO_memcmp(a, b, n) == 0;
}
