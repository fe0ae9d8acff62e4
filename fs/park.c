/* SPDX-License-Identifier: MIT */
/* Parked requests: see park.h. */
#include "fs/park.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "fs/caller.h"

/* How often is asked whether somebody was killed who was interrupted before. */
static const int64_t LOOK_NS = 20 * NS_PER_MS;

struct park_watch {
	pthread_t thread;   /* its own: an interrupt must never wait for one to be made */
	pthread_mutex_t mu; /* a leaf: libfuse's lock of a request may be held */
	pthread_cond_t more;
	struct parked *first; /* guarded by mu, as what follows */
	bool ends;
};

/* ---- the watch ---- */

static bool
gives_up(const struct parked *p)
{
	if (!p->changes && clock_now_ns() - p->since_ns >= PARK_PATIENCE_NS)
		return true;
	return caller_state(p->thread) != CALLER_LIVES;
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

/* Waits for another interrupt; with something to look after no longer than LOOK_NS. */
static void
wait_locked(struct park_watch *w, bool looks)
{
	struct timespec ts;

	if (!looks) {
		(void)pthread_cond_wait(&w->more, &w->mu);
		return;
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ts.tv_nsec += LOOK_NS;
	ts.tv_sec += ts.tv_nsec / NS_PER_S;
	ts.tv_nsec %= NS_PER_S;
	(void)pthread_cond_timedwait(&w->more, &w->mu, &ts);
}

/* Settles what it can; the rest. */
static struct parked *
look(struct parked *all)
{
	struct parked *kept = NULL, **end = &kept, *next;

	for (struct parked *p = all; p != NULL; p = next) {
		next = p->next;
		if (settle(p))
			continue;
		*end = p;
		end = &p->next;
	}
	*end = NULL;
	return kept;
}

static struct parked *
joined(struct parked *a, struct parked *b)
{
	struct parked **end = &a;

	while (*end != NULL)
		end = &(*end)->next;
	*end = b;
	return a;
}

static void *
watch(void *arg)
{
	struct park_watch *w = arg;
	struct parked *kept = NULL;

	(void)pthread_setname_np(pthread_self(), "az-interrupt");
	mutex_lock(&w->mu);
	while (!w->ends || w->first != NULL || kept != NULL) {
		if (w->first == NULL)
			wait_locked(w, kept != NULL);
		kept = joined(w->first, kept);
		w->first = NULL;
		mutex_unlock(&w->mu);
		kept = look(kept);
		mutex_lock(&w->mu);
	}
	mutex_unlock(&w->mu);
	return NULL;
}

static void
watch_free(struct park_watch *w)
{
	(void)pthread_cond_destroy(&w->more);
	(void)pthread_mutex_destroy(&w->mu);
	free(w);
}

int
park_watch_new(struct park_watch **out, struct err *e)
{
	struct park_watch *w = calloc(1, sizeof(*w));
	pthread_condattr_t attr;
	sigset_t all, before;
	int no;

	if (w == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&w->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->more, &attr);
	(void)pthread_condattr_destroy(&attr);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are the main thread's */
	no = pthread_create(&w->thread, NULL, watch, w);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (no != 0) {
		watch_free(w);
		return err_set(e, no, "cannot start a thread: %s", strerror(no));
	}
	*out = w;
	return 0;
}

void
park_watch_free(struct park_watch *w)
{
	if (w == NULL)
		return;
	mutex_lock(&w->mu);
	w->ends = true;
	(void)pthread_cond_signal(&w->more);
	mutex_unlock(&w->mu);
	(void)pthread_join(w->thread, NULL);
	watch_free(w);
}

/* ---- a request ---- */

static void
on_interrupt(fuse_req_t req, void *data)
{
	struct parked *p = data;
	struct park_watch *w = p->watch;

	(void)req;
	if (atomic_exchange(&p->interrupted, true))
		return;
	(void)atomic_fetch_add(&p->refs, 1);
	p->since_ns = clock_now_ns();
	mutex_lock(&w->mu);
	p->next = w->first;
	w->first = p;
	(void)pthread_cond_signal(&w->more);
	mutex_unlock(&w->mu);
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
