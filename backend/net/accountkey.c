/* SPDX-License-Identifier: MIT */
/* Signing with an account's key: see accountkey.h.  The decoded key lives for one signature. */
#include "backend/net/accountkey.h"

#include <errno.h>

#include "base/base64.h"
#include "crypto/mac.h"

enum { KEY_MAX = 256 };

static int
decode_key(const struct secret_text *key, struct room out, size_t *n, struct err *e)
{
	if (!base64_decode(BASE64_STANDARD, span_str(secret_text_borrow(key)), out, n) || *n == 0)
		return err_set(e, EINVAL, "the account key is not base64 text");
	return 0;
}

int
accountkey_check(const struct secret_text *key, struct err *e)
{
	uint8_t *bytes = secret_alloc(KEY_MAX);
	size_t n;
	int r;

	if (bytes == NULL)
		return err_set(e, ENOMEM, "out of memory for a key");
	r = decode_key(key, (struct room){ bytes, KEY_MAX }, &n, e);
	secret_free(bytes, KEY_MAX);
	return r;
}

int
accountkey_sign(const struct secret_text *key, struct span to_sign, struct buf *out, struct err *e)
{
	uint8_t *bytes = secret_alloc(KEY_MAX), mac[SHA256_LEN];
	size_t n = 0;
	int r;

	if (bytes == NULL)
		return err_set(e, ENOMEM, "out of memory for a key");
	r = decode_key(key, (struct room){ bytes, KEY_MAX }, &n, e);
	if (r == 0)
		r = hmac_sha256(span_of(bytes, n), to_sign, mac, e);
	secret_free(bytes, KEY_MAX);
	return r < 0 ? r : base64_encode(BASE64_STANDARD, span_of(mac, sizeof(mac)), out, e);
}
