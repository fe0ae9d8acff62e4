/* SPDX-License-Identifier: MIT */
/* What the tests of fs/staging share: an area with as much memory as a test allows, and a base. */
#ifndef TESTS_UNIT_FS_STAGINGWORLD_H
#define TESTS_UNIT_FS_STAGINGWORLD_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/staging.h"

enum { WORLD_MEMORY = 32 << 20 };

struct world {
	struct budget *budget;
	uint64_t held; /* taken away, so that less is left */
	struct staging_area *area;
	struct staging *s;
	unsigned base_reads;
	bool base_fails;
};

static inline uint8_t
world_base_byte(uint64_t at)
{
	return (uint8_t)(at * 31 + (at >> 9) + 5);
}

static inline int
world_base_read(void *arg, uint64_t off, void *out, size_t n, struct err *e)
{
	struct world *w = arg;
	uint8_t *to = out;

	w->base_reads++;
	assert_true(n > 0);
	if (w->base_fails)
		return err_set(e, EIO, "the base cannot be read");
	for (size_t i = 0; i < n; i++)
		to[i] = world_base_byte(off + i);
	return 0;
}

/* left: bytes of the data share that the staging may find free. */
static inline void
world_begin(struct world *w, uint64_t left, const char *dir)
{
	struct err e = { 0 };

	*w = (struct world){ 0 };
	assert_int_equal(budget_new(WORLD_MEMORY, &w->budget, &e), 0);
	if (left < budget_limit(w->budget, BUDGET_DATA)) {
		w->held = budget_limit(w->budget, BUDGET_DATA) - left;
		assert_true(budget_try(w->budget, BUDGET_DATA, w->held));
	}
	assert_int_equal(staging_area_new(w->budget, dir, &w->area, &e), 0);
	assert_int_equal(staging_new(w->area, &w->s, &e), 0);
}

static inline void
world_set_base(struct world *w, uint64_t size)
{
	staging_set_base(w->s, (struct view_plain){ .read = world_base_read, .arg = w }, size);
}

/* All that was taken has been given back. */
static inline void
world_end(struct world *w)
{
	staging_free(w->s);
	staging_area_free(w->area);
	assert_int_equal(budget_used(w->budget, BUDGET_DATA), w->held);
	budget_give(w->budget, BUDGET_DATA, w->held);
	budget_free(w->budget);
}

#endif
