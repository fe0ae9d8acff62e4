/* SPDX-License-Identifier: MIT */
/*
 * A FUSE request that is answered later, by whoever is first: the work that was
 * done for it, or an interrupt.
 *
 * The rules behind it: the interrupt callback is registered before the request is handed over; it
 * only marks and wakes (libfuse holds the request's lock meanwhile) and the answer comes from
 * another thread; before any answer fuse_req_interrupt_func(req, NULL, NULL) waits for a callback
 * that is still running.  From park on the request may be answered, and so be gone, at any moment,
 * and with it what its caller borrowed for it (a released handle): all that the work needs of it
 * is taken before.
 */
#ifndef FS_PARK_H
#define FS_PARK_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/pool.h"
#include "fs/fuse.h"

struct parked {
	struct pool_job answer_interrupt; /* first */
	fuse_req_t req;
	struct pool *answerers;
	atomic_uint refs;     /* the work, and an interrupt that is being answered */
	atomic_bool answered; /* whoever sets it answers */
	atomic_bool
		interrupted; /* answer_interrupt has been submitted: it can be in one queue once */
	void (*free)(struct parked *p);
};

/* free is called when neither the work nor an interrupt needs the request any more. */
void park_init(struct parked *p, fuse_req_t req, struct pool *answerers,
	       void (*free)(struct parked *p));

/* From here on an interrupt answers it.  Called once, or not at all, just before it is handed over. */
void park(struct parked *p);

/*
 * The work is done: true when the caller must answer the request now, false when an interrupt has.
 */
bool park_claim(struct parked *p);

/* The caller has answered, or need not. */
void park_done(struct parked *p);

#endif
