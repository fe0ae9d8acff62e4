/* SPDX-License-Identifier: MIT */
/* Sealing for tests: see sealer.h. */
#include "tests/support/sealer.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

static void
need(int good)
{
	if (!good)
		abort();
}

void
sealer_region(const uint8_t key[static 32], const uint8_t nonce[static 12], const uint8_t *plain,
	      size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	uint8_t none[16];
	int made = 0;

	memcpy(out, nonce, 12);
	need(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key, nonce) == 1);
	if (n > 0)
		need(EVP_EncryptUpdate(ctx, out + 12, &made, plain, (int)n) == 1);
	need(EVP_EncryptFinal_ex(ctx, none, &made) == 1);
	need(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, 16, out + 12 + n) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

void
sealer_cbc(const uint8_t key[static 32], const uint8_t iv[static 16], const uint8_t *plain,
	   size_t n, uint8_t *out)
{
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int made = 0;

	need(n % 16 == 0);
	need(EVP_EncryptInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv) == 1);
	need(EVP_CIPHER_CTX_set_padding(ctx, 0) == 1);
	if (n > 0)
		need(EVP_EncryptUpdate(ctx, out, &made, plain, (int)n) == 1);
	EVP_CIPHER_CTX_free(ctx);
}

size_t
sealer_cbc_padded(const uint8_t key[static 32], const uint8_t iv[static 16], const uint8_t *plain,
		  size_t n, uint8_t *out)
{
	const size_t pad = 16 - n % 16;
	uint8_t *copy = malloc(n + pad);

	need(copy != NULL);
	if (n > 0)
		memcpy(copy, plain, n);
	memset(copy + n, (int)pad, pad);
	sealer_cbc(key, iv, copy, n + pad, out);
	free(copy);
	return n + pad;
}

void
sealer_pattern(uint8_t *to, size_t n, unsigned seed)
{
	uint64_t x = seed + UINT64_C(0x9e3779b97f4a7c15);

	for (size_t i = 0; i < n; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		to[i] = (uint8_t)(x >> 56);
	}
}
