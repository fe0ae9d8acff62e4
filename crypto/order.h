/* SPDX-License-Identifier: MIT */
/*
 * Which region belongs where.  A tag proves the bytes of a region, not its
 * place; the nonce proves the place, in the numbering of one of three SDKs,
 * the same one for a whole blob.  What no nonce can show is that whole
 * regions are missing at the end.
 *
 * Source: docs/FORMATS.md, "Nonce order".
 */
#ifndef CRYPTO_ORDER_H
#define CRYPTO_ORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "crypto/layout.h"

/*
 * Which SDK's way of writing the region number into the nonce is still possible for one blob and
 * ETag.  Narrowed by every region that verifies; shared by all reads of that version without a
 * lock.  recover accepts any order (region_order=recover) and counts what it let pass.
 */
struct region_order {
	atomic_uint maybe;	/* bits of enum nonce_dialect */
	atomic_uint misordered; /* regions accepted in the wrong place, in recover mode */
	bool recover;
};

enum nonce_dialect { NONCE_PYTHON = 1, NONCE_JAVA = 2, NONCE_DOTNET = 4, NONCE_ANY = 7 };

void region_order_init(struct region_order *o, bool recover);

/*
 * Whether a region with this nonce belongs at place i, given what the regions before it have
 * shown; narrows the set if so.  Only for regions whose tag has verified: a damaged transfer must
 * not decide for the blob.  One that does not belong narrows nothing, so the others stay readable.
 */
bool region_order_accepts(struct region_order *o, const uint8_t nonce[static REGION_NONCE_LEN],
			  uint64_t i);

/* The dialects that would have put this nonce on region i (a set of bits, 0 = none). */
unsigned nonce_dialects(const uint8_t nonce[static REGION_NONCE_LEN], uint64_t i);
/* The nonce that a dialect puts on region i.  d is one dialect, not a set. */
void nonce_make(enum nonce_dialect d, uint64_t i, uint8_t out[static REGION_NONCE_LEN]);

/* What is still possible, as text for an xattr: "python", "java", "dotnet", "python or java" ... */
const char *region_order_name(const struct region_order *o);

#endif
