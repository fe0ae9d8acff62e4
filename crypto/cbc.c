/* SPDX-License-Identifier: MIT */
/* V1 content: see cbc.h. */
#include "crypto/cbc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/num.h"
#include "crypto/ossl.h"
#include "crypto/pkcs7.h"
#include "crypto/unseal.h"

enum { UPDATE_MAX = 1 << 30 /* EVP counts in int */ };

struct cbc_stream {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx;	/* holds the key from begin to forget */
	const struct layout *l; /* borrowed */
	struct room out;	/* borrowed */
	struct span_place place;
	size_t done; /* bytes decrypted into out */
	uint8_t iv[CBC_BLOCK];
	size_t n_iv; /* bytes of iv known */
};

int
cbc_failed(struct err *e)
{
	ERR_clear_error();
	(void)err_set(e, EIO, "the blob could not be decrypted");
	return err_mark(e, "integrity.v1", NULL);
}

static bool
is_last(const struct cbc_stream *s)
{
	return s->place.stored_off + s->place.stored_len == s->l->stored_size;
}

/* Once all that comes before the ciphertext is known. */
static int
start(struct cbc_stream *s, struct err *e)
{
	if (EVP_DecryptInit_ex(s->ctx, NULL, NULL, NULL, s->iv) != 1 ||
	    EVP_CIPHER_CTX_set_padding(s->ctx, 0) != 1)
		return cbc_failed(e);
	return 0;
}

int
cbc_stream_new(struct cbc_stream **out, struct err *e)
{
	struct cbc_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
	s->ctx = EVP_CIPHER_CTX_new();
	if (s->cipher == NULL || s->ctx == NULL) {
		cbc_stream_free(s);
		return ossl_failed(e, "AES-CBC");
	}
	*out = s;
	return 0;
}

void
cbc_stream_free(struct cbc_stream *s)
{
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->ctx);
	EVP_CIPHER_free(s->cipher);
	free(s);
}

int
cbc_stream_begin(struct cbc_stream *s, const struct layout *l, const struct cek *cek,
		 const struct span_place *place, struct room out, struct err *e)
{
	cbc_stream_forget(s);
	s->l = l;
	s->place = *place;
	s->out = out;
	s->done = 0;
	s->n_iv = 0;
	if (EVP_DecryptInit_ex(s->ctx, s->cipher, NULL, cek->k, NULL) != 1)
		return cbc_failed(e);
	if (place->plain_off != 0)
		return 0;
	memcpy(s->iv, l->iv, CBC_BLOCK);
	s->n_iv = CBC_BLOCK;
	return start(s, e);
}

/* The cipher block before the span is its IV. */
static int
take_iv(struct cbc_stream *s, struct span *in, struct err *e)
{
	const size_t n = u64_min(in->n, CBC_BLOCK - s->n_iv);

	memcpy(s->iv + s->n_iv, in->p, n);
	s->n_iv += n;
	in->p += n;
	in->n -= n;
	return s->n_iv == CBC_BLOCK ? start(s, e) : 0;
}

static int
take_body(struct cbc_stream *s, struct span *in, struct err *e)
{
	const size_t n = u64_min(in->n, UPDATE_MAX);
	int made;

	assert(n <= s->out.n - s->done);
	if (EVP_DecryptUpdate(s->ctx, s->out.p + s->done, &made, in->p, (int)n) != 1)
		return cbc_failed(e);
	s->done += (size_t)made;
	in->p += n;
	in->n -= n;
	return 0;
}

int
cbc_stream_feed(struct cbc_stream *s, struct span stored, struct err *e)
{
	int r = 0;

	while (r == 0 && stored.n > 0) {
		if (s->n_iv < CBC_BLOCK)
			r = take_iv(s, &stored, e);
		else
			r = take_body(s, &stored, e);
	}
	return r;
}

int
cbc_stream_end(struct cbc_stream *s, size_t *out_n, struct err *e)
{
	const bool whole = s->done > 0 && s->done % CBC_BLOCK == 0;
	size_t n = s->done;

	if (whole && s->l->padded && is_last(s)) {
		const uint32_t pad = pkcs7_padding(s->out.p + s->done - CBC_BLOCK);

		n = pad == 0 ? 0 : n - pad;
		if (pad == 0 || (s->l->size_exact && n != s->place.plain_len)) {
			OPENSSL_cleanse(s->out.p, s->done);
			cbc_stream_forget(s);
			return cbc_failed(e);
		}
		OPENSSL_cleanse(s->out.p + n, pad);
	}
	cbc_stream_forget(s);
	if (!whole)
		return cbc_failed(e);
	*out_n = n;
	return 0;
}

void
cbc_stream_forget(struct cbc_stream *s)
{
	(void)EVP_CIPHER_CTX_reset(s->ctx);
	s->l = NULL;
	s->out = (struct room){ 0 };
}

int
v1_exact_size(const struct layout *l, const struct cek *cek, struct span tail, uint64_t *out,
	      struct err *e)
{
	uint8_t block[2 * CBC_BLOCK];
	struct cbc_stream *s = NULL;
	struct span_place place;
	size_t n;
	int r;

	assert(l->protocol == PROTOCOL_V1);
	if (!l->padded) {
		*out = l->plain_size;
		return 0;
	}
	layout_v1_tail(l, &place);
	if (tail.n != place.stored_len)
		return cbc_failed(e);
	r = cbc_stream_new(&s, e);
	if (r == 0)
		r = cbc_stream_begin(s, l, cek, &place, (struct room){ block, sizeof(block) }, e);
	if (r == 0)
		r = cbc_stream_feed(s, tail, e);
	if (r == 0)
		r = cbc_stream_end(s, &n, e);
	if (r == 0)
		*out = place.plain_off + n;
	OPENSSL_cleanse(block, sizeof(block));
	cbc_stream_free(s);
	return r;
}
