/* SPDX-License-Identifier: MIT */
/* The paths of a partition key: a part of container.c. */
#ifndef CRYPTO_PARTITION_H
#define CRYPTO_PARTITION_H

#include "crypto/container.h"

/*
 * "/a/b" and, where a name holds what a path cannot, /"a b"/"c\"d": a token in either kind of
 * quotes, with \ before a quote, \ or /.  Fills the tokens; on failure the caller clears.
 * -EBADMSG without an event, -ENOMEM.
 */
int partition_path_parse(const char *path, struct partition_path *out, struct err *e) MUST_CHECK;
void partition_path_clear(struct partition_path *p);
/* The same tokens. */
bool partition_path_same(const struct partition_path *a, const struct partition_path *b);

#endif
