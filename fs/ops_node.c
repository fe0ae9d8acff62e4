/* SPDX-License-Identifier: MIT */
/* FUSE callbacks on names and attributes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mutex.h"
#include "fs/fs.h"
#include "fs/names.h"
#include "fs/push.h"
#include "fs/viewwrite.h"

enum { BLOCK_BYTES = 4096, STAT_BLOCK = 512 };
static const int64_t MAX_TIMEOUT_NS = 600 * NS_PER_S;

static double
attr_timeout(struct fs *fs, struct node *n)
{
	struct node_attr a;
	int64_t left;

	node_attr(n, &a);
	if (!a.exact || node_is_draft(n)) /* a V1 size is known at open only; drafts change */
		return 0;
	left = node_is_open(n) ? INT64_MAX : tree_fresh_ns(n);
	if (left > MAX_TIMEOUT_NS) /* of the mount's own directories, and of what is open, the
				      timeout's own length will do */
		return fs->attr_timeout_s;
	return (double)left / (double)NS_PER_S;
}

/*
 * What is not in the store is its writer's own.  An editor that would move a document aside before
 * it writes a new one, which deletes it, sees by a file that it tries out that this would not give
 * the same attributes, and writes over the document instead.
 */
static mode_t
mode_of(struct fs *fs, struct node *n, bool dir)
{
	const mode_t owner = fs->drafts != NULL ? 0200 : 0;

	if (dir)
		return S_IFDIR | 0555 | owner;
	return drafts_is_local(fs->drafts, n) ? S_IFREG | 0600 : S_IFREG | 0444 | owner;
}

void
fs_stat(struct fs *fs, struct node *n, struct stat *st)
{
	struct node_attr a;

	node_attr(n, &a);
	*st = (struct stat){
		.st_ino = a.ino,
		.st_mode = mode_of(fs, n, a.dir) & ~fs->cfg.umask,
		.st_nlink =
			1, /* of directories too: 2 would say that they have no subdirectories */
		.st_uid = fs->cfg.uid,
		.st_gid = fs->cfg.gid,
		.st_size = (off_t)(a.dir ? 0 : a.size),
		.st_blksize = 128 << 10,
		.st_blocks = (blkcnt_t)(a.dir ? 0 : (a.size + STAT_BLOCK - 1) / STAT_BLOCK),
	};
	st->st_mtim = (struct timespec){ a.mtime_ns / NS_PER_S, a.mtime_ns % NS_PER_S };
	st->st_atim = st->st_ctim = st->st_mtim;
}

/*
 * How long they hold comes first: a draft that is over in between has its last size then, which
 * holds longer, and not the other way round.
 */
double
fs_stat_for(struct fs *fs, struct node *n, struct stat *st)
{
	const double timeout = attr_timeout(fs, n);

	fs_stat(fs, n, st);
	return timeout;
}

/* ---- lookup ---- */

void
fs_entry(struct fs *fs, struct node *n, struct fuse_entry_param *out)
{
	*out = (struct fuse_entry_param){ .ino = tree_nodeid(fs->tree, n) };
	out->attr_timeout = out->entry_timeout = fs_stat_for(fs, n, &out->attr);
	/*
	 * A rename moves the kernel's entry with the node of the old name.  An open to write would
	 * then be ESTALE twice, and the kernel forgives one: so it asks for each name of a file,
	 * which costs no request.
	 */
	if (S_ISREG(out->attr.st_mode) && view_writes(node_view(n)))
		out->entry_timeout = 0;
	tree_known(n);
}

/* Answers with the node, whose reference it takes. */
static void
reply_entry(struct fs *fs, fuse_req_t req, struct node *n)
{
	struct fuse_entry_param entry;

	fs_entry(fs, n, &entry);
	if (fuse_reply_entry(req, &entry) != 0)
		tree_forget(n, 1); /* the kernel never heard of it */
	node_unref(n);
}

static void
reply_missing(struct fs *fs, fuse_req_t req)
{
	const struct fuse_entry_param nothing = { .entry_timeout = fs->negative_timeout_s };

	if (fs->negative_timeout_s > 0)
		(void)fuse_reply_entry(req, &nothing);
	else
		(void)fuse_reply_err(req, ENOENT);
}

static void
run_lookup(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct node *n = NULL;
	struct err e = { 0 };
	int r = tree_lookup(op->node, op->name, op_deadline(op), &n, &e);

	if (r < 0 && r != -ENOENT) {
		op_fail(op, "lookup", &e);
		return;
	}
	if (!park_claim(&op->parked)) {
		if (n != NULL)
			node_unref(n);
	} else if (n != NULL) {
		reply_entry(op->fs, op->parked.req, n);
		push_check_memory(op->fs->push);
	} else {
		reply_missing(op->fs, op->parked.req);
	}
	op_end(op);
}

void
fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct node *dir = fs_node(req, parent), *n;
	struct op *op;

	if (strlen(name) > NAMES_FILE_MAX) {
		(void)fuse_reply_err(req, ENAMETOOLONG);
		return;
	}
	drafts_sweep(fs_of(req)->drafts);
	n = tree_assume(dir, name);
	if (n != NULL) {
		reply_entry(fs_of(req), req, n);
		return;
	}
	if (tree_missing(dir, name)) {
		reply_missing(fs_of(req), req);
		return;
	}
	op = op_new(fs_of(req), req, dir);
	if (op == NULL)
		return;
	op->name = strdup(name);
	if (op->name == NULL) {
		const struct err e = { .no = ENOMEM };

		op_fail(op, "lookup", &e);
		return;
	}
	op_submit(op, LANE_META, run_lookup);
}

void
fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	tree_forget(fs_node(req, ino), n);
	fuse_reply_none(req);
}

void
fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		tree_forget(fs_node(req, forgets[i].ino), forgets[i].nlookup);
	fuse_reply_none(req);
}

/* ---- attributes ---- */

static void
reply_attr(struct fs *fs, fuse_req_t req, struct node *n)
{
	struct stat st;
	const double timeout = fs_stat_for(fs, n, &st);

	(void)fuse_reply_attr(req, &st, timeout);
}

static void
run_getattr(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };

	if (tree_refresh(op->node, op_deadline(op), &e) < 0) {
		op_fail(op, "stat", &e);
		return;
	}
	if (park_claim(&op->parked))
		reply_attr(op->fs, op->parked.req, op->node);
	op_end(op);
}

void
fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
	struct node *n = fs_node(req, ino);
	struct op *op;

	(void)fi;
	if (node_is_open(n) || tree_fresh(n)) {
		reply_attr(fs_of(req), req, n);
		return;
	}
	op = op_new(fs_of(req), req, n);
	if (op != NULL)
		op_submit(op, LANE_META, run_getattr);
}

/*
 * What the mode bits say is the kernel's business (default_permissions); where nothing can be
 * written writing is refused.
 */
static int
access_errno(struct fs *fs, struct node *n, int mask)
{
	struct stat st;

	fs_stat(fs, n, &st);
	if ((mask & W_OK) != 0 && (fs->drafts == NULL || !view_writes(node_view(n))))
		return EROFS;
	return (mask & X_OK) != 0 && !S_ISDIR(st.st_mode) ? EACCES : 0;
}

static void
run_access(struct pool_job *job)
{
	struct op *op = op_of(job);
	struct err e = { 0 };

	if (tree_refresh(op->node, op_deadline(op), &e) < 0) {
		op_fail(op, "access", &e);
		return;
	}
	if (park_claim(&op->parked))
		(void)fuse_reply_err(op->parked.req, access_errno(op->fs, op->node, op->mask));
	op_end(op);
}

void
fs_access(fuse_req_t req, fuse_ino_t ino, int mask)
{
	struct node *n = fs_node(req, ino);
	struct op *op;

	if (node_is_open(n) || tree_fresh(n)) {
		(void)fuse_reply_err(req, access_errno(fs_of(req), n, mask));
		return;
	}
	op = op_new(fs_of(req), req, n);
	if (op == NULL)
		return;
	op->mask = mask;
	op_submit(op, LANE_META, run_access);
}

void
fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
	/*
	 * A container has no size of its own: large, and with nothing free when nothing can be
	 * written.
	 */
	const bool writes = fs_of(req)->drafts != NULL;
	const uint64_t blocks = UINT64_C(1) << 38, files = UINT64_C(1) << 32;
	const struct statvfs st = {
		.f_bsize = BLOCK_BYTES,
		.f_frsize = BLOCK_BYTES,
		.f_blocks = blocks,
		.f_bfree = writes ? blocks : 0,
		.f_bavail = writes ? blocks : 0,
		.f_files = files,
		.f_ffree = writes ? files : 0,
		.f_favail = writes ? files : 0,
		.f_namemax = NAMES_FILE_MAX,
		.f_flag = ST_NOSUID | (writes ? 0 : ST_RDONLY),
	};

	(void)ino;
	(void)fuse_reply_statfs(req, &st);
}
