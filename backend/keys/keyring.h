/* SPDX-License-Identifier: MIT */
/*
 * The keyring: unwrapped keys, each asked for once: the content keys of blobs, and the
 * data-encryption keys (DEKs) of Cosmos databases.
 *
 * An entry is (key id, algorithm, protocol or "DEK", wrapped bytes).  The first caller unwraps
 * through the provider that claims the key id; everybody else who wants the same entry waits for
 * that one answer (single-flight), without a lock.  Keys stay for the TTL, failures for 30 s (not:
 * timeouts and network failures).  Bounded: the least recently used entries go first.
 *
 * States of an entry: loading -> ready | failed; ready and failed expire by age.  An entry that is
 * handed out is reference counted: eviction and expiry only take it off the map.
 */
#ifndef BACKEND_KEYS_KEYRING_H
#define BACKEND_KEYS_KEYRING_H

#include <stdint.h>

#include "backend/keys/provider.h"
#include "crypto/cek.h"

struct keyring; /* opaque */

struct keyring_config {
	int64_t ttl_ns;		/* 0 = do not keep keys */
	int64_t failure_ttl_ns; /* 30 s unless a test says otherwise; 0 = 30 s */
	unsigned max_entries;	/* 0 = 16,384 */
	unsigned algs; /* bit (1 << enum wrap_alg) for each allowed algorithm; 0 = all known */
};

/*
 * Takes ownership of the providers (also on failure).  They are asked in order: the first that
 * claims a key id serves it.
 */
int keyring_new_take(const struct keyring_config *cfg, struct provider **providers, unsigned n,
		     struct keyring **out, struct err *e) MUST_CHECK;
void keyring_free(struct keyring *k);

/* A content key in locked memory, wiped with the last reference. */
struct key_ref;
const struct cek *key_ref_cek(const struct key_ref *r); /* of a DEK too: 32 bytes */
struct key_ref *key_ref_get(struct key_ref *r);
void key_ref_put(struct key_ref *r);

/*
 * The content key of an envelope; the caller puts the reference.  Blocks up to the deadline.
 *
 *  - -EACCES: no entry of the allow-list and no local key covers the key id (event "policy.kek",
 *    nothing was contacted; the advice names vault= and keys=), the algorithm is not allowed (event
 *    "policy.kek_alg"), or the vault refuses (event "auth.vault")
 *  - -ENOKEY: missing, disabled (events "key.missing", "key.disabled")
 *  - -EBADMSG: what comes back is not the content key of such a blob (event "integrity.cek")
 *  - -ETIMEDOUT, -EIO, -ECANCELED
 *
 * e->key is the key id.
 */
int keyring_cek(struct keyring *k, const struct envelope *env, struct deadline d,
		struct key_ref **out, struct err *e) MUST_CHECK;

/* Whether the entry is ready now: no unwrap would be needed. */
bool keyring_has(struct keyring *k, const struct envelope *env);

/*
 * A DEK: exactly 32 bytes, wrapped with RSA-OAEP.  Errors as keyring_cek.  While it is cached the
 * same reference is handed out.
 */
int keyring_dek(struct keyring *k, const char *kid, struct span wrapped, struct deadline d,
		struct key_ref **out, struct err *e) MUST_CHECK;

/*
 * Wraps a content key for protocol p under the KEK kid, with alg (0: RSA-OAEP, or AnnnKW of the
 * key's size).  Fills out->protocol, kid (the versioned one), alg and wrapped; region_len is the
 * caller's, who clears it.  The key is remembered as if it had been unwrapped: reading back what
 * was just written asks nobody.  *out_ref: the same key, for the caller to put; NULL = not wanted.
 * Errors as keyring_cek; e->key is the key id.
 */
int keyring_wrap(struct keyring *k, const char *kid, enum wrap_alg alg, enum protocol p,
		 const struct cek *cek, struct deadline d, struct envelope *out,
		 struct key_ref **out_ref, struct err *e) MUST_CHECK;

struct keyring_stats {
	uint64_t hits, unwraps, failures, waited;
};
void keyring_stats(struct keyring *k, struct keyring_stats *out);

#endif
