/* SPDX-License-Identifier: MIT */
/* What the files that speak FUSE (ops_*.c, push.c, mount.c) share. */
#ifndef FS_FS_H
#define FS_FS_H

#include <pthread.h>

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
	struct engine *engine;
	struct pool *answerers; /* interrupts */
	struct push *push;	/* verified regions to the page cache, entries to forget */
	double attr_timeout_s, negative_timeout_s;
	pthread_mutex_t mu;
	struct handle *handles; /* guarded by mu; all that is open: RELEASE never comes for some */
	atomic_bool ready_told;
};

/*
 * An open file or directory; fi->fh points to it.  Reference counted: an interrupted request may
 * still be worked on when its handle is released.
 */
struct handle {
	struct handle *next, **link;
	unsigned refs;		  /* guarded by fs->mu */
	struct node *node;	  /* a reference */
	struct view_file *file;	  /* files */
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
};

/* Parks req and returns its op, or answers ENOMEM and returns NULL. */
struct op *op_new(struct fs *fs, fuse_req_t req, struct node *node);
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
void op_end(struct op *op);

struct fs *fs_of(fuse_req_t req);
struct node *fs_node(fuse_req_t req, fuse_ino_t ino);
void fs_stat(struct fs *fs, struct node *n, struct stat *st);
double fs_attr_timeout(struct fs *fs, struct node *n);

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
void fs_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *fi);
void fs_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
		    struct fuse_file_info *fi);
void fs_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);

#endif
