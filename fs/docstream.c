/* SPDX-License-Identifier: MIT */
/*
 * Streams of documents: see docstream.h.
 *
 * Two jobs work for a stream, each one at a time: one fetches the next page while the other unseals
 * the one before, so that neither the service nor a core waits for the other.  Finished text is a
 * list of chunks; a read that lies within it is answered at once, any other waits without a thread
 * and is answered by the job that brings its last byte.
 *
 *   store -> rawpage (one waiting) -> unsealing -> chunks: [start .. end) -> readers
 *
 * The lock guards everything; it is never held while fetching, unsealing or calling back.
 */
#include "fs/docstream.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"
#include "base/num.h"
#include "fs/docstreamfile.h"

enum {
	AHEAD_BYTES = 2 << 20,	/* text that nobody has asked for yet; pages come on top */
	BEHIND_BYTES = 2 << 20, /* text kept for reads that come late: more than the longest read */
	PAGE_BYTES = 4 << 20,
	PAGE_SHARE = 16, /* of the memory for data a page has at most this part */
	PAGE_ITEMS = 1000,
	PAGE_ITEMS_FIRST = 100 /* so that the first line comes soon, and before sizes are known */
};

/* ---- the end ---- */

static void
drop_first_locked(struct docstream *s)
{
	struct chunk *c = s->first;

	s->first = c->next;
	if (s->first == NULL)
		s->last = NULL;
	s->start = c->off + c->text.n;
	chunk_put(c);
}

/* What the unsealer works on stays. */
static void
drop_all_locked(struct docstream *s)
{
	while (s->first != NULL)
		drop_first_locked(s);
	rawpage_free(s->raw);
	s->raw = NULL;
	if (!s->unsealing) {
		rawpage_free(s->work);
		s->work = NULL;
	}
}

static void
stream_put(struct docstream *s)
{
	bool last;

	mutex_lock(&s->mu);
	last = --s->refs == 0;
	mutex_unlock(&s->mu);
	if (!last)
		return;
	drop_all_locked(s);
	buf_clear(&s->cursor);
	docbox_put(s->box);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

void
docstream_free(struct docstream *s)
{
	if (s == NULL)
		return;
	mutex_lock(&s->mu);
	s->closed = true; /* a job that still runs starts no other, but may wait for long */
	drop_all_locked(s);
	mutex_unlock(&s->mu);
	stream_put(s);
}

/* ---- the two jobs ---- */

static uint64_t
page_bytes(const struct docstream *s)
{
	return u64_min(PAGE_BYTES,
		       budget_limit(engine_budget(s->engine), BUDGET_DATA) / PAGE_SHARE);
}

/*
 * Takes memory for a page that nobody needs yet.  A part of all there is stays for those that
 * somebody waits for, whoever has paused meanwhile.
 */
static bool
reserve_page_locked(struct docstream *s)
{
	struct budget *b = engine_budget(s->engine);
	const uint64_t n = page_bytes(s);

	if (budget_used(b, BUDGET_DATA) + n > budget_limit(b, BUDGET_DATA) / 4 * 3 ||
	    !budget_try(b, BUDGET_DATA, n))
		return false;
	s->reserved = n;
	return true;
}

/* For how long the next try may take: as long as anybody waits for it. */
static struct deadline
begin_try_locked(struct docstream *s)
{
	struct deadline until = { 0 };

	if (s->waiting == NULL)
		return deadline_in(engine_timeout_ns(s->engine));
	until = s->waiting->deadline;
	for (struct view_read *r = s->waiting; r != NULL; r = r->next) {
		r->parked = 1;
		if (until.at_ns != 0 && (r->deadline.at_ns == 0 || r->deadline.at_ns > until.at_ns))
			until = r->deadline;
	}
	return until;
}

/* Starts what can be started; the jobs are submitted by the caller, without the lock. */
struct starts {
	bool fetch, unseal;
};

/*
 * Whether the next page should be fetched.  Without text at hand a reader needs it; otherwise it
 * is a luxury, and after a failure none that is tried again before the text has gone.
 */
static bool
should_fetch_locked(struct docstream *s)
{
	if (s->raw != NULL || s->fetching || s->fetched_all)
		return false;
	s->reserved = 0;
	if (s->waiting != NULL && s->work == NULL)
		return true;
	return !s->fetch_faltered && reserve_page_locked(s);
}

static struct starts
plan_locked(struct docstream *s)
{
	struct starts st = { false, false };

	if (s->closed || docstream_at_end(s) ||
	    (s->waiting == NULL && s->end >= s->asked + AHEAD_BYTES))
		return st;
	if (s->work == NULL) {
		s->work = s->raw;
		s->raw = NULL;
	}
	if (s->work != NULL && !s->unsealing && (s->waiting != NULL || !s->unseal_faltered)) {
		s->unsealing = st.unseal = true;
		s->unseal_until = begin_try_locked(s);
		s->refs++;
	}
	if (should_fetch_locked(s)) {
		s->fetching = st.fetch = true;
		s->fetch_until = begin_try_locked(s);
		s->refs++;
	}
	return st;
}

static void
start(struct docstream *s, struct starts st)
{
	if (st.unseal)
		engine_submit(s->engine, LANE_DATA, &s->unseal_job);
	if (st.fetch)
		engine_submit(s->engine, LANE_DATA, &s->fetch_job);
}

static bool
is_passing(const struct err *e)
{
	return e->no == EIO || e->no == ETIMEDOUT || e->no == ECANCELED || e->no == ENOMEM ||
	       e->no == EAGAIN;
}

static struct docstream *
of_fetch(struct pool_job *job)
{
	return (struct docstream *)(void *)((char *)job - offsetof(struct docstream, fetch_job));
}

static struct docstream *
of_unseal(struct pool_job *job)
{
	return (struct docstream *)(void *)((char *)job - offsetof(struct docstream, unseal_job));
}

/* Documents differ: as many as make a page of the right size. */
static void
fit_page(struct docstream *s, const struct rawpage *p)
{
	const uint64_t items = p->n * page_bytes(s) / u64_max(p->bytes, 1);

	if (p->n > 0)
		s->sel.max_items = (unsigned)u64_max(1, u64_min(items, PAGE_ITEMS));
}

/* Takes the page, unless it did not come for now. */
static bool
page_came_locked(struct docstream *s, struct rawpage *p, struct answers *a)
{
	s->fetching = false;
	s->fetch_faltered = is_passing(&p->e);
	if (s->fetch_faltered) {
		if (s->work == NULL) /* or there is text yet, and then another try */
			docstream_fail_waiting_locked(s, &p->e, a);
		return false;
	}
	s->fetched_all = p->is_last || p->e.no != 0;
	s->raw = p;
	return true;
}

static void
run_fetch(struct pool_job *job)
{
	struct docstream *s = of_fetch(job);
	struct rawpage none = { 0 }, *p;
	struct answers a = { NULL };
	struct starts st;
	bool taken;

	p = rawpage_fetch(s->box, &s->sel, &s->cursor, engine_budget(s->engine), s->reserved,
			  s->fetch_until);
	if (p == NULL)
		(void)err_set(&none.e, ENOMEM, "out of memory");
	else
		fit_page(s, p);
	mutex_lock(&s->mu);
	taken = page_came_locked(s, p != NULL ? p : &none, &a);
	docstream_expire_waiting_locked(s, &a);
	st = plan_locked(s);
	mutex_unlock(&s->mu);
	if (!taken)
		rawpage_free(p);
	start(s, st);
	docstream_call_back(&a);
	stream_put(s);
}

static void
append_locked(struct docstream *s, struct chunk *c)
{
	if (c == NULL || c->text.n == 0) {
		chunk_put(c);
		return;
	}
	c->off = s->end;
	s->end += c->text.n;
	*(s->last != NULL ? &s->last->next : &s->first) = c;
	s->last = c;
}

/* What lies between the text and a read far ahead is passed over, but for the last of it. */
static void
pass_over_locked(struct docstream *s)
{
	uint64_t least = s->end;

	if (s->waiting == NULL)
		return;

	for (const struct view_read *r = s->waiting; r != NULL; r = r->next)
		least = u64_min(least, r->off);
	while (s->first != NULL && s->first->off + s->first->text.n + BEHIND_BYTES <= least)
		drop_first_locked(s);
}

/*
 * Takes c, the text that has become of the page at work; e: why it ended early.  The page, when it
 * is done with.
 */
static struct rawpage *
deliver_locked(struct docstream *s, struct chunk *c, const struct err *e, struct answers *a)
{
	struct rawpage *done = s->work;

	append_locked(s, c);
	s->unseal_faltered = is_passing(e);
	if (s->unseal_faltered || (e->no == 0 && done->first != NULL))
		done = NULL;
	else
		s->work = NULL;
	if (e->no == 0)
		s->complete = done != NULL && done->is_last;
	else if (!s->unseal_faltered)
		s->failed = *e;
	docstream_settle_waiting_locked(s, a);
	if (s->unseal_faltered)
		docstream_fail_waiting_locked(s, e, a);
	docstream_expire_waiting_locked(s, a);
	pass_over_locked(s);
	return done;
}

/* Text of the page at work; with a failure, what comes before it. */
static struct chunk *
make_piece(struct docstream *s, struct err *e)
{
	struct rawpage *p = s->work; /* nobody else's while unsealing is set */
	struct chunk *c;
	int r;

	*e = p->e;
	if (e->no != 0)
		return NULL;
	c = chunk_new(engine_budget(s->engine), DOCSTORE_PAGE_MAX);
	r = c == NULL ? err_set(e, ENOMEM, "out of memory")
		      : chunk_fill(c, s->box, p, s->unseal_until, e);
	assert((r == 0) == (e->no == 0));
	return c;
}

/* One piece of the page at work; whether the caller, who has a reference for it, goes on. */
static bool
unseal_piece(struct docstream *s)
{
	struct answers a = { NULL };
	struct err e = { 0 };
	struct chunk *c = make_piece(s, &e);
	struct rawpage *p;
	struct starts st;

	mutex_lock(&s->mu);
	s->unsealing = false;
	p = deliver_locked(s, c, &e, &a);
	st = plan_locked(s);
	mutex_unlock(&s->mu);
	rawpage_free(p);
	start(s, (struct starts){ .fetch = st.fetch });
	docstream_call_back(&a);
	return st.unseal;
}

static void
run_unseal(struct pool_job *job)
{
	struct docstream *s = of_unseal(job);

	while (unseal_piece(s))
		stream_put(s);
	stream_put(s);
}

/* ---- making and reading ---- */

int
docstream_new(struct engine *g, struct docbox *box, const char *min, const char *max,
	      struct docstream **out, struct err *e)
{
	struct docstream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&s->mu, NULL);
	s->engine = g;
	s->box = docbox_get(box);
	s->refs = 1;
	(void)snprintf(s->min, sizeof(s->min), "%s", min);
	(void)snprintf(s->max, sizeof(s->max), "%s", max);
	s->sel = (struct docstore_select){
		.what = DOCSTORE_DOCUMENTS,
		.min = s->min,
		.max = s->max,
		.max_items = PAGE_ITEMS_FIRST,
	};
	s->fetch_job.run = run_fetch;
	s->unseal_job.run = run_unseal;
	buf_init(&s->cursor, DOCSTORE_CURSOR_MAX);
	*out = s;
	return 0;
}

/*
 * What is kept for late reads.  Where memory is short, and no read has ever been late, that is
 * nothing: many streams that all wait for a page must leave room for one.
 */
static uint64_t
behind_locked(const struct docstream *s)
{
	struct budget *b = engine_budget(s->engine);

	return s->has_late || budget_used(b, BUDGET_DATA) <= budget_limit(b, BUDGET_DATA) / 2
		       ? BEHIND_BYTES
		       : 0;
}

static void
forget_passed_locked(struct docstream *s)
{
	const uint64_t behind = behind_locked(s);

	while (s->first != NULL && s->first->off + s->first->text.n + behind <= s->asked)
		drop_first_locked(s);
}

void
docstream_read(struct docstream *s, struct view_read *r)
{
	struct answers a = { NULL };
	struct starts st;

	r->view_data = s;
	r->sequential = true;
	r->parked = 0;
	mutex_lock(&s->mu);
	s->has_late = s->has_late || r->off < s->asked;
	if (!docstream_settle_locked(s, r)) {
		r->next = s->waiting;
		s->waiting = r;
		pass_over_locked(s);
	} else {
		r->next = NULL;
		a.first = r;
	}
	forget_passed_locked(s);
	st = plan_locked(s);
	mutex_unlock(&s->mu);
	start(s, st);
	docstream_call_back(&a);
}
