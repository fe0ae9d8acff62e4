/* SPDX-License-Identifier: MIT */
/* Padding: see pkcs7.h. */
#include "crypto/pkcs7.h"

/* 1 when a < b, for numbers below 2^31, without a branch. */
static uint32_t
less(uint32_t a, uint32_t b)
{
	return (a - b) >> 31;
}

uint32_t
pkcs7_padding(const uint8_t block[static PKCS7_BLOCK])
{
	const uint32_t pad = block[PKCS7_BLOCK - 1];
	uint32_t wrong = less(PKCS7_BLOCK, pad); /* 0 needs no check: it is the answer */

	for (uint32_t i = 0; i < PKCS7_BLOCK; i++) {
		const uint32_t inside = 0 - less(PKCS7_BLOCK - 1 - i, pad);

		wrong |= inside & (pad ^ block[i]);
	}
	/* wrong is below 2^31, so this is all ones for zero and zero for everything else. */
	return pad & (0 - less(wrong, 1));
}
