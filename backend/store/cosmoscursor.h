/* SPDX-License-Identifier: MIT */
/*
 * Where a walk over a container stands: the parts of the effective partition keys that are not
 * finished, each with the position that the service gave.  As text it goes through files and other
 * processes, so it is hostile input again.
 */
#ifndef BACKEND_STORE_COSMOSCURSOR_H
#define BACKEND_STORE_COSMOSCURSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/store/cosmosrange.h"
#include "backend/store/docstore.h"

enum { COSMOSCURSOR_QUIET_MAX = 100 };

enum cosmoscursor_kind {
	COSMOSCURSOR_FEED,
	COSMOSCURSOR_QUERY,
	COSMOSCURSOR_PARTITION, /* one segment, which is no range */
	COSMOSCURSOR_CHANGES
};

struct cosmossegment {
	char *min, *max;
	char *position; /* NULL: at its start */
};

struct cosmoscursor {
	enum cosmoscursor_kind kind;
	char *rid;	/* the container's, "" = not known */
	int64_t from_s; /* changes: where segments without position start; -1 = at the beginning */
	/*
	 * Changes: so many segments, the last ones, have had nothing new since a document came.
	 * Else: so many pages in a row have brought nothing and not moved.
	 */
	size_t quiet;
	struct cosmossegment *segment; /* the first is next */
	size_t n, room;
};

/* One segment, [min, max). */
int cosmoscursor_new(enum cosmoscursor_kind kind, const char *rid, const char *min, const char *max,
		     struct cosmoscursor *out, struct err *e) MUST_CHECK;
void cosmoscursor_clear(struct cosmoscursor *c);
#define AUTO_COSMOSCURSOR struct cosmoscursor CLEANUP(cosmoscursor_clear)

/* -EINVAL: no cursor, or one of another kind.  The caller clears *out on success. */
int cosmoscursor_parse(struct span text, enum cosmoscursor_kind kind, struct cosmoscursor *out,
		       struct err *e) MUST_CHECK;
/* Appends. */
int cosmoscursor_write(const struct cosmoscursor *c, struct buf *out, struct err *e) MUST_CHECK;

/* Cuts the first segment where its range ends; what is cut off comes next, with its position. */
int cosmoscursor_cut(struct cosmoscursor *c, const struct cosmosrange *range,
		     struct err *e) MUST_CHECK;
/* Sets the position of the first segment; NULL, "" = it is finished, and goes. */
int cosmoscursor_advance(struct cosmoscursor *c, const char *position, struct err *e) MUST_CHECK;
/* The first segment becomes the last. */
void cosmoscursor_rotate(struct cosmoscursor *c);

#endif
