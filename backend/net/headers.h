/* SPDX-License-Identifier: MIT */
/*
 * Response headers, line by line, from a stranger: collecting, checking, and reading what the
 * client itself needs.
 */
#ifndef BACKEND_NET_HEADERS_H
#define BACKEND_NET_HEADERS_H

#include "backend/net/http.h"

/*
 * Takes one raw header line (with its CRLF).  A status line starts over.  -EPROTO: folded,
 * without colon or name, control characters, or more than HTTP_HEADERS_MAX bytes in all.
 */
int headers_add_line(struct http_response *r, const char *line, size_t n, struct err *e) MUST_CHECK;

/*
 * All lines are there: fills content_length, the range and request_id.  *chunked: the body says
 * itself where it ends.  -EPROTO: lengths that are malformed or contradict each other.  A
 * malformed Content-Range counts as none.
 */
int headers_finish(struct http_response *r, bool *chunked, struct err *e) MUST_CHECK;

/* "bytes A-B/TOTAL" with A <= B < TOTAL, exactly. */
bool headers_parse_range(const char *value, uint64_t *first, uint64_t *last,
			 uint64_t *total) MUST_CHECK;

#endif
