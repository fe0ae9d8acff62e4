/* SPDX-License-Identifier: MIT */
/*
 * The failure budget of V1: sixteen, however they are spread over threads and ETags; sound blobs
 * never notice it.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fs/v1guard.h"

static _Atomic int64_t now_ns = NS_PER_S;

static int64_t
still_now(void)
{
	return atomic_load(&now_ns);
}

static int64_t
still_wall(void)
{
	return 0;
}

static void
no_sleep(int64_t ns)
{
	(void)ns;
}

static const struct clock_ops still = { still_now, still_wall, no_sleep };
static struct v1guard *guard;

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	clock_replace(&still);
	return v1guard_new(&guard, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	v1guard_free(guard);
	clock_replace(NULL);
	return 0;
}

static int
attempt(const char *name, bool failed)
{
	struct err e = { 0 };
	int r = v1guard_begin(guard, name, &e);

	if (r == 0)
		v1guard_end(guard, name, failed);
	else
		assert_string_equal(e.event, "policy.v1_quarantine");
	return r;
}

static void
after_sixteen_failures_a_name_is_not_tried_again(void **state)
{
	(void)state;
	for (int i = 0; i < V1_FAILURES_MAX; i++)
		assert_int_equal(attempt("a", true), 0);
	assert_int_equal(attempt("a", false), -EACCES);
	atomic_fetch_add(&now_ns, 3 * 3600 * NS_PER_S); /* until the mount ends */
	assert_int_equal(attempt("a", false), -EACCES);
	assert_int_equal(attempt("b", false), 0);
}

static void
successes_do_not_count_and_do_not_forgive(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++)
		assert_int_equal(attempt("a", false), 0);
	for (int i = 0; i < V1_FAILURES_MAX; i++) {
		assert_int_equal(attempt("a", true), 0);
		if (i < V1_FAILURES_MAX - 1)
			assert_int_equal(attempt("a", false), 0);
	}
	assert_int_equal(attempt("a", false), -EACCES);
}

static void
failures_of_an_hour_ago_are_forgotten(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < V1_FAILURES_MAX - 1; i++)
			assert_int_equal(attempt("a", true), 0);
		atomic_fetch_add(&now_ns, 3601 * NS_PER_S);
	}
	assert_int_equal(attempt("a", false), 0);
}

static void
too_many_names_to_remember_are_refused_rather_than_forgotten(void **state)
{
	char name[16];
	int admitted = 0;

	(void)state;
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		admitted += attempt(name, true) == 0;
	}
	assert_int_equal(admitted, 4096);
	assert_int_equal(attempt("new", false), -EACCES);
	assert_int_equal(attempt("n7", false), 0);
}

static atomic_uint admitted, refused;

static void *
try_often(void *arg)
{
	const bool failing = arg != NULL;

	for (int i = 0; i < 2000; i++)
		atomic_fetch_add(
			attempt(failing ? "bad" : "good", failing) == 0 ? &admitted : &refused, 1);
	return NULL;
}

static void
run_threads(void *arg)
{
	pthread_t id[32];

	atomic_store(&admitted, 0);
	atomic_store(&refused, 0);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		assert_int_equal(pthread_create(&id[i], NULL, try_often, arg), 0);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		(void)pthread_join(id[i], NULL);
}

static void
a_crowd_cannot_overdraw_the_budget(void **state)
{
	(void)state;
	run_threads((void *)1);
	assert_int_equal(atomic_load(&admitted), V1_FAILURES_MAX);
}

static void
a_crowd_of_readers_of_a_sound_blob_is_not_refused(void **state)
{
	struct err e = { 0 };
	pthread_t id;

	(void)state;
	run_threads(NULL);
	assert_int_equal(atomic_load(&refused), 0);
	/* For certain: sixteen inside at once, and a seventeenth that waits for one of them. */
	for (int i = 0; i < V1_FAILURES_MAX; i++)
		assert_int_equal(v1guard_begin(guard, "good", &e), 0);
	assert_int_equal(pthread_create(&id, NULL, try_often, NULL), 0);
	for (int i = 0; i < V1_FAILURES_MAX; i++)
		v1guard_end(guard, "good", false);
	(void)pthread_join(id, NULL);
	assert_int_equal(atomic_load(&refused), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		WITH(after_sixteen_failures_a_name_is_not_tried_again),
		WITH(successes_do_not_count_and_do_not_forgive),
		WITH(failures_of_an_hour_ago_are_forgotten),
		WITH(too_many_names_to_remember_are_refused_rather_than_forgotten),
		WITH(a_crowd_cannot_overdraw_the_budget),
		WITH(a_crowd_of_readers_of_a_sound_blob_is_not_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
