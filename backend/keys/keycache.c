/* SPDX-License-Identifier: MIT */
/* The keyring's memory: see keycache.h. */
#include "backend/keys/keycache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/keys/keyring.h"
#include "base/clock.h"
#include "base/secret.h"

static struct keycache_bucket *
bucket_of(struct keycache *c, const uint8_t id[static SHA256_LEN])
{
	size_t at;

	memcpy(&at, id, sizeof(at));
	return &c->buckets[at & (c->n_buckets - 1)];
}

static size_t
bucket_count(unsigned max_entries)
{
	size_t n = 64;

	while (n < max_entries / 4)
		n *= 2;
	return n;
}

static void
settle(struct keycache *c, struct keycache_entry *en, enum keycache_state state)
{
	assert(en->state == KEYCACHE_LOADING);
	en->state = state;
	en->flight = NULL;
	en->since_ns = clock_now_ns();
	TAILQ_INSERT_HEAD(&c->use, en, by_use);
	TAILQ_INSERT_TAIL(&c->age[state], en, by_age);
}

static bool
evict_one(struct keycache *c)
{
	struct keycache_entry *en = TAILQ_LAST(&c->use, keycache_queue);

	if (en == NULL)
		return false;
	keycache_remove(c, en);
	return true;
}

static void
expire_state(struct keycache *c, enum keycache_state state)
{
	int64_t now = clock_now_ns();
	struct keycache_entry *en;

	while ((en = TAILQ_FIRST(&c->age[state])) != NULL && now - en->since_ns >= c->ttl_ns[state])
		keycache_remove(c, en);
}

static struct key_ref *
new_ref(const struct cek *cek)
{
	struct key_ref *r = secret_alloc(sizeof(*r));

	if (r == NULL)
		return NULL;
	atomic_init(&r->refs, 1);
	r->cek = *cek;
	return r;
}

int
keycache_init(struct keycache *c, unsigned max_entries, struct err *e)
{
	*c = (struct keycache){ .max_entries = max_entries,
				.n_buckets = bucket_count(max_entries) };
	TAILQ_INIT(&c->use);
	for (unsigned s = 0; s < KEYCACHE_N_STATES; s++)
		TAILQ_INIT(&c->age[s]);
	c->buckets = calloc(c->n_buckets, sizeof(*c->buckets));
	if (c->buckets == NULL)
		return err_set(e, ENOMEM, "no memory for the keyring");
	return 0;
}

void
keycache_clear(struct keycache *c)
{
	while (evict_one(c))
		;
	assert(c->n_entries == 0); /* nobody may still be unwrapping */
	free(c->buckets);
	c->buckets = NULL;
}

void
keycache_expire(struct keycache *c)
{
	expire_state(c, KEYCACHE_READY);
	expire_state(c, KEYCACHE_FAILED);
}

struct keycache_entry *
keycache_find(struct keycache *c, const uint8_t id[static SHA256_LEN])
{
	struct keycache_entry *en;

	LIST_FOREACH(en, bucket_of(c, id), in_bucket)
	if (mac_equal(en->id, id, SHA256_LEN))
		return en;
	return NULL;
}

struct keycache_entry *
keycache_insert(struct keycache *c, const uint8_t id[static SHA256_LEN])
{
	struct keycache_entry *en = calloc(1, sizeof(*en));

	if (en == NULL)
		return NULL;
	while (c->n_entries >= c->max_entries && evict_one(c))
		;
	memcpy(en->id, id, SHA256_LEN);
	LIST_INSERT_HEAD(bucket_of(c, id), en, in_bucket);
	c->n_entries++;
	return en;
}

void
keycache_touch(struct keycache *c, struct keycache_entry *en)
{
	TAILQ_REMOVE(&c->use, en, by_use);
	TAILQ_INSERT_HEAD(&c->use, en, by_use);
}

void
keycache_keep_key(struct keycache *c, struct keycache_entry *en, struct key_ref *key)
{
	if (c->ttl_ns[KEYCACHE_READY] <= 0) {
		keycache_remove(c, en);
		return;
	}
	en->key = key_ref_get(key);
	settle(c, en, KEYCACHE_READY);
}

void
keycache_keep_failure(struct keycache *c, struct keycache_entry *en, const struct err *failure)
{
	en->failure = malloc(sizeof(*en->failure));
	if (en->failure == NULL) {
		keycache_remove(c, en);
		return;
	}
	*en->failure = *failure;
	settle(c, en, KEYCACHE_FAILED);
}

void
keycache_remove(struct keycache *c, struct keycache_entry *en)
{
	if (en->state != KEYCACHE_LOADING) {
		TAILQ_REMOVE(&c->use, en, by_use);
		TAILQ_REMOVE(&c->age[en->state], en, by_age);
	}
	LIST_REMOVE(en, in_bucket);
	c->n_entries--;
	key_ref_put(en->key);
	free(en->failure);
	free(en);
}

struct key_ref *
keycache_new_ref(struct keycache *c, const struct cek *cek)
{
	struct key_ref *r = new_ref(cek);

	while (r == NULL && evict_one(c))
		r = new_ref(cek);
	return r;
}

const struct cek *
key_ref_cek(const struct key_ref *r)
{
	return &r->cek;
}

struct key_ref *
key_ref_get(struct key_ref *r)
{
	(void)atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
	return r;
}

void
key_ref_put(struct key_ref *r)
{
	if (r == NULL || atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
		return;
	cek_wipe(&r->cek);
	secret_free(r, sizeof(*r));
}
