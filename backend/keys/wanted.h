/* SPDX-License-Identifier: MIT */
/*
 * What the keyring is asked for: the content key of a blob, or a DEK of a Cosmos database.  All
 * that differs between them is here.
 */
#ifndef BACKEND_KEYS_WANTED_H
#define BACKEND_KEYS_WANTED_H

#include <stdint.h>

#include "base/err.h"
#include "base/span.h"
#include "crypto/cek.h"
#include "crypto/mac.h"

/* What the key is for; part of an entry's identity. */
enum wanted_use {
	WANTED_DEK,
	WANTED_V1 = PROTOCOL_V1,
	WANTED_V2_0 = PROTOCOL_V2_0,
	WANTED_V2_1 = PROTOCOL_V2_1
};

struct wanted { /* all borrowed */
	const char *kid;
	enum wrap_alg alg;
	enum wanted_use use;
	struct span wrapped;
};

struct wanted wanted_cek(const struct envelope *env);
struct wanted wanted_dek(const char *kid, struct span wrapped);

/* The identity of its entry. */
int wanted_id(const struct wanted *w, uint8_t out[static SHA256_LEN], struct err *e) MUST_CHECK;

/* -EACCES (event "policy.kek_alg") when its bit is not in algs. */
int wanted_check_algorithm(const struct wanted *w, unsigned algs, struct err *e) MUST_CHECK;

/* Nothing is asked of a vault when the length alone tells that this cannot be such a key: -EBADMSG
 * (event "integrity.cek"). */
int wanted_check_length(const struct wanted *w, struct err *e) MUST_CHECK;

/* The key out of what the unwrap gave; the same -EBADMSG when it is not such a key. */
int wanted_take(const struct wanted *w, struct span unwrapped, struct cek *out,
		struct err *e) MUST_CHECK;

#endif
