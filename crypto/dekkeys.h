/* SPDX-License-Identifier: MIT */
/* What is inside a struct dek_keys: for cell.c. */
#ifndef CRYPTO_DEKKEYS_H
#define CRYPTO_DEKKEYS_H

#include "crypto/dek.h"
#include "crypto/hmackey.h"

enum { DEK_KEY_LEN = 32 };

struct dek_keys {
	/*
	 * Different for each dek_keys_new of this process, never 0: tells a worker whether its
	 * cipher has this key.  The address would not: it may be a freed one, used again.
	 */
	uint64_t generation;
	uint8_t enc[DEK_KEY_LEN];
	struct hmac_key mac, iv;
	char fingerprint[DEK_FINGERPRINT_LEN + 1]; /* not secret */
};

#endif
