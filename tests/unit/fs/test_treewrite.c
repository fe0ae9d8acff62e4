/* SPDX-License-Identifier: MIT */
/*
 * Nodes of what a mount writes itself: a draft is what its name means, and what this mount has done
 * to a name is newer than what a listing or a lookup that began before has to say.  And what the
 * wrappers of a view say by themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/tree.h"
#include "tests/unit/fs/fakewriteview.h"

static struct budget *budget;
static struct tree *tree;
static struct node *root;

/* ---- a clock that stands still ---- */

static _Atomic int64_t now_ns = NS_PER_S;

static int64_t
still_now(void)
{
	return atomic_load(&now_ns);
}

static int64_t
still_wall(void)
{
	return 1700000000;
}

static void
no_sleep(int64_t ns)
{
	(void)ns;
}

static const struct clock_ops still = { still_now, still_wall, no_sleep };

static void
pass(int64_t ns)
{
	atomic_fetch_add(&now_ns, ns);
}

static int
begin(void **state)
{
	const struct tree_view at_root = { "", &fake.base };
	struct err e = { 0 };

	(void)state;
	fake.base.ops = &fake_view_ops;
	clock_replace(&still);
	if (budget_new(64 << 20, &budget, &e) < 0 ||
	    tree_new(&(struct tree_config){ .views = &at_root,
					    .n_views = 1,
					    .budget = budget,
					    .attr_timeout_ns = 5 * NS_PER_S,
					    .negative_timeout_ns = NS_PER_S },
		     &tree, &e) < 0)
		return -1;
	root = tree_root(tree);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	tree_free(tree);
	if (budget_used(budget, BUDGET_METADATA) != 0)
		return -1;
	budget_free(budget);
	fake_clear();
	clock_replace(NULL);
	return 0;
}

static struct draft *
some_draft(void)
{
	static int it;

	return (struct draft *)(void *)&it; /* the tree knows nothing of it */
}

static struct node *
look(const char *name)
{
	struct err e = { 0 };
	struct node *n;

	return tree_lookup(root, name, deadline_in(NS_PER_S), &n, &e) == 0 ? n : NULL;
}

static struct node *
draft_at(const char *name, struct node *over)
{
	struct err e = { 0 };
	struct node *n;

	assert_int_equal(tree_draft(root, name, over, some_draft(), 3, 4, &n, &e), 0);
	return n;
}

static const struct view_item listed = { .name = "a", .exact = true, .size = 9, .etag = "listed" };

/* ---- */

static void
a_draft_wins_over_listings_and_lookups(void **state)
{
	struct tree_listing l;
	struct node *old, *d, *n;

	(void)state;
	fake_put("a", "text", 4);
	old = look("a");
	d = draft_at("a", old);
	assert_ptr_not_equal(d, old);
	assert_ptr_equal(node_draft(d), some_draft());
	pass(60 * NS_PER_S);
	l = (struct tree_listing){ still_now(), still_now(), still_now() };
	n = tree_listed(root, &listed, l);
	assert_ptr_equal(n, d);
	node_unref(n);
	n = look("a");
	assert_ptr_equal(n, d);
	node_unref(n);
	assert_true(tree_fresh(d));
	assert_false(tree_fresh(old)); /* the kernel is to ask what the name means */
	tree_draft_end(d, NULL, true);
	assert_null(node_draft(d));
	assert_true(node_is_draft(d));
	assert_false(tree_fresh(d));
	node_unref(d);
	node_unref(old);
}

static void
a_draft_is_made_of_what_the_name_means_only(void **state)
{
	struct err e = { 0 };
	struct node *a, *d;

	(void)state;
	fake_put("a", "text", 4);
	a = look("a");
	assert_int_equal(tree_draft(root, "a", NULL, some_draft(), 0, 0, &d, &e), -ESTALE);
	err_clear(&e);
	assert_int_equal(tree_draft(root, "b", a, some_draft(), 0, 0, &d, &e), -ESTALE);
	node_unref(a);
}

static void
a_drafts_node_becomes_the_versions(void **state)
{
	struct node *d = draft_at("a", NULL), *n;
	struct node_attr attr;

	(void)state;
	tree_draft_end(d, &listed, true);
	assert_false(node_is_draft(d));
	assert_string_equal(node_etag(d), "listed");
	n = look("a");
	assert_ptr_equal(n, d); /* nobody had to be asked */
	assert_int_equal(fake.lookups, 0);
	node_attr(n, &attr);
	assert_int_equal(attr.size, 9);
	node_unref(n);
	node_unref(d);
}

static void
a_version_with_a_long_name_gets_another_node(void **state)
{
	char etag[400];
	struct view_item item = listed;
	struct node *d = draft_at("a", NULL), *n;

	(void)state;
	memset(etag, 'e', sizeof(etag) - 1);
	etag[sizeof(etag) - 1] = '\0';
	item.etag = etag;
	tree_draft_end(d, &item, true);
	n = look("a");
	assert_ptr_not_equal(n, d);
	assert_string_equal(node_etag(n), etag);
	assert_int_equal(fake.lookups, 0);
	node_unref(n);
	node_unref(d);
}

/* The kernel has pages of the draft's that would be taken for the version's. */
static void
a_version_in_other_bytes_gets_another_node(void **state)
{
	struct node *d = draft_at("a", NULL), *n;

	(void)state;
	tree_draft_end(d, &listed, false);
	assert_true(node_is_draft(d));
	assert_false(tree_fresh(d));
	n = look("a");
	assert_ptr_not_equal(n, d);
	assert_false(node_is_draft(n));
	assert_string_equal(node_etag(n), "listed");
	assert_int_equal(fake.lookups, 0);
	node_unref(n);
	node_unref(d);
}

static void
a_draft_takes_its_node_along_when_it_is_renamed(void **state)
{
	struct err e = { 0 };
	struct node *dir, *d = draft_at("a", NULL), *n;
	AUTO_BUF path;

	(void)state;
	assert_int_equal(view_make_dir(&fake.base, "dir", deadline_in(NS_PER_S), &e), 0);
	fake_put("dir/b", "old", 3);
	dir = look("dir");
	tree_draft_move(d, dir, "b");
	buf_init(&path, 4096);
	assert_int_equal(node_path(d, &path, &e), 0);
	assert_string_equal(buf_str(&path), "dir/b");
	assert_null(look("a"));
	n = tree_known_child(dir, "b");
	assert_ptr_equal(n, d);
	node_unref(n);
	tree_draft_end(d, NULL, true);
	node_unref(d);
	node_unref(dir);
}

static void
what_was_removed_here_is_not_in_an_older_listing(void **state)
{
	struct tree_listing l = { still_now(), still_now(), still_now() };
	struct node *n;

	(void)state;
	n = tree_listed(root, &listed, l);
	node_unref(n);
	pass(NS_PER_MS);
	tree_removed(root, "a");
	l.page_ns = still_now() + NS_PER_MS; /* it came after, and was asked for before */
	assert_null(tree_listed(root, &listed, l));
	assert_true(tree_missing(root, "a"));
	pass(NS_PER_MS);
	l = (struct tree_listing){ still_now(), still_now(), still_now() };
	n = tree_listed(root, &listed, l); /* somebody has made it again */
	assert_non_null(n);
	node_unref(n);
}

static void
what_was_published_here_is_newer_than_an_older_listing(void **state)
{
	struct tree_listing l = { still_now(), still_now(), still_now() };
	struct view_item mine = listed;
	struct node *n;

	(void)state;
	pass(NS_PER_MS);
	mine.etag = "mine";
	n = tree_made(root, "a", &mine);
	node_unref(n);
	l.page_ns = still_now() + NS_PER_MS;
	n = tree_listed(root, &listed, l);
	assert_string_equal(node_etag(n), "mine");
	node_unref(n);
}

static void
no_directory_is_assumed_where_one_could_be_made(void **state)
{
	(void)state;
	assert_null(tree_assume(root, "dir"));
}

static void
what_is_doubted_is_asked_for(void **state)
{
	struct node *n;

	(void)state;
	fake_put("a", "text", 4);
	n = look("a");
	assert_true(tree_fresh(n));
	tree_doubt(n);
	assert_false(tree_fresh(n));
	node_unref(n);
}

static void
a_view_that_only_reads_says_erofs(void **state)
{
	static const struct view_ops reads = { .list = fake_list };
	struct view v = { .ops = &reads };
	enum view_place place;
	struct err e = { 0 };

	(void)state;
	assert_false(view_writes(&v));
	assert_false(view_writes(NULL));
	assert_int_equal(view_place(&v, "a", &place, &e), -EROFS);
}

static void
what_is_larger_than_the_view_takes_is_efbig(void **state)
{
	const struct view_publish p = { .size = (UINT64_C(1) << 40) + 1 };
	struct view_sealing *s;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(view_seal(&fake.base, "a", NULL, deadline_in(NS_PER_S), &s, &e), 0);
	assert_int_equal(view_seal_commit(s, &p, (struct view_plain){ 0 }, view_no_sink(),
					  deadline_in(NS_PER_S), &e),
			 -EFBIG);
	view_sealing_free(s);
	view_sealing_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_draft_wins_over_listings_and_lookups),
		TEST(a_draft_is_made_of_what_the_name_means_only),
		TEST(a_drafts_node_becomes_the_versions),
		TEST(a_version_with_a_long_name_gets_another_node),
		TEST(a_version_in_other_bytes_gets_another_node),
		TEST(a_draft_takes_its_node_along_when_it_is_renamed),
		TEST(what_was_removed_here_is_not_in_an_older_listing),
		TEST(what_was_published_here_is_newer_than_an_older_listing),
		TEST(no_directory_is_assumed_where_one_could_be_made),
		TEST(what_is_doubted_is_asked_for),
		TEST(a_view_that_only_reads_says_erofs),
		TEST(what_is_larger_than_the_view_takes_is_efbig),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
