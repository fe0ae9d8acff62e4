/* SPDX-License-Identifier: MIT */
/*
 * Writing a dir: store of documents: see docdir.h.
 *
 * What is there is a store at every moment, whenever the writer is killed.  A container is listed
 * once its container.json is there, which is put in place last: after all its documents, and after
 * those that it no longer has are gone.  A container that is written again stays listed meanwhile,
 * unless it is another one now (its _rid, policy or partition key): then container.json goes first.
 *
 * Everything is done below the root's descriptor without following a link, under one temporary
 * name for each directory, and one writer at a time holds a lock on the root.
 */
#include "backend/store/docdir.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dirfile.h"
#include "backend/store/docdirroot.h"
#include "backend/store/docnames.h"
#include "backend/store/docplace.h"
#include "crypto/dekrecord.h"

enum { HALVES = 256 };

/* The container that is being written. */
struct writing {
	char *database, *id;
	int container, documents; /* directories */
	struct container_def def;
	struct buf text;      /* container.json, for the end */
	bool anew;	      /* no documents were there before */
	struct docnames put;  /* unless anew */
	bool touched[HALVES]; /* directories HH to sync at the end */
};

struct docdir_writer {
	int root, databases;
	bool open; /* between begin and end */
	struct writing now;
	struct document_worker *worker;
	struct buf partition, old; /* scratch */
};

/* ---- life */

int
docdir_writer_new(const char *path, struct docdir_writer **out, struct err *e)
{
	struct docdir_writer *w = calloc(1, sizeof(*w));
	int r;

	if (w == NULL)
		return err_set(e, ENOMEM, "out of memory");
	w->root = w->databases = -1;
	buf_init(&w->partition, DOCSTORE_PARTITION_MAX);
	buf_init(&w->old, DOCUMENT_TEXT_MAX);
	r = docdirroot_take(path, &w->root, e);
	if (r == 0)
		r = dirplace_make_dir(w->root, "databases", "", &w->databases, e);
	if (r < 0)
		r = err_in(e, "%s", path);
	else
		r = document_worker_new(&w->worker, e);
	if (r < 0) {
		docdir_writer_free(w);
		return r;
	}
	*out = w;
	return 0;
}

/* ---- resources */

static int
make_component(int at, const char *name, const char *suffix, int *out, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int r;

	if (!cosmos_id_is_good(name))
		return err_set(e, EINVAL, "'%s' cannot be the name of a database or container",
			       name);
	r = dirplace_make_component(at, span_str(name), &place, e);
	return r < 0 ? r : dirplace_make_dir(place.fd, place.end, suffix, out, e);
}

/* Makes and opens DB.d/NAME. */
static int
make_below(struct docdir_writer *w, const char *database, const char *name, int *out, struct err *e)
{
	int db, r = make_component(w->databases, database, ".d", &db, e);

	if (r < 0)
		return r;
	r = dirplace_make_dir(db, name, "", out, e);
	(void)close(db);
	return r;
}

static int
put_key(int keys, const char *id, struct span text, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int r = docplace_check_id(text, id, e);

	if (r == 0)
		r = dirplace_make_component(keys, span_str(id), &place, e);
	if (r == 0)
		r = dirfile_put(place.fd, place.end, docname_suffix, text, e);
	return r < 0 ? r : dirfile_sync(place.fd, e);
}

int
docdir_put_key(struct docdir_writer *w, const char *database, const char *id, struct span text,
	       struct err *e)
{
	int keys, r;

	if (!cosmos_id_is_good(id) || text.n > DEK_RECORD_TEXT_MAX) {
		(void)err_set(e, EBADMSG, "a key with an id or a size that cannot be");
		return err_mark(e, "integrity.dek", NULL);
	}
	r = make_below(w, database, "keys", &keys, e);
	if (r < 0)
		return r;
	r = put_key(keys, id, text, e);
	(void)close(keys);
	return r < 0 ? err_in(e, "key '%s'", id) : 0;
}

/* ---- a container */

static void
end_writing(struct docdir_writer *w)
{
	struct writing *now = &w->now;

	if (now->container >= 0)
		(void)close(now->container);
	if (now->documents >= 0)
		(void)close(now->documents);
	container_def_clear(&now->def);
	buf_clear(&now->text);
	docnames_clear(&now->put);
	free(now->database);
	free(now->id);
	*now = (struct writing){ .container = -1, .documents = -1 };
	w->open = false;
}

/* Whether what is there is this very container, as it was once. */
static bool
is_the_same(const struct writing *now)
{
	struct err ignored = { 0 };
	AUTO_CONTAINER_DEF old = { .id = NULL };
	AUTO_BUF text;

	buf_init(&text, CONTAINER_TEXT_MAX);
	return docplace_container_text(now->container, now->id, &text, &ignored) == 0 &&
	       container_def_parse(buf_span(&text), &old, &ignored) == 0 &&
	       strcmp(old.rid, now->def.rid) == 0 && container_def_same(&old, &now->def);
}

static int
open_documents(struct writing *now, struct err *e)
{
	int r = dirplace_openat(now->container, "documents", "", true, &now->documents, e);

	if (r != -ENOENT)
		return r;
	err_clear(e);
	now->anew = true;
	return dirplace_make_dir(now->container, "documents", "", &now->documents, e);
}

static int
begin(struct docdir_writer *w, struct span text, struct err *e)
{
	struct writing *now = &w->now;
	int containers, r;

	buf_init(&now->text, CONTAINER_TEXT_MAX);
	r = buf_add(&now->text, text.p, text.n, e);
	if (r == 0)
		r = container_def_parse(text, &now->def, e);
	if (r == 0)
		r = docplace_check_id(text, now->id, e);
	if (r == 0)
		r = make_below(w, now->database, "containers", &containers, e);
	if (r < 0)
		return r;
	r = make_component(containers, now->id, ".d", &now->container, e);
	(void)close(containers);
	if (r == 0 && !is_the_same(now))
		r = dirfile_remove(now->container, docplace_container_file, e);
	return r < 0 ? r : open_documents(now, e);
}

int
docdir_begin_container(struct docdir_writer *w, const char *database, const char *id,
		       struct span text, struct err *e)
{
	int r = 0;

	if (w->open)
		end_writing(w);
	w->now = (struct writing){
		.container = -1, .documents = -1, .database = strdup(database), .id = strdup(id)
	};
	w->open = true;
	if (w->now.database == NULL || w->now.id == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = begin(w, text, e);
	if (r == 0)
		return 0;
	end_writing(w);
	return err_in(e, "container '%s'", id);
}

/* ---- documents */

/* What is there already needs no writing. */
static bool
is_there(struct docdir_writer *w, int half, const char *name, struct span text)
{
	struct err ignored = { 0 };

	buf_reset(&w->old);
	return dirplace_read_file(half, name, docname_suffix, text.n, &w->old, &ignored) == 0 &&
	       w->old.n == text.n && memcmp(w->old.p, text.p, text.n) == 0;
}

static int
put_document(struct docdir_writer *w, const struct docname *name, struct span text, struct err *e)
{
	struct writing *now = &w->now;
	char file[DOCNAME_TEXT + 1], half_name[3] = "";
	int half, r;

	docname_print(name, file);
	memcpy(half_name, file, 2);
	r = dirplace_make_dir(now->documents, half_name, "", &half, e);
	if (r < 0)
		return r;
	if (now->anew || !is_there(w, half, file, text)) {
		r = dirfile_put(half, file, docname_suffix, text, e);
		now->touched[name->b[0]] = true;
	}
	(void)close(half);
	if (r == 0 && !now->anew)
		r = docnames_add(&now->put, name, e);
	return r;
}

int
docdir_put_document(struct docdir_writer *w, struct span text, struct err *e)
{
	struct document_head head;
	struct docname name;
	int r;

	assert(w->open);
	if (text.n > DOCUMENT_TEXT_MAX)
		return err_set(e, EFBIG, "a document of %zu bytes", text.n);
	r = document_scan(w->worker, &w->now.def, text, &head, e);
	if (r == 0)
		r = docname_of_document(&w->now.def, &head, &w->partition, &name, e);
	if (r == 0)
		r = put_document(w, &name, text, e);
	return r < 0 ? err_in(e, "container '%s'", w->now.id) : 0;
}

/* ---- the end of a container */

static int
remove_vanished(struct writing *now, int half, uint8_t first, struct err *e)
{
	AUTO_DOCNAMES there = { .n = 0 };
	char file[DOCNAME_TEXT + 8];
	int r = docnames_read(half, first, &there, e);

	for (size_t i = 0; r == 0 && i < there.n; i++) {
		if (docnames_has(&now->put, &there.name[i]))
			continue;
		docname_print(&there.name[i], file);
		memcpy(file + DOCNAME_TEXT, docname_suffix, sizeof(".json"));
		r = dirfile_remove(half, file, e);
		now->touched[first] = true;
	}
	return r;
}

static int
finish_half(struct writing *now, uint8_t first, struct err *e)
{
	int half, r = docplace_open_half(now->documents, first, &half, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	if (!now->anew)
		r = remove_vanished(now, half, first, e);
	if (r == 0)
		r = dirfile_remove(half, dirfile_temporary, e);
	if (r == 0 && now->touched[first])
		r = dirfile_sync(half, e);
	(void)close(half);
	return r;
}

static int
finish(struct writing *now, struct err *e)
{
	int r = 0;

	docnames_sort(&now->put);
	for (unsigned h = 0; r == 0 && h < HALVES; h++)
		if (!now->anew || now->touched[h])
			r = finish_half(now, (uint8_t)h, e);
	if (r == 0)
		r = dirfile_put(now->container, docplace_container_file, "", buf_span(&now->text),
				e);
	return r < 0 ? r : dirfile_sync(now->container, e);
}

int
docdir_end_container(struct docdir_writer *w, struct err *e)
{
	int r;

	assert(w->open);
	r = finish(&w->now, e);
	if (r < 0)
		r = err_in(e, "container '%s'", w->now.id);
	end_writing(w);
	return r;
}

void
docdir_writer_free(struct docdir_writer *w)
{
	if (w == NULL)
		return;
	if (w->open)
		end_writing(w);
	if (w->databases >= 0)
		(void)close(w->databases);
	if (w->root >= 0)
		(void)close(w->root);
	document_worker_free(w->worker);
	buf_clear(&w->partition);
	buf_clear(&w->old);
	free(w);
}
