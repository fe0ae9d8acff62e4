/* SPDX-License-Identifier: MIT */
/*
 * What an account has said before: see cosmosknown.h.
 *
 * Two tables of names, each with a pointer; a full one gives up its oldest entry.  Nothing is
 * asked under the lock: two threads may ask the same, the later answer stays.
 */
#include "backend/store/cosmosknown.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/store/cosmoserror.h"
#include "backend/store/cosmosfeed.h"
#include "backend/store/cosmoslist.h"
#include "base/mutex.h"

enum { ENTRIES_MAX = 64, RID_MAX = 63, RANGES_TRIES = 2, DATABASE_TEXT_MAX = 64 << 10 };

struct database {
	char *name;
	char rid[RID_MAX + 1];
};

struct container {
	char *database, *name;
	struct cosmosmap *map;
};

struct cosmosknown {
	pthread_mutex_t lock;
	struct database database[ENTRIES_MAX];
	struct container container[ENTRIES_MAX];
	size_t next_database, next_container; /* where the next one goes */
};

int
cosmosknown_new(struct cosmosknown **out, struct err *e)
{
	struct cosmosknown *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&k->lock, NULL);
	*out = k;
	return 0;
}

static void
put_locked(struct cosmosmap *m)
{
	if (m != NULL && --m->refs == 0)
		cosmosmap_free(m);
}

void
cosmosknown_put(struct cosmosknown *k, struct cosmosmap *m)
{
	mutex_lock(&k->lock);
	put_locked(m);
	mutex_unlock(&k->lock);
}

static void
clear_container(struct container *c)
{
	free(c->database);
	free(c->name);
	put_locked(c->map);
	*c = (struct container){ 0 };
}

void
cosmosknown_free(struct cosmosknown *k)
{
	if (k == NULL)
		return;
	for (size_t i = 0; i < ENTRIES_MAX; i++) {
		free(k->database[i].name);
		clear_container(&k->container[i]);
	}
	pthread_mutex_destroy(&k->lock);
	free(k);
}

/* ---- databases */

static struct database *
find_database_locked(struct cosmosknown *k, const char *name)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++)
		if (k->database[i].name != NULL && strcmp(k->database[i].name, name) == 0)
			return &k->database[i];
	return NULL;
}

void
cosmosknown_forget_database(struct cosmosknown *k, const char *database)
{
	struct database *found;

	mutex_lock(&k->lock);
	found = find_database_locked(k, database);
	if (found != NULL) {
		free(found->name);
		found->name = NULL;
	}
	mutex_unlock(&k->lock);
}

/* Not to be remembered is no failure. */
static void
keep_database(struct cosmosknown *k, const char *name, const struct buf *rid)
{
	char *copy = strdup(name);
	struct database *to;

	if (copy == NULL)
		return;
	mutex_lock(&k->lock);
	to = find_database_locked(k, name);
	if (to == NULL) {
		to = &k->database[k->next_database];
		k->next_database = (k->next_database + 1) % ENTRIES_MAX;
	}
	free(to->name);
	to->name = copy;
	memcpy(to->rid, buf_str(rid), rid->n + 1);
	mutex_unlock(&k->lock);
}

static bool
is_rid(const struct buf *rid)
{
	for (size_t i = 0; i < rid->n; i++)
		if (rid->p[i] <= ' ' || rid->p[i] > '~')
			return false;
	return rid->n > 0 && rid->n <= RID_MAX;
}

static int
check_rid(void *arg, struct span body, struct err *e)
{
	struct buf *rid = arg;
	int r = cosmosfeed_string(body, "_rid", rid, e);

	if (r == 0 && !is_rid(rid))
		return cosmoserror_broken(e, "the database's _rid is odd");
	return r;
}

static int
ask_database(const struct cosmosservice *s, const char *database, struct buf *rid,
	     struct deadline d, struct err *e)
{
	struct cosmoscall call;
	AUTO_COSMOSANSWER answer;
	AUTO_BUF url, body;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	buf_init(&body, DATABASE_TEXT_MAX);
	cosmosanswer_init(&answer);
	r = cosmoscall_url(s, (const char *const[]){ "dbs", database, NULL }, &url, e);
	if (r < 0)
		return r;
	cosmoscall_init(&call, "GET", buf_str(&url));
	call.check = check_rid;
	call.check_arg = rid;
	return cosmoscall_run(s, &call, &body, &answer, d, e);
}

int
cosmosknown_database(const struct cosmosservice *s, const char *database, struct buf *out,
		     struct deadline d, struct err *e)
{
	char rid[RID_MAX + 1] = "";
	const struct database *found;
	AUTO_BUF asked;
	int r;

	mutex_lock(&s->known->lock);
	found = find_database_locked(s->known, database);
	if (found != NULL)
		memcpy(rid, found->rid, sizeof(rid));
	mutex_unlock(&s->known->lock);
	if (rid[0] != '\0')
		return buf_add_str(out, rid, e);
	buf_init(&asked, DATABASE_TEXT_MAX);
	r = ask_database(s, database, &asked, d, e);
	if (r < 0)
		return r;
	keep_database(s->known, database, &asked);
	return buf_add_str(out, buf_str(&asked), e);
}

/* ---- ranges */

static struct container *
find_container_locked(struct cosmosknown *k, const struct docstore_at *at)
{
	for (size_t i = 0; i < ENTRIES_MAX; i++)
		if (k->container[i].name != NULL &&
		    strcmp(k->container[i].name, at->container) == 0 &&
		    strcmp(k->container[i].database, at->database) == 0)
			return &k->container[i];
	return NULL;
}

/* A reference to what is known and not stale, NULL. */
static struct cosmosmap *
find_map(struct cosmosknown *k, const struct docstore_at *at, const struct cosmosmap *stale)
{
	const char *rid = at->rid != NULL ? at->rid : "";
	struct cosmosmap *m = NULL;
	struct container *c;

	mutex_lock(&k->lock);
	c = find_container_locked(k, at);
	if (c != NULL && c->map != stale && strcmp(c->map->rid, rid) == 0) {
		m = c->map;
		m->refs++;
	}
	mutex_unlock(&k->lock);
	return m;
}

static void
keep_map(struct cosmosknown *k, const struct docstore_at *at, struct cosmosmap *m)
{
	struct container fresh = { strdup(at->database), strdup(at->container), NULL }, *to;

	mutex_lock(&k->lock);
	if (fresh.database != NULL && fresh.name != NULL) {
		to = find_container_locked(k, at);
		if (to == NULL) {
			to = &k->container[k->next_container];
			k->next_container = (k->next_container + 1) % ENTRIES_MAX;
		}
		clear_container(to);
		fresh.map = m;
		m->refs++;
		*to = fresh;
	} else {
		clear_container(&fresh);
	}
	mutex_unlock(&k->lock);
}

static int
add_range(void *arg, struct span text, struct err *e)
{
	return cosmosmap_add(arg, text, e);
}

static int
ask_ranges(const struct cosmosservice *s, const struct docstore_at *at, struct cosmosmap **out,
	   struct deadline d, struct err *e)
{
	struct cosmosmap *m = NULL;
	AUTO_BUF url;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	r = cosmoscall_url(s,
			   (const char *const[]){ "dbs", at->database, "colls", at->container,
						  "pkranges", NULL },
			   &url, e);
	if (r == 0)
		r = cosmosmap_new(at->rid != NULL ? at->rid : "", &m, e);
	if (r == 0)
		r = cosmoslist_all(s, buf_str(&url), "PartitionKeyRanges",
				   (struct docstore_sink){ add_range, m }, d, e);
	if (r == 0)
		r = cosmosmap_finish(m, e);
	if (r < 0) {
		cosmosmap_free(m);
		return r;
	}
	*out = m;
	return 0;
}

static bool
is_protocol(const struct err *e)
{
	return e->event != NULL && strcmp(e->event, "net.protocol") == 0;
}

int
cosmosknown_ranges_now(const struct cosmosservice *s, const struct docstore_at *at,
		       struct cosmosmap **out, struct deadline d, struct err *e)
{
	struct cosmosmap *m = NULL;
	int r;

	for (unsigned i = 1;; i++) {
		r = ask_ranges(s, at, &m, d, e);
		if (r == 0 || i == RANGES_TRIES || !is_protocol(e))
			break;
		err_clear(e); /* pages of two moments do not fit together */
	}
	if (r < 0)
		return r;
	keep_map(s->known, at, m);
	*out = m;
	return 0;
}

int
cosmosknown_ranges(const struct cosmosservice *s, const struct docstore_at *at,
		   const struct cosmosmap *stale, struct cosmosmap **out, struct deadline d,
		   struct err *e)
{
	struct cosmosmap *m = find_map(s->known, at, stale);

	if (m == NULL)
		return cosmosknown_ranges_now(s, at, out, d, e);
	*out = m;
	return 0;
}
