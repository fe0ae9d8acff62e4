/* SPDX-License-Identifier: MIT */
/* FUSE callbacks on files that are being written: see draft.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/timetext.h"
#include "fs/caller.h"
#include "fs/fs.h"
#include "fs/viewwrite.h"

/* ---- open and create ---- */

/* A handle on the draft, whose hold it takes. */
static int
new_handle(struct op *op, struct draft *d, bool writes, struct err *e)
{
	int r = 0;

	op->handle = handle_new(op->fs, draft_node(d));
	if (op->handle == NULL) {
		draft_put(d);
		return err_set(e, ENOMEM, "out of memory");
	}
	op->handle->draft = d;
	if (writes)
		r = draft_add_writer(d, e);
	if (r == 0 && writes) {
		op->handle->opener = caller_group(op->parked.thread);
		op->handle->writes = true;
	}
	op->fi.fh = (uint64_t)(uintptr_t)op->handle;
	op->fi.keep_cache = 1; /* all that changes it goes through this very inode */
	op->fi.noflush = !writes;
	return r;
}

bool
fs_opens_to_write(int flags)
{
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC) != 0;
}

/* Takes the hold. */
static int
open_draft(struct op *op, struct draft *d, struct err *e)
{
	const bool writes = fs_opens_to_write(op->fi.flags);
	int r;

	if (writes)
		draft_arrived(d);
	r = drafts_told_late(op->fs->drafts, op->node, NULL, e);
	if (r < 0) {
		draft_put(d);
		return r;
	}
	r = new_handle(op, d, writes, e);
	return r == 0 && (op->fi.flags & O_TRUNC) != 0 ? draft_truncate(d, 0, e) : r;
}

bool
fs_open_draft(struct op *op)
{
	struct draft *d = draft_get(op->fs->drafts, op->node);
	struct err e = { 0 };

	if (d == NULL)
		return false;
	if (open_draft(op, d, &e) < 0) {
		op_fail(op, "open", &e);
		return true;
	}
	if (park_claim(&op->parked) && fuse_reply_open(op->parked.req, &op->fi) == 0)
		op->handle = NULL; /* RELEASE puts it */
	op_end(op);
	return true;
}

/* Whether the kernel heard of it. */
static bool
answer_create(struct op *op)
{
	struct node *n = op->handle->node;
	struct fuse_entry_param entry;

	if (!park_claim(&op->parked))
		return false;
	fs_entry(op->fs, n, &entry);
	if (fuse_reply_create(op->parked.req, &entry, &op->fi) == 0)
		return true;
	tree_forget(n, 1);
	return false;
}

static void
run_create(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	struct draft *d;
	int r = drafts_told_late(op->fs->drafts, op->node, op->name, &e);

	if (r == 0)
		r = draft_create(op->fs->drafts, op->node, op->name, &d, &e);
	if (r == 0)
		r = new_handle(op, d, true, &e);
	if (r < 0) {
		op_fail(op, "create", &e);
		return;
	}
	if (answer_create(op))
		op->handle = NULL; /* RELEASE puts it */
	else
		draft_discard(d);
	op_end(op);
}

void
fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	  struct fuse_file_info *fi)
{
	struct op *op = op_on_name(req, parent, name);

	(void)mode;
	if (op == NULL)
		return;
	op->fi = *fi;
	op_submit(op, LANE_OPEN, run_create);
}

/* An empty file, published before the answer. */
static int
make_empty(struct op *op, struct node **out, struct err *e)
{
	struct draft *d;
	int r = draft_create(op->fs->drafts, op->node, op->name, &d, e);

	if (r < 0)
		return r;
	r = draft_publish(d, e);
	draft_put(d);
	return r < 0 ? r : tree_lookup(op->node, op->name, op_deadline(op), out, e);
}

static void
run_mknod(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct node *n;
	struct err e = { 0 };

	if (make_empty(op, &n, &e) < 0) {
		op_fail(op, "create", &e);
		return;
	}
	op_reply_entry(op, n);
	node_unref(n);
	op_end(op);
}

void
fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev)
{
	struct op *op;

	(void)dev;
	if (!S_ISREG(mode)) {
		(void)fuse_reply_err(req, EPERM);
		return;
	}
	op = op_on_name(req, parent, name);
	if (op != NULL)
		op_submit(op, LANE_PUBLISH, run_mknod);
}

/* A request that changes a file, by handle or (fi NULL) by name; as op_new. */
static struct op *
op_of_writer(fuse_req_t req, struct node *n, const struct fuse_file_info *fi)
{
	struct op *op = op_new(fs_of(req), req, n);

	if (op == NULL)
		return NULL;
	op->parked.changes = true;
	op->handle = fi != NULL ? handle_of(op->fs, fi) : NULL;
	return op;
}

/* ---- write ---- */

static void
run_write(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };

	if (draft_write(op->handle->draft, op->off, span_of(op->bytes, op->size), &e) < 0) {
		op_fail(op, "write", &e);
		return;
	}
	if (park_claim(&op->parked))
		(void)fuse_reply_write(op->parked.req, op->size);
	op_end(op);
}

void
fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	 struct fuse_file_info *fi)
{
	const struct handle *h = (const struct handle *)(uintptr_t)fi->fh;
	struct op *op;

	if (h->draft == NULL || !h->writes) {
		(void)fuse_reply_err(req, EBADF);
		return;
	}
	if (draft_write_quickly(h->draft, (uint64_t)off, span_of(buf, size))) {
		(void)fuse_reply_write(req, size);
		return;
	}
	op = op_of_writer(req, fs_node(req, ino), fi);
	if (op == NULL)
		return;
	op->off = (uint64_t)off;
	op->size = size;
	if (!op_take_bytes(op, size)) {
		const struct err e = { .no = ENOMEM };

		op_fail(op, "write", &e);
		return;
	}
	memcpy(op->bytes, buf, size); /* the kernel's buffer is good for this call only */
	op_submit(op, LANE_WRITE, run_write);
}

static void
run_fallocate(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	int r = draft_extend(op->handle->draft, op->off + op->size, &e);

	op_answer(op, "fallocate", r, &e);
}

void
fs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
	     struct fuse_file_info *fi)
{
	const struct handle *h = (const struct handle *)(uintptr_t)fi->fh;
	struct op *op;

	if (h->draft == NULL || !h->writes) {
		(void)fuse_reply_err(req, EBADF);
		return;
	}
	if ((mode & ~FALLOC_FL_KEEP_SIZE) != 0) {
		(void)fuse_reply_err(req, EOPNOTSUPP);
		return;
	}
	if (mode != 0) { /* there is nothing to set aside */
		(void)fuse_reply_err(req, 0);
		return;
	}
	op = op_of_writer(req, fs_node(req, ino), fi);
	if (op == NULL)
		return;
	op->off = (uint64_t)off;
	op->size = (size_t)length;
	op_submit(op, LANE_WRITE, run_fallocate);
}

/* ---- flush and fsync ---- */

static void
run_flush(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	struct draft *d = op->handle->draft;

	if (draft_flush(d, op->handle->opener, op->parked.thread, &op->parked.answered, &e) < 0)
		op_fail_draft(op, "publish", d, &e);
	else
		op_answer(op, "publish", 0, &e);
}

void
fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	const struct handle *h = (const struct handle *)(uintptr_t)fi->fh;
	struct op *op;

	if (h->draft == NULL || !h->writes || !draft_is_dirty(h->draft)) {
		(void)fuse_reply_err(req, 0);
		return;
	}
	op = op_of_writer(req, fs_node(req, ino), fi);
	if (op == NULL)
		return;
	op_submit(op, LANE_PUBLISH, run_flush);
}

static void
run_fsync(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	struct draft *d = op->handle->draft;
	int r = drafts_told_late(op->fs->drafts, op->handle->node, NULL, &e);

	if (r == 0 && d != NULL && draft_publish(d, &e) < 0)
		op_fail_draft(op, "publish", d, &e);
	else
		op_answer(op, "publish", r, &e);
}

void
fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
	struct op *op;

	(void)datasync;
	if (fs_of(req)->drafts == NULL) {
		(void)fuse_reply_err(req, 0);
		return;
	}
	op = op_of_writer(req, fs_node(req, ino), fi);
	if (op == NULL)
		return;
	op_submit(op, LANE_PUBLISH, run_fsync);
}

/* ---- size and times ---- */

/* d: NULL, when the file is to become one first. */
static int
set_size(struct op *op, struct draft *d, struct err *e)
{
	int r;

	if (d == NULL) {
		r = draft_over(op->fs->drafts, op->node, op->size > 0, op_deadline(op), e);
		return r < 0 ? r : err_set(e, ESTALE, "it is written in a draft");
	}
	if (op->handle != NULL)
		return draft_truncate(d, op->size, e);
	draft_arrived(d);
	return draft_truncate_by_name(d, op->size, e);
}

/* Of a published file: it becomes another version, of which this node shows the time. */
static int
set_published_mtime(struct op *op, struct err *e)
{
	struct node_attr a;
	int r;

	node_attr(op->node, &a);
	if (a.dir || a.mtime_ns == op->mtime_ns)
		return 0;
	if (!tree_linked(op->node))
		return err_set(e, ESTALE, "the name means something else now");
	r = drafts_set_mtime(op->fs->drafts, op->node, op->mtime_ns, op_deadline(op), e);
	if (r == -EOPNOTSUPP) { /* the time is the store's own: it stays, as modes and owners do */
		err_clear(e);
		return 0;
	}
	if (r == 0)
		tree_set_attr(op->node, a.size, op->mtime_ns);
	return r;
}

static int
set_mtime(struct op *op, struct draft *d, struct err *e)
{
	if (d == NULL)
		return set_published_mtime(op, e);
	if (op->handle == NULL || op->handle->draft == NULL)
		return draft_set_mtime_by_name(d, op->mtime_ns, e);
	draft_set_mtime(d, op->mtime_ns);
	return 0;
}

static int
set_attributes(struct op *op, struct draft *d, struct err *e)
{
	int r = 0;

	/* A new size asks by itself (see draft_over): the kernel forgives one ESTALE only. */
	if (op->handle == NULL && d == NULL && (op->to_set & FUSE_SET_ATTR_SIZE) == 0)
		r = tree_refresh(op->node, op_deadline(op), e);
	if (r == 0 && (op->to_set & FUSE_SET_ATTR_SIZE) != 0)
		r = set_size(op, d, e);
	if (r == 0 && (op->to_set & FUSE_SET_ATTR_MTIME) != 0)
		r = set_mtime(op, d, e);
	return r;
}

static void
run_setattr(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct draft *d = draft_get(op->fs->drafts, op->node);
	struct err e = { 0 };
	struct stat st;
	int r = set_attributes(op, d, &e);

	if (r < 0 && d != NULL) {
		op_fail_draft(op, "change", d, &e);
	} else if (r < 0) {
		op_fail(op, "change", &e);
	} else {
		if (park_claim(&op->parked)) {
			fs_stat(op->fs, op->node, &st);
			(void)fuse_reply_attr(op->parked.req, &st, 0);
		}
		op_end(op);
	}
	draft_put(d);
}

/* Modes and owners stay what the mount shows. */
void
fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *fi)
{
	struct node *n = fs_node(req, ino);
	struct op *op;

	if (fs_of(req)->drafts == NULL || !view_writes(node_view(n))) {
		(void)fuse_reply_err(req, EROFS);
		return;
	}
	op = op_of_writer(req, n, fi);
	if (op == NULL)
		return;
	op->to_set = to_set;
	op->size = (size_t)attr->st_size;
	op->mtime_ns = (to_set & FUSE_SET_ATTR_MTIME_NOW) != 0 ? draft_now_ns()
							       : timetext_of_file(&attr->st_mtim);
	op_submit(op, LANE_PUBLISH, run_setattr);
}
