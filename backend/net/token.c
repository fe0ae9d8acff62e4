/* SPDX-License-Identifier: MIT */
/*
 * One source of tokens: see token.h.
 *
 *   none      token NULL           the first who asks fetches, the others wait for its result
 *   fresh     now < refresh_at     handed out
 *   ageing    now >= refresh_at    handed out, while one thread renews it in the background
 *   over      now >= ends_at       as none
 *
 * `fetching` says that somebody is at it; it is set and cleared under the lock, which is
 * never held while the network is asked.
 */
#include "backend/net/token.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "backend/net/client.h"
#include "backend/net/credential.h"
#include "base/log.h"
#include "base/mutex.h"

static const int64_t refresh_ahead_ns = 300 * NS_PER_S;
static const int64_t refresh_pause_ns = 30 *
					NS_PER_S; /* between failed renewals, and between drops */
static const int64_t refresh_limit_ns = 60 *
					NS_PER_S; /* what a renewal in the background may take */
static const int64_t refusal_ns =
	5 * NS_PER_S; /* how long a refusal is believed without asking again */
static const int64_t wait_slice_ns = NS_PER_S / 5;

static const struct credential {
	const char *name;
	enum credential_kind kind;
	credential_get *get;
} credentials[] = {
	{ "environment", CREDENTIAL_ENVIRONMENT, credential_environment },
	{ "workload", CREDENTIAL_WORKLOAD, credential_workload },
	{ "managed", CREDENTIAL_MANAGED, credential_managed },
	{ "cli", CREDENTIAL_CLI, credential_cli },
};

struct token_source {
	struct http_client *client;	/* borrowed */
	const struct identity_env *env; /* borrowed */
	enum credential_kind kind;
	char *resource;
	pthread_mutex_t lock; /* rank 6; guards what follows */
	pthread_cond_t changed;
	bool fetching;
	uint64_t rounds;    /* fetches that have ended */
	struct err failure; /* of the last one, when it failed */
	uint64_t aadsts;    /* and what Entra called it */
	int64_t failed_at_ns;
	struct secret_text *token;
	int64_t refresh_at_ns, ends_at_ns; /* on clock_now_ns */
	int64_t dropped_at_ns;		   /* 0 = never */
	const struct credential *winner;   /* never unset again */
	pthread_t renewer;
	bool renewer_started; /* and not yet joined */
};

int
token_source_new(struct http_client *client, const struct identity_env *env,
		 enum credential_kind kind, const char *resource, struct token_source **out,
		 struct err *e)
{
	struct token_source *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;

	if (t == NULL || (t->resource = strdup(resource)) == NULL) {
		free(t);
		return err_set(e, ENOMEM, "out of memory");
	}
	t->client = client;
	t->env = env;
	t->kind = kind == CREDENTIAL_CHAIN ? env->kind : kind;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&t->changed, &attr);
	(void)pthread_condattr_destroy(&attr);
	*out = t;
	return 0;
}

void
token_source_free(struct token_source *t)
{
	if (t == NULL)
		return;
	if (t->renewer_started)
		(void)pthread_join(t->renewer, NULL);
	secret_text_free(t->token);
	(void)pthread_cond_destroy(&t->changed);
	(void)pthread_mutex_destroy(&t->lock);
	free(t->resource);
	free(t);
}

static bool
in_chain(enum credential_kind chain, enum credential_kind kind)
{
	return chain == kind || chain == CREDENTIAL_CHAIN ||
	       (chain == CREDENTIAL_PRODUCTION && kind != CREDENTIAL_CLI);
}

/* Adds "name: why" to what has been tried. */
static void
note_tried(char *tried, size_t n, const char *name, const struct err *why)
{
	size_t at = strlen(tried);

	(void)snprintf(tried + at, n - at, "%s%s: %.100s", at > 0 ? "; " : "", name, why->text);
}

/* The credentials in their order, until one gives a token or refuses. */
static int
fetch_by_chain(const struct token_source *t, struct credential_request *rq,
	       struct token_answer *out, const struct credential **winner, struct err *e)
{
	char tried[256] = "";

	for (size_t i = 0; i < ARRAY_LEN(credentials); i++) {
		const struct credential *c = &credentials[i];
		struct err why = { 0 };
		int r;

		if (!in_chain(t->kind, c->kind))
			continue;
		r = c->get(rq, out, &why);
		if (r == 0) {
			*winner = c;
			return 0;
		}
		if (r != -ENXIO) {
			*e = why;
			return r;
		}
		note_tried(tried, sizeof(tried), c->name, &why);
	}
	(void)err_set(e, EACCES, "no credential for %s (%s)", t->resource, tried);
	return err_mark(e, "auth.entra",
			"set the variables of a service principal, or run az login");
}

/* Asks for a token; no lock is held. */
static int
fetch(const struct token_source *t, const struct credential *known, struct deadline d,
      struct token_answer *out, uint64_t *aadsts, const struct credential **winner, struct err *e)
{
	struct credential_request rq = { t->client, t->env, t->resource, d, known != NULL, aadsts };
	int r;

	if (known == NULL)
		return fetch_by_chain(t, &rq, out, winner, e);
	*winner = known;
	r = known->get(&rq, out, e);
	if (r != -ENXIO)
		return r;
	e->no = EACCES;
	return err_mark(e, "auth.entra", NULL);
}

static void
store_locked(struct token_source *t, const struct token_answer *a, int64_t asked_at)
{
	int64_t life = a->lifetime_s * NS_PER_S;
	int64_t ahead = life - refresh_ahead_ns;

	if (ahead < life / 2)
		ahead = life / 2;
	if (a->refresh_s > 0)
		ahead = a->refresh_s * NS_PER_S;
	secret_text_free(t->token);
	t->token = a->token;
	t->refresh_at_ns = asked_at + ahead;
	t->ends_at_ns = asked_at + life;
}

/* One round: fetches, and tells those who wait.  Entered with `fetching` set by the caller. */
static int
fetch_round(struct token_source *t, const struct credential *known, struct deadline d,
	    struct err *e)
{
	const int64_t asked_at = clock_now_ns();
	const struct credential *winner = NULL;
	struct token_answer a = { 0 };
	uint64_t aadsts = 0;
	int r = fetch(t, known, d, &a, &aadsts, &winner, e);

	mutex_lock(&t->lock);
	t->aadsts = r == 0 ? 0 : aadsts;
	if (r == 0) {
		store_locked(t, &a, asked_at);
		t->winner = winner;
		err_clear(&t->failure);
	} else {
		t->failure = *e;
		t->failed_at_ns = clock_now_ns();
		t->refresh_at_ns = clock_now_ns() + refresh_pause_ns;
	}
	t->fetching = false;
	t->rounds++;
	(void)pthread_cond_broadcast(&t->changed);
	mutex_unlock(&t->lock);
	return r;
}

static void *
renew(void *arg)
{
	struct token_source *t = arg;
	struct err e = { 0 };

	if (fetch_round(t, t->winner, deadline_in(refresh_limit_ns), &e) < 0 && e.no != ECANCELED)
		log_err(LOG_LEVEL_WARNING, &e,
			"renewing the token for %s; the old one serves until it ends", t->resource);
	return NULL;
}

/* Starts a renewal; when no thread can be had the token simply ages on. */
static void
start_renewal_locked(struct token_source *t)
{
	sigset_t all, before;
	int r;

	if (t->renewer_started)
		(void)pthread_join(t->renewer, NULL); /* it has ended: fetching was false */
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&t->renewer, NULL, renew, t);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	t->renewer_started = r == 0;
	t->fetching = r == 0;
	if (r != 0)
		t->refresh_at_ns = clock_now_ns() + refresh_pause_ns;
}

/*
 * A failure that says more about the one who fetched, or about this moment, than about the
 * identity.
 */
static bool
is_own_failure(const struct err *e)
{
	return e->no == ETIMEDOUT || e->no == ENOMEM;
}

/*
 * Waits for the round of another thread.  1: look again; else the failure of that round, or the
 * caller's deadline.
 */
static int
wait_round_locked(struct token_source *t, struct deadline d, struct err *e)
{
	const uint64_t round = t->rounds;

	while (t->rounds == round) {
		int64_t left = deadline_left_ns(d);
		struct timespec until;

		if (left == 0) {
			(void)err_set(e, ETIMEDOUT, "no token for %s before the deadline",
				      t->resource);
			return err_mark(e, "net.deadline", NULL);
		}
		if (left > wait_slice_ns)
			left = wait_slice_ns;
		(void)clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += left;
		until.tv_sec += until.tv_nsec / NS_PER_S;
		until.tv_nsec %= NS_PER_S;
		(void)pthread_cond_timedwait(&t->changed, &t->lock, &until);
	}
	if (t->failure.no == 0 || is_own_failure(&t->failure))
		return 1;
	*e = t->failure;
	return -e->no;
}

/* The token, if it is still good; starts renewing it when it is time. */
static struct secret_text *
held_locked(struct token_source *t)
{
	int64_t now = clock_now_ns();

	if (t->token == NULL || now >= t->ends_at_ns)
		return NULL;
	if (now >= t->refresh_at_ns && !t->fetching)
		start_renewal_locked(t);
	return secret_text_ref(t->token);
}

static bool
refused_lately_locked(const struct token_source *t)
{
	return t->failure.no == EACCES && clock_now_ns() - t->failed_at_ns < refusal_ns;
}

int
token_source_get(struct token_source *t, struct deadline d, struct secret_text **out, struct err *e)
{
	const struct credential *known;
	struct secret_text *token;
	int r = 1;

	mutex_lock(&t->lock);
	while ((token = held_locked(t)) == NULL && r == 1) {
		if (t->fetching) {
			r = wait_round_locked(t, d, e);
			continue;
		}
		if (refused_lately_locked(t)) {
			*e = t->failure;
			r = -e->no;
			continue;
		}
		t->fetching = true;
		known = t->winner;
		mutex_unlock(&t->lock);
		r = fetch_round(t, known, d, e) == 0 ? 1 : -e->no;
		mutex_lock(&t->lock);
	}
	mutex_unlock(&t->lock);
	if (token == NULL)
		return r;
	if (r < 0)
		err_clear(e);
	*out = token;
	return 0;
}

bool
token_source_drop(struct token_source *t, const struct secret_text *refused)
{
	int64_t now = clock_now_ns();
	bool again = true;

	mutex_lock(&t->lock);
	if (t->token != NULL && t->token == refused) {
		/*
		 * A service that refuses every token must not make us ask for one with every
		 * request.
		 */
		again = t->dropped_at_ns == 0 || now - t->dropped_at_ns >= refresh_pause_ns;
		if (again) {
			secret_text_free(t->token);
			t->token = NULL;
			t->dropped_at_ns = now;
		}
	}
	mutex_unlock(&t->lock);
	return again;
}

uint64_t
token_source_aadsts(struct token_source *t)
{
	uint64_t aadsts;

	mutex_lock(&t->lock);
	aadsts = t->aadsts;
	mutex_unlock(&t->lock);
	return aadsts;
}

const char *
token_source_credential(const struct token_source *t)
{
	struct token_source *open = (struct token_source *)(uintptr_t)t;
	const struct credential *winner;

	mutex_lock(&open->lock);
	winner = t->winner;
	mutex_unlock(&open->lock);
	return winner == NULL ? "" : winner->name;
}
