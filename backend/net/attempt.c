/* SPDX-License-Identifier: MIT */
/* Preparing an attempt: see attempt.h, and http.h for what an auth may do. */
#include "backend/net/attempt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool
is_token(const char *name)
{
	return name[0] != '\0' &&
	       name[strspn(name,
			   "!#$%&'*+-.^_`|~"
			   "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] ==
		       '\0';
}

/* A line break in a value would end the header and begin another. */
static bool
is_value(const char *value)
{
	for (; *value != '\0'; value++)
		if (((unsigned char)*value < ' ' && *value != '\t') || *value == 0x7f)
			return false;
	return true;
}

static void
free_wiped(char *s)
{
	if (s != NULL)
		explicit_bzero(s, strlen(s));
	free(s);
}

/* Takes over value. */
static int
add(struct http_attempt *at, const char *name, char *value, struct err *e)
{
	struct attempt_header *h = &at->header[at->n];
	int r = 0;

	if (value == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	else if (at->n == ATTEMPT_HEADERS_MAX)
		r = err_set(e, E2BIG, "more than %d request headers", ATTEMPT_HEADERS_MAX);
	else if (!is_token(name) || !is_value(value))
		r = err_set(e, EINVAL, "the value of a request header cannot be sent");
	if (r < 0) {
		free_wiped(value);
		return r;
	}
	h->name = strdup(name);
	h->value = value;
	at->n++;
	return h->name == NULL ? err_set(e, ENOMEM, "out of memory") : 0;
}

int
http_attempt_init(struct http_attempt *at, const struct http_request *req, struct err *e)
{
	int r;

	*at = (struct http_attempt){ .req = req };
	buf_init(&at->url, ATTEMPT_URL_MAX);
	r = buf_add_str(&at->url, req->url, e);
	for (size_t i = 0; r == 0 && i < HTTP_REQUEST_HEADERS_MAX && req->header[i].name != NULL;
	     i++)
		r = http_attempt_header(at, req->header[i].name, req->header[i].value, e);
	return r;
}

void
http_attempt_clear(struct http_attempt *at)
{
	for (size_t i = 0; i < at->n; i++) {
		free(at->header[i].name);
		free_wiped(at->header[i].value);
	}
	at->n = 0;
	buf_clear(&at->url);
	secret_text_free(at->secret);
	at->secret = NULL;
}

const struct http_request *
http_attempt_request(const struct http_attempt *at)
{
	return at->req;
}

int
http_attempt_header(struct http_attempt *at, const char *name, const char *value, struct err *e)
{
	return add(at, name, strdup(value), e);
}

int
http_attempt_secret_header(struct http_attempt *at, const char *name, const char *prefix,
			   const struct secret_text *s, struct err *e)
{
	size_t n = strlen(prefix), m = secret_text_len(s);
	char *value = malloc(n + m + 1);
	int r;

	if (value != NULL) {
		memcpy(value, prefix, n);
		memcpy(value + n, secret_text_borrow(s), m + 1);
	}
	r = add(at, name, value, e);
	if (r < 0)
		return r;
	secret_text_free(at->secret);
	/* Counting references changes nothing that a holder of the text could see. */
	at->secret = secret_text_ref((struct secret_text *)(uintptr_t)s);
	return 0;
}

const struct secret_text *
http_attempt_secret(const struct http_attempt *at)
{
	return at->secret;
}

static struct attempt_header *
find_header(const struct http_attempt *at, const char *name)
{
	for (size_t i = 0; i < at->n; i++)
		if (strcasecmp(at->header[i].name, name) == 0)
			/* Constness is that of the attempt, not of what it points to. */
			return (struct attempt_header *)(uintptr_t)&at->header[i];
	return NULL;
}

/* The header, a URL, with the secret in its query. */
static int
add_to_header(struct http_attempt *at, const char *name, const char *text, struct err *e)
{
	struct attempt_header *h = find_header(at, name);
	const size_t n = h != NULL ? strlen(h->value) : 0, m = strlen(text);
	char *value;

	if (h == NULL)
		return 0;
	value = malloc(n + 1 + m + 1);
	if (value == NULL)
		return err_set(e, ENOMEM, "out of memory");
	memcpy(value, h->value, n);
	value[n] = strchr(h->value, '?') == NULL ? '?' : '&';
	memcpy(value + n + 1, text, m + 1);
	free_wiped(h->value);
	h->value = value;
	return 0;
}

int
http_attempt_secret_query(struct http_attempt *at, const struct secret_text *s, struct err *e)
{
	const char *text = secret_text_borrow(s);
	int r;

	for (const char *p = text; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || *p == '#')
			return err_set(e, EINVAL,
				       "a secret for the URL holds bytes that have no place there");
	r = buf_add_str(&at->url, strchr(at->req->url, '?') == NULL ? "?" : "&", e);
	if (r == 0)
		r = buf_add_str(&at->url, text, e);
	if (r == 0 && at->req->url_header != NULL)
		r = add_to_header(at, at->req->url_header, text, e);
	return r;
}

const char *
http_attempt_get(const struct http_attempt *at, const char *name)
{
	const struct attempt_header *h = find_header(at, name);

	return h != NULL ? h->value : NULL;
}

int
http_attempt_each(const struct http_attempt *at,
		  int (*each)(void *arg, const char *name, const char *value), void *arg)
{
	int stop = 0;

	for (size_t i = 0; stop == 0 && i < at->n; i++)
		stop = each(arg, at->header[i].name, at->header[i].value);
	return stop;
}
