/* SPDX-License-Identifier: MIT */
/* Parked requests: see park.h. */
#include "fs/park.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/pool.h"
#include "fs/caller.h"

/* How often is asked whether somebody was killed who was interrupted before. */
static const int64_t LOOK_NS = 20 * NS_PER_MS;

struct park_watch {
	struct pool *pool; /* of one thread, while there is something to look after */
	struct pool_job job;
	pthread_mutex_t mu; /* a leaf: libfuse's lock of a request may be held */
	pthread_cond_t more;
	struct parked *first; /* guarded by mu */
	bool looks;	      /* guarded by mu: the job is queued or runs */
};

/* ---- the watch ---- */

static bool
gives_up(const struct parked *p)
{
	if (!p->changes && clock_now_ns() - p->since_ns >= PARK_PATIENCE_NS)
		return true;
	return caller_killed(p->thread) || caller_ending(p->thread) || !caller_known(p->thread);
}

/* Whether nothing is left to be looked after. */
static bool
settle(struct parked *p)
{
	if (!atomic_load(&p->answered) && !gives_up(p))
		return false;
	if (park_claim(p))
		(void)fuse_reply_err(p->req, EINTR);
	park_done(p);
	return true;
}

/* Waits for another interrupt or LOOK_NS. */
static void
wait_locked(struct park_watch *w)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += LOOK_NS;
	ts.tv_sec += ts.tv_nsec / NS_PER_S;
	ts.tv_nsec %= NS_PER_S;
	(void)pthread_cond_timedwait(&w->more, &w->mu, &ts);
}

static void
look(struct pool_job *job)
{
	struct park_watch *w = (struct park_watch *)(void *)((char *)job -
							     offsetof(struct park_watch, job));
	struct parked *kept = NULL, **end = &kept, *p, *next;

	mutex_lock(&w->mu);
	while (w->first != NULL || kept != NULL) {
		*end = w->first;
		w->first = NULL;
		mutex_unlock(&w->mu);
		for (p = kept, end = &kept; p != NULL; p = next) {
			next = p->next;
			if (settle(p))
				continue;
			*end = p;
			end = &p->next;
		}
		*end = NULL;
		mutex_lock(&w->mu);
		if (kept != NULL && w->first == NULL)
			wait_locked(w);
	}
	w->looks = false;
	mutex_unlock(&w->mu);
}

int
park_watch_new(struct park_watch **out, struct err *e)
{
	struct park_watch *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int r;

	if (w == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&w->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->more, &attr);
	(void)pthread_condattr_destroy(&attr);
	w->job.run = look;
	r = pool_new("answer", 1, &w->pool, e);
	if (r < 0) {
		park_watch_free(w);
		return r;
	}
	*out = w;
	return 0;
}

void
park_watch_free(struct park_watch *w)
{
	if (w == NULL)
		return;
	pool_free(w->pool);
	(void)pthread_cond_destroy(&w->more);
	(void)pthread_mutex_destroy(&w->mu);
	free(w);
}

/* ---- a request ---- */

static void
on_interrupt(fuse_req_t req, void *data)
{
	struct parked *p = data;
	struct park_watch *w = p->watch;
	bool start;

	(void)req;
	if (atomic_exchange(&p->interrupted, true))
		return;
	(void)atomic_fetch_add(&p->refs, 1);
	p->since_ns = clock_now_ns();
	mutex_lock(&w->mu);
	p->next = w->first;
	w->first = p;
	start = !w->looks;
	w->looks = true;
	(void)pthread_cond_signal(&w->more);
	mutex_unlock(&w->mu);
	if (start)
		pool_submit(w->pool, &w->job);
}

void
park_init(struct parked *p, fuse_req_t req, struct park_watch *w, void (*free)(struct parked *p))
{
	p->req = req;
	p->watch = w;
	p->free = free;
	p->thread = fuse_req_ctx(req)->pid;
	atomic_init(&p->refs, 1);
	atomic_init(&p->answered, false);
	atomic_init(&p->interrupted, false);
}

void
park(struct parked *p)
{
	fuse_req_interrupt_func(p->req, on_interrupt, p);
}

bool
park_claim(struct parked *p)
{
	if (atomic_exchange(&p->answered, true))
		return false;
	fuse_req_interrupt_func(p->req, NULL, NULL);
	return true;
}

void
park_done(struct parked *p)
{
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		p->free(p);
}
