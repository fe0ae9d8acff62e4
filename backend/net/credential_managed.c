/* SPDX-License-Identifier: MIT */
/*
 * The credential "managed": the identity of the machine or app this runs on.  App Service's form
 * where the environment announces it, else the instance metadata service (IMDS), never through a
 * proxy. Source: docs/FORMATS.md, "Entra tokens".
 */
#include <errno.h>
#include <string.h>

#include "backend/net/client.h"
#include "backend/net/credential.h"
#include "backend/net/url.h"

enum { TRIES = 5 };

static const int64_t probe_ns = NS_PER_S;

/* An endpoint's identity header is as good as a token: it goes to that endpoint only. */
struct header_auth {
	struct http_auth base;
	const struct secret_text *value;
};

static int
header_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	(void)d;
	return http_attempt_secret_header(at, "X-IDENTITY-HEADER", "",
					  ((struct header_auth *)a)->value, e);
}

static const struct http_auth_ops header_ops = { .apply = header_apply };

static int
make_url(const struct credential_request *rq, const char *endpoint, const char *version,
	 struct buf *url, struct err *e)
{
	int r = buf_addf(url, e, "%s?api-version=%s&resource=", endpoint, version);

	if (r == 0)
		r = url_encode(url, rq->resource, strlen(rq->resource), false, e);
	if (r == 0 && rq->env->client_id != NULL) {
		r = buf_add_str(url, "&client_id=", e);
		if (r == 0)
			r = url_encode(url, rq->env->client_id, strlen(rq->env->client_id), false,
				       e);
	}
	return r;
}

/*
 * These endpoints say 404 or 410 for a while after a start or an upgrade: ask again, later each
 * time.  0 = no more.
 */
static int64_t
pause_after(int status, unsigned tries, struct deadline d)
{
	int64_t pause = status == 410 ? 10 * NS_PER_S : NS_PER_S << tries;

	if ((status != 404 && status != 410) || tries + 1 >= TRIES || pause >= deadline_left_ns(d))
		return 0;
	return pause;
}

static int
judge(const struct credential_request *rq, const char *who, const struct http_response *r,
      const struct buf *body, struct token_answer *out, struct err *e)
{
	struct token_refusal why;

	if (r->status == 200)
		return token_answer_parse(who, buf_span(body), out, e);
	token_refusal_parse(buf_span(&r->error_body), &why);
	if (why.code != 0) /* there is an identity, and Entra has been asked for it */
		return entra_refusal(rq, who, r, e);
	if (r->status == 400)
		return err_set(e, ENXIO, "%s: no such identity is assigned here", who);
	if (r->status == 403 && strstr(buf_str(&r->error_body), "unreachable") != NULL)
		return err_set(e, ENXIO, "%s: a network without identities", who);
	(void)err_set(e, EACCES, "%s: the endpoint answered %d", who, r->status);
	return err_mark(e, "auth.entra",
			"assign an identity to this machine, or choose another credential=");
}

static int
ask(const struct credential_request *rq, const char *who, struct http_auth *auth,
    struct http_request *req, struct token_answer *out, struct err *e)
{
	AUTO_HTTP_RESPONSE r;
	AUTO_BUF body;
	int rc;

	req->method = "GET";
	req->direct = true;
	req->max_body = TOKEN_ANSWER_MAX;
	http_response_init(&r);
	buf_init(&body, TOKEN_ANSWER_MAX);
	for (unsigned tries = 0;; tries++) {
		int64_t pause;

		rc = http_call(rq->client, auth, req, http_sink_to_buf(&body), rq->d, &r, e);
		if (rc < 0)
			return err_in(e, "%s", who);
		pause = pause_after(r.status, tries, rq->d);
		if (pause == 0)
			return judge(rq, who, &r, &body, out, e);
		rc = client_pause(rq->client, pause, e);
		if (rc < 0)
			return rc;
	}
}

static int
app_service(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	struct header_auth auth = { { &header_ops }, rq->env->identity_header };
	struct http_request req = { 0 };
	AUTO_BUF url;
	int r;

	buf_init(&url, 4096);
	r = make_url(rq, rq->env->identity_endpoint, "2019-08-01", &url, e);
	if (r < 0)
		return r;
	req.url = buf_str(&url);
	return ask(rq, "managed identity of the app", &auth.base, &req, out, e);
}

/*
 * Without its "Metadata" header the service refuses any request with 400; that it answers is what
 * we want to know, within a second, for on most machines nobody is there, or another cloud's.
 */
static int
probe(const struct credential_request *rq, const char *url, struct err *e)
{
	struct http_request req = { .method = "GET",
				    .url = url,
				    .direct = true,
				    .once = true,
				    .max_body = TOKEN_ANSWER_MAX };
	struct deadline d = deadline_in(probe_ns);
	struct err unseen = { 0 };
	struct http_sink nowhere = { 0 };
	AUTO_HTTP_RESPONSE r;
	int rc;

	http_response_init(&r);
	if (rq->d.at_ns != 0 && rq->d.at_ns < d.at_ns)
		d = rq->d;
	rc = http_call(rq->client, NULL, &req, nowhere, d, &r, &unseen);
	if (rc == -ECANCELED)
		return err_set(e, ECANCELED, "%s", unseen.text);
	if (rc < 0)
		return err_set(e, ENXIO, "no metadata service: %s", unseen.text);
	if (r.status == 401 || r.status == 403 || r.status == 404)
		return err_set(e, ENXIO, "no metadata service of Azure: what is there answered %d",
			       r.status);
	return 0;
}

static int
imds(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	const char *host = rq->env->imds_host != NULL ? rq->env->imds_host
						      : "http://169.254.169.254";
	struct http_request req = { .header = { { "Metadata", "true" } } };
	AUTO_BUF endpoint, url;
	int r;

	buf_init(&endpoint, 2048);
	buf_init(&url, 4096);
	r = buf_addf(&endpoint, e, "%s/metadata/identity/oauth2/token", host);
	if (r == 0)
		r = make_url(rq, buf_str(&endpoint), "2018-02-01", &url, e);
	if (r == 0 && !rq->known)
		r = probe(rq, buf_str(&url), e);
	if (r < 0)
		return r;
	req.url = buf_str(&url);
	return ask(rq, "managed identity", NULL, &req, out, e);
}

int
credential_managed(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	if (rq->env->identity_endpoint != NULL && rq->env->identity_header != NULL)
		return app_service(rq, out, e);
	return imds(rq, out, e);
}
