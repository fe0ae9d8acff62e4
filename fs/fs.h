/* SPDX-License-Identifier: MIT */
/* What the files that speak FUSE (ops_*.c, push.c, mount.c) share. */
#ifndef FS_FS_H
#define FS_FS_H

#include <pthread.h>

#include "fs/draft.h"
#include "fs/engine.h"
#include "fs/fuse.h"
#include "fs/mount.h"
#include "fs/park.h"
#include "fs/tree.h"

struct push; /* see push.h */

struct fs {
	struct mount_config cfg;
	struct fuse_session *session;
	struct tree *tree;
	struct drafts *drafts; /* NULL: the mount only reads */
	struct engine *engine;
	struct park_watch *watch;
	struct push *push; /* verified regions to the page cache, entries to forget */
	double attr_timeout_s, negative_timeout_s;
	pthread_mutex_t mu;
	struct handle *handles; /* guarded by mu; all that is open: RELEASE never comes for some */
	atomic_bool ready_told;
	_Atomic(void *) room; /* NULL, or OP_ROOM bytes for an op: fresh ones cost page faults */
};

enum { OP_ROOM = 1 << 20, OP_ROOM_MIN = 64 << 10 };

/*
 * An open file or directory; fi->fh points to it.  Reference counted: an interrupted request may
 * still be worked on when its handle is released.
 */
struct handle {
	struct handle *next, **link;
	unsigned refs;		  /* guarded by fs->mu */
	struct node *node;	  /* a reference */
	struct view_file *file;	  /* files */
	struct draft *draft;	  /* files that are being written; held */
	bool writes;		  /* counts as a writer of the draft */
	pid_t opener;		  /* writes: the process, 0: unknown */
	struct dirstream *stream; /* directories */
};

struct handle *handle_new(struct fs *fs, struct node *node); /* one reference; NULL: no memory */
struct handle *handle_of(struct fs *fs, const struct fuse_file_info *fi); /* another reference */
void handle_put(struct fs *fs, struct handle *h);

/* A request that is worked on elsewhere. */
struct op {
	struct parked parked; /* first */
	struct pool_job job;
	struct fs *fs;
	struct node *node;     /* a reference */
	struct handle *handle; /* a reference, or NULL */
	struct fuse_file_info fi;
	uint64_t off;
	size_t size;
	int mask;
	bool plus;
	char *name; /* owned */
	struct view_read read;
	/* --- what writes --- */
	struct node *to_dir; /* a reference, or NULL */
	char *to_name;	     /* owned */
	void *bytes;	     /* of op_take_bytes: what is written */
	bool has_room;	     /* that is fs->room's */
	int to_set;	     /* FUSE_SET_ATTR_* */
	int64_t mtime_ns;
};

/*
 * The op of a request, or answers ENOMEM and returns NULL.  What is needed of the request and of
 * its handle is taken before it is submitted: then both may go at any moment.
 */
struct op *op_new(struct fs *fs, fuse_req_t req, struct node *node);
/* Memory for n bytes that are written or read; false: there is none. */
bool op_take_bytes(struct op *op, size_t n) MUST_CHECK;
void op_submit(struct op *op, enum lane lane, void (*run)(struct pool_job *job));
static inline struct op *
op_of(struct pool_job *job)
{
	return (struct op *)((char *)job - offsetof(struct op, job));
}
struct deadline op_deadline(const struct op *op);

/*
 * Logs the failure of doing `what` on the node (and name, if any), answers it, and lets go of the
 * op.
 */
void op_fail(struct op *op, const char *what, const struct err *e);
/* The same for what could not be published, or be kept, of a draft: somebody is told of it. */
void op_fail_draft(struct op *op, const char *what, struct draft *d, struct err *e);
void op_end(struct op *op);
/* Done: answers 0, or fails as op_fail does; lets go of the op. */
void op_answer(struct op *op, const char *what, int r, const struct err *e);

/*
 * An op on a name in a directory where something can be written; otherwise answers and returns
 * NULL.
 */
struct op *op_on_name(fuse_req_t req, fuse_ino_t parent, const char *name);
/* Answers with the node. */
void op_reply_entry(struct op *op, struct node *n);

struct fs *fs_of(fuse_req_t req);
struct node *fs_node(fuse_req_t req, fuse_ino_t ino);
void fs_stat(struct fs *fs, struct node *n, struct stat *st);
/* The same, and for how many seconds that holds. */
double fs_stat_for(struct fs *fs, struct node *n, struct stat *st);
/* What the kernel is told of a node, which counts as one lookup. */
void fs_entry(struct fs *fs, struct node *n, struct fuse_entry_param *out);
/*
 * Opens the draft that op->node is for what op->fi says, and answers the request; false when it is
 * none.
 */
bool fs_open_draft(struct op *op);
bool fs_opens_to_write(int flags);

/* The callbacks, by file. */
void fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n);
void fs_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets);
void fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_access(fuse_req_t req, fuse_ino_t ino, int mask);
void fs_statfs(fuse_req_t req, fuse_ino_t ino);
void fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);
void fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
	       struct fuse_file_info *fi);
void fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev);
void fs_write(fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size, off_t off,
	      struct fuse_file_info *fi);
void fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
		struct fuse_file_info *fi);
void fs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t length,
		  struct fuse_file_info *fi);
void fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi);
void fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t to,
	       const char *to_name, unsigned flags);
void fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode);
void fs_rmdir(fuse_req_t req, fuse_ino_t parent, const char *name);
void fs_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t to, const char *name);
void fs_symlink(fuse_req_t req, const char *target, fuse_ino_t parent, const char *name);
void fs_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
		 int flags);
void fs_removexattr(fuse_req_t req, fuse_ino_t ino, const char *name);
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
