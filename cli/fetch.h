/* SPDX-License-Identifier: MIT */
/* What get does with files: several on their way at a time, each whole or not at all. */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/pool.h"
#include "cli/command.h"
#include "cli/progress.h"

/* What all files of one run share. The caller fills the first part and calls fetch_start. */
struct fetch {
	const struct command_target *t;
	bool force;    /* write over what is there */
	bool many;     /* a failure is one of many: the status is EXIT_PARTIAL */
	unsigned jobs; /* at a time */
	int root;      /* directory that everything goes below; -1 until it is known */
	/* --- */
	struct pool *pool;
	struct progress progress;
	atomic_bool stopped;
	pthread_mutex_t mu; /* guards what follows, drawing, and lines on stderr */
	pthread_cond_t fewer;
	unsigned queued;
	int status; /* EXIT_DONE, or of the failures so far */
};

struct fetch_job; /* one file */

int fetch_start(struct fetch *f, struct err *e) MUST_CHECK;
void fetch_wait(
	struct fetch *f); /* until every submitted file is done; nothing can be submitted then */

/*
 * A file that a listing or a lookup told of: from is its path in the view, to its path below root.
 */
int fetch_job_new(struct fetch *f, const char *from, const char *to, const struct view_item *item,
		  struct fetch_job **out, struct err *e) MUST_CHECK;
void fetch_job_free(struct fetch_job *j);

/* Queues the file (taken); waits while many are queued, so never from within a listing. */
void fetch_submit(struct fetch *f, struct fetch_job *j);

/* Tells of a failure and remembers the status for it. */
void fetch_failed(struct fetch *f, const char *what, const struct err *e);

#endif
