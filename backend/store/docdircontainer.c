/* SPDX-License-Identifier: MIT */
/* A container of a dir: store of documents: see docdircontainer.h. */
#include "backend/store/docdircontainer.h"

#include <errno.h>
#include <unistd.h>

#include "backend/store/docmatch.h"
#include "backend/store/docplace.h"

static int
read_container(int databases, const struct docstore_at *at, int *out_fd, struct buf *text,
	       struct err *e)
{
	int fd, r = docplace_container(databases, at->database, at->container, &fd, e);

	if (r < 0)
		return r;
	r = docplace_container_text(fd, at->container, text, e);
	if (r == 0) {
		*out_fd = fd;
		return 0;
	}
	(void)close(fd);
	return r == -ENOENT ? r
			    : docplace_in_container(at->database, at->container,
						    docplace_container_file, e);
}

static int
check_rid(struct span text, const struct docstore_at *at, struct err *e)
{
	const char *known = at->rid != NULL ? at->rid : at->def != NULL ? at->def->rid : NULL;
	AUTO_BUF rid;
	bool any;
	int r;

	if (known == NULL)
		return 0;
	buf_init(&rid, COSMOS_ID_MAX);
	r = docmatch_string(text, "_rid", &rid, &any, e);
	if (r < 0)
		return docplace_in_container(at->database, at->container, docplace_container_file,
					     e);
	if (any && strcmp(buf_str(&rid), known) == 0)
		return 0;
	(void)err_set(e, ESTALE, "the container is another one than before");
	return err_mark(e, "remote.recreated", NULL);
}

void
docdir_container_leave(struct docdir_container *c)
{
	if (c->documents >= 0)
		(void)close(c->documents);
	container_def_clear(&c->own);
}

/* The container's definition is the caller's, where it has one of this very container. */
int
docdir_container_enter(int databases, const struct docstore_at *at, struct docdir_container *out,
		       struct err *e)
{
	struct docdir_container c = {
		.at = at, .def = at->def, .documents = -1, .databases = databases
	};
	AUTO_BUF text;
	int fd, r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = read_container(databases, at, &fd, &text, e);
	if (r < 0)
		return r;
	r = check_rid(buf_span(&text), at, e);
	if (r == 0 && c.def == NULL) {
		r = container_def_parse(buf_span(&text), &c.own, e);
		c.def = &out->own;
		if (r < 0)
			r = docplace_in_container(at->database, at->container,
						  docplace_container_file, e);
	}
	if (r == 0) {
		r = dirplace_openat(fd, "documents", "", true, &c.documents, e);
		if (r == -ENOENT) { /* a container without documents */
			err_clear(e);
			r = 0;
		}
	}
	(void)close(fd);
	if (r < 0) {
		docdir_container_leave(&c);
		return r;
	}
	*out = c;
	return 0;
}

int
docdir_container_check(const struct docdir_container *c, struct err *e)
{
	const struct docstore_at now = { .database = c->at->database,
					 .container = c->at->container,
					 .rid = c->def->rid };
	AUTO_BUF text;
	int r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = docdir_container_text(c->databases, &now, &text, e);
	if (r != -ENOENT)
		return r;
	err_clear(e); /* whoever makes it anew takes this file away first */
	(void)err_set(e, ESTALE, "the container is being made anew");
	return err_mark(e, "remote.recreated", NULL);
}

int
docdir_container_text(int databases, const struct docstore_at *at, struct buf *out, struct err *e)
{
	AUTO_BUF text;
	int fd, r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = read_container(databases, at, &fd, &text, e);
	if (r < 0)
		return r;
	(void)close(fd);
	r = check_rid(buf_span(&text), at, e);
	if (r < 0)
		return r;
	buf_reset(out);
	return buf_add(out, text.p, text.n, e);
}
