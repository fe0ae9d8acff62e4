/* SPDX-License-Identifier: MIT */
/*
 * Where the writers of a dir: store prepare files: the directory objects/.uploads, which no name
 * leads to.  Source: docs/FORMATS.md, "The dir: store".
 *
 *   lock      its bytes are locked, one for each name, while a version takes another's place
 *   ID.part   content under way, with a shared flock by whoever fills it
 *   ID.new    a metadata file under way
 *   ID.old    a metadata file whose place was taken, until its content is gone
 *
 * ID is 32 hexadecimal digits, and random.  Whatever a killed writer leaves is told from what is
 * alive by its age and the flock, and says itself which other file has to go: dirsweep.h.
 */
#ifndef BACKEND_STORE_DIRSTAGE_H
#define BACKEND_STORE_DIRSTAGE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"

enum { DIRSTAGE_ID = 16, DIRSTAGE_FILE = 2 * DIRSTAGE_ID + 8 };

extern const char dirstage_part[], dirstage_new[], dirstage_old[];

/* Opens the directory, made when it is not there.  The caller closes *out. */
int dirstage_open(int objects, int *out, struct err *e) MUST_CHECK;

/* The name of a file in it. */
void dirstage_name(const uint8_t id[static DIRSTAGE_ID], const char *suffix,
		   char out[static DIRSTAGE_FILE]);

/* Prints n bytes as 2 * n hexadecimal digits. */
void dirstage_hex(const uint8_t *p, size_t n, char *out);

/* Opens a file to fill (mode 0600), made when it is not there.  The caller closes *out. */
int dirstage_make(int stage, const char *file, int *out, struct err *e) MUST_CHECK;

/* Writes all of it there.  -ETIMEDOUT, -ENOSPC, ... */
int dirstage_write(int fd, struct span bytes, uint64_t off, struct deadline d,
		   struct err *e) MUST_CHECK;
int dirstage_sync(int fd, struct err *e) MUST_CHECK;

/*
 * Waits until nobody else, thread or process, holds the lock of that name.  -ETIMEDOUT.  Closing
 * *out gives it back.
 */
int dirstage_lock(int stage, struct span name, struct deadline d, int *out,
		  struct err *e) MUST_CHECK;

#endif
