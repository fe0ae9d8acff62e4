/* SPDX-License-Identifier: MIT */
/* Where get writes: nothing leaves the target, nothing half has a name (cli/target.c). */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "cli/target.h"

struct place {
	char outer[64]; /* holds root and whatever must stay untouched */
	int outer_fd, root;
};

static int
setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));
	struct err e = { 0 };
	char root[80];

	(void)snprintf(p->outer, sizeof(p->outer), "/tmp/test_target.XXXXXX");
	assert_non_null(mkdtemp(p->outer));
	p->outer_fd = open(p->outer, O_RDONLY | O_DIRECTORY);
	(void)snprintf(root, sizeof(root), "%s/root", p->outer);
	assert_int_equal(target_open_dir(root, &p->root, &e), 0);
	*state = p;
	return 0;
}

/* Removes a tree of regular files, links and directories. */
static void
remove_tree(int at, const char *name)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *d;

	if (dir == NULL) {
		(void)unlinkat(at, name, 0);
		return;
	}
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			remove_tree(dirfd(dir), d->d_name);
	(void)closedir(dir);
	(void)unlinkat(at, name, AT_REMOVEDIR);
}

static int
teardown(void **state)
{
	struct place *p = *state;

	(void)close(p->root);
	(void)close(p->outer_fd);
	remove_tree(AT_FDCWD, p->outer);
	free(p);
	return 0;
}

static unsigned
count(int at, const char *name)
{
	DIR *dir = fdopendir(openat(at, name, O_RDONLY | O_DIRECTORY));
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir) != NULL)
		n++;
	(void)closedir(dir);
	return n - 2;
}

static const char *const climbing[] = {
	"",	"/",	"..",	       ".",  "../x", "a/../../x",
	"a/..", "a//b", "/etc/passwd", "a/", "./a",  "a/./b",
};

static void
test_a_path_that_climbs_out_is_refused(void **state)
{
	struct place *p = *state;

	for (size_t i = 0; i < ARRAY_LEN(climbing); i++) {
		struct target_file f = { .fd = 77 };
		struct err e = { 0 };

		assert_int_equal(target_begin(p->root, climbing[i], true, &f, &e), -EINVAL);
		assert_int_equal(f.fd, 77);
		err_clear(&e);
		assert_int_equal(target_make_dir(p->root, climbing[i], &e), -EINVAL);
		err_clear(&e);
		assert_int_equal(target_check(p->root, climbing[i], false, &e), -EINVAL);
	}
	assert_int_equal(count(p->outer_fd, "."), 1);
}

static void
test_a_link_to_a_directory_is_not_entered(void **state)
{
	struct place *p = *state;
	struct target_file f;
	struct err e = { 0 };

	assert_int_equal(mkdirat(p->outer_fd, "elsewhere", 0700), 0);
	assert_int_equal(symlinkat("../elsewhere", p->root, "way"), 0);
	assert_true(target_begin(p->root, "way/x", true, &f, &e) < 0);
	err_clear(&e);
	assert_true(target_make_dir(p->root, "way", &e) < 0);
	err_clear(&e);
	assert_true(target_make_dir(p->root, "way/x", &e) < 0);
	assert_int_equal(count(p->outer_fd, "elsewhere"), 0);
}

static void
test_a_link_in_the_place_is_replaced_not_followed(void **state)
{
	struct place *p = *state;
	struct target_file f;
	struct err e = { 0 };
	struct stat st;

	assert_int_equal(symlinkat("../victim", p->root, "x"), 0);
	assert_int_equal(target_check(p->root, "x", false, &e), -EEXIST);
	err_clear(&e);
	assert_int_equal(target_begin(p->root, "x", true, &f, &e), 0);
	assert_int_equal(target_publish(&f, 0, &e), 0);
	assert_int_equal(fstatat(p->root, "x", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(faccessat(p->outer_fd, "victim", F_OK, 0), -1);
}

static void
test_a_file_has_its_name_only_when_it_is_whole(void **state)
{
	struct place *p = *state;
	struct target_file f;
	struct err e = { 0 };
	struct stat st;

	assert_int_equal(target_begin(p->root, "a/b/c", false, &f, &e), 0);
	assert_int_equal(write(f.fd, "whole", 5), 5);
	assert_int_equal(faccessat(p->root, "a/b/c", F_OK, 0), -1);
	assert_int_equal(target_publish(&f, 1500 * NS_PER_S + 7, &e), 0);
	assert_int_equal(fstatat(p->root, "a/b/c", &st, 0), 0);
	assert_int_equal(st.st_size, 5);
	assert_int_equal(st.st_mtim.tv_sec, 1500);
	assert_int_equal(st.st_mtim.tv_nsec, 7);
	assert_int_equal(count(p->root, "a/b"), 1);
}

static void
test_an_abandoned_file_leaves_nothing(void **state)
{
	struct place *p = *state;
	struct target_file f;
	struct err e = { 0 };

	assert_int_equal(target_begin(p->root, "x", false, &f, &e), 0);
	target_abandon(&f);
	assert_int_equal(count(p->root, "."), 0);
}

static void
test_nothing_is_written_over_without_force(void **state)
{
	struct place *p = *state;
	struct target_file one, two;
	struct err e = { 0 };

	assert_int_equal(target_begin(p->root, "x", false, &one, &e), 0);
	assert_int_equal(target_begin(p->root, "x", false, &two, &e), 0);
	assert_int_equal(target_publish(&one, 0, &e), 0);
	assert_int_equal(target_publish(&two, 0, &e), -EEXIST);
	assert_int_equal(count(p->root, "."), 1);
	err_clear(&e);
	assert_int_equal(target_check(p->root, "x", false, &e), -EEXIST);
	err_clear(&e);
	assert_int_equal(target_check(p->root, "x", true, &e), 0);
	assert_int_equal(target_begin(p->root, "x", true, &two, &e), 0);
	assert_int_equal(target_publish(&two, 0, &e), 0);
	assert_int_equal(count(p->root, "."), 1);
}

static void
test_a_target_is_a_directory_or_a_name(void **state)
{
	struct place *p = *state;
	struct err e = { 0 };
	char path[128], *leaf = NULL;
	int fd = -1;

	(void)snprintf(path, sizeof(path), "%s/root", p->outer);
	assert_int_equal(target_place(path, "leaf", &fd, &leaf, &e), 0);
	assert_string_equal(leaf, "leaf");
	free(leaf);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/root/other", p->outer);
	assert_int_equal(target_place(path, "leaf", &fd, &leaf, &e), 0);
	assert_string_equal(leaf, "other");
	free(leaf);
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s/root/missing/", p->outer);
	assert_int_equal(target_place(path, "leaf", &fd, &leaf, &e), -ENOENT);
	err_clear(&e);
	(void)snprintf(path, sizeof(path), "%s/root/missing/x", p->outer);
	assert_int_equal(target_place(path, "leaf", &fd, &leaf, &e), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_path_that_climbs_out_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_link_to_a_directory_is_not_entered, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_link_in_the_place_is_replaced_not_followed,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_file_has_its_name_only_when_it_is_whole,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_abandoned_file_leaves_nothing, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_nothing_is_written_over_without_force, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_target_is_a_directory_or_a_name, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
