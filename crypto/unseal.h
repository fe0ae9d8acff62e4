/* SPDX-License-Identifier: MIT */
/*
 * Unsealing one span of a blob, fed with stored bytes as they arrive.
 *
 * V2: each region is decrypted while it comes in and counts only when its tag
 * has verified and its nonce is right for its place; a region that fails is
 * wiped and remembered, the others stay good.  V1: CBC, with nothing to
 * verify but the padding at the very end.
 *
 * Nothing is released by this module: the caller looks at the verdicts of
 * unseal_end before it lets a byte go.
 *
 * Source: docs/FORMATS.md, "Blob content", "Nonce order".
 */
#ifndef CRYPTO_UNSEAL_H
#define CRYPTO_UNSEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"
#include "crypto/layout.h"
#include "crypto/order.h"
#include "crypto/region.h"

/* Opaque; one thread at a time; reusable; holds key material between begin and end. */
struct unsealer;

int unsealer_new(struct unsealer **out, struct err *e) MUST_CHECK;
void unsealer_free(struct unsealer *u);

/*
 * Starts on span number `span` of l.  out is where its plaintext goes: at least
 * span_place.plain_len bytes (for V1: plus CBC_BLOCK).  cek, l, order and out are borrowed until
 * unseal_end or the next begin; order is not used for V1.  Calling begin again starts over (a
 * retry).
 */
int unseal_begin(struct unsealer *u, const struct layout *l, const struct cek *cek,
		 struct region_order *order, uint64_t span, struct room out,
		 struct err *e) MUST_CHECK;

/*
 * Takes the next stored bytes of the span.  -EIO when there are more than its place says (the
 * caller's fault) or OpenSSL fails.
 */
int unseal_feed(struct unsealer *u, struct span stored, struct err *e) MUST_CHECK;

/*
 * All bytes of the span have been fed.  *out_n: plaintext bytes now in out (for V1's last span,
 * without padding).  bad: regions that did not verify, their bytes wiped; freed by the caller.
 * -EIO when bytes are missing, all of out is wiped then; for V1 every failure is the same -EIO,
 * event "integrity.v1", in the same time.
 */
int unseal_end(struct unsealer *u, size_t *out_n, struct bad_regions *bad,
	       struct err *e) MUST_CHECK;

/*
 * V1: the exact plaintext size from the last cipher blocks (layout_v1_tail: 16 bytes of a 16-byte
 * blob, else 32).  Constant time; the one -EIO of V1 when the padding is not possible.  Page
 * blobs have none and are exact already.
 */
int v1_exact_size(const struct layout *l, const struct cek *cek, struct span tail, uint64_t *out,
		  struct err *e) MUST_CHECK;

#endif
