/* SPDX-License-Identifier: MIT */
/*
 * The HTTPS client: see http.h.  Here a call is made of attempts: signed,
 * exchanged, judged, and repeated after a pause until the deadline.
 */
#include "backend/net/http.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "backend/net/exchange.h"
#include "backend/net/retry.h"
#include "base/log.h"
#include "base/mutex.h"

enum { PROTOCOL_RETRIES = 1, STALE_RETRIES = 3, ATTEMPTS_WITHOUT_DEADLINE = 12 };
enum { BODY_AT_ONCE = 4 << 20 };

static const int64_t backoff_ceiling_ns = 30 * NS_PER_S;
/* A host that cannot be reached may be back at any moment, and asking it costs nobody anything. */
static const int64_t unreachable_ceiling_ns = 4 * NS_PER_S;
static const int64_t nap_ns = 100 * NS_PER_MS; /* how long http_client_stop may go unnoticed */

static void
free_names(char **names)
{
	for (char **p = names; p != NULL && *p != NULL; p++)
		free(*p);
	free(names);
}

static char **
copy_names(const char *const *names)
{
	size_t n = 0;
	char **out;

	while (names[n] != NULL)
		n++;
	out = calloc(n + 1, sizeof(*out));
	for (size_t i = 0; out != NULL && i < n; i++) {
		out[i] = strdup(names[i]);
		if (out[i] == NULL) {
			free_names(out);
			return NULL;
		}
	}
	return out;
}

static int
copy_config(struct http_client *c, const struct http_config *cfg)
{
	c->connect_timeout_ns = cfg->connect_timeout_ns > 0 ? cfg->connect_timeout_ns
							    : 10 * NS_PER_S;
	c->stall_timeout_ns = cfg->stall_timeout_ns > 0 ? cfg->stall_timeout_ns : 20 * NS_PER_S;
	c->proxy_from_env = cfg->proxy != NULL && strcmp(cfg->proxy, "env") == 0;
	if (cfg->ca_file != NULL && (c->ca_file = strdup(cfg->ca_file)) == NULL)
		return -ENOMEM;
	if (cfg->proxy != NULL && !c->proxy_from_env && (c->proxy = strdup(cfg->proxy)) == NULL)
		return -ENOMEM;
	if (cfg->allow_http != NULL && (c->allow_http = copy_names(cfg->allow_http)) == NULL)
		return -ENOMEM;
	return 0;
}

/* Said at once: later it would be one more host that cannot be reached.  A password has no place on
 * a command line. */
static int
check_proxy(const char *proxy, struct err *e)
{
	struct err why = { 0 };
	AUTO_URL u = { 0 };

	if (proxy == NULL || strcmp(proxy, "env") == 0)
		return 0;
	if (url_parse(proxy, &u, &why) == 0 && u.query == NULL &&
	    (u.path[0] == '\0' || strcmp(u.path, "/") == 0))
		return 0;
	(void)err_set(e, EINVAL, "proxy= is not http://HOST:PORT%s%s", why.no != 0 ? ": " : "",
		      why.text);
	return err_mark(e, NULL,
			"proxy=env takes a proxy with a password from the usual variables");
}

static int
check_config(const struct http_config *cfg, struct err *e)
{
	if (cfg->ca_file != NULL && access(cfg->ca_file, R_OK) < 0)
		return err_set(e, errno, "ca_file=%s: %s", cfg->ca_file, strerrordesc_np(errno));
	return check_proxy(cfg->proxy, e);
}

int
http_client_new(const struct http_config *cfg, struct http_client **out, struct err *e)
{
	struct http_client *c;
	int r = net_global_init(e);

	if (r == 0)
		r = check_config(cfg, e);
	if (r < 0)
		return r;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return err_set(e, ENOMEM, "out of memory");
	(void)pthread_mutex_init(&c->lock, NULL);
	if (copy_config(c, cfg) < 0) {
		http_client_free(c);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = c;
	return 0;
}

void
http_client_free(struct http_client *c)
{
	if (c == NULL)
		return;
	assert(c->busy == NULL);
	conn_free_idle(c);
	(void)pthread_mutex_destroy(&c->lock);
	free(c->ca_file);
	free(c->proxy);
	free_names(c->allow_http);
	free(c);
}

void
http_client_stop(struct http_client *c)
{
	atomic_store(&c->stopped, true);
	conn_wake_all(c);
}

uint64_t
http_client_requests(const struct http_client *c)
{
	return atomic_load(&c->requests);
}

int
client_pause(struct http_client *c, int64_t ns, struct err *e)
{
	const int64_t end = clock_now_ns() + ns;

	for (int64_t left = ns; left > 0; left = end - clock_now_ns()) {
		if (client_stopping(c))
			return err_set(e, ECANCELED, "the program is ending");
		clock_sleep_ns(left < nap_ns ? left : nap_ns);
	}
	return 0;
}

bool
client_stopping(const struct http_client *c)
{
	return atomic_load(&c->stopped) || clock_stopped();
}

static int
may_talk(const struct http_client *c, const struct url *u, bool direct, struct err *e)
{
	if (u->https || url_is_loopback(u) || (direct && url_is_link_local(u)))
		return 0;
	for (char **p = c->allow_http; p != NULL && *p != NULL; p++)
		if (strcasecmp(*p, u->host) == 0)
			return 0;
	(void)err_set(e, EACCES, "http to %s is refused: only https is safe", u->host);
	return err_mark(e, "policy.http", "use https, or name the host in allow_http=");
}

int
http_client_may(const struct http_client *c, const char *url, struct err *e)
{
	AUTO_URL u = { 0 };
	int r = url_parse(url, &u, e);

	return r < 0 ? r : may_talk(c, &u, false, e);
}

/* One piece of memory for the body, where its length is known and nothing to be afraid of. */
static int
buf_sink_begin(void *arg, const struct http_response *r, struct err *e)
{
	struct buf *b = arg;
	uint8_t *unused;

	buf_reset(b);
	if (r->content_length > BODY_AT_ONCE || r->content_length > b->max)
		return 0;
	return buf_reserve(b, (size_t)r->content_length, &unused, e);
}

static int
buf_sink_data(void *arg, struct span piece, struct err *e)
{
	return buf_add(arg, piece.p, piece.n, e);
}

struct http_sink
http_sink_to_buf(struct buf *b)
{
	return (struct http_sink){ buf_sink_begin, buf_sink_data, b };
}

void
http_auth_free(struct http_auth *a)
{
	if (a != NULL && a->ops->free != NULL)
		a->ops->free(a);
}

/* One call on its way through its attempts. */
struct call {
	struct http_client *c;
	struct http_auth *auth;
	const struct http_request *req;
	struct http_sink sink;
	struct deadline d;
	struct http_response *out;
	struct url url;
	unsigned failures; /* attempts that ended in a pause */
	unsigned protocol_failures, stale;
	bool reauthorized;
};

static bool
repeatable(const struct http_request *req)
{
	return req->idempotent || strcmp(req->method, "GET") == 0 ||
	       strcmp(req->method, "HEAD") == 0;
}

static void
log_attempt(const struct call *call, const struct exchange_result *x)
{
	const struct http_response *r = call->out;
	const char *url = call->req->url;

	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	log_event(LOG_LEVEL_DEBUG, "net.request",
		  "%s %.*s -> %d in %lld ms, attempt %u, request id %s%s%s", call->req->method,
		  (int)strcspn(url, "?"), url, r->status, (long long)(x->took_ns / NS_PER_MS),
		  r->attempts, r->request_id[0] != '\0' ? r->request_id : "-",
		  x->why.no != 0 ? ": " : "", x->why.text);
}

static void
forget_answer(struct http_response *r)
{
	unsigned attempts = r->attempts;

	buf_reset(&r->headers);
	buf_reset(&r->error_body);
	r->status = 0;
	r->content_length = UINT64_MAX;
	r->has_range = false;
	r->request_id[0] = '\0';
	r->attempts = attempts;
}

static int
late(struct call *call, const struct exchange_result *x, struct err *e)
{
	if (x->outcome == OUTCOME_ANSWER)
		(void)err_set(e, ETIMEDOUT,
			      "no success before the deadline: %s answered %d, attempt %u",
			      call->url.host, call->out->status, call->out->attempts);
	else
		(void)err_set(e, ETIMEDOUT, "no answer from %s before the deadline: %s",
			      call->url.host, x->why.text);
	return err_mark(e, "net.deadline", NULL);
}

/* The failure that ends a call, under its stable event name. */
static int
give_up(struct call *call, const struct exchange_result *x, struct err *e)
{
	const char *host = call->url.host, *why = x->why.text;

	switch (x->outcome) {
	case OUTCOME_UNTRUSTED:
		(void)err_set(e, EIO, "no trusted connection to %s: %s", host, why);
		return err_mark(e, "net.tls",
				"check the server's certificate; a private authority is named with "
				"ca_file=");
	case OUTCOME_PROTOCOL:
	case OUTCOME_TOO_BIG:
		(void)err_set(e, EIO, "%s: %s", host, why);
		return err_mark(e, "net.protocol", NULL);
	case OUTCOME_STOPPED:
	case OUTCOME_REFUSED:
	case OUTCOME_FAILED:
		*e = x->why;
		return -e->no;
	case OUTCOME_LATE:
		return late(call, x, e);
	case OUTCOME_UNREACHABLE:
		(void)err_set(e, EIO, "%s cannot be reached: %s", host, why);
		return err_mark(e, "net.unreachable", NULL);
	default:
		(void)err_set(e, EIO, "the connection to %s failed: %s", host, why);
		return err_mark(e, "net.connection", NULL);
	}
}

/* How long to wait before the next attempt; negative when that would be past the deadline. */
static int64_t
pause_before_next(const struct call *call, const struct exchange_result *x)
{
	bool answered = x->outcome == OUTCOME_ANSWER;
	int64_t ceiling = x->outcome == OUTCOME_UNREACHABLE ? unreachable_ceiling_ns
							    : backoff_ceiling_ns;
	int64_t left = deadline_left_ns(call->d);
	int64_t asked = answered ? retry_after_ns(call->out, clock_wall_s()) : 0;
	int64_t own;

	if (asked > 0)
		return asked < left ? asked : -1;
	own = retry_backoff_ns(call->failures, ceiling, arc4random());
	if (own < left)
		return own;
	/* One more try in what is left, as long as that is enough for a round trip. */
	return left > nap_ns ? left / 2 : -1;
}

/* Waits for the next attempt, or says why there is none. */
static int
wait_for_next(struct call *call, const struct exchange_result *x, struct err *e)
{
	int64_t pause;

	call->failures++;
	if (call->d.at_ns == 0 && call->failures >= ATTEMPTS_WITHOUT_DEADLINE)
		return x->outcome == OUTCOME_ANSWER ? late(call, x, e) : give_up(call, x, e);
	pause = pause_before_next(call, x);
	if (pause >= 0)
		return client_pause(call->c, pause, e);
	return x->outcome == OUTCOME_UNREACHABLE ? give_up(call, x, e) : late(call, x, e);
}

enum { DONE = 0, AGAIN = 1 };

/* An answer came whole: is it the final one?  DONE, AGAIN, or -errno. */
static int
judge_answer(struct call *call, const struct http_attempt *at, const struct exchange_result *x,
	     struct err *e)
{
	int status = call->out->status, r;

	if (status >= 300 && status <= 399 && status != 304) {
		(void)err_set(e, EIO, "%s answers with a redirect (%d), which is not followed",
			      call->url.host, status);
		return err_mark(e, "net.redirect", NULL);
	}
	if (call->req->once)
		return DONE;
	if (status == 401 && !call->reauthorized && call->auth != NULL &&
	    call->auth->ops->refused != NULL) {
		call->reauthorized = true;
		return call->auth->ops->refused(call->auth, at) ? AGAIN : DONE;
	}
	if (!retry_status(status) || !repeatable(call->req))
		return DONE;
	r = wait_for_next(call, x, e);
	return r < 0 ? r : AGAIN;
}

static int
judge_failure(struct call *call, const struct exchange_result *x, struct err *e)
{
	bool again = (repeatable(call->req) || !x->sent) && !call->req->once;
	int r;

	switch (x->outcome) {
	case OUTCOME_STALE:
		if (again && ++call->stale <= STALE_RETRIES)
			return AGAIN;
		break;
	case OUTCOME_PROTOCOL:
		again = again && ++call->protocol_failures <= PROTOCOL_RETRIES;
		break;
	case OUTCOME_CUT:
	case OUTCOME_UNREACHABLE:
		break;
	default:
		again = false;
	}
	if (!again)
		return give_up(call, x, e);
	r = wait_for_next(call, x, e);
	return r < 0 ? r : AGAIN;
}

static int
attempt_once(struct call *call, struct err *e)
{
	struct exchange_result x;
	AUTO_HTTP_ATTEMPT at;
	int r = http_attempt_init(&at, call->req, e);

	if (r == 0 && call->auth != NULL)
		r = call->auth->ops->apply(call->auth, &at, call->d, e);
	if (r < 0)
		return r;
	forget_answer(call->out);
	exchange_run(call->c, &at, &call->url, repeatable(call->req) && !call->req->once,
		     call->sink, call->d, call->out, &x);
	log_attempt(call, &x);
	r = x.outcome == OUTCOME_ANSWER ? judge_answer(call, &at, &x, e)
					: judge_failure(call, &x, e);
	if (r < 0 && call->out->request_id[0] != '\0')
		err_request(e, call->out->request_id);
	return r;
}

int
http_call(struct http_client *c, struct http_auth *auth, const struct http_request *req,
	  struct http_sink sink, struct deadline d, struct http_response *out, struct err *e)
{
	struct call call = { .c = c, .auth = auth, .req = req, .sink = sink, .d = d, .out = out };
	int r = url_parse(req->url, &call.url, e);

	if (r == 0)
		r = may_talk(c, &call.url, req->direct, e);
	out->attempts = 0;
	if (r == 0)
		do
			r = attempt_once(&call, e);
		while (r == AGAIN);
	if (r < 0)
		http_response_clear(out);
	url_clear(&call.url);
	return r;
}
