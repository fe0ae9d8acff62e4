/* SPDX-License-Identifier: MIT */
/*
 * One exchange: see exchange.h.
 *
 * libcurl accepts more than we do: bodies that simply end, bodies without end, lengths
 * that contradict each other.  The callbacks here count and compare, and
 * break the transfer off by answering with 0 bytes taken; the cause is kept in `result`.
 */
#include "backend/net/exchange.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/select.h>

#include <linux/sockios.h>

#include "backend/net/headers.h"
#include "backend/net/options.h"
#include "base/num.h"

enum {
	STALL_BYTES = 64, /* fewer than this in a stall timeout is as good as nothing */
	STALL_LOOKS = 4	  /* so often within it the kernel is asked what it has yet to send */
};

struct exchange {
	struct http_client *c;
	const struct http_request *req;
	const struct http_attempt *at;
	struct http_sink sink;
	struct http_response *out;
	struct exchange_result *result;
	struct curl_slist *lines;
	struct conn *conn;
	bool repeatable;
	bool headers_done; /* those of the final status */
	bool chunked;
	bool begun;	/* the sink knows */
	bool error_cut; /* enough of an error's body has been read */
	unsigned sends;
	uint64_t body_n;
	uint64_t moved; /* bytes both ways, for the stall clock */
	uint64_t moved_mark;
	int64_t moved_at_ns;
	int queued; /* bytes that the kernel had yet to send when last looked */
	char text[CURL_ERROR_SIZE];
};

static void
fail(struct exchange *x, enum outcome outcome, int no, const char *text)
{
	x->result->outcome = outcome;
	if (x->result->why.no == 0)
		(void)err_set(&x->result->why, no, "%s", text);
}

static void
note_moved(struct exchange *x, uint64_t n)
{
	x->moved += n;
	if (x->moved - x->moved_mark < STALL_BYTES)
		return;
	x->moved_mark = x->moved;
	x->moved_at_ns = clock_now_ns();
}

static bool
is_success(const struct exchange *x)
{
	return x->out->status >= 200 && x->out->status <= 299;
}

static bool
is_head(const struct exchange *x)
{
	return strcmp(x->req->method, "HEAD") == 0;
}

/* The headers promise a body; is it one that we asked for?  Said before a byte of it is read. */
static bool
promise_kept(struct exchange *x)
{
	uint64_t length = x->out->content_length;
	char text[128];

	if (!is_success(x) || is_head(x) || length == UINT64_MAX)
		return true;
	if (x->req->exact_body != 0 && length != x->req->exact_body) {
		(void)snprintf(text, sizeof(text),
			       "the answer has %llu bytes where %llu were asked for",
			       (unsigned long long)length, (unsigned long long)x->req->exact_body);
		fail(x, OUTCOME_PROTOCOL, EIO, text);
		return false;
	}
	if (length > u64_max(x->req->max_body, x->req->exact_body)) {
		(void)snprintf(text, sizeof(text),
			       "the answer has %llu bytes; no more than %llu are accepted",
			       (unsigned long long)length, (unsigned long long)x->req->max_body);
		fail(x, OUTCOME_TOO_BIG, EIO, text);
		return false;
	}
	return true;
}

static bool
finish_headers(struct exchange *x)
{
	long status = 0;

	(void)curl_easy_getinfo(x->conn->easy, CURLINFO_RESPONSE_CODE, &status);
	if (status < 200)
		return true;
	x->out->status = (int)status;
	x->headers_done = true;
	if (headers_finish(x->out, &x->chunked, &x->result->why) < 0) {
		x->result->outcome = OUTCOME_PROTOCOL;
		return false;
	}
	return promise_kept(x);
}

static size_t
on_header(char *line, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t n = size * count;

	note_moved(x, n);
	if (x->headers_done) /* trailers: of no use */
		return n;
	if (headers_add_line(x->out, line, n, &x->result->why) < 0) {
		x->result->outcome = OUTCOME_PROTOCOL;
		return 0;
	}
	if ((n == 2 && line[0] == '\r') || (n == 1 && line[0] == '\n'))
		return finish_headers(x) ? n : 0;
	return n;
}

static bool
begin(struct exchange *x)
{
	if (x->begun)
		return true;
	x->begun = true;
	if (x->sink.begin == NULL || x->sink.begin(x->sink.arg, x->out, &x->result->why) == 0)
		return true;
	x->result->outcome = OUTCOME_REFUSED;
	return false;
}

/* Of an error only so much is of interest; the rest is left unread and the connection closed. */
static size_t
take_error(struct exchange *x, const char *bytes, size_t n)
{
	size_t left = HTTP_ERROR_BODY_MAX - x->out->error_body.n;
	size_t part = n < left ? n : left;

	if (buf_add(&x->out->error_body, bytes, part, &x->result->why) < 0) {
		x->result->outcome = OUTCOME_FAILED;
		return 0;
	}
	x->error_cut = part < n;
	return x->error_cut ? 0 : n;
}

static size_t
on_body(char *bytes, size_t size, size_t count, void *arg)
{
	struct exchange *x = arg;
	size_t n = size * count;
	uint64_t most = x->req->exact_body != 0 ? x->req->exact_body : x->req->max_body;

	if (!is_success(x))
		return take_error(x, bytes, n);
	x->body_n += n;
	if (x->body_n > most) {
		fail(x, x->req->exact_body != 0 ? OUTCOME_PROTOCOL : OUTCOME_TOO_BIG, EIO,
		     "the answer is longer than what is accepted");
		return 0;
	}
	if (!begin(x))
		return 0;
	if (x->sink.data != NULL &&
	    x->sink.data(x->sink.arg, span_of(bytes, n), &x->result->why) < 0) {
		x->result->outcome = OUTCOME_REFUSED;
		return 0;
	}
	/* The time that the sink took is not the peer's. */
	x->moved_at_ns = clock_now_ns();
	return n;
}

static int
on_progress(void *arg, curl_off_t dl_total, curl_off_t dl, curl_off_t ul_total, curl_off_t ul)
{
	struct exchange *x = arg;
	uint64_t now = (uint64_t)dl + (uint64_t)ul;

	(void)dl_total;
	(void)ul_total;
	if (now > x->moved)
		note_moved(x, now - x->moved);
	return 0;
}

/*
 * Right before the request goes out: once, or again when libcurl found a kept-alive connection
 * dead.
 */
static int
on_send(void *arg, char *to, char *from, int to_port, int from_port)
{
	struct exchange *x = arg;

	(void)to, (void)from, (void)to_port, (void)from_port;
	if (x->sends > 0 && !x->repeatable) {
		fail(x, OUTCOME_CUT, EIO,
		     "the connection was lost; the request may have been carried out");
		return CURL_PREREQFUNC_ABORT;
	}
	x->sends++;
	atomic_fetch_add(&x->c->requests, 1);
	x->result->sent = true;
	x->moved_at_ns = clock_now_ns();
	return CURL_PREREQFUNC_OK;
}

static void
set_callbacks(struct exchange *x, CURL *easy)
{
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->text);
	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, x);
	curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_send);
	curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
}

/*
 * How long a poll may last: to the nearer of the deadline and the stall, and a second at most,
 * for clocks that jump.
 */
static int
poll_ms(const struct exchange *x, int64_t left, int64_t now)
{
	int64_t wait = x->moved_at_ns + x->c->stall_timeout_ns - now;

	if (x->req->body.n > 0 && wait > x->c->stall_timeout_ns / STALL_LOOKS)
		wait = x->c->stall_timeout_ns / STALL_LOOKS;
	if (left < wait)
		wait = left;
	if (wait > NS_PER_S)
		wait = NS_PER_S;
	return wait <= 0 ? 0 : (int)((wait + NS_PER_MS - 1) / NS_PER_MS);
}

/* The socket under way; -1 when there is none, or one that does not fit a set (libcurl names it in
 * no other way before the transfer is over). */
static int
socket_of(const struct exchange *x)
{
	fd_set in, out, odd;
	int fd = -1;

	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&odd);
	return curl_multi_fdset(x->conn->multi, &in, &out, &odd, &fd) == CURLM_OK ? fd : -1;
}

/*
 * The last of a body lies in the kernel's buffer, megabytes of it, long after libcurl has given it
 * away: as long as that drains, bytes move.
 */
static void
note_drained(struct exchange *x, int64_t now)
{
	int fd, queued = 0;

	if (x->req->body.n == 0 || now - x->moved_at_ns < x->c->stall_timeout_ns / STALL_LOOKS)
		return;
	fd = socket_of(x);
	if (fd < 0 || ioctl(fd, SIOCOUTQ, &queued) != 0)
		return;
	if (queued < x->queued)
		x->moved_at_ns = now;
	x->queued = queued;
}

/* Why the transfer has to end now, though it is not done. */
static bool
must_end(struct exchange *x, int64_t left, int64_t now)
{
	if (client_stopping(x->c))
		fail(x, OUTCOME_STOPPED, ECANCELED, "the program is ending");
	else if (left == 0)
		fail(x, OUTCOME_LATE, ETIMEDOUT,
		     x->result->sent ? "no complete answer yet" : "no connection yet");
	else if (x->result->sent && now - x->moved_at_ns >= x->c->stall_timeout_ns)
		fail(x, OUTCOME_CUT, EIO, "the connection has stalled");
	else
		return false;
	return true;
}

/*
 * Runs the transfer to its end; CURLE_AGAIN when it was broken off from here (the result says why).
 */
static CURLcode
drive(struct exchange *x, struct deadline d)
{
	CURLMsg *message;
	int running, queued;

	for (;;) {
		int64_t left = deadline_left_ns(d), now = clock_now_ns();

		note_drained(x, now);
		if (must_end(x, left, now))
			return CURLE_AGAIN;
		if (curl_multi_perform(x->conn->multi, &running) != CURLM_OK)
			return CURLE_OUT_OF_MEMORY;
		if (running == 0)
			break;
		now = clock_now_ns();
		(void)curl_multi_poll(x->conn->multi, NULL, 0, poll_ms(x, deadline_left_ns(d), now),
				      NULL);
	}
	message = curl_multi_info_read(x->conn->multi, &queued);
	return message == NULL ? CURLE_RECV_ERROR : message->data.result;
}

/*
 * SSL_connect fails in the same way when the peer hangs up in the middle of it: that one is worth
 * another attempt.
 */
static bool
tls_was_cut(const struct exchange *x)
{
	return strstr(x->text, "SYSCALL") != NULL || strstr(x->text, "reset by peer") != NULL ||
	       strstr(x->text, "unexpected eof") != NULL || strstr(x->text, "roken pipe") != NULL;
}

static enum outcome
outcome_of(const struct exchange *x, CURLcode code)
{
	switch (code) {
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
		return OUTCOME_UNREACHABLE;
	case CURLE_SSL_CONNECT_ERROR:
		return tls_was_cut(x) ? OUTCOME_CUT : OUTCOME_UNTRUSTED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return OUTCOME_UNTRUSTED;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
		return OUTCOME_PROTOCOL;
	case CURLE_OUT_OF_MEMORY:
		return OUTCOME_FAILED;
	default:
		return OUTCOME_CUT;
	}
}

/* A kept-alive connection that gave not a byte: the peer had closed it while it was idle. */
static bool
was_stale(const struct exchange *x, CURLcode code)
{
	long fresh = 1;

	(void)curl_easy_getinfo(x->conn->easy, CURLINFO_NUM_CONNECTS, &fresh);
	return fresh == 0 && x->out->status == 0 && x->out->headers.n == 0 &&
	       (code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR || code == CURLE_GOT_NOTHING);
}

/* The transfer is complete as libcurl sees it. */
static void
judge_complete(struct exchange *x)
{
	if (!x->headers_done) { /* libcurl is content with a connection that ends there */
		fail(x, OUTCOME_CUT, EIO, "the answer ended within its headers");
		return;
	}
	if (!is_success(x))
		return;
	if (!is_head(x) && x->req->exact_body != 0 && x->body_n != x->req->exact_body) {
		fail(x, OUTCOME_CUT, EIO, "the answer is shorter than what was asked for");
		return;
	}
	if (x->body_n > 0 && x->req->exact_body == 0 && !x->chunked &&
	    x->out->content_length == UINT64_MAX) {
		fail(x, OUTCOME_PROTOCOL, EIO, "the answer does not say how long it is");
		return;
	}
	(void)begin(x);
}

static void
judge(struct exchange *x, CURLcode code)
{
	if (code == CURLE_OK) {
		judge_complete(x);
		return;
	}
	if (x->result->why.no != 0 || x->error_cut)
		return;
	if (was_stale(x, code)) {
		fail(x, OUTCOME_STALE, EIO, "a kept-alive connection was closed by the peer");
		return;
	}
	fail(x, outcome_of(x, code), code == CURLE_OUT_OF_MEMORY ? ENOMEM : EIO,
	     x->text[0] != '\0' ? x->text : curl_easy_strerror(code));
}

static void
run_on(struct exchange *x, const struct url *u, struct deadline d)
{
	CURL *easy = x->conn->easy;
	CURLcode code;

	curl_easy_reset(easy); /* keeps the connection, forgets the last request */
	if (options_set(easy, x->c, x->at, u, d, &x->lines, &x->result->why) < 0) {
		x->result->outcome = OUTCOME_FAILED;
		return;
	}
	set_callbacks(x, easy);
	x->moved_at_ns = clock_now_ns();
	if (curl_multi_add_handle(x->conn->multi, easy) != CURLM_OK) {
		fail(x, OUTCOME_FAILED, ENOMEM, "out of memory for a request");
		return;
	}
	code = drive(x, d);
	judge(x, code);
	(void)curl_multi_remove_handle(x->conn->multi, easy);
	/* Neither URL nor headers stay behind in an idle handle. */
	curl_easy_reset(easy);
	curl_easy_setopt(easy, CURLOPT_URL, NULL);
}

static int
connection_key(const struct exchange *x, const struct url *u, struct buf *out, struct err *e)
{
	int r = url_origin(u, out, e);

	return r < 0 || !x->req->direct ? r : buf_add_str(out, " direct", e);
}

void
exchange_run(struct http_client *c, const struct http_attempt *at, const struct url *u,
	     bool repeatable, struct http_sink sink, struct deadline d, struct http_response *out,
	     struct exchange_result *result)
{
	struct exchange x = {
		.c = c, .req = at->req, .at = at, .sink = sink, .out = out, .result = result
	};
	int64_t start = clock_now_ns();
	AUTO_BUF key;

	*result = (struct exchange_result){ .outcome = OUTCOME_ANSWER };
	x.repeatable = repeatable;
	buf_init(&key, 512);
	if (connection_key(&x, u, &key, &result->why) < 0 ||
	    conn_take(c, buf_str(&key), &x.conn, &result->why) < 0)
		result->outcome = OUTCOME_FAILED;
	else
		run_on(&x, u, d);
	if (x.conn != NULL)
		conn_put(c, x.conn, result->outcome == OUTCOME_ANSWER && !x.error_cut);
	options_free_lines(x.lines);
	out->attempts += x.sends > 0 ? x.sends : 1;
	result->took_ns = clock_now_ns() - start;
}
