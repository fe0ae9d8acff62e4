/* SPDX-License-Identifier: MIT */
/*
 * What docwrite.c (new versions), docplace.c (where documents can be) and docremove.c (removing,
 * directories) share with each other, and with nobody else.
 */
#ifndef FS_DOCWRITE_H
#define FS_DOCWRITE_H

#include "fs/docviewfile.h"
#include "fs/valuename.h"

/* ---- docplace.c ---- */

/* As view_place. */
int docwrite_place(struct view *view, const char *path, enum view_place *out,
		   struct err *e) MUST_CHECK;
/*
 * Whether a document can be at a path that docwrite_place lets pass, now that the container is
 * known.  creates: it is not there yet, and a cut name tells nobody what it stands for.  -EROFS,
 * -ENAMETOOLONG.
 */
int docplace_check(const struct docpath *p, const struct docbox *box, bool creates,
		   struct err *e) MUST_CHECK;
/* -EACCES: no pin file; or that version (NULL: none) has withheld properties. */
int docwrite_may_write(const struct docview *v, const char *etag, struct err *e) MUST_CHECK;
int docwrite_withheld(struct err *e);
int docwrite_changed(struct err *e); /* -ESTALE */
/* -EROFS: "this part of the view is only read". */
int docwrite_read_only(struct err *e);
/* The store's ETag within the view's. */
int docwrite_stored_etag(const char *etag, struct buf *out, struct err *e) MUST_CHECK;

/* ---- docwrite.c ---- */

int docwrite_seal(struct view *view, const char *path, const char *over, struct deadline d,
		  struct view_sealing **out, struct err *e) MUST_CHECK;
int docwrite_commit(struct view_sealing *base, const struct view_publish *p,
		    struct view_plain plain, struct view_sink now, struct deadline d,
		    struct err *e) MUST_CHECK;
void docwrite_sealing_free(struct view_sealing *base);

#endif
