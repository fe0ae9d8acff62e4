/* SPDX-License-Identifier: MIT */
/* Pieces of memory, sealed: see chunkseal.h. */
#include "crypto/chunkseal.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/secret.h"
#include "crypto/ossl.h"
#include "crypto/random.h"

enum { KEY_LEN = 32, AAD_LEN = 16, PIECE_MAX = 1 << 30 /* EVP counts in int */ };

struct chunkseal_key {
	uint8_t *key;		/* secret memory */
	_Atomic uint64_t nonce; /* the last one given out: far from the end in any life */
};

struct chunkseal {
	struct chunkseal_key *key;
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *sealer, *opener; /* keyed from the beginning */
};

int
chunkseal_key_new(struct chunkseal_key **out, struct err *e)
{
	struct chunkseal_key *k = calloc(1, sizeof(*k));
	int r;

	if (k == NULL)
		return err_set(e, ENOMEM, "out of memory");
	k->key = secret_alloc(KEY_LEN);
	if (k->key == NULL)
		r = err_set(e, ENOMEM, "out of memory for a key");
	else
		r = random_secret((struct room){ k->key, KEY_LEN }, e);
	if (r < 0) {
		chunkseal_key_free(k);
		return r;
	}
	*out = k;
	return 0;
}

void
chunkseal_key_free(struct chunkseal_key *k)
{
	if (k == NULL)
		return;
	secret_free(k->key, KEY_LEN);
	free(k);
}

int
chunkseal_new(struct chunkseal_key *k, struct chunkseal **out, struct err *e)
{
	struct chunkseal *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return err_set(e, ENOMEM, "out of memory");
	c->key = k;
	c->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	c->sealer = EVP_CIPHER_CTX_new();
	c->opener = EVP_CIPHER_CTX_new();
	if (c->cipher == NULL || c->sealer == NULL || c->opener == NULL ||
	    EVP_EncryptInit_ex(c->sealer, c->cipher, NULL, k->key, NULL) != 1 ||
	    EVP_DecryptInit_ex(c->opener, c->cipher, NULL, k->key, NULL) != 1) {
		chunkseal_free(c);
		return ossl_failed(e, "AES-GCM");
	}
	*out = c;
	return 0;
}

void
chunkseal_free(struct chunkseal *c)
{
	if (c == NULL)
		return;
	EVP_CIPHER_CTX_free(c->sealer);
	EVP_CIPHER_CTX_free(c->opener);
	EVP_CIPHER_free(c->cipher);
	free(c);
}

static void
nonce_of(uint64_t n, uint8_t out[static REGION_NONCE_LEN])
{
	memset(out, 0, REGION_NONCE_LEN);
	memcpy(out, &n, sizeof(n)); /* never leaves this process: any order of bytes will do */
}

static void
aad_of(struct chunkseal_place at, uint8_t out[static AAD_LEN])
{
	memcpy(out, &at.serial, sizeof(at.serial));
	memcpy(out + sizeof(at.serial), &at.index, sizeof(at.index));
}

int
chunkseal_seal(struct chunkseal *c, struct chunkseal_place at, struct span plain, uint8_t *out,
	       struct chunkseal_mark *mark, struct err *e)
{
	struct chunkseal_mark made = { .nonce = atomic_fetch_add(&c->key->nonce, 1) + 1 };
	uint8_t nonce[REGION_NONCE_LEN], aad[AAD_LEN], none[REGION_TAG_LEN];
	int n_aad, n = 0, n_end = 0;

	assert(plain.n <= PIECE_MAX);
	nonce_of(made.nonce, nonce);
	aad_of(at, aad);
	if (EVP_EncryptInit_ex(c->sealer, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_EncryptUpdate(c->sealer, NULL, &n_aad, aad, sizeof(aad)) != 1 ||
	    EVP_EncryptUpdate(c->sealer, out, &n, plain.p, (int)plain.n) != 1 ||
	    EVP_EncryptFinal_ex(c->sealer, none, &n_end) != 1 || (size_t)n != plain.n ||
	    EVP_CIPHER_CTX_ctrl(c->sealer, EVP_CTRL_AEAD_GET_TAG, sizeof(made.tag), made.tag) != 1)
		return ossl_failed(e, "AES-GCM");
	*mark = made;
	return 0;
}

int
chunkseal_open(struct chunkseal *c, struct chunkseal_place at, const struct chunkseal_mark *mark,
	       struct span sealed, uint8_t *out, struct err *e)
{
	uint8_t nonce[REGION_NONCE_LEN], aad[AAD_LEN], none[REGION_TAG_LEN];
	uint8_t tag[REGION_TAG_LEN]; /* OpenSSL takes no const */
	int n_aad, n = 0, n_end = 0, r = 0;

	assert(sealed.n <= PIECE_MAX);
	nonce_of(mark->nonce, nonce);
	aad_of(at, aad);
	memcpy(tag, mark->tag, sizeof(tag));
	if (EVP_DecryptInit_ex(c->opener, NULL, NULL, NULL, nonce) != 1 ||
	    EVP_DecryptUpdate(c->opener, NULL, &n_aad, aad, sizeof(aad)) != 1 ||
	    EVP_DecryptUpdate(c->opener, out, &n, sealed.p, (int)sealed.n) != 1 ||
	    (size_t)n != sealed.n ||
	    EVP_CIPHER_CTX_ctrl(c->opener, EVP_CTRL_AEAD_SET_TAG, sizeof(tag), tag) != 1)
		r = ossl_failed(e, "AES-GCM");
	else if (EVP_DecryptFinal_ex(c->opener, none, &n_end) != 1) {
		ERR_clear_error();
		r = err_set(e, EBADMSG, "a sealed piece does not verify");
	}
	if (r < 0 && sealed.n > 0)
		OPENSSL_cleanse(out, sealed.n);
	return r;
}
