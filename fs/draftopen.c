/* SPDX-License-Identifier: MIT */
/* How drafts begin: see draft.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/draftfile.h"

/* For how long the open is awaited that the kernel was told to try again. */
static const int64_t AWAIT_NS = 5 * NS_PER_S;
/* What was learnt longer ago is asked for again before it is written over unseen. */
static const int64_t LEARNT_LATELY_NS = NS_PER_S;
enum { OPEN_TRIES = 3 };

/* ---- beginning ---- */

static struct draft *
draft_alloc(struct drafts *s, struct view *view, struct err *e)
{
	struct draft *d = calloc(1, sizeof(*d));

	if (d == NULL) {
		(void)err_set(e, ENOMEM, "out of memory");
		return NULL;
	}
	if (staging_new(s->cfg.staging, &d->staging, e) < 0) {
		free(d);
		return NULL;
	}
	(void)pthread_cond_init(&d->changed, NULL);
	d->all = s;
	d->view = view;
	d->job.run = draft_run_publish;
	d->mtime_ns = draft_now_ns();
	return d;
}

/* From here on the draft is what the name means. */
static int
begin(struct draft *d, struct node *dir, const char *name, struct node *over, struct err *e)
{
	struct drafts *s = d->all;
	int r;

	mutex_lock(&s->mu);
	if (s->refuse)
		r = err_set(e, ESHUTDOWN, "the mount is ending: nothing is opened for writing");
	else
		r = tree_draft(dir, name, over, d, staging_size(d->staging), d->mtime_ns, &d->node,
			       e);
	if (r == 0) {
		d->next = s->first;
		d->link = &s->first;
		if (d->next != NULL)
			d->next->link = &d->next;
		s->first = d;
	}
	mutex_unlock(&s->mu);
	return r;
}

int
draft_create(struct drafts *s, struct node *dir, const char *name, struct draft **out,
	     struct err *e)
{
	enum view_place place;
	struct draft *d;
	AUTO_BUF path;
	int r;

	buf_init(&path, DRAFT_PATH_MAX);
	r = node_child_path(dir, name, &path, e);
	if (r == 0)
		r = view_place(node_view(dir), buf_str(&path), &place, e);
	if (r < 0)
		return r;
	d = draft_alloc(s, node_view(dir), e);
	if (d == NULL)
		return -e->no;
	d->holds = 1;
	d->local = place == VIEW_PLACE_LOCAL;
	d->dirty = true;
	d->early = !d->local;
	r = begin(d, dir, name, NULL, e);
	if (r < 0)
		draft_free(d);
	else
		*out = d;
	return r;
}

/* ---- of a published file ---- */

struct taken { /* a published file that is about to be written over */
	struct node *node;
	bool replaced; /* another version was found in its place */
};

static int
note_now(void *arg, const struct view_item *item, struct err *e)
{
	struct taken *t = arg;

	(void)e;
	if (strcmp(item->etag, node_etag(t->node)) == 0) {
		tree_exact_size(t->node, item->size);
	} else {
		tree_replace(t->node, item);
		t->replaced = true;
	}
	return 0;
}

/*
 * Whether the file may be written over, and its bytes, if they are wanted.  Where they are not, a
 * version that was learnt long ago is asked for once more: who overwrites a file overwrites what is
 * there now.
 */
static int
check_over(struct taken *t, bool keeps_content, struct deadline d, struct view_file **base,
	   struct err *e)
{
	struct node *n = t->node;
	struct view_sink now = { note_now, t };
	enum view_place place;
	AUTO_BUF path;
	int r;

	buf_init(&path, DRAFT_PATH_MAX);
	r = node_path(n, &path, e);
	if (r == 0)
		r = view_place(node_view(n), buf_str(&path), &place, e);
	if (r == 0 && !keeps_content && clock_now_ns() - tree_learnt_ns(n) > LEARNT_LATELY_NS) {
		r = view_lookup(node_view(n), buf_str(&path), now, d, e);
		if (r == 0 && t->replaced)
			r = err_set(e, ESTALE, "another version is there");
	}
	if (r == 0)
		r = view_may_replace(node_view(n), buf_str(&path), node_etag(n), node_record(n),
				     keeps_content, d, e);
	if (r == 0 && keeps_content)
		r = view_open(node_view(n), buf_str(&path), node_etag(n), node_record(n), now, d,
			      base, e);
	if (r == -ESTALE && !t->replaced)
		tree_doubt(n);
	return r;
}

static int base_read(void *arg, uint64_t off, void *out, size_t n, struct err *e);

static struct draft *
draft_of_version(struct drafts *s, struct node *n, struct view_file *base, struct err *e)
{
	struct draft *d = draft_alloc(s, node_view(n), e);
	struct view_item item;
	struct node_attr a;

	if (d == NULL) {
		view_close(base);
		return NULL;
	}
	d->base = base;
	node_attr(n, &a);
	d->mtime_ns = a.mtime_ns;
	item = (struct view_item){ .name = "",
				   .exact = a.exact,
				   .size = a.size,
				   .mtime_ns = a.mtime_ns,
				   .etag = node_etag(n),
				   .record = node_record(n) };
	if (draft_version_sink(&d->version).item(&d->version, &item, e) < 0) {
		draft_free(d);
		return NULL;
	}
	staging_set_base(d->staging, (struct view_plain){ .read = base_read, .arg = d }, a.size);
	return d;
}

/* An open will come: for the draft that has the name now, whoever made it. */
static bool
await_open(struct drafts *s, struct node *n)
{
	struct draft *d;

	mutex_lock(&s->mu);
	d = node_draft(n);
	if (d != NULL) {
		d->awaited++;
		d->awaited_until_ns = clock_now_ns() + AWAIT_NS;
		(void)atomic_fetch_add(&s->awaited, 1);
	}
	mutex_unlock(&s->mu);
	return d != NULL;
}

/* One try: -ESTALE when the name means something else by now. */
static int
try_over(struct drafts *s, struct node *n, bool keeps_content, struct deadline d, struct err *e)
{
	struct taken taken = { .node = n };
	struct view_file *base = NULL;
	struct draft *made;
	struct node_attr a;
	int r;

	node_attr(n, &a);
	r = check_over(&taken, keeps_content || !a.exact, d, &base, e);
	if (r < 0)
		return r;
	made = draft_of_version(s, n, base, e);
	if (made == NULL)
		return -e->no;
	made->holds = 1;
	r = begin(made, node_parent(n), node_name(n), n, e);
	if (r < 0) {
		draft_free(made);
		return r;
	}
	(void)await_open(s, made->node);
	draft_put(made);
	return 0;
}

int
draft_over(struct drafts *s, struct node *n, bool keeps_content, struct deadline d, struct err *e)
{
	struct node *dir = node_parent(n);
	const char *name = node_name(n);
	int r = -ESTALE;

	for (unsigned i = 0; r == -ESTALE && i < OPEN_TRIES; i++) {
		struct node *now = tree_known_child(dir, name);

		err_clear(e);
		if (now == NULL)
			return err_set(e, ESTALE, "the name means something else now");
		r = await_open(s, now) ? 0 : try_over(s, now, keeps_content, d, e);
		node_unref(now);
	}
	if (r == -ENOENT) { /* gone since it was looked up: it may be made */
		tree_removed(dir, name);
		err_clear(e);
		r = err_set(e, ESTALE, "the file is not there any more");
	}
	return r;
}

/* ---- the version that a draft started from ---- */

static int
open_base(struct draft *d, struct deadline until, struct err *e)
{
	AUTO_BUF path;
	int r;

	buf_init(&path, DRAFT_PATH_MAX);
	r = node_path(d->node, &path, e);
	if (r == 0)
		r = view_open(d->view, buf_str(&path), d->version.etag, d->version.record,
			      view_no_sink(), until, &d->base, e);
	if (r == -ENOENT) { /* for who has it open gone is the same as replaced */
		e->no = ESTALE;
		r = -ESTALE;
	}
	return r;
}

/* For the staging area, which is asked by who has the desk. */
static int
base_read(void *arg, uint64_t off, void *out, size_t n, struct err *e)
{
	struct draft *d = arg;
	const struct deadline until = deadline_in(engine_timeout_ns(d->all->cfg.engine));
	int r = d->base == NULL ? open_base(d, until, e) : 0;

	for (size_t got; r == 0 && n > 0; off += got, n -= got) {
		r = view_read_wait(d->base, off, out, n, until, &got, e);
		if (r == 0 && got == 0)
			r = err_set(e, EIO, "the file ends before its size");
		if (r < 0)
			break;
		out = (uint8_t *)out + got;
	}
	return r;
}
