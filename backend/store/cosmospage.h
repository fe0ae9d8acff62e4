/* SPDX-License-Identifier: MIT */
/*
 * One page of documents: which range is asked, how, and where the next page goes on.  A page is
 * one visit to one range; what the service has split meanwhile is asked in its parts.
 */
#ifndef BACKEND_STORE_COSMOSPAGE_H
#define BACKEND_STORE_COSMOSPAGE_H

#include "backend/store/cosmoscall.h"
#include "backend/store/cosmoscursor.h"

/* As docstore_page. */
int cosmospage_read(const struct cosmosservice *s, const struct docstore_at *at,
		    const struct docstore_select *sel, struct buf *cursor,
		    struct docstore_sink sink, struct docstore_page *out, struct deadline d,
		    struct err *e) MUST_CHECK;

#endif
