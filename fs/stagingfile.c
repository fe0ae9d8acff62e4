/* SPDX-License-Identifier: MIT */
/* What does not fit into memory: see stagingfile.h.  Nothing else may move in here: tests put their
 * own in its place. */
#include "fs/stagingfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fs/staging.h"

static int
no_space(struct err *e, const char *dir, int why)
{
	(void)err_set(e, ENOSPC, "no room in memory nor in %s for what is written: %s", dir,
		      strerror(why));
	return err_mark(e, "local.space",
			"make room there, or name another directory with staging=");
}

static int
failed(struct err *e, const char *dir, int why)
{
	/* A file that may not grow is full, whoever says so. */
	if (why == ENOSPC || why == EDQUOT || why == EFBIG)
		return no_space(e, dir, why);
	(void)err_set(e, EIO, "%s does not take what is written: %s", dir, strerror(why));
	return err_mark(e, "local.staging", "name a directory that can be written with staging=");
}

/* For file systems that have no O_TMPFILE. */
static int
named_file(const char *dir)
{
	char path[PATH_MAX];
	const int n = snprintf(path, sizeof(path), "%s/.azcryptfs-XXXXXX", dir);
	int fd;

	if (n < 0 || (size_t)n >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd >= 0)
		(void)unlink(path);
	return fd;
}

static int
open_file(struct staging_file *f, const char *dir, struct err *e)
{
	/* O_EXCL: it can never be given a name. */
	f->fd = open(dir, O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
	if (f->fd < 0 && (errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL))
		f->fd = named_file(dir);
	return f->fd < 0 ? failed(e, dir, errno) : 0;
}

int
staging_file_need(struct staging_file *f, const char *dir, struct err *e)
{
	return f->fd < 0 ? open_file(f, dir, e) : 0;
}

int
staging_file_write(struct staging_file *f, const char *dir, uint64_t slot, const uint8_t *p,
		   struct err *e)
{
	const off_t at = (off_t)(slot * STAGING_CHUNK);
	int r = staging_file_need(f, dir, e);

	for (size_t done = 0; r == 0 && done < STAGING_CHUNK;) {
		const ssize_t n = pwrite(f->fd, p + done, STAGING_CHUNK - done, at + (off_t)done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			r = failed(e, dir, n == 0 ? ENOSPC : errno);
	}
	return r;
}

int
staging_file_read(const struct staging_file *f, uint64_t slot, uint8_t *p, struct err *e)
{
	const off_t at = (off_t)(slot * STAGING_CHUNK);

	for (size_t done = 0; done < STAGING_CHUNK;) {
		const ssize_t n = pread(f->fd, p + done, STAGING_CHUNK - done, at + (off_t)done);

		if (n > 0) {
			done += (size_t)n;
		} else if (n == 0 || errno != EINTR) {
			(void)err_set(e, EIO, "the staging file cannot be read: %s",
				      n == 0 ? "it has been cut" : strerror(errno));
			return err_mark(e, "local.staging", NULL);
		}
	}
	return 0;
}

void
staging_file_cut(struct staging_file *f, uint64_t slot)
{
	const off_t end = (off_t)(slot * STAGING_CHUNK);

	if (f->fd >= 0 && lseek(f->fd, 0, SEEK_END) > end)
		(void)!ftruncate(f->fd, end);
}

void
staging_file_close(struct staging_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	f->fd = -1;
}
