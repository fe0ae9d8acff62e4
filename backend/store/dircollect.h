/* SPDX-License-Identifier: MIT */
/*
 * The components that one directory of a directory store holds, sorted: as files with one suffix,
 * as directories with another, and long ones in pieces (dirname.h).  What is spelled otherwise is
 * not there.  Whether a file is one, and no link, shows when it is opened.
 */
#ifndef BACKEND_STORE_DIRCOLLECT_H
#define BACKEND_STORE_DIRCOLLECT_H

#include <stdbool.h>

#include "base/buf.h"

struct dircollect_item {
	size_t at, n; /* of its key */
	bool directory;
};

struct dircollect {
	struct buf keys; /* a component "x" is "x" as a file and "x/" as a directory */
	struct dircollect_item *items;
	size_t n, room;
};

/*
 * Reads the directory fd.  file, directory: the suffixes; NULL = not of interest.  On success the
 * caller clears *out.
 */
int dircollect_read(int fd, const char *file, const char *directory, struct dircollect *out,
		    struct err *e) MUST_CHECK;
void dircollect_clear(struct dircollect *c); /* zeroed ones too */
#define AUTO_DIRCOLLECT struct dircollect CLEANUP(dircollect_clear)

static inline struct span
dircollect_key(const struct dircollect *c, struct dircollect_item item)
{
	return span_of(c->keys.p + item.at, item.n);
}

/* Whether a file's name is not hidden and has something before the suffix: *out_stem bytes. */
bool dircollect_ends_in(const char *name, const char *suffix, size_t *out_stem) MUST_CHECK;

/*
 * Calls each for every entry of the directory fd (which stays open) in no order, until it returns
 * an error.  link: it is known to be one.
 */
int dircollect_each(int fd, int (*each)(void *arg, const char *name, bool link, struct err *e),
		    void *arg, struct err *e) MUST_CHECK;

#endif
