/* SPDX-License-Identifier: MIT */
/*
 * Where a walk over a dir: store of documents stands, as text: "d1:NAME:RID", and in the change
 * feed "c1:TS:NAME:RID", or "c1:TS.NS:NAME:RID" with nine digits of NS.  It goes through files and
 * other processes, so it is hostile input again.
 */
#ifndef BACKEND_STORE_DOCDIRCURSOR_H
#define BACKEND_STORE_DOCDIRCURSOR_H

#include "backend/store/docdirstamp.h"
#include "backend/store/docname.h"

struct docdircursor {
	bool changes;
	struct docdirstamp stamp; /* of changes */
	struct docname name;
};

/*
 * out->changes says which kind is wanted.  -EINVAL: no cursor, or one of the other kind; -ESTALE:
 * of the container before it was made anew.
 */
int docdircursor_parse(struct span text, const char *rid, struct docdircursor *out,
		       struct err *e) MUST_CHECK;
/* Replaces text; on failure it is as before. */
int docdircursor_write(const struct docdircursor *c, const char *rid, struct buf *text,
		       struct err *e) MUST_CHECK;

#endif
