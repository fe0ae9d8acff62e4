/* SPDX-License-Identifier: MIT */
/* What a file shows, against what it must show. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/fsx/fsx.h"

enum { PATIENCE = 200, WHOLE_MAX = 1 << 20 };

void
verify_pause(unsigned ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static uint64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* At most n bytes, fewer at the end of the file only: how many, or -1. */
static ssize_t
read_full(int fd, unsigned char *out, uint64_t n, uint64_t off)
{
	uint64_t got = 0;
	ssize_t did;

	do {
		did = pread(fd, out + got, n - got, (off_t)(off + got));
		if (did < 0)
			return -1;
		got += (uint64_t)did;
	} while (did > 0 && got < n);
	return (ssize_t)got;
}

static uint64_t
first_difference(const unsigned char *a, const unsigned char *b, uint64_t n)
{
	uint64_t i = 0;

	while (i < n && a[i] == b[i])
		i++;
	return i;
}

int
verify_range(struct fsx *x, struct slot *s, const struct content *c, int fd, uint64_t off,
	     uint64_t n, const char *what)
{
	const char *which = c == &s->local ? "" : " (behind)";
	uint64_t there = off < c->size ? c->size - off : 0, want = n < there ? n : there;
	ssize_t got = read_full(fd, x->scratch, n, off);
	uint64_t at;

	if (got < 0)
		return errno;
	if ((uint64_t)got != want)
		fsx_mismatch(x, "%s: %llu bytes of %llu at %llu of file %u%s, which has %llu", what,
			     (unsigned long long)got, (unsigned long long)n,
			     (unsigned long long)off, s->number, which,
			     (unsigned long long)c->size);
	if (want == 0 || memcmp(x->scratch, c->bytes + off, want) == 0)
		return 0;
	at = first_difference(x->scratch, c->bytes + off, want);
	fsx_mismatch(x, "%s: file %u%s, byte %llu is %02x, not %02x (read %llu at %llu, size %llu)",
		     what, s->number, which, (unsigned long long)(off + at), x->scratch[at],
		     c->bytes[off + at], (unsigned long long)n, (unsigned long long)off,
		     (unsigned long long)c->size);
}

/* All of it where it is small, and now and then; else the ends and some ranges. */
static int
verify_some(struct fsx *x, struct slot *s, int fd, const char *what)
{
	uint64_t size = s->local.size;
	int i, error;

	if (size <= WHOLE_MAX || fsx_one_in(x, 8))
		return verify_range(x, s, &s->local, fd, 0, size + 1, what);
	error = verify_range(x, s, &s->local, fd, size - 4096, 8192, what);
	for (i = 0; i < 6 && error == 0; i++)
		error = verify_range(x, s, &s->local, fd, fsx_offset(x, size),
				     fsx_length(x, 300000), what);
	return error;
}

void
verify_reopen(struct fsx *x, struct slot *s)
{
	struct stat st;
	int error, fd;

	if (s->overtaken) /* some of its bytes are gone */
		return;
	fd = open(s->path, O_RDONLY | O_CLOEXEC);
	x->n.reopens++;
	if (s->local.absent) {
		if (fd >= 0)
			fsx_mismatch(x, "file %u is there", s->number);
		if (errno != ENOENT)
			op_failed(x, s, "open what is not there", errno);
		return;
	}
	if (fd < 0) {
		op_failed(x, s, "reopen", errno);
		return;
	}
	error = fstat(fd, &st) ? errno : 0;
	if (error == 0 && (uint64_t)st.st_size != s->local.size)
		fsx_mismatch(x, "reopened: file %u has %lld bytes, not %llu", s->number,
			     (long long)st.st_size, (unsigned long long)s->local.size);
	if (error == 0)
		error = verify_some(x, s, fd, "reopened");
	close(fd);
	if (error != 0)
		op_failed(x, s, "reopen and read", error);
}

/* The content of a path: 0 or an errno. Absent is a content too. */
static int
load(struct fsx *x, const char *path, struct content *out)
{
	int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	content_truncate(out, 0);
	out->absent = fd < 0;
	if (fd < 0)
		return errno == ENOENT ? 0 : errno;
	/* One more than there may be, so that a file that is too long is seen. */
	got = read_full(fd, x->scratch, x->opt.max_size + 1, 0);
	if (got < 0)
		error = errno;
	else
		content_write(out, 0, x->scratch, (uint64_t)got);
	close(fd);
	return error;
}

static bool
same(const struct content *a, const struct content *b)
{
	if (a->absent || b->absent)
		return a->absent && b->absent;
	return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

static void
tell_difference(struct fsx *x, struct slot *s, const struct content *found,
		const struct content *wanted, const char *who)
{
	uint64_t n = found->size < wanted->size ? found->size : wanted->size;

	fsx_mismatch(x, "%s: file %u is %s of %llu bytes, not %s of %llu; they part at byte %llu",
		     who, s->number, found->absent ? "nothing" : "a file",
		     (unsigned long long)found->size, wanted->absent ? "nothing" : "a file",
		     (unsigned long long)wanted->size,
		     n == 0 ? 0ULL
			    : (unsigned long long)first_difference(found->bytes, wanted->bytes, n));
}

void
verify_check(struct fsx *x, struct slot *s)
{
	uint64_t until = now_ms() + x->opt.check_wait_ms;
	struct content found = { .absent = true };
	int error;

	x->n.checks++;
	while ((error = load(x, s->check, &found)) != 0 || !same(&found, &s->published)) {
		if (now_ms() > until)
			break;
		verify_pause(20);
	}
	if (error == 0 && !same(&found, &s->published))
		tell_difference(x, s, &found, &s->published, "the second mount");
	if (error != 0 && !x->opt.tolerate)
		fsx_mismatch(x, "the second mount: file %u: %s", s->number, strerror(error));
	content_free(&found);
}

static bool
permitted(const struct slot *s, const struct content *found, const struct content *also,
	  const struct content *or_this)
{
	if (same(found, &s->published))
		return true;
	return !s->overtaken && (same(found, &s->local) || (also != NULL && same(found, also)) ||
				 (or_this != NULL && same(found, or_this)));
}

void
verify_settle(struct fsx *x, struct slot *s, const struct content *also,
	      const struct content *or_this)
{
	struct content found = { .absent = true };
	int tries, error = EIO;

	handle_drop_all(x, s);
	handle_wait_idle(x, s);
	/* What this mount remembers of the file may be one attribute timeout old. */
	for (tries = 0; tries < PATIENCE; tries++, verify_pause(20)) {
		error = load(x, s->path, &found);
		if (error == 0 && permitted(s, &found, also, or_this))
			break;
	}
	if (error != 0)
		fsx_mismatch(x, "after an error file %u cannot be read again: %s", s->number,
			     strerror(error));
	if (!permitted(s, &found, also, or_this))
		tell_difference(x, s, &found, &s->published, "after an error");
	content_copy(&s->local, &found);
	content_copy(&s->published, &found);
	content_free(&found);
	s->dirty = s->overtaken = false;
	x->n.settled++;
}

void
verify_arrives(struct fsx *x, struct slot *s)
{
	struct content found = { .absent = true };
	int tries, error = EIO;

	for (tries = 0; tries < PATIENCE; tries++, verify_pause(20)) {
		error = load(x, s->path, &found);
		if (error == 0 && same(&found, &s->local))
			break;
	}
	if (error != 0)
		op_failed(x, s, "read of what somebody else wrote", error);
	else if (!same(&found, &s->local))
		tell_difference(x, s, &found, &s->local, "of somebody else");
	content_free(&found);
}
