/* SPDX-License-Identifier: MIT */
/*
 * The sealed blocks of one upload on their way to the store: their memory, and how many are sent at
 * a time.
 */
#ifndef FS_BLOBSEND_H
#define FS_BLOBSEND_H

#include "backend/store/storewrite.h"
#include "fs/engine.h"
#include "fs/spanmem.h"

struct blobsend; /* opaque; one thread fills, others send */

struct sealed_block {
	struct pool_job job; /* first */
	struct blobsend *to;
	struct span_block mem;
	uint8_t *p;	/* mem's */
	size_t room, n; /* bytes that fit, bytes sealed */
	uint32_t number;
	uint64_t off;
};

/* store is borrowed and outlives every block. */
int blobsend_new(struct engine *g, struct store *store, const char *name, struct blobsend **out,
		 struct err *e) MUST_CHECK;
/*
 * Memory for a block of room bytes, of the data share.  Waits until fewer are on their way; one
 * always gets memory in the end, more only when there is some to spare.  -ETIMEDOUT, -ENOMEM, or
 * what sending has failed with.
 */
int blobsend_block(struct blobsend *s, size_t room, struct deadline d, struct sealed_block **out,
		   struct err *e) MUST_CHECK;
/* The block is full: it becomes the next one of the upload, and is sent. */
void blobsend_submit(struct sealed_block *b);
/* It is not: forgets it.  NULL is fine. */
void blobsend_drop(struct sealed_block *b);

/* All that were submitted are with the store, or one has failed: then why. */
int blobsend_wait(struct blobsend *s, struct deadline d, struct err *e) MUST_CHECK;
uint32_t blobsend_blocks(const struct blobsend *s);
uint64_t blobsend_bytes(const struct blobsend *s);
const struct store_upload *blobsend_upload(const struct blobsend *s);

/*
 * The end, for whoever fills: committed says that the blocks are an object now, otherwise they are
 * given up, those on their way too; nobody waits for them.  NULL is fine.
 */
void blobsend_end(struct blobsend *s, bool committed);

#endif
