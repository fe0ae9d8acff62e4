/* SPDX-License-Identifier: MIT */
/* The elastic pool: every job runs once, none waits behind a stuck one while the pool may grow. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mutex.h"
#include "base/pool.h"

static pthread_mutex_t mu = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
static unsigned inside, ran; /* guarded by mu */
static bool gate_open;

struct job {
	struct pool_job job; /* first */
	struct pool *pool;
	unsigned number, left;
	char name[16];
	bool signals_blocked;
};

static void
reset(bool is_open)
{
	mutex_lock(&mu);
	inside = ran = 0;
	gate_open = is_open;
	mutex_unlock(&mu);
}

static void
run_through_gate(struct pool_job *j)
{
	(void)j;
	mutex_lock(&mu);
	inside++;
	(void)pthread_cond_broadcast(&cond);
	while (!gate_open)
		(void)pthread_cond_wait(&cond, &mu);
	inside--;
	ran++;
	(void)pthread_cond_broadcast(&cond);
	mutex_unlock(&mu);
}

static void
open_gate(void)
{
	mutex_lock(&mu);
	gate_open = true;
	(void)pthread_cond_broadcast(&cond);
	mutex_unlock(&mu);
}

static void
wait_inside(unsigned n)
{
	mutex_lock(&mu);
	while (inside < n)
		(void)pthread_cond_wait(&cond, &mu);
	mutex_unlock(&mu);
}

static struct pool *
pool_of(unsigned max)
{
	struct err e = { 0 };
	struct pool *p;

	assert_int_equal(pool_new("test", max, &p, &e), 0);
	return p;
}

static void
a_pool_grows_while_its_jobs_are_stuck(void **state)
{
	enum { N = 40 };
	struct pool_job job[N] = { { .run = NULL } };
	struct pool *p = pool_of(N);

	(void)state;
	reset(false);
	for (int i = 0; i < N; i++) {
		job[i].run = run_through_gate;
		pool_submit(p, &job[i]);
	}
	wait_inside(N); /* all at once: nobody waits behind another */
	assert_int_equal(pool_backlog(p), 0);
	open_gate();
	pool_free(p);
	assert_int_equal(ran, N);
}

static void
beyond_its_limit_jobs_wait_and_all_run(void **state)
{
	enum { N = 100, MAX = 3 };
	struct pool_job job[N] = { { .run = NULL } };
	struct pool *p = pool_of(MAX);

	(void)state;
	reset(false);
	for (int i = 0; i < N; i++) {
		job[i].run = run_through_gate;
		pool_submit(p, &job[i]);
	}
	wait_inside(MAX);
	usleep(20000);
	mutex_lock(&mu);
	assert_int_equal(inside, MAX);
	mutex_unlock(&mu);
	assert_int_equal(pool_backlog(p), N - MAX);
	open_gate();
	pool_free(p); /* while busy: waits for all of them */
	assert_int_equal(ran, N);
}

static unsigned order[64];
static unsigned n_order;

static void
note_order(struct pool_job *j)
{
	mutex_lock(&mu);
	order[n_order++] = ((struct job *)(void *)j)->number;
	mutex_unlock(&mu);
}

static void
one_thread_runs_jobs_first_in_first_out(void **state)
{
	struct job job[64] = { 0 };
	struct pool *p = pool_of(1);

	(void)state;
	n_order = 0;
	for (unsigned i = 0; i < 64; i++) {
		job[i].number = i;
		job[i].job.run = note_order;
		pool_submit(p, &job[i].job);
	}
	pool_free(p);
	assert_int_equal(n_order, 64);
	for (unsigned i = 0; i < 64; i++)
		assert_int_equal(order[i], i);
}

static void
submit_myself_again(struct pool_job *j)
{
	struct job *job = (struct job *)(void *)j;

	mutex_lock(&mu);
	ran++;
	mutex_unlock(&mu);
	if (--job->left > 0)
		pool_submit(job->pool, &job->job);
}

static void
a_closing_pool_still_runs_what_its_jobs_submit(void **state)
{
	struct job job[8] = { 0 };

	(void)state;
	for (unsigned max = 1; max <= 8; max *= 8) {
		struct pool *p = pool_of(max);

		reset(true);
		for (unsigned i = 0; i < 8; i++) {
			job[i] = (struct job){ .job.run = submit_myself_again,
					       .pool = p,
					       .left = 500 };
			pool_submit(p, &job[i].job);
		}
		pool_free(p);
		assert_int_equal(ran, 8 * 500);
	}
}

static void
look_around(struct pool_job *j)
{
	struct job *job = (struct job *)(void *)j;
	sigset_t blocked;

	(void)pthread_getname_np(pthread_self(), job->name, sizeof(job->name));
	(void)pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	job->signals_blocked = sigismember(&blocked, SIGTERM) == 1 &&
			       sigismember(&blocked, SIGINT) == 1;
}

static void
threads_are_named_and_block_signals(void **state)
{
	struct job job = { .job.run = look_around };
	struct pool *p = pool_of(2);
	sigset_t mine;

	(void)state;
	pool_submit(p, &job.job);
	pool_free(p);
	assert_string_equal(job.name, "az-test");
	assert_true(job.signals_blocked);
	(void)pthread_sigmask(SIG_SETMASK, NULL, &mine);
	assert_int_equal(sigismember(&mine, SIGTERM), 0); /* and the submitter does not */
}

struct submitter {
	struct pool *pool;
	struct pool_job job[500];
};

static void
count(struct pool_job *j)
{
	(void)j;
	mutex_lock(&mu);
	ran++;
	mutex_unlock(&mu);
}

static void *
submit_many(void *arg)
{
	struct submitter *s = arg;

	for (size_t i = 0; i < 500; i++) {
		s->job[i].run = count;
		pool_submit(s->pool, &s->job[i]);
	}
	return NULL;
}

static void
many_submitters_lose_no_job(void **state)
{
	static struct submitter s[8];
	pthread_t id[8];
	struct pool *p = pool_of(16);

	(void)state;
	reset(true);
	for (int i = 0; i < 8; i++) {
		s[i].pool = p;
		assert_int_equal(pthread_create(&id[i], NULL, submit_many, &s[i]), 0);
	}
	for (int i = 0; i < 8; i++)
		(void)pthread_join(id[i], NULL);
	pool_free(p);
	assert_int_equal(ran, 8 * 500);
}

static void
an_unused_pool_and_none_can_be_freed(void **state)
{
	(void)state;
	pool_free(pool_of(4096));
	pool_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_pool_grows_while_its_jobs_are_stuck),
		cmocka_unit_test(beyond_its_limit_jobs_wait_and_all_run),
		cmocka_unit_test(one_thread_runs_jobs_first_in_first_out),
		cmocka_unit_test(a_closing_pool_still_runs_what_its_jobs_submit),
		cmocka_unit_test(threads_are_named_and_block_signals),
		cmocka_unit_test(many_submitters_lose_no_job),
		cmocka_unit_test(an_unused_pool_and_none_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
