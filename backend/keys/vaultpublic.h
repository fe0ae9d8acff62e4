/* SPDX-License-Identifier: MIT */
/*
 * What a vault tells of a key to those who may read it: the public half, and whether it may wrap.
 * Pure: bytes in, checked values out.
 *
 * Source: docs/FORMATS.md, "Key Vault".
 */
#ifndef BACKEND_KEYS_VAULTPUBLIC_H
#define BACKEND_KEYS_VAULTPUBLIC_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/keys/kid.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/kek.h"

struct vaultpublic {
	struct kid kid;	 /* as answered: name and version that were meant */
	struct kek *rsa; /* owned; NULL: a symmetric key, which never leaves the vault */
	unsigned bits;	 /* of a symmetric key: 128, 192, 256; 0 = the vault does not say */
	bool enabled;
	bool permits_wrap;  /* key_ops */
	int64_t not_before; /* seconds since 1970; INT64_MIN = always */
	int64_t expires;    /* INT64_MAX = never */
};

/*
 * The answer to GET key.  On success the caller clears *out.
 *
 *  - -EBADMSG (event "integrity.cek"): malformed, or about another key than the asked one
 *  - -EACCES (event "policy.kek_alg"): a key of a type that cannot wrap
 */
int vaultpublic_parse(struct span json, const struct kid *asked, struct vaultpublic *out,
		      struct err *e) MUST_CHECK;
void vaultpublic_clear(struct vaultpublic *p);

/*
 * Whether the vault would let it wrap now, so that what wraps here keeps to the same rules:
 * -ENOKEY (events "key.disabled", "key.expired"), -EACCES (event "auth.vault") when its operations
 * do not name wrapKey.
 */
int vaultpublic_check(const struct vaultpublic *p, int64_t now_s, struct err *e) MUST_CHECK;

#endif
