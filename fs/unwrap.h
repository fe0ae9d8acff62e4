/* SPDX-License-Identifier: MIT */
/*
 * An unwrap that runs beside something else: an open asks the vault and the
 * store at the same time.
 */
#ifndef FS_UNWRAP_H
#define FS_UNWRAP_H

#include "backend/keys/keyring.h"
#include "fs/engine.h"

struct unwrap; /* opaque */

/* Starts it (or takes the key at once when the keyring has it).  env is copied. */
int unwrap_start(struct engine *g, struct keyring *keys, const struct envelope *env,
		 struct deadline d, struct unwrap **out, struct err *e) MUST_CHECK;

/*
 * Waits; the key stays the unwrap's.  Errors are keyring_cek's.  May be called again: the answer
 * is the same.
 */
int unwrap_wait(struct unwrap *u, struct key_ref **out_borrowed, struct err *e) MUST_CHECK;

/* Whether env asks for the key that this unwrap is about. */
bool unwrap_is_for(const struct unwrap *u, const struct envelope *env);

/* Lets go: an unwrap still running ends by itself, its key goes to the keyring.  NULL is fine. */
void unwrap_put(struct unwrap *u);

#endif
