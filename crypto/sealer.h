/* SPDX-License-Identifier: MIT */
/*
 * Sealing the content of one new blob (protocol 2.0): its regions, first to last, under a content
 * key that is drawn here and used for nothing else.
 *
 * A nonce is the number of its region, so no region may ever be sealed twice under one key.  That
 * cannot happen: a sealer numbers the regions itself, has no way back, and its key never leaves it
 * but to be wrapped.  Whoever wants to seal a region again starts over with another sealer.
 *
 * Source: docs/FORMATS.md, "Blob content".
 */
#ifndef CRYPTO_SEALER_H
#define CRYPTO_SEALER_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"

enum { SEALER_REGION = 4 << 20 }; /* bytes of plaintext of a full region: what 2.0 writers use */

struct sealer; /* opaque; one thread at a time; wiped when freed */

/* Draws the content key.  -ENOMEM: no locked memory left; -EIO. */
int sealer_new(uint64_t region_len, struct sealer **out, struct err *e) MUST_CHECK;
void sealer_free(struct sealer *s); /* NULL is fine */
const struct cek *sealer_cek(const struct sealer *s);

/*
 * The next region: begin, any number of pieces, end.  out takes its stored form, region_len +
 * REGION_OVERHEAD bytes at most; *stored_n bytes of it are used.  A region shorter than region_len
 * is the last one; a blob of no bytes is one region without any.  After a failure (-EIO), or a
 * begin without its end, the sealer is good for nothing but sealer_free.  -EINVAL: more bytes
 * than a region takes, or a region after the last.
 */
int sealer_begin(struct sealer *s, struct room out, struct err *e) MUST_CHECK;
int sealer_add(struct sealer *s, struct span plain, struct err *e) MUST_CHECK;
int sealer_end(struct sealer *s, size_t *stored_n, struct err *e) MUST_CHECK;

/* What has been sealed so far. */
uint64_t sealer_regions(const struct sealer *s);
uint64_t sealer_plain_size(const struct sealer *s);

#endif
