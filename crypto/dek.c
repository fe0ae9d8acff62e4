/* SPDX-License-Identifier: MIT */
/* The keys of a DEK: see dek.h. */
#include "crypto/dek.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "base/secret.h"
#include "crypto/dekkeys.h"
#include "crypto/mac.h"

/* The data of the three derivations is this text in UTF-16LE, without a byte order mark. */
#define SALT(use)                                                          \
	"Microsoft SQL Server cell " use " key with encryption algorithm:" \
	"AEAD_AES_256_CBC_HMAC_SHA256 and key length:256"

enum { SALT_MAX = 256 };

static const char fingerprint_label[] = "azcryptfs: fingerprint of a data-encryption key";

static int
derive(const struct cek *dek, const char *salt, uint8_t out[static SHA256_LEN], struct err *e)
{
	uint8_t utf16[SALT_MAX];
	size_t n = 0;

	for (; *salt != '\0'; salt++) {
		utf16[n++] = (uint8_t)*salt;
		utf16[n++] = 0;
	}
	return hmac_sha256(span_of(dek->k, sizeof(dek->k)), span_of(utf16, n), out, e);
}

static int
derive_hmac_key(const struct cek *dek, const char *salt, struct hmac_key *out, struct err *e)
{
	uint8_t key[SHA256_LEN];
	int r = derive(dek, salt, key, e);

	if (r == 0)
		hmac_key_init(out, span_of(key, sizeof(key)));
	OPENSSL_cleanse(key, sizeof(key));
	return r;
}

static int
take_fingerprint(const struct cek *dek, char out[static DEK_FINGERPRINT_LEN + 1], struct err *e)
{
	uint8_t mac[SHA256_LEN];
	int r = hmac_sha256(span_of(dek->k, sizeof(dek->k)), span_str(fingerprint_label), mac, e);

	for (size_t i = 0; r == 0 && i < DEK_FINGERPRINT_LEN / 2; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", mac[i]);
	return r;
}

int
dek_keys_new(const struct cek *dek, struct dek_keys **out, struct err *e)
{
	static atomic_uint_fast64_t generations;
	struct dek_keys *k = secret_alloc(sizeof(*k));
	int r;

	if (k == NULL)
		return err_set(e, ENOMEM, "no locked memory left for the keys of cells");
	k->generation = atomic_fetch_add(&generations, 1) + 1;
	r = derive(dek, SALT("encryption"), k->enc, e);
	if (r == 0)
		r = derive_hmac_key(dek, SALT("MAC"), &k->mac, e);
	if (r == 0)
		r = derive_hmac_key(dek, SALT("IV"), &k->iv, e);
	if (r == 0)
		r = take_fingerprint(dek, k->fingerprint, e);
	if (r != 0) {
		dek_keys_free(k);
		return r;
	}
	*out = k;
	return 0;
}

void
dek_keys_free(struct dek_keys *k)
{
	secret_free(k, sizeof(*k));
}

int
dek_fingerprint(const struct dek_keys *k, char out[static DEK_FINGERPRINT_LEN + 1], struct err *e)
{
	(void)e; /* taken when the keys were made */
	memcpy(out, k->fingerprint, sizeof(k->fingerprint));
	return 0;
}
