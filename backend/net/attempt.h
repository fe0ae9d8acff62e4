/* SPDX-License-Identifier: MIT */
/*
 * One attempt being prepared: the request's URL and headers plus what the auth adds.  Wiped when
 * cleared.
 */
#ifndef BACKEND_NET_ATTEMPT_H
#define BACKEND_NET_ATTEMPT_H

#include "backend/net/http.h"

enum { ATTEMPT_HEADERS_MAX = HTTP_REQUEST_HEADERS_MAX + 8, ATTEMPT_URL_MAX = 16 << 10 };

struct attempt_header {
	char *name, *value; /* owned */
};

struct http_attempt {
	const struct http_request *req;
	struct buf url; /* as sent, with the secret part of the query */
	struct attempt_header header[ATTEMPT_HEADERS_MAX];
	size_t n;
	struct secret_text *secret; /* what was attached last; a reference */
};

/*
 * req is borrowed.  -EINVAL when a header's name or value cannot be sent; cleared by the caller
 * in any case.
 */
int http_attempt_init(struct http_attempt *at, const struct http_request *req,
		      struct err *e) MUST_CHECK;
void http_attempt_clear(struct http_attempt *at);
#define AUTO_HTTP_ATTEMPT struct http_attempt CLEANUP(http_attempt_clear)

#endif
