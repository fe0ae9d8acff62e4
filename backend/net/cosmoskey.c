/* SPDX-License-Identifier: MIT */
/*
 * Signatures with a Cosmos account's key: see cosmosauth.h.
 *
 * What is signed names a resource type and a link, both as the path has them.  The path's parts
 * come in pairs, kind and name; a kind without a name after it is a feed:
 *
 *   /dbs/d/colls/c/docs/x   docs, dbs/d/colls/c/docs/x
 *   /dbs/d/colls/c/docs     docs, dbs/d/colls/c           POST included
 *   /                       neither
 *
 * Resources are addressed by name only: links of resource ids would be signed in another way.
 */
#include "backend/net/cosmosauth.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/accountkey.h"
#include "backend/net/httpdate.h"
#include "backend/net/url.h"

enum { TO_SIGN_MAX = 16 << 10, VALUE_MAX = 1024 };

struct cosmoskey {
	struct http_auth base;
	struct secret_text *key; /* base64 */
};

/* A path, decoded.  A part may hold '/', so it is counted before it is decoded. */
struct place {
	struct buf text; /* without the '/' in front */
	struct span type, link;
};

/* Appends one part; *out_at is where it begins. */
static int
add_part(const char *part, size_t n, struct buf *text, size_t *out_at, struct err *e)
{
	int r = 0;

	if (n == 0)
		return err_set(e, EINVAL, "a path with an empty part cannot be signed");
	if (text->n > 0)
		r = buf_add_str(text, "/", e);
	*out_at = text->n;
	return r == 0 ? url_decode(text, part, n, e) : r;
}

static int
take_place(const char *path, struct place *p, struct err *e)
{
	size_t before = 0, last = 0; /* where the last two parts begin */
	unsigned n_parts = 0;
	const uint8_t *text;

	for (path += path[0] == '/'; path != NULL && (n_parts > 0 || path[0] != '\0'); n_parts++) {
		const size_t n = strcspn(path, "/");
		int r;

		before = last;
		r = add_part(path, n, &p->text, &last, e);
		if (r < 0)
			return r;
		path = path[n] == '/' ? path + n + 1 : NULL;
	}
	text = p->text.p;
	if (n_parts % 2 == 1) {
		p->type = span_of(text + last, p->text.n - last);
		p->link = span_of(text, last > 0 ? last - 1 : 0);
	} else if (n_parts > 0) {
		p->type = span_of(text + before, last - 1 - before);
		p->link = buf_span(&p->text);
	}
	return 0;
}

/* One line of the string to sign, in lower case. */
static int
add_lower(struct span s, struct buf *out, struct err *e)
{
	const size_t at = out->n;
	int r = buf_add(out, s.p, s.n, e);

	for (size_t i = at; r == 0 && i < out->n; i++)
		out->p[i] = (uint8_t)tolower(out->p[i]);
	return r == 0 ? buf_add_str(out, "\n", e) : r;
}

int
cosmoskey_string_to_sign(const struct http_attempt *at, const char *date, struct buf *out,
			 struct err *e)
{
	struct place p = { 0 };
	AUTO_URL u = { 0 };
	int r = url_parse(http_attempt_request(at)->url, &u, e);

	if (r < 0)
		return r;
	buf_init(&p.text, TO_SIGN_MAX);
	r = take_place(u.path, &p, e);
	if (r == 0)
		r = add_lower(span_str(http_attempt_request(at)->method), out, e);
	if (r == 0)
		r = add_lower(p.type, out, e);
	if (r == 0)
		r = buf_add(out, p.link.p, p.link.n, e);
	if (r == 0)
		r = buf_add_str(out, "\n", e);
	if (r == 0)
		r = add_lower(span_str(date), out, e);
	if (r == 0)
		r = buf_add_str(out, "\n", e); /* the header Date, which is not sent */
	buf_clear(&p.text);
	return r;
}

static int
add_signature(const struct cosmoskey *k, struct http_attempt *at, struct span to_sign,
	      struct err *e)
{
	AUTO_BUF signature, value;
	int r;

	buf_init(&signature, VALUE_MAX);
	buf_init(&value, VALUE_MAX);
	r = accountkey_sign(k->key, to_sign, &signature, e);
	if (r == 0)
		r = buf_add_str(&value, "type%3Dmaster%26ver%3D1.0%26sig%3D", e);
	if (r == 0)
		r = url_encode(&value, buf_str(&signature), signature.n, false, e);
	return r < 0 ? r : http_attempt_header(at, "Authorization", buf_str(&value), e);
}

static int
cosmoskey_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	const struct cosmoskey *k = (const struct cosmoskey *)a;
	AUTO_BUF to_sign;
	int r;

	(void)d;
	buf_init(&to_sign, TO_SIGN_MAX);
	r = httpdate_add(at, e);
	if (r == 0)
		r = cosmoskey_string_to_sign(at, http_attempt_get(at, "x-ms-date"), &to_sign, e);
	return r < 0 ? r : add_signature(k, at, buf_span(&to_sign), e);
}

static void
cosmoskey_free(struct http_auth *a)
{
	struct cosmoskey *k = (struct cosmoskey *)a;

	secret_text_free(k->key);
	free(k);
}

static const struct http_auth_ops cosmoskey_ops = {
	.apply = cosmoskey_apply,
	.free = cosmoskey_free,
};

int
cosmoskey_auth_new(struct secret_text *key, struct http_auth **out, struct err *e)
{
	struct cosmoskey *k;
	int r = accountkey_check(key, e);

	if (r < 0)
		return r;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return err_set(e, ENOMEM, "out of memory");
	k->base.ops = &cosmoskey_ops;
	k->key = secret_text_ref(key);
	*out = &k->base;
	return 0;
}
