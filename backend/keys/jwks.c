/* SPDX-License-Identifier: MIT */
/*
 * Local keys: a JWK Set in a file, with references to PEM files.  Read once,
 * at the start; a changed file counts from the next mount.
 *
 * Source: RFC 7517; docs/FORMATS.md, "Local keys".
 */
#include "backend/keys/jwks.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backend/keys/secretjson.h"
#include "base/secret.h"
#include "crypto/kek.h"

enum { SET_MAX = 1 << 20, PEM_MAX = 64 << 10 };

struct local_key {
	char *kid;
	struct kek *kek;
};

struct jwks_provider {
	struct provider base;
	struct local_key *keys; /* sorted by kid */
	size_t n;
};

static int
compare_keys(const void *a, const void *b)
{
	const struct local_key *x = a, *y = b;

	return strcmp(x->kid, y->kid);
}

static const struct local_key *
find_key(const struct jwks_provider *jp, const char *kid)
{
	size_t lo = 0, hi = jp->n;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int c = strcmp(kid, jp->keys[mid].kid);

		if (c == 0)
			return &jp->keys[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static int
pem_path(const char *set_file, const char *pem, char out[static PATH_MAX], struct err *e)
{
	const char *slash = strrchr(set_file, '/');
	int dir = pem[0] == '/' || slash == NULL ? 0 : (int)(slash - set_file) + 1;

	if (snprintf(out, PATH_MAX, "%.*s%s", dir, set_file, pem) >= PATH_MAX)
		return err_set(e, EINVAL, "the name of its PEM file is too long");
	return 0;
}

static int
read_pem(const char *set_file, const char *pem, struct kek **out, struct err *e)
{
	AUTO_SECRET_TEXT text = NULL;
	char path[PATH_MAX];
	int r = pem_path(set_file, pem, path, e);

	if (r == 0)
		r = secret_text_read_file(path, PEM_MAX, true, &text, e);
	if (r != 0)
		return r;
	r = kek_from_pem(span_of(secret_text_borrow(text), secret_text_len(text)), out, e);
	return r == 0 ? 0 : err_in(e, "%s", path);
}

static int
read_jwk(const json_t *entry, struct kek **out, struct err *e)
{
	char *text = json_dumps(entry, JSON_COMPACT);
	int r;

	if (text == NULL)
		return err_set(e, ENOMEM, "no memory for a key");
	r = kek_from_jwk(span_str(text), out, e);
	explicit_bzero(text, strlen(text));
	free(text);
	return r;
}

static int
read_entry(const json_t *entry, const char *set_file, struct local_key *out, struct err *e)
{
	const char *kid = secretjson_string(entry, "kid");
	const json_t *pem = json_object_get(entry, "pem");
	int r;

	if (kid == NULL || kid[0] == '\0')
		return err_set(e, EINVAL, "it has no \"kid\"");
	if (pem != NULL && json_object_get(entry, "kty") != NULL)
		return err_set(e, EINVAL, "it has both \"pem\" and \"kty\"");
	if (pem != NULL && !json_is_string(pem))
		return err_set(e, EINVAL, "its \"pem\" is no file name");
	out->kid = strdup(kid);
	if (out->kid == NULL)
		return err_set(e, ENOMEM, "no memory for a key");
	r = pem != NULL ? read_pem(set_file, json_string_value(pem), &out->kek, e)
			: read_jwk(entry, &out->kek, e);
	if (r != 0)
		err_key(e, kid);
	return r;
}

static int
read_entries(struct jwks_provider *jp, const json_t *list, const char *set_file, struct err *e)
{
	const json_t *entry;
	size_t i;
	int r;

	jp->keys = calloc(json_array_size(list) + 1, sizeof(*jp->keys));
	if (jp->keys == NULL)
		return err_set(e, ENOMEM, "no memory for the keys");
	json_array_foreach(list, i, entry)
	{
		jp->n++;
		r = read_entry(entry, set_file, &jp->keys[i], e);
		if (r != 0) {
			const char *kid = secretjson_string(entry, "kid");

			return err_in(e, "key %zu (%.60s)", i + 1, kid != NULL ? kid : "nameless");
		}
	}
	return 0;
}

static int
sort_entries(struct jwks_provider *jp, struct err *e)
{
	qsort(jp->keys, jp->n, sizeof(*jp->keys), compare_keys);
	for (size_t i = 1; i < jp->n; i++)
		if (compare_keys(&jp->keys[i - 1], &jp->keys[i]) == 0)
			return err_set(e, EINVAL, "two keys have the kid \"%.120s\"",
				       jp->keys[i].kid);
	return 0;
}

static int
read_set(struct jwks_provider *jp, struct span text, const char *file, struct err *e)
{
	AUTO_JSON set = secretjson_object(text);
	const json_t *list = json_object_get(set, "keys");
	int r = 0;

	if (!json_is_array(list))
		r = err_set(e, EINVAL, "not a JWK Set: a JSON object with the member \"keys\"");
	if (r == 0)
		r = read_entries(jp, list, file, e);
	if (r == 0)
		r = sort_entries(jp, e);
	return r == 0 ? 0 : err_in(e, "%s", file);
}

static bool
jwks_claims(struct provider *p, const char *kid)
{
	return find_key((const struct jwks_provider *)p, kid) != NULL;
}

static int
no_such_key(struct err *e)
{
	(void)err_set(e, EACCES, "no local key has this key id");
	return err_mark(e, "policy.kek", NULL);
}

static int
jwks_unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
	    struct deadline d, struct room out, size_t *out_n, struct err *e)
{
	const struct local_key *key = find_key((const struct jwks_provider *)p, kid);

	(void)d; /* nothing here takes time */
	if (key == NULL)
		return no_such_key(e);
	return kek_unwrap(key->kek, alg, wrapped, out, out_n, e);
}

/* The caller's key id is the one that readers look for: it goes out as it came in. */
static int
wrap_with(const struct local_key *key, enum wrap_alg alg, struct span plain,
	  struct wrapped_key *out, struct err *e)
{
	AUTO_BUF wrapped;
	int r;

	buf_init(&wrapped, sizeof(out->bytes));
	if (strlen(key->kid) >= sizeof(out->kid))
		return err_set(e, EINVAL, "a key id of more than %zu bytes fits no blob",
			       sizeof(out->kid) - 1);
	r = kek_wrap(key->kek, alg, plain, &wrapped, e);
	if (r != 0)
		return r;
	(void)snprintf(out->kid, sizeof(out->kid), "%s", key->kid);
	out->alg = alg;
	memcpy(out->bytes, wrapped.p, wrapped.n);
	out->n = wrapped.n;
	return 0;
}

static int
jwks_wrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span plain,
	  struct deadline d, struct wrapped_key *out, struct err *e)
{
	const struct local_key *key = find_key((const struct jwks_provider *)p, kid);

	(void)d;
	if (key == NULL)
		return no_such_key(e);
	return wrap_with(key, alg != 0 ? alg : kek_default_alg(key->kek), plain, out, e);
}

static void
jwks_free(struct provider *p)
{
	struct jwks_provider *jp = (struct jwks_provider *)p;

	for (size_t i = 0; i < jp->n; i++) {
		free(jp->keys[i].kid);
		kek_free(jp->keys[i].kek);
	}
	free(jp->keys);
	free(jp);
}

static const struct provider_ops jwks_ops = {
	.name = "jwks",
	.claims = jwks_claims,
	.unwrap = jwks_unwrap,
	.wrap = jwks_wrap,
	.free = jwks_free,
};

int
jwks_provider_from_text(struct span text, const char *file, struct provider **out, struct err *e)
{
	struct jwks_provider *jp = calloc(1, sizeof(*jp));
	int r;

	secretjson_setup();
	if (jp == NULL)
		return err_set(e, ENOMEM, "no memory for the keys");
	jp->base.ops = &jwks_ops;
	r = read_set(jp, text, file, e);
	if (r != 0) {
		jwks_free(&jp->base);
		return r;
	}
	*out = &jp->base;
	return 0;
}

int
jwks_provider_new(const char *file, struct provider **out, struct err *e)
{
	AUTO_SECRET_TEXT text = NULL;
	int r = secret_text_read_file(file, SET_MAX, true, &text, e);

	if (r != 0)
		return r;
	return jwks_provider_from_text(span_of(secret_text_borrow(text), secret_text_len(text)),
				       file, out, e);
}
