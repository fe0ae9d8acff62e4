/* SPDX-License-Identifier: MIT */
/*
 * Which names of a dir: store of documents a selection asks for.
 *
 * A document's effective partition key is its P, 16 digits.  Bounds are compared with it as text,
 * whatever their length: they may be those that another store once gave.  Every P, of which some
 * begin with FF, lies below the bound "FF", which so means the end, as it does in the service.
 */
#ifndef BACKEND_STORE_DOCDIRRANGE_H
#define BACKEND_STORE_DOCDIRRANGE_H

#include "backend/store/docname.h"
#include "backend/store/docstore.h"

struct docdirrange {
	const char *min, *max; /* max NULL: to the end */
	bool one;	       /* only this P */
	uint8_t partition[DOCNAME_PARTITION];
};

/* The selection's texts must outlive it.  -EINVAL: they are no bounds. */
int docdirrange_of(const struct docstore_select *sel, struct docdirrange *out,
		   struct err *e) MUST_CHECK;

/* Whether the directory HH may hold such names. */
bool docdirrange_meets(const struct docdirrange *r, uint8_t first);
bool docdirrange_has(const struct docdirrange *r, const struct docname *name);

#endif
