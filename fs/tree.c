/* SPDX-License-Identifier: MIT */
/* Nodes: see tree.h.  One lock (rank 1) guards the table and all that changes in nodes; it is not held while a view is asked. */
#include "fs/tree.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"
#include "base/num.h"
#include "fs/names.h"

enum { MISSING_SLOTS = 4096, RECENT = 256 };
enum { LISTING_GRACE = 4 }; /* an entry of a long listing is looked at only when the rest of it has come */
enum { STORM = 8, STORM_SHARE = 2500 }; /* stale names of one directory within a second: list it again; more of a large one */

struct node {
	struct tree *t;
	struct node *parent;	   /* holds a reference; NULL: the root */
	struct view *view;	   /* NULL: one of the mount's own directories */
	struct node *chain;	   /* hash bucket */
	struct node *newer, *older; /* all nodes by age */
	union {
		struct view_record *record; /* files */
		struct directory *d;	    /* directories: what listing them has told */
	};
	uint64_t ino, size;
	int64_t mtime_ns, fresh_until_ns;
	uint32_t refs;		   /* references of this process: children, handles, work */
	uint32_t lookups;	   /* what the kernel counts */
	uint32_t bytes;		   /* charged to the budget */
	uint32_t opens;		   /* open handles */
	bool dir, exact, view_root, linked; /* linked: this is what its name means now */
	uint8_t n_name;		   /* strlen(name): etag follows its NUL */
	char name[];		   /* name NUL etag NUL */
};

struct directory {
	int64_t list_start_ns, list_until_ns; /* what the last listing gave is fresh until then */
	int64_t storm_since_ns;
	unsigned storm;	      /* stale names asked for since */
	unsigned entries;     /* of the listing that is under way or was the last */
	bool listed;	      /* has been listed once */
	bool refreshing;      /* somebody lists it again right now */
	struct node **own;    /* children of the mount's own directories */
	unsigned n_own;
};

struct missing { /* a name that was looked for in vain */
	uint64_t number; /* names_ino of directory and name */
	int64_t until_ns;
};

struct tree {
	pthread_mutex_t mu;
	pthread_cond_t refreshed;
	struct budget *budget;
	int64_t attr_timeout_ns, negative_timeout_ns, started_ns;
	struct node *recent[RECENT]; /* references to what was found but not yet told to the kernel */
	unsigned next_recent;
	struct missing missing[MISSING_SLOTS]; /* a name's slot is its number's: a later one takes it over */
	struct node *root;
	struct node **bucket;
	size_t n_buckets, n_nodes;
	struct node *oldest, *newest;
};

/* ---- the table (lock held) ---- */

static struct node **
slot_locked(struct tree *t, const struct node *parent, const char *name)
{
	/* The number of a name is its st_ino: a node need not be hashed again. */
	struct node **at = &t->bucket[names_ino(parent->ino, name) % t->n_buckets];

	while (*at != NULL && ((*at)->parent != parent || strcmp((*at)->name, name) != 0))
		at = &(*at)->chain;
	return at;
}

static void
rehash_locked(struct tree *t)
{
	size_t n = t->n_buckets * 4;
	struct node **bucket = calloc(n, sizeof(struct node *));

	if (bucket == NULL)
		return; /* slower, not wrong */
	for (size_t i = 0; i < t->n_buckets; i++)
		for (struct node *c = t->bucket[i], *next; c != NULL; c = next) {
			size_t h = c->ino % n;

			next = c->chain;
			c->chain = bucket[h];
			bucket[h] = c;
		}
	free(t->bucket);
	t->bucket = bucket;
	t->n_buckets = n;
}

static void
link_locked(struct node *n)
{
	struct tree *t = n->t;
	struct node **at;

	if (t->n_nodes > t->n_buckets * 2)
		rehash_locked(t);
	at = slot_locked(t, n->parent, n->name);
	assert(*at == NULL);
	*at = n;
	n->linked = true;
}

static void
unlink_locked(struct node *n)
{
	struct node **at;

	if (!n->linked)
		return;
	at = slot_locked(n->t, n->parent, n->name);
	assert(*at == n);
	*at = n->chain;
	n->chain = NULL;
	n->linked = false;
}

static void
age_add_locked(struct tree *t, struct node *n)
{
	n->older = t->newest;
	*(t->newest != NULL ? &t->newest->newer : &t->oldest) = n;
	t->newest = n;
	t->n_nodes++;
}

static void
age_remove_locked(struct tree *t, struct node *n)
{
	*(n->older != NULL ? &n->older->newer : &t->oldest) = n->newer;
	*(n->newer != NULL ? &n->newer->older : &t->newest) = n->older;
	t->n_nodes--;
}

/* ---- life of a node ---- */

static void
node_free(struct node *n)
{
	budget_give(n->t->budget, BUDGET_METADATA, n->bytes);
	if (n->dir) {
		free(n->d->own);
		free(n->d);
	} else {
		view_record_put(n->record);
	}
	free(n);
}

/* Frees what nobody needs any more, and its parents with it. */
static void
release_locked(struct node *n)
{
	while (n != NULL && n->refs == 0 && n->lookups == 0) {
		struct node *parent = n->parent;

		unlink_locked(n);
		age_remove_locked(n->t, n);
		node_free(n);
		if (parent != NULL)
			parent->refs--;
		n = parent;
	}
}

/*
 * Keeps a node for a while: the kernel has been told ESTALE and will look it up
 * right away, and must not be sent in circles.
 */
static void
keep_locked(struct node *n)
{
	struct tree *t = n->t;
	struct node **slot = &t->recent[t->next_recent++ % RECENT], *old = *slot;

	n->refs++;
	*slot = n;
	if (old != NULL) {
		old->refs--;
		release_locked(old);
	}
}

/* A node with one reference, not yet linked; NULL when there is no memory for it (must: take it all the same). */
static struct node *
node_new_locked(struct tree *t, struct node *parent, struct view *view, const struct view_item *item, bool must)
{
	size_t n_name = strlen(item->name), n_etag = strlen(item->etag);
	const size_t own_bytes = offsetof(struct node, name) + n_name + n_etag + 2;
	size_t bytes = own_bytes + (item->dir ? sizeof(struct directory) : item->record != NULL ? item->record->bytes : 0);
	struct node *n;

	if (!budget_try(t->budget, BUDGET_METADATA, bytes)) {
		if (!must)
			return NULL;
		bytes = 0; /* the few that the kernel asks for by name are served beyond the share */
	}
	n = calloc(1, u64_max(own_bytes, sizeof(*n)));
	if (n != NULL && item->dir)
		n->d = calloc(1, sizeof(*n->d));
	if (n == NULL || (item->dir && n->d == NULL)) {
		budget_give(t->budget, BUDGET_METADATA, bytes);
		free(n);
		return NULL;
	}
	n->t = t;
	n->parent = parent;
	if (parent != NULL)
		parent->refs++;
	n->view = view;
	n->bytes = (uint32_t)bytes;
	n->dir = item->dir;
	n->exact = item->exact;
	n->size = item->size;
	n->mtime_ns = item->dir && item->mtime_ns == 0 ? t->started_ns : item->mtime_ns;
	if (!item->dir)
		n->record = view_record_get(item->record);
	n->ino = parent == NULL ? 1 : names_ino(parent->ino, item->name);
	n->n_name = (uint8_t)n_name;
	memcpy(n->name, item->name, n_name + 1);
	memcpy(n->name + n_name + 1, item->etag, n_etag + 1);
	n->refs = 1;
	age_add_locked(t, n);
	return n;
}

static const char *
etag_of(const struct node *n)
{
	return n->name + n->n_name + 1;
}

static struct missing *
missing_slot(struct node *dir, const char *name, uint64_t *number)
{
	*number = names_ino(dir->ino, name);
	return &dir->t->missing[*number % MISSING_SLOTS];
}

/* The node that stands for item in dir from now on, with one reference. */
static struct node *
update_locked(struct node *dir, const char *name, const struct view_item *item, int64_t fresh_until_ns, bool must)
{
	struct tree *t = dir->t;
	struct view_item named = *item;
	struct node *old = *slot_locked(t, dir, name), *n;
	uint64_t number;

	named.name = name;
	missing_slot(dir, name, &number)->until_ns = 0;
	if (old != NULL && old->dir == item->dir && strcmp(etag_of(old), item->etag) == 0) {
		old->refs++;
		old->fresh_until_ns = fresh_until_ns;
		return old;
	}
	n = node_new_locked(t, dir, dir->view, &named, must);
	if (n == NULL)
		return NULL;
	if (old != NULL)
		unlink_locked(old);
	n->fresh_until_ns = fresh_until_ns;
	link_locked(n);
	if (old != NULL)
		release_locked(old);
	return n;
}

/* ---- making and freeing the tree ---- */

static struct node *
own_child(struct tree *t, struct node *dir, const char *name, struct view *view)
{
	const struct view_item item = { .name = name, .dir = true, .exact = true, .etag = "" };
	struct node *n, **own;

	own = reallocarray(dir->d->own, dir->d->n_own + 1, sizeof(struct node *));
	if (own == NULL)
		return NULL;
	dir->d->own = own;
	n = node_new_locked(t, dir, view, &item, true);
	if (n == NULL)
		return NULL;
	n->view_root = view != NULL;
	n->fresh_until_ns = INT64_MAX;
	own[dir->d->n_own++] = n;
	link_locked(n);
	return n;
}

/* Puts one view at its path, making the mount's own directories on the way. */
static int
place_view(struct tree *t, const struct tree_view *v, struct err *e)
{
	char name[NAMES_FILE_MAX + 1];
	struct node *at = t->root;
	const char *p = v->path;

	if (*p == '\0') {
		if (at->d->n_own > 0 || at->view != NULL)
			return err_set(e, EINVAL, "only one source can be at the root of the mount, and then no other");
		at->view = v->view;
		at->view_root = true;
		return 0;
	}
	for (size_t n; *p != '\0'; p += n + (p[n] == '/')) {
		struct node *child;

		n = strcspn(p, "/");
		if (n == 0 || n > NAMES_FILE_MAX || (n <= 2 && strspn(p, ".") >= n))
			return err_set(e, EINVAL, "\"%s\" is not a path in the mount", v->path);
		memcpy(name, p, n);
		name[n] = '\0';
		if (at->view != NULL)
			return err_set(e, EINVAL, "\"%s\" lies inside another source", v->path);
		child = *slot_locked(t, at, name);
		if (child != NULL && p[n] == '\0')
			return err_set(e, EINVAL, "two sources at \"%s\"", v->path);
		at = child != NULL ? child : own_child(t, at, name, p[n] == '\0' ? v->view : NULL);
		if (at == NULL)
			return err_set(e, ENOMEM, "out of memory");
	}
	return 0;
}

int
tree_new(const struct tree_config *cfg, struct tree **out, struct err *e)
{
	const struct view_item root = { .name = "", .dir = true, .exact = true, .etag = "" };
	struct tree *t = calloc(1, sizeof(*t));
	int r = 0;

	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&t->mu, NULL);
	(void)pthread_cond_init(&t->refreshed, NULL);
	t->budget = cfg->budget;
	t->attr_timeout_ns = cfg->attr_timeout_ns;
	t->negative_timeout_ns = cfg->negative_timeout_ns;
	t->started_ns = clock_wall_s() * NS_PER_S;
	t->n_buckets = 1024;
	t->bucket = calloc(t->n_buckets, sizeof(struct node *));
	if (t->bucket != NULL)
		t->root = node_new_locked(t, NULL, NULL, &root, true);
	if (t->root == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	else
		t->root->fresh_until_ns = INT64_MAX;
	for (unsigned i = 0; i < cfg->n_views && r == 0; i++)
		r = place_view(t, &cfg->views[i], e);
	if (r < 0) {
		tree_free(t);
		return r;
	}
	*out = t;
	return 0;
}

void
tree_free(struct tree *t)
{
	if (t == NULL)
		return;
	for (struct node *n = t->oldest, *next; n != NULL; n = next) {
		next = n->newer;
		node_free(n);
	}
	free(t->bucket);
	(void)pthread_cond_destroy(&t->refreshed);
	(void)pthread_mutex_destroy(&t->mu);
	free(t);
}

struct node *
tree_root(struct tree *t)
{
	return t->root;
}

void
node_ref(struct node *n)
{
	mutex_lock(&n->t->mu);
	n->refs++;
	mutex_unlock(&n->t->mu);
}

void
node_unref(struct node *n)
{
	struct tree *t = n->t;

	mutex_lock(&t->mu);
	assert(n->refs > 0);
	n->refs--;
	release_locked(n);
	mutex_unlock(&t->mu);
}

void
node_attr(struct node *n, struct node_attr *out)
{
	mutex_lock(&n->t->mu);
	*out = (struct node_attr){ n->ino, n->dir, n->exact, n->size, n->mtime_ns };
	mutex_unlock(&n->t->mu);
}

struct node *
tree_node(struct tree *t, uint64_t nodeid)
{
	return nodeid == 1 ? t->root : (struct node *)(uintptr_t)nodeid;
}

uint64_t
tree_nodeid(struct tree *t, const struct node *n)
{
	return n == t->root ? 1 : (uint64_t)(uintptr_t)n;
}

void
tree_known(struct node *n)
{
	mutex_lock(&n->t->mu);
	n->lookups++;
	mutex_unlock(&n->t->mu);
}

void
tree_forget(struct node *n, uint64_t times)
{
	struct tree *t = n->t;

	mutex_lock(&t->mu);
	if (n != t->root) {
		assert(n->lookups >= times);
		n->lookups -= (uint32_t)times;
		release_locked(n);
	}
	mutex_unlock(&t->mu);
}

/* ---- lookup ---- */

static bool
fresh_locked(const struct node *n)
{
	const int64_t now = clock_now_ns();
	const struct directory *d = n->parent != NULL ? n->parent->d : NULL;

	if (now < n->fresh_until_ns)
		return true;
	return d != NULL && now < d->list_until_ns && n->linked &&
	       n->fresh_until_ns - n->t->attr_timeout_ns >= d->list_start_ns;
}

int64_t
tree_fresh_ns(struct node *n)
{
	const int64_t now = clock_now_ns();
	int64_t left;

	mutex_lock(&n->t->mu);
	left = !fresh_locked(n) ? 0 : (int64_t)u64_max((uint64_t)(n->fresh_until_ns - now), 1);
	if (left > 0 && n->fresh_until_ns < now)
		left = n->parent->d->list_until_ns - now;
	mutex_unlock(&n->t->mu);
	return left;
}

bool
tree_fresh(struct node *n)
{
	bool fresh;

	mutex_lock(&n->t->mu);
	fresh = fresh_locked(n);
	mutex_unlock(&n->t->mu);
	return fresh;
}

struct node *
tree_cached(struct node *dir, const char *name)
{
	struct node *n;

	mutex_lock(&dir->t->mu);
	n = dir->dir ? *slot_locked(dir->t, dir, name) : NULL;
	if (n != NULL && !fresh_locked(n))
		n = NULL;
	if (n != NULL)
		n->refs++;
	mutex_unlock(&dir->t->mu);
	return n;
}

static bool
missing_locked(struct node *dir, const char *name)
{
	uint64_t number;
	const struct missing *m = missing_slot(dir, name, &number);

	return m->number == number && clock_now_ns() < m->until_ns;
}

bool
tree_missing(struct node *dir, const char *name)
{
	bool missing;

	mutex_lock(&dir->t->mu);
	missing = missing_locked(dir, name);
	mutex_unlock(&dir->t->mu);
	return missing;
}

static struct node *
assume_locked(struct node *dir, const char *name)
{
	const struct view_item item = { .name = name, .dir = true, .exact = true, .etag = "" };
	struct node *n = *slot_locked(dir->t, dir, name);

	if (n != NULL)
		return n->dir || fresh_locked(n) ? n : NULL;
	if (dir->view == NULL || clock_now_ns() < dir->d->list_until_ns || missing_locked(dir, name))
		return NULL;
	n = node_new_locked(dir->t, dir, dir->view, &item, true);
	if (n == NULL)
		return NULL;
	link_locked(n);
	n->refs--; /* the caller counts its own */
	return n;
}

struct node *
tree_assume(struct node *dir, const char *name)
{
	struct node *n;

	if (!dir->dir)
		return NULL;
	mutex_lock(&dir->t->mu);
	n = assume_locked(dir, name);
	if (n != NULL)
		n->refs++;
	mutex_unlock(&dir->t->mu);
	return n;
}

struct receive {
	struct node *dir;
	const char *name;
	struct node *node; /* one reference */
};

/* Where something is, its directories are. */
static void
confirm_parents_locked(struct node *n)
{
	for (struct node *up = n->parent; up != NULL && !up->view_root && !fresh_locked(up); up = up->parent)
		up->fresh_until_ns = clock_now_ns() + n->t->attr_timeout_ns;
}

static int
receive_item(void *arg, const struct view_item *item, struct err *e)
{
	struct receive *rc = arg;
	struct tree *t = rc->dir->t;

	if (rc->node != NULL)
		return 0;
	mutex_lock(&t->mu);
	rc->node = update_locked(rc->dir, rc->name, item, clock_now_ns() + t->attr_timeout_ns, true);
	if (rc->node != NULL)
		confirm_parents_locked(rc->node);
	mutex_unlock(&t->mu);
	return rc->node != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int
child_path(struct node *dir, const char *name, struct buf *out, struct err *e)
{
	int r = node_path(dir, out, e);

	if (r == 0 && out->n > 0)
		r = buf_add_str(out, "/", e);
	return r == 0 ? buf_add_str(out, name, e) : r;
}

/* What the name meant is over. */
static void
drop_name(struct node *dir, const char *name)
{
	struct tree *t = dir->t;
	struct missing *m;
	struct node *old;
	uint64_t number;

	mutex_lock(&t->mu);
	m = missing_slot(dir, name, &number);
	*m = (struct missing){ number, clock_now_ns() + t->negative_timeout_ns };
	old = *slot_locked(t, dir, name);
	if (old != NULL) {
		unlink_locked(old);
		release_locked(old);
	}
	mutex_unlock(&t->mu);
}

enum { PATH_BYTES_MAX = 16 << 10 };

static int
ask_view(struct node *dir, const char *name, struct deadline d, struct node **out, struct err *e)
{
	struct receive rc = { dir, name, NULL };
	AUTO_BUF path;
	int r;

	buf_init(&path, PATH_BYTES_MAX);
	r = child_path(dir, name, &path, e);
	if (r == 0)
		r = view_lookup(dir->view, buf_str(&path), (struct view_sink){ receive_item, &rc }, d, e);
	if (r == -ENOENT)
		drop_name(dir, name);
	if (r == 0)
		*out = rc.node;
	else if (rc.node != NULL)
		node_unref(rc.node);
	return r;
}

static int
keep_fresh(void *arg, const struct view_item *item, struct err *e)
{
	struct node *dir = arg;
	struct tree *t = dir->t;
	struct node *n = NULL;

	(void)e;
	mutex_lock(&t->mu);
	if (*slot_locked(t, dir, item->name) != NULL) /* only what is known already: this is no listing for anybody */
		n = update_locked(dir, item->name, item, clock_now_ns() + t->attr_timeout_ns, false);
	mutex_unlock(&t->mu);
	if (n != NULL)
		node_unref(n);
	return 0;
}

static int
list_again(struct node *dir, struct deadline d, struct err *e)
{
	const int64_t start = clock_now_ns();
	AUTO_BUF path, cursor;
	int r;

	buf_init(&path, PATH_BYTES_MAX);
	buf_init(&cursor, PATH_BYTES_MAX);
	r = node_path(dir, &path, e);
	do {
		if (r == 0)
			r = view_list(dir->view, buf_str(&path), &cursor, (struct view_sink){ keep_fresh, dir }, d, e);
	} while (r == 0 && cursor.n > 0);
	if (r == 0)
		tree_listing_done(dir, start);
	return r;
}

/* Whether this caller should list the directory again for all; others wait until it is done. */
static bool
join_storm(struct node *dir, bool known)
{
	struct tree *t = dir->t;
	const int64_t now = clock_now_ns();
	bool lead = false;

	mutex_lock(&t->mu);
	while (dir->d->refreshing)
		(void)pthread_cond_wait(&t->refreshed, &t->mu);
	if (known && dir->d->listed) {
		if (now - dir->d->storm_since_ns > NS_PER_S) {
			dir->d->storm_since_ns = now;
			dir->d->storm = 0;
		}
		lead = ++dir->d->storm >= STORM + dir->d->entries / STORM_SHARE;
	}
	if (lead) {
		dir->d->refreshing = true;
		dir->d->storm = 0;
	}
	mutex_unlock(&t->mu);
	return lead;
}

static void
end_storm(struct node *dir)
{
	mutex_lock(&dir->t->mu);
	dir->d->refreshing = false;
	(void)pthread_cond_broadcast(&dir->t->refreshed);
	mutex_unlock(&dir->t->mu);
}

static bool
name_known(struct node *dir, const char *name)
{
	bool known;

	mutex_lock(&dir->t->mu);
	known = *slot_locked(dir->t, dir, name) != NULL;
	mutex_unlock(&dir->t->mu);
	return known;
}

int
tree_lookup(struct node *dir, const char *name, struct deadline d, struct node **out, struct err *e)
{
	struct node *n;

	if (!dir->dir)
		return err_set(e, ENOTDIR, "not a directory");
	n = tree_cached(dir, name);
	if (n == NULL && dir->view != NULL && join_storm(dir, name_known(dir, name))) {
		struct err ignored = { 0 };

		(void)list_again(dir, d, &ignored); /* the name itself is asked for below when this did not help */
		end_storm(dir);
	}
	if (n == NULL)
		n = tree_cached(dir, name);
	if (n != NULL) {
		*out = n;
		return 0;
	}
	if (dir->view == NULL)
		return err_set(e, ENOENT, "no source is mounted here");
	return ask_view(dir, name, d, out, e);
}

int
tree_refresh(struct node *n, struct deadline d, struct err *e)
{
	struct node *now;
	int r;

	if (tree_fresh(n) || n->parent == NULL)
		return 0;
	r = tree_lookup(n->parent, n->name, d, &now, e);
	if (r < 0)
		return r;
	if (now != n) {
		r = err_set(e, ESTALE, "the name means another version now");
		mutex_lock(&n->t->mu);
		keep_locked(now);
		mutex_unlock(&n->t->mu);
	}
	node_unref(now);
	return r;
}

/* ---- listings ---- */

struct node *
tree_listed(struct node *dir, const struct view_item *item, int64_t start_ns)
{
	struct tree *t = dir->t;
	const int64_t now = clock_now_ns(), until = now + t->attr_timeout_ns + LISTING_GRACE * (now - start_ns);
	struct node *n;

	mutex_lock(&t->mu);
	if (dir->d->list_start_ns != start_ns) {
		dir->d->list_start_ns = start_ns;
		dir->d->entries = 0;
	}
	dir->d->entries++;
	n = update_locked(dir, item->name, item, t->attr_timeout_ns > 0 ? until : 0, false);
	mutex_unlock(&t->mu);
	return n;
}

void
tree_listing_done(struct node *dir, int64_t start_ns)
{
	struct tree *t = dir->t;
	const int64_t now = clock_now_ns();

	mutex_lock(&t->mu);
	dir->d->listed = true;
	dir->d->list_start_ns = start_ns;
	dir->d->list_until_ns = now + (int64_t)u64_max((uint64_t)t->attr_timeout_ns, (uint64_t)(now - start_ns));
	mutex_unlock(&t->mu);
}

void
tree_replace(struct node *n, const struct view_item *now)
{
	struct tree *t = n->t;
	struct node *fresh = NULL;

	mutex_lock(&t->mu);
	if (n->parent != NULL)
		fresh = update_locked(n->parent, n->name, now, clock_now_ns() + t->attr_timeout_ns, true);
	if (fresh != NULL)
		keep_locked(fresh);
	mutex_unlock(&t->mu);
	if (fresh != NULL)
		node_unref(fresh);
}

void
node_opened(struct node *n, int delta)
{
	mutex_lock(&n->t->mu);
	n->opens += (uint32_t)delta;
	mutex_unlock(&n->t->mu);
}

bool
node_is_open(struct node *n)
{
	bool open;

	mutex_lock(&n->t->mu);
	open = n->opens > 0;
	mutex_unlock(&n->t->mu);
	return open;
}

void
tree_exact_size(struct node *n, uint64_t size)
{
	mutex_lock(&n->t->mu);
	n->size = size;
	n->exact = true;
	mutex_unlock(&n->t->mu);
}

/* ---- what a node is ---- */

struct view *
node_view(const struct node *n)
{
	return n->view;
}

/* Names of a node never change and its parents live as long as it does: no lock is needed to walk up. */
static int
add_names(const struct node *n, bool to_root, struct buf *out, struct err *e)
{
	int r;

	if (n->parent == NULL || (!to_root && n->view_root))
		return 0;
	r = add_names(n->parent, to_root, out, e);
	if (r == 0 && (out->n > 0 || to_root))
		r = buf_add_str(out, "/", e);
	return r == 0 ? buf_add_str(out, n->name, e) : r;
}

int
node_path(struct node *n, struct buf *out, struct err *e)
{
	buf_reset(out);
	return add_names(n, false, out, e);
}

int
node_full_path(struct node *n, struct buf *out, struct err *e)
{
	buf_reset(out);
	return n->parent == NULL ? buf_add_str(out, "/", e) : add_names(n, true, out, e);
}

const char *
node_etag(const struct node *n)
{
	return etag_of(n);
}

struct view_record *
node_record(const struct node *n)
{
	return n->dir ? NULL : n->record;
}

struct node *
tree_own_child(struct node *dir, unsigned i)
{
	return dir->dir && i < dir->d->n_own ? dir->d->own[i] : NULL;
}

struct node *
node_parent(struct node *n)
{
	return n->parent != NULL ? n->parent : n;
}

const char *
node_name(const struct node *n)
{
	return n->name;
}

unsigned
tree_victims(struct tree *t, struct tree_victim *out, unsigned max)
{
	unsigned n = 0;

	if (budget_used(t->budget, BUDGET_METADATA) / 9 * 10 < budget_limit(t->budget, BUDGET_METADATA))
		return 0;
	mutex_lock(&t->mu);
	for (struct node *v = t->oldest; v != NULL && n < max; v = v->newer) {
		if (v->refs > 0 || !v->linked || v->parent == NULL)
			continue;
		out[n].name = strdup(v->name);
		if (out[n].name == NULL)
			break;
		out[n++].parent = tree_nodeid(t, v->parent);
	}
	mutex_unlock(&t->mu);
	return n;
}

uint64_t
tree_nodes(struct tree *t)
{
	uint64_t n;

	mutex_lock(&t->mu);
	n = t->n_nodes;
	mutex_unlock(&t->mu);
	return n;
}
