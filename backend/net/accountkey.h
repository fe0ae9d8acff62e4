/* SPDX-License-Identifier: MIT */
/* The key of an account, base64 text as the portal shows it: what requests are signed with. */
#ifndef BACKEND_NET_ACCOUNTKEY_H
#define BACKEND_NET_ACCOUNTKEY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

/* -EINVAL when it is not base64. */
int accountkey_check(const struct secret_text *key, struct err *e) MUST_CHECK;

/* Appends the signature, in base64. */
int accountkey_sign(const struct secret_text *key, struct span to_sign, struct buf *out,
		    struct err *e) MUST_CHECK;

#endif
