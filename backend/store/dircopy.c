/* SPDX-License-Identifier: MIT */
/* The content of a copy in a dir: store: see dircopy.h. */
#include "backend/store/dircopy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/store/dirstage.h"

enum { KERNEL_PIECE = 256 << 20, PIECE = 256 << 10 };

/* By the open file, so it is this very content although its name may be gone. */
static bool
link_content(int fd, int stage, const char *file)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, path, stage, file, AT_SYMLINK_FOLLOW) == 0;
}

/* Bytes that the kernel has copied; none where it cannot. */
static uint64_t
copy_in_kernel(int from, int to, uint64_t size, struct deadline d)
{
	off_t in = 0, out = 0;
	ssize_t n = 1;

	while (n > 0 && (uint64_t)in < size && deadline_left_ns(d) > 0) {
		const uint64_t left = size - (uint64_t)in;

		n = copy_file_range(from, &in, to, &out,
				    left < KERNEL_PIECE ? (size_t)left : KERNEL_PIECE, 0);
	}
	return (uint64_t)in;
}

static int
copy_by_hand(int from, int to, uint64_t at, uint64_t size, struct deadline d, struct err *e)
{
	uint8_t *piece = malloc(PIECE);
	int r = 0;

	if (piece == NULL)
		return err_set(e, ENOMEM, "out of memory");
	while (r == 0 && at < size) {
		const ssize_t n = pread(from, piece, PIECE, (off_t)at);

		if (n < 0)
			r = err_set(e, errno, "cannot read the content: %s",
				    strerrordesc_np(errno));
		else if (n == 0)
			r = err_set(e, EIO, "the content file ends early");
		else
			r = dirstage_write(to, span_of(piece, (size_t)n), at, d, e);
		at += n > 0 ? (uint64_t)n : 0;
	}
	free(piece);
	return r;
}

int
dircopy_content(int fd, uint64_t size, int stage, const char *file, struct deadline d,
		struct err *e)
{
	int to, r;

	if (link_content(fd, stage, file))
		return 0;
	r = dirstage_make(stage, file, &to, e);
	if (r < 0)
		return r;
	r = copy_by_hand(fd, to, copy_in_kernel(fd, to, size, d), size, d, e);
	if (r == 0)
		r = dirstage_sync(to, e);
	(void)close(to);
	return r;
}
