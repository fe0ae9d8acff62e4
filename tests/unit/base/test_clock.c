/* SPDX-License-Identifier: MIT */
/*
 * Clocks, deadlines, and sleeps that end when the program does.  The last test stops the clock
 * for good.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"

static int64_t fake_ns, slept_ns;

static int64_t
fake_now(void)
{
	return fake_ns;
}

static int64_t
fake_wall(void)
{
	return 1234567890;
}

static void
fake_sleep(int64_t ns)
{
	slept_ns += ns;
}

static void
deadlines_count_down_to_nothing(void **state)
{
	static const struct clock_ops fake = { fake_now, fake_wall, fake_sleep };
	struct deadline d;

	(void)state;
	clock_replace(&fake);
	fake_ns = 1000;
	d = deadline_in(500);
	assert_int_equal(deadline_left_ns(d), 500);
	fake_ns = 1499;
	assert_int_equal(deadline_left_ns(d), 1);
	fake_ns = 1500;
	assert_int_equal(deadline_left_ns(d), 0);
	fake_ns = INT64_MAX;
	assert_int_equal(deadline_left_ns(d), 0);
	assert_int_equal(deadline_left_ns((struct deadline){ 0 }), INT64_MAX);
	assert_int_equal(clock_wall_s(), 1234567890);
	clock_sleep_ns(7);
	clock_sleep_ns(0);
	clock_sleep_ns(-5);
	assert_int_equal(slept_ns, 7);
	clock_replace(NULL);
}

static void
the_real_clocks_go(void **state)
{
	const int64_t start = clock_now_ns();

	(void)state;
	clock_sleep_ns(20 * NS_PER_MS);
	assert_true(clock_now_ns() - start >= 20 * NS_PER_MS);
	assert_true(clock_now_ns() - start < 20 * NS_PER_S);
	assert_true(llabs((long long)clock_wall_s() - (long long)time(NULL)) <= 1);
}

static void *
sleep_long(void *arg)
{
	(void)arg;
	clock_sleep_ns(600 * NS_PER_S);
	return NULL;
}

static void
a_stop_wakes_every_sleeper_now_and_from_now_on(void **state)
{
	const int64_t start = clock_now_ns();
	pthread_t id[4];

	(void)state;
	assert_false(clock_stopped());
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&id[i], NULL, sleep_long, NULL), 0);
	clock_sleep_ns(20 * NS_PER_MS);
	clock_stop();
	for (int i = 0; i < 4; i++)
		(void)pthread_join(id[i], NULL);
	assert_true(clock_stopped());
	clock_sleep_ns(600 * NS_PER_S);
	assert_true(clock_now_ns() - start < 60 * NS_PER_S);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines_count_down_to_nothing),
		cmocka_unit_test(the_real_clocks_go),
		cmocka_unit_test(a_stop_wakes_every_sleeper_now_and_from_now_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
