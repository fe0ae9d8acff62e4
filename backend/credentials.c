/* SPDX-License-Identifier: MIT */
/* Which credential a source gets: see credentials.h. */
#include "backend/credentials.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/net/sharedkey.h"

enum { SECRET_FILE_MAX = 16 << 10 };

static const char ANONYMOUS[] = "anonymous";

/* ---- the environment ---- */

int
storage_env_read(struct storage_env *out, struct err *e)
{
	const char *account = getenv("AZURE_STORAGE_ACCOUNT");
	struct storage_env env = { 0 };
	int r = secret_text_take_env("AZURE_STORAGE_CONNECTION_STRING", &env.connection, e);

	if (r == 0)
		r = secret_text_take_env("AZURE_STORAGE_KEY", &env.key, e);
	if (r == 0)
		r = secret_text_take_env("AZURE_STORAGE_SAS_TOKEN", &env.sas, e);
	if (r == 0 && account != NULL && account[0] != '\0') {
		env.account = strdup(account);
		r = env.account == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
	}
	if (r != 0) {
		storage_env_clear(&env);
		return r;
	}
	*out = env;
	return 0;
}

void
storage_env_clear(struct storage_env *env)
{
	secret_text_free(env->connection);
	secret_text_free(env->key);
	secret_text_free(env->sas);
	free(env->account);
	*env = (struct storage_env){ 0 };
}

int
cosmos_env_read(struct cosmos_env *out, struct err *e)
{
	struct cosmos_env env = { 0 };
	int r = secret_text_take_env("AZURE_COSMOS_CONNECTION_STRING", &env.connection, e);

	if (r == 0)
		r = secret_text_take_env("AZURE_COSMOS_KEY", &env.key, e);
	if (r != 0) {
		cosmos_env_clear(&env);
		return r;
	}
	*out = env;
	return 0;
}

void
cosmos_env_clear(struct cosmos_env *env)
{
	secret_text_free(env->connection);
	secret_text_free(env->key);
	*env = (struct cosmos_env){ 0 };
}

/* ---- options ---- */

/* What is said twice, or for another kind of source, was meant otherwise. */
static int
refuse_foreign(const char *key_name, const char *key, const char *other_name, const char *other,
	       const char *kind, struct err *e)
{
	if (key == NULL && other == NULL)
		return 0;
	return err_set(e, EINVAL, "option %s: SOURCE is at %s", key != NULL ? key_name : other_name,
		       kind);
}

static int
refuse_both(const char *key_name, const char *key, const char *other_name, const char *other,
	    struct err *e)
{
	if (key == NULL || other == NULL)
		return 0;
	return err_set(e, EINVAL, "%s= and %s= contradict each other", key_name, other_name);
}

static int
parse_kind(const char *option, const char *name, enum credential_kind *out, struct err *e)
{
	int r = credential_kind_parse(name, out, e);

	return r < 0 ? err_in(e, "option %s", option) : 0;
}

/* credential=, when it is one of Entra's. */
static int
take_named(const char *name, const struct source *src, enum credential_kind *out, struct err *e)
{
	if (!src->https)
		return err_set(e, EINVAL,
			       "option credential: %.40s needs https: tokens never travel in the "
			       "clear",
			       name);
	return parse_kind("credential", name, out, e);
}

/* ---- what fits the source ---- */

static int
check_account(const char *account, const struct source *src, const char *where, struct err *e)
{
	if (account == NULL || strcmp(account, src->account) == 0)
		return 0;
	return err_set(e, EINVAL, "%s is for the account %.64s, but SOURCE is at %.64s", where,
		       account, src->account);
}

/*
 * By the address it names, or by the account: a signature made with the account's key is good for
 * one request, but a SAS is sent as it is, and goes nowhere else.
 */
static int
check_connection(const struct connection *c, const struct source *src, struct err *e)
{
	if (strcasecmp(c->endpoint, src->service) == 0)
		return 0;
	if (c->account == NULL || (c->key == NULL && strcmp(c->account, src->account) == 0))
		return err_set(e, EINVAL,
			       "the connection string is for %.120s, but SOURCE is at %.120s",
			       c->endpoint, src->service);
	return check_account(c->account, src, "the connection string", e);
}

/* A SAS says itself what it is good for; one for a blob cannot list. */
static int
check_sas(const struct source *src, struct storage_credential *c, struct err *e)
{
	char scope[8];

	if (!sas_field(c->secret, "sr", scope, sizeof(scope)))
		return 0; /* of the whole account */
	if (src->container == NULL)
		return err_set(e, EINVAL,
			       "the SAS is for a container or a blob: name it in SOURCE");
	if (strcmp(scope, "b") != 0)
		return 0;
	if (src->prefix[0] == '\0')
		return err_set(e, EINVAL, "the SAS is for a single blob: name it in SOURCE");
	c->single = true;
	return 0;
}

/* ---- the choices, in their order ---- */

static int
use_key_file(const struct backend_config *cfg, struct storage_credential *c, struct err *e)
{
	c->kind = STORAGE_KEY;
	return secret_text_read_file(cfg->storage_key_file, SECRET_FILE_MAX, true, &c->secret, e);
}

static int
use_sas_file(const struct backend_config *cfg, const struct source *src,
	     struct storage_credential *c, struct err *e)
{
	int r = secret_text_read_file(cfg->sas_file, SECRET_FILE_MAX, true, &c->secret, e);

	c->kind = STORAGE_SAS;
	c->sas_file = cfg->sas_file;
	return r == 0 ? check_sas(src, c, e) : r;
}

static int
use_secret(enum storage_credential_kind kind, struct secret_text *secret, const struct source *src,
	   struct storage_credential *c, struct err *e)
{
	c->kind = kind;
	c->secret = secret_text_ref(secret);
	return kind == STORAGE_SAS ? check_sas(src, c, e) : 0;
}

static int
use_connection(const struct connection *connection, const struct source *src,
	       struct storage_credential *c, struct err *e)
{
	int r = check_connection(connection, src, e);

	if (r != 0)
		return r;
	if (connection->key != NULL)
		return use_secret(STORAGE_KEY, connection->key, src, c, e);
	return use_secret(STORAGE_SAS, connection->sas, src, c, e);
}

static int
use_named(const char *name, const struct source *src, struct storage_credential *c, struct err *e)
{
	if (strcasecmp(name, ANONYMOUS) == 0) {
		c->kind = STORAGE_ANONYMOUS;
		return 0;
	}
	c->kind = STORAGE_TOKEN;
	return take_named(name, src, &c->entra, e);
}

static int
use_environment(const struct storage_env *env, const struct source *src,
		struct storage_credential *c, struct err *e)
{
	const char *where = env->key != NULL ? "AZURE_STORAGE_KEY" : "AZURE_STORAGE_SAS_TOKEN";
	int r = check_account(env->account, src, where, e);

	if (r != 0)
		return err_in(e, "AZURE_STORAGE_ACCOUNT");
	if (env->key != NULL)
		return use_secret(STORAGE_KEY, env->key, src, c, e);
	return use_secret(STORAGE_SAS, env->sas, src, c, e);
}

static int
pick(const struct storage_env *env, const struct connection *connection,
     const struct backend_config *cfg, const struct source *src, struct storage_credential *c,
     struct err *e)
{
	int r = refuse_both("storage_key_file", cfg->storage_key_file, "sas_file", cfg->sas_file,
			    e);

	if (r == 0)
		r = refuse_foreign("cosmos_key_file", cfg->cosmos_key_file, "cosmos_token_file",
				   cfg->cosmos_token_file, "Azure Blob Storage", e);
	if (r != 0)
		return r;
	if (cfg->storage_key_file != NULL)
		return use_key_file(cfg, c, e);
	if (cfg->sas_file != NULL)
		return use_sas_file(cfg, src, c, e);
	if (cfg->credential != NULL)
		return use_named(cfg->credential, src, c, e);
	if (connection != NULL)
		return use_connection(connection, src, c, e);
	if (env->key != NULL || env->sas != NULL)
		return use_environment(env, src, c, e);
	c->kind = src->https ? STORAGE_TOKEN : STORAGE_ANONYMOUS;
	c->entra = CREDENTIAL_CHAIN;
	return 0;
}

bool
credentials_want_connection(const struct storage_env *env, const struct backend_config *cfg)
{
	return env->connection != NULL && cfg->storage_key_file == NULL && cfg->sas_file == NULL &&
	       cfg->credential == NULL;
}

int
credentials_pick_storage(const struct storage_env *env, const struct connection *connection,
			 const struct backend_config *cfg, const struct source *src,
			 struct storage_credential *out, struct err *e)
{
	AUTO_STORAGE_CREDENTIAL c = { 0 };
	int r = pick(env, connection, cfg, src, &c, e);

	if (r != 0)
		return r;
	*out = c;
	c = (struct storage_credential){ 0 };
	return 0;
}

void
storage_credential_clear(struct storage_credential *c)
{
	secret_text_free(c->secret);
	*c = (struct storage_credential){ 0 };
}

/* ---- Cosmos ---- */

static int
use_cosmos_file(enum cosmos_credential_kind kind, const char *path, struct cosmos_credential *c,
		struct err *e)
{
	c->kind = kind;
	c->token_file = kind == COSMOS_RESOURCE_TOKEN ? path : NULL;
	return secret_text_read_file(path, SECRET_FILE_MAX, true, &c->secret, e);
}

static int
use_cosmos_named(const char *name, const struct source *src, struct cosmos_credential *c,
		 struct err *e)
{
	if (strcasecmp(name, ANONYMOUS) == 0)
		return err_set(e, EINVAL, "option credential: Cosmos DB answers nobody anonymous");
	c->kind = COSMOS_ENTRA;
	return take_named(name, src, &c->entra, e);
}

/* The environment's key for this source, or NULL. */
static int
cosmos_env_key(const struct cosmos_env *env, const struct source *src, struct secret_text **out,
	       struct err *e)
{
	AUTO_CONNECTION connection = { 0 };

	if (env->connection != NULL) {
		if (connection_parse_cosmos(env->connection, &connection, e) < 0)
			return err_in(e, "AZURE_COSMOS_CONNECTION_STRING");
		if (strcmp(connection.endpoint, src->origin) == 0) {
			*out = secret_text_ref(connection.key);
			return 0;
		}
	}
	*out = secret_text_ref(env->key);
	return 0;
}

static int
use_cosmos_environment(const struct cosmos_env *env, const struct source *src,
		       struct cosmos_credential *c, struct err *e)
{
	int r = cosmos_env_key(env, src, &c->secret, e);

	c->kind = COSMOS_KEY;
	if (r != 0 || c->secret != NULL)
		return r;
	c->kind = COSMOS_ENTRA;
	c->entra = CREDENTIAL_CHAIN;
	if (src->https)
		return 0;
	(void)err_set(e, EINVAL, "SOURCE needs a key: tokens never travel in the clear");
	return err_mark(e, NULL, "give cosmos_key_file=, or AZURE_COSMOS_KEY");
}

static int
pick_cosmos(const struct cosmos_env *env, const struct backend_config *cfg,
	    const struct source *src, struct cosmos_credential *c, struct err *e)
{
	int r = refuse_both("cosmos_key_file", cfg->cosmos_key_file, "cosmos_token_file",
			    cfg->cosmos_token_file, e);

	if (r == 0)
		r = refuse_foreign("storage_key_file", cfg->storage_key_file, "sas_file",
				   cfg->sas_file, "Azure Cosmos DB", e);
	if (r != 0)
		return r;
	if (cfg->cosmos_key_file != NULL)
		return use_cosmos_file(COSMOS_KEY, cfg->cosmos_key_file, c, e);
	if (cfg->cosmos_token_file != NULL)
		return use_cosmos_file(COSMOS_RESOURCE_TOKEN, cfg->cosmos_token_file, c, e);
	if (cfg->credential != NULL)
		return use_cosmos_named(cfg->credential, src, c, e);
	return use_cosmos_environment(env, src, c, e);
}

int
credentials_pick_cosmos(const struct cosmos_env *env, const struct backend_config *cfg,
			const struct source *src, struct cosmos_credential *out, struct err *e)
{
	AUTO_COSMOS_CREDENTIAL c = { 0 };
	int r = pick_cosmos(env, cfg, src, &c, e);

	if (r != 0)
		return r;
	*out = c;
	c = (struct cosmos_credential){ 0 };
	return 0;
}

void
cosmos_credential_clear(struct cosmos_credential *c)
{
	secret_text_free(c->secret);
	*c = (struct cosmos_credential){ 0 };
}

int
credentials_pick_vault(const struct backend_config *cfg, enum credential_kind *out, struct err *e)
{
	if (cfg->vault_credential != NULL)
		return parse_kind("vault_credential", cfg->vault_credential, out, e);
	if (cfg->credential != NULL && strcasecmp(cfg->credential, ANONYMOUS) != 0)
		return parse_kind("credential", cfg->credential, out, e);
	*out = CREDENTIAL_CHAIN;
	return 0;
}
