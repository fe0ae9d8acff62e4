/* SPDX-License-Identifier: MIT */
/*
 * What is said to the kernel unasked: verified regions for its page cache (random readers come
 * back to them), and names that it should forget when metadata fills its share of memory.
 *
 * Both wait for locks that a parked request may hold, so they run on threads that no
 * request waits for, and always after the answer.
 */
#ifndef FS_PUSH_H
#define FS_PUSH_H

#include "base/err.h"
#include "fs/fuse.h"
#include "fs/view.h"

struct push; /* opaque */
struct node;
struct tree;

int push_new(struct tree *tree, struct push **out, struct err *e) MUST_CHECK;
void push_start(struct push *p, struct fuse_session *session);

/*
 * Nothing more is said to the kernel.  Comes before the session is unmounted, which closes its
 * descriptor: nobody may be on the way to write to it then.  Waits for that, but not for who is
 * already waiting inside the kernel (up to 200 ms): the unmount frees those.
 */
void push_stop(struct push *p);
void push_free(struct push *p); /* waits for what is under way; NULL is fine */

/*
 * Offers the bytes around a random read that has been answered; takes over read->held (released
 * here, sooner or later).  Dropped when too many wait.
 */
void push_region(struct push *p, struct node *node, struct view_read *read);

/* Looks whether names should be forgotten; cheap, called after entries were added. */
void push_check_memory(struct push *p);

#endif
