/* SPDX-License-Identifier: MIT */
/*
 * A FUSE request that is answered later, by whoever is first: the work that was
 * done for it, or an interrupt.
 *
 * The kernel tells of a signal once, whatever it is: a timer's, a child's end, Ctrl-Z.  Programs
 * know that a call on a terminal may fail with EINTR, and do not expect it of a file.  So an
 * interrupted request goes on, and is answered with EINTR when
 *
 *   - whoever waits has been killed, or is not known: at once;
 *   - it only asks, and PARK_PATIENCE_NS have passed: it is stuck.  What changes something goes on
 *     to its end: nobody could say whether it was done.
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
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/fuse.h"

static const int64_t PARK_PATIENCE_NS = INT64_C(2000000000);

struct park_watch; /* opaque; who looks after interrupted requests; thread-safe */

struct parked {
	fuse_req_t req; /* first */
	struct park_watch *watch;
	atomic_uint refs;	 /* the work, and the watch */
	atomic_bool answered;	 /* whoever sets it answers */
	atomic_bool interrupted; /* it has been given to the watch */
	pid_t thread;		 /* who waits, as the kernel names it */
	bool changes;		 /* see above; set before park */
	void (*free)(struct parked *p);
	struct parked *next; /* the watch's */
	int64_t since_ns;    /* the watch's */
};

int park_watch_new(struct park_watch **out, struct err *e) MUST_CHECK;
/* After the last work is done.  NULL is fine. */
void park_watch_free(struct park_watch *w);

/* free is called when neither the work nor the watch needs the request any more. */
void park_init(struct parked *p, fuse_req_t req, struct park_watch *w,
	       void (*free)(struct parked *p));

/* From here on an interrupt may answer it.  Called once or never, just before it is handed over. */
void park(struct parked *p);

/*
 * The work is done: true when the caller must answer the request now, false when an interrupt has.
 */
bool park_claim(struct parked *p);

/* The caller has answered, or need not. */
void park_done(struct parked *p);

#endif
