/* SPDX-License-Identifier: MIT */
/* A mount from its first to its last moment: see mount.h. */
#include "fs/mount.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mutex.h"
#include "fs/fs.h"
#include "fs/mountend.h"
#include "fs/push.h"

enum {
	MAX_BACKGROUND =
		1024, /* with the default of 12, a dozen stuck readers block every other read */
	FUSE_THREADS = 4,
	READ_AHEAD_KB = 2048
};

struct mount {
	struct fs fs;
	bool mounted;
	struct pool_job tune;
	char *mountpoint;
	struct stat under;     /* what was there before */
	struct mount_end *end; /* while it serves */
	unsigned lost;
};

/* ---- when the kernel has answered ---- */

/* The kernel keeps read-ahead at 128 KiB whatever a filesystem asks; root may raise it. */
static void
raise_read_ahead(struct pool_job *job)
{
	struct mount *m = (struct mount *)(void *)((char *)job - offsetof(struct mount, tune));
	char path[96], text[16];
	struct statx sx;
	int fd, n;

	if (geteuid() != 0 ||
	    statx(AT_FDCWD, m->mountpoint, AT_STATX_DONT_SYNC, STATX_INO, &sx) != 0)
		return;
	(void)snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", sx.stx_dev_major,
		       sx.stx_dev_minor);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = snprintf(text, sizeof(text), "%d", READ_AHEAD_KB);
	if (write(fd, text, (size_t)n) < 0)
		log_event(LOG_LEVEL_DEBUG, "mount.read_ahead",
			  "cannot raise the kernel's read-ahead: %s", strerror(errno));
	(void)close(fd);
}

static void
on_init(void *userdata, struct fuse_conn_info *conn)
{
	struct mount *m = userdata;

	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE |
				  FUSE_CAP_SPLICE_MOVE | FUSE_CAP_AUTO_INVAL_DATA |
				  FUSE_CAP_WRITEBACK_CACHE);
	/*
	 * Never READDIR without attributes: what is not told with the listing is asked for name
	 * by name.
	 */
	conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
	/* With it a reader with O_DIRECT waits where not even SIGKILL reaches it. */
	conn->want &= ~(unsigned)FUSE_CAP_ASYNC_DIO;
	conn->want |= conn->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_READDIRPLUS |
				       FUSE_CAP_PARALLEL_DIROPS | FUSE_CAP_ATOMIC_O_TRUNC);
	conn->max_background = MAX_BACKGROUND;
	conn->congestion_threshold = MAX_BACKGROUND * 3 / 4;
	conn->max_readahead = READ_AHEAD_KB << 10;
	conn->time_gran = 1;
	engine_submit(m->fs.engine, LANE_META, &m->tune);
	if (m->fs.cfg.ready != NULL)
		m->fs.cfg.ready(m->fs.cfg.ready_arg);
}

static const struct fuse_lowlevel_ops ops = {
	.init = on_init,
	.lookup = fs_lookup,
	.forget = fs_forget,
	.forget_multi = fs_forget_multi,
	.getattr = fs_getattr,
	.access = fs_access,
	.statfs = fs_statfs,
	.getxattr = fs_getxattr,
	.listxattr = fs_listxattr,
	.open = fs_open,
	.read = fs_read,
	.release = fs_release,
	.opendir = fs_opendir,
	.readdir = fs_readdir,
	.readdirplus = fs_readdirplus,
	.releasedir = fs_releasedir,
	.create = fs_create,
	.mknod = fs_mknod,
	.write = fs_write,
	.setattr = fs_setattr,
	.fallocate = fs_fallocate,
	.flush = fs_flush,
	.fsync = fs_fsync,
	.unlink = fs_unlink,
	.rename = fs_rename,
	.mkdir = fs_mkdir,
	.rmdir = fs_rmdir,
	.link = fs_link,
	.symlink = fs_symlink,
	.setxattr = fs_setxattr,
	.removexattr = fs_removexattr,
};

/* ---- opening ---- */

static int
check_mountpoint(const char *path, struct err *e)
{
	struct dirent *entry;
	struct stat st;
	bool empty = true;
	DIR *dir;

	if (lstat(path, &st) != 0)
		return err_set(e, errno, "mount point %s: %s%s", path, strerror(errno),
			       errno == ENOTCONN
				       ? " (a dead mount is there: fusermount3 -u it first)"
				       : "");
	if (S_ISLNK(st.st_mode))
		return err_set(e, EINVAL,
			       "mount point %s is a symbolic link; name the directory itself",
			       path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, EINVAL, "mount point %s is not a directory", path);
	dir = opendir(path);
	if (dir == NULL)
		return err_set(e, errno, "mount point %s: %s", path, strerror(errno));
	while (empty && (entry = readdir(dir)) != NULL)
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	(void)closedir(dir);
	if (!empty)
		return err_set(e, EINVAL, "mount point %s is not empty", path);
	return 0;
}

/* A comma or a backslash in the name would end the option. */
static void
escape_option(const char *from, char *to, size_t n)
{
	size_t at = 0;

	for (; *from != '\0' && at + 3 < n; from++) {
		if (*from == ',' || *from == '\\')
			to[at++] = '\\';
		to[at++] = *from;
	}
	to[at] = '\0';
}

static int
new_session(struct mount *m, struct err *e)
{
	char options[1024], fsname[512];
	char *argv[] = { (char[]){ "azcryptfs" }, (char[]){ "-o" }, options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);

	escape_option(m->fs.cfg.fsname, fsname, sizeof(fsname));
	(void)snprintf(options, sizeof(options),
		       "%s,nosuid,nodev,noexec,subtype=azcryptfs,fsname=%s%s",
		       m->fs.cfg.staging != NULL ? "rw" : "ro", fsname,
		       m->fs.cfg.allow_other ? ",allow_other,default_permissions" : "");
	m->fs.session = fuse_session_new(&args, &ops, sizeof(ops), m);
	fuse_opt_free_args(&args);
	return m->fs.session != NULL ? 0 : err_set(e, EINVAL, "libfuse refuses the mount options");
}

static int
do_mount(struct mount *m, struct err *e)
{
	int no;

	errno = 0;
	if (fuse_session_mount(m->fs.session, m->mountpoint) == 0) {
		m->mounted = true;
		return 0;
	}
	no = errno;
	if (access("/dev/fuse", F_OK) != 0)
		return err_set(e, ENODEV, "cannot mount: there is no /dev/fuse on this machine");
	if (access("/dev/fuse", R_OK | W_OK) != 0)
		return err_set(e, EACCES, "cannot mount: /dev/fuse may not be opened by this user");
	return err_set(e, no > 0 ? no : EPERM, "cannot mount on %s: %s", m->mountpoint,
		       no > 0 ? strerror(no)
			      : "fusermount3 refused (is allow_other allowed in /etc/fuse.conf?)");
}

static int
prepare(struct mount *m, struct err *e)
{
	const struct mount_config *cfg = &m->fs.cfg;
	struct tree_view *views = calloc(cfg->n_views, sizeof(*views));
	struct tree_config tc = {
		.views = views,
		.n_views = cfg->n_views,
		.budget = engine_budget(cfg->engine),
		.attr_timeout_ns = cfg->attr_timeout_ns,
		.negative_timeout_ns = cfg->negative_timeout_ns,
	};
	int r;

	if (views == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < cfg->n_views; i++)
		views[i] = (struct tree_view){ cfg->views[i].path, cfg->views[i].view };
	r = tree_new(&tc, &m->fs.tree, e);
	free(views);
	if (r == 0 && cfg->staging != NULL)
		r = drafts_new(&(struct drafts_config){ m->fs.tree, cfg->engine, cfg->staging,
							m->mountpoint },
			       &m->fs.drafts, e);
	if (r == 0)
		r = push_new(m->fs.tree, &m->fs.push, e);
	if (r == 0)
		r = park_watch_new(&m->fs.watch, e);
	return r;
}

int
mount_open(const struct mount_config *cfg, struct mount **out, struct err *e)
{
	struct mount *m;
	int r = check_mountpoint(cfg->mountpoint, e);

	if (r < 0)
		return r;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return err_set(e, ENOMEM, "out of memory");
	m->fs.cfg = *cfg;
	m->fs.cfg.uid = cfg->has_uid ? cfg->uid : geteuid();
	m->fs.cfg.gid = cfg->has_gid ? cfg->gid : getegid();
	m->fs.engine = cfg->engine;
	m->fs.attr_timeout_s = (double)cfg->attr_timeout_ns / (double)NS_PER_S;
	m->fs.negative_timeout_s = (double)cfg->negative_timeout_ns / (double)NS_PER_S;
	m->tune.run = raise_read_ahead;
	(void)pthread_mutex_init(&m->fs.mu, NULL);
	m->mountpoint = realpath(cfg->mountpoint, NULL);
	if (m->mountpoint == NULL || stat(m->mountpoint, &m->under) != 0)
		r = err_set(e, errno, "mount point %s: %s", cfg->mountpoint, strerror(errno));
	if (r == 0)
		r = prepare(m, e);
	if (r == 0)
		r = new_session(m, e);
	if (r == 0)
		r = do_mount(m, e);
	if (r < 0) {
		mount_close(m);
		return r;
	}
	push_start(m->fs.push, m->fs.session);
	*out = m;
	return 0;
}

/* ---- serving ---- */

/* The kernel says nothing of what is open when it is gone. */
static void
put_handles(struct mount *m)
{
	while (m->fs.handles != NULL)
		handle_put(&m->fs, m->fs.handles);
}

/* Requests that were interrupted may still be worked on, and hold their handles. */
static void
end_writers(struct mount *m)
{
	struct fs *fs = &m->fs;
	struct handle *h;

	do {
		mutex_lock(&fs->mu);
		for (h = fs->handles; h != NULL && !h->writes; h = h->next)
			;
		if (h != NULL) {
			h->writes = false;
			h->refs++;
		}
		mutex_unlock(&fs->mu);
		if (h != NULL) {
			draft_end_writer(h->draft);
			handle_put(fs, h);
		}
	} while (h != NULL);
}

/*
 * Unmounted, so that nobody has a file open: what the kernel did not say any more is done.  A
 * connection that was cut looks alike, but then the mount is still there, and what was written may
 * be half of what was to come.
 */
static void
publish_closed(struct mount *m)
{
	struct stat st;

	if (m->fs.drafts == NULL || stat(m->mountpoint, &st) != 0 || st.st_dev != m->under.st_dev ||
	    st.st_ino != m->under.st_ino)
		return;
	end_writers(m);
	drafts_finish(m->fs.drafts);
}

/*
 * The end: what is closed is published, running network calls are cut short, all that is parked is
 * answered by its own worker, and only then the kernel is told.
 */
static void
wind_down(struct mount *m, bool unmounted)
{
	if (unmounted)
		publish_closed(m);
	if (m->fs.drafts != NULL)
		drafts_stop(m->fs.drafts);
	if (m->fs.cfg.stop != NULL)
		m->fs.cfg.stop(m->fs.cfg.stop_arg);
	engine_drain(m->fs.engine);
	park_watch_free(m->fs.watch);
	m->fs.watch = NULL;
	push_stop(m->fs.push);
	if (m->mounted)
		fuse_session_unmount(m->fs.session);
	m->mounted = false;
	push_free(m->fs.push);
	m->fs.push = NULL;
	if (m->fs.drafts != NULL) {
		drafts_log_lost(m->fs.drafts);
		m->lost = drafts_lost(m->fs.drafts);
	}
	put_handles(m);
	drafts_free(m->fs.drafts);
	m->fs.drafts = NULL;
}

unsigned
mount_lost(const struct mount *m)
{
	return m->lost;
}

int
mount_run(struct mount *m, struct err *e)
{
	struct fuse_loop_config *loop = fuse_loop_cfg_create();
	bool signalled;
	int r;

	if (loop == NULL)
		return err_set(e, ENOMEM, "out of memory");
	fuse_loop_cfg_set_max_threads(loop, FUSE_THREADS);
	fuse_loop_cfg_set_clone_fd(loop, 0);
	r = mount_end_new(m->fs.session, m->fs.drafts, m->fs.cfg.term_wait_ns, &m->end, e);
	if (r < 0) {
		fuse_loop_cfg_destroy(loop);
		return r;
	}
	r = fuse_session_loop_mt(m->fs.session, loop);
	fuse_loop_cfg_destroy(loop);
	signalled = mount_end_stop(m->end);
	if (r == -ECONNABORTED) /* the kernel has ended it, and says so in this way now and then */
		r = 0;
	wind_down(m, !signalled && r == 0);
	mount_end_free(m->end);
	return r < 0 ? err_set(e, -r, "the connection to the kernel failed: %s", strerror(-r)) : 0;
}

void
mount_close(struct mount *m)
{
	if (m == NULL)
		return;
	if (m->mounted)
		fuse_session_unmount(m->fs.session);
	push_free(m->fs.push);
	park_watch_free(m->fs.watch);
	if (m->fs.session != NULL)
		fuse_session_destroy(m->fs.session);
	drafts_free(m->fs.drafts);
	tree_free(m->fs.tree);
	if (m->fs.room != NULL)
		explicit_bzero(m->fs.room, OP_ROOM);
	free(m->fs.room);
	(void)pthread_mutex_destroy(&m->fs.mu);
	free(m->mountpoint);
	free(m);
}
