/* SPDX-License-Identifier: MIT */
/* Refusals of the blob service: errno, sentence, advice. */
#include "tests/unit/store/http_double.h"

#include "backend/store/azerror.h"

static const struct {
	int status;
	const char *code;
	int no;
	const char *says, *event, *advises;
} cases[] = {
	{ 404, "BlobNotFound", ENOENT, "the blob", "remote.gone", NULL },
	{ 404, "ContainerNotFound", ENOENT, "container", "remote.gone", NULL },
	{ 409, "ContainerBeingDeleted", ENOENT, "container", "remote.gone", NULL },
	{ 404, "", ENOENT, "does not exist", "remote.gone", NULL },
	{ 400, "OutOfRangeInput", ENOENT, "name", "remote.gone", NULL },
	{ 401, "NoAuthenticationInformation", EACCES, "credentials", "auth.storage",
	  "account key" },
	{ 401, "", EACCES, "HTTP 401", "auth.storage", NULL },
	{ 403, "AuthenticationFailed", EACCES, "does not accept", "auth.storage", "clock" },
	{ 403, "AuthorizationFailure", EACCES, "not allowed", "auth.storage", "network" },
	{ 403, "AuthorizationPermissionMismatch", EACCES, "may not", "auth.storage",
	  "Storage Blob Data Reader" },
	{ 403, "AuthorizationResourceTypeMismatch", EACCES, "resource", "auth.storage",
	  "container" },
	{ 403, "KeyBasedAuthenticationNotPermitted", EACCES, "no account keys", "auth.storage",
	  "Entra ID" },
	{ 403, "SomethingNew", EACCES, "SomethingNew", "auth.storage", NULL },
	{ 409, "PublicAccessNotPermitted", EACCES, "anonymous", "auth.storage", "SAS" },
	{ 412, "ConditionNotMet", ESTALE, "changed", "remote.changed", NULL },
	{ 412, "", ESTALE, "changed", "remote.changed", NULL },
	{ 412, "LeaseIdMissing", EBUSY, "leased", "remote.leased", NULL },
	{ 409, "LeaseAlreadyPresent", EBUSY, "leased", "remote.leased", NULL },
	{ 409, "BlobArchived", ENODATA, "archived", "remote.archived", "online tier" },
	{ 409, "BlobBeingRehydrated", ENODATA, "rehydrated", "remote.archived", "wait" },
	{ 409, "BlobImmutableDueToPolicy", EPERM, "immutable", "remote.immutable", NULL },
	{ 409, "BlobUsesCustomerSpecifiedEncryption", EOPNOTSUPP, "customer-provided key",
	  "remote.unsupported", "not supported" },
	{ 416, "InvalidRange", EIO, "reach", "net.protocol", NULL },
	{ 409, "BlobAlreadyExists", EEXIST, "exists", NULL, NULL },
	{ 413, "RequestBodyTooLarge", EFBIG, "more than", NULL, NULL },
	{ 429, "", ETIMEDOUT, "throttles", "net.deadline", NULL },
	{ 503, "ServerBusy", ETIMEDOUT, "busy", "net.deadline", NULL },
	{ 500, "InternalError", EIO, "HTTP 500 InternalError", NULL, NULL },
	{ 409, "SomethingNew", EIO, "SomethingNew", NULL, NULL },
	{ 304, "", EIO, "HTTP 304", NULL, NULL },
};

static int
set(int status, const char *headers, const char *body, struct err *e)
{
	const struct answer a = { .status = status, .headers = headers };
	AUTO_HTTP_RESPONSE r;

	http_response_init(&r);
	take_headers(&a, &r);
	assert_int_equal(buf_add_str(&r.error_body, body, e), 0);
	return azerror_set(&r, e);
}

static void
assert_case(size_t i, const char *headers, const char *body)
{
	struct err e = { 0 };

	assert_int_equal(set(cases[i].status, headers, body, &e), -cases[i].no);
	if (strstr(e.text, cases[i].says) == NULL)
		fail_msg("%s: %s", cases[i].code, e.text);
	if (cases[i].event != NULL)
		assert_string_equal(e.event, cases[i].event);
	else
		assert_null(e.event);
	if (cases[i].advises != NULL &&
	    (e.advice == NULL || strstr(e.advice, cases[i].advises) == NULL))
		fail_msg("%s: advice %s", cases[i].code, e.advice);
	assert_string_equal(e.request_id, "id-1");
}

static void
test_code_in_the_header(void **state)
{
	char headers[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(headers, sizeof(headers), "x-ms-request-id: id-1\n%s%s\n",
			       cases[i].code[0] != '\0' ? "x-ms-error-code: " : "", cases[i].code);
		assert_case(i, headers, "");
	}
}

static void
test_code_in_the_body(void **state)
{
	char body[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		(void)snprintf(body, sizeof(body),
			       "\357\273\277<?xml "
			       "version=\"1.0\"?><Error><Code>%s</Code><Message>m\nTime:x</"
			       "Message></Error>",
			       cases[i].code);
		assert_case(i, "x-ms-request-id: id-1\n", body);
	}
}

static void
test_odd_bodies_are_no_code(void **state)
{
	static const char *const bodies[] = {
		"<html><body>Proxy</body></html>", "<Error><Code>a b\nc</Code></Error>",
		"{\"error\":1}", "<Error><Code>",
		"<!DOCTYPE x [<!ENTITY a \"BlobArchived\">]><Error><Code>&a;</Code></Error>"
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
		struct err e = { 0 };

		assert_int_equal(set(404, "", bodies[i], &e), -ENOENT);
		assert_non_null(strstr(e.text, "(HTTP 404)"));
	}
}

static int64_t
now(void)
{
	return 0;
}

static int64_t
wall(void)
{
	return 1795132800; /* Fri, 20 Nov 2026 00:00:00 GMT */
}

static void
no_sleep(int64_t ns)
{
	(void)ns;
}

static void
test_clock_skew_is_told(void **state)
{
	static const struct clock_ops clock = { now, wall, no_sleep };
	static const struct {
		const char *date, *says;
	} dates[] = {
		{ "Date: Fri, 20 Nov 2026 00:05:01 GMT\n", "5 minutes behind" },
		{ "Date: Thu, 19 Nov 2026 22:00:00 GMT\n", "120 minutes ahead of" },
		{ "Date: Fri, 20 Nov 2026 00:05:00 GMT\n", NULL },
		{ "Date: yesterday\n", NULL },
		{ "", NULL },
	};

	(void)state;
	clock_replace(&clock);
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		struct err e = { 0 };
		char headers[128];

		(void)snprintf(headers, sizeof(headers),
			       "x-ms-error-code: AuthenticationFailed\n%s", dates[i].date);
		assert_int_equal(set(403, headers, "", &e), -EACCES);
		if (dates[i].says != NULL)
			assert_non_null(strstr(e.text, dates[i].says));
		else
			assert_null(strstr(e.text, "clock"));
	}
	clock_replace(NULL);
}

static void
test_details_are_used_and_not_repeated(void **state)
{
	static const char body[] =
		"<Error><Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not "
		"valid in the specified "
		"time frame: Start [x] - Expiry [y] SECRET</AuthenticationErrorDetail></Error>";
	struct err e = { 0 };

	(void)state;
	assert_int_equal(set(403, "", body, &e), -EACCES);
	assert_non_null(strstr(e.text, "expired"));
	assert_null(strstr(e.text, "SECRET"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_code_in_the_header),
		cmocka_unit_test(test_code_in_the_body),
		cmocka_unit_test(test_odd_bodies_are_no_code),
		cmocka_unit_test(test_clock_skew_is_told),
		cmocka_unit_test(test_details_are_used_and_not_repeated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
