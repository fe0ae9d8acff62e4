/* SPDX-License-Identifier: MIT */
/*
 * Beside a command that runs for long: a thread that hears SIGINT, SIGTERM and SIGHUP, and ticks
 * meanwhile.
 */
#ifndef CLI_WATCH_H
#define CLI_WATCH_H

#include <stdatomic.h>
#include <stdbool.h>

#include "backend/backend.h"

struct watch; /* opaque */

/* Before any thread is made: all of them inherit the mask, so that the signals are the watch's. */
void watch_block_signals(void);

/*
 * The first signal sets *stopped, ends every wait (clock_stop) and what runs in the network; later
 * ones change nothing.  tick is called about five times a second, NULL = not wanted.  All is
 * borrowed until watch_end, which waits for the thread.
 */
struct watch_config {
	struct backend *backend;
	atomic_bool *stopped;
	void (*tick)(void *arg);
	void *arg;
};
int watch_start(const struct watch_config *cfg, struct watch **out, struct err *e) MUST_CHECK;
void watch_end(struct watch *w);

#endif
