/* SPDX-License-Identifier: MIT */
/* A container of a dir: store of documents, for the length of one call: see docdir.h. */
#ifndef BACKEND_STORE_DOCDIRCONTAINER_H
#define BACKEND_STORE_DOCDIRCONTAINER_H

#include "backend/store/docstore.h"

struct docdir_container {
	const struct docstore_at *at;
	const struct container_def *def;
	struct container_def own; /* what def points to when the caller has none */
	int documents;		  /* the directory; -1: there are no documents */
	int databases;		  /* borrowed */
};

/*
 * -ENOENT, -EBADMSG, -ESTALE when it is not the one that at knows.  *out must stay where it is; the
 * caller leaves it on success.
 */
int docdir_container_enter(int databases, const struct docstore_at *at,
			   struct docdir_container *out, struct err *e) MUST_CHECK;
void docdir_container_leave(struct docdir_container *c);

/*
 * Whether it still is the container that was entered: what was read of its directory meanwhile may
 * be of two otherwise.  -ESTALE.
 */
int docdir_container_check(const struct docdir_container *c, struct err *e) MUST_CHECK;

/* Replaces out by the text of its resource.  Errors as above. */
int docdir_container_text(int databases, const struct docstore_at *at, struct buf *out,
			  struct err *e) MUST_CHECK;

#endif
