/* SPDX-License-Identifier: MIT */
/* Names of the document view: what is at a path. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "crypto/mac.h"
#include "fs/docviewfile.h"

int
docview_send_dir(const char *name, struct view_sink sink, struct err *e)
{
	const struct view_item item = { .name = name, .dir = true, .exact = true, .etag = "" };

	return sink.item(sink.arg, &item, e);
}

int
docview_send_stream(struct docview *v, const char *name, bool measured, uint64_t size,
		    struct view_sink sink, struct err *e)
{
	char etag[40] = "stream";
	const struct view_item item = {
		.name = name,
		.exact = true,
		.ask = v->cfg.stream_scan && !measured,
		.size = size,
		.mtime_ns = v->started_ns,
		.etag = etag,
	};

	if (size > 0) /* another size is another version */
		(void)snprintf(etag, sizeof(etag), "stream-%llu", (unsigned long long)size);
	return sink.item(sink.arg, &item, e);
}

/* ---- the small files ---- */

static int
name_text(const struct buf *text, char etag[static 33], struct err *e)
{
	uint8_t sum[SHA256_LEN];
	int r = sha256(buf_span(text), sum, e);

	for (size_t i = 0; r == 0 && i < 16; i++)
		(void)snprintf(etag + 2 * i, 3, "%02x", sum[i]);
	return r;
}

int
docview_text(struct docview *v, const struct docpath *p, struct docbox *box, struct deadline d,
	     struct buf *out, char etag[static 33], struct err *e)
{
	struct dockeys *keys = NULL;
	int r;

	(void)v;
	if (p->area == DOCAREA_POLICY) {
		r = docbox_policy_text(box, out, e);
	} else {
		r = docbox_keys(box, false, d, &keys, e);
		if (r == 0)
			r = docbox_keys_text(box, keys, out, e);
		dockeys_put(keys);
	}
	return r < 0 ? r : name_text(out, etag, e);
}

static int
lookup_text(struct docview *v, const struct docpath *p, struct docbox *box, struct view_sink sink,
	    struct deadline d, struct err *e)
{
	char etag[33];
	AUTO_BUF text;
	int r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = docview_text(v, p, box, d, &text, etag, e);
	if (r < 0)
		return r;
	const struct view_item item = {
		.name = "", .exact = true, .size = text.n, .mtime_ns = v->started_ns, .etag = etag
	};

	return sink.item(sink.arg, &item, e);
}

/* ---- streams ---- */

static int
lookup_stream(struct docview *v, const struct docpath *p, struct docbox *box, struct view_sink sink,
	      struct deadline d, struct err *e)
{
	const bool all = p->area == DOCAREA_ALL;
	uint64_t size = 0;
	int r = 0;

	if (v->cfg.stream_scan)
		r = docmeasure_size(v, box, all ? "" : p->min, all ? "FF" : p->max, d, &size, e);
	return r < 0 ? r : docview_send_stream(v, "", true, size, sink, e);
}

/* ---- keys ---- */

static int
note_row(void *arg, struct span text, struct err *e)
{
	(void)text;
	(void)e;
	*(bool *)arg = true;
	return 0;
}

int
docview_is_there(struct docview *v, struct docspot *s, struct deadline d, bool *out, struct err *e)
{
	struct docstore_select sel;
	struct docstore_page page;
	bool any = false;
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	docspot_select(s, false, &sel);
	sel.what = DOCSTORE_PARTITIONS;
	sel.max_items = 1;
	do {
		r = docstore_page(v->store, docbox_at(s->box), &sel, &cursor,
				  (struct docstore_sink){ note_row, &any }, &page, d, e);
	} while (r == 0 && !any && cursor.n > 0);
	*out = any;
	return r;
}

/* Whether a listing of the level above has just shown the name. */
static bool
is_listed(struct docview *v, struct docspot *s, const char *name)
{
	bool listed;

	s->n_keys--;
	listed = docscan_knows(v, s, name);
	s->n_keys++;
	return listed;
}

static int
lookup_keys(struct docview *v, const struct docpath *p, struct docspot *s, struct view_sink sink,
	    struct deadline d, struct err *e)
{
	bool there = p->area == DOCAREA_ITEMS &&
		     (p->n_rest == 0 || is_listed(v, s, p->rest[s->n_keys - 1]) ||
		      docdirs_has(v->dirs, s, p));
	int r = 0;

	if (!there)
		r = docview_is_there(v, s, d, &there, e);
	if (r == 0 && !there)
		return err_set(e, ENOENT, "no document has that key");
	return r < 0 ? r : docview_send_dir("", sink, e);
}

/* ---- documents ---- */

struct taken {
	struct buf *out;
	bool any;
};

static int
take_text(void *arg, struct span text, struct err *e)
{
	struct taken *t = arg;

	if (t->any)
		return 0;
	t->any = true;
	return buf_add(t->out, text.p, text.n, e);
}

int
docview_query_document(struct docview *v, struct docspot *s, struct deadline d, struct buf *out,
		       struct err *e)
{
	struct taken t = { out, false };
	struct docstore_select sel;
	struct docstore_page page;
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	docspot_select(s, true, &sel);
	sel.max_items = 1;
	do {
		r = docstore_page(v->store, docbox_at(s->box), &sel, &cursor,
				  (struct docstore_sink){ take_text, &t }, &page, d, e);
	} while (r == 0 && !t.any && cursor.n > 0);
	return r == 0 && !t.any ? err_set(e, ENOENT, "there is no such document") : r;
}

static int
lookup_document(struct docview *v, struct docspot *s, struct view_sink sink, struct deadline d,
		struct err *e)
{
	bool same;
	AUTO_BUF text;
	AUTO_DOCITEM x;
	int r;

	docitem_init(&x);
	buf_init(&text, DOCUMENT_TEXT_MAX);
	if (s->n_values > 0)
		r = docview_query_document(v, s, d, &text, e);
	else
		r = docstore_get(v->store, docbox_at(s->box), buf_str(&s->partition),
				 buf_str(&s->id), NULL, &text, &same, d, e);
	if (r == 0)
		r = docitem_make(v, s, buf_span(&text), true, d, &x, e);
	return r < 0 ? r : docitem_send(&x, "", sink, e);
}

/* Whether the path cannot be understood without a key; a document's size can wait for one. */
static bool
needs_key(const struct docpath *p, const struct container_def *def)
{
	bool needs = p->value != NULL || (p->n_rest > 0 && def->id_policy >= 0);

	for (unsigned i = 0; i < def->n_partition && i < p->n_rest; i++)
		needs |= def->partition[i].policy >= 0;
	return needs;
}

static int
lookup_spot(struct docview *v, const struct docpath *p, struct docbox *box, struct view_sink sink,
	    struct deadline d, struct err *e)
{
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = docspot_resolve_take(v, p, docbox_get(box), needs_key(p, docbox_def(box)), d, &s, e);
	if (r < 0)
		return r;
	return s.is_document ? lookup_document(v, &s, sink, d, e)
			     : lookup_keys(v, p, &s, sink, d, e);
}

/* Whether by/PROPERTY is there: it needs no key and no request. */
static int
lookup_property(struct docview *v, const struct docpath *p, struct docbox *box,
		struct view_sink sink, struct deadline d, struct err *e)
{
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = docspot_resolve_take(v, p, docbox_get(box), false, d, &s, e);
	return r < 0 ? r : docview_send_dir("", sink, e);
}

struct lookup {
	struct docview *v;
	const struct docpath *p;
	struct view_sink sink;
	struct deadline d;
};

static int
lookup_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct lookup *l = arg;

	switch (l->p->area) {
	case DOCAREA_ALL:
	case DOCAREA_PART:
		return lookup_stream(l->v, l->p, box, l->sink, l->d, e);
	case DOCAREA_POLICY:
	case DOCAREA_KEYS:
		return lookup_text(l->v, l->p, box, l->sink, l->d, e);
	case DOCAREA_PROPERTY:
		return lookup_property(l->v, l->p, box, l->sink, l->d, e);
	case DOCAREA_ITEMS:
	case DOCAREA_VALUE:
		return lookup_spot(l->v, l->p, box, l->sink, l->d, e);
	default:
		return docview_send_dir("", l->sink, e);
	}
}

struct name_search {
	const char *name;
	bool found;
};

static int
compare_name(void *arg, const char *name, struct err *e)
{
	struct name_search *s = arg;

	(void)e;
	s->found |= strcmp(s->name, name) == 0;
	return 0;
}

/* A database is there when its containers can be listed; the account always is. */
static int
lookup_database(struct docview *v, const struct docpath *p, struct view_sink sink,
		struct deadline d, struct err *e)
{
	struct name_search search = { p->database,
				      p->area == DOCAREA_ACCOUNT || v->store->database[0] != '\0' };
	int r = 0;

	if (!search.found)
		r = docstore_list(v->store, NULL, (struct docstore_names){ compare_name, &search },
				  d, e);
	if (r == 0 && !search.found)
		return err_set(e, ENOENT, "there is no such database");
	return r < 0 ? r : docview_send_dir("", sink, e);
}

int
docview_lookup(struct view *view, const char *path, struct view_sink sink, struct deadline d,
	       struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct lookup l = { v, &p, sink, d };
	int r = docpath_parse(v->store, path, &p, e);

	if (r < 0)
		return r;
	if (p.area == DOCAREA_ACCOUNT || p.area == DOCAREA_DATABASE)
		return lookup_database(v, &p, sink, d, e);
	return docview_in_box(v, &p, true, lookup_in_box, &l, d, e);
}
