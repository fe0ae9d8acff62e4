/* SPDX-License-Identifier: MIT */
/*
 * The values of one level of the partition key, as names: a scan through the partitions of all
 * documents, page by page, each name once.
 *
 * A scan is shared by all who list the same directory, and remembered for a while when it is
 * complete.  A reader's cursor is the scan's number and how many names it has seen.  Whoever needs
 * more names than there are fetches the next page; others wait for it.  The lock is never held
 * while the store is asked.
 *
 * A scan that somebody is in the midst of is kept for him, as long as he may take between two pages
 * (find lists everything below a name before it comes back for the next); the names of the others
 * make room when memory= is short.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/store/partition.h"
#include "base/mutex.h"
#include "base/num.h"
#include "fs/valuename.h"
#include "fs/docviewfile.h"
#include "fs/nameset.h"

enum { SCANS_KEPT = 16, SCANS_MAX = 256, VALUE_MAX = 16 << 10, KEY_MAX = 128 << 10, GRACE = 4 };

static const int64_t WAIT_STEP_NS = 200 * NS_PER_MS;
static const int64_t GRACE_MAX_NS = 60 * NS_PER_S;
static const int64_t READER_AWAY_NS = 600 * NS_PER_S;

struct scan {
	struct scan *next;
	char *key;
	uint64_t serial;
	unsigned users;	  /* calls that are at it */
	unsigned readers; /* cursors that have been handed out and did not come back */
	bool busy, complete;
	bool outdated; /* something was written since it began: only for who is in the midst of it
			*/
	int64_t start_ns, moved_ns; /* moved: when its last page came */
	int64_t used_ns;	    /* when the last user left */
	struct buf cursor;
	struct nameset
		names;	 /* notes: the stored JSON text, of cut names only, which do not tell it */
	struct buf last; /* raw value of the row before: rows of a partition come together */
};

struct docscans {
	pthread_mutex_t mu; /* rank 2; guards all of it and of the scans */
	pthread_cond_t moved;
	struct scan *first; /* newest first */
	uint64_t serial;
	struct budget *budget;
	int64_t fresh_ns;
};

int
docscans_new(struct budget *budget, int64_t fresh_ns, struct docscans **out, struct err *e)
{
	struct docscans *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&t->mu, NULL);
	(void)pthread_cond_init(&t->moved, NULL);
	t->budget = budget;
	t->fresh_ns = fresh_ns;
	*out = t;
	return 0;
}

static void
scan_free(struct scan *x)
{
	nameset_clear(&x->names);
	buf_clear(&x->cursor);
	buf_clear(&x->last);
	free(x->key);
	free(x);
}

void
docscans_free(struct docscans *t)
{
	if (t == NULL)
		return;
	while (t->first != NULL) {
		struct scan *x = t->first;

		t->first = x->next;
		scan_free(x);
	}
	(void)pthread_cond_destroy(&t->moved);
	(void)pthread_mutex_destroy(&t->mu);
	free(t);
}

/* ---- finding a scan ---- */

static bool
level_opens(const struct docspot *s)
{
	const int policy = docbox_def(s->box)->partition[s->n_keys].policy;

	return policy >= 0 && dockeys_has(s->keys, (size_t)policy);
}

static int
scan_key(const struct docspot *s, struct buf *out, struct err *e)
{
	const struct docstore_at *at = docbox_at(s->box);
	int r = buf_addf(out, e, "%s/%s/%s", at->database, at->container, at->rid);

	/* Where the level's key is not there its names are stored texts: other names. */
	if (r == 0)
		r = buf_addf(out, e, " %d", level_opens(s));
	for (unsigned i = 0; r == 0 && i < s->n_keys; i++)
		r = buf_addf(out, e, "\n%s", buf_str(&s->key[i]));
	for (unsigned i = 0; r == 0 && i < s->n_values; i++)
		r = buf_addf(out, e, "\n%d=%s", s->property, buf_str(&s->value[i]));
	return r;
}

/* As with any listing: the longer it took, the longer it is good. */
static int64_t
good_for(const struct docscans *t, const struct scan *x)
{
	const int64_t took = GRACE * (x->moved_ns - x->start_ns);

	return t->fresh_ns + (took < GRACE_MAX_NS ? took : GRACE_MAX_NS);
}

static bool
usable(const struct docscans *t, const struct scan *x)
{
	return !x->outdated && (x->busy || clock_now_ns() - x->moved_ns < good_for(t, x));
}

static bool
is_awaited(const struct scan *x)
{
	return x->users > 0 || (x->readers > 0 && clock_now_ns() - x->used_ns < READER_AWAY_NS);
}

/* Drops what nobody is in the midst of, but for the newest few; whether there was any. */
static bool
drop_old_locked(struct docscans *t, unsigned keep)
{
	bool dropped = false;
	unsigned n = 0;

	for (struct scan **at = &t->first; *at != NULL;) {
		struct scan *x = *at;

		n++;
		if (x->users == 0 && n > keep && (!is_awaited(x) || n > SCANS_MAX)) {
			*at = x->next;
			scan_free(x);
			dropped = true;
		} else {
			at = &x->next;
		}
	}
	return dropped;
}

static struct scan *
new_scan_locked(struct docscans *t, const char *key)
{
	struct scan *x = calloc(1, sizeof(*x));

	if (x == NULL || (x->key = strdup(key)) == NULL) {
		free(x);
		return NULL;
	}
	buf_init(&x->cursor, DOCSTORE_CURSOR_MAX);
	buf_init(&x->last, VALUE_MAX);
	nameset_init(&x->names, t->budget);
	x->serial = ++t->serial;
	x->start_ns = x->moved_ns = x->used_ns = clock_now_ns();
	x->next = t->first;
	t->first = x;
	x->users++; /* the caller's */
	(void)drop_old_locked(t, SCANS_KEPT);
	return x;
}

static struct scan *
find_locked(struct docscans *t, const char *key)
{
	struct scan *x = t->first;

	while (x != NULL && !(strcmp(x->key, key) == 0 && usable(t, x)))
		x = x->next;
	return x;
}

/* The scan that a cursor speaks of, or that a new listing takes; it has one user more. */
static int
enter(struct docscans *t, const char *key, const struct buf *cursor, struct scan **out, size_t *at,
      struct err *e)
{
	const char *text = buf_str(cursor), *colon = strchr(text, ':');
	uint64_t serial = 0, index = 0;
	struct scan *x;

	if (cursor->n > 0 && (colon == NULL || !u64_parse(text, (size_t)(colon - text), &serial) ||
			      !u64_parse_str(colon + 1, &index)))
		return err_set(e, EINVAL, "not a cursor of this listing");
	mutex_lock(&t->mu);
	if (cursor->n == 0) {
		x = find_locked(t, key);
		if (x != NULL)
			x->users++;
		else
			x = new_scan_locked(t, key);
	} else {
		for (x = t->first; x != NULL && x->serial != serial;)
			x = x->next;
		if (x != NULL) {
			x->users++;
			x->readers -= x->readers > 0; /* a failure sends a cursor twice */
		}
	}
	mutex_unlock(&t->mu);
	if (x == NULL)
		return cursor->n == 0
			       ? err_set(e, ENOMEM, "out of memory")
			       : err_set(e, EIO,
					 "the listing was left alone for too long: start over");
	*out = x;
	*at = (size_t)index;
	return 0;
}

static void
leave(struct docscans *t, struct scan *x, bool comes_back)
{
	mutex_lock(&t->mu);
	x->users--;
	x->readers += comes_back;
	x->used_ns = clock_now_ns();
	mutex_unlock(&t->mu);
}

/* ---- a page ---- */

struct row {
	struct docscans *t;
	struct scan *x;
	struct docspot *s;
};

static bool
is_cut(const char *name)
{
	return strstr(name, "%~") != NULL;
}

/* When the names are too many for memory=, those of scans that are done make room. */
static int
add_name_locked(struct row *row, const char *name, const char *stored, struct err *e)
{
	int r = nameset_add(&row->x->names, name, stored, e);

	if (r == -EFBIG && drop_old_locked(row->t, 0)) {
		err_clear(e);
		r = nameset_add(&row->x->names, name, stored, e);
	}
	return r;
}

static int
note_value(void *arg, unsigned i, struct span raw, struct err *e)
{
	struct row *row = arg;
	struct docspot *s = row->s;
	const struct partition_path *path;
	struct docvalue v;
	AUTO_BUF bytes, name, stored;
	int r;

	if (i != s->n_keys)
		return 0;
	path = &docbox_def(s->box)->partition[i];
	if (row->x->last.n > 0 && raw.n == row->x->last.n &&
	    memcmp(raw.p, row->x->last.p, raw.n) == 0)
		return 0;
	buf_reset(&row->x->last); /* and set only when the name is noted: a page may come again */
	buf_init(&bytes, VALUE_MAX);
	buf_init(&name, NAMES_FILE_MAX);
	buf_init(&stored, VALUE_MAX);
	r = docbox_value(s->box, s->keys, path->policy, raw, &v, &bytes, e);
	if (r == 0)
		r = valuename_of(&v, path->policy >= 0, "", &name, e);
	if (r == 0 && is_cut(buf_str(&name)))
		r = buf_add(&stored, raw.p, raw.n, e);
	if (r < 0)
		return r;
	mutex_lock(&row->t->mu);
	r = add_name_locked(row, buf_str(&name), stored.n > 0 ? buf_str(&stored) : NULL, e);
	mutex_unlock(&row->t->mu);
	return r == 0 ? buf_add(&row->x->last, raw.p, raw.n, e) : r;
}

/* A migrated container's documents without a key have no values at all. */
static int
take_row(void *arg, struct span text, struct err *e)
{
	struct row *row = arg;
	AUTO_BUF copy;
	int r;

	if (text.n == 2 && memcmp(text.p, "[]", 2) == 0)
		return note_value(row, 0, span_of(NULL, 0), e);
	buf_init(&copy, DOCSTORE_PARTITION_MAX);
	r = buf_add(&copy, text.p, text.n, e);
	return r == 0 ? partition_each(buf_str(&copy), note_value, row, e) : r;
}

/* Directories without documents come last; under docdirs' lock. */
static int
note_made(void *arg, const char *name, struct err *e)
{
	struct row *row = arg;
	int r;

	mutex_lock(&row->t->mu);
	r = add_name_locked(row, name, NULL, e);
	mutex_unlock(&row->t->mu);
	return r;
}

static int
fetch(struct docview *v, struct scan *x, struct docspot *s, struct deadline d, struct err *e)
{
	struct docscans *t = v->scans;
	struct row row = { t, x, s };
	struct docstore_select sel;
	struct docstore_page page;
	int r;

	docspot_select(s, false, &sel);
	sel.what = DOCSTORE_PARTITIONS;
	sel.max_items = DOCVIEW_ROWS;
	r = docstore_page(docbox_store(s->box), docbox_at(s->box), &sel, &x->cursor,
			  (struct docstore_sink){ take_row, &row }, &page, d, e);
	if (r == 0 && x->cursor.n == 0)
		r = docdirs_each(v->dirs, s, note_made, &row, e);
	mutex_lock(&t->mu);
	x->busy = false;
	if (r == 0) {
		x->moved_ns = clock_now_ns();
		x->complete = x->cursor.n == 0;
	}
	(void)pthread_cond_broadcast(&t->moved);
	mutex_unlock(&t->mu);
	return r;
}

static int
wait_locked(struct docscans *t, struct deadline d, struct err *e)
{
	struct timespec until;

	if (deadline_left_ns(d) == 0) {
		(void)err_set(e, ETIMEDOUT, "the partition keys were not listed in time");
		return err_mark(e, "net.deadline", NULL);
	}
	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_STEP_NS;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= NS_PER_S;
	}
	(void)pthread_cond_clockwait(&t->moved, &t->mu, CLOCK_MONOTONIC, &until);
	return 0;
}

/* Until there are names behind `at`, or the scan is complete; at most one page is fetched. */
static int
advance(struct docview *v, struct scan *x, struct docspot *s, size_t at, struct deadline d,
	struct err *e)
{
	struct docscans *t = v->scans;
	bool fetched = false;
	int r = 0;

	while (r == 0) {
		bool mine = false;

		mutex_lock(&t->mu);
		if (x->names.n > at || x->complete || fetched) {
			mutex_unlock(&t->mu);
			break;
		}
		if (x->busy)
			r = wait_locked(t, d, e);
		else
			mine = x->busy = true;
		mutex_unlock(&t->mu);
		if (mine) {
			r = fetch(v, x, s, d, e);
			fetched = true;
		}
	}
	return r;
}

static int
send_names(struct docscans *t, struct scan *x, size_t at, struct buf *cursor, struct view_sink sink,
	   struct err *e)
{
	char **names = NULL;
	bool complete;
	size_t n;
	int r = 0;

	mutex_lock(&t->mu);
	n = x->names.n;
	complete = x->complete;
	names = calloc(n - at + 1, sizeof(char *));
	for (size_t i = at; names != NULL && i < n; i++)
		names[i - at] = x->names.entry[i].name; /* stays: the scan has a user */
	mutex_unlock(&t->mu);
	if (names == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = at; r == 0 && i < n; i++)
		r = docview_send_dir(names[i - at], sink, e);
	free(names);
	buf_reset(cursor);
	return r < 0 || complete
		       ? r
		       : buf_addf(cursor, e, "%llu:%zu", (unsigned long long)x->serial, n);
}

int
docscan_page(struct docview *v, struct docspot *s, struct buf *cursor, struct view_sink sink,
	     struct deadline d, struct err *e)
{
	struct docscans *t = v->scans;
	struct scan *x = NULL;
	AUTO_BUF key;
	size_t at = 0;
	int r;

	buf_init(&key, KEY_MAX);
	r = scan_key(s, &key, e);
	if (r == 0)
		r = enter(t, buf_str(&key), cursor, &x, &at, e);
	if (r < 0)
		return r;
	r = advance(v, x, s, at, d, e);
	if (r == 0)
		r = send_names(t, x, at, cursor, sink, e);
	leave(t, x, r == 0 && cursor->n > 0);
	return r;
}

bool
docscan_knows(struct docview *v, struct docspot *s, const char *name)
{
	struct docscans *t = v->scans;
	struct err ignored = { 0 };
	const struct scan *x;
	bool has;
	AUTO_BUF key;

	buf_init(&key, KEY_MAX);
	if (scan_key(s, &key, &ignored) < 0)
		return false;
	mutex_lock(&t->mu);
	x = find_locked(t, buf_str(&key));
	has = x != NULL && x->complete && nameset_find(&x->names, name) >= 0;
	mutex_unlock(&t->mu);
	return has;
}

void
docscan_forget(struct docview *v, const struct docbox *box)
{
	const struct docstore_at *at = docbox_at(box);
	struct docscans *t = v->scans;
	struct err ignored = { 0 };
	AUTO_BUF key;

	buf_init(&key, KEY_MAX);
	if (buf_addf(&key, &ignored, "%s/%s/%s ", at->database, at->container, at->rid) < 0)
		return;
	mutex_lock(&t->mu);
	for (struct scan *x = t->first; x != NULL; x = x->next)
		x->outdated |= strncmp(x->key, buf_str(&key), key.n) == 0;
	mutex_unlock(&t->mu);
}

static int
copy_stored_locked(const struct scan *x, const char *name, struct buf *out, bool *found,
		   struct err *e)
{
	const long i = nameset_find(&x->names, name);

	*found = i >= 0 && x->names.entry[i].note != NULL;
	return *found ? buf_add_str(out, x->names.entry[i].note, e) : 0;
}

int
docscan_alias(struct docview *v, struct docspot *s, const char *name, struct deadline d,
	      struct buf *out, struct err *e)
{
	struct docscans *t = v->scans;
	struct scan *x = NULL;
	bool found = false, complete = false;
	AUTO_BUF key, cursor;
	size_t at = 0;
	int r;

	buf_init(&key, KEY_MAX);
	buf_init(&cursor, 64);
	r = scan_key(s, &key, e);
	if (r == 0)
		r = enter(t, buf_str(&key), &cursor, &x, &at, e);
	if (r < 0)
		return r;
	while (r == 0 && !found && !complete) {
		mutex_lock(&t->mu);
		at = x->names.n;
		complete = x->complete;
		r = copy_stored_locked(x, name, out, &found, e);
		mutex_unlock(&t->mu);
		if (r == 0 && !found && !complete)
			r = advance(v, x, s, at, d, e);
	}
	leave(t, x, false);
	return r == 0 && !found ? err_set(e, ENOENT, "no value has this abbreviated name") : r;
}
