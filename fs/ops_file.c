/* SPDX-License-Identifier: MIT */
/* FUSE callbacks on open files. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

#include "base/mutex.h"
#include "fs/fs.h"
#include "fs/push.h"
#include "fs/viewwrite.h"

/* ---- open ---- */

struct opened {
	struct node *node;
	bool changed; /* the item is of another version */
};

static int
note_now(void *arg, const struct view_item *item, struct err *e)
{
	struct opened *o = arg;

	(void)e;
	if (strcmp(item->etag, node_etag(o->node)) == 0)
		tree_exact_size(o->node, item->size);
	else
		tree_replace(o->node, item);
	return 0;
}

static int
open_view_file(struct op *op, struct view_file **out, struct err *e)
{
	struct opened o = { .node = op->node };
	AUTO_BUF path;
	int r;

	buf_init(&path, 64 << 10);
	if (node_is_draft(op->node) || (op->fs->drafts != NULL && !tree_linked(op->node)))
		return err_set(e, ESTALE, "the name means something else now");
	r = drafts_told_late(op->fs->drafts, op->node, NULL, e);
	if (r < 0)
		return r;
	r = node_path(op->node, &path, e);
	return r < 0 ? r
		     : view_open(node_view(op->node), buf_str(&path), node_etag(op->node),
				 node_record(op->node), (struct view_sink){ note_now, &o },
				 op_deadline(op), out, e);
}

/* The kernel is to look the name up again, and to open the draft that it means by then. */
static void
open_to_write(struct op *op)
{
	const bool keeps = (op->fi.flags & O_TRUNC) == 0;
	struct err e = { 0 };

	if (draft_over(op->fs->drafts, op->node, keeps, op_deadline(op), &e) == 0)
		(void)err_set(&e, ESTALE, "it is written in a draft");
	op_fail(op, "open", &e);
}

static void
open_to_read(struct op *op)
{
	struct view_file *file;
	struct err e = { 0 };

	op->handle = handle_new(op->fs, op->node);
	if (op->handle == NULL)
		(void)err_set(&e, ENOMEM, "out of memory");
	else if (open_view_file(op, &file, &e) == 0)
		op->handle->file = file;
	if (e.no != 0) {
		op_fail(op, "open", &e);
		return;
	}
	if (park_claim(&op->parked)) {
		op->fi.fh = (uint64_t)(uintptr_t)op->handle;
		/* A node is one version: its pages are always right.  A stream has none. */
		op->fi.direct_io = view_file_is_stream(op->handle->file);
		op->fi.keep_cache = !op->fi.direct_io;
		op->fi.noflush = 1;
		if (fuse_reply_open(op->parked.req, &op->fi) == 0)
			op->handle = NULL; /* RELEASE puts it */
	}
	op_end(op);
}

static void
run_open(struct pool_job *job)
{
	struct op *op = op_of(job);

	if (fs_open_draft(op))
		return;
	if (fs_opens_to_write(op->fi.flags))
		open_to_write(op);
	else
		open_to_read(op);
}

void
fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *n = fs_node(req, ino);
	struct op *op;

	if (fs_opens_to_write(fi->flags) &&
	    (fs_of(req)->drafts == NULL || !view_writes(node_view(n)))) {
		(void)fuse_reply_err(req, EROFS);
		return;
	}
	op = op_new(fs_of(req), req, n);
	if (op == NULL)
		return;
	op->fi = *fi;
	op->parked.changes = fs_opens_to_write(fi->flags);
	op_submit(op, LANE_OPEN, run_open);
}

/* ---- read ---- */

static void
answer_read(struct op *op)
{
	struct view_read *r = &op->read;
	bool push = false;

	if (park_claim(&op->parked)) {
		if (r->n_pieces < 2)
			(void)fuse_reply_buf(op->parked.req, r->piece[0].iov_base,
					     r->piece[0].iov_len);
		else
			(void)fuse_reply_iov(op->parked.req, r->piece, (int)r->n_pieces);
		push = r->around.iov_len > op->size;
	}
	if (push)
		push_region(op->fs->push, op->node, r);
	else
		view_read_release(r);
	op_end(op);
}

static void
read_done(struct view_read *r)
{
	struct op *op = (struct op *)((char *)r - offsetof(struct op, read));

	if (r->e.no == 0) {
		answer_read(op);
		return;
	}
	struct err e = r->e;

	view_read_release(r);
	op_fail(op, "read", &e);
}

static void
run_read_draft(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	size_t got = 0;
	int r;

	r = !op_take_bytes(op, op->size)
		    ? err_set(&e, ENOMEM, "out of memory")
		    : draft_read(op->handle->draft, op->off, op->bytes, op->size, &got, &e);
	if (r < 0) {
		op_fail(op, "read", &e);
		return;
	}
	if (park_claim(&op->parked))
		(void)fuse_reply_buf(op->parked.req, op->bytes, got);
	op_end(op);
}

void
fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi)
{
	struct op *op;

	if (size == 0) {
		(void)fuse_reply_buf(req, NULL, 0);
		return;
	}
	op = op_new(fs_of(req), req, fs_node(req, ino));
	if (op == NULL)
		return;
	op->handle = handle_of(op->fs, fi);
	op->size = size;
	op->off = (uint64_t)off;
	if (op->handle->draft != NULL) {
		op_submit(op, LANE_WRITE, run_read_draft);
		return;
	}
	op->read.off = (uint64_t)off;
	op->read.len = size < VIEW_READ_MAX ? size : VIEW_READ_MAX;
	op->read.done = read_done;
	park(&op->parked);
	view_read(op->handle->file, &op->read);
}

void
fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	(void)ino;
	handle_put(fs_of(req), (struct handle *)(uintptr_t)fi->fh);
	(void)fuse_reply_err(req, 0);
}
