/* SPDX-License-Identifier: MIT */
/* Unwraps beside other work: see unwrap.h. */
#include "fs/unwrap.h"

#include <errno.h>
#include <stdlib.h>

#include "base/mutex.h"

struct unwrap {
	struct pool_job job; /* first */
	struct keyring *keys;
	struct envelope env;
	struct deadline deadline;
	pthread_mutex_t mu;
	pthread_cond_t cond;
	unsigned refs; /* guarded by mu, as all below */
	bool done;
	struct key_ref *key;
	struct err e;
};

static void
run(struct pool_job *job)
{
	struct unwrap *u = (struct unwrap *)(void *)job;
	struct key_ref *key = NULL;
	struct err e = { 0 };

	if (keyring_cek(u->keys, &u->env, u->deadline, &key, &e) < 0)
		key = NULL;
	mutex_lock(&u->mu);
	u->key = key;
	u->e = e;
	u->done = true;
	(void)pthread_cond_broadcast(&u->cond);
	mutex_unlock(&u->mu);
	unwrap_put(u);
}

int
unwrap_start(struct engine *g, struct keyring *keys, const struct envelope *env, struct deadline d,
	     struct unwrap **out, struct err *e)
{
	struct unwrap *u = calloc(1, sizeof(*u));
	int r;

	if (u == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = envelope_copy(env, &u->env, e);
	if (r < 0) {
		free(u);
		return r;
	}
	u->job.run = run;
	u->keys = keys;
	u->deadline = d;
	u->refs = 2;
	(void)pthread_mutex_init(&u->mu, NULL);
	(void)pthread_cond_init(&u->cond, NULL);
	if (keyring_has(keys, env))
		run(&u->job);
	else
		engine_submit(g, LANE_UNWRAP, &u->job);
	*out = u;
	return 0;
}

int
unwrap_wait(struct unwrap *u, struct key_ref **out_borrowed, struct err *e)
{
	mutex_lock(&u->mu);
	while (!u->done)
		(void)pthread_cond_wait(&u->cond, &u->mu);
	mutex_unlock(&u->mu);
	if (u->e.no != 0) {
		*e = u->e;
		return -e->no;
	}
	*out_borrowed = u->key;
	return 0;
}

bool
unwrap_is_for(const struct unwrap *u, const struct envelope *env)
{
	return envelope_same(&u->env, env);
}

void
unwrap_put(struct unwrap *u)
{
	bool last;

	if (u == NULL)
		return;
	mutex_lock(&u->mu);
	last = --u->refs == 0;
	mutex_unlock(&u->mu);
	if (!last)
		return;
	key_ref_put(u->key);
	envelope_clear(&u->env);
	(void)pthread_cond_destroy(&u->cond);
	(void)pthread_mutex_destroy(&u->mu);
	free(u);
}
