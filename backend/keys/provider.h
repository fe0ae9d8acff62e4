/* SPDX-License-Identifier: MIT */
/*
 * A key provider holds, or can reach, key-encryption keys, and unwraps with
 * them.  One file for each; registered in backend/backend.c.  The wrappers below
 * are the only way to a provider, and assert its contract:
 *
 *  - an unwrap that fails says why in *e, never touches *out_n, and blames the right one:
 *    -EACCES refused by policy or by the service, -ENOKEY missing or disabled, -EBADMSG the wrapped
 *    bytes do not belong to this key (or the answer makes no sense), -ETIMEDOUT, -EIO
 *  - e->key is set by the wrapper
 *  - several threads may call at once
 */
#ifndef BACKEND_KEYS_PROVIDER_H
#define BACKEND_KEYS_PROVIDER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/envelope.h"

/* A wrapped content key, and with what. */
struct wrapped_key {
	char kid[ENVELOPE_KID_MAX + 1]; /* the version that was really used */
	enum wrap_alg alg;
	uint8_t bytes[ENVELOPE_WRAPPED_MAX];
	size_t n;
};

struct provider; /* a provider's own struct begins with one */

struct provider_ops {
	const char *name;
	/* Whether this provider is responsible for the key id; pure and quick. */
	bool (*claims)(struct provider *p, const char *kid);
	int (*unwrap)(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
		      struct deadline d, struct room out, size_t *out_n, struct err *e);
	/* alg 0: what suits the key; NULL: this provider cannot wrap. */
	int (*wrap)(struct provider *p, const char *kid, enum wrap_alg alg, struct span plain,
		    struct deadline d, struct wrapped_key *out, struct err *e);
	void (*free)(struct provider *p);
};

struct provider {
	const struct provider_ops *ops;
};

bool provider_claims(struct provider *p, const char *kid);
int provider_unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
		    struct deadline d, struct room out, size_t *out_n, struct err *e) MUST_CHECK;
/*
 * Wraps plain under the key, which may be named without a version.  A vault's RSA key wraps here,
 * with its public half, read once in the life of the process (one flight for all who wait); what
 * cannot be read (403) or is no RSA key is asked to wrap by itself.  Errors as above, and -EACCES
 * (event "policy.kek_alg") when alg does not fit the key, -ENOKEY when the key may not wrap now
 * (disabled, expired, not yet valid).
 */
int provider_wrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span plain,
		  struct deadline d, struct wrapped_key *out, struct err *e) MUST_CHECK;
void provider_free(struct provider *p);

/* ---- the providers ---- */

/*
 * Local keys: a JWK Set ({"keys":[...]}).  An entry has "kid" (compared exactly), and either the
 * members of a JWK or "pem": a file, relative to the set's.  Files are checked like any secret's
 * (mode, owner).  -EINVAL names the entry.
 */
int jwks_provider_new(const char *file, struct provider **out, struct err *e) MUST_CHECK;

/*
 * Key Vault and Managed HSM.  entries: the allow-list (text, NULL-terminated).  A kid that no entry
 * covers is not claimed, so nothing is ever asked of it.  Unwraps by POST .../unwrapkey with a
 * token of the fixed authority and resource; the 401 challenge is never followed (a differing
 * tenant is logged); the answer's kid must match what was asked.  A versionless id that fails with
 * a bad ciphertext after rotation tries the key's older enabled versions, newest first, at most 16.
 * 429 and Retry-After are obeyed for the whole vault: callers wait together, up to their deadlines.
 * client and token_env are borrowed for life.
 */
struct http_client;
struct identity_env;
int vault_provider_new(struct http_client *client, const struct identity_env *token_env,
		       int credential_kind, const char *const *entries, struct provider **out,
		       struct err *e) MUST_CHECK;

#endif
