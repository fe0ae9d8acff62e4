/* SPDX-License-Identifier: MIT */
/* What refusals of Cosmos DB mean, and what of them is repeated. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmoserror.h"

static int
refusal(int status, const char *headers, const char *body, bool partitioned, struct err *e)
{
	AUTO_HTTP_RESPONSE r;
	struct err ignored = { 0 };

	http_response_init(&r);
	r.status = status;
	assert_int_equal(buf_add_str(&r.headers, headers, &ignored), 0);
	assert_int_equal(buf_add_str(&r.error_body, body, &ignored), 0);
	(void)snprintf(r.request_id, sizeof(r.request_id), "activity-1");
	return cosmoserror_set(&r, partitioned, e);
}

static void
test_statuses_become_errnos(void **state)
{
	static const struct {
		int status;
		const char *substatus;
		bool partitioned;
		int no;
		const char *event, *text;
	} rows[] = {
		{ 400, "", true, EIO, NULL, "(HTTP 400)" },
		{ 400, "1001", false, EIO, NULL, "(HTTP 400/1001)" },
		{ 400, "1001", true, ESTALE, "remote.recreated", "(HTTP 400/1001)" },
		{ 400, "1024", false, ESTALE, "remote.recreated", "(HTTP 400/1024)" },
		{ 400, "1004", true, EIO, NULL, "(HTTP 400/1004)" },
		{ 401, "", true, EACCES, "auth.cosmos", "(HTTP 401)" },
		{ 403, "", true, EACCES, "auth.cosmos", "(HTTP 403)" },
		{ 403, "5300", true, EACCES, "auth.cosmos", "(HTTP 403/5300)" },
		{ 403, "1008", true, EIO, NULL, "(HTTP 403/1008)" },
		{ 404, "", true, ENOENT, "remote.gone", "(HTTP 404)" },
		{ 404, "1003", true, ENOENT, "remote.gone", "(HTTP 404/1003)" },
		{ 404, "1002", true, EIO, NULL, "(HTTP 404/1002)" },
		{ 408, "", true, ETIMEDOUT, "net.deadline", "(HTTP 408)" },
		{ 410, "1002", true, EIO, NULL, "(HTTP 410/1002)" },
		{ 412, "", true, ESTALE, "remote.changed", "(HTTP 412)" },
		{ 413, "3402", true, EFBIG, NULL, "(HTTP 413/3402)" },
		{ 429, "3200", true, ETIMEDOUT, "net.deadline", "(HTTP 429/3200)" },
		{ 449, "", true, ETIMEDOUT, "net.deadline", "(HTTP 449)" },
		{ 503, "", true, ETIMEDOUT, "net.deadline", "(HTTP 503)" },
		{ 500, "", true, EIO, NULL, "(HTTP 500)" },
		{ 302, "", true, EIO, NULL, "(HTTP 302)" },
		/* Substatuses that are none. */
		{ 404, "1002x", true, ENOENT, "remote.gone", "(HTTP 404)" },
		{ 404, "-1002", true, ENOENT, "remote.gone", "(HTTP 404)" },
		{ 404, "100000", true, ENOENT, "remote.gone", "(HTTP 404)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		char headers[64] = "";

		if (rows[i].substatus[0] != '\0')
			(void)snprintf(headers, sizeof(headers), "x-ms-substatus: %s\r\n",
				       rows[i].substatus);
		assert_int_equal(refusal(rows[i].status, headers, "", rows[i].partitioned, &e),
				 -rows[i].no);
		if (rows[i].event == NULL)
			assert_null(e.event);
		else
			assert_string_equal(e.event, rows[i].event);
		assert_non_null(strstr(e.text, rows[i].text));
		assert_string_equal(e.request_id, "activity-1");
		assert_true((rows[i].no == EACCES) == (e.advice != NULL) || rows[i].status == 429);
	}
}

static void
test_of_the_body_only_the_code_is_repeated(void **state)
{
	static const struct {
		const char *body, *wanted;
	} rows[] = {
		{ "{\"code\":\"NotFound\",\"message\":\"SECRET\"}", "(HTTP 404 NotFound)" },
		{ "{\"message\":{\"code\":\"Inner\"},\"code\":\"Outer\"}", "(HTTP 404 Outer)" },
		{ "{\"code\":\"Not\\u0046ound\"}", "(HTTP 404)" },
		{ "{\"code\":\"SECRET SECRET\"}", "(HTTP 404)" },
		{ "{\"code\":404}", "(HTTP 404)" },
		{ "{\"message\":\"SECRET", "(HTTP 404)" },
		{ "[\"code\",\"SECRET\"]", "(HTTP 404)" },
		{ "<html>SECRET</html>", "(HTTP 404)" },
		{ "{\"code\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
		  "(HTTP 404)" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		assert_int_equal(refusal(404, "", rows[i].body, true, &e), -ENOENT);
		assert_non_null(strstr(e.text, rows[i].wanted));
		assert_null(strstr(e.text, "SECRET"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_statuses_become_errnos),
		cmocka_unit_test(test_of_the_body_only_the_code_is_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
