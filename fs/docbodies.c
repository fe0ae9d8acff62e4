/* SPDX-License-Identifier: MIT */
/* Plain documents in memory: see docbodies.h. */
#include "fs/docbodies.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"
#include "base/num.h"
#include "crypto/mac.h"

enum { BUCKETS_MIN = 4096, BODY_USUAL = 1 << 10, KEEP_SHARE = 3, MALLOC_OVERHEAD = 32 };

struct docbody {
	atomic_uint refs;
	struct budget *budget;
	size_t n;
	uint8_t bytes[];
};

/* A body under its key. */
struct kept {
	uint8_t id[SHA256_LEN]; /* of the key */
	struct docbody *body;	/* a reference */
	int64_t since_ns;
	struct kept *chain;
	struct kept *newer, *older;
};

struct docbodies {
	struct budget *budget;
	uint64_t bytes_max;
	pthread_mutex_t mu; /* rank 3; guards what follows */
	struct kept **bucket;
	size_t n_buckets;
	struct kept *oldest, *newest; /* by last use */
	uint64_t bytes;
};

/* Most documents are small: what remembers a body counts as much as its bytes. */
static uint64_t
charge_for(size_t n)
{
	return sizeof(struct docbody) + sizeof(struct kept) + MALLOC_OVERHEAD + n;
}

static uint64_t
charge_of(const struct docbody *b)
{
	return charge_for(b->n);
}

struct span
docbody_bytes(const struct docbody *b)
{
	return span_of(b->bytes, b->n);
}

struct docbody *
docbody_get(struct docbody *b)
{
	(void)atomic_fetch_add(&b->refs, 1);
	return b;
}

void
docbody_put(struct docbody *b)
{
	struct budget *budget;
	uint64_t n;

	if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	budget = b->budget;
	n = charge_of(b);
	explicit_bzero(b->bytes, b->n);
	free(b);
	budget_give(budget, BUDGET_DATA, n);
}

/* ---- the table ---- */

static struct kept **
slot_locked(struct docbodies *d, const uint8_t id[static SHA256_LEN])
{
	uint32_t number;
	struct kept **at;

	memcpy(&number, id, sizeof(number));
	for (at = &d->bucket[number % d->n_buckets];
	     *at != NULL && !mac_equal((*at)->id, id, SHA256_LEN); at = &(*at)->chain)
		;
	return at;
}

static void
unlist_locked(struct docbodies *d, struct kept *k)
{
	*(k->newer != NULL ? &k->newer->older : &d->newest) = k->older;
	*(k->older != NULL ? &k->older->newer : &d->oldest) = k->newer;
}

static void
list_locked(struct docbodies *d, struct kept *k)
{
	k->older = d->newest;
	k->newer = NULL;
	*(d->newest != NULL ? &d->newest->newer : &d->oldest) = k;
	d->newest = k;
}

static void
touch_locked(struct docbodies *d, struct kept *k)
{
	unlist_locked(d, k);
	list_locked(d, k);
}

/* Off the table; the caller frees it without the lock. */
static void
take_out_locked(struct docbodies *d, struct kept *k)
{
	*slot_locked(d, k->id) = k->chain;
	unlist_locked(d, k);
	d->bytes -= charge_of(k->body);
}

static void
kept_free(struct kept *k)
{
	docbody_put(k->body);
	free(k);
}

static struct kept *
take_oldest(struct docbodies *d, uint64_t allowed)
{
	struct kept *k = NULL;

	mutex_lock(&d->mu);
	if (d->bytes > allowed && d->oldest != NULL) {
		k = d->oldest;
		take_out_locked(d, k);
	}
	mutex_unlock(&d->mu);
	return k;
}

/* The oldest that nobody else holds: nothing is won by forgetting another. */
static struct kept *
take_idle(struct docbodies *d)
{
	struct kept *k;

	mutex_lock(&d->mu);
	k = d->oldest;
	while (k != NULL && atomic_load(&k->body->refs) > 1)
		k = k->newer;
	if (k != NULL)
		take_out_locked(d, k);
	mutex_unlock(&d->mu);
	return k;
}

static uint64_t
evict(void *arg, uint64_t want)
{
	struct docbodies *d = arg;
	uint64_t given = 0;

	for (struct kept *k; given < want && (k = take_idle(d)) != NULL;) {
		given += charge_of(k->body);
		kept_free(k);
	}
	return given;
}

/* ---- life ---- */

int
docbodies_new(struct budget *budget, struct docbodies **out, struct err *e)
{
	struct docbodies *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&d->mu, NULL);
	d->budget = budget;
	d->bytes_max = budget_limit(budget, BUDGET_DATA) / KEEP_SHARE;
	d->n_buckets = (size_t)u64_max(BUCKETS_MIN, d->bytes_max / BODY_USUAL);
	d->bucket = calloc(d->n_buckets, sizeof(struct kept *)); /* touched as it fills */
	if (d->bucket == NULL) {
		(void)pthread_mutex_destroy(&d->mu);
		free(d);
		return err_set(e, ENOMEM, "out of memory");
	}
	budget_add_evictor(budget, evict, d);
	*out = d;
	return 0;
}

void
docbodies_free(struct docbodies *d)
{
	if (d == NULL)
		return;
	(void)evict(d, UINT64_MAX);
	(void)pthread_mutex_destroy(&d->mu);
	free(d->bucket);
	free(d);
}

/* ---- adding and finding ---- */

static int
make_body(struct docbodies *d, struct span bytes, bool must, struct deadline deadline,
	  struct docbody **out, struct err *e)
{
	const uint64_t n = charge_for(bytes.n);
	struct docbody *b;
	int r;

	if (must) {
		r = budget_take(d->budget, n, deadline, e);
		if (r < 0)
			return r;
	} else if (!budget_try_evict(d->budget, n)) {
		*out = NULL;
		return 0;
	}
	b = malloc(sizeof(*b) + bytes.n);
	if (b == NULL) {
		budget_give(d->budget, BUDGET_DATA, n);
		return err_set(e, ENOMEM, "out of memory");
	}
	b->refs = 1;
	b->budget = d->budget;
	b->n = bytes.n;
	if (bytes.n > 0)
		memcpy(b->bytes, bytes.p, bytes.n);
	*out = b;
	return 0;
}

/* Takes k. */
static void
keep(struct docbodies *d, struct kept *k)
{
	struct kept **at, *old;

	mutex_lock(&d->mu);
	at = slot_locked(d, k->id);
	old = *at;
	if (old != NULL)
		take_out_locked(d, old);
	at = slot_locked(d, k->id);
	*at = k;
	list_locked(d, k);
	d->bytes += charge_of(k->body);
	mutex_unlock(&d->mu);
	if (old != NULL)
		kept_free(old);
	while ((k = take_oldest(d, d->bytes_max)) != NULL)
		kept_free(k);
}

int
docbodies_add(struct docbodies *d, struct span key, struct span bytes, bool must,
	      struct deadline deadline, struct docbody **out, struct err *e)
{
	struct docbody *body = NULL;
	struct kept *k;
	int r = make_body(d, bytes, must, deadline, &body, e);

	if (r < 0 || body == NULL || key.n == 0 || charge_of(body) > d->bytes_max) {
		if (r == 0)
			*out = body;
		return r;
	}
	k = calloc(1, sizeof(*k));
	r = k == NULL ? err_set(e, ENOMEM, "out of memory") : sha256(key, k->id, e);
	if (r < 0) {
		free(k);
		docbody_put(body);
		return r;
	}
	k->body = docbody_get(body);
	k->since_ns = clock_now_ns();
	keep(d, k);
	*out = body;
	return 0;
}

struct docbody *
docbodies_find(struct docbodies *d, struct span key, int64_t *age_ns)
{
	struct err ignored = { 0 };
	uint8_t id[SHA256_LEN];
	struct docbody *body = NULL;
	struct kept *k;

	if (sha256(key, id, &ignored) < 0)
		return NULL;
	mutex_lock(&d->mu);
	k = *slot_locked(d, id);
	if (k != NULL) {
		touch_locked(d, k);
		body = docbody_get(k->body);
		if (age_ns != NULL)
			*age_ns = clock_now_ns() - k->since_ns;
	}
	mutex_unlock(&d->mu);
	return body;
}

void
docbodies_confirm(struct docbodies *d, struct span key)
{
	struct err ignored = { 0 };
	uint8_t id[SHA256_LEN];
	struct kept *k;

	if (sha256(key, id, &ignored) < 0)
		return;
	mutex_lock(&d->mu);
	k = *slot_locked(d, id);
	if (k != NULL)
		k->since_ns = clock_now_ns();
	mutex_unlock(&d->mu);
}
