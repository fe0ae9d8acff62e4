/* SPDX-License-Identifier: MIT */
/* Directories of the document view: see docs/SEMANTICS.md, "Documents". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/valuename.h"
#include "fs/docviewfile.h"

/* ---- databases and containers ---- */

struct name_sink {
	struct view_sink sink;
};

static int
send_name(void *arg, const char *name, struct err *e)
{
	const struct name_sink *to = arg;
	AUTO_BUF file;
	int r;

	buf_init(&file, NAMES_FILE_MAX);
	r = names_escape(span_str(name), false, &file, e);
	return r < 0 ? r : docview_send_dir(buf_str(&file), to->sink, e);
}

static int
list_names(struct docview *v, const char *database, struct view_sink sink, struct deadline d,
	   struct err *e)
{
	struct name_sink to = { sink };

	return docstore_list(v->store, database, (struct docstore_names){ send_name, &to }, d, e);
}

/* ---- a container's own directory ---- */

static int
send_text(struct docview *v, enum docarea area, const char *name, struct docbox *box,
	  struct view_sink sink, struct deadline d, struct err *e)
{
	const struct docpath file = { .area = area };
	char etag[33];
	AUTO_BUF text;
	int r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = docview_text(v, &file, box, d, &text, etag, e);
	const struct view_item item = {
		.name = name,
		.exact = true,
		.size = text.n,
		.mtime_ns = v->started_ns,
		.etag = etag,
	};

	return r < 0 ? r : sink.item(sink.arg, &item, e);
}

static int
list_container(struct docview *v, struct docbox *box, struct view_sink sink, struct deadline d,
	       struct err *e)
{
	static const char *const dirs[] = { "by", "items", "parts" };
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_LEN(dirs); i++)
		r = docview_send_dir(dirs[i], sink, e);
	if (r == 0)
		r = docview_send_stream(v, "all.jsonl", false, 0, sink, e);
	if (r == 0)
		r = send_text(v, DOCAREA_KEYS, ".keys.json", box, sink, d, e);
	if (r == 0)
		r = send_text(v, DOCAREA_POLICY, ".policy.json", box, sink, d, e);
	return r;
}

struct range_sink {
	struct docview *v;
	struct view_sink sink;
};

static int
send_range(void *arg, const char *min, const char *max, struct err *e)
{
	const struct range_sink *to = arg;
	AUTO_BUF name;
	int r;

	buf_init(&name, NAMES_FILE_MAX);
	r = valuename_of_range(min, max, &name, e);
	return r < 0 ? r : docview_send_stream(to->v, buf_str(&name), false, 0, to->sink, e);
}

static int
list_parts(struct docview *v, struct docbox *box, struct view_sink sink, struct deadline d,
	   struct err *e)
{
	struct range_sink to = { v, sink };

	return docstore_ranges(v->store, docbox_at(box),
			       (struct docstore_ranges){ send_range, &to }, d, e);
}

/* Properties that can be looked up. */
static int
list_by(struct docbox *box, struct view_sink sink, struct err *e)
{
	const struct container_def *def = docbox_def(box);
	struct name_sink to = { sink };
	int r = 0;

	for (size_t i = 0; r == 0 && i < def->n_paths; i++)
		if (def->path[i].kind == CELL_DETERMINISTIC)
			r = send_name(&to, def->path[i].name, e);
	return r;
}

static int
refuse_values(struct err *e)
{
	(void)err_set(e, EOPNOTSUPP, "the values of a sealed property cannot be listed");
	return err_mark(e, "policy.unlistable", "look one up by its name: by/PROPERTY/VALUE");
}

/* ---- documents ---- */

struct document_sink {
	struct docview *v;
	struct docspot *s;
	struct view_sink sink;
	struct deadline d;
	struct docitem item;
	unsigned n_nameless; /* documents of the page that have no usable name */
	struct err why;	     /* of the first of them */
};

/*
 * A document without a usable name hides nobody else: it is told of, in one line for the page, and
 * still is in all.jsonl.
 */
static void
tell_nameless(const struct document_sink *to)
{
	const struct docstore_at *at = docbox_at(to->s->box);

	if (to->n_nameless > 0)
		log_err(LOG_LEVEL_ERROR, &to->why, "list '%s/%s': %u documents that have no name",
			at->database, at->container, to->n_nameless);
}

static int
send_document(void *arg, struct span text, struct err *e)
{
	struct document_sink *to = arg;
	struct err why = { 0 };
	int r = docitem_make(to->v, to->s, text, true, to->d, &to->item, &why);

	if (r == 0)
		return docitem_send(&to->item, buf_str(&to->item.name), to->sink, e);
	if (docitem_is_at_fault(&why)) {
		if (to->n_nameless++ == 0)
			to->why = why;
		return 0;
	}
	*e = why;
	return r;
}

static int
list_documents(struct docview *v, struct docspot *s, struct buf *cursor, struct view_sink sink,
	       struct deadline d, struct err *e)
{
	struct document_sink to = { .v = v, .s = s, .sink = sink, .d = d };
	struct docstore_select sel;
	struct docstore_page page;
	int r;

	docspot_select(s, false, &sel);
	sel.max_items = DOCVIEW_PAGE_ITEMS;
	docitem_init(&to.item);
	r = docstore_page(v->store, docbox_at(s->box), &sel, cursor,
			  (struct docstore_sink){ send_document, &to }, &page, d, e);
	docitem_clear(&to.item);
	tell_nameless(&to);
	return r;
}

static int
list_spot(struct docview *v, const struct docpath *p, struct docbox *box, struct buf *cursor,
	  struct view_sink sink, struct deadline d, struct err *e)
{
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = docspot_resolve_take(v, p, docbox_get(box), false, d, &s, e);
	if (r < 0)
		return r;
	if (s.is_document)
		return err_set(e, ENOTDIR, "not a directory");
	return s.n_keys < s.n_levels ? docscan_page(v, &s, cursor, sink, d, e)
				     : list_documents(v, &s, cursor, sink, d, e);
}

/* ---- which directory ---- */

struct listing {
	struct docview *v;
	const struct docpath *p;
	struct buf *cursor;
	struct view_sink sink;
	struct deadline d;
};

static int
list_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct listing *l = arg;

	switch (l->p->area) {
	case DOCAREA_CONTAINER:
		return list_container(l->v, box, l->sink, l->d, e);
	case DOCAREA_PARTS:
		return list_parts(l->v, box, l->sink, l->d, e);
	case DOCAREA_BY:
		return list_by(box, l->sink, e);
	case DOCAREA_PROPERTY:
		return refuse_values(e);
	case DOCAREA_ITEMS:
	case DOCAREA_VALUE:
		return list_spot(l->v, l->p, box, l->cursor, l->sink, l->d, e);
	default:
		return err_set(e, ENOTDIR, "not a directory");
	}
}

int
docview_list(struct view *view, const char *dir, struct buf *cursor, struct view_sink sink,
	     struct deadline d, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct listing l = { v, &p, cursor, sink, d };
	const bool first = cursor->n == 0;
	int r = docpath_parse(v->store, dir, &p, e);

	if (r < 0)
		return r;
	if (p.area == DOCAREA_ACCOUNT)
		return list_names(v, NULL, sink, d, e);
	if (p.area == DOCAREA_DATABASE)
		return list_names(v, p.database, sink, d, e);
	return docview_in_box(v, &p, first, list_in_box, &l, d, e);
}
