/* SPDX-License-Identifier: MIT */
/* Lanes, caches and budget of a process: see engine.h. */
#include "fs/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "fs/docbodies.h"
#include "fs/spans.h"

static const struct {
	const char *name;
	unsigned threads;
} lanes[N_LANES] = {
	[LANE_META] = { "meta", 256 },	   [LANE_OPEN] = { "open", 256 },
	[LANE_UNWRAP] = { "unwrap", 256 }, [LANE_DATA] = { "data", 512 },
	[LANE_AHEAD] = { "ahead", 64 }, /* stuck prefetches (24 at most) leave room for pages of
					   listings */
	[LANE_WRITE] = { "write", 256 },   [LANE_PUBLISH] = { "publish", 256 },
	[LANE_SEAL] = { "seal", 256 },	   [LANE_SEND] = { "send", 64 },
};

struct engine {
	struct pool *pool[N_LANES];
	struct budget *budget;
	struct spans *spans;
	struct docbodies *bodies;
	int64_t timeout_ns;
};

int
engine_new(const struct engine_config *cfg, struct engine **out, struct err *e)
{
	struct engine *g = calloc(1, sizeof(*g));
	int r;

	if (g == NULL)
		return err_set(e, ENOMEM, "out of memory");
	g->timeout_ns = cfg->timeout_ns > 0 ? cfg->timeout_ns : 60 * NS_PER_S;
	r = budget_new(cfg->memory, &g->budget, e);
	if (r == 0)
		r = docbodies_new(g->budget, &g->bodies, e);
	if (r == 0)
		r = spans_new(g, &g->spans, e);
	for (unsigned i = 0; i < N_LANES && r == 0; i++)
		r = pool_new(lanes[i].name, lanes[i].threads, &g->pool[i], e);
	if (r < 0) {
		engine_free(g);
		return r;
	}
	*out = g;
	return 0;
}

/*
 * Opens feed the unwraps; what a failed prefetch leaves undone goes to the data lane, which feeds
 * itself; writes and publishes feed the seals, and all of these read through the data lane and
 * feed the sends.  Ended in this order, no lane is fed when it has ended.
 */
void
engine_drain(struct engine *g)
{
	static const enum lane order[N_LANES] = { LANE_META,	LANE_OPEN, LANE_WRITE,
						  LANE_PUBLISH, LANE_SEAL, LANE_UNWRAP,
						  LANE_AHEAD,	LANE_DATA, LANE_SEND };

	for (unsigned i = 0; i < N_LANES; i++) {
		pool_free(g->pool[order[i]]);
		g->pool[order[i]] = NULL;
	}
}

void
engine_free(struct engine *g)
{
	if (g == NULL)
		return;
	engine_drain(g);
	spans_free(g->spans);
	docbodies_free(g->bodies);
	budget_free(g->budget);
	free(g);
}

void
engine_submit(struct engine *g, enum lane lane, struct pool_job *job)
{
	pool_submit(g->pool[lane], job);
}

struct budget *
engine_budget(struct engine *g)
{
	return g->budget;
}

struct spans *
engine_spans(struct engine *g)
{
	return g->spans;
}

struct docbodies *
engine_bodies(struct engine *g)
{
	return g->bodies;
}

int64_t
engine_timeout_ns(const struct engine *g)
{
	return g->timeout_ns;
}

int64_t
engine_publish_ns(const struct engine *g)
{
	return g->timeout_ns * 5;
}
