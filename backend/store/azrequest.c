/* SPDX-License-Identifier: MIT */
/* Requests that write: see azrequest.h. */
#include "backend/store/azrequest.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/store/azattr.h"

static const char *const property_headers[STORE_PROPERTIES_N] = {
	[STORE_CONTENT_TYPE] = "x-ms-blob-content-type",
	[STORE_CONTENT_ENCODING] = "x-ms-blob-content-encoding",
	[STORE_CONTENT_LANGUAGE] = "x-ms-blob-content-language",
	[STORE_CONTENT_DISPOSITION] = "x-ms-blob-content-disposition",
	[STORE_CACHE_CONTROL] = "x-ms-blob-cache-control",
};

static void
fail(struct azrequest *q, int no, const char *why)
{
	if (q->no != 0)
		return;
	q->no = no;
	q->why = why;
}

void
azrequest_init(struct azrequest *q, const char *method, const char *url)
{
	memset(q, 0, sizeof(*q));
	q->req.method = method;
	q->req.url = url;
	/* Conditional, or of the same bytes in the same place: repeating it does no harm. */
	q->req.idempotent = true;
	azrequest_header(q, "x-ms-version", AZGET_VERSION);
}

void
azrequest_clear(struct azrequest *q)
{
	for (size_t i = 0; i < q->n_owned; i++)
		free(q->owned[i]);
	q->n_owned = 0;
}

/*
 * Signatures are over the very bytes, and nobody agrees on what others than ASCII are in a header.
 */
static bool
is_ascii_line(const char *value)
{
	for (; *value != '\0'; value++)
		if ((*value < ' ' && *value != '\t') || *value == '\177')
			return false;
	return true;
}

void
azrequest_header(struct azrequest *q, const char *name, const char *value)
{
	if (!is_ascii_line(value))
		return fail(q, EINVAL, "a property or metadata item is not one line of ASCII");
	if (q->n == ARRAY_LEN(q->req.header))
		return fail(q, E2BIG, "too many properties and metadata items");
	q->req.header[q->n++] = (struct http_header){ name, value };
}

/* A text that lives as long as the request. */
static const char *
own(struct azrequest *q, const char *before, const char *text, const char *after)
{
	char *s;

	assert(q->n_owned < ARRAY_LEN(q->owned) || q->no != 0);
	if (q->n_owned == ARRAY_LEN(q->owned))
		return "";
	if (asprintf(&s, "%s%s%s", before, text, after) < 0) {
		fail(q, ENOMEM, "out of memory for a request");
		return "";
	}
	q->owned[q->n_owned++] = s;
	return s;
}

void
azrequest_etag(struct azrequest *q, const char *name, const char *etag)
{
	if (etag != NULL)
		azrequest_header(q, name, own(q, "\"", etag, "\""));
}

void
azrequest_condition(struct azrequest *q, struct store_condition c)
{
	if (c.absent)
		azrequest_header(q, "If-None-Match", "*");
	azrequest_etag(q, "If-Match", c.if_match);
}

void
azrequest_metadata(struct azrequest *q, const struct store_properties *p)
{
	for (size_t i = 0; i < p->n_meta && q->no == 0; i++)
		azrequest_header(q, own(q, "x-ms-meta-", p->meta[i].name, ""), p->meta[i].value);
}

void
azrequest_properties(struct azrequest *q, const struct store_properties *p)
{
	for (size_t i = 0; i < STORE_PROPERTIES_N; i++)
		if (p->text[i] != NULL)
			azrequest_header(q, property_headers[i], p->text[i]);
}

static int
ignore_begin(void *arg, const struct http_response *r, struct err *e)
{
	(void)arg, (void)r, (void)e;
	return 0;
}

static int
ignore_data(void *arg, struct span piece, struct err *e)
{
	(void)arg, (void)piece, (void)e;
	return 0;
}

int
azrequest_send(const struct azservice *s, struct azrequest *q, struct deadline d,
	       struct http_response *out, struct err *e)
{
	enum { ANSWER_MAX = 64 << 10 /* none is expected */ };

	if (q->no != 0)
		return err_set(e, q->no, "%s", q->why);
	q->req.max_body = ANSWER_MAX;
	return http_call(s->client, s->auth, &q->req,
			 (struct http_sink){ ignore_begin, ignore_data, NULL }, d, out, e);
}

bool
azrequest_made(const struct http_response *r, struct store_written *out)
{
	AUTO_BUF scratch;
	const char *value;
	int64_t s;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	value = http_header_get(r, "ETag", &scratch);
	if (value == NULL || !azattr_etag(value, out->etag))
		return false;
	value = http_header_get(r, "Last-Modified", &scratch);
	out->mtime_ns = value != NULL && azattr_http_date(value, &s) ? s * NS_PER_S : 0;
	return true;
}
