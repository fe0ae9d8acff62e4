/* SPDX-License-Identifier: MIT */
/* Files on their way: see transfer.h. */
#include "cli/transfer.h"

#include "base/mutex.h"
#include "cli/exit.h"

enum { QUEUE_PER_JOB = 8 };

int
transfer_start(struct transfer *x, struct err *e)
{
	(void)pthread_mutex_init(&x->mu, NULL);
	(void)pthread_cond_init(&x->fewer, NULL);
	progress_start(&x->progress);
	return pool_new(x->command, x->jobs, &x->pool, e);
}

void
transfer_wait(struct transfer *x)
{
	pool_free(x->pool);
	x->pool = NULL;
}

static void
run_job(struct pool_job *base)
{
	struct transfer_job *j = (struct transfer_job *)(void *)base;
	struct transfer *x = j->of;
	struct err e = { 0 };

	if (!atomic_load(&x->stopped) && j->run(j, &e) < 0 && !atomic_load(&x->stopped))
		transfer_failed(x, j->what, &e);
	(void)atomic_fetch_add(&x->progress.files, 1);
	j->free(j);
	mutex_lock(&x->mu);
	x->queued--;
	(void)pthread_cond_signal(&x->fewer);
	mutex_unlock(&x->mu);
}

void
transfer_submit(struct transfer *x, struct transfer_job *j)
{
	j->base.run = run_job;
	j->of = x;
	(void)atomic_fetch_add(&x->progress.files_total, 1);
	(void)atomic_fetch_add(&x->progress.bytes_total, j->promised);
	mutex_lock(&x->mu);
	while (x->queued >= x->jobs * QUEUE_PER_JOB)
		(void)pthread_cond_wait(&x->fewer, &x->mu);
	x->queued++;
	mutex_unlock(&x->mu);
	pool_submit(x->pool, &j->base);
}

void
transfer_failed(struct transfer *x, const char *what, const struct err *e)
{
	int status;

	mutex_lock(&x->mu);
	progress_erase(&x->progress);
	status = exit_report(x->command, what, e);
	x->status = x->status == EXIT_DONE && !x->many ? status : EXIT_PARTIAL;
	mutex_unlock(&x->mu);
}

void
transfer_draw(void *transfer)
{
	struct transfer *x = transfer;

	mutex_lock(&x->mu);
	progress_draw(&x->progress);
	mutex_unlock(&x->mu);
}
