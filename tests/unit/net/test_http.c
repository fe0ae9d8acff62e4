/* SPDX-License-Identifier: MIT */
/*
 * Single exchanges: what is sent, which answers count as whole, which are refused, and where a
 * call ends.
 */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "tests/unit/net/calls.h"

#define CHUNKED			      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define HTTP11(status, headers, body) "HTTP/1.1 " status "\r\n" headers "\r\n" body

static void
requests_share_one_connection(void **state)
{
	static const struct peer_reply script[] = { { .text = OK_HI } };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	for (int i = 0; i < 20; i++) {
		call(c, NULL, p, "/x", (struct http_request){ 0 }, NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_int_equal(out.r.status, 200);
		assert_string_equal(buf_str(&out.body), "hi");
		assert_int_equal(out.r.content_length, 2);
		call_clear(&out);
	}
	assert_int_equal(peer_connections(p), 1);
	assert_int_equal(http_client_requests(c), 20);
	http_client_free(c);
	peer_stop(p);
}

static void
requests_go_out_as_they_were_given(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n" }
	};
	static const struct {
		struct http_request req;
		const char *path, *begins, *holds;
	} rows[] = {
		{ { .method = "GET" },
		  "/a/../b/./c%2F?q=%20",
		  "GET /a/../b/./c%2F?q=%20 HTTP/1.1\r\n",
		  "\r\n\r\n" },
		{ { .method = "PUT",
		    .body = { (const uint8_t *)"abc", 3 },
		    .header = { { "x-ms-meta-empty", "" } } },
		  "/p",
		  "PUT /p HTTP/1.1\r\n",
		  "x-ms-meta-empty:\r\nContent-Length: 3\r\n\r\nabc" },
		{ { .method = "PUT" }, "/p", "PUT /p HTTP/1.1\r\n", "Content-Length: 0\r\n\r\n" },
		{ { .method = "POST",
		    .body = { (const uint8_t *)"{}", 2 },
		    .header = { { "Content-Type", "application/json" } } },
		  "/p",
		  "POST /p HTTP/1.1\r\n",
		  "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}" },
		{ { .method = "DELETE" },
		  "/p",
		  "DELETE /p HTTP/1.1\r\n",
		  "Content-Length: 0\r\n\r\n" },
		{ { .method = "DELETE", .body = { (const uint8_t *)"abc", 3 } },
		  "/p",
		  "DELETE /p HTTP/1.1\r\n",
		  "Content-Length: 3\r\n\r\nabc" },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		call(c, NULL, p, rows[i].path, rows[i].req, NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_int_equal(out.r.status, 201);
		assert_int_equal(
			strncmp(peer_request(p, i), rows[i].begins, strlen(rows[i].begins)), 0);
		assert_non_null(strstr(peer_request(p, i), rows[i].holds));
		assert_null(strcasestr(peer_request(p, i), "expect:"));
		assert_null(strcasestr(peer_request(p, i), "accept-encoding:"));
		assert_null(strcasestr(peer_request(p, i), "x-www-form"));
		call_clear(&out);
	}
	http_client_free(c);
	peer_stop(p);
}

static void
head_tells_a_length_without_a_body(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 5000000000\r\nETag: \"1\"\r\n\r\n" },
		{ .text = "HTTP/1.1 404 Not Found\r\nx-ms-error-code: "
			  "BlobNotFound\r\nContent-Length: 200\r\n\r\n" },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;
	AUTO_BUF scratch;

	(void)state;
	buf_init(&scratch, 100);
	call(c, NULL, p, "/x", (struct http_request){ .method = "HEAD" }, NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	assert_int_equal(out.r.content_length, 5000000000);
	call_clear(&out);
	call(c, NULL, p, "/x", (struct http_request){ .method = "HEAD" }, NS_PER_S, &out);
	assert_int_equal(out.r.status, 404);
	assert_string_equal(http_header_get(&out.r, "x-ms-error-code", &scratch), "BlobNotFound");
	call_clear(&out);
	assert_int_equal(peer_connections(p), 1);
	http_client_free(c);
	peer_stop(p);
}

/*
 * Answers that are wrong for ever: the call ends with that errno and event, after at least so
 * many requests.
 */
static void
broken_answers_are_never_taken_for_whole(void **state)
{
	static const struct {
		const char *name;
		struct peer_reply reply;
		uint64_t exact, most;
		int rc;
		const char *event;
		bool retried;
	} rows[] = {
		{ "short body",
		  { .text = HTTP11("200 OK", "Content-Length: 10\r\n", "12345"),
		    .end = PEER_CLOSE },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "one byte short",
		  { .text = HTTP11("206 P", "Content-Length: 6\r\n", "12345"), .end = PEER_CLOSE },
		  6,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "reset in the body",
		  { .text = HTTP11("200 OK", "Content-Length: 10\r\n", "12345"),
		    .end = PEER_RESET },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "nothing at all",
		  { .text = "", .end = PEER_CLOSE },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "reset at once",
		  { .text = "", .end = PEER_RESET },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "headers cut",
		  { .text = "HTTP/1.1 200 OK\r\nContent-Le", .end = PEER_CLOSE },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "chunks cut",
		  { .text = CHUNKED "5\r\n12345\r\n", .end = PEER_CLOSE },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "bad chunk",
		  { .text = CHUNKED "zz\r\n12345\r\n", .end = PEER_CLOSE },
		  0,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "unlimited by length",
		  { .text = HTTP11("200 OK", "", "12345"), .end = PEER_CLOSE },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "close-delimited and short",
		  { .text = HTTP11("200 OK", "", "12345"), .end = PEER_CLOSE },
		  6,
		  100,
		  -ETIMEDOUT,
		  "net.deadline",
		  true },
		{ "close-delimited and long",
		  { .text = HTTP11("200 OK", "", "1234567"), .end = PEER_CLOSE },
		  6,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "more than asked for",
		  { .text = HTTP11("206 P", "Content-Length: 7\r\n", "1234567") },
		  6,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "whole for a range",
		  { .text = HTTP11("200 OK", "Content-Length: 9999\r\n", ""), .end = PEER_STALL },
		  6,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "chunked and long",
		  { .text = CHUNKED "7\r\n1234567\r\n0\r\n\r\n" },
		  6,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "promise over the ceiling",
		  { .text = HTTP11("200 OK", "Content-Length: 101\r\n", ""), .end = PEER_STALL },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  false },
		{ "endless chunks",
		  { .text = CHUNKED, .end = PEER_REPEAT, .repeat = "4\r\nabcd\r\n" },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  false },
		{ "endless body",
		  { .text = HTTP11("200 OK", "", ""), .end = PEER_REPEAT, .repeat = "abcdefgh" },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  false },
		{ "endless headers",
		  { .text = "HTTP/1.1 200 OK\r\n",
		    .end = PEER_REPEAT,
		    .repeat = "x-y: zzzzzzzzzzzzzzz\r\n" },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "two lengths",
		  { .text = HTTP11("200 OK", "Content-Length: 5\r\nContent-Length: 2\r\n",
				   "12345") },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "length and chunks",
		  { .text = HTTP11("200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
				   "1\r\na\r\n0\r\n\r\n") },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "no HTTP",
		  { .text = "SSH-2.0-OpenSSH_9.2\r\n", .end = PEER_CLOSE },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "huge length",
		  { .text = HTTP11("200 OK", "Content-Length: 99999999999999999999\r\n", "") },
		  0,
		  100,
		  -EIO,
		  "net.protocol",
		  true },
		{ "redirect",
		  { .text = HTTP11("302 F",
				   "Location: http://127.0.0.1:1/\r\nContent-Length: 0\r\n", "") },
		  0,
		  100,
		  -EIO,
		  "net.redirect",
		  false },
		{ "redirect 307",
		  { .text = HTTP11("307 T", "Location: /other\r\nContent-Length: 0\r\n", "") },
		  0,
		  100,
		  -EIO,
		  "net.redirect",
		  false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(
			&(struct peer_config){ .script = &rows[i].reply, .n_script = 1 });
		struct http_client *c = plain_client();
		struct call_result out;

		call(c, NULL, p, "/x?sig=hidden",
		     (struct http_request){ .exact_body = rows[i].exact, .max_body = rows[i].most },
		     NS_PER_S, &out);
		if (out.rc != rows[i].rc || out.e.event == NULL ||
		    strcmp(out.e.event, rows[i].event) != 0)
			fail_msg("%s: %d, %s: %s", rows[i].name, out.rc, out.e.event, out.e.text);
		if (rows[i].retried != (peer_requests(p) > 1))
			fail_msg("%s: %u requests", rows[i].name, peer_requests(p));
		assert_null(strstr(out.e.text, "hidden"));
		assert_int_equal(out.r.status, 0);
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
whole_answers_of_every_kind_are_taken(void **state)
{
	static const struct {
		struct peer_reply reply;
		uint64_t exact;
		int status;
		const char *body;
	} rows[] = {
		{ { .text = HTTP11("200 OK", "Content-Length: 5\r\n", "12345") }, 5, 200, "12345" },
		{ { .text = CHUNKED "2\r\n12\r\n3\r\n345\r\n0\r\nTrailer: x\r\n\r\n" },
		  0,
		  200,
		  "12345" },
		{ { .text = CHUNKED "5\r\n12345\r\n0\r\n\r\n" }, 5, 200, "12345" },
		{ { .text = HTTP11("200 OK", "", "12345"), .end = PEER_CLOSE }, 5, 200, "12345" },
		{ { .text = HTTP11("204 No Content", "", "") }, 0, 204, "" },
		{ { .text = HTTP11("200 OK", "Content-Length: 0\r\n", "") }, 0, 200, "" },
		{ { .text = "HTTP/1.1 100 Continue\r\nX: 1\r\n\r\n" OK_HI }, 0, 200, "hi" },
		{ { .text = HTTP11("304 Not Modified", "ETag: \"1\"\r\n", "") }, 0, 304, "" },
		{ { .text = HTTP11("412 P", "Content-Length: 3\r\n", "why") }, 5, 412, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(
			&(struct peer_config){ .script = &rows[i].reply, .n_script = 1 });
		struct http_client *c = plain_client();
		struct call_result out;

		call(c, NULL, p, "/x", (struct http_request){ .exact_body = rows[i].exact },
		     NS_PER_S, &out);
		if (out.rc != 0)
			fail_msg("row %zu: %s", i, out.e.text);
		assert_int_equal(out.r.status, rows[i].status);
		assert_string_equal(buf_str(&out.body), rows[i].body);
		assert_int_equal(peer_requests(p), 1);
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
bytes_after_an_answer_are_not_the_next_one(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil" },
		{ .text = OK_HI },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	for (int i = 0; i < 3; i++) {
		call(c, NULL, p, "/x", (struct http_request){ 0 }, NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_string_equal(buf_str(&out.body), "hi");
		call_clear(&out);
	}
	http_client_free(c);
	peer_stop(p);
}

static void
a_range_is_reported_only_when_well_formed(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = HTTP11("206 P", "Content-Range: bytes 2-3/10\r\nContent-Length: 2\r\n",
				 "ab") },
		{ .text = HTTP11("206 P", "Content-Range: bytes 3-2/10\r\nContent-Length: 2\r\n",
				 "ab") },
		{ .text = HTTP11("206 P", "Content-Length: 2\r\n", "ab") },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	for (int i = 0; i < 3; i++) {
		call(c, NULL, p, "/x", (struct http_request){ .exact_body = 2 }, NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_int_equal(out.r.has_range, i == 0);
		if (i == 0)
			assert_true(out.r.range_first == 2 && out.r.range_last == 3 &&
				    out.r.range_total == 10);
		call_clear(&out);
	}
	http_client_free(c);
	peer_stop(p);
}

static void
a_long_error_is_cut(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 400 Bad\r\nx-ms-request-id: r1\r\nTransfer-Encoding: "
			  "chunked\r\n\r\n",
		  .end = PEER_REPEAT,
		  .repeat = "a\r\n0123456789\r\n" },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	call(c, NULL, p, "/x", (struct http_request){ 0 }, NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	assert_int_equal(out.r.status, 400);
	assert_int_equal(out.r.error_body.n, HTTP_ERROR_BODY_MAX);
	assert_string_equal(out.r.request_id, "r1");
	call_clear(&out);
	http_client_free(c);
	peer_stop(p);
}

static int64_t
ms_since(int64_t start)
{
	return (clock_now_ns() - start) / NS_PER_MS;
}

static void
a_deadline_holds_wherever_the_peer_stalls(void **state)
{
	static const struct peer_reply rows[] = {
		{ .text = "", .end = PEER_STALL },
		{ .text = "HTTP/1.1 200 OK\r\nContent-", .end = PEER_STALL },
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", .end = PEER_STALL },
		{ .text = "HTTP/1.1 503 Busy\r\nContent-Length: 10\r\n\r\n", .end = PEER_STALL },
	};
	const struct http_config patient = { .stall_timeout_ns = 60 * NS_PER_S };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(
			&(struct peer_config){ .script = &rows[i], .n_script = 1 });
		struct http_client *c = client_of(&patient);
		int64_t start = clock_now_ns();
		struct call_result out;

		call(c, NULL, p, "/x", (struct http_request){ 0 }, 300 * NS_PER_MS, &out);
		assert_int_equal(out.rc, -ETIMEDOUT);
		assert_string_equal(out.e.event, "net.deadline");
		assert_in_range(ms_since(start), 295, 600);
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
a_stalled_or_dripping_attempt_is_repeated(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", .end = PEER_STALL },
		{ .text = OK_HI },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	int64_t start = clock_now_ns();
	struct call_result out;

	(void)state;
	call(c, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	assert_string_equal(buf_str(&out.body), "hi");
	assert_int_equal(out.r.attempts, 2);
	assert_in_range(ms_since(start), 295, 2000);
	call_clear(&out);
	http_client_free(c);
	peer_stop(p);
}

struct stopper {
	struct http_client *c;
	int64_t stopped_at;
};

static void *
stop_soon(void *arg)
{
	struct stopper *s = arg;

	(void)usleep(200000);
	s->stopped_at = clock_now_ns();
	http_client_stop(s->c);
	return NULL;
}

/* Stalled on the wire, and asleep before an attempt. */
static void
stop_ends_running_and_future_calls(void **state)
{
	static const struct peer_reply rows[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", .end = PEER_STALL },
		{ .text = "HTTP/1.1 503 Busy\r\nRetry-After: 100\r\nContent-Length: 0\r\n\r\n" },
	};
	const struct http_config patient = { .stall_timeout_ns = 60 * NS_PER_S };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(
			&(struct peer_config){ .script = &rows[i], .n_script = 1 });
		struct stopper s = { .c = client_of(&patient) };
		struct call_result out;
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, stop_soon, &s), 0);
		call(s.c, NULL, p, "/x", (struct http_request){ 0 }, 200 * NS_PER_S, &out);
		assert_int_equal(pthread_join(thread, NULL), 0);
		assert_int_equal(out.rc, -ECANCELED);
		assert_in_range(ms_since(s.stopped_at), 0, 250);
		call_clear(&out);
		call(s.c, NULL, p, "/x", (struct http_request){ 0 }, 200 * NS_PER_S, &out);
		assert_int_equal(out.rc, -ECANCELED);
		call_clear(&out);
		http_client_free(s.c);
		peer_stop(p);
	}
}

static void
plain_http_needs_loopback_or_permission(void **state)
{
	static const char *const allowed[] = { "emulator.lan", NULL };
	const struct http_config open = { .allow_http = allowed };
	static const struct {
		const char *url;
		int strict, allowing;
	} rows[] = {
		{ "https://anything.example/", 0, 0 },
		{ "http://127.0.0.1:10000/", 0, 0 },
		{ "http://[::1]/", 0, 0 },
		{ "http://localhost/", 0, 0 },
		{ "http://EMULATOR.lan:1/", -EACCES, 0 },
		{ "http://emulator.lan.evil/", -EACCES, -EACCES },
		{ "http://169.254.169.254/", -EACCES, -EACCES },
		{ "ftp://127.0.0.1/", -EINVAL, -EINVAL },
	};
	struct http_client *strict = plain_client(), *allowing = client_of(&open);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 }, f = { 0 };

		assert_int_equal(http_client_may(strict, rows[i].url, &e), rows[i].strict);
		assert_int_equal(http_client_may(allowing, rows[i].url, &f), rows[i].allowing);
		if (e.no == EACCES)
			assert_non_null(strstr(e.advice, "allow_http"));
	}
	http_client_free(strict);
	http_client_free(allowing);
}

static int
begin_no(void *arg, const struct http_response *r, struct err *e)
{
	(void)arg, (void)r;
	return err_set(e, ESTALE, "another ETag");
}

static int
data_no(void *arg, struct span piece, struct err *e)
{
	(void)arg, (void)piece;
	return err_set(e, EBADMSG, "a bad tag");
}

static void
what_the_sink_says_ends_the_call(void **state)
{
	static const struct peer_reply script[] = { { .text = OK_HI } };
	static const struct http_sink sinks[] = { { .begin = begin_no }, { .data = data_no } };
	static const int errnos[] = { -ESTALE, -EBADMSG };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		const struct http_request req = { .method = "GET",
						  .url = peer_url(p),
						  .max_body = 10 };
		AUTO_HTTP_RESPONSE r;
		struct err e = { 0 };

		http_response_init(&r);
		assert_int_equal(http_call(c, NULL, &req, sinks[i], deadline_in(NS_PER_S), &r, &e),
				 errnos[i]);
		assert_int_equal(peer_requests(p), i + 1);
	}
	http_client_free(c);
	peer_stop(p);
}

static void
a_connection_that_died_while_idle_costs_no_pause(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = OK_HI }, { .text = "", .end = PEER_RESET }, /* on the kept connection,
									 after the request */
		{ .text = OK_HI }, { .text = OK_HI, .end = PEER_CLOSE }, { .text = OK_HI },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	for (int i = 0; i < 4; i++) {
		int64_t slept = fake_now();

		call(c, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_string_equal(buf_str(&out.body), "hi");
		assert_int_equal(fake_now() - slept, 0);
		call_clear(&out);
	}
	http_client_free(c);
	peer_stop(p);
}

static void
what_may_not_be_repeated_is_sent_once(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = OK_HI },
		{ .text = "", .end = PEER_RESET },
		{ .text = OK_HI },
	};
	const struct http_request create = { .method = "PUT", .body = { (const uint8_t *)"x", 1 } };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	call(c, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	call_clear(&out);
	call(c, NULL, p, "/x", create, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, -EIO);
	assert_string_equal(out.e.event, "net.connection");
	assert_int_equal(peer_requests(p), 2);
	call_clear(&out);
	http_client_free(c);
	peer_stop(p);
}

static void
old_connections_are_not_reused(void **state)
{
	static const struct peer_reply script[] = { { .text = OK_HI } };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	for (int i = 0; i < 3; i++) {
		call(c, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		call_clear(&out);
		fake_sleep(i == 0 ? 50 * NS_PER_S : 60 * NS_PER_S);
	}
	assert_int_equal(peer_connections(p), 2);
	http_client_free(c);
	peer_stop(p);
}

static void *
call_often(void *arg)
{
	struct stopper *s = arg;

	for (int i = 0; i < 25; i++) {
		const struct http_request req = { .method = "GET",
						  .url = getenv("TEST_PEER"),
						  .max_body = 10 };
		struct http_sink nowhere = { 0 };
		AUTO_HTTP_RESPONSE r;
		struct err e = { 0 };

		http_response_init(&r);
		if (http_call(s->c, NULL, &req, nowhere, deadline_in(10 * NS_PER_S), &r, &e) != 0)
			abort();
	}
	return NULL;
}

static void
many_threads_keep_one_connection_each(void **state)
{
	static const struct peer_reply script[] = { { .text = OK_HI } };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct stopper s = { .c = plain_client() };
	pthread_t threads[8];

	(void)state;
	assert_int_equal(setenv("TEST_PEER", peer_url(p), 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, call_often, &s), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(peer_requests(p), 200);
	assert_in_range(peer_connections(p), 1, 8);
	http_client_free(s.c);
	peer_stop(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_share_one_connection),
		cmocka_unit_test(requests_go_out_as_they_were_given),
		cmocka_unit_test(head_tells_a_length_without_a_body),
		cmocka_unit_test_setup_teardown(broken_answers_are_never_taken_for_whole,
						use_fake_clock, use_real_clock),
		cmocka_unit_test(whole_answers_of_every_kind_are_taken),
		cmocka_unit_test(bytes_after_an_answer_are_not_the_next_one),
		cmocka_unit_test(a_range_is_reported_only_when_well_formed),
		cmocka_unit_test(a_long_error_is_cut),
		cmocka_unit_test(a_deadline_holds_wherever_the_peer_stalls),
		cmocka_unit_test(a_stalled_or_dripping_attempt_is_repeated),
		cmocka_unit_test(stop_ends_running_and_future_calls),
		cmocka_unit_test(plain_http_needs_loopback_or_permission),
		cmocka_unit_test(what_the_sink_says_ends_the_call),
		cmocka_unit_test_setup_teardown(a_connection_that_died_while_idle_costs_no_pause,
						use_fake_clock, use_real_clock),
		cmocka_unit_test_setup_teardown(what_may_not_be_repeated_is_sent_once,
						use_fake_clock, use_real_clock),
		cmocka_unit_test_setup_teardown(old_connections_are_not_reused, use_fake_clock,
						use_real_clock),
		cmocka_unit_test(many_threads_keep_one_connection_each),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
