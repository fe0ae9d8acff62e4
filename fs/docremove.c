/* SPDX-License-Identifier: MIT */
/* Removing documents, and directories: see viewwrite.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fs/docwrite.h"

struct removal {
	struct docview *v;
	const struct docpath *p;
	const char *etag; /* the store's; NULL for directories */
	struct deadline d;
};

static void
forget(const struct removal *m, const struct docbox *box)
{
	docscan_forget(m->v, box);
	docmeasure_forget(m->v);
}

/* ---- documents ---- */

/* Who has emptied a directory still finds it, as anywhere: he may be about to remove it. */
static void
keep_directories(const struct removal *m, const struct docspot *s)
{
	for (unsigned n = 1; n <= s->n_keys; n++) {
		struct err ignored = { 0 };

		(void)!docdirs_add(m->v->dirs, s, m->p, n, &ignored);
	}
}

static int
remove_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct removal *m = arg;
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = docspot_resolve_take(m->v, m->p, docbox_get(box), true, m->d, &s, e);
	if (r < 0)
		return r;
	if (!s.is_document)
		return err_set(e, EISDIR, "is a directory");
	r = docstore_delete(m->v->store, docbox_at(box), buf_str(&s.partition), buf_str(&s.id),
			    m->etag, m->d, e);
	if (r == 0)
		keep_directories(m, &s);
	forget(m, box);
	return r;
}

static int
remove_document(struct view *view, const char *path, const char *etag, struct view_record *record,
		struct deadline d, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct removal m = { .v = v, .p = &p, .d = d };
	AUTO_BUF stored;
	int r = docpath_parse(v->store, path, &p, e);

	(void)record;
	buf_init(&stored, 2 * DOCSTORE_ETAG_MAX);
	if (r == 0 && (p.area != DOCAREA_ITEMS || p.n_rest == 0))
		r = docwrite_read_only(e);
	if (r == 0)
		r = docwrite_may_write(v, NULL, e);
	if (r == 0)
		r = docwrite_stored_etag(etag, &stored, e);
	if (r < 0)
		return r;
	m.etag = buf_str(&stored);
	return docview_in_box(v, &p, true, remove_in_box, &m, d, e);
}

/* ---- directories ---- */

/* A path that is a level of the partition key. */
static int
parse_directory(struct docview *v, const char *path, struct docpath *p, struct err *e)
{
	int r = docpath_parse(v->store, path, p, e);

	if (r == -ENOENT) {
		err_clear(e);
		return docwrite_read_only(e);
	}
	if (r == 0 && (p->area != DOCAREA_ITEMS || p->n_rest == 0))
		r = docwrite_read_only(e);
	return r == 0 ? docwrite_may_write(v, NULL, e) : r;
}

static int
resolve_directory(const struct removal *m, struct docbox *box, struct docspot *s, struct err *e)
{
	const struct container_def *def = docbox_def(box);

	if (m->p->n_rest > (def->by_id ? 0 : def->n_partition))
		return docwrite_read_only(e);
	return docspot_resolve_take(m->v, m->p, docbox_get(box), true, m->d, s, e);
}

static int
make_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct removal *m = arg;
	bool there;
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	for (unsigned i = 0; i < m->p->n_rest; i++)
		if (strstr(m->p->rest[i], "%~") != NULL)
			return err_set(e, ENAMETOOLONG, "'%s' is no name for what is new",
				       m->p->rest[i]);
	r = resolve_directory(m, box, &s, e);
	if (r == -ENOENT) {
		err_clear(e);
		return err_set(e, EINVAL, "no value of the partition key has that name");
	}
	if (r < 0)
		return r;
	there = docdirs_has(m->v->dirs, &s, m->p);
	if (!there)
		r = docview_is_there(m->v, &s, m->d, &there, e);
	if (r == 0 && there)
		r = err_set(e, EEXIST, "the directory is there");
	if (r == 0)
		r = docdirs_add(m->v->dirs, &s, m->p, s.n_keys, e);
	if (r == 0)
		docscan_forget(m->v, box);
	return r;
}

static int
make_dir(struct view *view, const char *path, struct deadline d, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct removal m = { .v = v, .p = &p, .d = d };
	int r = parse_directory(v, path, &p, e);

	return r < 0 ? r : docview_in_box(v, &p, true, make_in_box, &m, d, e);
}

static int
remove_dir_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct removal *m = arg;
	bool there = false;
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = resolve_directory(m, box, &s, e);
	if (r < 0)
		return r;
	if (!docdirs_any_below(m->v->dirs, &s))
		r = docview_is_there(m->v, &s, m->d, &there, e);
	else
		there = true;
	if (r == 0 && there)
		r = err_set(e, ENOTEMPTY, "the directory is not empty");
	if (r < 0)
		return r;
	docdirs_remove(m->v->dirs, &s, m->p, s.n_keys);
	docscan_forget(m->v, box);
	return 0;
}

static int
remove_dir(struct view *view, const char *path, struct deadline d, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct removal m = { .v = v, .p = &p, .d = d };
	int r = parse_directory(v, path, &p, e);

	return r < 0 ? r : docview_in_box(v, &p, true, remove_dir_in_box, &m, d, e);
}

/* ---- what documents have not ---- */

static int
may_replace(struct view *view, const char *path, const char *etag, struct view_record *record,
	    bool keeps_content, struct deadline d, struct err *e)
{
	(void)path;
	(void)record;
	(void)keeps_content;
	(void)d;
	return docwrite_may_write(docview_of(view), etag, e);
}

/* All of a document comes with the commit. */
static int
no_region(struct view_sealing *s, struct view_plain plain, struct deadline d, struct err *e)
{
	(void)s;
	(void)plain;
	(void)d;
	return err_set(e, EOPNOTSUPP, "a document has no regions");
}

/* Its name is its id, which is sealed into it. */
static int
no_rename(struct view *view, const char *from, const char *etag, struct view_record *record,
	  const char *to, const char *over, struct view_sink now, struct deadline d, struct err *e)
{
	(void)view;
	(void)from;
	(void)etag;
	(void)record;
	(void)to;
	(void)over;
	(void)now;
	(void)d;
	return err_set(e, EXDEV, "a document is called by its own id and key");
}

struct unchanged {
	const char *etag;
	struct view_sink now;
};

static int
send_unchanged(void *arg, const struct view_item *item, struct err *e)
{
	const struct unchanged *u = arg;

	if (item->dir || strcmp(item->etag, u->etag) != 0)
		return docwrite_changed(e);
	return u->now.item(u->now.arg, item, e);
}

/* The time of a document is the service's.  Programs that copy times go on. */
static int
keep_mtime(struct view *view, const char *path, const char *etag, struct view_record *record,
	   int64_t mtime_ns, struct view_sink now, struct deadline d, struct err *e)
{
	struct unchanged u = { etag, now };

	(void)record;
	(void)mtime_ns;
	return docview_lookup(view, path, (struct view_sink){ send_unchanged, &u }, d, e);
}

const struct view_write_ops docview_write_ops = {
	.place = docwrite_place,
	.may_replace = may_replace,
	.seal = docwrite_seal,
	.region = no_region,
	.commit = docwrite_commit,
	.sealing_free = docwrite_sealing_free,
	.remove = remove_document,
	.rename = no_rename,
	.set_mtime = keep_mtime,
	.respells = true,
	.make_dir = make_dir,
	.remove_dir = remove_dir,
};
