/* SPDX-License-Identifier: MIT */
/*
 * The signals that end a mount: SIGTERM, SIGINT, SIGHUP.  With nobody writing the loop ends at
 * once. Otherwise nothing more is opened for writing, writers have some time to close their
 * files, and a second signal cuts that short.
 */
#ifndef FS_MOUNTEND_H
#define FS_MOUNTEND_H

#include "fs/draft.h"
#include "fs/fuse.h"

struct mount_end; /* opaque; one a process */

/* From the thread that runs the loop.  drafts: NULL when nothing is written. */
int mount_end_new(struct fuse_session *session, struct drafts *drafts, int64_t wait_ns,
		  struct mount_end **out, struct err *e) MUST_CHECK;
/* The loop has ended: whether by a signal.  Signals that come later change nothing. */
bool mount_end_stop(struct mount_end *end);
/* Puts back what signals did before. */
void mount_end_free(struct mount_end *end);

#endif
