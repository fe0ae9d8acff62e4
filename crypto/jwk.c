/* SPDX-License-Identifier: MIT */
/* Private keys from JSON: see jwk.h. */
#include "crypto/jwk.h"

#include <errno.h>

#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/base64.h"

enum { NUMBER_MAX = 1024 /* bytes of a number of RSA-8192 */ };

static const struct {
	const char *member;
	const char *param;
} rsa_parts[] = {
	{ "n", OSSL_PKEY_PARAM_RSA_N },		 { "e", OSSL_PKEY_PARAM_RSA_E },
	{ "d", OSSL_PKEY_PARAM_RSA_D },		 { "p", OSSL_PKEY_PARAM_RSA_FACTOR1 },
	{ "q", OSSL_PKEY_PARAM_RSA_FACTOR2 },	 { "dp", OSSL_PKEY_PARAM_RSA_EXPONENT1 },
	{ "dq", OSSL_PKEY_PARAM_RSA_EXPONENT2 }, { "qi", OSSL_PKEY_PARAM_RSA_COEFFICIENT1 },
};

enum { N_RSA_PARTS = ARRAY_LEN(rsa_parts) };

/* jansson frees without wiping: the secrets in its strings are overwritten first. */
static void
wipe_strings(json_t *object)
{
	const char *name;
	json_t *v;

	json_object_foreach(object, name, v) if (json_is_string(v))
		OPENSSL_cleanse((void *)(uintptr_t)json_string_value(v), json_string_length(v));
}

/* Base64url of 1..out.n bytes. */
static int
octets_member(const json_t *jwk, const char *name, struct room out, size_t *out_n, struct err *e)
{
	const json_t *v = json_object_get(jwk, name);
	size_t n;

	if (!json_is_string(v))
		return err_set(e, EINVAL, "JWK: \"%s\" is missing or is no string", name);
	if (!base64_decode(BASE64_URL, span_of(json_string_value(v), json_string_length(v)), out,
			   &n) ||
	    n == 0)
		return err_set(e, EINVAL, "JWK: \"%s\" is no base64url of a fitting length", name);
	*out_n = n;
	return 0;
}

static int
number_member(const json_t *jwk, const char *name, BIGNUM **out, struct err *e)
{
	uint8_t bytes[NUMBER_MAX];
	size_t n = 0;
	int r = octets_member(jwk, name, (struct room){ bytes, sizeof(bytes) }, &n, e);

	if (r == 0) {
		*out = BN_bin2bn(bytes, (int)n, NULL);
		if (*out == NULL)
			r = err_set(e, ENOMEM, "out of memory");
	}
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return r;
}

/* The numbers, in the order of rsa_parts, to a key; NULL when OpenSSL does not take them. */
static EVP_PKEY *
build_rsa(BIGNUM *const parts[static N_RSA_PARTS])
{
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *rsa = NULL;
	bool good = bld != NULL && ctx != NULL;

	for (size_t i = 0; good && i < N_RSA_PARTS; i++)
		good = OSSL_PARAM_BLD_push_BN(bld, rsa_parts[i].param, parts[i]) == 1;
	if (good)
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &rsa, EVP_PKEY_KEYPAIR, params) != 1)
		rsa = NULL;
	for (OSSL_PARAM *p = params; p != NULL && p->key != NULL; p++)
		OPENSSL_cleanse(p->data, p->data_size);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	EVP_PKEY_CTX_free(ctx);
	ERR_clear_error();
	return rsa;
}

static int
parse_rsa(const json_t *jwk, struct jwk *out, struct err *e)
{
	BIGNUM *parts[N_RSA_PARTS] = { NULL };
	int r = 0;

	for (size_t i = 0; r == 0 && i < N_RSA_PARTS; i++)
		r = number_member(jwk, rsa_parts[i].member, &parts[i], e);
	if (r == 0) {
		out->rsa = build_rsa(parts);
		if (out->rsa == NULL)
			r = err_set(e, EINVAL, "JWK: the numbers are no RSA key");
	}
	for (size_t i = 0; i < N_RSA_PARTS; i++)
		BN_clear_free(parts[i]);
	return r;
}

static int
parse_oct(const json_t *jwk, struct jwk *out, struct err *e)
{
	size_t n = 0;
	int r = octets_member(jwk, "k", (struct room){ out->oct, sizeof(out->oct) }, &n, e);

	if (r < 0)
		return r;
	if (n != 16 && n != 24 && n != 32)
		return err_set(e, EINVAL, "JWK: \"k\" is not 16, 24 or 32 bytes long");
	out->n_oct = n;
	return 0;
}

int
jwk_parse(struct span text, struct jwk *out, struct err *e)
{
	struct jwk key = { 0 };
	const char *kty;
	json_t *root;
	int r;

	if (text.n == 0 || text.n > JWK_TEXT_MAX)
		return err_set(e, EINVAL, "not a JSON Web Key");
	root = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	kty = json_string_value(json_object_get(root, "kty"));
	if (kty == NULL)
		r = err_set(e, EINVAL, "not a JSON Web Key");
	else if (strcmp(kty, "RSA") == 0)
		r = parse_rsa(root, &key, e);
	else if (strcmp(kty, "oct") == 0)
		r = parse_oct(root, &key, e);
	else
		r = err_set(e, EINVAL, "JWK: kty \"%.16s\" is not supported", kty);
	wipe_strings(root);
	json_decref(root);
	if (r == 0)
		*out = key;
	OPENSSL_cleanse(&key, sizeof(key));
	return r;
}

void
jwk_clear(struct jwk *k)
{
	EVP_PKEY_free(k->rsa);
	OPENSSL_cleanse(k, sizeof(*k));
}
