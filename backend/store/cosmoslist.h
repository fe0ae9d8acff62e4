/* SPDX-License-Identifier: MIT */
/* Feeds of resources that are read to their end: names, keys, ranges. */
#ifndef BACKEND_STORE_COSMOSLIST_H
#define BACKEND_STORE_COSMOSLIST_H

#include "backend/store/cosmoscall.h"

/*
 * GET of all pages below url; sink gets each object in the array that member holds, a page at a
 * time.
 */
int cosmoslist_all(const struct cosmosservice *s, const char *url, const char *member,
		   struct docstore_sink sink, struct deadline d, struct err *e) MUST_CHECK;

#endif
