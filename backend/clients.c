/* SPDX-License-Identifier: MIT */
/* Clients and tokens that sources share: see clients.h. */
#include "backend/clients.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mutex.h"

enum { SETTINGS_MAX = 64 << 10 };

struct client {
	struct client *next;
	enum clients_purpose purpose;
	char *settings; /* what it was made with, as one text */
	struct http_client *http;
};

struct tokens {
	struct tokens *next;
	struct http_client *http;
	enum credential_kind kind;
	char *resource;
	struct token_source *source;
};

/* ---- clients ---- */

static int
write_settings(const struct backend_config *cfg, struct buf *out, struct err *e)
{
	int r = buf_addf(out, e, "%s\n%s\n", cfg->ca_file != NULL ? cfg->ca_file : "",
			 cfg->proxy != NULL ? cfg->proxy : "");

	for (size_t i = 0; r == 0 && cfg->allow_http != NULL && cfg->allow_http[i] != NULL; i++)
		r = buf_addf(out, e, "%s\n", cfg->allow_http[i]);
	return r;
}

static void
free_client(struct client *c)
{
	if (c == NULL)
		return;
	http_client_free(c->http);
	free(c->settings);
	free(c);
}

static int
add_client_locked(struct clients *all, const struct backend_config *cfg,
		  enum clients_purpose purpose, const char *settings, struct http_client **out,
		  struct err *e)
{
	const struct http_config http = { .ca_file = cfg->ca_file,
					  .proxy = cfg->proxy,
					  .allow_http = cfg->allow_http };
	struct client *c = calloc(1, sizeof(*c));
	int r = 0;

	if (c == NULL || (c->settings = strdup(settings)) == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = http_client_new(&http, &c->http, e);
	if (r != 0) {
		free_client(c);
		return r;
	}
	c->purpose = purpose;
	c->next = all->first;
	all->first = c;
	*out = c->http;
	return 0;
}

static int
find_client_locked(struct clients *all, const struct backend_config *cfg,
		   enum clients_purpose purpose, const char *settings, struct http_client **out,
		   struct err *e)
{
	for (struct client *c = all->first; c != NULL; c = c->next)
		if (c->purpose == purpose && strcmp(c->settings, settings) == 0) {
			*out = c->http;
			return 0;
		}
	return add_client_locked(all, cfg, purpose, settings, out, e);
}

int
clients_http(struct clients *c, const struct backend_config *cfg, enum clients_purpose purpose,
	     struct http_client **out, struct err *e)
{
	AUTO_BUF settings;
	int r;

	buf_init(&settings, SETTINGS_MAX);
	r = write_settings(cfg, &settings, e);
	if (r != 0)
		return r;
	mutex_lock(&c->mu);
	r = find_client_locked(c, cfg, purpose, buf_str(&settings), out, e);
	mutex_unlock(&c->mu);
	return r;
}

/* ---- tokens ---- */

static void
free_tokens(struct tokens *t)
{
	if (t == NULL)
		return;
	token_source_free(t->source);
	free(t->resource);
	free(t);
}

static int
add_tokens_locked(struct clients *all, struct http_client *http, enum credential_kind kind,
		  const char *resource, struct token_source **out, struct err *e)
{
	struct tokens *t = calloc(1, sizeof(*t));
	int r = 0;

	if (t == NULL || (t->resource = strdup(resource)) == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = token_source_new(http, all->identity, kind, resource, &t->source, e);
	if (r != 0) {
		free_tokens(t);
		return r;
	}
	t->http = http;
	t->kind = kind;
	t->next = all->tokens;
	all->tokens = t;
	*out = t->source;
	return 0;
}

static int
find_tokens_locked(struct clients *all, struct http_client *http, enum credential_kind kind,
		   const char *resource, struct token_source **out, struct err *e)
{
	for (struct tokens *t = all->tokens; t != NULL; t = t->next)
		if (t->http == http && t->kind == kind && strcmp(t->resource, resource) == 0) {
			*out = t->source;
			return 0;
		}
	return add_tokens_locked(all, http, kind, resource, out, e);
}

int
clients_tokens(struct clients *c, const struct backend_config *cfg, enum credential_kind kind,
	       const char *resource, struct token_source **out, struct err *e)
{
	struct http_client *http = NULL;
	int r = clients_http(c, cfg, CLIENTS_FOR_KEYS, &http, e);

	if (r != 0)
		return r;
	mutex_lock(&c->mu);
	r = find_tokens_locked(c, http, kind, resource, out, e);
	mutex_unlock(&c->mu);
	return r;
}

/* ---- the whole ---- */

void
clients_init(struct clients *c, const struct identity_env *identity)
{
	*c = (struct clients){ .identity = identity };
	(void)pthread_mutex_init(&c->mu, NULL);
}

void
clients_clear(struct clients *c)
{
	while (c->tokens != NULL) {
		struct tokens *t = c->tokens;

		c->tokens = t->next;
		free_tokens(t);
	}
	while (c->first != NULL) {
		struct client *first = c->first;

		c->first = first->next;
		free_client(first);
	}
	(void)pthread_mutex_destroy(&c->mu);
}

void
clients_stop(struct clients *c)
{
	mutex_lock(&c->mu);
	for (struct client *i = c->first; i != NULL; i = i->next)
		http_client_stop(i->http);
	mutex_unlock(&c->mu);
}
