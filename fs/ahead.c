/* SPDX-License-Identifier: MIT */
/* Stream detection: see ahead.h. */
#include "fs/ahead.h"

#include "base/num.h"

/* The kernel's own read-ahead sends its requests a little out of order, and some overlap. */
enum { SLACK = 1 << 20 };

static struct stream *
continued(struct ahead *a, uint64_t off, size_t len)
{
	for (unsigned i = 0; i < AHEAD_STREAMS; i++) {
		struct stream *s = &a->stream[i];

		if (s->last_used != 0 && off + len + SLACK >= s->next && off <= s->next + SLACK)
			return s;
	}
	return NULL;
}

static struct stream *
begin(struct ahead *a, uint64_t off)
{
	struct stream *oldest = &a->stream[0];

	for (unsigned i = 1; i < AHEAD_STREAMS; i++)
		if (a->stream[i].last_used < oldest->last_used)
			oldest = &a->stream[i];
	*oldest = (struct stream){ .next = off, .depth = AHEAD_DEPTH_MIN };
	return oldest;
}

struct ahead_plan
ahead_note(struct ahead *a, const struct ahead_read *r)
{
	struct stream *s = continued(a, r->off, r->len);
	struct ahead_plan plan = { 0 };
	const bool known = s != NULL;

	if (!known)
		s = begin(a, r->off);
	s->last_used = ++a->tick;
	s->next = u64_max(s->next, r->off + r->len);
	s->run += r->len;
	plan.sequential = known || r->off == 0;
	plan.stream = (unsigned)(s - a->stream);
	if (!known)
		return plan;
	if (r->waited && s->depth * 2 <= r->depth_max && s->horizon > 0)
		s->depth *= 2;
	plan.first = u64_max(r->last_span + 1, s->horizon);
	plan.end = u64_min(r->last_span + 1 + s->depth, r->n_spans);
	if (plan.first >= plan.end) {
		plan.first = plan.end = 0;
		return plan;
	}
	s->horizon = plan.end;
	return plan;
}

void
ahead_cut(struct ahead *a, const struct ahead_plan *plan, uint64_t reached)
{
	struct stream *s = &a->stream[plan->stream];

	if (reached < plan->end && s->horizon == plan->end)
		s->horizon = reached;
}
