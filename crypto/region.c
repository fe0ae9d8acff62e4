/* SPDX-License-Identifier: MIT */
/*
 * A stream of AES-GCM regions: see region.h.
 *
 * State: n_nonce < 12 the nonce is coming in; then body_done < body the
 * ciphertext; then n_tag < 16 the tag; with its last byte the verdict falls
 * and the next region begins.
 */
#include "crypto/region.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/num.h"
#include "crypto/ossl.h"

enum {
	UPDATE_MAX = 1 << 30, /* EVP counts in int */
	BAD_FIRST = 16
};

struct region_stream {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *ctx;	    /* holds the key from begin to forget */
	struct region_order *order; /* borrowed */
	struct room out; /* borrowed; what is left of it, starting with the current region */
	uint64_t region_len;
	uint64_t region;      /* number within the blob of the current region */
	uint64_t stored_left; /* bytes of the span from the start of the current region */
	size_t body;	      /* plaintext bytes of the current region */
	size_t body_done;
	size_t n_nonce, n_tag;
	uint8_t nonce[REGION_NONCE_LEN];
	uint8_t tag[REGION_TAG_LEN];
	struct bad_regions bad;
	size_t bad_room;
};

void
bad_regions_clear(struct bad_regions *b)
{
	free(b->at);
	*b = (struct bad_regions){ 0 };
}

/* Looks at the region that begins where the last one ended. */
static void
next_region(struct region_stream *s)
{
	s->n_nonce = 0;
	s->n_tag = 0;
	s->body_done = 0;
	if (s->stored_left == 0)
		return;
	assert(s->stored_left >= REGION_OVERHEAD);
	s->body = (size_t)u64_min(s->region_len, s->stored_left - REGION_OVERHEAD);
}

static int
remember_bad(struct region_stream *s, const char *event, const char *why, struct err *e)
{
	struct bad_regions *b = &s->bad;

	if (b->n == BAD_REGIONS_MAX)
		return 0;
	if (b->n == s->bad_room) {
		const size_t room = s->bad_room == 0 ? BAD_FIRST : 2 * s->bad_room;
		uint64_t *at = reallocarray(b->at, room, sizeof(*at)); /* not secret */

		if (at == NULL)
			return err_set(e, ENOMEM, "out of memory");
		b->at = at;
		s->bad_room = room;
	}
	if (b->n == 0) {
		(void)err_set(&b->first, EBADMSG, "region %llu %s", (unsigned long long)s->region,
			      why);
		(void)err_mark(&b->first, event, NULL);
	}
	b->at[b->n++] = s->region;
	return 0;
}

static bool
tag_verifies(struct region_stream *s)
{
	uint8_t none[REGION_TAG_LEN];
	int n;

	return EVP_CIPHER_CTX_ctrl(s->ctx, EVP_CTRL_AEAD_SET_TAG, REGION_TAG_LEN, s->tag) == 1 &&
	       EVP_DecryptFinal_ex(s->ctx, none, &n) == 1;
}

/* The verdict on the current region; then the next one. */
static int
finish_region(struct region_stream *s, struct err *e)
{
	int r = 0;

	if (!tag_verifies(s)) {
		ERR_clear_error();
		OPENSSL_cleanse(s->out.p, s->body);
		r = remember_bad(s, "integrity.region", "does not verify", e);
	} else if (!region_order_accepts(s->order, s->nonce, s->region)) {
		OPENSSL_cleanse(s->out.p, s->body);
		r = remember_bad(s, "integrity.order", "is not in its place", e);
	}
	s->out.p += s->body;
	s->out.n -= s->body;
	s->stored_left -= s->body + REGION_OVERHEAD;
	s->region++;
	next_region(s);
	return r;
}

/* Moves up to `want - *have` bytes from the front of *in. */
static void
take(struct span *in, uint8_t *to, size_t want, size_t *have)
{
	const size_t n = u64_min(in->n, want - *have);

	memcpy(to + *have, in->p, n);
	*have += n;
	in->p += n;
	in->n -= n;
}

static int
take_nonce(struct region_stream *s, struct span *in, struct err *e)
{
	take(in, s->nonce, REGION_NONCE_LEN, &s->n_nonce);
	if (s->n_nonce == REGION_NONCE_LEN &&
	    EVP_DecryptInit_ex(s->ctx, NULL, NULL, NULL, s->nonce) != 1)
		return ossl_failed(e, "AES-GCM");
	return 0;
}

static int
take_body(struct region_stream *s, struct span *in, struct err *e)
{
	const size_t n = u64_min(u64_min(in->n, s->body - s->body_done), UPDATE_MAX);
	int made;

	if (EVP_DecryptUpdate(s->ctx, s->out.p + s->body_done, &made, in->p, (int)n) != 1 ||
	    (size_t)made != n)
		return ossl_failed(e, "AES-GCM");
	s->body_done += n;
	in->p += n;
	in->n -= n;
	return 0;
}

static int
take_tag(struct region_stream *s, struct span *in, struct err *e)
{
	take(in, s->tag, REGION_TAG_LEN, &s->n_tag);
	return s->n_tag == REGION_TAG_LEN ? finish_region(s, e) : 0;
}

int
region_stream_new(struct region_stream **out, struct err *e)
{
	struct region_stream *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
	s->ctx = EVP_CIPHER_CTX_new();
	if (s->cipher == NULL || s->ctx == NULL) {
		region_stream_free(s);
		return ossl_failed(e, "AES-GCM");
	}
	*out = s;
	return 0;
}

void
region_stream_free(struct region_stream *s)
{
	if (s == NULL)
		return;
	EVP_CIPHER_CTX_free(s->ctx);
	EVP_CIPHER_free(s->cipher);
	bad_regions_clear(&s->bad);
	free(s);
}

int
region_stream_begin(struct region_stream *s, const struct layout *l, const struct cek *cek,
		    struct region_order *order, const struct span_place *place, struct room out,
		    struct err *e)
{
	region_stream_forget(s);
	/* GCM's default length of nonce is the format's: 12. */
	if (EVP_DecryptInit_ex(s->ctx, s->cipher, NULL, cek->k, NULL) != 1) {
		region_stream_forget(s);
		return ossl_failed(e, "AES-GCM");
	}
	s->order = order;
	s->out = out;
	s->region_len = l->region_len;
	s->region = place->plain_off / l->region_len;
	s->stored_left = place->stored_len;
	next_region(s);
	return 0;
}

int
region_stream_feed(struct region_stream *s, struct span stored, struct err *e)
{
	int r = 0;

	while (r == 0 && stored.n > 0) {
		assert(s->stored_left > 0);
		if (s->n_nonce < REGION_NONCE_LEN)
			r = take_nonce(s, &stored, e);
		else if (s->body_done < s->body)
			r = take_body(s, &stored, e);
		else
			r = take_tag(s, &stored, e);
	}
	return r;
}

void
region_stream_end(struct region_stream *s, struct bad_regions *bad)
{
	assert(s->stored_left == 0);
	*bad = s->bad;
	s->bad = (struct bad_regions){ 0 };
	s->bad_room = 0;
	region_stream_forget(s);
}

void
region_stream_forget(struct region_stream *s)
{
	(void)EVP_CIPHER_CTX_reset(s->ctx);
	bad_regions_clear(&s->bad);
	s->bad_room = 0;
	s->order = NULL;
	s->out = (struct room){ 0 };
}
