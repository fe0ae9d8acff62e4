/* SPDX-License-Identifier: MIT */
/*
 * The network as a function of the test: these definitions of http_call and of the token functions
 * are linked in place of the real ones, so that a test sees every request that would leave the
 * process, and answers it.  To be included by one file of a test program.
 */
#ifndef TESTS_UNIT_KEYS_FAKENET_H
#define TESTS_UNIT_KEYS_FAKENET_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/headers.h"
#include "backend/net/http.h"
#include "backend/net/token.h"

struct fake_answer {
	int status; /* 0 = 200 */
	struct buf body;
	const char *header; /* one line with CRLF, or NULL */
	int fail;	    /* errno of a transport failure instead of an answer, 0 = none */
	const char *event;  /* of that failure */
};

typedef void fake_service(const struct http_request *req, struct fake_answer *out);

static fake_service *fake_serve;   /* who answers */
static atomic_uint fake_requests;  /* sent */
static atomic_uint fake_tokens;	   /* attached */
static char fake_resources[4][64]; /* of token sources, in the order they were made */
static unsigned fake_n_resources;

/* Bearer authentication that counts. */
struct fake_auth {
	struct http_auth base;
	char origin[300];
};

static int
fake_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	(void)a;
	(void)at;
	(void)d;
	(void)e;
	atomic_fetch_add(&fake_tokens, 1);
	return 0;
}

static bool
fake_refused(struct http_auth *a, const struct http_attempt *at)
{
	(void)a;
	(void)at;
	return false;
}

static void
fake_auth_free(struct http_auth *a)
{
	free(a);
}

static const struct http_auth_ops fake_auth_ops = {
	.apply = fake_apply,
	.refused = fake_refused,
	.free = fake_auth_free,
};

int
token_source_new(struct http_client *client, const struct identity_env *env,
		 enum credential_kind kind, const char *resource, struct token_source **out,
		 struct err *e)
{
	static char any;

	(void)client;
	(void)env;
	(void)kind;
	(void)e;
	if (fake_n_resources < ARRAY_LEN(fake_resources))
		(void)snprintf(fake_resources[fake_n_resources++], 64, "%s", resource);
	*out = (struct token_source *)&any;
	return 0;
}

void
token_source_free(struct token_source *t)
{
	(void)t;
}

int
bearer_auth_new(struct token_source *t, const char *origin, struct http_auth **out, struct err *e)
{
	struct fake_auth *a = calloc(1, sizeof(*a));

	(void)t;
	(void)e;
	if (a == NULL)
		abort();
	a->base.ops = &fake_auth_ops;
	(void)snprintf(a->origin, sizeof(a->origin), "%s", origin);
	*out = &a->base;
	return 0;
}

void
http_auth_free(struct http_auth *a)
{
	if (a != NULL)
		a->ops->free(a);
}

static int
fake_begin(void *arg, const struct http_response *r, struct err *e)
{
	(void)r;
	(void)e;
	buf_reset(arg);
	return 0;
}

static int
fake_data(void *arg, struct span piece, struct err *e)
{
	return buf_add(arg, piece.p, piece.n, e);
}

struct http_sink
http_sink_to_buf(struct buf *b)
{
	return (struct http_sink){ .begin = fake_begin, .data = fake_data, .arg = b };
}

static int
fake_deliver(const struct http_request *req, const struct fake_answer *a, struct http_sink sink,
	     struct http_response *out, struct err *e)
{
	int r = sink.begin(sink.arg, out, e);

	if (r == 0 && a->body.n > req->max_body) {
		(void)err_set(e, EIO, "the answer is over the ceiling");
		return err_mark(e, "net.protocol", NULL);
	}
	return r == 0 ? sink.data(sink.arg, buf_span(&a->body), e) : r;
}

/* As the real one for a request that may not be repeated: one attempt, and its answer. */
int
http_call(struct http_client *c, struct http_auth *auth, const struct http_request *req,
	  struct http_sink sink, struct deadline d, struct http_response *out, struct err *e)
{
	struct fake_auth *fa = (struct fake_auth *)auth;
	struct fake_answer a = { 0 };
	int r = 0;

	(void)c;
	if (strncmp(req->url, fa->origin, strlen(fa->origin)) != 0)
		abort(); /* a token would go to a stranger */
	if (deadline_left_ns(d) == 0)
		return err_set(e, ETIMEDOUT, "the deadline has passed");
	atomic_fetch_add(&fake_requests, 1);
	r = auth->ops->apply(auth, NULL, d, e);
	buf_init(&a.body, 16 << 20);
	fake_serve(req, &a);
	out->status = a.status != 0 ? a.status : 200;
	if (a.header != NULL)
		r = headers_add_line(out, a.header, strlen(a.header), e);
	if (r == 0 && a.fail != 0) {
		r = err_set(e, a.fail, "transport failure of the test");
		(void)err_mark(e, a.event, NULL);
	} else if (r == 0 && out->status < 300) {
		r = fake_deliver(req, &a, sink, out, e);
	} else if (r == 0) {
		r = buf_add(&out->error_body, a.body.p, a.body.n, e);
	}
	buf_clear(&a.body);
	return r;
}

#endif
