/* SPDX-License-Identifier: MIT */
/*
 * A key-encryption key held by this process: an RSA key pair or an AES key,
 * from a JWK or a PEM file.  (Keys in a vault never come here.)
 *
 * Source: docs/FORMATS.md, "Key wrap"; RFC 3394, RFC 7517, RFC 8017.
 */
#ifndef CRYPTO_KEK_H
#define CRYPTO_KEK_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"
#include "crypto/envelope.h"

struct kek; /* opaque; immutable, may be used by several threads at once */

/*
 * From PEM text: a private key (PKCS#1 or PKCS#8, unencrypted), RSA of 2,048..8,192 bits.
 * -EINVAL otherwise.
 */
int kek_from_pem(struct span pem, struct kek **out, struct err *e) MUST_CHECK;

/*
 * From the text of one JWK object: kty "RSA" with n, e, d, p, q, dp, dq, qi, or "oct" with k of
 * 16, 24 or 32 bytes.  -EINVAL.
 */
int kek_from_jwk(struct span jwk, struct kek **out, struct err *e) MUST_CHECK;
void kek_free(struct kek *k);

/*
 * The public half of an RSA key, big-endian numbers as a vault gives them: it wraps, and cannot
 * unwrap (-EACCES).  2,048..8,192 bits; -EINVAL otherwise.
 */
int kek_from_rsa_public(struct span n, struct span exponent, struct kek **out,
			struct err *e) MUST_CHECK;

/* What the key wraps with when nobody says otherwise: RSA-OAEP, or AnnnKW of its size. */
enum wrap_alg kek_default_alg(const struct kek *k);

/* Whether this key can do alg at all (RSA-OAEP* for RSA, AnnnKW for an AES key of nnn bits). */
bool kek_fits(const struct kek *k, enum wrap_alg alg);

/*
 * Unwraps into out (at least CEK_UNWRAPPED_MAX bytes of room); *out_n on success.  -EACCES when
 * the algorithm does not fit the key (event "policy.kek_alg"); -EBADMSG when the wrapped bytes
 * are not of this key: one message whatever went wrong inside.
 */
int kek_unwrap(const struct kek *k, enum wrap_alg alg, struct span wrapped, struct room out,
	       size_t *out_n, struct err *e) MUST_CHECK;

/* Wraps; *out is appended to.  Same errors. */
int kek_wrap(const struct kek *k, enum wrap_alg alg, struct span plain, struct buf *out,
	     struct err *e) MUST_CHECK;

#endif
