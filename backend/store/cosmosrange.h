/* SPDX-License-Identifier: MIT */
/*
 * The physical ranges of a container: which part of the effective partition keys each of them
 * holds.  Keys are upper-case hexadecimal text, ordered as bytes; "" is the least, "FF" the end.
 */
#ifndef BACKEND_STORE_COSMOSRANGE_H
#define BACKEND_STORE_COSMOSRANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/span.h"

enum {
	COSMOSRANGE_MAX = 8192,
	COSMOSRANGE_GONE_MAX = 1 << 17 /* each range names all that it has come from */
};

struct cosmosrange {
	char *id, *min, *max;
};

/* Immutable once finished; shared by count. */
struct cosmosmap {
	char *rid; /* the container's, as far as it was known; "" */
	struct cosmosrange *range;
	size_t n;
	/* Until it is finished: ids of ranges that others have come from. */
	char **gone;
	size_t n_gone, room_gone;
	unsigned refs; /* guarded by whoever shares it */
};

int cosmosmap_new(const char *rid, struct cosmosmap **out, struct err *e) MUST_CHECK;
void cosmosmap_free(struct cosmosmap *m); /* NULL is fine */

/* One item of a feed of ranges.  -EIO ("net.protocol"): it is none. */
int cosmosmap_add(struct cosmosmap *m, struct span item, struct err *e) MUST_CHECK;
/* Drops those that have been split or merged, sorts.  -EIO when there are gaps or overlaps. */
int cosmosmap_finish(struct cosmosmap *m, struct err *e) MUST_CHECK;

/* The range that holds a key below "FF". */
const struct cosmosrange *cosmosmap_find(const struct cosmosmap *m, const char *key);

/* Upper-case hexadecimal, of a length that keys have. */
bool cosmosrange_is_key(const char *text);

#endif
