/* SPDX-License-Identifier: MIT */
/*
 * How requests to Cosmos DB prove who sends them: the account's key, a resource token, or Entra.
 * Source: docs/FORMATS.md, "Cosmos authorization".
 */
#ifndef BACKEND_NET_COSMOSAUTH_H
#define BACKEND_NET_COSMOSAUTH_H

#include "backend/net/http.h"
#include "backend/net/token.h"

/*
 * Signs each attempt with the account's key (base64 text) anew, x-ms-date included.  Resource type
 * and link are taken from the request's path: what the path names, decoded, its case kept; a feed
 * or a POST is signed over its parent.  -EINVAL when the key is not base64.  Holds its own
 * reference.
 */
int cosmoskey_auth_new(struct secret_text *key, struct http_auth **out, struct err *e) MUST_CHECK;

/*
 * A resource token ("type=resource&ver=1&sig=..."), sent URL-encoded.  With a file, it is read
 * again by the next attempt when it was changed or replaced; token is what the file holds now.
 * -EINVAL when it is no such token.
 */
int cosmostoken_auth_new(struct secret_text *token, const char *file, struct http_auth **out,
			 struct err *e) MUST_CHECK;

/*
 * Entra tokens in Cosmos' own form ("type=aad&ver=1.0&sig=..."), attached only to requests for
 * origin.  t's resource is the account's own "https://HOST"; where the tenant does not know it
 * (AADSTS500011), fallback is asked from then on: "https://cosmos.azure.com".  Both are borrowed;
 * fallback may be NULL.  -EACCES (event "policy.token") unless origin is https.
 */
int cosmosaad_auth_new(struct token_source *t, struct token_source *fallback, const char *origin,
		       struct http_auth **out, struct err *e) MUST_CHECK;

/* The string to sign, for tests.  The caller clears out. */
int cosmoskey_string_to_sign(const struct http_attempt *at, const char *date, struct buf *out,
			     struct err *e) MUST_CHECK;

#endif
