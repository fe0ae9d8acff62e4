/* SPDX-License-Identifier: MIT */
/*
 * What all views of one process share: worker lanes, the span cache, the bodies of documents, the
 * memory limit.
 *
 * Each kind of work has a lane of its own, so that stuck data never blocks a
 * stat, an open or another file's read: lookups and listings, opens, the unwraps
 * beside them, spans that a reader waits for, spans fetched ahead, bytes that are
 * written, versions that are published, regions that are sealed before that, blocks that are sent.
 */
#ifndef FS_ENGINE_H
#define FS_ENGINE_H

#include <stdint.h>

#include "base/budget.h"
#include "base/err.h"
#include "base/pool.h"

enum lane {
	LANE_META,
	LANE_OPEN,
	LANE_UNWRAP,
	LANE_DATA,
	LANE_AHEAD,
	LANE_WRITE,   /* bytes into the staging area */
	LANE_PUBLISH, /* flush, fsync, release */
	LANE_SEAL,    /* regions of files that are being written */
	LANE_SEND,    /* sealed blocks on their way */
	N_LANES
};

struct engine; /* opaque */
struct spans;
struct docbodies;

struct engine_config {
	uint64_t memory;    /* bytes, at least 16 MiB */
	int64_t timeout_ns; /* one deadline for an operation; 0 = 60 s */
};

int engine_new(const struct engine_config *cfg, struct engine **out, struct err *e) MUST_CHECK;
void engine_free(struct engine *g); /* after all views are freed; NULL is fine */

void engine_submit(struct engine *g, enum lane lane, struct pool_job *job);
struct budget *engine_budget(struct engine *g);
struct spans *engine_spans(struct engine *g);
struct docbodies *engine_bodies(struct engine *g);
int64_t engine_timeout_ns(const struct engine *g);
/* The deadline of what sends a whole file, but for a second more for each MiB: five times that. */
int64_t engine_publish_ns(const struct engine *g);

/*
 * Waits for every job submitted so far and ends the lanes' threads; the engine
 * accepts no more.  For the end, before views are freed.
 */
void engine_drain(struct engine *g);

#endif
