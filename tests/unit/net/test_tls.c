/* SPDX-License-Identifier: MIT */
/* Who is believed to be the service, and what the process' environment may not change about it. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "tests/unit/net/calls.h"

#include "backend/net/token.h"

static const struct peer_reply hi[] = { { .text = OK_HI } };

static void
only_a_good_certificate_is_believed(void **state)
{
	static const struct {
		enum testcert_kind kind;
		const char *name;
	} rows[] = {
		{ TESTCERT_WRONG_HOST, "wrong host" }, { TESTCERT_SELF_SIGNED, "self-signed" },
		{ TESTCERT_EXPIRED, "expired" },       { TESTCERT_NOT_YET, "not yet valid" },
		{ TESTCERT_WRONG_USE, "wrong use" },   { TESTCERT_OLD_TLS, "old TLS" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct peer *p = peer_start(&(struct peer_config){
			.tls = true, .cert = rows[i].kind, PEER_SCRIPT(hi) });
		struct http_client *c = tls_client();
		struct call_result out;

		call(c, NULL, p, "/x?sig=hidden", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
		if (out.rc != -EIO || strcmp(out.e.event, "net.tls") != 0)
			fail_msg("%s: %d %s", rows[i].name, out.rc, out.e.text);
		assert_int_equal(peer_requests(p), 0);
		assert_int_equal(peer_connections(p), 1);
		assert_int_equal(http_client_requests(c), 0);
		call_clear(&out);
		http_client_free(c);
		peer_stop(p);
	}
}

static void
the_named_authority_is_the_only_one(void **state)
{
	const struct http_config system = { 0 };
	struct peer *p = peer_start(&(struct peer_config){ .tls = true, PEER_SCRIPT(hi) });
	struct http_client *c = tls_client(), *other;
	struct call_result out;

	(void)state;
	call(c, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	assert_string_equal(buf_str(&out.body), "hi");
	call_clear(&out);
	http_client_free(c);

	assert_int_equal(setenv("SSL_CERT_FILE", testcert_ca_file(), 1), 0);
	assert_int_equal(setenv("CURL_CA_BUNDLE", testcert_ca_file(), 1), 0);
	other = client_of(&system);
	call(other, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, -EIO);
	assert_string_equal(out.e.event, "net.tls");
	call_clear(&out);
	http_client_free(other);
	assert_int_equal(unsetenv("SSL_CERT_FILE") | unsetenv("CURL_CA_BUNDLE"), 0);
	peer_stop(p);
}

/* Set before the first client of this process is made: see main. */
static char key_log[] = "/tmp/azcryptfs-keylog-XXXXXX";

static void
no_session_key_is_written(void **state)
{
	struct peer *p = peer_start(&(struct peer_config){ .tls = true, PEER_SCRIPT(hi) });
	struct http_client *c = tls_client();
	struct call_result out;

	(void)state;
	call(c, NULL, p, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	call_clear(&out);
	assert_int_equal(access(key_log, F_OK), -1);
	assert_null(getenv("SSLKEYLOGFILE"));
	http_client_free(c);
	peer_stop(p);
}

static int
status_of(struct http_client *c, const char *url, bool direct)
{
	struct http_request req = { .method = "GET", .url = url, .direct = direct, .max_body = 64 };
	AUTO_HTTP_RESPONSE r;
	struct err e = { 0 };
	AUTO_BUF body;

	http_response_init(&r);
	buf_init(&body, 64);
	if (http_call(c, NULL, &req, http_sink_to_buf(&body), deadline_in(10 * NS_PER_S), &r, &e) <
	    0)
		fail_msg("%s: %s", url, e.text);
	return r.status;
}

/*
 * Plain http to this machine is allowed because it does not leave it: so no proxy ever gets it.
 * 192.0.2.1 is nobody's address.
 */
static void
a_proxy_is_used_only_when_asked_for(void **state)
{
	static const struct peer_reply refusing[] = {
		{ .text = "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" }
	};
	static const char *const allowed[] = { "192.0.2.1", NULL };
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(hi) });
	struct peer *proxy = peer_start(&(struct peer_config){ PEER_SCRIPT(refusing) });
	const struct http_config none = { 0 }, from_env = { .proxy = "env", .allow_http = allowed },
				 named = { .proxy = peer_url(proxy), .allow_http = allowed };
	const struct {
		const struct http_config *cfg;
		const char *url;
		bool direct;
		int status;
	} rows[] = {
		{ &none, peer_url(p), false, 200 },
		{ &from_env, "http://192.0.2.1/x", false, 403 },
		{ &from_env, peer_url(p), false, 200 },
		{ &from_env, peer_url(p), true, 200 },
		{ &named, "http://192.0.2.1/x", false, 403 },
		{ &named, peer_url(p), false, 200 },
		{ &named, peer_url(p), true, 200 },
	};
	static const char *const variables[] = { "http_proxy", "HTTPS_PROXY", "ALL_PROXY" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		assert_int_equal(setenv(variables[i], peer_url(proxy), 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct http_client *c = client_of(rows[i].cfg);
		int status;

		/* An exception in the environment is none for a proxy that was named. */
		if (rows[i].cfg == &named)
			assert_int_equal(setenv("no_proxy", "192.0.2.1", 1), 0);
		status = status_of(c, rows[i].url, rows[i].direct);
		if (status != rows[i].status)
			fail_msg("row %zu: %d", i, status);
		http_client_free(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(variables); i++)
		assert_int_equal(unsetenv(variables[i]), 0);
	assert_int_equal(unsetenv("no_proxy"), 0);
	peer_stop(proxy);
	peer_stop(p);
}

static void
what_cannot_be_a_proxy_or_an_authority_is_refused_by_name(void **state)
{
	static const struct {
		struct http_config cfg;
		int no;
		const char *says;
	} cases[] = {
		{ { .ca_file = "/nonexistent/ca.pem" }, ENOENT, "ca_file" },
		{ { .proxy = "ftp://h:1" }, EINVAL, "proxy" },
		{ { .proxy = "socks5://h:1" }, EINVAL, "proxy" },
		{ { .proxy = "h:1" }, EINVAL, "proxy" },
		{ { .proxy = "http://user:secret@h:1" }, EINVAL, "proxy" },
		{ { .proxy = "http://h:1/" }, 0, NULL },
		{ { .proxy = "https://h" }, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_client *c = NULL;
		struct err e = { 0 };
		int r = http_client_new(&cases[i].cfg, &c, &e);

		if (r != -cases[i].no)
			fail_msg("case %zu: %d %s", i, r, e.text);
		if (r < 0) {
			assert_non_null(strstr(e.text, cases[i].says));
			assert_null(strstr(e.text, "secret"));
		}
		http_client_free(c);
	}
}

/* A token source over a peer that hands out one token. */
static void
a_token_never_reaches_another_host(void **state)
{
	static const struct peer_reply tokens[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: "
			  "45\r\n\r\n{\"access_token\":\"canary\",\"expires_in\":\"3600\"}" },
	};
	char redirect[200];
	struct peer *issuer = peer_start(&(struct peer_config){ .tls = true, PEER_SCRIPT(tokens) });
	struct peer *second = peer_start(&(struct peer_config){ .tls = true, PEER_SCRIPT(hi) });
	struct peer_reply script[] = { { .text = redirect } };
	struct peer *first = peer_start(&(struct peer_config){ .tls = true, PEER_SCRIPT(script) });
	char authority[64], tenant[] = "t", id[] = "c";
	struct identity_env env = { .authority = authority, .tenant = tenant, .client_id = id };
	struct http_client *c = tls_client();
	struct token_source *t = NULL;
	struct http_auth *auth = NULL;
	struct call_result out;
	struct err e = { 0 };

	(void)state;
	(void)snprintf(authority, sizeof(authority), "%s", peer_url(issuer));
	(void)snprintf(redirect, sizeof(redirect),
		       "HTTP/1.1 302 F\r\nLocation: %s/\r\nContent-Length: 0\r\n\r\n",
		       peer_url(second));
	assert_int_equal(secret_text_new(span_str("s"), &env.client_secret, &e), 0);
	assert_int_equal(token_source_new(c, &env, CREDENTIAL_ENVIRONMENT, "https://r", &t, &e), 0);
	assert_int_equal(bearer_auth_new(t, peer_url(first), &auth, &e), 0);

	call(c, auth, first, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, -EIO);
	assert_string_equal(out.e.event, "net.redirect");
	assert_non_null(strstr(peer_request(first, 0), "Authorization: Bearer canary\r\n"));
	call_clear(&out);
	call(c, auth, second, "/x", (struct http_request){ 0 }, 10 * NS_PER_S, &out);
	assert_int_equal(out.rc, -EACCES);
	assert_string_equal(out.e.event, "policy.token");
	assert_null(strstr(out.e.text, "canary"));
	call_clear(&out);
	assert_int_equal(peer_connections(second), 0);

	http_auth_free(auth);
	assert_int_equal(bearer_auth_new(t, "http://127.0.0.1:1", &auth, &e), -EACCES);
	token_source_free(t);
	secret_text_free(env.client_secret);
	http_client_free(c);
	peer_stop(first);
	peer_stop(second);
	peer_stop(issuer);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_session_key_is_written),
		cmocka_unit_test(only_a_good_certificate_is_believed),
		cmocka_unit_test(the_named_authority_is_the_only_one),
		cmocka_unit_test(a_proxy_is_used_only_when_asked_for),
		cmocka_unit_test(what_cannot_be_a_proxy_or_an_authority_is_refused_by_name),
		cmocka_unit_test(a_token_never_reaches_another_host),
	};
	int fd = mkstemp(key_log);

	if (fd < 0 || close(fd) != 0 || unlink(key_log) != 0 ||
	    setenv("SSLKEYLOGFILE", key_log, 1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
