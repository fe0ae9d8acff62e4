/* SPDX-License-Identifier: MIT */
/* Reading a directory: see dirstream.h. */
#include "fs/dirstream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"

struct dirpage {
	struct dirstream_entry *entry;
	size_t n, room;
	int64_t asked_ns, came_ns;
};

enum ahead_state { AHEAD_NONE, AHEAD_RUNNING, AHEAD_DONE };

struct dirstream {
	pthread_mutex_t turn; /* one request at a time: after an interrupt a second may come while
				 the first still works */
	struct buf cursor;
	int64_t start_ns;
	uint64_t first; /* number of the page's first entry, counting "." and ".." */
	struct dirpage page;
	bool started, complete;
	bool drafts_next; /* the view's pages are done: what is written here and listed nowhere
			     comes */
	/*
	 * The page after this one, fetched while this one is shown; while it is, the cursor is its.
	 */
	pthread_mutex_t mu;
	pthread_cond_t fetched;
	enum ahead_state ahead; /* guarded by mu */
	struct dirpage next;
	struct err next_e;
	struct pool_job job;
	struct fs *fs; /* of the job, with a reference to the handle */
	struct handle *handle;
};

struct dirstream *
dirstream_new(void)
{
	struct dirstream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	(void)pthread_mutex_init(&s->turn, NULL);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_cond_init(&s->fetched, NULL);
	buf_init(&s->cursor, VIEW_CURSOR_MAX);
	s->first = DIRSTREAM_DOTS;
	return s;
}

static void
page_drop(struct dirpage *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->entry[i].name);
		view_record_put(p->entry[i].record);
	}
	p->n = 0;
}

static void
page_free(struct dirpage *p)
{
	page_drop(p);
	free(p->entry);
	*p = (struct dirpage){ 0 };
}

void
dirstream_free(struct dirstream *s)
{
	if (s == NULL)
		return;
	page_free(&s->page);
	page_free(&s->next);
	buf_clear(&s->cursor);
	(void)pthread_cond_destroy(&s->fetched);
	(void)pthread_mutex_destroy(&s->mu);
	(void)pthread_mutex_destroy(&s->turn);
	free(s);
}

/* Waits for a page that is being fetched ahead; whether there is one now. */
static bool
await_ahead(struct dirstream *s)
{
	bool have;

	mutex_lock(&s->mu);
	while (s->ahead == AHEAD_RUNNING)
		(void)pthread_cond_wait(&s->fetched, &s->mu);
	have = s->ahead == AHEAD_DONE;
	s->ahead = AHEAD_NONE;
	mutex_unlock(&s->mu);
	return have;
}

static void
start_over(struct dirstream *s)
{
	(void)await_ahead(s);
	err_clear(&s->next_e);
	page_drop(&s->next);
	page_drop(&s->page);
	buf_reset(&s->cursor);
	s->first = DIRSTREAM_DOTS;
	s->started = s->complete = s->drafts_next = false;
}

static int
keep_entry(void *arg, const struct view_item *item, struct err *e)
{
	struct dirpage *p = arg;
	size_t n_name = strlen(item->name) + 1, n_etag = strlen(item->etag) + 1;
	struct dirstream_entry *x;

	if (p->n == p->room) {
		size_t room = p->room == 0 ? 64 : p->room * 2;

		x = reallocarray(p->entry, room, sizeof(*x));
		if (x == NULL)
			return err_set(e, ENOMEM, "out of memory");
		p->entry = x;
		p->room = room;
	}
	x = &p->entry[p->n];
	*x = (struct dirstream_entry){ .dir = item->dir,
				       .exact = item->exact,
				       .size = item->size,
				       .mtime_ns = item->mtime_ns };
	x->name = malloc(n_name + n_etag);
	if (x->name == NULL)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(x->name, item->name, n_name);
	memcpy(x->name + n_name, item->etag, n_etag);
	x->record = view_record_get(item->record);
	p->n++;
	return 0;
}

static int
keep_draft(void *arg, const char *name, struct err *e)
{
	const struct view_item item = { .name = name, .exact = true, .etag = "" };
	struct dirpage *p = arg;
	int r = keep_entry(p, &item, e);

	if (r == 0)
		p->entry[p->n - 1].local = true;
	return r;
}

static int
keep_own_children(struct node *dir, struct dirstream *s, struct err *e)
{
	struct node *child;
	int r = 0;

	for (unsigned i = 0; r == 0 && (child = tree_own_child(dir, i)) != NULL; i++) {
		const struct view_item item = {
			.name = node_name(child), .dir = true, .exact = true, .etag = ""
		};

		r = keep_entry(&s->page, &item, e);
	}
	s->complete = true;
	return r;
}

static int
list_page(struct node *dir, struct dirstream *s, struct dirpage *into, struct deadline d,
	  struct err *e)
{
	AUTO_BUF path;
	int r;

	buf_init(&path, 64 << 10);
	into->asked_ns = clock_now_ns();
	r = node_path(dir, &path, e);
	if (r == 0)
		r = view_list(node_view(dir), buf_str(&path), &s->cursor,
			      (struct view_sink){ keep_entry, into }, d, e);
	into->came_ns = clock_now_ns();
	return r;
}

static void
run_ahead(struct pool_job *job)
{
	struct dirstream *s = (struct dirstream *)(void *)((char *)job -
							   offsetof(struct dirstream, job));
	struct handle *h = s->handle;
	struct fs *fs = s->fs;

	(void)list_page(h->node, s, &s->next, deadline_in(engine_timeout_ns(fs->engine)),
			&s->next_e);
	mutex_lock(&s->mu);
	s->ahead = AHEAD_DONE;
	(void)pthread_cond_broadcast(&s->fetched);
	mutex_unlock(&s->mu);
	handle_put(fs, h); /* may free the stream */
}

static void
fetch_ahead(struct op *op, struct dirstream *s)
{
	s->fs = op->fs;
	s->handle = handle_of(op->fs, &op->fi);
	s->ahead = AHEAD_RUNNING; /* no job runs: nobody else looks */
	s->job.run = run_ahead;
	engine_submit(op->fs->engine, LANE_AHEAD, &s->job);
}

/* Takes the page that was fetched ahead. */
static int
take_ahead(struct dirstream *s, struct err *e)
{
	struct dirpage old = s->page;

	s->page = s->next;
	s->next = old;
	if (s->next_e.no == 0)
		return 0;
	*e = s->next_e;
	err_clear(&s->next_e);
	return -e->no;
}

static int
next_page(struct op *op, struct dirstream *s, struct err *e)
{
	int r;

	if (!s->started)
		s->start_ns = clock_now_ns();
	s->started = true;
	s->first += s->page.n;
	page_drop(&s->page);
	if (node_view(op->node) == NULL)
		return keep_own_children(op->node, s, e);
	if (s->drafts_next) {
		s->complete = true;
		return drafts_list(op->fs->drafts, op->node, keep_draft, &s->page, e);
	}
	r = await_ahead(s) ? take_ahead(s, e)
			   : list_page(op->node, s, &s->page, op_deadline(op), e);
	if (r < 0)
		return r;
	if (s->cursor.n > 0) {
		fetch_ahead(op, s);
	} else {
		s->complete = op->fs->drafts == NULL;
		s->drafts_next = !s->complete;
		tree_listing_done(op->node, dirstream_listing(s));
	}
	return 0;
}

void
dirstream_lock(struct dirstream *s)
{
	mutex_lock(&s->turn);
}

void
dirstream_unlock(struct dirstream *s)
{
	mutex_unlock(&s->turn);
}

/* Pages may be empty, each of them in time, for longer than anybody waits. */
static int
late(struct err *e)
{
	(void)err_set(e, ETIMEDOUT, "the listing did not come in time");
	return err_mark(e, "net.deadline", NULL);
}

int
dirstream_entry(struct op *op, struct dirstream *s, uint64_t at, const struct dirstream_entry **out,
		struct err *e)
{
	int r = 0;

	if (at < s->first)
		start_over(s);
	while (r == 0 && at >= s->first + s->page.n && !s->complete)
		r = deadline_left_ns(op_deadline(op)) > 0 ? next_page(op, s, e) : late(e);
	if (r < 0) {
		start_over(s); /* a page that failed has left the stream in between */
		return r;
	}
	if (at >= s->first + s->page.n)
		return -ENODATA;
	*out = &s->page.entry[at - s->first];
	return 0;
}

bool
dirstream_ready(const struct dirstream *s, uint64_t at)
{
	return s->complete || (at >= s->first && at < s->first + s->page.n);
}

struct tree_listing
dirstream_listing(const struct dirstream *s)
{
	return (struct tree_listing){ s->start_ns, s->page.asked_ns, s->page.came_ns };
}
