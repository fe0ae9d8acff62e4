/* SPDX-License-Identifier: MIT */
/* Public keys out of a vault's answer: see vaultpublic.h. */
#include "backend/keys/vaultpublic.h"

#include <errno.h>
#include <string.h>

#include <jansson.h>

#include "backend/keys/secretjson.h"
#include "backend/keys/vaultanswer.h"
#include "base/base64.h"

enum { NUMBER_MAX = 1 + 8192 / 8 /* bytes: the longest modulus, and a zero before it */ };

/* A number of 1..NUMBER_MAX bytes. */
static bool
take_number(const json_t *key, const char *name, uint8_t out[static NUMBER_MAX], size_t *out_n)
{
	const char *text = secretjson_string(key, name);

	return text != NULL &&
	       base64_decode(BASE64_URL, span_str(text), (struct room){ out, NUMBER_MAX }, out_n) &&
	       *out_n > 0;
}

static int
take_rsa(const json_t *key, struct vaultpublic *out, struct err *e)
{
	uint8_t n[NUMBER_MAX], exponent[NUMBER_MAX];
	struct err why = { 0 };
	size_t n_n = 0, n_exponent = 0;
	int r;

	if (!take_number(key, "n", n, &n_n) || !take_number(key, "e", exponent, &n_exponent))
		return vaultanswer_bad(e, "holds no public key of a sound length");
	r = kek_from_rsa_public(span_of(n, n_n), span_of(exponent, n_exponent), &out->rsa, &why);
	if (r == -EINVAL)
		return vaultanswer_bad(e, "holds numbers that are no RSA key of 2048 to 8192 bits");
	if (r != 0)
		*e = why;
	return r;
}

static int
take_oct(const json_t *key, struct vaultpublic *out, struct err *e)
{
	const json_t *size = json_object_get(key, "key_size");
	json_int_t bits = json_integer_value(size);

	if (size == NULL || json_is_null(size))
		return 0;
	if (bits != 128 && bits != 192 && bits != 256)
		return vaultanswer_bad(e, "names a size that no AES key has");
	out->bits = (unsigned)bits;
	return 0;
}

static int
take_material(const json_t *key, struct vaultpublic *out, struct err *e)
{
	const char *type = secretjson_string(key, "kty");

	if (type == NULL)
		return vaultanswer_bad(e, "names no type of key");
	if (strcmp(type, "RSA") == 0 || strcmp(type, "RSA-HSM") == 0)
		return take_rsa(key, out, e);
	if (strcmp(type, "oct") == 0 || strcmp(type, "oct-HSM") == 0)
		return take_oct(key, out, e);
	(void)err_set(e, EACCES, "a key of type %.16s cannot wrap", type);
	return err_mark(e, "policy.kek_alg", "use an RSA key, or a symmetric key of a managed HSM");
}

/* No list at all is no limit (RFC 7517); vaults always send one. */
static int
take_operations(const json_t *key, struct vaultpublic *out, struct err *e)
{
	const json_t *list = json_object_get(key, "key_ops"), *item;
	size_t i;

	out->permits_wrap = list == NULL;
	if (list == NULL)
		return 0;
	if (!json_is_array(list))
		return vaultanswer_bad(e, "holds no list of operations");
	json_array_foreach(list, i, item)
	{
		const char *name = json_string_value(item);

		if (name != NULL && strcmp(name, "wrapKey") == 0)
			out->permits_wrap = true;
	}
	return 0;
}

/* Seconds since 1970; *out stays when the vault says nothing. */
static bool
take_moment(const json_t *attributes, const char *name, int64_t *out)
{
	const json_t *v = json_object_get(attributes, name);

	if (v == NULL || json_is_null(v))
		return true;
	if (!json_is_integer(v))
		return false;
	*out = json_integer_value(v);
	return true;
}

static int
take_attributes(const json_t *attributes, struct vaultpublic *out, struct err *e)
{
	const json_t *enabled = json_object_get(attributes, "enabled");

	out->not_before = INT64_MIN;
	out->expires = INT64_MAX;
	if (!json_is_boolean(enabled) || !take_moment(attributes, "nbf", &out->not_before) ||
	    !take_moment(attributes, "exp", &out->expires))
		return vaultanswer_bad(e, "does not tell the state of the key");
	out->enabled = json_is_true(enabled);
	return 0;
}

int
vaultpublic_parse(struct span json, const struct kid *asked, struct vaultpublic *out, struct err *e)
{
	AUTO_JSON j = secretjson_object(json);
	const json_t *key = json_object_get(j, "key");
	struct vaultpublic p = { 0 };
	int r;

	if (!json_is_object(key))
		return vaultanswer_bad(e, "is not about a key");
	if (!vaultanswer_is_key(secretjson_string(key, "kid"), asked, &p.kid))
		return vaultanswer_bad(e, "is about another key");
	r = take_operations(key, &p, e);
	if (r == 0)
		r = take_attributes(json_object_get(j, "attributes"), &p, e);
	if (r == 0)
		r = take_material(key, &p, e);
	if (r == 0)
		*out = p;
	return r;
}

void
vaultpublic_clear(struct vaultpublic *p)
{
	kek_free(p->rsa);
	*p = (struct vaultpublic){ 0 };
}

int
vaultpublic_check(const struct vaultpublic *p, int64_t now_s, struct err *e)
{
	if (!p->enabled)
		return vaultanswer_unusable("KeyDisabled", e);
	if (p->expires <= now_s)
		return vaultanswer_unusable("KeyExpired", e);
	if (p->not_before > now_s)
		return vaultanswer_unusable("KeyNotYetValid", e);
	if (!p->permits_wrap) {
		(void)err_set(e, EACCES, "the key does not permit to be wrapped with");
		return err_mark(e, "auth.vault",
				"allow wrapKey among the key's permitted operations (key_ops)");
	}
	return 0;
}
