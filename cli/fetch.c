/* SPDX-License-Identifier: MIT */
/* Files on their way: see fetch.h. */
#include "cli/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mutex.h"
#include "cli/exit.h"
#include "cli/target.h"

enum { QUEUE_PER_JOB = 8 };

struct fetch_job {
	struct pool_job base;
	struct fetch *f;
	char *from, *to, *etag;
	struct view_record *record;
	int64_t mtime_ns;
	uint64_t promised; /* bytes counted into the total */
};

static int
learn_mtime(void *arg, const struct view_item *item, struct err *e)
{
	struct fetch_job *j = arg;

	(void)e;
	if (item->mtime_ns != 0)
		j->mtime_ns = item->mtime_ns;
	return 0;
}

static int
write_all(int fd, const uint8_t *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set(e, errno, "write: %s", strerrordesc_np(errno));
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int
copy(struct fetch_job *j, struct view_file *file, int fd, struct err *e)
{
	uint8_t *room = malloc(VIEW_READ_MAX);
	uint64_t off = 0;
	size_t n = 0;
	int r = room == NULL ? err_set(e, ENOMEM, "out of memory") : 0;

	while (r == 0) {
		if (atomic_load(&j->f->stopped))
			r = err_set(e, ECANCELED, "stopped");
		else
			r = view_read_wait(file, off, room, VIEW_READ_MAX,
					   build_deadline(&j->f->t->build), &n, e);
		if (r == 0 && n == 0)
			break;
		if (r == 0)
			r = write_all(fd, room, n, e);
		if (r == 0) {
			off += n;
			(void)atomic_fetch_add(&j->f->progress.bytes, n);
		}
	}
	if (room != NULL)
		explicit_bzero(room, VIEW_READ_MAX);
	free(room);
	return r;
}

/* The file is open: its exact size replaces what the listing promised. */
static int
copy_open(struct fetch_job *j, struct view_file *file, struct err *e)
{
	struct fetch *f = j->f;
	struct target_file to;
	int r;

	(void)atomic_fetch_add(&f->progress.bytes_total, view_file_size(file) - j->promised);
	r = target_begin(f->root, j->to, f->force, &to, e);
	if (r < 0)
		return r;
	r = copy(j, file, to.fd, e);
	if (r < 0) {
		target_abandon(&to);
		return r;
	}
	return target_publish(&to, j->mtime_ns, e);
}

static int
get_file(struct fetch_job *j, struct err *e)
{
	const struct view_sink now = { learn_mtime, j };
	struct view_file *file;
	struct view *v = command_target_view(j->f->t);
	const struct deadline d = build_deadline(&j->f->t->build);
	int r = target_check(j->f->root, j->to, j->f->force, e);

	if (r < 0)
		return r;
	r = view_open(v, j->from, j->etag, j->record, now, d, &file, e);
	if (r == -ESTALE) { /* replaced since it was listed: the new one will do */
		err_clear(e);
		r = view_open(v, j->from, NULL, NULL, now, d, &file, e);
	}
	if (r < 0)
		return r;
	r = copy_open(j, file, e);
	view_close(file);
	return r;
}

static void
run_job(struct pool_job *base)
{
	struct fetch_job *j = (struct fetch_job *)(void *)base;
	struct fetch *f = j->f;
	struct err e = { 0 };

	if (!atomic_load(&f->stopped) && get_file(j, &e) < 0 && !atomic_load(&f->stopped))
		fetch_failed(f, j->from, &e);
	(void)atomic_fetch_add(&f->progress.files, 1);
	fetch_job_free(j);
	mutex_lock(&f->mu);
	f->queued--;
	(void)pthread_cond_signal(&f->fewer);
	mutex_unlock(&f->mu);
}

int
fetch_start(struct fetch *f, struct err *e)
{
	(void)pthread_mutex_init(&f->mu, NULL);
	(void)pthread_cond_init(&f->fewer, NULL);
	progress_start(&f->progress);
	return pool_new("get", f->jobs, &f->pool, e);
}

void
fetch_wait(struct fetch *f)
{
	pool_free(f->pool);
	f->pool = NULL;
}

int
fetch_job_new(struct fetch *f, const char *from, const char *to, const struct view_item *item,
	      struct fetch_job **out, struct err *e)
{
	struct fetch_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*j = (struct fetch_job){
		.base.run = run_job,
		.f = f,
		.from = strdup(from),
		.to = strdup(to),
		.etag = strdup(item->etag),
		.record = view_record_get(item->record),
		.mtime_ns = item->mtime_ns,
		.promised = item->size,
	};
	if (j->from == NULL || j->to == NULL || j->etag == NULL) {
		fetch_job_free(j);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = j;
	return 0;
}

void
fetch_job_free(struct fetch_job *j)
{
	view_record_put(j->record);
	free(j->from);
	free(j->to);
	free(j->etag);
	free(j);
}

void
fetch_submit(struct fetch *f, struct fetch_job *j)
{
	(void)atomic_fetch_add(&f->progress.files_total, 1);
	(void)atomic_fetch_add(&f->progress.bytes_total, j->promised);
	mutex_lock(&f->mu);
	while (f->queued >= f->jobs * QUEUE_PER_JOB)
		(void)pthread_cond_wait(&f->fewer, &f->mu);
	f->queued++;
	mutex_unlock(&f->mu);
	pool_submit(f->pool, &j->base);
}

void
fetch_failed(struct fetch *f, const char *what, const struct err *e)
{
	int status;

	mutex_lock(&f->mu);
	progress_erase(&f->progress);
	status = exit_report("get", what, e);
	f->status = f->status == EXIT_DONE && !f->many ? status : EXIT_PARTIAL;
	mutex_unlock(&f->mu);
}
