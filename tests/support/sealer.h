/* SPDX-License-Identifier: MIT */
/*
 * Seals test data with OpenSSL directly, without the program's own code, so
 * that what is read back was not made by what reads it.  Aborts on failure.
 */
#ifndef TESTS_SUPPORT_SEALER_H
#define TESTS_SUPPORT_SEALER_H

#include <stddef.h>
#include <stdint.h>

/* nonce, ciphertext, tag: n + 28 bytes to out. */
void sealer_region(const uint8_t key[static 32], const uint8_t nonce[static 12],
		   const uint8_t *plain, size_t n, uint8_t *out);

/* AES-256-CBC of n bytes, a multiple of 16, without padding. */
void sealer_cbc(const uint8_t key[static 32], const uint8_t iv[static 16], const uint8_t *plain,
		size_t n, uint8_t *out);

/* The same with PKCS#7 padding; returns the stored length; out has room for n + 16. */
size_t sealer_cbc_padded(const uint8_t key[static 32], const uint8_t iv[static 16],
			 const uint8_t *plain, size_t n, uint8_t *out);

/* n bytes that repeat nowhere near: byte i depends on i and seed. */
void sealer_pattern(uint8_t *to, size_t n, unsigned seed);

#endif
