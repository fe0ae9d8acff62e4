/* SPDX-License-Identifier: MIT */
/*
 * One way of getting a token from Entra.  Private to this directory: token.c tries
 * them in order.  Each asks once, blocks, and keeps nothing.
 */
#ifndef BACKEND_NET_CREDENTIAL_H
#define BACKEND_NET_CREDENTIAL_H

#include "backend/net/token.h"

enum { TOKEN_ANSWER_MAX = 64 << 10, TOKEN_TEXT_MAX = 16 << 10 };

struct token_answer {
	struct secret_text *token; /* owned by whoever asked */
	int64_t lifetime_s;	   /* from the moment of the request */
	int64_t refresh_s; /* when the issuer wants to be asked again; 0 = it does not say */
};

struct credential_request {
	struct http_client *client;
	const struct identity_env *env;
	const char *resource;
	struct deadline d;
	bool known;	  /* it has given a token before: no probe */
	uint64_t *aadsts; /* gets the AADSTS number of a refusal; as it was when there is none */
};

/*
 * A credential's way to get a token.  -ENXIO: it is not set up here, the text says what is
 * missing (the next one may be tried).  -EACCES: it refuses (event "auth.entra").  -ETIMEDOUT,
 * -EIO, -ECANCELED as http_call.
 */
typedef int credential_get(const struct credential_request *rq, struct token_answer *out,
			   struct err *e);

credential_get credential_environment, credential_workload, credential_managed, credential_cli;

/*
 * The token endpoint of the tenant: sends the form (secret) and reads the answer.  who names the
 * credential in messages.
 */
int entra_post(const struct credential_request *rq, const char *who, struct span form,
	       struct token_answer *out, struct err *e) MUST_CHECK;
/* Reports a refusal in Entra's own words, wherever they came from. */
int entra_refusal(const struct credential_request *rq, const char *who,
		  const struct http_response *r, struct err *e);
/* Appends name=value&..., percent-encoded, to a form; the first without '&'. */
int entra_form_add(struct buf *form, const char *name, const char *value, struct err *e) MUST_CHECK;
/*
 * Tenant and client id, which every flow against Entra needs: -ENXIO when one is missing, -EINVAL
 * when it is not an id.
 */
int entra_check_ids(const struct identity_env *env, struct err *e) MUST_CHECK;

/*
 * A token answer in JSON: access_token, expires_in or expires_on or refresh_in as numbers or
 * strings.  -EACCES when it is not one: nothing of the text is repeated in the message.
 */
int token_answer_parse(const char *who, struct span json, struct token_answer *out,
		       struct err *e) MUST_CHECK;
/*
 * What a refusal says: its AADSTS number (0 = none), error and correlation id, all harmless to
 * print.
 */
struct token_refusal {
	uint64_t code;
	char error[64], correlation[64];
};
void token_refusal_parse(struct span json, struct token_refusal *out);
/* The number after the first "AADSTS" of a text; 0 when there is none. */
uint64_t token_answer_aadsts(const char *text);
/* Checks a token's characters and takes it. */
int token_answer_take(const char *who, const char *token, struct secret_text **out,
		      struct err *e) MUST_CHECK;

#endif
