/* SPDX-License-Identifier: MIT */
/*
 * What a refusal of Cosmos DB means: an errno, a sentence and, where there is one, what the user
 * can do.  Source: docs/FORMATS.md, "Cosmos REST".
 */
#ifndef BACKEND_STORE_COSMOSERROR_H
#define BACKEND_STORE_COSMOSERROR_H

#include <stdbool.h>

#include "backend/net/http.h"
#include "base/err.h"
#include "base/span.h"

enum {
	COSMOS_SUB_PARTITION = 1001, /* 400: the partition is not one of this container's keys */
	COSMOS_SUB_SESSION = 1002,   /* 404: what the session token asks for is not here yet */
	COSMOS_SUB_RECREATED = 1024  /* 400: the container is another one of the same name */
};

/* x-ms-substatus; 0 when there is none, or it is no number. */
unsigned cosmoserror_substatus(const struct http_response *r);

/*
 * Records the failure that an answer other than 2xx and 304 stands for, and returns -errno.
 * partitioned: the request named a partition.  Text that the service wrote is not repeated, but
 * for its code, one word.
 */
int cosmoserror_set(const struct http_response *r, bool partitioned, struct err *e);

/*
 * The same of a write that was not carried out.  replaces: a version was named; sent: the document,
 * n == 0 when there is none.  Of a 400 the service's sentence is repeated, bounded and without any
 * word that stands in the document.
 */
int cosmoserror_set_write(const struct http_response *r, bool replaces, struct span sent,
			  struct err *e);

/* -EIO for an answer that is not what was asked for ("net.protocol"). */
int cosmoserror_broken(struct err *e, const char *what);

#endif
