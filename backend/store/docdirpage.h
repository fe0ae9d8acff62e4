/* SPDX-License-Identifier: MIT */
/* Pages of a dir: store of documents: see docdir.h.  Names are gone through in order. */
#ifndef BACKEND_STORE_DOCDIRPAGE_H
#define BACKEND_STORE_DOCDIRPAGE_H

#include "backend/store/docdircontainer.h"
#include "backend/store/docname.h"

/* A document that has been read; head points into its text. */
struct docdir_document {
	struct document_head head;
	struct buf partition; /* its text */
};

/*
 * Appends the text of a document in the directory HH to text, scanned and found to lie where it
 * belongs.  -ENOENT; -EBADMSG with its path.  out->partition has been initialised.
 */
int docdirpage_read(const struct docdir_container *c, int half, const struct docname *name,
		    struct document_worker *worker, struct buf *text, struct docdir_document *out,
		    struct err *e) MUST_CHECK;

/* docstore_page, without and with sel->changes. */
int docdirpage_run(const struct docdir_container *c, const struct docstore_select *sel,
		   struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
		   struct deadline d, struct err *e) MUST_CHECK;
int docdirpage_changes(const struct docdir_container *c, const struct docstore_select *sel,
		       struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
		       struct deadline d, struct err *e) MUST_CHECK;

#endif
