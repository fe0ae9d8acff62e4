/* SPDX-License-Identifier: MIT */
/*
 * The failure budget of protocol V1: an attacker who can rewrite a blob and see whether
 * it decrypts learns its plaintext in about 128 tries a byte (CVE-2022-30187).  So a
 * blob name whose decryption has failed 16 times within an hour, under whatever ETags, is not
 * decrypted again until the mount ends.
 */
#ifndef FS_V1GUARD_H
#define FS_V1GUARD_H

#include <stdbool.h>

#include "base/err.h"

enum { V1_FAILURES_MAX = 16 };

struct v1guard; /* opaque; thread-safe */
int v1guard_new(struct v1guard **out, struct err *e) MUST_CHECK;
void v1guard_free(struct v1guard *g);

/*
 * Before a decryption: -EACCES (event "policy.v1_quarantine") when the budget of that name is
 * spent.  Attempts that run count as failures until they end, so that many at once cannot
 * overdraw it: those too many wait.  After 0, v1guard_end tells how it went.
 */
int v1guard_begin(struct v1guard *g, const char *name, struct err *e) MUST_CHECK;
void v1guard_end(struct v1guard *g, const char *name, bool failed);

#endif
