/* SPDX-License-Identifier: MIT */
/* A draft as a source of plain bytes, and their sealing while the file grows: see draftfile.h. */
#include <errno.h>
#include <stddef.h>

#include "base/log.h"
#include "fs/draftfile.h"

/* A file that may fit into one region is never sealed early. */
static const uint64_t EARLY_MIN = 4 << 20;
/* A region of a blob that is being sealed, and the next one. */
static const uint64_t AHEAD_MAX = 8 << 20;

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

static void
plain_put_away(void *arg)
{
	struct draft *d = arg;

	staging_put_away(d->staging);
	plain_give_back(d);
}

/* While the file grows: the chunk will have to make room soon. */
static struct view_plain
growing_plain(struct draft *d)
{
	return (struct view_plain){ plain_read, d, plain_lend, plain_put_away };
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

void
draft_collect(struct draft *d, bool wait)
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
	draft_collect(d, true);
}

void
draft_drop_sealing(struct draft *d)
{
	draft_collect(d, true);
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
		ok = view_seal_region(d->sealing, growing_plain(d),
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
void
draft_seal_early(struct draft *d)
{
	const uint64_t size = staging_size(d->staging);

	if (!d->early || size <= EARLY_MIN || !has_sealing(d))
		return;
	give_regions(d);
	collect_enough(d, size);
}

bool
draft_meets_sealing_locked(const struct draft *d, uint64_t off, uint64_t end)
{
	const uint64_t given = d->given + d->gave;

	if (d->giving)
		return off != staging_size(d->staging) || end - given > AHEAD_MAX;
	if (d->not_given || off < given)
		return true;
	return d->early && end > EARLY_MIN &&
	       (d->sealing == NULL || end - given > d->sealing->region);
}
