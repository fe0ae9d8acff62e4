/* SPDX-License-Identifier: MIT */
/*
 * The resource "client encryption key": a DEK, wrapped, and which key wraps it.  Hostile input:
 * whoever may write it chooses what it says, so the key id is data, not an address.
 *
 * Source: docs/FORMATS.md, "Client encryption keys".
 */
#ifndef CRYPTO_DEKRECORD_H
#define CRYPTO_DEKRECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/span.h"

enum { DEK_RECORD_TEXT_MAX = 64 << 10 };

struct dek_record {
	char *id;
	char *kid;	  /* keyWrapMetadata.value: the KEK's id, not empty */
	char *kek_name;	  /* keyWrapMetadata.name, "" when absent */
	uint8_t *wrapped; /* 1..1024 bytes */
	size_t n_wrapped;
	char *etag; /* unquoted; "" when absent */
};

/*
 * -EBADMSG     malformed (event "integrity.dek")
 * -EACCES      keyWrapMetadata.type is not AZURE_KEY_VAULT, or its algorithm is there and not
 *              RSA-OAEP (event "policy.kek_alg"): nothing may be asked of a vault
 * -EOPNOTSUPP  another encryptionAlgorithm (event "policy.unsupported")
 * A keyWrapMetadata without algorithm means RSA-OAEP.  On success the caller clears *out.
 */
int dek_record_parse(struct span json, struct dek_record *out, struct err *e) MUST_CHECK;
void dek_record_clear(struct dek_record *r);
#define AUTO_DEK_RECORD struct dek_record CLEANUP(dek_record_clear)

/* Whether both are wrapped alike: a rewrap changes that. */
bool dek_record_same(const struct dek_record *a, const struct dek_record *b);

#endif
