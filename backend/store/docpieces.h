/* SPDX-License-Identifier: MIT */
/* The texts of one page, kept until all of it is there. */
#ifndef BACKEND_STORE_DOCPIECES_H
#define BACKEND_STORE_DOCPIECES_H

#include "backend/store/docstore.h"

struct docpieces {
	struct buf bytes; /* one text after the other; what is under way is at the end */
	size_t *end;	  /* where each of them ends */
	size_t n, room;
};

void docpieces_init(struct docpieces *p);
void docpieces_clear(struct docpieces *p);

/* What bytes holds from at on is a text of the page. */
int docpieces_end(struct docpieces *p, size_t at, struct err *e) MUST_CHECK;

/* Whether the page has as many texts as are wanted (0 = a reasonable number), or bytes. */
bool docpieces_full(const struct docpieces *p, unsigned max_items);

int docpieces_send(const struct docpieces *p, struct docstore_sink sink, struct err *e) MUST_CHECK;

#endif
