/* SPDX-License-Identifier: MIT */
/* The content of a draft: see draft.h. */
#include "fs/draftfile.h"

#include <assert.h>

#include "base/num.h"

/* ---- whose turn it is ---- */

void
draft_take_turn(struct draft *d)
{
	mutex_lock(&d->all->mu);
	while (d->turn)
		(void)pthread_cond_wait(&d->changed, &d->all->mu);
	d->turn = true;
	mutex_unlock(&d->all->mu);
}

void
draft_give_turn(struct draft *d)
{
	mutex_lock(&d->all->mu);
	assert(d->turn);
	d->turn = false;
	(void)pthread_cond_broadcast(&d->changed);
	mutex_unlock(&d->all->mu);
}

void
draft_take_desk(struct draft *d)
{
	mutex_lock(&d->all->mu);
	while (d->desk)
		(void)pthread_cond_wait(&d->changed, &d->all->mu);
	d->desk = true;
	mutex_unlock(&d->all->mu);
}

void
draft_give_desk(struct draft *d)
{
	mutex_lock(&d->all->mu);
	assert(d->desk);
	d->desk = false;
	(void)pthread_cond_broadcast(&d->changed);
	mutex_unlock(&d->all->mu);
}

/* ---- reading ---- */

int
draft_read(struct draft *d, uint64_t off, void *out, size_t n, size_t *got, struct err *e)
{
	uint64_t size;
	int r;

	draft_take_desk(d);
	size = staging_size(d->staging);
	n = off < size ? (size_t)u64_min(n, size - off) : 0;
	r = n > 0 ? staging_read(d->staging, off, out, n, e) : 0;
	draft_give_desk(d);
	if (r == 0)
		*got = n;
	return r;
}

/* ---- changing; with turn and desk, or the turn alone ---- */

/* What is written becomes the file's, for everybody here. */
static void
note_change(struct draft *d)
{
	struct drafts *s = d->all;
	uint64_t size = staging_size(d->staging);

	mutex_lock(&s->mu);
	d->dirty = true;
	d->told = false;
	d->mtime_ns = draft_now_ns();
	tree_set_attr(d->node, size, d->mtime_ns);
	mutex_unlock(&s->mu);
}

/*
 * A file with a hole where bytes should be is not published, until all of it is written after all.
 */
static void
note_result(struct draft *d, uint64_t off, uint64_t end, int r)
{
	if (r < 0) {
		d->broken_at = d->broken != 0 ? u64_min(off, d->broken_at) : off;
		d->broken_end = d->broken != 0 ? u64_max(end, d->broken_end) : end;
		d->broken = -r;
	} else if (off <= d->broken_at && d->broken_end <= end) {
		d->broken = 0;
	}
}

static int
write_desk(struct draft *d, uint64_t off, struct span bytes, struct err *e)
{
	const uint64_t end = off + bytes.n;
	int r;

	if (off != staging_size(d->staging))
		d->early = false;
	r = staging_write(d->staging, off, bytes, e);
	assert(r < 0 || staging_size(d->staging) >= end);
	note_result(d, off, end, r);
	if (r == 0)
		note_change(d);
	return r;
}

int
draft_write(struct draft *d, uint64_t off, struct span bytes, struct err *e)
{
	int r;

	draft_take_turn(d);
	draft_collect(d, off < staging_size(d->staging));
	if (off < d->given)
		draft_drop_sealing(d);
	draft_take_desk(d);
	r = write_desk(d, off, bytes, e);
	draft_give_desk(d);
	if (r == 0)
		draft_seal_early(d);
	draft_give_turn(d);
	return r;
}

bool
draft_write_quickly(struct draft *d, uint64_t off, struct span bytes)
{
	struct err e = { 0 };
	bool quick;
	int r;

	mutex_lock(&d->all->mu);
	quick = !d->turn && !d->desk && !draft_meets_sealing_locked(d, off, off + bytes.n) &&
		staging_is_quick(d->staging, off, bytes.n);
	if (quick)
		d->turn = d->desk = true;
	mutex_unlock(&d->all->mu);
	if (!quick)
		return false;
	r = write_desk(d, off, bytes, &e);
	mutex_lock(&d->all->mu);
	d->turn = d->desk = false;
	(void)pthread_cond_broadcast(&d->changed);
	mutex_unlock(&d->all->mu);
	return r == 0; /* what failed is tried again where it may wait */
}

int
draft_truncate_turn(struct draft *d, uint64_t size, struct err *e)
{
	int r;

	draft_await_given(d);
	if (size < d->given)
		draft_drop_sealing(d);
	draft_take_desk(d);
	if (size != staging_size(d->staging))
		d->early = false;
	r = staging_truncate(d->staging, size, e);
	draft_give_desk(d);
	if (r < 0)
		return r;
	if (size == 0)
		d->early = !d->local;
	if (size <= d->broken_at)
		d->broken = 0;
	note_change(d);
	return 0;
}

int
draft_truncate(struct draft *d, uint64_t size, struct err *e)
{
	int r;

	draft_take_turn(d);
	r = draft_truncate_turn(d, size, e);
	draft_give_turn(d);
	return r;
}

int
draft_extend(struct draft *d, uint64_t size, struct err *e)
{
	int r = 0;

	draft_take_turn(d);
	if (size > staging_size(d->staging))
		r = draft_truncate_turn(d, size, e);
	draft_give_turn(d);
	return r;
}

void
draft_set_mtime(struct draft *d, int64_t mtime_ns)
{
	struct node_attr a;

	mutex_lock(&d->all->mu);
	d->stamped = true;
	d->told = false;
	d->mtime_ns = mtime_ns;
	node_attr(d->node, &a);
	tree_set_attr(d->node, a.size, mtime_ns);
	mutex_unlock(&d->all->mu);
}
