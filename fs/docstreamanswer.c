/* SPDX-License-Identifier: MIT */
/* Reads of a stream, answered when their text is there: see docstream.h. */
#include <errno.h>

#include "base/num.h"
#include "fs/docstreamfile.h"

/* Where a read ends: at the end of the text when that is near. */
static uint64_t
end_of(const struct docstream *s, const struct view_read *r)
{
	const uint64_t end = r->off + r->len;

	return docstream_at_end(s) ? u64_min(end, s->end) : end;
}

static void
add_piece(struct view_read *r, struct chunk *c, uint64_t from, uint64_t to)
{
	r->piece[r->n_pieces].iov_base = c->text.p + (from - c->off);
	r->piece[r->n_pieces].iov_len = (size_t)(to - from);
	r->n_pieces++;
	r->held[r->n_held++] = chunk_get(c);
}

/* Many small pages: their bytes are put together. */
static void
join_pieces(struct docstream *s, struct view_read *r, uint64_t from, uint64_t to)
{
	struct chunk *joined = chunk_new(engine_budget(s->engine), VIEW_READ_MAX);
	int rc = 0;

	for (struct chunk *c = s->first; joined != NULL && rc == 0 && c != NULL; c = c->next) {
		const uint64_t a = u64_max(from, c->off), b = u64_min(to, c->off + c->text.n);

		if (a < b)
			rc = buf_add(&joined->text, c->text.p + (a - c->off), (size_t)(b - a),
				     &r->e);
	}
	if (joined == NULL)
		(void)err_set(&r->e, ENOMEM, "out of memory");
	if (joined != NULL && rc == 0) {
		joined->off = from;
		add_piece(r, joined, from, to);
	}
	chunk_put(joined);
}

static void
fill_read(struct docstream *s, struct view_read *r)
{
	const uint64_t from = r->off, to = end_of(s, r);
	unsigned n = 0;

	for (struct chunk *c = s->first; c != NULL; c = c->next)
		n += c->off < to && c->off + c->text.n > from;
	if (n > VIEW_READ_PIECES) {
		join_pieces(s, r, from, to);
		return;
	}
	for (struct chunk *c = s->first; c != NULL; c = c->next) {
		const uint64_t a = u64_max(from, c->off), b = u64_min(to, c->off + c->text.n);

		if (a < b)
			add_piece(r, c, a, b);
	}
}

bool
docstream_settle_locked(struct docstream *s, struct view_read *r)
{
	if (r->off < s->start) {
		(void)err_set(&r->e, ESPIPE,
			      "the stream has passed offset %llu: it can be read forward only",
			      (unsigned long long)r->off);
		return true;
	}
	if (s->failed.no != 0 && r->off + r->len > s->end) { /* whole, or not at all */
		r->e = s->failed;
		return true;
	}
	if (!docstream_at_end(s) && r->off + r->len > s->end)
		return false;
	if (end_of(s, r) > r->off) {
		fill_read(s, r);
		s->asked = u64_max(s->asked, end_of(s, r));
	}
	return true;
}

void
docstream_settle_waiting_locked(struct docstream *s, struct answers *a)
{
	for (struct view_read **at = &s->waiting; *at != NULL;) {
		struct view_read *r = *at;

		if (docstream_settle_locked(s, r)) {
			*at = r->next;
			r->next = a->first;
			a->first = r;
		} else {
			at = &r->next;
		}
	}
}

static void
fail_at_locked(struct view_read **at, const struct err *e, struct answers *a)
{
	struct view_read *r = *at;

	*at = r->next;
	r->e = *e;
	r->next = a->first;
	a->first = r;
}

void
docstream_fail_waiting_locked(struct docstream *s, const struct err *e, struct answers *a)
{
	for (struct view_read **at = &s->waiting; *at != NULL;)
		if ((*at)->parked != 0)
			fail_at_locked(at, e, a);
		else
			at = &(*at)->next;
}

void
docstream_expire_waiting_locked(struct docstream *s, struct answers *a)
{
	for (struct view_read **at = &s->waiting; *at != NULL;) {
		struct err late = { 0 };

		if (deadline_left_ns((*at)->deadline) > 0) {
			at = &(*at)->next;
			continue;
		}
		(void)err_set(&late, ETIMEDOUT, "the stream did not come to offset %llu in time",
			      (unsigned long long)(*at)->off);
		(void)err_mark(&late, "net.deadline", NULL);
		fail_at_locked(at, &late, a);
	}
}

void
docstream_call_back(struct answers *a)
{
	while (a->first != NULL) {
		struct view_read *r = a->first;

		a->first = r->next;
		r->next = NULL;
		r->done(r);
	}
}

void
docstream_read_release(struct view_read *r)
{
	while (r->n_held > 0)
		chunk_put(r->held[--r->n_held]);
}
