/* SPDX-License-Identifier: MIT */
/* Parked requests: see park.h. */
#include "fs/park.h"

#include <errno.h>
#include <stddef.h>

static void
answer_interrupt(struct pool_job *job)
{
	struct parked *p = (struct parked *)(void *)job;

	if (park_claim(p))
		(void)fuse_reply_err(p->req, EINTR);
	park_done(p);
}

static void
on_interrupt(fuse_req_t req, void *data)
{
	struct parked *p = data;

	(void)req;
	if (atomic_exchange(&p->interrupted, true))
		return;
	(void)atomic_fetch_add(&p->refs, 1);
	pool_submit(p->answerers, &p->answer_interrupt);
}

void
park_init(struct parked *p, fuse_req_t req, struct pool *answerers, void (*free)(struct parked *p))
{
	p->answer_interrupt.run = answer_interrupt;
	p->req = req;
	p->answerers = answerers;
	p->free = free;
	atomic_init(&p->refs, 1);
	atomic_init(&p->answered, false);
	atomic_init(&p->interrupted, false);
}

void
park(struct parked *p)
{
	fuse_req_interrupt_func(p->req, on_interrupt, p);
}

bool
park_claim(struct parked *p)
{
	if (atomic_exchange(&p->answered, true))
		return false;
	fuse_req_interrupt_func(p->req, NULL, NULL);
	return true;
}

void
park_done(struct parked *p)
{
	if (atomic_fetch_sub(&p->refs, 1) == 1)
		p->free(p);
}
