/* SPDX-License-Identifier: MIT */
/* Clocks: see clock.h. */
#include "base/clock.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#include "base/mutex.h"

static const struct clock_ops *_Atomic replaced;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t stopping = PTHREAD_COND_INITIALIZER;
static atomic_bool stopped;

static int64_t
read_clock(clockid_t id)
{
	struct timespec t;

	(void)clock_gettime(id, &t);
	return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

int64_t
clock_now_ns(void)
{
	const struct clock_ops *ops = atomic_load(&replaced);

	return ops != NULL ? ops->now_ns() : read_clock(CLOCK_BOOTTIME);
}

int64_t
clock_wall_s(void)
{
	const struct clock_ops *ops = atomic_load(&replaced);

	return ops != NULL ? ops->wall_s() : read_clock(CLOCK_REALTIME) / NS_PER_S;
}

static void
real_sleep(int64_t ns)
{
	const int64_t end = read_clock(CLOCK_MONOTONIC) +
			    ns; /* a wall clock that is set must not matter */
	const struct timespec until = { (time_t)(end / NS_PER_S), (long)(end % NS_PER_S) };

	mutex_lock(&lock);
	while (!atomic_load(&stopped))
		if (pthread_cond_clockwait(&stopping, &lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
	mutex_unlock(&lock);
}

void
clock_sleep_ns(int64_t ns)
{
	const struct clock_ops *ops = atomic_load(&replaced);

	if (ns <= 0)
		return;
	if (ops != NULL)
		ops->sleep_ns(ns);
	else
		real_sleep(ns);
}

void
clock_stop(void)
{
	mutex_lock(&lock);
	atomic_store(&stopped, true);
	(void)pthread_cond_broadcast(&stopping);
	mutex_unlock(&lock);
}

bool
clock_stopped(void)
{
	return atomic_load(&stopped);
}

void
clock_replace(const struct clock_ops *ops)
{
	atomic_store(&replaced, ops);
}
