/* SPDX-License-Identifier: MIT */
/*
 * Writes a file system as a program would.  Each command prints one number.
 *
 *   wr seq FILE SIZE PIECE       MB/s: a new file, written to its end and closed
 *   wr many DIR N SIZE PIECE     MB/s of all: N files of SIZE each, all at once, a thread for each
 *   wr small DIR COUNT SIZE      files/s: DIR/f000000 ..., one by one: create, write, close
 */
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "bench.h"

enum { SOURCE = 64 << 20, MAX_FILES = 64, PATH_SIZE = 4096 };

static unsigned char *source;

static void
make_source(void)
{
	uint64_t state = 88172645463325252u;

	source = must_alloc(SOURCE);
	for (size_t i = 0; i < SOURCE; i += sizeof(state)) {
		next_random(&state);
		memcpy(source + i, &state, sizeof(state));
	}
}

static void
write_file(const char *path, uint64_t size, size_t piece)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0)
		die("%s", path);
	for (uint64_t off = 0; off < size;) {
		const size_t at = (size_t)(off % (SOURCE - piece + 1));
		ssize_t n = write(fd, source + at,
				  size - off < piece ? (size_t)(size - off) : piece);

		if (n <= 0)
			die("%s: write", path);
		off += (uint64_t)n;
	}
	if (close(fd))
		die("%s: close", path);
}

struct file {
	char path[PATH_SIZE];
	uint64_t size;
	size_t piece;
};

static void *
run_file(void *arg)
{
	const struct file *f = arg;

	write_file(f->path, f->size, f->piece);
	return NULL;
}

static void
write_many(const char *dir, unsigned n, uint64_t size, size_t piece)
{
	static struct file file[MAX_FILES];
	pthread_t thread[MAX_FILES];

	if (n < 1 || n > MAX_FILES)
		die("1 to %d files", MAX_FILES);
	for (unsigned i = 0; i < n; i++) {
		file[i].size = size;
		file[i].piece = piece;
		snprintf(file[i].path, sizeof(file[i].path), "%s/f%06u", dir, i);
		if (pthread_create(&thread[i], NULL, run_file, &file[i]))
			die("cannot start a thread");
	}
	for (unsigned i = 0; i < n; i++)
		pthread_join(thread[i], NULL);
}

static void
write_small(const char *dir, uint64_t count, size_t size)
{
	char path[PATH_SIZE];

	for (uint64_t i = 0; i < count; i++) {
		snprintf(path, sizeof(path), "%s/f%06llu", dir, (unsigned long long)i);
		write_file(path, size, size);
	}
}

int
main(int argc, char **argv)
{
	const char *what = argc > 2 ? argv[1] : "";
	uint64_t a = argc > 3 ? must_number(argv[3]) : 0, b = argc > 4 ? must_number(argv[4]) : 0;
	double start;

	make_source();
	start = now_s();
	if (argc == 5 && strcmp(what, "seq") == 0) {
		write_file(argv[2], a, b);
		printf("%.3f\n", (double)a / (now_s() - start) / 1e6);
	} else if (argc == 6 && strcmp(what, "many") == 0) {
		write_many(argv[2], (unsigned)a, b, must_number(argv[5]));
		printf("%.3f\n", (double)(a * b) / (now_s() - start) / 1e6);
	} else if (argc == 5 && strcmp(what, "small") == 0) {
		write_small(argv[2], a, b);
		printf("%.3f\n", (double)a / (now_s() - start));
	} else {
		die("usage: see the head of wr.c");
	}
	return 0;
}
