/* SPDX-License-Identifier: MIT */
/*
 * What libcurl is told for one attempt: whom to believe, how to connect, what to send.  The
 * callbacks are the exchange's own.
 */
#ifndef BACKEND_NET_OPTIONS_H
#define BACKEND_NET_OPTIONS_H

#include "backend/net/attempt.h"
#include "backend/net/client.h"

/*
 * lines: the request's headers, for options_free_lines after the transfer, whatever is returned.
 * at and u are borrowed until then.  -ENOMEM: nothing may be sent, for an option that was not
 * taken may be one that protects.
 */
int options_set(CURL *easy, const struct http_client *c, const struct http_attempt *at,
		const struct url *u, struct deadline d, struct curl_slist **lines,
		struct err *e) MUST_CHECK;

/* Wipes and frees. */
void options_free_lines(struct curl_slist *lines);

#endif
