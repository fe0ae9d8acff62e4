/* SPDX-License-Identifier: MIT */
/* The components in a directory of a directory store: see dircollect.h. */
#include "backend/store/dircollect.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dirname.h"
#include "backend/store/dirplace.h"

enum { PIECES_MAX = 64, KEYS_MAX = 1 << 30 };

/* One reading, and the pieces of a long component that have led to where it is. */
struct reading {
	struct dircollect *into;
	const char *file, *directory;
	int fd;
	struct buf encoded;
	size_t cuts[PIECES_MAX];
	unsigned n;
};

bool
dircollect_ends_in(const char *name, const char *suffix, size_t *out_stem)
{
	size_t n = strlen(name), k = strlen(suffix);

	if (name[0] == '.' || n <= k || strcmp(name + n - k, suffix) != 0)
		return false;
	*out_stem = n - k;
	return true;
}

int
dircollect_each(int fd, int (*each)(void *arg, const char *name, bool link, struct err *e),
		void *arg, struct err *e)
{
	struct dirent *entry;
	DIR *dir;
	int copy, r = dirplace_openat(fd, ".", "", true, &copy, e);

	if (r < 0)
		return r;
	dir = fdopendir(copy);
	if (dir == NULL) {
		r = err_set(e, errno, "cannot read a directory: %s", strerrordesc_np(errno));
		(void)close(copy);
		return r;
	}
	while (r == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			if (errno != 0)
				r = err_set(e, errno, "cannot read a directory: %s",
					    strerrordesc_np(errno));
			break;
		}
		r = each(arg, entry->d_name, entry->d_type == DT_LNK, e);
	}
	(void)closedir(dir);
	return r;
}

/* Only the spelling that names lead to counts: each piece as long as it can be. */
static bool
is_well_cut(const struct reading *p)
{
	const char *text = buf_str(&p->encoded);
	size_t at = 0;

	for (unsigned i = 0; i < p->n; i++) {
		if (at + dirname_cut(text + at, p->encoded.n - at) != p->cuts[i])
			return false;
		at = p->cuts[i];
	}
	return dirname_cut(text + at, p->encoded.n - at) == p->encoded.n - at;
}

static int
add_item(struct reading *p, bool directory, struct err *e)
{
	struct dircollect *c = p->into;
	const size_t at = c->keys.n;
	struct dircollect_item *items;
	int r;

	if (!is_well_cut(p) || !dirname_decode(buf_str(&p->encoded), p->encoded.n, &c->keys))
		return 0;
	if (directory) {
		r = buf_add_str(&c->keys, "/", e);
		if (r < 0)
			return r;
	}
	if (c->n == c->room) {
		c->room = c->room == 0 ? 64 : 2 * c->room;
		items = reallocarray(c->items, c->room, sizeof(*items));
		if (items == NULL)
			return err_set(e, ENOMEM, "out of memory");
		c->items = items;
	}
	c->items[c->n++] = (struct dircollect_item){ at, c->keys.n - at, directory };
	return 0;
}

static int collect_entry(void *arg, const char *name, bool link, struct err *e);

/* Recursion is bounded by PIECES_MAX. */
static int
collect_pieces(struct reading *p, const char *name, struct err *e)
{
	const int fd = p->fd;
	int r;

	if (p->n == PIECES_MAX)
		return 0;
	r = dirplace_openat(fd, name, "", true, &p->fd, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	p->cuts[p->n++] = p->encoded.n;
	r = dircollect_each(p->fd, collect_entry, p, e);
	p->n--;
	(void)close(p->fd);
	p->fd = fd;
	return r;
}

static bool
is_stem(const char *name, const char *suffix, size_t *out_stem)
{
	return suffix != NULL && dircollect_ends_in(name, suffix, out_stem) &&
	       *out_stem <= DIRNAME_PIECE_MAX;
}

static int
collect_entry(void *arg, const char *name, bool link, struct err *e)
{
	struct reading *p = arg;
	const size_t before = p->encoded.n;
	bool piece = false, directory = false;
	size_t stem;
	int r;

	if (link)
		return 0;
	if (is_stem(name, ".c", &stem))
		piece = true;
	else if (is_stem(name, p->directory, &stem))
		directory = true;
	else if (!is_stem(name, p->file, &stem))
		return 0;
	r = buf_add(&p->encoded, name, stem, e);
	if (r == 0)
		r = piece ? collect_pieces(p, name, e) : add_item(p, directory, e);
	p->encoded.n = before;
	return r;
}

static int
by_key(const void *a, const void *b, void *keys)
{
	const struct dircollect_item *x = a, *y = b;
	const uint8_t *p = keys;
	int order = memcmp(p + x->at, p + y->at, x->n < y->n ? x->n : y->n);

	return order != 0 ? order : (x->n > y->n) - (x->n < y->n);
}

void
dircollect_clear(struct dircollect *c)
{
	buf_clear(&c->keys);
	free(c->items);
	c->items = NULL;
	c->n = c->room = 0;
}

int
dircollect_read(int fd, const char *file, const char *directory, struct dircollect *out,
		struct err *e)
{
	struct dircollect c = { .items = NULL };
	struct reading p = { .into = &c, .file = file, .directory = directory, .fd = fd };
	int r;

	buf_init(&c.keys, KEYS_MAX);
	buf_init(&p.encoded, (PIECES_MAX + 1) * (DIRNAME_PIECE_MAX + 1));
	r = dircollect_each(fd, collect_entry, &p, e);
	buf_clear(&p.encoded);
	if (r < 0) {
		dircollect_clear(&c);
		return r;
	}
	if (c.n > 1)
		qsort_r(c.items, c.n, sizeof(*c.items), by_key, c.keys.p);
	*out = c;
	return 0;
}
