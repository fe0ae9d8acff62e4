/* SPDX-License-Identifier: MIT */
/*
 * Memory for the plaintext of spans.  All of it counts against the data share of memory=; a few
 * full-size blocks are kept for reuse, since fresh ones cost a page fault for every 4 KiB.  Kept
 * out of core dumps; wiped before it goes back to the allocator (blocks of pages go back to the
 * kernel, which clears them).
 */
#ifndef FS_SPANMEM_H
#define FS_SPANMEM_H

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"

struct spanmem; /* the allocator; opaque */

struct span_block {
	uint8_t *p;
	size_t n; /* bytes; what the budget was charged */
};

int spanmem_new(struct budget *budget, struct spanmem **out, struct err *e) MUST_CHECK;
void spanmem_free(struct spanmem *m); /* every block has been given back */

enum spanmem_wait {
	SPANMEM_NOW,   /* only what is free (-EAGAIN) */
	SPANMEM_WAIT,  /* evict and wait up to the deadline (budget_take's errors) */
	SPANMEM_SURELY /* the same by budget_take_surely: a block may wait for the bytes of a span
			*/
};

/* n bytes, n > 0. */
int spanmem_take(struct spanmem *m, size_t n, enum spanmem_wait wait, struct deadline d,
		 struct span_block *out, struct err *e) MUST_CHECK;
void spanmem_give(struct spanmem *m, struct span_block *b); /* b->p may be NULL */

/* Lets go of the blocks kept for reuse; returns the bytes given back to the budget. */
uint64_t spanmem_trim(struct spanmem *m);

#endif
