/* SPDX-License-Identifier: MIT */
/* Pages of a dir: store of documents: see docdirpage.h. */
#include "backend/store/docdirpage.h"

#include <errno.h>
#include <unistd.h>

#include "backend/store/docdircursor.h"
#include "backend/store/docdirrange.h"
#include "backend/store/docmatch.h"
#include "backend/store/docnames.h"
#include "backend/store/docpieces.h"
#include "backend/store/docplace.h"

/* How much of the directory one page looks at, whatever it finds. */
enum { READ_FILES = 4096, READ_BYTES = 32 << 20 };

/* One page under way. */
struct page {
	const struct docdir_container *c;
	const struct docstore_select *sel;
	struct deadline d;
	struct docdirrange range;
	bool begun; /* after the name last */
	struct docname last;
	struct document_worker *worker;
	struct docdir_document doc;
	struct docpieces pieces;
	size_t files, bytes; /* looked at */
	bool full;
};

int
docdirpage_read(const struct docdir_container *c, int half, const struct docname *name,
		struct document_worker *worker, struct buf *text, struct docdir_document *out,
		struct err *e)
{
	const size_t at = text->n;
	char file[DOCNAME_TEXT + 1];
	struct docname found;
	int r;

	docname_print(name, file);
	r = dirplace_read_file(half, file, docname_suffix, DOCUMENT_TEXT_MAX, text, e);
	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = document_scan(worker, c->def, span_of(text->p + at, text->n - at), &out->head,
				  e);
	if (r == 0)
		r = docname_of_document(c->def, &out->head, &out->partition, &found, e);
	if (r == 0 && docname_compare(name, &found) != 0) {
		(void)err_set(e, EBADMSG, "belongs elsewhere: its partition or id is another");
		r = err_mark(e, "integrity.dir", NULL);
	}
	if (r == 0)
		return 0;
	text->n = at;
	return docplace_in_document(c->at->database, c->at->container, name, e);
}

/* ---- one document */

/* Two partitions may share their P: then the text decides. */
static int
is_selected(const struct page *p, struct span text, bool *out, struct err *e)
{
	const struct docstore_select *sel = p->sel;

	*out = sel->partition == NULL || strcmp(buf_str(&p->doc.partition), sel->partition) == 0;
	return *out ? docmatch_all(text, sel->equal, sel->n_equal, out, e) : 0;
}

static int
visit(struct page *p, int half, const struct docname *name, struct err *e)
{
	struct buf *bytes = &p->pieces.bytes;
	const size_t at = bytes->n;
	bool selected;
	int r;

	if (deadline_left_ns(p->d) == 0)
		return err_set(e, ETIMEDOUT, "reading a page took too long");
	r = docdirpage_read(p->c, half, name, p->worker, bytes, &p->doc, e);
	if (r == -ENOENT) { /* removed just now, or no regular file */
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	p->files++;
	p->bytes += bytes->n - at;
	r = is_selected(p, span_of(bytes->p + at, bytes->n - at), &selected, e);
	if (r == 0 && (!selected || p->sel->what == DOCSTORE_PARTITIONS))
		bytes->n = at;
	if (r == 0 && selected && p->sel->what == DOCSTORE_PARTITIONS)
		r = buf_add(bytes, p->doc.partition.p, p->doc.partition.n, e);
	if (r == 0 && selected)
		r = docpieces_end(&p->pieces, at, e);
	return r;
}

/* ---- the directories, in order */

static int
visit_half(struct page *p, uint8_t first, struct err *e)
{
	AUTO_DOCNAMES names = { .n = 0 };
	int half, r = docplace_open_half(p->c->documents, first, &half, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	r = docnames_read(half, first, &names, e);
	for (size_t i = 0; r == 0 && i < names.n && !p->full; i++) {
		const struct docname *name = &names.name[i];

		if ((p->begun && docname_compare(name, &p->last) <= 0) ||
		    !docdirrange_has(&p->range, name))
			continue;
		r = visit(p, half, name, e);
		p->last = *name;
		p->begun = true;
		p->full = docpieces_full(&p->pieces, p->sel->max_items) || p->files >= READ_FILES ||
			  p->bytes >= READ_BYTES;
	}
	(void)close(half);
	return r;
}

static int
run(struct page *p, struct err *e)
{
	int r = 0;

	if (p->c->documents < 0)
		return 0;
	for (unsigned h = p->begun ? p->last.b[0] : 0; r == 0 && h < 256 && !p->full; h++)
		if (docdirrange_meets(&p->range, (uint8_t)h))
			r = visit_half(p, (uint8_t)h, e);
	return r;
}

/* ---- cursors */

static int
parse_cursor(struct page *p, const struct buf *cursor, struct err *e)
{
	struct docdircursor last = { .changes = false };
	int r;

	if (cursor->n == 0)
		return 0;
	r = docdircursor_parse(buf_span(cursor), p->c->def->rid, &last, e);
	if (r < 0)
		return r;
	p->last = last.name;
	p->begun = true;
	return 0;
}

static int
write_cursor(const struct page *p, struct buf *cursor, struct err *e)
{
	if (p->full)
		return docdircursor_write(&(struct docdircursor){ .name = p->last }, p->c->def->rid,
					  cursor, e);
	buf_reset(cursor);
	return 0;
}

int
docdirpage_run(const struct docdir_container *c, const struct docstore_select *sel,
	       struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	       struct deadline d, struct err *e)
{
	struct page p = { .c = c, .sel = sel, .d = d };
	int r;

	docpieces_init(&p.pieces);
	buf_init(&p.doc.partition, DOCSTORE_PARTITION_MAX);
	r = docdirrange_of(sel, &p.range, e);
	if (r == 0)
		r = parse_cursor(&p, cursor, e);
	if (r == 0)
		r = document_worker_new(&p.worker, e);
	if (r == 0)
		r = run(&p, e);
	if (r == 0)
		r = docdir_container_check(c, e);
	if (r == 0)
		r = docpieces_send(&p.pieces, sink, e);
	if (r == 0)
		r = write_cursor(&p, cursor, e);
	if (r == 0)
		*out = (struct docstore_page){ .charge = 0 };
	document_worker_free(p.worker);
	buf_clear(&p.doc.partition);
	docpieces_clear(&p.pieces);
	return r;
}
