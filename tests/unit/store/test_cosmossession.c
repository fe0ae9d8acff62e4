/* SPDX-License-Identifier: MIT */
/* Session tokens: the newest of each range, and nothing odd. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmossession.h"

static void
assert_token(struct cosmossession *s, const char *scope, const char *range, const char *wanted)
{
	struct err e = { 0 };
	AUTO_BUF out;

	buf_init(&out, COSMOSSESSION_TEXT_MAX);
	assert_int_equal(buf_add_str(&out, "old", &e), 0);
	assert_int_equal(cosmossession_get(s, scope, range, &out, &e), 0);
	assert_string_equal(buf_str(&out), wanted);
}

static struct cosmossession *
fresh(void)
{
	struct cosmossession *s = NULL;
	struct err e = { 0 };

	assert_int_equal(cosmossession_new(&s, &e), 0);
	return s;
}

static void
test_the_newest_is_kept(void **state)
{
	static const struct {
		const char *first, *second, *wanted;
	} rows[] = {
		{ "0:-1#12", "0:-1#13", "0:-1#13" },
		{ "0:-1#12", "0:-1#11", "0:-1#12" },
		{ "0:-1#9", "0:-1#10", "0:-1#10" },
		{ "0:2#5#1=4", "0:1#99#1=98", "0:2#5#1=4" },
		{ "0:1#99#1=98", "0:2#5#1=4", "0:2#5#1=4" },
		{ "0:17", "0:18", "0:18" },
		{ "0:17", "0:-1#1", "0:-1#1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cosmossession *s = fresh();

		cosmossession_note(s, "d/c", rows[i].first);
		assert_token(s, "d/c", "0", rows[i].first);
		cosmossession_note(s, "d/c", rows[i].second);
		assert_token(s, "d/c", "0", rows[i].wanted);
		cosmossession_free(s);
	}
	cosmossession_free(NULL);
}

static void
test_each_range_has_its_own(void **state)
{
	struct cosmossession *s = fresh();

	(void)state;
	assert_token(s, "d/c", NULL, "");
	cosmossession_note(s, "d/c", "0:-1#1,12:-1#2");
	cosmossession_note(s, "d/c", "1:-1#3");
	cosmossession_note(s, "d/other", "1:-1#9");
	assert_token(s, "d/c", "0", "0:-1#1");
	assert_token(s, "d/c", "1", "1:-1#3");
	assert_token(s, "d/c", "12", "12:-1#2");
	assert_token(s, "d/c", "2", "");
	assert_token(s, "d/c", NULL, "0:-1#1,12:-1#2,1:-1#3");
	cosmossession_drop(s, "d/c");
	assert_token(s, "d/c", NULL, "");
	assert_token(s, "d/other", NULL, "1:-1#9");
	cosmossession_note(s, "d/c", "0:-1#1"); /* older than what was forgotten: new again */
	assert_token(s, "d/c", NULL, "0:-1#1");
	cosmossession_free(s);
}

static void
test_what_is_odd_is_not_kept(void **state)
{
	static const char *const rows[] = {
		"",
		"0",
		":1",
		"0:",
		"0:x",
		"0:-1#",
		"0:#1",
		"0:-1#x#1=2",
		"0:1.5",
		"0:1 2",
		"0:-1#1;x=y",
		",,,",
		"0:99999999999999999999",
		"0:-1#1#"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaa"
		"aaaaaaaaa",
	};
	struct cosmossession *s = fresh();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		cosmossession_note(s, "d/c", rows[i]);
		assert_token(s, "d/c", NULL, "");
	}
	cosmossession_note(s, "d/c", "bad,0:-1#1,bad"); /* the others count */
	assert_token(s, "d/c", NULL, "0:-1#1");
	cosmossession_free(s);
}

static void
test_their_number_and_length_are_bounded(void **state)
{
	struct cosmossession *s = fresh();
	char token[64], scope[64];

	(void)state;
	for (unsigned i = 0; i < 2000; i++) {
		(void)snprintf(scope, sizeof(scope), "d/%u", i);
		cosmossession_note(s, scope, "0:-1#1");
	}
	assert_token(s, "d/0", NULL, "");
	assert_token(s, "d/1999", NULL, "0:-1#1");
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(token, sizeof(token), "%u:-1#1", i);
		cosmossession_note(s, "d/c", token);
	}
	assert_token(s, "d/c", "999", "999:-1#1");
	assert_token(s, "d/c", NULL, ""); /* more than a header holds */
	cosmossession_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_newest_is_kept),
		cmocka_unit_test(test_each_range_has_its_own),
		cmocka_unit_test(test_what_is_odd_is_not_kept),
		cmocka_unit_test(test_their_number_and_length_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
