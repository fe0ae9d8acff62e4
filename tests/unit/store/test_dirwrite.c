/* SPDX-License-Identifier: MIT */
/*
 * Writers of a dir: store that are killed, that come from several processes, and that find no room:
 * what is there is old or new, and nothing is left over for good.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/store/dir.h"
#include "backend/store/storewrite.h"
#include "tests/unit/store/lines.h"

#define MARKER "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}"

enum { STEPS_MAX = 1000, CANNOT = 77 };

static const struct deadline never = { 0 };
static const struct store_condition any = { 0 }, absent = { .absent = true };
static const struct store_properties nothing = { .meta = NULL };
static char root[64];

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void
make_root(void)
{
	char path[128];
	FILE *f;

	strcpy(root, "/tmp/azc-dirwrite-XXXXXX");
	assert_non_null(mkdtemp(root));
	(void)snprintf(path, sizeof(path), "%s/objects", root);
	assert_int_equal(mkdir(path, 0755), 0);
	(void)snprintf(path, sizeof(path), "%s/azcryptfs-store.json", root);
	f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fputs(MARKER, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void
remove_root(void)
{
	(void)nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int
set_up(void **state)
{
	(void)state;
	make_root();
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	remove_root();
	return 0;
}

static struct store *
open_store(void)
{
	struct store *s = NULL;
	struct err e = { 0 };

	if (dir_store_open(root, "", &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static int
put(struct store *s, const char *name, const char *text, struct store_condition c,
    struct store_written *out)
{
	struct err e = { 0 };

	return store_put(s, name, &nothing, span_str(text), c, out, never, &e);
}

static int
take(void *arg, struct span piece, struct err *e)
{
	(void)e;
	(void)strncat(arg, (const char *)piece.p, piece.n);
	return 0;
}

/* "" when there is no such object. */
static void
read_text(struct store *s, const char *name, char text[64])
{
	const struct store_get what = { .name = name, .max = 60 };
	struct err e = { 0 };
	int r;

	text[0] = '\0';
	r = store_get(s, &what, (struct store_get_sink){ NULL, take, text }, NULL, never, &e);
	if (r < 0 && r != -ENOENT)
		fail_msg("%s", e.text);
}

/* ---- files */

static char found[64][256];
static unsigned n_found;

static int
note_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)ftw;
	if (type == FTW_F && n_found < ARRAY_LEN(found) && strstr(path, "/lock") == NULL)
		(void)snprintf(found[n_found++], sizeof(found[0]), "%s", path);
	return 0;
}

/* Files below objects/, but for the lock. */
static unsigned
count_files(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/objects", root);
	n_found = 0;
	(void)nftw(path, note_file, 16, FTW_PHYS);
	return n_found;
}

/* ---- killed at every step */

static void
do_put_new(struct store *s)
{
	(void)!put(s, "d/new", "new", absent, NULL);
}

static void
do_overwrite(struct store *s)
{
	(void)!put(s, "d/old", "new", any, NULL);
}

static void
do_blocks(struct store *s)
{
	const struct store_upload u = { { 1 } };
	const struct store_block b[2] = { { 1, 1, span_str("ew") }, { 0, 0, span_str("n") } };
	struct err e = { 0 };

	(void)!store_put_block(s, "d/old", &u, &b[0], never, &e);
	(void)!store_put_block(s, "d/old", &u, &b[1], never, &e);
	(void)!store_commit_blocks(s, "d/old", &u, 2, 3, &nothing, any, NULL, never, &e);
}

static void
do_delete(struct store *s)
{
	struct err e = { 0 };

	(void)!store_delete(s, "d/old", NULL, never, &e);
}

static void
do_copy(struct store *s)
{
	struct err e = { 0 };

	(void)!store_copy(s, "source", NULL, "d/old", any, NULL, never, &e);
}

static void
do_metadata(struct store *s)
{
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	struct err e = { 0 };

	(void)!store_meta_set(&p, "a", "b", &e);
	(void)!store_set_metadata(s, "d/old", &p, NULL, NULL, never, &e);
}

static const struct {
	const char *what;
	void (*run)(struct store *s);
	const char *name, *before, *after; /* the text of the object */
	unsigned files;			   /* in the end, leftovers swept */
} steps[] = {
	{ "put", do_put_new, "d/new", "", "new", 6 },
	{ "overwrite", do_overwrite, "d/old", "old", "new", 4 },
	{ "blocks", do_blocks, "d/old", "old", "new", 4 },
	{ "delete", do_delete, "d/old", "old", "", 2 },
	{ "copy", do_copy, "d/old", "old", "new", 4 },
	{ "metadata", do_metadata, "d/old", "old", "old", 4 },
};

/* The child stops once the store is open, then is killed as it enters or leaves its nth call. */
static bool
kill_at(void (*run)(struct store *s), unsigned nth)
{
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		struct store *s = open_store();

		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(CANNOT);
		(void)raise(SIGSTOP);
		run(s);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WIFEXITED(status))
		fail_msg("the child cannot be traced");
	for (unsigned i = 0; WIFSTOPPED(status) && i < nth; i++) {
		assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
		assert_int_equal(waitpid(child, &status, 0), child);
	}
	if (WIFEXITED(status))
		return false;
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	return true;
}

static int64_t
now(void)
{
	return NS_PER_S;
}

static int64_t
in_two_days(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return t.tv_sec + (int64_t)2 * 86400;
}

static void
no_sleep(int64_t ns)
{
	(void)ns;
}

/* Two days later another writer comes; what is left over goes with its first write. */
static void
sweep(void)
{
	static const struct clock_ops later = { now, in_two_days, no_sleep };
	struct store *s = open_store();
	struct err e = { 0 };

	clock_replace(&later);
	assert_int_equal(store_delete(s, "none", NULL, never, &e), -ENOENT);
	clock_replace(NULL);
	store_free(s);
}

static void
assert_lists_clean(struct store *s, unsigned at)
{
	struct lines lines;
	struct err e = { 0 };
	AUTO_BUF cursor;

	buf_init(&cursor, STORE_CURSOR_MAX);
	assert_int_equal(
		store_list(s, span_str(""), false, 0, &cursor, lines_sink(&lines), never, &e), 0);
	if (strstr(lines.text, "unreadable") != NULL || strstr(lines.text, "o source 3") == NULL)
		fail_msg("step %u: %s", at, lines.text);
}

static bool
killed_once(unsigned which, unsigned nth)
{
	struct store *s;
	char text[64];
	bool killed;

	make_root();
	s = open_store();
	assert_int_equal(put(s, "d/old", "old", any, NULL), 0);
	assert_int_equal(put(s, "source", "new", any, NULL), 0);
	killed = kill_at(steps[which].run, nth);
	read_text(s, steps[which].name, text);
	if (strcmp(text, steps[which].after) != 0 &&
	    (strcmp(text, steps[which].before) != 0 || !killed))
		fail_msg("%s, step %u: '%s'", steps[which].what, nth, text);
	assert_lists_clean(s, nth);
	steps[which].run(s); /* goes on working */
	read_text(s, steps[which].name, text);
	assert_string_equal(text, steps[which].after);
	store_free(s);
	sweep();
	if (count_files() != steps[which].files)
		fail_msg("%s, step %u: %u files, one is %s", steps[which].what, nth, n_found,
			 found[0]);
	remove_root();
	return killed;
}

static void
test_killed_at_any_step_it_is_old_or_new(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
		unsigned n = 1;

		/* Leaving a call and entering the next one leave the same behind. */
		for (; killed_once(i, n); n += 2)
			assert_true(n < STEPS_MAX);
		assert_true(n > 20); /* there were steps */
	}
}

/* ---- leftovers */

static void
test_a_live_upload_is_not_swept(void **state)
{
	const struct store_block b = { 0, 0, span_str("slow") };
	struct store *s = open_store();
	struct store_upload u;
	struct err e = { 0 };
	char text[64];

	(void)state;
	assert_int_equal(store_upload_init(&u, &e), 0);
	assert_int_equal(store_put_block(s, "o", &u, &b, never, &e), 0);
	sweep();
	assert_int_equal(store_commit_blocks(s, "o", &u, 1, 4, &nothing, absent, NULL, never, &e),
			 0);
	read_text(s, "o", text);
	assert_string_equal(text, "slow");
	store_free(s);
}

static void
test_what_was_not_committed_goes_with_the_store(void **state)
{
	const struct store_block b = { 5, 50, span_str("x") };
	struct store *s = open_store();
	struct store_upload u[2];
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(store_upload_init(&u[i], &e), 0);
		assert_int_equal(store_put_block(s, "o", &u[i], &b, never, &e), 0);
	}
	assert_int_equal(count_files(), 2);
	store_abandon_blocks(s, "o", &u[0]);
	assert_int_equal(count_files(), 1);
	store_free(s);
	assert_int_equal(count_files(), 0);
}

static void
test_hostile_leftovers_reach_nothing(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{\"name\":\"\"}", "{\"name\":\"../o\"}",
		"{\"version\":1,\"name\":\"o\",\"content\":\"../../azcryptfs-store.json\"}"
	};
	struct store *s = open_store();
	char path[256], text[64];

	(void)state;
	assert_int_equal(put(s, "o", "text", any, NULL), 0);
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		FILE *f;

		(void)snprintf(path, sizeof(path), "%s/objects/.uploads/%u.old", root, i);
		f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(texts[i], f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	(void)snprintf(path, sizeof(path), "%s/objects/.uploads/link.part", root);
	assert_int_equal(symlink("../o.m", path), 0);
	sweep();
	read_text(s, "o", text);
	assert_string_equal(text, "text");
	assert_int_equal(count_files(), 2);
	store_free(s);
}

static void
test_empty_directories_go(void **state)
{
	struct store *s = open_store();
	struct err e = { 0 };
	char path[128];
	struct stat st;

	(void)state;
	assert_int_equal(put(s, "a/b/c/d", "x", any, NULL), 0);
	assert_int_equal(put(s, "a/e", "x", any, NULL), 0);
	assert_int_equal(store_delete(s, "a/b/c/d", NULL, never, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/objects/a.d/b.d", root);
	assert_int_equal(stat(path, &st), -1);
	assert_int_equal(store_delete(s, "a/e", NULL, never, &e), 0);
	(void)snprintf(path, sizeof(path), "%s/objects/a.d", root);
	assert_int_equal(stat(path, &st), -1);
	store_free(s);
}

/* ---- several processes */

enum { PROCESSES = 4, ROUNDS = 30 };

/* Each adds one to the number in the object, again and again, when nobody else was faster. */
static int
add_to_number(struct store *s)
{
	char text[64], etag[STORE_ETAG_MAX + 1];
	struct lines lines;
	struct err e = { 0 };
	int r;

	if (store_head(s, "d/n", NULL, lines_sink(&lines), NULL, never, &e) < 0)
		return -e.no;
	(void)snprintf(etag, sizeof(etag), "%.32s", strchr(lines.text + 6, ' ') + 1);
	read_text(s, "d/n", text);
	(void)snprintf(text, sizeof(text), "%lu", strtoul(text, NULL, 10) + 1);
	r = put(s, "d/n", text, (struct store_condition){ .if_match = etag }, NULL);
	return r;
}

/* Meanwhile the directory next to it comes and goes. */
static int
come_and_go(struct store *s, unsigned i)
{
	struct err e = { 0 };
	char name[32];
	int r;

	(void)snprintf(name, sizeof(name), "gone/x%u", i);
	r = put(s, name, "x", any, NULL);
	return r < 0 ? r : store_delete(s, name, NULL, never, &e);
}

static void
run_process(unsigned i)
{
	struct store *s = open_store();
	int r = 0;

	for (unsigned done = 0; done < ROUNDS && r == 0;) {
		r = add_to_number(s);
		done += r == 0;
		if (r == -ESTALE)
			r = 0;
		if (r == 0)
			r = come_and_go(s, i);
	}
	_exit(r == 0 ? 0 : 1);
}

static void
test_processes_do_not_lose_writes_of_others(void **state)
{
	struct store *s = open_store();
	char text[64];
	int status;

	(void)state;
	assert_int_equal(put(s, "d/n", "0", absent, NULL), 0);
	for (unsigned i = 0; i < PROCESSES; i++) {
		const pid_t child = fork();

		assert_true(child >= 0);
		if (child == 0)
			run_process(i);
	}
	for (unsigned i = 0; i < PROCESSES; i++) {
		assert_true(wait(&status) > 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	read_text(s, "d/n", text);
	assert_int_equal(strtoul(text, NULL, 10), PROCESSES * ROUNDS);
	assert_int_equal(count_files(), 2);
	store_free(s);
}

/* ---- no room, no permission */

static int
mount_small(const char *path)
{
	return unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	       mount("none", path, "tmpfs", 0, "size=256k") < 0;
}

static int
fill_up(void)
{
	static char large[300 << 10];
	struct store *s = open_store();
	struct err e = { 0 };
	char text[64], path[128];

	if (put(s, "o", "old", any, NULL) < 0 ||
	    store_put(s, "o", &nothing, span_of(large, sizeof(large)), any, NULL, never, &e) !=
		    -ENOSPC)
		return 1;
	read_text(s, "o", text);
	if (strcmp(text, "old") != 0 || count_files() != 2)
		return 2;
	(void)snprintf(path, sizeof(path), "%s/objects", root);
	if (mount("none", path, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
		return CANNOT;
	read_text(s, "o", text);
	return strcmp(text, "old") == 0 && put(s, "o", "new", any, NULL) == -EROFS ? 0 : 3;
}

static void
test_no_room_and_read_only(void **state)
{
	const pid_t child = fork();
	char path[128];
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0) {
		(void)snprintf(path, sizeof(path), "%s/objects", root);
		_exit(mount_small(path) ? CANNOT : fill_up());
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void
test_names_that_cannot_be(void **state)
{
	struct store *s = open_store();
	char deep[600];

	(void)state;
	for (unsigned i = 0; i < 254; i++)
		memcpy(deep + (size_t)2 * i, "a/", 2);
	memcpy(deep + 508, "b", 2);
	assert_int_equal(put(s, deep, "x", any, NULL), -EINVAL);
	assert_int_equal(put(s, deep + 2, "x", any, NULL), 0);
	assert_int_equal(put(s, "\377\376", "x", any, NULL), -EINVAL);
	assert_lists_clean((assert_int_equal(put(s, "source", "new", any, NULL), 0), s), 0);
	store_free(s);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_killed_at_any_step_it_is_old_or_new),
		TEST(test_a_live_upload_is_not_swept),
		TEST(test_what_was_not_committed_goes_with_the_store),
		TEST(test_hostile_leftovers_reach_nothing),
		TEST(test_empty_directories_go),
		TEST(test_processes_do_not_lose_writes_of_others),
		TEST(test_no_room_and_read_only),
		TEST(test_names_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
