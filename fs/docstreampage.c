/* SPDX-License-Identifier: MIT */
/* Pages of a stream: see docstreampage.h. */
#include "fs/docstreampage.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/docstream.h"

enum {
	PIECE_BYTES = 480 << 10, /* sealed; as text, with the line ends, it fits 512 KiB */
	MEASURE_ITEMS = 1000
};

/* ---- as it comes ---- */

static void
piece_free(struct rawpiece *x)
{
	buf_clear(&x->text);
	free(x->end);
	free(x);
}

static int
add_piece(struct rawpage *p, struct err *e)
{
	struct rawpiece *x = calloc(1, sizeof(*x));

	if (x == NULL)
		return err_set(e, ENOMEM, "out of memory");
	buf_init(&x->text, DOCSTORE_PAGE_MAX);
	*(p->last != NULL ? &p->last->next : &p->first) = x;
	p->last = x;
	return 0;
}

static int
add_document(struct rawpiece *x, struct span text, struct err *e)
{
	int r;

	if (x->n == x->room) {
		const size_t room = x->room == 0 ? 64 : x->room * 2;
		size_t *end = reallocarray(x->end, room, sizeof(*end)); /* not secret */

		if (end == NULL)
			return err_set(e, ENOMEM, "out of memory");
		x->end = end;
		x->room = room;
	}
	r = buf_add(&x->text, text.p, text.n, e);
	if (r == 0)
		x->end[x->n++] = x->text.n;
	return r;
}

static int
keep_document(void *arg, struct span text, struct err *e)
{
	struct rawpage *p = arg;
	int r = 0;

	if (text.n > DOCSTORE_PAGE_MAX - p->bytes)
		return err_set(e, EFBIG, "a page of more than %d bytes", DOCSTORE_PAGE_MAX);
	if (p->last == NULL || p->last->text.n + text.n > PIECE_BYTES)
		r = add_piece(p, e);
	if (r == 0)
		r = add_document(p->last, text, e);
	if (r < 0)
		return r;
	p->n++;
	p->bytes += text.n;
	return 0;
}

/*
 * All at once: nobody holds a part of a page and waits for the rest of it.  What was reserved may
 * be too little, and then it is no time to wait.
 */
static int
charge(struct rawpage *p, struct deadline d, struct err *e)
{
	const uint64_t reserved = p->charged;
	int r = 0;

	if (p->budget == NULL)
		return 0;
	if (p->bytes < reserved)
		budget_give(p->budget, BUDGET_DATA, reserved - p->bytes);
	else if (reserved == 0)
		r = p->bytes > 0 ? budget_take(p->budget, p->bytes, d, e) : 0;
	else if (!budget_try_evict(p->budget, p->bytes - reserved))
		r = err_set(e, EAGAIN, "no memory to read ahead");
	if (r == 0)
		p->charged = p->bytes;
	return r;
}

static int
fetch(struct rawpage *p, struct docbox *box, const struct docstore_select *sel, struct buf *cursor,
      struct deadline d, struct err *e)
{
	struct docstore_page page;
	AUTO_BUF next;
	int r;

	buf_init(&next, DOCSTORE_CURSOR_MAX);
	r = buf_add(&next, cursor->p, cursor->n, e);
	if (r == 0)
		r = docstore_page(docbox_store(box), docbox_at(box), sel, &next,
				  (struct docstore_sink){ keep_document, p }, &page, d, e);
	if (r == 0)
		r = charge(p, d, e);
	if (r < 0)
		return r;
	p->is_last = next.n == 0;
	buf_reset(cursor);
	return buf_add(cursor, next.p, next.n, e);
}

struct rawpage *
rawpage_fetch(struct docbox *box, const struct docstore_select *sel, struct buf *cursor,
	      struct budget *budget, uint64_t reserved, struct deadline d)
{
	struct rawpage *p = calloc(1, sizeof(*p));

	if (p == NULL && reserved > 0)
		budget_give(budget, BUDGET_DATA, reserved);
	if (p == NULL)
		return NULL;
	p->budget = budget;
	p->charged = reserved;
	if (fetch(p, box, sel, cursor, d, &p->e) < 0)
		(void)docbox_note_gone(box, &p->e);
	return p;
}

void
rawpage_free(struct rawpage *p)
{
	if (p == NULL)
		return;
	if (p->budget != NULL)
		budget_give(p->budget, BUDGET_DATA, p->charged);
	for (struct rawpiece *x = p->first, *next; x != NULL; x = next) {
		next = x->next;
		piece_free(x);
	}
	free(p);
}

/* ---- as text ---- */

struct chunk *
chunk_new(struct budget *budget, size_t max)
{
	struct chunk *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->refs = 1;
	c->budget = budget;
	buf_init(&c->text, max);
	return c;
}

struct chunk *
chunk_get(struct chunk *c)
{
	(void)atomic_fetch_add(&c->refs, 1);
	return c;
}

void
chunk_put(struct chunk *c)
{
	if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	if (c->budget != NULL)
		budget_give(c->budget, BUDGET_DATA, c->charged);
	buf_clear(&c->text);
	free(c);
}

/* Moves on behind what has become text, and its charge with it. */
static void
settle(struct chunk *c, struct rawpage *p, size_t sealed)
{
	struct rawpiece *x = p->first;

	if (p->budget != NULL) {
		c->charged = sealed;
		p->charged -= sealed;
	}
	if (x->done < x->n)
		return;
	p->first = x->next;
	if (p->first == NULL)
		p->last = NULL;
	piece_free(x);
}

int
chunk_fill(struct chunk *c, struct docbox *box, struct rawpage *p, struct deadline d, struct err *e)
{
	struct rawpiece *x = p->first;
	size_t from, at;
	struct dockeys *keys = NULL;
	struct docplain plain;
	uint8_t *unused;
	int r;

	if (x == NULL)
		return 0;
	from = at = x->done > 0 ? x->end[x->done - 1] : 0;
	r = docbox_keys(box, true, d, &keys, e);
	if (r == 0) /* sealed text is the longer one, as a rule */
		r = buf_reserve(&c->text, x->text.n - at + x->n - x->done, &unused, e);
	while (r == 0 && x->done < x->n) {
		const struct span text = span_of(x->text.p + at, x->end[x->done] - at);

		r = docbox_unseal(box, &keys, text, &c->text, &plain, d, e);
		if (r < 0)
			r = docbox_err_in(box, text, e);
		else
			at = x->end[x->done++];
	}
	dockeys_put(keys);
	settle(c, p, at - from);
	return r;
}

/* ---- measuring ---- */

static int
measure_page(struct docbox *box, struct rawpage *p, struct deadline d, uint64_t *total,
	     struct err *e)
{
	int r = 0;

	while (r == 0 && p->first != NULL) {
		struct chunk *c = chunk_new(NULL, DOCSTORE_PAGE_MAX);

		r = c != NULL ? chunk_fill(c, box, p, d, e) : err_set(e, ENOMEM, "out of memory");
		if (r == 0)
			*total += c->text.n;
		chunk_put(c);
	}
	return r;
}

int
docstream_measure(struct docbox *box, const char *min, const char *max, int64_t timeout_ns,
		  uint64_t *out, struct err *e)
{
	const struct docstore_select sel = {
		.what = DOCSTORE_DOCUMENTS, .min = min, .max = max, .max_items = MEASURE_ITEMS
	};
	uint64_t total = 0;
	bool last = false;
	AUTO_BUF cursor;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	while (!last && e->no == 0) {
		const struct deadline d = deadline_in(timeout_ns);
		struct rawpage *p = rawpage_fetch(box, &sel, &cursor, NULL, 0, d);

		if (p == NULL)
			(void)err_set(e, ENOMEM, "out of memory");
		else if (p->e.no != 0)
			*e = p->e;
		else if (measure_page(box, p, d, &total, e) == 0)
			last = p->is_last;
		rawpage_free(p);
	}
	if (e->no != 0)
		return -e->no;
	*out = total;
	return 0;
}
