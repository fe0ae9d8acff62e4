/* SPDX-License-Identifier: MIT */
/*
 * Which spans to fetch ahead.  A file has a few streams, so that two readers
 * that take turns both count as sequential; each stream's depth starts at two
 * spans and doubles up to sixteen while its reader has to wait.
 *
 * Pure: no locks (the caller holds the span cache's), no I/O.
 */
#ifndef FS_AHEAD_H
#define FS_AHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AHEAD_STREAMS = 8, AHEAD_DEPTH_MIN = 2, AHEAD_DEPTH_MAX = 16 };

struct stream {
	uint64_t next;	    /* plain offset where it should go on */
	uint64_t run;	    /* bytes read in a row so far */
	uint64_t last_used; /* tick of its last read; 0 = free */
	uint64_t horizon;   /* first span not yet asked for */
	unsigned depth;
};

struct ahead {
	struct stream stream[AHEAD_STREAMS];
	uint64_t tick;
};

/* What to do after a read: fetch spans first..end-1 (none when first == end). */
struct ahead_plan {
	uint64_t first, end;
	bool sequential; /* the read continued a stream (or began one at offset 0) */
	unsigned stream; /* which one */
};

struct ahead_read {
	uint64_t off;
	size_t len;
	uint64_t last_span; /* the last that it touches */
	uint64_t n_spans;   /* the plan never reaches it */
	bool waited;	    /* its span was not at hand */
	unsigned depth_max; /* what the store's distance makes worth while */
};

/* Notes a read. */
struct ahead_plan ahead_note(struct ahead *a, const struct ahead_read *r);

/* Only spans before `reached` could be asked for: the rest of the plan is left for a later read. */
void ahead_cut(struct ahead *a, const struct ahead_plan *plan, uint64_t reached);

#endif
