/* SPDX-License-Identifier: MIT */
/* Entra's token endpoint: see credential.h.  Source: docs/FORMATS.md, "Entra tokens". */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "backend/net/credential.h"
#include "backend/net/url.h"

/* Advice for the refusals that people meet. */
static const char *
advice_for(uint64_t code)
{
	switch (code) {
	case 7000215:
	case 7000222:
		return "renew the client secret: it is wrong or has expired";
	case 700016:
		return "check AZURE_CLIENT_ID: this tenant does not know it";
	case 90002:
		return "check AZURE_TENANT_ID: there is no such tenant";
	case 500011:
		return "this tenant does not know the resource";
	case 70021:
	case 700213:
		return "the federated credential of the application does not match this token";
	case 700024:
	case 700027:
		return "the federated token is out of date, or this machine's clock is wrong";
	default:
		return NULL;
	}
}

int
entra_refusal(const struct credential_request *rq, const char *who, const struct http_response *r,
	      struct err *e)
{
	struct token_refusal why;

	token_refusal_parse(buf_span(&r->error_body), &why);
	if (why.code != 0) {
		*rq->aadsts = why.code;
		(void)err_set(e, EACCES, "%s: Entra refuses: AADSTS%llu (%s), correlation id %s",
			      who, (unsigned long long)why.code,
			      why.error[0] != '\0' ? why.error : "no error name",
			      why.correlation[0] != '\0' ? why.correlation : "-");
	} else {
		(void)err_set(e, EACCES, "%s: Entra refuses: status %d (%s), correlation id %s",
			      who, r->status, why.error[0] != '\0' ? why.error : "no error name",
			      why.correlation[0] != '\0' ? why.correlation : "-");
	}
	return err_mark(e, "auth.entra", advice_for(why.code));
}

int
entra_post(const struct credential_request *rq, const char *who, struct span form,
	   struct token_answer *out, struct err *e)
{
	AUTO_HTTP_RESPONSE r;
	AUTO_BUF url, body;
	struct http_request req = {
		.method = "POST",
		.header = { { "Content-Type", "application/x-www-form-urlencoded" },
			    { "Accept", "application/json" } },
		.body = form,
		.secret_body = true,
		.max_body = TOKEN_ANSWER_MAX,
		.idempotent = true,
	};
	int rc;

	http_response_init(&r);
	buf_init(&url, 4096);
	buf_init(&body, TOKEN_ANSWER_MAX);
	rc = buf_addf(&url, e, "%s/%s/oauth2/v2.0/token", rq->env->authority, rq->env->tenant);
	if (rc < 0)
		return rc;
	req.url = buf_str(&url);
	rc = http_call(rq->client, NULL, &req, http_sink_to_buf(&body), rq->d, &r, e);
	if (rc < 0)
		return err_in(e, "%s", who);
	if (r.status != 200)
		return entra_refusal(rq, who, &r, e);
	return token_answer_parse(who, buf_span(&body), out, e);
}

int
entra_form_add(struct buf *form, const char *name, const char *value, struct err *e)
{
	int r = buf_addf(form, e, "%s%s=", form->n > 0 ? "&" : "", name);

	return r < 0 ? r : url_encode(form, value, strlen(value), false, e);
}

static bool
is_id(const char *s)
{
	return s[strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_")] ==
	       '\0';
}

int
entra_check_ids(const struct identity_env *env, struct err *e)
{
	if (env->tenant == NULL)
		return err_set(e, ENXIO, "AZURE_TENANT_ID is not set");
	if (env->client_id == NULL)
		return err_set(e, ENXIO, "AZURE_CLIENT_ID is not set");
	if (!is_id(env->tenant))
		return err_set(e, EINVAL, "AZURE_TENANT_ID is not an id or a domain name");
	if (!is_id(env->client_id))
		return err_set(e, EINVAL, "AZURE_CLIENT_ID is not an id");
	return 0;
}
