/* SPDX-License-Identifier: MIT */
/*
 * Open files of the document view: documents and small texts, whose bytes are in memory from the
 * open on, and streams.
 *
 * A document whose body a listing or lookup has just brought is opened from it without a request;
 * one whose body is older is asked for with its ETag; any other is fetched.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/docviewfile.h"

struct doc_file {
	struct view_file_base base;
	struct docbody *body; /* or: */
	struct docstream *stream;
};

struct opening {
	struct docview *v;
	const struct docpath *p;
	const char *etag; /* NULL: any version */
	struct view_sink now;
	struct deadline d;
	struct view_file *file;
};

static int
make_file(struct opening *o, struct docbody *body, struct docstream *stream, struct err *e)
{
	struct doc_file *f = calloc(1, sizeof(*f));

	if (f == NULL) {
		docbody_put(body);
		docstream_free(stream);
		return err_set(e, ENOMEM, "out of memory");
	}
	f->base.view = &o->v->base;
	f->base.stream = stream != NULL;
	f->base.size = body != NULL ? docbody_bytes(body).n : 0;
	f->body = body;
	f->stream = stream;
	o->file = (struct view_file *)(void *)f;
	return 0;
}

static int
open_stream(struct opening *o, struct docbox *box, struct err *e)
{
	const bool all = o->p->area == DOCAREA_ALL;
	struct docstream *s = NULL;
	int r = docstream_new(o->v->engine, box, all ? "" : o->p->min, all ? "FF" : o->p->max, &s,
			      e);

	return r < 0 ? r : make_file(o, NULL, s, e);
}

/* ---- texts ---- */

static int
send_text(struct opening *o, size_t size, const char *etag, struct err *e)
{
	const struct view_item item = {
		.name = "", .exact = true, .size = size, .mtime_ns = o->v->started_ns, .etag = etag
	};

	return o->now.item(o->now.arg, &item, e);
}

static int
changed(struct err *e)
{
	(void)err_set(e, ESTALE, "there is another version now");
	return err_mark(e, "remote.changed", NULL);
}

static int
open_text(struct opening *o, struct docbox *box, struct err *e)
{
	struct docbody *body = NULL;
	char etag[33];
	AUTO_BUF text;
	int r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = docview_text(o->v, o->p, box, o->d, &text, etag, e);
	if (r == 0)
		r = send_text(o, text.n, etag, e);
	if (r == 0 && o->etag != NULL && strcmp(o->etag, etag) != 0)
		r = changed(e);
	if (r == 0)
		r = docbodies_add(engine_bodies(o->v->engine), span_of(NULL, 0), buf_span(&text),
				  true, o->d, &body, e);
	return r < 0 ? r : make_file(o, body, NULL, e);
}

/* ---- documents ---- */

/* The store's ETag within the view's, which may say that something is withheld. */
static int
stored_etag(const char *etag, struct buf *out, struct err *e)
{
	const char *mark = strstr(etag, DOCBOX_WITHHELD_MARK);

	return buf_add(out, etag, mark != NULL ? (size_t)(mark - etag) : strlen(etag), e);
}

static int
open_body(struct opening *o, struct docbody *body, const char *etag, struct err *e)
{
	const struct view_item item = {
		.name = "", .exact = true, .size = docbody_bytes(body).n, .etag = etag
	};
	int r = o->now.item(o->now.arg, &item, e);

	if (r < 0) {
		docbody_put(body);
		return r;
	}
	return make_file(o, body, NULL, e);
}

/* The document has been fetched: it is the version that was asked for, or another. */
static int
open_fetched(struct opening *o, struct docspot *s, struct span text, struct err *e)
{
	AUTO_DOCITEM x;
	int r;

	docitem_init(&x);
	r = docitem_make(o->v, s, text, false, o->d, &x, e);
	if (r == 0)
		r = docitem_send(&x, "", o->now, e);
	if (r == 0 && o->etag != NULL && strcmp(o->etag, x.plain.etag) != 0)
		r = changed(e);
	return r < 0 ? r : make_file(o, docbody_get(x.body), NULL, e);
}

/* The body at hand is old: is it still the current version? */
static int
open_after_asking(struct opening *o, struct docspot *s, struct docbody *known, struct span key,
		  struct err *e)
{
	bool same = false;
	AUTO_BUF text, etag;
	int r = 0;

	buf_init(&text, DOCUMENT_TEXT_MAX);
	buf_init(&etag, 2 * DOCSTORE_ETAG_MAX);
	if (known != NULL)
		r = stored_etag(o->etag, &etag, e);
	if (r == 0)
		r = docstore_get(o->v->store, docbox_at(s->box), buf_str(&s->partition),
				 buf_str(&s->id), known != NULL ? buf_str(&etag) : NULL, &text,
				 &same, o->d, e);
	if (r < 0)
		return r;
	if (!same)
		return open_fetched(o, s, buf_span(&text), e);
	docbodies_confirm(engine_bodies(o->v->engine), key);
	return open_body(o, docbody_get(known), o->etag, e);
}

static int
open_by_query(struct opening *o, struct docspot *s, struct err *e)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, DOCUMENT_TEXT_MAX);
	r = docview_query_document(o->v, s, o->d, &text, e);
	return r < 0 ? r : open_fetched(o, s, buf_span(&text), e);
}

static int
open_document(struct opening *o, struct docspot *s, struct err *e)
{
	struct docbody *known = NULL;
	int64_t age_ns = 0;
	AUTO_BUF key;
	int r = 0;

	if (o->etag == NULL && s->n_values > 0)
		return open_by_query(o, s, e);
	buf_init(&key, DOCSTORE_PARTITION_MAX + (16 << 10));
	if (o->etag != NULL)
		r = docitem_key(s->box, buf_str(&s->partition), buf_span(&s->id), o->etag, &key, e);
	if (r < 0)
		return r;
	if (o->etag != NULL)
		known = docbodies_find(engine_bodies(o->v->engine), buf_span(&key), &age_ns);
	if (known != NULL && age_ns < o->v->cfg.attr_timeout_ns)
		return open_body(o, known, o->etag, e);
	r = open_after_asking(o, s, known, buf_span(&key), e);
	docbody_put(known);
	return r;
}

static int
open_spot(struct opening *o, struct docbox *box, struct err *e)
{
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = docspot_resolve_take(o->v, o->p, docbox_get(box), true, o->d, &s, e);
	if (r < 0)
		return r;
	return s.is_document ? open_document(o, &s, e) : err_set(e, EISDIR, "is a directory");
}

static int
open_in_box(void *arg, struct docbox *box, struct err *e)
{
	struct opening *o = arg;

	switch (o->p->area) {
	case DOCAREA_ALL:
	case DOCAREA_PART:
		return open_stream(o, box, e);
	case DOCAREA_POLICY:
	case DOCAREA_KEYS:
		return open_text(o, box, e);
	case DOCAREA_ITEMS:
	case DOCAREA_VALUE:
		return open_spot(o, box, e);
	default:
		return err_set(e, EISDIR, "is a directory");
	}
}

int
docview_open(struct view *view, const char *path, const char *etag, struct view_record *record,
	     struct view_sink now, struct deadline d, struct view_file **out, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct opening o = { .v = v, .p = &p, .etag = etag, .now = now, .d = d };
	int r = docpath_parse(v->store, path, &p, e);

	(void)record;
	if (r == 0 && (p.area == DOCAREA_ACCOUNT || p.area == DOCAREA_DATABASE))
		return err_set(e, EISDIR, "is a directory");
	if (r == 0)
		r = docview_in_box(v, &p, true, open_in_box, &o, d, e);
	if (r == 0)
		*out = o.file;
	return r;
}

/* ---- reading and closing ---- */

static struct doc_file *
file_of(struct view_file *f)
{
	return (struct doc_file *)(void *)f;
}

void
docview_read(struct view_file *file, struct view_read *r)
{
	struct doc_file *f = file_of(file);
	struct span bytes;

	if (f->stream != NULL) {
		docstream_read(f->stream, r);
		return;
	}
	bytes = docbody_bytes(f->body);
	r->sequential = true;
	if (r->off < bytes.n) {
		const size_t left = bytes.n - (size_t)r->off;

		r->piece[0].iov_base = (void *)(uintptr_t)(bytes.p + r->off);
		r->piece[0].iov_len = r->len < left ? r->len : left;
		r->n_pieces = 1;
		r->held[r->n_held++] = docbody_get(f->body);
	}
	r->view_data = NULL;
	r->done(r);
}

void
docview_read_release(struct view_read *r)
{
	if (r->view_data != NULL) {
		docstream_read_release(r);
		return;
	}
	while (r->n_held > 0)
		docbody_put(r->held[--r->n_held]);
}

void
docview_close(struct view_file *file)
{
	struct doc_file *f = file_of(file);

	docbody_put(f->body);
	docstream_free(f->stream);
	free(f);
}
