/* SPDX-License-Identifier: MIT */
/* The wiring: see build.h. */
#include "cli/build.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/source.h"

static int
see_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)entry;
	(void)e;
	*(bool *)arg = true;
	return 0;
}

/*
 * One listing of one entry: finds what is wrong with the name, the network and the credential.  A
 * container may be empty, a single blob must be there.
 */
static int
check_there(struct store *store, struct deadline d, struct err *e)
{
	const bool single = !store->listable;
	bool any = false;
	const struct store_list_sink sink = { .entry = see_entry, .arg = &any };
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, VIEW_CURSOR_MAX);
	r = store_list(store, span_of(NULL, 0), false, 1, &cursor, sink, d, e);
	if (r == 0 && single && !any) {
		(void)err_set(e, ENOENT, "the blob does not exist");
		return err_mark(e, "remote.gone", NULL);
	}
	if (r != -EOPNOTSUPP)
		return r;
	err_clear(e); /* a whole account lists its containers only */
	return store_list(store, span_of(NULL, 0), true, 1, &cursor, sink, d, e);
}

/* The root of a document view cannot be listed without reading the account or the container. */
static int
check_documents(struct view *v, struct deadline d, struct err *e)
{
	AUTO_BUF cursor;

	buf_init(&cursor, VIEW_CURSOR_MAX);
	return view_list(v, "", &cursor, view_no_sink(), d, e);
}

static int
needs(const char *option, const char *what, struct err *e)
{
	(void)err_set(e, EINVAL, "rw needs %s for %s", option, what);
	return err_mark(e, NULL,
			"say ro to read only; mount(8) passes rw to its helpers unless the options "
			"say ro");
}

static int
check_kek(struct build *b, const struct settings_source *s, struct view *v, struct err *e)
{
	return s->view.writable ? blobview_check_kek(v, build_deadline(b), e) : 0;
}

static int
open_blobs(struct build *b, const struct settings_source *s, bool check, struct store *store,
	   struct keyring *keys, struct view **out, struct err *e)
{
	struct view *v = NULL;
	int r = s->view.writable && s->view.kek == NULL ? needs("kek=KEYID", "blobs", e) : 0;

	if (r == 0 && check)
		r = check_there(store, build_deadline(b), e);
	if (r < 0) {
		keyring_free(keys);
		store_free(store);
		return r;
	}
	r = blobview_new_take(b->engine, &s->view, store, keys, &v, e);
	if (r == 0 && check)
		r = check_kek(b, s, v, e);
	if (r < 0)
		view_free(v);
	else
		*out = v;
	return r;
}

static int
open_documents(struct build *b, const struct settings_source *s, bool check, struct docstore *store,
	       struct keyring *keys, struct view **out, struct err *e)
{
	struct view *v = NULL;
	int r;

	if (s->documents.writable && s->documents.pin_file == NULL) {
		keyring_free(keys);
		docstore_free(store);
		return needs("pin=FILE", "documents", e);
	}
	r = docview_new_take(b->engine, &s->documents, store, keys, &v, e);
	if (r == 0 && check)
		r = check_documents(v, build_deadline(b), e);
	if (r < 0)
		view_free(v);
	else
		*out = v;
	return r;
}

/*
 *   SOURCE, credentials --> store --.
 *                                    >-- view
 *   vault=, keys=     --> keyring --'     |
 *                             engine -----'
 */
static int
open_source(struct build *b, const struct settings_source *s, bool check, struct view **out,
	    struct err *e)
{
	struct backend_store store = { 0 };
	struct keyring *keys = NULL;
	int r = backend_open(b->backend, &s->backend, &store, e);

	if (r == 0)
		r = backend_keyring(b->backend, &s->backend, &keys, e);
	if (r < 0) {
		backend_store_free(&store);
		return r;
	}
	return store.kind == SOURCE_DOCUMENTS
		       ? open_documents(b, s, check, store.documents, keys, out, e)
		       : open_blobs(b, s, check, store.blobs, keys, out, e);
}

static int
open_sources(struct build *b, const struct settings *s, bool check, struct err *e)
{
	char shown[160];
	int r = 0;

	for (unsigned i = 0; i < s->n_sources && r == 0; i++) {
		r = open_source(b, &s->sources[i], check, &b->views[i], e);
		if (r == 0)
			b->n_views++;
		else if (s->n_sources > 1) {
			source_shown(s->sources[i].backend.source, shown, sizeof(shown));
			err_in(e, "%s", shown);
		}
	}
	return r;
}

int
build_open(struct backend *backend, const struct settings *s, bool check, struct build *out,
	   struct err *e)
{
	struct build b = { .backend = backend, .views = calloc(s->n_sources, sizeof(*b.views)) };
	int r = 0;

	if (b.views == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = engine_new(&s->engine, &b.engine, e);
	if (r == 0)
		r = open_sources(&b, s, check, e);
	if (r < 0) {
		build_close(&b);
		return r;
	}
	*out = b;
	return 0;
}

void
build_close(struct build *b)
{
	if (b->engine != NULL)
		engine_drain(b->engine); /* what was fetched ahead still uses its store */
	while (b->n_views > 0)
		view_free(b->views[--b->n_views]);
	free(b->views);
	if (b->engine != NULL)
		engine_free(b->engine);
	*b = (struct build){ 0 };
}

struct deadline
build_deadline(const struct build *b)
{
	return deadline_in(engine_timeout_ns(b->engine));
}
