/* SPDX-License-Identifier: MIT */
/* One page of documents: see cosmospage.h. */
#include "backend/store/cosmospage.h"

#include <errno.h>

#include "backend/store/cosmoserror.h"
#include "backend/store/cosmosquery.h"
#include "backend/store/cosmosvisit.h"

static enum cosmoscursor_kind
kind_of(const struct docstore_select *sel)
{
	if (sel->changes)
		return COSMOSCURSOR_CHANGES;
	if (sel->partition != NULL)
		return COSMOSCURSOR_PARTITION;
	return cosmosquery_is_needed(sel) ? COSMOSCURSOR_QUERY : COSMOSCURSOR_FEED;
}

/* ---- cursors */

static int
begin(const struct docstore_at *at, const struct docstore_select *sel, struct cosmoscursor *out,
      struct err *e)
{
	const char *min = sel->min != NULL ? sel->min : "",
		   *max = sel->max != NULL ? sel->max : "FF";
	int r;

	if (!cosmosrange_is_key(min) || !cosmosrange_is_key(max) || strcmp(min, max) >= 0 ||
	    strcmp(max, "FF") > 0)
		return err_set(e, EINVAL, "these are no bounds of effective partition keys");
	r = cosmoscursor_new(kind_of(sel), at->rid != NULL ? at->rid : "", min, max, out, e);
	if (r == 0 && sel->changes && sel->start == DOCSTORE_FROM_TIME)
		out->from_s = sel->start_s > 0 ? sel->start_s : 0;
	return r;
}

/* A cursor of the container before it was made anew says nothing about the new one. */
static int
check_rid(const struct docstore_at *at, const struct cosmoscursor *c, struct err *e)
{
	if (at->rid == NULL || c->rid[0] == '\0' || strcmp(at->rid, c->rid) == 0)
		return 0;
	(void)err_set(e, ESTALE, "the container has been made anew since this walk began");
	return err_mark(e, "remote.recreated", NULL);
}

static int
resume(const struct docstore_at *at, const struct docstore_select *sel, const struct buf *cursor,
       struct cosmoscursor *out, struct err *e)
{
	int r;

	if (cursor->n == 0)
		return begin(at, sel, out, e);
	r = cosmoscursor_parse(buf_span(cursor), kind_of(sel), out, e);
	if (r < 0)
		return r;
	r = check_rid(at, out, e);
	if (r < 0)
		cosmoscursor_clear(out);
	return r;
}

/* ---- documents */

static int
send_rows(const struct cosmosvisit *v, struct docstore_sink sink, struct err *e)
{
	AUTO_BUF text;
	int r = 0;

	buf_init(&text, DOCSTORE_PARTITION_MAX);
	/* All of them are good before the first goes out. */
	for (size_t i = 0; r == 0 && i < v->feed.n; i++)
		r = cosmosquery_partition(v->at->def, v->feed.item[i], &text, e);
	for (size_t i = 0; r == 0 && i < v->feed.n; i++) {
		r = cosmosquery_partition(v->at->def, v->feed.item[i], &text, e);
		if (r == 0)
			r = sink.text(sink.arg, buf_span(&text), e);
	}
	return r;
}

static int
send(const struct cosmosvisit *v, struct docstore_sink sink, struct err *e)
{
	int r = 0;

	if (v->sel->what == DOCSTORE_PARTITIONS)
		return send_rows(v, sink, e);
	for (size_t i = 0; r == 0 && i < v->feed.n; i++)
		r = sink.text(sink.arg, v->feed.item[i], e);
	return r;
}

/* ---- a page of a feed or query */

/* A page may be empty and the next one begin where it did; but not for ever. */
static int
count_quiet(struct cosmoscursor *c, bool moved, struct err *e)
{
	c->quiet = moved ? 0 : c->quiet + 1;
	if (c->quiet > COSMOSCURSOR_QUIET_MAX)
		return cosmoserror_broken(e, "the feed has no end: it does not move");
	return 0;
}

static int
read_feed(struct cosmosvisit *v, struct cosmoscursor *c, struct err *e)
{
	const char *before;
	AUTO_BUF position;
	int r;

	buf_init(&position, COSMOSCALL_CONTINUATION_MAX);
	r = cosmosvisit_ask(v, c, e);
	if (r == 0)
		r = cosmoscall_position(&v->answer, "x-ms-continuation", &position, e);
	if (r < 0)
		return r;
	before = c->segment[0].position;
	r = count_quiet(c,
			v->feed.n > 0 || position.n == 0 || before == NULL ||
				strcmp(before, buf_str(&position)) != 0,
			e);
	if (r < 0)
		return r;
	return cosmoscursor_advance(c, buf_str(&position), e);
}

/* ---- a page of changes */

/* Takes the position from an answer; one that has none leaves a 304 where it was. */
static int
take_position(const struct cosmosvisit *v, struct cosmoscursor *c, struct err *e)
{
	AUTO_BUF position;
	int r;

	buf_init(&position, COSMOSCALL_CONTINUATION_MAX);
	r = cosmoscall_position(&v->answer, "etag", &position, e);
	if (r < 0)
		return r;
	if (position.n > 0)
		return cosmoscursor_advance(c, buf_str(&position), e);
	if (v->answer.status == 200 ||
	    (v->sel->start == DOCSTORE_FROM_NOW && c->segment[0].position == NULL))
		return cosmoserror_broken(e, "the change feed does not say where it goes on");
	return 0;
}

static int
read_changes(struct cosmosvisit *v, struct cosmoscursor *c, struct docstore_page *page,
	     struct err *e)
{
	int r = cosmosvisit_ask(v, c, e);

	if (r == 0)
		r = take_position(v, c, e);
	if (r < 0)
		return r;
	c->quiet = v->answer.status == 304 ? c->quiet + 1 : 0;
	cosmoscursor_rotate(c);
	if (c->quiet >= c->n) {
		page->idle = true;
		c->quiet = 0;
	}
	return 0;
}

static bool
is_pinned(const struct cosmoscursor *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->segment[i].position == NULL)
			return false;
	return true;
}

/* "Now" is this call, for all ranges: their positions are taken, nothing else. */
static int
pin_now(struct cosmosvisit *v, struct cosmoscursor *c, struct docstore_page *page, struct err *e)
{
	int r = 0;

	while (r == 0 && !is_pinned(c)) {
		r = cosmosvisit_ask(v, c, e);
		if (r == 0 && v->feed.n > 0)
			r = cosmoserror_broken(e, "a change feed from now on begins in the past");
		if (r == 0)
			r = take_position(v, c, e);
		if (r == 0)
			cosmoscursor_rotate(c);
	}
	page->idle = r == 0;
	return r;
}

static int
read_page(struct cosmosvisit *v, struct cosmoscursor *c, struct docstore_page *page, struct err *e)
{
	if (!v->sel->changes)
		return read_feed(v, c, e);
	if (v->sel->start == DOCSTORE_FROM_NOW && !is_pinned(c))
		return pin_now(v, c, page, e);
	return read_changes(v, c, page, e);
}

/* ---- in all */

/* The documents go out, and then the cursor moves: what can fail comes before. */
static int
finish(const struct cosmosvisit *v, const struct cosmoscursor *c, struct buf *cursor,
       struct docstore_sink sink, struct err *e)
{
	const struct buf old = *cursor;
	AUTO_BUF next;
	int r = 0;

	buf_init(&next, cursor->max);
	if (c->n > 0)
		r = cosmoscursor_write(c, &next, e);
	if (r == 0)
		r = send(v, sink, e);
	if (r < 0)
		return r;
	*cursor = next;
	next = old;
	return 0;
}

static int
prepare(const struct cosmosvisit *v, struct buf *url, struct buf *query, struct err *e)
{
	int r = cosmoscall_url(v->service,
			       (const char *const[]){ "dbs", v->at->database, "colls",
						      v->at->container, "docs", NULL },
			       url, e);

	if (r == 0 && cosmosquery_is_needed(v->sel))
		r = cosmosquery_body(v->at->def, v->sel, query, e);
	return r;
}

int
cosmospage_read(const struct cosmosservice *s, const struct docstore_at *at,
		const struct docstore_select *sel, struct buf *cursor, struct docstore_sink sink,
		struct docstore_page *out, struct deadline d, struct err *e)
{
	struct cosmosvisit v = { .service = s, .at = at, .sel = sel, .d = d };
	struct docstore_page page = { 0 };
	AUTO_COSMOSCURSOR c = { 0 };
	AUTO_BUF url, query, body;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	buf_init(&query, 2 * COSMOSQUERY_MAX);
	buf_init(&body, DOCSTORE_PAGE_MAX);
	cosmosanswer_init(&v.answer);
	v.body = &body;
	r = prepare(&v, &url, &query, e);
	v.url = buf_str(&url);
	v.query = buf_span(&query);
	if (r == 0)
		r = resume(at, sel, cursor, &c, e);
	if (r == 0)
		r = read_page(&v, &c, &page, e);
	if (r == 0)
		r = finish(&v, &c, cursor, sink, e);
	page.charge = v.answer.charge;
	if (r == 0)
		*out = page;
	cosmosanswer_clear(&v.answer);
	cosmosfeed_clear(&v.feed);
	return r;
}
