/* SPDX-License-Identifier: MIT */
/* Versions of blobs that somebody has open or whose spans are cached: see spans.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fs/spancache.h"

static struct version **
version_slot(struct spans *s, const struct store *store, const char *name, const char *etag)
{
	size_t h = 5381;
	struct version **at;

	for (const char *p = name; *p != '\0'; p++)
		h = h * 33 + (unsigned char)*p;
	for (at = &s->version_bucket[h % VERSION_BUCKETS]; *at != NULL; at = &(*at)->chain)
		if ((*at)->store == store && strcmp((*at)->name, name) == 0 &&
		    strcmp((*at)->etag, etag) == 0)
			break;
	return at;
}

void
version_destroy(struct version *v)
{
	key_ref_put(v->key);
	free(v->name);
	free(v->etag);
	envelope_clear(&v->env);
	free(v);
}

struct version *
version_drop_locked(struct version *v)
{
	struct version **at;

	if (--v->refs > 0)
		return NULL;
	at = version_slot(v->s, v->store, v->name, v->etag);
	if (*at == v)
		*at = v->chain;
	return v;
}

static int
version_make(struct spans *s, const struct version_info *info, struct version **out, struct err *e)
{
	struct version *v = calloc(1, sizeof(*v));
	int r;

	if (v == NULL)
		return err_set(e, ENOMEM, "out of memory");
	v->s = s;
	v->store = info->store;
	v->name = strdup(info->name);
	v->etag = strdup(info->etag);
	v->clear = info->env == NULL;
	v->v1 = info->v1;
	v->layout = info->layout;
	region_order_init(&v->order, info->recover_order);
	if (info->bound)
		atomic_store(&v->order.maybe, NONCE_PYTHON);
	v->refs = 1;
	r = v->name == NULL || v->etag == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
	if (r == 0 && !v->clear)
		r = envelope_copy(info->env, &v->env, e);
	if (r < 0) {
		version_destroy(v);
		return r;
	}
	*out = v;
	return 0;
}

struct version *
version_find(struct spans *s, const struct store *store, const char *name, const char *etag)
{
	struct version *v;

	mutex_lock(&s->mu);
	v = *version_slot(s, store, name, etag);
	if (v != NULL)
		v->refs++;
	mutex_unlock(&s->mu);
	return v;
}

int
version_get(struct spans *s, const struct version_info *info, struct version **out, struct err *e)
{
	struct version *made, **at;
	int r = version_make(s, info, &made, e);

	if (r < 0)
		return r;
	mutex_lock(&s->mu);
	at = version_slot(s, info->store, info->name, info->etag);
	if (*at == NULL) {
		*at = made;
		*out = made;
		made = NULL;
	} else {
		r = version_check(*at, info->env, info->layout.stored_size, e);
		if (r == 0) {
			(*at)->refs++;
			*out = *at;
		}
	}
	mutex_unlock(&s->mu);
	if (made != NULL)
		version_destroy(made);
	return r;
}

int
version_check(const struct version *v, const struct envelope *env, uint64_t stored_size,
	      struct err *e)
{
	if (v->clear == (env == NULL) && v->layout.stored_size == stored_size &&
	    (env == NULL || envelope_same(&v->env, env)))
		return 0;
	(void)err_set(e, EIO, "the service now says otherwise of the same ETag (%s)", v->etag);
	return err_mark(e, "net.protocol", NULL);
}

void
version_ref(struct version *v)
{
	mutex_lock(&v->s->mu);
	v->refs++;
	mutex_unlock(&v->s->mu);
}

void
version_put(struct version *v)
{
	struct spans *s = v->s;
	struct version *dead;

	mutex_lock(&s->mu);
	dead = version_drop_locked(v);
	mutex_unlock(&s->mu);
	if (dead != NULL)
		version_destroy(dead);
}

void
version_open(struct version *v, struct key_ref *key)
{
	struct key_ref *old;

	mutex_lock(&v->s->mu);
	v->openers++;
	old = v->key;
	v->key = key != NULL ? key_ref_get(key) : NULL;
	mutex_unlock(&v->s->mu);
	key_ref_put(old);
}

void
version_close(struct version *v)
{
	struct key_ref *old = NULL;

	mutex_lock(&v->s->mu);
	if (--v->openers == 0) {
		old = v->key;
		v->key = NULL;
	}
	mutex_unlock(&v->s->mu);
	key_ref_put(old);
}

const struct layout *
version_layout(const struct version *v)
{
	return &v->layout;
}

struct region_order *
version_order(struct version *v)
{
	return &v->order;
}

bool
version_has_span(struct version *v, uint64_t span)
{
	struct cached *c;
	bool ready;

	mutex_lock(&v->s->mu);
	c = *spans_find_locked(v, span);
	ready = c != NULL && c->state == READY;
	mutex_unlock(&v->s->mu);
	return ready;
}

void
version_report_moved(struct version *v)
{
	if (atomic_load(&v->order.misordered) > 0 && !atomic_exchange(&v->moved_reported, true))
		log_event(LOG_LEVEL_WARNING, "integrity.recovered",
			  "'%s' etag %s: regions are not in their place and are shown all the same "
			  "(region_order=recover) [key=%s]",
			  v->name, v->etag, version_kid(v));
}
