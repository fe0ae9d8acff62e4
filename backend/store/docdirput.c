/* SPDX-License-Identifier: MIT */
/*
 * Single documents of a dir: store: see docdirput.h.
 *
 * A write holds the lock of the store from its look at what is there until the new file is in
 * place and synced: nothing comes between its condition and what it does, and no export makes the
 * container anew meanwhile.  Readers take no lock: a file is replaced by rename.
 *
 * What the service would add is added here: _rid, which stays with a document as long as it is
 * replaced, _etag and _ts.
 */
#include "backend/store/docdirput.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dirfile.h"
#include "backend/store/docdircontainer.h"
#include "backend/store/docdirpage.h"
#include "backend/store/docdirroot.h"
#include "backend/store/docdirstamp.h"
#include "backend/store/docmatch.h"
#include "backend/store/docplace.h"
#include "base/jsonscan.h"

enum { RID_MAX = 255, SYSTEM_MAX = 1 << 10 };

/* A document's place, and what is there. */
struct found {
	struct docname name;
	bool there;
	bool fits; /* the ETag asked for, or none was */
	struct docdirstamp stamp;
	char rid[RID_MAX + 1]; /* as it stands in JSON; "" = none that can be kept */
};

/* ---- what is there */

static void
note(const struct document_head *head, const char *etag, struct found *f)
{
	f->there = true;
	f->fits = etag == NULL || docmatch_etag(head->etag, etag);
	f->stamp = docdirstamp_of(head);
	if (head->rid.p != NULL && head->rid.n <= RID_MAX)
		memcpy(f->rid, head->rid.p, head->rid.n);
}

/* Two partitions may share a name: the document of the other one is in the way. */
static int
check_partition(const struct docdir_container *c, const struct docdir_document *doc,
		const char *partition, const struct docname *name, struct err *e)
{
	if (strcmp(buf_str(&doc->partition), partition) == 0)
		return 0;
	(void)err_set(e, EBADMSG, "belongs to another partition");
	(void)err_mark(e, "integrity.dir", NULL);
	return docplace_in_document(c->at->database, c->at->container, name, e);
}

static int
read_old(const struct docdir_container *c, const char *partition, const char *etag,
	 struct document_worker *worker, struct found *f, struct err *e)
{
	struct docdir_document doc;
	AUTO_BUF text;
	int half, r = docplace_open_half(c->documents, f->name.b[0], &half, e);

	if (r < 0)
		return r;
	buf_init(&text, DOCUMENT_TEXT_MAX);
	buf_init(&doc.partition, DOCSTORE_PARTITION_MAX);
	r = docdirpage_read(c, half, &f->name, worker, &text, &doc, e);
	if (r == 0)
		r = check_partition(c, &doc, partition, &f->name, e);
	if (r == 0)
		note(&doc.head, etag, f);
	buf_clear(&doc.partition);
	(void)close(half);
	return r;
}

static int
find(const struct docdir_container *c, const char *partition, const char *id, const char *etag,
     struct document_worker *worker, struct found *f, struct err *e)
{
	int r;

	*f = (struct found){ .there = false };
	r = docname_of(span_str(partition), span_str(id), &f->name, e);
	if (r == 0)
		r = read_old(c, partition, etag, worker, f, e);
	if (r != -ENOENT)
		return r;
	err_clear(e);
	return 0;
}

static int
changed(struct err *e)
{
	(void)err_set(e, ESTALE, "it has been changed");
	return err_mark(e, "remote.changed", NULL);
}

/* ---- what will be there */

/* Replaces out by the text with what the service would add. */
static int
compose(struct span text, const struct found *f, const struct docdirstamp *stamp, const char *etag,
	struct buf *out, struct err *e)
{
	uint64_t number[2];
	char rid[RID_MAX + 1];
	int r;

	while (text.n > 0 && strchr(" \t\r\n", text.p[text.n - 1]) != NULL)
		text.n--;
	if (text.n < 2 || text.p[text.n - 1] != '}')
		return err_set(e, EINVAL, "the document is not a JSON object");
	arc4random_buf(number, sizeof(number));
	(void)snprintf(rid, sizeof(rid), "%016llX%016llX", (unsigned long long)number[0],
		       (unsigned long long)number[1]);
	buf_reset(out);
	r = buf_add(out, text.p, text.n - 1, e);
	if (r == 0)
		r = buf_addf(out, e,
			     ",\"_rid\":\"%s\",\"_etag\":", f->rid[0] != '\0' ? f->rid : rid);
	if (r == 0)
		r = jsonscan_quote(span_str(etag), out, e);
	return r < 0 ? r : buf_addf(out, e, ",\"_ts\":%lld}", (long long)stamp->ts);
}

/* Whoever reads it later must take it, under this name. */
static int
check(const struct docdir_container *c, struct document_worker *worker, struct span text,
      const char *partition, const struct docname *name, struct err *e)
{
	struct document_head head;
	struct docname found;
	AUTO_BUF own;
	int r;

	buf_init(&own, DOCSTORE_PARTITION_MAX);
	r = document_scan(worker, c->def, text, &head, e);
	if (r == 0)
		r = docname_of_document(c->def, &head, &own, &found, e);
	if (r == -EBADMSG) {
		e->no = EINVAL;
		e->event = NULL;
		return err_in(e, "no document can be so");
	}
	if (r < 0)
		return r;
	if (docname_compare(&found, name) != 0 || strcmp(buf_str(&own), partition) != 0)
		return err_set(e, EINVAL, "the document's id or partition key is another");
	return 0;
}

/* ---- putting it in place */

static int
open_documents(const struct docdir_container *c, int *out, struct err *e)
{
	int container, r = docplace_container(c->databases, c->at->database, c->at->container,
					      &container, e);

	if (r < 0)
		return r;
	r = dirplace_make_dir(container, "documents", "", out, e);
	(void)close(container);
	return r;
}

static int
open_half(const struct docdir_container *c, const char *file, int *out, struct err *e)
{
	char name[3] = "";
	int documents, r = open_documents(c, &documents, e);

	if (r < 0)
		return r;
	memcpy(name, file, 2);
	r = dirplace_make_dir(documents, name, "", out, e);
	(void)close(documents);
	return r;
}

static int
keep(const struct docdir_container *c, const struct docname *name, struct span text, struct err *e)
{
	char file[DOCNAME_TEXT + 1];
	int half, r;

	docname_print(name, file);
	r = open_half(c, file, &half, e);
	if (r == 0) {
		r = dirfile_put(half, file, docname_suffix, text, e);
		if (r == 0)
			r = dirfile_sync(half, e);
		(void)close(half);
	}
	return r < 0 ? docplace_in_document(c->at->database, c->at->container, name, e) : 0;
}

static int
put_into(const struct docdir_container *c, const struct docstore_put *put,
	 struct document_worker *worker, char etag[static DOCSTORE_ETAG_MAX + 1], struct err *e)
{
	struct docdirstamp stamp;
	struct found found;
	AUTO_BUF text;
	int r = find(c, put->partition, put->id, put->etag, worker, &found, e);

	if (r < 0)
		return r;
	if (put->etag == NULL && found.there)
		return err_set(e, EEXIST, "a document of that id is there");
	if (put->etag != NULL && (!found.there || !found.fits))
		return changed(e);
	buf_init(&text, DOCSTORE_DOCUMENT_MAX + SYSTEM_MAX);
	stamp = docdirstamp_after(found.there ? &found.stamp : NULL);
	docdirstamp_etag(&stamp, etag);
	r = compose(put->text, &found, &stamp, etag, &text, e);
	if (r == 0)
		r = check(c, worker, buf_span(&text), put->partition, &found.name, e);
	return r < 0 ? r : keep(c, &found.name, buf_span(&text), e);
}

/* ---- deleting */

static int
take_away(const struct docdir_container *c, const struct docname *name, struct err *e)
{
	char file[DOCNAME_TEXT + 8];
	int half, r = docplace_open_half(c->documents, name->b[0], &half, e);

	if (r < 0)
		return r;
	docname_print(name, file);
	memcpy(file + DOCNAME_TEXT, docname_suffix, sizeof(".json"));
	r = dirfile_remove(half, file, e);
	if (r == 0)
		r = dirfile_sync(half, e);
	(void)close(half);
	return r < 0 ? docplace_in_document(c->at->database, c->at->container, name, e) : 0;
}

static int
delete_from(const struct docdir_container *c, const char *partition, const char *id,
	    const char *etag, struct document_worker *worker, struct err *e)
{
	struct found found;
	int r = find(c, partition, id, etag, worker, &found, e);

	if (r < 0)
		return r;
	if (!found.there) {
		(void)err_set(e, ENOENT, "no such object in the directory store");
		return err_mark(e, "remote.gone", NULL);
	}
	return found.fits ? take_away(c, &found.name, e) : changed(e);
}

/* ---- under the lock */

/* What one write needs from its beginning to its end. */
struct writing {
	int lock;
	struct docdir_container c;
	struct document_worker *worker;
};

static void
end(struct writing *w)
{
	docdir_container_leave(&w->c);
	document_worker_free(w->worker);
	(void)close(w->lock);
}

static int
begin(int databases, const struct docstore_at *at, struct deadline d, struct writing *w,
      struct err *e)
{
	int r = docdirroot_lock(databases, d, &w->lock, e);

	if (r < 0)
		return r;
	r = docdir_container_enter(databases, at, &w->c, e);
	if (r < 0) {
		(void)close(w->lock);
		return r;
	}
	w->worker = NULL;
	r = document_worker_new(&w->worker, e);
	if (r < 0)
		end(w);
	return r;
}

int
docdirput_put(int databases, const struct docstore_at *at, const struct docstore_put *put,
	      char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	struct writing w;
	int r = begin(databases, at, d, &w, e);

	if (r < 0)
		return r;
	r = put_into(&w.c, put, w.worker, etag, e);
	end(&w);
	return r;
}

int
docdirput_delete(int databases, const struct docstore_at *at, const char *partition, const char *id,
		 const char *etag, struct deadline d, struct err *e)
{
	struct writing w;
	int r = begin(databases, at, d, &w, e);

	if (r < 0)
		return r;
	r = delete_from(&w.c, partition, id, etag, w.worker, e);
	end(&w);
	return r;
}
