/* SPDX-License-Identifier: MIT */
/* The keyring, many callers at once: backend/keys/keyring.c. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/keys/steered.h"

enum { THREADS = 64 };

struct asker {
	pthread_t thread;
	struct keyring *k;
	struct envelope env;
	int64_t patience_ns;
	int64_t took_ns;
	int result;
};

static void *
asker_main(void *arg)
{
	struct asker *a = arg;
	int64_t start = clock_now_ns();
	struct key_ref *ref = NULL;
	struct err e = { 0 };

	a->result = keyring_cek(a->k, &a->env, deadline_in(a->patience_ns), &ref, &e);
	a->took_ns = clock_now_ns() - start;
	key_ref_put(ref);
	return NULL;
}

static void
start_asker(struct asker *a, struct keyring *k, const struct envelope *env, int64_t patience_ns)
{
	*a = (struct asker){ .k = k, .env = *env, .patience_ns = patience_ns };
	assert_int_equal(pthread_create(&a->thread, NULL, asker_main, a), 0);
}

static void
await_inside(struct steered *s, unsigned n)
{
	while (atomic_load(&s->inside) < n)
		usleep(1000);
}

static void
await_waiters(struct keyring *k, unsigned n)
{
	struct keyring_stats st;

	do {
		usleep(1000);
		keyring_stats(k, &st);
	} while (st.waited < n);
}

static void
sixty_four_callers_cause_one_unwrap(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256);
	struct asker askers[THREADS];
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	s.gate_closed = true;
	k = ring_of(&s, hour);
	for (int i = 0; i < THREADS; i++)
		start_asker(&askers[i], k, &env, 30 * NS_PER_S);
	await_waiters(k, THREADS - 1);
	s.gate_closed = false;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(askers[i].thread, NULL);
		assert_int_equal(askers[i].result, 0);
	}
	assert_int_equal(s.calls, 1);
	keyring_free(k);
}

static void
one_answer_reaches_all_waiters_even_when_nothing_is_kept(void **state)
{
	static const int results[] = { 0, EACCES, ENOKEY, EBADMSG };
	struct envelope env = request("k", 256);

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(results); n++) {
		struct steered s;
		struct asker askers[8];
		struct keyring *k;

		steer(&s, "k");
		s.fail = results[n];
		s.gate_closed = true;
		k = ring_of(&s, (struct keyring_config){ 0 });
		for (size_t i = 0; i < ARRAY_LEN(askers); i++)
			start_asker(&askers[i], k, &env, 30 * NS_PER_S);
		await_waiters(k, ARRAY_LEN(askers) - 1);
		s.gate_closed = false;
		for (size_t i = 0; i < ARRAY_LEN(askers); i++) {
			pthread_join(askers[i].thread, NULL);
			assert_int_equal(askers[i].result, -results[n]);
		}
		assert_int_equal(s.calls, 1);
		keyring_free(k);
	}
}

static void
a_waiter_honours_its_own_deadline(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256);
	struct asker leader, waiter;
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	s.gate_closed = true;
	k = ring_of(&s, hour);
	start_asker(&leader, k, &env, 30 * NS_PER_S);
	await_inside(&s, 1);
	start_asker(&waiter, k, &env, 50 * NS_PER_MS);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.result, -ETIMEDOUT);
	assert_true(waiter.took_ns >= 50 * NS_PER_MS && waiter.took_ns < 5 * NS_PER_S);
	s.gate_closed = false;
	pthread_join(leader.thread, NULL);
	assert_int_equal(leader.result, 0);
	assert_int_equal(s.calls, 1);
	keyring_free(k);
}

static void
a_waiter_does_not_inherit_the_leaders_bad_luck(void **state)
{
	static const int luck[] = { ETIMEDOUT, ECANCELED, EIO };
	struct envelope env = request("k", 256);

	(void)state;
	for (size_t n = 0; n < ARRAY_LEN(luck); n++) {
		struct steered s;
		struct asker leader, waiters[4];
		struct keyring *k;

		steer(&s, "k");
		s.fail = luck[n];
		s.fail_calls = 1;
		s.gate_closed = true;
		k = ring_of(&s, hour);
		start_asker(&leader, k, &env, 30 * NS_PER_S);
		await_inside(&s, 1);
		for (size_t i = 0; i < ARRAY_LEN(waiters); i++)
			start_asker(&waiters[i], k, &env, 30 * NS_PER_S);
		await_waiters(k, ARRAY_LEN(waiters));
		s.gate_closed = false;
		pthread_join(leader.thread, NULL);
		assert_int_equal(leader.result, -luck[n]);
		for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
			pthread_join(waiters[i].thread, NULL);
			assert_int_equal(waiters[i].result, 0);
		}
		assert_int_equal(s.calls, 2);
		keyring_free(k);
	}
}

static void *
churn(void *arg)
{
	struct keyring *k = arg;

	for (int i = 0; i < 200; i++) {
		struct envelope env = request("k", 256 + (size_t)(i * 7 % 13));
		struct key_ref *ref = NULL;
		struct err e = { 0 };

		if (keyring_cek(k, &env, deadline_in(10 * NS_PER_S), &ref, &e) == 0 &&
		    key_ref_cek(ref)->k[31] != 0x77)
			abort();
		(void)keyring_has(k, &env);
		key_ref_put(ref);
	}
	return NULL;
}

static void
many_threads_may_share_a_small_keyring(void **state)
{
	struct steered s;
	pthread_t threads[8];
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, (struct keyring_config){ .ttl_ns = NS_PER_MS, .max_entries = 3 });
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, k), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	keyring_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sixty_four_callers_cause_one_unwrap),
		cmocka_unit_test(one_answer_reaches_all_waiters_even_when_nothing_is_kept),
		cmocka_unit_test(a_waiter_honours_its_own_deadline),
		cmocka_unit_test(a_waiter_does_not_inherit_the_leaders_bad_luck),
		cmocka_unit_test(many_threads_may_share_a_small_keyring),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
