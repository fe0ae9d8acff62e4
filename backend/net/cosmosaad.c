/* SPDX-License-Identifier: MIT */
/*
 * Entra tokens on requests to Cosmos: see cosmosauth.h.  A tenant may not know the account by its
 * own name; then a token that is good for every account of the tenant's must do.
 */
#include "backend/net/cosmosauth.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/bearer.h"

enum { AADSTS_RESOURCE_UNKNOWN = 500011 };

struct cosmosaad {
	struct http_auth base;
	struct token_source *own, *fallback;
	atomic_bool fell_back; /* never unset again */
	char *origin;
};

static struct token_source *
in_use(const struct cosmosaad *c)
{
	return atomic_load(&c->fell_back) ? c->fallback : c->own;
}

static int
get_token(struct cosmosaad *c, struct deadline d, struct secret_text **out, struct err *e)
{
	struct token_source *source = in_use(c);
	int r = token_source_get(source, d, out, e);

	if (r != -EACCES || source != c->own || c->fallback == NULL ||
	    token_source_aadsts(source) != AADSTS_RESOURCE_UNKNOWN)
		return r;
	err_clear(e);
	atomic_store(&c->fell_back, true);
	return token_source_get(c->fallback, d, out, e);
}

/* The value is URL-encoded; the characters of a JWT stand for themselves. */
static int
check_token(const struct secret_text *token, struct err *e)
{
	const char *text = secret_text_borrow(token);

	if (text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~")] == '\0')
		return 0;
	(void)err_set(e, EACCES, "the token holds characters that no JWT has");
	return err_mark(e, "auth.entra", NULL);
}

static int
cosmosaad_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	struct cosmosaad *c = (struct cosmosaad *)a;
	AUTO_SECRET_TEXT token = NULL;
	int r = bearer_check(c->origin, at, e);

	if (r == 0)
		r = get_token(c, d, &token, e);
	if (r == 0)
		r = check_token(token, e);
	return r < 0 ? r
		     : http_attempt_secret_header(at, "Authorization",
						  "type%3Daad%26ver%3D1.0%26sig%3D", token, e);
}

static bool
cosmosaad_refused(struct http_auth *a, const struct http_attempt *at)
{
	return token_source_drop(in_use((const struct cosmosaad *)a), http_attempt_secret(at));
}

static void
cosmosaad_free(struct http_auth *a)
{
	struct cosmosaad *c = (struct cosmosaad *)a;

	free(c->origin);
	free(c);
}

static const struct http_auth_ops cosmosaad_ops = {
	.apply = cosmosaad_apply,
	.refused = cosmosaad_refused,
	.free = cosmosaad_free,
};

int
cosmosaad_auth_new(struct token_source *t, struct token_source *fallback, const char *origin,
		   struct http_auth **out, struct err *e)
{
	struct cosmosaad *c = calloc(1, sizeof(*c));
	int r;

	if (c == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = bearer_origin(origin, &c->origin, e);
	if (r < 0) {
		free(c);
		return r;
	}
	c->base.ops = &cosmosaad_ops;
	c->own = t;
	c->fallback = fallback;
	atomic_init(&c->fell_back, false);
	*out = &c->base;
	return 0;
}
