/* SPDX-License-Identifier: MIT */
/*
 * Members of a stored document, by the paths of their names: for stores that have no query engine.
 */
#ifndef BACKEND_STORE_DOCMATCH_H
#define BACKEND_STORE_DOCMATCH_H

#include <stdbool.h>

#include "backend/store/docstore.h"

/*
 * Whether all conditions hold for a document (a text that has been scanned).  Values are compared
 * as JSON values: strings by their bytes, numbers by their value; an object or array equals
 * nothing.
 * -EINVAL when a value of a condition is no scalar.
 */
int docmatch_all(struct span text, const struct docstore_equal *equal, size_t n_equal, bool *out,
		 struct err *e) MUST_CHECK;

/*
 * Appends the string that a top-level member holds, unescaped; *out_found false when there is none,
 * or it is no string.  -EBADMSG when the text is malformed on the way there.
 */
int docmatch_string(struct span text, const char *name, struct buf *out, bool *out_found,
		    struct err *e) MUST_CHECK;

/* Whether two ETags are the same, each with its quotes or without; the stored one as it stands
 * between its quotes in JSON, or unescaped. */
bool docmatch_etag(struct span raw, const char *etag);
bool docmatch_same_etag(struct span stored, const char *etag);

#endif
