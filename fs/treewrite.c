/* SPDX-License-Identifier: MIT */
/* Nodes of what this mount writes itself. See tree.h. */
#include <assert.h>
#include <errno.h>

#include "fs/node.h"

int
tree_draft(struct node *dir, const char *name, struct node *over, struct draft *draft,
	   uint64_t size, int64_t mtime_ns, struct node **out, struct err *e)
{
	const struct view_item item = {
		.name = name, .exact = true, .size = size, .mtime_ns = mtime_ns, .etag = ""
	};
	struct tree *t = dir->t;
	struct node *n = NULL;
	uint64_t number;
	bool stale;

	mutex_lock(&t->mu);
	stale = *node_slot_locked(t, dir, name) != over;
	if (!stale)
		n = node_new_draft_locked(dir, &item, draft);
	if (n != NULL) {
		if (over != NULL) {
			node_unlink_locked(over);
			node_release_locked(over);
		}
		node_link_locked(n);
		*node_missing_slot(dir, name, &number) = (struct missing){ 0 };
	}
	mutex_unlock(&t->mu);
	if (stale)
		return err_set(e, ESTALE, "the name means something else now");
	if (n == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*out = n;
	return 0;
}

struct draft *
node_draft(struct node *n)
{
	struct draft *d;

	mutex_lock(&n->t->mu);
	d = n->drafted ? n->draft : NULL;
	mutex_unlock(&n->t->mu);
	return d;
}

void
tree_set_attr(struct node *n, uint64_t size, int64_t mtime_ns)
{
	mutex_lock(&n->t->mu);
	n->size = size;
	n->mtime_ns = mtime_ns;
	mutex_unlock(&n->t->mu);
}

void
tree_draft_end(struct node *n, const struct view_item *now, bool same_bytes)
{
	struct tree *t = n->t;
	struct node *fresh = NULL;

	mutex_lock(&t->mu);
	n->draft = NULL;
	if (n->linked && now != NULL && same_bytes && node_become_locked(n, now, learnt_now(t))) {
		node_keep_locked(n);
	} else if (n->linked) {
		node_unlink_locked(n);
		if (now != NULL)
			fresh = node_update_locked(n->parent, n->name, now, learnt_now(t), true);
	}
	if (fresh != NULL) {
		node_keep_locked(fresh);
		fresh->refs--;
	}
	mutex_unlock(&t->mu);
}

/* Takes the name from whatever has it. */
static void
clear_name_locked(struct node *dir, const char *name)
{
	struct node *old = *node_slot_locked(dir->t, dir, name);

	if (old == NULL)
		return;
	node_unlink_locked(old);
	node_release_locked(old);
}

static void
note_gone_locked(struct node *dir, const char *name)
{
	struct missing *m;
	uint64_t number;

	m = node_missing_slot(dir, name, &number);
	*m = (struct missing){ number, clock_now_ns() + dir->t->negative_timeout_ns,
			       clock_now_ns() };
}

void
tree_draft_move(struct node *n, struct node *dir, const char *name)
{
	struct tree *t = n->t;
	uint64_t number;

	mutex_lock(&t->mu);
	if (n->linked) {
		node_unlink_locked(n);
		note_gone_locked(n->parent, n->name);
	}
	clear_name_locked(dir, name);
	*node_missing_slot(dir, name, &number) = (struct missing){ 0 };
	node_rename_locked(n, dir, name);
	node_link_locked(n);
	mutex_unlock(&t->mu);
}

void
tree_removed(struct node *dir, const char *name)
{
	struct tree *t = dir->t;

	mutex_lock(&t->mu);
	clear_name_locked(dir, name);
	note_gone_locked(dir, name);
	mutex_unlock(&t->mu);
}

struct node *
tree_made(struct node *dir, const char *name, const struct view_item *item)
{
	struct tree *t = dir->t;
	struct node *n;

	mutex_lock(&t->mu);
	n = node_update_locked(dir, name, item, learnt_now(t), true);
	if (n != NULL)
		node_keep_locked(n);
	mutex_unlock(&t->mu);
	return n;
}

struct node *
tree_known_child(struct node *dir, const char *name)
{
	struct node *n;

	mutex_lock(&dir->t->mu);
	n = dir->dir ? *node_slot_locked(dir->t, dir, name) : NULL;
	if (n != NULL)
		n->refs++;
	mutex_unlock(&dir->t->mu);
	return n;
}

bool
tree_linked(struct node *n)
{
	bool linked;

	mutex_lock(&n->t->mu);
	linked = n->linked || n->parent == NULL;
	mutex_unlock(&n->t->mu);
	return linked;
}

int64_t
tree_learnt_ns(struct node *n)
{
	int64_t at;

	mutex_lock(&n->t->mu);
	at = n->learnt_ns;
	mutex_unlock(&n->t->mu);
	return at;
}

void
tree_doubt(struct node *n)
{
	mutex_lock(&n->t->mu);
	n->fresh_until_ns = n->learnt_ns = 0;
	mutex_unlock(&n->t->mu);
}
