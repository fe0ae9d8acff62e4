/* SPDX-License-Identifier: MIT */
/* fs/staging with its real file: nothing plain in it, no name, limits, damage. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/fs/stagingworld.h"

enum { C = STAGING_CHUNK };

static char dir[] = "/tmp/test_staging-XXXXXX";
static uint8_t piece[C], got[C];
static const char marker[] = "PLAINTEXT-MARKER";

static int
set_up(void **state)
{
	(void)state;
	(void)signal(SIGXFSZ, SIG_IGN);
	return mkdtemp(dir) == NULL ? -1 : 0;
}

/* Nothing may be left in it. */
static int
tear_down(void **state)
{
	(void)state;
	return rmdir(dir);
}

/* The descriptor of the unlinked file in dir; -1 when none is open. */
static int
staging_fd(void)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *entry;
	int found = -1;

	assert_non_null(d);
	while ((entry = readdir(d)) != NULL) {
		char path[300], target[300];
		ssize_t n;

		(void)snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n = readlink(path, target, sizeof(target) - 1);
		if (n > 0 && strncmp(target, dir, strlen(dir)) == 0)
			found = (int)strtol(entry->d_name, NULL, 10);
	}
	(void)closedir(d);
	return found;
}

static void
fill_piece(uint64_t with)
{
	for (size_t i = 0; i + sizeof(marker) <= sizeof(piece); i += sizeof(marker))
		memcpy(piece + i, marker, sizeof(marker));
	memcpy(piece, &with, sizeof(with));
}

static void
write_chunks(struct world *w, uint64_t n)
{
	struct err e = { 0 };

	for (uint64_t i = 0; i < n; i++) {
		fill_piece(i);
		assert_int_equal(staging_write(w->s, i * C, span_of(piece, C), &e), 0);
	}
}

static void
expect_chunks(struct world *w, uint64_t n)
{
	struct err e = { 0 };

	for (uint64_t i = 0; i < n; i++) {
		fill_piece(i);
		assert_int_equal(staging_read(w->s, i * C, got, C, &e), 0);
		assert_memory_equal(got, piece, C);
	}
}

static void
small_files_open_nothing(void **state)
{
	struct world w;

	(void)state;
	world_begin(&w, UINT64_MAX, "/nowhere at all");
	write_chunks(&w, 20);
	expect_chunks(&w, 20);
	assert_int_equal(staging_fd(), -1);
	world_end(&w);
}

static void
the_file_has_no_name_and_nothing_plain(void **state)
{
	struct stat st;
	struct world w;
	uint8_t *all;
	int fd;

	(void)state;
	world_begin(&w, 2 * C, dir);
	write_chunks(&w, 12);
	expect_chunks(&w, 12);
	fd = staging_fd();
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(st.st_size >= 8 * C);
	assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	all = malloc((size_t)st.st_size);
	assert_non_null(all);
	assert_int_equal(pread(fd, all, (size_t)st.st_size, 0), st.st_size);
	assert_null(memmem(all, (size_t)st.st_size, marker, 8));
	free(all);
	world_end(&w);
	assert_int_equal(staging_fd(), -1);
}

static void
truncating_gives_space_back(void **state)
{
	struct err e = { 0 };
	struct stat st;
	struct world w;

	(void)state;
	world_begin(&w, 0, dir);
	write_chunks(&w, 12);
	assert_int_equal(staging_truncate(w.s, 3 * C, &e), 0);
	assert_int_equal(fstat(staging_fd(), &st), 0);
	assert_int_equal(st.st_size, 3 * C);
	expect_chunks(&w, 3);
	assert_int_equal(staging_truncate(w.s, 12 * C, &e), 0);
	assert_int_equal(staging_read(w.s, 7 * C, got, C, &e), 0);
	for (size_t i = 0; i < C; i++)
		assert_int_equal(got[i], 0);
	world_end(&w);
}

static void
a_flipped_bit_is_found_out(void **state)
{
	struct err e = { 0 };
	struct world w;
	char path[64];
	uint8_t byte;
	int fd;

	(void)state;
	world_begin(&w, 0, dir);
	write_chunks(&w, 6);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", staging_fd());
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, 2 * C + 99), 1);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 2 * C + 99), 1);
	memset(got, 0x77, sizeof(got));
	assert_int_equal(staging_read(w.s, 2 * C, got, C, &e), -EIO);
	assert_string_equal(e.event, "local.staging");
	for (size_t i = 0; i < C; i++)
		assert_int_equal(got[i], 0); /* nothing unverified is handed out */
	err_clear(&e);
	expect_chunks(&w, 2);
	byte ^= 1;
	assert_int_equal(pwrite(fd, &byte, 1, 2 * C + 99), 1);
	expect_chunks(&w, 6);
	assert_int_equal(ftruncate(fd, C), 0);
	assert_int_equal(staging_read(w.s, 3 * C, got, C, &e), -EIO);
	assert_string_equal(e.event, "local.staging");
	(void)close(fd);
	world_end(&w);
}

static void
a_file_that_may_not_grow_is_full(void **state)
{
	struct rlimit before, small;
	struct err e = { 0 };
	struct world w;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	world_begin(&w, 0, dir);
	write_chunks(&w, 4);
	small = (struct rlimit){ 4 * C + C / 2, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	write_chunks(&w, 6); /* the last two are hot, the others in the file */
	fill_piece(6);
	assert_int_equal(staging_write(w.s, 6 * C, span_of(piece, C), &e), -ENOSPC);
	assert_string_equal(e.event, "local.space");
	assert_non_null(strstr(e.advice, "staging="));
	assert_int_equal(staging_size(w.s), 6 * C);
	expect_chunks(&w, 6);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	err_clear(&e);
	fill_piece(6);
	assert_int_equal(staging_write(w.s, 6 * C, span_of(piece, C), &e), 0);
	expect_chunks(&w, 7);
	world_end(&w);
}

static void
no_directory_is_no_room(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	world_begin(&w, 0, "/nowhere at all");
	write_chunks(&w, 2);
	assert_int_equal(staging_write(w.s, 2 * C, span_of(piece, C), &e), -EIO);
	assert_string_equal(e.event, "local.staging");
	expect_chunks(&w, 2);
	world_end(&w);
}

/* Each thread a staging of its own, all of one area. */
static void *
use_one(void *arg)
{
	struct world *w = arg;
	struct staging *s = NULL;
	struct err e = { 0 };
	uint8_t *mine = malloc(C);
	bool good = mine != NULL && staging_new(w->area, &s, &e) == 0;

	for (uint64_t i = 0; good && i < 16; i++) {
		memset(mine, (int)i + 1, C);
		good = staging_write(s, i * C, span_of(mine, C), &e) == 0;
	}
	for (uint64_t i = 0; good && i < 16; i++)
		good = staging_read(s, i * C + 9, mine, 100, &e) == 0 && mine[99] == i + 1;
	staging_free(s);
	free(mine);
	return good ? w : NULL;
}

static void
threads_share_an_area(void **state)
{
	pthread_t thread[4];
	struct world w;
	void *good;

	(void)state;
	world_begin(&w, 24 * C, dir);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, use_one, &w), 0);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++) {
		assert_int_equal(pthread_join(thread[i], &good), 0);
		assert_non_null(good);
	}
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(small_files_open_nothing),
		cmocka_unit_test(the_file_has_no_name_and_nothing_plain),
		cmocka_unit_test(truncating_gives_space_back),
		cmocka_unit_test(a_flipped_bit_is_found_out),
		cmocka_unit_test(a_file_that_may_not_grow_is_full),
		cmocka_unit_test(no_directory_is_no_room),
		cmocka_unit_test(threads_share_an_area),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
