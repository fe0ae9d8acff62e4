/* SPDX-License-Identifier: MIT */
/* From a view's path (escaped components) to the name of a blob. */
#ifndef FS_BLOBPATH_H
#define FS_BLOBPATH_H

#include "backend/store/store.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"

enum blob_path_kind {
	BLOB_PATH_ANY,	   /* a file or a directory of that name */
	BLOB_PATH_SHADOWED /* the file that stands behind a directory of the same name */
};

/*
 * The store name that path stands for ("" for the root), without a final '/'.  Aliases of long
 * names are found by listing their directory.  -ENOENT when no blob can have that path.
 */
int blobpath_name(struct store *store, const char *path, struct deadline d, struct buf *out,
		  enum blob_path_kind *kind, struct err *e) MUST_CHECK;

#endif
