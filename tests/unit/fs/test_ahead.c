/* SPDX-License-Identifier: MIT */
/* What to fetch ahead: nothing for random reads, more and more while a sequential reader waits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "fs/ahead.h"

enum { SPAN = 4 << 20, LEN = 128 << 10 };

static struct ahead_plan
note(struct ahead *a, uint64_t off, size_t len, uint64_t n_spans, bool waited)
{
	const struct ahead_read r = {
		.off = off,
		.len = len,
		.last_span = (off + len - 1) / SPAN,
		.n_spans = n_spans,
		.waited = waited,
		.depth_max = AHEAD_DEPTH_MAX,
	};

	return ahead_note(a, &r);
}

static void
a_sequential_reader_is_kept_ahead_of_and_no_span_is_asked_for_twice(void **state)
{
	struct ahead a = { 0 };
	uint64_t asked = 1;

	(void)state;
	for (uint64_t off = 0; off < UINT64_C(100) * SPAN; off += LEN) {
		const struct ahead_plan p = note(&a, off, LEN, 100, false);

		assert_true(p.sequential);
		if (p.first == p.end)
			continue;
		assert_true(p.first >= asked && p.first > off / SPAN);
		assert_true(p.end <= off / SPAN + 1 + AHEAD_DEPTH_MIN && p.end <= 100);
		asked = p.end;
	}
	assert_int_equal(asked, 100);
}

static void
depth_doubles_while_the_reader_waits_up_to_its_limit(void **state)
{
	struct ahead a = { 0 };
	uint64_t most = 0;

	(void)state;
	for (uint64_t off = 0; off < UINT64_C(50) * SPAN; off += LEN) {
		const struct ahead_plan p = note(&a, off, LEN, 1000, off % SPAN == 0);

		if (p.end > p.first && p.end - off / SPAN - 1 > most)
			most = p.end - off / SPAN - 1;
	}
	assert_int_equal(most, AHEAD_DEPTH_MAX);
}

static void
random_reads_fetch_nothing_ahead(void **state)
{
	struct ahead a = { 0 };
	uint64_t x = 3;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct ahead_plan p;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		p = note(&a, (x >> 20) % (UINT64_C(1) << 40), 4096, UINT64_MAX / SPAN, true);
		assert_int_equal(p.first, p.end);
	}
}

static void
readers_that_take_turns_are_all_sequential(void **state)
{
	struct ahead a = { 0 };
	unsigned sequential = 0;

	(void)state;
	for (uint64_t i = 0; i < 100; i++)
		for (uint64_t s = 0; s < AHEAD_STREAMS; s++)
			sequential += note(&a, s * (UINT64_C(1) << 40) + i * LEN, LEN,
					   UINT64_MAX / SPAN, false)
					      .sequential;
	assert_int_equal(sequential,
			 100 * AHEAD_STREAMS - (AHEAD_STREAMS - 1)); /* all but their first reads */
}

static void
requests_a_little_out_of_order_are_one_stream(void **state)
{
	static const uint64_t order[] = { 0, 2, 1, 3, 5, 4, 6, 8, 7 };
	struct ahead a = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(order); i++)
		assert_true(note(&a, order[i] * LEN, LEN, 100, false).sequential);
}

static void
nothing_lies_behind_the_last_span(void **state)
{
	struct ahead a = { 0 };
	struct ahead_plan p;

	(void)state;
	(void)note(&a, 0, LEN, 1, true);
	p = note(&a, LEN, LEN, 1, true);
	assert_int_equal(p.first, p.end);
	p = note(&a, UINT64_C(4) * SPAN - LEN, LEN, 4, true);
	assert_int_equal(p.first, p.end);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			a_sequential_reader_is_kept_ahead_of_and_no_span_is_asked_for_twice),
		cmocka_unit_test(depth_doubles_while_the_reader_waits_up_to_its_limit),
		cmocka_unit_test(random_reads_fetch_nothing_ahead),
		cmocka_unit_test(readers_that_take_turns_are_all_sequential),
		cmocka_unit_test(requests_a_little_out_of_order_are_one_stream),
		cmocka_unit_test(nothing_lies_behind_the_last_span),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
