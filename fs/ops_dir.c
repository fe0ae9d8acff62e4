/* SPDX-License-Identifier: MIT */
/*
 * FUSE callbacks on open directories.
 *
 * A directory is read as a stream of pages; one page is shown while the next one is fetched.  An offset is the number of the entry that comes next: "." is
 * 0, ".." is 1.  Going back behind the page starts the listing over.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mutex.h"
#include "fs/fs.h"
#include "fs/names.h"
#include "fs/push.h"

struct entry {
	char *name; /* name NUL etag NUL; owned */
	bool dir, exact;
	uint64_t size;
	int64_t mtime_ns;
	struct view_record *record;
};

struct dirpage {
	struct entry *entry;
	size_t n, room;
};

enum ahead_state { AHEAD_NONE, AHEAD_RUNNING, AHEAD_DONE };

struct dirstream {
	pthread_mutex_t turn; /* one request at a time: after an interrupt a second may come while the first still works */
	struct buf cursor;
	int64_t start_ns;
	uint64_t first;	      /* number of the page's first entry, counting "." and ".." */
	struct dirpage page;
	bool started, complete;
	/* The page after this one, fetched while this one is shown; while it is, the cursor is its. */
	pthread_mutex_t mu;
	pthread_cond_t fetched;
	enum ahead_state ahead; /* guarded by mu */
	struct dirpage next;
	struct err next_e;
	struct pool_job job;
	struct fs *fs;		/* of the job, with a reference to the handle */
	struct handle *handle;
};

enum { DOTS = 2, CURSOR_MAX = 16 << 10 };

static struct dirstream *
dirstream_new(void)
{
	struct dirstream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	(void)pthread_mutex_init(&s->turn, NULL);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_cond_init(&s->fetched, NULL);
	buf_init(&s->cursor, CURSOR_MAX);
	s->first = DOTS;
	return s;
}

static void
page_drop(struct dirpage *p)
{
	for (size_t i = 0; i < p->n; i++) {
		free(p->entry[i].name);
		view_record_put(p->entry[i].record);
	}
	p->n = 0;
}

static void
page_free(struct dirpage *p)
{
	page_drop(p);
	free(p->entry);
	*p = (struct dirpage){ 0 };
}

void
dirstream_free(struct dirstream *s)
{
	if (s == NULL)
		return;
	page_free(&s->page);
	page_free(&s->next);
	buf_clear(&s->cursor);
	(void)pthread_cond_destroy(&s->fetched);
	(void)pthread_mutex_destroy(&s->mu);
	(void)pthread_mutex_destroy(&s->turn);
	free(s);
}

/* Waits for a page that is being fetched ahead; whether there is one now. */
static bool
await_ahead(struct dirstream *s)
{
	bool have;

	mutex_lock(&s->mu);
	while (s->ahead == AHEAD_RUNNING)
		(void)pthread_cond_wait(&s->fetched, &s->mu);
	have = s->ahead == AHEAD_DONE;
	s->ahead = AHEAD_NONE;
	mutex_unlock(&s->mu);
	return have;
}

static void
start_over(struct dirstream *s)
{
	(void)await_ahead(s);
	err_clear(&s->next_e);
	page_drop(&s->next);
	page_drop(&s->page);
	buf_reset(&s->cursor);
	s->first = DOTS;
	s->started = s->complete = false;
}

static int
keep_entry(void *arg, const struct view_item *item, struct err *e)
{
	struct dirpage *p = arg;
	size_t n_name = strlen(item->name) + 1, n_etag = strlen(item->etag) + 1;
	struct entry *x;

	if (p->n == p->room) {
		size_t room = p->room == 0 ? 64 : p->room * 2;

		x = reallocarray(p->entry, room, sizeof(*x));
		if (x == NULL)
			return err_set(e, ENOMEM, "out of memory");
		p->entry = x;
		p->room = room;
	}
	x = &p->entry[p->n];
	*x = (struct entry){ .dir = item->dir, .exact = item->exact, .size = item->size, .mtime_ns = item->mtime_ns };
	x->name = malloc(n_name + n_etag);
	if (x->name == NULL)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(x->name, item->name, n_name);
	memcpy(x->name + n_name, item->etag, n_etag);
	x->record = view_record_get(item->record);
	p->n++;
	return 0;
}

static int
keep_own_children(struct node *dir, struct dirstream *s, struct err *e)
{
	struct node *child;
	int r = 0;

	for (unsigned i = 0; r == 0 && (child = tree_own_child(dir, i)) != NULL; i++) {
		const struct view_item item = { .name = node_name(child), .dir = true, .exact = true, .etag = "" };

		r = keep_entry(&s->page, &item, e);
	}
	s->complete = true;
	return r;
}

static int
list_page(struct node *dir, struct dirstream *s, struct dirpage *into, struct deadline d, struct err *e)
{
	AUTO_BUF path;
	int r;

	buf_init(&path, 64 << 10);
	r = node_path(dir, &path, e);
	return r < 0 ? r : view_list(node_view(dir), buf_str(&path), &s->cursor, (struct view_sink){ keep_entry, into },
				     d, e);
}

static void
run_ahead(struct pool_job *job)
{
	struct dirstream *s = (struct dirstream *)(void *)((char *)job - offsetof(struct dirstream, job));
	struct handle *h = s->handle;
	struct fs *fs = s->fs;

	(void)list_page(h->node, s, &s->next, deadline_in(engine_timeout_ns(fs->engine)), &s->next_e);
	mutex_lock(&s->mu);
	s->ahead = AHEAD_DONE;
	(void)pthread_cond_broadcast(&s->fetched);
	mutex_unlock(&s->mu);
	handle_put(fs, h); /* may free the stream */
}

static void
fetch_ahead(struct op *op, struct dirstream *s)
{
	s->fs = op->fs;
	s->handle = handle_of(op->fs, &op->fi);
	s->ahead = AHEAD_RUNNING; /* no job runs: nobody else looks */
	s->job.run = run_ahead;
	engine_submit(op->fs->engine, LANE_AHEAD, &s->job);
}

/* Takes the page that was fetched ahead. */
static int
take_ahead(struct dirstream *s, struct err *e)
{
	struct dirpage old = s->page;

	s->page = s->next;
	s->next = old;
	if (s->next_e.no == 0)
		return 0;
	*e = s->next_e;
	err_clear(&s->next_e);
	return -e->no;
}

static int
next_page(struct op *op, struct dirstream *s, struct err *e)
{
	int r;

	if (!s->started)
		s->start_ns = clock_now_ns();
	s->started = true;
	s->first += s->page.n;
	page_drop(&s->page);
	if (node_view(op->node) == NULL)
		return keep_own_children(op->node, s, e);
	r = await_ahead(s) ? take_ahead(s, e) : list_page(op->node, s, &s->page, op_deadline(op), e);
	if (r < 0)
		return r;
	if (s->cursor.n > 0) {
		fetch_ahead(op, s);
	} else {
		s->complete = true;
		tree_listing_done(op->node, s->start_ns);
	}
	return 0;
}

/* Brings the page that holds entry number `at`; -ENODATA past the end. */
static int
seek_entry(struct op *op, struct dirstream *s, uint64_t at, struct err *e)
{
	int r = 0;

	if (at < s->first)
		start_over(s);
	while (r == 0 && at >= s->first + s->page.n && !s->complete)
		r = next_page(op, s, e);
	if (r < 0) {
		start_over(s); /* a page that failed has left the stream in between */
		return r;
	}
	return at < s->first + s->page.n ? 0 : -ENODATA;
}

struct reply {
	fuse_req_t req;
	char *buf;
	size_t size, n;
	bool plus;
	unsigned added;
	struct node **known; /* what the kernel was told of, in case the answer does not reach it */
	size_t n_known;
};

enum { DIRENT_PLUS_MIN = 152 }; /* bytes of the shortest entry with attributes */

static bool
add_plain(struct reply *rp, const char *name, uint64_t ino, bool dir, uint64_t next)
{
	const struct stat st = { .st_ino = ino, .st_mode = dir ? S_IFDIR : S_IFREG };
	const struct fuse_entry_param entry = { .attr = st };
	size_t left = rp->size - rp->n;
	size_t need = rp->plus ? fuse_add_direntry_plus(rp->req, rp->buf + rp->n, left, name, &entry, (off_t)next)
			       : fuse_add_direntry(rp->req, rp->buf + rp->n, left, name, &st, (off_t)next);

	if (need > left)
		return false;
	rp->n += need;
	rp->added++;
	return true;
}

/* With attributes: the kernel counts one lookup for each. */
static bool
add_node(struct fs *fs, struct reply *rp, struct node *n, uint64_t next)
{
	struct fuse_entry_param entry = { .ino = tree_nodeid(fs->tree, n) };
	size_t left = rp->size - rp->n, need;

	fs_stat(fs, n, &entry.attr);
	entry.attr_timeout = entry.entry_timeout = fs_attr_timeout(fs, n);
	need = fuse_add_direntry_plus(rp->req, rp->buf + rp->n, left, node_name(n), &entry, (off_t)next);
	if (need > left)
		return false;
	tree_known(n);
	rp->known[rp->n_known++] = n;
	rp->n += need;
	rp->added++;
	return true;
}

static bool
add_entry(struct op *op, struct reply *rp, const struct entry *x, int64_t start_ns, uint64_t next)
{
	const struct view_item item = {
		.name = x->name, .dir = x->dir, .exact = x->exact, .size = x->size, .mtime_ns = x->mtime_ns,
		.etag = x->name + strlen(x->name) + 1, .record = x->record,
	};
	struct node *n = rp->plus && node_view(op->node) != NULL ? tree_listed(op->node, &item, start_ns) : NULL;
	struct node_attr dir;
	bool fits;

	if (rp->plus && n == NULL && node_view(op->node) == NULL)
		n = tree_cached(op->node, x->name);
	if (n != NULL) {
		fits = add_node(op->fs, rp, n, next);
		node_unref(n);
		return fits;
	}
	node_attr(op->node, &dir);
	return add_plain(rp, x->name, names_ino(dir.ino, x->name), x->dir, next);
}

static int
fill_reply(struct op *op, struct dirstream *s, struct reply *rp, struct err *e)
{
	uint64_t at = op->off;
	struct node_attr a;
	bool fits = true;
	int r = 0;

	for (; at < DOTS && fits; at += fits) {
		node_attr(at == 0 ? op->node : node_parent(op->node), &a);
		fits = add_plain(rp, at == 0 ? "." : "..", a.ino, true, at + 1);
	}
	while (fits) {
		if (rp->added > DOTS && at >= s->first + s->page.n && !s->complete)
			return 0; /* rather answer what is there than wait for the next page */
		r = seek_entry(op, s, at, e);
		if (r < 0)
			break;
		for (; fits && at < s->first + s->page.n; at += fits)
			fits = add_entry(op, rp, &s->page.entry[at - s->first], s->start_ns, at + 1);
	}
	return r == -ENODATA ? 0 : r;
}

/* Nodes that were counted for an answer that the kernel never got. */
static void
take_back(const struct reply *rp)
{
	for (size_t i = 0; i < rp->n_known; i++)
		tree_forget(rp->known[i], 1);
}

static bool
reply_init(struct reply *rp, const struct op *op)
{
	*rp = (struct reply){ .req = op->parked.req, .size = op->size, .plus = op->plus };
	rp->buf = malloc(op->size);
	rp->known = calloc(op->size / DIRENT_PLUS_MIN + 1, sizeof(struct node *));
	return rp->buf != NULL && rp->known != NULL;
}

static void
run_readdir(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct dirstream *s = op->handle->stream;
	struct reply rp;
	struct err e = { 0 };

	if (!reply_init(&rp, op)) {
		(void)err_set(&e, ENOMEM, "out of memory");
	} else {
		mutex_lock(&s->turn);
		(void)fill_reply(op, s, &rp, &e);
		mutex_unlock(&s->turn);
	}
	/* What is there goes out first, and the next call fails; but "." and ".." are not worth a second try. */
	if (e.no != 0 && (rp.added == 0 || rp.added + op->off <= DOTS)) {
		op_fail(op, "readdir", &e);
	} else {
		if (!park_claim(&op->parked) || fuse_reply_buf(op->parked.req, rp.buf, rp.n) != 0)
			take_back(&rp);
		push_check_memory(op->fs->push);
		op_end(op);
	}
	free(rp.buf);
	free(rp.known);
}

static void
submit_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi, bool plus)
{
	struct op *op = op_new(fs_of(req), req, fs_node(req, ino));

	if (op == NULL)
		return;
	op->handle = handle_of(op->fs, fi);
	op->fi = *fi;
	op->size = size;
	op->off = (uint64_t)off;
	op->plus = plus;
	op_submit(op, LANE_META, run_readdir);
}

void
fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	submit_readdir(req, ino, size, off, fi, false);
}

void
fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	submit_readdir(req, ino, size, off, fi, true);
}

static void
answer_opendir(struct fs *fs, fuse_req_t req, struct node *n, struct fuse_file_info *fi)
{
	struct handle *h = handle_new(fs, n);

	if (h != NULL)
		h->stream = dirstream_new();
	if (h == NULL || h->stream == NULL) {
		handle_put(fs, h);
		(void)fuse_reply_err(req, ENOMEM);
		return;
	}
	fi->fh = (uint64_t)(uintptr_t)h;
	if (fuse_reply_open(req, fi) != 0)
		handle_put(fs, h);
}

static void
run_opendir(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };

	if (tree_refresh(op->node, op_deadline(op), &e) < 0) {
		op_fail(op, "opendir", &e);
		return;
	}
	if (park_claim(&op->parked))
		answer_opendir(op->fs, op->parked.req, op->node, &op->fi);
	op_end(op);
}

void
fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *n = fs_node(req, ino);
	struct op *op;

	if (tree_fresh(n)) {
		answer_opendir(fs_of(req), req, n, fi);
		return;
	}
	op = op_new(fs_of(req), req, n);
	if (op == NULL)
		return;
	op->fi = *fi;
	op_submit(op, LANE_META, run_opendir);
}

void
fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	fs_release(req, ino, fi);
}
