/* SPDX-License-Identifier: MIT */
/*
 * Wrapping under the keys of vaults: see vaultwrap.h.
 *
 * A target is a key id that somebody wraps with.  States: asked for (its flight has not landed; all
 * but the counts is the leader's) -> known or refused.  A known one stays until it can wrap no
 * more; a refused one for 30 s; bad luck leaves no trace.  A target is counted: what falls off the
 * list is still good for those who hold it.
 */
#include "backend/keys/vaultwrap.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "backend/keys/flight.h"
#include "backend/keys/vaultanswer.h"
#include "backend/keys/vaultpublic.h"
#include "base/mutex.h"

enum { TARGETS_MAX = 64 };

static const int64_t FAILURE_TTL_NS = 30 * NS_PER_S;

struct target {
	TAILQ_ENTRY(target) link;
	unsigned refs; /* guarded by mu, as is all but asked and, once known, key */
	bool listed;
	struct kid asked;
	struct flight flight;
	int64_t since_ns; /* when it landed */
	bool readable;	  /* false: key is nothing, and the vault has to wrap */
	struct vaultpublic key;
	/* What the vault has taught by wrapping: */
	char version[KID_VERSION_LEN + 1]; /* "" = none yet */
	enum wrap_alg alg;		   /* of a symmetric key that does not tell its size */
};

TAILQ_HEAD(targets, target);

struct vaultwrap {
	pthread_mutex_t mu;
	struct targets targets; /* oldest first */
	unsigned n;
};

/* ---- the list ---- */

static struct target *
new_target(const struct kid *asked, struct err *e)
{
	struct target *t = calloc(1, sizeof(*t));

	if (t == NULL) {
		(void)err_set(e, ENOMEM, "no memory for a public key");
		return NULL;
	}
	t->refs = 1;
	t->asked = *asked;
	flight_init(&t->flight);
	return t;
}

static void
put_locked(struct target *t)
{
	if (--t->refs > 0)
		return;
	flight_destroy(&t->flight);
	vaultpublic_clear(&t->key);
	free(t);
}

static void
put_target(struct vaultwrap *w, struct target *t)
{
	mutex_lock(&w->mu);
	put_locked(t);
	mutex_unlock(&w->mu);
}

static void
unlist_locked(struct vaultwrap *w, struct target *t)
{
	if (!t->listed)
		return;
	TAILQ_REMOVE(&w->targets, t, link);
	t->listed = false;
	w->n--;
	put_locked(t);
}

/* A full list loses its oldest target; one that is being asked for stays. */
static void
list_locked(struct vaultwrap *w, struct target *t)
{
	struct target *old = TAILQ_FIRST(&w->targets);

	if (w->n >= TARGETS_MAX && old->flight.done)
		unlist_locked(w, old);
	TAILQ_INSERT_TAIL(&w->targets, t, link);
	t->listed = true;
	t->refs++;
	w->n++;
}

static bool
is_stale_locked(const struct target *t)
{
	struct err ignored = { 0 };

	if (!t->flight.done)
		return false;
	if (t->flight.failure.no != 0)
		return clock_now_ns() - t->since_ns >= FAILURE_TTL_NS;
	return t->readable && vaultpublic_check(&t->key, clock_wall_s(), &ignored) != 0;
}

static bool
is_same(const struct kid *a, const struct kid *b)
{
	return strcmp(a->host, b->host) == 0 && a->port == b->port &&
	       strcasecmp(a->name, b->name) == 0 && strcmp(a->version, b->version) == 0;
}

static struct target *
find_locked(struct vaultwrap *w, const struct kid *asked)
{
	struct target *t;

	TAILQ_FOREACH(t, &w->targets, link)
	if (is_same(&t->asked, asked))
		break;
	if (t == NULL || !is_stale_locked(t))
		return t;
	unlist_locked(w, t);
	return NULL;
}

/* ---- learning about a key ---- */

/* Fills in what the vault tells; 0 too when it may not be read. */
static int
read_target(struct target *t, const struct vaultask *q, struct err *e)
{
	char rest[1 + KID_VERSION_LEN + 1] = "";
	AUTO_BUF answer;
	int r;

	buf_init(&answer, VAULT_ANSWER_MAX);
	if (q->kid.version[0] != '\0')
		(void)snprintf(rest, sizeof(rest), "/%s", q->kid.version);
	r = vaultask_get(q, rest, VAULTASK_API, &answer, e);
	if (r == -EPERM) {
		err_clear(e);
		return 0;
	}
	if (r == 0)
		r = vaultpublic_parse(buf_span(&answer), &q->kid, &t->key, e);
	if (r != 0)
		return r;
	t->readable = true;
	memcpy(t->version, t->key.kid.version, sizeof(t->version));
	return vaultpublic_check(&t->key, clock_wall_s(), e);
}

static int
lead(struct vaultwrap *w, struct target *t, const struct vaultask *q, struct err *e)
{
	int r;

	memcpy(t->version, q->kid.version, sizeof(t->version));
	r = read_target(t, q, e);
	mutex_lock(&w->mu);
	t->since_ns = clock_now_ns();
	if (r != 0 && !flight_is_verdict(-r))
		unlist_locked(w, t);
	flight_land_locked(&t->flight, e);
	mutex_unlock(&w->mu);
	return r;
}

/* One look at the list, and one wait or one question; *out is referenced for the caller, whatever
 * the result; NULL: no memory. */
static int
attempt(struct vaultwrap *w, const struct vaultask *q, struct target **out, bool *again,
	struct err *e)
{
	struct target *t;
	bool leads = false;
	int r = 0;

	*again = false;
	mutex_lock(&w->mu);
	t = find_locked(w, &q->kid);
	if (t != NULL) {
		t->refs++;
		r = flight_wait_locked(&t->flight, &w->mu, q->deadline, again, e);
	} else {
		t = new_target(&q->kid, e);
		leads = t != NULL;
		r = leads ? 0 : -ENOMEM;
	}
	if (leads)
		list_locked(w, t);
	mutex_unlock(&w->mu);
	*out = t;
	return leads ? lead(w, t, q, e) : r;
}

static int
find_target(struct vaultwrap *w, const struct vaultask *q, struct target **out, struct err *e)
{
	struct target *t = NULL;
	bool again;
	int r = attempt(w, q, &t, &again, e);

	while (again) {
		put_target(w, t);
		err_clear(e);
		r = attempt(w, q, &t, &again, e);
	}
	if (r == 0)
		*out = t;
	else if (t != NULL)
		put_target(w, t);
	return r;
}

/* ---- wrapping here ---- */

static void
write_kid(const struct vaultask *q, const struct kid *key, struct wrapped_key *out)
{
	_Static_assert(ENVELOPE_KID_MAX > KID_HOST_MAX + KID_NAME_MAX + KID_VERSION_LEN + 64, "");

	(void)snprintf(out->kid, sizeof(out->kid), "%s/keys/%s/%s", vaulthost_origin(q->host),
		       key->name, key->version);
}

static int
wrap_here(const struct target *t, const struct vaultask *q, struct wrapped_key *out, struct err *e)
{
	AUTO_BUF wrapped;
	int r;

	buf_init(&wrapped, sizeof(out->bytes));
	out->alg = q->alg != 0 ? q->alg : kek_default_alg(t->key.rsa);
	r = kek_wrap(t->key.rsa, out->alg, q->value, &wrapped, e);
	if (r != 0)
		return r;
	memcpy(out->bytes, wrapped.p, wrapped.n);
	out->n = wrapped.n;
	write_kid(q, &t->key.kid, out);
	return 0;
}

/* ---- having it wrapped ---- */

/* A managed HSM does not tell the size of a symmetric key, and refuses an algorithm of another one:
 * the largest is the most likely. */
static const enum wrap_alg by_size[] = { WRAP_A256KW, WRAP_A192KW, WRAP_A128KW };

static enum wrap_alg
alg_of_bits(unsigned bits)
{
	return bits == 128 ? WRAP_A128KW : bits == 192 ? WRAP_A192KW : WRAP_A256KW;
}

/* The algorithms to try, in order. */
static unsigned
choose_algs(struct vaultwrap *w, const struct target *t, const struct vaultask *q,
	    enum wrap_alg out[static ARRAY_LEN(by_size)])
{
	enum wrap_alg learnt;

	mutex_lock(&w->mu);
	learnt = t->alg;
	mutex_unlock(&w->mu);
	out[0] = q->alg != 0 ? q->alg : learnt;
	if (out[0] == 0 && !t->readable)
		out[0] = WRAP_RSA_OAEP;
	if (out[0] == 0 && t->key.bits != 0)
		out[0] = alg_of_bits(t->key.bits);
	if (out[0] != 0)
		return 1;
	memcpy(out, by_size, sizeof(by_size));
	return ARRAY_LEN(by_size);
}

static int
does_not_fit(enum wrap_alg alg, struct err *e)
{
	(void)err_set(e, EACCES, "%s is not an algorithm for this key", wrap_alg_name(alg));
	return err_mark(e, "policy.kek_alg", "name the algorithm of the key with wrap_alg=");
}

/* What is known of the key rules out some algorithms without a call. */
static bool
may_fit(const struct target *t, enum wrap_alg alg)
{
	if (!t->readable)
		return true;
	return !wrap_alg_is_rsa(alg) && (t->key.bits == 0 || alg == alg_of_bits(t->key.bits));
}

/* The vault's verdict on the key counts for a while as if its reading had been refused. */
static void
learn_refusal(struct vaultwrap *w, struct target *t, const struct err *e)
{
	if (e->no != EACCES && e->no != ENOKEY)
		return;
	mutex_lock(&w->mu);
	t->flight.failure = *e;
	t->since_ns = clock_now_ns();
	mutex_unlock(&w->mu);
}

static void
learn_success(struct vaultwrap *w, struct target *t, const char *version, enum wrap_alg alg)
{
	mutex_lock(&w->mu);
	if (t->version[0] == '\0')
		(void)snprintf(t->version, sizeof(t->version), "%s", version);
	if (t->readable)
		t->alg = alg;
	mutex_unlock(&w->mu);
}

static int
ask_vault(struct vaultwrap *w, struct target *t, const struct vaultask *q, struct wrapped_key *out,
	  bool *rejected, struct err *e)
{
	struct room room = { out->bytes, sizeof(out->bytes) };
	char version[KID_VERSION_LEN + 1];
	struct kid answered = { 0 };
	int r;

	mutex_lock(&w->mu);
	memcpy(version, t->version, sizeof(version));
	mutex_unlock(&w->mu);
	r = vaultask_operate(q, VAULT_WRAP, version, room, &out->n, &answered, rejected, e);
	if (r == 0 && out->n == 0)
		return vaultanswer_bad(e, "holds no wrapped key");
	if (r != 0) {
		learn_refusal(w, t, e);
		return r;
	}
	out->alg = q->alg;
	write_kid(q, &answered, out);
	learn_success(w, t, answered.version, q->alg);
	return 0;
}

static int
wrap_there(struct vaultwrap *w, struct target *t, const struct vaultask *q, struct wrapped_key *out,
	   struct err *e)
{
	enum wrap_alg algs[ARRAY_LEN(by_size)];
	unsigned n = choose_algs(w, t, q, algs);
	struct vaultask one = *q;
	bool rejected;
	int r;

	for (unsigned i = 0; i < n; i++) {
		one.alg = algs[i];
		if (!may_fit(t, one.alg))
			continue;
		r = ask_vault(w, t, &one, out, &rejected, e);
		if (!rejected)
			return r;
		err_clear(e);
	}
	return does_not_fit(algs[0], e);
}

int
vaultwrap_wrap(struct vaultwrap *w, const struct vaultask *q, struct wrapped_key *out,
	       struct err *e)
{
	struct target *t = NULL;
	int r = find_target(w, q, &t, e);

	if (r != 0)
		return r;
	r = t->readable && t->key.rsa != NULL ? wrap_here(t, q, out, e)
					      : wrap_there(w, t, q, out, e);
	put_target(w, t);
	return r;
}

int
vaultwrap_new(struct vaultwrap **out, struct err *e)
{
	struct vaultwrap *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return err_set(e, ENOMEM, "no memory for public keys");
	(void)pthread_mutex_init(&w->mu, NULL);
	TAILQ_INIT(&w->targets);
	*out = w;
	return 0;
}

void
vaultwrap_free(struct vaultwrap *w)
{
	struct target *t;

	if (w == NULL)
		return;
	while ((t = TAILQ_FIRST(&w->targets)) != NULL)
		unlist_locked(w, t);
	assert(w->n == 0);
	(void)pthread_mutex_destroy(&w->mu);
	free(w);
}
