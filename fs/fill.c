/* SPDX-License-Identifier: MIT */
/* Filling a span: see fill.h. */
#include "fs/fill.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

void
fill_place(const struct layout *l, bool clear, uint64_t span, struct span_place *out)
{
	const uint64_t off = span * l->span_len;

	if (!clear) {
		layout_span(l, span, out);
		return;
	}
	*out = (struct span_place){
		.stored_off = off,
		.stored_len = u64_min(l->span_len, l->stored_size - off),
		.plain_off = off,
		.plain_len = u64_min(l->span_len, l->plain_size - off),
	};
}

void
fill_begin(struct fill *f)
{
	f->begun = false;
	f->copied = 0;
	bad_regions_clear(&f->bad);
}

static int
start(struct fill *f, struct err *e)
{
	struct span_place place;
	size_t room;
	int r = 0;

	fill_place(f->layout, f->cek == NULL, f->span, &place);
	room = (size_t)place.plain_len + CBC_BLOCK;
	if (f->block.p == NULL)
		r = spanmem_take(f->mem, room, f->wait_for_memory ? SPANMEM_SURELY : SPANMEM_NOW,
				 f->deadline, &f->block, e);
	if (r == 0 && f->cek != NULL && f->unsealer == NULL)
		r = unsealer_new(&f->unsealer, e);
	if (r == 0 && f->cek != NULL)
		r = unseal_begin(f->unsealer, f->layout, f->cek, f->order, f->span,
				 (struct room){ f->block.p, f->block.n }, e);
	f->begun = r == 0;
	return r;
}

int
fill_data(struct fill *f, struct span piece, struct err *e)
{
	if (!f->begun) {
		int r = start(f, e);

		if (r < 0)
			return r;
	}
	if (f->cek != NULL)
		return unseal_feed(f->unsealer, piece, e);
	if (piece.n > f->block.n - f->copied)
		return err_set(e, EIO, "more bytes than the span holds");
	memcpy(f->block.p + f->copied, piece.p, piece.n);
	f->copied += piece.n;
	return 0;
}

int
fill_end(struct fill *f, struct err *e)
{
	if (!f->begun) { /* a span always has stored bytes */
		return err_set(e, EIO, "no bytes came for the span");
	}
	if (f->cek != NULL)
		return unseal_end(f->unsealer, &f->n, &f->bad, e);
	f->n = f->copied;
	return 0;
}

void
fill_clear(struct fill *f)
{
	unsealer_free(f->unsealer);
	f->unsealer = NULL;
	spanmem_give(f->mem, &f->block);
	bad_regions_clear(&f->bad);
	f->begun = false;
}
