/* SPDX-License-Identifier: MIT */
/*
 * A data-encryption key of a Cosmos database ("client encryption key") and the three keys that
 * are derived from it: for the cipher, the MAC and the deterministic IV.
 *
 * Source: docs/FORMATS.md, "Cell keys".
 */
#ifndef CRYPTO_DEK_H
#define CRYPTO_DEK_H

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"

struct dek_keys; /* opaque; immutable, may be used by several threads at once; wiped when freed */

/* dek: exactly 32 bytes, as keyring_dek gives them.  -ENOMEM: no locked memory left. */
int dek_keys_new(const struct cek *dek, struct dek_keys **out, struct err *e) MUST_CHECK;
void dek_keys_free(struct dek_keys *k); /* NULL is fine */

/*
 * What tells this DEK from others without telling the DEK: the first 16 bytes of an HMAC of a
 * fixed label under it, as 32 hexadecimal digits.  The same after a rewrap.
 */
enum { DEK_FINGERPRINT_LEN = 32 };
int dek_fingerprint(const struct dek_keys *k, char out[static DEK_FINGERPRINT_LEN + 1],
		    struct err *e) MUST_CHECK;

#endif
