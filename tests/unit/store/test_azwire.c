/* SPDX-License-Identifier: MIT */
/* A write over a real connection that breaks after the service has seen it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/azblob.h"
#include "backend/store/storewrite.h"
#include "tests/support/peer.h"

#define SEEN_AND_CUT                          \
	{                                     \
		.text = "", .end = PEER_CLOSE \
	}
#define REFUSED(status, code)                                                                   \
	{                                                                                       \
		.text = "HTTP/1.1 " status "\r\nx-ms-error-code: " code "\r\nContent-Length: 0" \
			"\r\n\r\n"                                                              \
	}
#define THERE(envelope)                                                            \
	{                                                                          \
		.text = "HTTP/1.1 200 OK\r\nETag: \"e2\"\r\nContent-Length: 3\r\n" \
			"Last-Modified: Fri, 20 Nov 2026 00:00:00 GMT\r\n"         \
			"x-ms-meta-encryptiondata: " envelope "\r\n\r\n"           \
	}

static const struct store_upload upload = { { 1 } };

static struct store *
open_store(struct peer *p, struct http_client *client)
{
	const struct azblob_config cfg = { peer_url(p), "acct", "ccc", "", false };
	struct store *s = NULL;
	struct err e = { 0 };

	if (azblob_store_open_take(&cfg, client, NULL, &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static int
write_it(struct store *s, bool commit, struct store_written *made, struct err *e)
{
	const struct store_condition c = { .if_match = "e1" };
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	const struct deadline d = deadline_in(20 * NS_PER_S);

	*e = (struct err){ 0 };
	assert_int_equal(store_meta_set(&p, "encryptiondata", "sent", e), 0);
	return commit ? store_commit_blocks(s, "x", &upload, 1, 9, &p, c, made, d, e)
		      : store_put(s, "x", &p, span_str("all of it"), c, made, d, e);
}

static void
a_write_that_was_seen(void **state)
{
	static const struct {
		struct peer_reply script[3];
		int r;
	} rows[] = {
		{ { SEEN_AND_CUT, REFUSED("412 No", "ConditionNotMet"), THERE("sent") }, 0 },
		{ { SEEN_AND_CUT, REFUSED("412 No", "ConditionNotMet"), THERE("other") }, -ESTALE },
		{ { { .text = "HTTP/1.1 201 Crea", .end = PEER_RESET },
		    REFUSED("412 No", "ConditionNotMet"),
		    THERE("sent") },
		  0 },
		{ { REFUSED("500 Late", "OperationTimedOut"), REFUSED("412 No", "ConditionNotMet"),
		    THERE("sent") },
		  0 },
	};
	const struct http_config cfg = { .allow_http = NULL };
	struct http_client *client = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(http_client_new(&cfg, &client, &e), 0);
	for (size_t i = 0; i < 2 * ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(
			&(struct peer_config){ PEER_SCRIPT(rows[i / 2].script) });
		struct store *s = open_store(p, client);
		struct store_written made = { .etag = "" };

		if (write_it(s, i % 2 == 1, &made, &e) != rows[i / 2].r)
			fail_msg("row %zu: %s", i, e.text);
		assert_int_equal(peer_requests(p), 3);
		assert_string_equal(peer_request(p, 0), peer_request(p, 1));
		assert_non_null(strstr(peer_request(p, 1), "\r\nIf-Match: \"e1\"\r\n"));
		assert_int_equal(strncmp(peer_request(p, 2), "HEAD /ccc/x HTTP/1.1\r\n", 22), 0);
		if (rows[i / 2].r == 0)
			assert_string_equal(made.etag, "e2");
		store_free(s);
		peer_stop(p);
	}
	http_client_free(client);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_write_that_was_seen) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
