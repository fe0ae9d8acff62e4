/* SPDX-License-Identifier: MIT */
/*
 * When a document of a dir: store was changed, finer than the seconds of its _ts: what a mount has
 * put there says so in its _etag, "dir-NS-RANDOM", both in 16 hexadecimal digits, NS nanoseconds
 * since 1970.  Writers hold a lock, so that the order of stamps is that of the writes.
 */
#ifndef BACKEND_STORE_DOCDIRSTAMP_H
#define BACKEND_STORE_DOCDIRSTAMP_H

#include <stdint.h>

#include "backend/store/docstore.h"
#include "crypto/document.h"

struct docdirstamp {
	int64_t ts;  /* seconds since 1970 */
	uint32_t ns; /* within it, 1..999999999; 0: of a document that says nothing finer */
};

int docdirstamp_compare(const struct docdirstamp *a, const struct docdirstamp *b);

/* By the wall clock. */
struct docdirstamp docdirstamp_now(void);
/* Now, or the next moment after that one if the clock has gone back (NULL: now). */
struct docdirstamp docdirstamp_after(const struct docdirstamp *that);

/* A new ETag that says so, with its quotes; unlike all others. */
void docdirstamp_etag(const struct docdirstamp *s, char out[static DOCSTORE_ETAG_MAX + 1]);
/* What a document says of itself. */
struct docdirstamp docdirstamp_of(const struct document_head *head);

#endif
