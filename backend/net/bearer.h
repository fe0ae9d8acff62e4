/* SPDX-License-Identifier: MIT */
/*
 * Where a token may go: what the auths share that attach one.  Private to this directory.
 */
#ifndef BACKEND_NET_BEARER_H
#define BACKEND_NET_BEARER_H

#include "backend/net/http.h"

/* The origin of a URL as new text; -EACCES (event "policy.token") unless it is https. */
int bearer_origin(const char *url, char **out, struct err *e) MUST_CHECK;

/* Whether a token for that origin may go with the attempt: 0, or -EACCES ("policy.token"). */
int bearer_check(const char *origin, const struct http_attempt *at, struct err *e) MUST_CHECK;

#endif
