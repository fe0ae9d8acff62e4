/* SPDX-License-Identifier: MIT */
/*
 * One vault: asking it something, and obeying when it wants quiet.
 *
 * A vault throttles everybody at once, so its 429 is heeded by all
 * callers together and is not left to the retries of a single call.
 *
 * Source: docs/FORMATS.md, "Key Vault".
 */
#ifndef BACKEND_KEYS_VAULTHOST_H
#define BACKEND_KEYS_VAULTHOST_H

#include <stdint.h>

#include "backend/keys/kid.h"
#include "backend/net/http.h"
#include "backend/net/token.h"

struct vault_host; /* opaque; several threads may use one */

/* where: host and port of an entry of the allow-list.  The rest is borrowed for life. */
int vaulthost_new(struct http_client *client, const struct identity_env *env,
		  struct token_source *tokens, const struct kid *where, struct vault_host **out,
		  struct err *e) MUST_CHECK;
void vaulthost_free(struct vault_host *h);

/* "https://host[:port]"; what every address asked of it begins with. */
const char *vaulthost_origin(const struct vault_host *h);
bool vaulthost_is(const struct vault_host *h, const struct kid *where);

/* What is asked, for the sentences of a refusal. */
enum vault_op { VAULT_UNWRAP, VAULT_WRAP, VAULT_READ };

/*
 * POSTs body (JSON), or GETs when body.n is 0, and puts a successful answer's bytes into *answer.
 * url begins with the origin.
 *
 *  - -EBADMSG: VAULT_UNWRAP, 400 BadParameter: these bytes are not of this key (event
 *    "integrity.cek")
 *  - -EINVAL: VAULT_WRAP, 400 BadParameter: the algorithm is not one of this key
 *  - -EPERM: VAULT_READ, 403: the identity may not, whatever else it may
 *  - -EACCES: 401, 403 (event "auth.vault"), each cause with its own sentence and advice
 *  - -ENOKEY: 404 (event "key.missing"), or the key is disabled (event "key.disabled"), expired or
 *    not yet valid (event "key.expired")
 *  - -ETIMEDOUT: the deadline, or the vault wants quiet for longer than that
 *  - -EIO: anything else
 */
int vaulthost_call(struct vault_host *h, enum vault_op op, const char *url, struct span body,
		   struct deadline d, struct buf *answer, struct err *e) MUST_CHECK;

#endif
