/* SPDX-License-Identifier: MIT */
/*
 * A disk that fails now and then: LD_PRELOAD for a program under test.  One in so many calls on
 * files below some directories fails before it is done: EIO, ENOSPC where something is written, or
 * fewer bytes than were asked for.
 *
 *	FSX_FAULT_DIRS		A:B, absolute and without links
 *	FSX_FAULT_ONE_IN	100
 *	FSX_FAULT_SEED		1; the same for each thread and its number among them
 *	FSX_FAULT_CONTROL	a file of struct control: faults are done while on is not 0
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

struct control {
	_Atomic uint64_t on, hits;
};

enum { FDS_MAX = 4096, DIRS_MAX = 8 };

static struct control never, *control = &never;
static const char *dirs[DIRS_MAX];
static unsigned n_dirs, one_in = 100;
static uint64_t seed = 1;
static atomic_bool inside[FDS_MAX]; /* descriptors of files that may fail */
static atomic_uint n_threads;

static uint64_t
number_of(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text != NULL ? strtoull(text, NULL, 10) : otherwise;
}

__attribute__((constructor)) static void
begin(void)
{
	const char *file = getenv("FSX_FAULT_CONTROL");
	char *list = getenv("FSX_FAULT_DIRS");
	int fd = file != NULL ? open(file, O_RDWR | O_CLOEXEC) : -1;
	void *at = MAP_FAILED;

	if (fd >= 0)
		at = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED || list == NULL)
		return;
	close(fd);
	one_in = (unsigned)number_of("FSX_FAULT_ONE_IN", one_in);
	seed = number_of("FSX_FAULT_SEED", seed);
	list = strdup(list);
	while (list != NULL && n_dirs < DIRS_MAX)
		dirs[n_dirs++] = strsep(&list, ":");
	control = at;
}

/* splitmix64 */
static uint64_t
dice(void)
{
	static __thread uint64_t state;
	uint64_t z;

	if (state == 0)
		state = (seed << 32) + ((uint64_t)atomic_fetch_add(&n_threads, 1) << 16) + 1;
	z = state += 0x9e3779b97f4a7c15ULL;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return z ^ (z >> 31);
}

static bool
fails(void)
{
	if (atomic_load(&control->on) == 0 || dice() % one_in != 0)
		return false;
	atomic_fetch_add(&control->hits, 1);
	return true;
}

static bool
is_inside(int fd)
{
	return fd >= 0 && fd < FDS_MAX && atomic_load(&inside[fd]);
}

static bool
below(const char *path)
{
	unsigned i;

	for (i = 0; i < n_dirs; i++) {
		const size_t n = strlen(dirs[i]);

		if (strncmp(path, dirs[i], n) == 0 && (path[n] == '/' || path[n] == '\0'))
			return true;
	}
	return false;
}

static bool
concerns(int at, const char *path)
{
	return path[0] == '/' ? below(path) : is_inside(at);
}

/* The number that a failing call of a kind gives. */
static int
refuse(bool writes)
{
	errno = writes && dice() % 2 == 0 ? ENOSPC : EIO;
	return -1;
}

static int
note(int fd, bool is)
{
	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&inside[fd], is);
	return fd;
}

#define REAL(name)                 \
	static typeof(name) *real; \
	if (real == NULL)          \
	real = (typeof(name) *)dlsym(RTLD_NEXT, #name)

/* ---- names */

static int
open_at(int at, const char *path, int flags, mode_t mode)
{
	REAL(openat64);
	const bool is = concerns(at, path);

	if (is && fails())
		return refuse((flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE);
	return note(real(at, path, flags, mode), is);
}

int
openat64(int at, const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_at(at, path, flags, mode);
}

int
open64(const char *path, int flags, ...)
{
	va_list ap;
	mode_t mode;

	va_start(ap, flags);
	mode = va_arg(ap, mode_t);
	va_end(ap);
	return open_at(AT_FDCWD, path, flags, mode);
}

/* What the headers make of calls without a mode. */
int __openat64_2(int at, const char *path, int flags);
int __open64_2(const char *path, int flags);

int
__openat64_2(int at, const char *path, int flags)
{
	return open_at(at, path, flags, 0);
}

int
__open64_2(const char *path, int flags)
{
	return open_at(AT_FDCWD, path, flags, 0);
}

int
close(int fd)
{
	REAL(close);

	note(fd, false);
	return real(fd);
}

int
renameat(int from_at, const char *from, int to_at, const char *to)
{
	REAL(renameat);

	if (concerns(to_at, to) && fails())
		return refuse(true);
	return real(from_at, from, to_at, to);
}

int
linkat(int from_at, const char *from, int to_at, const char *to, int flags)
{
	REAL(linkat);

	if (concerns(to_at, to) && fails())
		return refuse(true);
	return real(from_at, from, to_at, to, flags);
}

int
unlinkat(int at, const char *path, int flags)
{
	REAL(unlinkat);

	if (concerns(at, path) && fails())
		return refuse(false);
	return real(at, path, flags);
}

int
mkdirat(int at, const char *path, mode_t mode)
{
	REAL(mkdirat);

	if (concerns(at, path) && fails())
		return refuse(true);
	return real(at, path, mode);
}

/* ---- bytes */

/* Half of what fails is done in part; true: nothing of it is. */
static bool
spoil(int fd, size_t *n)
{
	if (!is_inside(fd) || !fails())
		return false;
	if (*n < 2 || dice() % 2 == 0)
		return true;
	*n = 1 + dice() % (*n - 1);
	return false;
}

ssize_t
pread64(int fd, void *out, size_t n, off64_t off)
{
	REAL(pread64);

	return spoil(fd, &n) ? refuse(false) : real(fd, out, n, off);
}

ssize_t
read(int fd, void *out, size_t n)
{
	REAL(read);

	return spoil(fd, &n) ? refuse(false) : real(fd, out, n);
}

ssize_t
pwrite64(int fd, const void *bytes, size_t n, off64_t off)
{
	REAL(pwrite64);

	return spoil(fd, &n) ? refuse(true) : real(fd, bytes, n, off);
}

ssize_t
write(int fd, const void *bytes, size_t n)
{
	REAL(write);

	return spoil(fd, &n) ? refuse(true) : real(fd, bytes, n);
}

int
fsync(int fd)
{
	REAL(fsync);

	if (is_inside(fd) && fails())
		return refuse(true);
	return real(fd);
}
