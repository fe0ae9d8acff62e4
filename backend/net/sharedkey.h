/* SPDX-License-Identifier: MIT */
/*
 * Storage account authentication that needs no token: Shared Key signatures and
 * SAS.  Source: docs/FORMATS.md, "Blob authorization".
 */
#ifndef BACKEND_NET_SHAREDKEY_H
#define BACKEND_NET_SHAREDKEY_H

#include "backend/net/http.h"

/*
 * Signs each attempt with the account's key (base64 text) anew, x-ms-date included.  -EINVAL when
 * the key is not base64.  The auth holds its own reference to the key.
 */
int sharedkey_auth_new(const char *account, struct secret_text *key, struct http_auth **out,
		       struct err *e) MUST_CHECK;

/*
 * Appends a SAS (a leading '?' is dropped).  With a file, it is read again by the next attempt when
 * it was changed or replaced, so that renewed tokens are picked up; token may then be NULL.
 */
int sas_auth_new(struct secret_text *token, const char *file, struct http_auth **out,
		 struct err *e) MUST_CHECK;

/*
 * The value of one field (such as "sr") of a SAS, decoded, into out (at most n bytes with the
 * NUL); false when absent or too long.  Fields other than sig only.
 */
bool sas_field(const struct secret_text *sas, const char *name, char *out, size_t n);

/* The string to sign, exposed for tests: see formats. The caller clears out. */
int sharedkey_string_to_sign(const char *account, const struct http_attempt *at, struct buf *out,
			     struct err *e) MUST_CHECK;

#endif
