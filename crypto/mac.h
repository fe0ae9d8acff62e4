/* SPDX-License-Identifier: MIT */
/*
 * Small primitives that others need: HMAC-SHA256, SHA-256, random bytes, constant-time comparison.
 */
#ifndef CRYPTO_MAC_H
#define CRYPTO_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { SHA256_LEN = 32 };

int hmac_sha256(struct span key, struct span data, uint8_t out[static SHA256_LEN],
		struct err *e) MUST_CHECK;
int sha256(struct span data, uint8_t out[static SHA256_LEN], struct err *e) MUST_CHECK;
int random_bytes(struct room out, struct err *e) MUST_CHECK;

/* The only comparison allowed on secrets and tags. */
bool mac_equal(const void *a, const void *b, size_t n);

#endif
