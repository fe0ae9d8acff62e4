/* SPDX-License-Identifier: MIT */
/* Files on their way: see fetch.h. */
#include "cli/fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/target.h"

struct fetch_job {
	struct transfer_job base; /* first */
	struct fetch *f;
	char *from, *to, *etag;
	struct view_record *record;
	int64_t mtime_ns;
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
		if (atomic_load(&j->f->transfer.stopped))
			r = err_set(e, ECANCELED, "stopped");
		else
			r = view_read_wait(file, off, room, VIEW_READ_MAX,
					   build_deadline(&j->f->transfer.t->build), &n, e);
		if (r == 0 && n == 0)
			break;
		if (r == 0)
			r = write_all(fd, room, n, e);
		if (r == 0) {
			off += n;
			(void)atomic_fetch_add(&j->f->transfer.progress.bytes, n);
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

	(void)atomic_fetch_add(&f->transfer.progress.bytes_total,
			       view_file_size(file) - j->base.promised);
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
	struct view *v = command_target_view(j->f->transfer.t);
	const struct deadline d = build_deadline(&j->f->transfer.t->build);
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

static int
run(struct transfer_job *j, struct err *e)
{
	return get_file((struct fetch_job *)(void *)j, e);
}

static void
free_job(struct transfer_job *j)
{
	fetch_job_free((struct fetch_job *)(void *)j);
}

int
fetch_job_new(struct fetch *f, const char *from, const char *to, const struct view_item *item,
	      struct fetch_job **out, struct err *e)
{
	struct fetch_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*j = (struct fetch_job){
		.base = { .run = run, .free = free_job, .promised = item->size },
		.f = f,
		.from = strdup(from),
		.to = strdup(to),
		.etag = strdup(item->etag),
		.record = view_record_get(item->record),
		.mtime_ns = item->mtime_ns,
	};
	j->base.what = j->from;
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
	transfer_submit(&f->transfer, &j->base);
}
