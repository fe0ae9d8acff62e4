/* SPDX-License-Identifier: MIT */
/* Files that are not there yet, in a dir: store: see dirstage.h. */
#include "backend/store/dirstage.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "backend/store/dirplace.h"

enum { PIECE = 8 << 20, WAIT_FIRST_NS = 100 * 1000, WAIT_MOST_NS = 4 * 1000 * 1000 };

static const char directory[] = ".uploads", lock_file[] = "lock";
const char dirstage_part[] = ".part", dirstage_new[] = ".new", dirstage_old[] = ".old";

int
dirstage_open(int objects, int *out, struct err *e)
{
	return dirplace_make_dir(objects, directory, "", out, e);
}

void
dirstage_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[p[i] >> 4];
		out[2 * i + 1] = digits[p[i] & 15];
	}
	out[2 * n] = '\0';
}

void
dirstage_name(const uint8_t id[static DIRSTAGE_ID], const char *suffix,
	      char out[static DIRSTAGE_FILE])
{
	dirstage_hex(id, DIRSTAGE_ID, out);
	(void)snprintf(out + (size_t)2 * DIRSTAGE_ID, DIRSTAGE_FILE - 2 * DIRSTAGE_ID, "%s",
		       suffix);
}

/* The flock says that somebody alive has it open; where there is none the age alone has to tell. */
int
dirstage_make(int stage, const char *file, int *out, struct err *e)
{
	int fd = openat(stage, file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(e, errno, "cannot make a file: %s", strerrordesc_np(errno));
	(void)flock(fd, LOCK_SH | LOCK_NB);
	*out = fd;
	return 0;
}

int
dirstage_write(int fd, struct span bytes, uint64_t off, struct deadline d, struct err *e)
{
	ssize_t n;

	while (bytes.n > 0) {
		if (deadline_left_ns(d) == 0)
			return err_set(e, ETIMEDOUT, "writing took too long");
		n = pwrite(fd, bytes.p, bytes.n < PIECE ? bytes.n : PIECE, (off_t)off);
		if (n < 0)
			return err_set(e, errno, "cannot write: %s", strerrordesc_np(errno));
		off += (uint64_t)n;
		bytes = span_of(bytes.p + n, bytes.n - (size_t)n);
	}
	return 0;
}

int
dirstage_sync(int fd, struct err *e)
{
	if (fsync(fd) < 0)
		return err_set(e, errno, "cannot sync: %s", strerrordesc_np(errno));
	return 0;
}

/* FNV-1a.  Two names that share a byte wait for each other, and that is all. */
static off_t
byte_of(struct span name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < name.n; i++)
		h = (h ^ name.p[i]) * UINT64_C(0x100000001b3);
	return (off_t)(h >> 2);
}

/* A lock that waits in the kernel would not see the deadline.  Nobody has it for long, the end of
 * the program included, so the pauses are plain ones. */
static int
wait_for(int fd, off_t byte, struct deadline d, struct err *e)
{
	struct flock lock = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};
	struct timespec pause = { .tv_nsec = WAIT_FIRST_NS };

	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return err_set(e, errno, "cannot lock: %s", strerrordesc_np(errno));
		if (deadline_left_ns(d) == 0)
			return err_set(e, ETIMEDOUT, "another writer has the name locked");
		(void)nanosleep(&pause, NULL);
		if (pause.tv_nsec < WAIT_MOST_NS)
			pause.tv_nsec *= 2;
	}
	return 0;
}

/* The lock belongs to the open file, so threads shut each other out as processes do. */
int
dirstage_lock(int stage, struct span name, struct deadline d, int *out, struct err *e)
{
	int r, fd = openat(stage, lock_file, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_set(e, errno, "cannot open the lock: %s", strerrordesc_np(errno));
	r = wait_for(fd, byte_of(name), d, e);
	if (r < 0)
		(void)close(fd);
	else
		*out = fd;
	return r;
}
