/* SPDX-License-Identifier: MIT */
/* Whether a document that the service holds is the one that was sent. */
#ifndef BACKEND_STORE_COSMOSSAME_H
#define BACKEND_STORE_COSMOSSAME_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/span.h"

/*
 * Compared as JSON, member by member in their order, without the members that the service adds at
 * the top.  Strings are the same by their bytes, numbers by their value: the service may print
 * either otherwise than it was sent.  What it might do beyond that, such as sorting members, makes
 * a document another one: the answer is never wrongly true.
 */
bool cosmossame(struct span sent, struct span stored) MUST_CHECK;

#endif
