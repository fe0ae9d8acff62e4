/* SPDX-License-Identifier: MIT */
/* Listing a dir: store: in the byte order of names, as the service does. */
#ifndef BACKEND_STORE_DIRLIST_H
#define BACKEND_STORE_DIRLIST_H

#include "backend/store/store.h"

struct dirlist_request {
	int objects;	    /* the directory objects/ */
	struct span prefix; /* whole names begin so */
	size_t drop;	    /* bytes of it that entries leave out */
	bool delimited;
	unsigned max; /* entries; 0 = a full page */
};

/* One page after *cursor, which is the last name of the page before; see store_list. */
int dirlist_page(const struct dirlist_request *req, struct buf *cursor, struct store_list_sink sink,
		 struct deadline d, struct err *e) MUST_CHECK;

/* Whether any object lies in the directory fd or below it: *out. */
int dirlist_has_object(int fd, bool *out, struct err *e) MUST_CHECK;

#endif
