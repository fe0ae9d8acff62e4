/* SPDX-License-Identifier: MIT */
/* Writing the files of a directory store: see dirfile.h. */
#include "backend/store/dirfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

const char dirfile_temporary[] = ".tmp-write";

/*
 * What a killed writer has left there goes; what somebody else puts there meanwhile is not opened.
 */
static int
create(int at, int *out, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, dirfile_temporary, flags, 0600);

	if (fd < 0 && errno == EEXIST && unlinkat(at, dirfile_temporary, 0) == 0)
		fd = openat(at, dirfile_temporary, flags, 0600);
	if (fd < 0)
		return err_set(e, errno, "cannot make a file: %s", strerrordesc_np(errno));
	*out = fd;
	return 0;
}

static int
write_all(int fd, struct span text, struct err *e)
{
	ssize_t n;

	while (text.n > 0) {
		n = write(fd, text.p, text.n);
		if (n < 0)
			return err_set(e, errno, "cannot write: %s", strerrordesc_np(errno));
		text = span_of(text.p + n, text.n - (size_t)n);
	}
	if (fsync(fd) < 0)
		return err_set(e, errno, "cannot write: %s", strerrordesc_np(errno));
	return 0;
}

int
dirfile_put(int at, const char *name, const char *suffix, struct span text, struct err *e)
{
	char file[NAME_MAX + 1];
	int fd, r = create(at, &fd, e);

	if (r < 0)
		return r;
	(void)snprintf(file, sizeof(file), "%s%s", name, suffix);
	r = write_all(fd, text, e);
	if (close(fd) < 0 && r == 0)
		r = err_set(e, errno, "cannot write: %s", strerrordesc_np(errno));
	if (r == 0 && renameat(at, dirfile_temporary, at, file) < 0)
		r = err_set(e, errno, "cannot put '%s' in place: %s", file, strerrordesc_np(errno));
	if (r < 0)
		(void)unlinkat(at, dirfile_temporary, 0);
	return r;
}

int
dirfile_remove(int at, const char *name, struct err *e)
{
	if (unlinkat(at, name, 0) == 0 || errno == ENOENT)
		return 0;
	return err_set(e, errno, "cannot remove '%s': %s", name, strerrordesc_np(errno));
}

int
dirfile_sync(int directory, struct err *e)
{
	if (fsync(directory) < 0)
		return err_set(e, errno, "cannot sync a directory: %s", strerrordesc_np(errno));
	return 0;
}
