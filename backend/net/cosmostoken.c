/* SPDX-License-Identifier: MIT */
/* Resource tokens of Cosmos: see cosmosauth.h. */
#include "backend/net/cosmosauth.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/secretfile.h"
#include "backend/net/url.h"

enum { ENCODED_MAX = 24 << 10 };

struct cosmostoken {
	struct http_auth base;
	struct secretfile *file;   /* NULL: the token never changes */
	struct secret_text *token; /* URL-encoded */
};

static bool
is_resource_token(const char *text)
{
	const char *signature = strstr(text, "&sig=");

	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return false;
	return strncmp(text, "type=resource&ver=1", 19) == 0 && signature != NULL &&
	       signature[5] != '\0';
}

/* As the header has it. */
static int
encoded(struct secret_text *raw, struct secret_text **out, struct err *e)
{
	AUTO_BUF value;
	int r;

	if (!is_resource_token(secret_text_borrow(raw)))
		return err_set(e, EINVAL,
			       "this is no resource token: one begins with type=resource");
	buf_init(&value, ENCODED_MAX);
	r = url_encode(&value, secret_text_borrow(raw), secret_text_len(raw), false, e);
	return r < 0 ? r : secret_text_new(buf_span(&value), out, e);
}

static int
cosmostoken_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	const struct cosmostoken *t = (const struct cosmostoken *)a;
	AUTO_SECRET_TEXT token = NULL;
	int r = 0;

	(void)d;
	if (t->file != NULL)
		r = secretfile_get(t->file, &token, e);
	else
		token = secret_text_ref(t->token);
	return r < 0 ? r : http_attempt_secret_header(at, "Authorization", "", token, e);
}

static void
cosmostoken_free(struct http_auth *a)
{
	struct cosmostoken *t = (struct cosmostoken *)a;

	secretfile_free(t->file);
	secret_text_free(t->token);
	free(t);
}

static const struct http_auth_ops cosmostoken_ops = {
	.apply = cosmostoken_apply,
	.free = cosmostoken_free,
};

int
cosmostoken_auth_new(struct secret_text *token, const char *file, struct http_auth **out,
		     struct err *e)
{
	struct cosmostoken *t = calloc(1, sizeof(*t));
	int r;

	if (t == NULL)
		return err_set(e, ENOMEM, "out of memory");
	t->base.ops = &cosmostoken_ops;
	r = encoded(token, &t->token, e);
	if (r == 0 && file != NULL)
		r = secretfile_new(file, "token file", encoded, &t->file, e);
	if (r < 0) {
		cosmostoken_free(&t->base);
		return r;
	}
	*out = &t->base;
	return 0;
}
