/* SPDX-License-Identifier: MIT */
/*
 * V1: one span of a blob that is AES-256-CBC as a whole.  Used through unseal.h.
 *
 * Nothing in it can be verified but the padding at its very end, and that
 * check is what CVE-2022-30187 turns into an oracle: it takes the same time
 * whatever the bytes are, and all failures are one (-EIO, "integrity.v1").
 *
 * Source: docs/FORMATS.md, "Blob content".
 */
#ifndef CRYPTO_CBC_H
#define CRYPTO_CBC_H

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"
#include "crypto/layout.h"

struct cbc_stream; /* opaque; one thread at a time; reusable */

int cbc_stream_new(struct cbc_stream **out, struct err *e) MUST_CHECK;
void cbc_stream_free(struct cbc_stream *s);

/*
 * Starts on the span at place.  l and out are borrowed, the key is copied.  Needs CBC_BLOCK bytes
 * of room beyond the plaintext.
 */
int cbc_stream_begin(struct cbc_stream *s, const struct layout *l, const struct cek *cek,
		     const struct span_place *place, struct room out, struct err *e) MUST_CHECK;

/* Takes the next stored bytes, no more than the place holds.  The one failure. */
int cbc_stream_feed(struct cbc_stream *s, struct span stored, struct err *e) MUST_CHECK;

/*
 * All bytes have been fed.  *out_n: plaintext bytes, without padding.  On failure everything
 * decrypted is wiped.
 */
int cbc_stream_end(struct cbc_stream *s, size_t *out_n, struct err *e) MUST_CHECK;

/* Wipes the key and forgets the borrowed things. */
void cbc_stream_forget(struct cbc_stream *s);

/* The one failure of V1. */
int cbc_failed(struct err *e);

#endif
