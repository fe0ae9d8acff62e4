/* SPDX-License-Identifier: MIT */
/*
 * The binding tag of the blobs that we write: metadata item "azcryptbind".  The format itself
 * authenticates each region, but not how many there are; this says so under the content key, so
 * that a blob which has lost regions at its end, or all of them, is found out.  Others ignore it.
 *
 *   tag   = base64( 0x01 check(8) MAC(32) )                       56 characters
 *   key   = HKDF-SHA-256(CEK, no salt, "azcryptfs bind 1")         32 bytes for the MAC, then 8
 *   for check check = those 8 bytes: whether the tag was made under this CEK at all
 *   MAC   = HMAC-SHA-256(key, protocol(8, as in the wrapped key) region length, regions,
 *                             plaintext bytes (8 each, big-endian) nonce scheme (1))
 *
 * An SDK that overwrites a blob may carry the old tag along: its check value is another key's, and
 * the tag counts as absent.
 *
 * Source: docs/FORMATS.md, "Binding tag".
 */
#ifndef CRYPTO_BIND_H
#define CRYPTO_BIND_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"
#include "crypto/envelope.h"
#include "crypto/order.h"

enum { BIND_RAW_LEN = 41, BIND_TEXT_LEN = 56 };
#define BIND_METADATA "azcryptbind"

struct bind_facts {
	enum protocol protocol; /* V2 only */
	uint64_t region_len, n_regions, plain_size;
	enum nonce_dialect nonce;
};

/* The tag, with a NUL.  -EIO. */
int bind_make(const struct cek *cek, const struct bind_facts *f, char out[static BIND_TEXT_LEN + 1],
	      struct err *e) MUST_CHECK;

/*
 * The 41 bytes of a tag's text; -EBADMSG (event "integrity.bind") when it is none of this version.
 */
int bind_parse(struct span text, uint8_t out[static BIND_RAW_LEN], struct err *e) MUST_CHECK;

enum bind_verdict {
	BIND_FOREIGN, /* made under another content key: counts as absent */
	BIND_GOOD,
	BIND_WRONG
};
/* Compares in constant time.  -EIO, else 0 and *out. */
int bind_check(const struct cek *cek, const struct bind_facts *f,
	       const uint8_t tag[static BIND_RAW_LEN], enum bind_verdict *out,
	       struct err *e) MUST_CHECK;

#endif
