/* SPDX-License-Identifier: MIT */
/* Names that a mount gives and takes: see draft.h. */
#include "fs/draftfile.h"

#include <errno.h>
#include <string.h>

enum { TRIES = 3 }; /* the version that was known may be another by now */

/* ---- removing ---- */

static int
find_now(void *arg, const struct view_item *item, struct err *e)
{
	return item->dir ? err_set(e, EISDIR, "it is a directory")
			 : draft_version_sink(arg).item(arg, item, e);
}

/*
 * Removes what the name means: who removes a file means the name, not the version that was known.
 * v: that one, or none; it becomes what was removed.
 */
static int
remove_named(struct view *view, const char *path, struct draft_version *v, struct deadline d,
	     struct err *e)
{
	int r = -ESTALE;

	for (unsigned i = 0; r == -ESTALE && i < TRIES; i++) {
		err_clear(e);
		r = i == 0 ? 0 : view_lookup(view, path, (struct view_sink){ find_now, v }, d, e);
		if (r == 0)
			r = view_remove(view, path, v->etag, v->record, d, e);
	}
	if (r == -ENOENT) {
		err_clear(e);
		r = 0;
	}
	return r;
}

static int
unlink_draft(struct draft *d, struct node *dir, const char *name, struct deadline until,
	     struct err *e)
{
	struct drafts *s = d->all;
	AUTO_BUF path;
	int r;

	buf_init(&path, DRAFT_PATH_MAX);
	draft_take_turn(d);
	r = node_path(d->node, &path, e);
	if (r == 0 && d->version.etag != NULL) {
		struct draft_version v = { 0 };

		r = draft_version_copy(&v, &d->version, e);
		if (r == 0)
			r = remove_named(d->view, buf_str(&path), &v, until, e);
		draft_version_clear(&v);
	}
	if (r == 0) {
		draft_drop_sealing(d);
		mutex_lock(&s->mu);
		d->unlinked = true;
		tree_removed(dir, name);
		mutex_unlock(&s->mu);
	}
	draft_give_turn(d);
	return r;
}

static int
unlink_published(struct node *n, struct node *dir, const char *name, struct deadline until,
		 struct err *e)
{
	const struct view_item item = { .name = "",
					.etag = node_etag(n),
					.record = node_record(n) };
	struct draft_version v = { 0 };
	AUTO_BUF path;
	int r;

	buf_init(&path, DRAFT_PATH_MAX);
	r = node_path(n, &path, e);
	if (r == 0)
		r = draft_version_sink(&v).item(&v, &item, e);
	if (r == 0)
		r = remove_named(node_view(n), buf_str(&path), &v, until, e);
	draft_version_clear(&v);
	if (r == 0)
		tree_removed(dir, name);
	return r;
}

/* What can be said without asking: the view writes, and it has such a name. */
static int
check_name(struct node *dir, const char *name, enum view_place *place, struct err *e)
{
	AUTO_BUF path;
	int r;

	buf_init(&path, DRAFT_PATH_MAX);
	r = node_child_path(dir, name, &path, e);
	return r < 0 ? r : view_place(node_view(dir), buf_str(&path), place, e);
}

static int
unlink_once(struct drafts *s, struct node *dir, const char *name, struct deadline d, struct err *e)
{
	struct node_attr a;
	struct draft *draft;
	struct node *n;
	int r = tree_lookup(dir, name, d, &n, e);

	if (r < 0)
		return r;
	node_attr(n, &a);
	draft = draft_get(s, n);
	if (a.dir)
		r = err_set(e, EISDIR, "it is a directory");
	else if (draft != NULL)
		r = unlink_draft(draft, dir, name, d, e);
	else if (node_is_draft(n)) /* it was published just now */
		r = err_set(e, ESTALE, "the name means something else now");
	else
		r = unlink_published(n, dir, name, d, e);
	draft_put(draft);
	node_unref(n);
	return r;
}

int
drafts_unlink(struct drafts *s, struct node *dir, const char *name, struct deadline d,
	      struct err *e)
{
	enum view_place place;
	int r = check_name(dir, name, &place, e);

	if (r == 0)
		r = -ESTALE;
	for (unsigned i = 0; r == -ESTALE && i < TRIES; i++) {
		err_clear(e);
		r = unlink_once(s, dir, name, d, e);
	}
	return r;
}

/* ---- renaming ---- */

struct renaming {
	struct drafts *all;
	struct node *dir, *to_dir;
	const char *name, *to_name;
	struct node *from, *to;	      /* to: NULL when nothing is there */
	struct draft *draft, *target; /* held, or NULL */
	enum view_place place;	      /* of the new name */
	struct buf path, to_path;
	struct deadline until;
};

/* What has the new name in the store, which is replaced. */
static const char *
over_of(const struct renaming *rn)
{
	if (rn->target != NULL)
		return rn->target->version.etag;
	return rn->to != NULL ? node_etag(rn->to) : NULL;
}

/*
 * The draft has the new name from here on, which means v in the store; what had it is nobody's, or
 * only its handles'.
 */
static void
move_draft(struct renaming *rn, struct draft_version *v)
{
	draft_move(rn->draft, rn->to_dir, rn->to_name, v);
	mutex_lock(&rn->all->mu);
	rn->draft->local = rn->place == VIEW_PLACE_LOCAL;
	if (rn->target != NULL)
		rn->target->unlinked = true;
	mutex_unlock(&rn->all->mu);
}

/*
 * The store has nothing under the old name.  Somebody still writes: later publishes go to the new
 * name.  Nobody does: it is published under it now, and what comes of that is what renaming came
 * to.
 */
static int
rename_unpublished(struct renaming *rn, struct draft_version *v, struct err *e)
{
	struct draft *d = rn->draft;
	int r;

	if (rn->place == VIEW_PLACE_LOCAL && over_of(rn) != NULL)
		return err_set(e, EXDEV, "what is published cannot be replaced by what is not");
	draft_drop_sealing(d);
	if (rn->place == VIEW_PLACE_SEALED && (d->local || !draft_has_writers(d))) {
		r = draft_publish_as(d, buf_str(&rn->to_path), over_of(rn), e);
		return r < 0 ? r : draft_version_copy(v, &d->version, e);
	}
	if (over_of(rn) != NULL) {
		const struct view_item item = { .name = "", .etag = over_of(rn) };

		return draft_version_sink(v).item(v, &item, e);
	}
	return 0;
}

/* The store has a version under the old name, which gets the new one. */
static int
rename_version(struct renaming *rn, struct draft_version *now, struct err *e)
{
	struct draft *d = rn->draft;
	int r;

	if (rn->place == VIEW_PLACE_LOCAL)
		return err_set(e, EXDEV, "what is published cannot be unpublished");
	r = draft_publish_turn(d, e);
	if (r < 0)
		return r;
	r = view_rename(d->view, buf_str(&rn->path), d->version.etag, d->version.record,
			buf_str(&rn->to_path), over_of(rn), draft_version_sink(now), rn->until, e);
	if (r == 0 && now->etag == NULL)
		r = err_set(e, EIO, "the store does not say what it keeps");
	return r;
}

/* Two turns are taken in one order everywhere. */
static void
take_turns(struct renaming *rn)
{
	struct draft *first = rn->draft, *second = rn->target;

	if (second != NULL && (uintptr_t)second < (uintptr_t)first) {
		first = rn->target;
		second = rn->draft;
	}
	if (first != NULL)
		draft_take_turn(first);
	if (second != NULL)
		draft_take_turn(second);
}

static void
give_turns(struct renaming *rn)
{
	if (rn->draft != NULL)
		draft_give_turn(rn->draft);
	if (rn->target != NULL)
		draft_give_turn(rn->target);
}

static int
rename_draft(struct renaming *rn, struct err *e)
{
	struct draft_version v = { 0 };
	int r = rn->draft->version.etag == NULL ? rename_unpublished(rn, &v, e)
						: rename_version(rn, &v, e);

	if (r == 0)
		move_draft(rn, &v);
	draft_version_clear(&v);
	return r;
}

/* A target that is being written loses its name first: it would keep it. */
static void
show_renamed(struct renaming *rn, const struct draft_version *now)
{
	const struct view_item item = { .name = rn->to_name,
					.exact = now->exact,
					.size = now->size,
					.mtime_ns = now->mtime_ns,
					.etag = now->etag != NULL ? now->etag : "",
					.record = now->record };
	struct node *n;

	mutex_lock(&rn->all->mu);
	if (rn->target != NULL)
		rn->target->unlinked = true;
	tree_removed(rn->to_dir, rn->to_name);
	n = now->etag != NULL ? tree_made(rn->to_dir, rn->to_name, &item) : NULL;
	mutex_unlock(&rn->all->mu);
	tree_removed(rn->dir, rn->name);
	if (n != NULL)
		node_unref(n);
}

static int
rename_published(struct renaming *rn, struct err *e)
{
	struct draft_version now = { 0 };
	int r;

	if (rn->place == VIEW_PLACE_LOCAL)
		return err_set(e, EXDEV, "what is published cannot be unpublished");
	r = view_rename(node_view(rn->from), buf_str(&rn->path), node_etag(rn->from),
			node_record(rn->from), buf_str(&rn->to_path), over_of(rn),
			draft_version_sink(&now), rn->until, e);
	if (r == 0)
		show_renamed(rn, &now);
	draft_version_clear(&now);
	return r;
}

/* Finds what has the two names. */
static int
find_both(struct renaming *rn, bool replace, struct err *e)
{
	struct node_attr a;
	int r = tree_lookup(rn->dir, rn->name, rn->until, &rn->from, e);

	if (r < 0)
		return r;
	node_attr(rn->from, &a);
	if (a.dir)
		return err_set(e, EXDEV, "a directory is not renamed: its files are");
	r = tree_lookup(rn->to_dir, rn->to_name, rn->until, &rn->to, e);
	if (r == -ENOENT) {
		err_clear(e);
		r = 0;
	}
	if (r < 0)
		return r;
	if (rn->to != NULL && !replace)
		return err_set(e, EEXIST, "the new name is taken");
	if (rn->to != NULL)
		node_attr(rn->to, &a);
	if (rn->to != NULL && a.dir)
		return err_set(e, EISDIR, "the new name is a directory's");
	rn->draft = draft_get(rn->all, rn->from);
	rn->target = rn->to != NULL ? draft_get(rn->all, rn->to) : NULL;
	if ((rn->draft == NULL && node_is_draft(rn->from)) ||
	    (rn->target == NULL && rn->to != NULL && node_is_draft(rn->to)))
		return err_set(e, ESTALE, "the name means something else now");
	return 0;
}

/* One try, on what is known of both names. */
static int
rename_once(struct renaming *rn, bool replace, struct err *e)
{
	int r = find_both(rn, replace, e);

	if (r == 0 && rn->from != rn->to) {
		take_turns(rn);
		r = rn->draft != NULL ? rename_draft(rn, e) : rename_published(rn, e);
		give_turns(rn);
	}
	if (r == -ESTALE) {
		if (rn->from != NULL && rn->draft == NULL)
			tree_doubt(rn->from);
		if (rn->to != NULL && rn->target == NULL)
			tree_doubt(rn->to);
	}
	draft_put(rn->draft);
	draft_put(rn->target);
	if (rn->from != NULL)
		node_unref(rn->from);
	if (rn->to != NULL)
		node_unref(rn->to);
	rn->from = rn->to = NULL;
	rn->draft = rn->target = NULL;
	return r;
}

int
drafts_rename(struct drafts *s, struct node *dir, const char *name, struct node *to_dir,
	      const char *to_name, bool replace, struct deadline d, struct err *e)
{
	struct renaming rn = {
		.all = s, .dir = dir, .to_dir = to_dir, .name = name, .to_name = to_name, .until = d
	};
	enum view_place place;
	int r = check_name(dir, name, &place, e);

	if (r == 0 && node_view(dir) != node_view(to_dir))
		r = err_set(e, EXDEV, "another source");
	if (r == 0)
		r = check_name(to_dir, to_name, &rn.place, e);
	if (r < 0)
		return r;
	buf_init(&rn.path, DRAFT_PATH_MAX);
	buf_init(&rn.to_path, DRAFT_PATH_MAX);
	r = node_child_path(dir, name, &rn.path, e);
	if (r == 0)
		r = node_child_path(to_dir, to_name, &rn.to_path, e);
	if (r == 0)
		r = -ESTALE;
	for (unsigned i = 0; r == -ESTALE && i < TRIES; i++) {
		err_clear(e);
		r = rename_once(&rn, replace, e);
	}
	buf_clear(&rn.path);
	buf_clear(&rn.to_path);
	return r;
}

/* ---- directories and times ---- */

struct made {
	struct node *dir;
	const char *name;
	struct node *node;
};

static int
make_node(void *arg, const struct view_item *item, struct err *e)
{
	struct made *m = arg;

	if (m->node != NULL)
		return 0;
	m->node = tree_made(m->dir, m->name, item);
	return m->node != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

int
drafts_make_dir(struct drafts *s, struct node *dir, const char *name, struct deadline d,
		struct node **out, struct err *e)
{
	const struct view_item item = { .name = name, .dir = true, .exact = true, .etag = "" };
	AUTO_BUF path;
	int r;

	(void)s;
	if (!view_writes(node_view(dir)))
		return err_set(e, EROFS, "nothing is made here");
	buf_init(&path, DRAFT_PATH_MAX);
	r = node_child_path(dir, name, &path, e);
	if (r == 0)
		r = view_make_dir(node_view(dir), buf_str(&path), d, e);
	if (r < 0)
		return r;
	*out = tree_made(dir, name, &item);
	return *out != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

/* Whether a draft that has a name lies below the directory. */
static bool
holds_drafts(struct drafts *s, struct node *dir)
{
	bool found = false;

	mutex_lock(&s->mu);
	for (struct draft *d = s->first; d != NULL && !found; d = d->next) {
		struct node *at = node_parent(d->node), *above = NULL;

		for (; !d->unlinked && at != above && !found; above = at, at = node_parent(at))
			found = at == dir;
	}
	mutex_unlock(&s->mu);
	return found;
}

int
drafts_remove_dir(struct drafts *s, struct node *dir, const char *name, struct deadline d,
		  struct err *e)
{
	struct node_attr a;
	struct node *n;
	AUTO_BUF path;
	int r;

	if (!view_writes(node_view(dir)))
		return err_set(e, EROFS, "nothing is removed here");
	r = tree_lookup(dir, name, d, &n, e);
	if (r < 0)
		return r;
	buf_init(&path, DRAFT_PATH_MAX);
	node_attr(n, &a);
	if (!a.dir)
		r = err_set(e, ENOTDIR, "it is no directory");
	else if (holds_drafts(s, n))
		r = err_set(e, ENOTEMPTY, "files that are being written are in it");
	else
		r = node_path(n, &path, e);
	if (r == 0)
		r = view_remove_dir(node_view(n), buf_str(&path), d, e);
	if (r == 0)
		tree_removed(dir, name);
	node_unref(n);
	return r;
}

int
drafts_set_mtime(struct drafts *s, struct node *n, int64_t mtime_ns, struct deadline d,
		 struct err *e)
{
	struct made made = { node_parent(n), node_name(n), NULL };
	AUTO_BUF path;
	int r;

	(void)s;
	buf_init(&path, DRAFT_PATH_MAX);
	r = node_path(n, &path, e);
	if (r == 0)
		r = view_set_mtime(node_view(n), buf_str(&path), node_etag(n), node_record(n),
				   mtime_ns, (struct view_sink){ make_node, &made }, d, e);
	if (r == -ESTALE)
		tree_doubt(n);
	if (made.node != NULL)
		node_unref(made.node);
	return r;
}

/* ---- listing ---- */

int
drafts_list(struct drafts *s, struct node *dir,
	    int (*name)(void *arg, const char *name, struct err *e), void *arg, struct err *e)
{
	int r = 0;

	if (s == NULL)
		return 0;
	mutex_lock(&s->mu);
	for (struct draft *d = s->first; d != NULL && r == 0; d = d->next)
		if (!d->unlinked && d->version.etag == NULL && node_parent(d->node) == dir)
			r = name(arg, node_name(d->node), e);
	mutex_unlock(&s->mu);
	return r;
}

bool
drafts_is_local(struct drafts *s, struct node *n)
{
	const struct draft *d;
	bool local;

	if (s == NULL || !node_is_draft(n))
		return false;
	mutex_lock(&s->mu);
	d = node_draft(n);
	local = d != NULL && d->local;
	mutex_unlock(&s->mu);
	return local;
}
