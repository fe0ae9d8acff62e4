/* SPDX-License-Identifier: MIT */
/*
 * FUSE callbacks on open directories.  An offset is the number of the entry that comes next: see
 * dirstream.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fs/dirstream.h"
#include "fs/fs.h"
#include "fs/names.h"
#include "fs/push.h"

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
	size_t need = rp->plus ? fuse_add_direntry_plus(rp->req, rp->buf + rp->n, left, name,
							&entry, (off_t)next)
			       : fuse_add_direntry(rp->req, rp->buf + rp->n, left, name, &st,
						   (off_t)next);

	if (need > left)
		return false;
	rp->n += need;
	rp->added++;
	return true;
}

/* With attributes: the kernel counts one lookup for each. */
static bool
add_node(struct fs *fs, struct reply *rp, struct node *n, const char *name, uint64_t next)
{
	struct fuse_entry_param entry;
	size_t left = rp->size - rp->n, need;

	fs_entry(fs, n, &entry);
	need = fuse_add_direntry_plus(rp->req, rp->buf + rp->n, left, name, &entry, (off_t)next);
	if (need > left) {
		tree_forget(n, 1);
		return false;
	}
	rp->known[rp->n_known++] = n;
	rp->n += need;
	rp->added++;
	return true;
}

static bool
add_entry(struct op *op, struct reply *rp, const struct dirstream_entry *x, struct tree_listing l,
	  uint64_t next)
{
	const struct view_item item = {
		.name = x->name,
		.dir = x->dir,
		.exact = x->exact,
		.size = x->size,
		.mtime_ns = x->mtime_ns,
		.etag = x->name + strlen(x->name) + 1,
		.record = x->record,
	};
	const bool listed = node_view(op->node) != NULL && !x->local;
	struct node *n = rp->plus && listed ? tree_listed(op->node, &item, l) : NULL;
	struct node_attr dir;
	bool fits;

	if (rp->plus && n == NULL && !listed)
		n = tree_cached(op->node, x->name);
	if (n != NULL) {
		fits = add_node(op->fs, rp, n, x->name, next);
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

	for (; at < DIRSTREAM_DOTS && fits; at += fits) {
		node_attr(at == 0 ? op->node : node_parent(op->node), &a);
		fits = add_plain(rp, at == 0 ? "." : "..", a.ino, true, at + 1);
	}
	while (fits) {
		const struct dirstream_entry *x;

		if (rp->added > DIRSTREAM_DOTS && !dirstream_ready(s, at))
			return 0; /* rather answer what is there than wait for the next page */
		r = dirstream_entry(op, s, at, &x, e);
		if (r < 0)
			break;
		fits = add_entry(op, rp, x, dirstream_listing(s), at + 1);
		at += fits;
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
		dirstream_lock(s);
		(void)fill_reply(op, s, &rp, &e);
		dirstream_unlock(s);
	}
	/*
	 * What is there goes out first, and the next call fails; but "." and ".." are not worth a
	 * second try.
	 */
	if (e.no != 0 && (rp.added == 0 || rp.added + op->off <= DIRSTREAM_DOTS)) {
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
submit_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi,
	       bool plus)
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
