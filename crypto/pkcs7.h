/* SPDX-License-Identifier: MIT */
/* The padding of AES-CBC. */
#ifndef CRYPTO_PKCS7_H
#define CRYPTO_PKCS7_H

#include <stdint.h>

enum { PKCS7_BLOCK = 16 };

/*
 * The length of the padding (1..16) that ends the last block; 0 when it has none that a writer
 * makes.  Takes the same time for all blocks.
 */
uint32_t pkcs7_padding(const uint8_t block[static PKCS7_BLOCK]);

#endif
