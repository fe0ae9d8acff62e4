/* SPDX-License-Identifier: MIT */
/* Blocks on their way: see blobsend.h. */
#include "fs/blobsend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/mutex.h"
#include "fs/spans.h"

enum { IN_FLIGHT_MAX = 4 };

/* A condition variable cannot wait on the clock of deadlines, which counts suspended time. */
static const int64_t WAIT_STEP_NS = 200 * NS_PER_MS;

struct blobsend {
	struct engine *g;
	struct store *store;
	char *name;
	struct store_upload upload;
	uint32_t n_blocks; /* the filler's, with bytes */
	uint64_t bytes;

	pthread_mutex_t mu; /* rank 3; guards what follows */
	pthread_cond_t sent;
	unsigned refs; /* the filler, and each block that is on its way */
	unsigned in_flight;
	bool given_up, committed;
	struct err failure;
};

/* ---- memory ---- */

static void
block_free(struct sealed_block *b)
{
	spanmem_give(spans_memory(engine_spans(b->to->g)), &b->mem);
	free(b);
}

static void
send_free(struct blobsend *s)
{
	if (!s->committed && s->n_blocks > 0)
		store_abandon_blocks(s->store, s->name, &s->upload);
	(void)pthread_cond_destroy(&s->sent);
	(void)pthread_mutex_destroy(&s->mu);
	free(s->name);
	free(s);
}

static void
send_put(struct blobsend *s)
{
	bool last;

	mutex_lock(&s->mu);
	last = --s->refs == 0;
	mutex_unlock(&s->mu);
	if (last)
		send_free(s);
}

int
blobsend_new(struct engine *g, struct store *store, const char *name, struct blobsend **out,
	     struct err *e)
{
	struct blobsend *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int r;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->g = g;
	s->store = store;
	s->refs = 1;
	s->name = strdup(name);
	(void)pthread_mutex_init(&s->mu, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&s->sent, &attr);
	(void)pthread_condattr_destroy(&attr);
	r = s->name != NULL ? store_upload_init(&s->upload, e)
			    : err_set(e, ENOMEM, "out of memory");
	if (r < 0) {
		send_free(s);
		return r;
	}
	*out = s;
	return 0;
}

/* The memory of a block comes from where plaintext of readers lies: it was touched before. */
static int
take_memory(struct blobsend *s, size_t room, bool wait, struct deadline d, struct span_block *out,
	    struct err *e)
{
	return spanmem_take(spans_memory(engine_spans(s->g)), room,
			    wait ? SPANMEM_WAIT : SPANMEM_NOW, d, out, e);
}

/* ---- waiting ---- */

static void
wait_step_locked(struct blobsend *s, int64_t left_ns)
{
	const int64_t step = left_ns < WAIT_STEP_NS ? left_ns : WAIT_STEP_NS;
	struct timespec ts;
	int64_t ns;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	ns = ts.tv_nsec + step;
	ts.tv_sec += ns / NS_PER_S;
	ts.tv_nsec = ns % NS_PER_S;
	(void)pthread_cond_timedwait(&s->sent, &s->mu, &ts);
}

/* Until at most max blocks are on their way. */
static int
await_sent(struct blobsend *s, unsigned max, struct deadline d, struct err *e)
{
	int r = 0;

	mutex_lock(&s->mu);
	while (s->in_flight > max && s->failure.no == 0 && deadline_left_ns(d) > 0)
		wait_step_locked(s, deadline_left_ns(d));
	if (s->failure.no != 0) {
		*e = s->failure;
		r = -e->no;
	} else if (s->in_flight > max) {
		(void)err_set(e, ETIMEDOUT, "blocks were not sent in time");
		r = err_mark(e, "net.deadline", NULL);
	}
	mutex_unlock(&s->mu);
	return r;
}

int
blobsend_block(struct blobsend *s, size_t room, struct deadline d, struct sealed_block **out,
	       struct err *e)
{
	struct sealed_block *b = calloc(1, sizeof(*b));
	int r = -EAGAIN;

	if (b == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned max = IN_FLIGHT_MAX; r == -EAGAIN && max-- > 0;) {
		err_clear(e);
		r = await_sent(s, max, d, e);
		if (r == 0) /* nothing of ours is on its way: others have the memory */
			r = take_memory(s, room, max == 0, d, &b->mem, e);
	}
	if (r < 0) {
		free(b);
		return r;
	}
	b->to = s;
	b->p = b->mem.p;
	b->room = room;
	*out = b;
	return 0;
}

int
blobsend_wait(struct blobsend *s, struct deadline d, struct err *e)
{
	return await_sent(s, 0, d, e);
}

/* ---- sending ---- */

static void
note_sent(struct blobsend *s, const struct err *e)
{
	mutex_lock(&s->mu);
	s->in_flight--;
	if (e->no != 0 && s->failure.no == 0)
		s->failure = *e;
	(void)pthread_cond_broadcast(&s->sent);
	mutex_unlock(&s->mu);
}

static void
run_send(struct pool_job *job)
{
	struct sealed_block *b = (struct sealed_block *)(void *)job;
	struct blobsend *s = b->to;
	const struct store_block block = { b->number, b->off, { b->p, b->n } };
	struct err e = { 0 };
	bool wanted;

	mutex_lock(&s->mu);
	wanted = !s->given_up && s->failure.no == 0;
	mutex_unlock(&s->mu);
	if (wanted && store_put_block(s->store, s->name, &s->upload, &block,
				      deadline_in(engine_publish_ns(s->g)), &e) < 0)
		log_event(LOG_LEVEL_DEBUG, "write.block", "block %u of '%s' was not sent: %s",
			  b->number, s->name, e.text);
	block_free(b);
	note_sent(s, &e);
	send_put(s);
}

void
blobsend_submit(struct sealed_block *b)
{
	struct blobsend *s = b->to;

	b->number = s->n_blocks++;
	b->off = s->bytes;
	s->bytes += b->n;
	mutex_lock(&s->mu);
	s->in_flight++;
	s->refs++;
	mutex_unlock(&s->mu);
	b->job.run = run_send;
	engine_submit(s->g, LANE_SEND, &b->job);
}

void
blobsend_drop(struct sealed_block *b)
{
	if (b != NULL)
		block_free(b);
}

/* ---- what was sent ---- */

uint32_t
blobsend_blocks(const struct blobsend *s)
{
	return s->n_blocks;
}

uint64_t
blobsend_bytes(const struct blobsend *s)
{
	return s->bytes;
}

const struct store_upload *
blobsend_upload(const struct blobsend *s)
{
	return &s->upload;
}

void
blobsend_end(struct blobsend *s, bool committed)
{
	if (s == NULL)
		return;
	mutex_lock(&s->mu);
	s->given_up = true;
	s->committed = committed;
	mutex_unlock(&s->mu);
	send_put(s);
}
