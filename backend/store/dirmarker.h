/* SPDX-License-Identifier: MIT */
/*
 * The file at the top of every directory store that says what the directory holds.  Source:
 * docs/FORMATS.md, "The dir: store".
 */
#ifndef BACKEND_STORE_DIRMARKER_H
#define BACKEND_STORE_DIRMARKER_H

#include "base/attr.h"
#include "base/err.h"

enum dirmarker_kind { DIRMARKER_BLOBS, DIRMARKER_DOCUMENTS };

extern const char dirmarker_file[];

/* What it holds; -EINVAL when it is no directory store, or of a newer version or another kind. */
int dirmarker_read(int root, enum dirmarker_kind *out, struct err *e) MUST_CHECK;

/* The text of the marker of a store of that kind. */
const char *dirmarker_text(enum dirmarker_kind kind);

/*
 * Opens the directory name of the store at path, which must be of that kind.  -ENOENT, -ENOTDIR,
 * -EINVAL; the caller closes *out.
 */
int dirmarker_open(const char *path, enum dirmarker_kind kind, const char *name, int *out,
		   struct err *e) MUST_CHECK;

#endif
