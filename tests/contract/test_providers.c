/* SPDX-License-Identifier: MIT */
/*
 * The contract of provider.h, the same cases over every provider: local keys in a file, and Key
 * Vault through the real client, over TLS, against a scripted peer that answers as the service
 * does.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/keys/keyring.h"
#include "backend/keys/provider.h"
#include "backend/net/http.h"
#include "backend/net/token.h"
#include "tests/support/peer.h"

#define VERSION "0123456789abcdef0123456789abcdef"

/* "2.0" and the content key 00..1f, wrapped with AES key wrap under 20..3f: from the format's
 * description. */
static uint8_t wrapped[] = {
	0x02, 0xa3, 0x44, 0x2d, 0x98, 0x72, 0xdb, 0x92, 0xc9, 0x9a, 0x88, 0xe5,
	0xce, 0x5c, 0x7a, 0xf5, 0xdd, 0x17, 0xa3, 0x86, 0x33, 0x77, 0x3f, 0x2d,
	0xff, 0x67, 0xad, 0x65, 0xf0, 0xf3, 0xe0, 0x7c, 0xc3, 0xd7, 0xac, 0x3d,
	0xde, 0x6a, 0xed, 0x20, 0x95, 0x56, 0x99, 0x3e, 0x18, 0xfb, 0x06, 0xfb,
};
#define WRAPPED_URL "AqNELZhy25LJmojlzlx69d0Xo4Yzdz8t_2etZfDz4HzD16w93mrtIJVWmT4Y-wb7"
#define PLAIN_URL   "Mi4wAAAAAAAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw"

/* ---- subjects ---- */

enum vault_mood { RIGHT_KEY, WRONG_KEY, WRAPPING };

struct subject {
	struct provider *p;
	char kid[300];
	struct peer *vault, *identity;
	struct http_client *client;
	struct identity_env env;
	char file[64];
};

struct maker {
	const char *name;
	void (*make)(struct subject *s, enum vault_mood mood);
};

static void
make_jwks(struct subject *s, enum vault_mood mood)
{
	struct err e = { 0 };
	int fd;

	(void)snprintf(s->file, sizeof(s->file), "/tmp/azcryptfs-test-set-XXXXXX");
	(void)snprintf(s->kid, sizeof(s->kid), "local:kek1");
	fd = mkstemp(s->file);
	assert_true(fd >= 0);
	assert_true(dprintf(fd, "{\"keys\":[{\"kid\":\"%s\",\"kty\":\"oct\",\"k\":\"%s\"}]}",
			    s->kid,
			    mood != WRONG_KEY ? "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8"
					      : "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9PjA") > 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(jwks_provider_new(s->file, &s->p, &e), 0);
}

static char vault_answer[1000], shown_key[1000];
static const struct peer_reply vault_script[] = { { .text = vault_answer } };
static const struct peer_reply wrap_script[] = { { .text = shown_key }, { .text = vault_answer } };

static const char TOKEN_BODY[] =
	"{\"access_token\":\"TOKEN1\",\"expires_on\":\"99999999999\",\"expires_in\":\"86400\","
	"\"token_type\":\"Bearer\",\"resource\":\"https://vault.azure.net\"}";
static char token_answer[1000];
static const struct peer_reply token_script[] = { { .text = token_answer } };

static void
write_answer(char *out, size_t room, const char *status, const char *body)
{
	(void)snprintf(
		out, room,
		"HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		status, strlen(body), body);
}

static const char GET_BODY[] = "{\"key\":{\"kid\":\"%s/keys/k/" VERSION
			       "\",\"kty\":\"oct-HSM\"},\"attributes\":{\"enabled\":true}}";
static const char WRAP_BODY[] = "{\"kid\":\"%s/keys/k/" VERSION "\",\"value\":\"" WRAPPED_URL "\"}";

/* A vault that shows the key, and then wraps with it. */
static void
write_wrap_answers(const char *url)
{
	char body[600];

	(void)snprintf(body, sizeof(body), GET_BODY, url);
	write_answer(shown_key, sizeof(shown_key), "200 OK", body);
	(void)snprintf(body, sizeof(body), WRAP_BODY, url);
	write_answer(vault_answer, sizeof(vault_answer), "200 OK", body);
}

static void
write_vault_answer(const char *url, enum vault_mood mood)
{
	char body[600];

	(void)snprintf(body, sizeof(body),
		       "{\"kid\":\"%s/keys/k/" VERSION "\",\"value\":\"" PLAIN_URL "\"}", url);
	if (mood == RIGHT_KEY)
		write_answer(vault_answer, sizeof(vault_answer), "200 OK", body);
	else
		write_answer(vault_answer, sizeof(vault_answer), "400 Bad Request",
			     "{\"error\":{\"code\":\"BadParameter\",\"message\":\"no\"}}");
}

static void
make_vault(struct subject *s, enum vault_mood mood)
{
	const struct peer_config unwraps = { .tls = true,
					     .cert = TESTCERT_GOOD,
					     PEER_SCRIPT(vault_script) };
	const struct peer_config wraps = { .tls = true,
					   .cert = TESTCERT_GOOD,
					   PEER_SCRIPT(wrap_script) };
	const struct peer_config identity = { .tls = false, PEER_SCRIPT(token_script) };
	const struct http_config http = { .ca_file = testcert_ca_file() };
	const char *entries[2] = { NULL, NULL };
	struct err e = { 0 };

	write_answer(token_answer, sizeof(token_answer), "200 OK", TOKEN_BODY);
	s->vault = peer_start(mood == WRAPPING ? &wraps : &unwraps);
	s->identity = peer_start(&identity);
	if (mood == WRAPPING)
		write_wrap_answers(peer_url(s->vault));
	else
		write_vault_answer(peer_url(s->vault), mood);
	s->env.identity_endpoint = (char *)(uintptr_t)peer_url(s->identity);
	assert_int_equal(secret_text_new(span_str("header"), &s->env.identity_header, &e), 0);
	assert_int_equal(http_client_new(&http, &s->client, &e), 0);
	entries[0] = peer_url(s->vault);
	assert_int_equal(
		vault_provider_new(s->client, &s->env, CREDENTIAL_MANAGED, entries, &s->p, &e), 0);
	(void)snprintf(s->kid, sizeof(s->kid), "%s/keys/k/" VERSION, peer_url(s->vault));
}

/* The list: a new provider is one more line. */
static const struct maker makers[] = {
	{ "jwks", make_jwks },
	{ "vault", make_vault },
};

static void
make(struct subject *s, const struct maker *m, enum vault_mood mood)
{
	memset(s, 0, sizeof(*s));
	m->make(s, mood);
}

static void
finish(struct subject *s, bool keep_provider)
{
	if (!keep_provider)
		provider_free(s->p);
	if (s->client != NULL)
		http_client_free(s->client);
	if (s->vault != NULL)
		peer_stop(s->vault);
	if (s->identity != NULL)
		peer_stop(s->identity);
	secret_text_free(s->env.identity_header);
	if (s->file[0] != '\0')
		(void)unlink(s->file);
}

static struct deadline
soon(void)
{
	return deadline_in(20 * NS_PER_S);
}

/* ---- the cases ---- */

static void
what_was_wrapped_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		uint8_t out[CEK_UNWRAPPED_MAX];
		struct err e = { 0 };
		struct subject s;
		size_t n = 0;

		make(&s, &makers[i], RIGHT_KEY);
		if (provider_unwrap(s.p, s.kid, WRAP_A256KW, span_of(wrapped, sizeof(wrapped)),
				    soon(), (struct room){ out, sizeof(out) }, &n, &e) != 0)
			fail_msg("%s: %s", makers[i].name, e.text);
		assert_int_equal(n, 40);
		assert_memory_equal(out, "2.0\0\0\0\0\0", 8);
		for (unsigned b = 0; b < 32; b++)
			assert_int_equal(out[8 + b], b);
		finish(&s, false);
	}
}

static void
bytes_of_another_key_are_ebadmsg_and_leave_the_length_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		uint8_t out[CEK_UNWRAPPED_MAX];
		struct err e = { 0 };
		struct subject s;
		size_t n = 4711;

		make(&s, &makers[i], WRONG_KEY);
		assert_int_equal(provider_unwrap(s.p, s.kid, WRAP_A256KW,
						 span_of(wrapped, sizeof(wrapped)), soon(),
						 (struct room){ out, sizeof(out) }, &n, &e),
				 -EBADMSG);
		assert_int_equal(e.no, EBADMSG);
		assert_string_equal(e.event, "integrity.cek");
		assert_string_equal(e.key, s.kid);
		assert_true(e.text[0] != '\0');
		assert_int_equal(n, 4711);
		finish(&s, false);
	}
}

static void
a_content_key_wraps_to_the_known_answer(void **state)
{
	uint8_t plain[40] = "2.0";

	(void)state;
	for (unsigned b = 0; b < 32; b++)
		plain[8 + b] = (uint8_t)b;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		struct wrapped_key made;
		struct err e = { 0 };
		struct subject s;

		make(&s, &makers[i], WRAPPING);
		if (provider_wrap(s.p, s.kid, 0, span_of(plain, sizeof(plain)), soon(), &made,
				  &e) != 0)
			fail_msg("%s: %s", makers[i].name, e.text);
		assert_string_equal(made.kid, s.kid);
		assert_int_equal(made.alg, WRAP_A256KW);
		assert_int_equal(made.n, sizeof(wrapped));
		assert_memory_equal(made.bytes, wrapped, sizeof(wrapped));
		finish(&s, false);
	}
}

static void
only_its_own_keys_are_claimed(void **state)
{
	static const char *const strangers[] = { "", "x", "local:kek", "local:kek10",
						 "https://v.vault.azure.net/keys/k" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		uint8_t out[CEK_UNWRAPPED_MAX];
		struct wrapped_key made;
		struct subject s;
		size_t n = 0;

		make(&s, &makers[i], RIGHT_KEY);
		assert_true(provider_claims(s.p, s.kid));
		for (size_t k = 0; k < ARRAY_LEN(strangers); k++) {
			struct err e = { 0 };

			assert_false(provider_claims(s.p, strangers[k]));
			assert_int_equal(provider_unwrap(s.p, strangers[k], WRAP_A256KW,
							 span_of(wrapped, sizeof(wrapped)), soon(),
							 (struct room){ out, sizeof(out) }, &n, &e),
					 -EACCES);
			assert_string_equal(e.event, "policy.kek");
			err_clear(&e);
			assert_int_equal(provider_wrap(s.p, strangers[k], 0, span_of(wrapped, 40),
						       soon(), &made, &e),
					 -EACCES);
			assert_string_equal(e.event, "policy.kek");
			assert_string_equal(e.key, strangers[k]);
		}
		if (s.vault != NULL) {
			assert_int_equal(peer_connections(s.vault), 0);
			assert_int_equal(peer_connections(s.identity), 0);
		}
		finish(&s, false);
	}
}

static void *
unwrap_many(void *arg)
{
	struct subject *s = arg;

	for (int i = 0; i < 10; i++) {
		uint8_t out[CEK_UNWRAPPED_MAX];
		struct err e = { 0 };
		size_t n = 0;

		if (provider_unwrap(s->p, s->kid, WRAP_A256KW, span_of(wrapped, sizeof(wrapped)),
				    soon(), (struct room){ out, sizeof(out) }, &n, &e) != 0 ||
		    n != 40)
			return s;
	}
	return NULL;
}

static void
several_threads_may_ask_at_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		pthread_t threads[8];
		struct subject s;

		make(&s, &makers[i], RIGHT_KEY);
		for (size_t t = 0; t < ARRAY_LEN(threads); t++)
			assert_int_equal(pthread_create(&threads[t], NULL, unwrap_many, &s), 0);
		for (size_t t = 0; t < ARRAY_LEN(threads); t++) {
			void *failed = NULL;

			pthread_join(threads[t], &failed);
			assert_null(failed);
		}
		if (s.identity != NULL)
			assert_int_equal(peer_requests(s.identity), 1);
		finish(&s, false);
	}
}

static void
the_keyring_serves_from_any_of_them(void **state)
{
	static const struct keyring_config cfg = { .ttl_ns = 60 * NS_PER_S };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(makers); i++) {
		struct keyring *k = NULL;
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct envelope env;
		struct subject s;

		make(&s, &makers[i], RIGHT_KEY);
		env = (struct envelope){ .protocol = PROTOCOL_V2_0,
					 .alg = WRAP_A256KW,
					 .kid = s.kid,
					 .wrapped = wrapped,
					 .n_wrapped = sizeof(wrapped) };
		assert_int_equal(keyring_new_take(&cfg, &s.p, 1, &k, &e), 0);
		for (int again = 0; again < 3; again++) {
			assert_int_equal(keyring_cek(k, &env, soon(), &ref, &e), 0);
			assert_int_equal(key_ref_cek(ref)->k[31], 31);
			key_ref_put(ref);
		}
		env.protocol = PROTOCOL_V2_1; /* relabelled: the prefix tells */
		assert_int_equal(keyring_cek(k, &env, soon(), &ref, &e), -EBADMSG);
		if (s.vault != NULL)
			assert_int_equal(peer_requests(s.vault), 2);
		keyring_free(k);
		finish(&s, true);
	}
}

/* ---- what only a vault has: the wire ---- */

static void
the_vault_sees_the_documented_request(void **state)
{
	static const char *const wanted[] = {
		"POST /keys/k/" VERSION "/unwrapkey?api-version=7.4 HTTP/1.1\r\n",
		"Content-Type: application/json\r\n", "Authorization: Bearer TOKEN1\r\n",
		"{\"alg\":\"A256KW\",\"value\":\"" WRAPPED_URL "\"}"
	};
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	struct subject s;
	size_t n = 0;

	(void)state;
	make(&s, &makers[1], RIGHT_KEY);
	assert_int_equal(provider_unwrap(s.p, s.kid, WRAP_A256KW, span_of(wrapped, sizeof(wrapped)),
					 soon(), (struct room){ out, sizeof(out) }, &n, &e),
			 0);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
		if (strstr(peer_request(s.vault, 0), wanted[i]) == NULL)
			fail_msg("no %s in %s", wanted[i], peer_request(s.vault, 0));
	assert_non_null(
		strstr(peer_request(s.identity, 0), "resource=https%3A%2F%2Fvault.azure.net"));
	finish(&s, false);
}

/* F11: the token must not reach where the vault points to. */
static void
a_redirect_is_not_followed(void **state)
{
	static const struct peer_reply ok[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }
	};
	const struct peer_config elsewhere = { .tls = true,
					       .cert = TESTCERT_GOOD,
					       PEER_SCRIPT(ok) };
	struct peer *other = peer_start(&elsewhere);
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	struct subject s;
	size_t n = 0;

	(void)state;
	make(&s, &makers[1], RIGHT_KEY);
	(void)snprintf(vault_answer, sizeof(vault_answer),
		       "HTTP/1.1 307 Temporary Redirect\r\nLocation: "
		       "%s/keys/k/x\r\nContent-Length: 0\r\n\r\n",
		       peer_url(other));
	assert_int_equal(provider_unwrap(s.p, s.kid, WRAP_A256KW, span_of(wrapped, sizeof(wrapped)),
					 soon(), (struct room){ out, sizeof(out) }, &n, &e),
			 -EIO);
	assert_string_equal(e.event, "net.redirect");
	assert_int_equal(peer_connections(other), 0);
	assert_int_equal(peer_requests(s.vault), 1);
	finish(&s, false);
	peer_stop(other);
}

/* F12: one refresh of the token, one more attempt; the challenge's own authority is never
 * contacted. */
static void
a_challenge_causes_one_new_token_of_the_configured_kind(void **state)
{
	static const struct peer_reply none[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n" }
	};
	const struct peer_config authority = { .tls = true,
					       .cert = TESTCERT_GOOD,
					       PEER_SCRIPT(none) };
	struct peer *evil = peer_start(&authority);
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	struct subject s;
	size_t n = 0;

	(void)state;
	make(&s, &makers[1], RIGHT_KEY);
	(void)snprintf(vault_answer, sizeof(vault_answer),
		       "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer "
		       "authorization=\"%s/EVILTENANT\", "
		       "resource=\"https://evil.example\"\r\nContent-Length: 0\r\n\r\n",
		       peer_url(evil));
	assert_int_equal(provider_unwrap(s.p, s.kid, WRAP_A256KW, span_of(wrapped, sizeof(wrapped)),
					 soon(), (struct room){ out, sizeof(out) }, &n, &e),
			 -EACCES);
	assert_string_equal(e.event, "auth.vault");
	assert_int_equal(peer_connections(evil), 0);
	assert_in_range(peer_requests(s.vault), 1, 2);
	assert_in_range(peer_requests(s.identity), 1, 2);
	finish(&s, false);
	peer_stop(evil);
}

static void
a_vault_that_is_not_trusted_gets_no_token(void **state)
{
	const struct peer_config impostor = { .tls = true,
					      .cert = TESTCERT_SELF_SIGNED,
					      PEER_SCRIPT(vault_script) };
	struct peer *vault = peer_start(&impostor);
	const char *entries[] = { peer_url(vault), NULL };
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	struct subject s;
	size_t n = 0;

	(void)state;
	make(&s, &makers[1], RIGHT_KEY);
	provider_free(s.p);
	assert_int_equal(
		vault_provider_new(s.client, &s.env, CREDENTIAL_MANAGED, entries, &s.p, &e), 0);
	(void)snprintf(s.kid, sizeof(s.kid), "%s/keys/k/" VERSION, peer_url(vault));
	assert_int_equal(provider_unwrap(s.p, s.kid, WRAP_A256KW, span_of(wrapped, sizeof(wrapped)),
					 soon(), (struct room){ out, sizeof(out) }, &n, &e),
			 -EIO);
	assert_string_equal(e.event, "net.tls");
	assert_int_equal(peer_requests(vault), 0);
	finish(&s, false);
	peer_stop(vault);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_wrapped_comes_back),
		cmocka_unit_test(bytes_of_another_key_are_ebadmsg_and_leave_the_length_alone),
		cmocka_unit_test(a_content_key_wraps_to_the_known_answer),
		cmocka_unit_test(only_its_own_keys_are_claimed),
		cmocka_unit_test(several_threads_may_ask_at_once),
		cmocka_unit_test(the_keyring_serves_from_any_of_them),
		cmocka_unit_test(the_vault_sees_the_documented_request),
		cmocka_unit_test(a_redirect_is_not_followed),
		cmocka_unit_test(a_challenge_causes_one_new_token_of_the_configured_kind),
		cmocka_unit_test(a_vault_that_is_not_trusted_gets_no_token),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
