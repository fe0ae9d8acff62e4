/* SPDX-License-Identifier: MIT */
/* The memory limit: never exceeded, nobody forgotten who waits for it. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/budget.h"

enum { MIB = 1 << 20 };

static struct budget *b;

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return budget_new(16 * MIB, &b, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	assert_int_equal(budget_used(b, BUDGET_DATA), 0);
	budget_free(b);
	return 0;
}

static void
less_than_16_mib_is_refused(void **state)
{
	struct err e = { 0 };
	struct budget *none = NULL;

	(void)state;
	assert_int_equal(budget_new(16 * MIB - 1, &none, &e), -EINVAL);
	assert_null(none);
	budget_free(NULL);
}

static void
a_quarter_is_for_metadata_and_the_shares_do_not_mix(void **state)
{
	(void)state;
	assert_int_equal(budget_limit(b, BUDGET_METADATA), 4 * MIB);
	assert_int_equal(budget_limit(b, BUDGET_DATA), 12 * MIB);
	assert_true(budget_try(b, BUDGET_METADATA, 4 * MIB));
	assert_false(budget_try(b, BUDGET_METADATA, 1));
	assert_true(budget_try(b, BUDGET_METADATA, 0));
	assert_true(budget_try(b, BUDGET_DATA, 12 * MIB));
	assert_false(budget_try(b, BUDGET_DATA, 1));
	assert_false(budget_try(b, BUDGET_DATA, UINT64_MAX));
	budget_give(b, BUDGET_DATA, 12 * MIB);
	budget_give(b, BUDGET_METADATA, 4 * MIB);
	assert_int_equal(budget_used(b, BUDGET_METADATA), 0);
}

static void
more_than_the_share_can_never_be_taken(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(budget_take(b, 12 * MIB + 1, deadline_in(NS_PER_S), &e), -EFBIG);
	err_clear(&e);
	assert_int_equal(budget_take(b, UINT64_MAX, deadline_in(NS_PER_S), &e), -EFBIG);
}

static void
a_taker_gives_up_at_its_deadline(void **state)
{
	struct err e = { 0 };
	const int64_t start = clock_now_ns();

	(void)state;
	assert_true(budget_try(b, BUDGET_DATA, 12 * MIB));
	assert_int_equal(budget_take(b, 1, deadline_in(100 * NS_PER_MS), &e), -ETIMEDOUT);
	assert_true(clock_now_ns() - start >= 100 * NS_PER_MS);
	budget_give(b, BUDGET_DATA, 12 * MIB);
}

static void
one_taker_goes_beyond_the_limit_after_a_moment(void **state)
{
	struct err e = { 0 };
	const int64_t start = clock_now_ns();

	(void)state;
	assert_true(budget_try(b, BUDGET_DATA, 12 * MIB));
	assert_int_equal(budget_take_surely(b, 4 * MIB, deadline_in(30 * NS_PER_S), &e), 0);
	assert_true(clock_now_ns() - start >= 400 * NS_PER_MS);
	assert_int_equal(budget_used(b, BUDGET_DATA), 16 * MIB);
	assert_int_equal(budget_take_surely(b, 1, deadline_in(NS_PER_S), &e), -ETIMEDOUT);
	budget_give(b, BUDGET_DATA, 4 * MIB);
	err_clear(&e);
	assert_int_equal(budget_take_surely(b, 1, deadline_in(30 * NS_PER_S), &e), 0);
	assert_int_equal(budget_take_surely(b, 13 * MIB, deadline_in(NS_PER_S), &e), -EFBIG);
	budget_give(b, BUDGET_DATA, 12 * MIB + 1);
}

static void *
take_one(void *arg)
{
	struct err e = { 0 };

	(void)arg;
	return (void *)(intptr_t)budget_take(b, 1, deadline_in(30 * NS_PER_S), &e);
}

static void
a_waiting_taker_gets_what_is_given_back(void **state)
{
	pthread_t id;
	void *r;

	(void)state;
	assert_true(budget_try(b, BUDGET_DATA, 12 * MIB));
	assert_int_equal(pthread_create(&id, NULL, take_one, NULL), 0);
	usleep(20000);
	budget_give(b, BUDGET_DATA, 12 * MIB);
	(void)pthread_join(id, &r);
	assert_null(r);
	budget_give(b, BUDGET_DATA, 1);
}

static _Atomic uint64_t evictable;
static atomic_uint evictions;

static uint64_t
evict(void *arg, uint64_t want)
{
	uint64_t have = atomic_load(&evictable), n;

	(void)want;
	assert_ptr_equal(arg, &evictable);
	do {
		n = have < MIB ? have : MIB;
	} while (!atomic_compare_exchange_weak(&evictable, &have, have - n));
	atomic_fetch_add(&evictions, 1);
	budget_give(b, BUDGET_DATA, n);
	return n;
}

static void
a_taker_evicts_as_much_as_it_needs(void **state)
{
	struct err e = { 0 };

	(void)state;
	budget_add_evictor(b, evict, &evictable);
	assert_true(budget_try(b, BUDGET_DATA, 12 * MIB));
	atomic_store(&evictable, 5 * MIB);
	atomic_store(&evictions, 0);
	assert_int_equal(budget_take(b, 3 * MIB, deadline_in(NS_PER_S), &e), 0);
	assert_int_equal(atomic_load(&evictions), 3);
	assert_true(budget_try_evict(b, 2 * MIB));
	assert_int_equal(atomic_load(&evictable), 0);
	assert_false(budget_try_evict(b, 1)); /* nothing left, and it does not wait */
	budget_give(b, BUDGET_DATA, 12 * MIB);
}

/* What can be evicted later, though nobody gives it back, is found too. */
static void *
let_go_later(void *arg)
{
	(void)arg;
	usleep(30000);
	atomic_store(&evictable, MIB);
	return NULL;
}

static void
a_taker_looks_again_for_something_to_evict(void **state)
{
	struct err e = { 0 };
	pthread_t id;

	(void)state;
	budget_add_evictor(b, evict, &evictable);
	atomic_store(&evictable, 0);
	assert_true(budget_try(b, BUDGET_DATA, 12 * MIB));
	assert_int_equal(pthread_create(&id, NULL, let_go_later, NULL), 0);
	assert_int_equal(budget_take(b, 1000, deadline_in(30 * NS_PER_S), &e), 0);
	(void)pthread_join(id, NULL);
	budget_give(b, BUDGET_DATA, 11 * MIB + 1000);
}

static atomic_uint too_much;

static void *
take_and_give(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg + 1;

	for (int i = 0; i < 500; i++) {
		struct err e = { 0 };
		uint64_t n;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		n = 1 + (x >> 40) % (6 * MIB);
		if (budget_take(b, n, deadline_in(60 * NS_PER_S), &e) < 0) {
			atomic_fetch_add(&too_much, 1);
			continue;
		}
		if (budget_used(b, BUDGET_DATA) > 12 * MIB)
			atomic_fetch_add(&too_much, 1);
		budget_give(b, BUDGET_DATA, n);
	}
	return NULL;
}

static void
many_takers_all_get_their_share_and_never_more_than_there_is(void **state)
{
	pthread_t id[16];

	(void)state;
	atomic_store(&too_much, 0);
	for (uintptr_t i = 0; i < 16; i++)
		assert_int_equal(pthread_create(&id[i], NULL, take_and_give, (void *)i), 0);
	for (int i = 0; i < 16; i++)
		(void)pthread_join(id[i], NULL);
	assert_int_equal(atomic_load(&too_much), 0);
}

static void
the_limit_of_the_cgroup_is_a_number(void **state)
{
	(void)state;
	assert_true(budget_cgroup_max() > MIB);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		cmocka_unit_test(less_than_16_mib_is_refused),
		WITH(a_quarter_is_for_metadata_and_the_shares_do_not_mix),
		WITH(more_than_the_share_can_never_be_taken),
		WITH(a_taker_gives_up_at_its_deadline),
		WITH(one_taker_goes_beyond_the_limit_after_a_moment),
		WITH(a_waiting_taker_gets_what_is_given_back),
		WITH(a_taker_evicts_as_much_as_it_needs),
		WITH(a_taker_looks_again_for_something_to_evict),
		WITH(many_takers_all_get_their_share_and_never_more_than_there_is),
		cmocka_unit_test(the_limit_of_the_cgroup_is_a_number),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
