/* SPDX-License-Identifier: MIT */
/* Response headers from strangers, and the rules of retrying that are read from them. */
#include <errno.h>

#include "tests/unit/net/calls.h"

#include "backend/net/headers.h"
#include "backend/net/retry.h"

/* Feeds text line by line; -EPROTO or 0. */
static int
feed(struct http_response *r, const char *text)
{
	struct err e = { 0 };
	bool chunked;
	int rc = 0;

	http_response_init(r);
	while (rc == 0 && *text != '\0') {
		size_t n = strcspn(text, "\n") + 1;

		rc = headers_add_line(r, text, n, &e);
		text += n;
	}
	return rc < 0 ? rc : headers_finish(r, &chunked, &e);
}

static void
headers_are_found_in_any_case_and_trimmed(void **state)
{
	AUTO_HTTP_RESPONSE r;
	AUTO_BUF scratch;

	(void)state;
	buf_init(&scratch, 100);
	assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\nETag: \t \"0x1\" "
				  "\r\nX-MS-Meta-A:\r\nContent-Length: 07\r\n"
				  "x-ms-request-id: abc\r\n\r\n"),
			 0);
	assert_string_equal(http_header_get(&r, "etag", &scratch), "\"0x1\"");
	assert_string_equal(http_header_get(&r, "x-ms-meta-a", &scratch), "");
	assert_null(http_header_get(&r, "eta", &scratch));
	assert_null(http_header_get(&r, "etagx", &scratch));
	assert_int_equal(r.content_length, 7);
	assert_string_equal(r.request_id, "abc");
}

static void
a_new_status_line_starts_over(void **state)
{
	AUTO_HTTP_RESPONSE r;
	AUTO_BUF scratch;

	(void)state;
	buf_init(&scratch, 100);
	assert_int_equal(
		feed(&r, "HTTP/1.1 100 Continue\r\nA: 1\r\n\r\nHTTP/1.1 200 OK\r\nB: 2\r\n\r\n"),
		0);
	assert_null(http_header_get(&r, "a", &scratch));
	assert_string_equal(http_header_get(&r, "b", &scratch), "2");
}

static int
count_to(void *arg, const char *name, const char *value)
{
	int *left = arg;

	assert_int_equal(strlen(name), strlen(value));
	return --*left == 0 ? 42 : 0;
}

static void
iteration_stops_when_told(void **state)
{
	AUTO_HTTP_RESPONSE r;
	int left = 2;

	(void)state;
	assert_int_equal(feed(&r, "HTTP/1.1 200 OK\r\na: 1\r\nbb: 22\r\nccc: 333\r\n\r\n"), 0);
	assert_int_equal(http_header_each(&r, count_to, &left), 42);
	left = 9;
	assert_int_equal(http_header_each(&r, count_to, &left), 0);
	assert_int_equal(left, 6);
}

static void
malformed_headers_are_refused(void **state)
{
	static const char *const rows[] = {
		"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
		"HTTP/1.1 200 OK\r\n: nameless\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: 1\r\n folded\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA : 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: x\x01y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: x\x1b[31m\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 0x10\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_HTTP_RESPONSE r;

		if (feed(&r, rows[i]) != -EPROTO)
			fail_msg("accepted: %s", rows[i]);
	}
}

static void
too_many_header_bytes_are_refused(void **state)
{
	AUTO_HTTP_RESPONSE r;
	struct err e = { 0 };
	char line[1024];
	int n = 0;

	(void)state;
	http_response_init(&r);
	memset(line, 'a', sizeof(line));
	line[3] = ':';
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	while (headers_add_line(&r, line, sizeof(line), &e) == 0)
		n++;
	assert_int_equal(n, 64);
	assert_int_equal(e.no, EPROTO);
}

static void
content_ranges_are_exact_or_absent(void **state)
{
	static const struct {
		const char *value;
		bool good;
	} rows[] = {
		{ "bytes 0-15/100", true },
		{ "bytes 0-0/1", true },
		{ "bytes 5-99/100", true },
		{ "bytes 0-100/100", false },
		{ "bytes 5-4/100", false },
		{ "bytes 0-15/*", false },
		{ "bytes */100", false },
		{ "bytes 0-15", false },
		{ "bytes -15/100", false },
		{ "bytes 0-15/100 ", false },
		{ "bytes=0-15/100", false },
		{ "items 0-15/100", false },
		{ "bytes +0-15/100", false },
		{ "", false },
		{ "bytes 0-15/100,200", false },
		{ "bytes 18446744073709551616-1/2", false },
		{ "bytes 0-18446744073709551615/18446744073709551615", false },
	};
	uint64_t a, b, n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (headers_parse_range(rows[i].value, &a, &b, &n) != rows[i].good)
			fail_msg("wrong: %s", rows[i].value);
	assert_true(headers_parse_range("bytes 7-9/11", &a, &b, &n));
	assert_true(a == 7 && b == 9 && n == 11);
}

static void
a_long_request_id_is_left_out(void **state)
{
	AUTO_HTTP_RESPONSE r;
	char text[300];

	(void)state;
	(void)snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nx-ms-request-id: %0100d\r\n\r\n", 7);
	assert_int_equal(feed(&r, text), 0);
	assert_string_equal(r.request_id, "");
}

static void
retry_after_is_read_in_all_its_forms(void **state)
{
	static const struct {
		const char *header;
		int64_t ns;
	} rows[] = {
		{ "Retry-After: 1", NS_PER_S },
		{ "Retry-After: 3600", 3600 * NS_PER_S },
		{ "Retry-After: 0", 0 },
		{ "Retry-After: -5", 0 },
		{ "Retry-After: 1.5", 0 },
		{ "Retry-After: soon", 0 },
		{ "Retry-After: ", 0 },
		{ "Retry-After: 99999999999999999999999", 0 },
		{ "Retry-After: 18446744073709551615", INT64_C(10) * 366 * 86400 * NS_PER_S },
		{ "Retry-After: Fri, 20 Nov 2026 00:00:30 GMT", 30 * NS_PER_S },
		{ "Retry-After: Thu, 19 Nov 2026 23:59:59 GMT", 0 },
		{ "Retry-After: Fri, 99 Nov 2026 00:00:30 GMT", 0 },
		{ "x-ms-retry-after-ms: 20", 20 * NS_PER_MS },
		{ "x-ms-retry-after-ms: x\r\nRetry-After: 2", 2 * NS_PER_S },
		{ "x-ms-retry-after-ms: 18446744073709551615",
		  INT64_C(10) * 366 * 86400 * NS_PER_S },
		{ "Other: 1", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_HTTP_RESPONSE r;
		char text[200];

		(void)snprintf(text, sizeof(text), "HTTP/1.1 503 Busy\r\n%s\r\n\r\n",
			       rows[i].header);
		assert_int_equal(feed(&r, text), 0);
		if (retry_after_ns(&r, FAKE_WALL_S) != rows[i].ns)
			fail_msg("%s: %lld", rows[i].header,
				 (long long)retry_after_ns(&r, FAKE_WALL_S));
	}
}

static void
pauses_grow_to_their_ceiling(void **state)
{
	(void)state;
	assert_int_equal(retry_backoff_ns(1, 30 * NS_PER_S, UINT32_MAX), 200 * NS_PER_MS);
	assert_int_equal(retry_backoff_ns(2, 30 * NS_PER_S, UINT32_MAX), 400 * NS_PER_MS);
	assert_int_equal(retry_backoff_ns(8, 30 * NS_PER_S, UINT32_MAX), 25600 * NS_PER_MS);
	assert_int_equal(retry_backoff_ns(9, 30 * NS_PER_S, UINT32_MAX), 30 * NS_PER_S);
	assert_int_equal(retry_backoff_ns(4000000000U, 30 * NS_PER_S, UINT32_MAX), 30 * NS_PER_S);
	assert_int_equal(retry_backoff_ns(9, 30 * NS_PER_S, 0), 0);
	assert_true(llabs(retry_backoff_ns(9, 30 * NS_PER_S, UINT32_MAX / 2) - 15 * NS_PER_S) <
		    NS_PER_MS);
}

static void
only_passing_troubles_are_retried(void **state)
{
	static const int yes[] = { 408, 429, 500, 502, 503, 504, 599 };
	static const int no[] = { 200, 206, 301, 304, 400, 401, 403,
				  404, 409, 412, 416, 501, 505, 600 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(yes); i++)
		assert_true(retry_status(yes[i]));
	for (size_t i = 0; i < ARRAY_LEN(no); i++)
		assert_false(retry_status(no[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(headers_are_found_in_any_case_and_trimmed),
		cmocka_unit_test(a_new_status_line_starts_over),
		cmocka_unit_test(iteration_stops_when_told),
		cmocka_unit_test(malformed_headers_are_refused),
		cmocka_unit_test(too_many_header_bytes_are_refused),
		cmocka_unit_test(content_ranges_are_exact_or_absent),
		cmocka_unit_test(a_long_request_id_is_left_out),
		cmocka_unit_test(retry_after_is_read_in_all_its_forms),
		cmocka_unit_test(pauses_grow_to_their_ceiling),
		cmocka_unit_test(only_passing_troubles_are_retried),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
