/* SPDX-License-Identifier: MIT */
/*
 * Wrapping and unwrapping with a key of this process: see kek.h.  Reading the
 * keys from PEM, JWK and bare numbers is here too; what an unwrap yields is judged in cek.c.
 */
#include "crypto/kek.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/secret.h"
#include "crypto/jwk.h"
#include "crypto/ossl.h"

enum {
	PEM_MAX = 65536,
	RSA_BITS_MIN = 2048,
	RSA_BITS_MAX = 8192,
	EXPONENT_MAX = 8,	 /* bytes; OpenSSL takes no larger one with a long modulus */
	AES_WRAP_EXTRA = 8,	 /* bytes that RFC 3394 adds */
	AES_WRAP_PLAIN_MIN = 16, /* and the least it takes */
};

struct kek {
	EVP_PKEY *rsa;	  /* or NULL */
	bool public_only; /* rsa has no private half */
	uint8_t *aes;	  /* or NULL; from secret_alloc */
	size_t n_aes;
};

static inline void
free_pkey_ctx(EVP_PKEY_CTX **c)
{
	EVP_PKEY_CTX_free(*c);
}
#define AUTO_PKEY_CTX EVP_PKEY_CTX CLEANUP(free_pkey_ctx)

static inline void
free_cipher_ctx(EVP_CIPHER_CTX **c)
{
	EVP_CIPHER_CTX_free(*c);
}
#define AUTO_CIPHER_CTX EVP_CIPHER_CTX CLEANUP(free_cipher_ctx)

/* Takes the key over, also on failure. */
static int
new_rsa_take(EVP_PKEY *rsa, struct kek **out, struct err *e)
{
	const int bits = EVP_PKEY_get_bits(rsa);
	struct kek *k;

	if (!EVP_PKEY_is_a(rsa, "RSA") || bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
		EVP_PKEY_free(rsa);
		return err_set(e, EINVAL, "the key is not RSA of %d to %d bits", RSA_BITS_MIN,
			       RSA_BITS_MAX);
	}
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		EVP_PKEY_free(rsa);
		return err_set(e, ENOMEM, "out of memory");
	}
	k->rsa = rsa;
	*out = k;
	return 0;
}

static int
new_aes(struct span key, struct kek **out, struct err *e)
{
	struct kek *k = calloc(1, sizeof(*k));

	if (k != NULL)
		k->aes = secret_alloc(key.n);
	if (k == NULL || k->aes == NULL) {
		free(k);
		return err_set(e, ENOMEM, "out of memory for keys");
	}
	memcpy(k->aes, key.p, key.n);
	k->n_aes = key.n;
	*out = k;
	return 0;
}

/* An encrypted key file is refused; OpenSSL would ask for its password on the terminal. */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

int
kek_from_pem(struct span pem, struct kek **out, struct err *e)
{
	EVP_PKEY *rsa;
	BIO *bio;

	if (pem.n == 0 || pem.n > PEM_MAX)
		return err_set(e, EINVAL, "not the PEM text of a private key");
	bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	if (bio == NULL)
		return err_set(e, ENOMEM, "out of memory");
	rsa = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (rsa == NULL)
		return err_set(e, EINVAL, "not the PEM text of an unencrypted private key");
	return new_rsa_take(rsa, out, e);
}

int
kek_from_jwk(struct span jwk, struct kek **out, struct err *e)
{
	struct jwk key = { 0 };
	int r = jwk_parse(jwk, &key, e);

	if (r < 0)
		return r;
	if (key.rsa != NULL) {
		r = new_rsa_take(key.rsa, out, e);
		key.rsa = NULL;
	} else
		r = new_aes(span_of(key.oct, key.n_oct), out, e);
	jwk_clear(&key);
	return r;
}

/* A number without its leading zeros. */
static struct span
significant(struct span number)
{
	while (number.n > 0 && number.p[0] == 0)
		number = span_of(number.p + 1, number.n - 1);
	return number;
}

/* Modulus and exponent are odd, the exponent is at least 3 and not absurd.  How long the modulus
 * may be is looked at in one place for all keys; here it is bounded. */
static bool
may_be_public_key(struct span n, struct span exponent)
{
	if (n.n == 0 || n.n > RSA_BITS_MAX / 8 || (n.p[n.n - 1] & 1) == 0)
		return false;
	if (exponent.n == 0 || exponent.n > EXPONENT_MAX || (exponent.p[exponent.n - 1] & 1) == 0)
		return false;
	return exponent.n > 1 || exponent.p[0] > 1;
}

/* NULL when OpenSSL does not take the numbers, or has no memory. */
static EVP_PKEY *
build_public(struct span n, struct span exponent)
{
	BIGNUM *bn_n = BN_bin2bn(n.p, (int)n.n, NULL);
	BIGNUM *bn_e = BN_bin2bn(exponent.p, (int)exponent.n, NULL);
	OSSL_PARAM_BLD *bld = OSSL_PARAM_BLD_new();
	AUTO_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *rsa = NULL;

	if (bn_n != NULL && bn_e != NULL && bld != NULL && ctx != NULL &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	if (params == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &rsa, EVP_PKEY_PUBLIC_KEY, params) != 1)
		rsa = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn_n);
	BN_free(bn_e);
	ERR_clear_error();
	return rsa;
}

int
kek_from_rsa_public(struct span n, struct span exponent, struct kek **out, struct err *e)
{
	EVP_PKEY *rsa = NULL;
	int r;

	n = significant(n);
	exponent = significant(exponent);
	if (may_be_public_key(n, exponent))
		rsa = build_public(n, exponent);
	if (rsa == NULL)
		return err_set(e, EINVAL, "the numbers are no public RSA key");
	r = new_rsa_take(rsa, out, e);
	if (r == 0)
		(*out)->public_only = true;
	return r;
}

void
kek_free(struct kek *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->rsa);
	if (k->aes != NULL)
		secret_free(k->aes, k->n_aes);
	free(k);
}

bool
kek_fits(const struct kek *k, enum wrap_alg alg)
{
	switch (alg) {
	case WRAP_RSA_OAEP:
	case WRAP_RSA_OAEP_256:
		return k->rsa != NULL;
	case WRAP_A128KW:
		return k->n_aes == 16;
	case WRAP_A192KW:
		return k->n_aes == 24;
	case WRAP_A256KW:
		return k->n_aes == 32;
	}
	return false;
}

enum wrap_alg
kek_default_alg(const struct kek *k)
{
	switch (k->n_aes) {
	case 16:
		return WRAP_A128KW;
	case 24:
		return WRAP_A192KW;
	case 32:
		return WRAP_A256KW;
	}
	return WRAP_RSA_OAEP;
}

static int
does_not_fit(enum wrap_alg alg, struct err *e)
{
	(void)err_set(e, EACCES, "%s is not an algorithm for this key", wrap_alg_name(alg));
	return err_mark(e, "policy.kek_alg", NULL);
}

/* RSA-OAEP is SHA-1 for both hashes, RSA-OAEP-256 is SHA-256 for both. */
static bool
set_oaep(EVP_PKEY_CTX *ctx, enum wrap_alg alg)
{
	const EVP_MD *md = alg == WRAP_RSA_OAEP_256 ? EVP_sha256() : EVP_sha1();

	return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
	       EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 &&
	       EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1;
}

static bool
unwrap_rsa(const struct kek *k, enum wrap_alg alg, struct span wrapped, struct room out,
	   size_t *out_n)
{
	uint8_t plain[RSA_BITS_MAX / 8];
	size_t n = sizeof(plain);
	AUTO_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->rsa, NULL);
	bool good;

	good = ctx != NULL && wrapped.n == (size_t)EVP_PKEY_get_size(k->rsa) &&
	       EVP_PKEY_decrypt_init(ctx) == 1 && set_oaep(ctx, alg) &&
	       EVP_PKEY_decrypt(ctx, plain, &n, wrapped.p, wrapped.n) == 1 && n <= out.n;
	if (good) {
		memcpy(out.p, plain, n);
		*out_n = n;
	}
	OPENSSL_cleanse(plain, sizeof(plain));
	return good;
}

static const EVP_CIPHER *
aes_wrap(const struct kek *k)
{
	switch (k->n_aes) {
	case 16:
		return EVP_aes_128_wrap();
	case 24:
		return EVP_aes_192_wrap();
	default:
		return EVP_aes_256_wrap();
	}
}

/* RFC 3394 in either direction; in.n is a multiple of 8. */
static bool
run_aes_wrap(const struct kek *k, bool wrap, struct span in, uint8_t *out, size_t *out_n)
{
	AUTO_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int n = 0;

	if (ctx == NULL)
		return false;
	EVP_CIPHER_CTX_set_flags(ctx, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
	if (EVP_CipherInit_ex(ctx, aes_wrap(k), NULL, k->aes, NULL, wrap) != 1 ||
	    EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) != 1 || n <= 0)
		return false;
	*out_n = (size_t)n;
	return true;
}

static bool
unwrap_aes(const struct kek *k, struct span wrapped, struct room out, size_t *out_n)
{
	uint8_t plain[CEK_UNWRAPPED_MAX + AES_WRAP_EXTRA];
	size_t n = 0;
	bool good;

	good = wrapped.n % 8 == 0 && wrapped.n >= AES_WRAP_PLAIN_MIN + AES_WRAP_EXTRA &&
	       wrapped.n <= sizeof(plain) && run_aes_wrap(k, false, wrapped, plain, &n) &&
	       n <= out.n;
	if (good) {
		memcpy(out.p, plain, n);
		*out_n = n;
	}
	OPENSSL_cleanse(plain, sizeof(plain));
	return good;
}

int
kek_unwrap(const struct kek *k, enum wrap_alg alg, struct span wrapped, struct room out,
	   size_t *out_n, struct err *e)
{
	const struct room some = { out.p, CEK_UNWRAPPED_MAX };
	bool good;

	assert(out.n >= CEK_UNWRAPPED_MAX);
	if (!kek_fits(k, alg))
		return does_not_fit(alg, e);
	if (k->public_only) {
		(void)err_set(e, EACCES, "only the public half of the key is here");
		return err_mark(e, "policy.kek", NULL);
	}
	if (wrap_alg_is_rsa(alg))
		good = unwrap_rsa(k, alg, wrapped, some, out_n);
	else
		good = unwrap_aes(k, wrapped, some, out_n);
	/* Which step it was is what a padding oracle lives on. */
	ERR_clear_error();
	if (good)
		return 0;
	(void)err_set(e, EBADMSG, "the wrapped key is not one of this key");
	return err_mark(e, "integrity.cek", NULL);
}

static bool
encrypt_rsa(const struct kek *k, enum wrap_alg alg, struct span plain, uint8_t *to, size_t *n)
{
	AUTO_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, k->rsa, NULL);

	return ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 && set_oaep(ctx, alg) &&
	       EVP_PKEY_encrypt(ctx, to, n, plain.p, plain.n) == 1;
}

int
kek_wrap(const struct kek *k, enum wrap_alg alg, struct span plain, struct buf *out, struct err *e)
{
	uint8_t wrapped[ENVELOPE_WRAPPED_MAX];
	size_t n = sizeof(wrapped);
	bool good;

	if (!kek_fits(k, alg))
		return does_not_fit(alg, e);
	if (plain.n < AES_WRAP_PLAIN_MIN || plain.n > CEK_UNWRAPPED_MAX || plain.n % 8 != 0)
		return err_set(e, EINVAL, "%zu bytes are no key to wrap", plain.n);
	if (wrap_alg_is_rsa(alg))
		good = encrypt_rsa(k, alg, plain, wrapped, &n);
	else
		good = run_aes_wrap(k, true, plain, wrapped, &n);
	if (!good)
		return ossl_failed(e, "wrapping the content key");
	return buf_add(out, wrapped, n, e);
}
