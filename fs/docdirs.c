/* SPDX-License-Identifier: MIT */
/*
 * Directories that somebody has made, or taken the last document out of.  The store knows none: a
 * key's directory is there while a document has that key.  So they are remembered here, for this
 * process, until they are removed or have a document.
 *
 * A directory goes by what its parent stands for in the store and by its name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"
#include "fs/docviewfile.h"

enum { DIRS_MAX = 4096, PARENT_MAX = 128 << 10 };

struct made {
	char *parent, *name;
};

struct docdirs {
	pthread_mutex_t mu; /* rank 1: docdirs_each calls a listing's code under it */
	struct made *made;
	size_t n, room;
};

int
docdirs_new(struct docdirs **out, struct err *e)
{
	struct docdirs *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&t->mu, NULL);
	*out = t;
	return 0;
}

static void
clear(struct made *m)
{
	free(m->parent);
	free(m->name);
}

void
docdirs_free(struct docdirs *t)
{
	if (t == NULL)
		return;
	while (t->n > 0)
		clear(&t->made[--t->n]);
	free(t->made);
	(void)pthread_mutex_destroy(&t->mu);
	free(t);
}

/* The key of the directory at the spot's first n_keys keys. */
static int
parent_key(const struct docspot *s, unsigned n_keys, struct buf *out, struct err *e)
{
	const struct docstore_at *at = docbox_at(s->box);
	int r;

	buf_init(out, PARENT_MAX);
	r = buf_addf(out, e, "%s/%s/%s", at->database, at->container, at->rid);
	for (unsigned i = 0; r == 0 && i < n_keys; i++)
		r = buf_addf(out, e, "\n%s", buf_str(&s->key[i]));
	return r;
}

static size_t
find_locked(const struct docdirs *t, const char *parent, const char *name)
{
	size_t i = 0;

	while (i < t->n && !(strcmp(t->made[i].parent, parent) == 0 &&
			     (name == NULL || strcmp(t->made[i].name, name) == 0)))
		i++;
	return i;
}

static int
add_locked(struct docdirs *t, const char *parent, const char *name, struct err *e)
{
	struct made m;

	if (find_locked(t, parent, name) < t->n)
		return 0;
	if (t->n == DIRS_MAX)
		return err_set(e, ENOSPC, "more than %d directories without documents", DIRS_MAX);
	if (t->n == t->room) {
		struct made *more = realloc(t->made, (t->room + 64) * sizeof(*more));

		if (more == NULL)
			return err_set(e, ENOMEM, "out of memory");
		t->made = more;
		t->room += 64;
	}
	m = (struct made){ strdup(parent), strdup(name) };
	if (m.parent == NULL || m.name == NULL) {
		clear(&m);
		return err_set(e, ENOMEM, "out of memory");
	}
	t->made[t->n++] = m;
	return 0;
}

int
docdirs_add(struct docdirs *t, const struct docspot *s, const struct docpath *p, unsigned n,
	    struct err *e)
{
	AUTO_BUF parent;
	int r = parent_key(s, n - 1, &parent, e);

	if (r < 0)
		return r;
	mutex_lock(&t->mu);
	r = add_locked(t, buf_str(&parent), p->rest[n - 1], e);
	mutex_unlock(&t->mu);
	return r;
}

bool
docdirs_has(struct docdirs *t, const struct docspot *s, const struct docpath *p)
{
	struct err ignored = { 0 };
	AUTO_BUF parent;
	bool has;

	if (s->n_keys == 0 || s->n_values > 0 ||
	    parent_key(s, s->n_keys - 1, &parent, &ignored) < 0)
		return false;
	mutex_lock(&t->mu);
	has = find_locked(t, buf_str(&parent), p->rest[s->n_keys - 1]) < t->n;
	mutex_unlock(&t->mu);
	return has;
}

bool
docdirs_any_below(struct docdirs *t, const struct docspot *s)
{
	struct err ignored = { 0 };
	AUTO_BUF parent;
	bool any;

	if (parent_key(s, s->n_keys, &parent, &ignored) < 0)
		return false;
	mutex_lock(&t->mu);
	any = find_locked(t, buf_str(&parent), NULL) < t->n;
	mutex_unlock(&t->mu);
	return any;
}

void
docdirs_remove(struct docdirs *t, const struct docspot *s, const struct docpath *p, unsigned n)
{
	struct err ignored = { 0 };
	AUTO_BUF parent;
	size_t i;

	if (parent_key(s, n - 1, &parent, &ignored) < 0)
		return;
	mutex_lock(&t->mu);
	i = find_locked(t, buf_str(&parent), p->rest[n - 1]);
	if (i < t->n) {
		clear(&t->made[i]);
		t->made[i] = t->made[--t->n];
	}
	mutex_unlock(&t->mu);
}

int
docdirs_each(struct docdirs *t, const struct docspot *s,
	     int (*each)(void *arg, const char *name, struct err *e), void *arg, struct err *e)
{
	AUTO_BUF parent;
	int r = parent_key(s, s->n_keys, &parent, e);

	if (r < 0 || s->n_values > 0)
		return r;
	mutex_lock(&t->mu);
	for (size_t i = 0; r == 0 && i < t->n; i++)
		if (strcmp(t->made[i].parent, buf_str(&parent)) == 0)
			r = each(arg, t->made[i].name, e);
	mutex_unlock(&t->mu);
	return r;
}
