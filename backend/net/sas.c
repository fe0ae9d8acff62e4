/* SPDX-License-Identifier: MIT */
/* Shared access signatures: see sharedkey.h.  Source: docs/FORMATS.md, "Blob authorization". */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/secretfile.h"
#include "backend/net/sharedkey.h"
#include "backend/net/url.h"

struct sas {
	struct http_auth base;
	struct secretfile *file;   /* NULL: the token never changes */
	struct secret_text *token; /* without '?'; NULL with a file */
};

/* A copy without the '?' in front, or another reference. */
static int
without_mark(struct secret_text *token, struct secret_text **out, struct err *e)
{
	const char *text = secret_text_borrow(token);

	if (text[0] == '?')
		return secret_text_new(span_str(text + 1), out, e);
	*out = secret_text_ref(token);
	return 0;
}

static int
sas_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	struct sas *s = (struct sas *)a;
	AUTO_SECRET_TEXT token = NULL;
	int r;

	(void)d;
	if (s->file == NULL)
		return http_attempt_secret_query(at, s->token, e);
	r = secretfile_get(s->file, &token, e);
	return r < 0 ? r : http_attempt_secret_query(at, token, e);
}

static void
sas_free(struct http_auth *a)
{
	struct sas *s = (struct sas *)a;

	secret_text_free(s->token);
	secretfile_free(s->file);
	free(s);
}

static const struct http_auth_ops sas_ops = {
	.apply = sas_apply,
	.free = sas_free,
};

int
sas_auth_new(struct secret_text *token, const char *file, struct http_auth **out, struct err *e)
{
	struct sas *s = calloc(1, sizeof(*s));
	int r = 0;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->base.ops = &sas_ops;
	if (file != NULL)
		r = secretfile_new(file, "SAS file", without_mark, &s->file, e);
	else if (token != NULL)
		r = without_mark(token, &s->token, e);
	else
		r = err_set(e, EINVAL, "neither a SAS nor a file with one");
	if (r < 0) {
		sas_free(&s->base);
		return r;
	}
	*out = &s->base;
	return 0;
}

static bool
decode_field(const char *text, size_t text_n, char *out, size_t n)
{
	struct err ignored = { 0 };
	AUTO_BUF value;

	buf_init(&value, n > 0 ? n - 1 : 0);
	if (n == 0)
		return false;
	if (url_decode(&value, text, text_n, &ignored) < 0)
		return false;
	memcpy(out, buf_str(&value), value.n + 1);
	return true;
}

bool
sas_field(const struct secret_text *sas, const char *name, char *out, size_t n)
{
	const char *at = secret_text_borrow(sas);
	size_t name_n = strlen(name);

	if (strcmp(name, "sig") == 0)
		return false;
	if (*at == '?')
		at++;
	while (*at != '\0') {
		size_t field = strcspn(at, "&");

		if (field > name_n && at[name_n] == '=' && strncmp(at, name, name_n) == 0)
			return decode_field(at + name_n + 1, field - name_n - 1, out, n);
		at += field + (at[field] == '&');
	}
	return false;
}
