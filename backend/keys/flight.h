/* SPDX-License-Identifier: MIT */
/*
 * A flight: one question under way, and all who want its answer.  The caller that made it leads and
 * asks; the others wait on it.  Counting who still needs it, and what the answer is, are its
 * owner's business; the owner's lock guards all of it and is given up while somebody waits.
 */
#ifndef BACKEND_KEYS_FLIGHT_H
#define BACKEND_KEYS_FLIGHT_H

#include <pthread.h>
#include <stdbool.h>

#include "base/clock.h"
#include "base/err.h"

struct flight {
	bool done;
	pthread_cond_t landed;
	struct err failure; /* when done; no 0: it went well */
};

void flight_init(struct flight *f);
void flight_destroy(struct flight *f); /* nobody waits */

/* Ends it with *failure, which may be none, and tells all who wait. */
void flight_land_locked(struct flight *f, const struct err *failure);

/*
 * Waits until it has landed, at most to the deadline: 0, or how it failed.  *again: whoever led it
 * ran out of luck, and this caller has time left to try for itself.
 */
int flight_wait_locked(struct flight *f, pthread_mutex_t *mu, struct deadline d, bool *again,
		       struct err *e) MUST_CHECK;

/* Whether a failure is the answer to the question, for everybody and for a while; others are of one
 * caller's time or connection. */
bool flight_is_verdict(int no);

#endif
