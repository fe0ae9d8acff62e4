/* SPDX-License-Identifier: MIT */
/*
 * The document view: its containers and its life.  Paths are taken apart in docpath.c and
 * docspot.c; directories are in doclist.c, names in doclookup.c, files in docopen.c.
 */
#include "fs/docview.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"
#include "fs/docviewfile.h"

struct docview_box {
	struct docview_box *next;
	struct docbox *box; /* a reference */
};

/* ---- containers ---- */

static struct docbox *
find_locked(const struct docview *v, const struct docpath *p)
{
	for (const struct docview_box *x = v->boxes; x != NULL; x = x->next) {
		const struct docstore_at *at = docbox_at(x->box);

		if (strcmp(at->database, p->database) == 0 &&
		    strcmp(at->container, p->container) == 0)
			return docbox_get(x->box);
	}
	return NULL;
}

static struct docbox *
find(struct docview *v, const struct docpath *p)
{
	struct docbox *box;

	mutex_lock(&v->mu);
	box = find_locked(v, p);
	mutex_unlock(&v->mu);
	return box;
}

struct docbox *
docview_known_box(struct docview *v, const struct docpath *p)
{
	return find(v, p);
}

/* Takes made; returns it, or the one that somebody else has read meanwhile. */
static struct docbox *
keep(struct docview *v, const struct docpath *p, struct docview_box *entry, struct docbox *made)
{
	struct docbox *box;

	mutex_lock(&v->mu);
	box = find_locked(v, p);
	if (box == NULL) {
		*entry = (struct docview_box){ v->boxes, docbox_get(made) };
		v->boxes = entry;
		entry = NULL;
	}
	mutex_unlock(&v->mu);
	free(entry);
	if (box == NULL)
		return made;
	docbox_put(made);
	return box;
}

static void
forget(struct docview *v, const struct docbox *box)
{
	struct docview_box *gone = NULL;

	mutex_lock(&v->mu);
	for (struct docview_box **at = &v->boxes; *at != NULL && gone == NULL;)
		if ((*at)->box == box) {
			gone = *at;
			*at = gone->next;
		} else {
			at = &(*at)->next;
		}
	mutex_unlock(&v->mu);
	if (gone != NULL)
		docbox_put(gone->box);
	free(gone);
}

static int
get_box(struct docview *v, const struct docpath *p, struct deadline d, struct docbox **out,
	struct err *e)
{
	struct docview_box *entry;
	struct docbox *box = find(v, p);
	int r;

	if (box != NULL && !docbox_is_gone(box)) {
		*out = box;
		return 0;
	}
	if (box != NULL)
		forget(v, box);
	docbox_put(box);
	entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = docbox_open(v->store, v->keys, &v->cfg.box, p->database, p->container, d, &box, e);
	if (r < 0) {
		free(entry);
		return r;
	}
	*out = keep(v, p, entry, box);
	return 0;
}

int
docview_in_box(struct docview *v, const struct docpath *p, bool again,
	       int (*run)(void *arg, struct docbox *box, struct err *e), void *arg,
	       struct deadline d, struct err *e)
{
	for (;;) {
		struct docbox *box = NULL;
		bool recreated;
		int r = get_box(v, p, d, &box, e);

		if (r < 0)
			return r;
		r = run(arg, box, e);
		recreated = r < 0 && docbox_note_gone(box, e);
		docbox_put(box);
		if (!recreated || !again)
			return r;
		again = false;
		err_clear(e);
	}
}

/* ---- life ---- */

static void
docview_free(struct view *view)
{
	struct docview *v = docview_of(view);

	docscans_free(v->scans);
	docmeasures_free(v->measures);
	docdirs_free(v->dirs);
	while (v->boxes != NULL) {
		struct docview_box *x = v->boxes;

		v->boxes = x->next;
		docbox_put(x->box);
		free(x);
	}
	docstore_free(v->store);
	keyring_free(v->keys);
	(void)pthread_mutex_destroy(&v->mu);
	free(v);
}

/* clang-format off */
#define READING                                \
	.list = docview_list,                  \
	.lookup = docview_lookup,              \
	.open = docview_open,                  \
	.read = docview_read,                  \
	.read_release = docview_read_release,  \
	.xattrs = docview_xattrs,              \
	.close = docview_close,                \
	.free = docview_free
/* clang-format on */
static const struct view_ops read_ops = { READING };
static const struct view_ops write_ops = { READING, .write = &docview_write_ops };
#undef READING

int
docview_new_take(struct engine *g, const struct docview_config *cfg, struct docstore *store,
		 struct keyring *keys, struct view **out, struct err *e)
{
	struct docview *v = calloc(1, sizeof(*v));
	int r;

	if (v == NULL) {
		docstore_free(store);
		keyring_free(keys);
		return err_set(e, ENOMEM, "out of memory");
	}
	v->base.ops = cfg->writable ? &write_ops : &read_ops;
	v->base.dear = true;
	(void)snprintf(v->base.label, sizeof(v->base.label), "%s", store->label);
	v->engine = g;
	v->cfg = *cfg;
	v->store = store;
	v->keys = keys;
	v->started_ns = clock_wall_s() * NS_PER_S;
	(void)pthread_mutex_init(&v->mu, NULL);
	r = docscans_new(engine_budget(g), cfg->attr_timeout_ns, &v->scans, e);
	if (r == 0)
		r = docmeasures_new(cfg->attr_timeout_ns, &v->measures, e);
	if (r == 0)
		r = docdirs_new(&v->dirs, e);
	if (r < 0) {
		docview_free(&v->base);
		return r;
	}
	*out = &v->base;
	return 0;
}

struct docstore *
docview_store(const struct view *view)
{
	const bool is_one = view->ops == &read_ops || view->ops == &write_ops;

	return is_one ? ((const struct docview *)(const void *)view)->store : NULL;
}

bool
docview_repeats(const struct view *view, const char *dir, const char *name)
{
	static const char *const names[] = { "all.jsonl", "parts", "by" };
	const struct docstore *store = docview_store(view);
	struct err ignored = { 0 };
	AUTO_DOCPATH p = { 0 };
	bool found = false;

	for (size_t i = 0; store != NULL && i < ARRAY_LEN(names); i++)
		found |= strcmp(name, names[i]) == 0;
	return found && docpath_parse(store, dir, &p, &ignored) == 0 && p.area == DOCAREA_CONTAINER;
}
