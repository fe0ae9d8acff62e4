/* SPDX-License-Identifier: MIT */
/*
 * What a vault answers, and what becomes of it: backend/keys/vaulthost.c and vaultanswer.c, over a
 * network that the test answers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "tests/unit/keys/vaultsuite.h"

/* ---- a clock that sleeping moves ---- */

static _Atomic int64_t fake_ns;

static int64_t
fake_now(void)
{
	return fake_ns;
}

static int64_t
fake_wall(void)
{
	return fake_ns / NS_PER_S;
}

static void
fake_sleep(int64_t ns)
{
	fake_ns += ns;
}

static const struct clock_ops fake_clock = { .now_ns = fake_now,
					     .wall_s = fake_wall,
					     .sleep_ns = fake_sleep };

static int
start_fake_clock(void **state)
{
	(void)state;
	fake_ns = 1000 * NS_PER_S;
	clock_replace(&fake_clock);
	return 0;
}

static int
stop_fake_clock(void **state)
{
	(void)state;
	clock_replace(NULL);
	return 0;
}

/* ---- refusals ---- */

static struct {
	int status;
	const char *body, *header;
	int fail;
	const char *event;
	unsigned times; /* how often; then the vault answers */
} script;

static void
serve_script(const struct http_request *req, struct fake_answer *out)
{
	struct err e = { 0 };

	if (script.times == 0) {
		fake_vault_serve(req, out);
		return;
	}
	if (script.times != (unsigned)-1)
		script.times--;
	out->status = script.status;
	out->header = script.header;
	out->fail = script.fail;
	out->event = script.event;
	if (script.body != NULL && buf_add_str(&out->body, script.body, &e) != 0)
		abort();
}

static struct provider *
scripted(int status, const char *body)
{
	fake_vault_reset(EMULATOR, "k");
	fake_vault_add(kek_a, false);
	fake_serve = serve_script;
	script.status = status;
	script.body = body;
	script.header = NULL;
	script.fail = 0;
	script.event = NULL;
	script.times = (unsigned)-1;
	return provider_for(EMULATOR);
}

#define ERROR(code, inner, message)                                \
	"{\"error\":{\"code\":\"" code "\",\"message\":\"" message \
	"\",\"innererror\":{\"code\":\"" inner "\"}}}"

static const struct {
	int status;
	const char *body;
	int no;
	const char *event, *text, *advice;
} refusals[] = {
	{ 400, ERROR("BadParameter", "", "x"), EBADMSG, "integrity.cek", "not of this key", NULL },
	{ 400, ERROR("Other", "", "x"), EIO, NULL, "Other", NULL },
	{ 400, "", EIO, NULL, "400", NULL },
	{ 401, ERROR("Unauthorized", "", "AKV10032"), EACCES, "auth.vault", "token",
	  "AZURE_TENANT_ID" },
	{ 403, ERROR("Forbidden", "KeyDisabled", "x"), ENOKEY, "key.disabled", "disabled",
	  "enable" },
	{ 403, ERROR("KeyDisabled", "", "x"), ENOKEY, "key.disabled", "disabled", "enable" },
	{ 403, ERROR("Forbidden", "ForbiddenByRbac", "x"), EACCES, "auth.vault", "ForbiddenByRbac",
	  "Key Vault Crypto User" },
	{ 403, ERROR("Forbidden", "ForbiddenByPolicy", "x"), EACCES, "auth.vault", "may not unwrap",
	  "access policy" },
	{ 403, ERROR("Forbidden", "AccessDenied", "x"), EACCES, "auth.vault", "AccessDenied",
	  "Key Vault Crypto User" },
	{ 403, ERROR("Forbidden", "ForbiddenByFirewall", "x"), EACCES, "auth.vault", "firewall",
	  "firewall" },
	{ 403,
	  ERROR("Forbidden", "",
		"Client address is not authorized and caller is not a trusted service"),
	  EACCES, "auth.vault", "firewall", "firewall" },
	{ 403, ERROR("Forbidden", "KeyOperationForbidden", "x"), EACCES, "auth.vault",
	  "does not permit", "key_ops" },
	{ 403, "<html>", EACCES, "auth.vault", "403", "Key Vault Crypto User" },
	{ 403, "{\"error\":[]}", EACCES, "auth.vault", "403", "Key Vault Crypto User" },
	{ 404, ERROR("KeyNotFound", "", "x"), ENOKEY, "key.missing", "KeyNotFound", "recovered" },
	{ 404, "", ENOKEY, "key.missing", "404", "recovered" },
	{ 409, ERROR("Conflict", "", "x"), EIO, NULL, "recovered", NULL },
	{ 501, "", EIO, NULL, "501", NULL },
	{ 204, "", EIO, NULL, "204", NULL },
};

static void
every_refusal_has_its_own_errno_and_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct provider *p = scripted(refusals[i].status, refusals[i].body);
		struct err e = { 0 };

		if (unwrap_now(p, EMULATOR "/keys/k/" VERSION, wrapped_a, &e) != -refusals[i].no)
			fail_msg("row %zu: %s: %s", i, err_name(e.no), e.text);
		if (refusals[i].event != NULL)
			assert_string_equal(e.event, refusals[i].event);
		assert_non_null(strstr(e.text, refusals[i].text));
		if (refusals[i].advice != NULL)
			assert_non_null(strstr(e.advice, refusals[i].advice));
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

/* ---- answers that are none ---- */

#define KID   EMULATOR "/keys/k/" VERSION
#define VALUE "MjAAAAAAAABCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQg"

static const struct {
	const char *body;
	bool good;
} answers[] = {
	{ "{\"kid\":\"" KID "\",\"value\":\"AAAA\"}", true },
	{ "{\"kid\":\"" KID "\",\"value\":\"AAA=\"}", true },
	{ "{\"kid\":\"" KID "\",\"value\":\"AAA\",\"more\":[1]}", true },
	{ "{\"kid\":\"https://KV.Test:8443/keys/K/" VERSION "\",\"value\":\"AAAA\"}", true },
	{ "{\"kid\":\"" KID "/\",\"value\":\"AAAA\"}", true },
	{ "{\"kid\":\"" EMULATOR "/keys/k/" OTHER "\",\"value\":\"AAAA\"}", false },
	{ "{\"kid\":\"" EMULATOR "/keys/other/" VERSION "\",\"value\":\"AAAA\"}", false },
	{ "{\"kid\":\"" EMULATOR "/keys/k\",\"value\":\"AAAA\"}", false },
	{ "{\"kid\":\"https://kv.test/keys/k/" VERSION "\",\"value\":\"AAAA\"}", false },
	{ "{\"kid\":\"https://kv.evil:8443/keys/k/" VERSION "\",\"value\":\"AAAA\"}", false },
	{ "{\"kid\":\"http://kv.test:8443/keys/k/" VERSION "\",\"value\":\"AAAA\"}", false },
	{ "{\"value\":\"AAAA\"}", false },
	{ "{\"kid\":null,\"value\":\"AAAA\"}", false },
	{ "{\"kid\":7,\"value\":\"AAAA\"}", false },
	{ "{\"kid\":\"" KID "\"}", false },
	{ "{\"kid\":\"" KID "\",\"value\":7}", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"AAAA\",\"value\":\"BBBB\"}", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"AA+A\"}", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"AAAA AAAA\"}", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"A\"}", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"" VALUE VALUE VALUE "\"}", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"AAAA\"} x", false },
	{ "[\"" KID "\"]", false },
	{ "null", false },
	{ "", false },
	{ "<html>sign in</html>", false },
	{ "{\"kid\":\"" KID "\",\"value\":\"AAAA\"", false },
};

static void
an_answer_that_is_not_about_the_question_is_no_key(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct provider *p = scripted(200, answers[i].body);
		uint8_t out[CEK_UNWRAPPED_MAX];
		struct err e = { 0 };
		size_t n = 4711;
		int r = provider_unwrap(p, KID, WRAP_A256KW, span_of(wrapped_a, n_wrapped),
					deadline_in(NS_PER_S), (struct room){ out, sizeof(out) },
					&n, &e);

		if ((r == 0) != answers[i].good)
			fail_msg("%s: %s", answers[i].body, e.text);
		if (r != 0) {
			assert_int_equal(r, -EBADMSG);
			assert_string_equal(e.event, "integrity.cek");
			assert_int_equal(n, 4711);
		}
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

static void
an_answer_of_ten_megabytes_is_cut_off(void **state)
{
	char *huge = malloc((10 << 20) + 1);
	struct provider *p;
	struct err e = { 0 };

	(void)state;
	memset(huge, ' ', 10 << 20);
	huge[10 << 20] = '\0';
	p = scripted(200, huge);
	assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	assert_int_equal(fake_requests, 1);
	provider_free(p);
	free(huge);
}

/* ---- bad weather ---- */

static void
a_vault_that_is_away_for_a_while_is_asked_again(void **state)
{
	static const int weather[] = { 500, 502, 503, 504, 408 };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(weather); i++) {
		struct provider *p = scripted(weather[i], "");

		script.times = 3;
		assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), 0);
		assert_int_equal(fake_requests, 4);
		provider_free(p);
	}
}

static void
a_connection_that_breaks_is_tried_again_and_distrust_is_not(void **state)
{
	static const struct {
		const char *event;
		bool again;
	} cases[] = { { NULL, true },
		      { "net.tls", false },
		      { "net.redirect", false },
		      { "net.protocol", false } };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider *p = scripted(200, "");

		script.fail = EIO;
		script.event = cases[i].event;
		script.times = 2;
		assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), cases[i].again ? 0 : -EIO);
		assert_int_equal(fake_requests, cases[i].again ? 3 : 1);
		provider_free(p);
	}
}

static void
a_vault_that_stays_away_costs_the_deadline_only(void **state)
{
	struct provider *p = scripted(503, "");
	int64_t start = fake_ns;
	struct err e = { 0 };
	int r;

	(void)state;
	r = unwrap_now(p, KID, wrapped_a, &e);
	assert_true(r == -EIO || r == -ETIMEDOUT);
	assert_int_equal(r, -e.no);
	assert_true(fake_ns - start <= 20 * NS_PER_S);
	provider_free(p);
}

static void
after_a_429_nobody_asks_until_the_time_is_over(void **state)
{
	static char header[] = "Retry-After: 7\r\n";
	struct provider *p = scripted(429, ERROR("Throttled", "", "x"));
	int64_t start = fake_ns;
	struct err e = { 0 };

	(void)state;
	script.header = header;
	script.times = 1;
	/* The first caller has no time to wait; what it learnt holds for the others. */
	assert_int_equal(unwrap_within(p, KID, wrapped_a, deadline_in(5 * NS_PER_S), &e),
			 -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	assert_int_equal(fake_requests, 1);
	assert_int_equal(unwrap_within(p, KID, wrapped_a, deadline_in(5 * NS_PER_S), &e),
			 -ETIMEDOUT);
	assert_int_equal(fake_requests, 1);
	assert_int_equal(unwrap_within(p, KID, wrapped_a, deadline_in(30 * NS_PER_S), &e), 0);
	assert_int_equal(fake_requests, 2);
	assert_true(fake_ns - start >= 7 * NS_PER_S && fake_ns - start < 8 * NS_PER_S);
	provider_free(p);
}

static void
a_429_without_a_time_doubles_the_wait(void **state)
{
	struct provider *p = scripted(429, "");
	int64_t start = fake_ns;
	struct err e = { 0 };

	(void)state;
	script.times = 4;
	assert_int_equal(unwrap_within(p, KID, wrapped_a, deadline_in(60 * NS_PER_S), &e), 0);
	assert_int_equal(fake_requests, 5);
	assert_true(fake_ns - start >= 15 * NS_PER_S && fake_ns - start < 16 * NS_PER_S);
	provider_free(p);
}

static void
a_429_for_an_hour_ends_at_once(void **state)
{
	static char header[] = "Retry-After: 3600\r\n";
	struct provider *p = scripted(429, "");
	int64_t start = fake_ns;
	struct err e = { 0 };

	(void)state;
	script.header = header;
	assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), -ETIMEDOUT);
	assert_int_equal(fake_ns, start);
	assert_int_equal(fake_requests, 1);
	provider_free(p);
}

/* ---- the challenge ---- */

static unsigned
count_lines(const char *file, const char *word)
{
	FILE *f = fopen(file, "r");
	char line[2000];
	unsigned n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL)
		n += strstr(line, word) != NULL;
	(void)fclose(f);
	return n;
}

static void
a_challenge_of_another_tenant_is_reported_once_and_never_followed(void **state)
{
	static const struct {
		const char *header;
		unsigned lines;
	} cases[] = {
		{ "WWW-Authenticate: Bearer "
		  "authorization=\"https://login.microsoftonline.com/EVILTENANT\", "
		  "resource=\"https://evil.example\"\r\n",
		  1 },
		{ "WWW-Authenticate: Bearer authorization_uri=https://login.evil.example/"
		  "11111111-2222-3333-4444-555555555555 resource_id=x\r\n",
		  1 },
		{ "WWW-Authenticate: Bearer authorization=\"https://login.microsoftonline.com/"
		  "11111111-2222-3333-4444-555555555555\", "
		  "resource=\"https://vault.azure.net\"\r\n",
		  0 },
		{ "WWW-Authenticate: Bearer authorization=\r\n", 0 },
		{ "WWW-Authenticate: Basic\r\n", 0 },
		{ NULL, 0 },
	};
	char file[] = "/tmp/azcryptfs-test-log-XXXXXX";
	int fd = mkstemp(file);
	struct err e = { 0 };
	unsigned before = 0;

	(void)state;
	assert_true(fd >= 0);
	(void)close(fd);
	assert_int_equal(log_open(file, LOG_LEVEL_WARNING, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider *p = scripted(401, ERROR("Unauthorized", "", "x"));

		script.header = cases[i].header;
		assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), -EACCES);
		assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), -EACCES);
		assert_int_equal(fake_requests, 2);
		assert_int_equal(count_lines(file, "auth.challenge"), before + cases[i].lines);
		before += cases[i].lines;
		provider_free(p);
	}
	assert_int_equal(log_open("stderr", LOG_LEVEL_WARNING, &e), 0);
	(void)unlink(file);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_has_its_own_errno_and_sentence),
		cmocka_unit_test(an_answer_that_is_not_about_the_question_is_no_key),
		cmocka_unit_test(an_answer_of_ten_megabytes_is_cut_off),
		cmocka_unit_test_setup_teardown(a_vault_that_is_away_for_a_while_is_asked_again,
						start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(
			a_connection_that_breaks_is_tried_again_and_distrust_is_not,
			start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(a_vault_that_stays_away_costs_the_deadline_only,
						start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(after_a_429_nobody_asks_until_the_time_is_over,
						start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(a_429_without_a_time_doubles_the_wait,
						start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(a_429_for_an_hour_ends_at_once, start_fake_clock,
						stop_fake_clock),
		cmocka_unit_test(a_challenge_of_another_tenant_is_reported_once_and_never_followed),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
