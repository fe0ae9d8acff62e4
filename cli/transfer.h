/* SPDX-License-Identifier: MIT */
/*
 * What get and put share: several files on their way at a time, a bar while they are, and one
 * status at the end.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/pool.h"
#include "cli/command.h"
#include "cli/progress.h"

/* The caller fills the first part and calls transfer_start. */
struct transfer {
	const char *command; /* for what is printed */
	const struct command_target *t;
	bool many;     /* a failure is one of many: the status is EXIT_PARTIAL */
	unsigned jobs; /* at a time */
	/* --- */
	struct pool *pool;
	struct progress progress;
	atomic_bool stopped;
	pthread_mutex_t mu; /* guards what follows, drawing, and lines on stderr */
	pthread_cond_t fewer;
	unsigned queued;
	int status; /* EXIT_DONE, or of the failures so far */
};

/* One file; a command's own struct begins with it. */
struct transfer_job {
	struct pool_job base; /* first */
	struct transfer *of;
	uint64_t promised; /* bytes counted into the total */
	const char *what;  /* for a failure */
	int (*run)(struct transfer_job *j, struct err *e);
	void (*free)(struct transfer_job *j);
};

int transfer_start(struct transfer *x, struct err *e) MUST_CHECK;
/* Until every submitted file is done; nothing can be submitted then. */
void transfer_wait(struct transfer *x);
/* Queues the file (taken); waits while many are queued, so never from within a listing. */
void transfer_submit(struct transfer *x, struct transfer_job *j);
/* Tells of a failure and remembers the status for it. */
void transfer_failed(struct transfer *x, const char *what, const struct err *e);
/* For watch_start: draws the bar. */
void transfer_draw(void *transfer);

#endif
