/* SPDX-License-Identifier: MIT */
/* Chunks that are hot and chunks that are sealed: see stagingchunk.h. */
#include "fs/stagingchunk.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory ---- */

static bool
take(struct staging_area *a, _Atomic uint64_t *used, uint64_t max, uint64_t n)
{
	if (atomic_fetch_add(used, n) + n <= max && budget_try_evict(a->budget, n))
		return true;
	(void)atomic_fetch_sub(used, n);
	return false;
}

static void
give(struct staging_area *a, _Atomic uint64_t *used, uint64_t n)
{
	(void)atomic_fetch_sub(used, n);
	budget_give(a->budget, BUDGET_DATA, n);
}

/* A block beside n_hot hot ones. */
static bool
hot_take(struct staging *s)
{
	struct staging_area *a = s->area;

	if (s->n_hot > 0 && !s->own)
		s->own = take(a, &a->sealed, a->own_max, STAGING_OWN);
	return s->n_hot < STAGING_HOT_MIN || take(a, &a->hot, a->hot_max, STAGING_CHUNK);
}

static void
hot_give(struct staging *s)
{
	if (s->n_hot >= STAGING_HOT_MIN)
		give(s->area, &s->area->hot, STAGING_CHUNK);
}

void
staging_give_own(struct staging *s)
{
	if (s->own)
		give(s->area, &s->area->sealed, STAGING_OWN);
	s->own = false;
}

bool
staging_take_sealed(struct staging *s, uint64_t n)
{
	return take(s->area, &s->area->sealed, s->area->sealed_max, n);
}

void
staging_give_sealed(struct staging *s, uint64_t n)
{
	give(s->area, &s->area->sealed, n);
}

uint8_t *
staging_spare_take(struct staging *s)
{
	uint8_t *p = s->spare;

	s->spare = NULL;
	return p != NULL ? p : malloc(STAGING_CHUNK);
}

void
staging_spare_give(struct staging *s, uint8_t *p)
{
	if (s->spare == NULL)
		s->spare = p;
	else
		free(p);
}

/* ---- chunks that are sealed ---- */

struct chunkseal_place
staging_place(const struct staging *s, uint64_t index)
{
	return (struct chunkseal_place){ s->serial, index };
}

void
staging_forget(struct staging *s, struct staging_chunk *c)
{
	if (c->sealed != NULL) {
		staging_spare_give(s, c->sealed);
		staging_give_sealed(s, STAGING_CHUNK);
	}
	*c = (struct staging_chunk){ 0 };
}

static int
seal_to(struct staging *s, const struct staging_hot *h, uint8_t *to, struct chunkseal_mark *mark,
	struct err *e)
{
	int r = s->sealer != NULL ? 0 : chunkseal_new(s->area->key, &s->sealer, e);

	if (r == 0 && to == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = chunkseal_seal(s->sealer, staging_place(s, h->index),
				   span_of(h->p, STAGING_CHUNK), to, mark, e);
	return r;
}

/* Seals a hot chunk, into memory or else into the file.  It stays hot. */
static int
seal_away(struct staging *s, const struct staging_hot *h, struct err *e)
{
	struct staging_chunk *c = staging_table_find(&s->table, h->index);
	struct chunkseal_mark mark = { 0 };
	uint8_t *sealed = staging_spare_take(s);
	int r = seal_to(s, h, sealed, &mark, e);

	if (r == 0 && staging_take_sealed(s, STAGING_CHUNK)) {
		c->sealed = sealed;
		sealed = NULL;
	} else if (r == 0) {
		r = staging_file_write(&s->file, s->area->dir, h->index, sealed, e);
	}
	staging_spare_give(s, sealed);
	if (r == 0)
		c->mark = mark;
	return r;
}

int
staging_open(struct staging *s, const struct staging_chunk *c, uint64_t index, uint8_t *p,
	     struct err *e)
{
	const uint8_t *sealed = c->sealed != NULL ? c->sealed : p;
	int r = c->sealed != NULL ? 0 : staging_file_read(&s->file, index, p, e);

	if (r < 0)
		return r;
	r = chunkseal_open(s->sealer, staging_place(s, index), &c->mark,
			   span_of(sealed, STAGING_CHUNK), p, e);
	if (r == -EBADMSG) {
		err_clear(e);
		(void)err_set(e, EIO,
			      "a part of what was written has changed since it was put away in %s",
			      c->sealed != NULL ? "memory" : s->area->dir);
		(void)err_mark(e, "local.staging", "find out who may write there");
		r = -EIO;
	}
	return r;
}

/* ---- chunks that are hot ---- */

/* A block in hand counts like a hot chunk. */
static void
drop_block(struct staging *s, uint8_t *p)
{
	explicit_bzero(p, STAGING_CHUNK);
	free(p);
	hot_give(s);
}

static uint8_t *
new_block(struct staging *s)
{
	uint8_t *p;

	if (s->n_hot == STAGING_HOT_MAX || !hot_take(s))
		return NULL;
	p = malloc(STAGING_CHUNK);
	if (p == NULL)
		hot_give(s);
	return p;
}

bool
staging_is_put_away(const struct staging *s, const struct staging_hot *h)
{
	return staging_table_find(&s->table, h->index)->mark.nonce != 0;
}

static bool
is_lent(const struct staging *s, const struct staging_hot *h)
{
	return s->loan.out && s->loan.index == h->index;
}

bool
staging_has_put_away(const struct staging *s, uint64_t n, uint64_t from, uint64_t to)
{
	for (unsigned i = s->n_hot; n > 0 && i-- > 0;) {
		const struct staging_hot *h = &s->hot[i];

		if (is_lent(s, h))
			continue;
		if ((h->index >= from && h->index < to) || !staging_is_put_away(s, h))
			return false;
		n--;
	}
	return n == 0;
}

/* The hot chunk that was not used for the longest time, of those that can be let go; NULL. */
static struct staging_hot *
last_used(struct staging *s)
{
	struct staging_hot *last = s->hot + s->n_hot;

	while (last > s->hot)
		if (!is_lent(s, --last))
			return last;
	return NULL;
}

/* A block: a new one, or that of the chunk which was not used for the longest time. */
static int
take_block(struct staging *s, uint8_t **out, struct err *e)
{
	struct staging_hot *last;
	int r = 0;

	*out = new_block(s);
	s->full = *out == NULL;
	if (!s->full)
		return 0;
	last = last_used(s);
	if (last == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (!staging_is_put_away(s, last))
		r = seal_away(s, last, e);
	if (r < 0)
		return r;
	*out = last->p;
	s->n_hot--;
	memmove(last, last + 1, (size_t)(s->hot + s->n_hot - last) * sizeof(*last));
	return 0;
}

const struct staging_hot *
staging_find_hot(const struct staging *s, uint64_t index)
{
	for (unsigned i = 0; i < s->n_hot; i++)
		if (s->hot[i].index == index)
			return &s->hot[i];
	return NULL;
}

/* Puts h first; what stood at place `at` is overwritten. */
static void
put_first(struct staging *s, struct staging_hot h, size_t at)
{
	memmove(s->hot + 1, s->hot, at * sizeof(s->hot[0]));
	s->hot[0] = h;
}

void
staging_cool(struct staging *s, uint64_t index)
{
	unsigned kept = 0;

	assert(!s->loan.out);
	for (unsigned i = 0; i < s->n_hot; i++)
		if (s->hot[i].index < index)
			s->hot[kept++] = s->hot[i];
		else {
			explicit_bzero(s->hot[i].p, STAGING_CHUNK);
			free(s->hot[i].p);
		}
	while (s->n_hot > kept) {
		s->n_hot--;
		hot_give(s);
	}
}

int
staging_unwritten(struct staging *s, struct staging_part p, uint8_t *out, struct err *e)
{
	const uint64_t off = p.index * STAGING_CHUNK + p.from;
	const size_t n = staging_part_len(p);
	const size_t of_base = (size_t)u64_min(n, s->base_end - u64_min(off, s->base_end));
	int r = of_base == 0 ? 0 : s->base.read(s->base.arg, off, out, of_base, e);

	if (r == 0 && n > of_base)
		memset(out + of_base, 0, n - of_base);
	return r;
}

/* The chunk to p, all but the part that is going to be overwritten. */
static int
fill_around(struct staging *s, const struct staging_chunk *c, struct staging_part over, uint8_t *p,
	    struct err *e)
{
	const struct staging_part head = { over.index, 0, over.from };
	const struct staging_part tail = { over.index, over.to, STAGING_CHUNK };
	int r;

	if (staging_part_is_whole(over))
		return 0;
	if (c->mark.nonce != 0)
		return staging_open(s, c, over.index, p, e);
	r = staging_unwritten(s, head, p, e);
	if (r == 0)
		r = staging_unwritten(s, tail, p + over.to, e);
	return r;
}

int
staging_warm(struct staging *s, struct staging_part over, uint8_t **out, struct err *e)
{
	const struct staging_hot *h = staging_find_hot(s, over.index);
	struct staging_chunk *c = NULL;
	uint8_t *p = NULL;
	int r;

	if (h != NULL) {
		put_first(s, *h, (size_t)(h - s->hot));
		*out = s->hot[0].p;
		return 0;
	}
	r = staging_table_make(&s->table, over.index, &c, e);
	if (r == 0)
		r = take_block(s, &p, e);
	if (r < 0)
		return r;
	r = fill_around(s, c, over, p, e);
	if (r < 0) {
		drop_block(s, p);
		return r;
	}
	if (c->sealed != NULL)
		staging_forget(s, c);
	put_first(s, (struct staging_hot){ over.index, p }, s->n_hot++);
	*out = p;
	return 0;
}

int
staging_warm_to_change(struct staging *s, struct staging_part over, uint8_t **out, struct err *e)
{
	int r = staging_warm(s, over, out, e);

	assert(!s->loan.out || s->loan.index != over.index);
	if (r == 0)
		staging_forget(s, staging_table_find(&s->table, over.index));
	return r;
}
