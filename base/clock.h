/* SPDX-License-Identifier: MIT */
/*
 * Time.  Deadlines and ages use a clock that goes on during suspend and never
 * jumps; wall time is for signatures and logs only.  Tests may replace both.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define NS_PER_S  INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

/* Nanoseconds on CLOCK_BOOTTIME. */
int64_t clock_now_ns(void);

/* Seconds since 1970 on the wall clock. */
int64_t clock_wall_s(void);

/* Sleeps up to ns; returns early only when the program stops (clock_stop). */
void clock_sleep_ns(int64_t ns);

/* Wakes every sleeper, now and from now on: the program ends. */
void clock_stop(void);
bool clock_stopped(void);

/* Replaces the clocks and the sleep of this process; NULL restores the real ones.  For tests. */
struct clock_ops {
	int64_t (*now_ns)(void);
	int64_t (*wall_s)(void);
	void (*sleep_ns)(int64_t ns);
};
void clock_replace(const struct clock_ops *ops);

/* When an operation must have ended, on clock_now_ns; 0 = never. */
struct deadline {
	int64_t at_ns;
};

static inline struct deadline
deadline_in(int64_t ns)
{
	return (struct deadline){ clock_now_ns() + ns };
}

/* Nanoseconds left: 0 when past, INT64_MAX when there is no deadline. */
static inline int64_t
deadline_left_ns(struct deadline d)
{
	int64_t left;

	if (d.at_ns == 0)
		return INT64_MAX;
	left = d.at_ns - clock_now_ns();
	return left > 0 ? left : 0;
}

#endif
