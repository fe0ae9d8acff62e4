/* SPDX-License-Identifier: MIT */
/* The operations: each is done to the file system, then to the model. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fsx/fsx.h"

#define PAGE 4096ULL

typedef unsigned long long ull;

void
op_failed(struct fsx *x, struct slot *s, const char *what, int error)
{
	const bool lost = s->overtaken && (error == ESTALE || error == EEXIST);

	x->n.errors += !lost;
	x->n.lost += lost;
	if (!lost && !x->opt.tolerate)
		fsx_mismatch(x, "%s, file %u: %s", what, s->number, strerror(error));
}

static void
sync_file(struct fsx *x, struct slot *s)
{
	struct handle *h = handle_pick(x, s, handle_writes);

	if (h == NULL)
		return;
	fsx_say(x, "fsync %u", s->number);
	if (fsync(h->fd)) {
		op_failed(x, s, "fsync", errno);
		verify_settle(x, s, NULL, NULL);
		return;
	}
	if (s->dirty && s->overtaken)
		fsx_mismatch(x, "file %u: somebody else wrote it, and fsync succeeded", s->number);
	if (s->dirty)
		handle_published(x, s);
}

void
op_before_loss(struct fsx *x, struct slot *s, bool loses)
{
	if (loses && !fsx_one_in(x, 4))
		verify_reopen(x, s);
}

static void
settle_after_write(struct fsx *x, struct slot *s, const unsigned char *data, uint64_t off,
		   uint64_t n)
{
	struct content after = { .absent = true };

	content_copy(&after, &s->local);
	content_write(&after, off, data, n);
	verify_settle(x, s, &after, NULL);
	content_free(&after);
}

static void
write_file(struct fsx *x, struct slot *s)
{
	struct handle *h = handle_pick(x, s, handle_writes);
	uint64_t off, n, done = 0;
	unsigned char *data = x->scratch;
	bool appends;
	ssize_t did;

	if (h == NULL)
		return;
	appends = (h->flags & O_APPEND) != 0;
	off = appends ? s->local.size : fsx_offset(x, s->max_size);
	n = off < s->max_size ? fsx_length(x, s->max_size - off) : 0;
	fsx_say(x, "%s %u: %llu at %llu", appends ? "append" : "write", s->number, (ull)n,
		(ull)off);
	fsx_fill(x, data, n);
	x->n.writes++;
	while (done < n && !(appends && fsx_plants(x, PLANT_APPEND))) {
		if (appends)
			did = write(h->fd, data + done, n - done);
		else
			did = pwrite(h->fd, data + done, n - done, (off_t)(off + done));
		if (did <= 0) {
			op_failed(x, s, "write", did < 0 ? errno : EIO);
			settle_after_write(x, s, data + done, off + done, n - done);
			return;
		}
		content_write(&s->local, off + done, data + done, (uint64_t)did);
		s->dirty = true;
		done += (uint64_t)did;
	}
	if (done < n) { /* lost by the planted fault */
		content_write(&s->local, off, data, n);
		s->dirty = true;
	}
	if (n > 0 && fsx_plants(x, PLANT_FLIP))
		s->local.bytes[off + fsx_below(x, n)] ^= 1;
}

static void
read_file(struct fsx *x, struct slot *s)
{
	struct handle *h = handle_pick(x, s, handle_reads);
	uint64_t off, n;
	int error;

	if (h == NULL)
		return;
	off = fsx_offset(x, handle_content(s, h)->size + 3);
	n = fsx_length(x, s->max_size);
	fsx_say(x, "read %u%s: %llu at %llu", s->number, h->behind ? " (behind)" : "", (ull)n,
		(ull)off);
	x->n.reads++;
	x->n.behind += h->behind;
	error = verify_range(x, s, handle_content(s, h), h->fd, off, n, "read");
	if (error != 0)
		handle_read_failed(x, s, h, "read", error);
}

static void
stat_file(struct fsx *x, struct slot *s)
{
	struct handle *h = handle_pick(x, s, handle_reads);
	const struct content *c = h != NULL ? handle_content(s, h) : &s->local;
	struct stat st;
	int error;

	fsx_say(x, "%s %u", h != NULL ? "fstat" : "stat", s->number);
	error = h != NULL ? fstat(h->fd, &st) : stat(s->path, &st);
	error = error != 0 ? errno : 0;
	if (error == ENOENT && c->absent)
		return;
	if (error != 0)
		op_failed(x, s, "stat", error);
	else if (c->absent || (uint64_t)st.st_size != c->size)
		fsx_mismatch(x, "stat: file %u has %lld bytes, not %llu%s%s", s->number,
			     (long long)st.st_size, (ull)c->size,
			     h != NULL && h->behind ? " (behind)" : "",
			     c->absent ? " (it should not be there)" : "");
}

static uint64_t
new_size(struct fsx *x, const struct slot *s)
{
	if (fsx_one_in(x, 2))
		return fsx_offset(x, s->local.size);
	return fsx_offset(x, s->max_size);
}

static void
truncated(struct fsx *x, struct slot *s, uint64_t size, bool publishes)
{
	handle_leave_behind(s);
	content_truncate(&s->local, size);
	s->dirty = true;
	if (publishes && s->overtaken)
		fsx_mismatch(x, "file %u: somebody else wrote it, and truncate succeeded",
			     s->number);
	if (publishes)
		handle_published(x, s);
}

/* By name it is published at once, unless somebody has bytes that are not: they publish it. */
static void
truncate_file(struct fsx *x, struct slot *s)
{
	struct handle *h = handle_pick(x, s, handle_writes);
	struct content after = { .absent = true };
	uint64_t size = new_size(x, s);
	bool by_name = h == NULL || fsx_one_in(x, 4);
	const bool publishes = by_name && !s->dirty;
	int failed = 0;

	if (s->local.absent ||
	    (h == NULL && x->opt.tolerate && handle_pick(x, s, handle_shares) != NULL))
		return;
	op_before_loss(x, s, size < s->local.size);
	fsx_say(x, "%s %u: %llu to %llu", by_name ? "truncate" : "ftruncate", s->number,
		(ull)s->local.size, (ull)size);
	x->n.truncates++;
	if (!fsx_plants(x, PLANT_TRUNCATE))
		failed = by_name ? truncate(s->path, (off_t)size) : ftruncate(h->fd, (off_t)size);
	if (!failed) {
		truncated(x, s, size, h == NULL || publishes);
		return;
	}
	op_failed(x, s, "truncate", errno);
	content_copy(&after, &s->local);
	content_truncate(&after, size);
	verify_settle(x, s, &after, NULL);
	content_free(&after);
}

static __thread sigjmp_buf bus;

static void
on_sigbus(int number)
{
	siglongjmp(bus, number);
}

/* 0, or EIO: the kernel could not bring a page. */
static int
copy_mapped(unsigned char *to, const unsigned char *from, size_t n)
{
	if (sigsetjmp(bus, 1) != 0)
		return EIO;
	signal(SIGBUS, on_sigbus);
	memcpy(to, from, n);
	return 0;
}

static void
map_file(struct fsx *x, struct slot *s)
{
	struct handle *h = handle_pick(x, s, handle_reads);
	const struct content *c = h != NULL ? handle_content(s, h) : NULL;
	uint64_t off, n;
	void *at;
	int error;

	if (c == NULL || c->size == 0)
		return;
	off = fsx_offset(x, c->size - 1) & ~(PAGE - 1);
	n = fsx_length(x, c->size - off);
	fsx_say(x, "mmap %u%s: %llu at %llu", s->number, h->behind ? " (behind)" : "", (ull)n,
		(ull)off);
	x->n.maps++;
	at = mmap(NULL, n, PROT_READ, MAP_SHARED, h->fd, (off_t)off);
	if (at == MAP_FAILED) {
		op_failed(x, s, "mmap", errno);
		return;
	}
	error = copy_mapped(x->scratch, at, n);
	munmap(at, n);
	/* A signal does not say why: it is the same that a read would have been told. */
	if (error != 0)
		handle_read_failed(x, s, h, "read of a mapping",
				   h->replaced || s->overtaken ? ESTALE : error);
	else if (memcmp(x->scratch, c->bytes + off, n) != 0)
		fsx_mismatch(x, "mmap: file %u differs between %llu and %llu%s", s->number,
			     (ull)off, (ull)(off + n), h->behind ? " (behind)" : "");
}

/* What rename failed at may have been done in part: the copy, or the copy and the removal. */
static void
settle_rename(struct fsx *x, struct slot *from, struct slot *to)
{
	struct content moved = { .absent = true }, gone = { .absent = true };

	content_copy(&moved, &from->local);
	verify_settle(x, from, &gone, NULL);
	verify_settle(x, to, &moved, NULL);
	content_free(&moved);
}

static void
rename_file(struct fsx *x, struct slot *s)
{
	struct slot *to = &x->slots[fsx_below(x, x->opt.files)];
	bool lost;

	handle_close_sharing(x, s);
	handle_close_sharing(x, to);
	if (to == s || s->local.size > to->max_size)
		return;
	op_before_loss(x, to, true);
	fsx_say(x, "rename %u to %u", s->number, to->number);
	x->n.renames++;
	lost = s->local.size != to->local.size && fsx_plants(x, PLANT_RENAME);
	if (!lost && rename(s->path, to->path)) {
		if (errno == ENOENT && s->local.absent)
			return;
		op_failed(x, s, "rename", errno);
		settle_rename(x, s, to);
		return;
	}
	if (s->local.absent)
		fsx_mismatch(x, "rename: file %u was not there, but could be renamed", s->number);
	handle_leave_behind(s);
	handle_leave_behind(to);
	content_move(&to->local, &s->local);
	handle_published(x, s);
	handle_published(x, to);
}

static void
unlink_file(struct fsx *x, struct slot *s)
{
	struct content gone = { .absent = true };

	handle_close_sharing(x, s);
	op_before_loss(x, s, true);
	fsx_say(x, "unlink %u", s->number);
	x->n.unlinks++;
	if (unlink(s->path)) {
		if (errno == ENOENT && s->local.absent)
			return;
		op_failed(x, s, "unlink", errno);
		verify_settle(x, s, &gone, NULL);
		return;
	}
	if (s->local.absent)
		fsx_mismatch(x, "unlink: file %u was not there, but could be removed", s->number);
	handle_leave_behind(s);
	content_remove(&s->local);
	handle_published(x, s);
}

/* Somebody may write it, move it and remove it meanwhile: what it is cannot be known here. */
void
op_peek(struct fsx *x)
{
	unsigned n = (unsigned)fsx_below(x, x->opt.files * x->opt.threads);
	char path[sizeof(x->slots[0].path)];
	int error = 0, fd;

	snprintf(path, sizeof(path), "%s/fsx-%u", x->opt.dir, n);
	fsx_say(x, "peek at %u", n);
	x->n.peeks++;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, x->scratch, fsx_length(x, x->opt.max_size), 0) < 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error != 0 && error != ENOENT && error != ESTALE)
		op_failed(x, &x->slots[0], "a look at another thread's file", error);
}

void
op_any(struct fsx *x, struct slot *s)
{
	static void (*const ops[])(struct fsx *, struct slot *) = {
		write_file, write_file,	      write_file,	write_file, write_file, write_file,
		write_file, read_file,	      read_file,	read_file,  read_file,	read_file,
		read_file,  read_file,	      truncate_file,	map_file,   map_file,	stat_file,
		stat_file,  handle_close_any, handle_close_any, sync_file,
	};
	uint64_t chosen;

	fsx_say(x, "nothing");
	if (fsx_one_in(x, 60)) {
		rename_file(x, s);
		return;
	}
	if (fsx_one_in(x, 80)) {
		unlink_file(x, s);
		return;
	}
	if (s->n_handles == 0 || fsx_one_in(x, 12)) {
		handle_open(x, s);
		return;
	}
	chosen = fsx_below(x, sizeof(ops) / sizeof(ops[0]));
	ops[chosen](x, s);
}
