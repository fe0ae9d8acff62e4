/* SPDX-License-Identifier: MIT */
/* Filling spans: by a GET of their own, or from bytes that an open fetches anyway; see spans.h. */
#include <errno.h>
#include <stdlib.h>

#include "fs/spancache.h"
#include "fs/v1guard.h"

/* ---- loading ---- */

struct load {
	struct fill fill;
	struct key_ref *key;
	struct cached *c;
	int64_t start_ns; /* 0 once the answer has begun */
};

static void
note_first_byte(struct spans *s, int64_t took_ns)
{
	mutex_lock(&s->mu);
	s->first_byte_ns = s->first_byte_ns == 0 ? took_ns : (s->first_byte_ns * 7 + took_ns) / 8;
	mutex_unlock(&s->mu);
}

static int
load_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct load *l = arg;

	if (entry->size != l->c->v->layout.stored_size) {
		(void)err_set(e, EIO, "the service now says %llu bytes for the same ETag",
			      (unsigned long long)entry->size);
		return err_mark(e, "net.protocol", NULL);
	}
	if (l->start_ns != 0)
		note_first_byte(l->c->v->s, clock_now_ns() - l->start_ns);
	l->start_ns = 0;
	fill_begin(&l->fill);
	return 0;
}

static int
load_data(void *arg, struct span piece, struct err *e)
{
	struct load *l = arg;

	return fill_data(&l->fill, piece, e);
}

/*
 * V1's padding check is an oracle wherever it is asked: a read spends the same budget as an open.
 */
static int
verdict(struct load *l, struct err *e)
{
	const struct version *v = l->c->v;
	int r = v->v1 != NULL ? v1guard_begin(v->v1, v->name, e) : 0;

	if (r < 0)
		return r;
	r = fill_end(&l->fill, e);
	if (v->v1 != NULL)
		v1guard_end(v->v1, v->name, r < 0);
	return r;
}

static int
fetch(struct load *l, struct err *e)
{
	struct version *v = l->c->v;
	struct span_place place;
	bool same;
	int r;

	if (l->key == NULL && !v->clear)
		return err_set(e, ECANCELED, "the file has been closed");
	fill_place(&v->layout, v->clear, l->c->number, &place);
	const struct store_get get = {
		.name = v->name,
		.off = place.stored_off,
		.len = place.stored_len,
		.if_match = v->etag,
	};

	r = store_get(v->store, &get, (struct store_get_sink){ load_begin, load_data, l }, &same,
		      l->c->deadline, e);
	if (r == -ENOENT) { /* gone or replaced: for who has it open it is the same */
		e->no = ESTALE;
		r = -ESTALE;
	}
	return r < 0 ? r : verdict(l, e);
}

/*
 * Waiters of a failed load: those with time left, whose load was nobody's, ran on another's
 * deadline or began before they had the file open, try again.
 */
static bool
may_try_again(const struct view_read *r, const struct err *e, bool not_theirs)
{
	return (not_theirs || e->no == ETIMEDOUT) &&
	       deadline_left_ns(r->deadline) > 100 * NS_PER_MS;
}

static void
unpark(struct view_read *r)
{
	struct spans *s = ((struct version *)r->view_data)->s;

	mutex_lock(&s->mu);
	spans_unpark_locked(r);
	mutex_unlock(&s->mu);
}

static void
wake_waiters(struct view_read *list, const struct err *e, bool not_theirs)
{
	while (list != NULL) {
		struct view_read *r = list;

		list = r->next;
		r->next = NULL;
		if (e->no != 0 && !may_try_again(r, e, not_theirs)) {
			unpark(r);
			r->e = *e;
			r->done(r);
		} else {
			spans_read_step(r);
		}
	}
}

/* First come, first served. */
static struct view_read *
reversed(struct view_read *list)
{
	struct view_read *out = NULL;

	while (list != NULL) {
		struct view_read *next = list->next;

		list->next = out;
		out = list;
		list = next;
	}
	return out;
}

static void
publish(struct cached *c, struct load *l, const struct err *e)
{
	struct spans *s = c->v->s;
	struct view_read *waiters;
	bool not_theirs;

	mutex_lock(&s->mu);
	waiters = reversed(c->waiters);
	c->waiters = NULL;
	/* Fetched ahead, or begun for a file that was closed and is open again by now. */
	not_theirs = c->ahead || (l->key == NULL && c->v->key != NULL);
	if (c->ahead)
		s->ahead_in_flight--;
	if (e->no == 0) {
		c->block = l->fill.block;
		c->n = l->fill.n;
		c->bad = l->fill.bad;
		c->state = READY;
		spans_ready_locked(s, c);
		c->holds++; /* until the waiters have had it */
	} else {
		spans_remove_locked(c);
	}
	mutex_unlock(&s->mu);
	if (e->no == 0) {
		l->fill.block = (struct span_block){ NULL, 0 };
		l->fill.bad = (struct bad_regions){ 0 };
		wake_waiters(waiters, e, not_theirs);
		mutex_lock(&s->mu);
		c->holds--;
		mutex_unlock(&s->mu);
		spans_shrink(s);
	} else {
		struct err why = *e;

		spans_drop(s, c);
		wake_waiters(waiters, &why, not_theirs);
	}
}

static void
run_load(struct pool_job *job)
{
	struct cached *c = (struct cached *)(void *)job;
	struct version *v = c->v;
	struct load l = { .c = c, .start_ns = clock_now_ns() };
	struct err e = { 0 };

	mutex_lock(&v->s->mu);
	l.key = v->key != NULL ? key_ref_get(v->key) : NULL;
	mutex_unlock(&v->s->mu);
	l.fill = (struct fill){
		.mem = v->s->mem,
		.layout = &v->layout,
		.order = v->clear ? NULL : &v->order,
		.cek = l.key != NULL ? key_ref_cek(l.key) : NULL,
		.span = c->number,
		.wait_for_memory = !c->ahead,
		.deadline = c->deadline,
	};
	if (fetch(&l, &e) < 0) {
		err_key(&e, version_kid(v));
		(void)err_in(&e, "etag %s, span %llu", v->etag, (unsigned long long)c->number);
	}
	version_report_moved(v);
	publish(c, &l, &e); /* c and its version may be gone from here on */
	fill_clear(&l.fill);
	key_ref_put(l.key);
}

struct cached *
spans_load_locked(struct version *v, uint64_t number, bool ahead, struct deadline d)
{
	struct cached *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->job.run = run_load;
	c->v = v;
	v->refs++;
	c->number = number;
	c->state = LOADING;
	c->ahead = ahead;
	c->deadline = d;
	spans_insert_locked(c);
	if (ahead)
		v->s->ahead_in_flight++;
	return c;
}

/* ---- filling from outside ---- */

struct span_fill {
	struct fill fill;
	struct version *v;
	struct key_ref *key;
};

int
span_fill_new(struct version *v, uint64_t span, struct key_ref *key, struct deadline d,
	      struct span_fill **out, struct err *e)
{
	struct span_fill *f = calloc(1, sizeof(*f));

	if (f == NULL)
		return err_set(e, ENOMEM, "out of memory");
	version_ref(v);
	f->v = v;
	f->key = key != NULL ? key_ref_get(key) : NULL;
	f->fill = (struct fill){
		.mem = v->s->mem,
		.layout = &v->layout,
		.order = v->clear ? NULL : &v->order,
		.cek = key != NULL ? key_ref_cek(key) : NULL,
		.span = span,
		.wait_for_memory = true,
		.deadline = d,
	};
	*out = f;
	return 0;
}

int
span_fill_begin(struct span_fill *f, struct err *e)
{
	(void)e;
	fill_begin(&f->fill);
	return 0;
}

int
span_fill_data(struct span_fill *f, struct span piece, struct err *e)
{
	return fill_data(&f->fill, piece, e);
}

/* The span, ready, unless somebody else has put one there. */
static void
install(struct span_fill *f, struct cached *c)
{
	struct spans *s = f->v->s;

	mutex_lock(&s->mu);
	if (*spans_find_locked(f->v, f->fill.span) != NULL) {
		mutex_unlock(&s->mu);
		free(c);
		return;
	}
	c->v = f->v;
	f->v->refs++;
	c->number = f->fill.span;
	c->state = READY;
	c->block = f->fill.block;
	c->n = f->fill.n;
	c->bad = f->fill.bad;
	spans_insert_locked(c);
	spans_ready_locked(s, c);
	s->stats.loads++;
	mutex_unlock(&s->mu);
	f->fill.block = (struct span_block){ NULL, 0 };
	f->fill.bad = (struct bad_regions){ 0 };
}

int
span_fill_finish(struct span_fill *f, struct err *e)
{
	struct cached *c;
	int r = fill_end(&f->fill, e);

	version_report_moved(f->v);
	if (r == 0 && f->fill.bad.n > 0 && f->v->layout.plain_size == 0) {
		*e = f->fill.bad.first; /* nobody will read a byte and find out */
		r = -e->no;
	}
	if (r < 0) {
		err_key(e, version_kid(f->v));
		return r;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(e, ENOMEM, "out of memory");
	install(f, c);
	spans_shrink(f->v->s);
	span_fill_abandon(f);
	return 0;
}

void
span_fill_abandon(struct span_fill *f)
{
	if (f == NULL)
		return;
	fill_clear(&f->fill);
	key_ref_put(f->key);
	version_put(f->v);
	free(f);
}
