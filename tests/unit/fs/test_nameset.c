/* SPDX-License-Identifier: MIT */
/* Names in the order in which they came, each once, and paid for: fs/nameset.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/nameset.h"

enum { MANY = 20000 };

static struct budget *
new_budget(void)
{
	struct budget *b = NULL;
	struct err e = { 0 };

	assert_int_equal(budget_new(16 << 20, &b, &e), 0);
	return b;
}

static void
names_come_once_and_keep_their_order_and_place(void **state)
{
	struct budget *b = new_budget();
	const char *first = NULL, *middle = NULL;
	struct nameset s;
	struct err e = { 0 };
	char name[32];

	(void)state;
	nameset_init(&s, b);
	assert_int_equal(nameset_find(&s, "n0"), -1);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(nameset_add(&s, name, NULL, &e), 0);
		assert_int_equal(nameset_add(&s, name, "too late", &e), 0);
		if (i == 1000)
			middle = s.entry[500].name;
		if (i == 0)
			first = s.entry[0].name;
	}
	assert_int_equal(s.n, MANY);
	assert_ptr_equal(s.entry[0].name, first);
	assert_ptr_equal(s.entry[500].name, middle);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(name, sizeof(name), "n%u", i);
		assert_string_equal(s.entry[i].name, name);
		assert_null(s.entry[i].note);
		assert_int_equal(nameset_find(&s, name), i);
	}
	assert_int_equal(nameset_find(&s, "n"), -1);
	assert_int_equal(nameset_find(&s, ""), -1);
	nameset_clear(&s);
	assert_int_equal(s.n, 0);
	assert_int_equal(nameset_find(&s, "n0"), -1);
	budget_free(b);
}

static void
a_note_stays_with_its_name(void **state)
{
	struct budget *b = new_budget();
	struct nameset s;
	struct err e = { 0 };

	(void)state;
	nameset_init(&s, b);
	assert_int_equal(nameset_add(&s, "", "of the empty name", &e), 0);
	assert_int_equal(nameset_add(&s, "a", "of a", &e), 0);
	assert_int_equal(nameset_add(&s, "a", "another", &e), 0);
	assert_int_equal(s.n, 2);
	assert_string_equal(s.entry[nameset_find(&s, "")].note, "of the empty name");
	assert_string_equal(s.entry[nameset_find(&s, "a")].note, "of a");
	nameset_clear(&s);
	nameset_clear(&s);
	budget_free(b);
}

/* Whatever the share has left, an addition fails whole or succeeds, and all is given back. */
static void
a_set_fails_whole_when_the_share_is_used_up(void **state)
{
	(void)state;
	for (uint64_t left = 0; left < 16 << 10; left += 512) {
		struct budget *b = new_budget();
		const uint64_t taken = budget_limit(b, BUDGET_METADATA) - left;
		struct nameset s;
		struct err e = { 0 };
		char name[32];
		size_t n;
		int r = 0;

		assert_true(budget_try(b, BUDGET_METADATA, taken));
		nameset_init(&s, b);
		for (n = 0; r == 0; n += r == 0) {
			(void)snprintf(name, sizeof(name), "name %zu", n);
			r = nameset_add(&s, name, "note", &e);
		}
		assert_int_equal(r, -EFBIG);
		assert_int_equal(s.n, n);
		assert_int_equal(nameset_find(&s, name), -1);
		budget_give(b, BUDGET_METADATA, taken);
		assert_int_equal(budget_used(b, BUDGET_METADATA), s.charged);
		err_clear(&e);
		assert_int_equal(nameset_add(&s, name, NULL, &e), 0);
		assert_int_equal(nameset_find(&s, name), (long)n);
		nameset_clear(&s);
		assert_int_equal(budget_used(b, BUDGET_METADATA), 0);
		budget_free(b);
	}
}

/* What is charged covers what is allocated. */
static void
every_name_and_note_is_paid_for(void **state)
{
	struct budget *b = new_budget();
	struct nameset s;
	struct err e = { 0 };
	uint64_t before;
	char name[201];

	(void)state;
	memset(name, 'x', 200);
	name[200] = '\0';
	nameset_init(&s, b);
	assert_int_equal(nameset_add(&s, "a", NULL, &e), 0);
	before = budget_used(b, BUDGET_METADATA);
	assert_int_equal(nameset_add(&s, name, name, &e), 0);
	assert_true(budget_used(b, BUDGET_METADATA) >= before + 402);
	before = budget_used(b, BUDGET_METADATA);
	assert_int_equal(nameset_add(&s, name, name, &e), 0);
	assert_int_equal(budget_used(b, BUDGET_METADATA), before);
	nameset_clear(&s);
	budget_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_come_once_and_keep_their_order_and_place),
		cmocka_unit_test(a_note_stays_with_its_name),
		cmocka_unit_test(a_set_fails_whole_when_the_share_is_used_up),
		cmocka_unit_test(every_name_and_note_is_paid_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
