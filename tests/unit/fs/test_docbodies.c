/* SPDX-License-Identifier: MIT */
/* Plain documents in memory: the right bytes under each key, within a third of the data share. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "fs/docbodies.h"

enum { MIB = 1 << 20, KIB = 1 << 10, THIRD = 4 * MIB };

static struct budget *budget;
static struct docbodies *bodies;
static _Atomic int64_t now_ns;

static int64_t
fake_now(void)
{
	return atomic_load(&now_ns);
}

static int
set_up(void **state)
{
	static const struct clock_ops ops = { .now_ns = fake_now };
	struct err e = { 0 };

	(void)state;
	atomic_store(&now_ns, 1000 * NS_PER_S);
	clock_replace(&ops);
	assert_int_equal(budget_new(16 * MIB, &budget, &e), 0);
	return docbodies_new(budget, &bodies, &e);
}

/* Whatever a test did: all memory comes back. */
static int
tear_down(void **state)
{
	(void)state;
	docbodies_free(bodies);
	assert_int_equal(budget_used(budget, BUDGET_DATA), 0);
	budget_free(budget);
	clock_replace(NULL);
	return 0;
}

static struct deadline
now(void)
{
	return (struct deadline){ fake_now() };
}

static struct docbody *
add(const char *key, const void *bytes, size_t n)
{
	struct docbody *b = NULL;
	struct err e = { 0 };

	assert_int_equal(
		docbodies_add(bodies, span_str(key), span_of(bytes, n), true, now(), &b, &e), 0);
	assert_non_null(b);
	return b;
}

/* A body of n bytes under its number, and let go. */
static void
add_number(unsigned number, size_t n)
{
	char key[32], *bytes = calloc(1, n);

	assert_non_null(bytes);
	(void)snprintf(key, sizeof(key), "%u", number);
	memcpy(bytes, key, strlen(key) + 1);
	docbody_put(add(key, bytes, n));
	free(bytes);
}

static bool
has_number(unsigned number)
{
	char key[32];
	struct docbody *b;

	(void)snprintf(key, sizeof(key), "%u", number);
	b = docbodies_find(bodies, span_str(key), NULL);
	if (b == NULL)
		return false;
	assert_string_equal((const char *)docbody_bytes(b).p, key);
	docbody_put(b);
	return true;
}

/* ---- what is found ---- */

static void
a_body_is_found_by_its_whole_key(void **state)
{
	const char with_nul[] = "a\0b";
	struct docbody *b, *found;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(
		docbodies_add(bodies, span_of(with_nul, 3), span_str("one"), true, now(), &b, &e),
		0);
	found = docbodies_find(bodies, span_of(with_nul, 3), NULL);
	assert_ptr_equal(found, b);
	assert_int_equal(docbody_bytes(found).n, 3);
	assert_memory_equal(docbody_bytes(found).p, "one", 3);
	assert_null(docbodies_find(bodies, span_of(with_nul, 1), NULL));
	assert_null(docbodies_find(bodies, span_of(with_nul, 4), NULL));
	assert_null(docbodies_find(bodies, span_str("b"), NULL));
	docbody_put(found);
	docbody_put(b);
	docbody_put(NULL);
}

static void
nothing_at_all_is_a_body_too(void **state)
{
	struct docbody *b;

	(void)state;
	docbody_put(add("empty", NULL, 0));
	b = docbodies_find(bodies, span_str("empty"), NULL);
	assert_non_null(b);
	assert_int_equal(docbody_bytes(b).n, 0);
	docbody_put(b);
}

static void
a_body_without_a_key_is_its_holders_alone(void **state)
{
	struct docbody *b = add("", "text", 4);

	(void)state;
	assert_null(docbodies_find(bodies, span_str(""), NULL));
	assert_true(budget_used(budget, BUDGET_DATA) > 4);
	docbody_put(b);
	assert_int_equal(budget_used(budget, BUDGET_DATA), 0);
}

static void
the_age_counts_from_the_last_word_of_the_store(void **state)
{
	int64_t age = -1;
	struct docbody *b;

	(void)state;
	docbody_put(add("k", "v", 1));
	atomic_fetch_add(&now_ns, 5 * NS_PER_S);
	docbody_put(docbodies_find(bodies, span_str("k"), &age));
	assert_int_equal(age, 5 * NS_PER_S);
	docbodies_confirm(bodies, span_str("k"));
	docbodies_confirm(bodies, span_str("another"));
	atomic_fetch_add(&now_ns, NS_PER_S);
	docbody_put(docbodies_find(bodies, span_str("k"), &age));
	assert_int_equal(age, NS_PER_S);
	b = add("k", "v", 1); /* learnt again */
	docbody_put(docbodies_find(bodies, span_str("k"), &age));
	assert_int_equal(age, 0);
	docbody_put(b);
}

/* ---- memory ---- */

static void
a_third_of_the_data_share_is_kept_and_the_oldest_goes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		add_number(i, MIB - 256);
	assert_true(budget_used(budget, BUDGET_DATA) <= THIRD);
	assert_false(has_number(3));
	for (unsigned i = 4; i < 8; i++)
		assert_true(has_number(i));
	assert_true(has_number(4)); /* the newest now */
	add_number(8, MIB - 256);
	assert_true(has_number(4));
	assert_false(has_number(5));
}

/* A container of tiny documents costs more for what remembers them than for their bytes. */
static void
small_bodies_pay_for_what_remembers_them(void **state)
{
	enum { MANY = 1000, ENTRY = 96 };

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		add_number(i, 8);
	assert_true(budget_used(budget, BUDGET_DATA) >= MANY * (8 + ENTRY));
}

static void
what_is_longer_than_the_third_pushes_nothing_out(void **state)
{
	struct docbody *b;
	char *bytes = calloc(1, 5 * MIB);

	(void)state;
	assert_non_null(bytes);
	add_number(1, KIB);
	b = add("long", bytes, 5 * MIB);
	assert_null(docbodies_find(bodies, span_str("long"), NULL));
	assert_true(has_number(1));
	docbody_put(b);
	free(bytes);
}

/* Others need the memory: what nobody reads goes, what somebody reads would give nothing. */
static void
whoever_needs_memory_gets_what_nobody_holds(void **state)
{
	struct docbody *held;
	struct err e = { 0 };
	char *bytes = calloc(1, MIB);

	(void)state;
	assert_non_null(bytes);
	held = add("held", bytes, MIB);
	add_number(1, MIB);
	add_number(2, MIB);
	assert_int_equal(budget_take(budget, 10 * MIB, now(), &e), 0);
	assert_false(has_number(1));
	docbody_put(docbodies_find(bodies, span_str("held"), NULL));
	assert_int_equal(budget_take(budget, 2 * MIB, now(), &e), -ETIMEDOUT);
	assert_non_null(docbodies_find(bodies, span_str("held"), NULL));
	docbody_put(held);
	docbody_put(held); /* that of the last look */
	err_clear(&e);
	assert_int_equal(budget_take(budget, MIB, now(), &e), 0);
	assert_null(docbodies_find(bodies, span_str("held"), NULL));
	budget_give(budget, BUDGET_DATA, 11 * MIB);
	free(bytes);
}

static void
without_memory_only_what_must_be_is_waited_for(void **state)
{
	struct docbody *b = (void *)bodies;
	struct err e = { 0 };

	(void)state;
	assert_true(budget_try(budget, BUDGET_DATA, 12 * MIB));
	assert_int_equal(docbodies_add(bodies, span_str("k"), span_str("v"), false, now(), &b, &e),
			 0);
	assert_null(b);
	b = (void *)bodies;
	assert_int_equal(docbodies_add(bodies, span_str("k"), span_str("v"), true, now(), &b, &e),
			 -ETIMEDOUT);
	assert_ptr_equal(b, bodies); /* untouched */
	assert_null(docbodies_find(bodies, span_str("k"), NULL));
	budget_give(budget, BUDGET_DATA, 12 * MIB);
}

/* ---- many at once ---- */

static atomic_uint wrong;

static void *
add_and_find(void *arg)
{
	uint64_t x = (uintptr_t)arg + 1;
	char text[4096] = "";

	for (int i = 0; i < 5000; i++) {
		struct docbody *b = NULL;
		struct err e = { 0 };
		char key[32];

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		(void)snprintf(key, sizeof(key), "%u", (unsigned)(x >> 40) % 3000);
		memcpy(text, key, sizeof(key));
		b = docbodies_find(bodies, span_str(key), NULL);
		if (b == NULL && docbodies_add(bodies, span_str(key), span_of(text, sizeof(text)),
					       x % 2 == 0, (struct deadline){ 0 }, &b, &e) < 0)
			atomic_fetch_add(&wrong, 1);
		if (b != NULL && (docbody_bytes(b).n != sizeof(text) ||
				  strcmp((const char *)docbody_bytes(b).p, key) != 0))
			atomic_fetch_add(&wrong, 1);
		if (b != NULL && x % 3 == 0)
			docbody_put(docbody_get(b));
		docbody_put(b);
		if (x % 7 == 0)
			docbodies_confirm(bodies, span_str(key));
		if (budget_try_evict(budget, 11 * MIB)) /* now and then all must go */
			budget_give(budget, BUDGET_DATA, 11 * MIB);
	}
	return NULL;
}

static void
many_threads_add_and_find(void **state)
{
	pthread_t id[8];

	(void)state;
	atomic_store(&wrong, 0);
	for (uintptr_t i = 0; i < 8; i++)
		assert_int_equal(pthread_create(&id[i], NULL, add_and_find, (void *)i), 0);
	for (int i = 0; i < 8; i++)
		(void)pthread_join(id[i], NULL);
	assert_int_equal(atomic_load(&wrong), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		WITH(a_body_is_found_by_its_whole_key),
		WITH(nothing_at_all_is_a_body_too),
		WITH(a_body_without_a_key_is_its_holders_alone),
		WITH(the_age_counts_from_the_last_word_of_the_store),
		WITH(a_third_of_the_data_share_is_kept_and_the_oldest_goes),
		WITH(small_bodies_pay_for_what_remembers_them),
		WITH(what_is_longer_than_the_third_pushes_nothing_out),
		WITH(whoever_needs_memory_gets_what_nobody_holds),
		WITH(without_memory_only_what_must_be_is_waited_for),
		WITH(many_threads_add_and_find),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
