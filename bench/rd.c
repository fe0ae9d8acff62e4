/* SPDX-License-Identifier: MIT */
/*
 * Reads files as programs do, and prints one number.  The same for every file system that is
 * compared.
 *
 *	seq FILE BLOCK PASSES	MB/s: the whole file so many times, each with its open and close
 *	random FILE COUNT SEED	reads/s: 4 KiB each, no two in the same 4 MiB
 *	first FILE OFFSET	ms: open and 4 KiB there
 *	small DIR COUNT SIZE	files/s: open, read to the end, close f000000 ...; SIZE bytes each
 *	points DIR COUNT STEP	files/s: the same of f0.json, fSTEP.json ..., of any size but 0
 *	list DIR COUNT SIZE	s: all names and sizes; COUNT of them, of SIZE bytes (0: of any)
 *	lines FILE COUNT	lines/s: read to the end; COUNT of them ("-": standard input)
 *	drop FILE		drops the file's pages from the page cache (prints nothing)
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

enum { PAGE_SIZE = 4096, READ_MAX = 1 << 20 };

static int
must_open(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("%s", path);
	return fd;
}

static uint64_t
size_of(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		die("fstat");
	return (uint64_t)st.st_size;
}

static uint64_t
read_all(int fd, void *buf, size_t block)
{
	uint64_t total = 0;
	ssize_t n;

	while ((n = read(fd, buf, block)) > 0)
		total += (uint64_t)n;
	if (n < 0)
		die("read");
	return total;
}

static void
read_page(int fd, void *buf, uint64_t off)
{
	ssize_t n = pread(fd, buf, PAGE_SIZE, (off_t)off);

	if (n < 0)
		die("read");
	errno = 0;
	if (n != PAGE_SIZE)
		die("short read at %llu", (unsigned long long)off);
}

static void
seq(const char *path, size_t block, uint64_t passes)
{
	void *buf = must_alloc(block);
	double start = now_s();
	uint64_t i, n, size, total = 0;

	for (i = 0; i < passes; i++, total += n) {
		int fd = must_open(path);

		size = size_of(fd);
		n = read_all(fd, buf, block);
		close(fd);
		errno = 0;
		if (n != size)
			die("%s: %llu bytes of %llu", path, (unsigned long long)n,
			    (unsigned long long)size);
	}
	printf("%.3f\n", (double)total / (now_s() - start) / 1e6);
	free(buf);
}

static void
random_reads(const char *path, uint64_t count, uint64_t seed)
{
	void *buf = must_alloc(PAGE_SIZE);
	int fd = must_open(path);
	uint64_t n_regions = size_of(fd) / REGION;
	uint64_t *order, i, state = seed + 1;
	double start;

	if (count > n_regions)
		count = n_regions;
	order = shuffled(n_regions, count, seed);
	posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
	start = now_s();
	for (i = 0; i < count; i++)
		read_page(fd, buf,
			  order[i] * REGION +
				  next_random(&state) % (REGION / PAGE_SIZE) * PAGE_SIZE);
	printf("%.3f\n", (double)count / (now_s() - start));
	close(fd);
	free(order);
	free(buf);
}

static void
first(const char *path, uint64_t off)
{
	void *buf = must_alloc(PAGE_SIZE);
	double start = now_s();
	int fd = must_open(path);

	read_page(fd, buf, off);
	printf("%.4f\n", (now_s() - start) * 1e3);
	close(fd);
	free(buf);
}

static void
small(const char *dir, uint64_t count, uint64_t size)
{
	void *buf = must_alloc(READ_MAX);
	char path[4096];
	double start = now_s();
	uint64_t i, n;

	for (i = 0; i < count; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/f%06llu", dir, (unsigned long long)i);
		fd = must_open(path);
		n = read_all(fd, buf, READ_MAX);
		close(fd);
		errno = 0;
		if (n != size)
			die("%s: %llu bytes", path, (unsigned long long)n);
	}
	printf("%.3f\n", (double)count / (now_s() - start));
	free(buf);
}

static void
points(const char *dir, uint64_t count, uint64_t step)
{
	void *buf = must_alloc(READ_MAX);
	char path[4096];
	double start = now_s();

	for (uint64_t i = 0; i < count; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/f%llu.json", dir, (unsigned long long)(i * step));
		fd = must_open(path);
		errno = 0;
		if (read_all(fd, buf, READ_MAX) == 0)
			die("%s is empty", path);
		close(fd);
	}
	printf("%.3f\n", (double)count / (now_s() - start));
	free(buf);
}

static void
lines(const char *path, uint64_t count)
{
	char *buf = must_alloc(READ_MAX), *at;
	double start = now_s();
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO : must_open(path);
	uint64_t found = 0;
	ssize_t n;

	while ((n = read(fd, buf, READ_MAX)) > 0)
		for (at = buf; (at = memchr(at, '\n', (size_t)(buf + n - at))); at++)
			found++;
	if (n < 0)
		die("read");
	errno = 0;
	if (found != count)
		die("%llu lines", (unsigned long long)found);
	printf("%.3f\n", (double)count / (now_s() - start));
	free(buf);
}

static void
list(const char *dir, uint64_t count, uint64_t size)
{
	double start = now_s();
	DIR *d = opendir(dir);
	struct dirent *e;
	struct stat st;
	uint64_t n = 0;

	if (!d)
		die("%s", dir);
	while ((errno = 0, e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		if (fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW))
			die("%s", e->d_name);
		if (size > 0 && (uint64_t)st.st_size != size)
			die("%s: size %lld", e->d_name, (long long)st.st_size);
		n++;
	}
	if (errno)
		die("readdir");
	closedir(d);
	start = now_s() - start;
	errno = 0;
	if (n != count)
		die("%llu names", (unsigned long long)n);
	printf("%.6f\n", start);
}

static void
drop(const char *path)
{
	int fd = must_open(path);

	posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
	close(fd);
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";

	if (argc == 5 && strcmp(what, "seq") == 0)
		seq(argv[2], must_number(argv[3]), must_number(argv[4]));
	else if (argc == 5 && strcmp(what, "random") == 0)
		random_reads(argv[2], must_number(argv[3]), must_number(argv[4]));
	else if (argc == 4 && strcmp(what, "first") == 0)
		first(argv[2], must_number(argv[3]));
	else if (argc == 5 && strcmp(what, "small") == 0)
		small(argv[2], must_number(argv[3]), must_number(argv[4]));
	else if (argc == 5 && strcmp(what, "list") == 0)
		list(argv[2], must_number(argv[3]), must_number(argv[4]));
	else if (argc == 5 && strcmp(what, "points") == 0)
		points(argv[2], must_number(argv[3]), must_number(argv[4]));
	else if (argc == 4 && strcmp(what, "lines") == 0)
		lines(argv[2], must_number(argv[3]));
	else if (argc == 3 && strcmp(what, "drop") == 0)
		drop(argv[2]);
	else
		die("usage: see the head of rd.c");
	return 0;
}
