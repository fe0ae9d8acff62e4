/* SPDX-License-Identifier: MIT */
/* The Cosmos driver over real connections: what a path and headers look like on the wire. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/net/http.h"
#include "backend/store/docstore.h"
#include "base/num.h"
#include "tests/support/peer.h"

#define ANSWER(status, headers, length, body) \
	"HTTP/1.1 " status "\r\n" headers "Content-Length: " length "\r\n\r\n" body

static const struct docstore_at here = { .database = "d", .container = "c" };

struct account {
	struct peer *peer;
	struct http_client *client;
	struct docstore *store;
};

static struct account
account_of(const struct peer_reply *script, size_t n)
{
	const struct peer_config peer = { .script = script, .n_script = n };
	const struct http_config http = { 0 };
	struct cosmos_config cfg = { .account = "a", .database = "d", .container = "c" };
	struct account a = { .peer = peer_start(&peer) };
	struct err e = { 0 };

	assert_int_equal(http_client_new(&http, &a.client, &e), 0);
	cfg.endpoint = peer_url(a.peer);
	assert_int_equal(cosmos_store_open_take(&cfg, a.client, NULL, &a.store, &e), 0);
	return a;
}

static void
end(struct account *a)
{
	docstore_free(a->store);
	http_client_free(a->client);
	peer_stop(a->peer);
}

static int
ignore(void *arg, struct span text, struct err *e)
{
	(void)text, (void)e;
	++*(unsigned *)arg;
	return 0;
}

static void
test_dots_are_no_way_up(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = ANSWER("200 OK", "", "11", "{\"id\":\"..\"}") },
	};
	struct account a = account_of(script, 1);
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 4 << 20);
	assert_int_equal(docstore_get(a.store, &here, "[\"p\"]", "..", NULL, &out, NULL,
				      deadline_in(5 * NS_PER_S), &e),
			 0);
	assert_non_null(
		strstr(peer_request(a.peer, 0), "GET /dbs/d/colls/c/docs/%2E%2E HTTP/1.1\r\n"));
	end(&a);
}

static void
test_throttling_is_waited_out(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = ANSWER("429 Too Many Requests",
				 "x-ms-retry-after-ms: 50\r\nx-ms-substatus: 3200\r\n", "0", "") },
		{ .text = ANSWER("200 OK", "", "10", "{\"id\":\"i\"}") },
		{ .text = ANSWER("429 Too Many Requests", "x-ms-retry-after-ms: 60000\r\n", "0",
				 "") },
	};
	struct account a = account_of(script, 3);
	int64_t began = clock_now_ns();
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 4 << 20);
	assert_int_equal(docstore_get(a.store, &here, "[\"p\"]", "i", NULL, &out, NULL,
				      deadline_in(20 * NS_PER_S), &e),
			 0);
	assert_true(clock_now_ns() - began >= 50 * NS_PER_MS);
	assert_int_equal(peer_requests(a.peer), 2);
	/* Longer than there is time. */
	assert_int_equal(docstore_get(a.store, &here, "[\"p\"]", "i", NULL, &out, NULL,
				      deadline_in(5 * NS_PER_S), &e),
			 -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	end(&a);
}

/* The least key is the empty text: its header is sent all the same. */
static void
test_a_part_of_a_range_begins_with_nothing(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = ANSWER("200 OK", "", "76",
				 "{\"PartitionKeyRanges\":[{\"id\":\"0\",\"minInclusive\":\"\","
				 "\"maxExclusive\":\"FF\"}]}   ") },
		{ .text = ANSWER("200 OK", "", "16", "{\"Documents\":[]}") },
	};
	const struct docstore_select low = { .min = "", .max = "3F" };
	struct account a = account_of(script, 2);
	struct err e = { 0 };
	unsigned texts = 0;
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	if (docstore_page(a.store, &here, &low, &cursor, (struct docstore_sink){ ignore, &texts },
			  NULL, deadline_in(5 * NS_PER_S), &e) < 0)
		fail_msg("%s", e.text);
	assert_int_equal(texts, 0);
	assert_non_null(strstr(peer_request(a.peer, 1), "\r\nx-ms-start-epk:"));
	assert_non_null(strstr(peer_request(a.peer, 1), "\r\nx-ms-end-epk: 3F\r\n"));
	end(&a);
}

/* ---- writes */

#define STORED "{\"id\":\"a/b\",\"pk\":\"p\",\"_etag\":\"\\\"new\\\"\"}"

static int
put(struct account *a, const char *etag, int64_t timeout_ns, char out[DOCSTORE_ETAG_MAX + 1],
    struct err *e)
{
	const struct docstore_put doc = { "[\"p\"]", "a/b",
					  span_str("{\"id\":\"a/b\",\"pk\":\"p\"}"), etag };

	return docstore_put(a->store, &here, &doc, out, deadline_in(timeout_ns), e);
}

static void
assert_received(struct account *a, unsigned i, const char *part)
{
	const char *request = peer_request(a->peer, i);

	assert_non_null(request);
	if (strstr(request, part) == NULL)
		fail_msg("no '%s' in\n%s", part, request);
}

static void
test_writes_on_the_wire(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = ANSWER("201 Created", "ETag: \"one\"\r\n", "0", "") },
		{ .text = ANSWER("200 Ok", "ETag: \"two\"\r\n", "0", "") },
		{ .text = "HTTP/1.1 204 No Content\r\n\r\n" },
	};
	struct account a = account_of(script, 3);
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(put(&a, NULL, 5 * NS_PER_S, etag, &e), 0);
	assert_received(&a, 0, "POST /dbs/d/colls/c/docs HTTP/1.1\r\n");
	assert_received(&a, 0, "\r\nContent-Type: application/json\r\n");
	assert_received(&a, 0, "\r\nContent-Length: 21\r\n");
	assert_received(&a, 0, "\r\n\r\n{\"id\":\"a/b\",\"pk\":\"p\"}");
	assert_int_equal(put(&a, etag, 5 * NS_PER_S, etag, &e), 0);
	assert_string_equal(etag, "\"two\"");
	assert_received(&a, 1, "PUT /dbs/d/colls/c/docs/a%2Fb HTTP/1.1\r\n");
	assert_received(&a, 1, "\r\nIf-Match: \"one\"\r\n");
	assert_int_equal(docstore_delete(a.store, &here, "[\"p\"]", "a/b", etag,
					 deadline_in(5 * NS_PER_S), &e),
			 0);
	assert_received(&a, 2, "DELETE /dbs/d/colls/c/docs/a%2Fb HTTP/1.1\r\n");
	assert_received(&a, 2, "\r\nIf-Match: \"two\"\r\n");
	assert_int_equal(peer_requests(a.peer), 3);
	end(&a);
}

static void
test_a_connection_that_is_cut_is_no_reason_to_write_twice(void **state)
{
	static const enum peer_end ends[] = { PEER_CLOSE, PEER_RESET };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(ends); i++) {
		const struct peer_reply script[] = {
			{ .text = "", .end = ends[i] },
			{ .text = ANSWER("200 OK", "", "39", STORED) },
		};
		struct account a = account_of(script, 2);
		char etag[DOCSTORE_ETAG_MAX + 1] = "";
		struct err e = { 0 };

		if (put(&a, NULL, 20 * NS_PER_S, etag, &e) < 0)
			fail_msg("%s", e.text);
		assert_string_equal(etag, "\"new\"");
		assert_int_equal(peer_requests(a.peer), 2);
		assert_received(&a, 1, "GET /dbs/d/colls/c/docs/a%2Fb HTTP/1.1\r\n");
		end(&a);
	}
}

/* There is time left to find out. */
static void
test_an_answer_that_does_not_come(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "", .end = PEER_STALL },
		{ .text = ANSWER("200 OK", "", "39", STORED) },
	};
	struct account a = account_of(script, 2);
	char etag[DOCSTORE_ETAG_MAX + 1] = "";
	struct err e = { 0 };

	(void)state;
	if (put(&a, "old", 2 * NS_PER_S, etag, &e) < 0)
		fail_msg("%s", e.text);
	assert_string_equal(etag, "\"new\"");
	assert_int_equal(peer_requests(a.peer), 2);
	end(&a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dots_are_no_way_up),
		cmocka_unit_test(test_throttling_is_waited_out),
		cmocka_unit_test(test_a_part_of_a_range_begins_with_nothing),
		cmocka_unit_test(test_writes_on_the_wire),
		cmocka_unit_test(test_a_connection_that_is_cut_is_no_reason_to_write_twice),
		cmocka_unit_test(test_an_answer_that_does_not_come),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
