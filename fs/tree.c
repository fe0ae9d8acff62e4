/* SPDX-License-Identifier: MIT */
/*
 * The tree as a whole: making and freeing it, what the kernel knows, listings. See tree.h;
 * lookups are in treelookup.c.
 */
#include "fs/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fs/names.h"
#include "fs/node.h"

enum {
	LISTING_GRACE = 4
}; /* an entry of a long listing is looked at only when the rest of it has come */
static const int64_t LISTING_MAX_NS = 60 * NS_PER_S; /* beyond it is the reader who is slow */

/* ---- making and freeing the tree ---- */

static struct node *
own_child(struct tree *t, struct node *dir, const char *name, struct view *view)
{
	const struct view_item item = { .name = name, .dir = true, .exact = true, .etag = "" };
	struct node *n, **own;

	own = reallocarray(dir->d->own, dir->d->n_own + 1, sizeof(struct node *));
	if (own == NULL)
		return NULL;
	dir->d->own = own;
	n = node_new_locked(t, dir, view, &item, true);
	if (n == NULL)
		return NULL;
	n->view_root = view != NULL;
	n->fresh_until_ns = INT64_MAX;
	own[dir->d->n_own++] = n;
	node_link_locked(n);
	return n;
}

/* Puts one view at its path, making the mount's own directories on the way. */
static int
place_view(struct tree *t, const struct tree_view *v, struct err *e)
{
	char name[NAMES_FILE_MAX + 1];
	struct node *at = t->root;
	const char *p = v->path;

	if (*p == '\0') {
		if (at->d->n_own > 0 || at->view != NULL)
			return err_set(e, EINVAL,
				       "only one source can be at the root of the mount, and then "
				       "no other");
		at->view = v->view;
		at->view_root = true;
		return 0;
	}
	for (size_t n; *p != '\0'; p += n + (p[n] == '/')) {
		struct node *child;

		n = strcspn(p, "/");
		if (n == 0 || n > NAMES_FILE_MAX || (n <= 2 && strspn(p, ".") >= n))
			return err_set(e, EINVAL, "\"%s\" is not a path in the mount", v->path);
		memcpy(name, p, n);
		name[n] = '\0';
		if (at->view != NULL)
			return err_set(e, EINVAL, "\"%s\" lies inside another source", v->path);
		child = *node_slot_locked(t, at, name);
		if (child != NULL && p[n] == '\0')
			return err_set(e, EINVAL, "two sources at \"%s\"", v->path);
		at = child != NULL ? child : own_child(t, at, name, p[n] == '\0' ? v->view : NULL);
		if (at == NULL)
			return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}

int
tree_new(const struct tree_config *cfg, struct tree **out, struct err *e)
{
	const struct view_item root = { .name = "", .dir = true, .exact = true, .etag = "" };
	struct tree *t = calloc(1, sizeof(*t));
	int r = 0;

	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&t->mu, NULL);
	(void)pthread_cond_init(&t->refreshed, NULL);
	t->budget = cfg->budget;
	t->attr_timeout_ns = cfg->attr_timeout_ns;
	t->negative_timeout_ns = cfg->negative_timeout_ns;
	t->started_ns = clock_wall_s() * NS_PER_S;
	t->n_buckets = 1024;
	t->bucket = calloc(t->n_buckets, sizeof(struct node *));
	if (t->bucket != NULL)
		t->root = node_new_locked(t, NULL, NULL, &root, true);
	if (t->root == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	else
		t->root->fresh_until_ns = INT64_MAX;
	for (unsigned i = 0; i < cfg->n_views && r == 0; i++)
		r = place_view(t, &cfg->views[i], e);
	if (r < 0) {
		tree_free(t);
		return r;
	}
	*out = t;
	return 0;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	for (struct node *n = t->oldest, *next; n != NULL; n = next) {
		next = n->newer;
		node_free(n);
	}
	free(t->bucket);
	(void)pthread_cond_destroy(&t->refreshed);
	(void)pthread_mutex_destroy(&t->mu);
	free(t);
}

struct node *
tree_root(struct tree *t)
{
	return t->root;
}

struct node *
tree_node(struct tree *t, uint64_t nodeid)
{
	return nodeid == 1 ? t->root : (struct node *)(uintptr_t)nodeid;
}

uint64_t
tree_nodeid(struct tree *t, const struct node *n)
{
	return n == t->root ? 1 : (uint64_t)(uintptr_t)n;
}

void
tree_known(struct node *n)
{
	mutex_lock(&n->t->mu);
	n->lookups++;
	mutex_unlock(&n->t->mu);
}

void
tree_forget(struct node *n, uint64_t times)
{
	struct tree *t = n->t;

	mutex_lock(&t->mu);
	if (n != t->root) {
		assert(n->lookups >= times);
		n->lookups -= (uint32_t)times;
		node_release_locked(n);
	}
	mutex_unlock(&t->mu);
}

/* ---- listings ---- */

/* How long a listing has taken, up to its page. */
static int64_t
listing_took(struct tree_listing l)
{
	const int64_t took = l.page_ns - l.start_ns;

	return took < LISTING_MAX_NS ? took : LISTING_MAX_NS;
}

struct node *
tree_listed(struct node *dir, const struct view_item *item, struct tree_listing l)
{
	struct tree *t = dir->t;
	const int64_t until = l.page_ns + t->attr_timeout_ns + LISTING_GRACE * listing_took(l);
	struct node *n;

	mutex_lock(&t->mu);
	if (dir->d->list_start_ns != l.start_ns) {
		dir->d->list_start_ns = l.start_ns;
		dir->d->entries = 0;
	}
	dir->d->entries++;
	n = node_update_locked(dir, item->name, item,
			       (struct learnt){ l.asked_ns, t->attr_timeout_ns > 0 ? until : 0 },
			       false);
	mutex_unlock(&t->mu);
	return n;
}

void
tree_listing_done(struct node *dir, struct tree_listing l)
{
	struct tree *t = dir->t;
	const int64_t took = listing_took(l);

	mutex_lock(&t->mu);
	dir->d->listed = true;
	dir->d->list_start_ns = l.start_ns;
	dir->d->list_until_ns = t->attr_timeout_ns > 0 ? l.page_ns + (took > t->attr_timeout_ns
									      ? took
									      : t->attr_timeout_ns)
						       : 0;
	mutex_unlock(&t->mu);
}

void
tree_replace(struct node *n, const struct view_item *now)
{
	struct tree *t = n->t;
	struct node *fresh = NULL;

	mutex_lock(&t->mu);
	if (n->parent != NULL)
		fresh = node_update_locked(n->parent, n->name, now, learnt_now(t), true);
	if (fresh != NULL)
		node_keep_locked(fresh);
	mutex_unlock(&t->mu);
	if (fresh != NULL)
		node_unref(fresh);
}

void
tree_exact_size(struct node *n, uint64_t size)
{
	mutex_lock(&n->t->mu);
	n->size = size;
	n->exact = true;
	mutex_unlock(&n->t->mu);
}

struct node *
tree_own_child(struct node *dir, unsigned i)
{
	return dir->dir && i < dir->d->n_own ? dir->d->own[i] : NULL;
}

unsigned
tree_victims(struct tree *t, struct tree_victim *out, unsigned max)
{
	unsigned n = 0;

	if (budget_used(t->budget, BUDGET_METADATA) / 9 * 10 <
	    budget_limit(t->budget, BUDGET_METADATA))
		return 0;
	mutex_lock(&t->mu);
	for (struct node *v = t->oldest; v != NULL && n < max; v = v->newer) {
		if (v->refs > 0 || !v->linked || v->parent == NULL)
			continue;
		out[n].name = strdup(v->name);
		if (out[n].name == NULL)
			break;
		out[n++].parent = tree_nodeid(t, v->parent);
	}
	mutex_unlock(&t->mu);
	return n;
}

uint64_t
tree_nodes(struct tree *t)
{
	uint64_t n;

	mutex_lock(&t->mu);
	n = t->n_nodes;
	mutex_unlock(&t->mu);
	return n;
}
