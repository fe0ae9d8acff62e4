/* SPDX-License-Identifier: MIT */
/* What the writing files of the blob view (blobseal.c, blobwrite.c) share. */
#ifndef FS_BLOBWRITE_H
#define FS_BLOBWRITE_H

#include "backend/store/storewrite.h"
#include "fs/blobfile.h"
#include "fs/viewwrite.h"

extern const struct view_write_ops blobwrite_ops;

/*
 * The store name of a path that is to be written; the caller frees.  fresh: of a name that nothing
 * has yet, which cannot be a cut one.
 */
int blobwrite_name(struct blobview *v, const char *path, bool fresh, struct deadline d, char **out,
		   struct err *e) MUST_CHECK;
/* Tells of a version that was just made. */
int blobwrite_send(struct blobview *v, const struct store_entry *entry, struct view_sink now,
		   struct err *e) MUST_CHECK;

int blobwrite_seal(struct view *view, const char *path, const char *over, struct deadline d,
		   struct view_sealing **out, struct err *e) MUST_CHECK;
int blobwrite_region(struct view_sealing *base, struct view_plain plain, struct deadline d,
		     struct err *e) MUST_CHECK;
int blobwrite_commit(struct view_sealing *base, const struct view_publish *p,
		     struct view_plain plain, struct view_sink now, struct deadline d,
		     struct err *e) MUST_CHECK;
void blobwrite_sealing_free(struct view_sealing *base);

#endif
