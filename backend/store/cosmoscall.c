/* SPDX-License-Identifier: MIT */
/* One question to an account: see cosmoscall.h. */
#include "backend/store/cosmoscall.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

#include "backend/net/url.h"
#include "backend/store/cosmoserror.h"
#include "base/num.h"
#include "base/number.h"

enum {
	BROKEN_MAX = 1, /* answers that break the protocol and are asked for again */
	GONE_MAX = 10,
	WAIT_FIRST_MS = 10,
	WAIT_MAX_MS = 1000,
	WAIT_DOUBLINGS = 7
};

enum { AGAIN = 1 }; /* beside 0 and -errno */

/* What has been repeated so far, by reason. */
struct tries {
	unsigned broken, gone, busy, session;
	struct deadline deadline;
};

void
cosmosanswer_init(struct cosmosanswer *a)
{
	*a = (struct cosmosanswer){ 0 };
	http_response_init(&a->http);
}

void
cosmosanswer_clear(struct cosmosanswer *a)
{
	http_response_clear(&a->http);
}

/* ---- what is asked */

/* A name that is "." or ".." means something else in a path, even when it is encoded well. */
static int
add_segment(struct buf *out, const char *segment, struct err *e)
{
	if (strcmp(segment, ".") == 0)
		return buf_add_str(out, "/%2E", e);
	if (strcmp(segment, "..") == 0)
		return buf_add_str(out, "/%2E%2E", e);
	return buf_add_str(out, "/", e) < 0 ? -e->no
					    : url_encode(out, segment, strlen(segment), false, e);
}

int
cosmoscall_url(const struct cosmosservice *s, const char *const *segment, struct buf *out,
	       struct err *e)
{
	int r;

	buf_reset(out);
	r = buf_add_str(out, s->endpoint, e);
	for (; r == 0 && *segment != NULL; segment++)
		r = add_segment(out, *segment, e);
	return r;
}

static void
add_header(struct http_request *req, const char *name, const char *value)
{
	size_t i = 0;

	while (req->header[i].name != NULL)
		i++;
	assert(i + 1 < ARRAY_LEN(req->header));
	req->header[i] = (struct http_header){ name, value };
}

void
cosmoscall_header(struct cosmoscall *c, const char *name, const char *value)
{
	add_header(&c->req, name, value);
}

void
cosmoscall_init(struct cosmoscall *c, const char *method, const char *url)
{
	*c = (struct cosmoscall){ .req = { .method = method, .url = url, .idempotent = true } };
	cosmoscall_header(c, "x-ms-version", COSMOSCALL_VERSION);
	cosmoscall_header(c, "Accept", "application/json");
}

int
cosmoscall_quote(const char *etag, char out[static COSMOSCALL_QUOTED_MAX], struct err *e)
{
	const bool quoted = etag[0] == '"' || strncmp(etag, "W/", 2) == 0;

	if (strlen(etag) > DOCSTORE_ETAG_MAX || !cosmoscall_is_position(etag))
		return err_set(e, EINVAL, "this is no ETag");
	(void)snprintf(out, COSMOSCALL_QUOTED_MAX, quoted ? "%s" : "\"%s\"", etag);
	return 0;
}

/* ---- what comes back */

/* A charge that is none counts as nothing: it is no reason to fail. */
static void
note_charge(const struct cosmosservice *s, struct cosmosanswer *a)
{
	AUTO_BUF scratch;
	double charge = 0;
	const char *value;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	value = http_header_get(&a->http, "x-ms-request-charge", &scratch);
	if (value == NULL || !number_parse(span_str(value), &charge) || charge < 0)
		charge = 0;
	a->charge += charge;
	docstore_charge(s->store, charge);
}

static void
note_session(const struct cosmosservice *s, const struct cosmoscall *c,
	     const struct cosmosanswer *a)
{
	AUTO_BUF scratch;
	const char *value;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	value = http_header_get(&a->http, "x-ms-session-token", &scratch);
	if (value != NULL && c->scope != NULL)
		cosmossession_note(s->session, c->scope, value);
}

int
cosmoscall_wait(unsigned nth, struct deadline d, struct err *e)
{
	const int64_t ns = (nth < WAIT_DOUBLINGS ? WAIT_FIRST_MS << nth : WAIT_MAX_MS) * NS_PER_MS;

	if (ns >= deadline_left_ns(d)) {
		(void)err_set(e, ETIMEDOUT, "the service asked to wait until the deadline");
		return err_mark(e, "net.deadline", NULL);
	}
	clock_sleep_ns(ns);
	return clock_stopped() ? err_set(e, ECANCELED, "the program is ending") : 0;
}

/* ---- judging it */

static int
judge_broken(struct tries *t, struct err *e)
{
	if (t->broken++ >= BROKEN_MAX)
		return -e->no;
	err_clear(e);
	return AGAIN;
}

static int
judge_success(const struct cosmoscall *c, struct span body, const struct cosmosanswer *a,
	      struct tries *t, struct err *e)
{
	int r;

	if (a->status == 304 && c->same_is_fine)
		return 0;
	if (a->status != 200)
		r = cosmoserror_broken(e, "the answer is none to this request");
	else
		r = c->check != NULL ? c->check(c->check_arg, body, e) : 0;
	if (r == -EIO)
		err_request(e, a->http.request_id);
	return r == -EIO ? judge_broken(t, e) : r;
}

static int
judge_refusal(const struct cosmosservice *s, const struct cosmoscall *c,
	      const struct cosmosanswer *a, bool with_session, struct tries *t, struct err *e)
{
	int r;

	if (a->status == 404 && cosmoserror_substatus(&a->http) == COSMOS_SUB_SESSION &&
	    with_session && t->session++ == 0) {
		cosmossession_drop(s->session, c->scope);
		return AGAIN;
	}
	if (a->status == 410 && c->gone_is_mine)
		return 0;
	if (a->status == 449 || (a->status == 410 && t->gone < GONE_MAX)) {
		r = cosmoscall_wait(a->status == 449 ? t->busy++ : t->gone++, t->deadline, e);
		return r < 0 ? r : AGAIN;
	}
	return cosmoserror_set(&a->http, c->partitioned, e);
}

/* One http_call; what comes back is noted, not judged. */
static int
send_request(const struct cosmosservice *s, const struct cosmoscall *c, const char *session,
	     struct buf *body, struct cosmosanswer *out, struct deadline d, struct err *e)
{
	struct http_request req = c->req;
	int r;

	if (session[0] != '\0')
		add_header(&req, "x-ms-session-token", session);
	req.max_body = body->max;
	buf_reset(body);
	http_response_clear(&out->http);
	r = http_call(s->client, s->auth, &req, http_sink_to_buf(body), d, &out->http, e);
	if (r < 0)
		return r;
	out->status = out->http.status;
	note_charge(s, out);
	note_session(s, c, out);
	return 0;
}

int
cosmoscall_send(const struct cosmosservice *s, const struct cosmoscall *c, struct buf *body,
		struct cosmosanswer *out, struct deadline d, struct err *e)
{
	return send_request(s, c, "", body, out, d, e);
}

static int
ask_once(const struct cosmosservice *s, const struct cosmoscall *c, struct buf *body,
	 struct cosmosanswer *out, struct tries *t, struct err *e)
{
	AUTO_BUF session;
	int r = 0;

	buf_init(&session, COSMOSSESSION_TEXT_MAX);
	if (c->scope != NULL)
		r = cosmossession_get(s->session, c->scope, c->range, &session, e);
	if (r == 0)
		r = send_request(s, c, buf_str(&session), body, out, t->deadline, e);
	if (r < 0)
		return r;
	if (out->status < 400)
		return judge_success(c, buf_span(body), out, t, e);
	return judge_refusal(s, c, out, session.n > 0, t, e);
}

int
cosmoscall_run(const struct cosmosservice *s, const struct cosmoscall *c, struct buf *body,
	       struct cosmosanswer *out, struct deadline d, struct err *e)
{
	struct tries t = { .deadline = d };
	int r;

	do
		r = ask_once(s, c, body, out, &t, e);
	while (r == AGAIN);
	return r;
}

/* ---- positions */

bool
cosmoscall_is_position(const char *text)
{
	const size_t n = strlen(text);

	if (n == 0 || n > COSMOSCALL_CONTINUATION_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return true;
}

int
cosmoscall_position(const struct cosmosanswer *a, const char *name, struct buf *out, struct err *e)
{
	AUTO_BUF scratch;
	const char *value;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	buf_reset(out);
	value = http_header_get(&a->http, name, &scratch);
	if (value == NULL || value[0] == '\0')
		return 0;
	if (!cosmoscall_is_position(value))
		return cosmoserror_broken(e, "where the feed goes on is not text of ASCII");
	return buf_add_str(out, value, e);
}
