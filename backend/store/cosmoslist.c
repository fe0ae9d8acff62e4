/* SPDX-License-Identifier: MIT */
/* Feeds that are read to their end: see cosmoslist.h. */
#include "backend/store/cosmoslist.h"

#include "backend/store/cosmoserror.h"
#include "backend/store/cosmosfeed.h"

enum { PAGES_MAX = 10000 };

struct page {
	const char *member;
	struct cosmosfeed feed;
};

static int
check_page(void *arg, struct span body, struct err *e)
{
	struct page *p = arg;

	return cosmosfeed_parse(body, p->member, &p->feed, e);
}

static int
list_page(const struct cosmosservice *s, const char *url, struct page *p, struct buf *position,
	  struct docstore_sink sink, struct deadline d, struct err *e)
{
	struct cosmoscall call;
	AUTO_COSMOSANSWER answer;
	AUTO_BUF body;
	int r;

	buf_init(&body, DOCSTORE_PAGE_MAX);
	cosmosanswer_init(&answer);
	cosmoscall_init(&call, "GET", url);
	if (position->n > 0)
		cosmoscall_header(&call, "x-ms-continuation", buf_str(position));
	call.check = check_page;
	call.check_arg = p;
	r = cosmoscall_run(s, &call, &body, &answer, d, e);
	for (size_t i = 0; r == 0 && i < p->feed.n; i++)
		r = sink.text(sink.arg, p->feed.item[i], e);
	return r < 0 ? r : cosmoscall_position(&answer, "x-ms-continuation", position, e);
}

int
cosmoslist_all(const struct cosmosservice *s, const char *url, const char *member,
	       struct docstore_sink sink, struct deadline d, struct err *e)
{
	struct page p = { .member = member };
	AUTO_BUF position;
	unsigned pages = 0;
	int r;

	buf_init(&position, COSMOSCALL_CONTINUATION_MAX);
	do
		r = list_page(s, url, &p, &position, sink, d, e);
	while (r == 0 && position.n > 0 && ++pages < PAGES_MAX);
	cosmosfeed_clear(&p.feed);
	if (r == 0 && position.n > 0)
		return cosmoserror_broken(e, "the feed has no end");
	return r;
}
