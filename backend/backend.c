/* SPDX-License-Identifier: MIT */
/*
 * The facade: see backend.h.  Puts together what source.c and credentials.c
 * decide.
 */
#include "backend/backend.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/clients.h"
#include "backend/connstring.h"
#include "backend/credentials.h"
#include "backend/dirsource.h"
#include "backend/net/cloud.h"
#include "backend/net/cosmosauth.h"
#include "backend/net/sharedkey.h"
#include "backend/net/url.h"
#include "backend/source.h"
#include "backend/store/azblob.h"

enum { ALG_NAMES_MAX = 256 };

static const char STORAGE_RESOURCE[] = "https://storage.azure.com";
static const char COSMOS_RESOURCE[] = "https://cosmos.azure.com"; /* of every account */

struct backend {
	struct identity_env identity;
	struct storage_env storage;
	struct cosmos_env cosmos;
	struct clients clients;
};

/* ---- blobs ---- */

static int
storage_token_auth(struct backend *b, const struct backend_config *cfg, enum credential_kind kind,
		   const char *origin, struct http_auth **out, struct err *e)
{
	struct token_source *tokens = NULL;
	int r = clients_tokens(&b->clients, cfg, kind, STORAGE_RESOURCE, &tokens, e);

	return r == 0 ? bearer_auth_new(tokens, origin, out, e) : r;
}

static int
storage_auth(struct backend *b, const struct backend_config *cfg, const struct source *src,
	     const struct storage_credential *c, struct http_auth **out, struct err *e)
{
	switch (c->kind) {
	case STORAGE_KEY:
		return sharedkey_auth_new(src->account, c->secret, out, e);
	case STORAGE_SAS:
		return sas_auth_new(c->sas_file != NULL ? NULL : c->secret, c->sas_file, out, e);
	case STORAGE_TOKEN:
		return storage_token_auth(b, cfg, c->entra, src->origin, out, e);
	case STORAGE_ANONYMOUS:
		break;
	}
	*out = NULL;
	return 0;
}

/* The client for a source, when it may go there at all. */
static int
store_client(struct backend *b, const struct backend_config *cfg, const struct source *src,
	     struct http_client **out, struct err *e)
{
	int r = clients_http(&b->clients, cfg, CLIENTS_FOR_STORES, out, e);

	return r == 0 ? http_client_may(*out, src->service, e) : r;
}

static int
open_blobs(struct backend *b, const struct backend_config *cfg, const struct connection *connection,
	   const struct source *src, struct backend_store *out, struct err *e)
{
	AUTO_STORAGE_CREDENTIAL c = { 0 };
	struct azblob_config blobs = {
		.service = src->service,
		.account = src->account,
		.container = src->container,
		.prefix = src->prefix,
	};
	struct http_client *http = NULL;
	struct http_auth *auth = NULL;
	struct store *store = NULL;
	int r = credentials_pick_storage(&b->storage, connection, cfg, src, &c, e);

	if (r == 0)
		r = store_client(b, cfg, src, &http, e);
	if (r == 0)
		r = storage_auth(b, cfg, src, &c, &auth, e);
	blobs.single = c.single;
	if (r == 0)
		r = azblob_store_open_take(&blobs, http, auth, &store, e);
	if (r == 0)
		*out = (struct backend_store){ .kind = SOURCE_BLOBS, .blobs = store };
	return r;
}

/* ---- documents ---- */

/*
 * Tokens for the account by its own name.  The other ones are good for every account, so they go to
 * hosts of Azure's only.
 */
static int
cosmos_token_auth(struct backend *b, const struct backend_config *cfg, enum credential_kind kind,
		  const struct source *src, struct http_auth **out, struct err *e)
{
	struct token_source *own = NULL, *any = NULL;
	char account[256];
	AUTO_URL u = { 0 };
	AUTO_BUF resource;
	int r = url_parse(src->origin, &u, e);

	buf_init(&resource, 512);
	if (r == 0)
		r = buf_addf(&resource, e, "https://%s", u.host);
	if (r == 0)
		r = clients_tokens(&b->clients, cfg, kind, buf_str(&resource), &own, e);
	if (r == 0 && cloud_cosmos_account(u.host, account, sizeof(account)))
		r = clients_tokens(&b->clients, cfg, kind, COSMOS_RESOURCE, &any, e);
	return r == 0 ? cosmosaad_auth_new(own, any, src->origin, out, e) : r;
}

static int
cosmos_auth(struct backend *b, const struct backend_config *cfg, const struct source *src,
	    struct http_auth **out, struct err *e)
{
	AUTO_COSMOS_CREDENTIAL c = { 0 };
	int r = credentials_pick_cosmos(&b->cosmos, cfg, src, &c, e);

	if (r < 0)
		return r;
	switch (c.kind) {
	case COSMOS_KEY:
		return cosmoskey_auth_new(c.secret, out, e);
	case COSMOS_RESOURCE_TOKEN:
		return cosmostoken_auth_new(c.secret, c.token_file, out, e);
	case COSMOS_ENTRA:
		break;
	}
	return cosmos_token_auth(b, cfg, c.entra, src, out, e);
}

static int
open_cosmos(struct backend *b, const struct backend_config *cfg, const struct source *src,
	    struct backend_store *out, struct err *e)
{
	const struct cosmos_config documents = {
		.endpoint = src->origin,
		.account = src->account,
		.database = src->database != NULL ? src->database : "",
		.container = src->container != NULL ? src->container : "",
	};
	struct http_client *http = NULL;
	struct http_auth *auth = NULL;
	struct docstore *store = NULL;
	int r = store_client(b, cfg, src, &http, e);

	if (r == 0)
		r = cosmos_auth(b, cfg, src, &auth, e);
	if (r == 0)
		r = cosmos_store_open_take(&documents, http, auth, &store, e);
	if (r == 0 && cfg->ru > 0)
		r = docpace_new_take(store, cfg->ru, &store, e);
	if (r == 0)
		*out = (struct backend_store){ .kind = SOURCE_DOCUMENTS, .documents = store };
	return r;
}

/* ---- stores ---- */

/* The connection string may know an address that does not tell its account; so it is read before
 * the SOURCE. */
static int
open_with(struct backend *b, const struct backend_config *cfg, const struct connection *connection,
	  struct backend_store *out, struct err *e)
{
	AUTO_SOURCE src = { 0 };
	struct source_endpoint known = { 0 };
	int r;

	if (connection != NULL)
		known = (struct source_endpoint){ connection->endpoint, connection->account };
	r = source_parse(cfg->source, connection != NULL ? &known : NULL, &src, e);
	if (r < 0)
		return r;
	switch (src.place) {
	case SOURCE_AT_DIR:
		return dirsource_open(src.path, out, e);
	case SOURCE_AT_COSMOS:
		return open_cosmos(b, cfg, &src, out, e);
	case SOURCE_AT_BLOBS:
		break;
	}
	return open_blobs(b, cfg, connection, &src, out, e);
}

int
backend_open(struct backend *b, const struct backend_config *cfg, struct backend_store *out,
	     struct err *e)
{
	AUTO_CONNECTION connection = { 0 };
	bool wanted;
	int r = 0;

	if (cfg->source == NULL || cfg->source[0] == '\0')
		return err_set(e, EINVAL, "SOURCE is empty");
	wanted = strncmp(cfg->source, "dir:", 4) != 0 && !source_is_cosmos(cfg->source) &&
		 credentials_want_connection(&b->storage, cfg);
	if (wanted)
		r = connection_parse(b->storage.connection, &connection, e);
	if (r != 0)
		return err_in(e, "AZURE_STORAGE_CONNECTION_STRING");
	return open_with(b, cfg, wanted ? &connection : NULL, out, e);
}

void
backend_store_free(struct backend_store *s)
{
	store_free(s->blobs);
	docstore_free(s->documents);
	*s = (struct backend_store){ 0 };
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

/* Whoever names a vault's key to write under trusts it: one entry more of the allow-list. */
static bool
is_vault_kek(const char *kek)
{
	return kek != NULL && strncmp(kek, "https://", 8) == 0;
}

static int
vault_entries(const struct backend_config *cfg, const char ***out, struct err *e)
{
	const unsigned n = count(cfg->vaults);
	const char **all = calloc((size_t)n + 2, sizeof(*all)); /* not secret */

	if (all == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < n; i++)
		all[i] = cfg->vaults[i];
	if (is_vault_kek(cfg->kek))
		all[n] = cfg->kek;
	*out = all;
	return 0;
}

static int
add_vaults(struct backend *b, const struct backend_config *cfg, struct providers *all,
	   struct err *e)
{
	enum credential_kind kind = CREDENTIAL_CHAIN;
	struct http_client *http = NULL;
	const char **entries = NULL;
	int r = credentials_pick_vault(cfg, &kind, e);

	if (r != 0 || (count(cfg->vaults) == 0 && !is_vault_kek(cfg->kek)))
		return r;
	r = vault_entries(cfg, &entries, e);
	if (r == 0)
		r = clients_http(&b->clients, cfg, CLIENTS_FOR_KEYS, &http, e);
	if (r == 0)
		r = vault_provider_new(http, &b->identity, (int)kind, entries, &all->p[all->n], e);
	if (r == 0)
		all->n++;
	free(entries);
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
	clients_init(&b->clients, &b->identity);
	r = storage_env_read(&b->storage, e);
	if (r == 0)
		r = cosmos_env_read(&b->cosmos, e);
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
	clients_clear(&b->clients);
	identity_env_clear(&b->identity);
	storage_env_clear(&b->storage);
	cosmos_env_clear(&b->cosmos);
	free(b);
}

void
backend_stop(struct backend *b)
{
	clients_stop(&b->clients);
}
