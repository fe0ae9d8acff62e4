/* SPDX-License-Identifier: MIT */
/*
 * What a vault answers, taken apart.  Pure: bytes in, checked values out.  An
 * answer is believed only when it speaks of the key that was asked for.
 *
 * Source: docs/FORMATS.md, "Key Vault".
 */
#ifndef BACKEND_KEYS_VAULTANSWER_H
#define BACKEND_KEYS_VAULTANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/keys/kid.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"

enum { VAULT_ANSWER_MAX = 64 << 10, VAULT_VERSIONS_MAX = 16 };

/*
 * Whether text is the id of the asked key (host and name without regard to case), in some version
 * or, when one was asked for, in that one.  *out is written in either case.
 */
bool vaultanswer_is_key(const char *text, const struct kid *asked, struct kid *out);

/* Records that the answer is not believed; -EBADMSG (event "integrity.cek"). */
int vaultanswer_bad(struct err *e, const char *why);

/*
 * The answer to unwrapkey and wrapkey: {"kid":…,"value":base64url}.  -EBADMSG (event
 * "integrity.cek") when it is not that, names another key or the value does not fit into out.
 * *answered: the key and the version that did it.
 */
int vaultanswer_value(struct span json, const struct kid *asked, struct room out, size_t *out_n,
		      struct kid *answered, struct err *e) MUST_CHECK;

/* The enabled versions of a key, newest first; of more than VAULT_VERSIONS_MAX, the newest. */
struct vault_versions {
	struct vault_version {
		char version[KID_VERSION_LEN + 1];
		int64_t created; /* seconds since 1970 */
	} v[VAULT_VERSIONS_MAX];
	unsigned n;
};

/*
 * One page of a list of versions, added to *all; *next_query: the query string of the next page,
 * empty after the last one. -EBADMSG when it is malformed, lists another key, or the next page is
 * elsewhere than this one.
 */
int vaultanswer_versions(struct span json, const struct kid *asked, struct vault_versions *all,
			 struct buf *next_query, struct err *e) MUST_CHECK;

/* Why the vault refused, as far as the answer tells; never fails. */
struct vault_refusal {
	char code[64];	/* error.code, or "" */
	char inner[64]; /* error.innererror.code, or "" */
	bool firewall;	/* the address was refused, not the identity */
};
void vaultanswer_refusal(struct span json, struct vault_refusal *out);

/*
 * The failure of a key in a state that the vault calls KeyDisabled, KeyExpired or KeyNotYetValid:
 * -ENOKEY (events "key.disabled", "key.expired"); 0 for any other code.
 */
int vaultanswer_unusable(const char *code, struct err *e);

#endif
