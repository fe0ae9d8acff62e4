/* SPDX-License-Identifier: MIT */
/*
 * Copying a container into a directory: see docdir.h.
 *
 * All of it is one walk by pages, not one for each range: a page's cursor stands for where every
 * range is, so the store that splits or merges them on the way is the one that keeps count.
 */
#include "backend/store/docdir.h"

#include <errno.h>

#include "backend/store/docmatch.h"

struct copying {
	struct docstore *from;
	struct docdir_writer *to;
	struct docstore_at at;
	int64_t timeout_ns;
	struct docdir_progress progress;
	uint64_t documents, bytes;
};

static int
take_key(void *arg, struct span text, struct err *e)
{
	const struct copying *c = arg;
	AUTO_BUF id;
	bool any;
	int r;

	buf_init(&id, COSMOS_ID_MAX);
	r = docmatch_string(text, "id", &id, &any, e);
	if (r < 0)
		return r;
	if (!any) {
		(void)err_set(e, EBADMSG, "a key without id");
		return err_mark(e, "integrity.dek", NULL);
	}
	return docdir_put_key(c->to, c->at.database, buf_str(&id), text, e);
}

static int
take_document(void *arg, struct span text, struct err *e)
{
	struct copying *c = arg;
	int r = docdir_put_document(c->to, text, e);

	if (r == 0) {
		c->documents++;
		c->bytes += text.n;
	}
	return r;
}

static int
copy_documents(struct copying *c, struct err *e)
{
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	const struct docstore_sink sink = { take_document, c };
	struct docstore_page page;
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	do {
		r = docstore_page(c->from, &c->at, &all, &cursor, sink, &page,
				  deadline_in(c->timeout_ns), e);
		if (r == 0 && c->progress.seen != NULL)
			r = c->progress.seen(c->progress.arg, c->documents, c->bytes, e);
	} while (r == 0 && cursor.n > 0);
	return r;
}

static int
copy_container(struct copying *c, struct span text, struct err *e)
{
	int r = docdir_begin_container(c->to, c->at.database, c->at.container, text, e);

	if (r == 0)
		r = copy_documents(c, e);
	return r < 0 ? r : docdir_end_container(c->to, e);
}

int
docdir_copy(struct docstore *from, const char *database, const char *container,
	    struct docdir_writer *to, struct docdir_progress progress, int64_t timeout_ns,
	    struct err *e)
{
	struct copying c = { .from = from,
			     .to = to,
			     .at = { .database = database, .container = container },
			     .timeout_ns = timeout_ns,
			     .progress = progress };
	AUTO_CONTAINER_DEF def = { .id = NULL };
	AUTO_BUF text;
	int r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = docstore_container(from, &c.at, &text, deadline_in(timeout_ns), e);
	if (r == 0)
		r = container_def_parse(buf_span(&text), &def, e);
	if (r < 0)
		return r;
	c.at.def = &def;
	c.at.rid = def.rid;
	r = docstore_keys(from, database, (struct docstore_sink){ take_key, &c },
			  deadline_in(timeout_ns), e);
	return r < 0 ? r : copy_container(&c, buf_span(&text), e);
}
