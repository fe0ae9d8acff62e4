/* SPDX-License-Identifier: MIT */
/* One request for the first segment of a cursor: its headers, its answer. */
#ifndef BACKEND_STORE_COSMOSVISIT_H
#define BACKEND_STORE_COSMOSVISIT_H

#include "backend/store/cosmoscall.h"
#include "backend/store/cosmoscursor.h"
#include "backend/store/cosmosfeed.h"

/* What all visits of one page share. */
struct cosmosvisit {
	const struct cosmosservice *service;
	const struct docstore_at *at;
	const struct docstore_select *sel;
	struct deadline d;
	const char *url;
	struct span query; /* body; n == 0: a feed is read */
	/* Of the last answer. */
	struct buf *body;
	struct cosmosfeed feed; /* lies in body */
	struct cosmosanswer answer;
};

/*
 * Asks the range that holds the beginning of c's first segment, which is cut to it.  Afterwards
 * v->answer has status 200 (and v->feed the documents) or, with changes, 304.
 */
int cosmosvisit_ask(struct cosmosvisit *v, struct cosmoscursor *c, struct err *e) MUST_CHECK;

/* The headers of requests about items of at's container. */
void cosmosvisit_about(struct cosmoscall *call, const struct docstore_at *at);

#endif
