/* SPDX-License-Identifier: MIT */
/* The binding tag: see bind.h. */
#include "crypto/bind.h"

#include <errno.h>

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#include "base/base64.h"
#include "crypto/mac.h"
#include "crypto/ossl.h"

enum {
	VERSION = 1,
	VERSION_LEN = 1,
	CHECK_LEN = 8,
	CHECK_AT = VERSION_LEN,
	MAC_AT = CHECK_AT + CHECK_LEN,
	PROTOCOL_LEN = 8,
	NUMBER_LEN = 8,
	FACTS_LEN = PROTOCOL_LEN + 3 * NUMBER_LEN + 1
};

/* What is derived from the content key. */
struct bind_key {
	uint8_t mac[SHA256_LEN];
	uint8_t check[CHECK_LEN];
};

static void
bind_key_wipe(struct bind_key *k)
{
	OPENSSL_cleanse(k, sizeof(*k));
}

/* HKDF-SHA-256 (RFC 5869). */
static bool
hkdf(const struct cek *cek, struct room out)
{
	static char digest[] = "SHA256", info[] = "azcryptfs bind 1";
	struct cek key = *cek; /* OSSL_PARAM has no const */
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_KEY, key.k, sizeof(key.k)),
		OSSL_PARAM_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof(info) - 1),
		OSSL_PARAM_END,
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
	const bool good = ctx != NULL && EVP_KDF_derive(ctx, out.p, out.n, params) == 1;

	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
	cek_wipe(&key);
	return good;
}

static int
derive(const struct cek *cek, struct bind_key *out, struct err *e)
{
	uint8_t bytes[sizeof(out->mac) + sizeof(out->check)];
	const bool good = hkdf(cek, (struct room){ bytes, sizeof(bytes) });

	memcpy(out->mac, bytes, sizeof(out->mac));
	memcpy(out->check, bytes + sizeof(out->mac), sizeof(out->check));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return good ? 0 : ossl_failed(e, "HKDF");
}

static uint8_t *
put_number(uint8_t *to, uint64_t v)
{
	for (int i = NUMBER_LEN; i-- > 0; v >>= 8)
		to[i] = (uint8_t)v;
	return to + NUMBER_LEN;
}

static int
facts_mac(const struct bind_key *k, const struct bind_facts *f, uint8_t out[static SHA256_LEN],
	  struct err *e)
{
	uint8_t facts[FACTS_LEN] = { 0 }, *to = facts + PROTOCOL_LEN;
	const char *name = protocol_name(f->protocol);

	if (f->protocol != PROTOCOL_V2_0 && f->protocol != PROTOCOL_V2_1)
		return err_set(e, EINVAL, "no binding tag goes with protocol %s", name);
	memcpy(facts, name, strlen(name));
	to = put_number(to, f->region_len);
	to = put_number(to, f->n_regions);
	to = put_number(to, f->plain_size);
	*to = (uint8_t)f->nonce;
	return hmac_sha256(span_of(k->mac, sizeof(k->mac)), span_of(facts, sizeof(facts)), out, e);
}

/* The key's check value and the MAC go out together: a reader needs both. */
static int
tag_of(const struct cek *cek, const struct bind_facts *f, uint8_t out[static BIND_RAW_LEN],
       struct err *e)
{
	struct bind_key key CLEANUP(bind_key_wipe);
	int r = derive(cek, &key, e);

	if (r < 0)
		return r;
	out[0] = VERSION;
	memcpy(out + CHECK_AT, key.check, CHECK_LEN);
	return facts_mac(&key, f, out + MAC_AT, e);
}

int
bind_make(const struct cek *cek, const struct bind_facts *f, char out[static BIND_TEXT_LEN + 1],
	  struct err *e)
{
	uint8_t tag[BIND_RAW_LEN];
	AUTO_BUF text;
	int r;

	buf_init(&text, BIND_TEXT_LEN);
	r = tag_of(cek, f, tag, e);
	if (r == 0)
		r = base64_encode(BASE64_STANDARD, span_of(tag, sizeof(tag)), &text, e);
	if (r == 0)
		memcpy(out, buf_str(&text), BIND_TEXT_LEN + 1);
	return r;
}

int
bind_parse(struct span text, uint8_t out[static BIND_RAW_LEN], struct err *e)
{
	uint8_t tag[BIND_RAW_LEN];
	size_t n = 0;

	if (!base64_decode(BASE64_STANDARD, text, (struct room){ tag, sizeof(tag) }, &n) ||
	    n != sizeof(tag) || tag[0] != VERSION) {
		(void)err_set(e, EBADMSG, "%s is no binding tag of this version", BIND_METADATA);
		return err_mark(e, "integrity.bind", NULL);
	}
	memcpy(out, tag, sizeof(tag));
	return 0;
}

int
bind_check(const struct cek *cek, const struct bind_facts *f,
	   const uint8_t tag[static BIND_RAW_LEN], enum bind_verdict *out, struct err *e)
{
	uint8_t right[BIND_RAW_LEN];
	int r = tag_of(cek, f, right, e);

	if (r < 0)
		return r;
	if (!mac_equal(right + CHECK_AT, tag + CHECK_AT, CHECK_LEN))
		*out = BIND_FOREIGN;
	else
		*out = mac_equal(right + MAC_AT, tag + MAC_AT, SHA256_LEN) ? BIND_GOOD : BIND_WRONG;
	return 0;
}
