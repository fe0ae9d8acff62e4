/* SPDX-License-Identifier: MIT */
/* Descriptors: how they are opened and closed, and what each must show. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/fsx/fsx.h"

enum { IDLE_TRIES = 15000 };

/* Files that are published have it, drafts have not. */
static const char version_attribute[] = "user.azcrypt.etag";
static const char draft_attribute[] = "user.azcrypt.draft"; /* of what is open to be written */

bool
handle_writes(const struct handle *h)
{
	return (h->flags & O_ACCMODE) != O_RDONLY;
}

bool
handle_reads(const struct handle *h)
{
	return (h->flags & O_ACCMODE) != O_WRONLY;
}

bool
handle_shares(const struct handle *h)
{
	return !h->pinned;
}

struct handle *
handle_pick(struct fsx *x, struct slot *s, bool (*fits)(const struct handle *))
{
	unsigned i, first = (unsigned)fsx_below(x, s->n_handles);

	for (i = 0; i < s->n_handles; i++) {
		struct handle *h = &s->handles[(first + i) % s->n_handles];

		if (fits(h))
			return h;
	}
	return NULL;
}

const struct content *
handle_content(const struct slot *s, const struct handle *h)
{
	return h->behind ? &h->old : &s->local;
}

void
handle_read_failed(struct fsx *x, struct slot *s, const struct handle *h, const char *what,
		   int error)
{
	if (h->replaced && error == ESTALE)
		x->n.stale++;
	else
		op_failed(x, s, what, error);
}

static void
forget(struct slot *s, struct handle *h)
{
	content_free(&h->old);
	*h = s->handles[--s->n_handles];
}

void
handle_drop_all(struct fsx *x, struct slot *s)
{
	while (s->n_handles > 0) {
		int fd = s->handles[0].fd;

		forget(s, &s->handles[0]);
		if (close(fd))
			x->n.errors++;
	}
}

void
handle_leave_behind(struct slot *s)
{
	unsigned i;

	for (i = 0; i < s->n_handles; i++) {
		struct handle *h = &s->handles[i];

		if (!h->pinned || h->behind)
			continue;
		h->behind = true;
		content_copy(&h->old, &s->local);
	}
}

void
handle_published(struct fsx *x, struct slot *s)
{
	unsigned i;

	content_copy(&s->published, &s->local);
	s->dirty = false;
	x->n.publishes++;
	for (i = 0; i < s->n_handles; i++)
		s->handles[i].replaced = s->handles[i].behind;
	if (x->opt.check != NULL && fsx_one_in(x, x->opt.check_every))
		verify_check(x, s);
	if (fsx_one_in(x, x->opt.reopen_every))
		verify_reopen(x, s);
}

/* ---- closing */

/* Whether nobody else here may still write. */
static bool
is_last_writer(const struct slot *s, const struct handle *h)
{
	unsigned i;

	for (i = 0; i < s->n_handles; i++)
		if (&s->handles[i] != h && handle_writes(&s->handles[i]))
			return false;
	return handle_writes(h);
}

static bool
is_in_use(const struct slot *s)
{
	unsigned i;

	for (i = 0; i < s->n_handles; i++)
		if (handle_shares(&s->handles[i]))
			return true;
	return false;
}

void
handle_wait_idle(struct fsx *x, struct slot *s)
{
	unsigned i;

	for (i = 0; i < IDLE_TRIES && x->mounted; i++) {
		if (getxattr(s->path, draft_attribute, NULL, 0) < 0)
			return;
		verify_pause(1);
	}
	if (x->mounted)
		fsx_mismatch(x, "file %u is closed, and its draft lives on", s->number);
}

/* Who was overtaken and has nothing to publish loses nothing. */
static void
after_close(struct fsx *x, struct slot *s, bool published)
{
	if (s->overtaken && !is_in_use(s)) {
		handle_wait_idle(x, s);
		content_copy(&s->local, &s->published);
		s->overtaken = false;
		verify_arrives(x, s);
	} else if (published) {
		handle_published(x, s);
	} else if (s->dirty && x->mounted && x->opt.check != NULL &&
		   fsx_one_in(x, x->opt.check_every)) {
		verify_check(x, s); /* what was published before */
	}
}

static void
close_one(struct fsx *x, struct slot *s, struct handle *h)
{
	bool publishes = s->dirty && is_last_writer(s, h);
	int fd = h->fd;

	fsx_say(x, "close %u%s", s->number, publishes ? " (publishes)" : "");
	forget(s, h);
	if (close(fd)) {
		op_failed(x, s, "close", errno);
		verify_settle(x, s, NULL, NULL);
		return;
	}
	if (publishes && s->overtaken)
		fsx_mismatch(x, "file %u: somebody else wrote it, and close succeeded", s->number);
	after_close(x, s, publishes);
}

void
handle_close_any(struct fsx *x, struct slot *s)
{
	if (s->n_handles > 0)
		close_one(x, s, &s->handles[fsx_below(x, s->n_handles)]);
}

void
handle_close_sharing(struct fsx *x, struct slot *s)
{
	struct handle *h;

	while ((h = handle_pick(x, s, handle_shares)) != NULL)
		close_one(x, s, h);
}

void
handle_close_every(struct fsx *x, struct slot *s)
{
	while (s->n_handles > 0)
		handle_close_any(x, s);
}

/* ---- opening */

static int
random_flags(struct fsx *x, const struct slot *s)
{
	static const int flags[] = { O_RDWR,
				     O_RDWR,
				     O_RDONLY,
				     O_RDONLY,
				     O_WRONLY,
				     O_RDWR | O_APPEND,
				     O_WRONLY | O_APPEND,
				     O_RDWR | O_TRUNC,
				     O_WRONLY | O_TRUNC,
				     O_RDWR | O_CREAT,
				     O_WRONLY | O_CREAT | O_TRUNC,
				     O_RDWR | O_CREAT | O_EXCL };
	int chosen = flags[fsx_below(x, sizeof(flags) / sizeof(flags[0]))];

	/* Most names shall exist. */
	if (s->local.absent && !fsx_one_in(x, 8) && (chosen & O_ACCMODE) != O_RDONLY)
		chosen |= O_CREAT;
	return chosen;
}

static void
opened(struct fsx *x, struct slot *s, int fd, int flags)
{
	struct handle h = { .fd = fd, .flags = flags & ~(O_CREAT | O_EXCL) };

	if (handle_writes(&h))
		handle_leave_behind(s);
	else
		h.pinned = fgetxattr(fd, version_attribute, NULL, 0) > 0 &&
			   fgetxattr(fd, draft_attribute, NULL, 0) < 0;
	x->n.pinned += h.pinned;
	s->handles[s->n_handles++] = h;
	if (s->local.absent || (flags & O_TRUNC) != 0) {
		content_truncate(&s->local, 0);
		s->local.absent = false;
		s->dirty = true;
	}
}

void
handle_open(struct fsx *x, struct slot *s)
{
	struct content empty = { .absent = false };
	int fd, flags = random_flags(x, s), wanted = 0;

	if (s->n_handles == HANDLES_MAX)
		return;
	op_before_loss(x, s, (flags & O_TRUNC) != 0);
	fsx_say(x, "open %u flags %o", s->number, (unsigned)flags);
	if (s->local.absent && (flags & O_CREAT) == 0)
		wanted = ENOENT;
	if (!s->local.absent && (flags & O_EXCL) != 0)
		wanted = EEXIST;
	fd = open(s->path, flags | O_CLOEXEC, 0644);
	x->n.opens++;
	if (fd < 0 && errno == wanted)
		return;
	if (fd < 0) {
		op_failed(x, s, "open", errno);
		verify_settle(x, s, &empty, NULL);
		return;
	}
	if (wanted != 0)
		fsx_mismatch(x, "open: file %u could be opened, not: %s", s->number,
			     strerror(wanted));
	opened(x, s, fd, flags);
}
