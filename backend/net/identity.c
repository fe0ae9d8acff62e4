/* SPDX-License-Identifier: MIT */
/* What the environment says about identity: see token.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "backend/net/token.h"

static const struct {
	const char *name;
	enum credential_kind kind;
} kinds[] = {
	{ "environment", CREDENTIAL_ENVIRONMENT },
	{ "EnvironmentCredential", CREDENTIAL_ENVIRONMENT },
	{ "workload", CREDENTIAL_WORKLOAD },
	{ "WorkloadIdentityCredential", CREDENTIAL_WORKLOAD },
	{ "managed", CREDENTIAL_MANAGED },
	{ "ManagedIdentityCredential", CREDENTIAL_MANAGED },
	{ "cli", CREDENTIAL_CLI },
	{ "AzureCliCredential", CREDENTIAL_CLI },
	{ "dev", CREDENTIAL_CLI },
	{ "prod", CREDENTIAL_PRODUCTION },
	{ "chain", CREDENTIAL_CHAIN },
	{ "DefaultAzureCredential", CREDENTIAL_CHAIN },
};

int
credential_kind_parse(const char *name, enum credential_kind *out, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
		if (strcasecmp(name, kinds[i].name) == 0) {
			*out = kinds[i].kind;
			return 0;
		}
	return err_set(e, EINVAL,
		       "unknown credential \"%.40s\": environment, workload, managed or cli", name);
}

/* An empty variable counts as none. */
static int
take(const char *name, char **out, struct err *e)
{
	const char *value = getenv(name);

	if (value == NULL || value[0] == '\0')
		return 0;
	*out = strdup(value);
	return *out == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

static void
strip_slashes(char *s)
{
	for (size_t n = s == NULL ? 0 : strlen(s); n > 0 && s[n - 1] == '/'; n--)
		s[n - 1] = '\0';
}

/* With scheme, without '/' at the end. */
static int
take_authority(char **out, struct err *e)
{
	const char *value = getenv("AZURE_AUTHORITY_HOST");

	if (value == NULL || value[0] == '\0')
		value = "https://login.microsoftonline.com";
	if (asprintf(out, "%s%s", strstr(value, "://") == NULL ? "https://" : "", value) < 0) {
		*out = NULL;
		return err_set(e, ENOMEM, "out of memory");
	}
	strip_slashes(*out);
	return 0;
}

static int
take_kind(enum credential_kind *out, struct err *e)
{
	const char *name = getenv("AZURE_TOKEN_CREDENTIALS");
	int r;

	*out = CREDENTIAL_CHAIN;
	if (name == NULL || name[0] == '\0')
		return 0;
	r = credential_kind_parse(name, out, e);
	return r < 0 ? err_in(e, "AZURE_TOKEN_CREDENTIALS") : 0;
}

int
identity_env_read(struct identity_env *out, struct err *e)
{
	struct identity_env env = { 0 };
	int r = take_authority(&env.authority, e);

	if (r == 0)
		r = take("AZURE_TENANT_ID", &env.tenant, e);
	if (r == 0)
		r = take("AZURE_CLIENT_ID", &env.client_id, e);
	if (r == 0)
		r = take("AZURE_FEDERATED_TOKEN_FILE", &env.federated_file, e);
	if (r == 0)
		r = take("IDENTITY_ENDPOINT", &env.identity_endpoint, e);
	if (r == 0)
		r = take("AZURE_POD_IDENTITY_AUTHORITY_HOST", &env.imds_host, e);
	strip_slashes(env.imds_host);
	if (r == 0)
		r = secret_text_take_env("AZURE_CLIENT_SECRET", &env.client_secret, e);
	if (r == 0)
		r = secret_text_take_env("IDENTITY_HEADER", &env.identity_header, e);
	if (r == 0)
		r = take_kind(&env.kind, e);
	if (r < 0) {
		identity_env_clear(&env);
		return r;
	}
	*out = env;
	return 0;
}

void
identity_env_clear(struct identity_env *env)
{
	free(env->authority);
	free(env->tenant);
	free(env->client_id);
	free(env->federated_file);
	free(env->identity_endpoint);
	free(env->imds_host);
	secret_text_free(env->client_secret);
	secret_text_free(env->identity_header);
	*env = (struct identity_env){ 0 };
}
