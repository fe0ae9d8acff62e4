/* SPDX-License-Identifier: MIT */
/*
 * A mount: views at paths, shown by the kernel.  Knows FUSE; the commands do not.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "fs/blobview.h"
#include "fs/view.h"

struct mount_view {
	const char *path;  /* where in the mount: "" = its root (then it is the only one), "a/b";
			      plain, not escaped */
	struct view *view; /* owned by the caller; outlives mount_run */
};

struct mount_config {
	const char *mountpoint;
	const char *fsname; /* shown by mount(8) */
	const struct mount_view *views;
	unsigned n_views;
	struct engine *engine;
	bool foreground;
	struct staging_area *staging; /* where what is written waits; borrowed; NULL: read-only */
	int64_t term_wait_ns;	      /* how long a stopped mount waits for writers to close */
	bool allow_other;	      /* implies default_permissions */
	bool has_uid, has_gid;
	uid_t uid;
	gid_t gid;
	mode_t umask; /* of what is shown; default 0222 & ... : files 0444, directories 0555 */
	int64_t attr_timeout_ns, negative_timeout_ns;
	void (*ready)(void *arg); /* the mount answers: called once, from a FUSE thread; NULL = not
				     wanted */
	void *ready_arg;
	void (*stop)(void *arg); /* makes running network calls end soon: called once, when the
				    mount goes away */
	void *stop_arg;
};

/*
 * Two steps, since a daemon must mount before it goes into the background and start its threads
 * after: mount_open mounts (the kernel queues requests), mount_run serves until the file system
 * is unmounted or SIGTERM/SIGINT/SIGHUP arrives, then unmounts. mount_open: -EINVAL not a
 * directory, not empty; -EACCES, -ENOENT, -EBUSY, -EPERM, -ENODEV (no FUSE) with one sentence each.
 */
struct mount; /* opaque */
int mount_open(const struct mount_config *cfg, struct mount **out, struct err *e) MUST_CHECK;
int mount_run(struct mount *m, struct err *e) MUST_CHECK;
/* Files that were written and could not be published by the end of mount_run: each was logged. */
unsigned mount_lost(const struct mount *m);
void mount_close(struct mount *m); /* unmounts if still mounted; NULL is fine */

#endif
