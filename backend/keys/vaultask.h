/* SPDX-License-Identifier: MIT */
/*
 * The questions that a vault is asked about one key.  The address is built from the allow-list's
 * entry and from the checked parts of the key id.
 *
 * Source: docs/FORMATS.md, "Key Vault".
 */
#ifndef BACKEND_KEYS_VAULTASK_H
#define BACKEND_KEYS_VAULTASK_H

#include "backend/keys/kid.h"
#include "backend/keys/vaulthost.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/envelope.h"

#define VAULTASK_API "api-version=7.4"

struct vaultask {
	struct vault_host *host;
	struct kid kid; /* as asked for */
	enum wrap_alg alg;
	struct span value; /* to unwrap, to wrap */
	struct deadline deadline;
};

/*
 * VAULT_UNWRAP or VAULT_WRAP in one version of the key, "" = the current one.  *answered: the key
 * and version that did it.  Errors of vaulthost_call and vaultanswer_value.  *rejected: the vault
 * knows the key, but the value is not of it (unwrap), or the algorithm is not (wrap).
 */
int vaultask_operate(const struct vaultask *q, enum vault_op op, const char *version,
		     struct room out, size_t *out_n, struct kid *answered, bool *rejected,
		     struct err *e) MUST_CHECK;

/* GETs "/keys/NAME" and what follows it: "/VERSION", "/versions", or nothing. */
int vaultask_get(const struct vaultask *q, const char *rest, const char *query, struct buf *answer,
		 struct err *e) MUST_CHECK;

#endif
