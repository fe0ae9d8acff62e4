/* SPDX-License-Identifier: MIT */
/* libcurl's options: see options.h. */
#include "backend/net/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"

enum { BIG_BODY = 128 << 10 /* from here on the large buffers pay */ };

static int
add_line(struct curl_slist **lines, const char *name, const char *value)
{
	struct curl_slist *node = malloc(sizeof(*node));
	int n;

	if (node == NULL)
		return -ENOMEM;
	/* "Name;" is libcurl's way to send a header without a value, "Name:" to send none. */
	n = value == NULL      ? asprintf(&node->data, "%s:", name)
	    : value[0] == '\0' ? asprintf(&node->data, "%s;", name)
			       : asprintf(&node->data, "%s: %s", name, value);
	if (n < 0) {
		free(node);
		return -ENOMEM;
	}
	node->next = *lines;
	*lines = node;
	return 0;
}

static int
make_lines(const struct http_attempt *at, struct curl_slist **lines)
{
	int r = add_line(lines, "Expect", NULL);

	if (r == 0 && http_attempt_get(at, "Content-Type") == NULL)
		r = add_line(lines, "Content-Type", NULL);
	for (size_t i = at->n; r == 0 && i-- > 0;)
		r = add_line(lines, at->header[i].name, at->header[i].value);
	return r;
}

/* A handle, and whether it has taken all options so far. */
struct settings {
	CURL *easy;
	bool failed;
};

#define SET(s, option, value) \
	((s)->failed |= curl_easy_setopt((s)->easy, (option), (value)) != CURLE_OK)

/* Plain http to this machine is safe as long as it stays here: a proxy would carry it out. */
static bool
is_direct(const struct http_client *c, const struct http_request *req, const struct url *u)
{
	return req->direct || (!u->https && url_is_loopback(u)) ||
	       (c->proxy == NULL && !c->proxy_from_env);
}

static void
set_security(struct settings *s, const struct http_client *c, const struct http_request *req,
	     const struct url *u)
{
	SET(s, CURLOPT_PROTOCOLS_STR, u->https ? "https" : "http");
	SET(s, CURLOPT_FOLLOWLOCATION, 0L);
	SET(s, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	SET(s, CURLOPT_SSL_VERIFYPEER, 1L);
	SET(s, CURLOPT_SSL_VERIFYHOST, 2L);
	if (c->ca_file != NULL) {
		SET(s, CURLOPT_CAINFO, c->ca_file);
		SET(s, CURLOPT_CAPATH, NULL);
	}
	SET(s, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	SET(s, CURLOPT_HTTP09_ALLOWED, 0L);
	if (is_direct(c, req, u)) {
		SET(s, CURLOPT_PROXY, "");
		SET(s, CURLOPT_NOPROXY, "*");
	} else if (c->proxy != NULL) {
		SET(s, CURLOPT_PROXY, c->proxy);
		SET(s, CURLOPT_NOPROXY, "");
	}
	SET(s, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

static void
set_transport(struct settings *s, const struct http_client *c, const struct http_request *req,
	      struct deadline d)
{
	int64_t connect = c->connect_timeout_ns, left = deadline_left_ns(d);
	uint64_t most = u64_max(req->exact_body, req->max_body);

	SET(s, CURLOPT_NOSIGNAL, 1L);
	SET(s, CURLOPT_QUICK_EXIT, 1L); /* a resolver that hangs is left behind */
	SET(s, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(s, CURLOPT_TCP_NODELAY, 1L);
	SET(s, CURLOPT_TCP_KEEPALIVE, 1L);
	SET(s, CURLOPT_TCP_KEEPIDLE, 30L);
	SET(s, CURLOPT_TCP_KEEPINTVL, 15L);
	SET(s, CURLOPT_MAXCONNECTS, 1L);
	SET(s, CURLOPT_BUFFERSIZE, most >= BIG_BODY ? 256L << 10 : 16L << 10);
	SET(s, CURLOPT_UPLOAD_BUFFERSIZE, req->body.n >= BIG_BODY ? 64L << 10 : 16L << 10);
	if (left < connect)
		connect = left;
	SET(s, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect / NS_PER_MS) + 1);
}

static void
set_request(struct settings *s, const struct http_attempt *at, struct curl_slist *lines)
{
	const struct http_request *req = at->req;

	SET(s, CURLOPT_URL, buf_str(&at->url));
	SET(s, CURLOPT_PATH_AS_IS, 1L);
	SET(s, CURLOPT_USERAGENT, "azcryptfs");
	SET(s, CURLOPT_HTTPHEADER, lines);
	if (strcmp(req->method, "HEAD") == 0) {
		SET(s, CURLOPT_NOBODY, 1L);
	} else if (req->body.n > 0 || strcmp(req->method, "GET") != 0) {
		SET(s, CURLOPT_POST, 1L);
		SET(s, CURLOPT_POSTFIELDS, req->body.n > 0 ? (const char *)req->body.p : "");
		SET(s, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.n);
		SET(s, CURLOPT_CUSTOMREQUEST, req->method);
	} else {
		SET(s, CURLOPT_HTTPGET, 1L);
		SET(s, CURLOPT_CUSTOMREQUEST, req->method);
	}
}

int
options_set(CURL *easy, const struct http_client *c, const struct http_attempt *at,
	    const struct url *u, struct deadline d, struct curl_slist **lines, struct err *e)
{
	struct settings s = { .easy = easy };

	if (make_lines(at, lines) < 0)
		return err_set(e, ENOMEM, "out of memory for a request");
	set_security(&s, c, at->req, u);
	set_transport(&s, c, at->req, d);
	set_request(&s, at, *lines);
	return s.failed ? err_set(e, ENOMEM, "out of memory for a request") : 0;
}

void
options_free_lines(struct curl_slist *lines)
{
	while (lines != NULL) {
		struct curl_slist *next = lines->next;

		explicit_bzero(lines->data, strlen(lines->data));
		free(lines->data);
		free(lines);
		lines = next;
	}
}
