/* SPDX-License-Identifier: MIT */
/* The client encryption policy of a container: a part of container.c. */
#ifndef CRYPTO_POLICY_H
#define CRYPTO_POLICY_H

#include "crypto/container.h"

struct json_t; /* jansson's */
struct record;

/*
 * Fills what d has of the policy; policy is NULL when there is none.  What partition key and
 * policy say of each other is checked by policy_bind.  On failure the caller clears *d.
 */
int policy_parse(const struct record *rec, const struct json_t *policy, struct container_def *d,
		 struct err *e) MUST_CHECK;

/* Finds out which of the paths seal the id and the partition key, and whether they may. */
int policy_bind(const struct record *rec, struct container_def *d, struct err *e) MUST_CHECK;

#endif
