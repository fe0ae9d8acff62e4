/* SPDX-License-Identifier: MIT */
/* What a terminal shows of work that goes on (cli/progress.c). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/clock.h"
#include "cli/progress.h"

#define MIB (UINT64_C(1) << 20)

static const struct {
	struct progress p;
	int64_t elapsed_ns;
	const char *shown;
} shown[] = {
	{ { .bytes = 0 }, 0, "[--------------------]   0%  0 B of 0 B+  0/0+ files" },
	{ { .bytes = MIB,
	    .bytes_total = 4 * MIB,
	    .files = 1,
	    .files_total = 3,
	    .total_known = true },
	  2 * NS_PER_S,
	  "[#####---------------]  25%  1.0 MiB of 4.0 MiB  1/3 files  512.0 KiB/s  0:06 left" },
	{ { .bytes = MIB, .bytes_total = MIB, .files = 1, .files_total = 1 },
	  NS_PER_S,
	  "[####################] 100%  1.0 MiB of 1.0 MiB+  1/1+ files  1.0 MiB/s" },
	{ { .endless = "documents" }, 0, "0 B  0 documents" },
	{ { .endless = "documents", .bytes = 3 * MIB, .files = 1234 },
	  3 * NS_PER_S,
	  "3.0 MiB  1234 documents  1.0 MiB/s" },
};

static void
test_what_is_known_is_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		char text[256];

		progress_text(&shown[i].p, shown[i].elapsed_ns, 200, text, sizeof(text));
		assert_string_equal(text, shown[i].shown);
	}
}

static void
test_it_is_cut_where_the_terminal_ends(void **state)
{
	char text[256];

	(void)state;
	progress_text(&shown[4].p, shown[4].elapsed_ns, 10, text, sizeof(text));
	assert_string_equal(text, "3.0 MiB  1");
}

static const struct {
	double bytes;
	const char *text;
} sizes[] = {
	{ 0, "0 B" },
	{ 1023, "1023 B" },
	{ 1024, "1.0 KiB" },
	{ 1536.0 * 1024, "1.5 MiB" },
	{ 1024.0 * 1024 * 1024 * 1024 * 1024 * 1024 * 4, "4096.0 PiB" },
};

static void
test_sizes_are_for_people(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		char text[32];

		progress_human(sizes[i].bytes, text, sizeof(text));
		assert_string_equal(text, sizes[i].text);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_known_is_shown),
		cmocka_unit_test(test_it_is_cut_where_the_terminal_ends),
		cmocka_unit_test(test_sizes_are_for_people),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
