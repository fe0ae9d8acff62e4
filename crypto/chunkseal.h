/* SPDX-License-Identifier: MIT */
/*
 * Sealing pieces of memory under a key that nobody has to know: AES-256-GCM with a key that is
 * drawn here, lives as long as its owner, and is written down nowhere.
 *
 * What is sealed is bound to its place: a serial (whose) and an index (which piece), which go in as
 * associated data.  The nonce is a counter of the key and never repeats; nonce and tag are the
 * caller's to keep, so an old sealed form of the same piece does not open in place of the last one.
 */
#ifndef CRYPTO_CHUNKSEAL_H
#define CRYPTO_CHUNKSEAL_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "crypto/layout.h"

struct chunkseal_key; /* opaque; thread-safe; wiped when freed */

/* -ENOMEM: no locked memory left; -EIO. */
int chunkseal_key_new(struct chunkseal_key **out, struct err *e) MUST_CHECK;
void chunkseal_key_free(struct chunkseal_key *k); /* after what was made from it; NULL is fine */

struct chunkseal; /* ciphers keyed with it; one thread at a time */

int chunkseal_new(struct chunkseal_key *k, struct chunkseal **out, struct err *e) MUST_CHECK;
void chunkseal_free(struct chunkseal *c); /* NULL is fine */

struct chunkseal_place {
	uint64_t serial, index;
};

/* What opens a piece again, besides the key. */
struct chunkseal_mark {
	uint64_t nonce; /* never 0 */
	uint8_t tag[REGION_TAG_LEN];
};

/* plain.n bytes to out, which may be plain.p; at most 2^30.  -EIO. */
int chunkseal_seal(struct chunkseal *c, struct chunkseal_place at, struct span plain, uint8_t *out,
		   struct chunkseal_mark *mark, struct err *e) MUST_CHECK;
/* sealed.n bytes to out, which may be sealed.p; on failure out is wiped.  -EBADMSG: not what was
 * sealed there under that mark; -EIO. */
int chunkseal_open(struct chunkseal *c, struct chunkseal_place at,
		   const struct chunkseal_mark *mark, struct span sealed, uint8_t *out,
		   struct err *e) MUST_CHECK;

#endif
