/* SPDX-License-Identifier: MIT */
/*
 * The change feed of a dir: store of documents: see docdirpage.h.
 *
 * Documents in the order of their stamps (docdirstamp.h), and of their names where those are the
 * same.  There is no log of changes: every page looks at all documents of its range for those that
 * come after its cursor.
 *
 * A mount may write meanwhile, into directories that a page has looked into already, and then into
 * others: what was put after the page began is left to the next one, or the first of the two would
 * be passed over.  Everything that was stamped before is there before it.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/docdircursor.h"
#include "backend/store/docdirpage.h"
#include "backend/store/docdirrange.h"
#include "backend/store/docnames.h"
#include "backend/store/docpieces.h"
#include "backend/store/docplace.h"

/* A document's place in the feed. */
struct change {
	struct docdirstamp stamp;
	struct docname name;
};

struct feed {
	const struct docdir_container *c;
	const struct docstore_select *sel;
	struct deadline d;
	struct docdirrange range;
	struct change after;
	struct docdirstamp began; /* when the page did */
	bool from_now;		  /* only the place of the last one is wanted */
	struct document_worker *worker;
	struct docdir_document doc;
	struct buf text; /* scratch */
	struct change *change;
	size_t n, room;
	struct docpieces pieces;
	bool full;
};

static int
compare(const struct change *a, const struct change *b)
{
	const int r = docdirstamp_compare(&a->stamp, &b->stamp);

	return r != 0 ? r : docname_compare(&a->name, &b->name);
}

static int
by_place(const void *a, const void *b)
{
	return compare(a, b);
}

/* ---- what has changed */

static int
add_change(struct feed *f, const struct change *change, struct err *e)
{
	const size_t room = f->room == 0 ? 256 : 2 * f->room;
	struct change *changes;

	if (f->n == f->room) {
		changes = reallocarray(f->change, room, sizeof(*changes));
		if (changes == NULL)
			return err_set(e, ENOMEM, "out of memory");
		f->change = changes;
		f->room = room;
	}
	f->change[f->n++] = *change;
	return 0;
}

static int
look_at(struct feed *f, int half, const struct docname *name, struct err *e)
{
	struct change change = { .name = *name };
	int r;

	if (deadline_left_ns(f->d) == 0)
		return err_set(e, ETIMEDOUT, "looking for changes took too long");
	buf_reset(&f->text);
	r = docdirpage_read(f->c, half, name, f->worker, &f->text, &f->doc, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	change.stamp = docdirstamp_of(&f->doc.head);
	if (compare(&change, &f->after) <= 0 ||
	    (change.stamp.ns > 0 && docdirstamp_compare(&change.stamp, &f->began) > 0))
		return 0;
	return add_change(f, &change, e);
}

static int
look_into(struct feed *f, uint8_t first, struct err *e)
{
	AUTO_DOCNAMES names = { .n = 0 };
	int half, r = docplace_open_half(f->c->documents, first, &half, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	r = docnames_read(half, first, &names, e);
	for (size_t i = 0; r == 0 && i < names.n; i++)
		if (docdirrange_has(&f->range, &names.name[i]))
			r = look_at(f, half, &names.name[i], e);
	(void)close(half);
	return r;
}

static int
collect(struct feed *f, struct err *e)
{
	int r = 0;

	for (unsigned h = 0; r == 0 && f->c->documents >= 0 && h < 256; h++)
		if (docdirrange_meets(&f->range, (uint8_t)h))
			r = look_into(f, (uint8_t)h, e);
	if (f->n > 1)
		qsort(f->change, f->n, sizeof(*f->change), by_place);
	return r;
}

/* ---- a page of it */

/* What has been replaced since it was looked at has a later place now, and is found there. */
static int
take(struct feed *f, const struct change *change, struct err *e)
{
	struct buf *bytes = &f->pieces.bytes;
	const size_t at = bytes->n;
	struct docdirstamp now;
	int half, r = docplace_open_half(f->c->documents, change->name.b[0], &half, e);

	if (r == 0) {
		r = docdirpage_read(f->c, half, &change->name, f->worker, bytes, &f->doc, e);
		(void)close(half);
	}
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	now = docdirstamp_of(&f->doc.head);
	if (docdirstamp_compare(&now, &change->stamp) == 0)
		return docpieces_end(&f->pieces, at, e);
	bytes->n = at;
	return 0;
}

static int
fill(struct feed *f, struct err *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < f->n && !f->full; i++) {
		if (!f->from_now)
			r = take(f, &f->change[i], e);
		f->after = f->change[i];
		f->full = docpieces_full(&f->pieces, f->sel->max_items);
	}
	return r;
}

/* ---- cursors */

static void
begin(struct feed *f)
{
	f->after = (struct change){ .stamp.ts = INT64_MIN };
	f->from_now = f->sel->start == DOCSTORE_FROM_NOW;
	if (f->sel->start == DOCSTORE_FROM_TIME && f->sel->start_s > INT64_MIN) {
		f->after.stamp = (struct docdirstamp){ f->sel->start_s - 1, UINT32_MAX };
		memset(f->after.name.b, 0xff, sizeof(f->after.name.b));
	}
}

static int
parse_cursor(struct feed *f, const struct buf *cursor, struct err *e)
{
	struct docdircursor last = { .changes = true };
	int r;

	if (cursor->n == 0) {
		begin(f);
		return 0;
	}
	r = docdircursor_parse(buf_span(cursor), f->c->def->rid, &last, e);
	if (r == 0)
		f->after = (struct change){ last.stamp, last.name };
	return r;
}

static int
write_cursor(const struct feed *f, struct buf *cursor, struct err *e)
{
	const struct docdircursor last = { true, f->after.stamp, f->after.name };

	return docdircursor_write(&last, f->c->def->rid, cursor, e);
}

static int
run(struct feed *f, struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
    struct err *e)
{
	int r = docdirrange_of(f->sel, &f->range, e);

	f->began = docdirstamp_now();
	if (r == 0)
		r = parse_cursor(f, cursor, e);
	if (r == 0)
		r = document_worker_new(&f->worker, e);
	if (r == 0)
		r = collect(f, e);
	if (r == 0)
		r = fill(f, e);
	if (r == 0)
		r = docdir_container_check(f->c, e);
	if (r == 0)
		r = docpieces_send(&f->pieces, sink, e);
	if (r == 0)
		r = write_cursor(f, cursor, e);
	if (r == 0)
		*out = (struct docstore_page){ .idle = !f->full };
	return r;
}

int
docdirpage_changes(const struct docdir_container *c, const struct docstore_select *sel,
		   struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
		   struct deadline d, struct err *e)
{
	struct feed f = { .c = c, .sel = sel, .d = d };
	int r;

	docpieces_init(&f.pieces);
	buf_init(&f.text, DOCUMENT_TEXT_MAX);
	buf_init(&f.doc.partition, DOCSTORE_PARTITION_MAX);
	r = run(&f, cursor, sink, out, e);
	document_worker_free(f.worker);
	free(f.change);
	buf_clear(&f.doc.partition);
	buf_clear(&f.text);
	docpieces_clear(&f.pieces);
	return r;
}
