/* SPDX-License-Identifier: MIT */
/*
 * Pages on their way through a stream: as they come from the store (raw), and as text (chunk).
 * Private to the files of streams (docstreamfile.h).
 */
#ifndef FS_DOCSTREAMPAGE_H
#define FS_DOCSTREAMPAGE_H

#include <stdatomic.h>

#include "base/budget.h"
#include "fs/docbox.h"

/* Some documents, sealed, one after the other; freed when they have become text. */
struct rawpiece {
	struct rawpiece *next;
	struct buf text;
	size_t *end; /* of each document in text */
	size_t n, room;
	size_t done; /* documents that are text already */
};

/* One page; or the failure to get it. */
struct rawpage {
	struct rawpiece *first, *last; /* what is not yet text */
	size_t n, bytes;	       /* documents that came, and their length */
	bool is_last;		       /* there is no page after it */
	struct err e;		       /* the page did not come */
	struct budget *budget;	       /* NULL: nothing is charged */
	uint64_t charged;	       /* for what is not yet text */
};

/*
 * Fetches the page behind *cursor, which is moved on when it came.  reserved: what the caller has
 * taken of the budget for it, now the page's; 0: it is taken when the page is here, waiting for it
 * up to the deadline.  Never NULL unless memory is out: a failure is the page's e.
 */
struct rawpage *rawpage_fetch(struct docbox *box, const struct docstore_select *sel,
			      struct buf *cursor, struct budget *budget, uint64_t reserved,
			      struct deadline d);
void rawpage_free(struct rawpage *p); /* NULL is fine */

/* Plain lines; reference counted: readers hold it while their answer is on its way. */
struct chunk {
	struct chunk *next;
	uint64_t off; /* in the stream */
	atomic_uint refs;
	struct buf text;
	struct budget *budget;
	uint64_t charged;
};
struct chunk *chunk_new(struct budget *budget, size_t max); /* NULL: no memory */
struct chunk *chunk_get(struct chunk *c);
void chunk_put(struct chunk *c);

/*
 * Unseals the first piece of a page (about half a MiB, or one document that is longer) into an
 * empty chunk, which takes over what the piece was charged.  A document that fails ends it: what
 * came before is in the chunk, *e says which and why.
 */
int chunk_fill(struct chunk *c, struct docbox *box, struct rawpage *p, struct deadline d,
	       struct err *e) MUST_CHECK;

#endif
