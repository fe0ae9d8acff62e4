/* SPDX-License-Identifier: MIT */
/*
 * Parked requests: one answer each, by the work or by the interrupt, whoever is first.  libfuse's
 * two functions that matter here are replaced by ones that record; their locking is as libfuse's:
 * the callback runs under the request's lock, and taking it back waits for that.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mutex.h"
#include "fs/park.h"

struct fuse_req {
	struct fuse_ctx ctx; /* .pid 0: unknown, as when it is of another PID namespace */
	pthread_mutex_t lock;
	fuse_interrupt_func_t func;
	void *data;
	bool interrupted;
	atomic_uint answers;
	atomic_int last;
};

void
fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
	mutex_lock(&req->lock);
	req->func = func;
	req->data = data;
	if (req->interrupted && func != NULL)
		func(req, data);
	mutex_unlock(&req->lock);
}

const struct fuse_ctx *
fuse_req_ctx(fuse_req_t req)
{
	return &req->ctx;
}

int
fuse_reply_err(fuse_req_t req, int err)
{
	atomic_fetch_add(&req->answers, 1);
	atomic_store(&req->last, err);
	return 0;
}

static void
interrupt(struct fuse_req *req)
{
	mutex_lock(&req->lock);
	req->interrupted = true;
	if (req->func != NULL)
		req->func(req, req->data);
	mutex_unlock(&req->lock);
}

struct request {
	struct parked parked; /* first */
	struct fuse_req req;
	atomic_uint freed;
};

static struct park_watch *watch;

static void
count_free(struct parked *p)
{
	atomic_fetch_add(&((struct request *)(void *)p)->freed, 1);
}

static void
init(struct request *r)
{
	*r = (struct request){ .req = { .lock = PTHREAD_MUTEX_INITIALIZER } };
}

/* What the work does at its end. */
static void
finish(struct request *r)
{
	if (park_claim(&r->parked))
		(void)fuse_reply_err(&r->req, 0);
	park_done(&r->parked);
}

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return park_watch_new(&watch, &e);
}

static void
expect(struct request *r, int answer)
{
	assert_int_equal(atomic_load(&r->req.answers), 1);
	assert_int_equal(atomic_load(&r->req.last), answer);
	assert_int_equal(atomic_load(&r->freed), 1);
}

static void
work_answers_when_nobody_interrupts(void **state)
{
	struct request r;

	(void)state;
	init(&r);
	park_init(&r.parked, &r.req, watch, count_free);
	park(&r.parked);
	finish(&r);
	interrupt(&r.req); /* too late: nobody listens */
	park_watch_free(watch);
	expect(&r, 0);
}

static void
an_interrupt_answers_and_the_work_does_not(void **state)
{
	struct request r;

	(void)state;
	init(&r);
	park_init(&r.parked, &r.req, watch, count_free);
	park(&r.parked);
	interrupt(&r.req);
	interrupt(&r.req); /* once more changes nothing */
	park_watch_free(watch);
	assert_int_equal(atomic_load(&r.freed), 0); /* the work still needs it */
	finish(&r);
	expect(&r, EINTR);
}

/* What the work needs of the request is taken between the two. */
static void
an_interrupt_is_heard_from_park_on_and_not_before(void **state)
{
	struct request r;

	(void)state;
	init(&r);
	park_init(&r.parked, &r.req, watch, count_free);
	interrupt(&r.req);
	assert_int_equal(atomic_load(&r.req.answers), 0);
	park(&r.parked);
	park_watch_free(watch);
	assert_int_equal(atomic_load(&r.req.answers), 1);
	finish(&r);
	expect(&r, EINTR);
}

/* ---- of whom it is known that he lives ---- */

static _Atomic int64_t passed_ns;

static int64_t
moved_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec + atomic_load(&passed_ns);
}

static const struct clock_ops moved = { .now_ns = moved_now };

static void
look_a_few_times(void)
{
	(void)nanosleep(&(struct timespec){ .tv_nsec = 100 * NS_PER_MS }, NULL);
}

static void
who_lives_is_not_disturbed_by_a_signal(void **state)
{
	struct request asks, changes;

	(void)state;
	atomic_store(&passed_ns, 0);
	clock_replace(&moved);
	init(&asks);
	init(&changes);
	asks.req.ctx.pid = changes.req.ctx.pid = getpid();
	park_init(&asks.parked, &asks.req, watch, count_free);
	park_init(&changes.parked, &changes.req, watch, count_free);
	changes.parked.changes = true;
	park(&asks.parked);
	park(&changes.parked);
	interrupt(&asks.req);
	interrupt(&changes.req);
	atomic_store(&passed_ns, PARK_PATIENCE_NS - NS_PER_S);
	look_a_few_times();
	assert_int_equal(atomic_load(&asks.req.answers), 0);
	assert_int_equal(atomic_load(&changes.req.answers), 0);
	atomic_store(&passed_ns, PARK_PATIENCE_NS);
	look_a_few_times();
	assert_int_equal(atomic_load(&asks.req.answers), 1); /* it is stuck */
	assert_int_equal(atomic_load(&changes.req.answers), 0);
	atomic_store(&passed_ns, 1000 * PARK_PATIENCE_NS);
	look_a_few_times();
	finish(&asks);
	finish(&changes);
	park_watch_free(watch);
	expect(&asks, EINTR);
	expect(&changes, 0);
	clock_replace(NULL);
}

/* ---- many at once ---- */

enum { N = 5000 };
static struct request many[N];

static void *
finish_all(void *arg)
{
	(void)arg;
	while (atomic_load(&many[N - 1].req.answers) == 0)
		(void)sched_yield(); /* until the others are at it */
	for (int i = 0; i < N; i++)
		finish(&many[i]);
	return NULL;
}

static void *
interrupt_all(void *arg)
{
	(void)arg;
	for (int i = N; i-- > 0;) /* they meet in the middle */
		interrupt(&many[i].req);
	return NULL;
}

static void
work_and_interrupt_at_once_give_one_answer_and_free_once(void **state)
{
	pthread_t work, other;
	unsigned eintr = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		init(&many[i]);
		park_init(&many[i].parked, &many[i].req, watch, count_free);
		park(&many[i].parked);
	}
	assert_int_equal(pthread_create(&work, NULL, finish_all, NULL), 0);
	assert_int_equal(pthread_create(&other, NULL, interrupt_all, NULL), 0);
	(void)pthread_join(work, NULL);
	(void)pthread_join(other, NULL);
	park_watch_free(watch);
	for (int i = 0; i < N; i++) {
		eintr += atomic_load(&many[i].req.last) == EINTR;
		expect(&many[i], atomic_load(&many[i].req.last));
	}
	assert_in_range(eintr, 1, N);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(work_answers_when_nobody_interrupts, set_up),
		cmocka_unit_test_setup(an_interrupt_answers_and_the_work_does_not, set_up),
		cmocka_unit_test_setup(an_interrupt_is_heard_from_park_on_and_not_before, set_up),
		cmocka_unit_test_setup(who_lives_is_not_disturbed_by_a_signal, set_up),
		cmocka_unit_test_setup(work_and_interrupt_at_once_give_one_answer_and_free_once,
				       set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
