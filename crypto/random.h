/* SPDX-License-Identifier: MIT */
/*
 * Randomness for keys, IVs and upload ids: OpenSSL's generator, in a file of its own so that the
 * known-answer tests can be linked with a fixed one instead.
 */
#ifndef CRYPTO_RANDOM_H
#define CRYPTO_RANDOM_H

#include "base/err.h"
#include "base/span.h"

/* Fills out for a key that stays secret.  -EIO. */
int random_secret(struct room out, struct err *e) MUST_CHECK;
/* Fills out with what others may see: an IV, an id.  -EIO. */
int random_public(struct room out, struct err *e) MUST_CHECK;

#endif
