/* SPDX-License-Identifier: MIT */
/* The life of drafts: see draft.h. */
#include "fs/draft.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fs/draftfile.h"

int64_t
draft_now_ns(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

int
drafts_new(const struct drafts_config *cfg, struct drafts **out, struct err *e)
{
	struct drafts *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_cond_init(&s->quiet, NULL);
	s->cfg = *cfg;
	*out = s;
	return 0;
}

/* ---- versions ---- */

void
draft_version_clear(struct draft_version *v)
{
	free(v->etag);
	view_record_put(v->record);
	*v = (struct draft_version){ 0 };
}

static int
version_of(struct draft_version *v, const struct view_item *item, struct err *e)
{
	char *etag = strdup(item->etag);

	if (etag == NULL)
		return err_set(e, ENOMEM, "out of memory");
	draft_version_clear(v);
	*v = (struct draft_version){ etag, view_record_get(item->record), item->size,
				     item->mtime_ns, item->exact };
	return 0;
}

static struct view_item
item_of(const struct draft_version *v)
{
	return (struct view_item){ .name = "",
				   .exact = v->exact,
				   .size = v->size,
				   .mtime_ns = v->mtime_ns,
				   .etag = v->etag != NULL ? v->etag : "",
				   .record = v->record };
}

int
draft_version_copy(struct draft_version *out, const struct draft_version *v, struct err *e)
{
	const struct view_item item = item_of(v);

	return version_of(out, &item, e);
}

static int
keep_version(void *arg, const struct view_item *item, struct err *e)
{
	return version_of(arg, item, e);
}

struct view_sink
draft_version_sink(struct draft_version *v)
{
	return (struct view_sink){ keep_version, v };
}

int
draft_published(struct draft *d, struct view_sink out, struct err *e)
{
	struct draft_version v = { 0 };
	int r = 0;

	mutex_lock(&d->all->mu);
	if (!d->dirty && !d->stamped && !d->unlinked && d->version.etag != NULL)
		r = draft_version_copy(&v, &d->version, e);
	mutex_unlock(&d->all->mu);
	if (r == 0 && v.etag != NULL) {
		const struct view_item item = item_of(&v);

		r = out.item(out.arg, &item, e);
	}
	draft_version_clear(&v);
	return r;
}

void
draft_free(struct draft *d)
{
	if (d == NULL)
		return;
	view_sealing_free(d->sealing);
	staging_free(d->staging);
	view_close(d->base);
	draft_version_clear(&d->version);
	if (d->node != NULL)
		node_unref(d->node);
	(void)pthread_cond_destroy(&d->changed);
	free(d);
}

void
draft_move(struct draft *d, struct node *to_dir, const char *to_name, struct draft_version *v)
{
	struct draft_version old = d->version;

	draft_take_desk(d); /* or the base would be opened by one's name with the other's version */
	mutex_lock(&d->all->mu);
	d->version = *v;
	if (to_dir != NULL)
		tree_draft_move(d->node, to_dir, to_name);
	mutex_unlock(&d->all->mu);
	*v = (struct draft_version){ 0 };
	view_close(d->base);
	d->base = NULL;
	draft_give_desk(d);
	draft_version_clear(&old);
}

void
draft_set_version(struct draft *d, struct draft_version *v)
{
	draft_move(d, NULL, NULL, v);
}

/* ---- holding and ending ---- */

bool
draft_publishable_locked(const struct draft *d)
{
	return (d->dirty || d->stamped) && !d->local && !d->unlinked;
}

static bool
stays_locked(const struct draft *d)
{
	if (d->unlinked)
		return false;
	if (d->all->stop && d->dirty && !d->told) /* it is to be told of as lost */
		return true;
	return (d->local && d->dirty) || (d->awaited > 0 && clock_now_ns() < d->awaited_until_ns);
}

static void
end_locked(struct draft *d)
{
	const struct draft_version *v = &d->version;
	const struct view_item now = item_of(v);

	*d->link = d->next;
	if (d->next != NULL)
		d->next->link = d->link;
	d->link = NULL;
	(void)atomic_fetch_sub(&d->all->awaited, d->awaited);
	tree_draft_end(d->node, v->etag != NULL && !d->dirty && !d->unlinked ? &now : NULL,
		       view_keeps_bytes(d->view));
}

void
draft_settle_unlock(struct draft *d)
{
	struct drafts *s = d->all;
	bool over = false;

	if (d->writers == 0 && !d->queued && !d->told && !s->stop && draft_publishable_locked(d)) {
		d->queued = true;
		d->holds++;
		s->publishing++;
		mutex_unlock(&s->mu);
		engine_submit(s->cfg.engine, LANE_PUBLISH, &d->job);
		return;
	}
	if (d->holds == 0 && !stays_locked(d)) {
		over = true;
		end_locked(d);
	}
	mutex_unlock(&s->mu);
	if (over)
		draft_free(d);
}

/* Ends what nobody holds, all of it or those whose open never came. */
static void
end_idle(struct drafts *s, bool all)
{
	struct draft *d, *next, *over = NULL;

	mutex_lock(&s->mu);
	for (d = s->first; d != NULL; d = next) {
		next = d->next;
		if (d->holds > 0 || (!all && (d->awaited == 0 || stays_locked(d))))
			continue;
		end_locked(d);
		d->next = over;
		over = d;
	}
	mutex_unlock(&s->mu);
	for (d = over; d != NULL; d = next) {
		next = d->next;
		draft_free(d);
	}
}

void
drafts_sweep(struct drafts *s)
{
	if (s != NULL && atomic_load(&s->awaited) > 0)
		end_idle(s, false);
}

void
drafts_free(struct drafts *s)
{
	if (s == NULL)
		return;
	end_idle(s, true);
	assert(s->first == NULL);
	for (unsigned i = 0; i < DRAFT_ERRORS; i++)
		free(s->error[i].path);
	(void)pthread_cond_destroy(&s->quiet);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

struct draft *
draft_get(struct drafts *s, struct node *n)
{
	struct draft *d;

	if (s == NULL || !node_is_draft(n))
		return NULL;
	drafts_sweep(s);
	mutex_lock(&s->mu);
	d = node_draft(n);
	if (d != NULL)
		d->holds++;
	mutex_unlock(&s->mu);
	return d;
}

void
draft_put(struct draft *d)
{
	if (d == NULL)
		return;
	mutex_lock(&d->all->mu);
	assert(d->holds > 0);
	d->holds--;
	draft_settle_unlock(d);
}

void
draft_discard(struct draft *d)
{
	mutex_lock(&d->all->mu);
	if (d->holds == 1 && d->version.etag == NULL) {
		d->unlinked = true;
		tree_removed(node_parent(d->node), node_name(d->node));
	}
	mutex_unlock(&d->all->mu);
}

struct node *
draft_node(const struct draft *d)
{
	return d->node;
}

void
draft_arrived(struct draft *d)
{
	mutex_lock(&d->all->mu);
	if (d->awaited > 0) {
		d->awaited--;
		(void)atomic_fetch_sub(&d->all->awaited, 1);
	}
	mutex_unlock(&d->all->mu);
}

int
draft_add_writer(struct draft *d, struct err *e)
{
	struct drafts *s = d->all;
	int r = 0;

	mutex_lock(&s->mu);
	if (s->refuse) {
		r = err_set(e, ESHUTDOWN, "the mount is ending: nothing is opened for writing");
	} else {
		d->writers++;
		s->writers++;
	}
	mutex_unlock(&s->mu);
	return r;
}

void
draft_end_writer(struct draft *d)
{
	struct drafts *s = d->all;

	mutex_lock(&s->mu);
	assert(d->writers > 0 && d->holds > 0);
	d->writers--;
	s->writers--;
	(void)pthread_cond_broadcast(&s->quiet);
	draft_settle_unlock(d);
}

bool
draft_has_writers(struct draft *d)
{
	bool any;

	mutex_lock(&d->all->mu);
	any = d->writers > 0;
	mutex_unlock(&d->all->mu);
	return any;
}
