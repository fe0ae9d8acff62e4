/* SPDX-License-Identifier: MIT */
/* Elastic thread pool: see pool.h. */
#include "base/pool.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mutex.h"

enum { IDLE_SECONDS = 10, STACK_BYTES = 512 << 10 };

struct pool {
	pthread_mutex_t mu;
	pthread_cond_t work;  /* a job was queued, or the pool closes */
	pthread_cond_t ended; /* a thread has ended */
	struct pool_job *first, **last;
	unsigned backlog, threads, idle, max_threads;
	bool closing, has_last;
	pthread_t last_ended; /* not joined yet: each thread that ends joins the one before it */
	char name[16];
};

int
pool_new(const char *name, unsigned max_threads, struct pool **out, struct err *e)
{
	struct pool *p = calloc(1, sizeof(*p));
	pthread_condattr_t attr;

	assert(max_threads >= 1 && max_threads <= 4096);
	if (p == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&p->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&p->work, &attr);
	(void)pthread_cond_init(&p->ended, &attr);
	(void)pthread_condattr_destroy(&attr);
	p->last = &p->first;
	p->max_threads = max_threads;
	(void)snprintf(p->name, sizeof(p->name), "az-%s", name);
	*out = p;
	return 0;
}

/*
 * The next job, waiting for one; NULL when this thread has been idle for long or the pool is
 * closing and empty.
 */
static struct pool_job *
next_job_locked(struct pool *p)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += IDLE_SECONDS;
	p->idle++;
	while (p->first == NULL && !p->closing)
		if (pthread_cond_timedwait(&p->work, &p->mu, &until) == ETIMEDOUT &&
		    p->first == NULL)
			break;
	p->idle--;
	struct pool_job *job = p->first;

	if (job == NULL)
		return NULL;
	p->first = job->next;
	if (p->first == NULL)
		p->last = &p->first;
	p->backlog--;
	job->next = NULL;
	return job;
}

/*
 * The end of a thread.  Not detached: pool_free must not return before what libraries
 * keep for each thread has been freed.  Gives the lock back.
 */
static void
leave_locked(struct pool *p)
{
	const bool join = p->has_last;
	const pthread_t before = p->last_ended;

	p->last_ended = pthread_self();
	p->has_last = true;
	(void)pthread_cond_broadcast(&p->ended);
	mutex_unlock(&p->mu);
	if (join)
		(void)pthread_join(before, NULL);
}

static void *
work(void *arg)
{
	struct pool *p = arg;

	(void)pthread_setname_np(pthread_self(), p->name);
	mutex_lock(&p->mu);
	for (struct pool_job *job; (job = next_job_locked(p)) != NULL;) {
		mutex_unlock(&p->mu);
		job->run(job);
		mutex_lock(&p->mu);
	}
	p->threads--;
	leave_locked(p);
	return NULL;
}

/* Signals belong to the main thread: only there do they wake the session loop. */
static bool
start_thread(struct pool *p)
{
	pthread_attr_t attr;
	sigset_t all, before;
	pthread_t id;
	int r;

	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&id, &attr, work, p);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	(void)pthread_attr_destroy(&attr);
	return r == 0;
}

void
pool_submit(struct pool *p, struct pool_job *job)
{
	bool alone = false;

	mutex_lock(&p->mu);
	assert(!p->closing || p->threads > 0); /* once it closes: from its own jobs only */
	job->next = NULL;
	*p->last = job;
	p->last = &job->next;
	p->backlog++;
	if (p->backlog > p->idle && p->threads < p->max_threads) {
		p->threads++;
		if (!start_thread(p)) {
			p->threads--;
			alone = p->threads == 0;
		}
	}
	(void)pthread_cond_signal(&p->work);
	if (alone) { /* no thread at all: better slow than never */
		p->idle++;
		job = next_job_locked(p);
		p->idle--;
	}
	mutex_unlock(&p->mu);
	if (alone && job != NULL)
		job->run(job);
}

unsigned
pool_backlog(struct pool *p)
{
	unsigned n;

	mutex_lock(&p->mu);
	n = p->backlog;
	mutex_unlock(&p->mu);
	return n;
}

void
pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	mutex_lock(&p->mu);
	p->closing = true;
	(void)pthread_cond_broadcast(&p->work);
	while (p->threads > 0)
		(void)pthread_cond_wait(&p->ended, &p->mu);
	mutex_unlock(&p->mu);
	if (p->has_last) /* it has joined the others, one after the other */
		(void)pthread_join(p->last_ended, NULL);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_cond_destroy(&p->ended);
	(void)pthread_mutex_destroy(&p->mu);
	free(p);
}
