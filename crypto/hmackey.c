/* SPDX-License-Identifier: MIT */
/* HMAC-SHA256 with a prepared key: see hmackey.h.  Source: RFC 2104. */
#define OPENSSL_SUPPRESS_DEPRECATED /* SHA256_Init and its kind: hmackey.h says why */
#include "crypto/hmackey.h"

#include <assert.h>

#include <openssl/crypto.h>

enum { INNER = 0x36, OUTER = 0x5c };

static void
begin(SHA256_CTX *c, struct span key, uint8_t with)
{
	uint8_t block[SHA256_CBLOCK];

	memset(block, with, sizeof(block));
	for (size_t i = 0; i < key.n; i++)
		block[i] ^= key.p[i];
	(void)SHA256_Init(c);
	(void)SHA256_Update(c, block, sizeof(block));
	OPENSSL_cleanse(block, sizeof(block));
}

void
hmac_key_init(struct hmac_key *k, struct span key)
{
	assert(key.n <= SHA256_CBLOCK);
	begin(&k->inner, key, INNER);
	begin(&k->outer, key, OUTER);
}

void
hmac_key_mac(const struct hmac_key *k, struct span data, uint8_t out[static SHA256_LEN])
{
	SHA256_CTX c = k->inner;

	if (data.n > 0)
		(void)SHA256_Update(&c, data.p, data.n);
	(void)SHA256_Final(out, &c);
	c = k->outer;
	(void)SHA256_Update(&c, out, SHA256_LEN);
	(void)SHA256_Final(out, &c); /* cleanses c */
}
