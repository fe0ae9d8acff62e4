/* SPDX-License-Identifier: MIT */
/*
 * What a user writes as SOURCE, taken apart.  Pure: nothing is contacted, opened or
 * believed.  The forms are listed at backend_open.
 */
#ifndef BACKEND_SOURCE_H
#define BACKEND_SOURCE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

enum source_place { SOURCE_AT_BLOBS, SOURCE_AT_COSMOS, SOURCE_AT_DIR };

struct source {
	enum source_place place;
	char *path;	 /* dir: the directory */
	bool https;	 /* the rest: not of a dir: */
	char *origin;	 /* "https://host[:port]" */
	char *service;	 /* the origin, or with path style the origin and "/ACCOUNT" */
	char *account;	 /* never NULL; at an unknown host of Cosmos, the host */
	char *database;	 /* Cosmos only: decoded; NULL = the whole account */
	char *container; /* decoded; NULL = all of them */
	char *prefix;	 /* blobs only: decoded, without '/' at its end; "" = the whole container */
};

/* A blob service whose address does not tell its account: from a connection string. */
struct source_endpoint {
	const char *url; /* without '/' at the end */
	const char *account;
};

/* Whether it is one of the forms of a Cosmos source, be it well-formed or not. */
bool source_is_cosmos(const char *text);

/*
 * known: NULL, or a service that may be meant.  -EINVAL: none of the forms, or it holds a secret;
 * no part of a query or of user info appears in *e, and the advice says where a SAS or a key goes.
 */
int source_parse(const char *text, const struct source_endpoint *known, struct source *out,
		 struct err *e) MUST_CHECK;
void source_clear(struct source *s);
#define AUTO_SOURCE struct source CLEANUP(source_clear)

#endif
