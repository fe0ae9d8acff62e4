/* SPDX-License-Identifier: MIT */
/*
 * Writing the files of a directory store: a file is there as a whole or not at all, whenever the
 * writer is killed.  No link is followed.  One writer at a time in a directory.
 */
#ifndef BACKEND_STORE_DIRFILE_H
#define BACKEND_STORE_DIRFILE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/span.h"

/* What a file is called until it is whole. */
extern const char dirfile_temporary[];

/* Makes or replaces a file (mode 0600): written, synced, renamed into place.  The directory is the
 * caller's to sync. */
int dirfile_put(int at, const char *name, const char *suffix, struct span text,
		struct err *e) MUST_CHECK;
/* Removes a file; none is fine. */
int dirfile_remove(int at, const char *name, struct err *e) MUST_CHECK;
int dirfile_sync(int directory, struct err *e) MUST_CHECK;

#endif
