/* SPDX-License-Identifier: MIT */
/*
 * Target: what the Cosmos driver takes apart (backend/store/cosmosfeed.c, cosmosquery.c,
 * cosmosrange.c, cosmoscursor.c).  Items lie in the page, in order, from brace to brace; rows
 * become texts that name a partition; ranges cover everything once; a cursor that was taken is
 * written as one that is taken.
 */
#include <errno.h>
#include <stdlib.h>

#include "backend/store/cosmoscursor.h"
#include "backend/store/cosmosfeed.h"
#include "backend/store/cosmosquery.h"
#include "backend/store/cosmosrange.h"
#include "backend/store/partition.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static const struct container_def def = { .n_partition = CONTAINER_PATHS_MAX };

static int
count_value(void *arg, unsigned i, struct span raw, struct err *e)
{
	(void)raw, (void)e;
	*(unsigned *)arg = i + 1;
	return 0;
}

static void
check_row(struct span row)
{
	struct err e = { 0 };
	unsigned values = 0;
	struct buf text;
	int r;

	buf_init(&text, DOCSTORE_PARTITION_MAX);
	r = cosmosquery_partition(&def, row, &text, &e);
	if ((r == 0) != (e.no == 0))
		abort();
	if (r == 0 && (partition_each(buf_str(&text), count_value, &values, &e) < 0 ||
		       values != def.n_partition))
		abort();
	buf_clear(&text);
}

static void
check_feed(struct span page)
{
	struct cosmosfeed feed = { 0 };
	const uint8_t *at = page.p;
	struct err e = { 0 };
	int r = cosmosfeed_parse(page, "Documents", &feed, &e);

	if ((r == 0) != (e.no == 0) || (r != 0 && r != -EIO))
		abort();
	for (size_t i = 0; r == 0 && i < feed.n; i++) {
		const struct span item = feed.item[i];

		if (item.p <= at || item.n < 2 || item.p + item.n >= page.p + page.n ||
		    item.p[0] != '{' || item.p[item.n - 1] != '}')
			abort();
		at = item.p + item.n - 1;
		check_row(item);
	}
	cosmosfeed_clear(&feed);
}

static void
check_ranges(struct span page)
{
	struct cosmosfeed feed = { 0 };
	struct cosmosmap *m = NULL;
	struct err e = { 0 };
	int r = cosmosfeed_parse(page, "PartitionKeyRanges", &feed, &e);

	if (r == 0)
		r = cosmosmap_new("", &m, &e);
	for (size_t i = 0; r == 0 && i < feed.n; i++)
		r = cosmosmap_add(m, feed.item[i], &e);
	if (r == 0)
		r = cosmosmap_finish(m, &e);
	if ((r == 0) != (e.no == 0))
		abort();
	for (size_t i = 0; r == 0 && i < m->n; i++)
		if (cosmosmap_find(m, m->range[i].min) != &m->range[i])
			abort();
	cosmosmap_free(m);
	cosmosfeed_clear(&feed);
}

static void
check_cursor(struct span text, enum cosmoscursor_kind kind)
{
	struct cosmoscursor c = { 0 }, again = { 0 };
	struct err e = { 0 };
	struct buf out;
	int r = cosmoscursor_parse(text, kind, &c, &e);

	if ((r == 0) != (e.no == 0) || (r != 0 && r != -EINVAL))
		abort();
	if (r < 0)
		return;
	buf_init(&out, 4 << 20);
	if (cosmoscursor_write(&c, &out, &e) < 0 ||
	    cosmoscursor_parse(buf_span(&out), kind, &again, &e) < 0 || again.n != c.n)
		abort();
	cosmoscursor_clear(&again);
	cosmoscursor_clear(&c);
	buf_clear(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	check_feed(span_of(data, n));
	check_ranges(span_of(data, n));
	check_row(span_of(data, n));
	check_cursor(span_of(data, n), COSMOSCURSOR_FEED);
	check_cursor(span_of(data, n), COSMOSCURSOR_CHANGES);
	return 0;
}
