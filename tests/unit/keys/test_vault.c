/* SPDX-License-Identifier: MIT */
/* Key Vault as a provider: backend/keys/vault.c, vaulthost.c, vaultanswer.c, over a network that
 * the test answers. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/keys/keyring.h"
#include "backend/keys/vaultanswer.h"
#include "base/log.h"
#include "tests/unit/keys/fakevault.h"

#define VAULT	 "https://v.vault.azure.net"
#define VERSION	 "00000000000000000000000000000001"
#define EMULATOR "https://kv.test:8443"

/* ---- two AES keys, and a content key wrapped with each ---- */

static struct kek *kek_a, *kek_b;
static uint8_t wrapped_a[64], wrapped_b[64], plain[CEK_UNWRAPPED_MAX];
static size_t n_wrapped, n_plain;

static struct kek *
new_kek(const char *k)
{
	struct kek *kek = NULL;
	struct err e = { 0 };
	char jwk[200];

	(void)snprintf(jwk, sizeof(jwk), "{\"kty\":\"oct\",\"k\":\"%s\"}", k);
	assert_int_equal(kek_from_jwk(span_str(jwk), &kek, &e), 0);
	return kek;
}

static void
wrap(const struct kek *kek, uint8_t out[static 64])
{
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 64);
	assert_int_equal(kek_wrap(kek, WRAP_A256KW, span_of(plain, n_plain), &b, &e), 0);
	memcpy(out, b.p, b.n);
	n_wrapped = b.n;
}

static int
make_keys(void **state)
{
	struct cek cek;

	(void)state;
	memset(cek.k, 0x42, sizeof(cek.k));
	cek_to_unwrapped(PROTOCOL_V2_0, &cek, plain, &n_plain);
	kek_a = new_kek("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	kek_b = new_kek("ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	wrap(kek_a, wrapped_a);
	wrap(kek_b, wrapped_b);
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	kek_free(kek_a);
	kek_free(kek_b);
	return 0;
}

/* ---- asking ---- */

static char authority[] = "https://login.microsoftonline.com",
	    tenant[] = "11111111-2222-3333-4444-555555555555";
static const struct identity_env env = { .authority = authority, .tenant = tenant };

static struct provider *
provider_for(const char *entry)
{
	const char *const entries[] = { entry, NULL };
	struct provider *p = NULL;
	struct err e = { 0 };

	assert_int_equal(vault_provider_new(NULL, &env, CREDENTIAL_CHAIN, entries, &p, &e), 0);
	return p;
}

static int
unwrap_within(struct provider *p, const char *kid, const uint8_t *wrapped, struct deadline d,
	      struct err *e)
{
	uint8_t out[CEK_UNWRAPPED_MAX] = { 0 };
	size_t n = 4711;
	int r;

	*e = (struct err){ 0 };
	r = provider_unwrap(p, kid, WRAP_A256KW, span_of(wrapped, n_wrapped), d,
			    (struct room){ out, sizeof(out) }, &n, e);
	assert_int_equal(r, -e->no);
	if (r != 0) {
		assert_int_equal(n, 4711);
		assert_string_equal(e->key, kid);
		return r;
	}
	assert_int_equal(n, n_plain);
	assert_memory_equal(out, plain, n);
	return 0;
}

static int
unwrap_now(struct provider *p, const char *kid, const uint8_t *wrapped, struct err *e)
{
	return unwrap_within(p, kid, wrapped, deadline_in(20 * NS_PER_S), e);
}

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

/* ---- the request ---- */

static void
the_request_is_what_the_service_documents(void **state)
{
	static const struct {
		const char *entry, *kid, *url;
	} cases[] = {
		{ EMULATOR, EMULATOR "/keys/k/" VERSION,
		  EMULATOR "/keys/k/" VERSION "/unwrapkey?api-version=7.4" },
		{ EMULATOR, EMULATOR "/keys/k/" VERSION "/",
		  EMULATOR "/keys/k/" VERSION "/unwrapkey?api-version=7.4" },
		{ EMULATOR "/keys/k", EMULATOR "/keys/k",
		  EMULATOR "/keys/k/unwrapkey?api-version=7.4" },
		{ EMULATOR "/", EMULATOR "/keys/k/", EMULATOR "/keys/k/unwrapkey?api-version=7.4" },
	};
	AUTO_BUF body;
	struct err e = { 0 };

	(void)state;
	buf_init(&body, 4096);
	assert_int_equal(buf_add_str(&body, "{\"alg\":\"A256KW\",\"value\":\"", &e), 0);
	assert_int_equal(base64_encode(BASE64_URL, span_of(wrapped_a, n_wrapped), &body, &e), 0);
	assert_int_equal(buf_add_str(&body, "\"}", &e), 0);
	assert_null(strchr(buf_str(&body), '='));
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider *p = provider_for(cases[i].entry);

		fake_vault_reset(EMULATOR, "k");
		fake_vault_add(kek_a, false);
		assert_int_equal(unwrap_now(p, cases[i].kid, wrapped_a, &e), 0);
		assert_string_equal(fake_vault.url, cases[i].url);
		assert_string_equal(fake_vault.body, buf_str(&body));
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

static void
every_service_gets_a_token_of_its_own_resource(void **state)
{
	static const char *const entries[] = { "https://a.vault.azure.net",
					       "https://b.vault.azure.net/keys/k",
					       "https://c.managedhsm.azure.net",
					       "https://d.vault.usgovcloudapi.net", NULL };
	struct provider *p = NULL;
	struct err e = { 0 };

	(void)state;
	fake_vault_reset(VAULT, "k");
	assert_int_equal(vault_provider_new(NULL, &env, CREDENTIAL_CHAIN, entries, &p, &e), 0);
	assert_int_equal(fake_n_resources, 3);
	assert_string_equal(fake_resources[0], "https://vault.azure.net");
	assert_string_equal(fake_resources[1], "https://managedhsm.azure.net");
	assert_string_equal(fake_resources[2], "https://vault.usgovcloudapi.net");
	assert_int_equal(fake_requests, 0);
	provider_free(p);
}

/* ---- key ids that are not covered: F01-F10 ---- */

static const char *const planted[] = {
	"https://evil.example/keys/k/" VERSION,
	"https://xgood.vault.azure.net/keys/k/" VERSION,
	"https://ood.vault.azure.net/keys/k/" VERSION,
	"https://good.vault.azure.net.evil/keys/k/" VERSION,
	"https://good.vault.azure.net@evil.example/keys/k/" VERSION,
	"https://evil.example@good.vault.azure.net/keys/k/" VERSION,
	"https://good.vault.azure.net:443/keys/k/" VERSION,
	"https://good.vault.azure.net:8443/keys/k/" VERSION,
	"http://good.vault.azure.net/keys/k/" VERSION,
	"https://169.254.169.254/keys/k/" VERSION,
	"https://[::1]/keys/k/" VERSION,
	"https://good.vault.azure%2enet/keys/k/" VERSION,
	"https://good.vault.azure.net/keys/%6b/" VERSION,
	"https://GOOD.vault.azure.net/keys/k/" VERSION,
	"https://second.vault.azure.net/keys/k/" VERSION,
	"https://good.vault.azure.net/keys/other/" VERSION,
	"https://good.vault.azure.net/keys/k/" VERSION "?x",
	"https://good.vault.azure.net/keys/k/../other",
	"https://good.vault.azure.net/secrets/k/" VERSION,
	"https://good.vault.azure.net\\@evil.example/keys/k",
	"ftp://good.vault.azure.net/keys/k",
	"//good.vault.azure.net/keys/k",
	"good.vault.azure.net/keys/k",
	"",
};

static void
nothing_leaves_the_process_for_a_planted_key_id(void **state)
{
	struct provider *p = provider_for("https://good.vault.azure.net/keys/k");
	static const struct keyring_config cfg = { .ttl_ns = NS_PER_S };
	struct keyring *k = NULL;
	struct err e = { 0 };
	static uint8_t wrapped[256];

	(void)state;
	fake_vault_reset("https://good.vault.azure.net", "k");
	assert_int_equal(keyring_new_take(&cfg, &p, 1, &k, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(planted); i++) {
		const struct envelope sealed = { .protocol = PROTOCOL_V2_0,
						 .alg = WRAP_RSA_OAEP,
						 .kid = (char *)(uintptr_t)planted[i],
						 .wrapped = wrapped,
						 .n_wrapped = sizeof(wrapped) };
		struct key_ref *ref = NULL;

		e = (struct err){ 0 };
		if (keyring_cek(k, &sealed, deadline_in(NS_PER_S), &ref, &e) != -EACCES)
			fail_msg("not refused: %s", planted[i]);
		assert_string_equal(e.event, "policy.kek");
		assert_null(ref);
	}
	assert_int_equal(fake_requests, 0);
	assert_int_equal(fake_tokens, 0);
	keyring_free(k);
}

static void
the_provider_itself_refuses_what_it_does_not_claim(void **state)
{
	struct provider *p = provider_for("https://good.vault.azure.net/keys/k");
	struct err e = { 0 };

	(void)state;
	fake_vault_reset("https://good.vault.azure.net", "k");
	for (size_t i = 0; i < ARRAY_LEN(planted); i++) {
		assert_false(provider_claims(p, planted[i]));
		assert_int_equal(unwrap_now(p, planted[i], wrapped_a, &e), -EACCES);
		assert_string_equal(e.event, "policy.kek");
	}
	assert_int_equal(fake_requests, 0);
	assert_int_equal(fake_tokens, 0);
	provider_free(p);
}

static void
aes_keys_are_asked_of_managed_hsms_only(void **state)
{
	static const struct {
		const char *origin;
		bool asked;
	} cases[] = {
		{ "https://v.vault.azure.net", false },
		{ "https://v.vault.usgovcloudapi.net", false },
		{ "https://v.vault.azure.cn", false },
		{ "https://v.vault.microsoftazure.de", false },
		{ "https://h.managedhsm.azure.net", true },
		{ "https://h.managedhsm.usgovcloudapi.net", true },
		{ "https://h.managedhsm.azure.cn", true },
		{ "https://h.managedhsm.chinacloudapi.cn", true },
		{ "https://127.0.0.1:8443", true },
		{ "https://localhost", true },
		{ "https://vault.azure.net.example", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider *p = provider_for(cases[i].origin);
		struct err e = { 0 };
		char kid[200];
		int r;

		fake_vault_reset(cases[i].origin, "k");
		fake_vault_add(kek_a, false);
		(void)snprintf(kid, sizeof(kid), "%s/keys/k/" VERSION, cases[i].origin);
		r = unwrap_now(p, kid, wrapped_a, &e);
		assert_int_equal(r, cases[i].asked ? 0 : -EACCES);
		assert_int_equal(fake_requests, cases[i].asked ? 1 : 0);
		assert_int_equal(fake_tokens, cases[i].asked ? 1 : 0);
		if (r != 0)
			assert_string_equal(e.event, "policy.kek_alg");
		provider_free(p);
	}
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
#define OTHER "00000000000000000000000000000002"

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

	(void)state;
	assert_int_equal(unwrap_now(p, KID, wrapped_a, &e), e.no == EIO ? -EIO : -ETIMEDOUT);
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

/* ---- versionless ids ---- */

#define NAME EMULATOR "/keys/k"

static struct provider *
rotated(unsigned old, unsigned new)
{
	fake_vault_reset(EMULATOR, "k");
	for (unsigned i = 0; i < old; i++)
		fake_vault_add(kek_a, false);
	for (unsigned i = 0; i < new; i++)
		fake_vault_add(kek_b, false);
	return provider_for(EMULATOR);
}

static void
a_versionless_id_survives_rotation_and_the_version_is_remembered(void **state)
{
	struct provider *p = rotated(1, 1);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unwrap_now(p, NAME, wrapped_b, &e), 0);
	assert_int_equal(fake_vault.unwraps, 1);
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), 0);
	assert_int_equal(fake_vault.lists, 1);
	fake_vault.unwraps = 0;
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), 0);
	assert_int_equal(fake_vault.unwraps, 1);
	assert_int_equal(fake_vault.lists, 1);
	/* A blob of the new version afterwards: one detour, no list. */
	assert_int_equal(unwrap_now(p, NAME, wrapped_b, &e), 0);
	assert_int_equal(fake_vault.unwraps, 3);
	assert_int_equal(fake_vault.lists, 1);
	provider_free(p);
}

static void
a_remembered_version_that_is_gone_is_forgotten(void **state)
{
	struct provider *p = rotated(1, 0);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), 0);
	fake_vault_add(kek_b, false);
	fake_vault.v[0].disabled = true;
	assert_int_equal(unwrap_now(p, NAME, wrapped_b, &e), 0);
	provider_free(p);
}

static void
a_versioned_id_is_never_looked_for_elsewhere(void **state)
{
	struct provider *p = rotated(1, 1);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unwrap_now(p, NAME "/" OTHER, wrapped_a, &e), -EBADMSG);
	assert_int_equal(fake_requests, 1);
	provider_free(p);
}

static void
disabled_versions_are_passed_over_and_newer_ones_come_first(void **state)
{
	struct provider *p = rotated(3, 2);
	struct err e = { 0 };

	(void)state;
	fake_vault.v[2].disabled = true;
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), 0);
	/* current, then 5, 4 and 2 of the list */
	assert_int_equal(fake_vault.unwraps, 4);
	assert_non_null(strstr(fake_vault.url, "/00000000000000000000000000000002/"));
	provider_free(p);
}

static void
sixteen_versions_are_tried_and_no_more(void **state)
{
	struct provider *p = rotated(1, 15);
	struct err e = { 0 };

	(void)state;
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), 0);
	provider_free(p);
	p = rotated(1, 16);
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), -EBADMSG);
	assert_string_equal(e.event, "integrity.cek");
	assert_int_equal(fake_vault.unwraps, 17);
	provider_free(p);
}

static void
a_long_list_is_read_page_by_page(void **state)
{
	struct provider *p = rotated(1, 9);
	struct err e = { 0 };

	(void)state;
	fake_vault.page = 3;
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), 0);
	assert_int_equal(fake_vault.lists, 4);
	provider_free(p);
}

static void
a_list_that_goes_on_elsewhere_is_not_followed(void **state)
{
	static const char *const elsewhere[] = { "https://evil.example", "http://kv.test:8443",
						 "https://kv.test", "https://kv.test:8443/x",
						 "https://u@kv.test:8443" };
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		struct provider *p = rotated(1, 9);

		fake_vault.page = 3;
		fake_vault.next_origin = elsewhere[i];
		assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), -EBADMSG);
		assert_int_equal(fake_vault.lists, 1);
		assert_int_equal(fake_requests, 2);
		provider_free(p);
	}
}

static void
without_the_right_to_list_the_first_verdict_stands(void **state)
{
	struct provider *p = rotated(1, 1);
	struct err e = { 0 };

	(void)state;
	fake_vault.no_list = true;
	assert_int_equal(unwrap_now(p, NAME, wrapped_a, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "cannot be listed"));
	provider_free(p);
}

static void
a_list_that_speaks_of_other_keys_is_not_believed(void **state)
{
	static const char *const lists[] = {
		"{\"value\":[{\"kid\":\"" EMULATOR "/keys/other/" VERSION
		"\",\"attributes\":{\"enabled\":true}}]}",
		"{\"value\":[{\"kid\":\"https://evil/keys/k/" VERSION
		"\",\"attributes\":{\"enabled\":true}}]}",
		"{\"value\":[{\"kid\":\"" NAME "\",\"attributes\":{\"enabled\":true}}]}",
		"{\"value\":[7]}",
		"{\"value\":{}}",
		"{}",
		"[]",
		"",
	};
	const struct kid asked = { .host = "kv.test", .port = 8443, .name = "k" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		struct vault_versions all = { 0 };
		struct err e = { 0 };
		AUTO_BUF next;

		buf_init(&next, 1000);
		assert_int_equal(vaultanswer_versions(span_str(lists[i]), &asked, &all, &next, &e),
				 -EBADMSG);
		assert_int_equal(next.n, 0);
	}
}

static void
an_unsound_entry_is_refused_at_the_start(void **state)
{
	static const char *const entries[] = { VAULT, "http://v.vault.azure.net", NULL };
	struct provider *p = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(vault_provider_new(NULL, &env, CREDENTIAL_CHAIN, entries, &p, &e),
			 -EINVAL);
	assert_null(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_request_is_what_the_service_documents),
		cmocka_unit_test(every_service_gets_a_token_of_its_own_resource),
		cmocka_unit_test(nothing_leaves_the_process_for_a_planted_key_id),
		cmocka_unit_test(the_provider_itself_refuses_what_it_does_not_claim),
		cmocka_unit_test(aes_keys_are_asked_of_managed_hsms_only),
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
		cmocka_unit_test(a_versionless_id_survives_rotation_and_the_version_is_remembered),
		cmocka_unit_test(a_remembered_version_that_is_gone_is_forgotten),
		cmocka_unit_test(a_versioned_id_is_never_looked_for_elsewhere),
		cmocka_unit_test(disabled_versions_are_passed_over_and_newer_ones_come_first),
		cmocka_unit_test(sixteen_versions_are_tried_and_no_more),
		cmocka_unit_test(a_long_list_is_read_page_by_page),
		cmocka_unit_test(a_list_that_goes_on_elsewhere_is_not_followed),
		cmocka_unit_test(without_the_right_to_list_the_first_verdict_stands),
		cmocka_unit_test(a_list_that_speaks_of_other_keys_is_not_believed),
		cmocka_unit_test(an_unsound_entry_is_refused_at_the_start),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
