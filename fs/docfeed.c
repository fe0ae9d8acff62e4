/* SPDX-License-Identifier: MIT */
/* The change feed, unsealed: see docfeed.h. */
#include "fs/docfeed.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/docviewfile.h"

struct docfeed {
	struct docview *v;
	struct docbox *box; /* a reference */
	struct dockeys *keys;
	struct docstore_select sel;
	char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1];
	struct buf cursor, next; /* next: where the page at hand leads */
	double charge;
};

struct opening {
	struct docfeed *f;
	const struct docfeed_config *cfg;
};

static int
open_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct opening *o = arg;
	struct docfeed *f = o->f;

	if (o->cfg->cursor != NULL && strcmp(o->cfg->rid, docbox_def(box)->rid) != 0) {
		(void)err_set(e, ESTALE,
			      "the saved position is of another container, or of this one "
			      "before it was created anew");
		return err_mark(e, "remote.recreated",
				"begin again: remove the state file, or name another one");
	}
	f->box = docbox_get(box);
	return o->cfg->cursor != NULL ? buf_add_str(&f->cursor, o->cfg->cursor, e) : 0;
}

static void
take_config(struct docfeed *f, const struct docfeed_config *cfg)
{
	(void)snprintf(f->min, sizeof(f->min), "%s", cfg->min != NULL ? cfg->min : "");
	(void)snprintf(f->max, sizeof(f->max), "%s", cfg->max != NULL ? cfg->max : "FF");
	f->sel = (struct docstore_select){
		.what = DOCSTORE_DOCUMENTS,
		.min = f->min,
		.max = f->max,
		.max_items = DOCVIEW_PAGE_ITEMS,
		.changes = true,
		.start = cfg->start,
		.start_s = cfg->start_s,
	};
	buf_init(&f->cursor, DOCSTORE_CURSOR_MAX);
	buf_init(&f->next, DOCSTORE_CURSOR_MAX);
}

int
docfeed_open(struct view *view, const struct docfeed_config *cfg, struct deadline d,
	     struct docfeed **out, struct err *e)
{
	struct docfeed *f;
	struct opening o = { .cfg = cfg };
	AUTO_DOCPATH p = { 0 };
	int r;

	if (docview_store(view) == NULL)
		return err_set(e, EINVAL, "SOURCE is not one of documents");
	r = docpath_parse(docview_store(view), cfg->path, &p, e);
	if (r == 0 && p.area != DOCAREA_CONTAINER)
		return err_set(e, EINVAL, "SOURCE does not name a container");
	f = r == 0 ? calloc(1, sizeof(*f)) : NULL;
	if (f == NULL)
		return r < 0 ? r : err_set(e, ENOMEM, "out of memory");
	f->v = docview_of(view);
	take_config(f, cfg);
	o.f = f;
	r = docview_in_box(f->v, &p, true, open_in_box, &o, d, e);
	if (r < 0) {
		docfeed_close(f);
		return r;
	}
	*out = f;
	return 0;
}

void
docfeed_close(struct docfeed *f)
{
	if (f == NULL)
		return;
	dockeys_put(f->keys);
	docbox_put(f->box);
	buf_clear(&f->cursor);
	buf_clear(&f->next);
	free(f);
}

struct page {
	struct docfeed *f;
	struct buf *lines;
	struct deadline d;
};

static int
add_line(void *arg, struct span text, struct err *e)
{
	const struct page *p = arg;
	struct docplain plain;
	const int r = docbox_unseal(p->f->box, &p->f->keys, text, p->lines, &plain, p->d, e);

	return r < 0 ? docbox_err_in(p->f->box, text, e) : 0;
}

int
docfeed_page(struct docfeed *f, struct deadline d, struct buf *lines, bool *out_idle, struct err *e)
{
	struct page p = { f, lines, d };
	struct docstore_page page = { 0 };
	struct dockeys *keys = NULL;
	int r = docbox_keys(f->box, true, d, &keys, e);

	if (r < 0)
		return r;
	dockeys_put(f->keys);
	f->keys = keys;
	buf_reset(&f->next);
	r = buf_add(&f->next, f->cursor.p, f->cursor.n, e);
	if (r == 0)
		r = docstore_page(f->v->store, docbox_at(f->box), &f->sel, &f->next,
				  (struct docstore_sink){ add_line, &p }, &page, d, e);
	if (r < 0)
		return r;
	buf_reset(&f->cursor);
	r = buf_add(&f->cursor, f->next.p, f->next.n, e);
	f->charge += page.charge;
	*out_idle = page.idle;
	return r;
}

const char *
docfeed_cursor(const struct docfeed *f)
{
	return buf_str(&f->cursor);
}

const char *
docfeed_rid(const struct docfeed *f)
{
	return docbox_def(f->box)->rid;
}

double
docfeed_charge(const struct docfeed *f)
{
	return f->charge;
}
