/* SPDX-License-Identifier: MIT */
/*
 * The facade: see backend.h.  Puts together what source.c and credentials.c
 * decide; keeps the clients and token sources that several sources share.
 */
#include "backend/backend.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "backend/connstring.h"
#include "backend/credentials.h"
#include "backend/net/http.h"
#include "backend/net/sharedkey.h"
#include "backend/net/token.h"
#include "backend/source.h"
#include "backend/store/azblob.h"
#include "backend/store/dir.h"
#include "base/mutex.h"

enum { ALG_NAMES_MAX = 256 };

static const char STORAGE_RESOURCE[] = "https://storage.azure.com";

/* Connections to storage and those that carry tokens to Entra and vaults are never of one client.
 */
enum purpose { FOR_STORAGE, FOR_KEYS };

struct client {
	struct client *next;
	enum purpose purpose;
	char *settings; /* what it was made with, as one text */
	struct http_client *http;
};

struct tokens {
	struct tokens *next;
	struct http_client *http;
	enum credential_kind kind;
	struct token_source *source;
};

struct backend {
	struct identity_env identity;
	struct storage_env storage;

	pthread_mutex_t mu; /* guards the lists; what is on them stays until the end */
	struct client *clients;
	struct tokens *tokens;
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

static int
add_client_locked(struct backend *b, const struct backend_config *cfg, enum purpose purpose,
		  const char *settings, struct http_client **out, struct err *e)
{
	const struct http_config http = { .ca_file = cfg->ca_file,
					  .proxy = cfg->proxy,
					  .allow_http = cfg->allow_http };
	struct client *c = calloc(1, sizeof(*c));
	int r = 0;

	if (c != NULL)
		c->settings = strdup(settings);
	if (c == NULL || c->settings == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	if (r == 0)
		r = http_client_new(&http, &c->http, e);
	if (r != 0) {
		if (c != NULL)
			free(c->settings);
		free(c);
		return r;
	}
	c->purpose = purpose;
	c->next = b->clients;
	b->clients = c;
	*out = c->http;
	return 0;
}

static int
find_client_locked(struct backend *b, const struct backend_config *cfg, enum purpose purpose,
		   const char *settings, struct http_client **out, struct err *e)
{
	for (struct client *c = b->clients; c != NULL; c = c->next)
		if (c->purpose == purpose && strcmp(c->settings, settings) == 0) {
			*out = c->http;
			return 0;
		}
	return add_client_locked(b, cfg, purpose, settings, out, e);
}

static int
client_for(struct backend *b, const struct backend_config *cfg, enum purpose purpose,
	   struct http_client **out, struct err *e)
{
	AUTO_BUF settings;
	int r;

	buf_init(&settings, 64 << 10);
	r = write_settings(cfg, &settings, e);
	if (r != 0)
		return r;
	mutex_lock(&b->mu);
	r = find_client_locked(b, cfg, purpose, buf_str(&settings), out, e);
	mutex_unlock(&b->mu);
	return r;
}

/* ---- storage tokens ---- */

static int
find_tokens_locked(struct backend *b, struct http_client *http, enum credential_kind kind,
		   struct token_source **out, struct err *e)
{
	struct tokens *t;
	int r;

	for (t = b->tokens; t != NULL; t = t->next)
		if (t->http == http && t->kind == kind) {
			*out = t->source;
			return 0;
		}
	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = token_source_new(http, &b->identity, kind, STORAGE_RESOURCE, &t->source, e);
	if (r != 0) {
		free(t);
		return r;
	}
	t->http = http;
	t->kind = kind;
	t->next = b->tokens;
	b->tokens = t;
	*out = t->source;
	return 0;
}

static int
token_auth(struct backend *b, const struct backend_config *cfg, enum credential_kind kind,
	   const char *origin, struct http_auth **out, struct err *e)
{
	struct http_client *http = NULL;
	struct token_source *tokens = NULL;
	int r = client_for(b, cfg, FOR_KEYS, &http, e);

	if (r != 0)
		return r;
	mutex_lock(&b->mu);
	r = find_tokens_locked(b, http, kind, &tokens, e);
	mutex_unlock(&b->mu);
	return r == 0 ? bearer_auth_new(tokens, origin, out, e) : r;
}

/* ---- stores ---- */

static int
auth_for(struct backend *b, const struct backend_config *cfg, const struct source *src,
	 const struct storage_credential *c, struct http_auth **out, struct err *e)
{
	switch (c->kind) {
	case STORAGE_KEY:
		return sharedkey_auth_new(src->account, c->secret, out, e);
	case STORAGE_SAS:
		return sas_auth_new(c->sas_file != NULL ? NULL : c->secret, c->sas_file, out, e);
	case STORAGE_TOKEN:
		return token_auth(b, cfg, c->entra, src->origin, out, e);
	case STORAGE_ANONYMOUS:
		break;
	}
	*out = NULL;
	return 0;
}

static int
open_blobs(struct backend *b, const struct backend_config *cfg, const struct source *src,
	   const struct storage_credential *c, struct store **out, struct err *e)
{
	const struct azblob_config blobs = {
		.service = src->service,
		.account = src->account,
		.container = src->container,
		.prefix = src->prefix,
		.single = c->single,
	};
	struct http_client *http = NULL;
	struct http_auth *auth = NULL;
	int r = client_for(b, cfg, FOR_STORAGE, &http, e);

	if (r == 0)
		r = http_client_may(http, src->service, e);
	if (r == 0)
		r = auth_for(b, cfg, src, c, &auth, e);
	return r == 0 ? azblob_store_open_take(&blobs, http, auth, out, e) : r;
}

/* The connection string may know an address that does not tell its account; so it is read before
 * the SOURCE. */
static int
open_with(struct backend *b, const struct backend_config *cfg, const struct connection *connection,
	  struct store **out, struct err *e)
{
	AUTO_STORAGE_CREDENTIAL c = { 0 };
	AUTO_SOURCE src = { 0 };
	struct source_endpoint known = { 0 };
	int r;

	if (connection != NULL)
		known = (struct source_endpoint){ connection->endpoint, connection->account };
	r = source_parse(cfg->source, connection != NULL ? &known : NULL, &src, e);
	if (r == 0 && src.place == SOURCE_AT_DIR)
		return dir_store_open(src.path, "", out, e);
	if (r == 0)
		r = credentials_pick_storage(&b->storage, connection, cfg, &src, &c, e);
	return r == 0 ? open_blobs(b, cfg, &src, &c, out, e) : r;
}

int
backend_open(struct backend *b, const struct backend_config *cfg, struct store **out,
	     enum source_kind *out_kind, struct err *e)
{
	AUTO_CONNECTION connection = { 0 };
	bool wanted;
	int r = 0;

	if (cfg->source == NULL || cfg->source[0] == '\0')
		return err_set(e, EINVAL, "SOURCE is empty");
	wanted = strncmp(cfg->source, "dir:", 4) != 0 &&
		 credentials_want_connection(&b->storage, cfg);
	if (wanted)
		r = connection_parse(b->storage.connection, &connection, e);
	if (r != 0)
		return err_in(e, "AZURE_STORAGE_CONNECTION_STRING");
	r = open_with(b, cfg, wanted ? &connection : NULL, out, e);
	if (r == 0)
		*out_kind = SOURCE_BLOBS;
	return r;
}

/* ---- keyrings ---- */

struct providers {
	struct provider **p;
	unsigned n, room;
};

static unsigned
count(const char *const *list)
{
	unsigned n = 0;

	while (list != NULL && list[n] != NULL)
		n++;
	return n;
}

static int
add_local_keys(struct backend *b, const struct backend_config *cfg, struct providers *all,
	       struct err *e)
{
	(void)b;
	for (unsigned i = 0; i < count(cfg->keys); i++) {
		int r = jwks_provider_new(cfg->keys[i], &all->p[all->n], e);

		if (r != 0)
			return r;
		all->n++;
	}
	return 0;
}

static int
add_vaults(struct backend *b, const struct backend_config *cfg, struct providers *all,
	   struct err *e)
{
	enum credential_kind kind = CREDENTIAL_CHAIN;
	struct http_client *http = NULL;
	int r = credentials_pick_vault(cfg, &kind, e);

	if (r != 0 || count(cfg->vaults) == 0)
		return r;
	r = client_for(b, cfg, FOR_KEYS, &http, e);
	if (r == 0)
		r = vault_provider_new(http, &b->identity, (int)kind, cfg->vaults, &all->p[all->n],
				       e);
	if (r == 0)
		all->n++;
	return r;
}

/* The registration list, in the order in which providers are asked: a local key with the very id
 * goes before any vault. */
static int (*const provider_makers[])(struct backend *b, const struct backend_config *cfg,
				      struct providers *all, struct err *e) = {
	add_local_keys,
	add_vaults,
};

static int
add_alg(const char *name, unsigned *algs, struct err *e)
{
	enum wrap_alg alg;

	if (!wrap_alg_parse(name, &alg))
		return err_set(e, EINVAL, "kek_alg=: unknown algorithm \"%.40s\"", name);
	*algs |= 1u << alg;
	return 0;
}

static int
parse_algs(const char *names, unsigned *out, struct err *e)
{
	unsigned algs = 0;

	while (names != NULL && names[strspn(names, " \t:")] != '\0') {
		char name[ALG_NAMES_MAX] = "";
		size_t n;

		names += strspn(names, " \t:");
		n = strcspn(names, " \t:");
		memcpy(name, names, n < sizeof(name) ? n : sizeof(name) - 1);
		names += n;
		if (add_alg(name, &algs, e) != 0)
			return -e->no;
	}
	*out = algs;
	return 0;
}

static int
make_providers(struct backend *b, const struct backend_config *cfg, struct providers *all,
	       struct err *e)
{
	int r = 0;

	all->p = calloc((size_t)count(cfg->keys) + 2, sizeof(struct provider *));
	if (all->p == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(provider_makers); i++)
		r = provider_makers[i](b, cfg, all, e);
	for (unsigned i = 0; r != 0 && i < all->n; i++)
		provider_free(all->p[i]);
	return r;
}

int
backend_keyring(struct backend *b, const struct backend_config *cfg, struct keyring **out,
		struct err *e)
{
	struct keyring_config config = { .ttl_ns = cfg->key_ttl_ns };
	struct providers all = { 0 };
	int r = parse_algs(cfg->kek_alg, &config.algs, e);

	if (r == 0)
		r = make_providers(b, cfg, &all, e);
	if (r == 0)
		r = keyring_new_take(&config, all.p, all.n, out, e);
	free(all.p);
	return r;
}

/* ---- the whole ---- */

int
backend_new(struct backend **out, struct err *e)
{
	struct backend *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&b->mu, NULL);
	r = storage_env_read(&b->storage, e);
	if (r == 0)
		r = identity_env_read(&b->identity, e);
	if (r != 0) {
		backend_free(b);
		return r;
	}
	*out = b;
	return 0;
}

void
backend_free(struct backend *b)
{
	if (b == NULL)
		return;
	while (b->tokens != NULL) {
		struct tokens *t = b->tokens;

		b->tokens = t->next;
		token_source_free(t->source);
		free(t);
	}
	while (b->clients != NULL) {
		struct client *c = b->clients;

		b->clients = c->next;
		http_client_free(c->http);
		free(c->settings);
		free(c);
	}
	identity_env_clear(&b->identity);
	storage_env_clear(&b->storage);
	(void)pthread_mutex_destroy(&b->mu);
	free(b);
}

void
backend_stop(struct backend *b)
{
	mutex_lock(&b->mu);
	for (struct client *c = b->clients; c != NULL; c = c->next)
		http_client_stop(c->http);
	mutex_unlock(&b->mu);
}
