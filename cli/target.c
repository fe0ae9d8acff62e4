/* SPDX-License-Identifier: MIT */
/* Where get writes: see target.h. */
#include "cli/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

enum { NAME_LEN_MAX = 255, TRIES = 100 };

static int
failed(struct err *e, const char *what, const char *name)
{
	const int no = errno;

	return err_set(e, no, "%s %.200s: %s", what, name, strerrordesc_np(no));
}

int
target_open_dir(const char *path, int *out, struct err *e)
{
	int fd;

	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		return failed(e, "make", path);
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return failed(e, "open", path);
	*out = fd;
	return 0;
}

/* target is not a directory: its own last component is the name. */
static int
place_as(const char *target, int *out_dir, char **out_leaf, struct err *e)
{
	const char *slash = strrchr(target, '/');
	char *dir = slash == NULL ? strdup(".")
				  : strndup(target, slash == target ? 1 : (size_t)(slash - target));
	char *leaf = strdup(slash == NULL ? target : slash + 1);
	int fd;

	if (dir == NULL || leaf == NULL || leaf[0] == '\0') {
		const int no = dir == NULL || leaf == NULL ? ENOMEM : ENOENT;

		free(dir);
		free(leaf);
		return err_set(e, no, "no directory %.200s", target);
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		(void)failed(e, "open", dir);
		free(dir);
		free(leaf);
		return -e->no;
	}
	free(dir);
	*out_dir = fd;
	*out_leaf = leaf;
	return 0;
}

int
target_place(const char *target, const char *leaf, int *out_dir, char **out_leaf, struct err *e)
{
	const int fd = open(target, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *kept;

	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return place_as(target, out_dir, out_leaf, e);
	if (fd < 0)
		return failed(e, "open", target);
	kept = strdup(leaf);
	if (kept == NULL) {
		(void)close(fd);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out_dir = fd;
	*out_leaf = kept;
	return 0;
}

static bool
is_plain_name(const char *p, size_t n)
{
	return n > 0 && n <= NAME_LEN_MAX && !(n == 1 && p[0] == '.') &&
	       !(n == 2 && p[0] == '.' && p[1] == '.');
}

/* Enters one directory; makes it where wanted. */
static int
enter(int at, const char *name, bool make, struct err *e)
{
	int fd;

	if (make && mkdirat(at, name, 0777) < 0 && errno != EEXIST)
		return failed(e, "make", name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? failed(e, "enter", name) : fd;
}

/*
 * The directory that holds the last component of below; *leaf points at that.  With make, the
 * directories on the way are made.
 */
static int
parent_of(int root, const char *below, bool make, const char **leaf, struct err *e)
{
	char name[NAME_LEN_MAX + 1];
	int at = dup(root);

	if (at < 0)
		return failed(e, "open", "directory");
	for (const char *p = below;;) {
		const size_t n = strcspn(p, "/");
		int next;

		if (!is_plain_name(p, n)) {
			(void)close(at);
			return err_set(e, EINVAL, "%.200s is not a path below the target", below);
		}
		if (p[n] == '\0') {
			*leaf = p;
			return at;
		}
		memcpy(name, p, n);
		name[n] = '\0';
		next = enter(at, name, make, e);
		(void)close(at);
		if (next < 0)
			return next;
		at = next;
		p += n + 1;
	}
}

int
target_make_dir(int root, const char *below, struct err *e)
{
	const char *leaf;
	const int at = parent_of(root, below, true, &leaf, e);
	int fd;

	if (at < 0)
		return at;
	fd = enter(at, leaf, true, e);
	(void)close(at);
	if (fd < 0)
		return fd;
	(void)close(fd);
	return 0;
}

static int
exists(const char *name, struct err *e)
{
	(void)err_set(e, EEXIST, "%.200s is there already", name);
	return err_mark(e, NULL, "--force writes over it");
}

int
target_check(int root, const char *below, bool force, struct err *e)
{
	const char *leaf;
	struct stat st;
	int at, r = 0;

	if (force)
		return 0;
	at = parent_of(root, below, true, &leaf, e);
	if (at < 0)
		return at;
	if (fstatat(at, leaf, &st, AT_SYMLINK_NOFOLLOW) == 0)
		r = exists(leaf, e);
	(void)close(at);
	return r;
}

/*
 * A name that nobody else has: the process, a counter, and the time against leftovers of a
 * process of the same number.
 */
static int
make_temp(struct target_file *f, struct err *e)
{
	static atomic_uint counter;

	for (int i = 0; i < TRIES; i++) {
		(void)snprintf(f->temp, sizeof(f->temp), ".azcryptfs-%d-%u-%llx", (int)getpid(),
			       atomic_fetch_add(&counter, 1), (unsigned long long)clock_now_ns());
		f->fd = openat(f->dir, f->temp,
			       O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
		if (f->fd >= 0)
			return 0;
		if (errno != EEXIST)
			break;
	}
	return failed(e, "make", f->temp);
}

int
target_begin(int root, const char *below, bool force, struct target_file *out, struct err *e)
{
	struct target_file f = { .force = force, .fd = -1 };
	const char *leaf;
	int r;

	f.dir = parent_of(root, below, true, &leaf, e);
	if (f.dir < 0)
		return f.dir;
	f.leaf = strdup(leaf);
	r = f.leaf == NULL ? err_set(e, ENOMEM, "out of memory") : make_temp(&f, e);
	if (r < 0) {
		free(f.leaf);
		(void)close(f.dir);
		return r;
	}
	*out = f;
	return 0;
}

static void
target_end(struct target_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	(void)close(f->dir);
	free(f->leaf);
}

/* close may tell of a write that failed late (quota, network file systems). */
static int
settle(struct target_file *f, int64_t mtime_ns, struct err *e)
{
	const struct timespec when = { (time_t)(mtime_ns / NS_PER_S), (long)(mtime_ns % NS_PER_S) };
	const struct timespec times[2] = { { 0, UTIME_NOW }, when };
	int fd = f->fd;

	if (mtime_ns > 0 && futimens(fd, times) < 0)
		return failed(e, "time of", f->leaf);
	f->fd = -1;
	return close(fd) < 0 ? failed(e, "close", f->leaf) : 0;
}

static int
rename_over(const struct target_file *f, struct err *e)
{
	if (f->force)
		return renameat(f->dir, f->temp, f->dir, f->leaf) < 0
			       ? failed(e, "rename to", f->leaf)
			       : 0;
	if (renameat2(f->dir, f->temp, f->dir, f->leaf, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno == EEXIST)
		return exists(f->leaf, e);
	if (errno != EINVAL && errno != ENOSYS)
		return failed(e, "rename to", f->leaf);
	/* A file system without that flag: a link never replaces. */
	if (linkat(f->dir, f->temp, f->dir, f->leaf, 0) < 0)
		return errno == EEXIST ? exists(f->leaf, e) : failed(e, "link to", f->leaf);
	(void)unlinkat(f->dir, f->temp, 0);
	return 0;
}

int
target_publish(struct target_file *f, int64_t mtime_ns, struct err *e)
{
	int r = settle(f, mtime_ns, e);

	if (r == 0)
		r = rename_over(f, e);
	if (r < 0)
		(void)unlinkat(f->dir, f->temp, 0);
	target_end(f);
	return r;
}

void
target_abandon(struct target_file *f)
{
	(void)unlinkat(f->dir, f->temp, 0);
	target_end(f);
}
