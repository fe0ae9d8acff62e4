/* SPDX-License-Identifier: MIT */
/* The texts of one page: see docpieces.h. */
#include "backend/store/docpieces.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { PAGE_ITEMS = 1000, PAGE_BYTES = 4 << 20 };

void
docpieces_init(struct docpieces *p)
{
	*p = (struct docpieces){ .end = NULL };
	buf_init(&p->bytes, DOCSTORE_PAGE_MAX);
}

void
docpieces_clear(struct docpieces *p)
{
	buf_clear(&p->bytes);
	free(p->end);
	p->end = NULL;
	p->n = p->room = 0;
}

int
docpieces_end(struct docpieces *p, size_t at, struct err *e)
{
	const size_t room = p->room == 0 ? 64 : 2 * p->room;
	size_t *end;

	assert(at == (p->n > 0 ? p->end[p->n - 1] : 0));
	if (p->n == p->room) {
		end = reallocarray(p->end, room, sizeof(*end));
		if (end == NULL)
			return err_set(e, ENOMEM, "out of memory");
		p->end = end;
		p->room = room;
	}
	p->end[p->n++] = p->bytes.n;
	return 0;
}

bool
docpieces_full(const struct docpieces *p, unsigned max_items)
{
	return p->n >= (max_items > 0 ? max_items : PAGE_ITEMS) || p->bytes.n >= PAGE_BYTES;
}

int
docpieces_send(const struct docpieces *p, struct docstore_sink sink, struct err *e)
{
	size_t at = 0;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		r = sink.text(sink.arg, span_of(p->bytes.p + at, p->end[i] - at), e);
		at = p->end[i];
	}
	return r;
}
