/* SPDX-License-Identifier: MIT */
/*
 * Drafts: what is published, when, under how many sealings, and what becomes of it when something
 * comes in between. The view is tests/unit/fs/fakewriteview.h.
 */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/draft.h"
#include "tests/unit/fs/fakewriteview.h"

enum { KIB = 1 << 10, MIB = 1 << 20 };

static struct engine *engine;
static struct staging_area *area;
static struct tree *tree;
static struct drafts *drafts;
static struct node *root;

/* ---- time that a test lets pass ---- */

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

static struct deadline
soon(void)
{
	return deadline_in(60 * NS_PER_S);
}

/* ---- setting up ---- */

static int
begin(void **state)
{
	const struct tree_view at_root = { "", &fake.base };
	struct err e = { 0 };

	(void)state;
	fake.base.ops = &fake_view_ops;
	clock_replace(&moved);
	if (engine_new(&(struct engine_config){ .memory = 64 * MIB }, &engine, &e) < 0 ||
	    staging_area_new(engine_budget(engine), "/tmp", &area, &e) < 0 ||
	    tree_new(&(struct tree_config){ .views = &at_root,
					    .n_views = 1,
					    .budget = engine_budget(engine),
					    .attr_timeout_ns = NS_PER_S },
		     &tree, &e) < 0 ||
	    drafts_new(&(struct drafts_config){ tree, engine, area, "/mnt" }, &drafts, &e) < 0)
		return -1;
	root = tree_root(tree);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	drafts_stop(drafts);
	drafts_finish(drafts);
	engine_drain(engine);
	drafts_free(drafts);
	tree_free(tree);
	staging_area_free(area);
	engine_free(engine);
	fake_clear();
	clock_replace(NULL);
	return 0;
}

/* ---- what a FUSE callback would do ---- */

static struct draft *
create(const char *name)
{
	struct err e = { 0 };
	struct draft *d;

	assert_int_equal(draft_create(drafts, root, name, &d, &e), 0);
	assert_int_equal(draft_add_writer(d, &e), 0);
	return d;
}

/* Looks the name up, as the kernel does before it opens. */
static struct node *
look(const char *name)
{
	struct err e = { 0 };
	struct node *n;

	return tree_lookup(root, name, soon(), &n, &e) == 0 ? n : NULL;
}

/* NULL: ESTALE twice, which the kernel passes on. */
static struct draft *
open_to_write(const char *name, bool keeps, struct err *e)
{
	for (unsigned i = 0; i < 2; i++) {
		struct node *n = look(name);
		struct draft *d;

		if (n == NULL) {
			(void)err_set(e, ENOENT, "no such file");
			return NULL;
		}
		d = draft_get(drafts, n);
		if (d == NULL && draft_over(drafts, n, keeps, soon(), e) < 0) {
			node_unref(n);
			return NULL;
		}
		node_unref(n);
		if (d == NULL)
			continue;
		draft_arrived(d);
		if (draft_add_writer(d, e) == 0 && (keeps || draft_truncate(d, 0, e) == 0))
			return d;
		draft_put(d);
		return NULL;
	}
	(void)err_set(e, ESTALE, "twice");
	return NULL;
}

static struct draft *
reopen(const char *name, bool keeps)
{
	struct err e = { 0 };
	struct draft *d = open_to_write(name, keeps, &e);

	assert_non_null(d);
	return d;
}

static void
release(struct draft *d)
{
	draft_end_writer(d);
	draft_put(d);
}

static void
settle(void)
{
	drafts_finish(drafts);
}

static void
put(struct draft *d, uint64_t off, const void *p, size_t n)
{
	struct err e = { 0 };

	if (!draft_write_quickly(d, off, span_of(p, n)))
		assert_int_equal(draft_write(d, off, span_of(p, n), &e), 0);
}

static void
put_text(struct draft *d, uint64_t off, const char *text)
{
	put(d, off, text, strlen(text));
}

static void
publish(struct draft *d)
{
	struct err e = { 0 };

	assert_int_equal(draft_publish(d, &e), 0);
}

static bool
file_is(const char *name, const char *text)
{
	return fake_has(name, text, strlen(text));
}

/* Bytes that say where they belong. */
static uint8_t *
pattern(size_t n)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 7 + i / 251 + i / 65536);
	return p;
}

static void
put_forwards(struct draft *d, const uint8_t *p, size_t from, size_t to)
{
	for (size_t at = from, n; at < to; at += n) {
		n = to - at < 128 * KIB ? to - at : 128 * KIB;
		put(d, at, p + at, n);
	}
}

/* ---- publishing ---- */

static void
a_new_file_is_nowhere_until_it_is_published(void **state)
{
	struct draft *d = create("new");
	struct node *n;
	struct node_attr a;

	(void)state;
	put_text(d, 0, "hello");
	assert_false(fake_exists("new"));
	publish(d);
	assert_true(file_is("new", "hello"));
	release(d);
	n = look("new");
	assert_non_null(n);
	node_attr(n, &a);
	assert_int_equal(a.size, 5);
	assert_false(node_is_draft(n));
	assert_string_not_equal(node_etag(n), "");
	node_unref(n);
	assert_int_equal(fake.lookups, 0);
}

static void
every_publish_has_a_sealing_of_its_own(void **state)
{
	struct draft *d = create("a");

	(void)state;
	put_text(d, 0, "one");
	publish(d);
	publish(d); /* nothing is new */
	assert_int_equal(fake.seals, 1);
	put_text(d, 3, "two");
	publish(d);
	assert_int_equal(fake.seals, 2);
	release(d);
	settle();
	assert_int_equal(fake.seals, 2);
	assert_int_equal(fake.freed, 2);
	assert_true(file_is("a", "onetwo"));
}

static void
an_empty_file_is_published_too(void **state)
{
	(void)state;
	release(create("empty"));
	settle();
	assert_true(file_is("empty", ""));
}

static void
what_was_opened_and_not_changed_is_not_published(void **state)
{
	(void)state;
	fake_put("a", "text", 4);
	release(reopen("a", true));
	settle();
	assert_int_equal(fake.seals, 0);
	assert_true(file_is("a", "text"));
}

static void
the_bytes_that_were_there_are_kept(void **state)
{
	uint8_t *p = pattern(3 * MIB);
	struct draft *d;

	(void)state;
	fake_put("a", p, 3 * MIB);
	d = reopen("a", true);
	put_text(d, 5, "HELLO");
	memcpy(p + 5, "HELLO", 5);
	publish(d);
	assert_true(fake_has("a", p, 3 * MIB));
	put_text(d, 2 * MIB, "MORE"); /* and once more, from what is the new version by now */
	memcpy(p + 2 * MIB, "MORE", 4);
	publish(d);
	assert_true(fake_has("a", p, 3 * MIB));
	release(d);
	free(p);
}

static void
the_time_of_the_last_write_is_published(void **state)
{
	struct draft *d = create("a");
	struct node_attr before, after;
	struct node *n;

	(void)state;
	put_text(d, 0, "x");
	node_attr(draft_node(d), &before);
	release(d);
	settle();
	n = look("a");
	node_attr(n, &after);
	node_unref(n);
	assert_true(before.mtime_ns == after.mtime_ns);
}

static void
a_time_alone_costs_no_upload(void **state)
{
	struct draft *d;

	(void)state;
	fake_put("a", "text", 4);
	d = reopen("a", true);
	draft_set_mtime(d, 77);
	publish(d);
	assert_int_equal(fake.stamps, 1);
	assert_int_equal(fake.seals, 0);
	put_text(d, 0, "T"); /* on the version that the time has made */
	draft_set_mtime(d, 78);
	publish(d);
	assert_int_equal(fake.stamps, 1);
	assert_true(file_is("a", "Text"));
	release(d);
}

static void
a_store_with_times_of_its_own_is_no_failure(void **state)
{
	struct draft *d;

	(void)state;
	fake.keeps_mtime = false;
	fake_put("a", "text", 4);
	d = reopen("a", true);
	draft_set_mtime(d, 77);
	publish(d);
	release(d);
	settle();
	assert_int_equal(drafts_lost(drafts), 0);
}

static void
wait_for(atomic_uint *count, unsigned n)
{
	const struct timespec pause = { 0, NS_PER_MS };

	while (atomic_load(count) < n)
		(void)nanosleep(&pause, NULL);
}

/* ---- sealing early ---- */

static void
full_regions_are_given_while_a_file_grows(void **state)
{
	uint8_t *p = pattern(7 * MIB + 5);
	struct draft *d = create("big");

	(void)state;
	put_forwards(d, p, 0, 7 * MIB + 5);
	assert_int_equal(fake.seals, 1);
	wait_for(&fake.regions, 7);
	assert_false(fake_exists("big"));
	publish(d);
	assert_int_equal(fake.seals, 1);
	assert_true(fake_has("big", p, 7 * MIB + 5));
	release(d);
	free(p);
}

static void
what_may_fit_into_one_region_is_not_sealed_early(void **state)
{
	uint8_t *p = pattern(4 * MIB);
	struct draft *d = create("region");

	(void)state;
	put_forwards(d, p, 0, 4 * MIB);
	assert_int_equal(fake.seals, 0);
	publish(d);
	assert_int_equal(fake.regions, 0);
	assert_true(fake_has("region", p, 4 * MIB));
	release(d);
	free(p);
}

static void
a_view_without_regions_gets_all_with_the_commit(void **state)
{
	uint8_t *p = pattern(6 * MIB);
	struct draft *d = create("document");

	(void)state;
	fake.region = 0;
	put_forwards(d, p, 0, 6 * MIB);
	publish(d);
	assert_int_equal(fake.regions, 0);
	assert_int_equal(fake.freed, fake.seals);
	assert_true(fake_has("document", p, 6 * MIB));
	release(d);
	free(p);
}

/* What is done to a file of which regions were given already. */
struct change {
	const char *name;
	void (*make)(struct draft *d, uint8_t *p, size_t *n);
	unsigned seals; /* in all, at the end */
};

static void
rewrite_first(struct draft *d, uint8_t *p, size_t *n)
{
	(void)n;
	put_text(d, 3, "changed");
	memcpy(p + 3, "changed", 7);
}

static void
rewrite_last_given(struct draft *d, uint8_t *p, size_t *n)
{
	(void)n;
	put_text(d, 5 * MIB - 1, "xy");
	memcpy(p + 5 * MIB - 1, "xy", 2);
}

static void
rewrite_open_end(struct draft *d, uint8_t *p, size_t *n)
{
	(void)n;
	put_text(d, 6 * MIB + 1, "end");
	memcpy(p + 6 * MIB + 1, "end", 3);
}

static void
cut_below(struct draft *d, uint8_t *p, size_t *n)
{
	struct err e = { 0 };

	(void)p;
	assert_int_equal(draft_truncate(d, 2 * MIB + 1, &e), 0);
	*n = 2 * MIB + 1;
}

static void
cut_to_nothing(struct draft *d, uint8_t *p, size_t *n)
{
	struct err e = { 0 };

	(void)p;
	assert_int_equal(draft_truncate(d, 0, &e), 0);
	*n = 0;
}

static void
cut_above(struct draft *d, uint8_t *p, size_t *n)
{
	struct err e = { 0 };

	(void)p;
	assert_int_equal(draft_truncate(d, 6 * MIB + 1, &e), 0);
	*n = 6 * MIB + 1;
}

static void
sync_and_append(struct draft *d, uint8_t *p, size_t *n)
{
	publish(d);
	put_forwards(d, p, *n, *n + 2 * MIB);
	*n += 2 * MIB;
	assert_int_equal(fake.regions, 6); /* and no more */
}

static void
a_change_of_what_was_given_starts_over(void **state)
{
	static const struct change changes[] = {
		{ "rewrites the first region", rewrite_first, 2 },
		{ "rewrites across the last given byte", rewrite_last_given, 2 },
		{ "rewrites what was not given yet", rewrite_open_end, 1 },
		{ "truncates below", cut_below, 2 },
		{ "truncates to nothing", cut_to_nothing, 2 },
		{ "truncates above", cut_above, 1 },
		{ "writes after an fsync", sync_and_append, 2 },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
		const struct change *c = &changes[i];
		uint8_t *p = pattern(9 * MIB);
		size_t n = 6 * MIB + 100;
		struct draft *d;

		assert_int_equal(end(state), 0);
		assert_int_equal(begin(state), 0);
		print_message("  a file that grows, and then one %s\n", c->name);
		d = create("big");
		put_forwards(d, p, 0, n);
		wait_for(&fake.regions, 6);
		c->make(d, p, &n);
		publish(d);
		assert_true(fake_has("big", p, n));
		assert_int_equal(fake.seals, c->seals);
		assert_int_equal(fake.freed, c->seals);
		release(d);
		free(p);
	}
}

static void
a_failure_of_sealing_early_is_nobodys_business(void **state)
{
	static const enum fake_step steps[] = { FAKE_SEAL, FAKE_REGION_STEP, FAKE_COMMIT };

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		uint8_t *p = pattern(8 * MIB);
		struct draft *d;

		assert_int_equal(end(state), 0);
		assert_int_equal(begin(state), 0);
		d = create("big");
		atomic_store(&fake.fail[steps[i]], EIO);
		put_forwards(d, p, 0, 8 * MIB);
		publish(d);
		assert_true(fake_has("big", p, 8 * MIB));
		release(d);
		free(p);
	}
}

/* ---- failing ---- */

static void
a_lost_race_leaves_the_store_alone(void **state)
{
	struct err e = { 0 };
	char got[8];
	size_t n;
	struct draft *d;

	(void)state;
	fake_put("a", "old", 3);
	d = reopen("a", false);
	put_text(d, 0, "mine");
	fake_put("a", "theirs", 6);
	for (unsigned i = 0; i < 2; i++) {
		err_clear(&e);
		assert_int_equal(draft_publish(d, &e), -ESTALE);
		assert_true(file_is("a", "theirs"));
	}
	err_clear(&e);
	assert_int_equal(draft_read(d, 0, got, sizeof(got), &n, &e), 0);
	assert_int_equal(n, 4);
	assert_memory_equal(got, "mine", 4);
	release(d); /* somebody was told: it is not tried once more */
	settle();
	assert_true(file_is("a", "theirs"));
	assert_int_equal(drafts_lost(drafts), 0);
}

static void
a_name_that_was_made_meanwhile_is_eexist(void **state)
{
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "mine");
	fake_put("a", "theirs", 6);
	assert_int_equal(draft_publish(d, &e), -EEXIST);
	assert_true(file_is("a", "theirs"));
	release(d);
}

static void
what_nobody_heard_is_said_later_and_lost_once(void **state)
{
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "mine");
	for (unsigned i = 0; i < 2; i++) { /* an fsync and a close of one who was killed */
		atomic_store(&fake.fail[FAKE_COMMIT], EACCES);
		err_clear(&e);
		assert_int_equal(draft_publish(d, &e), -EACCES);
		draft_unheard(d, &e);
		assert_int_equal(drafts_lost(drafts), 1);
	}
	release(d);
	settle();
	assert_false(fake_exists("a"));
	err_clear(&e);
	assert_int_equal(drafts_told_late(drafts, root, "a", &e), -EACCES);
	assert_int_equal(drafts_lost(drafts), 0);
}

static void
what_was_told_is_not_tried_for_one_who_will_not_hear(void **state)
{
	const atomic_bool answered = true;
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "mine");
	atomic_store(&fake.fail[FAKE_COMMIT], EACCES);
	assert_int_equal(draft_publish(d, &e), -EACCES);
	err_clear(&e);
	assert_int_equal(draft_flush(d, 0, getpid(), &answered, &e), 0);
	assert_false(fake_exists("a"));
	assert_int_equal(draft_flush(d, 0, getpid(), NULL, &e), 0);
	assert_true(file_is("a", "mine"));
	release(d);
}

static void
what_was_told_is_tried_again_by_a_change_by_name(void **state)
{
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "mine");
	atomic_store(&fake.fail[FAKE_COMMIT], EACCES);
	assert_int_equal(draft_publish(d, &e), -EACCES);
	err_clear(&e);
	assert_int_equal(draft_set_mtime_by_name(d, NS_PER_S, &e), 0);
	assert_true(file_is("a", "mine"));
	put_text(d, 0, "more");
	assert_int_equal(draft_truncate_by_name(d, 2, &e), 0);
	assert_true(file_is("a", "mine")); /* its writer publishes both */
	release(d);
	settle();
	assert_true(file_is("a", "mo"));
}

static void
what_close_cannot_say_is_said_once_later(void **state)
{
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "mine");
	atomic_store(&fake.fail[FAKE_COMMIT], EACCES);
	release(d);
	settle();
	assert_false(fake_exists("a"));
	assert_int_equal(drafts_lost(drafts), 1);
	assert_int_equal(drafts_told_late(drafts, root, "b", &e), 0);
	assert_int_equal(drafts_told_late(drafts, root, "a", &e), -EACCES);
	assert_int_equal(drafts_lost(drafts), 0); /* from here on somebody knows */
	err_clear(&e);
	assert_int_equal(drafts_told_late(drafts, root, "a", &e), 0);
}

static void
many_failures_are_remembered_but_not_all(void **state)
{
	unsigned told = 0;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%u", i);
		atomic_store(&fake.fail[FAKE_COMMIT], EIO);
		release(create(name));
		settle();
	}
	for (unsigned i = 0; i < 100; i++) {
		struct err e = { 0 };
		char name[16];

		(void)snprintf(name, sizeof(name), "f%u", i);
		told += drafts_told_late(drafts, root, name, &e) == -EIO;
		assert_true(told == 0 || i >= 36); /* the latest 64 */
	}
	assert_int_equal(told, 64);
}

static void
a_write_that_failed_is_not_published_until_it_is_done_again(void **state)
{
	const uint64_t too_far = UINT64_C(1) << 62;
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "text");
	assert_false(draft_write_quickly(d, too_far, span_str("x")));
	assert_true(draft_write(d, too_far, span_str("x"), &e) < 0);
	err_clear(&e);
	assert_true(draft_publish(d, &e) < 0);
	assert_false(fake_exists("a"));
	err_clear(&e);
	assert_int_equal(draft_truncate(d, 0, &e), 0);
	put_text(d, 0, "again");
	publish(d);
	assert_true(file_is("a", "again"));
	release(d);
}

static void
a_file_that_may_not_be_replaced_is_not_opened(void **state)
{
	struct err e = { 0 };

	(void)state;
	fake_put("withheld", "x", 1);
	assert_null(open_to_write("withheld", true, &e));
	assert_int_equal(e.no, EACCES);
	err_clear(&e);
	fake_put("ro", "x", 1);
	assert_null(open_to_write("ro", true, &e));
	assert_int_equal(e.no, EROFS);
}

/* ---- who closes ---- */

static void
flush_rules(void **state)
{
	static const struct {
		struct draft_flush f;
		bool publishes;
	} rules[] = {
		{ { .elsewhere = false, .opener = 7, .group = 7 }, true },
		{ { .elsewhere = true, .opener = 7, .group = 7 }, false },
		{ { .elsewhere = false, .opener = 7, .group = 8 }, false },
		{ { .elsewhere = true, .opener = 7, .group = 8 }, false },
		{ { .elsewhere = false, .opener = 0, .group = 8 }, true },
		{ { .elsewhere = false, .opener = 7, .group = 0 }, true },
		{ { .elsewhere = false, .opener = 0, .group = 0 }, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		assert_int_equal(draft_flush_publishes(&rules[i].f), rules[i].publishes);
}

static void
a_childs_close_does_not_publish_and_the_openers_does(void **state)
{
	struct draft *d = create("a");
	struct err e = { 0 };

	(void)state;
	put_text(d, 0, "half");
	assert_int_equal(draft_flush(d, getpid() + 1, getpid(), NULL, &e), 0);
	assert_false(fake_exists("a"));
	put_text(d, 4, "whole");
	assert_int_equal(draft_flush(d, getpid(), getpid(), NULL, &e), 0);
	assert_true(file_is("a", "halfwhole"));
	release(d);
}

static void
the_last_writer_publishes_not_the_last_handle(void **state)
{
	struct draft *d = create("a"), *reader;

	(void)state;
	put_text(d, 0, "text");
	reader = draft_get(drafts, draft_node(d));
	release(d);
	settle();
	assert_true(file_is("a", "text"));
	draft_put(reader);
}

/* ---- one draft for a name ---- */

static void
two_writers_have_one_draft(void **state)
{
	struct draft *a = create("a"), *b = reopen("a", true);

	(void)state;
	assert_ptr_equal(a, b);
	put_text(a, 0, "aaaa");
	put_text(b, 2, "bb");
	release(a);
	settle();
	assert_false(fake_exists("a")); /* one is left */
	release(b);
	settle();
	assert_true(file_is("a", "aabb"));
}

static void
readers_of_the_old_version_keep_its_node(void **state)
{
	struct node *old, *now;
	struct draft *d;

	(void)state;
	fake_put("a", "old", 3);
	old = look("a");
	d = reopen("a", false);
	assert_ptr_not_equal(draft_node(d), old);
	now = look("a");
	assert_ptr_equal(draft_node(d), now);
	node_unref(now);
	put_text(d, 0, "new");
	now = draft_node(d);
	node_ref(now);
	release(d);
	settle();
	assert_false(node_is_draft(now)); /* it is that version's from here on */
	assert_string_not_equal(node_etag(now), node_etag(old));
	node_unref(now);
	node_unref(old);
}

static void
a_draft_whose_open_never_comes_does_not_stay(void **state)
{
	struct err e = { 0 };
	struct node *n;

	(void)state;
	fake_put("a", "old", 3);
	n = look("a");
	assert_int_equal(draft_over(drafts, n, true, soon(), &e), 0);
	node_unref(n);
	n = look("a");
	assert_true(node_is_draft(n));
	atomic_fetch_add(&passed_ns, 60 * NS_PER_S);
	drafts_sweep(drafts);
	assert_null(draft_get(drafts, n));
	node_unref(n);
	fake_put("a", "newer", 5);
	n = look("a");
	assert_false(node_is_draft(n));
	node_unref(n);
}

static void
another_version_is_found_when_it_is_opened_to_be_written(void **state)
{
	struct node *n;
	struct draft *d;

	(void)state;
	for (unsigned keeps = 0; keeps < 2; keeps++) {
		fake_put("a", "old", 3);
		n = look("a");
		fake_put("a", "newer", 5);
		if (!keeps) /* asked for when what is known is not of just now */
			atomic_fetch_add(&passed_ns, NS_PER_S / 2 * 3);
		d = reopen("a", keeps);
		put_text(d, 0, "N");
		publish(d);
		assert_true(file_is("a", keeps ? "Newer" : "N"));
		release(d);
		settle();
		node_unref(n);
	}
}

static void
a_file_that_is_gone_can_be_made_again(void **state)
{
	struct err e = { 0 };
	struct node *n;

	(void)state;
	fake_put("a", "old", 3);
	n = look("a");
	fake_drop("a");
	assert_int_equal(draft_over(drafts, n, true, soon(), &e), -ESTALE);
	node_unref(n);
	assert_null(look("a"));
	release(create("a"));
	settle();
	assert_true(file_is("a", ""));
}

static int
add_name(void *arg, const char *name, struct err *e)
{
	struct buf *names = arg;
	int r = buf_add_str(names, name, e);

	return r == 0 ? buf_add_str(names, " ", e) : r;
}

static void
only_what_no_listing_has_is_listed(void **state)
{
	struct err e = { 0 };
	AUTO_BUF names;
	struct draft *a = create("a"), *b, *c = create("c"), *f = create("f.local");

	(void)state;
	fake_put("b", "x", 1);
	b = reopen("b", true);
	publish(a);
	buf_init(&names, KIB);
	assert_int_equal(drafts_list(drafts, root, add_name, &names, &e), 0);
	assert_string_equal(buf_str(&names), "f.local c ");
	release(a);
	release(b);
	release(c);
	release(f);
}

/* ---- names ---- */

static void
unlink_it(const char *name)
{
	struct err e = { 0 };

	assert_int_equal(drafts_unlink(drafts, root, name, soon(), &e), 0);
}

static int
rename_it(const char *from, const char *to)
{
	struct err e = { 0 };

	return drafts_rename(drafts, root, from, root, to, true, soon(), &e);
}

static void
what_is_removed_is_never_published(void **state)
{
	struct draft *d = create("a");
	char got[8];
	struct err e = { 0 };
	size_t n;

	(void)state;
	put_text(d, 0, "text");
	unlink_it("a");
	publish(d);
	assert_null(look("a"));
	assert_int_equal(draft_read(d, 0, got, sizeof(got), &n, &e), 0);
	assert_int_equal(n, 4);
	release(d);
	settle();
	assert_false(fake_exists("a"));
	assert_int_equal(fake.seals, 0);
}

static void
a_removed_draft_takes_its_version_along(void **state)
{
	struct draft *d;

	(void)state;
	fake_put("a", "old", 3);
	d = reopen("a", true);
	put_text(d, 0, "N");
	fake_put("a", "another's", 9); /* the name is removed, whatever it means */
	unlink_it("a");
	assert_false(fake_exists("a"));
	release(d);
	settle();
	assert_false(fake_exists("a"));
}

static void *
publish_slowly(void *arg)
{
	publish(arg);
	return NULL;
}

static void
removing_waits_for_a_publish_and_undoes_it(void **state)
{
	struct draft *d = create("a");
	pthread_t t;

	(void)state;
	put_text(d, 0, "text");
	atomic_store(&fake.delay_ns[FAKE_COMMIT], 200 * NS_PER_MS);
	assert_int_equal(pthread_create(&t, NULL, publish_slowly, d), 0);
	wait_for(&fake.seals, 1);
	unlink_it("a");
	(void)pthread_join(t, NULL);
	assert_false(fake_exists("a"));
	release(d);
}

static void
reading_goes_on_while_it_is_published(void **state)
{
	struct draft *d = create("a");
	struct err e = { 0 };
	char got[4];
	pthread_t t;
	size_t n;

	(void)state;
	put_text(d, 0, "text");
	atomic_store(&fake.delay_ns[FAKE_COMMIT], 300 * NS_PER_MS);
	assert_int_equal(pthread_create(&t, NULL, publish_slowly, d), 0);
	wait_for(&fake.seals, 1);
	assert_int_equal(draft_read(d, 0, got, sizeof(got), &n, &e), 0);
	assert_false(fake_exists("a"));
	assert_false(draft_write_quickly(d, 0, span_str("T"))); /* that waits */
	put_text(d, 0, "T");
	assert_true(file_is("a", "text"));
	(void)pthread_join(t, NULL);
	publish(d);
	assert_true(file_is("a", "Text"));
	release(d);
}

static void
a_published_file_is_renamed(void **state)
{
	struct node *n;

	(void)state;
	fake_put("a", "text", 4);
	fake_put("b", "other", 5);
	assert_int_equal(rename_it("a", "b"), 0);
	assert_false(fake_exists("a"));
	assert_true(file_is("b", "text"));
	n = look("b");
	assert_non_null(n);
	node_unref(n);
	assert_null(look("a"));
	assert_int_equal(rename_it("b", "b.local"), -EXDEV);
	assert_int_equal(rename_it("c", "d"), -ENOENT);
}

static void
renaming_is_by_what_is_there_not_by_what_was_known(void **state)
{
	struct node *a, *b;

	(void)state;
	fake_put("a", "old", 3);
	fake_put("b", "old", 3);
	a = look("a");
	b = look("b");
	fake_put("a", "newer", 5);
	fake_put("b", "newer", 5);
	assert_int_equal(rename_it("a", "b"), 0);
	assert_true(file_is("b", "newer"));
	node_unref(a);
	node_unref(b);
}

static void
noreplace_replaces_nothing(void **state)
{
	struct draft *d = create("b");
	struct err e = { 0 };

	(void)state;
	fake_put("a", "text", 4);
	assert_int_equal(drafts_rename(drafts, root, "a", root, "b", false, soon(), &e), -EEXIST);
	err_clear(&e);
	assert_int_equal(drafts_rename(drafts, root, "a", root, "c", false, soon(), &e), 0);
	assert_true(file_is("c", "text"));
	release(d);
}

static void
a_draft_is_published_under_the_name_that_it_has_by_then(void **state)
{
	struct draft *d = create("a");

	(void)state;
	fake_put("b", "old", 3);
	put_text(d, 0, "new");
	assert_int_equal(rename_it("a", "b"), 0);
	assert_true(file_is("b", "old")); /* somebody still writes */
	put_text(d, 3, "er");
	release(d);
	settle();
	assert_true(file_is("b", "newer"));
	assert_false(fake_exists("a"));
}

static void
a_draft_with_a_version_is_renamed_with_all_that_was_written(void **state)
{
	uint8_t *p = pattern(2 * MIB);
	struct draft *d;

	(void)state;
	fake_put("a", p, 2 * MIB);
	d = reopen("a", true);
	put_text(d, 0, "NEW");
	memcpy(p, "NEW", 3);
	assert_int_equal(rename_it("a", "b"), 0);
	assert_true(fake_has("b", p, 2 * MIB));
	assert_false(fake_exists("a"));
	put_text(d, MIB, "MORE");
	memcpy(p + MIB, "MORE", 4);
	release(d);
	settle();
	assert_true(fake_has("b", p, 2 * MIB));
	assert_false(fake_exists("a"));
	free(p);
}

static void
a_draft_that_is_renamed_over_is_never_published(void **state)
{
	struct draft *d, *other;

	(void)state;
	fake_put("a", "old", 3);
	d = reopen("a", true);
	put_text(d, 0, "LOST");
	fake_put("b", "text", 4);
	assert_int_equal(rename_it("b", "a"), 0);
	assert_true(file_is("a", "text"));
	release(d);
	settle();
	assert_true(file_is("a", "text"));
	d = reopen("a", true);
	put_text(d, 0, "LOST");
	other = create("c");
	put_text(other, 0, "c");
	assert_int_equal(rename_it("c", "a"), 0);
	release(other);
	settle();
	assert_true(file_is("a", "c"));
	put_text(d, 0, "LOST");
	release(d);
	settle();
	assert_true(file_is("a", "c"));
}

static void
a_local_file_is_published_by_the_rename_that_takes_it_away(void **state)
{
	struct draft *d = create("x.local");
	struct err e = { 0 };
	struct node *n;

	(void)state;
	put_text(d, 0, "text");
	assert_int_equal(draft_publish(d, &e), 0); /* as far as it goes */
	release(d);
	settle();
	assert_int_equal(fake.seals, 0);
	n = look("x.local");
	assert_non_null(n); /* it lives without handles */
	node_unref(n);
	assert_int_equal(rename_it("x.local", "y.local"), 0);
	atomic_store(&fake.fail[FAKE_COMMIT], EINVAL);
	assert_int_equal(rename_it("y.local", "z"), -EINVAL);
	assert_false(fake_exists("z"));
	assert_int_equal(rename_it("y.local", "z"), 0);
	assert_true(file_is("z", "text"));
	assert_null(look("y.local"));
	assert_int_equal(drafts_lost(drafts), 0);
}

static void
a_local_file_that_is_removed_is_gone(void **state)
{
	(void)state;
	release(create("x.local"));
	unlink_it("x.local");
	assert_null(look("x.local"));
	drafts_log_lost(drafts);
	assert_int_equal(drafts_lost(drafts), 0);
}

static void
a_directory_with_drafts_in_it_is_not_empty(void **state)
{
	struct err e = { 0 };
	struct node *dir;
	struct draft *d;

	(void)state;
	assert_int_equal(drafts_make_dir(drafts, root, "dir", soon(), &dir, &e), 0);
	assert_int_equal(draft_create(drafts, dir, "a", &d, &e), 0);
	assert_int_equal(drafts_remove_dir(drafts, root, "dir", soon(), &e), -ENOTEMPTY);
	err_clear(&e);
	assert_int_equal(drafts_unlink(drafts, dir, "a", soon(), &e), 0);
	assert_int_equal(drafts_remove_dir(drafts, root, "dir", soon(), &e), 0);
	assert_null(look("dir"));
	draft_put(d);
	node_unref(dir);
}

/* ---- the end ---- */

static void
nothing_is_opened_to_be_written_when_the_mount_ends(void **state)
{
	struct draft *d = create("a"), *other;
	struct err e = { 0 };

	(void)state;
	fake_put("b", "x", 1);
	drafts_refuse(drafts);
	assert_int_equal(draft_create(drafts, root, "c", &other, &e), -ESHUTDOWN);
	err_clear(&e);
	assert_null(open_to_write("b", true, &e));
	assert_int_equal(e.no, ESHUTDOWN);
	assert_int_equal(drafts_busy(drafts), 1);
	put_text(d, 0, "text"); /* who has it open goes on */
	release(d);
	settle();
	assert_int_equal(drafts_busy(drafts), 0);
	assert_true(file_is("a", "text"));
}

static void
what_is_not_closed_is_lost_and_never_published_in_part(void **state)
{
	struct draft *a = create("a"), *b = create("b");
	struct err e = { 0 };

	(void)state;
	put_text(a, 0, "half");
	publish(b);
	drafts_stop(drafts);
	assert_int_equal(draft_publish(a, &e), -ECANCELED);
	drafts_log_lost(drafts);
	assert_int_equal(drafts_lost(drafts), 0); /* a's writer was told just now */
	put_text(a, 4, "more");
	drafts_log_lost(drafts);
	assert_int_equal(drafts_lost(drafts), 1);
	release(a);
	release(b);
	settle();
	assert_false(fake_exists("a"));
	assert_true(file_is("b", ""));
}

static void
what_is_closed_too_late_is_lost_and_told_of(void **state)
{
	struct draft *d = create("a");

	(void)state;
	put_text(d, 0, "text");
	drafts_stop(drafts);
	release(d);
	settle();
	assert_false(fake_exists("a"));
	drafts_log_lost(drafts);
	assert_int_equal(drafts_lost(drafts), 1);
}

static void
a_publish_that_is_cut_short_is_lost_and_told_of(void **state)
{
	struct draft *d = create("a");

	(void)state;
	put_text(d, 0, "text");
	atomic_store(&fake.delay_ns[FAKE_COMMIT], 100 * NS_PER_MS);
	atomic_store(&fake.fail[FAKE_COMMIT], ECANCELED);
	release(d);
	drafts_stop(drafts);
	settle();
	assert_false(fake_exists("a"));
	drafts_log_lost(drafts);
	assert_int_equal(drafts_lost(drafts), 1);
}

static void
what_nobody_heard_of_was_never_made(void **state)
{
	struct draft *d = create("a"), *other;

	(void)state;
	draft_discard(d);
	assert_null(look("a"));
	release(d);
	settle();
	assert_false(fake_exists("a"));
	d = create("b");
	other = reopen("b", true);
	draft_discard(d); /* too late: somebody has it */
	release(d);
	release(other);
	settle();
	assert_true(file_is("b", ""));
}

/* ---- all at once ---- */

enum { THREADS = 6, ROUNDS = 150, NAMES = 3 };

static struct draft *
open_or_create(const char *name)
{
	for (unsigned i = 0; i < 100; i++) {
		struct err e = { 0 };
		struct draft *d = open_to_write(name, i % 2 == 0, &e);

		if (d != NULL)
			return d;
		err_clear(&e);
		if (draft_create(drafts, root, name, &d, &e) == 0) {
			assert_int_equal(draft_add_writer(d, &e), 0);
			return d;
		}
	}
	return NULL;
}

static void *
storm(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg * 7919;

	for (unsigned i = 0; i < ROUNDS; i++) {
		char name[8], other[8], got[64];
		struct err e = { 0 };
		struct draft *d;
		size_t n;

		seed = seed * 1664525 + 1013904223;
		(void)snprintf(name, sizeof(name), "n%u", seed >> 8 & 1);
		(void)snprintf(other, sizeof(other), "n%u", (seed >> 12) % NAMES);
		d = open_or_create(name);
		if (d == NULL)
			continue;
		(void)!draft_write(d, seed >> 16 & 1023, span_str("0123456789"), &e);
		err_clear(&e);
		(void)!draft_read(d, 0, got, sizeof(got), &n, &e);
		err_clear(&e);
		if ((seed >> 4 & 3) == 0)
			(void)!draft_flush(d, getpid(), getpid(), NULL, &e);
		err_clear(&e);
		if ((seed >> 5 & 7) == 0)
			(void)!drafts_rename(drafts, root, name, root, other, true, soon(), &e);
		err_clear(&e);
		if ((seed >> 6 & 7) == 0)
			(void)!drafts_unlink(drafts, root, other, soon(), &e);
		release(d);
	}
	return NULL;
}

static void
a_storm_of_writers_leaves_nothing_behind(void **state)
{
	pthread_t t[THREADS];
	unsigned files = 0;

	(void)state;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&t[i], NULL, storm, (void *)(i + 1)), 0);
	for (unsigned i = 0; i < THREADS; i++)
		(void)pthread_join(t[i], NULL);
	settle();
	assert_int_equal(drafts_busy(drafts), 0);
	atomic_fetch_add(&passed_ns, 60 * NS_PER_S);
	drafts_sweep(drafts);
	drafts_log_lost(drafts);
	assert_int_equal(fake.freed, fake.seals);
	for (unsigned i = 0; i < NAMES; i++) {
		char name[8];
		struct node *n;

		(void)snprintf(name, sizeof(name), "n%u", i);
		n = look(name);
		assert_int_equal(n != NULL, fake_exists(name));
		files += n != NULL;
		if (n != NULL) {
			assert_false(node_is_draft(n));
			node_unref(n);
		}
	}
	assert_true(files <= NAMES);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_new_file_is_nowhere_until_it_is_published),
		TEST(every_publish_has_a_sealing_of_its_own),
		TEST(an_empty_file_is_published_too),
		TEST(what_was_opened_and_not_changed_is_not_published),
		TEST(the_bytes_that_were_there_are_kept),
		TEST(the_time_of_the_last_write_is_published),
		TEST(a_time_alone_costs_no_upload),
		TEST(a_store_with_times_of_its_own_is_no_failure),
		TEST(full_regions_are_given_while_a_file_grows),
		TEST(what_may_fit_into_one_region_is_not_sealed_early),
		TEST(a_view_without_regions_gets_all_with_the_commit),
		TEST(a_change_of_what_was_given_starts_over),
		TEST(a_failure_of_sealing_early_is_nobodys_business),
		TEST(a_lost_race_leaves_the_store_alone),
		TEST(a_name_that_was_made_meanwhile_is_eexist),
		TEST(what_nobody_heard_is_said_later_and_lost_once),
		TEST(what_was_told_is_not_tried_for_one_who_will_not_hear),
		TEST(what_was_told_is_tried_again_by_a_change_by_name),
		TEST(what_close_cannot_say_is_said_once_later),
		TEST(many_failures_are_remembered_but_not_all),
		TEST(a_write_that_failed_is_not_published_until_it_is_done_again),
		TEST(a_file_that_may_not_be_replaced_is_not_opened),
		TEST(flush_rules),
		TEST(a_childs_close_does_not_publish_and_the_openers_does),
		TEST(the_last_writer_publishes_not_the_last_handle),
		TEST(two_writers_have_one_draft),
		TEST(readers_of_the_old_version_keep_its_node),
		TEST(a_draft_whose_open_never_comes_does_not_stay),
		TEST(another_version_is_found_when_it_is_opened_to_be_written),
		TEST(a_file_that_is_gone_can_be_made_again),
		TEST(only_what_no_listing_has_is_listed),
		TEST(what_is_removed_is_never_published),
		TEST(a_removed_draft_takes_its_version_along),
		TEST(removing_waits_for_a_publish_and_undoes_it),
		TEST(reading_goes_on_while_it_is_published),
		TEST(a_published_file_is_renamed),
		TEST(renaming_is_by_what_is_there_not_by_what_was_known),
		TEST(noreplace_replaces_nothing),
		TEST(a_draft_is_published_under_the_name_that_it_has_by_then),
		TEST(a_draft_with_a_version_is_renamed_with_all_that_was_written),
		TEST(a_draft_that_is_renamed_over_is_never_published),
		TEST(a_local_file_is_published_by_the_rename_that_takes_it_away),
		TEST(a_local_file_that_is_removed_is_gone),
		TEST(a_directory_with_drafts_in_it_is_not_empty),
		TEST(nothing_is_opened_to_be_written_when_the_mount_ends),
		TEST(what_is_not_closed_is_lost_and_never_published_in_part),
		TEST(what_is_closed_too_late_is_lost_and_told_of),
		TEST(a_publish_that_is_cut_short_is_lost_and_told_of),
		TEST(what_nobody_heard_of_was_never_made),
		TEST(a_storm_of_writers_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
