/* SPDX-License-Identifier: MIT */
/*
 * An HMAC-SHA256 key that is used again and again for little data: the two blocks that depend on
 * the key alone are hashed once.
 *
 * OpenSSL's plain SHA-256, not EVP: with EVP_MD_CTX_copy_ex the HMAC of 80 bytes takes 1.6 times as
 * long, with HMAC() 9 times (OpenSSL 3.0), and a document has two for each cell.  It cannot fail
 * either.
 */
#ifndef CRYPTO_HMACKEY_H
#define CRYPTO_HMACKEY_H

#include <openssl/sha.h>

#include "base/span.h"
#include "crypto/mac.h"

/* As secret as the key: it forges as well.  Lives in secret memory, wiped by its owner. */
struct hmac_key {
	SHA256_CTX inner, outer;
};

/* key: at most one block (64 bytes). */
void hmac_key_init(struct hmac_key *k, struct span key);
void hmac_key_mac(const struct hmac_key *k, struct span data, uint8_t out[static SHA256_LEN]);

#endif
