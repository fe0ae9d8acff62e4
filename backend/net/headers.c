/* SPDX-License-Identifier: MIT */
/* Response headers: see headers.h, and http.h for the public part. */
#include "backend/net/headers.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/num.h"

void
http_response_init(struct http_response *r)
{
	*r = (struct http_response){ .content_length = UINT64_MAX };
	buf_init(&r->headers, HTTP_HEADERS_MAX);
	buf_init(&r->error_body, HTTP_ERROR_BODY_MAX);
}

void
http_response_clear(struct http_response *r)
{
	buf_clear(&r->headers);
	buf_clear(&r->error_body);
	http_response_init(r);
}

struct line {
	const char *name, *value;
	size_t name_n, value_n;
};

/*
 * The next "name: value" of text, its value trimmed; false at the end.  Lines that are none are
 * skipped.
 */
static bool
next_line(const char **at, const char *end, struct line *out)
{
	while (*at < end) {
		const char *lf = memchr(*at, '\n', (size_t)(end - *at));
		const char *stop = lf == NULL ? end : lf;
		const char *colon = memchr(*at, ':', (size_t)(stop - *at));
		const char *value;

		out->name = *at;
		*at = lf == NULL ? end : lf + 1;
		if (colon == NULL || colon == out->name)
			continue;
		out->name_n = (size_t)(colon - out->name);
		for (value = colon + 1; value < stop && (*value == ' ' || *value == '\t'); value++)
			;
		while (stop > value && strchr(" \t\r", stop[-1]) != NULL)
			stop--;
		out->value = value;
		out->value_n = (size_t)(stop - value);
		return true;
	}
	return false;
}

static bool
name_is(const struct line *l, const char *name)
{
	return strlen(name) == l->name_n && strncasecmp(l->name, name, l->name_n) == 0;
}

static bool
first_line(const struct http_response *r, const char **at, const char **end)
{
	if (r->headers.n == 0)
		return false;
	*at = (const char *)r->headers.p;
	*end = *at + r->headers.n;
	return true;
}

const char *
http_header_get(const struct http_response *r, const char *name, struct buf *scratch)
{
	struct err ignored = { 0 };
	const char *at, *end;
	struct line l;

	if (!first_line(r, &at, &end))
		return NULL;
	while (next_line(&at, end, &l))
		if (name_is(&l, name)) {
			buf_reset(scratch);
			if (buf_add(scratch, l.value, l.value_n, &ignored) < 0)
				return NULL;
			return buf_str(scratch);
		}
	return NULL;
}

int
http_header_each(const struct http_response *r,
		 int (*each)(void *arg, const char *name, const char *value), void *arg)
{
	AUTO_BUF copy;
	struct err ignored = { 0 };
	const char *at, *end;
	struct line l;
	int stop = 0;

	buf_init(&copy, HTTP_HEADERS_MAX + 2);
	if (!first_line(r, &at, &end))
		return 0;
	while (stop == 0 && next_line(&at, end, &l)) {
		buf_reset(&copy);
		if (buf_add(&copy, l.name, l.name_n, &ignored) < 0 ||
		    buf_add(&copy, "", 1, &ignored) < 0 ||
		    buf_add(&copy, l.value, l.value_n, &ignored) < 0)
			break;
		stop = each(arg, buf_str(&copy), buf_str(&copy) + l.name_n + 1);
	}
	return stop;
}

static bool
is_clean(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (((unsigned char)line[i] < ' ' && line[i] != '\t') || line[i] == 0x7f)
			return false;
	return true;
}

int
headers_add_line(struct http_response *r, const char *line, size_t n, struct err *e)
{
	size_t text = n;
	const char *colon;

	while (text > 0 && (line[text - 1] == '\n' || line[text - 1] == '\r'))
		text--;
	if (!is_clean(line, text))
		return err_set(e, EPROTO, "a response header holds control characters");
	if (strncmp(line, "HTTP/", text < 5 ? text : 5) == 0 && text >= 5) {
		buf_reset(&r->headers);
		return 0;
	}
	if (text == 0)
		return 0;
	colon = memchr(line, ':', text);
	if (colon == NULL || colon == line || line[0] == ' ' || line[0] == '\t' || colon[-1] == ' ')
		return err_set(e, EPROTO, "a response header is malformed");
	if (n > r->headers.max - r->headers.n)
		return err_set(e, EPROTO, "more than %d bytes of response headers",
			       HTTP_HEADERS_MAX);
	return buf_add(&r->headers, line, n, e);
}

bool
headers_parse_range(const char *value, uint64_t *first, uint64_t *last, uint64_t *total)
{
	uint64_t a, b, n;
	size_t digits;

	if (strncasecmp(value, "bytes ", 6) != 0)
		return false;
	value += 6;
	digits = strspn(value, "0123456789");
	if (!u64_parse(value, digits, &a) || value[digits] != '-')
		return false;
	value += digits + 1;
	digits = strspn(value, "0123456789");
	if (!u64_parse(value, digits, &b) || value[digits] != '/' ||
	    !u64_parse_str(value + digits + 1, &n))
		return false;
	if (a > b || b >= n)
		return false;
	*first = a;
	*last = b;
	*total = n;
	return true;
}

static int
take_length(struct http_response *r, const struct line *l, struct err *e)
{
	uint64_t n;

	if (!u64_parse(l->value, l->value_n, &n) || n == UINT64_MAX)
		return err_set(e, EPROTO, "the answer's Content-Length is malformed");
	if (r->content_length != UINT64_MAX && r->content_length != n)
		return err_set(e, EPROTO, "the answer has two different Content-Lengths");
	r->content_length = n;
	return 0;
}

static void
take_request_id(struct http_response *r)
{
	static const char *const names[] = { "x-ms-request-id", "x-ms-activity-id",
					     "x-ms-correlation-request-id" };
	AUTO_BUF value;

	buf_init(&value, sizeof(r->request_id) - 1);
	for (size_t i = 0; i < ARRAY_LEN(names) && r->request_id[0] == '\0'; i++) {
		const char *id = http_header_get(r, names[i], &value);

		if (id != NULL)
			memcpy(r->request_id, id, strlen(id) + 1);
	}
}

static void
take_range(struct http_response *r)
{
	AUTO_BUF value;
	const char *range;

	buf_init(&value, 128);
	range = http_header_get(r, "content-range", &value);
	r->has_range = range != NULL &&
		       headers_parse_range(range, &r->range_first, &r->range_last, &r->range_total);
}

int
headers_finish(struct http_response *r, bool *chunked, struct err *e)
{
	const char *at, *end;
	bool coded = false;
	struct line l;
	int rc = 0;

	r->content_length = UINT64_MAX;
	r->request_id[0] = '\0';
	*chunked = false;
	if (!first_line(r, &at, &end)) {
		r->has_range = false;
		return 0;
	}
	while (rc == 0 && next_line(&at, end, &l)) {
		if (name_is(&l, "content-length"))
			rc = take_length(r, &l, e);
		else if (name_is(&l, "transfer-encoding"))
			coded = true;
	}
	if (rc == 0 && coded && r->content_length != UINT64_MAX)
		rc = err_set(e, EPROTO,
			     "the answer has both a Content-Length and a transfer encoding");
	take_range(r);
	take_request_id(r);
	*chunked = coded;
	return rc;
}
