/* SPDX-License-Identifier: MIT */
/*
 * Sorted listings of a dir: store: see dirlist.h.
 *
 * A directory's components are read and sorted as they appear in names: "x"
 * for an object, "x/" for a directory.  Going through them in that order, and
 * into each directory as it comes, gives all names in the order of their bytes,
 * because no other component begins with "x/".
 *
 * A metadata file that is not as it should be does not hide its neighbours: it
 * is listed with an envelope that nobody can read, so that using it fails.
 */
#include "backend/store/dirlist.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dircollect.h"
#include "backend/store/dirplace.h"

enum {
	PAGE_ENTRIES = 50000,
	LEVELS_MAX = 256, /* the service allows 254 components */
	PIECES_MAX = 64,
	KEYS_MAX = 1 << 30
};

/* One directory of the walk. */
struct level {
	int fd;
	size_t name_n; /* bytes of the walk's name that lead here */
	struct dircollect held;
	size_t next;
};

struct walk {
	const struct dirlist_request *req;
	struct store_list_sink sink;
	struct deadline d;
	struct span cursor;
	struct buf name; /* of the item under way, whole */
	struct level *levels;
	unsigned depth;
	unsigned sent;
	bool full;	 /* a further entry was met after the last one of the page */
	struct buf last; /* the name sent last, whole */
};

/* ---- one directory */

static void
level_clear(struct level *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	dircollect_clear(&l->held);
}

/* Takes fd, also on failure. */
static int
level_read(struct level *out, int fd, size_t name_n, struct err *e)
{
	struct level l = { .fd = fd, .name_n = name_n };
	int r = dircollect_read(fd, ".m", ".d", &l.held, e);

	if (r < 0) {
		level_clear(&l);
		return r;
	}
	*out = l;
	return 0;
}

/* ---- is there anything? */

/* A first look for an object right here saves going down, which is what happens in most
 * directories. */
static int
scan(DIR *dir, bool (*wanted)(const struct dirent *entry), const char **out_name, struct err *e)
{
	struct dirent *entry;

	*out_name = NULL;
	for (;;) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL)
			return errno == 0 ? 0
					  : err_set(e, errno, "cannot read a directory: %s",
						    strerrordesc_np(errno));
		if (wanted(entry)) {
			*out_name = entry->d_name;
			return 0;
		}
	}
}

static bool
is_object(const struct dirent *entry)
{
	size_t stem;

	return (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN) &&
	       dircollect_ends_in(entry->d_name, ".m", &stem);
}

static bool
is_directory(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t stem;

	return (entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN) &&
	       (dircollect_ends_in(name, ".d", &stem) || dircollect_ends_in(name, ".c", &stem));
}

static int has_object(int fd, unsigned depth, bool *out, struct err *e);

static int
any_below(DIR *dir, unsigned depth, bool *out, struct err *e)
{
	const char *name;
	int fd, r;

	while (!*out) {
		r = scan(dir, is_directory, &name, e);
		if (r < 0 || name == NULL)
			return r;
		r = dirplace_openat(dirfd(dir), name, "", true, &fd, e);
		if (r == -ENOENT) {
			err_clear(e);
			continue;
		}
		if (r == 0)
			r = has_object(fd, depth + 1, out, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Takes fd.  Recursion is bounded by LEVELS_MAX. */
static int
has_object(int fd, unsigned depth, bool *out, struct err *e)
{
	const char *name;
	DIR *dir;
	int r;

	if (depth >= LEVELS_MAX) {
		(void)close(fd);
		return err_set(e, ENAMETOOLONG, "directories nested too deeply");
	}
	dir = fdopendir(fd);
	if (dir == NULL) {
		r = err_set(e, errno, "cannot read a directory: %s", strerrordesc_np(errno));
		(void)close(fd);
		return r;
	}
	r = scan(dir, is_object, &name, e);
	*out = r == 0 && name != NULL;
	if (r == 0 && !*out) {
		rewinddir(dir);
		r = any_below(dir, depth, out, e);
	}
	(void)closedir(dir);
	return r;
}

int
dirlist_has_object(int fd, bool *out, struct err *e)
{
	int copy, r = dirplace_openat(fd, ".", "", true, &copy, e);

	return r < 0 ? r : has_object(copy, 0, out, e);
}

/* ---- the walk */

static int
push(struct walk *w, int fd, struct err *e)
{
	int r;

	if (w->depth == LEVELS_MAX) {
		(void)close(fd);
		return err_set(e, ENAMETOOLONG, "directories nested too deeply");
	}
	r = level_read(&w->levels[w->depth], fd, w->name.n, e);
	if (r == 0)
		w->depth++;
	return r;
}

static int
compare(struct span a, struct span b)
{
	const size_t n = a.n < b.n ? a.n : b.n;
	int order = n > 0 ? memcmp(a.p, b.p, n) : 0;

	return order != 0 ? order : (a.n > b.n) - (a.n < b.n);
}

static bool
begins_with(struct span name, struct span prefix)
{
	return name.n >= prefix.n && (prefix.n == 0 || memcmp(name.p, prefix.p, prefix.n) == 0);
}

static int
send(struct walk *w, struct store_entry *entry, struct err *e)
{
	const unsigned max = w->req->max > 0 && w->req->max < PAGE_ENTRIES ? w->req->max
									   : PAGE_ENTRIES;
	int r;

	if (w->sent == max) {
		w->full = true;
		return 0;
	}
	entry->name = span_of(w->name.p + w->req->drop, w->name.n - w->req->drop);
	r = w->sink.entry(w->sink.arg, entry, e);
	if (r != 0)
		return r;
	w->sent++;
	buf_reset(&w->last);
	return buf_add(&w->last, w->name.p, w->name.n, e);
}

static int
send_unreadable(struct walk *w, struct err *e)
{
	struct store_entry entry = { .kind = STORE_OBJECT,
				     .etag = "unreadable",
				     .content_type = "",
				     .envelope = span_of("", 0) };

	err_clear(e);
	return send(w, &entry, e);
}

static int
visit_object(struct walk *w, const struct level *l, struct span component, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	AUTO_DIRMETA meta = { .json = NULL };
	int r;

	r = dirplace_of_component(l->fd, component, &place, e);
	if (r == 0)
		r = dirplace_read(&place, buf_span(&w->name), &meta, e);
	if (r == -ENOENT) { /* removed just now, or no regular file */
		err_clear(e);
		return 0;
	}
	if (r == -EBADMSG)
		return send_unreadable(w, e);
	return r < 0 ? r : send(w, &meta.entry, e);
}

static int
visit_directory(struct walk *w, const struct level *l, struct span component, struct err *e)
{
	struct store_entry entry = { .kind = STORE_PREFIX, .etag = "", .content_type = "" };
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	bool any = false;
	int fd, r;

	r = dirplace_of_component(l->fd, component, &place, e);
	if (r == 0)
		r = dirplace_openat(place.fd, place.end, ".d", true, &fd, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	if (!w->req->delimited)
		return push(w, fd, e);
	r = has_object(fd, 0, &any, e);
	return r < 0 || !any ? r : send(w, &entry, e);
}

/* A name is of interest when it begins as asked and comes after the cursor; a directory, when such
 * a name may be in it. */
static bool
is_wanted(const struct walk *w, bool directory)
{
	const struct span name = buf_span(&w->name);

	if (!begins_with(name, w->req->prefix) || name.n == w->req->drop ||
	    name.n - w->req->drop > STORE_NAME_MAX)
		return false;
	if (w->cursor.n == 0 || compare(name, w->cursor) > 0)
		return true;
	return directory && !w->req->delimited && begins_with(w->cursor, name);
}

static int
visit(struct walk *w, struct level *l, struct err *e)
{
	const struct dircollect_item item = l->held.items[l->next++];
	const struct span key = dircollect_key(&l->held, item);
	int r;

	w->name.n = l->name_n;
	r = buf_add(&w->name, key.p, key.n, e);
	if (r < 0)
		return r;
	if (!is_wanted(w, item.directory))
		return 0;
	if (w->d.at_ns != 0 && deadline_left_ns(w->d) == 0)
		return err_set(e, ETIMEDOUT, "listing took too long");
	if (item.directory)
		return visit_directory(w, l, span_of(key.p, key.n - 1), e);
	return visit_object(w, l, key, e);
}

static int
run(struct walk *w, struct err *e)
{
	int r = 0;

	while (r == 0 && w->depth > 0 && !w->full) {
		struct level *l = &w->levels[w->depth - 1];

		if (l->next < l->held.n) {
			r = visit(w, l, e);
			continue;
		}
		level_clear(l);
		w->depth--;
	}
	while (w->depth > 0)
		level_clear(&w->levels[--w->depth]);
	return r;
}

/* Starts in the deepest directory that holds all names that begin with the prefix. */
static int
start(struct walk *w, struct err *e)
{
	size_t n = w->req->prefix.n;
	int fd, r;

	while (n > 0 && w->req->prefix.p[n - 1] != '/')
		n--;
	r = dirplace_open_dir(w->req->objects, span_of(w->req->prefix.p, n), &fd, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r == 0)
		r = buf_add(&w->name, w->req->prefix.p, n, e);
	return r < 0 ? r : push(w, fd, e);
}

int
dirlist_page(const struct dirlist_request *req, struct buf *cursor, struct store_list_sink sink,
	     struct deadline d, struct err *e)
{
	struct walk w = { .req = req, .sink = sink, .d = d, .cursor = buf_span(cursor) };
	int r;

	w.levels = calloc(LEVELS_MAX, sizeof(*w.levels));
	if (w.levels == NULL)
		return err_set(e, ENOMEM, "out of memory");
	buf_init(&w.name, 4 * STORE_NAME_MAX);
	buf_init(&w.last, 4 * STORE_NAME_MAX);
	r = start(&w, e);
	if (r == 0)
		r = run(&w, e);
	if (r == 0) {
		buf_reset(cursor);
		if (w.full)
			r = buf_add(cursor, w.last.p, w.last.n, e);
	}
	buf_clear(&w.last);
	buf_clear(&w.name);
	free(w.levels);
	return r;
}
