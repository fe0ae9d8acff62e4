/* SPDX-License-Identifier: MIT */
/* A store that fails on purpose: see fault.h. */
#include "backend/store/fault.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "backend/store/faultplan.h"

/* What is to happen to the bytes or entries of one call. */
struct plan {
	struct fault_call call;
	uint64_t at; /* entries so far, or the offset in the object */
	uint64_t sent;
	uint64_t start;
	struct store_list_sink list;
	struct store_get_sink get;
};

static struct fault *
of(struct store *s)
{
	return (struct fault *)s; /* store is the first member */
}

/* ---- what is done */

static int
cut(struct err *e)
{
	return err_set(e, EIO, "fault: cut off");
}

static int
on_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct plan *p = arg;

	if (p->call.cuts && p->sent == p->call.cut_at)
		return cut(e);
	p->sent++;
	return p->list.entry(p->list.arg, entry, e);
}

static int
on_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct plan *p = arg;

	p->sent = 0;
	p->at = p->start;
	return p->get.begin != NULL ? p->get.begin(p->get.arg, entry, e) : 0;
}

static int
send(struct plan *p, struct span piece, struct err *e)
{
	p->at += piece.n;
	p->sent += piece.n;
	return piece.n > 0 ? p->get.data(p->get.arg, piece, e) : 0;
}

/* In three parts, the one in the middle being the flipped byte. */
static int
send_flipped(struct plan *p, struct span piece, struct err *e)
{
	const size_t before = (size_t)(p->call.flip_at - p->at);
	const uint8_t flipped = piece.p[before] ^ 1;
	int r = send(p, span_of(piece.p, before), e);

	if (r == 0)
		r = send(p, span_of(&flipped, 1), e);
	return r != 0 ? r : send(p, span_of(piece.p + before + 1, piece.n - before - 1), e);
}

static int
on_data(void *arg, struct span piece, struct err *e)
{
	struct plan *p = arg;
	const bool last = p->call.cuts && p->call.cut_at - p->sent < piece.n;
	int r;

	if (last)
		piece.n = (size_t)(p->call.cut_at - p->sent);
	if (p->call.flips && p->call.flip_at >= p->at && p->call.flip_at - p->at < piece.n)
		r = send_flipped(p, piece, e);
	else
		r = send(p, piece, e);
	return r == 0 && last ? cut(e) : r;
}

/* What the inner store has found out about itself shows here too. */
static int
done(struct fault *f, int r)
{
	f->store.listable = f->inner->listable;
	return r;
}

/* ---- the store */

static int
fault_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	   struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .list = sink };
	int r = faultplan_apply(f, FAULT_LIST, &p.call, d, e);

	if (r < 0)
		return r;
	return done(f, store_list(f->inner, prefix, delimited, max, cursor,
				  (struct store_list_sink){ on_entry, &p }, d, e));
}

static int
fault_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	    struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .list = sink };
	int r = faultplan_apply(f, FAULT_PROBE, &p.call, d, e);

	if (r < 0)
		return r;
	return done(f, store_probe(f->inner, name, (struct store_list_sink){ on_entry, &p }, d, e));
}

static int
fault_head(struct store *s, const char *name, const char *if_none_match,
	   struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .list = sink };
	int r = faultplan_apply(f, FAULT_HEAD, &p.call, d, e);

	if (r < 0)
		return r;
	r = store_head(f->inner, name, if_none_match, (struct store_list_sink){ on_entry, &p },
		       out_same, d, e);
	return done(f, r);
}

static int
fault_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	  struct deadline d, struct err *e)
{
	struct fault *f = of(s);
	struct plan p = { .get = sink, .start = get->off };
	int r = faultplan_apply(f, FAULT_GET, &p.call, d, e);

	if (r < 0)
		return r;
	return done(f, store_get(f->inner, get, (struct store_get_sink){ on_begin, on_data, &p },
				 out_same, d, e));
}

static void
fault_free(struct store *s)
{
	struct fault *f = of(s);

	store_free(f->inner);
	free(f);
}

static const struct store_ops fault_ops = {
	.name = "fault",
	.write = &faultwrite_ops,
	.list = fault_list,
	.probe = fault_probe,
	.head = fault_head,
	.get = fault_get,
	.free = fault_free,
};

int
fault_store_new_take(struct store *inner, const char *script, struct store **out, struct err *e)
{
	struct fault *f = calloc(1, sizeof(*f));
	int r;

	if (f == NULL) {
		store_free(inner);
		return err_set(e, ENOMEM, "out of memory");
	}
	f->store.ops = &fault_ops;
	f->inner = inner;
	memcpy(f->store.label, inner->label, sizeof(f->store.label));
	f->store.listable = inner->listable;
	r = faultplan_parse(script, &f->plan, e);
	if (r < 0) {
		fault_free(&f->store);
		return r;
	}
	*out = &f->store;
	return 0;
}

unsigned
fault_store_calls(struct store *s, const char *op)
{
	assert(s->ops == &fault_ops);
	for (unsigned i = 0; i < FAULT_OPS; i++)
		if (strcmp(op, faultplan_ops[i]) == 0)
			return atomic_load(&of(s)->calls[i]);
	return 0;
}
