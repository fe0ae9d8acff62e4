/* SPDX-License-Identifier: MIT */
/* The position of a feed in a file: what is refused, and that it is there at every moment. */
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

#include "backend/store/docstore.h"
#include "cli/feedstate.h"

static char root[64], path[96];

static int
setup(void **state)
{
	(void)state;
	(void)snprintf(root, sizeof(root), "/tmp/test_feedstate.XXXXXX");
	assert_non_null(mkdtemp(root));
	(void)snprintf(path, sizeof(path), "%s/state", root);
	return 0;
}

static const char *
beside(const char *suffix)
{
	static char name[128];

	(void)snprintf(name, sizeof(name), "%s%s", path, suffix);
	return name;
}

static int
teardown(void **state)
{
	(void)state;
	(void)chmod(root, 0700);
	(void)rmdir(path);
	(void)unlink(path);
	(void)unlink(beside(".lock"));
	(void)rmdir(beside(".new"));
	(void)unlink(beside(".new"));
	(void)unlink(beside(".victim"));
	return rmdir(root);
}

static void
write_file(const char *name, const void *text, size_t n, mode_t mode)
{
	const int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, n), n);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

static void
write_text(const char *text)
{
	write_file(path, text, strlen(text), 0600);
}

static struct feedstate *
opened(const char *part)
{
	struct feedstate *s = NULL;
	struct err e = { 0 };

	if (feedstate_open(path, part, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* Refused with that errno, and nothing else has happened. */
static void
refused(const char *part, int no, const char *says)
{
	struct feedstate *s = (void *)root;
	struct err e = { 0 };

	assert_int_equal(feedstate_open(path, part, &s, &e), -no);
	assert_ptr_equal(s, root);
	if (strstr(e.text, says) == NULL || strstr(e.text, path) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", e.text, says);
}

#define GOOD                                                                                       \
	"{\"format\":\"azcryptfs-feed\",\"version\":1,\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":" \
	"\"c\"}"

static void
what_was_saved_is_there_again(void **state)
{
	struct feedstate *s = opened("0-FF");
	struct err e = { 0 };

	(void)state;
	assert_null(feedstate_rid(s));
	assert_null(feedstate_cursor(s));
	assert_int_equal(feedstate_save(s, "rid==", "c1:\"\\\x01\xc3\xbc", &e), 0);
	assert_string_equal(feedstate_cursor(s), "c1:\"\\\x01\xc3\xbc");
	feedstate_close(s);
	s = opened("0-FF");
	assert_string_equal(feedstate_rid(s), "rid==");
	assert_string_equal(feedstate_cursor(s), "c1:\"\\\x01\xc3\xbc");
	feedstate_close(s);
	feedstate_close(NULL);
}

static void
the_format_is_the_one_described(void **state)
{
	struct feedstate *s = opened("0-FF");
	struct err e = { 0 };
	char text[512] = "";
	int fd;

	(void)state;
	assert_int_equal(feedstate_save(s, "r", "c", &e), 0);
	feedstate_close(s);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text) - 1), strlen(GOOD));
	assert_string_equal(text, GOOD);
	(void)close(fd);
}

static void
a_state_takes_the_place_of_the_old_one_at_once(void **state)
{
	struct feedstate *s = opened("0-FF");
	struct stat before, after;
	struct err e = { 0 };
	int old;

	(void)state;
	assert_int_equal(feedstate_save(s, "r", "first", &e), 0);
	old = open(path, O_RDONLY);
	assert_int_equal(fstat(old, &before), 0);
	assert_int_equal(before.st_mode, S_IFREG | 0600);
	assert_int_equal(feedstate_save(s, "r", "second", &e), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_not_equal(before.st_ino, after.st_ino);
	assert_int_equal(fstat(old, &before), 0);
	assert_int_equal(before.st_nlink, 0);
	assert_true(access(beside(".new"), F_OK) < 0);
	(void)close(old);
	feedstate_close(s);
}

static void
what_is_there_is_not_written_again(void **state)
{
	struct feedstate *s = opened("0-FF");
	struct stat before, after;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(feedstate_save(s, "r", "c", &e), 0);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(feedstate_save(s, "r", "c", &e), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(feedstate_save(s, "other", "c", &e), 0);
	feedstate_close(s);
	s = opened("0-FF");
	assert_string_equal(feedstate_rid(s), "other");
	feedstate_close(s);
}

/* A link there leads nowhere. */
static void
what_a_killed_run_left_is_no_obstacle(void **state)
{
	struct feedstate *s = opened("0-FF");
	struct err e = { 0 };
	struct stat st;

	(void)state;
	write_file(beside(".new"), "{\"half", 6, 0600);
	assert_int_equal(feedstate_save(s, "r", "1", &e), 0);
	write_file(beside(".victim"), "mine", 4, 0600);
	assert_int_equal(symlink("state.victim", beside(".new")), 0);
	assert_int_equal(feedstate_save(s, "r", "2", &e), 0);
	assert_int_equal(stat(beside(".victim"), &st), 0);
	assert_int_equal(st.st_size, 4);
	feedstate_close(s);
	s = opened("0-FF");
	assert_string_equal(feedstate_cursor(s), "2");
	feedstate_close(s);
}

static void
a_write_that_fails_leaves_the_old_state(void **state)
{
	struct feedstate *s = opened("0-FF");
	struct err e = { 0 };

	(void)state;
	assert_int_equal(feedstate_save(s, "r", "old", &e), 0);
	assert_int_equal(mkdir(beside(".new"), 0700), 0);
	assert_true(feedstate_save(s, "r", "new", &e) < 0);
	assert_non_null(strstr(e.text, "state"));
	assert_string_equal(feedstate_cursor(s), "old");
	err_clear(&e);
	assert_int_equal(rmdir(beside(".new")), 0);
	assert_true(feedstate_save(s, "r", "no text \xff", &e) < 0);
	assert_string_equal(feedstate_cursor(s), "old");
	feedstate_close(s);
	s = opened("0-FF");
	assert_string_equal(feedstate_cursor(s), "old");
	feedstate_close(s);
}

static void
a_second_run_is_refused_until_the_first_ends(void **state)
{
	struct feedstate *s = opened("0-FF");

	(void)state;
	refused("0-FF", EBUSY, "another feed is using it");
	feedstate_close(s);
	feedstate_close(opened("0-FF"));
}

static void
a_state_of_another_part_is_refused(void **state)
{
	struct feedstate *s = NULL;
	struct err e = { 0 };

	(void)state;
	write_text(GOOD);
	refused("0-80", EINVAL, "of part 0-FF, not of 0-80");
	assert_int_equal(feedstate_open(path, "0-80", &s, &e), -EINVAL);
	assert_non_null(strstr(e.advice, "--part"));
	feedstate_close(opened("0-FF"));
}

#define WITH(rest) "{\"format\":\"azcryptfs-feed\",\"version\":1," rest "}"

static const struct {
	const char *text;
	int no;
	const char *says;
} texts[] = {
	{ "", EINVAL, "not a JSON object" },
	{ "x", EINVAL, "not a JSON object" },
	{ "[]", EINVAL, "not a JSON object" },
	{ "\"azcryptfs-feed\"", EINVAL, "not a JSON object" },
	{ "{}", EINVAL, "format" },
	{ GOOD GOOD, EINVAL, "not a JSON object" },
	{ "{\"format\":\"azcryptfs-dir\",\"version\":1}", EINVAL, "format" },
	{ "{\"format\":\"azcryptfs-feed\"}", EINVAL, "format" },
	{ "{\"format\":\"azcryptfs-feed\",\"version\":\"1\"}", EINVAL, "format" },
	{ "{\"format\":\"azcryptfs-feed\",\"version\":2}", EOPNOTSUPP, "version 2" },
	{ "{\"format\":\"azcryptfs-feed\",\"version\":0}", EOPNOTSUPP, "version 0" },
	{ WITH("\"rid\":\"r\",\"part\":\"0-FF\""), EINVAL, "other members" },
	{ WITH("\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":\"c\",\"x\":1"), EINVAL,
	  "other members" },
	{ WITH("\"rid\":\"r\",\"part\":\"0-FF\",\"x\":\"c\""), EINVAL, "a member" },
	{ WITH("\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":\"\""), EINVAL, "a member" },
	{ WITH("\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":7"), EINVAL, "a member" },
	{ WITH("\"rid\":null,\"part\":\"0-FF\",\"cursor\":\"c\""), EINVAL, "a member" },
	{ WITH("\"rid\":\"r\",\"part\":[],\"cursor\":\"c\""), EINVAL, "a member" },
	{ WITH("\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":\"c\\u0000d\""), EINVAL, "JSON object" },
	{ WITH("\"rid\":\"r\",\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":\"c\""), EINVAL,
	  "JSON object" },
};

static void
what_is_no_state_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		write_text(texts[i].text);
		print_message("%s\n", texts[i].text);
		refused("0-FF", texts[i].no, texts[i].says);
	}
}

static void
members_have_ceilings(void **state)
{
	const size_t n = DOCSTORE_CURSOR_MAX + 2048;
	char *text = malloc(n);
	FILE *f;

	(void)state;
	for (int over = 0; over < 2; over++) {
		memset(text, 'c', n);
		text[DOCSTORE_CURSOR_MAX + over] = '\0';
		f = fopen(path, "w");
		(void)fprintf(f, WITH("\"rid\":\"r\",\"part\":\"0-FF\",\"cursor\":\"%s\""), text);
		(void)fclose(f);
		if (over)
			refused("0-FF", EINVAL, "a member");
		else
			feedstate_close(opened("0-FF"));
	}
	memset(text, 'r', n);
	text[256] = '\0';
	f = fopen(path, "w");
	(void)fprintf(f, WITH("\"rid\":\"%s\",\"part\":\"0-FF\",\"cursor\":\"c\""), text);
	(void)fclose(f);
	refused("0-FF", EINVAL, "a member");
	free(text);
}

static void
a_file_without_end_is_not_read(void **state)
{
	(void)state;
	write_text(GOOD);
	assert_int_equal(truncate(path, 64 << 20), 0);
	refused("0-FF", EFBIG, "more than");
}

static void
what_is_no_file_of_ours_is_refused(void **state)
{
	(void)state;
	write_file(path, GOOD, strlen(GOOD), 0620);
	refused("0-FF", EACCES, "mode 0620");
	assert_int_equal(chmod(path, 0602), 0);
	refused("0-FF", EACCES, "mode 0602");
	assert_int_equal(chmod(path, 0644), 0);
	feedstate_close(opened("0-FF"));
	assert_int_equal(rename(path, beside(".victim")), 0);
	assert_int_equal(symlink("state.victim", path), 0);
	refused("0-FF", ELOOP, "symbolic link");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	refused("0-FF", EINVAL, "regular");
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkdir(path, 0700), 0);
	refused("0-FF", EINVAL, "regular");
}

static void
a_file_of_another_user_is_refused(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	write_text(GOOD);
	assert_int_equal(chown(path, 12345, 12345), 0);
	refused("0-FF", EACCES, "another user");
}

static void
a_lock_that_is_a_link_is_refused(void **state)
{
	(void)state;
	assert_int_equal(symlink("state.victim", beside(".lock")), 0);
	refused("0-FF", ELOOP, ".lock");
	assert_true(access(beside(".victim"), F_OK) < 0);
}

static void
a_name_that_is_no_file_is_refused(void **state)
{
	static const struct {
		const char *path;
		int no;
	} names[] = {
		{ "", EINVAL },
		{ "/tmp/", EINVAL },
		{ ".", EINVAL },
		{ "/tmp/..", EINVAL },
		{ "/nonexistent/x/y", ENOENT },
		{ "/dev/null/x", ENOTDIR },
	};
	char name[300] = "/tmp/";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		struct feedstate *s = NULL;
		struct err e = { 0 };

		assert_int_equal(feedstate_open(names[i].path, "0-FF", &s, &e), -names[i].no);
		assert_null(s);
	}
	for (size_t n = 251; n <= 256; n += 5) {
		struct feedstate *s = NULL;
		struct err e = { 0 };

		memset(name + 5, 'x', n);
		name[5 + n] = '\0';
		assert_int_equal(feedstate_open(name, "0-FF", &s, &e), -ENAMETOOLONG);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_saved_is_there_again),
		TEST(the_format_is_the_one_described),
		TEST(a_state_takes_the_place_of_the_old_one_at_once),
		TEST(what_is_there_is_not_written_again),
		TEST(what_a_killed_run_left_is_no_obstacle),
		TEST(a_write_that_fails_leaves_the_old_state),
		TEST(a_second_run_is_refused_until_the_first_ends),
		TEST(a_state_of_another_part_is_refused),
		TEST(what_is_no_state_is_refused),
		TEST(members_have_ceilings),
		TEST(a_file_without_end_is_not_read),
		TEST(what_is_no_file_of_ours_is_refused),
		TEST(a_file_of_another_user_is_refused),
		TEST(a_lock_that_is_a_link_is_refused),
		cmocka_unit_test(a_name_that_is_no_file_is_refused),
	};

	return cmocka_run_group_tests_name("feedstate", tests, NULL, NULL);
}
