/* SPDX-License-Identifier: MIT */
/*
 * The change feed of a container, unsealed: current versions as lines, in the order in which they
 * changed within each partition.  For commands; a mount does not follow feeds.
 */
#ifndef FS_DOCFEED_H
#define FS_DOCFEED_H

#include "backend/store/docstore.h"
#include "fs/view.h"

struct docfeed; /* opaque; one thread at a time */

struct docfeed_config {
	const char *path;      /* of the container, within the view; "" when the source names it */
	const char *min, *max; /* NULL, NULL = all of it */
	enum docstore_start start;
	int64_t start_s;
	/*
	 * Where an earlier run has stopped (what docfeed_cursor gave then), NULL = begin at start.
	 */
	const char *cursor;
	const char *rid; /* of the container that cursor speaks of; NULL when cursor is */
};

/*
 * view: of documents, outlives the feed (-EINVAL: another kind; not a container).  -ESTALE (event
 * "remote.recreated"): the cursor is of a container that is no more.
 */
int docfeed_open(struct view *view, const struct docfeed_config *cfg, struct deadline d,
		 struct docfeed **out, struct err *e) MUST_CHECK;
void docfeed_close(struct docfeed *f); /* NULL is fine */

/*
 * One page: appends its documents to lines, a line each.  *out_idle: everything up to now has been
 * seen.  After a failure the cursor is where it was before the page.
 */
int docfeed_page(struct docfeed *f, struct deadline d, struct buf *lines, bool *out_idle,
		 struct err *e) MUST_CHECK;

const char *docfeed_cursor(const struct docfeed *f); /* good until the next page */
const char *docfeed_rid(const struct docfeed *f);
double docfeed_charge(const struct docfeed *f); /* request units so far */

#endif
