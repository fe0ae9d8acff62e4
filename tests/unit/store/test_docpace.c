/* SPDX-License-Identifier: MIT */
/* Scans that keep to a budget of request units: docpace_new_take of docstore.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "backend/store/docstore.h"

static int64_t now_ns, slept_ns;

static int64_t
fake_now(void)
{
	return now_ns;
}

static void
fake_sleep(int64_t ns)
{
	now_ns += ns;
	slept_ns += ns;
}

static const struct clock_ops clock_fake = { .now_ns = fake_now, .sleep_ns = fake_sleep };

/* A store of which every item costs so much; a page has as many as are asked for. */
static struct {
	double item_units;
	unsigned asked, freed;
} inner;

static int
page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
     struct buf *cursor, struct docstore_sink sink, struct docstore_page *out, struct deadline d,
     struct err *e)
{
	int r = 0;

	(void)at;
	(void)cursor;
	(void)d;
	inner.asked = sel->max_items;
	for (unsigned i = 0; r == 0 && i < sel->max_items; i++)
		r = sink.text(sink.arg, span_str("{}"), e);
	out->charge = inner.item_units * sel->max_items;
	docstore_charge(s, out->charge);
	return r;
}

static void
free_inner(struct docstore *s)
{
	(void)s;
	inner.freed++;
}

static const struct docstore_ops ops = { .name = "fake", .page = page, .free = free_inner };
static struct docstore fake;

static int
take(void *arg, struct span text, struct err *e)
{
	(void)text;
	(void)e;
	++*(unsigned *)arg;
	return 0;
}

static struct docstore *
paced(double item_units, double units)
{
	struct docstore *s = NULL;
	struct err e = { 0 };

	fake = (struct docstore){ .ops = &ops, .label = "fake" };
	inner.item_units = item_units;
	inner.freed = 0;
	now_ns = 1000 * NS_PER_S;
	slept_ns = 0;
	clock_replace(&clock_fake);
	assert_int_equal(docpace_new_take(&fake, units, &s, &e), 0);
	return s;
}

static int
ask(struct docstore *s, unsigned items, int64_t patience_s, struct err *e)
{
	static const struct container_def def = { .n_partition = 1 };
	const struct docstore_at at = { .database = "d", .container = "c", .def = &def };
	const struct docstore_select sel = { .max_items = items };
	struct docstore_page out = { 0 };
	unsigned n = 0;
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	r = docstore_page(s, &at, &sel, &cursor, (struct docstore_sink){ take, &n }, &out,
			  deadline_in(patience_s * NS_PER_S), e);
	if (r == 0)
		assert_int_equal(n, inner.asked);
	return r;
}

static void
end(struct docstore *s)
{
	docstore_free(s);
	assert_int_equal(inner.freed, 1);
	clock_replace(NULL);
}

static void
a_page_waits_for_the_charge_of_those_before_it(void **state)
{
	struct docstore *s = paced(2, 100);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask(s, 100, 60, &e), 0);
	assert_int_equal(slept_ns, 0);
	assert_int_equal(ask(s, 100, 60, &e), 0);
	assert_in_range(slept_ns, 19 * NS_PER_S / 10, 21 * NS_PER_S / 10);
	end(s);
}

static void
time_that_nobody_used_is_not_saved_up(void **state)
{
	struct docstore *s = paced(2, 100);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask(s, 100, 60, &e), 0);
	now_ns += 1000 * NS_PER_S;
	assert_int_equal(ask(s, 100, 60, &e), 0);
	assert_int_equal(slept_ns, 0);
	assert_int_equal(ask(s, 100, 60, &e), 0);
	assert_true(slept_ns > NS_PER_S);
	end(s);
}

static void
pages_become_as_small_as_can_be_paid_for_in_seconds(void **state)
{
	struct docstore *s = paced(10, 10);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask(s, 1000, 600, &e), 0);
	assert_int_equal(inner.asked, 50); /* an item is taken to cost one unit at first */
	assert_int_equal(ask(s, 1000, 600, &e), 0);
	assert_int_equal(inner.asked, 5);
	assert_int_equal(ask(s, 3, 600, &e), 0);
	assert_int_equal(inner.asked, 3);
	end(s);
	s = paced(1000, 1);
	assert_int_equal(ask(s, 1000, 600, &e), 0);
	assert_int_equal(ask(s, 1000, 86400, &e), 0);
	assert_int_equal(inner.asked, 1);
	end(s);
}

static void
a_question_for_one_item_does_not_wait_but_counts(void **state)
{
	struct docstore *s = paced(100, 10);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask(s, 50, 60, &e), 0);
	assert_int_equal(ask(s, 1, 60, &e), 0);
	assert_int_equal(slept_ns, 0);
	assert_int_equal(ask(s, 5, 6000, &e), 0);
	assert_true(slept_ns > 500 * NS_PER_S);
	end(s);
}

static void
a_wait_beyond_the_deadline_is_etimedout(void **state)
{
	struct docstore *s = paced(100, 10);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(ask(s, 50, 60, &e), 0);
	assert_int_equal(ask(s, 50, 60, &e), -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	assert_in_range(slept_ns, 59 * NS_PER_S, 61 * NS_PER_S);
	end(s);
}

/* ---- writes */

static int
put(struct docstore *s, const struct docstore_at *at, const struct docstore_put *sent,
    char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	(void)at, (void)d, (void)e;
	(void)snprintf(etag, DOCSTORE_ETAG_MAX + 1, "\"of %s\"", sent->id);
	docstore_charge(s, 6);
	return 0;
}

static int delete (struct docstore *s, const struct docstore_at *at, const char *partition,
		   const char *id, const char *etag, struct deadline d, struct err *e)
{
	(void)s, (void)at, (void)partition, (void)id, (void)etag, (void)d;
	return err_set(e, ENOENT, "not there");
}

static const struct docstore_at somewhere = { .database = "d", .container = "c" };
static const struct docstore_put document = { .partition = "[1]", .id = "i" };

static int
put_document(struct docstore *s, size_t n, char etag[DOCSTORE_ETAG_MAX + 1], struct err *e)
{
	static char text[DOCSTORE_DOCUMENT_MAX + 1];
	struct docstore_put sent = document;

	sent.text = span_of(text, n);
	return docstore_put(s, &somewhere, &sent, etag, deadline_in(NS_PER_S), e);
}

static int
delete_document(struct docstore *s, struct err *e)
{
	return docstore_delete(s, &somewhere, "[1]", "i", NULL, deadline_in(NS_PER_S), e);
}

static void
writes_go_through_and_are_counted(void **state)
{
	static const struct docstore_ops writes = {
		.name = "fake", .page = page, .put = put, .delete = delete, .free = free_inner
	};
	struct docstore *s = paced(1000, 10);
	char etag[DOCSTORE_ETAG_MAX + 1] = "";
	struct err e = { 0 };

	(void)state;
	fake.ops = &writes;
	assert_int_equal(ask(s, 1, 60, &e), 0); /* a page would have to wait now */
	assert_int_equal(put_document(s, DOCSTORE_DOCUMENT_MAX, etag, &e), 0);
	assert_string_equal(etag, "\"of i\"");
	assert_int_equal(s->charge_milli, 1006000);
	assert_int_equal(slept_ns, 0);
	assert_int_equal(put_document(s, DOCSTORE_DOCUMENT_MAX + 1, etag, &e), -EFBIG);
	err_clear(&e);
	assert_int_equal(delete_document(s, &e), -ENOENT);
	end(s);
}

static void
a_store_that_only_reads_says_so(void **state)
{
	struct docstore *s = paced(1, 10);
	char etag[DOCSTORE_ETAG_MAX + 1] = "untouched";
	struct err e = { 0 };

	(void)state;
	assert_int_equal(put_document(s, 2, etag, &e), -EROFS);
	assert_string_equal(etag, "untouched");
	err_clear(&e);
	assert_int_equal(delete_document(s, &e), -EROFS);
	end(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_page_waits_for_the_charge_of_those_before_it),
		cmocka_unit_test(time_that_nobody_used_is_not_saved_up),
		cmocka_unit_test(pages_become_as_small_as_can_be_paid_for_in_seconds),
		cmocka_unit_test(a_question_for_one_item_does_not_wait_but_counts),
		cmocka_unit_test(a_wait_beyond_the_deadline_is_etimedout),
		cmocka_unit_test(writes_go_through_and_are_counted),
		cmocka_unit_test(a_store_that_only_reads_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
