/* SPDX-License-Identifier: MIT */
/*
 * A store in memory for the span cache's tests: blobs sealed by tests/support/sealer.c, and
 * faults that a test asks for.  It keeps the contract of backend/store/store.h.  One store a
 * program; for a single translation unit.
 */
#ifndef TESTS_UNIT_FS_FAKESTORE_H
#define TESTS_UNIT_FS_FAKESTORE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/keys/keycache.h"
#include "backend/store/store.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "crypto/order.h"
#include "fs/spans.h"
#include "tests/support/sealer.h"

enum { FAKE_BLOBS_MAX = 16, FAKE_PIECE = 70001 };

static const uint8_t fake_key[32] = "thirty-two bytes of a test's key";

struct fake_blob {
	char name[32];
	uint64_t region_len;
	size_t n_plain, n_stored;
	uint8_t *plain, *stored;
	atomic_uint gets;
};

struct fake_store {
	struct store base;
	struct fake_blob blob[FAKE_BLOBS_MAX];
	unsigned n;
	/* --- what goes wrong --- */
	atomic_uint percent;	 /* of the requests fail at random, in one of several ways */
	atomic_uint fail_next;	 /* so many requests fail with EIO */
	atomic_bool closed_gate; /* requests wait while it is closed */
	atomic_uint at_gate;
	atomic_uint far_us; /* microseconds before an answer begins */
	int64_t grown;	    /* bytes that the service adds to the size it tells */
	/* --- its own --- */
	pthread_mutex_t mu;
	pthread_cond_t gate;
	_Atomic uint64_t dice;
};

static struct fake_store *
fake_of(struct store *s)
{
	return (struct fake_store *)(void *)s;
}

static uint64_t
fake_roll(struct fake_store *f)
{
	uint64_t x = atomic_fetch_add(&f->dice, UINT64_C(0x9e3779b97f4a7c15));

	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

static struct fake_blob *
fake_find(struct fake_store *f, const char *name)
{
	for (unsigned i = 0; i < f->n; i++)
		if (strcmp(f->blob[i].name, name) == 0)
			return &f->blob[i];
	return NULL;
}

static void
fake_pass_gate(struct fake_store *f)
{
	if (atomic_load(&f->far_us) > 0)
		usleep(atomic_load(&f->far_us));
	mutex_lock(&f->mu);
	atomic_fetch_add(&f->at_gate, 1);
	while (atomic_load(&f->closed_gate))
		(void)pthread_cond_wait(&f->gate, &f->mu);
	atomic_fetch_sub(&f->at_gate, 1);
	mutex_unlock(&f->mu);
}

static inline void
fake_set_gate(struct fake_store *f, bool closed)
{
	mutex_lock(&f->mu);
	atomic_store(&f->closed_gate, closed);
	(void)pthread_cond_broadcast(&f->gate);
	mutex_unlock(&f->mu);
}

/* Sends stop bytes of the range, in uneven pieces. */
static int
fake_send(const struct fake_blob *b, const struct store_get *get, struct store_get_sink sink,
	  const struct store_entry *entry, uint64_t stop, struct err *e)
{
	int r = sink.begin != NULL ? sink.begin(sink.arg, entry, e) : 0;

	for (uint64_t at = 0, n; r == 0 && at < stop; at += n) {
		n = stop - at < FAKE_PIECE ? stop - at : FAKE_PIECE;
		r = sink.data(sink.arg, span_of(b->stored + get->off + at, (size_t)n), e);
	}
	return r;
}

static int
fake_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	 struct deadline d, struct err *e)
{
	struct fake_store *f = fake_of(s);
	struct fake_blob *b = fake_find(f, get->name);
	const struct store_entry entry = { .name = span_str(get->name),
					   .etag = "v1",
					   .content_type = "",
					   .size = b->n_stored + (uint64_t)f->grown };
	const uint64_t dice = fake_roll(f), len = get->len != 0 ? get->len : b->n_stored;
	int r;

	(void)d;
	atomic_fetch_add(&b->gets, 1);
	fake_pass_gate(f);
	for (unsigned left = atomic_load(&f->fail_next); left > 0;)
		if (atomic_compare_exchange_weak(&f->fail_next, &left, left - 1))
			return err_set(e, EIO, "a fault that was asked for");
	*out_same = false;
	if (dice % 100 >= atomic_load(&f->percent))
		return fake_send(b, get, sink, &entry, len, e);
	switch (dice / 100 % 4) {
	case 0:
		return err_set(e, EIO, "a fault before the first byte");
	case 1: /* in the middle */
		r = fake_send(b, get, sink, &entry, len / 2, e);
		return r < 0 ? r : err_set(e, EIO, "a fault in the middle");
	case 2: /* cut once, then tried again by the client */
		r = fake_send(b, get, sink, &entry, len - 1, e);
		return r < 0 ? r : fake_send(b, get, sink, &entry, len, e);
	default:
		return err_set(e, ETIMEDOUT, "a fault: too late");
	}
}

static const struct store_ops fake_ops = { .name = "fake", .get = fake_get };

static void
fake_init(struct fake_store *f)
{
	memset(f, 0, sizeof(*f));
	f->base.ops = &fake_ops;
	(void)pthread_mutex_init(&f->mu, NULL);
	(void)pthread_cond_init(&f->gate, NULL);
}

static void
fake_clear(struct fake_store *f)
{
	for (unsigned i = 0; i < f->n; i++) {
		free(f->blob[i].plain);
		free(f->blob[i].stored);
	}
	(void)pthread_mutex_destroy(&f->mu);
	(void)pthread_cond_destroy(&f->gate);
}

/* A blob of n_plain bytes, sealed; its name is its number. */
static struct fake_blob *
fake_add(struct fake_store *f, uint64_t region_len, size_t n_plain)
{
	struct fake_blob *b = &f->blob[f->n];
	uint8_t *to;

	(void)snprintf(b->name, sizeof(b->name), "%u", f->n++);
	b->region_len = region_len;
	b->n_plain = n_plain;
	b->n_stored = n_plain +
		      (n_plain / region_len + (n_plain % region_len != 0)) * REGION_OVERHEAD;
	b->plain = malloc(n_plain + 1);
	to = b->stored = malloc(b->n_stored + 1);
	if (b->plain == NULL || to == NULL)
		abort();
	sealer_pattern(b->plain, n_plain, f->n);
	for (uint64_t i = 0; i * region_len < n_plain; i++) {
		const uint64_t left = n_plain - i * region_len;
		const size_t n = (size_t)(left < region_len ? left : region_len);
		uint8_t nonce[REGION_NONCE_LEN];

		nonce_make(NONCE_PYTHON, i, nonce);
		sealer_region(fake_key, nonce, b->plain + i * region_len, n, to);
		to += n + REGION_OVERHEAD;
	}
	return b;
}

static struct key_ref *
fake_key_ref(void)
{
	struct key_ref *k = secret_alloc(sizeof(*k));

	if (k == NULL)
		abort();
	atomic_init(&k->refs, 1);
	memcpy(k->cek.k, fake_key, sizeof(fake_key));
	return k;
}

/* The blob as one version that somebody has open; fake_close ends both. */
static struct version *
fake_open(struct spans *s, struct fake_store *f, const struct fake_blob *b)
{
	const struct envelope env = { .protocol = PROTOCOL_V2_1,
				      .region_len = b->region_len,
				      .kid = (char[]){ "test" } };
	struct version_info info = {
		.store = &f->base, .name = b->name, .etag = "v1", .env = &env
	};
	struct key_ref *key = fake_key_ref();
	struct version *v;
	struct err e = { 0 };

	if (layout_init(&info.layout, &env, b->n_stored, false, UINT64_MAX, &e) < 0 ||
	    version_get(s, &info, &v, &e) < 0)
		abort();
	version_open(v, key);
	key_ref_put(key);
	return v;
}

static void
fake_close(struct version *v)
{
	version_close(v);
	version_put(v);
}

#endif
