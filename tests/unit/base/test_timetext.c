/* SPDX-License-Identifier: MIT */
/* Points in time as text, as others write them and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/timetext.h"

static void
times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t s, ns;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0, 0 },
		{ "1970-01-01T00:00:00.000000001Z", 0, 1 },
		{ "2026-11-26T15:04:05.123456789Z", 1795705445, 123456789 },
		{ "2026-11-26T15:04:05.1Z", 1795705445, 100000000 },
		{ "2026-11-26T15:04:05.100000000Z", 1795705445, 100000000 },
		{ "2026-11-26T15:04:05+00:00", 1795705445, 0 },
		{ "2026-11-26T15:04:05-00:00", 1795705445, 0 },
		{ "2026-11-26T16:34:05.5+01:30", 1795705445, 500000000 },
		{ "2026-11-25T16:04:05-23:00", 1795705445, 0 },
		{ "2024-02-29T23:59:59Z", 1709251199, 0 },
		{ "2000-02-29T00:00:00Z", 951782400, 0 },
		{ "1969-12-31T23:00:00-01:00", 0, 0 },
		{ "2262-04-11T23:47:16.854775807Z", 9223372036, 854775807 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ns = -1;

		if (!timetext_parse(rows[i].text, &ns) || ns != rows[i].s * NS_PER_S + rows[i].ns)
			fail_msg("'%s': %lld", rows[i].text, (long long)ns);
	}
}

static void
other_text_is_no_time(void **state)
{
	static const char *const rows[] = {
		"",
		"Z",
		"2026-11-26",
		"2026-11-26T15:04:05",
		"2026-11-26T15:04Z",
		"2026-11-26 15:04:05Z",
		"2026-11-26t15:04:05Z",
		"2026-11-26T15:04:05z",
		"2026-11-26T15:04:05ZZ",
		" 2026-11-26T15:04:05Z",
		"2026-11-26T15:04:05Z ",
		"2026-11-26T15:04:05.Z",
		"2026-11-26T15:04:05,5Z",
		"2026-11-26T15:04:05.1234567890Z",
		"2026-11-26T15:04:05.12a4Z",
		"2026-11-26T15:04:05+0100",
		"2026-11-26T15:04:05+01",
		"2026-11-26T15:04:05+24:00",
		"2026-11-26T15:04:05+01:60",
		"2026-11-26T15:04:05+01:00Z",
		"2026-11-26T15:04:60Z",
		"2026-11-26T15:60:05Z",
		"2026-11-26T24:00:00Z",
		"2026-11-31T15:04:05Z",
		"2026-00-01T15:04:05Z",
		"2026-13-01T15:04:05Z",
		"2026-11-00T15:04:05Z",
		"2026-02-29T15:04:05Z",
		"2100-02-29T15:04:05Z",
		"1969-12-31T23:59:59Z",
		"1970-01-01T00:00:00+00:01",
		"2262-04-11T23:47:16.854775808Z",
		"2262-04-11T23:47:17Z",
		"9999-12-31T23:59:59Z",
		"0000-01-01T00:00:00Z",
		"-026-11-26T15:04:05Z",
		"1795705445",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		int64_t ns = 42;

		if (timetext_parse(rows[i], &ns) || ns != 42)
			fail_msg("'%s': %lld", rows[i], (long long)ns);
	}
}

static void
times_are_printed(void **state)
{
	static const struct {
		int64_t ns;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00Z" },
		{ 1, "1970-01-01T00:00:00.000000001Z" },
		{ INT64_C(1795705445123456789), "2026-11-26T15:04:05.123456789Z" },
		{ INT64_C(1795705445123400000), "2026-11-26T15:04:05.1234Z" },
		{ INT64_C(1795705445000000100), "2026-11-26T15:04:05.0000001Z" },
		{ INT64_C(1795705445000000000), "2026-11-26T15:04:05Z" },
		{ INT64_MAX, "2262-04-11T23:47:16.854775807Z" },
		{ -1, "1970-01-01T00:00:00Z" },
		{ INT64_MIN, "1970-01-01T00:00:00Z" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[TIMETEXT_MAX + 1];

		timetext_print(rows[i].ns, text);
		assert_string_equal(text, rows[i].text);
	}
}

static void
what_is_printed_is_read_again(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		char text[TIMETEXT_MAX + 1];
		int64_t ns, again = -1;

		seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		ns = (int64_t)(seed >> 1);
		if (i % 3 == 0)
			ns -= ns % (i % 2 == 0 ? NS_PER_S : NS_PER_MS);
		timetext_print(ns, text);
		if (!timetext_parse(text, &again) || again != ns)
			fail_msg("%lld: '%s': %lld", (long long)ns, text, (long long)again);
	}
}

static void
times_of_files_are_clamped(void **state)
{
	static const struct {
		struct timespec t;
		int64_t ns;
	} rows[] = {
		{ { 0, 0 }, 0 },
		{ { 1, 5 }, 1000000005 },
		{ { -1, 999999999 }, 0 },
		{ { INT64_MIN, 0 }, 0 },
		{ { 9223372034, 7 }, INT64_C(9223372034000000007) },
		{ { INT64_MAX, 999999999 }, INT64_C(9223372035999999999) },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(timetext_of_file(&rows[i].t), rows[i].ns);
}

/* One byte of a time changed to each other one: read, or not, and never beyond its end. */
static void
no_byte_leads_astray(void **state)
{
	static const char good[] = "2026-11-26T15:04:05.123456789+01:00";

	(void)state;
	for (size_t at = 0; at < sizeof(good) - 1; at++)
		for (int c = 0; c < 256; c++) {
			char text[sizeof(good)], copy[TIMETEXT_MAX + 1];
			int64_t ns = -1, again = -1;

			memcpy(text, good, sizeof(good));
			text[at] = (char)c;
			if (!timetext_parse(text, &ns)) {
				assert_int_equal(ns, -1);
				continue;
			}
			assert_true(ns >= 0);
			timetext_print(ns, copy);
			assert_true(timetext_parse(copy, &again));
			assert_int_equal(again, ns);
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(other_text_is_no_time),
		cmocka_unit_test(times_are_printed),
		cmocka_unit_test(times_of_files_are_clamped),
		cmocka_unit_test(what_is_printed_is_read_again),
		cmocka_unit_test(no_byte_leads_astray),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
