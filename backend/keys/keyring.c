/* SPDX-License-Identifier: MIT */
/*
 * The keyring: see keyring.h.
 *
 * One lock guards the map, its lists and the flights; it is never held across
 * a provider's call.  A flight is one unwrap that is under way: the caller
 * that made it leads and asks the provider, all others wait on it.  It
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
#include <time.h>

#include "backend/keys/keycache.h"
#include "backend/keys/wanted.h"
#include "base/mutex.h"
#include "base/secret.h"
#include "crypto/mac.h"

enum { MAX_ENTRIES = 16384 };

static const int64_t FAILURE_TTL_NS = 30 * NS_PER_S;

/*
 * Waiting goes in steps: a condition variable cannot wait on the clock of deadlines, which counts
 * suspended time.
 */
static const int64_t WAIT_STEP_NS = 200 * NS_PER_MS;

struct flight {
	unsigned refs; /* guarded by mu, as is all of it */
	bool done;
	pthread_cond_t landed;
	struct key_ref *key; /* NULL: see failure */
	struct err failure;
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

static struct flight *
flight_new(struct err *e)
{
	struct flight *f = calloc(1, sizeof(*f));
	pthread_condattr_t attr;

	if (f == NULL) {
		(void)err_set(e, ENOMEM, "no memory for an unwrap");
		return NULL;
	}
	f->refs = 1;
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&f->landed, &attr);
	(void)pthread_condattr_destroy(&attr);
	return f;
}

static void
flight_put_locked(struct flight *f)
{
	if (--f->refs > 0)
		return;
	key_ref_put(f->key);
	(void)pthread_cond_destroy(&f->landed);
	free(f);
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

static bool
is_remembered(int no)
{
	return no == EACCES || no == ENOKEY || no == EBADMSG;
}

/* Failures of one caller's time or connection: the next one may do better. */
static bool
is_own_failure(int no)
{
	return no == ETIMEDOUT || no == ECANCELED || no == EIO;
}

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
start_flight_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], struct flight **out,
		    struct err *e)
{
	struct keycache_entry *en;
	struct flight *f = flight_new(e);

	if (f == NULL)
		return -ENOMEM;
	en = keycache_insert(&k->cache, id);
	if (en == NULL) {
		flight_put_locked(f);
		return err_set(e, ENOMEM, "no memory for a key");
	}
	en->flight = f;
	*out = f;
	return 0;
}

/* *look says what to do next; LOOK_DONE: the result is the answer.  *out_flight is referenced for
 * the caller. */
static int
look_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], enum look *look,
	    struct key_ref **out, struct flight **out_flight, struct err *e)
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

/* Waits for the flight; *again: whoever led it ran out of luck, and this caller has time left to
 * try for itself. */
static int
wait_locked(struct keyring *k, struct flight *f, struct deadline d, struct key_ref **out,
	    bool *again, struct err *e)
{
	int64_t left = deadline_left_ns(d);

	while (!f->done && left > 0) {
		struct timespec until = step_end(left);

		(void)pthread_cond_timedwait(&f->landed, &k->mu, &until);
		left = deadline_left_ns(d);
	}
	if (f->done && f->key != NULL) {
		*out = key_ref_get(f->key);
		return 0;
	}
	if (!f->done) {
		(void)err_set(e, ETIMEDOUT, "the key was not unwrapped in time");
		return err_mark(e, "net.deadline", NULL);
	}
	*again = left > 0 && is_own_failure(f->failure.no);
	*e = f->failure;
	return -e->no;
}

/* Publishes what the leader found: cek, or the failure in *e when that is NULL. */
static int
land_locked(struct keyring *k, const uint8_t id[static SHA256_LEN], struct flight *f,
	    const struct cek *cek, struct key_ref **out, struct err *e)
{
	struct keycache_entry *en = keycache_find(&k->cache, id);

	assert(en != NULL && en->state == KEYCACHE_LOADING && en->flight == f);
	if (cek != NULL)
		f->key = keycache_new_ref(&k->cache, cek);
	if (cek != NULL && f->key == NULL)
		(void)err_set(e, ENOMEM, "no locked memory left for a key");
	f->failure = *e;
	f->done = true;
	if (f->key != NULL) {
		*out = key_ref_get(f->key);
		keycache_keep_key(&k->cache, en, f->key);
	} else if (is_remembered(e->no)) {
		keycache_keep_failure(&k->cache, en, e);
	} else {
		keycache_remove(&k->cache, en);
	}
	(void)pthread_cond_broadcast(&f->landed);
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
     const uint8_t id[static SHA256_LEN], struct flight *f, struct deadline d, struct key_ref **out,
     struct err *e)
{
	AUTO_CEK cek = { 0 };
	int r = unwrap(p, w, d, &cek, e);

	if (r != 0)
		err_key(e, w->kid);
	mutex_lock(&k->mu);
	k->stats.unwraps++;
	r = land_locked(k, id, f, r == 0 ? &cek : NULL, out, e);
	flight_put_locked(f);
	mutex_unlock(&k->mu);
	return r;
}

/* One look, and one wait or one unwrap. */
static int
attempt(struct keyring *k, struct provider *p, const struct wanted *w,
	const uint8_t id[static SHA256_LEN], struct deadline d, struct key_ref **out, bool *again,
	struct err *e)
{
	struct flight *f = NULL;
	enum look look;
	int r;

	*again = false;
	mutex_lock(&k->mu);
	r = look_locked(k, id, &look, out, &f, e);
	if (look == LOOK_WAIT) {
		r = wait_locked(k, f, d, out, again, e);
		flight_put_locked(f);
	}
	mutex_unlock(&k->mu);
	return look == LOOK_LEAD ? lead(k, p, w, id, f, d, out, e) : r;
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
get_key(struct keyring *k, const struct wanted *w, struct deadline d, struct key_ref **out,
	struct err *e)
{
	int r = find_key(k, w, d, out, e);

	if (r == 0)
		return 0;
	err_key(e, w->kid);
	mutex_lock(&k->mu);
	k->stats.failures++;
	mutex_unlock(&k->mu);
	return r;
}

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
