/* SPDX-License-Identifier: MIT */
/* What /proc says of who asks.  (Who is killed while it waits for a mount:
 * tests/mount/test_stuck.py.) */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fs/caller.h"

static void *
group_of_thread(void *arg)
{
	*(pid_t *)arg = caller_group((pid_t)syscall(SYS_gettid));
	return NULL;
}

static void
a_thread_belongs_to_its_process(void **state)
{
	pthread_t t;
	pid_t group;

	(void)state;
	assert_int_equal(pthread_create(&t, NULL, group_of_thread, &group), 0);
	(void)pthread_join(t, NULL);
	assert_int_equal(group, getpid());
	assert_int_equal(caller_group(0), 0);
	assert_int_equal(caller_group(-1), 0);
	assert_int_equal(caller_group(0x7fffffff), 0);
}

static void
who_lives_is_known(void **state)
{
	static const pid_t nobody[] = { 0, -1, 0x7fffffff };

	(void)state;
	assert_int_equal(caller_state(getpid()), CALLER_LIVES);
	for (size_t i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++)
		assert_int_equal(caller_state(nobody[i]), CALLER_UNKNOWN);
}

/* SIGKILL is the only one that counts. */
static void
a_signal_that_is_pending_is_no_kill(void **state)
{
	sigset_t usr1, old;

	(void)state;
	(void)sigemptyset(&usr1);
	(void)sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, &old), 0);
	assert_int_equal(pthread_kill(pthread_self(), SIGUSR1), 0);
	assert_int_equal(caller_state((pid_t)syscall(SYS_gettid)), CALLER_LIVES);
	assert_int_equal(sigwait(&usr1, &(int){ 0 }), 0);
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &old, NULL), 0);
}

/* What is dead and not yet waited for has given up its memory. */
static void
who_has_ended_is_ending(void **state)
{
	siginfo_t info;
	pid_t child = fork();

	(void)state;
	if (child == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(caller_state(child), CALLER_ENDING);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_int_equal(caller_state(child), CALLER_UNKNOWN);
}

/* The line of the groups stands before that of the signals. */
static void
who_is_in_many_groups_is_known(void **state)
{
	gid_t many[2000];
	int status;
	pid_t child;

	(void)state;
	if (geteuid() != 0)
		skip();
	for (size_t i = 0; i < sizeof(many) / sizeof(many[0]); i++)
		many[i] = (gid_t)(1000000000 + i);
	child = fork();
	if (child == 0) {
		if (setgroups(sizeof(many) / sizeof(many[0]), many) != 0)
			_exit(2);
		_exit(caller_state(getpid()) == CALLER_LIVES && caller_group(getpid()) == getpid()
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
}

static void
a_descriptor_that_writes_is_seen(void **state)
{
	char path[] = "/tmp/azc-caller-XXXXXX";
	int a = mkstemp(path), b, reader;
	uint64_t mount;
	struct stat st;

	(void)state;
	assert_true(a >= 0);
	mount = caller_mount(path);
	assert_true(mount != 0);
	assert_int_equal(fstat(a, &st), 0);
	b = dup(a);
	reader = open(path, O_RDONLY);
	assert_true(b >= 0 && reader >= 0);
	assert_true(caller_writes(getpid(), mount, st.st_ino));
	assert_false(caller_writes(getpid(), mount, st.st_ino + 1));
	assert_false(caller_writes(getpid(), mount + 1, st.st_ino));
	assert_false(caller_writes(getpid(), 0, st.st_ino));
	(void)close(a);
	assert_true(caller_writes(getpid(), mount, st.st_ino));
	(void)close(b);
	assert_false(caller_writes(getpid(), mount, st.st_ino)); /* the reader does not count */
	(void)close(reader);
	(void)unlink(path);
	assert_false(caller_writes(0, mount, st.st_ino));
	assert_false(caller_writes(0x7fffffff, mount, st.st_ino));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_thread_belongs_to_its_process),
		cmocka_unit_test(who_lives_is_known),
		cmocka_unit_test(a_signal_that_is_pending_is_no_kill),
		cmocka_unit_test(who_has_ended_is_ending),
		cmocka_unit_test(who_is_in_many_groups_is_known),
		cmocka_unit_test(a_descriptor_that_writes_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
