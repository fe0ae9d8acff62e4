/* SPDX-License-Identifier: MIT */
/*
 * What an account has said and will say again: the _rid of a database, the ranges of a container.
 * Bounded; any thread may call.
 */
#ifndef BACKEND_STORE_COSMOSKNOWN_H
#define BACKEND_STORE_COSMOSKNOWN_H

#include "backend/store/cosmoscall.h"
#include "backend/store/cosmosrange.h"

int cosmosknown_new(struct cosmosknown **out, struct err *e) MUST_CHECK;
void cosmosknown_free(struct cosmosknown *k); /* NULL is fine */

/* Appends the database's _rid; asks for it the first time. */
int cosmosknown_database(const struct cosmosservice *s, const char *database, struct buf *out,
			 struct deadline d, struct err *e) MUST_CHECK;
void cosmosknown_forget_database(struct cosmosknown *k, const char *database);

/*
 * The ranges of at's container; stale: a map that has turned out to be old, NULL.  The caller puts
 * *out.
 */
int cosmosknown_ranges(const struct cosmosservice *s, const struct docstore_at *at,
		       const struct cosmosmap *stale, struct cosmosmap **out, struct deadline d,
		       struct err *e) MUST_CHECK;
/* The same, asked for in any case. */
int cosmosknown_ranges_now(const struct cosmosservice *s, const struct docstore_at *at,
			   struct cosmosmap **out, struct deadline d, struct err *e) MUST_CHECK;
void cosmosknown_put(struct cosmosknown *k, struct cosmosmap *m); /* NULL is fine */

#endif
