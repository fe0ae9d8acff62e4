/* SPDX-License-Identifier: MIT */
/*
 * Sizes of streams, for tools that want to know them before they read (stream_size=scan).  A size
 * is counted by running through the stream, and believed like a listing: attr_timeout, and four
 * times as long as counting took; who asks meanwhile waits for the one who counts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mutex.h"
#include "fs/docviewfile.h"

enum { MEASURES_MAX = 64, GRACE = 4 };

static const int64_t WAIT_STEP_NS = 200 * NS_PER_MS;

struct measure {
	struct measure *next;
	char *name;
	bool busy;     /* somebody counts */
	bool outdated; /* something was written meanwhile */
	uint64_t size;
	int64_t until_ns;
};

struct docmeasures {
	pthread_mutex_t mu; /* rank 3 */
	pthread_cond_t done;
	struct measure *first; /* newest first */
	unsigned n;
	int64_t fresh_ns;
};

int
docmeasures_new(int64_t fresh_ns, struct docmeasures **out, struct err *e)
{
	struct docmeasures *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&m->mu, NULL);
	(void)pthread_cond_init(&m->done, NULL);
	m->fresh_ns = fresh_ns;
	*out = m;
	return 0;
}

static void
drop_oldest(struct docmeasures *m)
{
	struct measure **at = &m->first;

	while ((*at)->next != NULL)
		at = &(*at)->next;
	free((*at)->name);
	free(*at);
	*at = NULL;
	m->n--;
}

void
docmeasures_free(struct docmeasures *m)
{
	if (m == NULL)
		return;
	while (m->first != NULL)
		drop_oldest(m);
	(void)pthread_cond_destroy(&m->done);
	(void)pthread_mutex_destroy(&m->mu);
	free(m);
}

static struct measure *
find_locked(struct docmeasures *m, const char *name)
{
	struct measure *x = m->first;

	while (x != NULL && strcmp(x->name, name) != 0)
		x = x->next;
	return x;
}

static struct measure *
add_locked(struct docmeasures *m, const char *name)
{
	struct measure *x = calloc(1, sizeof(*x));

	if (x == NULL || (x->name = strdup(name)) == NULL) {
		free(x);
		return NULL;
	}
	if (m->n == MEASURES_MAX)
		drop_oldest(m);
	x->next = m->first;
	m->first = x;
	m->n++;
	return x;
}

void
docmeasure_forget(struct docview *v)
{
	struct docmeasures *m = v->measures;

	mutex_lock(&m->mu);
	for (struct measure *x = m->first; x != NULL; x = x->next)
		x->outdated = true;
	mutex_unlock(&m->mu);
}

static void
wait_locked(struct docmeasures *m)
{
	struct timespec until;

	(void)clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WAIT_STEP_NS;
	if (until.tv_nsec >= NS_PER_S) {
		until.tv_sec++;
		until.tv_nsec -= NS_PER_S;
	}
	(void)pthread_cond_clockwait(&m->done, &m->mu, CLOCK_MONOTONIC, &until);
}

/* *mine: the caller counts, for all who ask meanwhile; otherwise *out is the size. */
static int
begin(struct docmeasures *m, const char *name, struct deadline d, bool *mine, uint64_t *out,
      struct err *e)
{
	struct measure *x;
	int r = 0;

	mutex_lock(&m->mu);
	while ((x = find_locked(m, name)) != NULL && x->busy && r == 0) {
		if (deadline_left_ns(d) > 0) {
			wait_locked(m);
			continue;
		}
		(void)err_set(e, ETIMEDOUT, "the stream was not counted in time");
		r = err_mark(e, "net.deadline", NULL);
	}
	*mine = r == 0 && (x == NULL || x->outdated || clock_now_ns() >= x->until_ns);
	if (*mine && x == NULL)
		x = add_locked(m, name);
	if (*mine && x != NULL) {
		x->busy = true;
		x->outdated = false;
	} else if (r == 0 && x != NULL) {
		*out = x->size;
	}
	mutex_unlock(&m->mu);
	return r;
}

/* size: NULL when counting has failed. */
static void
end(struct docmeasures *m, const char *name, const uint64_t *size, int64_t took_ns)
{
	struct measure *x;

	mutex_lock(&m->mu);
	x = find_locked(m, name);
	if (x != NULL) {
		x->busy = false;
		x->until_ns = 0;
	}
	if (x != NULL && size != NULL) {
		x->size = *size;
		x->until_ns = clock_now_ns() + m->fresh_ns + GRACE * took_ns;
	}
	(void)pthread_cond_broadcast(&m->done);
	mutex_unlock(&m->mu);
}

int
docmeasure_size(struct docview *v, struct docbox *box, const char *min, const char *max,
		struct deadline d, uint64_t *out, struct err *e)
{
	const int64_t start = clock_now_ns();
	uint64_t size = 0;
	bool mine;
	AUTO_BUF name;
	int r;

	buf_init(&name, DOCVIEW_NAME_MAX);
	r = buf_addf(&name, e, "%llu %s-%s", (unsigned long long)docbox_serial(box), min, max);
	if (r == 0)
		r = begin(v->measures, buf_str(&name), d, &mine, out, e);
	if (r < 0 || !mine)
		return r;
	r = docstream_measure(box, min, max, engine_timeout_ns(v->engine), &size, e);
	end(v->measures, buf_str(&name), r == 0 ? &size : NULL, clock_now_ns() - start);
	if (r == 0)
		*out = size;
	return r;
}
