/* SPDX-License-Identifier: MIT */
/*
 * The JSON of a feed: an object with an array of objects, which are found but not read.  Hostile
 * input.
 */
#ifndef BACKEND_STORE_COSMOSFEED_H
#define BACKEND_STORE_COSMOSFEED_H

#include "base/err.h"
#include "base/span.h"

enum { COSMOSFEED_ITEMS_MAX = 1 << 17 };

struct cosmosfeed {
	struct span *item; /* each from its '{' to its '}', in the page */
	size_t n, room;
};

/*
 * The objects in the array that the member so named holds.  What stands in them is not checked, so
 * that one that is odd does not take the others with it.  -EIO ("net.protocol"): no such page.
 * out is reset first; the caller clears it.
 */
int cosmosfeed_parse(struct span page, const char *member, struct cosmosfeed *out,
		     struct err *e) MUST_CHECK;
void cosmosfeed_clear(struct cosmosfeed *f);
#define AUTO_COSMOSFEED struct cosmosfeed CLEANUP(cosmosfeed_clear)

/*
 * The string that a member of an object holds (bytes, unescaped).  -EIO ("net.protocol") when the
 * text is no JSON object, or has no such string, or has it twice.
 */
struct buf;
int cosmosfeed_string(struct span object, const char *member, struct buf *out,
		      struct err *e) MUST_CHECK;

#endif
