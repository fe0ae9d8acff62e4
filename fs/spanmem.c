/* SPDX-License-Identifier: MIT */
/* Blocks for plaintext: see spanmem.h. */
#include "fs/spanmem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mutex.h"
#include "base/num.h"
#include "crypto/layout.h"

enum {
	PAGE = 4096,
	BIG = 1 << 20,		   /* from here on: pages of their own */
	FULL = SPAN_TARGET + PAGE, /* a full span, and room for V1's padding block */
	HUGE_ALIGN = 2 << 20,
	KEPT_MAX = 8
};

struct spanmem {
	pthread_mutex_t mu;
	struct budget *budget;
	uint8_t *kept[KEPT_MAX]; /* guarded by mu; each FULL bytes, charged to the budget */
	unsigned n_kept;
};

int
spanmem_new(struct budget *budget, struct spanmem **out, struct err *e)
{
	struct spanmem *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&m->mu, NULL);
	m->budget = budget;
	*out = m;
	return 0;
}

/* Aligned so that the kernel may back it with huge pages. */
static uint8_t *
map_pages(size_t n)
{
	uint8_t *p = mmap(NULL, n + HUGE_ALIGN, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	size_t before;

	if (p == MAP_FAILED)
		return NULL;
	before = (HUGE_ALIGN - (uintptr_t)p % HUGE_ALIGN) % HUGE_ALIGN;
	if (before > 0)
		(void)munmap(p, before);
	if (HUGE_ALIGN - before > 0)
		(void)munmap(p + before + n, HUGE_ALIGN - before);
	(void)madvise(p + before, n, MADV_HUGEPAGE);
	(void)madvise(p + before, n, MADV_DONTDUMP);
	return p + before;
}

static uint8_t *
reuse(struct spanmem *m)
{
	uint8_t *p = NULL;

	mutex_lock(&m->mu);
	if (m->n_kept > 0)
		p = m->kept[--m->n_kept];
	mutex_unlock(&m->mu);
	return p;
}

static bool
keep(struct spanmem *m, uint8_t *p)
{
	bool kept = false;

	mutex_lock(&m->mu);
	if (m->n_kept < KEPT_MAX) {
		m->kept[m->n_kept++] = p;
		kept = true;
	}
	mutex_unlock(&m->mu);
	return kept;
}

static int
charge(struct spanmem *m, size_t n, enum spanmem_wait wait, struct deadline d, struct err *e)
{
	if (wait == SPANMEM_SURELY)
		return budget_take_surely(m->budget, n, d, e);
	if (wait == SPANMEM_WAIT)
		return budget_take(m->budget, n, d, e);
	if (!budget_try_evict(m->budget, n))
		return err_set(e, EAGAIN, "no memory to read ahead");
	return 0;
}

int
spanmem_take(struct spanmem *m, size_t n, enum spanmem_wait wait, struct deadline d,
	     struct span_block *out, struct err *e)
{
	struct span_block b = { NULL, n };
	int r;

	if (n >= BIG && n <= FULL) {
		b.n = FULL;
		b.p = reuse(m);
	} else if (n >= BIG) {
		b.n = (n + PAGE - 1) / PAGE * PAGE;
	}
	if (b.p == NULL) {
		r = charge(m, b.n, wait, d, e);
		if (r < 0)
			return r;
		b.p = b.n >= BIG ? map_pages(b.n) : malloc(b.n);
	}
	if (b.p == NULL) {
		budget_give(m->budget, BUDGET_DATA, b.n);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = b;
	return 0;
}

static void
release(struct spanmem *m, uint8_t *p, size_t n)
{
	if (n >= BIG) {
		(void)munmap(p, n);
	} else {
		explicit_bzero(p, n);
		free(p);
	}
	budget_give(m->budget, BUDGET_DATA, n);
}

void
spanmem_give(struct spanmem *m, struct span_block *b)
{
	if (b->p != NULL && !(b->n == FULL && keep(m, b->p)))
		release(m, b->p, b->n);
	*b = (struct span_block){ NULL, 0 };
}

uint64_t
spanmem_trim(struct spanmem *m)
{
	uint64_t given = 0;

	for (uint8_t *p; (p = reuse(m)) != NULL; given += FULL)
		release(m, p, FULL);
	return given;
}

void
spanmem_free(struct spanmem *m)
{
	if (m == NULL)
		return;
	(void)spanmem_trim(m);
	(void)pthread_mutex_destroy(&m->mu);
	free(m);
}
