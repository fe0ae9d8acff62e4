/* SPDX-License-Identifier: MIT */
/* Failures: the first cause is kept whole, and no name forges a line. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/printable.h"

static void
a_failure_has_an_errno_and_a_text(void **state)
{
	struct err e = { 0 };

	(void)state;
	assert_int_equal(err_set(&e, ENOENT, "no %s here", "blob"), -ENOENT);
	assert_int_equal(e.no, ENOENT);
	assert_string_equal(e.text, "no blob here");
	assert_int_equal(err_in(&e, "listing '%s'", "a"), -ENOENT);
	assert_string_equal(e.text, "listing 'a': no blob here");
	assert_int_equal(err_mark(&e, "some.event", NULL), -ENOENT);
	assert_int_equal(err_mark(&e, NULL, "do this"), -ENOENT);
	assert_string_equal(e.event, "some.event");
	assert_string_equal(e.advice, "do this");
	err_clear(&e);
	assert_int_equal(e.no, 0);
	assert_string_equal(e.text, "");
	assert_null(e.event);
}

static const struct {
	const char *in, *out;
} texts[] = {
	{ "plain ~", "plain ~" },
	{ "a\nb\rc\td\x1b[31m\x7f", "a?b?c?d?[31m?" },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac \xf0\x9f\x98\x80",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e \xe2\x82\xac \xf0\x9f\x98\x80" },
	{ "c1 \xc2\x9b"
	  "31m",
	  "c1 ??31m" },
	{ "nbsp \xc2\xa0", "nbsp \xc2\xa0" },
	{ "cut \xc3", "cut ?" },
	{ "cut \xe2\x82", "cut ??" },
	{ "alone \x80 \xff \xfe", "alone ? ? ?" },
	{ "overlong \xc0\xaf \xe0\x80\xaf \xf0\x80\x80\xaf", "overlong ?? ??? ????" },
	{ "surrogate \xed\xa0\x80", "surrogate ???" },
	{ "too far \xf4\x90\x80\x80", "too far ????" },
	{ "bidi \xe2\x80\xae"
	  "txt \xe2\x81\xa6",
	  "bidi ???txt ???" },
	{ "line separator \xe2\x80\xa8", "line separator ???" },
};

static void
no_text_forges_a_line_or_moves_a_cursor(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e = { 0 };

		(void)err_set(&e, EIO, "%s", texts[i].in);
		assert_string_equal(e.text, texts[i].out);
		err_key(&e, texts[i].in);
		assert_string_equal(e.key, texts[i].out);
		err_request(&e, texts[i].in);
		assert_string_equal(e.request_id, texts[i].out);
	}
}

static void
what_is_too_long_is_cut_and_the_cause_kept(void **state)
{
	char is_long[1000];
	struct err e = { 0 };

	(void)state;
	memset(is_long, 'x', sizeof(is_long) - 1);
	is_long[sizeof(is_long) - 1] = '\0';
	(void)err_set(&e, EIO, "the cause");
	(void)err_in(&e, "%s", is_long);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	assert_non_null(strstr(e.text, "x: the cause"));
	(void)err_in(&e, "no room at all");
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
	err_key(&e, is_long);
	assert_int_equal(strlen(e.key), sizeof(e.key) - 1);
	err_request(&e, is_long);
	assert_int_equal(strlen(e.request_id), sizeof(e.request_id) - 1);
	err_clear(&e);
	(void)err_set(&e, EIO, "%s", is_long);
	assert_int_equal(strlen(e.text), sizeof(e.text) - 1);
}

/*
 * For every room that is left: the whole cause stays, and the end of the string where it must be.
 */
static void
a_context_of_any_length_fits(void **state)
{
	char cause[400];

	(void)state;
	for (size_t n = 0; n < 330; n++) {
		struct err e = { 0 };

		memset(cause, 'c', n);
		cause[n] = '\0';
		(void)err_set(&e, EIO, "%s", cause);
		(void)err_in(&e, "some context");
		assert_true(strlen(e.text) < sizeof(e.text));
		assert_true(strlen(e.text) >= (n < 319 ? n : 319));
		if (n < 300)
			assert_non_null(strstr(e.text, "some context: "));
	}
}

static void
errnos_have_names(void **state)
{
	(void)state;
	assert_string_equal(err_name(EBADMSG), "EBADMSG");
	assert_string_equal(err_name(ENOKEY), "ENOKEY");
	assert_string_equal(err_name(9999), "errno 9999");
	assert_string_equal(err_name(-1), "errno -1");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_has_an_errno_and_a_text),
		cmocka_unit_test(no_text_forges_a_line_or_moves_a_cursor),
		cmocka_unit_test(what_is_too_long_is_cut_and_the_cause_kept),
		cmocka_unit_test(a_context_of_any_length_fits),
		cmocka_unit_test(errnos_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
