/* SPDX-License-Identifier: MIT */
/*
 * Where the bytes of a sealed blob lie: all the arithmetic between plaintext
 * offsets and stored offsets, in checked 64 bits, and nothing else.
 *
 * V2: the plaintext is cut into regions of region_len bytes, the last one
 * shorter; each is stored as nonce (12), ciphertext, tag (16).  A blob of no
 * bytes, or of one region without plaintext (28 bytes), is empty.
 * V1: AES-CBC with PKCS#7 padding over the whole (none for page blobs).
 *
 * A span is what one GET fetches: whole regions up to about SPAN_TARGET bytes
 * of plaintext; one region where that is larger; the whole blob where it is
 * smaller.  (Regions below 16 bytes, which no writer makes, have shorter spans:
 * at most 2^18 regions.)  For V1, spans are SPAN_TARGET bytes, and the stored range starts
 * one cipher block earlier (its IV) except for the first.
 *
 * Source: docs/FORMATS.md, "Blob content".
 */
#ifndef CRYPTO_LAYOUT_H
#define CRYPTO_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "crypto/envelope.h"

enum {
	REGION_NONCE_LEN = 12,
	REGION_TAG_LEN = 16,
	REGION_OVERHEAD = 28,
	CBC_BLOCK = 16,
	SPAN_TARGET = 4 << 20
};

struct layout {
	enum protocol protocol;
	uint64_t region_len;  /* V2: plaintext bytes of a full region */
	uint64_t stored_size; /* bytes in the store */
	uint64_t plain_size;  /* V2: exact.  V1: an upper bound until layout_set_v1_size */
	uint64_t span_len;    /* plaintext bytes of a full span, or of the only one; > 0 */
	uint64_t n_spans;     /* 0 only when nothing is stored: an empty region is to be verified */
	bool padded;	      /* V1: PKCS#7 at the end (not for page blobs) */
	bool size_exact;
	uint8_t iv[16]; /* V1 */
};

/*
 * page_blob says that V1 carries no padding.  -EBADMSG (event "integrity.size") when no writer
 * could have left that many bytes: V2 with a last region of 1..27 bytes, or 28 that is not the
 * only one.  V1 that is empty (but for page blobs) or no multiple of 16: its one failure, -EIO
 * (event "integrity.v1").  -EFBIG (event "policy.max_region") when
 * min(region_len + 28, stored_size) exceeds max_region bytes: a region must be held whole before
 * a byte may be released.
 */
int layout_init(struct layout *l, const struct envelope *env, uint64_t stored_size, bool page_blob,
		uint64_t max_region, struct err *e) MUST_CHECK;

/*
 * What stat may show before any key is at hand: exact for V2, stored - 1 for V1 (stored for V1
 * page blobs), and the stored size when the blob could not be one of ours (opening it will say
 * why).
 */
uint64_t layout_hint_size(enum protocol p, uint64_t region_len, uint64_t stored_size,
			  bool page_blob);

/*
 * Plaintext size of a V2 blob of stored_size bytes.  -EBADMSG as above; *out untouched on failure.
 */
int layout_v2_plain_size(uint64_t region_len, uint64_t stored_size, uint64_t *out,
			 struct err *e) MUST_CHECK;

/* V2: how many regions are stored; an empty one counts, where it is stored. */
uint64_t layout_regions(const struct layout *l);

struct span_place {
	uint64_t stored_off; /* first byte to fetch */
	uint64_t stored_len; /* > 0; never reaches past stored_size */
	uint64_t plain_off;
	uint64_t plain_len; /* V1's last span: an upper bound until unsealed */
};

/*
 * The span of that number, < n_spans.  Cannot fail: layout_init has proved that nothing overflows.
 */
void layout_span(const struct layout *l, uint64_t span, struct span_place *out);

/* V1: the last one or two cipher blocks, from which v1_exact_size tells the size. */
void layout_v1_tail(const struct layout *l, struct span_place *out);
/* The exact size is known: from the tail or from the last span. */
void layout_set_v1_size(struct layout *l, uint64_t plain_size);

#endif
