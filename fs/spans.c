/* SPDX-License-Identifier: MIT */
/* Reading from the span cache: see spans.h. */
#include "fs/spans.h"

#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "fs/spancache.h"

enum { AHEAD_IN_FLIGHT = 24 };

static const int64_t NEAR_NS =
	2 * NS_PER_MS; /* a store that begins to answer within this is next door */

static struct version *
read_version(const struct view_read *r)
{
	return r->view_data;
}

static uint64_t
read_end(const struct view_read *r)
{
	return u64_min(r->off + r->len, read_version(r)->layout.plain_size);
}

/* The first bad region that [from, to) of the version touches, or -1. */
static int64_t
bad_region_in(const struct cached *c, const struct layout *l, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < c->bad.n; i++) {
		uint64_t begin = c->bad.at[i] * l->region_len;

		if (begin < to && begin + l->region_len > from)
			return (int64_t)c->bad.at[i];
	}
	if (c->bad.n == BAD_REGIONS_MAX && to > c->bad.at[c->bad.n - 1] * l->region_len)
		return (int64_t)((to - 1) / l->region_len);
	return -1;
}

/* Cuts the wanted part out of one held span; false when it must not be shown. */
static bool
add_piece(struct view_read *r, const struct cached *c, uint64_t from, uint64_t to)
{
	const struct layout *l = &c->v->layout;
	uint64_t start = c->number * l->span_len;
	uint64_t a = u64_max(from, start), b = u64_min(to, start + l->span_len);
	int64_t bad = bad_region_in(c, l, a, b);

	if (bad >= 0) {
		r->e = c->bad.first;
		if (c->bad.at[0] != (uint64_t)bad) {
			const char *event = c->bad.first.event;

			err_clear(&r->e);
			(void)err_set(&r->e, EBADMSG, "region %lld does not verify",
				      (long long)bad);
			(void)err_mark(&r->e, event, c->bad.first.advice);
		}
		err_key(&r->e, version_kid(c->v));
		(void)err_in(&r->e, "etag %s", c->v->etag);
		return false;
	}
	if (b - start > c->n) {
		(void)err_set(&r->e, EIO, "the span holds fewer bytes than the file's size");
		return false;
	}
	r->piece[r->n_pieces++] = (struct iovec){ c->block.p + (a - start), (size_t)(b - a) };
	return true;
}

/*
 * What lies around a random read in its last span, if all of it has verified: worth
 * the kernel's page cache when readers come back to the span, not at the first touch.
 */
static void
show_around(struct view_read *r)
{
	const struct cached *c = r->held[r->n_held - 1];
	const uint64_t start = c->number * c->v->layout.span_len;
	const uint64_t inside = (u64_max(r->off, start) - start) / SPAN_TARGET * SPAN_TARGET;

	const unsigned touches = atomic_load(&c->touches);

	if (r->sequential || (touches != 2 && touches % 32 != 31) || c->bad.n > 0 || inside >= c->n)
		return;
	r->around_off = start + inside;
	r->around = (struct iovec){ c->block.p + inside,
				    (size_t)u64_min(c->n - inside, SPAN_TARGET) };
}

static void
finish_read(struct view_read *r)
{
	uint64_t end = read_end(r);

	show_around(r);

	for (unsigned i = 0; i < r->n_held; i++)
		if (!add_piece(r, r->held[i], r->off, end)) {
			r->n_pieces = 0;
			break;
		}
	r->done(r);
}

enum progress { HAVE_ALL, PARKED, NO_MEMORY };

/* Sees that every span from i to last is on its way; what must be submitted goes to the list. */
static void
start_missing_locked(struct view_read *r, uint64_t i, uint64_t last, struct cached **submit,
		     unsigned *n_submit)
{
	struct version *v = read_version(r);

	for (; i <= last; i++) {
		struct cached *c = *spans_find_locked(v, i);

		if (c != NULL)
			continue;
		c = spans_load_locked(v, i, false, r->deadline);
		if (c == NULL)
			return;
		submit[(*n_submit)++] = c;
		v->s->stats.loads++;
	}
}

static void
let_go_locked(struct view_read *r)
{
	for (unsigned i = 0; i < r->n_held; i++)
		((struct cached *)r->held[i])->holds--;
	r->n_held = 0;
}

/*
 * A read that waits for its second span keeps the first one, or two of them could go round in
 * circles throwing out each other's.  But all those together hold a part of the memory only, or
 * they could wait for each other for ever.
 */
static void
keep_or_let_go_locked(struct view_read *r)
{
	struct spans *s = read_version(r)->s;
	uint64_t bytes = 0;

	for (unsigned i = 0; i < r->n_held; i++)
		bytes += ((struct cached *)r->held[i])->block.n;
	if (s->parked_bytes > 0 &&
	    s->parked_bytes + bytes > budget_limit(engine_budget(s->g), BUDGET_DATA) / 4) {
		let_go_locked(r);
		return;
	}
	r->parked = bytes;
	s->parked_bytes += bytes;
}

void
spans_unpark_locked(struct view_read *r)
{
	read_version(r)->s->parked_bytes -= r->parked;
	r->parked = 0;
}

/*
 * Holds all the spans of a read, or parks it on the first that is not ready and sees that all it
 * needs are on their way.
 */
static enum progress
hold_spans_locked(struct view_read *r, struct cached **submit, unsigned *n_submit)
{
	struct version *v = read_version(r);
	const uint64_t first = r->off / v->layout.span_len,
		       last = (read_end(r) - 1) / v->layout.span_len;

	spans_unpark_locked(r);
	for (uint64_t i = first + r->n_held; i <= last; i++) {
		struct cached *c = *spans_find_locked(v, i);

		if (c != NULL && c->state == READY) {
			c->holds++;
			c->touches += !r->sequential;
			spans_touch_locked(v->s, c);
			r->held[r->n_held++] = c;
			continue;
		}
		start_missing_locked(r, i, last, submit, n_submit);
		c = *spans_find_locked(v, i);
		if (c == NULL)
			return NO_MEMORY;
		keep_or_let_go_locked(r);
		r->next = c->waiters;
		c->waiters = r;
		return PARKED;
	}
	return HAVE_ALL;
}

static void
submit_loads(struct engine *g, struct cached **list, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		engine_submit(g, list[i]->ahead ? LANE_AHEAD : LANE_DATA, &list[i]->job);
}

static enum progress
try_read(struct view_read *r)
{
	struct cached *submit[VIEW_READ_PIECES + 1];
	unsigned n = 0;
	struct spans *s = read_version(r)->s;
	struct engine *g = s->g;
	enum progress p;

	mutex_lock(&s->mu);
	p = hold_spans_locked(r, submit, &n);
	mutex_unlock(&s->mu);
	submit_loads(g, submit, n); /* from here on a parked read may be gone */
	return p;
}

void
spans_read_step(struct view_read *r)
{
	switch (try_read(r)) {
	case PARKED:
		return;
	case NO_MEMORY:
		(void)err_set(&r->e, ENOMEM, "out of memory");
		r->done(r);
		return;
	case HAVE_ALL:
		finish_read(r);
		return;
	}
}

/*
 * One budget for the mount: what was fetched ahead and waits for a reader takes half of the cache
 * at most, but one span always may.
 */
static bool
may_fetch_ahead_locked(const struct version *v)
{
	const struct spans *s = v->s;
	const uint64_t span = u64_min(v->layout.span_len, v->layout.plain_size);
	const uint64_t ahead = s->unread_bytes + s->ahead_in_flight * span;

	if (s->ahead_in_flight >= AHEAD_IN_FLIGHT)
		return false;
	return ahead == 0 || ahead + span <= s->ready_max / 2;
}

/* Fetches ahead what the plan says, as far as the mount's share of such loads goes. */
static unsigned
start_ahead_locked(struct version *v, struct ahead *ahead, const struct ahead_plan *plan,
		   struct cached **submit)
{
	struct spans *s = v->s;
	const struct deadline d = deadline_in(engine_timeout_ns(s->g));
	uint64_t i;
	unsigned n = 0;

	for (i = plan->first; i < plan->end && may_fetch_ahead_locked(v); i++) {
		if (*spans_find_locked(v, i) != NULL)
			continue;
		submit[n] = spans_load_locked(v, i, true, d);
		if (submit[n] == NULL)
			break;
		n++;
		s->stats.ahead_loads++;
	}
	ahead_cut(ahead, plan, i);
	return n;
}

void
spans_read(struct version *v, struct ahead *ahead, struct view_read *r)
{
	struct cached *submit[AHEAD_DEPTH_MAX];
	struct spans *s = v->s;
	struct ahead_plan plan;
	struct cached *first;
	uint64_t end;
	unsigned n;
	bool waited;

	r->view_data = v;
	end = read_end(r);
	if (r->off >= end) { /* at or past the end: nothing, and no failure */
		r->done(r);
		return;
	}
	mutex_lock(&s->mu);
	first = *spans_find_locked(v, r->off / v->layout.span_len);
	waited = first == NULL || first->state != READY;
	s->stats.hits += !waited;
	const struct ahead_read note = {
		.off = r->off,
		.len = (size_t)(end - r->off),
		.last_span = (end - 1) / v->layout.span_len,
		.n_spans = v->layout.n_spans,
		.waited = waited,
		/* Next door more spans in flight do not come faster, they only take memory. */
		.depth_max = s->first_byte_ns < NEAR_NS ? AHEAD_DEPTH_MIN : AHEAD_DEPTH_MAX,
	};

	plan = ahead_note(ahead, &note);
	r->sequential = plan.sequential;
	n = start_ahead_locked(v, ahead, &plan, submit);
	mutex_unlock(&s->mu);
	spans_read_step(r); /* from here on the read may be answered, and its file closed */
	submit_loads(s->g, submit, n);
}

void
spans_read_release(struct view_read *r)
{
	struct spans *s;

	if (r->n_held == 0) /* then the version may be gone already */
		return;
	s = read_version(r)->s;
	mutex_lock(&s->mu);
	let_go_locked(r);
	mutex_unlock(&s->mu);
}
