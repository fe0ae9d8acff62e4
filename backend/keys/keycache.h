/* SPDX-License-Identifier: MIT */
/*
 * The keyring's memory: entries by identity, by last use and by age, and the
 * counted references to keys.  Knows nothing of providers, waiting or locks: the keyring holds
 * its lock around every call here, except those on key references.
 */
#ifndef BACKEND_KEYS_KEYCACHE_H
#define BACKEND_KEYS_KEYCACHE_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"
#include "crypto/cek.h"
#include "crypto/mac.h"

struct unwrapping;

/* Lives in secret_alloc memory; counted by key_ref_get and key_ref_put of keyring.h. */
struct key_ref {
	atomic_uint refs;
	struct cek cek;
};

enum keycache_state { KEYCACHE_LOADING, KEYCACHE_READY, KEYCACHE_FAILED, KEYCACHE_N_STATES };

struct keycache_entry {
	uint8_t id[SHA256_LEN];
	enum keycache_state state;
	int64_t since_ns;	   /* READY, FAILED: when it became so */
	struct unwrapping *flight; /* LOADING: the keyring's, borrowed */
	struct key_ref *key;	   /* READY */
	struct err *failure;	   /* FAILED */
	LIST_ENTRY(keycache_entry) in_bucket;
	TAILQ_ENTRY(keycache_entry) by_use; /* READY, FAILED */
	TAILQ_ENTRY(keycache_entry) by_age; /* READY, FAILED */
};

LIST_HEAD(keycache_bucket, keycache_entry);
TAILQ_HEAD(keycache_queue, keycache_entry);

struct keycache {
	int64_t ttl_ns[KEYCACHE_N_STATES]; /* READY, FAILED; 0 = such results are not kept */
	unsigned max_entries;
	unsigned n_entries;
	struct keycache_bucket *buckets;
	size_t n_buckets;	   /* a power of two */
	struct keycache_queue use; /* most recently used first; never a LOADING one */
	/* Oldest first: what expires next is in front. */
	struct keycache_queue age[KEYCACHE_N_STATES];
};

/* ttl_ns is the caller's to set. */
int keycache_init(struct keycache *c, unsigned max_entries, struct err *e) MUST_CHECK;
/* No entry may be LOADING. */
void keycache_clear(struct keycache *c);

/* Wipes what is too old. */
void keycache_expire(struct keycache *c);
/* NULL when there is none. */
struct keycache_entry *keycache_find(struct keycache *c, const uint8_t id[static SHA256_LEN]);
/*
 * A new LOADING entry; the least recently used ones go when the cache is full.  LOADING ones never
 * go: while more callers than max_entries wait, there are more entries.  NULL: no memory.
 */
struct keycache_entry *keycache_insert(struct keycache *c, const uint8_t id[static SHA256_LEN]);
void keycache_touch(struct keycache *c, struct keycache_entry *en);

/* A LOADING entry ends: with a key (one reference more), a failure (copied), or without a trace. */
void keycache_keep_key(struct keycache *c, struct keycache_entry *en, struct key_ref *key);
void keycache_keep_failure(struct keycache *c, struct keycache_entry *en,
			   const struct err *failure);
void keycache_remove(struct keycache *c, struct keycache_entry *en);

/*
 * A first reference for the key; when locked memory is short, keys not used for long make room.
 * NULL: none left.
 */
struct key_ref *keycache_new_ref(struct keycache *c, const struct cek *cek);

#endif
