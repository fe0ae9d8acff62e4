/* SPDX-License-Identifier: MIT */
/*
 * Which credential a source gets.  Decides from options and environment; makes no
 * connection and asks for no token.  The order is told at backend_open.
 */
#ifndef BACKEND_CREDENTIALS_H
#define BACKEND_CREDENTIALS_H

#include "backend/backend.h"
#include "backend/connstring.h"
#include "backend/net/token.h"
#include "backend/source.h"
#include "base/secret.h"

/* AZURE_STORAGE_CONNECTION_STRING, _KEY, _SAS_TOKEN and _ACCOUNT; NULL = not set. */
struct storage_env {
	struct secret_text *connection, *key, *sas;
	char *account;
};

/* Secrets are overwritten in the environment. */
int storage_env_read(struct storage_env *out, struct err *e) MUST_CHECK;
void storage_env_clear(struct storage_env *env);

/* Whether the environment's connection string is what a source with these options would use. */
bool credentials_want_connection(const struct storage_env *env, const struct backend_config *cfg);

enum storage_credential_kind { STORAGE_ANONYMOUS, STORAGE_KEY, STORAGE_SAS, STORAGE_TOKEN };

struct storage_credential {
	enum storage_credential_kind kind;
	struct secret_text *secret; /* key or SAS */
	const char *sas_file; /* where the SAS is renewed, or NULL; borrowed from the options */
	enum credential_kind entra; /* of a token */
	bool single;		    /* the SAS is good for one blob only */
};

/*
 * connection: the parsed connection string, or NULL when it is not wanted.  -EINVAL: contradictory
 * options, those of Cosmos included, a credential for another account than the source's, a SAS
 * for less than the source; and the errors of reading the files.
 */
int credentials_pick_storage(const struct storage_env *env, const struct connection *connection,
			     const struct backend_config *cfg, const struct source *src,
			     struct storage_credential *out, struct err *e) MUST_CHECK;
void storage_credential_clear(struct storage_credential *c);
#define AUTO_STORAGE_CREDENTIAL struct storage_credential CLEANUP(storage_credential_clear)

/* AZURE_COSMOS_CONNECTION_STRING and _KEY; NULL = not set. */
struct cosmos_env {
	struct secret_text *connection, *key;
};

/* Secrets are overwritten in the environment. */
int cosmos_env_read(struct cosmos_env *out, struct err *e) MUST_CHECK;
void cosmos_env_clear(struct cosmos_env *env);

enum cosmos_credential_kind { COSMOS_KEY, COSMOS_RESOURCE_TOKEN, COSMOS_ENTRA };

struct cosmos_credential {
	enum cosmos_credential_kind kind;
	struct secret_text *secret; /* key or resource token */
	const char *token_file;	    /* where it is renewed; borrowed from the options */
	enum credential_kind entra;
};

/*
 * -EINVAL: contradictory options, those of storage included; no credential that may go over http;
 * a malformed connection string (one for another origin than the source's does not count); and the
 * errors of reading the files.
 */
int credentials_pick_cosmos(const struct cosmos_env *env, const struct backend_config *cfg,
			    const struct source *src, struct cosmos_credential *out,
			    struct err *e) MUST_CHECK;
void cosmos_credential_clear(struct cosmos_credential *c);
#define AUTO_COSMOS_CREDENTIAL struct cosmos_credential CLEANUP(cosmos_credential_clear)

/* The Entra credential for vaults: vault_credential=, else credential=, else the default chain. */
int credentials_pick_vault(const struct backend_config *cfg, enum credential_kind *out,
			   struct err *e) MUST_CHECK;

#endif
