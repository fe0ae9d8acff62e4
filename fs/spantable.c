/* SPDX-License-Identifier: MIT */
/*
 * Where spans lie, who goes first when memory is short, and the cache as a whole: see spancache.h.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/num.h"
#include "fs/spancache.h"

enum { READY_MIN = 16 << 20 };

/* ---- tables (all with the lock held) ---- */

static size_t
span_hash(const struct version *v, uint64_t number)
{
	return ((size_t)(uintptr_t)v / 64 + (size_t)number * 31) % SPAN_BUCKETS;
}

struct cached **
spans_find_locked(struct version *v, uint64_t number)
{
	struct cached **at = &v->s->bucket[span_hash(v, number)];

	while (*at != NULL && ((*at)->v != v || (*at)->number != number))
		at = &(*at)->chain;
	return at;
}

void
spans_insert_locked(struct cached *c)
{
	struct cached **at = &c->v->s->bucket[span_hash(c->v, c->number)];

	c->chain = *at;
	*at = c;
}

void
spans_remove_locked(struct cached *c)
{
	struct cached **at = spans_find_locked(c->v, c->number);

	assert(*at == c);
	*at = c->chain;
	c->chain = NULL;
}

static void
lru_remove_locked(struct spans *s, struct cached *c)
{
	s->ready_bytes -= c->block.n;
	if (spans_unread(c))
		s->unread_bytes -= c->block.n;
	*(c->older != NULL ? &c->older->newer : &s->oldest) = c->newer;
	*(c->newer != NULL ? &c->newer->older : &s->newest) = c->older;
	c->older = c->newer = NULL;
}

void
spans_ready_locked(struct spans *s, struct cached *c)
{
	s->ready_bytes += c->block.n;
	if (spans_unread(c))
		s->unread_bytes += c->block.n;
	c->older = s->newest;
	c->newer = NULL;
	*(s->newest != NULL ? &s->newest->newer : &s->oldest) = c;
	s->newest = c;
}

void
spans_touch_locked(struct spans *s, struct cached *c)
{
	lru_remove_locked(s, c);
	c->used = true;
	spans_ready_locked(s, c);
}

void
spans_drop(struct spans *s, struct cached *c)
{
	struct version *dead;

	spanmem_give(s->mem, &c->block);
	bad_regions_clear(&c->bad);
	mutex_lock(&s->mu);
	dead = version_drop_locked(c->v);
	mutex_unlock(&s->mu);
	if (dead != NULL)
		version_destroy(dead);
	free(c);
}

/* ---- memory ---- */

/*
 * The least recently used span that nobody holds; what was fetched ahead and not yet read goes
 * last, or not at all.
 */
static struct cached *
victim_locked(struct spans *s, bool unread_too)
{
	struct cached *unread = NULL;

	for (struct cached *c = s->oldest; c != NULL; c = c->newer) {
		if (c->holds > 0)
			continue;
		if (c->used || !c->ahead)
			return c;
		if (unread == NULL)
			unread = c;
	}
	return unread_too ? unread : NULL;
}

static struct cached *
take_victim(struct spans *s, bool unread_too)
{
	struct cached *c;

	mutex_lock(&s->mu);
	c = victim_locked(s, unread_too);
	if (c != NULL) {
		lru_remove_locked(s, c);
		spans_remove_locked(c);
		s->stats.evictions++;
	}
	mutex_unlock(&s->mu);
	return c;
}

void
spans_shrink(struct spans *s)
{
	for (;;) {
		struct cached *c;
		bool enough;

		mutex_lock(&s->mu);
		enough = s->ready_bytes <= s->ready_max;
		mutex_unlock(&s->mu);
		c = enough ? NULL : take_victim(s, false);
		if (c == NULL)
			return;
		spans_drop(s, c);
	}
}

static uint64_t
evict(void *arg, uint64_t want)
{
	struct spans *s = arg;
	uint64_t given = spanmem_trim(s->mem);

	while (given < want) {
		struct cached *c = take_victim(s, true);

		if (c == NULL)
			break;
		const uint64_t n = c->block.n;

		spans_drop(s, c); /* may land among the blocks kept for reuse */
		given += u64_max(spanmem_trim(s->mem), n);
	}
	return given;
}

int
spans_new(struct engine *g, struct spans **out, struct err *e)
{
	struct spans *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = spanmem_new(engine_budget(g), &s->mem, e);
	if (r < 0) {
		free(s);
		return r;
	}
	(void)pthread_mutex_init(&s->mu, NULL);
	s->g = g;
	s->ready_max = u64_max(budget_limit(engine_budget(g), BUDGET_DATA) / 3, READY_MIN);
	budget_add_evictor(engine_budget(g), evict, s);
	*out = s;
	return 0;
}

void
spans_free(struct spans *s)
{
	if (s == NULL)
		return;
	for (struct cached *c; (c = take_victim(s, true)) != NULL;)
		spans_drop(s, c);
	for (size_t i = 0; i < SPAN_BUCKETS; i++)
		assert(s->bucket[i] == NULL);
	for (size_t i = 0; i < VERSION_BUCKETS; i++)
		assert(s->version_bucket[i] == NULL);
	spanmem_free(s->mem);
	(void)pthread_mutex_destroy(&s->mu);
	free(s);
}

struct spanmem *
spans_memory(struct spans *s)
{
	return s->mem;
}

void
spans_stats(struct spans *s, struct spans_stats *out)
{
	mutex_lock(&s->mu);
	*out = s->stats;
	mutex_unlock(&s->mu);
}
