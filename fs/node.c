/* SPDX-License-Identifier: MIT */
/* Nodes and their table: see node.h, and tree.h for what they are for. */
#include "fs/node.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fs/names.h"
#include "fs/viewwrite.h"

/* ---- the table (lock held) ---- */

struct node **
node_slot_locked(struct tree *t, const struct node *parent, const char *name)
{
	/* The number of a name is its st_ino: a node need not be hashed again. */
	struct node **at = &t->bucket[names_ino(parent->ino, name) % t->n_buckets];

	while (*at != NULL && ((*at)->parent != parent || strcmp((*at)->name, name) != 0))
		at = &(*at)->chain;
	return at;
}

static void
rehash_locked(struct tree *t)
{
	size_t n = t->n_buckets * 4;
	struct node **bucket = calloc(n, sizeof(struct node *));

	if (bucket == NULL)
		return; /* slower, not wrong */
	for (size_t i = 0; i < t->n_buckets; i++)
		for (struct node *c = t->bucket[i], *next; c != NULL; c = next) {
			size_t h = c->ino % n;

			next = c->chain;
			c->chain = bucket[h];
			bucket[h] = c;
		}
	free(t->bucket);
	t->bucket = bucket;
	t->n_buckets = n;
}

void
node_link_locked(struct node *n)
{
	struct tree *t = n->t;
	struct node **at;

	if (t->n_nodes > t->n_buckets * 2)
		rehash_locked(t);
	at = node_slot_locked(t, n->parent, n->name);
	assert(*at == NULL);
	*at = n;
	n->linked = true;
}

void
node_unlink_locked(struct node *n)
{
	struct node **at;

	if (!n->linked)
		return;
	at = node_slot_locked(n->t, n->parent, n->name);
	assert(*at == n);
	*at = n->chain;
	n->chain = NULL;
	n->linked = false;
}

static void
age_add_locked(struct tree *t, struct node *n)
{
	n->older = t->newest;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = n;
	t->newest = n;
	t->n_nodes++;
}

static void
age_remove_locked(struct tree *t, struct node *n)
{
	*(n->older != NULL ? &n->older->newer : &t->oldest) = n->newer;
	*(n->newer != NULL ? &n->newer->older : &t->newest) = n->older;
	t->n_nodes--;
}

/* ---- life of a node ---- */

void
node_free(struct node *n)
{
	budget_give(n->t->budget, BUDGET_METADATA, n->bytes);
	if (n->dir) {
		free(n->d->own);
		free(n->d);
	} else if (!n->drafted) {
		view_record_put(n->record);
	}
	free(n);
}

/* Frees what nobody needs any more, and its parents with it. */
void
node_release_locked(struct node *n)
{
	while (n != NULL && n->refs == 0 && n->lookups == 0) {
		struct node *parent = n->parent;

		node_unlink_locked(n);
		age_remove_locked(n->t, n);
		node_free(n);
		if (parent != NULL)
			parent->refs--;
		n = parent;
	}
}

/*
 * Keeps a node for a while: the kernel has been told ESTALE and will look it up
 * right away, and must not be sent in circles.
 */
void
node_keep_locked(struct node *n)
{
	struct tree *t = n->t;
	struct node **slot = &t->recent[t->next_recent++ % RECENT], *old = *slot;

	n->refs++;
	*slot = n;
	if (old != NULL) {
		old->refs--;
		node_release_locked(old);
	}
}

static void
set_name(struct node *n, const char *name, const char *etag)
{
	const size_t n_name = strlen(name);

	n->ino = n->parent == NULL ? 1 : names_ino(n->parent->ino, name);
	n->n_name = (uint8_t)n_name;
	memcpy(n->name, name, n_name + 1);
	memcpy(n->name + n_name + 1, etag, strlen(etag) + 1);
}

/* The node, with room for names of n_name bytes. */
static struct node *
make_locked(struct tree *t, struct node *parent, struct view *view, const struct view_item *item,
	    size_t n_name, bool must)
{
	const size_t n_etag = strlen(item->etag);
	const size_t own_bytes = offsetof(struct node, name) + n_name + n_etag + 2;
	size_t bytes = own_bytes + (item->dir		   ? sizeof(struct directory)
				    : item->record != NULL ? item->record->bytes
							   : 0);
	struct node *n;

	if (!budget_try(t->budget, BUDGET_METADATA, bytes)) {
		if (!must)
			return NULL;
		bytes = 0; /* the few that the kernel asks for by name are served beyond the share
			    */
	}
	n = calloc(1, u64_max(own_bytes, sizeof(*n)));
	if (n != NULL && item->dir)
		n->d = calloc(1, sizeof(*n->d));
	if (n == NULL || (item->dir && n->d == NULL)) {
		budget_give(t->budget, BUDGET_METADATA, bytes);
		free(n);
		return NULL;
	}
	n->t = t;
	n->parent = parent;
	if (parent != NULL)
		parent->refs++;
	n->view = view;
	n->bytes = (uint32_t)bytes;
	n->dir = item->dir;
	n->exact = item->exact;
	n->size = item->size;
	n->mtime_ns = item->dir && item->mtime_ns == 0 ? t->started_ns : item->mtime_ns;
	if (!item->dir)
		n->record = view_record_get(item->record);
	set_name(n, item->name, item->etag);
	n->refs = 1;
	age_add_locked(t, n);
	return n;
}

/*
 * A node with one reference, not yet linked; NULL when there is no memory for it (must: take it
 * all the same).
 */
struct node *
node_new_locked(struct tree *t, struct node *parent, struct view *view,
		const struct view_item *item, bool must)
{
	return make_locked(t, parent, view, item, strlen(item->name), must);
}

struct node *
node_new_draft_locked(struct node *dir, const struct view_item *item, struct draft *draft)
{
	struct node *n = make_locked(dir->t, dir, dir->view, item, NAMES_FILE_MAX + NODE_ETAG_ROOM,
				     true);

	if (n == NULL)
		return NULL;
	atomic_store(&n->drafted, true);
	n->draft = draft;
	return n;
}

void
node_rename_locked(struct node *n, struct node *dir, const char *name)
{
	struct node *old = n->parent;

	assert(n->drafted && !n->linked && strlen(name) <= NAMES_FILE_MAX);
	dir->refs++;
	n->parent = dir;
	set_name(n, name, "");
	old->refs--;
	node_release_locked(old);
}

static const char *
etag_of(const struct node *n)
{
	return n->name + n->n_name + 1;
}

struct missing *
node_missing_slot(struct node *dir, const char *name, uint64_t *number)
{
	*number = names_ino(dir->ino, name);
	return &dir->t->missing[*number % MISSING_SLOTS];
}

/* What a view calls not worth keeping is old at once. */
static void
learn(struct node *n, const struct view_item *item, struct learnt l)
{
	n->learnt_ns = l.at_ns;
	n->fresh_until_ns = item->ask ? l.at_ns : l.fresh_until_ns;
	n->ask = item->ask;
}

bool
node_become_locked(struct node *n, const struct view_item *item, struct learnt l)
{
	if (n->n_name + strlen(item->etag) > NAMES_FILE_MAX + NODE_ETAG_ROOM)
		return false;
	memcpy(n->name + n->n_name + 1, item->etag, strlen(item->etag) + 1);
	n->record = view_record_get(item->record);
	n->size = item->size;
	n->exact = item->exact;
	n->mtime_ns = item->mtime_ns;
	learn(n, item, l);
	atomic_store(&n->drafted,
		     false); /* from here on others read its version without the lock */
	return true;
}

/* The node that stands for item in dir from now on, with one reference. */
struct node *
node_update_locked(struct node *dir, const char *name, const struct view_item *item,
		   struct learnt l, bool must)
{
	struct tree *t = dir->t;
	struct view_item named = *item;
	struct node *old = *node_slot_locked(t, dir, name), *n;
	struct missing *m;
	uint64_t number;

	/*
	 * A page of a listing may have waited long for its reader; what is written here is newest.
	 */
	if (old != NULL && (old->drafted || old->learnt_ns > l.at_ns)) {
		old->refs++;
		return old;
	}
	named.name = name;
	m = node_missing_slot(dir, name, &number);
	if (!must && m->number == number && m->gone_ns > l.at_ns)
		return NULL;
	m->until_ns = m->gone_ns = 0;
	if (old != NULL && old->dir == item->dir && strcmp(etag_of(old), item->etag) == 0) {
		old->refs++;
		if (item->exact && !old->exact) { /* what could not be opened then can be now */
			old->size = item->size;
			old->exact = true;
		}
		learn(old, item, l);
		return old;
	}
	n = node_new_locked(t, dir, dir->view, &named, must);
	if (n == NULL)
		return NULL;
	if (old != NULL)
		node_unlink_locked(old);
	learn(n, item, l);
	node_link_locked(n);
	if (old != NULL)
		node_release_locked(old);
	return n;
}

int64_t
node_fresh_until_locked(const struct node *n)
{
	const struct directory *d = n->parent != NULL ? n->parent->d : NULL;

	if (n->drafted)
		return n->draft != NULL ? INT64_MAX : 0;
	/* Where names are given and taken here, the kernel may know the node by another by now. */
	if (!n->linked && n->parent != NULL && view_writes(n->view))
		return 0;
	if (d != NULL && !n->ask && n->linked && n->learnt_ns >= d->list_start_ns &&
	    d->list_until_ns > n->fresh_until_ns)
		return d->list_until_ns;
	return n->fresh_until_ns;
}

bool
node_fresh_locked(const struct node *n)
{
	return clock_now_ns() < node_fresh_until_locked(n);
}

/* ---- what others may ask ---- */

void
node_ref(struct node *n)
{
	mutex_lock(&n->t->mu);
	n->refs++;
	mutex_unlock(&n->t->mu);
}

void
node_unref(struct node *n)
{
	struct tree *t = n->t;

	mutex_lock(&t->mu);
	assert(n->refs > 0);
	n->refs--;
	node_release_locked(n);
	mutex_unlock(&t->mu);
}

void
node_attr(struct node *n, struct node_attr *out)
{
	mutex_lock(&n->t->mu);
	*out = (struct node_attr){ n->ino, n->dir, n->exact, n->size, n->mtime_ns };
	mutex_unlock(&n->t->mu);
}

void
node_opened(struct node *n, int delta)
{
	mutex_lock(&n->t->mu);
	n->opens += (uint32_t)delta;
	mutex_unlock(&n->t->mu);
}

bool
node_is_open(struct node *n)
{
	bool open;

	mutex_lock(&n->t->mu);
	open = n->opens > 0;
	mutex_unlock(&n->t->mu);
	return open;
}

struct view *
node_view(const struct node *n)
{
	return n->view;
}

/*
 * Names of a node never change and its parents live as long as it does: no lock is needed to walk
 * up.  But for the draft's at the end of a path.
 */
static int
add_names(const struct node *n, bool to_root, struct buf *out, struct err *e)
{
	int r;

	if (n->parent == NULL || (!to_root && n->view_root))
		return 0;
	r = add_names(n->parent, to_root, out, e);
	if (r == 0 && (out->n > 0 || to_root))
		r = buf_add_str(out, "/", e);
	return r == 0 ? buf_add_str(out, n->name, e) : r;
}

int
node_path(struct node *n, struct buf *out, struct err *e)
{
	int r;

	buf_reset(out);
	if (!n->drafted)
		return add_names(n, false, out, e);
	mutex_lock(&n->t->mu);
	r = add_names(n, false, out, e);
	mutex_unlock(&n->t->mu);
	return r;
}

int
node_child_path(struct node *dir, const char *name, struct buf *out, struct err *e)
{
	int r = node_path(dir, out, e);

	if (r == 0 && out->n > 0)
		r = buf_add_str(out, "/", e);
	return r == 0 ? buf_add_str(out, name, e) : r;
}

int
node_full_path(struct node *n, struct buf *out, struct err *e)
{
	int r;

	buf_reset(out);
	if (n == n->t->root)
		return buf_add_str(out, "/", e);
	if (!n->drafted)
		return add_names(n, true, out, e);
	mutex_lock(&n->t->mu);
	r = add_names(n, true, out, e);
	mutex_unlock(&n->t->mu);
	return r;
}

const char *
node_etag(const struct node *n)
{
	return etag_of(n);
}

struct view_record *
node_record(const struct node *n)
{
	return n->dir || n->drafted ? NULL : n->record;
}

bool
node_is_draft(const struct node *n)
{
	return n->drafted;
}

struct node *
node_parent(struct node *n)
{
	return n->parent != NULL ? n->parent : n;
}

const char *
node_name(const struct node *n)
{
	return n->name;
}
