/* SPDX-License-Identifier: MIT */
/*
 * Plain documents that a listing, a lookup or an open has brought: one page of a feed fills names,
 * sizes and bodies together, and an open right after it needs no request.  In memory only, least
 * recently used first out, within the data share of memory= (a third of it at most).
 *
 * A key is text that names one version of one document; the bytes of a version never change.
 */
#ifndef FS_DOCBODIES_H
#define FS_DOCBODIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/span.h"

struct docbodies; /* opaque, thread-safe */

struct docbody; /* immutable bytes, reference counted, wiped with the last reference */
struct span docbody_bytes(const struct docbody *b);
struct docbody *docbody_get(struct docbody *b); /* another reference */
void docbody_put(struct docbody *b);		/* NULL is fine */

/* Adds itself to the budget's evictors; outlives every user of the budget. */
int docbodies_new(struct budget *budget, struct docbodies **out, struct err *e) MUST_CHECK;
void docbodies_free(struct docbodies *d); /* every body has been put; NULL is fine */

/*
 * Makes a body of bytes (copied), one reference for the caller, and remembers it under key if there
 * is room; it is as good as new now.  -ENOMEM; -ETIMEDOUT when there is no memory for it up to the
 * deadline and must is set; without must, NULL in *out and 0.
 */
int docbodies_add(struct docbodies *d, struct span key, struct span bytes, bool must,
		  struct deadline deadline, struct docbody **out, struct err *e) MUST_CHECK;

/*
 * The body of that key, with a reference, or NULL.  *age_ns: since it was added or last confirmed
 * (may be NULL).
 */
struct docbody *docbodies_find(struct docbodies *d, struct span key, int64_t *age_ns);
/* The store has said that this version is still the current one. */
void docbodies_confirm(struct docbodies *d, struct span key);

#endif
