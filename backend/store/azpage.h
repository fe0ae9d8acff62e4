/* SPDX-License-Identifier: MIT */
/*
 * One page of a listing of Azure Blob: the request, and nothing but what it
 * asked for into the sink.  Source: docs/FORMATS.md, "Blob listing".
 */
#ifndef BACKEND_STORE_AZPAGE_H
#define BACKEND_STORE_AZPAGE_H

#include "backend/store/azget.h"

enum { AZPAGE_URL_MAX = 64 << 10 };

/* Where a store begins.  Strings are borrowed. */
struct azroot {
	struct azservice service;
	const char *url;    /* the service's, without a '/' at its end */
	const char *prefix; /* of all keys; entries come without it */
	bool account;	    /* all containers: names are "CONTAINER/KEY" */
};

/* Where a name, or the names that begin so, lie.  The spans are borrowed from the store and the
 * name. */
struct azplace {
	struct span container; /* n == 0: among the containers themselves */
	struct span key;       /* below the store's prefix */
};

struct azpage {
	struct azplace place;
	bool delimited;
	unsigned max; /* 0 = the service's own choice */
	struct buf *marker;
};

/* Asks for the page after p->marker, which is moved on; see store_list. */
int azpage_list(const struct azroot *root, const struct azpage *p, struct store_list_sink sink,
		struct deadline d, struct err *e) MUST_CHECK;

/* Appends the URL of a container, or of the service with a '/' (n == 0). */
int azpage_container_url(const struct azroot *root, struct span container, struct buf *url,
			 struct err *e) MUST_CHECK;

/* Records that a listing has what it must not have: -EIO, event "net.protocol". */
int azpage_refuse(struct err *e, const char *what);

#endif
