/* SPDX-License-Identifier: MIT */
/*
 * Where the chunks of a staging are.  Used by staging.c alone.
 *
 * Two levels: pages of entries, made when a chunk of theirs is, and the list of pages.  A file with
 * one byte at its far end costs a page and its share of the list.
 */
#ifndef FS_STAGINGTABLE_H
#define FS_STAGINGTABLE_H

#include "base/budget.h"
#include "base/err.h"
#include "crypto/chunkseal.h"

/*
 * Where a chunk's bytes are when it is not hot: nowhere (mark.nonce 0: it is the base's or zeros),
 * sealed in memory, or else sealed in the file.  A hot chunk with a mark is also in the file, as it
 * is; one without has to be sealed before it is let go.
 */
struct staging_chunk {
	uint8_t *sealed; /* owned; STAGING_CHUNK bytes */
	struct chunkseal_mark mark;
};

struct staging_page;

struct staging_table {
	struct budget *budget; /* what the table takes beyond 1 MiB is of its data share */
	struct staging_page **page;
	size_t n_pages; /* of the list; most may be NULL */
	uint64_t bytes; /* all of the table */
};

/* The entry of chunk i, NULL when nothing is known of it. */
struct staging_chunk *staging_table_find(const struct staging_table *t, uint64_t i);
/* The same, made when there is none.  i < 2^28.  -ENOSPC (event "local.space"). */
int staging_table_make(struct staging_table *t, uint64_t i, struct staging_chunk **out,
		       struct err *e) MUST_CHECK;
/* Calls drop for each entry from chunk i on, then forgets them. */
void staging_table_cut(struct staging_table *t, uint64_t i,
		       void (*drop)(void *arg, struct staging_chunk *c), void *arg);
void staging_table_free(struct staging_table *t); /* after a cut at 0 */

#endif
