/* SPDX-License-Identifier: MIT */
/*
 * Entra tokens: the credential chain, and one source of tokens for each (credential, resource).
 *
 * Order, unless one is picked by name: environment (client secret), workload identity, managed
 * identity (App Service form, then IMDS), Azure CLI.  "Not available" moves on to the next; a
 * refusal does not.  The winner is remembered.  A token is renewed in the background 5 minutes
 * ahead of its end (or at half its life when that is later for short ones), by one thread at a
 * time; when renewal fails the old token serves until it ends.  The federated token file is read
 * again for each request.
 *
 * A token is bound to the host and resource it was made for: an auth refuses to attach it
 * elsewhere. Source: docs/FORMATS.md, "Entra tokens".
 */
#ifndef BACKEND_NET_TOKEN_H
#define BACKEND_NET_TOKEN_H

#include "backend/net/http.h"

enum credential_kind {
	CREDENTIAL_CHAIN,
	CREDENTIAL_ENVIRONMENT,
	CREDENTIAL_WORKLOAD,
	CREDENTIAL_MANAGED,
	CREDENTIAL_CLI,
	CREDENTIAL_PRODUCTION /* the chain without the CLI: AZURE_TOKEN_CREDENTIALS=prod */
};

/*
 * "environment", "workload", "managed", "cli" (and the SDKs' class names, such as
 * "AzureCliCredential", "prod", "dev" -> see AZURE_TOKEN_CREDENTIALS); -EINVAL.
 */
int credential_kind_parse(const char *name, enum credential_kind *out, struct err *e) MUST_CHECK;

/*
 * What the environment says about identity.  Secrets are copied out of it and the originals
 * overwritten in place. AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET,
 * AZURE_FEDERATED_TOKEN_FILE, AZURE_AUTHORITY_HOST (default https://login.microsoftonline.com),
 * IDENTITY_ENDPOINT, IDENTITY_HEADER, AZURE_POD_IDENTITY_AUTHORITY_HOST, AZURE_TOKEN_CREDENTIALS.
 */
struct identity_env {
	char *authority, *tenant, *client_id, *federated_file, *identity_endpoint, *imds_host;
	struct secret_text *client_secret, *identity_header;
	enum credential_kind kind; /* from AZURE_TOKEN_CREDENTIALS */
};
int identity_env_read(struct identity_env *out, struct err *e) MUST_CHECK;
void identity_env_clear(struct identity_env *env);

struct token_source; /* opaque */

/*
 * resource such as "https://storage.azure.com" (scope = resource + "/.default").  client and env
 * are borrowed for the source's life. CREDENTIAL_CHAIN means what env->kind says.  Nothing is
 * requested yet.
 */
int token_source_new(struct http_client *client, const struct identity_env *env,
		     enum credential_kind kind, const char *resource, struct token_source **out,
		     struct err *e) MUST_CHECK;
void token_source_free(struct token_source *t);

/*
 * A valid token; one reference for the caller.  -EACCES with a sentence that names the
 * credential, the AADSTS code and the correlation id (event "auth.entra"); with no credential
 * available, one that lists what was tried and why not.  -ETIMEDOUT.  A hundred threads cause one
 * request.
 */
int token_source_get(struct token_source *t, struct deadline d, struct secret_text **out,
		     struct err *e) MUST_CHECK;

/* The AADSTS number with which Entra refused last; 0 when it did not, or gave none. */
uint64_t token_source_aadsts(struct token_source *t);

/*
 * The service refused this token: forget it (if it is still the one held).  Returns whether a new
 * one may be asked for now.
 */
bool token_source_drop(struct token_source *t, const struct secret_text *refused);

/*
 * Bearer tokens of t, attached only to requests for origin ("https://host[:port]"): for any
 * other, and for an origin that is not https, -EACCES (event "policy.token").  t is borrowed.
 */
int bearer_auth_new(struct token_source *t, const char *origin, struct http_auth **out,
		    struct err *e) MUST_CHECK;

/* Name of the credential in use, for `stat` and the log; "" before the first token. */
const char *token_source_credential(const struct token_source *t);

#endif
