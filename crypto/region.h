/* SPDX-License-Identifier: MIT */
/*
 * The regions of one span of a V2 blob, decrypted while they come in: nonce,
 * AES-256-GCM ciphertext, tag, and the next.  Used through unseal.h.
 *
 * A region counts when its tag has verified and its nonce is right for its
 * place; one that fails is wiped and remembered, the others stay good.
 *
 * Source: docs/FORMATS.md, "Blob content".
 */
#ifndef CRYPTO_REGION_H
#define CRYPTO_REGION_H

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"
#include "crypto/layout.h"
#include "crypto/order.h"

/*
 * Regions of a span that failed: numbers within the blob, ascending.  Empty in all but damaged
 * blobs.  When there are BAD_REGIONS_MAX, no more are noted and all after the last count as failed:
 * a hostile blob of tiny regions must not take many times its own memory.
 */
enum { BAD_REGIONS_MAX = 4096 };
struct bad_regions {
	uint64_t *at; /* owned */
	size_t n;
	struct err first; /* why the first of them failed; EBADMSG, event "integrity.region" or
			     "integrity.order" */
};
void bad_regions_clear(struct bad_regions *b);

struct region_stream; /* opaque; one thread at a time; reusable */

int region_stream_new(struct region_stream **out, struct err *e) MUST_CHECK;
void region_stream_free(struct region_stream *s);

/*
 * Starts on the regions at place; what an earlier begin left is forgotten.  order and out are
 * borrowed, the key is copied.  -EIO.
 */
int region_stream_begin(struct region_stream *s, const struct layout *l, const struct cek *cek,
			struct region_order *order, const struct span_place *place, struct room out,
			struct err *e) MUST_CHECK;

/* Takes the next stored bytes, no more than the place holds.  -EIO, -ENOMEM. */
int region_stream_feed(struct region_stream *s, struct span stored, struct err *e) MUST_CHECK;

/* All bytes have been fed; hands over what failed. */
void region_stream_end(struct region_stream *s, struct bad_regions *bad);

/* Wipes the key and forgets the borrowed things. */
void region_stream_forget(struct region_stream *s);

#endif
