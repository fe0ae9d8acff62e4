/* SPDX-License-Identifier: MIT */
/* The log: one line an event, whatever is in it. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"

static char path[64];

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	(void)snprintf(path, sizeof(path), "/tmp/azc-log-%ld", (long)getpid());
	(void)unlink(path);
	return log_open(path, LOG_LEVEL_INFO, &e);
}

static int
tear_down(void **state)
{
	struct err e = { 0 };

	(void)state;
	(void)unlink(path);
	return log_open("stderr", LOG_LEVEL_INFO, &e);
}

/* The whole log behind the time of its first line. */
static const char *
logged(void)
{
	static char text[64 << 10];
	FILE *f = fopen(path, "re");
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	(void)fclose(f);
	assert_int_equal(truncate(path, 0), 0);
	if (n == 0)
		return text;
	assert_true(n > 25 && text[4] == '-' && text[10] == 'T' && text[23] == 'Z' &&
		    text[24] == ' ');
	return text + 25;
}

static void
an_event_is_one_line(void **state)
{
	(void)state;
	log_event(LOG_LEVEL_ERROR, "some.event", "%d of %s", 1, "two");
	assert_string_equal(logged(), "E some.event 1 of two\n");
	log_event(LOG_LEVEL_INFO, "some.event",
		  "a\nE forged.event b\x1b[2J \xc2\x9b \xff \xc3\xbc");
	assert_string_equal(
		logged(),
		"I some.event a\\x0aE forged.event b\\x1b[2J \\xc2\\x9b \\xff \xc3\xbc\n");
}

static void
levels_below_the_threshold_are_not_written(void **state)
{
	(void)state;
	log_event(LOG_LEVEL_DEBUG, "d", "x");
	assert_string_equal(logged(), "");
	assert_false(log_wants(LOG_LEVEL_DEBUG));
	log_set_level(LOG_LEVEL_DEBUG);
	log_event(LOG_LEVEL_DEBUG, "d", "x");
	assert_string_equal(logged(), "D d x\n");
	log_set_level(LOG_LEVEL_ERROR);
	log_event(LOG_LEVEL_WARNING, "w", "x");
	assert_string_equal(logged(), "");
}

static void
a_long_line_is_cut(void **state)
{
	static char text[8000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_event(LOG_LEVEL_ERROR, "e", "%s", text);
	assert_in_range(strlen(logged()), 1400, 1510);
	memset(text, '\n', sizeof(text) - 1);
	log_event(LOG_LEVEL_ERROR, "e", "%s", text);
	assert_in_range(strlen(logged()), 1400, 1510);
	for (size_t i = 0; i + 1 < sizeof(text); i++)
		text[i] = i % 2 ? '\xbc' : '\xc3';
	log_event(LOG_LEVEL_ERROR, "e", "%s", text);
	assert_in_range(strlen(logged()), 1400, 1510);
}

static void
a_failure_is_told_with_all_that_is_known(void **state)
{
	static char name[4000];
	struct err e = { 0 };
	const char *text;

	(void)state;
	log_err(LOG_LEVEL_ERROR, &e, "nothing happened");
	assert_string_equal(logged(), "");
	(void)err_set(&e, EBADMSG, "region 3 does not verify");
	log_err(LOG_LEVEL_ERROR, &e, "read '%s'", "/a");
	assert_string_equal(logged(),
			    "E integrity.data read '/a': region 3 does not verify [EBADMSG]\n");
	(void)err_mark(&e, "integrity.region", "look at it");
	err_key(&e, "kid");
	err_request(&e, "id");
	log_err(LOG_LEVEL_ERROR, &e, "read '%s'", "/a");
	assert_string_equal(logged(), "E integrity.region read '/a': region 3 does not verify "
				      "[EBADMSG key=kid request=id]; look at it\n");
	memset(name, 'n', sizeof(name) - 1); /* however long the name, the cause is there */
	log_err(LOG_LEVEL_ERROR, &e, "read '%s'", name);
	text = logged();
	assert_non_null(strstr(
		text, "region 3 does not verify [EBADMSG key=kid request=id]; look at it\n"));
}

static void
errno_survives_a_line(void **state)
{
	(void)state;
	errno = ENOTTY;
	log_event(LOG_LEVEL_ERROR, "e", "x");
	assert_int_equal(errno, ENOTTY);
}

static void
the_file_is_private_and_appended_to(void **state)
{
	struct err e = { 0 };
	struct stat st;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	log_event(LOG_LEVEL_ERROR, "e", "one");
	assert_int_equal(log_open(path, LOG_LEVEL_INFO, &e), 0);
	log_event(LOG_LEVEL_ERROR, "e", "two");
	assert_non_null(strstr(logged(), "two\n"));
	assert_int_equal(log_open("/nowhere/at/all", LOG_LEVEL_INFO, &e), -ENOENT);
}

static void
levels_have_names(void **state)
{
	enum log_level level = LOG_LEVEL_DEBUG;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(log_level_parse("warning", &level, &e), 0);
	assert_int_equal(level, LOG_LEVEL_WARNING);
	assert_int_equal(log_level_parse("Warning", &level, &e), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_WARNING);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		WITH(an_event_is_one_line),
		WITH(levels_below_the_threshold_are_not_written),
		WITH(a_long_line_is_cut),
		WITH(a_failure_is_told_with_all_that_is_known),
		WITH(errno_survives_a_line),
		WITH(the_file_is_private_and_appended_to),
		cmocka_unit_test(levels_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
