/* SPDX-License-Identifier: MIT */
/*
 * Bytes on their way into a file: see staging.h.  What becomes of the chunks they lie in is in
 * stagingchunk.c.
 *
 * One rule keeps growing cheap and truncating simple: what a chunk holds at or beyond the size of
 * the staging is zeros.
 */
#include "fs/staging.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/stagingchunk.h"

#define SIZE_LIMIT (UINT64_C(1) << 46)
/* A sealed region of 4 MiB, of the least memory that there can be. */
#define SENDING_MIN ((UINT64_C(4) << 20) + (8 << 10))
/* Enough for blocks of many regions beside many writers. */
#define PLENTY (UINT64_C(128) << 20)

/* ---- the area ---- */

uint64_t
staging_leaves(const struct budget *budget)
{
	const uint64_t data = budget_limit(budget, BUDGET_DATA);

	return data >= PLENTY ? data / 4 : SENDING_MIN;
}

static void
set_limits(struct staging_area *a)
{
	const uint64_t data = budget_limit(a->budget, BUDGET_DATA);

	a->sealed_max = data / 2;
	a->hot_max = u64_min(data / 4, data - data / 2 - SENDING_MIN);
	a->own_max = data - a->hot_max - staging_leaves(a->budget);
}

int
staging_area_new(struct budget *budget, const char *dir, struct staging_area **out, struct err *e)
{
	struct staging_area *a = calloc(1, sizeof(*a));
	int r;

	if (a == NULL)
		return err_set(e, ENOMEM, "out of memory");
	a->budget = budget;
	set_limits(a);
	a->dir = strdup(dir);
	r = a->dir == NULL ? err_set(e, ENOMEM, "out of memory") : chunkseal_key_new(&a->key, e);
	if (r < 0) {
		staging_area_free(a);
		return r;
	}
	*out = a;
	return 0;
}

void
staging_area_free(struct staging_area *a)
{
	if (a == NULL)
		return;
	chunkseal_key_free(a->key);
	free(a->dir);
	free(a);
}

/* ---- a staging ---- */

int
staging_new(struct staging_area *a, struct staging **out, struct err *e)
{
	struct staging *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->area = a;
	s->serial = atomic_fetch_add(&a->serial, 1) + 1;
	s->table.budget = a->budget;
	s->file.fd = -1;
	*out = s;
	return 0;
}

static void
drop_chunk(void *arg, struct staging_chunk *c)
{
	staging_forget(arg, c);
}

void
staging_free(struct staging *s)
{
	if (s == NULL)
		return;
	staging_cool(s, 0);
	staging_give_own(s);
	staging_table_cut(&s->table, 0, drop_chunk, s);
	staging_table_free(&s->table);
	staging_file_close(&s->file);
	chunkseal_free(s->sealer);
	chunkseal_free(s->loan.sealer);
	free(s->spare);
	free(s);
}

void
staging_set_base(struct staging *s, struct view_plain base, uint64_t size)
{
	s->base = base;
	s->base_end = size;
	s->size = size;
}

uint64_t
staging_size(const struct staging *s)
{
	return s->size;
}

static int
too_large(struct err *e)
{
	return err_set(e, EFBIG, "a file cannot have more than %llu bytes",
		       (unsigned long long)SIZE_LIMIT);
}

int
staging_write(struct staging *s, uint64_t off, struct span bytes, struct err *e)
{
	if (off > SIZE_LIMIT || bytes.n > SIZE_LIMIT - off)
		return too_large(e);
	while (bytes.n > 0) {
		const struct staging_part p = staging_part_at(off, bytes.n);
		const size_t n = staging_part_len(p);
		uint8_t *to;
		int r = staging_warm_to_change(s, p, &to, e);

		if (r < 0)
			return r;
		memcpy(to + p.from, bytes.p, n);
		off += n;
		s->size = u64_max(s->size, off);
		bytes = span_of(bytes.p + n, bytes.n - n);
	}
	return 0;
}

/* A part of a sealed chunk that cannot be made hot, because nothing else can be put away. */
static int
read_passing(struct staging *s, const struct staging_chunk *c, struct staging_part p, uint8_t *out,
	     struct err *e)
{
	uint8_t *all = malloc(STAGING_CHUNK);
	int r;

	if (all == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = staging_open(s, c, p.index, all, e);
	if (r == 0)
		memcpy(out, all + p.from, staging_part_len(p));
	explicit_bzero(all, STAGING_CHUNK);
	free(all);
	return r;
}

static int
read_part(struct staging *s, struct staging_part p, uint8_t *out, struct err *e)
{
	const struct staging_chunk *c = staging_table_find(&s->table, p.index);
	const struct staging_part none = { p.index, 0, 0 };
	uint8_t *from;
	int r;

	if (staging_find_hot(s, p.index) == NULL) {
		if (c == NULL || c->mark.nonce == 0)
			return staging_unwritten(s, p, out, e);
		if (staging_part_is_whole(p))
			return staging_open(s, c, p.index, out, e);
	}
	r = staging_warm(s, none, &from, e);
	if (r == -ENOSPC || r == -ENOMEM) {
		err_clear(e);
		return read_passing(s, c, p, out, e);
	}
	if (r == 0)
		memcpy(out, from + p.from, staging_part_len(p));
	return r;
}

int
staging_read(struct staging *s, uint64_t off, void *out, size_t n, struct err *e)
{
	uint8_t *to = out;

	if (off > s->size || n > s->size - off)
		return err_set(e, EINVAL, "bytes beyond the end");
	while (n > 0) {
		const struct staging_part p = staging_part_at(off, n);
		int r = read_part(s, p, to, e);

		if (r < 0)
			return r;
		off += staging_part_len(p);
		to += staging_part_len(p);
		n -= staging_part_len(p);
	}
	return 0;
}

/* Zeros from the new end of the file to the end of its chunk. */
static int
clear_behind(struct staging *s, uint64_t size, struct err *e)
{
	const struct staging_part tail = staging_part_at(size, STAGING_CHUNK);
	const struct staging_chunk *c = staging_table_find(&s->table, tail.index);
	uint8_t *p;
	int r;

	if (tail.from == 0)
		return 0;
	if (staging_find_hot(s, tail.index) == NULL && (c == NULL || c->mark.nonce == 0))
		return 0; /* base_end says it */
	r = staging_warm_to_change(s, tail, &p, e);
	if (r == 0)
		memset(p + tail.from, 0, staging_part_len(tail));
	return r;
}

static void
cut(struct staging *s, uint64_t n_chunks, uint64_t size)
{
	staging_cool(s, n_chunks);
	staging_table_cut(&s->table, n_chunks, drop_chunk, s);
	staging_file_cut(&s->file, n_chunks);
	s->size = size;
	s->base_end = u64_min(s->base_end, size);
}

int
staging_truncate(struct staging *s, uint64_t size, struct err *e)
{
	const uint64_t kept = size / STAGING_CHUNK + (size % STAGING_CHUNK != 0);
	int r;

	if (size > s->size && size > SIZE_LIMIT)
		return too_large(e);
	if (size >= s->size) {
		s->size = size;
		return 0;
	}
	r = clear_behind(s, size, e);
	if (r == -ENOSPC) {
		/* What is cut off makes room for the last chunk that is left. */
		err_clear(e);
		cut(s, kept, u64_min(kept * STAGING_CHUNK, s->size));
		r = clear_behind(s, size, e);
	}
	if (r == 0)
		cut(s, kept, size);
	return r;
}

/* Whether a write of that part has to read what the part leaves of its chunk. */
static bool
needs_reading(const struct staging *s, struct staging_part p)
{
	const struct staging_chunk *c = staging_table_find(&s->table, p.index);
	const uint64_t off = p.index * STAGING_CHUNK;

	if (staging_part_is_whole(p))
		return false;
	if (c != NULL && c->mark.nonce != 0)
		return c->sealed == NULL;
	return (p.from > 0 && off < s->base_end) || off + p.to < s->base_end;
}

/* Whether that many more chunks can be hot, or others be sealed for them, in memory alone.  Others
 * may take the memory in between: then it was a guess. */
static bool
has_memory_for(const struct staging *s, uint64_t n_chunks)
{
	const uint64_t n = n_chunks * STAGING_CHUNK + (s->own ? 0 : STAGING_OWN);

	if (s->n_hot + n_chunks <= STAGING_HOT_MIN)
		return true;
	if (n > s->area->sealed_max || atomic_load(&s->area->sealed) > s->area->sealed_max - n ||
	    !budget_try_evict(s->area->budget, n))
		return false;
	budget_give(s->area->budget, BUDGET_DATA, n);
	return true;
}

bool
staging_is_quick(const struct staging *s, uint64_t off, size_t n)
{
	const uint64_t from = off / STAGING_CHUNK, to = (off + n) / STAGING_CHUNK + 1;
	uint64_t cold = 0;

	for (struct staging_part p; n > 0; off += staging_part_len(p), n -= staging_part_len(p)) {
		p = staging_part_at(off, n);
		if (staging_find_hot(s, p.index) != NULL)
			continue;
		if (needs_reading(s, p))
			return false;
		cold++;
	}
	return cold == 0 || staging_has_put_away(s, cold, from, to) || has_memory_for(s, cold);
}
