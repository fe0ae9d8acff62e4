/* SPDX-License-Identifier: MIT */
/*
 * The dir: driver of documents: see docdir.h.
 *
 * Nothing is kept between calls but the directory databases/: what is there counts, as it is when
 * it is asked for.  Every document that is handed out has been read, scanned and found to lie where
 * its partition and id say; a store of this kind has no one else to check that.
 */
#include "backend/store/docdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dircollect.h"
#include "backend/store/dirmarker.h"
#include "backend/store/docdirpage.h"
#include "backend/store/docdirput.h"
#include "backend/store/docmatch.h"
#include "backend/store/docplace.h"
#include "crypto/dekrecord.h"

struct docdir {
	struct docstore store;
	int databases;
};

static struct docdir *
of(struct docstore *s)
{
	return (struct docdir *)s; /* store is the first member */
}

/* A file is read at once: what is late is late before that. */
static int
in_time(struct deadline d, struct err *e)
{
	return deadline_left_ns(d) > 0 ? 0 : err_set(e, ETIMEDOUT, "reading took too long");
}

/* ---- containers */

static int
docdir_container(struct docstore *s, const struct docstore_at *at, struct buf *out,
		 struct deadline d, struct err *e)
{
	int r = in_time(d, e);

	return r < 0 ? r : docdir_container_text(of(s)->databases, at, out, e);
}

static int
enter(const struct docdir *dd, const struct docstore_at *at, struct docdir_container *out,
      struct deadline d, struct err *e)
{
	int r = in_time(d, e);

	return r < 0 ? r : docdir_container_enter(dd->databases, at, out, e);
}

/* ---- names */

/* Only what has been put in place as a whole is there: container.json comes last. */
static int
is_complete(int containers, const char *name, bool *out, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int dir, fd, r = dirplace_of_component(containers, span_str(name), &place, e);

	if (r == 0)
		r = dirplace_openat(place.fd, place.end, ".d", true, &dir, e);
	if (r < 0)
		return r;
	r = dirplace_openat(dir, docplace_container_file, "", false, &fd, e);
	(void)close(dir);
	if (r < 0)
		return r;
	(void)close(fd);
	*out = true;
	return 0;
}

static int
is_directory(int databases, const char *name, bool *out, struct err *e)
{
	int fd, r = docplace_database(databases, name, &fd, e);

	if (r < 0)
		return r;
	(void)close(fd);
	*out = true;
	return 0;
}

static int
send_name(int fd, struct span key, int (*check)(int, const char *, bool *, struct err *),
	  struct docstore_names sink, struct err *e)
{
	char name[COSMOS_ID_MAX + 1];
	bool there = false;
	int r;

	if (key.n >= sizeof(name))
		return 0;
	memcpy(name, key.p, key.n);
	name[key.n] = '\0';
	if (!cosmos_id_is_good(name))
		return 0;
	r = check(fd, name, &there, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r < 0 || !there ? r : sink.name(sink.arg, name, e);
}

static int
list_directory(int fd, int (*check)(int, const char *, bool *, struct err *),
	       struct docstore_names sink, struct err *e)
{
	AUTO_DIRCOLLECT found = { .n = 0 };
	int r = dircollect_read(fd, NULL, ".d", &found, e);

	for (size_t i = 0; r == 0 && i < found.n; i++) {
		const struct span key = dircollect_key(&found, found.items[i]);

		r = send_name(fd, span_of(key.p, key.n - 1), check, sink, e);
	}
	return r;
}

/* Opens a directory of a database; *out is -1 when the database has none of that name. */
static int
open_below(const struct docdir *dd, const char *database, const char *name, int *out,
	   struct deadline d, struct err *e)
{
	int db, r = in_time(d, e);

	if (r == 0)
		r = docplace_database(dd->databases, database, &db, e);
	if (r < 0)
		return r;
	r = dirplace_openat(db, name, "", true, out, e);
	(void)close(db);
	if (r != -ENOENT)
		return r;
	err_clear(e);
	*out = -1;
	return 0;
}

static int
docdir_list(struct docstore *s, const char *database, struct docstore_names sink, struct deadline d,
	    struct err *e)
{
	const struct docdir *dd = of(s);
	int containers, r;

	if (database == NULL) {
		r = in_time(d, e);
		return r < 0 ? r : list_directory(dd->databases, is_directory, sink, e);
	}
	r = open_below(dd, database, "containers", &containers, d, e);
	if (r < 0 || containers < 0)
		return r;
	r = list_directory(containers, is_complete, sink, e);
	(void)close(containers);
	return r;
}

/* ---- keys */

static int
read_key(int keys, const char *database, const char *id, struct buf *text, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_BUF path;
	int r = docplace_key_text(keys, id, text, e);

	if (r == 0 || r == -ENOENT)
		return r;
	buf_init(&path, 4 * COSMOS_ID_MAX);
	if (buf_add_str(&path, "keys/", &ignored) < 0 ||
	    dirname_component(span_str(id), docname_suffix, &path, &ignored) < 0)
		return r;
	return docplace_in_database(database, buf_str(&path), e);
}

static bool
has_etag(struct span text, const char *etag)
{
	struct err ignored = { 0 };
	AUTO_BUF stored;
	bool any;

	buf_init(&stored, 8 * DOCSTORE_ETAG_MAX);
	return docmatch_string(text, "_etag", &stored, &any, &ignored) == 0 && any &&
	       docmatch_same_etag(buf_span(&stored), etag);
}

static int
docdir_key(struct docstore *s, const char *database, const char *id, const char *etag,
	   struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	AUTO_BUF text;
	int keys, r = open_below(of(s), database, "keys", &keys, d, e);

	if (r < 0)
		return r;
	buf_init(&text, DEK_RECORD_TEXT_MAX);
	r = read_key(keys, database, id, &text, e);
	if (keys >= 0)
		(void)close(keys);
	if (r < 0)
		return r;
	buf_reset(out);
	*out_same = etag != NULL && has_etag(buf_span(&text), etag);
	return *out_same ? 0 : buf_add(out, text.p, text.n, e);
}

static int
send_key(int keys, const char *database, struct span key, struct docstore_sink sink, struct err *e)
{
	char id[COSMOS_ID_MAX + 1];
	AUTO_BUF text;
	int r;

	buf_init(&text, DEK_RECORD_TEXT_MAX);
	if (key.n >= sizeof(id))
		return 0;
	memcpy(id, key.p, key.n);
	id[key.n] = '\0';
	r = read_key(keys, database, id, &text, e);
	if (r == -ENOENT) { /* a name that no key has, no regular file, or removed just now */
		err_clear(e);
		return 0;
	}
	return r < 0 ? r : sink.text(sink.arg, buf_span(&text), e);
}

static int
docdir_keys(struct docstore *s, const char *database, struct docstore_sink sink, struct deadline d,
	    struct err *e)
{
	AUTO_DIRCOLLECT found = { .n = 0 };
	int keys, r = open_below(of(s), database, "keys", &keys, d, e);

	if (r < 0 || keys < 0)
		return r;
	r = dircollect_read(keys, docname_suffix, NULL, &found, e);
	for (size_t i = 0; r == 0 && i < found.n; i++) {
		r = in_time(d, e);
		if (r == 0)
			r = send_key(keys, database, dircollect_key(&found, found.items[i]), sink,
				     e);
	}
	(void)close(keys);
	return r;
}

/* ---- documents */

static int
docdir_ranges(struct docstore *s, const struct docstore_at *at, struct docstore_ranges sink,
	      struct deadline d, struct err *e)
{
	struct docdir_container c;
	int r = enter(of(s), at, &c, d, e);

	if (r < 0)
		return r;
	docdir_container_leave(&c);
	return sink.range(sink.arg, "", "FF", e);
}

static int
docdir_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	    struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	    struct deadline d, struct err *e)
{
	struct docdir_container c;
	int r = enter(of(s), at, &c, d, e);

	if (r < 0)
		return r;
	r = sel->changes ? docdirpage_changes(&c, sel, cursor, sink, out, d, e)
			 : docdirpage_run(&c, sel, cursor, sink, out, d, e);
	docdir_container_leave(&c);
	return r;
}

static int
read_document(const struct docdir_container *c, const char *partition, const char *id,
	      const char *etag, struct buf *out, bool *out_same, struct err *e)
{
	struct document_worker *worker = NULL;
	struct docdir_document doc;
	struct docname name;
	int half, r;

	r = docname_of(span_str(partition), span_str(id), &name, e);
	if (r == 0)
		r = docplace_open_half(c->documents, name.b[0], &half, e);
	if (r < 0)
		return r;
	buf_init(&doc.partition, DOCSTORE_PARTITION_MAX);
	r = document_worker_new(&worker, e);
	if (r == 0)
		r = docdirpage_read(c, half, &name, worker, out, &doc, e);
	if (r == 0 && strcmp(buf_str(&doc.partition), partition) != 0) {
		(void)err_set(e, EBADMSG, "belongs to another partition");
		(void)err_mark(e, "integrity.dir", NULL);
		r = docplace_in_document(c->at->database, c->at->container, &name, e);
	}
	if (r == 0)
		*out_same = etag != NULL && docmatch_etag(doc.head.etag, etag);
	if (r < 0 || *out_same)
		buf_reset(out);
	buf_clear(&doc.partition);
	document_worker_free(worker);
	(void)close(half);
	return r;
}

static int
docdir_get(struct docstore *s, const struct docstore_at *at, const char *partition, const char *id,
	   const char *etag, struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	struct docdir_container c;
	int r = enter(of(s), at, &c, d, e);

	if (r < 0)
		return r;
	buf_reset(out);
	r = read_document(&c, partition, id, etag, out, out_same, e);
	docdir_container_leave(&c);
	return r;
}

static int
docdir_put(struct docstore *s, const struct docstore_at *at, const struct docstore_put *put,
	   char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	int r = in_time(d, e);

	return r < 0 ? r : docdirput_put(of(s)->databases, at, put, etag, d, e);
}

static int
docdir_delete(struct docstore *s, const struct docstore_at *at, const char *partition,
	      const char *id, const char *etag, struct deadline d, struct err *e)
{
	int r = in_time(d, e);

	return r < 0 ? r : docdirput_delete(of(s)->databases, at, partition, id, etag, d, e);
}

/* ---- life */

static void
docdir_free(struct docstore *s)
{
	struct docdir *dd = of(s);

	if (dd->databases >= 0)
		(void)close(dd->databases);
	free(dd);
}

static const struct docstore_ops docdir_ops = {
	.name = "dir",
	.list = docdir_list,
	.container = docdir_container,
	.key = docdir_key,
	.keys = docdir_keys,
	.ranges = docdir_ranges,
	.page = docdir_page,
	.get = docdir_get,
	.put = docdir_put,
	.delete = docdir_delete,
	.free = docdir_free,
};

static int
set_name(char to[static 256], const char *name, struct err *e)
{
	if (name[0] != '\0' && !cosmos_id_is_good(name))
		return err_set(e, EINVAL, "'%s' cannot be the name of a database or container",
			       name);
	(void)snprintf(to, 256, "%s", name);
	return 0;
}

int
docdir_open(const char *path, const char *database, const char *container, struct docstore **out,
	    struct err *e)
{
	struct docdir *dd = calloc(1, sizeof(*dd));
	int r;

	if (dd == NULL)
		return err_set(e, ENOMEM, "out of memory");
	dd->databases = -1;
	dd->store.ops = &docdir_ops;
	(void)snprintf(dd->store.label, sizeof(dd->store.label), "%s%s%s%s%s", path,
		       database[0] != '\0' ? "/" : "", database, container[0] != '\0' ? "/" : "",
		       container);
	r = set_name(dd->store.database, database, e);
	if (r == 0)
		r = set_name(dd->store.container, container, e);
	if (r == 0)
		r = dirmarker_open(path, DIRMARKER_DOCUMENTS, "databases", &dd->databases, e);
	if (r < 0) {
		docdir_free(&dd->store);
		return r;
	}
	*out = &dd->store;
	return 0;
}
