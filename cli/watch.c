/* SPDX-License-Identifier: MIT */
/* The thread that hears signals: see watch.h. */
#include "cli/watch.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { TICK_MS = 200 };

struct watch {
	struct watch_config cfg;
	atomic_bool ended;
	pthread_t thread;
};

static void
set_of_signals(sigset_t *out)
{
	(void)sigemptyset(out);
	(void)sigaddset(out, SIGINT);
	(void)sigaddset(out, SIGTERM);
	(void)sigaddset(out, SIGHUP);
}

void
watch_block_signals(void)
{
	sigset_t set;

	set_of_signals(&set);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void *
run(void *arg)
{
	const struct timespec pause = { 0, TICK_MS * NS_PER_MS };
	struct watch *w = arg;
	sigset_t set;

	set_of_signals(&set);
	while (!atomic_load(&w->ended)) {
		if (w->cfg.tick != NULL)
			w->cfg.tick(w->cfg.arg);
		if (sigtimedwait(&set, NULL, &pause) > 0 &&
		    !atomic_exchange(w->cfg.stopped, true)) {
			clock_stop();
			backend_stop(w->cfg.backend);
		}
	}
	return NULL;
}

int
watch_start(const struct watch_config *cfg, struct watch **out, struct err *e)
{
	struct watch *w = calloc(1, sizeof(*w));
	int no;

	if (w == NULL)
		return err_set(e, ENOMEM, "out of memory");
	w->cfg = *cfg;
	no = pthread_create(&w->thread, NULL, run, w);
	if (no != 0) {
		free(w);
		return err_set(e, no, "thread: %s", strerrordesc_np(no));
	}
	*out = w;
	return 0;
}

void
watch_end(struct watch *w)
{
	atomic_store(&w->ended, true);
	(void)pthread_join(w->thread, NULL);
	free(w);
}
