/* SPDX-License-Identifier: MIT */
/* Calls of several attempts: what is repeated, after which pause, and when a call gives up. */
#include <errno.h>
#include <unistd.h>

#include "tests/unit/net/calls.h"

#include "base/log.h"

#define FAILING(status, headers) "HTTP/1.1 " status "\r\n" headers "Content-Length: 4\r\n\r\nbusy"

/* The first answer, then a good one: pause in milliseconds, or the failure. */
static void
passing_troubles_are_waited_out(void **state)
{
	static const struct {
		const char *first;
		int64_t least_ms, most_ms;
		int rc;
	} rows[] = {
		{ FAILING("503 Busy", ""), 0, 200, 0 },
		{ FAILING("500 Error", ""), 0, 200, 0 },
		{ FAILING("502 Gateway", ""), 0, 200, 0 },
		{ FAILING("504 Gateway", ""), 0, 200, 0 },
		{ FAILING("408 Timeout", ""), 0, 200, 0 },
		{ FAILING("429 Slow", ""), 0, 200, 0 },
		{ FAILING("503 Busy", "Retry-After: 1\r\n"), 1000, 1000, 0 },
		{ FAILING("429 Slow", "Retry-After: 7\r\n"), 7000, 7000, 0 },
		{ FAILING("429 Slow", "x-ms-retry-after-ms: 35\r\n"), 35, 35, 0 },
		{ FAILING("503 Busy", "Retry-After: Fri, 20 Nov 2026 00:00:30 GMT\r\n"), 30000,
		  30000, 0 },
		{ FAILING("503 Busy", "Retry-After: Fri, 20 Nov 2020 00:00:30 GMT\r\n"), 0, 200,
		  0 },
		{ FAILING("503 Busy", "Retry-After: whenever\r\n"), 0, 200, 0 },
		{ FAILING("503 Busy", "Retry-After: 3600\r\n"), 0, 0, -ETIMEDOUT },
		{ FAILING("429 Slow", "x-ms-retry-after-ms: 60001\r\n"), 0, 0, -ETIMEDOUT },
		{ FAILING("429 Slow", "x-ms-retry-after-ms: 18446744073709551615\r\n"), 0, 0,
		  -ETIMEDOUT },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct peer_reply script[] = { { .text = rows[i].first }, { .text = OK_HI } };
		struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
		struct http_client *c = plain_client();
		struct call_result out;
		int64_t start;

		(void)use_fake_clock(state);
		start = fake_now();
		call(c, NULL, p, "/x", (struct http_request){ 0 }, 60 * NS_PER_S, &out);
		if (out.rc != rows[i].rc)
			fail_msg("row %zu: %d %s", i, out.rc, out.e.text);
		assert_in_range((fake_now() - start) / NS_PER_MS, rows[i].least_ms,
				rows[i].most_ms);
		assert_int_equal(peer_requests(p), rows[i].rc == 0 ? 2 : 1);
		if (out.rc == 0) {
			assert_int_equal(out.r.attempts, 2);
			assert_int_equal(out.r.error_body.n, 0);
			assert_string_equal(buf_str(&out.body), "hi");
		} else {
			assert_string_equal(out.e.event, "net.deadline");
			assert_non_null(strstr(out.e.text, "answered "));
		}
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
lasting_troubles_are_not_repeated(void **state)
{
	static const char *const rows[] = {
		FAILING("400 Bad", ""),	  FAILING("401 Who", ""),      FAILING("403 No", ""),
		FAILING("404 None", ""),  FAILING("409 Archived", ""), FAILING("412 Changed", ""),
		FAILING("416 Range", ""), FAILING("501 Never", ""),    FAILING("505 Version", ""),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct peer_reply script[] = { { .text = rows[i] } };
		struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
		struct http_client *c = plain_client();
		struct call_result out;

		call(c, NULL, p, "/x", (struct http_request){ 0 }, 60 * NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_int_equal(peer_requests(p), 1);
		assert_string_equal(buf_str(&out.r.error_body), "busy");
		assert_int_equal(out.body.n, 0);
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
only_what_may_be_repeated_is(void **state)
{
	static const struct {
		struct http_request req;
		unsigned requests;
		int status;
	} rows[] = {
		{ { .method = "GET" }, 2, 200 },
		{ { .method = "PUT" }, 1, 503 },
		{ { .method = "PUT", .idempotent = true }, 2, 200 },
		{ { .method = "DELETE" }, 1, 503 },
		{ { .method = "GET", .once = true }, 1, 503 },
	};
	static const struct peer_reply script[] = { { .text = FAILING("503 Busy", "") },
						    { .text = OK_HI } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
		struct http_client *c = plain_client();
		struct call_result out;

		call(c, NULL, p, "/x", rows[i].req, 60 * NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_int_equal(out.r.status, rows[i].status);
		assert_int_equal(peer_requests(p), rows[i].requests);
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
a_service_that_stays_busy_ends_at_the_deadline(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = FAILING("503 Busy", "x-ms-request-id: id-1\r\n") }
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct http_client *c = plain_client();
	int64_t start = fake_now();
	struct call_result out;

	(void)state;
	call(c, NULL, p, "/x", (struct http_request){ 0 }, 60 * NS_PER_S, &out);
	assert_int_equal(out.rc, -ETIMEDOUT);
	assert_in_range(fake_now() - start, 50 * NS_PER_S, 60 * NS_PER_S);
	assert_in_range(peer_requests(p), 5, 60);
	assert_string_equal(out.e.request_id, "id-1");
	call_clear(&out);
	call(c, NULL, p, "/x", (struct http_request){ 0 }, 0,
	     &out); /* without a deadline, too, it ends some time */
	assert_int_equal(out.rc, -ETIMEDOUT);
	call_clear(&out);
	http_client_free(c);
	peer_stop(p);
}

/* A sink that is told of each start. */
struct starts {
	unsigned begun, bytes;
};

static int
note_begin(void *arg, const struct http_response *r, struct err *e)
{
	struct starts *s = arg;

	(void)e;
	assert_int_equal(r->status, 206);
	assert_true(r->has_range);
	s->begun++;
	s->bytes = 0;
	return 0;
}

static int
note_data(void *arg, struct span piece, struct err *e)
{
	struct starts *s = arg;

	(void)e;
	s->bytes += (unsigned)piece.n;
	return 0;
}

static void
a_body_cut_short_is_begun_again(void **state)
{
#define RANGE "HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n"
	static const struct peer_reply script[] = {
		{ .text = RANGE "12345", .end = PEER_CLOSE },
		{ .text = FAILING("503 Busy", "") },
		{ .text = RANGE "123456789", .end = PEER_RESET },
		{ .text = RANGE, .end = PEER_CLOSE },
		{ .text = RANGE "0123456789" },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	const struct http_request req = { .method = "GET", .url = peer_url(p), .exact_body = 10 };
	struct http_client *c = plain_client();
	struct starts s = { 0 };
	AUTO_HTTP_RESPONSE r;
	struct err e = { 0 };

	(void)state;
	http_response_init(&r);
	assert_int_equal(http_call(c, NULL, &req, (struct http_sink){ note_begin, note_data, &s },
				   deadline_in(60 * NS_PER_S), &r, &e),
			 0);
	assert_int_equal(r.attempts, 5);
	assert_int_equal(s.bytes, 10);
	assert_in_range(s.begun, 2, 3); /* a reset may overtake the bytes before it; an attempt
					   without a body byte never begins */
	http_client_free(c);
	peer_stop(p);
}

static void
a_host_that_is_away_is_asked_until_the_deadline(void **state)
{
	static const struct {
		const char *url;
		const char *event;
	} rows[] = { { "http://127.0.0.1:1/", "net.unreachable" },
		     { "https://no-such-host.invalid/", "net.unreachable" } };
	struct http_client *c = plain_client();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_request req = { .method = "PUT", .url = rows[i].url };
		struct http_sink nowhere = { 0 };
		int64_t start = fake_now();
		AUTO_HTTP_RESPONSE r;
		struct err e = { 0 };

		http_response_init(&r);
		assert_int_equal(
			http_call(c, NULL, &req, nowhere, deadline_in(20 * NS_PER_S), &r, &e),
			-EIO);
		assert_string_equal(e.event, rows[i].event);
		assert_in_range(fake_now() - start, 15 * NS_PER_S, 20 * NS_PER_S);
	}
	http_client_free(c);
}

/* An auth that counts, and agrees to be asked again as often as told. */
struct counting_auth {
	struct http_auth base;
	unsigned applied, refusals, agree;
	int apply_rc;
};

static int
counting_apply(struct http_auth *a, struct http_attempt *at, struct deadline d, struct err *e)
{
	struct counting_auth *c = (struct counting_auth *)a;
	char value[32];

	(void)d;
	if (c->apply_rc != 0)
		return err_set(e, -c->apply_rc, "no token");
	(void)snprintf(value, sizeof(value), "try-%u", ++c->applied);
	return http_attempt_header(at, "Authorization", value, e);
}

static bool
counting_refused(struct http_auth *a, const struct http_attempt *at)
{
	struct counting_auth *c = (struct counting_auth *)a;

	(void)at;
	return ++c->refusals <= c->agree;
}

static const struct http_auth_ops counting_ops = { .apply = counting_apply,
						   .refused = counting_refused };

static void
a_refused_token_is_renewed_once(void **state)
{
	static const struct peer_reply renewed[] = { { .text = FAILING("401 Who", "") },
						     { .text = OK_HI } };
	static const struct peer_reply always[] = { { .text = FAILING("401 Who", "") } };
	static const struct {
		const struct peer_reply *script;
		size_t n;
		unsigned agree, requests;
		int status;
	} rows[] = { { renewed, 2, 9, 2, 200 },
		     { always, 1, 9, 2, 401 },
		     { always, 1, 0, 1, 401 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(
			&(struct peer_config){ .script = rows[i].script, .n_script = rows[i].n });
		struct counting_auth auth = { { &counting_ops }, 0, 0, rows[i].agree, 0 };
		struct http_client *c = plain_client();
		int64_t start = fake_now();
		struct call_result out;

		call(c, &auth.base, p, "/x", (struct http_request){ .method = "PUT" },
		     60 * NS_PER_S, &out);
		assert_int_equal(out.rc, 0);
		assert_int_equal(out.r.status, rows[i].status);
		assert_int_equal(peer_requests(p), rows[i].requests);
		assert_int_equal(auth.refusals, 1);
		assert_int_equal(fake_now() - start, 0);
		assert_non_null(strstr(peer_request(p, rows[i].requests - 1),
				       rows[i].requests == 2 ? "try-2" : "try-1"));
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
an_auth_that_fails_ends_the_call(void **state)
{
	static const struct peer_reply script[] = { { .text = OK_HI } };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct counting_auth auth = { { &counting_ops }, 0, 0, 0, -EACCES };
	struct http_client *c = plain_client();
	struct call_result out;

	(void)state;
	call(c, &auth.base, p, "/x", (struct http_request){ 0 }, 60 * NS_PER_S, &out);
	assert_int_equal(out.rc, -EACCES);
	assert_int_equal(peer_requests(p), 0);
	call_clear(&out);
	http_client_free(c);
	peer_stop(p);
}

/* What is logged at the most talkative level. */
static void
nothing_secret_is_logged(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = FAILING("503 Busy", "Set-Cookie: canary\r\nx-ms-request-id: rid-7\r\n") },
		{ .text = "HTTP/1.1 403 No\r\nx-evil: canary\r\nContent-Length: 6\r\n\r\ncanary" },
	};
	char path[] = "/tmp/azcryptfs-log-XXXXXX", text[4096] = "";
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	struct counting_auth auth = { { &counting_ops }, 0, 0, 0, 0 };
	const struct http_request req = { .method = "PUT",
					  .idempotent = true,
					  .header = { { "x-ms-meta-a", "canary" } },
					  .body = { (const uint8_t *)"canary", 6 } };
	struct http_client *c = plain_client();
	struct call_result out;
	struct err e = { 0 };
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(log_open(path, LOG_LEVEL_DEBUG, &e), 0);
	call(c, &auth.base, p, "/c/b?sig=canary", req, 60 * NS_PER_S, &out);
	assert_int_equal(log_open("stderr", LOG_LEVEL_INFO, &e), 0);
	assert_int_equal(out.rc, 0);
	call_clear(&out);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	assert_non_null(strstr(text, "/c/b -> 503 in "));
	assert_non_null(strstr(text, "attempt 2"));
	assert_non_null(strstr(text, "rid-7"));
	assert_null(strstr(text, "canary"));
	assert_null(strstr(text, "try-1"));
	assert_int_equal(close(fd) | unlink(path), 0);
	http_client_free(c);
	peer_stop(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(passing_troubles_are_waited_out, use_fake_clock),
		cmocka_unit_test_setup(lasting_troubles_are_not_repeated, use_fake_clock),
		cmocka_unit_test_setup(only_what_may_be_repeated_is, use_fake_clock),
		cmocka_unit_test_setup(a_service_that_stays_busy_ends_at_the_deadline,
				       use_fake_clock),
		cmocka_unit_test_setup(a_body_cut_short_is_begun_again, use_fake_clock),
		cmocka_unit_test_setup(a_host_that_is_away_is_asked_until_the_deadline,
				       use_fake_clock),
		cmocka_unit_test_setup(a_refused_token_is_renewed_once, use_fake_clock),
		cmocka_unit_test_setup(an_auth_that_fails_ends_the_call, use_fake_clock),
		cmocka_unit_test_setup(nothing_secret_is_logged, use_fake_clock),
	};

	return cmocka_run_group_tests(tests, NULL, use_real_clock);
}
