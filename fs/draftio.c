/* SPDX-License-Identifier: MIT */
/* The content of a draft: see draft.h. */
#include "fs/draftfile.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "base/log.h"
#include "base/num.h"

/* A file that may fit into one region is never sealed early. */
static const uint64_t EARLY_MIN = 4 << 20;
/* A region of a blob that is being sealed, and the next one. */
static const uint64_t AHEAD_MAX = 8 << 20;

/* ---- whose turn it is ---- */

void
draft_take_turn(struct draft *d)
{
	mutex_lock(&d->all->mu);
	while (d->turn)
		(void)pthread_cond_wait(&d->changed, &d->all->mu);
	d->turn = true;
	mutex_unlock(&d->all->mu);
}

void
draft_give_turn(struct draft *d)
{
	mutex_lock(&d->all->mu);
	assert(d->turn);
	d->turn = false;
	(void)pthread_cond_broadcast(&d->changed);
	mutex_unlock(&d->all->mu);
}

void
draft_take_desk(struct draft *d)
{
	mutex_lock(&d->all->mu);
	while (d->desk)
		(void)pthread_cond_wait(&d->changed, &d->all->mu);
	d->desk = true;
	mutex_unlock(&d->all->mu);
}

void
draft_give_desk(struct draft *d)
{
	mutex_lock(&d->all->mu);
	assert(d->desk);
	d->desk = false;
	(void)pthread_cond_broadcast(&d->changed);
	mutex_unlock(&d->all->mu);
}

/* ---- reading ---- */

int
draft_read(struct draft *d, uint64_t off, void *out, size_t n, size_t *got, struct err *e)
{
	uint64_t size;
	int r;

	draft_take_desk(d);
	size = staging_size(d->staging);
	n = off < size ? (size_t)u64_min(n, size - off) : 0;
	r = n > 0 ? staging_read(d->staging, off, out, n, e) : 0;
	draft_give_desk(d);
	if (r == 0)
		*got = n;
	return r;
}

/* For a sealing, which wants exactly what it asks for. */
static int
plain_read(void *arg, uint64_t off, void *out, size_t n, struct err *e)
{
	struct draft *d = arg;
	int r;

	draft_take_desk(d);
	r = staging_read(d->staging, off, out, n, e);
	draft_give_desk(d);
	return r;
}

static const uint8_t *
plain_lend(void *arg, uint64_t off, size_t n)
{
	struct draft *d = arg;
	const uint8_t *p;

	draft_take_desk(d);
	p = staging_lend(d->staging, off, n);
	draft_give_desk(d);
	return p;
}

static void
plain_give_back(void *arg)
{
	struct draft *d = arg;

	staging_put_away(d->staging);
	draft_take_desk(d);
	staging_take_back(d->staging);
	draft_give_desk(d);
}

/* What is lent nobody changes: whoever has the turn waits for it, or has lent it. */
struct view_plain
draft_plain(struct draft *d)
{
	return (struct view_plain){ plain_read, d, plain_lend, plain_give_back };
}

/* ---- sealing while the file grows; with the turn, but for the job ---- */

static void
forget_sealing(struct draft *d)
{
	view_sealing_free(d->sealing);
	d->sealing = NULL;
	d->given = 0;
	d->early = false;
}

/* Takes note of what the job has done.  With the lock. */
static bool
collect_locked(struct draft *d)
{
	const bool failed = d->not_given;

	d->given += d->gave;
	d->gave = 0;
	d->not_given = false;
	return !failed;
}

/* The same; wait: once it has done all that it can. */
static void
collect(struct draft *d, bool wait)
{
	bool ok;

	mutex_lock(&d->all->mu);
	while (wait && d->giving)
		(void)pthread_cond_wait(&d->changed, &d->all->mu);
	ok = collect_locked(d);
	mutex_unlock(&d->all->mu);
	if (!ok)
		forget_sealing(d);
}

/* The same, once the writer is not too far ahead of it. */
static void
collect_enough(struct draft *d, uint64_t size)
{
	bool ok;

	mutex_lock(&d->all->mu);
	while (d->giving && size - d->given - d->gave > AHEAD_MAX)
		(void)pthread_cond_wait(&d->changed, &d->all->mu);
	ok = collect_locked(d);
	mutex_unlock(&d->all->mu);
	if (!ok)
		forget_sealing(d);
}

void
draft_await_given(struct draft *d)
{
	collect(d, true);
}

void
draft_drop_sealing(struct draft *d)
{
	collect(d, true);
	forget_sealing(d);
}

static void
give_failed(const struct err *e)
{
	log_err(LOG_LEVEL_DEBUG, e, "sealing a file while it is written");
}

/* Whether there is another full region behind what was given, and something behind that. */
static bool
has_full_region_locked(const struct draft *d)
{
	struct node_attr a;

	node_attr(d->node, &a);
	return a.size - d->given - d->gave > d->sealing->region;
}

/* Notes what became of a region; false: that was the last one, and the job lets go of the draft. */
static bool
goes_on(struct draft *d, bool ok)
{
	bool more;

	mutex_lock(&d->all->mu);
	if (ok)
		d->gave += d->sealing->region;
	d->not_given = !ok;
	more = ok && has_full_region_locked(d);
	d->giving = more;
	d->holds -= !more;
	(void)pthread_cond_broadcast(&d->changed);
	if (more)
		mutex_unlock(&d->all->mu);
	else
		draft_settle_unlock(d);
	return more;
}

static void
run_give(struct pool_job *job)
{
	struct draft *d = (struct draft *)(void *)((char *)job - offsetof(struct draft, give));
	struct err e = { 0 };
	bool ok;

	do
		ok = view_seal_region(d->sealing, draft_plain(d),
				      deadline_in(engine_timeout_ns(d->all->cfg.engine)), &e) == 0;
	while (goes_on(d, ok));
	if (!ok)
		give_failed(&e);
}

/* Has full regions given, unless that is under way. */
static void
give_regions(struct draft *d)
{
	bool start;

	mutex_lock(&d->all->mu);
	start = !d->giving && !d->not_given && has_full_region_locked(d);
	d->giving |= start;
	d->holds += start;
	mutex_unlock(&d->all->mu);
	if (!start)
		return;
	d->give.run = run_give;
	engine_submit(d->all->cfg.engine, LANE_SEAL, &d->give);
}

/* A sealing that takes regions early; false: there is none. */
static bool
has_sealing(struct draft *d)
{
	const struct deadline until = deadline_in(engine_timeout_ns(d->all->cfg.engine));
	struct err e = { 0 };
	AUTO_BUF path;
	int r = 0;

	buf_init(&path, DRAFT_PATH_MAX);
	if (d->sealing == NULL)
		r = node_path(d->node, &path, &e);
	if (r == 0 && d->sealing == NULL)
		r = view_seal(d->view, buf_str(&path), d->version.etag, until, &d->sealing, &e);
	if (r < 0)
		give_failed(&e);
	if (r == 0 && d->sealing->region > 0)
		return true;
	forget_sealing(d);
	return false;
}

/*
 * Has full regions given.  The last one, full or not, is left for the commit.  The writer may be
 * ahead by AHEAD_MAX, which the staging area has plain; then it waits.  When it fails nobody need
 * know: publishing starts over.
 */
static void
seal_early(struct draft *d)
{
	const uint64_t size = staging_size(d->staging);

	if (!d->early || size <= EARLY_MIN || !has_sealing(d))
		return;
	give_regions(d);
	collect_enough(d, size);
}

/* Whether a write must look after the sealing. */
static bool
meets_sealing_locked(const struct draft *d, uint64_t off, uint64_t end)
{
	const uint64_t given = d->given + d->gave;

	if (d->giving)
		return off != staging_size(d->staging) || end - given > AHEAD_MAX;
	if (d->not_given || off < given)
		return true;
	return d->early && end > EARLY_MIN &&
	       (d->sealing == NULL || end - given > d->sealing->region);
}

/* ---- changing; with turn and desk, or the turn alone ---- */

/* What is written becomes the file's, for everybody here. */
static void
note_change(struct draft *d)
{
	struct drafts *s = d->all;
	uint64_t size = staging_size(d->staging);

	mutex_lock(&s->mu);
	d->dirty = true;
	d->told = false;
	d->mtime_ns = draft_now_ns();
	tree_set_attr(d->node, size, d->mtime_ns);
	mutex_unlock(&s->mu);
}

/*
 * A file with a hole where bytes should be is not published, until all of it is written after all.
 */
static void
note_result(struct draft *d, uint64_t off, uint64_t end, int r)
{
	if (r < 0) {
		d->broken_at = d->broken != 0 ? u64_min(off, d->broken_at) : off;
		d->broken_end = d->broken != 0 ? u64_max(end, d->broken_end) : end;
		d->broken = -r;
	} else if (off <= d->broken_at && d->broken_end <= end) {
		d->broken = 0;
	}
}

static int
write_desk(struct draft *d, uint64_t off, struct span bytes, struct err *e)
{
	const uint64_t end = off + bytes.n;
	int r;

	if (off != staging_size(d->staging))
		d->early = false;
	r = staging_write(d->staging, off, bytes, e);
	assert(r < 0 || staging_size(d->staging) >= end);
	note_result(d, off, end, r);
	if (r == 0)
		note_change(d);
	return r;
}

int
draft_write(struct draft *d, uint64_t off, struct span bytes, struct err *e)
{
	int r;

	draft_take_turn(d);
	collect(d, off < staging_size(d->staging));
	if (off < d->given)
		draft_drop_sealing(d);
	draft_take_desk(d);
	r = write_desk(d, off, bytes, e);
	draft_give_desk(d);
	if (r == 0)
		seal_early(d);
	draft_give_turn(d);
	return r;
}

bool
draft_write_quickly(struct draft *d, uint64_t off, struct span bytes)
{
	struct err e = { 0 };
	bool quick;
	int r;

	mutex_lock(&d->all->mu);
	quick = !d->turn && !d->desk && !meets_sealing_locked(d, off, off + bytes.n) &&
		staging_is_quick(d->staging, off, bytes.n);
	if (quick)
		d->turn = d->desk = true;
	mutex_unlock(&d->all->mu);
	if (!quick)
		return false;
	r = write_desk(d, off, bytes, &e);
	mutex_lock(&d->all->mu);
	d->turn = d->desk = false;
	(void)pthread_cond_broadcast(&d->changed);
	mutex_unlock(&d->all->mu);
	return r == 0; /* what failed is tried again where it may wait */
}

int
draft_truncate_turn(struct draft *d, uint64_t size, struct err *e)
{
	int r;

	draft_await_given(d);
	if (size < d->given)
		draft_drop_sealing(d);
	draft_take_desk(d);
	if (size != staging_size(d->staging))
		d->early = false;
	r = staging_truncate(d->staging, size, e);
	draft_give_desk(d);
	if (r < 0)
		return r;
	if (size == 0)
		d->early = !d->local;
	if (size <= d->broken_at)
		d->broken = 0;
	note_change(d);
	return 0;
}

int
draft_truncate(struct draft *d, uint64_t size, struct err *e)
{
	int r;

	draft_take_turn(d);
	r = draft_truncate_turn(d, size, e);
	draft_give_turn(d);
	return r;
}

int
draft_extend(struct draft *d, uint64_t size, struct err *e)
{
	int r = 0;

	draft_take_turn(d);
	if (size > staging_size(d->staging))
		r = draft_truncate_turn(d, size, e);
	draft_give_turn(d);
	return r;
}

void
draft_set_mtime(struct draft *d, int64_t mtime_ns)
{
	struct node_attr a;

	mutex_lock(&d->all->mu);
	d->stamped = true;
	d->told = false;
	d->mtime_ns = mtime_ns;
	node_attr(d->node, &a);
	tree_set_attr(d->node, a.size, mtime_ns);
	mutex_unlock(&d->all->mu);
}
