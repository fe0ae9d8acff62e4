/* SPDX-License-Identifier: MIT */
/*
 * Filling one span: sealed bytes go in as they arrive, verified plaintext
 * lies in a block at the end.  Memory is taken when the first byte has come, so that a
 * server that never answers holds none.
 */
#ifndef FS_FILL_H
#define FS_FILL_H

#include <stdbool.h>

#include "crypto/layout.h"
#include "crypto/unseal.h"
#include "fs/spanmem.h"

struct fill {
	/* --- set by the user --- */
	struct spanmem *mem;
	const struct layout *layout; /* borrowed */
	struct region_order *order;  /* borrowed; NULL when clear */
	const struct cek *cek;	     /* borrowed; NULL when clear: the bytes are copied */
	uint64_t span;
	bool wait_for_memory;
	struct deadline deadline;
	/* --- result, after fill_end --- */
	struct span_block block;
	size_t n; /* plaintext bytes */
	struct bad_regions bad;
	/* --- its own --- */
	struct unsealer *unsealer;
	size_t copied;
	bool begun;
};

/*
 * Where a span lies.  clear: a blob that is not encrypted, whose stored bytes are the plain ones.
 */
void fill_place(const struct layout *l, bool clear, uint64_t span, struct span_place *out);

/* Starts, or starts over. */
void fill_begin(struct fill *f);
int fill_data(struct fill *f, struct span piece, struct err *e) MUST_CHECK;
int fill_end(struct fill *f, struct err *e) MUST_CHECK;
void fill_clear(struct fill *f); /* frees all it holds; the result may have been moved out (block.p
				    = NULL, bad.at = NULL) */

#endif
