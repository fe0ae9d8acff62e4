/* SPDX-License-Identifier: MIT */
/*
 * The staging area: the plain bytes of files that are being written, kept until they are published.
 *
 * Bytes lie in chunks.  The few that were touched last are plain, in memory; all others are sealed
 * (AES-256-GCM) under a key that the area draws and never tells: in memory as far as the limit
 * allows, beyond it in one unlinked file for each staging in the area's directory.  A chunk gets a
 * fresh nonce each time it is sealed, and its nonce and tag stay in memory: what comes back from
 * the file is this very chunk as it was written last, or -EIO (event "local.staging").
 *
 * A staging may have a base: bytes that it starts from, read when they are wanted.  Bytes that were
 * never written, nor are the base's, are zeros.
 *
 * Memory is of the data share: at most half of it for sealed chunks, a quarter for plain ones, and
 * for each staging a few plain ones whatever the limit says (STAGING_HOT_MIN).  What is left is for
 * sending it.
 */
#ifndef FS_STAGING_H
#define FS_STAGING_H

#include "base/budget.h"
#include "base/err.h"
#include "base/span.h"
#include "fs/viewwrite.h"

enum {
	STAGING_CHUNK = 256 << 10,
	STAGING_HOT_MIN = 2, /* plain chunks of each staging; more while memory allows: */
	STAGING_HOT_MAX = 34 /* two regions of 4 MiB, so that who seals one finds it plain */
};

struct staging_area; /* opaque; of a process; thread-safe */

/* dir: made absolute by the caller; looked at when it is first needed.  -EIO, -ENOMEM. */
/*
 * Memory of the data share that staging never takes: for a sealed block on its way.  What was
 * written must not take the memory through which it is sent: nobody would ever give any back.
 */
uint64_t staging_leaves(const struct budget *budget);
int staging_area_new(struct budget *budget, const char *dir, struct staging_area **out,
		     struct err *e) MUST_CHECK;
void staging_area_free(struct staging_area *a); /* after the last staging; NULL is fine */

struct staging; /* opaque; one thread at a time */

int staging_new(struct staging_area *a, struct staging **out, struct err *e) MUST_CHECK;
void staging_free(struct staging *s); /* wipes; NULL is fine */

/* Starts from size bytes that base gives (at any time until they are all here or cut off).  Only
 * while nothing has been written. */
void staging_set_base(struct staging *s, struct view_plain base, uint64_t size);

uint64_t staging_size(const struct staging *s);

/*
 * -ENOSPC when neither memory nor the area's directory takes it (event "local.space", the sentence
 * names staging=); -EFBIG; -EIO; what base said.  A write that fails has changed nothing, or what
 * it covers reads as part old and part new bytes: never as anything else.
 */
int staging_write(struct staging *s, uint64_t off, struct span bytes, struct err *e) MUST_CHECK;
/* Exactly n bytes, off + n <= staging_size. */
int staging_read(struct staging *s, uint64_t off, void *out, size_t n, struct err *e) MUST_CHECK;
/*
 * Lends the n bytes at off where they lie plain, for somebody who seals them for the store; NULL
 * when they are not in one plain chunk.  Until they are taken back they stay and may be read by
 * everybody, and their chunk is not written.  One loan at a time.
 *
 * Between the two, and without having the staging, the borrower puts the chunk away if memory is
 * full: while it is in the processor's cache, and before a writer has to.  Failures show when a
 * writer does.
 */
const uint8_t *staging_lend(struct staging *s, uint64_t off, size_t n);
void staging_put_away(struct staging *s);
void staging_take_back(struct staging *s);

/* Cuts off, or adds zeros. */
int staging_truncate(struct staging *s, uint64_t size, struct err *e) MUST_CHECK;

/*
 * Whether a write of n bytes at off would be done at once: in memory, with nothing to read from
 * base or file, and nothing to put into the file.
 */
bool staging_is_quick(const struct staging *s, uint64_t off, size_t n);

#endif
