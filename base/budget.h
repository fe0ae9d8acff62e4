/* SPDX-License-Identifier: MIT */
/*
 * One memory limit for the mount (memory=).  Holders of large things take a
 * share before they allocate and give it back when they free.  Data may use
 * three quarters, metadata one quarter.
 */
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"

enum budget_share { BUDGET_DATA, BUDGET_METADATA };

struct budget; /* opaque */

/* total in bytes, at least 16 MiB (-EINVAL). */
int budget_new(uint64_t total, struct budget **out, struct err *e) MUST_CHECK;
void budget_free(struct budget *b);

/*
 * Adds somebody who can make room in the data share: called without the budget's lock when a taker
 * must wait; returns the bytes it gave back (0 = nothing to evict now).  Evictors are asked in the
 * order in which they were added, at most four.
 */
void budget_add_evictor(struct budget *b, uint64_t (*evict)(void *arg, uint64_t want), void *arg);

/* Takes n bytes at once, or returns false; never waits, never evicts. */
bool budget_try(struct budget *b, enum budget_share share, uint64_t n) MUST_CHECK;

/* The same for data, evicting what nobody uses; never waits. */
bool budget_try_evict(struct budget *b, uint64_t n) MUST_CHECK;

/*
 * Takes n bytes of data share: evicts, then waits.  -EFBIG when n exceeds the share, -ETIMEDOUT
 * at the deadline.
 */
int budget_take(struct budget *b, uint64_t n, struct deadline d, struct err *e) MUST_CHECK;
/*
 * The same for what others who have memory may be waiting for: after a moment it goes beyond the
 * limit, if nobody else has.  What is taken must come back without more being taken.
 */
int budget_take_surely(struct budget *b, uint64_t n, struct deadline d, struct err *e) MUST_CHECK;
void budget_give(struct budget *b, enum budget_share share, uint64_t n);

/* Bytes in use and allowed. */
uint64_t budget_used(struct budget *b, enum budget_share share);
uint64_t budget_limit(const struct budget *b, enum budget_share share);

/* memory.max of this process' cgroup (v2 or v1), or UINT64_MAX when there is none. */
uint64_t budget_cgroup_max(void);

#endif
