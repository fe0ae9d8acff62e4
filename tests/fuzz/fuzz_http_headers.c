/* SPDX-License-Identifier: MIT */
/*
 * Target: headers_add_line, headers_finish, http_header_get (backend/net/headers.c) and
 * retry_after_ns (backend/net/retry.c). Input: response headers, a line after each LF.
 * Properties: no more is kept than the ceiling; a range that is reported lies within its total;
 * pauses are never negative; no value holds a line break.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/headers.h"
#include "backend/net/retry.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
need(bool good)
{
	if (!good)
		abort();
}

static int
check_header(void *arg, const char *name, const char *value)
{
	AUTO_BUF found = { 0 };

	buf_init(&found, HTTP_HEADERS_MAX);
	need(name[0] != '\0' && strpbrk(name, "\r\n:") == NULL && strpbrk(value, "\r\n") == NULL);
	need(http_header_get(arg, name, &found) != NULL);
	return 0;
}

static bool
feed(struct http_response *r, const uint8_t *data, size_t n)
{
	struct err e = { 0 };

	while (n > 0) {
		const uint8_t *lf = memchr(data, '\n', n);
		size_t line = lf == NULL ? n : (size_t)(lf - data) + 1;

		if (headers_add_line(r, (const char *)data, line, &e) < 0)
			return false;
		data += line;
		n -= line;
	}
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	AUTO_HTTP_RESPONSE r = { 0 };
	struct err e = { 0 };
	bool chunked;

	http_response_init(&r);
	if (!feed(&r, data, n) || headers_finish(&r, &chunked, &e) < 0)
		return 0;
	need(r.headers.n <= HTTP_HEADERS_MAX);
	need(!r.has_range || (r.range_first <= r.range_last && r.range_last < r.range_total));
	need(strlen(r.request_id) < sizeof(r.request_id));
	need(retry_after_ns(&r, 1795132800) >= 0);
	need(http_header_each(&r, check_header, &r) == 0);
	return 0;
}
