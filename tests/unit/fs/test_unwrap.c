/* SPDX-License-Identifier: MIT */
/*
 * Unwraps beside other work: they run by themselves, say the same to all who ask, and may be let
 * go at any time.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "fs/unwrap.h"
#include "tests/unit/keys/steered.h"

static struct engine *engine;
static struct keyring *keys;
static struct steered provider;
static struct envelope env;

static int
set_up(void **state)
{
	const struct engine_config cfg = { .memory = 16 << 20 };
	struct err e = { 0 };

	(void)state;
	steer(&provider, "test:");
	keys = ring_of(&provider, hour);
	env = request("test:kek", 256);
	return engine_new(&cfg, &engine, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	atomic_store(&provider.gate_closed, false);
	engine_drain(engine);
	engine_free(engine);
	keyring_free(keys);
	return 0;
}

static struct unwrap *
begin(void)
{
	struct err e = { 0 };
	struct unwrap *u;

	assert_int_equal(unwrap_start(engine, keys, &env, deadline_in(10 * NS_PER_S), &u, &e), 0);
	return u;
}

static void
the_key_comes_while_other_work_is_done(void **state)
{
	struct key_ref *key = NULL;
	struct err e = { 0 };
	struct unwrap *u;

	(void)state;
	atomic_store(&provider.gate_closed, true);
	u = begin();
	assert_true(unwrap_is_for(u, &env));
	for (int i = 0; i < 5000 && atomic_load(&provider.inside) == 0; i++)
		usleep(1000);
	assert_int_equal(atomic_load(&provider.inside), 1);
	atomic_store(&provider.gate_closed, false);
	assert_int_equal(unwrap_wait(u, &key, &e), 0);
	assert_int_equal(key_ref_cek(key)->k[0], 0x77);
	assert_int_equal(unwrap_wait(u, &key, &e), 0); /* the same again */
	unwrap_put(u);
	u = begin(); /* at hand now: nobody is asked */
	assert_int_equal(unwrap_wait(u, &key, &e), 0);
	unwrap_put(u);
	assert_int_equal(atomic_load(&provider.calls), 1);
}

static void
a_failure_is_the_same_for_all_who_wait(void **state)
{
	struct key_ref *key = NULL;
	struct unwrap *u;

	(void)state;
	atomic_store(&provider.fail, ENOKEY);
	u = begin();
	for (int i = 0; i < 3; i++) {
		struct err e = { 0 };

		assert_int_equal(unwrap_wait(u, &key, &e), -ENOKEY);
		assert_string_equal(e.key, "test:kek");
		assert_null(key);
	}
	unwrap_put(u);
	unwrap_put(NULL);
}

static void
one_let_go_of_ends_by_itself(void **state)
{
	(void)state;
	atomic_store(&provider.gate_closed, true);
	for (int i = 0; i < 20; i++)
		unwrap_put(begin());
}

static void *
use_often(void *arg)
{
	struct key_ref *key = NULL;

	for (int i = 0; i < 300; i++) {
		struct err e = { 0 };
		struct unwrap *u;

		if (unwrap_start(engine, keys, &env, deadline_in(10 * NS_PER_S), &u, &e) < 0)
			return arg;
		if (i % 3 != 0 && (unwrap_wait(u, &key, &e) < 0 || key_ref_cek(key)->k[31] != 0x77))
			return arg;
		unwrap_put(u);
	}
	return NULL;
}

static void
many_at_once_get_the_key_by_one_call(void **state)
{
	pthread_t id[8];
	void *failed;

	(void)state;
	for (uintptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&id[i], NULL, use_often, (void *)(i + 1)), 0);
	for (int i = 0; i < 8; i++) {
		(void)pthread_join(id[i], &failed);
		assert_null(failed);
	}
	assert_int_equal(atomic_load(&provider.calls), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		WITH(the_key_comes_while_other_work_is_done),
		WITH(a_failure_is_the_same_for_all_who_wait),
		WITH(one_let_go_of_ends_by_itself),
		WITH(many_at_once_get_the_key_by_one_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
