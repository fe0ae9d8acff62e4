/* SPDX-License-Identifier: MIT */
/*
 * The Cosmos DB driver: which request answers which question.  How a request is carried through is
 * in cosmoscall.c, how a container is walked through in cosmospage.c, what a refusal means in
 * cosmoserror.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/store/cosmoscall.h"
#include "backend/store/cosmoserror.h"
#include "backend/store/cosmosfeed.h"
#include "backend/store/cosmosknown.h"
#include "backend/store/cosmoslist.h"
#include "backend/store/cosmospage.h"
#include "backend/store/cosmosvisit.h"
#include "backend/store/cosmoswrite.h"
#include "base/log.h"

struct cosmos {
	struct docstore store;
	struct cosmosservice service;
	char *endpoint; /* what service points to */
};

static struct cosmos *
of(struct docstore *s)
{
	return (struct cosmos *)s; /* store is the first member */
}

/* ---- one resource */

/* The resource that an answer must be. */
struct wanted {
	const char *id;
	struct buf scratch;
};

static int
check_id(void *arg, struct span body, struct err *e)
{
	struct wanted *w = arg;
	int r;

	buf_init(&w->scratch, body.n);
	r = cosmosfeed_string(body, "id", &w->scratch, e);
	if (r == 0 &&
	    (w->scratch.n != strlen(w->id) || memcmp(w->scratch.p, w->id, w->scratch.n) != 0))
		r = cosmoserror_broken(e, "the answer is another resource than was asked for");
	buf_clear(&w->scratch);
	return r;
}

/* GET of the resource of that id; call has been prepared but for what all of them have. */
static int
get_resource(struct cosmos *c, struct cosmoscall *call, const char *id, const char *etag,
	     struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	struct wanted w = { .id = id };
	AUTO_COSMOSANSWER answer;
	char condition[COSMOSCALL_QUOTED_MAX];
	int r = 0;

	cosmosanswer_init(&answer);
	if (etag != NULL) {
		r = cosmoscall_quote(etag, condition, e);
		cosmoscall_header(call, "If-None-Match", condition);
	}
	call->same_is_fine = etag != NULL;
	call->check = check_id;
	call->check_arg = &w;
	if (r == 0)
		r = cosmoscall_run(&c->service, call, out, &answer, d, e);
	if (r == 0)
		*out_same = answer.status == 304;
	else
		buf_reset(out);
	return r;
}

static int
cosmos_container(struct docstore *s, const struct docstore_at *at, struct buf *out,
		 struct deadline d, struct err *e)
{
	struct cosmoscall call;
	AUTO_BUF url;
	bool same;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	r = cosmoscall_url(
		&of(s)->service,
		(const char *const[]){ "dbs", at->database, "colls", at->container, NULL }, &url,
		e);
	if (r < 0)
		return r;
	cosmoscall_init(&call, "GET", buf_str(&url));
	return get_resource(of(s), &call, at->container, NULL, out, &same, d, e);
}

static int
cosmos_get(struct docstore *s, const struct docstore_at *at, const char *partition, const char *id,
	   const char *etag, struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	struct cosmoscall call;
	AUTO_BUF url, scope;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	buf_init(&scope, COSMOSCALL_URL_MAX);
	r = cosmoscall_url(&of(s)->service,
			   (const char *const[]){ "dbs", at->database, "colls", at->container,
						  "docs", id, NULL },
			   &url, e);
	if (r == 0)
		r = buf_addf(&scope, e, "%s/%s", at->database, at->container);
	if (r < 0)
		return r;
	cosmoscall_init(&call, "GET", buf_str(&url));
	call.scope = buf_str(&scope);
	call.partitioned = true;
	cosmosvisit_about(&call, at);
	cosmoscall_header(&call, "x-ms-documentdb-partitionkey", partition);
	return get_resource(of(s), &call, id, etag, out, out_same, d, e);
}

static int
cosmos_key(struct docstore *s, const char *database, const char *id, const char *etag,
	   struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	struct cosmos *c = of(s);
	struct cosmoscall call;
	AUTO_BUF url, rid;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	buf_init(&rid, DOCSTORE_ETAG_MAX);
	r = cosmosknown_database(&c->service, database, &rid, d, e);
	if (r == 0)
		r = cosmoscall_url(
			&c->service,
			(const char *const[]){ "dbs", database, "clientencryptionkeys", id, NULL },
			&url, e);
	if (r < 0)
		return r;
	cosmoscall_init(&call, "GET", buf_str(&url));
	cosmoscall_header(&call, "x-ms-cosmos-allow-cachedreads", "True");
	cosmoscall_header(&call, "x-ms-cosmos-database-rid", buf_str(&rid));
	r = get_resource(c, &call, id, etag, out, out_same, d, e);
	if (r == -ENOENT) /* perhaps of another database, which had that name before */
		cosmosknown_forget_database(c->service.known, database);
	return r;
}

/* ---- lists */

/* Between a feed of resources and a sink of their names. */
struct names {
	struct docstore_names sink;
	struct buf name;
};

static int
on_resource(void *arg, struct span text, struct err *e)
{
	struct names *n = arg;
	int r = cosmosfeed_string(text, "id", &n->name, e);

	if (r < 0)
		return r;
	if (memchr(buf_str(&n->name), '\0', n->name.n) != NULL ||
	    !cosmos_id_is_good(buf_str(&n->name))) {
		log_event(LOG_LEVEL_DEBUG, "remote.name",
			  "a database or container is left out: no service would name it so");
		return 0;
	}
	return n->sink.name(n->sink.arg, buf_str(&n->name), e);
}

static int
cosmos_list(struct docstore *s, const char *database, struct docstore_names sink, struct deadline d,
	    struct err *e)
{
	struct names names = { .sink = sink };
	AUTO_BUF url;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	buf_init(&names.name, DOCSTORE_PAGE_MAX);
	r = cosmoscall_url(&of(s)->service,
			   database == NULL
				   ? (const char *const[]){ "dbs", NULL }
				   : (const char *const[]){ "dbs", database, "colls", NULL },
			   &url, e);
	if (r == 0)
		r = cosmoslist_all(&of(s)->service, buf_str(&url),
				   database == NULL ? "Databases" : "DocumentCollections",
				   (struct docstore_sink){ on_resource, &names }, d, e);
	buf_clear(&names.name);
	return r;
}

static int
cosmos_keys(struct docstore *s, const char *database, struct docstore_sink sink, struct deadline d,
	    struct err *e)
{
	AUTO_BUF url;
	int r;

	buf_init(&url, COSMOSCALL_URL_MAX);
	r = cosmoscall_url(&of(s)->service,
			   (const char *const[]){ "dbs", database, "clientencryptionkeys", NULL },
			   &url, e);
	return r < 0 ? r
		     : cosmoslist_all(&of(s)->service, buf_str(&url), "ClientEncryptionKeys", sink,
				      d, e);
}

/* ---- documents */

static int
cosmos_ranges(struct docstore *s, const struct docstore_at *at, struct docstore_ranges sink,
	      struct deadline d, struct err *e)
{
	const struct cosmosservice *service = &of(s)->service;
	struct cosmosmap *map = NULL;
	int r = cosmosknown_ranges_now(service, at, &map, d, e);

	for (size_t i = 0; r == 0 && i < map->n; i++)
		r = sink.range(sink.arg, map->range[i].min, map->range[i].max, e);
	cosmosknown_put(service->known, map);
	return r;
}

static int
cosmos_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	    struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	    struct deadline d, struct err *e)
{
	return cosmospage_read(&of(s)->service, at, sel, cursor, sink, out, d, e);
}

static int
cosmos_put(struct docstore *s, const struct docstore_at *at, const struct docstore_put *put,
	   char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	return cosmoswrite_put(&of(s)->service, at, put, etag, d, e);
}

static int
cosmos_delete(struct docstore *s, const struct docstore_at *at, const char *partition,
	      const char *id, const char *etag, struct deadline d, struct err *e)
{
	return cosmoswrite_delete(&of(s)->service, at, partition, id, etag, d, e);
}

/* ---- life */

static void
cosmos_free(struct docstore *s)
{
	struct cosmos *c = of(s);

	cosmossession_free(c->service.session);
	cosmosknown_free(c->service.known);
	http_auth_free(c->service.auth);
	free(c->endpoint);
	free(c);
}

static const struct docstore_ops cosmos_ops = {
	.name = "cosmos",
	.list = cosmos_list,
	.container = cosmos_container,
	.key = cosmos_key,
	.keys = cosmos_keys,
	.ranges = cosmos_ranges,
	.page = cosmos_page,
	.get = cosmos_get,
	.put = cosmos_put,
	.delete = cosmos_delete,
	.free = cosmos_free,
};

static int
check_config(const struct cosmos_config *cfg, struct err *e)
{
	if (cfg->database[0] == '\0' && cfg->container[0] != '\0')
		return err_set(e, EINVAL, "a container needs a database");
	if (cfg->database[0] != '\0' && !cosmos_id_is_good(cfg->database))
		return err_set(e, EINVAL, "'%s' is no database's name", cfg->database);
	if (cfg->container[0] != '\0' && !cosmos_id_is_good(cfg->container))
		return err_set(e, EINVAL, "'%s' is no container's name", cfg->container);
	return 0;
}

static int
copy_config(struct cosmos *c, const struct cosmos_config *cfg, struct err *e)
{
	struct docstore *s = &c->store;
	size_t n = strlen(cfg->endpoint);

	while (n > 0 && cfg->endpoint[n - 1] == '/')
		n--;
	c->endpoint = strndup(cfg->endpoint, n);
	if (c->endpoint == NULL)
		return err_set(e, ENOMEM, "out of memory");
	c->service.endpoint = c->endpoint;
	/* cosmos_id_is_good has bounded both. */
	memcpy(s->database, cfg->database, strlen(cfg->database) + 1);
	memcpy(s->container, cfg->container, strlen(cfg->container) + 1);
	(void)snprintf(s->label, sizeof(s->label), "%s%s%s%s%s", cfg->account,
		       cfg->database[0] != '\0' ? "/" : "", cfg->database,
		       cfg->container[0] != '\0' ? "/" : "", cfg->container);
	return 0;
}

int
cosmos_store_open_take(const struct cosmos_config *cfg, struct http_client *client,
		       struct http_auth *auth, struct docstore **out, struct err *e)
{
	struct cosmos *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL) {
		http_auth_free(auth);
		return err_set(e, ENOMEM, "out of memory");
	}
	c->store.ops = &cosmos_ops;
	c->service.store = &c->store;
	c->service.client = client;
	c->service.auth = auth;
	r = check_config(cfg, e);
	if (r == 0)
		r = copy_config(c, cfg, e);
	if (r == 0)
		r = cosmossession_new(&c->service.session, e);
	if (r == 0)
		r = cosmosknown_new(&c->service.known, e);
	if (r < 0) {
		cosmos_free(&c->store);
		return r;
	}
	*out = &c->store;
	return 0;
}
