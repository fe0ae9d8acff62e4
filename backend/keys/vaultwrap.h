/* SPDX-License-Identifier: MIT */
/*
 * Wrapping under the keys of vaults: with the public half here, which is read once for each key id
 * in the life of the process, or by the vault where that cannot be read or is none.
 *
 * A key id without a version means the version that is current when it is first used, and stays
 * with it for the process: what one mount writes is under one key.  Only when that version can wrap
 * no more (it has expired, or the vault refuses it) the id is looked up anew, and the newest one
 * counts.  That a version was disabled meanwhile is not noticed by those who have its public half.
 */
#ifndef BACKEND_KEYS_VAULTWRAP_H
#define BACKEND_KEYS_VAULTWRAP_H

#include "backend/keys/provider.h"
#include "backend/keys/vaultask.h"

struct vaultwrap; /* opaque; several threads may use one */

int vaultwrap_new(struct vaultwrap **out, struct err *e) MUST_CHECK;
void vaultwrap_free(struct vaultwrap *w); /* nobody may be wrapping; NULL is fine */

/* provider_wrap of a key id that the allow-list covers; q->alg 0: what suits the key. */
int vaultwrap_wrap(struct vaultwrap *w, const struct vaultask *q, struct wrapped_key *out,
		   struct err *e) MUST_CHECK;

#endif
