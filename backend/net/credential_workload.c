/* SPDX-License-Identifier: MIT */
/*
 * The credential "workload": a token that the platform projects into a file is
 * exchanged for one of Entra's.  The file rotates, so it is read for each request.
 * Source: docs/FORMATS.md, "Entra tokens".
 */
#include <errno.h>

#include "backend/net/credential.h"

enum { AADSTS_ASSERTION_TIME = 700024, AADSTS_ASSERTION_SIGNATURE = 700027 };

static int
make_form(const struct credential_request *rq, struct buf *form, struct err *e)
{
	AUTO_SECRET_TEXT assertion = NULL;
	AUTO_BUF scope;
	int r;

	buf_init(&scope, 1024);
	r = secret_text_read_file(rq->env->federated_file, TOKEN_TEXT_MAX, false, &assertion, e);
	if (r < 0)
		return err_in(e, "federated token");
	r = buf_addf(&scope, e, "%s/.default", rq->resource);
	if (r == 0)
		r = entra_form_add(form, "grant_type", "client_credentials", e);
	if (r == 0)
		r = entra_form_add(form, "client_id", rq->env->client_id, e);
	if (r == 0)
		r = entra_form_add(form, "scope", buf_str(&scope), e);
	if (r == 0)
		r = entra_form_add(form, "client_assertion_type",
				   "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", e);
	if (r == 0)
		r = entra_form_add(form, "client_assertion", secret_text_borrow(assertion), e);
	return r;
}

static int
ask(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	AUTO_BUF form;
	int r;

	*rq->aadsts = 0;
	buf_init(&form, 4 * TOKEN_ANSWER_MAX);
	r = make_form(rq, &form, e);
	return r < 0 ? r : entra_post(rq, "workload identity", buf_span(&form), out, e);
}

int
credential_workload(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	int r;

	if (rq->env->federated_file == NULL)
		return err_set(e, ENXIO, "AZURE_FEDERATED_TOKEN_FILE is not set");
	r = entra_check_ids(rq->env, e);
	if (r < 0)
		return r;
	r = ask(rq, out, e);
	/* The file may have been replaced just then. */
	if (*rq->aadsts == AADSTS_ASSERTION_TIME || *rq->aadsts == AADSTS_ASSERTION_SIGNATURE) {
		err_clear(e);
		r = ask(rq, out, e);
	}
	return r;
}
