/* SPDX-License-Identifier: MIT */
/* The contract of a view, asserted: see view.h. */
#include "fs/view.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mutex.h"

static struct view *
view_of(const struct view_file *f)
{
	return ((const struct view_file_base *)(const void *)f)->view;
}

struct view_record *
view_record_get(struct view_record *r)
{
	if (r != NULL)
		(void)atomic_fetch_add(&r->refs, 1);
	return r;
}

void
view_record_put(struct view_record *r)
{
	if (r != NULL && atomic_fetch_sub(&r->refs, 1) == 1)
		r->free(r);
}

static int
ignore_item(void *arg, const struct view_item *item, struct err *e)
{
	(void)arg;
	(void)item;
	(void)e;
	return 0;
}

struct view_sink
view_no_sink(void)
{
	return (struct view_sink){ ignore_item, NULL };
}

int
view_list(struct view *v, const char *dir, struct buf *cursor, struct view_sink sink,
	  struct deadline d, struct err *e)
{
	int r = v->ops->list(v, dir, cursor, sink, d, e);

	assert((r == 0) == (e->no == 0));
	return r;
}

int
view_lookup(struct view *v, const char *path, struct view_sink sink, struct deadline d,
	    struct err *e)
{
	int r = v->ops->lookup(v, path, sink, d, e);

	assert((r == 0) == (e->no == 0));
	return r;
}

int
view_open(struct view *v, const char *path, const char *etag, struct view_record *record,
	  struct view_sink now, struct deadline d, struct view_file **out, struct err *e)
{
	int r = v->ops->open(v, path, etag, record, now, d, out, e);

	assert((r == 0) == (e->no == 0));
	return r;
}

void
view_read(struct view_file *f, struct view_read *r)
{
	assert(r->len > 0 && r->len <= VIEW_READ_MAX && r->done != NULL && r->n_held == 0);
	r->view = view_of(f);
	r->view->ops->read(f, r);
}

void
view_read_release(struct view_read *r)
{
	r->view->ops->read_release(r);
}

uint64_t
view_file_size(const struct view_file *f)
{
	return ((const struct view_file_base *)(const void *)f)->size;
}

bool
view_file_is_stream(const struct view_file *f)
{
	return ((const struct view_file_base *)(const void *)f)->stream;
}

void
view_close(struct view_file *f)
{
	if (f != NULL)
		view_of(f)->ops->close(f);
}

void
view_free(struct view *v)
{
	if (v != NULL)
		v->ops->free(v);
}

/* ---- waiting for a read ---- */

struct waited {
	struct view_read read;
	pthread_mutex_t mu;
	pthread_cond_t cond;
	bool is_done;
};

static void
wake(struct view_read *r)
{
	struct waited *w = (struct waited *)(void *)r;

	mutex_lock(&w->mu);
	w->is_done = true;
	(void)pthread_cond_signal(&w->cond);
	mutex_unlock(&w->mu);
}

int
view_read_wait(struct view_file *f, uint64_t off, void *out, size_t n, struct deadline d,
	       size_t *out_n, struct err *e)
{
	struct waited w = {
		.read = { .off = off,
			  .len = n > VIEW_READ_MAX ? VIEW_READ_MAX : n,
			  .deadline = d,
			  .done = wake },
		.mu = PTHREAD_MUTEX_INITIALIZER,
		.cond = PTHREAD_COND_INITIALIZER,
	};
	size_t got = 0;

	if (n == 0 || (!view_file_is_stream(f) && off >= view_file_size(f))) {
		*out_n = 0;
		return 0;
	}
	view_read(f, &w.read);
	mutex_lock(&w.mu);
	while (!w.is_done)
		(void)pthread_cond_wait(&w.cond, &w.mu);
	mutex_unlock(&w.mu);
	if (w.read.e.no != 0) {
		*e = w.read.e;
		view_read_release(&w.read);
		return -e->no;
	}
	for (unsigned i = 0; i < w.read.n_pieces; i++) {
		memcpy((uint8_t *)out + got, w.read.piece[i].iov_base, w.read.piece[i].iov_len);
		got += w.read.piece[i].iov_len;
	}
	view_read_release(&w.read);
	*out_n = got;
	return 0;
}
