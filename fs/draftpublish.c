/* SPDX-License-Identifier: MIT */
/*
 * Publishing drafts: see draft.h.  Each time under a new sealing, which has its own content key;
 * one that got regions early is used for the publish that they were given for, and for no other.
 */
#include "fs/draftfile.h"

#include <errno.h>

#include "base/log.h"
#include "fs/caller.h"

enum { MIB_SHIFT = 20 };

static struct deadline
publish_deadline(const struct draft *d, uint64_t size)
{
	return deadline_in(engine_publish_ns(d->all->cfg.engine) +
			   (int64_t)(size >> MIB_SHIFT) * NS_PER_S);
}

/* ---- one publish; with the turn ---- */

static int
commit(struct draft *d, const char *path, const char *over, int64_t mtime_ns,
       struct draft_version *now, struct err *e)
{
	const struct view_publish p = { .size = staging_size(d->staging), .mtime_ns = mtime_ns };
	const struct deadline until = publish_deadline(d, p.size);
	struct view_sealing *sealing = d->sealing;
	int r = 0;

	d->sealing = NULL; /* used up, whatever comes of it */
	d->given = 0;
	d->early = false;
	if (sealing == NULL)
		r = view_seal(d->view, path, over, until, &sealing, e);
	if (r == 0)
		r = view_seal_commit(sealing, &p, draft_plain(d), draft_version_sink(now), until,
				     e);
	view_sealing_free(sealing);
	return r;
}

/* Whether what sealing early has met may be over by now. */
static bool
worth_another(int r)
{
	return r != -EEXIST && r != -ESTALE && r != -ETIMEDOUT && r != -ECANCELED && r != -EINVAL;
}

static int
refuse_broken(const struct draft *d, struct err *e)
{
	(void)err_set(e, d->broken,
		      "bytes that were written could not be kept: it is not published");
	return err_mark(e, NULL, "write the file again");
}

int
draft_publish_as(struct draft *d, const char *path, const char *over, struct err *e)
{
	struct drafts *s = d->all;
	struct draft_version now = { 0 };
	int64_t mtime_ns;
	bool early;
	int r;

	if (d->broken != 0)
		return refuse_broken(d, e);
	draft_await_given(d);
	early = d->sealing != NULL;
	mutex_lock(&s->mu);
	mtime_ns = d->mtime_ns;
	mutex_unlock(&s->mu);
	r = commit(d, path, over, mtime_ns, &now, e);
	if (r < 0 && early && worth_another(r)) {
		log_err(LOG_LEVEL_DEBUG, e, "publishing what was sealed early");
		err_clear(e);
		r = commit(d, path, over, mtime_ns, &now, e);
	}
	if (r == 0 && now.etag == NULL)
		r = err_set(e, EIO, "the store does not say what it keeps");
	if (r < 0) {
		draft_version_clear(&now);
		return r;
	}
	if (now.mtime_ns == 0)
		now.mtime_ns = mtime_ns;
	draft_set_version(d, &now);
	mutex_lock(&s->mu);
	d->dirty = false;
	if (d->mtime_ns == mtime_ns) { /* a store may keep a time of its own */
		d->stamped = false;
		d->mtime_ns = d->version.mtime_ns;
		tree_set_attr(d->node, staging_size(d->staging), d->mtime_ns);
	}
	mutex_unlock(&s->mu);
	return 0;
}

/* Only the mtime is new: the bytes need not be sent again. */
static int
publish_stamp(struct draft *d, const char *path, struct err *e)
{
	struct drafts *s = d->all;
	struct draft_version now = { 0 };
	int64_t mtime_ns;
	int r;

	mutex_lock(&s->mu);
	mtime_ns = d->mtime_ns;
	mutex_unlock(&s->mu);
	r = view_set_mtime(d->view, path, d->version.etag, d->version.record, mtime_ns,
			   draft_version_sink(&now), publish_deadline(d, 0), e);
	if (r == -EOPNOTSUPP) { /* it is the store's own, and so it stays */
		err_clear(e);
		r = 0;
	} else if (r == 0 && now.etag != NULL) {
		draft_set_version(d, &now);
	}
	draft_version_clear(&now);
	if (r < 0)
		return r;
	mutex_lock(&s->mu);
	d->stamped = d->mtime_ns != mtime_ns;
	mutex_unlock(&s->mu);
	return 0;
}

int
draft_publish_turn(struct draft *d, struct err *e)
{
	struct drafts *s = d->all;
	bool wanted, dirty, stop;
	AUTO_BUF path;
	int r;

	mutex_lock(&s->mu);
	wanted = draft_publishable_locked(d);
	dirty = d->dirty;
	stop = s->stop;
	mutex_unlock(&s->mu);
	if (!wanted)
		return 0;
	if (stop)
		return err_set(e, ECANCELED, "the mount has ended");
	buf_init(&path, DRAFT_PATH_MAX);
	r = node_path(d->node, &path, e);
	if (r < 0)
		return r;
	return dirty ? draft_publish_as(d, buf_str(&path), d->version.etag, e)
		     : publish_stamp(d, buf_str(&path), e);
}

/* ---- who asks for it ---- */

static void
busy(struct drafts *s, int delta)
{
	mutex_lock(&s->mu);
	s->publishing += (unsigned)delta;
	(void)pthread_cond_broadcast(&s->quiet);
	mutex_unlock(&s->mu);
}

static void
begin(struct draft *d)
{
	busy(d->all, 1);
	draft_take_turn(d);
}

static void
end(struct draft *d)
{
	draft_give_turn(d);
	busy(d->all, -1);
}

/* With the turn: publishes for somebody who is told what comes of it. */
static int
publish_told(struct draft *d, struct err *e)
{
	int r = draft_publish_turn(d, e);

	mutex_lock(&d->all->mu);
	d->told = r < 0;
	mutex_unlock(&d->all->mu);
	return r;
}

int
draft_publish(struct draft *d, struct err *e)
{
	int r;

	begin(d);
	r = publish_told(d, e);
	end(d);
	return r;
}

/*
 * With the turn: a writer's bytes are published when it has written them all, not before.  What was
 * told that it could not be published is tried again: after ESTALE the kernel itself asks twice.
 */
static bool
half_written(struct draft *d)
{
	bool half;

	mutex_lock(&d->all->mu);
	half = d->writers > 0 && d->dirty && !d->told;
	mutex_unlock(&d->all->mu);
	return half;
}

int
draft_truncate_by_name(struct draft *d, uint64_t size, struct err *e)
{
	bool half;
	int r;

	begin(d);
	half = half_written(d);
	r = draft_truncate_turn(d, size, e);
	if (r == 0 && !half)
		r = publish_told(d, e);
	end(d);
	return r;
}

int
draft_set_mtime_by_name(struct draft *d, int64_t mtime_ns, struct err *e)
{
	bool half;
	int r = 0;

	begin(d);
	half = half_written(d);
	draft_set_mtime(d, mtime_ns);
	if (!half)
		r = publish_told(d, e);
	end(d);
	return r;
}

bool
draft_is_dirty(struct draft *d)
{
	bool dirty;

	mutex_lock(&d->all->mu);
	dirty = draft_publishable_locked(d);
	mutex_unlock(&d->all->mu);
	return dirty;
}

/* ---- close ---- */

/*
 * A child that was forked closes what its parent opened, with the file half written: only the
 * opener is told.  A shell opens a file, makes it descriptor 1 and closes the first: what has
 * another descriptor in the same process waits for that, and who closes it is told.  On doubt the
 * file is published: then close has told the truth.
 */
bool
draft_flush_publishes(const struct draft_flush *f)
{
	if (f->opener != 0 && f->group != 0 && f->opener != f->group)
		return false;
	return !f->elsewhere;
}

/* A file that was removed and one that has its name since cannot be told apart from outside. */
static bool
has_namesake(struct draft *d, uint64_t ino)
{
	bool found = false;

	mutex_lock(&d->all->mu);
	for (const struct draft *x = d->all->first; x != NULL && !found; x = x->next) {
		struct node_attr a;

		node_attr(x->node, &a);
		found = x != d && a.ino == ino;
	}
	mutex_unlock(&d->all->mu);
	return found;
}

static bool
open_elsewhere(struct draft *d, pid_t group)
{
	struct drafts *s = d->all;
	uint64_t mount = atomic_load(&s->mount);
	struct node_attr a;

	if (mount == 0) {
		mount = caller_mount(s->cfg.mountpoint);
		atomic_store(&s->mount, mount);
	}
	node_attr(d->node, &a);
	return !has_namesake(d, a.ino) && caller_writes(group, mount, a.ino);
}

/* With the turn: what somebody was told of is not tried again for one who will hear nothing. */
static bool
told_already(struct draft *d, pid_t thread, const atomic_bool *answered)
{
	bool told;

	mutex_lock(&d->all->mu);
	told = d->told;
	mutex_unlock(&d->all->mu);
	return told && ((answered != NULL && atomic_load(answered)) ||
			caller_state(thread) == CALLER_ENDING);
}

int
draft_flush(struct draft *d, pid_t opener, pid_t thread, const atomic_bool *answered, struct err *e)
{
	struct draft_flush f = { .opener = opener, .group = caller_group(thread) };
	int r = 0;

	if (!draft_is_dirty(d))
		return 0;
	f.elsewhere = open_elsewhere(d, f.group);
	if (!draft_flush_publishes(&f))
		return 0;
	begin(d);
	if (!told_already(d, thread, answered))
		r = publish_told(d, e);
	end(d);
	return r;
}

/* ---- when the last writer is gone ---- */

void
draft_run_publish(struct pool_job *job)
{
	struct draft *d = (struct draft *)(void *)((char *)job - offsetof(struct draft, job));
	struct drafts *s = d->all;
	struct err e = { 0 };
	int r;

	draft_take_turn(d);
	r = draft_publish_turn(d, &e);
	if (r < 0 && r != -ECANCELED)
		draft_tell_late(d, &e);
	draft_give_turn(d);
	mutex_lock(&s->mu);
	d->queued = false;
	s->publishing--;
	(void)pthread_cond_broadcast(&s->quiet);
	d->holds--;
	draft_settle_unlock(d);
}
