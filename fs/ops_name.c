/* SPDX-License-Identifier: MIT */
/* FUSE callbacks that make, remove and change names. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/fs.h"
#include "fs/names.h"
#include "fs/viewwrite.h"

struct op *
op_on_name(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = fs_node(req, parent);
	struct op *op;

	if (strlen(name) > NAMES_FILE_MAX) {
		(void)fuse_reply_err(req, ENAMETOOLONG);
		return NULL;
	}
	if (fs_of(req)->drafts == NULL || !view_writes(node_view(dir))) {
		(void)fuse_reply_err(req, EROFS);
		return NULL;
	}
	op = op_new(fs_of(req), req, dir);
	if (op == NULL)
		return NULL;
	op->parked.changes = true;
	op->name = strdup(name);
	if (op->name == NULL) {
		const struct err e = { .no = ENOMEM };

		op_fail(op, "change", &e);
		return NULL;
	}
	return op;
}

void
op_reply_entry(struct op *op, struct node *n)
{
	struct fuse_entry_param entry;

	if (!park_claim(&op->parked))
		return;
	fs_entry(op->fs, n, &entry);
	if (fuse_reply_entry(op->parked.req, &entry) != 0)
		tree_forget(n, 1);
}

/* ---- removing and renaming ---- */

static void
run_unlink(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	int r = drafts_unlink(op->fs->drafts, op->node, op->name, op_deadline(op), &e);

	op_answer(op, "remove", r, &e);
}

void
fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_on_name(req, parent, name);

	if (op != NULL)
		op_submit(op, LANE_PUBLISH, run_unlink);
}

static void
run_rmdir(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	int r = drafts_remove_dir(op->fs->drafts, op->node, op->name, op_deadline(op), &e);

	op_answer(op, "rmdir", r, &e);
}

void
fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct op *op = op_on_name(req, parent, name);

	if (op != NULL)
		op_submit(op, LANE_META, run_rmdir);
}

static void
run_rename(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };
	int r = drafts_rename(op->fs->drafts, op->node, op->name, op->to_dir, op->to_name,
			      (op->mask & RENAME_NOREPLACE) == 0, op_deadline(op), &e);

	op_answer(op, "rename", r, &e);
}

void
fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *to_name,
	  unsigned flags)
{
	struct op *op;

	if ((flags & ~(unsigned)RENAME_NOREPLACE) != 0) {
		(void)fuse_reply_err(req, EINVAL);
		return;
	}
	if (strlen(to_name) > NAMES_FILE_MAX) {
		(void)fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	op = op_on_name(req, parent, name);
	if (op == NULL)
		return;
	op->mask = (int)flags;
	op->to_dir = fs_node(req, to);
	node_ref(op->to_dir);
	op->to_name = strdup(to_name);
	if (op->to_name == NULL) {
		const struct err e = { .no = ENOMEM };

		op_fail(op, "rename", &e);
		return;
	}
	op_submit(op, LANE_PUBLISH, run_rename);
}

/* ---- making ---- */

static void
run_mkdir(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct node *n;
	struct err e = { 0 };

	if (drafts_make_dir(op->fs->drafts, op->node, op->name, op_deadline(op), &n, &e) < 0) {
		op_fail(op, "mkdir", &e);
		return;
	}
	op_reply_entry(op, n);
	node_unref(n);
	op_end(op);
}

void
fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct op *op = op_on_name(req, parent, name);

	(void)mode;
	if (op != NULL)
		op_submit(op, LANE_META, run_mkdir);
}

/* ---- what no store can keep ---- */

void
fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *name)
{
	(void)ino;
	(void)to;
	(void)name;
	(void)fuse_reply_err(req, EPERM);
}

void
fs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target;
	(void)parent;
	(void)name;
	(void)fuse_reply_err(req, EPERM);
}

void
fs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
	    int flags)
{
	(void)ino;
	(void)name;
	(void)value;
	(void)size;
	(void)flags;
	(void)fuse_reply_err(req, EOPNOTSUPP);
}

void
fs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name)
{
	(void)ino;
	(void)name;
	(void)fuse_reply_err(req, EOPNOTSUPP);
}
