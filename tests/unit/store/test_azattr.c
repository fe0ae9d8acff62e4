/* SPDX-License-Identifier: MIT */
/* Dates and ETags as services write them, and as nobody should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/azattr.h"

static const struct {
	const char *text;
	bool iso;
	int64_t seconds; /* -1: no date */
} dates[] = {
	{ "Thu, 01 Jan 1970 00:00:00 GMT", false, 0 },
	{ "Fri, 20 Nov 2026 00:00:00 GMT", false, 1795132800 },
	{ "Thu, 29 Feb 2024 23:59:59 GMT", false, 1709251199 },
	{ "Fri, 01 Mar 2024 00:00:00 GMT", false, 1709251200 },
	{ "Wed, 01 Mar 2000 00:00:00 GMT", false, 951868800 },
	{ "Mon, 01 Mar 2100 00:00:00 GMT", false, 4107542400 },
	{ "2026-11-20T00:00:00Z", true, 1795132800 },
	{ "2026-12-31T23:59:60Z", true, 1798761600 },
	{ "", false, -1 },
	{ "Fri, 20 Nov 2026 00:00:00 UTC", false, -1 },
	{ "Fri, 20 Nov 2026 00:00:00 GMT ", false, -1 },
	{ "Fri, 20 Nov 2026 24:00:00 GMT", false, -1 },
	{ "Fri, 00 Nov 2026 00:00:00 GMT", false, -1 },
	{ "Fri, 20 nov 2026 00:00:00 GMT", false, -1 },
	{ "Fri, 20 Nov 9999 00:00:00 GMT", false, -1 }, /* beyond nanoseconds */
	{ "Fri, 20 Nov 0000 00:00:00 GMT", false, -1 },
	{ "2026-11-20", true, -1 },
	{ "2026-13-20T00:00:00Z", true, -1 },
	{ "2026-11-20T00:00:00+00:00", true, -1 },
	{ "9999-11-20T00:00:00Z", true, -1 },
	{ "2026-11-20T0\xc3\xa4:00:00Z", true, -1 },
};

static void
test_dates(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
		int64_t s = -1;
		bool ok = dates[i].iso ? azattr_iso_date(dates[i].text, &s)
				       : azattr_http_date(dates[i].text, &s);

		if (ok != (dates[i].seconds >= 0) || s != dates[i].seconds)
			fail_msg("'%s': %lld", dates[i].text, (long long)s);
	}
}

static void
test_etags(void **state)
{
	static const struct {
		const char *text, *etag; /* NULL: none */
	} etags[] = {
		{ "\"0x8D\"", "0x8D" }, { "0x8D", "0x8D" },   { "W/\"1\"", NULL }, { "", NULL },
		{ "\"\"", NULL },	{ "\"", NULL },	      { "a b", NULL },	   { "a\nb", NULL },
		{ "a\177", NULL },	{ "\303\244", NULL }, { "\"a", NULL },	   { "a\"b", NULL },
	};
	char long_one[STORE_ETAG_MAX + 2], out[STORE_ETAG_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(etags); i++) {
		strcpy(out, "kept");
		assert_int_equal(azattr_etag(etags[i].text, out), etags[i].etag != NULL);
		assert_string_equal(out, etags[i].etag != NULL ? etags[i].etag : "kept");
	}
	memset(long_one, 'e', sizeof(long_one));
	long_one[STORE_ETAG_MAX + 1] = '\0';
	assert_false(azattr_etag(long_one, out));
	long_one[STORE_ETAG_MAX] = '\0';
	assert_true(azattr_etag(long_one, out));
	assert_string_equal(out, long_one);
}

/* Headers as a blob's, with more. */
static void
headers_of(struct azattr *a, const char *more)
{
	AUTO_HTTP_RESPONSE r;
	struct err e = { 0 };

	http_response_init(&r);
	assert_int_equal(buf_addf(&r.headers, &e,
				  "ETag: \"1\"\nLast-Modified: Fri, 20 Nov 2026 00:00:00 GMT\n%s",
				  more),
			 0);
	assert_int_equal(azattr_from_headers(a, &r, span_str("n"), 1, &e), 0);
}

static void
test_own_times_count_more(void **state)
{
	static const struct {
		const char *headers;
		int64_t ns;
	} rows[] = {
		{ "", INT64_C(1795132800000000000) },
		{ "x-ms-meta-mtime: 2001-02-03T04:05:06.5Z\n", INT64_C(981173106500000000) },
		{ "x-ms-meta-MTime: 2001-02-03T05:05:06.5+01:00\n", INT64_C(981173106500000000) },
		{ "x-ms-meta-mtime: 981173106\n", INT64_C(1795132800000000000) },
		{ "x-ms-meta-mtime: \n", INT64_C(1795132800000000000) },
		{ "x-ms-meta-xmtime: 2001-02-03T04:05:06.5Z\n", INT64_C(1795132800000000000) },
	};
	struct azattr *a = calloc(1, sizeof(*a));

	(void)state;
	assert_non_null(a);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		headers_of(a, rows[i].headers);
		if (a->entry.mtime_ns != rows[i].ns)
			fail_msg("%s%lld", rows[i].headers, (long long)a->entry.mtime_ns);
	}
	free(a);
}

static void
test_binding_tags(void **state)
{
	struct azattr *a = calloc(1, sizeof(*a));
	char more[400] = "x-ms-meta-azcryptBind: ";

	(void)state;
	assert_non_null(a);
	headers_of(a, "x-ms-meta-azcryptBind: tag\n");
	assert_int_equal(a->entry.bind.n, 3);
	assert_memory_equal(a->entry.bind.p, "tag", 3);
	headers_of(a, "x-ms-meta-azcryptbind: \n");
	assert_int_equal(a->entry.bind.n, 0);
	assert_non_null(a->entry.bind.p);
	headers_of(a, ""); /* nothing is left of the last one */
	assert_null(a->entry.bind.p);
	memset(more + strlen(more), 't', AZATTR_BIND_MAX + 1);
	headers_of(a, more);
	assert_int_equal(a->entry.bind.n, AZATTR_BIND_MAX);
	free(a);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_etags),
		cmocka_unit_test(test_own_times_count_more),
		cmocka_unit_test(test_binding_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
