/* SPDX-License-Identifier: MIT */
/*
 * An elastic pool of worker threads.  A job that blocks on the network costs
 * one thread; as long as a pool may still grow, a stuck job never delays
 * another one.  Threads are made on demand, block all signals, have small
 * stacks and end after some idle seconds.
 */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include "base/attr.h"
#include "base/err.h"

struct pool; /* opaque */

struct pool_job {
	void (*run)(struct pool_job
			    *job); /* owns the job from here on; the pool does not touch it again */
	struct pool_job *next;	   /* the pool's while queued */
};

/* name: at most 10 characters, shows in the thread's name.  max_threads 1..4096. */
int pool_new(const char *name, unsigned max_threads, struct pool **out, struct err *e) MUST_CHECK;

/*
 * Queues a job, first in first out; never fails: when no thread can be made, an existing one runs
 * it later.
 */
void pool_submit(struct pool *p, struct pool_job *job);

/* Jobs queued but not yet taken by a thread. */
unsigned pool_backlog(struct pool *p);

/*
 * Waits until all submitted jobs have run, and those that they submit to the same pool, then ends
 * the threads and frees the pool.  NULL is fine.
 */
void pool_free(struct pool *p);

#endif
