/* SPDX-License-Identifier: MIT */
/* Partition key values as names: every one once, whatever happens on the way: fs/docscan.c. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mutex.h"
#include "fs/docviewfile.h"

enum { PAGE = 4, ROWS_MAX = 64 << 10, ROW = 40 };

/* ---- a clock that is moved ---- */

static _Atomic int64_t passed_ns;

static int64_t
moved_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec + atomic_load(&passed_ns);
}

static int64_t
wall(void)
{
	return 1700000000;
}

static void
no_sleep(int64_t ns)
{
	(void)ns;
}

static const struct clock_ops moved = { moved_now, wall, no_sleep };

/* ---- a store of partitions: rows are header texts ---- */

static struct {
	struct docstore store;
	char *row[ROWS_MAX];
	unsigned n;
	bool two_levels;
	atomic_uint pages;
	unsigned fail_at; /* the page with this row ends before it, once; 0 = none */
	int slow_ms;
} db;

static int
db_container(struct docstore *s, const struct docstore_at *at, struct buf *out, struct deadline d,
	     struct err *e)
{
	(void)s;
	(void)at;
	(void)d;
	buf_reset(out);
	return buf_add_str(out,
			   db.two_levels
				   ? "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":"
				     "[\"/a\",\"/b\"],\"kind\":\"MultiHash\",\"version\":2}}"
				   : "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":"
				     "[\"/a\"],\"kind\":\"Hash\",\"version\":2}}",
			   e);
}

static bool
selected(const struct docstore_select *sel, const char *row)
{
	const char *value = sel->n_equal > 0 ? sel->equal[0].value[0] : "";

	return strncmp(row + 1, value, strlen(value)) == 0;
}

static int
db_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	struct buf *cursor, struct docstore_sink sink, struct docstore_page *out, struct deadline d,
	struct err *e)
{
	unsigned i = (unsigned)strtoul(buf_str(cursor), NULL, 10), sent = 0;

	(void)s;
	(void)at;
	(void)d;
	*out = (struct docstore_page){ 0 };
	atomic_fetch_add(&db.pages, 1);
	if (db.slow_ms > 0)
		(void)nanosleep(&(struct timespec){ .tv_nsec = db.slow_ms * 1000000L }, NULL);
	for (; i < db.n && sent < PAGE; i++) {
		int r;

		if (!selected(sel, db.row[i]))
			continue;
		if (db.fail_at != 0 && i == db.fail_at) {
			db.fail_at = 0;
			return err_set(e, EIO, "the line is broken");
		}
		r = sink.text(sink.arg, span_str(db.row[i]), e);
		if (r < 0)
			return r;
		sent++;
	}
	buf_reset(cursor);
	return i < db.n ? buf_addf(cursor, e, "%u", i) : 0;
}

static void
db_free(struct docstore *s)
{
	(void)s;
}

static const struct docstore_ops ops = {
	.name = "fake", .container = db_container, .page = db_page, .free = db_free
};

static void
add_row(unsigned a)
{
	assert_true(db.n < ROWS_MAX);
	db.row[db.n] = malloc(ROW);
	assert_non_null(db.row[db.n]);
	(void)snprintf(db.row[db.n++], ROW, db.two_levels ? "[\"v%02u\",\"w\"]" : "[\"v%02u\"]", a);
}

/* ---- the world ---- */

struct world {
	struct engine *engine;
	struct view *view;
};

static void
world_open(struct world *w)
{
	const struct engine_config cfg = { .memory = 16 << 20, .timeout_ns = 10 * NS_PER_S };
	const struct docview_config vc = { .box.show_unencrypted = true,
					   .attr_timeout_ns = NS_PER_S };
	const struct keyring_config kc = { .ttl_ns = NS_PER_S };
	struct keyring *keys = NULL;
	struct err e = { 0 };

	db.store = (struct docstore){
		.ops = &ops, .label = "fake", .database = "d", .container = "c"
	};
	assert_int_equal(engine_new(&cfg, &w->engine, &e), 0);
	assert_int_equal(keyring_new_take(&kc, NULL, 0, &keys, &e), 0);
	assert_int_equal(docview_new_take(w->engine, &vc, &db.store, keys, &w->view, &e), 0);
}

static void
world_close(struct world *w)
{
	view_free(w->view);
	engine_free(w->engine);
	while (db.n > 0)
		free(db.row[--db.n]);
	memset(&db, 0, sizeof(db));
}

/* ---- names that came ---- */

struct names {
	char (*name)[ROW];
	unsigned n, room;
};

static int
note(void *arg, const struct view_item *item, struct err *e)
{
	struct names *l = arg;

	(void)e;
	if (l->n == l->room) {
		l->room = l->room * 2 + 64;
		l->name = realloc(l->name, l->room * sizeof(*l->name));
		assert_non_null(l->name);
	}
	(void)snprintf(l->name[l->n++], ROW, "%s", item->name);
	return 0;
}

static int
page(struct view *v, const char *dir, struct buf *cursor, struct names *l, struct err *e)
{
	return view_list(v, dir, cursor, (struct view_sink){ note, l }, deadline_in(10 * NS_PER_S),
			 e);
}

static int
rest(struct view *v, const char *dir, struct buf *cursor, struct names *l, struct err *e)
{
	int r;

	do {
		r = page(v, dir, cursor, l, e);
	} while (r == 0 && cursor->n > 0);
	return r;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The names are n, and all different. */
static void
assert_names(struct names *l, unsigned n)
{
	qsort(l->name, l->n, sizeof(*l->name), compare);
	for (unsigned i = 1; i < l->n; i++)
		if (strcmp(l->name[i - 1], l->name[i]) == 0)
			fail_msg("%s comes twice", l->name[i]);
	assert_int_equal(l->n, n);
	free(l->name);
	*l = (struct names){ 0 };
}

/* ---- tests ---- */

static void
each_value_is_a_name_once_and_a_fresh_scan_is_not_repeated(void **state)
{
	struct names l = { 0 };
	struct err e = { 0 };
	struct world w;
	AUTO_BUF cursor;
	unsigned pages;

	(void)state;
	world_open(&w);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	for (unsigned i = 0; i < 40; i++)
		add_row(i / 2 % 10);
	assert_int_equal(rest(w.view, "items", &cursor, &l, &e), 0);
	assert_names(&l, 10);
	pages = db.pages;
	assert_int_equal(pages, 10);
	assert_int_equal(rest(w.view, "items", &cursor, &l, &e), 0);
	assert_names(&l, 10);
	assert_int_equal(db.pages, pages);
	atomic_fetch_add(&passed_ns, 2 * NS_PER_S);
	assert_int_equal(rest(w.view, "items", &cursor, &l, &e), 0);
	assert_names(&l, 10);
	assert_int_equal(db.pages, 2 * pages);
	world_close(&w);
}

static void
a_reader_goes_on_though_his_scan_has_grown_old(void **state)
{
	struct names l = { 0 }, other = { 0 };
	struct err e = { 0 };
	struct world w;
	AUTO_BUF cursor, second;

	(void)state;
	world_open(&w);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	buf_init(&second, VIEW_CURSOR_MAX);
	for (unsigned i = 0; i < 40; i++)
		add_row(i);
	assert_int_equal(page(w.view, "items", &cursor, &l, &e), 0);
	atomic_fetch_add(&passed_ns, 100 * NS_PER_S);
	assert_int_equal(rest(w.view, "items", &second, &other, &e), 0);
	assert_names(&other, 40);
	assert_int_equal(rest(w.view, "items", &cursor, &l, &e), 0);
	assert_names(&l, 40);
	world_close(&w);
}

/* find lists everything below a name before it asks for the next names. */
static void
a_reader_finds_his_scan_after_many_others(void **state)
{
	struct names l = { 0 }, below = { 0 };
	struct err e = { 0 };
	struct world w;
	AUTO_BUF cursor, inner;

	(void)state;
	db.two_levels = true;
	world_open(&w);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	buf_init(&inner, VIEW_CURSOR_MAX);
	for (unsigned i = 0; i < 100; i++)
		add_row(i);
	assert_int_equal(page(w.view, "items", &cursor, &l, &e), 0);
	for (unsigned i = 0; i < 100; i++) {
		char dir[40];

		(void)snprintf(dir, sizeof(dir), "items/v%02u", i);
		assert_int_equal(rest(w.view, dir, &inner, &below, &e), 0);
		assert_names(&below, 1);
	}
	if (rest(w.view, "items", &cursor, &l, &e) != 0)
		fail_msg("%s", e.text);
	assert_names(&l, 100);
	world_close(&w);
}

static void
a_reader_who_never_comes_back_is_forgotten(void **state)
{
	struct names l = { 0 };
	struct err e = { 0 };
	struct world w;
	AUTO_BUF cursor, old;

	(void)state;
	db.two_levels = true;
	world_open(&w);
	buf_init(&old, VIEW_CURSOR_MAX);
	for (unsigned i = 0; i < 100; i++)
		add_row(i);
	assert_int_equal(page(w.view, "items", &old, &l, &e), 0);
	atomic_fetch_add(&passed_ns, 3600 * NS_PER_S);
	for (unsigned i = 0; i < 30; i++) {
		char dir[40];

		buf_init(&cursor, VIEW_CURSOR_MAX);
		(void)snprintf(dir, sizeof(dir), "items/v%02u", i);
		assert_int_equal(page(w.view, dir, &cursor, &l, &e), 0);
		buf_clear(&cursor);
	}
	assert_int_equal(page(w.view, "items", &old, &l, &e), -EIO);
	free(l.name);
	world_close(&w);
}

static void
a_page_that_failed_is_read_again_without_loss(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	for (unsigned at = 1; at < 40; at++) {
		struct names l = { 0 };
		AUTO_BUF cursor;

		world_open(&w);
		buf_init(&cursor, VIEW_CURSOR_MAX);
		for (unsigned i = 0; i < 40; i++)
			add_row(i);
		db.fail_at = at;
		err_clear(&e);
		assert_int_equal(rest(w.view, "items", &cursor, &l, &e), -EIO);
		free(l.name);
		l = (struct names){ 0 };
		buf_reset(&cursor);
		err_clear(&e);
		assert_int_equal(rest(w.view, "items", &cursor, &l, &e), 0);
		assert_names(&l, 40);
		world_close(&w);
	}
}

/* The share is used up by somebody else just then. */
static void
a_name_without_memory_is_not_lost_when_there_is_some_again(void **state)
{
	struct names l = { 0 };
	struct err e = { 0 };
	struct budget *budget;
	struct world w;
	AUTO_BUF cursor;
	uint64_t all;

	(void)state;
	world_open(&w);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	for (unsigned i = 0; i < 8; i++)
		add_row(i / 4);
	budget = engine_budget(w.engine);
	all = budget_limit(budget, BUDGET_METADATA) - budget_used(budget, BUDGET_METADATA);
	assert_true(budget_try(budget, BUDGET_METADATA, all));
	assert_int_equal(rest(w.view, "items", &cursor, &l, &e), -EFBIG);
	assert_int_equal(l.n, 0);
	budget_give(budget, BUDGET_METADATA, all);
	err_clear(&e);
	assert_int_equal(rest(w.view, "items", &cursor, &l, &e), 0);
	assert_names(&l, 2);
	world_close(&w);
}

/* The share has room for the names of one directory, not of two. */
static void
names_of_a_scan_that_is_done_make_room(void **state)
{
	struct names l = { 0 };
	struct err e = { 0 };
	struct world w;
	AUTO_BUF cursor;

	(void)state;
	world_open(&w);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	for (unsigned i = 0; i < 30000; i++)
		add_row(i);
	for (unsigned i = 0; i < 3; i++) {
		if (rest(w.view, "items", &cursor, &l, &e) != 0)
			fail_msg("%u: %s", i, e.text);
		assert_names(&l, 30000);
		atomic_fetch_add(&passed_ns, 200 * NS_PER_S);
	}
	world_close(&w);
}

static void *
list_all(void *arg)
{
	struct world *w = arg;
	struct names l = { 0 };
	struct err e = { 0 };
	AUTO_BUF cursor;

	buf_init(&cursor, VIEW_CURSOR_MAX);
	assert_int_equal(rest(w->view, "items", &cursor, &l, &e), 0);
	assert_names(&l, 200);
	return NULL;
}

static void
readers_share_the_pages_of_one_scan(void **state)
{
	enum { READERS = 8 };
	pthread_t reader[READERS];
	struct world w;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < 200; i++)
		add_row(i);
	db.slow_ms = 1;
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&reader[i], NULL, list_all, &w), 0);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_join(reader[i], NULL), 0);
	assert_int_equal(db.pages, 50);
	world_close(&w);
}

static void
a_cursor_that_is_none_is_refused(void **state)
{
	static const char *const bad[] = { "x", ":", "1:", "1:x", "-1:0", "1" };
	struct names l = { 0 };
	struct world w;

	(void)state;
	world_open(&w);
	add_row(1);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err e = { 0 };
		AUTO_BUF cursor;

		buf_init(&cursor, VIEW_CURSOR_MAX);
		assert_int_equal(buf_add_str(&cursor, bad[i], &e), 0);
		assert_int_equal(page(w.view, "items", &cursor, &l, &e), -EINVAL);
	}
	world_close(&w);
}

static int
set_up(void **state)
{
	(void)state;
	clock_replace(&moved);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	clock_replace(NULL);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_value_is_a_name_once_and_a_fresh_scan_is_not_repeated),
		cmocka_unit_test(a_reader_goes_on_though_his_scan_has_grown_old),
		cmocka_unit_test(a_reader_finds_his_scan_after_many_others),
		cmocka_unit_test(a_reader_who_never_comes_back_is_forgotten),
		cmocka_unit_test(a_page_that_failed_is_read_again_without_loss),
		cmocka_unit_test(a_name_without_memory_is_not_lost_when_there_is_some_again),
		cmocka_unit_test(names_of_a_scan_that_is_done_make_room),
		cmocka_unit_test(readers_share_the_pages_of_one_scan),
		cmocka_unit_test(a_cursor_that_is_none_is_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
