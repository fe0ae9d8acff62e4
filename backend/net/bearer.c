/* SPDX-License-Identifier: MIT */
/*
 * Bearer tokens on requests: see token.h.  A token leaves only towards the origin it was made for.
 */
#include "backend/net/bearer.h"

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

int
bearer_origin(const char *url, char **out, struct err *e)
{
	AUTO_URL u = { 0 };
	AUTO_BUF origin;
	char *copy;
	int r = url_parse(url, &u, e);

	buf_init(&origin, 512);
	if (r < 0)
		return r;
	if (!u.https) {
		(void)err_set(e, EACCES, "a token is never sent without TLS");
		return err_mark(e, "policy.token", "use https");
	}
	r = url_origin(&u, &origin, e);
	if (r < 0)
		return r;
	copy = strdup(buf_str(&origin));
	if (copy == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*out = copy;
	return 0;
}

int
bearer_check(const char *origin, const struct http_attempt *at, struct err *e)
{
	char *to = NULL;
	int r = bearer_origin(http_attempt_request(at)->url, &to, e);

	if (r == 0 && strcmp(to, origin) != 0) {
		(void)err_set(e, EACCES, "a token for %s is not sent to %s", origin, to);
		r = err_mark(e, "policy.token", NULL);
	}
	free(to);
	return r;
}

static int
bearer_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	const struct bearer *b = (const struct bearer *)a;
	AUTO_SECRET_TEXT token = NULL;
	int r = bearer_check(b->origin, at, e);

	if (r == 0)
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
	struct bearer *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = bearer_origin(origin, &b->origin, e);
	if (r < 0) {
		free(b);
		return r;
	}
	b->base.ops = &bearer_ops;
	b->source = t;
	*out = &b->base;
	return 0;
}
