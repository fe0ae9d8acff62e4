/* SPDX-License-Identifier: MIT */
/*
 * The credential "environment": a service principal's client secret.  Source: docs/FORMATS.md,
 * "Entra tokens".
 */
#include <errno.h>

#include "backend/net/credential.h"

int
credential_environment(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	AUTO_BUF form, scope;
	int r;

	buf_init(&form, TOKEN_ANSWER_MAX);
	buf_init(&scope, 1024);
	r = entra_check_ids(rq->env, e);
	if (r < 0)
		return r;
	if (rq->env->client_secret == NULL)
		return err_set(e, ENXIO, "AZURE_CLIENT_SECRET is not set");
	r = buf_addf(&scope, e, "%s/.default", rq->resource);
	if (r == 0)
		r = entra_form_add(&form, "grant_type", "client_credentials", e);
	if (r == 0)
		r = entra_form_add(&form, "client_id", rq->env->client_id, e);
	if (r == 0)
		r = entra_form_add(&form, "scope", buf_str(&scope), e);
	if (r == 0)
		r = entra_form_add(&form, "client_secret",
				   secret_text_borrow(rq->env->client_secret), e);
	return r < 0 ? r : entra_post(rq, "client secret", buf_span(&form), out, e);
}
