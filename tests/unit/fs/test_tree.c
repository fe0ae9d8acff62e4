/* SPDX-License-Identifier: MIT */
/* Nodes: one for each (name, ETag), alive as long as somebody needs them, and paid for. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <errno.h>

#include <cmocka.h>

#include "base/mutex.h"
#include "crypto/layout.h"
#include "fs/blobrecord.h"
#include "fs/names.h"
#include "fs/tree.h"

enum { TIMEOUT_S = 5, MIB = 1 << 20 };

static struct budget *budget;

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

/* A listing of one page that takes no time. */
static struct tree_listing
at_once(void)
{
	return (struct tree_listing){ still_now(), still_now(), still_now() };
}

/* ---- a view whose entries a test sets ---- */

struct shown {
	char path[32]; /* "": not there */
	char etag[16];
	bool dir;
	uint64_t size;
};

static struct {
	struct view view;
	pthread_mutex_t mu;
	struct shown entry[64];
	atomic_uint lookups, lists;
} world;

static struct shown *
shown_at(const char *path)
{
	for (size_t i = 0; i < ARRAY_LEN(world.entry); i++)
		if (strcmp(world.entry[i].path, path) == 0)
			return &world.entry[i];
	return NULL;
}

static void
show(const char *path, const char *etag, uint64_t size)
{
	struct shown *x;

	mutex_lock(&world.mu);
	x = shown_at(path);
	if (x == NULL)
		x = shown_at("");
	if (x == NULL)
		abort();
	(void)snprintf(x->path, sizeof(x->path), "%s", path);
	(void)snprintf(x->etag, sizeof(x->etag), "%s", etag);
	x->dir = etag[0] == '\0';
	x->size = size;
	mutex_unlock(&world.mu);
}

static void
hide(const char *path)
{
	struct shown *x;

	mutex_lock(&world.mu);
	x = shown_at(path);
	if (x != NULL)
		x->path[0] = '\0';
	mutex_unlock(&world.mu);
}

static int
world_lookup(struct view *v, const char *path, struct view_sink sink, struct deadline d,
	     struct err *e)
{
	struct shown x = { .path = "" };
	struct shown *found;

	(void)v;
	(void)d;
	atomic_fetch_add(&world.lookups, 1);
	mutex_lock(&world.mu);
	found = path[0] != '\0' ? shown_at(path) : NULL;
	if (found != NULL)
		x = *found;
	mutex_unlock(&world.mu);
	if (x.path[0] == '\0')
		return err_set(e, ENOENT, "nothing there");
	const struct view_item item = { .name = "",
					.dir = x.dir,
					.exact = true,
					.size = x.size,
					.etag = x.etag,
					.mtime_ns = 5 };

	return sink.item(sink.arg, &item, e);
}

static int
world_list(struct view *v, const char *dir, struct buf *cursor, struct view_sink sink,
	   struct deadline d, struct err *e)
{
	struct shown copy[ARRAY_LEN(world.entry)];
	const size_t n = strlen(dir);
	int r = 0;

	(void)v;
	(void)d;
	buf_reset(cursor);
	atomic_fetch_add(&world.lists, 1);
	mutex_lock(&world.mu);
	memcpy(copy, world.entry, sizeof(copy));
	mutex_unlock(&world.mu);
	for (size_t i = 0; i < ARRAY_LEN(copy) && r == 0; i++) {
		const char *name = copy[i].path + (n > 0 ? n + 1 : 0);

		if (copy[i].path[0] == '\0' ||
		    (n > 0 && (strncmp(copy[i].path, dir, n) != 0 || copy[i].path[n] != '/')) ||
		    strchr(name, '/') != NULL)
			continue;
		const struct view_item item = { .name = name,
						.dir = copy[i].dir,
						.exact = true,
						.size = copy[i].size,
						.etag = copy[i].etag,
						.mtime_ns = 5 };

		r = sink.item(sink.arg, &item, e);
	}
	return r;
}

static const struct view_ops world_ops = { .list = world_list, .lookup = world_lookup };

static struct tree *tree;

static struct tree *
tree_of(const char *path, uint64_t memory)
{
	const struct tree_view v = { path, &world.view };
	struct tree_config cfg = { .views = &v,
				   .n_views = 1,
				   .attr_timeout_ns = TIMEOUT_S * NS_PER_S,
				   .negative_timeout_ns = NS_PER_S };
	struct err e = { 0 };
	struct tree *t;

	assert_int_equal(budget_new(memory, &budget, &e), 0);
	cfg.budget = budget;
	assert_int_equal(tree_new(&cfg, &t, &e), 0);
	return t;
}

static int
set_up(void **state)
{
	(void)state;
	clock_replace(&still);
	memset(&world, 0, sizeof(world));
	world.view.ops = &world_ops;
	(void)pthread_mutex_init(&world.mu, NULL);
	tree = tree_of("", 64 * MIB);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	tree_free(tree);
	assert_int_equal(budget_used(budget, BUDGET_METADATA), 0);
	budget_free(budget);
	clock_replace(NULL);
	(void)pthread_mutex_destroy(&world.mu);
	return 0;
}

static int
look(struct node *dir, const char *name, struct node **out)
{
	struct err e = { 0 };

	return tree_lookup(dir, name, deadline_in(NS_PER_S), out, &e);
}

static struct node *
get(struct node *dir, const char *name)
{
	struct node *n;

	assert_int_equal(look(dir, name, &n), 0);
	return n;
}

/* ---- life ---- */

static void
a_node_lives_while_the_kernel_or_somebody_here_needs_it(void **state)
{
	struct node *root = tree_root(tree), *n;
	const uint64_t before = budget_used(budget, BUDGET_METADATA);

	(void)state;
	show("f", "1", 10);
	n = get(root, "f");
	assert_int_equal(tree_nodes(tree), 2);
	tree_known(n);
	tree_known(n);
	node_unref(n);
	assert_int_equal(tree_nodes(tree), 2);
	tree_forget(n, 1);
	assert_int_equal(tree_nodes(tree), 2);
	tree_forget(n, 1);
	assert_int_equal(tree_nodes(tree), 1);
	assert_int_equal(budget_used(budget, BUDGET_METADATA), before);
}

static void
a_child_keeps_its_parents(void **state)
{
	struct node *root = tree_root(tree), *a, *b, *f;
	struct buf path;
	struct err e = { 0 };

	(void)state;
	show("a", "", 0);
	show("a/b", "", 0);
	show("a/b/f", "1", 3);
	a = get(root, "a");
	b = get(a, "b");
	f = get(b, "f");
	node_unref(a);
	node_unref(b);
	assert_int_equal(tree_nodes(tree), 4);
	buf_init(&path, 100);
	assert_int_equal(node_path(f, &path, &e), 0);
	assert_string_equal(buf_str(&path), "a/b/f");
	assert_int_equal(node_full_path(f, &path, &e), 0);
	assert_string_equal(buf_str(&path), "/a/b/f");
	buf_clear(&path);
	node_unref(f);
	assert_int_equal(tree_nodes(tree), 1);
}

static void
another_etag_is_another_node_with_the_same_inode_number(void **state)
{
	struct node *root = tree_root(tree), *old, *new, *again;
	struct node_attr was, is;

	(void)state;
	show("f", "1", 10);
	old = get(root, "f");
	show("f", "2", 20);
	again = get(root, "f"); /* still fresh: nobody asks */
	assert_ptr_equal(again, old);
	node_unref(again);
	pass((TIMEOUT_S + 1) * NS_PER_S);
	assert_false(tree_fresh(old));
	new = get(root, "f");
	assert_ptr_not_equal(new, old);
	node_attr(old, &was);
	node_attr(new, &is);
	assert_int_equal(was.ino, is.ino);
	assert_int_equal(was.size, 10);
	assert_int_equal(is.size, 20);
	assert_string_equal(node_etag(old), "1");
	assert_string_equal(node_etag(new), "2");
	assert_int_equal(tree_nodes(tree), 3);
	node_unref(old);
	node_unref(new);
}

static void
a_refresh_says_what_became_of_the_name(void **state)
{
	struct node *root = tree_root(tree), *n;
	struct err e = { 0 };

	(void)state;
	show("f", "1", 10);
	n = get(root, "f");
	pass((TIMEOUT_S + 1) * NS_PER_S);
	assert_int_equal(tree_refresh(n, deadline_in(NS_PER_S), &e), 0);
	assert_true(tree_fresh(n));
	pass((TIMEOUT_S + 1) * NS_PER_S);
	show("f", "2", 10);
	assert_int_equal(tree_refresh(n, deadline_in(NS_PER_S), &e), -ESTALE);
	err_clear(&e);
	pass((TIMEOUT_S + 1) * NS_PER_S);
	hide("f");
	assert_int_equal(tree_refresh(n, deadline_in(NS_PER_S), &e), -ENOENT);
	assert_null(tree_cached(root, "f"));
	node_unref(n);
}

static void
a_version_seen_at_open_answers_the_next_lookup_without_a_request(void **state)
{
	const struct view_item now = { .name = "", .exact = true, .size = 7, .etag = "2" };
	struct node *root = tree_root(tree), *old, *new;
	unsigned asked;

	(void)state;
	show("f", "1", 10);
	old = get(root, "f");
	tree_known(old);
	node_unref(old);
	tree_replace(old, &now);
	asked = atomic_load(&world.lookups);
	new = get(root, "f");
	assert_ptr_not_equal(new, old);
	assert_string_equal(node_etag(new), "2");
	assert_int_equal(atomic_load(&world.lookups), asked);
	node_unref(new);
	tree_forget(old, 1);
}

static void
a_name_that_is_gone_is_dropped_and_its_node_stays_for_who_has_it(void **state)
{
	struct node *root = tree_root(tree), *n, *m;

	(void)state;
	show("f", "1", 10);
	n = get(root, "f");
	hide("f");
	pass((TIMEOUT_S + 1) * NS_PER_S);
	assert_int_equal(look(root, "f", &m), -ENOENT);
	assert_string_equal(node_name(n), "f");
	show("f", "1", 10); /* back again with the ETag that it had: another node all the same */
	m = get(root, "f");
	assert_ptr_not_equal(m, n);
	node_unref(m);
	node_unref(n);
}

static void
a_file_may_become_a_directory_and_back(void **state)
{
	struct node *root = tree_root(tree), *file, *dir, *child, *again;

	(void)state;
	show("x", "1", 10);
	file = get(root, "x");
	pass((TIMEOUT_S + 1) * NS_PER_S);
	show("x", "", 0);
	show("x/y", "1", 1);
	dir = get(root, "x");
	child = get(dir, "y");
	pass((TIMEOUT_S + 1) * NS_PER_S);
	show("x", "3", 10);
	again = get(root, "x");
	assert_ptr_not_equal(again, file);
	assert_int_equal(tree_nodes(tree), 5);
	assert_int_equal(look(again, "y", &child), -ENOTDIR);
	child = tree_cached(dir, "y");
	if (child != NULL)
		node_unref(child);
	node_unref(file);
	node_unref(dir);
	node_unref(again);
}

/* The last test leaves "x/y" with one reference: tree_free must take it all the same. */
static void
the_tree_frees_what_the_kernel_never_forgot(void **state)
{
	(void)state;
	show("a", "", 0);
	show("a/f", "1", 1);
	tree_known(get(get(tree_root(tree), "a"), "f"));
}

/* A document whose key was away has an upper bound as its size; its version stays the same. */
static void
a_size_that_becomes_exact_is_shown_and_stays(void **state)
{
	const struct view_item bound = { .name = "f", .size = 9, .etag = "1" },
			       exact = { .name = "f", .exact = true, .size = 5, .etag = "1" };
	struct node *root = tree_root(tree), *n = tree_listed(root, &bound, at_once()), *again;
	struct node_attr a;

	(void)state;
	again = tree_listed(root, &exact, at_once());
	assert_ptr_equal(again, n);
	node_attr(n, &a);
	assert_true(a.exact && a.size == 5);
	node_unref(again);
	again = tree_listed(root, &bound, at_once());
	node_attr(n, &a);
	assert_true(a.exact && a.size == 5);
	node_unref(again);
	node_unref(n);
}

/* ---- freshness ---- */

static void
a_listing_refreshes_what_it_gave_for_as_long_as_it_took(void **state)
{
	struct node *root = tree_root(tree), *n;
	const struct view_item item = { .name = "f", .exact = true, .size = 1, .etag = "1" };
	const int64_t start = still_now();

	(void)state;
	n = tree_listed(root, &item, at_once());
	assert_non_null(n);
	pass(60 * NS_PER_S); /* a listing of a minute */
	tree_listing_done(root, (struct tree_listing){ start, still_now(), still_now() });
	pass(59 * NS_PER_S);
	assert_true(tree_fresh(n));
	pass(2 * NS_PER_S);
	assert_false(tree_fresh(n));
	node_unref(n);
}

/* What the kernel is told of an entry that only the listing keeps fresh. */
static void
an_entry_of_a_long_listing_is_fresh_for_as_long_as_the_listing_says(void **state)
{
	struct node *root = tree_root(tree), *n;
	const struct view_item item = { .name = "f", .exact = true, .size = 1, .etag = "1" };
	const int64_t start = still_now();

	(void)state;
	n = tree_listed(root, &item, at_once());
	pass(30 * NS_PER_S);
	tree_listing_done(root, (struct tree_listing){ start, still_now(), still_now() });
	assert_int_equal(tree_fresh_ns(n), 30 * NS_PER_S);
	pass(10 * NS_PER_S);
	assert_int_equal(tree_fresh_ns(n), 20 * NS_PER_S);
	pass(20 * NS_PER_S);
	assert_int_equal(tree_fresh_ns(n), 0);
	node_unref(n);
}

/* A reader who takes hours is shown what the page says, but nobody may believe it for longer. */
static void
a_page_that_waited_for_its_reader_is_as_old_as_it_is(void **state)
{
	const struct view_item old = { .name = "f", .exact = true, .size = 1, .etag = "1" },
			       other = { .name = "g", .exact = true, .size = 1, .etag = "1" };
	const struct tree_listing l = at_once();
	struct node *root = tree_root(tree), *now, *listed;

	(void)state;
	pass(3600 * NS_PER_S);
	show("f", "2", 2);
	now = get(root, "f");
	listed = tree_listed(root, &old, l);
	assert_ptr_equal(listed, now); /* the later answer stands */
	assert_string_equal(node_etag(listed), "2");
	node_unref(listed);
	listed = tree_listed(root, &other, l);
	assert_false(tree_fresh(listed));
	tree_listing_done(root, l);
	assert_false(tree_fresh(listed));
	node_unref(listed);
	node_unref(now);
	hide("f");
}

/* However long its reader takes over a listing, it is believed for some minutes at most. */
static void
a_slow_reader_of_a_listing_does_not_keep_it_fresh_for_hours(void **state)
{
	const struct view_item item = { .name = "f", .exact = true, .size = 1, .etag = "1" };
	const int64_t start = still_now();
	struct node *root = tree_root(tree), *n;

	(void)state;
	pass(3600 * NS_PER_S);
	n = tree_listed(root, &item, (struct tree_listing){ start, still_now(), still_now() });
	tree_listing_done(root, (struct tree_listing){ start, still_now(), still_now() });
	assert_true(tree_fresh(n));
	pass(300 * NS_PER_S);
	assert_false(tree_fresh(n));
	node_unref(n);
}

static void
many_stale_names_of_a_directory_cost_one_listing(void **state)
{
	struct node *root = tree_root(tree), *n[20];
	char name[16];

	(void)state;
	for (int i = 0; i < 20; i++) {
		(void)snprintf(name, sizeof(name), "f%d", i);
		show(name, "1", 1);
		n[i] = get(root, name);
	}
	tree_listing_done(root, at_once());
	pass(2 * TIMEOUT_S * NS_PER_S);
	atomic_store(&world.lookups, 0);
	for (int i = 0; i < 20; i++) {
		struct node *again;

		(void)snprintf(name, sizeof(name), "f%d", i);
		again = get(root, name);
		assert_ptr_equal(again, n[i]);
		node_unref(again);
	}
	assert_int_equal(atomic_load(&world.lists), 1);
	assert_true(atomic_load(&world.lookups) < 8);
	for (int i = 0; i < 20; i++)
		node_unref(n[i]);
}

/* ---- memory ---- */

static void
past_its_share_a_listing_gets_no_nodes_but_a_lookup_does(void **state)
{
	struct node **n, *one;
	const struct view_item item = { .name = "f", .exact = true, .etag = "1" };
	uint64_t limit;
	size_t made = 0;

	(void)state;
	tree_free(tree);
	budget_free(budget);
	tree = tree_of("", 16 * MIB);
	limit = budget_limit(budget, BUDGET_METADATA);
	n = calloc(100000, sizeof(struct node *));
	assert_non_null(n);
	for (; made < 100000; made++) {
		struct view_item x = item;
		char name[24];

		(void)snprintf(name, sizeof(name), "file-%zu", made);
		x.name = name;
		n[made] = tree_listed(tree_root(tree), &x, at_once());
		if (n[made] == NULL)
			break;
	}
	assert_in_range(made, 10000, 99999);
	assert_true(budget_used(budget, BUDGET_METADATA) <= limit);
	show("asked", "1", 1);
	one = get(tree_root(tree), "asked");
	node_unref(one);
	struct tree_victim victims[10];
	unsigned n_victims;

	assert_int_equal(tree_victims(tree, victims, 10), 0); /* all are in use here */
	for (size_t i = 0; i < made; i++) {
		tree_known(n[i]);
		node_unref(n[i]);
	}
	n_victims = tree_victims(tree, victims, 10);
	assert_int_equal(n_victims, 10);
	for (unsigned i = 0; i < n_victims; i++) {
		char name[24];

		(void)snprintf(name, sizeof(name), "file-%u", i); /* the oldest first */
		assert_string_equal(victims[i].name, name);
		assert_int_equal(victims[i].parent, 1);
		free(victims[i].name);
	}
	for (size_t i = 0; i < made; i++)
		tree_forget(n[i], 1);
	assert_int_equal(tree_nodes(tree), 1);
	assert_int_equal(tree_victims(tree, victims, 10), 0);
	free(n);
}

/* What one blob costs when the kernel knows it: an RSA-2048 key and a name of 40 bytes. */
static void
an_entry_costs_at_most_512_bytes(void **state)
{
	static const char name[] = "a-name-that-has-exactly-forty-bytes-.bin",
			  etag[] = "0x8DD1F2A3B4C5D6E";
	static char b64[345];
	char json[1024];
	struct store_entry entry = {
		.etag = etag, .content_type = "", .size = 1000, .name = span_str(name)
	};
	struct kid_table *kids;
	struct view_record *rec = NULL, *first = NULL;
	struct err e = { 0 };
	struct node *n;
	uint64_t before;

	(void)state;
	memset(b64, 'A', 342);
	memcpy(b64 + 342, "==", 3);
	(void)snprintf(json, sizeof(json),
		       "{\"EncryptionMode\":\"FullBlob\",\"WrappedContentKey\":{\"KeyId\":"
		       "\"https://a-vault.vault.azure.net/keys/some-key/"
		       "0123456789abcdef0123456789abcdef\","
		       "\"EncryptedKey\":\"%s\",\"Algorithm\":\"RSA-OAEP\"},\"EncryptionAgent\":{"
		       "\"Protocol\":\"2.0\","
		       "\"EncryptionAlgorithm\":\"AES_GCM_256\"},\"EncryptedRegionInfo\":{"
		       "\"DataLength\":4194304,"
		       "\"NonceLength\":12},\"KeyWrappingMetadata\":{\"EncryptionLibrary\":\"x\"}}",
		       b64);
	entry.envelope = span_str(json);
	assert_int_equal(kid_table_new(&kids, &e), 0);
	/* The first brings the key id. */
	assert_int_equal(blob_record_new(kids, NULL, &entry, &first, &e), 0);
	assert_int_equal(blob_record_new(kids, NULL, &entry, &rec, &e), 0);
	assert_int_equal(blob_record_of(rec)->state, BLOB_SEALED);
	const struct view_item item = {
		.name = name, .exact = true, .size = 1000, .etag = etag, .record = rec
	};

	before = budget_used(budget, BUDGET_METADATA);
	n = tree_listed(tree_root(tree), &item, at_once());
	print_message(
		"an entry is charged %llu bytes: record %zu, packed envelope %zu, node, name and "
		"etag %llu\n",
		(unsigned long long)(budget_used(budget, BUDGET_METADATA) - before),
		sizeof(struct blob_record), envelope_packed_size(blob_record_of(rec)->packed),
		(unsigned long long)(budget_used(budget, BUDGET_METADATA) - before - rec->bytes));
	assert_int_equal(strlen(name), 40);
	assert_true(budget_used(budget, BUDGET_METADATA) - before <= 512);
	node_unref(n);
	view_record_put(rec);
	view_record_put(first);
	kid_table_free(kids);
}

/* ---- the mount's own directories ---- */

static void
sources_stand_at_their_paths(void **state)
{
	struct node *a, *b, *n;
	struct node_attr attr;

	(void)state;
	tree_free(tree);
	budget_free(budget);
	tree = tree_of("a/b", 64 * MIB);
	assert_ptr_equal(node_parent(tree_root(tree)), tree_root(tree));
	a = get(tree_root(tree), "a");
	assert_null(node_view(a));
	assert_int_equal(look(a, "c", &n), -ENOENT);
	b = get(a, "b");
	assert_ptr_equal(node_view(b), &world.view);
	assert_ptr_equal(tree_own_child(a, 0), b);
	assert_null(tree_own_child(a, 1));
	node_attr(b, &attr);
	assert_true(attr.dir);
	show("f", "1", 1);
	n = get(b, "f");
	pass(1000 * NS_PER_S);
	assert_true(tree_fresh(b));
	node_unref(n);
	node_unref(b);
	node_unref(a);
}

static void
sources_must_not_lie_in_each_other(void **state)
{
	static const struct {
		const char *one, *two;
		bool good;
	} pairs[] = {
		{ "a", "b", true },	{ "a/b", "a/c", true },	  { "a", "a", false },
		{ "a", "a/b", false },	{ "a/b", "a", false },	  { "", "a", false },
		{ "a", "", false },	{ "a/../b", "c", false }, { ".", "c", false },
		{ "a//b", "c", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		const struct tree_view v[] = { { pairs[i].one, &world.view },
					       { pairs[i].two, &world.view } };
		const struct tree_config cfg = {
			.views = v, .n_views = 2, .budget = budget, .attr_timeout_ns = 1
		};
		struct err e = { 0 };
		struct tree *t = NULL;

		assert_int_equal(tree_new(&cfg, &t, &e), pairs[i].good ? 0 : -EINVAL);
		if (pairs[i].good)
			tree_free(t);
	}
}

/* ---- the storm ---- */

enum { KEPT = 512 }; /* more than the tree keeps without being asked */

static atomic_bool storm_over;

static void *
changer(void *arg)
{
	char name[16], etag[16];

	(void)arg;
	for (unsigned i = 0; !atomic_load(&storm_over); i++) {
		(void)snprintf(name, sizeof(name), "f%u", i % 8);
		(void)snprintf(etag, sizeof(etag), "%u", i % 5);
		if (i % 7 == 0)
			hide(name);
		else
			show(name, i % 5 == 0 ? "" : etag, i); /* a directory now and then */
		pass(NS_PER_S);
		if (i % 3 == 0)
			tree_listing_done(tree_root(tree), at_once());
	}
	return NULL;
}

static void *
kernel(void *arg)
{
	struct node *known[64] = { NULL };
	uint64_t x = (uint64_t)(uintptr_t)arg + 1;

	for (unsigned i = 0; i < 20000; i++) {
		struct node *n = NULL, **slot;
		char name[16];

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		(void)snprintf(name, sizeof(name), "f%u", (unsigned)(x >> 40) % 8);
		slot = &known[(x >> 33) % ARRAY_LEN(known)];
		if (*slot != NULL) {
			struct err e = { 0 };

			if (x >> 63 != 0 && tree_refresh(*slot, deadline_in(NS_PER_S), &e) < 0)
				err_clear(&e);
			tree_forget(*slot, 1);
			*slot = NULL;
		}
		if (x >> 62 == 0) {
			const struct view_item item = { .name = name,
							.exact = true,
							.etag = x & 1024 ? "1" : "2" };

			n = tree_listed(tree_root(tree), &item, at_once());
		} else if (look(tree_root(tree), name, &n) < 0) {
			continue;
		}
		if (n == NULL)
			continue;
		tree_known(n);
		*slot = n;
		if (x >> 61 == 3) {
			const struct view_item now = { .name = "", .exact = true, .etag = "9" };

			tree_replace(n, &now);
		}
		node_opened(n, 1);
		tree_exact_size(n, i);
		node_opened(n, -1);
		node_unref(n);
	}
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i] != NULL)
			tree_forget(known[i], 1);
	return NULL;
}

static void
a_storm_of_lookups_forgets_and_replacements_leaves_nothing_behind(void **state)
{
	const uint64_t before = budget_used(budget, BUDGET_METADATA);
	pthread_t id[8], change;
	struct node *last;

	(void)state;
	atomic_store(&storm_over, false);
	assert_int_equal(pthread_create(&change, NULL, changer, NULL), 0);
	for (uintptr_t i = 0; i < ARRAY_LEN(id); i++)
		assert_int_equal(pthread_create(&id[i], NULL, kernel, (void *)i), 0);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		(void)pthread_join(id[i], NULL);
	atomic_store(&storm_over, true);
	(void)pthread_join(change, NULL);
	show("last", "1", 1);
	last = get(tree_root(tree), "last");
	for (unsigned i = 0; i < KEPT;
	     i++) { /* what is kept for the kernel's next lookup gives way to one that stays */
		const struct view_item now = { .name = "", .exact = true, .etag = "1" };

		tree_replace(last, &now);
	}
	node_unref(last);
	assert_in_range(tree_nodes(tree), 2, 4);
	assert_in_range(budget_used(budget, BUDGET_METADATA), before, before + 4 * 512);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
		WITH(a_node_lives_while_the_kernel_or_somebody_here_needs_it),
		WITH(a_child_keeps_its_parents),
		WITH(another_etag_is_another_node_with_the_same_inode_number),
		WITH(a_refresh_says_what_became_of_the_name),
		WITH(a_version_seen_at_open_answers_the_next_lookup_without_a_request),
		WITH(a_name_that_is_gone_is_dropped_and_its_node_stays_for_who_has_it),
		WITH(a_file_may_become_a_directory_and_back),
		WITH(the_tree_frees_what_the_kernel_never_forgot),
		WITH(a_size_that_becomes_exact_is_shown_and_stays),
		WITH(a_listing_refreshes_what_it_gave_for_as_long_as_it_took),
		WITH(an_entry_of_a_long_listing_is_fresh_for_as_long_as_the_listing_says),
		WITH(a_page_that_waited_for_its_reader_is_as_old_as_it_is),
		WITH(a_slow_reader_of_a_listing_does_not_keep_it_fresh_for_hours),
		WITH(many_stale_names_of_a_directory_cost_one_listing),
		WITH(past_its_share_a_listing_gets_no_nodes_but_a_lookup_does),
		WITH(an_entry_costs_at_most_512_bytes),
		WITH(sources_stand_at_their_paths),
		WITH(sources_must_not_lie_in_each_other),
		WITH(a_storm_of_lookups_forgets_and_replacements_leaves_nothing_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
