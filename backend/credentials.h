/* SPDX-License-Identifier: MIT */
/*
 * Which credential a source gets.  Decides from options and environment; makes no
 * connection and asks for no token.  Order: storage_key_file, sas_file, credential=, then the
 * environment's connection string, key and SAS, then Entra; http without any of them goes
 * anonymously.
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
 * options, a credential for another account than the source's, a SAS for less than the source; and
 * the errors of reading the files.
 */
int credentials_pick_storage(const struct storage_env *env, const struct connection *connection,
			     const struct backend_config *cfg, const struct source *src,
			     struct storage_credential *out, struct err *e) MUST_CHECK;
void storage_credential_clear(struct storage_credential *c);
#define AUTO_STORAGE_CREDENTIAL struct storage_credential CLEANUP(storage_credential_clear)

/* The Entra credential for vaults: vault_credential=, else credential=, else the default chain. */
int credentials_pick_vault(const struct backend_config *cfg, enum credential_kind *out,
			   struct err *e) MUST_CHECK;

#endif
