/* SPDX-License-Identifier: MIT */
/*
 * A directory that is being read: a stream of pages.  One page is shown while the
 * next one is fetched.  Entries are numbered; "." is 0, ".." is 1.  Going back behind the page
 * starts the listing over.
 */
#ifndef FS_DIRSTREAM_H
#define FS_DIRSTREAM_H

#include "fs/fs.h"

enum { DIRSTREAM_DOTS = 2 };

struct dirstream_entry {
	char *name; /* name NUL etag NUL */
	bool dir, exact;
	bool local; /* this mount's own: what it is, the tree knows */
	uint64_t size;
	int64_t mtime_ns;
	struct view_record *record;
};

struct dirstream *dirstream_new(void);	  /* NULL: no memory */
void dirstream_free(struct dirstream *s); /* NULL is fine */

/* One request at a time: after an interrupt a second one may come while the first still works. */
void dirstream_lock(struct dirstream *s);
void dirstream_unlock(struct dirstream *s);

/*
 * Entry number `at` (from DIRSTREAM_DOTS), good until the next call; asks the view when it must.
 * -ENODATA past the end (no failure is recorded).
 */
int dirstream_entry(struct op *op, struct dirstream *s, uint64_t at,
		    const struct dirstream_entry **out, struct err *e) MUST_CHECK;

/*
 * Whether entry number `at` is at hand, or known not to be there: dirstream_entry would not wait.
 */
bool dirstream_ready(const struct dirstream *s, uint64_t at);

/* When this listing began, and its page came. */
struct tree_listing dirstream_listing(const struct dirstream *s);

#endif
