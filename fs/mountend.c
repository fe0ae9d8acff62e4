/* SPDX-License-Identifier: MIT */
/* Signals that end a mount: see mountend.h. */
#include "fs/mountend.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

enum { PAUSE_MS = 20, N_SIGNALS = 3 };
static const int signals[N_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };

struct mount_end {
	struct fuse_session *session;
	struct drafts *drafts;
	int64_t wait_ns;
	int pipe[2]; /* a byte for each signal; and one when the loop has ended */
	pthread_t loop, watcher;
	atomic_bool signalled, ended;
	struct sigaction before[N_SIGNALS], pipe_before;
};

static _Atomic int pipe_in = -1; /* of the only one there is: a handler has no argument */

static void
on_signal(int sig)
{
	const int saved = errno, fd = atomic_load(&pipe_in);
	const char byte = (char)sig;

	if (fd >= 0 && write(fd, &byte, 1) < 0) {
		/* It is full: then there have been enough. */
	}
	errno = saved;
}

/* Whether a byte came within the time; -1: for ever. */
static bool
heard(struct mount_end *end, int ms)
{
	struct pollfd p = { .fd = end->pipe[0], .events = POLLIN };
	char byte;
	int n;

	do {
		n = poll(&p, 1, ms);
	} while (n < 0 && errno == EINTR);
	return n > 0 && read(end->pipe[0], &byte, 1) == 1;
}

static void
wait_for_writers(struct mount_end *end)
{
	const struct deadline until = deadline_in(end->wait_ns);
	unsigned busy;

	if (end->drafts == NULL)
		return;
	drafts_refuse(end->drafts);
	busy = drafts_busy(end->drafts);
	if (busy > 0)
		log_event(LOG_LEVEL_WARNING, "mount.waiting",
			  "asked to end: %u files are still being written", busy);
	while (drafts_busy(end->drafts) > 0 && deadline_left_ns(until) > 0)
		if (heard(end, PAUSE_MS))
			return;
}

/*
 * The loop sleeps where only a signal wakes it, and may be about to: it is sent one until it has
 * seen that it is over.
 */
static void *
watch(void *arg)
{
	struct mount_end *end = arg;

	if (!heard(end, -1) || atomic_load(&end->ended))
		return NULL;
	atomic_store(&end->signalled, true);
	wait_for_writers(end);
	fuse_session_exit(end->session);
	while (!atomic_load(&end->ended)) {
		(void)pthread_kill(end->loop, SIGTERM);
		(void)poll(NULL, 0, PAUSE_MS);
	}
	return NULL;
}

static int
start_watcher(struct mount_end *end, struct err *e)
{
	sigset_t all, before;
	int no;

	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	no = pthread_create(&end->watcher, NULL, watch, end);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	return no == 0 ? 0 : err_set(e, no, "cannot make a thread: %s", strerror(no));
}

static void
set_handlers(struct mount_end *end)
{
	struct sigaction act = { .sa_handler = on_signal }; /* no SA_RESTART: it is to wake */

	(void)sigemptyset(&act.sa_mask);
	for (unsigned i = 0; i < N_SIGNALS; i++) {
		(void)sigaction(signals[i], NULL, &end->before[i]);
		if (end->before[i].sa_handler != SIG_IGN) /* nohup */
			(void)sigaction(signals[i], &act, NULL);
	}
	act.sa_handler = SIG_IGN;
	(void)sigaction(SIGPIPE, &act, &end->pipe_before);
}

int
mount_end_new(struct fuse_session *session, struct drafts *drafts, int64_t wait_ns,
	      struct mount_end **out, struct err *e)
{
	struct mount_end *end = calloc(1, sizeof(*end));
	int r;

	if (end == NULL)
		return err_set(e, ENOMEM, "out of memory");
	end->session = session;
	end->drafts = drafts;
	end->wait_ns = wait_ns;
	end->loop = pthread_self();
	if (pipe2(end->pipe, O_CLOEXEC | O_NONBLOCK) != 0) {
		r = err_set(e, errno, "cannot make a pipe: %s", strerror(errno));
		free(end);
		return r;
	}
	r = start_watcher(end, e);
	if (r < 0) {
		(void)close(end->pipe[0]);
		(void)close(end->pipe[1]);
		free(end);
		return r;
	}
	atomic_store(&pipe_in, end->pipe[1]);
	set_handlers(end);
	*out = end;
	return 0;
}

bool
mount_end_stop(struct mount_end *end)
{
	const char byte = 0;

	atomic_store(&end->ended, true);
	if (write(end->pipe[1], &byte, 1) < 0) {
		/* It is full, and so the watcher awake. */
	}
	(void)pthread_join(end->watcher, NULL);
	return atomic_load(&end->signalled);
}

void
mount_end_free(struct mount_end *end)
{
	for (unsigned i = 0; i < N_SIGNALS; i++)
		(void)sigaction(signals[i], &end->before[i], NULL);
	(void)sigaction(SIGPIPE, &end->pipe_before, NULL);
	atomic_store(&pipe_in, -1);
	(void)close(end->pipe[0]);
	(void)close(end->pipe[1]);
	free(end);
}
