/* SPDX-License-Identifier: MIT */
/*
 * From store names to file names and back, without loss and without two names
 * ever meeting: docs/SEMANTICS.md, "Names".
 *
 * A store name is split at '/'; each component becomes one file name:
 *  - bytes 0x01-0x1F and 0x7F, and bytes that are not part of valid UTF-8, become %XX (upper case);
 *  - "." and ".." become "%2E" and "%2E%2E";
 *  - '%' becomes %25 where two upper-case hexadecimal digits follow, so that decoding cannot err;
 *  - the empty component becomes "%00" (no store name holds a NUL);
 *  - a file whose name is a directory's too gets "%00" at its end: the directory has the plain
 *    name;
 *  - what would be longer than 255 bytes is cut and ends in "%~" and 32 hexadecimal digits of its
 *    SHA-256: such an alias is found again by listing its directory.
 * A file name that no component would be turned into names nothing.
 */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"

enum { NAMES_FILE_MAX = 255 };

/*
 * The file name of one component; out is reset first and needs a ceiling of at least 255.
 * shadowed: add the mark of a file behind a directory.
 */
int names_escape(struct span component, bool shadowed, struct buf *out, struct err *e) MUST_CHECK;

enum names_kind {
	NAMES_NOTHING,	/* no component has this file name */
	NAMES_PLAIN,	/* out holds the component */
	NAMES_SHADOWED, /* out holds the component of a file behind a directory */
	NAMES_ALIAS	/* a cut name: list the directory and compare */
};

/* What a file name stands for; out is reset first. */
int names_unescape(const char *name, enum names_kind *kind, struct buf *out,
		   struct err *e) MUST_CHECK;

/*
 * The same for text that is a value and no component of a path: '/' is escaped too, and '=' at its
 * beginning (file names that begin with '=' are the caller's own); NUL is "%C0%80", since "%00" is
 * the empty text.  prefix and suffix stand around it as they are.  What would be too long is cut
 * before "%~", the 32 digits (of the uncut name's SHA-256, without suffix) and the suffix.
 */
int names_escape_value(const char *prefix, struct span value, const char *suffix, struct buf *out,
		       struct err *e) MUST_CHECK;
/* NAMES_PLAIN: out holds the value; NAMES_ALIAS: a cut name with that suffix. */
int names_unescape_value(const char *name, const char *prefix, const char *suffix,
			 enum names_kind *kind, struct buf *out, struct err *e) MUST_CHECK;

/* A 64-bit number for a path, for st_ino: the same for the same path, always; never 0 or 1. */
uint64_t names_ino(uint64_t parent_ino, const char *name);

#endif
