/* SPDX-License-Identifier: MIT */
/* The memory limit: see budget.h. */
#include "base/budget.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mutex.h"
#include "base/num.h"

enum { TOTAL_MIN = 16 << 20, EVICTORS_MAX = 4 };
static const int64_t BEYOND_NS = 500 * NS_PER_MS;

struct budget {
	pthread_mutex_t mu;
	pthread_cond_t given;
	uint64_t limit[2], used[2]; /* used: guarded by mu */
	unsigned waiting;
	struct {
		uint64_t (*evict)(void *arg, uint64_t want);
		void *arg;
	} evictor[EVICTORS_MAX];
	unsigned n_evictors;
};

int
budget_new(uint64_t total, struct budget **out, struct err *e)
{
	struct budget *b;

	if (total < TOTAL_MIN)
		return err_set(e, EINVAL, "memory= must be at least %d MiB", TOTAL_MIN >> 20);
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&b->mu, NULL);
	(void)pthread_cond_init(&b->given, NULL);
	b->limit[BUDGET_METADATA] = total / 4;
	b->limit[BUDGET_DATA] = total - total / 4;
	*out = b;
	return 0;
}

void
budget_free(struct budget *b)
{
	if (b == NULL)
		return;
	assert(b->used[BUDGET_DATA] == 0 && b->used[BUDGET_METADATA] == 0);
	(void)pthread_cond_destroy(&b->given);
	(void)pthread_mutex_destroy(&b->mu);
	free(b);
}

void
budget_add_evictor(struct budget *b, uint64_t (*evict)(void *arg, uint64_t want), void *arg)
{
	assert(b->n_evictors < EVICTORS_MAX);
	b->evictor[b->n_evictors].evict = evict;
	b->evictor[b->n_evictors].arg = arg;
	b->n_evictors++;
}

static uint64_t
evict_some(struct budget *b, uint64_t want)
{
	uint64_t given = 0;

	for (unsigned i = 0; i < b->n_evictors && given < want; i++)
		given += b->evictor[i].evict(b->evictor[i].arg, want - given);
	return given;
}

static bool
try_locked(struct budget *b, enum budget_share share, uint64_t n)
{
	if (n > b->limit[share] - u64_min(b->used[share], b->limit[share]))
		return false;
	b->used[share] += n;
	return true;
}

bool
budget_try(struct budget *b, enum budget_share share, uint64_t n)
{
	bool ok;

	mutex_lock(&b->mu);
	ok = try_locked(b, share, n);
	mutex_unlock(&b->mu);
	return ok;
}

bool
budget_try_evict(struct budget *b, uint64_t n)
{
	while (!budget_try(b, BUDGET_DATA, n))
		if (evict_some(b, n) == 0)
			return false;
	return true;
}

/* Waits a little for somebody to give back; an evictor may find more by then. */
static void
wait_locked(struct budget *b)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 50 * NS_PER_MS;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= NS_PER_S;
	}
	b->waiting++;
	(void)pthread_cond_clockwait(&b->given, &b->mu, CLOCK_MONOTONIC, &until);
	b->waiting--;
}

/* Whether somebody may go beyond the limit: one at a time, and not at once. */
static bool
beyond_locked(struct budget *b, uint64_t n, int64_t since_ns)
{
	if (clock_now_ns() - since_ns < BEYOND_NS || b->used[BUDGET_DATA] > b->limit[BUDGET_DATA])
		return false;
	b->used[BUDGET_DATA] += n;
	return true;
}

static int
take(struct budget *b, uint64_t n, bool beyond, struct deadline d, struct err *e)
{
	const int64_t since_ns = clock_now_ns();

	if (n > b->limit[BUDGET_DATA])
		return err_set(e, EFBIG,
			       "%llu bytes are needed at once, memory= allows %llu for data",
			       (unsigned long long)n, (unsigned long long)b->limit[BUDGET_DATA]);
	for (;;) {
		bool ok = budget_try(b, BUDGET_DATA, n);

		if (ok)
			return 0;
		if (evict_some(b, n) > 0)
			continue;
		if (deadline_left_ns(d) == 0)
			return err_set(e, ETIMEDOUT,
				       "no memory became free in time (memory= is used up)");
		mutex_lock(&b->mu);
		ok = try_locked(b, BUDGET_DATA, n) || (beyond && beyond_locked(b, n, since_ns));
		if (!ok)
			wait_locked(b);
		mutex_unlock(&b->mu);
		if (ok)
			return 0;
	}
}

int
budget_take(struct budget *b, uint64_t n, struct deadline d, struct err *e)
{
	return take(b, n, false, d, e);
}

int
budget_take_surely(struct budget *b, uint64_t n, struct deadline d, struct err *e)
{
	return take(b, n, true, d, e);
}

void
budget_give(struct budget *b, enum budget_share share, uint64_t n)
{
	mutex_lock(&b->mu);
	assert(b->used[share] >= n);
	b->used[share] -= n;
	if (share == BUDGET_DATA && b->waiting > 0)
		(void)pthread_cond_broadcast(&b->given);
	mutex_unlock(&b->mu);
}

uint64_t
budget_used(struct budget *b, enum budget_share share)
{
	uint64_t n;

	mutex_lock(&b->mu);
	n = b->used[share];
	mutex_unlock(&b->mu);
	return n;
}

uint64_t
budget_limit(const struct budget *b, enum budget_share share)
{
	return b->limit[share];
}

/* A number in a file, UINT64_MAX for "max", an absent file or nonsense. */
static uint64_t
read_limit(const char *path)
{
	char text[64] = "";
	uint64_t v = UINT64_MAX;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		return UINT64_MAX;
	if (fgets(text, sizeof(text), f) != NULL) {
		text[strcspn(text, "\n")] = '\0';
		if (!u64_parse_str(text, &v))
			v = UINT64_MAX;
	}
	(void)fclose(f);
	return v;
}

uint64_t
budget_cgroup_max(void)
{
	char line[512], path[600];
	uint64_t least = u64_min(read_limit("/sys/fs/cgroup/memory.max"),
				 read_limit("/sys/fs/cgroup/memory/memory.limit_in_bytes"));
	FILE *f = fopen("/proc/self/cgroup", "re");

	if (f == NULL)
		return least;
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "0::/", 4) != 0 || strstr(line, "..") != NULL)
			continue;
		(void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%s/memory.max", line + 4);
		least = u64_min(least, read_limit(path));
	}
	(void)fclose(f);
	return least;
}
