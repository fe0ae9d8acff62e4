/* SPDX-License-Identifier: MIT */
/*
 * The keyring: see keyring.h.
 *
 * One lock guards the map, its lists and the flights; it is never held across
 * a provider's call.  A flight (flight.h) is one unwrap that is under way.  It
 * outlives its entry, so that an answer nobody keeps (a TTL of 0, a
 * timeout) still reaches those who waited for it.
 *
 * Expired keys are wiped at the next call of any kind, not by a thread.
 */
#include "backend/keys/keyring.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/keys/flight.h"
#include "backend/keys/keycache.h"
#include "backend/keys/wanted.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "crypto/mac.h"

enum { MAX_ENTRIES = 16384 };

static const int64_t FAILURE_TTL_NS = 30 * NS_PER_S;

/* An unwrap that is under way. */
struct unwrapping {
	struct flight flight;
	unsigned refs;	     /* guarded by mu, as is all of it */
	struct key_ref *key; /* what came of it; NULL: see flight.failure */
};

struct keyring {
	unsigned algs;
	struct provider **providers;
	unsigned n_providers;

	pthread_mutex_t mu; /* guards what follows */
	struct keycache cache;
	struct keyring_stats stats;
};

/* ---- flights ---- */

static struct unwrapping *
unwrapping_new(struct err *e)
{
	struct unwrapping *u = calloc(1, sizeof(*u));

	if (u == NULL) {
		(void)err_set(e, ENOMEM, "no memory for an unwrap");
		return NULL;
	}
	u->refs = 1;
	flight_init(&u->flight);
	return u;
}

static void
unwrapping_put_locked(struct unwrapping *u)
{
	if (--u->refs > 0)
		return;
	key_ref_put(u->key);
	flight_destroy(&u->flight);
	free(u);
}

static int
find_provider(struct keyring *k, const char *kid, struct provider **out, struct err *e)
{
	for (unsigned i = 0; i < k->n_providers; i++)
		if (provider_claims(k->providers[i], kid)) {
			*out = k->providers[i];
			return 0;
		}
	(void)err_set(e, EACCES, "no vault= entry and no key of keys= covers the key id");
	return err_mark(e, "policy.kek",
			"if you trust the key, name it or its vault with vault=, or its key file "
			"with keys=");
}

/* ---- flying ---- */

/* Where a request stands after a look at the map. */
enum look { LOOK_DONE, LOOK_WAIT, LOOK_LEAD };

static int
take_ready_locked(struct keyring *k, struct keycache_entry *en, struct key_ref **out)
{
	k->stats.hits++;
	keycache_touch(&k->cache, en);
	*out = key_ref_get(en->key);
	return 0;
}

static int
take_failure_locked(struct keyring *k, struct keycache_entry *en, struct err *e)
{
	keycache_touch(&k->cache, en);
	*e = *en->failure;
	return -e->no;
}

static int
start_flight_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], struct unwrapping **out,
		    struct err *e)
{
	struct keycache_entry *en;
	struct unwrapping *u = unwrapping_new(e);

	if (u == NULL)
		return -ENOMEM;
	en = keycache_insert(&k->cache, id);
	if (en == NULL) {
		unwrapping_put_locked(u);
		return err_set(e, ENOMEM, "no memory for a key");
	}
	en->flight = u;
	*out = u;
	return 0;
}

/* *look says what to do next; LOOK_DONE: the result is the answer.  *out_flight is referenced for
 * the caller. */
static int
look_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], enum look *look,
	    struct key_ref **out, struct unwrapping **out_flight, struct err *e)
{
	struct keycache_entry *en;
	int r;

	keycache_expire(&k->cache);
	en = keycache_find(&k->cache, id);
	*look = LOOK_DONE;
	if (en != NULL && en->state == KEYCACHE_READY)
		return take_ready_locked(k, en, out);
	if (en != NULL && en->state == KEYCACHE_FAILED)
		return take_failure_locked(k, en, e);
	if (en != NULL) {
		*look = LOOK_WAIT;
		k->stats.waited++;
		en->flight->refs++;
		*out_flight = en->flight;
		return 0;
	}
	r = start_flight_locked(k, id, out_flight, e);
	if (r == 0)
		*look = LOOK_LEAD;
	return r;
}

static int
wait_locked(struct keyring *k, struct unwrapping *u, struct deadline d, struct key_ref **out,
	    bool *again, struct err *e)
{
	int r = flight_wait_locked(&u->flight, &k->mu, d, again, e);

	if (r == 0)
		*out = key_ref_get(u->key);
	return r;
}

/* keyring_wrap came before the leader, with the key itself: whatever the provider said, this is it.
 */
static int
take_landed_locked(struct unwrapping *u, struct key_ref **out, struct err *e)
{
	err_clear(e);
	*out = key_ref_get(u->key);
	return 0;
}

/* Publishes what the leader found: cek, or the failure in *e when that is NULL. */
static int
land_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], struct unwrapping *u,
	    const struct cek *cek, struct key_ref **out, struct err *e)
{
	struct keycache_entry *en;

	if (u->flight.done)
		return take_landed_locked(u, out, e);
	en = keycache_find(&k->cache, id);
	assert(en != NULL && en->state == KEYCACHE_LOADING && en->flight == u);
	if (cek != NULL)
		u->key = keycache_new_ref(&k->cache, cek);
	if (cek != NULL && u->key == NULL)
		(void)err_set(e, ENOMEM, "no locked memory left for a key");
	flight_land_locked(&u->flight, e);
	if (u->key != NULL) {
		*out = key_ref_get(u->key);
		keycache_keep_key(&k->cache, en, u->key);
	} else if (flight_is_verdict(e->no)) {
		keycache_keep_failure(&k->cache, en, e);
	} else {
		keycache_remove(&k->cache, en);
	}
	return -e->no;
}

static int
unwrap(struct provider *p, const struct wanted *w, struct deadline d, struct cek *out,
       struct err *e)
{
	uint8_t *plain = secret_alloc(CEK_UNWRAPPED_MAX);
	size_t n = 0;
	int r;

	if (plain == NULL)
		return err_set(e, ENOMEM, "no locked memory left to unwrap a key");
	r = provider_unwrap(p, w->kid, w->alg, w->wrapped, d,
			    (struct room){ plain, CEK_UNWRAPPED_MAX }, &n, e);
	if (r == 0)
		r = wanted_take(w, span_of(plain, n), out, e);
	secret_free(plain, CEK_UNWRAPPED_MAX);
	return r;
}

static int
lead(struct keyring *k, struct provider *p, const struct wanted *w,
     const uint8_t id[static SHA256_LEN], struct unwrapping *u, struct deadline d,
     struct key_ref **out, struct err *e)
{
	AUTO_CEK cek = { 0 };
	int r = unwrap(p, w, d, &cek, e);

	if (r != 0)
		err_key(e, w->kid);
	mutex_lock(&k->mu);
	k->stats.unwraps++;
	r = land_locked(k, id, u, r == 0 ? &cek : NULL, out, e);
	unwrapping_put_locked(u);
	mutex_unlock(&k->mu);
	return r;
}

/* One look, and one wait or one unwrap. */
static int
attempt(struct keyring *k, struct provider *p, const struct wanted *w,
	const uint8_t id[static SHA256_LEN], struct deadline d, struct key_ref **out, bool *again,
	struct err *e)
{
	struct unwrapping *u = NULL;
	enum look look;
	int r;

	*again = false;
	mutex_lock(&k->mu);
	r = look_locked(k, id, &look, out, &u, e);
	if (look == LOOK_WAIT) {
		r = wait_locked(k, u, d, out, again, e);
		unwrapping_put_locked(u);
	}
	mutex_unlock(&k->mu);
	return look == LOOK_LEAD ? lead(k, p, w, id, u, d, out, e) : r;
}

static int
find_key(struct keyring *k, const struct wanted *w, struct deadline d, struct key_ref **out,
	 struct err *e)
{
	struct provider *p = NULL;
	uint8_t id[SHA256_LEN];
	bool again;
	int r = wanted_check_algorithm(w, k->algs, e);

	if (r == 0)
		r = find_provider(k, w->kid, &p, e);
	if (r == 0)
		r = wanted_check_length(w, e);
	if (r == 0)
		r = wanted_id(w, id, e);
	if (r != 0)
		return r;
	r = attempt(k, p, w, id, d, out, &again, e);
	while (again) {
		err_clear(e);
		r = attempt(k, p, w, id, d, out, &again, e);
	}
	return r;
}

static int
note_failure(struct keyring *k, const char *kid, struct err *e)
{
	err_key(e, kid);
	mutex_lock(&k->mu);
	k->stats.failures++;
	mutex_unlock(&k->mu);
	return -e->no;
}

static int
get_key(struct keyring *k, const struct wanted *w, struct deadline d, struct key_ref **out,
	struct err *e)
{
	int r = find_key(k, w, d, out, e);

	return r == 0 ? 0 : note_failure(k, w->kid, e);
}

/* ---- wrapping ---- */

static int
check_wrap_alg(const struct keyring *k, enum wrap_alg alg, struct err *e)
{
	if ((k->algs >> alg & 1) != 0)
		return 0;
	(void)err_set(e, EACCES, "wrapping with %s is not allowed by kek_alg=", wrap_alg_name(alg));
	return err_mark(e, "policy.kek_alg",
			"add the algorithm to kek_alg=, or choose one of those with wrap_alg=");
}

static int
wrap(struct keyring *k, const char *kid, enum wrap_alg alg, enum protocol p, const struct cek *cek,
     struct deadline d, struct wrapped_key *out, struct err *e)
{
	uint8_t *plain = secret_alloc(CEK_UNWRAPPED_MAX);
	struct provider *provider = NULL;
	size_t n = 0;
	int r;

	if (plain == NULL)
		return err_set(e, ENOMEM, "no locked memory left to wrap a key");
	cek_to_unwrapped(p, cek, plain, &n);
	r = find_provider(k, kid, &provider, e);
	if (r == 0)
		r = provider_wrap(provider, kid, alg, span_of(plain, n), d, out, e);
	secret_free(plain, CEK_UNWRAPPED_MAX);
	return r;
}

static int
fill_envelope(const struct wrapped_key *w, enum protocol p, struct envelope *out, struct err *e)
{
	struct envelope env = { .protocol = p, .alg = w->alg, .n_wrapped = w->n };

	env.kid = strdup(w->kid);
	env.wrapped = malloc(w->n);
	if (env.kid == NULL || env.wrapped == NULL) {
		envelope_clear(&env);
		return err_set(e, ENOMEM, "no memory for an envelope");
	}
	memcpy(env.wrapped, w->bytes, w->n);
	*out = env;
	return 0;
}

/* Makes the key the answer of its entry, whatever that was: nobody knows better than who made it.
 * A flight for it lands here, before its leader has heard of the provider. */
static void
keep_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], struct key_ref *key)
{
	static const struct err none;
	struct keycache_entry *en = keycache_find(&k->cache, id);

	if (en != NULL && en->state != KEYCACHE_LOADING) {
		keycache_remove(&k->cache, en);
		en = NULL;
	}
	if (en == NULL) {
		en = keycache_insert(&k->cache, id);
	} else {
		en->flight->key = key_ref_get(key);
		flight_land_locked(&en->flight->flight, &none);
	}
	if (en != NULL) /* else no memory: the key is not remembered, which is no failure */
		keycache_keep_key(&k->cache, en, key);
}

/* Remembers the key under the id that a reader of the envelope asks for. */
static int
remember(struct keyring *k, const struct envelope *env, const struct cek *cek,
	 struct key_ref **out_ref, struct err *e)
{
	const struct wanted w = wanted_cek(env);
	uint8_t id[SHA256_LEN];
	struct key_ref *key;
	int r = wanted_check_length(&w, e); /* what no reader would take is not to be written */

	if (r == 0)
		r = wanted_id(&w, id, e);
	if (r != 0)
		return r;
	mutex_lock(&k->mu);
	keycache_expire(&k->cache);
	key = keycache_new_ref(&k->cache, cek);
	if (key != NULL)
		keep_locked(k, id, key);
	mutex_unlock(&k->mu);
	if (key == NULL)
		return err_set(e, ENOMEM, "no locked memory left for a key");
	if (out_ref != NULL)
		*out_ref = key;
	else
		key_ref_put(key);
	return 0;
}

static int
wrap_and_remember(struct keyring *k, const char *kid, enum wrap_alg alg, enum protocol p,
		  const struct cek *cek, struct deadline d, struct envelope *out,
		  struct key_ref **out_ref, struct err *e)
{
	AUTO_ENVELOPE env = { 0 };
	struct wrapped_key wrapped;
	int r = alg != 0 ? check_wrap_alg(k, alg, e) : 0;

	if (r == 0)
		r = wrap(k, kid, alg, p, cek, d, &wrapped, e);
	if (r == 0 && alg == 0)
		r = check_wrap_alg(k, wrapped.alg, e);
	if (r == 0)
		r = fill_envelope(&wrapped, p, &env, e);
	if (r == 0)
		r = remember(k, &env, cek, out_ref, e);
	if (r != 0)
		return r;
	*out = env;
	env = (struct envelope){ 0 };
	return 0;
}

int
keyring_wrap(struct keyring *k, const char *kid, enum wrap_alg alg, enum protocol p,
	     const struct cek *cek, struct deadline d, struct envelope *out,
	     struct key_ref **out_ref, struct err *e)
{
	int r = wrap_and_remember(k, kid, alg, p, cek, d, out, out_ref, e);

	return r == 0 ? 0 : note_failure(k, kid, e);
}

/* ---- making one ---- */

int
keyring_new_take(const struct keyring_config *cfg, struct provider **providers, unsigned n,
		 struct keyring **out, struct err *e)
{
	struct keyring *k = calloc(1, sizeof(*k));
	int r;

	if (k != NULL)
		k->providers = calloc((size_t)n + 1, sizeof(struct provider *));
	if (k == NULL || k->providers == NULL) {
		for (unsigned i = 0; i < n; i++)
			provider_free(providers[i]);
		free(k);
		return err_set(e, ENOMEM, "no memory for the keyring");
	}
	for (; k->n_providers < n; k->n_providers++)
		k->providers[k->n_providers] = providers[k->n_providers];
	k->algs = cfg->algs != 0 ? cfg->algs : ~0u;
	(void)pthread_mutex_init(&k->mu, NULL);
	r = keycache_init(&k->cache, cfg->max_entries != 0 ? cfg->max_entries : MAX_ENTRIES, e);
	if (r != 0) {
		keyring_free(k);
		return r;
	}
	k->cache.ttl_ns[KEYCACHE_READY] = cfg->ttl_ns;
	k->cache.ttl_ns[KEYCACHE_FAILED] = cfg->failure_ttl_ns != 0 ? cfg->failure_ttl_ns
								    : FAILURE_TTL_NS;
	*out = k;
	return 0;
}

void
keyring_free(struct keyring *k)
{
	if (k == NULL)
		return;
	keycache_clear(&k->cache);
	for (unsigned i = 0; i < k->n_providers; i++)
		provider_free(k->providers[i]);
	(void)pthread_mutex_destroy(&k->mu);
	free(k->providers);
	free(k);
}

int
keyring_cek(struct keyring *k, const struct envelope *env, struct deadline d, struct key_ref **out,
	    struct err *e)
{
	const struct wanted w = wanted_cek(env);

	return get_key(k, &w, d, out, e);
}

int
keyring_dek(struct keyring *k, const char *kid, struct span wrapped, struct deadline d,
	    struct key_ref **out, struct err *e)
{
	const struct wanted w = wanted_dek(kid, wrapped);

	return get_key(k, &w, d, out, e);
}

bool
keyring_has(struct keyring *k, const struct envelope *env)
{
	const struct wanted w = wanted_cek(env);
	struct err ignored = { 0 };
	uint8_t id[SHA256_LEN];
	const struct keycache_entry *en;
	bool has;

	if (wanted_id(&w, id, &ignored) != 0)
		return false;
	mutex_lock(&k->mu);
	keycache_expire(&k->cache);
	en = keycache_find(&k->cache, id);
	has = en != NULL && en->state == KEYCACHE_READY;
	mutex_unlock(&k->mu);
	return has;
}

void
keyring_stats(struct keyring *k, struct keyring_stats *out)
{
	mutex_lock(&k->mu);
	*out = k->stats;
	mutex_unlock(&k->mu);
}
