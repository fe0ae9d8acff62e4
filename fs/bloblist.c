/* SPDX-License-Identifier: MIT */
/*
 * Directories of the blob view.
 *
 * One page of a listing is held at a time, so that a blob whose name is a directory's
 * too gets its own file name.  A blob near the end of a page may have its directory on the next
 * one: for those few (a name and what follows it up to "name/" straddle the page) the store is
 * asked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "fs/blobfile.h"
#include "fs/blobpath.h"
#include "fs/names.h"

struct listed {		       /* one entry of the page */
	struct span component; /* in page.text */
	size_t at;	       /* its offset there, until the text stops moving */
	bool dir, folder;
	int64_t mtime_ns;
	char etag[STORE_ETAG_MAX + 1];
	struct view_record *record;
};

struct page {
	struct blobview *v;
	size_t n_prefix;
	struct buf text; /* the components, one after the other */
	struct listed *entry;
	size_t n, room;
	struct buf last; /* greatest component seen, with the '/' of a directory */
	struct deadline deadline;
	struct envelope_template like;
};

enum { PAGE_TEXT_MAX = 32 << 20, CURSOR_MAX = 16 << 10 };

static int
grow_page(struct page *p, struct err *e)
{
	size_t room = p->room == 0 ? 64 : p->room * 2;
	struct listed *entry;

	if (p->n < p->room)
		return 0;
	entry = reallocarray(p->entry, room, sizeof(*entry));
	if (entry == NULL)
		return err_set(e, ENOMEM, "out of memory");
	p->entry = entry;
	p->room = room;
	return 0;
}

static int
span_compare(struct span a, struct span b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	return c != 0 ? c : a.n < b.n ? -1 : a.n > b.n;
}

static int
note_last(struct page *p, struct span name, struct err *e)
{
	if (p->last.n > 0 && span_compare(buf_span(&p->last), name) >= 0)
		return 0;
	buf_reset(&p->last);
	return buf_add(&p->last, name.p, name.n, e);
}

/*
 * A blob that is named exactly like the directory, with its '/': what some tools leave as a marker.
 */
static bool
is_marker_of_listed(const struct store_entry *entry, struct span component)
{
	return entry->kind == STORE_OBJECT && component.n == 0 && entry->size == 0 &&
	       entry->envelope.p == NULL;
}

static int
collect(void *arg, const struct store_entry *entry, struct err *e)
{
	struct page *p = arg;
	struct span c = { entry->name.p + p->n_prefix, entry->name.n - p->n_prefix };
	struct listed *l;
	int r = note_last(p, c, e);

	if (r < 0 || is_marker_of_listed(entry, c))
		return r;
	r = grow_page(p, e);
	if (r < 0)
		return r;
	l = &p->entry[p->n];
	*l = (struct listed){ .at = p->text.n, .mtime_ns = entry->mtime_ns };
	l->dir = entry->kind == STORE_PREFIX;
	l->folder = entry->kind == STORE_OBJECT && entry->folder;
	if (l->dir && c.n > 0)
		c.n--;
	l->component.n = c.n;
	r = buf_add(&p->text, c.p, c.n, e);
	if (r == 0 && !l->dir && !l->folder)
		r = blob_record_new(p->v->kids, &p->like, entry, &l->record, e);
	if (r < 0)
		return r;
	(void)snprintf(l->etag, sizeof(l->etag), "%s", entry->etag != NULL ? entry->etag : "");
	p->n++;
	return 0;
}

static void
page_clear(struct page *p)
{
	for (size_t i = 0; i < p->n; i++)
		view_record_put(p->entry[i].record);
	free(p->entry);
	buf_clear(&p->text);
	buf_clear(&p->last);
	envelope_template_clear(&p->like);
}

static int
by_component(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;
	int c = span_compare(x->component, y->component);

	return c != 0 ? c : (int)y->dir - (int)x->dir; /* the directory first */
}

static int
note_any(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)entry;
	(void)e;
	*(bool *)arg = true;
	return 0;
}

/* Whether names below "prefix + component + /" exist. */
static int
ask_store(struct page *p, struct span prefix, struct span component, bool *out, struct err *e)
{
	AUTO_BUF name, cursor;
	int r;

	buf_init(&name, 2 * STORE_NAME_MAX);
	buf_init(&cursor, CURSOR_MAX);
	*out = false;
	r = buf_add(&name, prefix.p, prefix.n, e);
	if (r == 0)
		r = buf_add(&name, component.p, component.n, e);
	if (r == 0)
		r = buf_add_str(&name, "/", e);
	do {
		if (r == 0)
			r = store_list(p->v->store, buf_span(&name), false, 1, &cursor,
				       (struct store_list_sink){ note_any, out }, p->deadline, e);
	} while (r == 0 && !*out && cursor.n > 0);
	return r;
}

/* Whether "component/" could still come on a later page. */
static bool
may_come_later(const struct page *p, struct span component, const struct buf *cursor)
{
	return cursor->n > 0 && p->last.n >= component.n &&
	       (component.n == 0 || memcmp(p->last.p, component.p, component.n) == 0) &&
	       (p->last.n == component.n || p->last.p[component.n] < '/');
}

static int
send_dir(struct span component, int64_t mtime_ns, struct view_sink sink, struct err *e)
{
	struct view_item item = { .dir = true, .exact = true, .etag = "", .mtime_ns = mtime_ns };
	AUTO_BUF name;
	int r;

	buf_init(&name, NAMES_FILE_MAX);
	r = names_escape(component, false, &name, e);
	if (r < 0)
		return r;
	item.name = buf_str(&name);
	return sink.item(sink.arg, &item, e);
}

static int
send_file(const struct listed *l, bool shadowed, struct view_sink sink, struct err *e)
{
	AUTO_BUF name;
	int r;

	buf_init(&name, NAMES_FILE_MAX);
	r = names_escape(l->component, shadowed, &name, e);
	return r < 0 ? r
		     : blobview_send(buf_str(&name), l->etag, l->mtime_ns, l->record, 0, false,
				     sink, e);
}

/* One name of the page: its entries stand side by side, the directory first. */
static int
send_name(struct page *p, const struct listed *l, size_t n, struct span prefix,
	  const struct buf *cursor, struct view_sink sink, struct err *e)
{
	bool dir_here = l[0].dir, dir_later = false;
	int r = 0;

	if (!dir_here && may_come_later(p, l[0].component, cursor))
		r = ask_store(p, prefix, l[0].component, &dir_later, e);
	if (r == 0 && (dir_here || (l[0].folder && !dir_later)))
		r = send_dir(l[0].component, l[0].mtime_ns, sink, e);
	for (size_t i = dir_here ? 1 : 0; i < n && r == 0; i++)
		if (!l[i].folder && !l[i].dir)
			r = send_file(&l[i], dir_here || dir_later, sink, e);
	return r;
}

static int
send_page(struct page *p, struct span prefix, const struct buf *cursor, struct view_sink sink,
	  struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < p->n; i++)
		p->entry[i].component.p = p->text.p + p->entry[i].at;
	if (p->n > 1)
		qsort(p->entry, p->n, sizeof(*p->entry), by_component);
	for (size_t i = 0, n; i < p->n && r == 0; i += n) {
		for (n = 1; i + n < p->n; n++)
			if (span_compare(p->entry[i].component, p->entry[i + n].component) != 0)
				break;
		r = send_name(p, &p->entry[i], n, prefix, cursor, sink, e);
	}
	return r;
}

int
blobview_send(const char *name, const char *etag, int64_t mtime_ns, struct view_record *record,
	      uint64_t exact_size, bool size_known, struct view_sink sink, struct err *e)
{
	struct view_item item = {
		.name = name, .etag = etag, .mtime_ns = mtime_ns, .record = record
	};

	item.size = blob_record_size(blob_record_of(record), &item.exact);
	if (size_known) {
		item.size = exact_size;
		item.exact = true;
	}
	return sink.item(sink.arg, &item, e);
}

static int
dir_prefix(struct blobview *v, const char *dir, struct deadline d, struct buf *prefix,
	   struct err *e)
{
	enum blob_path_kind kind;
	int r = blobpath_name(v->store, dir, d, prefix, &kind, e);

	if (r == 0 && kind == BLOB_PATH_SHADOWED)
		return err_set(e, ENOTDIR, "not a directory");
	return r == 0 && dir[0] != '\0' ? buf_add_str(prefix, "/", e) : r;
}

int
blobview_list(struct view *view, const char *dir, struct buf *cursor, struct view_sink sink,
	      struct deadline d, struct err *e)
{
	struct blobview *v = blobview_of(view);
	struct page p = { .v = v, .deadline = d };
	AUTO_BUF prefix;
	int r;

	buf_init(&prefix, STORE_NAME_MAX);
	buf_init(&p.text, PAGE_TEXT_MAX);
	buf_init(&p.last, 2 * STORE_NAME_MAX);
	r = dir_prefix(v, dir, d, &prefix, e);
	p.n_prefix = prefix.n;
	if (r == 0)
		r = store_list(v->store, buf_span(&prefix), true, 0, cursor,
			       (struct store_list_sink){ collect, &p }, d, e);
	if (r == 0)
		r = send_page(&p, buf_span(&prefix), cursor, sink, e);
	page_clear(&p);
	return r;
}

/* ---- lookup ---- */

struct probed {
	struct blobview *v;
	bool prefix, folder, object;
	int64_t mtime_ns;
	char etag[STORE_ETAG_MAX + 1];
	struct view_record *record;
};

static int
note_probe(void *arg, const struct store_entry *entry, struct err *e)
{
	struct probed *p = arg;

	if (entry->kind == STORE_PREFIX) {
		p->prefix = true;
		return 0;
	}
	p->mtime_ns = entry->mtime_ns;
	if (entry->folder) {
		p->folder = true;
		return 0;
	}
	p->object = true;
	(void)snprintf(p->etag, sizeof(p->etag), "%s", entry->etag);
	view_record_put(p->record); /* of an attempt that was broken off */
	p->record = NULL;
	return blob_record_new(p->v->kids, NULL, entry, &p->record, e);
}

static int
note_below(void *arg, const struct store_entry *entry, struct err *e)
{
	struct probed *p = arg;

	(void)entry;
	(void)e;
	p->prefix = true;
	return 0;
}

/* No blob has the empty name, but "/x" lies below it. */
static int
probe_empty_name(struct probed *p, struct deadline d, struct err *e)
{
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, CURSOR_MAX);
	do {
		r = store_list(p->v->store, span_str("/"), false, 1, &cursor,
			       (struct store_list_sink){ note_below, p }, d, e);
	} while (r == 0 && !p->prefix && cursor.n > 0);
	if (r == -EOPNOTSUPP) { /* an account: no container has the empty name either */
		err_clear(e);
		r = 0;
	}
	return r;
}

static int
send_probed(struct probed *p, enum blob_path_kind kind, struct view_sink sink, struct err *e)
{
	struct view_item dir = {
		.name = "", .dir = true, .exact = true, .etag = "", .mtime_ns = p->mtime_ns
	};
	bool is_dir = p->prefix || p->folder;

	if (kind == BLOB_PATH_ANY && is_dir)
		return sink.item(sink.arg, &dir, e);
	if (!p->object || (kind == BLOB_PATH_SHADOWED && !is_dir))
		return err_set(e, ENOENT, "there is no such blob");
	return blobview_send("", p->etag, p->mtime_ns, p->record, 0, false, sink, e);
}

int
blobview_lookup(struct view *view, const char *path, struct view_sink sink, struct deadline d,
		struct err *e)
{
	struct blobview *v = blobview_of(view);
	const struct view_item root = { .name = "", .dir = true, .exact = true, .etag = "" };
	struct probed p = { .v = v };
	enum blob_path_kind kind;
	AUTO_BUF name;
	int r;

	buf_init(&name, STORE_NAME_MAX);
	if (path[0] == '\0')
		return sink.item(sink.arg, &root, e);
	r = blobpath_name(v->store, path, d, &name, &kind, e);
	if (r == 0 && name.n == 0)
		r = probe_empty_name(&p, d, e);
	else if (r == 0)
		r = store_probe(v->store, buf_str(&name),
				(struct store_list_sink){ note_probe, &p }, d, e);
	if (r == 0)
		r = send_probed(&p, kind, sink, e);
	view_record_put(p.record);
	return r;
}
