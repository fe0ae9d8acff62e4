/* SPDX-License-Identifier: MIT */
/*
 * Secrets: blocks that never overlap, come zeroed and go wiped; files that others can read are
 * refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/secret.h"

enum { CHUNK = 256 << 10, SLOTS = 600 };

/* ---- the allocator ---- */

struct slot {
	uint8_t *p;
	size_t n;
	uint8_t mark;
};

static bool
holds_only(const uint8_t *p, size_t n, uint8_t what)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] != what)
			return false;
	return true;
}

/*
 * Random sizes taken and given in random order: every block is zero at first and its own for all
 * its life.
 */
static void
blocks_are_zero_and_never_overlap(void **state)
{
	static const size_t sizes[] = { 1, 32, 63, 64, 65, 128, 1000, 4096, 70000 };
	static struct slot slot[SLOTS];
	uint64_t x = 42;

	(void)state;
	for (int step = 0; step < 60000; step++) {
		struct slot *s;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		s = &slot[(x >> 33) % SLOTS];
		if (s->p != NULL) {
			assert_true(holds_only(s->p, s->n, s->mark));
			secret_free(s->p, s->n);
			s->p = NULL;
			continue;
		}
		s->n = sizes[(x >> 20) % (x >> 60 == 0 ? ARRAY_LEN(sizes) : ARRAY_LEN(sizes) - 2)];
		s->mark = (uint8_t)(x >> 12 | 1);
		s->p = secret_alloc(s->n);
		assert_non_null(s->p);
		assert_int_equal((uintptr_t)s->p % 64, 0);
		assert_true(holds_only(s->p, s->n, 0));
		memset(s->p, s->mark, s->n);
	}
	for (int i = 0; i < SLOTS; i++) {
		assert_true(slot[i].p == NULL || holds_only(slot[i].p, slot[i].n, slot[i].mark));
		secret_free(slot[i].p, slot[i].n);
		slot[i].p = NULL;
	}
}

static void
a_freed_block_is_wiped_and_used_again(void **state)
{
	uint8_t *p = secret_alloc(200), *q;

	(void)state;
	memset(p, 0x5a, 200);
	secret_free(p, 200);
	assert_true(holds_only(p, 200, 0));
	q = secret_alloc(200);
	assert_ptr_equal(q, p);
	secret_free(q, 200);
	secret_free(NULL, 10);
}

static void
a_block_may_fill_a_chunk(void **state)
{
	uint8_t *p = secret_alloc(CHUNK), *q = secret_alloc(CHUNK), *r = secret_alloc(1);

	(void)state;
	assert_non_null(p);
	assert_non_null(q);
	assert_true(p + CHUNK <= q || q + CHUNK <= p);
	assert_true(holds_only(p, CHUNK, 0) && holds_only(q, CHUNK, 0));
	secret_free(p, CHUNK);
	secret_free(q, CHUNK);
	secret_free(r, 1);
}

static void
key_memory_is_locked_where_the_limit_allows(void **state)
{
	(void)state;
	if (!secret_locked())
		print_message("RLIMIT_MEMLOCK does not allow locking here\n");
}

static void
a_hardened_process_leaves_no_core(void **state)
{
	pid_t child = fork();
	int how;

	(void)state;
	if (child == 0) {
		secret_harden_process();
		abort();
	}
	assert_int_equal(waitpid(child, &how, 0), child);
	assert_true(WIFSIGNALED(how));
	assert_false(WCOREDUMP(how));
}

/* ---- texts ---- */

static void
a_text_is_what_was_put_in(void **state)
{
	struct secret_text *t, *again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(secret_text_new(span_str("s3cret"), &t, &e), 0);
	again = secret_text_ref(t);
	secret_text_free(t);
	assert_string_equal(secret_text_borrow(again), "s3cret");
	assert_int_equal(secret_text_len(again), 6);
	secret_text_free(again);
	assert_null(secret_text_ref(NULL));
	secret_text_free(NULL);
	assert_int_equal(secret_text_new(span_of(NULL, 0), &t, &e), 0);
	assert_string_equal(secret_text_borrow(t), "");
	secret_text_free(t);
}

static void
a_nul_inside_and_excessive_length_are_refused(void **state)
{
	struct secret_text *t = NULL;
	struct err e = { 0 };
	char *large = calloc(1, CHUNK);

	(void)state;
	assert_int_equal(secret_text_new(span_of("a\0b", 3), &t, &e), -EINVAL);
	err_clear(&e);
	memset(large, 'x', CHUNK);
	assert_int_equal(secret_text_new(span_of(large, CHUNK), &t, &e), -EFBIG);
	assert_null(t);
	free(large);
}

/* ---- files ---- */

static char dir[64];

static const char *
file_of(const char *name, const char *text, size_t n, mode_t mode)
{
	static char path[128];
	int fd;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
	return path;
}

static const struct {
	const char *name, *text;
	mode_t mode;
	bool check;
	int no;
	const char *got;
} files[] = {
	{ "plain", "key\n", 0600, true, 0, "key" },
	{ "blanks at the end only", " a b \r\n\t \n", 0600, true, 0, " a b" },
	{ "nothing", "", 0600, true, 0, "" },
	{ "nothing but blanks", " \n\n", 0400, true, 0, "" },
	{ "as long as allowed", "0123456789abcdef", 0600, true, 0, "0123456789abcdef" },
	{ "a byte too long", "0123456789abcdefg", 0600, true, -EFBIG, NULL },
	{ "readable by the group", "key", 0640, true, -EACCES, NULL },
	{ "readable by others", "key", 0604, true, -EACCES, NULL },
	{ "writable by the group", "key", 0620, true, -EACCES, NULL },
	{ "projected by the platform", "key", 0644, false, 0, "key" },
};

static void
a_file_is_read_when_nobody_else_can(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		AUTO_SECRET_TEXT t = NULL;
		struct err e = { 0 };
		const char *path = file_of("f", files[i].text, strlen(files[i].text),
					   files[i].mode);

		if (secret_text_read_file(path, 16, files[i].check, &t, &e) != files[i].no)
			fail_msg("%s: %d %s", files[i].name, e.no, e.text);
		if (files[i].no == 0)
			assert_string_equal(secret_text_borrow(t), files[i].got);
		else
			assert_null(t);
	}
}

static void
a_nul_in_a_file_is_refused(void **state)
{
	struct secret_text *t = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(secret_text_read_file(file_of("f", "a\0b", 3, 0600), 16, true, &t, &e),
			 -EINVAL);
}

static void
what_is_no_file_of_its_own_is_refused(void **state)
{
	struct secret_text *t = NULL;
	struct err e = { 0 };
	char link[128];

	(void)state;
	assert_int_equal(secret_text_read_file(dir, 16, true, &t, &e), -EINVAL);
	err_clear(&e);
	(void)snprintf(link, sizeof(link), "%s/link", dir);
	assert_int_equal(symlink(file_of("f", "key", 3, 0600), link), 0);
	assert_int_equal(secret_text_read_file(link, 16, true, &t, &e), -ELOOP);
	err_clear(&e);
	assert_int_equal(secret_text_read_file(link, 16, false, &t, &e),
			 0); /* projected files are links */
	secret_text_free(t);
	(void)unlink(link);
	assert_int_equal(secret_text_read_file(link, 16, true, &t, &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(mkfifo(link, 0600), 0); /* and does not wait for a writer */
	assert_int_equal(secret_text_read_file(link, 16, true, &t, &e), -EINVAL);
	(void)unlink(link);
}

static int
make_dir(void **state)
{
	(void)state;
	(void)snprintf(dir, sizeof(dir), "/tmp/azc-secret-XXXXXX");
	return mkdtemp(dir) != NULL ? 0 : -1;
}

static int
remove_dir(void **state)
{
	char path[128];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s/f", dir);
	(void)unlink(path);
	return rmdir(dir);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_freed_block_is_wiped_and_used_again),
		cmocka_unit_test(blocks_are_zero_and_never_overlap),
		cmocka_unit_test(a_block_may_fill_a_chunk),
		cmocka_unit_test(key_memory_is_locked_where_the_limit_allows),
		cmocka_unit_test(a_hardened_process_leaves_no_core),
		cmocka_unit_test(a_text_is_what_was_put_in),
		cmocka_unit_test(a_nul_inside_and_excessive_length_are_refused),
		cmocka_unit_test(a_file_is_read_when_nobody_else_can),
		cmocka_unit_test(a_nul_in_a_file_is_refused),
		cmocka_unit_test(what_is_no_file_of_its_own_is_refused),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
