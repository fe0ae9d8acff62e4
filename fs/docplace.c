/* SPDX-License-Identifier: MIT */
/* Where documents can be written, and over what: parts of docwrite.c that ask nobody. */
#include <errno.h>
#include <string.h>

#include "fs/docwrite.h"

static const char SUFFIX[] = ".json";

int
docwrite_read_only(struct err *e)
{
	return err_set(e, EROFS, "documents are written to items/KEY/ID.json, nowhere else");
}

int
docwrite_changed(struct err *e)
{
	(void)err_set(e, ESTALE, "there is another version now");
	return err_mark(e, "remote.changed", NULL);
}

int
docwrite_withheld(struct err *e)
{
	(void)err_set(e, EACCES,
		      "the document has properties that this identity may not see: a new version "
		      "would lose them");
	return err_mark(e, "policy.withheld",
			"write it as somebody who may use all of its keys, or delete it");
}

int
docwrite_may_write(const struct docview *v, const char *etag, struct err *e)
{
	if (etag != NULL && strstr(etag, DOCBOX_WITHHELD_MARK) != NULL)
		return docwrite_withheld(e);
	if (v->cfg.pin_file != NULL)
		return 0;
	(void)err_set(e, EACCES, "documents are written under a pinned policy only");
	return err_mark(e, "policy.pin",
			"mount with pin=FILE: it is written on first use and guards what follows");
}

int
docwrite_stored_etag(const char *etag, struct buf *out, struct err *e)
{
	const char *mark = strstr(etag, DOCBOX_WITHHELD_MARK);

	return buf_add(out, etag, mark != NULL ? (size_t)(mark - etag) : strlen(etag), e);
}

/* ---- by the words of a path ---- */

static bool
is_document_name(const char *name)
{
	const size_t n = strlen(name), n_suffix = sizeof(SUFFIX) - 1;

	return n >= n_suffix && memcmp(name + n - n_suffix, SUFFIX, n_suffix) == 0;
}

/*
 * Whether some value has that file name.  Longs and doubles have names of their own where they are
 * sealed; whether they are may not be known.
 */
static int
check_name(const char *name, const char *suffix, struct err *e)
{
	enum names_kind kind = NAMES_NOTHING;
	struct docvalue value;
	AUTO_BUF bytes;
	int r = 0;

	buf_init(&bytes, DOCSTORE_PARTITION_MAX);
	for (int sealed = 0; r == 0 && kind == NAMES_NOTHING && sealed < 2; sealed++)
		r = valuename_parse(name, sealed != 0, suffix, &kind, &value, &bytes, e);
	if (r == 0 && kind != NAMES_PLAIN && kind != NAMES_ALIAS)
		return err_set(e, EINVAL, "no value has the name '%s'", name);
	return r;
}

/* Levels of the container if it is known, -1 otherwise. */
static int
known_levels(struct docview *v, const struct docpath *p)
{
	struct docbox *box = docview_known_box(v, p);
	int n = -1;

	if (box != NULL)
		n = docbox_def(box)->by_id ? 0 : (int)docbox_def(box)->n_partition;
	docbox_put(box);
	return n;
}

static int
place(struct docview *v, const struct docpath *p, enum view_place *out, struct err *e)
{
	const int levels = known_levels(v, p);
	const char *name;
	int r = 0;

	if (p->area != DOCAREA_ITEMS || p->n_rest == 0 ||
	    (levels >= 0 && p->n_rest != (unsigned)levels + 1))
		return docwrite_read_only(e);
	name = p->rest[p->n_rest - 1];
	for (unsigned i = 0; r == 0 && i + 1 < p->n_rest; i++)
		r = check_name(p->rest[i], "", e);
	if (r == 0 && is_document_name(name)) {
		*out = VIEW_PLACE_SEALED;
		return check_name(name, SUFFIX, e);
	}
	if (r == 0)
		*out = VIEW_PLACE_LOCAL;
	return r;
}

int
docwrite_place(struct view *view, const char *path, enum view_place *out, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	enum view_place found = VIEW_PLACE_LOCAL;
	int r = docpath_parse(v->store, path, &p, e);

	if (r == -ENOENT) {
		err_clear(e);
		return docwrite_read_only(e);
	}
	if (r == 0)
		r = place(v, &p, &found, e);
	if (r == 0)
		*out = found;
	return r;
}

/* ---- with the container ---- */

int
docplace_check(const struct docpath *p, const struct docbox *box, bool creates, struct err *e)
{
	const struct container_def *def = docbox_def(box);
	const unsigned levels = def->by_id ? 0 : def->n_partition;

	if (p->n_rest != levels + 1)
		return docwrite_read_only(e);
	for (unsigned i = 0; creates && i < p->n_rest; i++)
		if (strstr(p->rest[i], "%~") != NULL)
			return err_set(e, ENAMETOOLONG,
				       "'%s' is the abbreviated name of what is there already, and "
				       "no name for what is new",
				       p->rest[i]);
	return 0;
}
