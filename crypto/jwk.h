/* SPDX-License-Identifier: MIT */
/*
 * One private JSON Web Key, as a key file holds it: RSA with all its parts,
 * or a bare AES key.  Used by kek.c.
 *
 * Source: RFC 7517, RFC 7518 section 6.
 */
#ifndef CRYPTO_JWK_H
#define CRYPTO_JWK_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { JWK_TEXT_MAX = 65536, JWK_OCT_MAX = 32 };

struct evp_pkey_st;

struct jwk {
	struct evp_pkey_st *rsa; /* owned; NULL for a key of octets */
	uint8_t oct[JWK_OCT_MAX];
	size_t n_oct; /* 16, 24 or 32 */
};

/*
 * -EINVAL: not JSON, members twice, another kty, a member missing or not canonical base64url, a
 * length that AES has not. On success the caller clears *out.
 */
int jwk_parse(struct span text, struct jwk *out, struct err *e) MUST_CHECK;

/* Wipes and frees. */
void jwk_clear(struct jwk *k);

#endif
