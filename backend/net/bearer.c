/* SPDX-License-Identifier: MIT */
/*
 * Bearer tokens on requests: see token.h.  A token leaves only towards the origin it was made for.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/token.h"
#include "backend/net/url.h"

struct bearer {
	struct http_auth base;
	struct token_source *source;
	char *origin;
};

/* url's origin, as text; only https. */
static int
secure_origin(const char *url, struct buf *out, struct err *e)
{
	AUTO_URL u = { 0 };
	int r = url_parse(url, &u, e);

	if (r < 0)
		return r;
	if (u.https)
		return url_origin(&u, out, e);
	(void)err_set(e, EACCES, "a token is never sent without TLS");
	return err_mark(e, "policy.token", "use https");
}

static int
bearer_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	const struct bearer *b = (const struct bearer *)a;
	AUTO_SECRET_TEXT token = NULL;
	AUTO_BUF origin;
	int r;

	buf_init(&origin, 512);
	r = secure_origin(http_attempt_request(at)->url, &origin, e);
	if (r < 0)
		return r;
	if (strcmp(buf_str(&origin), b->origin) != 0) {
		(void)err_set(e, EACCES, "a token for %s is not sent to %s", b->origin,
			      buf_str(&origin));
		return err_mark(e, "policy.token", NULL);
	}
	r = token_source_get(b->source, d, &token, e);
	return r < 0 ? r : http_attempt_secret_header(at, "Authorization", "Bearer ", token, e);
}

static bool
bearer_refused(struct http_auth *a, const struct http_attempt *at)
{
	const struct bearer *b = (const struct bearer *)a;

	return token_source_drop(b->source, http_attempt_secret(at));
}

static void
bearer_free(struct http_auth *a)
{
	struct bearer *b = (struct bearer *)a;

	free(b->origin);
	free(b);
}

static const struct http_auth_ops bearer_ops = {
	.apply = bearer_apply,
	.refused = bearer_refused,
	.free = bearer_free,
};

int
bearer_auth_new(struct token_source *t, const char *origin, struct http_auth **out, struct err *e)
{
	struct bearer *b;
	AUTO_BUF clean;
	int r;

	buf_init(&clean, 512);
	r = secure_origin(origin, &clean, e);
	if (r < 0)
		return r;
	b = calloc(1, sizeof(*b));
	if (b == NULL || (b->origin = strdup(buf_str(&clean))) == NULL) {
		free(b);
		return err_set(e, ENOMEM, "out of memory");
	}
	b->base.ops = &bearer_ops;
	b->source = t;
	*out = &b->base;
	return 0;
}
