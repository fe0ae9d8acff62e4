/* SPDX-License-Identifier: MIT */
/*
 * Sealing a blob: see sealer.h.
 *
 * The key goes into the context once; a region only sets its nonce.  The one thing that must never
 * happen is a second region under a nonce: every way out of order leads to DEAD.
 */
#include "crypto/sealer.h"

#include <errno.h>
#include <stdlib.h>

#include <openssl/evp.h>

#include "base/num.h"
#include "base/secret.h"
#include "crypto/layout.h"
#include "crypto/order.h"
#include "crypto/ossl.h"
#include "crypto/random.h"

#define REGION_LEN_MAX (UINT64_C(1) << 30) /* also what EVP counts in int */

enum state {
	BETWEEN, /* regions */
	WITHIN,	 /* one */
	ENDED,	 /* the last region has been sealed */
	DEAD
};

struct sealer {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx; /* keyed from the beginning */
	struct cek *cek;     /* secret memory */
	uint64_t region_len;
	uint64_t regions, plain_size; /* sealed */
	enum state state;
	struct room out; /* WITHIN: borrowed, all of it */
	size_t body;	 /* WITHIN: plaintext bytes so far */
};

static int
dead(struct sealer *s, int r)
{
	s->state = DEAD;
	s->out = (struct room){ 0 };
	return r;
}

/* A call that is out of order, but for those on a sealer that has failed before. */
static int
misused(struct sealer *s, const char *how, struct err *e)
{
	if (s->state == DEAD)
		return err_set(e, EIO, "sealing has failed before");
	return dead(s, err_set(e, EINVAL, "%s", how));
}

static int
set_up(struct sealer *s, struct err *e)
{
	int r;

	s->cek = secret_alloc(sizeof(*s->cek));
	if (s->cek == NULL)
		return err_set(e, ENOMEM, "out of memory for a content key");
	r = random_secret((struct room){ s->cek->k, sizeof(s->cek->k) }, e);
	if (r < 0)
		return r;
	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	s->ctx = EVP_CIPHER_CTX_new();
	/* GCM's default length of nonce is the format's: 12. */
	if (s->cipher == NULL || s->ctx == NULL ||
	    EVP_EncryptInit_ex(s->ctx, s->cipher, NULL, s->cek->k, NULL) != 1)
		return ossl_failed(e, "AES-GCM");
	return 0;
}

int
sealer_new(uint64_t region_len, struct sealer **out, struct err *e)
{
	struct sealer *s;
	int r;

	if (region_len == 0 || region_len > REGION_LEN_MAX)
		return err_set(e, EINVAL, "no region is %llu bytes long",
			       (unsigned long long)region_len);
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->region_len = region_len;
	r = set_up(s, e);
	if (r < 0) {
		sealer_free(s);
		return r;
	}
	*out = s;
	return 0;
}

void
sealer_free(struct sealer *s)
{
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->ctx);
	EVP_CIPHER_free(s->cipher);
	secret_free(s->cek, sizeof(*s->cek));
	free(s);
}

const struct cek *
sealer_cek(const struct sealer *s)
{
	return s->cek;
}

int
sealer_begin(struct sealer *s, struct room out, struct err *e)
{
	if (s->state == ENDED)
		return err_set(e, EINVAL, "a region after the last");
	if (s->state != BETWEEN)
		return misused(s, "a region within a region", e);
	if (out.n < REGION_OVERHEAD)
		return misused(s, "no room for a region", e);
	nonce_make(NONCE_PYTHON, s->regions, out.p);
	if (EVP_EncryptInit_ex(s->ctx, NULL, NULL, NULL, out.p) != 1)
		return dead(s, ossl_failed(e, "AES-GCM"));
	s->state = WITHIN;
	s->out = out;
	s->body = 0;
	return 0;
}

int
sealer_add(struct sealer *s, struct span plain, struct err *e)
{
	int made;

	if (s->state != WITHIN)
		return misused(s, "bytes outside of a region", e);
	if (plain.n > u64_min(s->region_len, s->out.n - REGION_OVERHEAD) - s->body)
		return misused(s, "more bytes than a region takes", e);
	if (plain.n == 0)
		return 0;
	if (EVP_EncryptUpdate(s->ctx, s->out.p + REGION_NONCE_LEN + s->body, &made, plain.p,
			      (int)plain.n) != 1 ||
	    (size_t)made != plain.n)
		return dead(s, ossl_failed(e, "AES-GCM"));
	s->body += plain.n;
	return 0;
}

int
sealer_end(struct sealer *s, size_t *stored_n, struct err *e)
{
	uint8_t *tag;
	int made;

	if (s->state != WITHIN)
		return misused(s, "the end of no region", e);
	/* Readers take such a blob for a damaged one. */
	if (s->body == 0 && s->regions > 0)
		return misused(s, "an empty region after others", e);
	tag = s->out.p + REGION_NONCE_LEN + s->body;
	if (EVP_EncryptFinal_ex(s->ctx, tag, &made) != 1 || made != 0 ||
	    EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_GET_TAG, REGION_TAG_LEN, tag) != 1)
		return dead(s, ossl_failed(e, "AES-GCM"));
	s->state = s->body < s->region_len ? ENDED : BETWEEN;
	s->regions++;
	s->plain_size += s->body;
	s->out = (struct room){ 0 };
	*stored_n = s->body + REGION_OVERHEAD;
	return 0;
}

uint64_t
sealer_regions(const struct sealer *s)
{
	return s->regions;
}

uint64_t
sealer_plain_size(const struct sealer *s)
{
	return s->plain_size;
}
