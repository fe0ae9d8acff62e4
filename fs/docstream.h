/* SPDX-License-Identifier: MIT */
/*
 * A container, or a part of it, as one stream of lines: all.jsonl and parts/.  Pages are fetched
 * and unsealed ahead of the reader, in order; what has been read is kept for a little while only.
 *
 * Forward only: a read behind what is kept is -ESPIPE, one beyond what has come waits (and what
 * lies between is passed over).  Reads may come out of order within the kept window, as a kernel
 * that reads ahead sends them.  A document that does not unseal ends the stream with its error,
 * at its line: reads before it are answered, one that would reach it fails whole; nothing is left
 * out. What fails for now (-EIO, -ETIMEDOUT) fails who waits, and the next read tries again.
 *
 * Memory: a few pages, whatever the size of the container, and less when memory= is short.
 */
#ifndef FS_DOCSTREAM_H
#define FS_DOCSTREAM_H

#include "fs/docbox.h"
#include "fs/engine.h"
#include "fs/view.h"

struct docstream; /* opaque */

/* min, max: bounds of effective partition keys, copied.  Takes a reference to box. */
int docstream_new(struct engine *g, struct docbox *box, const char *min, const char *max,
		  struct docstream **out, struct err *e) MUST_CHECK;
void docstream_free(struct docstream *s); /* after its last read is done; never blocks */

/* As view_read; a read may end early at the end of the stream only. */
void docstream_read(struct docstream *s, struct view_read *r);
void docstream_read_release(struct view_read *r);

/* Runs through it all and counts the bytes that a reader would get (stream_size=scan). */
int docstream_measure(struct docbox *box, const char *min, const char *max, int64_t timeout_ns,
		      uint64_t *out, struct err *e) MUST_CHECK;

#endif
