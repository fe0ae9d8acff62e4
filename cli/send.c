/* SPDX-License-Identifier: MIT */
/* Files on their way into a view: see send.h. */
#include "cli/send.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/timetext.h"
#include "fs/viewwrite.h"

enum { STREAM_PIECE = 1 << 20 };

struct send_job {
	struct transfer_job base; /* first */
	struct send *s;
	char *from, *to;
};

/* ---- what is there already ---- */

struct there {
	char *etag; /* owned */
	bool dir, any;
};

static int
note(void *arg, const struct view_item *item, struct err *e)
{
	struct there *t = arg;

	t->any = true;
	t->dir = item->dir;
	free(t->etag);
	t->etag = strdup(item->etag);
	return t->etag != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

/* The version that is to be replaced, NULL for none; the caller frees. */
static int
find_old(struct send *s, const char *to, char **etag, struct err *e)
{
	const struct command_target *t = s->transfer.t;
	struct there there = { 0 };
	int r = view_lookup(command_target_view(t), to, (struct view_sink){ note, &there },
			    build_deadline(&t->build), e);

	if (r == -ENOENT) {
		err_clear(e);
		r = 0;
	}
	if (r == 0 && there.any && there.dir) {
		r = err_set(e, EISDIR, "%.200s is a directory there", to);
	} else if (r == 0 && there.any && !s->force) {
		(void)err_set(e, EEXIST, "%.200s is there already", to);
		r = err_mark(e, NULL, "--force writes over it");
	}
	if (r == 0) {
		*etag = there.etag;
		there.etag = NULL;
	}
	free(there.etag);
	return r;
}

/* ---- sealing ---- */

static int
ignore(void *arg, const struct view_item *item, struct err *e)
{
	(void)arg;
	(void)item;
	(void)e;
	return 0;
}

static struct deadline
send_deadline(const struct send *s)
{
	return deadline_in(engine_publish_ns(s->transfer.t->build.engine));
}

static int
begin(struct send *s, const char *to, struct view_sealing **out, struct err *e)
{
	struct view *v = command_target_view(s->transfer.t);
	enum view_place place;
	char *over = NULL;
	int r = view_place(v, to, &place, e);

	if (r == 0 && place != VIEW_PLACE_SEALED) {
		(void)err_set(e, EINVAL, "no document can have the name %.200s", to);
		r = err_mark(e, NULL, "names of documents end in .json");
	}
	if (r == 0)
		r = find_old(s, to, &over, e);
	if (r == 0)
		r = view_seal(v, to, over, send_deadline(s), out, e);
	free(over);
	return r;
}

/* Seals what plain gives, size bytes in all, the regions before the last one by one. */
static int
seal_all(struct send *s, struct view_sealing *sealing, uint64_t size, int64_t mtime_ns,
	 struct view_plain plain, struct err *e)
{
	const struct view_publish p = { .size = size, .mtime_ns = mtime_ns };
	int r = 0;

	if (size > sealing->max_size)
		return err_set(e, EFBIG, "is larger than what can be written (%llu bytes)",
			       (unsigned long long)sealing->max_size);
	for (uint64_t off = 0; r == 0 && sealing->region > 0 && size - off > sealing->region;
	     off += sealing->region) {
		if (atomic_load(&s->transfer.stopped))
			return err_set(e, ECANCELED, "stopped");
		r = view_seal_region(sealing, plain, send_deadline(s), e);
	}
	if (r == 0)
		r = view_seal_commit(sealing, &p, plain, (struct view_sink){ ignore, NULL },
				     send_deadline(s), e);
	return r;
}

/* ---- a local file ---- */

struct local {
	struct send *s;
	int fd;
};

static int
read_local(void *arg, uint64_t off, void *out, size_t n, struct err *e)
{
	struct local *l = arg;

	(void)atomic_fetch_add(&l->s->transfer.progress.bytes, n);
	for (uint8_t *p = out; n > 0;) {
		ssize_t k = pread(l->fd, p, n, (off_t)off);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set(e, errno, "read: %s", strerrordesc_np(errno));
		if (k == 0)
			return err_set(e, EIO, "the file became shorter while it was read");
		p += k;
		n -= (size_t)k;
		off += (uint64_t)k;
	}
	return 0;
}

static int
send_open(struct send_job *j, int fd, struct err *e)
{
	struct local l = { j->s, fd };
	struct view_sealing *sealing = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) != 0)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode)) {
		(void)err_set(e, EINVAL, "is no regular file");
		return err_mark(e, NULL, "- takes standard input");
	}
	(void)atomic_fetch_add(&j->s->transfer.progress.bytes_total,
			       (uint64_t)st.st_size - j->base.promised);
	r = begin(j->s, j->to, &sealing, e);
	if (r == 0)
		r = seal_all(j->s, sealing, (uint64_t)st.st_size, timetext_of_file(&st.st_mtim),
			     (struct view_plain){ .read = read_local, .arg = &l }, e);
	view_sealing_free(sealing);
	return r;
}

static int
run(struct transfer_job *base, struct err *e)
{
	struct send_job *j = (struct send_job *)(void *)base;
	int fd = open(j->from, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC), r;

	if (fd < 0)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	r = send_open(j, fd, e);
	(void)close(fd);
	return r;
}

static void
free_job(struct transfer_job *base)
{
	struct send_job *j = (struct send_job *)(void *)base;

	free(j->from);
	free(j->to);
	free(j);
}

int
send_job_new(struct send *s, const char *from, const char *to, uint64_t size, struct send_job **out,
	     struct err *e)
{
	struct send_job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*j = (struct send_job){
		.base = { .run = run, .free = free_job, .promised = size },
		.s = s,
		.from = strdup(from),
		.to = strdup(to),
	};
	j->base.what = j->from;
	if (j->from == NULL || j->to == NULL) {
		free_job(&j->base);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = j;
	return 0;
}

void
send_submit(struct send *s, struct send_job *j)
{
	transfer_submit(&s->transfer, &j->base);
}

/* ---- a stream ---- */

/* What has been read and is not sealed yet: one region more than is given, to know the last. */
struct stream {
	struct send *s;
	int fd;
	uint8_t *p;
	size_t room, n;
	uint64_t off; /* of p */
	bool ended;
};

static int
fill(struct stream *x, size_t want, struct err *e)
{
	while (x->n < want && !x->ended) {
		ssize_t k = read(x->fd, x->p + x->n,
				 want - x->n < STREAM_PIECE ? want - x->n : STREAM_PIECE);

		if (atomic_load(&x->s->transfer.stopped))
			return err_set(e, ECANCELED, "stopped");
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set(e, errno, "read: %s", strerrordesc_np(errno));
		x->ended = k == 0;
		x->n += (size_t)k;
		(void)atomic_fetch_add(&x->s->transfer.progress.bytes, (uint64_t)k);
	}
	return 0;
}

static int
read_stream(void *arg, uint64_t off, void *out, size_t n, struct err *e)
{
	const struct stream *x = arg;

	if (off < x->off || off - x->off > x->n || n > x->n - (off - x->off))
		return err_set(e, EIO, "bytes that were not read are asked for");
	memcpy(out, x->p + (off - x->off), n);
	return 0;
}

static int
stream_regions(struct stream *x, struct view_sealing *sealing, struct err *e)
{
	const struct view_plain plain = { .read = read_stream, .arg = x };
	const size_t region = (size_t)sealing->region;
	int r = fill(x, region + 1, e);

	while (r == 0 && x->n > region) {
		if (x->off + region > sealing->max_size)
			return err_set(e, EFBIG, "is larger than what can be written");
		r = view_seal_region(sealing, plain, send_deadline(x->s), e);
		if (r < 0)
			return r;
		memmove(x->p, x->p + region, x->n - region);
		x->n -= region;
		x->off += region;
		r = fill(x, region + 1, e);
	}
	return r;
}

static int
stream_all(struct stream *x, struct view_sealing *sealing, struct err *e)
{
	struct view_publish p = { .mtime_ns = VIEW_NO_TIME };
	int r;

	if (sealing->region > 0) {
		r = stream_regions(x, sealing, e);
	} else {
		r = fill(x, x->room, e);
		if (r == 0 && !x->ended)
			r = err_set(e, EFBIG, "is larger than what can be written (%llu bytes)",
				    (unsigned long long)sealing->max_size);
	}
	p.size = x->off + x->n;
	if (r == 0)
		r = view_seal_commit(sealing, &p,
				     (struct view_plain){ .read = read_stream, .arg = x },
				     (struct view_sink){ ignore, NULL }, send_deadline(x->s), e);
	return r;
}

int
send_stream(struct send *s, int fd, const char *to, struct err *e)
{
	struct stream x = { .s = s, .fd = fd };
	struct view_sealing *sealing = NULL;
	int r = begin(s, to, &sealing, e);

	if (r == 0) {
		x.room = (size_t)(sealing->region > 0 ? sealing->region : sealing->max_size) + 1;
		x.p = malloc(x.room);
		r = x.p != NULL ? stream_all(&x, sealing, e) : err_set(e, ENOMEM, "out of memory");
	}
	if (x.p != NULL)
		explicit_bzero(x.p, x.room);
	free(x.p);
	view_sealing_free(sealing);
	return r;
}
