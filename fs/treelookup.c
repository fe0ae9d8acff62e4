/* SPDX-License-Identifier: MIT */
/* Finding a name: what is known, what may be assumed, and asking the view. See tree.h. */
#include "fs/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/num.h"
#include "fs/names.h"
#include "fs/viewwrite.h"

enum {
	STORM = 8,
	STORM_SHARE = 2500
}; /* stale names of one directory within a second: list it again; more of a large one */
enum { STORM_PATIENCE_S = 5 };
enum { PATH_BYTES_MAX = 16 << 10 };

int64_t
tree_fresh_ns(struct node *n)
{
	const int64_t now = clock_now_ns();
	int64_t left;

	mutex_lock(&n->t->mu);
	left = node_fresh_until_locked(n) - now;
	mutex_unlock(&n->t->mu);
	return left > 0 ? left : 0;
}

bool
tree_fresh(struct node *n)
{
	bool fresh;

	mutex_lock(&n->t->mu);
	fresh = node_fresh_locked(n);
	mutex_unlock(&n->t->mu);
	return fresh;
}

struct node *
tree_cached(struct node *dir, const char *name)
{
	struct node *n;

	mutex_lock(&dir->t->mu);
	n = dir->dir ? *node_slot_locked(dir->t, dir, name) : NULL;
	if (n != NULL && !node_fresh_locked(n))
		n = NULL;
	if (n != NULL)
		n->refs++;
	mutex_unlock(&dir->t->mu);
	return n;
}

static bool
missing_locked(struct node *dir, const char *name)
{
	uint64_t number;
	const struct missing *m = node_missing_slot(dir, name, &number);

	return m->number == number && clock_now_ns() < m->until_ns;
}

bool
tree_missing(struct node *dir, const char *name)
{
	bool missing;

	mutex_lock(&dir->t->mu);
	missing = missing_locked(dir, name);
	mutex_unlock(&dir->t->mu);
	return missing;
}

/*
 * Files mostly have a suffix and directories mostly none: what looks like a file is asked for at
 * once, so that a name that is to be written or made meets the answer that it deserves.
 */
static bool
looks_like_file(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot != NULL && dot != name && dot[1] != '\0' && strlen(dot + 1) <= 5;
}

static struct node *
assume_locked(struct node *dir, const char *name)
{
	const struct view_item item = { .name = name, .dir = true, .exact = true, .etag = "" };
	struct node *n = *node_slot_locked(dir->t, dir, name);

	if (n != NULL)
		return n->dir || node_fresh_locked(n) ? n : NULL;
	if (dir->view == NULL || view_writes(dir->view) || looks_like_file(name) ||
	    clock_now_ns() < dir->d->list_until_ns || missing_locked(dir, name))
		return NULL;
	n = node_new_locked(dir->t, dir, dir->view, &item, true);
	if (n == NULL)
		return NULL;
	node_link_locked(n);
	n->refs--; /* the caller counts its own */
	return n;
}

struct node *
tree_assume(struct node *dir, const char *name)
{
	struct node *n;

	if (!dir->dir)
		return NULL;
	mutex_lock(&dir->t->mu);
	n = assume_locked(dir, name);
	if (n != NULL)
		n->refs++;
	mutex_unlock(&dir->t->mu);
	return n;
}

/* What is learnt by an answer is as old as its question. */
struct receive {
	struct node *dir;
	const char *name;
	int64_t asked_ns;
	struct node *node; /* one reference */
};

static struct learnt
learnt_since(const struct tree *t, int64_t asked_ns)
{
	return (struct learnt){ asked_ns, clock_now_ns() + t->attr_timeout_ns };
}

/* Where something is, its directories are. */
static void
confirm_parents_locked(struct node *n)
{
	for (struct node *up = n->parent; up != NULL && !up->view_root && !node_fresh_locked(up);
	     up = up->parent)
		up->fresh_until_ns = (up->learnt_ns = clock_now_ns()) + n->t->attr_timeout_ns;
}

static int
receive_item(void *arg, const struct view_item *item, struct err *e)
{
	struct receive *rc = arg;
	struct tree *t = rc->dir->t;

	if (rc->node != NULL)
		return 0;
	mutex_lock(&t->mu);
	rc->node = node_update_locked(rc->dir, rc->name, item, learnt_since(t, rc->asked_ns), true);
	if (rc->node != NULL)
		confirm_parents_locked(rc->node);
	mutex_unlock(&t->mu);
	return rc->node != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

/*
 * What the name meant is over, unless something has come since it was asked for: one reference to
 * that, or NULL.
 */
static struct node *
drop_name(struct node *dir, const char *name, int64_t asked_ns)
{
	struct tree *t = dir->t;
	struct missing *m;
	struct node *old;
	uint64_t number;

	mutex_lock(&t->mu);
	old = *node_slot_locked(t, dir, name);
	if (old != NULL && (old->drafted || old->learnt_ns > asked_ns)) {
		old->refs++;
		mutex_unlock(&t->mu);
		return old;
	}
	m = node_missing_slot(dir, name, &number);
	*m = (struct missing){ number, clock_now_ns() + t->negative_timeout_ns, 0 };
	if (old != NULL) {
		node_unlink_locked(old);
		node_release_locked(old);
	}
	mutex_unlock(&t->mu);
	return NULL;
}

static int
ask_view(struct node *dir, const char *name, struct deadline d, struct node **out, struct err *e)
{
	struct receive rc = { dir, name, clock_now_ns(), NULL };
	AUTO_BUF path;
	int r;

	buf_init(&path, PATH_BYTES_MAX);
	r = node_child_path(dir, name, &path, e);
	if (r == 0)
		r = view_lookup(dir->view, buf_str(&path), (struct view_sink){ receive_item, &rc },
				d, e);
	if (r == -ENOENT) {
		rc.node = drop_name(dir, name, rc.asked_ns);
		if (rc.node != NULL) {
			err_clear(e);
			r = 0;
		}
	}
	if (r == 0)
		*out = rc.node;
	else if (rc.node != NULL)
		node_unref(rc.node);
	return r;
}

struct again {
	struct node *dir;
	int64_t asked_ns;
};

static int
keep_fresh(void *arg, const struct view_item *item, struct err *e)
{
	const struct again *a = arg;
	struct node *dir = a->dir;
	struct tree *t = dir->t;
	struct node *n = NULL;

	(void)e;
	mutex_lock(&t->mu);
	if (*node_slot_locked(t, dir, item->name) !=
	    NULL) /* only what is known already: this is no listing for anybody */
		n = node_update_locked(dir, item->name, item, learnt_since(t, a->asked_ns), false);
	mutex_unlock(&t->mu);
	if (n != NULL)
		node_unref(n);
	return 0;
}

static int
list_again(struct node *dir, struct deadline d, struct err *e)
{
	const int64_t start = clock_now_ns();
	struct again again = { dir, start };
	AUTO_BUF path, cursor;
	int r;

	buf_init(&path, PATH_BYTES_MAX);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	r = node_path(dir, &path, e);
	do {
		again.asked_ns = clock_now_ns();
		if (r == 0)
			r = view_list(dir->view, buf_str(&path), &cursor,
				      (struct view_sink){ keep_fresh, &again }, d, e);
	} while (r == 0 && cursor.n > 0);
	if (r == 0)
		tree_listing_done(dir, (struct tree_listing){ start, start, clock_now_ns() });
	return r;
}

/*
 * Waits while somebody lists the directory again, but not for long: a name can be asked for by
 * itself.
 */
static void
await_storm_locked(struct node *dir)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += STORM_PATIENCE_S;
	while (dir->d->refreshing)
		if (pthread_cond_clockwait(&dir->t->refreshed, &dir->t->mu, CLOCK_MONOTONIC,
					   &until) == ETIMEDOUT)
			return;
}

/* Whether this caller should list the directory again for all. */
static bool
join_storm(struct node *dir, bool known)
{
	struct tree *t = dir->t;
	const int64_t now = clock_now_ns();
	bool lead = false;

	mutex_lock(&t->mu);
	await_storm_locked(dir);
	if (known && dir->d->listed && !dir->d->refreshing) {
		if (now - dir->d->storm_since_ns > NS_PER_S) {
			dir->d->storm_since_ns = now;
			dir->d->storm = 0;
		}
		lead = ++dir->d->storm >= STORM + dir->d->entries / STORM_SHARE;
	}
	if (lead) {
		dir->d->refreshing = true;
		dir->d->storm = 0;
	}
	mutex_unlock(&t->mu);
	return lead;
}

static void
end_storm(struct node *dir)
{
	mutex_lock(&dir->t->mu);
	dir->d->refreshing = false;
	(void)pthread_cond_broadcast(&dir->t->refreshed);
	mutex_unlock(&dir->t->mu);
}

static bool
name_known(struct node *dir, const char *name)
{
	bool known;

	mutex_lock(&dir->t->mu);
	known = *node_slot_locked(dir->t, dir, name) != NULL;
	mutex_unlock(&dir->t->mu);
	return known;
}

int
tree_lookup(struct node *dir, const char *name, struct deadline d, struct node **out, struct err *e)
{
	struct node *n;

	if (!dir->dir)
		return err_set(e, ENOTDIR, "not a directory");
	n = tree_cached(dir, name);
	if (n == NULL && dir->view != NULL && !dir->view->dear &&
	    join_storm(dir, name_known(dir, name))) {
		struct err ignored = { 0 };

		(void)list_again(
			dir, d,
			&ignored); /* the name itself is asked for below when this did not help */
		end_storm(dir);
	}
	if (n == NULL)
		n = tree_cached(dir, name);
	if (n != NULL) {
		*out = n;
		return 0;
	}
	if (dir->view == NULL)
		return err_set(e, ENOENT, "no source is mounted here");
	return ask_view(dir, name, d, out, e);
}

int
tree_refresh(struct node *n, struct deadline d, struct err *e)
{
	struct node *now;
	int r;

	if (tree_fresh(n) || n == n->t->root)
		return 0;
	if (view_writes(n->view) && !tree_linked(n)) /* replaced, renamed or removed here */
		return err_set(e, ESTALE, "the name means something else now");
	r = tree_lookup(n->parent, n->name, d, &now, e);
	if (r < 0)
		return r;
	if (now != n) {
		r = err_set(e, ESTALE, "the name means another version now");
		mutex_lock(&n->t->mu);
		node_keep_locked(now);
		mutex_unlock(&n->t->mu);
	}
	node_unref(now);
	return r;
}
