/* SPDX-License-Identifier: MIT */
/*
 * Session tokens: how far each range of a container has been seen.  Sent with reads, they keep a
 * replica that lags behind from showing what was before.  Any thread may call.
 */
#ifndef BACKEND_STORE_COSMOSSESSION_H
#define BACKEND_STORE_COSMOSSESSION_H

#include "base/buf.h"
#include "base/err.h"

enum { COSMOSSESSION_TEXT_MAX = 4 << 10 /* bytes of what is sent with one request */ };

struct cosmossession; /* opaque */

int cosmossession_new(struct cosmossession **out, struct err *e) MUST_CHECK;
void cosmossession_free(struct cosmossession *s); /* NULL is fine */

/*
 * An answer's x-ms-session-token, "RANGE:VERSION#LSN...[,...]": the newest of each range is kept,
 * what is odd is not.  scope: which container.
 */
void cosmossession_note(struct cosmossession *s, const char *scope, const char *header);

/* The header for a request to one range, or (NULL) to the container; out stays empty when there is
 * nothing to say. */
int cosmossession_get(struct cosmossession *s, const char *scope, const char *range,
		      struct buf *out, struct err *e) MUST_CHECK;

/* Forgets what was seen of a container. */
void cosmossession_drop(struct cosmossession *s, const char *scope);

#endif
