/* SPDX-License-Identifier: MIT */
/* Target: azlist_parse (backend/store/azlist.c).  What it hands out keeps the contract of stores; a
 * failure says what it is. */
#include <errno.h>
#include <stdlib.h>

#include "backend/store/azlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int
check_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)arg, (void)e;
	if (entry->name.n == 0 || entry->name.n > STORE_NAME_MAX ||
	    memchr(entry->name.p, '\0', entry->name.n) != NULL)
		abort();
	if (entry->kind == STORE_PREFIX ? entry->name.p[entry->name.n - 1] != '/'
					: entry->etag[0] == '\0')
		abort();
	if (entry->envelope.n > STORE_METADATA_MAX || strlen(entry->etag) > STORE_ETAG_MAX ||
	    entry->size > INT64_MAX || entry->bind.n > 256 ||
	    (entry->bind.p == NULL && entry->bind.n > 0))
		abort();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct err e = { 0 };
	struct buf marker;
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	r = azlist_parse(span_of(data, n), (struct store_list_sink){ check_entry, NULL }, &marker,
			 &e);
	if ((r == 0) != (e.no == 0) || (r != 0 && r != -EIO))
		abort();
	buf_clear(&marker);
	return 0;
}
