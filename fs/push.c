/* SPDX-License-Identifier: MIT */
/* Notifications to the kernel: see push.h. */
#include "fs/push.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/pool.h"
#include "fs/tree.h"

enum { THREADS = 4, REGIONS_WAITING_MAX = 8, VICTIMS_AT_ONCE = 256, STOP_PAUSES = 40 };

struct push {
	struct fuse_session *session;
	struct tree *tree;
	struct pool *pool;
	atomic_uint regions; /* waiting or under way */
	atomic_bool trimming;
	struct pool_job trim;
	atomic_uint calls; /* of push_check_memory: looked at now and then */
	atomic_bool stopping;
	atomic_uint telling; /* threads that are about to, or inside a notification */
};

struct region_job {
	struct pool_job job; /* first */
	struct push *push;
	struct node *node; /* a reference: as long as there is one, its nodeid is nobody else's */
	struct view_read read;
};

/* Whether the session may be used; then tell_end follows. */
static bool
tell_begin(struct push *p)
{
	(void)atomic_fetch_add(&p->telling, 1);
	if (!atomic_load(&p->stopping))
		return true;
	(void)atomic_fetch_sub(&p->telling, 1);
	return false;
}

static void
tell_end(struct push *p)
{
	(void)atomic_fetch_sub(&p->telling, 1);
}

static void
run_region(struct pool_job *job)
{
	struct region_job *rj = (struct region_job *)(void *)job;
	struct push *p = rj->push;
	struct fuse_bufvec v = FUSE_BUFVEC_INIT(rj->read.around.iov_len);

	v.buf[0].mem = rj->read.around.iov_base;
	/* The kernel may have forgotten the inode: then there is nobody to help. */
	if (tell_begin(p)) {
		(void)fuse_lowlevel_notify_store(p->session, tree_nodeid(p->tree, rj->node),
						 (off_t)rj->read.around_off, &v, 0);
		tell_end(p);
	}
	view_read_release(&rj->read);
	node_unref(rj->node);
	free(rj);
	(void)atomic_fetch_sub(&p->regions, 1);
}

void
push_region(struct push *p, struct node *node, struct view_read *read)
{
	struct region_job *rj = NULL;

	if (atomic_fetch_add(&p->regions, 1) < REGIONS_WAITING_MAX)
		rj = calloc(1, sizeof(*rj));
	if (rj == NULL) {
		(void)atomic_fetch_sub(&p->regions, 1);
		view_read_release(read);
		return;
	}
	rj->job.run = run_region;
	rj->push = p;
	rj->node = node;
	node_ref(node);
	rj->read = *read;
	read->n_held = 0;
	pool_submit(p->pool, &rj->job);
}

static void
run_trim(struct pool_job *job)
{
	struct push *p = (struct push *)(void *)((char *)job - offsetof(struct push, trim));
	struct tree_victim victim[VICTIMS_AT_ONCE];
	unsigned n = tree_victims(p->tree, victim, VICTIMS_AT_ONCE);

	for (unsigned i = 0; i < n; i++) {
		if (tell_begin(p)) {
			(void)fuse_lowlevel_notify_inval_entry(p->session, victim[i].parent,
							       victim[i].name,
							       strlen(victim[i].name));
			tell_end(p);
		}
		free(victim[i].name);
	}
	atomic_store(&p->trimming, false);
}

void
push_check_memory(struct push *p)
{
	if (atomic_fetch_add(&p->calls, 1) % 64 != 0 || atomic_exchange(&p->trimming, true))
		return;
	pool_submit(p->pool, &p->trim);
}

int
push_new(struct tree *tree, struct push **out, struct err *e)
{
	struct push *p = calloc(1, sizeof(*p));
	int r;

	if (p == NULL)
		return err_set(e, ENOMEM, "out of memory");
	p->tree = tree;
	p->trim.run = run_trim;
	r = pool_new("push", THREADS, &p->pool, e);
	if (r < 0) {
		free(p);
		return r;
	}
	*out = p;
	return 0;
}

void
push_start(struct push *p, struct fuse_session *session)
{
	p->session = session;
}

void
push_stop(struct push *p)
{
	const struct timespec pause = { 0, 5 * NS_PER_MS };

	atomic_store(&p->stopping, true);
	for (unsigned i = 0; i < STOP_PAUSES && atomic_load(&p->telling) > 0; i++)
		(void)nanosleep(&pause, NULL);
}

void
push_free(struct push *p)
{
	if (p == NULL)
		return;
	pool_free(p->pool);
	free(p);
}
