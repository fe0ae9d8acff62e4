/* SPDX-License-Identifier: MIT */
/* Exit statuses, sentences and the progress bar (cli/exit.c, cli/progress.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/exit.h"
#include "cli/progress.h"

static const struct {
	int no, status;
} statuses[] = {
	{ 0, 0 },	  { EEXIST, 1 },   { EISDIR, 1 },  { EINVAL, 2 },     { ENOENT, 3 },
	{ EACCES, 4 },	  { ENOKEY, 5 },   { EBADMSG, 6 }, { EOPNOTSUPP, 7 }, { ESTALE, 8 },
	{ ETIMEDOUT, 9 }, { EIO, 10 },	   { ENOSPC, 10 }, { 9999, 10 },      { EFBIG, 12 },
	{ ENOMEM, 12 },	  { ENODATA, 13 }, { EBUSY, 13 },  { EPERM, 13 },
};

static void
test_each_errno_has_its_status(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(statuses); i++)
		assert_int_equal(exit_code_of(statuses[i].no), statuses[i].status);
	assert_int_equal(EXIT_MOUNT, 11);
}

static void
test_a_sentence_has_what_is_known(void **state)
{
	struct err e = { 0 };
	char out[600];

	(void)state;
	(void)err_set(&e, ENOKEY, "the key is disabled");
	exit_sentence("dir:/x", &e, out, sizeof(out));
	assert_string_equal(out, "dir:/x: the key is disabled [ENOKEY]");
	err_key(&e, "https://v/keys/k");
	err_request(&e, "42");
	(void)err_mark(&e, NULL, "enable it");
	exit_sentence("", &e, out, sizeof(out));
	assert_string_equal(
		out, "the key is disabled [ENOKEY, key https://v/keys/k, request 42]; enable it");
	err_clear(&e);
	(void)err_set(&e, EINVAL, "no");
	exit_sentence("a\nb\x1b[2J", &e, out, sizeof(out));
	assert_string_equal(out, "a?b?[2J: no");
}

static void
test_a_long_sentence_is_cut_to_fit(void **state)
{
	struct err e = { 0 };
	char out[16];

	(void)state;
	(void)err_set(&e, EIO, "something long to say");
	(void)err_mark(&e, NULL, "advice");
	exit_sentence("what", &e, out, sizeof(out));
	assert_int_equal(strlen(out), sizeof(out) - 1);
}

static const struct {
	uint64_t bytes, bytes_total, files, files_total;
	bool known;
	int64_t elapsed_ns;
	unsigned columns;
	const char *text;
} bars[] = {
	{ 0, 0, 0, 0, false, 0, 200, "[--------------------]   0%  0 B of 0 B+  0/0+ files" },
	{ 512, 1024, 1, 2, true, NS_PER_S / 2, 200,
	  "[##########----------]  50%  512 B of 1.0 KiB  1/2 files" },
	{ 1 << 20, 4 << 20, 1, 2, true, 2 * NS_PER_S, 200,
	  "[#####---------------]  25%  1.0 MiB of 4.0 MiB  1/2 files  512.0 KiB/s  0:06 left" },
	{ 1 << 20, 4 << 20, 1, 2, false, 2 * NS_PER_S, 200,
	  "[#####---------------]  25%  1.0 MiB of 4.0 MiB+  1/2+ files  512.0 KiB/s" },
	{ 3 << 10, 2 << 10, 2, 2, true, NS_PER_S, 200,
	  "[####################] 100%  3.0 KiB of 3.0 KiB  2/2 files  3.0 KiB/s  0:00 left" },
	{ 1, UINT64_C(1) << 40, 0, 1, true, NS_PER_S, 200,
	  "[--------------------]   0%  1 B of 1.0 TiB  0/1 files  1 B/s  99:59:59 left" },
	{ 512, 1024, 1, 2, true, 0, 12, "[##########-" },
};

static void
test_the_bar_says_share_bytes_files_rate_and_time_left(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bars); i++) {
		struct progress p = { .bytes = bars[i].bytes,
				      .bytes_total = bars[i].bytes_total,
				      .files = bars[i].files,
				      .files_total = bars[i].files_total,
				      .total_known = bars[i].known };
		char out[256];

		progress_text(&p, bars[i].elapsed_ns, bars[i].columns, out, sizeof(out));
		assert_string_equal(out, bars[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_errno_has_its_status),
		cmocka_unit_test(test_a_sentence_has_what_is_known),
		cmocka_unit_test(test_a_long_sentence_is_cut_to_fit),
		cmocka_unit_test(test_the_bar_says_share_bytes_files_rate_and_time_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
