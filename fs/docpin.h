/* SPDX-License-Identifier: MIT */
/*
 * The pin file: under which policy, and with which keys, a container of documents is written.
 *
 * A database can be changed by people who may not read it: a policy without a path makes writers
 * send that property in clear, and a key that is replaced by one of theirs makes it readable for
 * them.  So what is there when a container is first written to is noted, and has to be there
 * whenever it is written to again.  Nothing secret is in the file; who can write it decides what is
 * trusted.
 *
 * Source: docs/FORMATS.md, "The pin file".
 */
#ifndef FS_DOCPIN_H
#define FS_DOCPIN_H

#include "crypto/container.h"
#include "crypto/dek.h"

enum { DOCPIN_POLICY_LEN = 64, DOCPIN_NAME_MAX = 1023 };

struct docpin_key {
	const char *id; /* borrowed */
	char fingerprint[DEK_FINGERPRINT_LEN + 1];
	bool is_new; /* not pinned yet */
};

/* What a writer is about to use. */
struct docpin_claim {
	char container[DOCPIN_NAME_MAX + 1]; /* ACCOUNT/DATABASE/CONTAINER */
	char policy[DOCPIN_POLICY_LEN + 1];
	struct docpin_key *key; /* borrowed */
	size_t n_keys;
	bool is_new; /* the container is not pinned yet */
};

/*
 * SHA-256, as hexadecimal digits, of what a container's policy and partition key say: the same for
 * the same meaning, whatever its order.
 */
int docpin_policy(const struct container_def *def, char out[static DOCPIN_POLICY_LEN + 1],
		  struct err *e) MUST_CHECK;

/*
 * Whether the claim is what is pinned; sets is_new where nothing is.  A file that is not there pins
 * nothing.
 *
 *  - -EACCES  it is not: event "policy.pin" (the policy), "policy.dek_changed" (a key).  Or the
 *    file
 *             belongs to somebody else, or others may write it
 *  - -EINVAL, -EOPNOTSUPP  not a pin file, or one of another version
 *  - errors of reading it
 */
int docpin_check(const char *file, struct docpin_claim *claim, struct err *e) MUST_CHECK;

/*
 * Pins what is new of the claim, on the disk when it returns 0; what is pinned meanwhile is checked
 * as above.  Several processes may use one file.
 */
int docpin_add(const char *file, struct docpin_claim *claim, struct err *e) MUST_CHECK;

#endif
