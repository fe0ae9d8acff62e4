/* SPDX-License-Identifier: MIT */
/*
 * The one HTTPS client: calls to a service with signing, retries and a deadline.
 *
 * https only (http to loopback and to hosts that allow_http names), TLS 1.2 or newer, peer and
 * host verified, no redirects, no proxy from the environment unless asked, no content decoding,
 * paths sent as they are. Bodies have exactly the promised length or the attempt has failed; a
 * ceiling is enforced as bytes arrive.  Connections are kept alive and reused, never across
 * clients.
 *
 * Any thread may call; a call blocks until it is answered or its deadline has passed.
 */
#ifndef BACKEND_NET_HTTP_H
#define BACKEND_NET_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/span.h"

enum {
	HTTP_HEADERS_MAX = 64 << 10,	/* bytes of all response headers */
	HTTP_ERROR_BODY_MAX = 64 << 10, /* an error's body is read up to here and cut */
	HTTP_REQUEST_HEADERS_MAX = 160	/* 128 items of metadata and all else */
};

struct http_client; /* opaque */

struct http_config {
	const char *ca_file; /* PEM; NULL = the system's */
	const char *proxy;   /* "http://host:port", "env" = from the environment, NULL = none */
	const char *const *allow_http; /* NULL-terminated host names to which http is allowed; NULL
					  = loopback only */
	int64_t connect_timeout_ns;    /* 0 = 10 s */
	int64_t stall_timeout_ns; /* an attempt that moves no byte for so long has failed; 0 = 20 s
				   */
};

/*
 * The first one in a process also sets up libcurl, unsets SSLKEYLOGFILE, and ignores SIGPIPE
 * unless it is handled.  -EINVAL: no proxy can be meant; another errno: ca_file cannot be read.
 */
int http_client_new(const struct http_config *cfg, struct http_client **out,
		    struct err *e) MUST_CHECK;
/* Aborts nothing: the caller has joined all users (after http_client_stop). */
void http_client_free(struct http_client *c);
/* Makes running and future calls fail with -ECANCELED within about 0.2 s. */
void http_client_stop(struct http_client *c);

/*
 * Whether this client would talk to that URL at all: -EACCES with a sentence naming allow_http=,
 * -EINVAL.
 */
int http_client_may(const struct http_client *c, const char *url, struct err *e) MUST_CHECK;

struct http_header {
	const char *name;
	const char *value;
};

struct http_request {
	const char *method; /* "GET", "HEAD", "POST", "PUT", "DELETE" */
	const char *url;    /* encoded, without any secret; is logged without its query */
	struct http_header header[HTTP_REQUEST_HEADERS_MAX]; /* up to the first NULL name; control
								characters: -EINVAL */
	struct span body; /* sent from where it lies, again at each attempt; n == 0: none (PUT,
			     POST and DELETE then say that it has 0 bytes) */
	const char *url_header; /* name of a header whose value is a URL of the same account: an
				   auth that is part of the URL is added there too; NULL = none */
	bool secret_body;	/* never shown, not even at debug level */
	uint64_t max_body;	/* ceiling of a successful answer's body in bytes */
	uint64_t exact_body;	/* a successful answer must have exactly so many bytes; 0 = as its
				   Content-Length says */
	bool direct;	 /* never through a proxy; http to 169.254.0.0/16 is allowed (identity
			    endpoints) */
	bool idempotent; /* may be repeated; GET and HEAD always may */
	bool once;	 /* one attempt only, whatever comes (a probe) */
};

struct http_response {
	int status;
	struct buf headers;	 /* raw lines of the last response, for http_header_get */
	uint64_t content_length; /* UINT64_MAX when not given */
	bool has_range;		 /* a well-formed Content-Range was there: */
	uint64_t range_first, range_last, range_total;
	struct buf error_body; /* of a status >= 300 */
	char request_id[64];   /* x-ms-request-id, x-ms-activity-id ..., "" */
	unsigned attempts;     /* more than one: an earlier one may have been carried out */
};

void http_response_init(struct http_response *r);
void http_response_clear(struct http_response *r);
#define AUTO_HTTP_RESPONSE struct http_response CLEANUP(http_response_clear)

/*
 * The value of a header (any case), trimmed; NULL when absent.  buf is borrowed scratch for it.
 * Iteration: see below.
 */
const char *http_header_get(const struct http_response *r, const char *name, struct buf *scratch);

/* Calls each(arg, name, value) for every header; stops at its first non-zero, which is returned. */
int http_header_each(const struct http_response *r,
		     int (*each)(void *arg, const char *name, const char *value), void *arg);

/*
 * Where a successful (2xx) answer's body goes.  begin is called at the start of every attempt
 * that got a 2xx status, with the headers; data gets the body in pieces as they arrive.  A
 * repeated attempt calls begin again: the sink starts over.  Either may fail (err_set, -errno):
 * the call then ends with that error, without a retry.
 */
struct http_sink {
	int (*begin)(void *arg, const struct http_response *r, struct err *e);
	int (*data)(void *arg, struct span piece, struct err *e);
	void *arg;
};

/* A sink that collects into a buffer (reset at begin). */
struct http_sink http_sink_to_buf(struct buf *b);

/*
 * How a request proves who sends it.  apply adds headers (or query text) to one attempt; it may
 * block (a token is fetched).  refused is told that the service answered 401 to that attempt, and
 * says whether another one makes sense (a token was dropped); NULL: never.
 */
struct http_auth;
struct http_attempt; /* one attempt being prepared; opaque */
struct http_auth_ops {
	int (*apply)(struct http_auth *a, struct http_attempt *at, struct deadline d,
		     struct err *e);
	bool (*refused)(struct http_auth *a, const struct http_attempt *at);
	void (*free)(struct http_auth *a);
};
struct http_auth {
	const struct http_auth_ops *ops; /* NULL-safe helpers below */
};
void http_auth_free(struct http_auth *a);

/* For apply: what is being sent, and adding to it. */
const struct http_request *http_attempt_request(const struct http_attempt *at);
int http_attempt_header(struct http_attempt *at, const char *name, const char *value,
			struct err *e) MUST_CHECK;
/* The value is prefix + secret; kept out of every log. */
int http_attempt_secret_header(struct http_attempt *at, const char *name, const char *prefix,
			       const struct secret_text *s, struct err *e) MUST_CHECK;
/* The secret given last with http_attempt_secret_header; NULL when none was. */
const struct secret_text *http_attempt_secret(const struct http_attempt *at);
/* Appends to the query string ("&" or "?" is added), and to that of the header that url_header
 * names; kept out of every log. */
int http_attempt_secret_query(struct http_attempt *at, const struct secret_text *s,
			      struct err *e) MUST_CHECK;
/* Value of a header set so far, NULL when absent; and iteration over all of them for signing. */
const char *http_attempt_get(const struct http_attempt *at, const char *name);
int http_attempt_each(const struct http_attempt *at,
		      int (*each)(void *arg, const char *name, const char *value), void *arg);

/*
 * Performs the request.  Returns 0 with the final answer in *out, whatever its status (the caller
 * maps statuses to errnos), after retrying: transport failures, answers cut short, 408, 429 and
 * 5xx (not 501, 505), where the request may be repeated, with full jitter from 0.2 s to 30 s,
 * Retry-After / x-ms-retry-after-ms obeyed, never past the deadline; and 401 once, when
 * auth->refused agrees.
 *   -ETIMEDOUT  the deadline passed, or the service asks to wait longer than that (event
 *               "net.deadline"; the text says what was seen last)
 *   -EIO        certificate not trusted (event "net.tls", not retried), redirect
 *               ("net.redirect"), host unknown or unreachable until the end, an answer that
 *               breaks the protocol: wrong length, over the ceiling ("net.protocol")
 *   -EACCES     http to a host where it is not allowed
 *   -ECANCELED  http_client_stop
 * or what the sink or auth returned.  e->request_id is filled where known.
 * A status that breaks off before any body byte never reaches the sink.
 */
int http_call(struct http_client *c, struct http_auth *auth, const struct http_request *req,
	      struct http_sink sink, struct deadline d, struct http_response *out,
	      struct err *e) MUST_CHECK;

/* Requests sent so far, attempts included: for statistics and tests. */
uint64_t http_client_requests(const struct http_client *c);

#endif
