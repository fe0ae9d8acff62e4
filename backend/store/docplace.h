/* SPDX-License-Identifier: MIT */
/*
 * Where things lie in a dir: store of documents: see docdir.h.  Names of databases, containers and
 * keys may come from anywhere: one that the service could not have is -ENOENT.
 */
#ifndef BACKEND_STORE_DOCPLACE_H
#define BACKEND_STORE_DOCPLACE_H

#include "backend/store/dirplace.h"
#include "backend/store/docname.h"

extern const char docplace_container_file[];

/* The directory DB.d, or DB.d/containers/C.d.  The caller closes *out. */
int docplace_database(int databases, const char *database, int *out, struct err *e) MUST_CHECK;
int docplace_container(int databases, const char *database, const char *container, int *out,
		       struct err *e) MUST_CHECK;

/* -EBADMSG unless a resource's text has that id. */
int docplace_check_id(struct span text, const char *id, struct err *e) MUST_CHECK;

/*
 * Replaces *text by that of container.json in the directory C.d.  -ENOENT; -EBADMSG when it is too
 * large, or that of another container.
 */
int docplace_container_text(int container, const char *id, struct buf *text,
			    struct err *e) MUST_CHECK;

/* The same of a key's file, in the directory keys (-1: there is none). */
int docplace_key_text(int keys, const char *id, struct buf *text, struct err *e) MUST_CHECK;

/* Opens the directory HH in the directory documents (-1: there is none).  -ENOENT. */
int docplace_open_half(int documents, uint8_t first, int *out, struct err *e) MUST_CHECK;

/* Puts before the text of e which file it is about; rest: below DB.d, or below C.d. */
int docplace_in_database(const char *database, const char *rest, struct err *e);
int docplace_in_container(const char *database, const char *container, const char *rest,
			  struct err *e);
int docplace_in_document(const char *database, const char *container, const struct docname *name,
			 struct err *e);

#endif
