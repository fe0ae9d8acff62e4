/* SPDX-License-Identifier: MIT */
/* One request for a segment: see cosmosvisit.h. */
#include "backend/store/cosmosvisit.h"

#include <errno.h>
#include <stdio.h>

#include "backend/net/httpdate.h"
#include "backend/store/cosmoserror.h"
#include "backend/store/cosmosknown.h"

enum {
	GONE_MAX = 10,
	/* Of a page, where the caller leaves it to the store: the service would give 100. */
	ITEMS_DEFAULT = 1000,
	NUMBER_MAX = 24,
	DATE_MAX = 64
};

void
cosmosvisit_about(struct cosmoscall *call, const struct docstore_at *at)
{
	if (at->rid != NULL)
		cosmoscall_header(call, "x-ms-cosmos-intended-collection-rid", at->rid);
	if (at->def != NULL && at->def->has_policy)
		cosmoscall_header(call, "x-ms-cosmos-is-client-encrypted", "True");
}

static int
check_feed(void *arg, struct span body, struct err *e)
{
	struct cosmosvisit *v = arg;

	return cosmosfeed_parse(body, "Documents", &v->feed, e);
}

/* Values of headers that live as long as their request. */
struct texts {
	char items[NUMBER_MAX];
	struct buf since;
};

static void
add_query(struct cosmoscall *call, const struct cosmosvisit *v)
{
	call->req.body = v->query;
	cosmoscall_header(call, "Content-Type", "application/query+json");
	cosmoscall_header(call, "x-ms-documentdb-isquery", "true");
	if (v->sel->partition == NULL)
		cosmoscall_header(call, "x-ms-documentdb-query-enablecrosspartition", "True");
}

/* Where a feed or query goes on. */
static void
add_continuation(struct cosmoscall *call, const struct cosmossegment *s)
{
	cosmoscall_header(call, "x-ms-documentdb-responsecontinuationtokenlimitinkb", "1");
	if (s->position != NULL)
		cosmoscall_header(call, "x-ms-continuation", s->position);
}

/* Where the change feed begins or goes on. */
static int
add_changes(struct cosmoscall *call, const struct cosmosvisit *v, const struct cosmoscursor *c,
	    struct texts *texts, struct err *e)
{
	int r = 0;

	cosmoscall_header(call, "A-IM", "Incremental Feed");
	call->same_is_fine = true;
	if (c->segment[0].position != NULL) {
		cosmoscall_header(call, "If-None-Match", c->segment[0].position);
	} else if (c->from_s >= 0) {
		r = httpdate_write(c->from_s, &texts->since, e);
		if (r == 0)
			cosmoscall_header(call, "If-Modified-Since", buf_str(&texts->since));
	} else if (v->sel->start == DOCSTORE_FROM_NOW) {
		cosmoscall_header(call, "If-None-Match", "*");
	}
	return r;
}

static void
add_range(struct cosmoscall *call, const struct cosmossegment *s, const struct cosmosrange *range)
{
	call->range = range->id;
	call->gone_is_mine = true;
	cosmoscall_header(call, "x-ms-documentdb-partitionkeyrangeid", range->id);
	if (strcmp(s->min, range->min) == 0 && strcmp(s->max, range->max) == 0)
		return;
	/* A part of it: it has come from a merge, or less was asked for. */
	cosmoscall_header(call, "x-ms-read-key-type", "EffectivePartitionKeyRange");
	cosmoscall_header(call, "x-ms-start-epk", s->min);
	cosmoscall_header(call, "x-ms-end-epk", s->max);
}

/* range: NULL when a partition says where. */
static int
ask_range(struct cosmosvisit *v, const struct cosmoscursor *c, const struct cosmosrange *range,
	  const char *scope, struct err *e)
{
	struct texts texts;
	struct cosmoscall call;
	int r = 0;

	buf_init(&texts.since, DATE_MAX);
	(void)snprintf(texts.items, sizeof(texts.items), "%u",
		       v->sel->max_items > 0 ? v->sel->max_items : ITEMS_DEFAULT);
	cosmoscall_init(&call, v->query.n > 0 ? "POST" : "GET", v->url);
	call.scope = scope;
	call.check = check_feed;
	call.check_arg = v;
	cosmosvisit_about(&call, v->at);
	cosmoscall_header(&call, "x-ms-max-item-count", texts.items);
	if (v->query.n > 0)
		add_query(&call, v);
	if (range != NULL) {
		add_range(&call, &c->segment[0], range);
	} else {
		call.partitioned = true;
		cosmoscall_header(&call, "x-ms-documentdb-partitionkey", v->sel->partition);
	}
	if (c->kind == COSMOSCURSOR_CHANGES)
		r = add_changes(&call, v, c, &texts, e);
	else
		add_continuation(&call, &c->segment[0]);
	if (r == 0)
		r = cosmoscall_run(v->service, &call, v->body, &v->answer, v->d, e);
	if (r < 0 || v->answer.status != 200)
		v->feed.n = 0; /* an answer before this one may have left some */
	buf_clear(&texts.since);
	return r;
}

static int
ask_by_map(struct cosmosvisit *v, struct cosmoscursor *c, const struct cosmosmap *map,
	   const char *scope, struct err *e)
{
	const struct cosmosrange *range = cosmosmap_find(map, c->segment[0].min);
	int r = cosmoscursor_cut(c, range, e);

	return r < 0 ? r : ask_range(v, c, range, scope, e);
}

/* Ranges go when they are split or merged: the map is read again, and the segment cut anew. */
static int
ask_some_range(struct cosmosvisit *v, struct cosmoscursor *c, const char *scope, struct err *e)
{
	struct cosmosmap *map = NULL, *stale;
	int r = 0;

	for (unsigned try = 0; r == 0; try++) {
		stale = map;
		map = NULL;
		r = cosmosknown_ranges(v->service, v->at, stale, &map, v->d, e);
		cosmosknown_put(v->service->known, stale);
		if (r == 0)
			r = ask_by_map(v, c, map, scope, e);
		if (r < 0 || v->answer.status != 410)
			break;
		if (try == GONE_MAX)
			r = cosmoserror_set(&v->answer.http, false, e);
		else
			r = cosmoscall_wait(try, v->d, e);
	}
	cosmosknown_put(v->service->known, map);
	return r;
}

int
cosmosvisit_ask(struct cosmosvisit *v, struct cosmoscursor *c, struct err *e)
{
	AUTO_BUF scope;
	int r;

	buf_init(&scope, COSMOSCALL_URL_MAX);
	r = buf_addf(&scope, e, "%s/%s", v->at->database, v->at->container);
	if (r < 0)
		return r;
	if (c->kind == COSMOSCURSOR_PARTITION)
		return ask_range(v, c, NULL, buf_str(&scope), e);
	return ask_some_range(v, c, buf_str(&scope), e);
}
