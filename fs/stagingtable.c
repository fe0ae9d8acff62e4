/* SPDX-License-Identifier: MIT */
/* The chunks of a staging: see stagingtable.h. */
#include "fs/stagingtable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum {
	PAGE_CHUNKS = 512,
	LIST_FIRST = 64, /* pages: 8 GiB */
	FREE_OF_CHARGE = 1 << 20
};

struct staging_page {
	struct staging_chunk chunk[PAGE_CHUNKS];
};

static uint64_t
charge_of(uint64_t bytes)
{
	return bytes - u64_min(bytes, FREE_OF_CHARGE);
}

static void *
take(struct staging_table *t, size_t n, struct err *e)
{
	const uint64_t more = charge_of(t->bytes + n) - charge_of(t->bytes);
	void *p = NULL;

	if (more == 0 || budget_try_evict(t->budget, more)) {
		p = calloc(1, n);
		if (p != NULL)
			t->bytes += n;
		else if (more > 0)
			budget_give(t->budget, BUDGET_DATA, more);
	}
	if (p == NULL) {
		(void)err_set(e, ENOSPC, "no memory to note where the parts of a file are");
		(void)err_mark(e, "local.space", "a larger memory=");
	}
	return p;
}

static void
give(struct staging_table *t, void *p, size_t n)
{
	const uint64_t less = charge_of(t->bytes) - charge_of(t->bytes - n);

	free(p);
	t->bytes -= n;
	if (less > 0)
		budget_give(t->budget, BUDGET_DATA, less);
}

struct staging_chunk *
staging_table_find(const struct staging_table *t, uint64_t i)
{
	const uint64_t page = i / PAGE_CHUNKS;

	if (page >= t->n_pages || t->page[page] == NULL)
		return NULL;
	return &t->page[page]->chunk[i % PAGE_CHUNKS];
}

static int
grow_list(struct staging_table *t, uint64_t page, struct err *e)
{
	size_t n = t->n_pages == 0 ? LIST_FIRST : t->n_pages;
	struct staging_page **list;

	while (n <= page)
		n *= 2;
	list = take(t, n * sizeof(struct staging_page *), e);
	if (list == NULL)
		return -e->no;
	if (t->n_pages > 0)
		memcpy(list, t->page, t->n_pages * sizeof(struct staging_page *));
	give(t, t->page, t->n_pages * sizeof(struct staging_page *));
	t->page = list;
	t->n_pages = n;
	return 0;
}

int
staging_table_make(struct staging_table *t, uint64_t i, struct staging_chunk **out, struct err *e)
{
	const uint64_t page = i / PAGE_CHUNKS;
	int r = page < t->n_pages ? 0 : grow_list(t, page, e);

	if (r < 0)
		return r;
	if (t->page[page] == NULL) {
		t->page[page] = take(t, sizeof(struct staging_page), e);
		if (t->page[page] == NULL)
			return -e->no;
	}
	*out = &t->page[page]->chunk[i % PAGE_CHUNKS];
	return 0;
}

void
staging_table_cut(struct staging_table *t, uint64_t i,
		  void (*drop)(void *arg, struct staging_chunk *c), void *arg)
{
	for (uint64_t page = i / PAGE_CHUNKS; page < t->n_pages; page++) {
		const uint64_t first = page == i / PAGE_CHUNKS ? i % PAGE_CHUNKS : 0;

		if (t->page[page] == NULL)
			continue;
		for (uint64_t c = first; c < PAGE_CHUNKS; c++) {
			drop(arg, &t->page[page]->chunk[c]);
			t->page[page]->chunk[c] = (struct staging_chunk){ 0 };
		}
		if (first == 0) {
			give(t, t->page[page], sizeof(struct staging_page));
			t->page[page] = NULL;
		}
	}
}

void
staging_table_free(struct staging_table *t)
{
	give(t, t->page, t->n_pages * sizeof(struct staging_page *));
	t->page = NULL;
	t->n_pages = 0;
}
