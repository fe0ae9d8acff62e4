/* SPDX-License-Identifier: MIT */
/* The fault decorator: what a script says is what happens, and nothing else. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/store/fault.h"
#include "backend/store/storewrite.h"
#include "tests/unit/store/lines.h"

static const struct deadline never = { 0 };
static const char content[] = "0123456789";
static bool inner_freed;

/* ---- a store of two objects, "a" and "b" */

static const struct store_entry *
entry_of(const char *name)
{
	static struct store_entry entry = { .size = sizeof(content) - 1,
					    .etag = "1",
					    .content_type = "" };

	entry.name = span_str(name);
	return &entry;
}

static int
inner_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	   struct store_list_sink sink, struct deadline d, struct err *e)
{
	int r = sink.entry(sink.arg, entry_of("a"), e);

	(void)s, (void)prefix, (void)delimited, (void)max, (void)cursor, (void)d;
	return r != 0 ? r : sink.entry(sink.arg, entry_of("b"), e);
}

static int
inner_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	    struct err *e)
{
	(void)s, (void)d;
	return sink.entry(sink.arg, entry_of(name), e);
}

static int
inner_head(struct store *s, const char *name, const char *if_none_match,
	   struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	(void)s, (void)if_none_match, (void)out_same, (void)d;
	return sink.entry(sink.arg, entry_of(name), e);
}

static int
inner_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	  struct deadline d, struct err *e)
{
	const uint64_t len = get->len > 0 ? get->len : sizeof(content) - 1;
	int r = sink.begin(sink.arg, entry_of(get->name), e);

	(void)s, (void)out_same, (void)d;
	for (uint64_t at = 0; r == 0 && at < len; at += 4)
		r = sink.data(sink.arg,
			      span_of(content + get->off + at, len - at < 4 ? len - at : 4), e);
	return r;
}

static void
inner_free(struct store *s)
{
	(void)s;
	inner_freed = true;
}

static const struct store_ops inner_ops = {
	.name = "inner",
	.list = inner_list,
	.probe = inner_probe,
	.head = inner_head,
	.get = inner_get,
	.free = inner_free,
};
static struct store inner = { .ops = &inner_ops, .label = "inner", .listable = true };

static struct store *
faulty(const char *script)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (fault_store_new_take(&inner, script, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static int
take(void *arg, struct span piece, struct err *e)
{
	(void)e;
	(void)strncat(arg, (const char *)piece.p, piece.n);
	return 0;
}

static int
get(struct store *s, uint64_t off, uint64_t len, char text[32])
{
	const struct store_get what = { .name = "a", .off = off, .len = len, .max = 100 };
	struct err e = { 0 };

	text[0] = '\0';
	return store_get(s, &what, (struct store_get_sink){ NULL, take, text }, NULL, never, &e);
}

/* ---- tests */

static void
test_nth_calls_fail(void **state)
{
	struct store *s = faulty(" get:2 errno EIO ; get:4+ errno ENODATA;;head errno EBUSY; ");
	static const int want[] = { 0, -EIO, 0, -ENODATA, -ENODATA };
	struct lines lines;
	struct err e = { 0 };
	char text[32];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(want); i++)
		assert_int_equal(get(s, 0, 0, text), want[i]);
	assert_int_equal(store_probe(s, "a", lines_sink(&lines), never, &e), 0);
	assert_int_equal(store_head(s, "a", NULL, lines_sink(&lines), NULL, never, &e), -EBUSY);
	assert_int_equal(fault_store_calls(s, "get"), 5);
	assert_int_equal(fault_store_calls(s, "probe"), 1);
	assert_int_equal(fault_store_calls(s, "head"), 1);
	assert_int_equal(fault_store_calls(s, "list"), 0);
	assert_string_equal(s->label, "inner");
	inner_freed = false;
	store_free(s);
	assert_true(inner_freed);
}

static void
test_cuts(void **state)
{
	char text[32];

	(void)state;
	for (unsigned n = 0; n <= 11; n++) {
		char script[32];
		struct store *s;

		(void)snprintf(script, sizeof(script), "get cut %u", n);
		s = faulty(script);
		assert_int_equal(get(s, 0, 0, text), n < 10 ? -EIO : 0);
		assert_int_equal(strlen(text), n < 10 ? n : 10);
		store_free(s);
	}
}

static void
test_a_listing_is_cut_between_entries(void **state)
{
	struct store *s = faulty("list:2 cut 1; list:3 cut 2");
	static const char *const want[] = { "o a 10 1\no b 10 1\n", "o a 10 1\n",
					    "o a 10 1\no b 10 1\n" };
	struct buf cursor;

	(void)state;
	buf_init(&cursor, STORE_CURSOR_MAX);
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		struct lines lines;
		struct err e = { 0 };

		assert_int_equal(store_list(s, span_str(""), true, 0, &cursor, lines_sink(&lines),
					    never, &e),
				 i == 1 ? -EIO : 0);
		assert_string_equal(lines.text, want[i]);
	}
	store_free(s);
}

static void
test_one_bit_is_flipped_wherever_it_is_read(void **state)
{
	struct store *s = faulty("get flip 5");
	char text[32];

	(void)state;
	assert_int_equal(get(s, 0, 0, text), 0);
	assert_string_equal(text, "0123446789");
	assert_int_equal(get(s, 5, 1, text), 0);
	assert_string_equal(text, "4");
	assert_int_equal(get(s, 3, 4, text), 0);
	assert_string_equal(text, "3446");
	assert_int_equal(get(s, 6, 4, text), 0);
	assert_string_equal(text, "6789");
	assert_int_equal(get(s, 0, 5, text), 0);
	assert_string_equal(text, "01234");
	store_free(s);
}

static int64_t fake_now, slept;

static int64_t
now(void)
{
	return fake_now;
}

static int64_t
wall(void)
{
	return 0;
}

static void
sleep_fake(int64_t ns)
{
	fake_now += ns;
	slept += ns;
}

static void
test_delays_and_stalls(void **state)
{
	static const struct clock_ops clock = { now, wall, sleep_fake };
	struct store *s = faulty("probe:1 delay 250; probe:2 delay 5000; probe:3 stall");
	struct lines lines;
	struct err e = { 0 };

	(void)state;
	fake_now = NS_PER_S;
	clock_replace(&clock);
	slept = 0;
	assert_int_equal(store_probe(s, "a", lines_sink(&lines), never, &e), 0);
	assert_int_equal(slept, 250 * NS_PER_MS);
	slept = 0;
	assert_int_equal(store_probe(s, "a", lines_sink(&lines), deadline_in(NS_PER_S), &e), 0);
	assert_int_equal(slept, NS_PER_S); /* never longer than the deadline */
	slept = 0;
	assert_int_equal(store_probe(s, "a", lines_sink(&lines), deadline_in(3 * NS_PER_S), &e),
			 -ETIMEDOUT);
	assert_int_equal(slept, 3 * NS_PER_S);
	clock_replace(NULL);
	store_free(s);
}

static void
test_bad_rules_are_named(void **state)
{
	static const char *const bad[] = { "write errno EIO",
					   "get",
					   "get errno",
					   "get errno EFOO",
					   "get:0 stall",
					   "get: stall",
					   "get:+ stall",
					   "get:x stall",
					   "get:1++ stall",
					   "get cut x",
					   "get cut -1",
					   "get stall 5",
					   "head flip 1",
					   "get errno EIO EIO",
					   "get delay 99999999999",
					   "getx stall",
					   "ge stall",
					   "get lost",
					   "properties lost",
					   "put lost 1",
					   "put cut 1",
					   "commit flip 1" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct store *s = NULL;
		struct err e = { 0 };
		char script[128];

		inner_freed = false;
		(void)snprintf(script, sizeof(script), "get cut 5; %s", bad[i]);
		if (fault_store_new_take(&inner, script, &s, &e) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(strstr(e.text, bad[i]));
		assert_null(s);
		assert_true(inner_freed);
	}
}

/* ---- writes: the inner store counts them */

static unsigned puts_done;

static int
inner_put(struct store *s, const char *name, const struct store_properties *p, struct span bytes,
	  struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	(void)s, (void)name, (void)p, (void)bytes, (void)c, (void)d, (void)e;
	puts_done++;
	*out = (struct store_written){ "2", 5 };
	return 0;
}

static int
inner_delete(struct store *s, const char *name, const char *if_match, struct deadline d,
	     struct err *e)
{
	(void)s, (void)name, (void)if_match, (void)d;
	return err_set(e, ESTALE, "changed");
}

static void
test_a_lost_answer_is_that_of_a_write_that_happened(void **state)
{
	static const struct store_write_ops write_ops = { .put = inner_put,
							  .delete = inner_delete };
	static const struct store_properties nothing = { .meta = NULL };
	static const struct store_condition any = { 0 };
	static const int want[] = { 0, -EIO, -ENOSPC, 0 };
	static const unsigned done[] = { 1, 2, 2, 3 };
	struct store_ops ops = inner_ops;
	struct store writable = { .ops = &ops };
	struct store *s = NULL;
	struct err e = { 0 };

	(void)state;
	ops.write = &write_ops;
	assert_int_equal(fault_store_new_take(
				 &writable, "put:2 lost; put:3 errno ENOSPC; delete lost", &s, &e),
			 0);
	for (unsigned i = 0; i < ARRAY_LEN(want); i++) {
		struct store_written w = { .etag = "" };

		err_clear(&e);
		assert_int_equal(store_put(s, "a", &nothing, span_str("x"), any, &w, never, &e),
				 want[i]);
		assert_string_equal(w.etag, want[i] == 0 ? "2" : "");
		assert_int_equal(puts_done, done[i]);
	}
	err_clear(&e);
	assert_int_equal(store_delete(s, "a", NULL, never, &e), -ESTALE); /* none to be lost */
	assert_int_equal(fault_store_calls(s, "put"), 4);
	assert_int_equal(fault_store_calls(s, "delete"), 1);
	store_free(s);
}

static void
test_what_only_reads_says_so(void **state)
{
	static const struct store_properties nothing = { .meta = NULL };
	static const struct store_condition any = { 0 };
	struct store *s = faulty("");
	struct err e = { 0 };

	(void)state;
	assert_int_equal(store_put(s, "a", &nothing, span_str("x"), any, NULL, never, &e), -EROFS);
	err_clear(&e);
	assert_int_equal(store_make_folder(s, "a", never, &e), -EROFS);
	store_free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nth_calls_fail),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_a_listing_is_cut_between_entries),
		cmocka_unit_test(test_one_bit_is_flipped_wherever_it_is_read),
		cmocka_unit_test(test_delays_and_stalls),
		cmocka_unit_test(test_bad_rules_are_named),
		cmocka_unit_test(test_a_lost_answer_is_that_of_a_write_that_happened),
		cmocka_unit_test(test_what_only_reads_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
