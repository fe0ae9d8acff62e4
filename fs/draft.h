/* SPDX-License-Identifier: MIT */
/*
 * Drafts: the files that are being written on a mount.
 *
 * A draft is what a name means here from the first open for writing until its last handle is gone:
 * everybody on this mount sees the writer's bytes, others the version in the store.  Its bytes
 * lie in the staging area; publishing seals all of them anew and replaces the version that it
 * came from, on the condition that this still is what is there.  So two things can never be: a
 * byte sealed twice under one content key, and half a file in the store.
 *
 *   new ------> dirty <----------------- write, truncate
 *                 | publish: flush, fsync, last writer gone, rename
 *   opened ---> clean                    (it has a version)
 *                 | last handle gone
 *                over                    what was published is an ordinary node again
 *
 * Somebody who uses a draft holds it.  One at a time changes its content or publishes it: who has
 * its turn; reading goes on meanwhile.  A local draft (see VIEW_PLACE_LOCAL) lives without handles
 * too.  An unlinked draft is never published.
 *
 * Failures that nobody can be told (of the last RELEASE) are logged (write.failed) and remembered
 * for the path, for whoever opens or syncs it next.
 */
#ifndef FS_DRAFT_H
#define FS_DRAFT_H

#include <stdatomic.h>
#include <sys/types.h>

#include "fs/engine.h"
#include "fs/staging.h"
#include "fs/tree.h"

struct drafts; /* opaque; of a mount; thread-safe */
struct draft;  /* opaque */

/* The wall clock, as an mtime. */
int64_t draft_now_ns(void);

struct drafts_config {
	struct tree *tree;
	struct engine *engine;
	struct staging_area *staging;
	const char *mountpoint; /* absolute; borrowed */
};
int drafts_new(const struct drafts_config *cfg, struct drafts **out, struct err *e) MUST_CHECK;
void drafts_free(struct drafts *s); /* nobody holds a draft any more; NULL is fine */

/* ---- their life (draft.c) ---- */

/*
 * A new file, held.  -EROFS and what view_place says; -ESTALE when the name means something by now;
 * -ESHUTDOWN when the mount ends.
 */
int draft_create(struct drafts *s, struct node *dir, const char *name, struct draft **out,
		 struct err *e) MUST_CHECK;
/*
 * Makes a draft of a published file that is opened for writing.  After 0 its name means the draft,
 * which waits some seconds for the open that will come: the kernel is to look the name up again.
 */
int draft_over(struct drafts *s, struct node *n, bool keeps_content, struct deadline d,
	       struct err *e) MUST_CHECK;
/* The draft of a node, held; NULL when it is over. */
struct draft *draft_get(struct drafts *s, struct node *n);
void draft_put(struct draft *d);
/* Nobody will ever hear that it was made: unless somebody else has found it, it never was. */
void draft_discard(struct draft *d);
/* Ends drafts that wait in vain for an open: called before a name is looked at. */
void drafts_sweep(struct drafts *s);
struct node *draft_node(const struct draft *d); /* as long as it is held */

/* A handle that may write.  -ESHUTDOWN when the mount ends. */
int draft_add_writer(struct draft *d, struct err *e) MUST_CHECK;
/* The last one: what is dirty is published by a worker. */
void draft_end_writer(struct draft *d);

/* The open that was awaited has come, whatever it came for. */
void draft_arrived(struct draft *d);

/* ---- content (draftio.c) ---- */

/* *got: n, or fewer at the end of the file only. */
int draft_read(struct draft *d, uint64_t off, void *out, size_t n, size_t *got,
	       struct err *e) MUST_CHECK;
int draft_write(struct draft *d, uint64_t off, struct span bytes, struct err *e) MUST_CHECK;
/* Writes if that can be done at once: false when it must be done by draft_write. */
bool draft_write_quickly(struct draft *d, uint64_t off, struct span bytes);
int draft_truncate(struct draft *d, uint64_t size, struct err *e) MUST_CHECK;
/* Makes it at least that long. */
int draft_extend(struct draft *d, uint64_t size, struct err *e) MUST_CHECK;
void draft_set_mtime(struct draft *d, int64_t mtime_ns);

/* ---- publishing (draftpublish.c) ---- */

/* Whether there is something to publish. */
bool draft_is_dirty(struct draft *d);
/*
 * The same as draft_truncate and draft_set_mtime, by somebody who will not close it: published
 * when they return, unless a writer has bytes that are not, and will publish both.
 */
int draft_truncate_by_name(struct draft *d, uint64_t size, struct err *e) MUST_CHECK;
int draft_set_mtime_by_name(struct draft *d, int64_t mtime_ns, struct err *e) MUST_CHECK;
/* Gives out the version that it was published as, unless something has changed since. */
int draft_published(struct draft *d, struct view_sink out, struct err *e) MUST_CHECK;
/* fsync: publishes what is dirty; a local or unlinked draft has nothing to publish. */
int draft_publish(struct draft *d, struct err *e) MUST_CHECK;
/*
 * close by that thread: the same if its process is the one to be told.  opener: a process; 0:
 * unknown.  answered: becomes true when an interrupt has been answered, so that nobody will hear;
 * may be NULL.
 */
int draft_flush(struct draft *d, pid_t opener, pid_t thread, const atomic_bool *answered,
		struct err *e) MUST_CHECK;

/* What that depends on. */
struct draft_flush {
	bool elsewhere;	     /* that process writes it by another descriptor */
	pid_t opener, group; /* 0: not known */
};
bool draft_flush_publishes(const struct draft_flush *f);

/* ---- telling late (drafttell.c) ---- */

/*
 * The failure that is remembered for the node's path (name: for that of its child), once: 0 or
 * -errno.
 */
int drafts_told_late(struct drafts *s, struct node *n, const char *name, struct err *e) MUST_CHECK;
/*
 * Publishing failed, and whoever asked for it has not heard: he is interrupted, or ends.  What
 * could not be published is logged and remembered; of what the mount has no time for, its end
 * tells.
 */
void draft_unheard(struct draft *d, struct err *e);

/* ---- names (draftname.c): of drafts and published files alike ---- */

int drafts_unlink(struct drafts *s, struct node *dir, const char *name, struct deadline d,
		  struct err *e) MUST_CHECK;
/* -EXDEV: a directory, another view, or the view cannot. */
int drafts_rename(struct drafts *s, struct node *dir, const char *name, struct node *to_dir,
		  const char *to_name, bool replace, struct deadline d, struct err *e) MUST_CHECK;
int drafts_make_dir(struct drafts *s, struct node *dir, const char *name, struct deadline d,
		    struct node **out, struct err *e) MUST_CHECK;
int drafts_remove_dir(struct drafts *s, struct node *dir, const char *name, struct deadline d,
		      struct err *e) MUST_CHECK;
/* Another mtime for a node that is no draft. */
int drafts_set_mtime(struct drafts *s, struct node *n, int64_t mtime_ns, struct deadline d,
		     struct err *e) MUST_CHECK;
/* Names of drafts in dir that no listing of the store can have. */
int drafts_list(struct drafts *s, struct node *dir,
		int (*name)(void *arg, const char *name, struct err *e), void *arg,
		struct err *e) MUST_CHECK;
/* Whether the node is a local draft. */
bool drafts_is_local(struct drafts *s, struct node *n);

/* ---- the end (draftend.c) ---- */

/* From here on nothing is opened for writing. */
void drafts_refuse(struct drafts *s);
/* Handles that may write, and versions that are being published. */
unsigned drafts_busy(struct drafts *s);
/* Waits until all that is being published is done, and has each done that is dirty and closed. */
void drafts_finish(struct drafts *s);
/* From here on nothing begins to be published. */
void drafts_stop(struct drafts *s);
/* Logs each file whose bytes are about to be lost (write.lost). */
void drafts_log_lost(struct drafts *s);
/* How many files there were whose writer was not told that they are lost. */
unsigned drafts_lost(struct drafts *s);

#endif
