/* SPDX-License-Identifier: MIT */
/* V1 failure budget: see v1guard.h. */
#include "fs/v1guard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mutex.h"

enum { SUSPECTS_MAX = 4096 };
static const int64_t hour_ns = 3600 * NS_PER_S;

struct suspect {
	struct suspect *next;
	int64_t first_ns;
	unsigned failures, running;
	char name[];
};

struct v1guard {
	pthread_mutex_t mu;
	pthread_cond_t ended; /* an attempt has */
	struct suspect
		*suspects; /* guarded by mu; short: names that have failed or are being tried */
	unsigned n;
};

int
v1guard_new(struct v1guard **out, struct err *e)
{
	struct v1guard *g = calloc(1, sizeof(*g));

	if (g == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&g->mu, NULL);
	(void)pthread_cond_init(&g->ended, NULL);
	*out = g;
	return 0;
}

void
v1guard_free(struct v1guard *g)
{
	if (g == NULL)
		return;
	while (g->suspects != NULL) {
		struct suspect *s = g->suspects;

		g->suspects = s->next;
		free(s);
	}
	(void)pthread_cond_destroy(&g->ended);
	(void)pthread_mutex_destroy(&g->mu);
	free(g);
}

static struct suspect **
find_locked(struct v1guard *g, const char *name)
{
	struct suspect **at = &g->suspects;

	while (*at != NULL && strcmp((*at)->name, name) != 0)
		at = &(*at)->next;
	return at;
}

static struct suspect *
add_locked(struct v1guard *g, const char *name)
{
	struct suspect *s;

	if (g->n >=
	    SUSPECTS_MAX) /* too many to remember: the budget must not be a way around itself */
		return NULL;
	s = calloc(1, sizeof(*s) + strlen(name) + 1);
	if (s == NULL)
		return NULL;
	memcpy(s->name, name, strlen(name) + 1);
	s->first_ns = clock_now_ns();
	s->next = g->suspects;
	g->suspects = s;
	g->n++;
	return s;
}

/* The name's suspect, when it may be tried as far as its failures go. */
static struct suspect *
suspect_locked(struct v1guard *g, const char *name)
{
	struct suspect *s = *find_locked(g, name);

	if (s == NULL)
		s = add_locked(g, name);
	if (s == NULL || s->failures >= V1_FAILURES_MAX)
		return NULL;
	if (clock_now_ns() - s->first_ns > hour_ns) {
		s->first_ns = clock_now_ns();
		s->failures = 0;
	}
	return s;
}

/*
 * While so many run that their failures would spend the budget, others wait: each takes
 * microseconds.
 */
static bool
admit_locked(struct v1guard *g, const char *name)
{
	struct suspect *s;

	while ((s = suspect_locked(g, name)) != NULL && s->failures + s->running >= V1_FAILURES_MAX)
		(void)pthread_cond_wait(&g->ended, &g->mu);
	if (s == NULL)
		return false;
	s->running++;
	return true;
}

int
v1guard_begin(struct v1guard *g, const char *name, struct err *e)
{
	bool admitted;

	mutex_lock(&g->mu);
	admitted = admit_locked(g, name);
	mutex_unlock(&g->mu);
	if (admitted)
		return 0;
	(void)err_set(e, EACCES, "this V1 blob has failed to decrypt too often");
	return err_mark(e, "policy.v1_quarantine",
			"unmount and mount again once the blob is known to be sound");
}

void
v1guard_end(struct v1guard *g, const char *name, bool failed)
{
	struct suspect **at, *s;

	mutex_lock(&g->mu);
	at = find_locked(g, name);
	s = *at;
	s->running--;
	if (failed)
		s->failures++;
	(void)pthread_cond_broadcast(&g->ended);
	if (s->running == 0 && s->failures == 0) {
		*at = s->next;
		g->n--;
		free(s);
	}
	mutex_unlock(&g->mu);
}
