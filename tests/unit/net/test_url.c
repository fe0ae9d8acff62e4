/* SPDX-License-Identifier: MIT */
/* URLs: what is accepted, what is refused, and what percent-encoding makes of names. */
#include <errno.h>

#include "tests/unit/net/calls.h"

#include "backend/net/url.h"

static void
good_urls_come_apart(void **state)
{
	static const struct {
		const char *text, *host, *path, *query, *origin;
		unsigned port;
		bool https, loopback;
	} rows[] = {
		{ "https://a.blob.core.windows.net/c/b?x=1&y", "a.blob.core.windows.net", "/c/b",
		  "x=1&y", "https://a.blob.core.windows.net", 443, true, false },
		{ "HTTPS://Host", "host", "", NULL, "https://host", 443, true, false },
		{ "https://host:443/", "host", "/", NULL, "https://host", 443, true, false },
		{ "https://host:8443?q", "host", "", "q", "https://host:8443", 8443, true, false },
		{ "http://127.0.0.1:10000/dev/c/a/../b", "127.0.0.1", "/dev/c/a/../b", NULL,
		  "http://127.0.0.1:10000", 10000, false, true },
		{ "http://127.255.0.9", "127.255.0.9", "", NULL, "http://127.255.0.9", 80, false,
		  true },
		{ "http://[::1]:5/p", "[::1]", "/p", NULL, "http://[::1]:5", 5, false, true },
		{ "http://[0:0:0:0:0:0:0:1]/p", "[0:0:0:0:0:0:0:1]", "/p", NULL,
		  "http://[0:0:0:0:0:0:0:1]", 80, false, true },
		{ "http://localhost/", "localhost", "/", NULL, "http://localhost", 80, false,
		  true },
		{ "http://localhost.evil.example/", "localhost.evil.example", "/", NULL,
		  "http://localhost.evil.example", 80, false, false },
		{ "http://127.0.0.1.nip.io/", "127.0.0.1.nip.io", "/", NULL,
		  "http://127.0.0.1.nip.io", 80, false, false },
		{ "https://h/p?a?b", "h", "/p", "a?b", "https://h", 443, true, false },
		{ "https://h/?", "h", "/", "", "https://h", 443, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_URL u = { 0 };
		AUTO_BUF origin;
		struct err e = { 0 };

		buf_init(&origin, 300);
		assert_int_equal(url_parse(rows[i].text, &u, &e), 0);
		assert_string_equal(u.host, rows[i].host);
		assert_string_equal(u.path, rows[i].path);
		assert_int_equal(u.port, rows[i].port);
		assert_int_equal(u.https, rows[i].https);
		assert_int_equal(url_is_loopback(&u), rows[i].loopback);
		if (rows[i].query == NULL)
			assert_null(u.query);
		else
			assert_string_equal(u.query, rows[i].query);
		assert_int_equal(url_origin(&u, &origin, &e), 0);
		assert_string_equal(buf_str(&origin), rows[i].origin);
	}
}

static void
odd_urls_are_refused(void **state)
{
	static const char *const rows[] = {
		"",
		"host/path",
		"ftp://host/",
		"file:///etc/passwd",
		"https://",
		"https:///path",
		"https://:443/",
		"https://user@host/",
		"https://user:pw@host/",
		"https://host/#frag",
		"https://host:0/",
		"https://host:65536/",
		"https://host:/",
		"https://host:12a/",
		"https://host:-1/",
		"https://ho st/",
		"https://host/a b",
		"https://host/\r\nX: y",
		"https://host/\x01",
		"https://host/\x7f",
		"https://host/\xc3\xa9",
		"https://h\\x/",
		"https://.host/",
		"https://host./",
		"https://a..b/",
		"https://127.1/",
		"https://0x7f.1/",
		"https://2130706433/",
		"https://0x7f000001/",
		"https://1.2.3.4.5/",
		"https://256.1.1.1/",
		"https://[::1/",
		"https://[::1]x/",
		"https://[fe80::1%25eth0]/",
		"https://[]/",
		"https://h%41st/",
		"https://a/b\\c",
		"https://host:443443/",
	};
	char *longest = calloc(1, 9000);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct url u = { .port = 7 };
		struct err e = { 0 };

		if (url_parse(rows[i], &u, &e) != -EINVAL)
			fail_msg("accepted: %s", rows[i]);
		assert_int_equal(u.port, 7);
	}
	memset(longest, 'a', 8999);
	memcpy(longest, "https://h/", 10);
	for (int n = 8192; n <= 8193; n++) {
		AUTO_URL u = { 0 };
		struct err e = { 0 };

		longest[n] = '\0';
		assert_int_equal(url_parse(longest, &u, &e), n == 8192 ? 0 : -EINVAL);
		longest[n] = 'a';
	}
	free(longest);
}

static void
identity_endpoints_are_link_local(void **state)
{
	static const struct {
		const char *text;
		bool yes;
	} rows[] = {
		{ "http://169.254.169.254/metadata", true },
		{ "http://169.254.0.1", true },
		{ "http://169.255.0.1", false },
		{ "http://168.254.1.1", false },
		{ "http://127.0.0.1", false },
		{ "http://169.254.169.254.evil.example", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_URL u = { 0 };
		struct err e = { 0 };

		assert_int_equal(url_parse(rows[i].text, &u, &e), 0);
		assert_int_equal(url_is_link_local(&u), rows[i].yes);
	}
}

static void
names_are_encoded_and_come_back(void **state)
{
	static const struct {
		const char *name, *encoded;
		bool keep_slash;
	} rows[] = {
		{ "a/b c", "a/b%20c", true },
		{ "a/b c", "a%2Fb%20c", false },
		{ "~._-", "~._-", true },
		{ "%25+?#&=", "%2525%2B%3F%23%26%3D", true },
		{ "\xc3\xa9\x7f\n", "%C3%A9%7F%0A", true },
		{ "../..", "../..", true },
		{ "", "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF out, back;
		struct err e = { 0 };

		buf_init(&out, 200);
		buf_init(&back, 200);
		assert_int_equal(url_encode(&out, rows[i].name, strlen(rows[i].name),
					    rows[i].keep_slash, &e),
				 0);
		assert_string_equal(buf_str(&out), rows[i].encoded);
		assert_int_equal(url_decode(&back, buf_str(&out), out.n, &e), 0);
		assert_string_equal(buf_str(&back), rows[i].name);
	}
}

static void
malformed_escapes_are_refused(void **state)
{
	static const char *const rows[] = { "%", "%4", "%4x", "%x4", "ok%00", "a%2", "%%41" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_BUF out;
		struct err e = { 0 };

		buf_init(&out, 200);
		assert_int_equal(url_decode(&out, rows[i], strlen(rows[i]), &e), -EINVAL);
		assert_int_equal(out.n, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_urls_come_apart),
		cmocka_unit_test(odd_urls_are_refused),
		cmocka_unit_test(identity_endpoints_are_link_local),
		cmocka_unit_test(names_are_encoded_and_come_back),
		cmocka_unit_test(malformed_escapes_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
