/* SPDX-License-Identifier: MIT */
/*
 * What the files of the span cache share with each other, and with nobody else: versions.c
 * (versions), spantable.c (where spans lie, and their memory), spanload.c (filling them), spans.c
 * (reading them).
 *
 * One lock guards the tables, the waiters' lists and the stream tables; it is
 * never held while fetching, unsealing, copying or calling back.
 */
#ifndef FS_SPANCACHE_H
#define FS_SPANCACHE_H

#include <stdatomic.h>

#include "base/mutex.h"
#include "fs/fill.h"
#include "fs/spans.h"

enum { SPAN_BUCKETS = 1024, VERSION_BUCKETS = 1024 };

enum span_state { LOADING, READY };

struct cached {
	struct pool_job job; /* its load; first, so that the job is the span */
	struct version *v;   /* holds a reference */
	uint64_t number;
	enum span_state state;
	bool ahead;	     /* loaded before anybody asked */
	unsigned holds;	     /* readers using the block */
	atomic_uint touches; /* random reads of it */
	bool used;	     /* somebody has read of it */
	struct deadline deadline;
	struct span_block block;
	size_t n;
	struct bad_regions bad;
	struct view_read *waiters;
	struct cached *chain;	      /* hash bucket */
	struct cached *newer, *older; /* least-recently-used list, READY only */
};

struct version {
	struct spans *s;
	struct store *store;
	char *name, *etag;
	bool clear;
	struct envelope env; /* unless clear */
	struct v1guard *v1;  /* borrowed; NULL: not V1 */
	struct layout layout;
	struct region_order order;
	atomic_bool moved_reported;
	unsigned refs; /* guarded by s->mu, as all below */
	unsigned openers;
	struct key_ref *key; /* while somebody has it open */
	struct version *chain;
};

struct spans {
	struct engine *g;
	struct spanmem *mem;
	pthread_mutex_t mu; /* rank 3 */
	struct cached *bucket[SPAN_BUCKETS];
	struct version *version_bucket[VERSION_BUCKETS];
	struct cached *oldest, *newest;
	uint64_t ready_bytes; /* of READY spans */
	uint64_t ready_max; /* beyond this the oldest go: the page cache above holds the same bytes
			     */
	uint64_t unread_bytes; /* of those fetched ahead that nobody has read yet */
	uint64_t parked_bytes; /* held by reads that wait for another span */
	unsigned ahead_in_flight;
	int64_t first_byte_ns; /* how long the store takes to begin an answer, smoothed; 0: unknown
				*/
	struct spans_stats stats;
};

/* ---- versions.c ---- */

void version_ref(struct version *v);
/* Drops a reference; a version to be destroyed (outside the lock) is returned. */
struct version *version_drop_locked(struct version *v);
void version_destroy(struct version *v);
/* Fetched ahead, and nobody has read of it yet. */
static inline bool
spans_unread(const struct cached *c)
{
	return c->ahead && !c->used;
}
/* The key id, for failures; "" when clear. */
static inline const char *
version_kid(const struct version *v)
{
	return v->clear ? "" : v->env.kid;
}
/* What region_order=recover lets through is said once for each version. */
void version_report_moved(struct version *v);

/* ---- spantable.c ---- */

/* Where the span is linked, or would be: *result is NULL when it is absent. */
struct cached **spans_find_locked(struct version *v, uint64_t number);
void spans_insert_locked(struct cached *c);
void spans_remove_locked(struct cached *c);
/* The span has its block: from now on it may be evicted when nobody holds it. */
void spans_ready_locked(struct spans *s, struct cached *c);
void spans_touch_locked(struct spans *s, struct cached *c);
/*
 * Frees a span that is in no table any more, with its reference to the version.  Without the lock.
 */
void spans_drop(struct spans *s, struct cached *c);
/*
 * Keeps the cache small; what is held stays, and so does what was fetched ahead and is still to
 * be read.
 */
void spans_shrink(struct spans *s);

/* ---- spanload.c ---- */

/*
 * A span that is now being loaded; the caller submits its job without the lock.  NULL when memory
 * is out.
 */
struct cached *spans_load_locked(struct version *v, uint64_t number, bool ahead, struct deadline d);

/* ---- spans.c ---- */

/* Serves a parked read, or parks it again. */
void spans_read_step(struct view_read *r);
/* A parked read goes on, or ends: what it held meanwhile no longer counts as parked. */
void spans_unpark_locked(struct view_read *r);

#endif
