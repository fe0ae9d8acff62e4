/* SPDX-License-Identifier: MIT */
/*
 * What reading (dir.c) and writing (dirwrite.c) a dir: store share: the store
 * itself, and how one version of an object is found in it.
 */
#ifndef BACKEND_STORE_DIRSTORE_H
#define BACKEND_STORE_DIRSTORE_H

#include <stdatomic.h>

#include "backend/store/dirplace.h"
#include "backend/store/dirupload.h"

struct dir_store {
	struct store store;
	int objects;
	char *prefix; /* "" or with a '/' at its end */
	struct diruploads uploads;
	_Atomic int64_t sweep_at_ns; /* when to look for leftovers again; on clock_now_ns */
};

static inline struct dir_store *
dirstore_of(struct store *s)
{
	return (struct dir_store *)s; /* store is the first member */
}

/* The name as the directory has it: with the prefix.  Initialises out, which the caller clears. */
int dirstore_name(const struct dir_store *ds, struct span name, struct buf *out,
		  struct err *e) MUST_CHECK;

/* Reads an object's metadata file; its place stays open for its content. */
int dirstore_find(const struct dir_store *ds, const char *name, struct dirplace *place,
		  struct dirmeta *meta, struct err *e) MUST_CHECK;

/*
 * The same and its content, both of one version whatever happens meanwhile.  meta is for
 * dirmeta_clear, also on failure; the caller closes *out_fd.
 */
int dirstore_open_version(const struct dir_store *ds, const char *name, struct dirmeta *meta,
			  int *out_fd, struct err *e) MUST_CHECK;

/* -ESTALE, event "remote.changed": another version is there than was asked for, or none. */
int dirstore_changed(struct err *e);

#endif
