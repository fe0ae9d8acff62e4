/* SPDX-License-Identifier: MIT */
/* A chunk that is lent while others use the staging: see staging_lend. */
#include <assert.h>

#include "fs/stagingchunk.h"

/* Where the chunk is put away, if it is to be. */
static void
plan_away(struct staging *s)
{
	struct staging_loan *l = &s->loan;
	struct err ignored = { 0 };

	/* The staging's own opens what is sealed here. */
	if ((s->sealer == NULL && chunkseal_new(s->area->key, &s->sealer, &ignored) < 0) ||
	    (l->sealer == NULL && chunkseal_new(s->area->key, &l->sealer, &ignored) < 0))
		return;
	l->in_memory = staging_take_sealed(s, STAGING_CHUNK);
	if (!l->in_memory && staging_file_need(&s->file, s->area->dir, &ignored) < 0)
		return;
	l->sealed = staging_spare_take(s);
	if (l->sealed == NULL && l->in_memory)
		staging_give_sealed(s, STAGING_CHUNK);
}

const uint8_t *
staging_lend(struct staging *s, uint64_t off, size_t n)
{
	const struct staging_part part = staging_part_at(off, n);
	const struct staging_hot *h = staging_find_hot(s, part.index);
	struct staging_loan *l = &s->loan;

	assert(!l->out && n > 0);
	if (h == NULL || staging_part_len(part) < n)
		return NULL;
	*l = (struct staging_loan){
		.index = part.index, .out = true, .p = h->p, .sealer = l->sealer
	};
	if (s->full && !staging_is_put_away(s, h))
		plan_away(s);
	return l->p + part.from;
}

void
staging_put_away(struct staging *s)
{
	struct staging_loan *l = &s->loan;
	struct err ignored = { 0 };
	int r;

	assert(l->out);
	if (l->sealed == NULL)
		return;
	r = chunkseal_seal(l->sealer, staging_place(s, l->index), span_of(l->p, STAGING_CHUNK),
			   l->sealed, &l->mark, &ignored);
	if (r == 0 && !l->in_memory)
		r = staging_file_write(&s->file, s->area->dir, l->index, l->sealed, &ignored);
	if (r < 0)
		l->mark = (struct chunkseal_mark){ 0 };
}

void
staging_take_back(struct staging *s)
{
	struct staging_loan *l = &s->loan;
	struct staging_chunk *c = staging_table_find(&s->table, l->index);
	const bool done = l->mark.nonce != 0;

	assert(l->out && c != NULL);
	l->out = false;
	if (done)
		c->mark = l->mark;
	if (done && l->in_memory) {
		c->sealed = l->sealed;
	} else if (l->sealed != NULL) {
		if (l->in_memory)
			staging_give_sealed(s, STAGING_CHUNK);
		staging_spare_give(s, l->sealed);
	}
	l->sealed = NULL;
}
