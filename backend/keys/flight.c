/* SPDX-License-Identifier: MIT */
/* One question, many who wait: see flight.h. */
#include "backend/keys/flight.h"

#include <errno.h>
#include <time.h>

/*
 * Waiting goes in steps: a condition variable cannot wait on the clock of deadlines, which counts
 * suspended time.
 */
static const int64_t WAIT_STEP_NS = 200 * NS_PER_MS;

static struct timespec
step_end(int64_t left_ns)
{
	struct timespec ts;
	int64_t step = left_ns < WAIT_STEP_NS ? left_ns : WAIT_STEP_NS;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	step += ts.tv_nsec;
	ts.tv_sec += step / NS_PER_S;
	ts.tv_nsec = step % NS_PER_S;
	return ts;
}

/* Failures of one caller's time or connection: the next one may do better. */
static bool
is_own_failure(int no)
{
	return no == ETIMEDOUT || no == ECANCELED || no == EIO;
}

void
flight_init(struct flight *f)
{
	pthread_condattr_t attr;

	*f = (struct flight){ 0 };
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&f->landed, &attr);
	(void)pthread_condattr_destroy(&attr);
}

void
flight_destroy(struct flight *f)
{
	(void)pthread_cond_destroy(&f->landed);
}

void
flight_land_locked(struct flight *f, const struct err *failure)
{
	f->failure = *failure;
	f->done = true;
	(void)pthread_cond_broadcast(&f->landed);
}

int
flight_wait_locked(struct flight *f, pthread_mutex_t *mu, struct deadline d, bool *again,
		   struct err *e)
{
	int64_t left = deadline_left_ns(d);

	*again = false;
	while (!f->done && left > 0) {
		struct timespec until = step_end(left);

		(void)pthread_cond_timedwait(&f->landed, mu, &until);
		left = deadline_left_ns(d);
	}
	if (!f->done) {
		(void)err_set(e, ETIMEDOUT, "the key did not come in time");
		return err_mark(e, "net.deadline", NULL);
	}
	if (f->failure.no == 0)
		return 0;
	*again = left > 0 && is_own_failure(f->failure.no);
	*e = f->failure;
	return -e->no;
}

bool
flight_is_verdict(int no)
{
	return no == EACCES || no == ENOKEY || no == EBADMSG;
}
