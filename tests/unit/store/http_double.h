/* SPDX-License-Identifier: MIT */
/*
 * A service made of scripted answers, in the place of http_call: it records
 * what was asked.  Definitions, for one test program each.
 */
#ifndef TESTS_UNIT_STORE_HTTP_DOUBLE_H
#define TESTS_UNIT_STORE_HTTP_DOUBLE_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/net/http.h"

enum { DOUBLE_MAX = 16 };

struct answer {
	int status;
	const char *headers; /* "Name: value\n" lines */
	const char *body;
	int cut; /* > 0: the attempt breaks off after so many bytes; the call goes on with the next
		    answer */
	int fails;	   /* errno of the whole call instead */
	unsigned attempts; /* that it took; 0 = 1 */
};

static struct answer script[DOUBLE_MAX];
static unsigned script_n, script_at;
static char asked[DOUBLE_MAX][4096]; /* "METHOD URL", a line for each header, and the body */
static unsigned asked_n;

static inline void
play(const struct answer *answers, unsigned n)
{
	memcpy(script, answers, n * sizeof(*answers));
	script_n = n;
	script_at = asked_n = 0;
}

#define PLAY(...)                                    \
	play((const struct answer[]){ __VA_ARGS__ }, \
	     sizeof((const struct answer[]){ __VA_ARGS__ }) / sizeof(struct answer))

static void
record(const struct http_request *req)
{
	size_t at;

	assert_true(asked_n < DOUBLE_MAX);
	at = (size_t)snprintf(asked[asked_n], sizeof(asked[0]), "%s %s", req->method, req->url);
	for (unsigned i = 0; req->header[i].name != NULL; i++)
		at += (size_t)snprintf(asked[asked_n] + at, sizeof(asked[0]) - at, "\n%s: %s",
				       req->header[i].name, req->header[i].value);
	if (req->body.n > 0)
		(void)snprintf(asked[asked_n] + at, sizeof(asked[0]) - at, "\n%.*s",
			       (int)req->body.n, (const char *)req->body.p);
	asked_n++;
}

static void
take_headers(const struct answer *a, struct http_response *out)
{
	unsigned long long first, last, total;
	struct err e = { 0 };
	const char *value;
	AUTO_BUF scratch;

	http_response_clear(out);
	buf_init(&scratch, 4096);
	out->status = a->status;
	out->attempts = a->attempts != 0 ? a->attempts : 1;
	if (a->headers != NULL)
		assert_int_equal(buf_add_str(&out->headers, a->headers, &e), 0);
	value = http_header_get(out, "Content-Length", &scratch);
	out->content_length = value != NULL ? strtoull(value, NULL, 10) : UINT64_MAX;
	value = http_header_get(out, "Content-Range", &scratch);
	out->has_range = value != NULL &&
			 sscanf(value, "bytes %llu-%llu/%llu", &first, &last, &total) == 3;
	if (out->has_range) {
		out->range_first = first;
		out->range_last = last;
		out->range_total = total;
	}
	value = http_header_get(out, "x-ms-request-id", &scratch);
	(void)snprintf(out->request_id, sizeof(out->request_id), "%s", value != NULL ? value : "");
}

/* The body in pieces of 7 bytes, so that no answer comes in one. */
static int
send_body(const char *body, size_t n, struct http_sink sink, struct err *e)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < n; at += 7)
		r = sink.data(sink.arg, span_of(body + at, n - at < 7 ? n - at : 7), e);
	return r;
}

int
http_call(struct http_client *c, struct http_auth *auth, const struct http_request *req,
	  struct http_sink sink, struct deadline d, struct http_response *out, struct err *e)
{
	(void)c, (void)auth, (void)d;
	record(req);
	for (;;) {
		const struct answer *a = &script[script_at];
		const char *body = a->body != NULL ? a->body : "";
		int r;

		if (script_at++ == script_n)
			fail_msg("one request too many: %s", asked[asked_n - 1]);
		if (a->fails != 0)
			return err_set(e, a->fails, "the scripted call fails");
		take_headers(a, out);
		if (a->status < 200 || a->status > 299) {
			assert_int_equal(buf_add_str(&out->error_body, body, e), 0);
			return 0;
		}
		r = sink.begin(sink.arg, out, e);
		if (r == 0 && strcmp(req->method, "HEAD") != 0)
			r = send_body(body, a->cut > 0 ? (size_t)a->cut : strlen(body), sink, e);
		if (r != 0 || a->cut == 0)
			return r;
	}
}

static int
reset_buf(void *arg, const struct http_response *r, struct err *e)
{
	(void)r, (void)e;
	buf_reset(arg);
	return 0;
}

static int
add_to_buf(void *arg, struct span piece, struct err *e)
{
	return buf_add(arg, piece.p, piece.n, e);
}

struct http_sink
http_sink_to_buf(struct buf *b)
{
	return (struct http_sink){ reset_buf, add_to_buf, b };
}

void
http_auth_free(struct http_auth *a)
{
	assert_null(a);
}

#endif
