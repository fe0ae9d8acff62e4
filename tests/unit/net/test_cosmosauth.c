/* SPDX-License-Identifier: MIT */
/*
 * How requests to Cosmos DB are signed and carry tokens: the account's key against what two SDKs
 * sent, resource tokens, and Entra tokens with their second resource.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "tests/unit/net/calls.h"

#include "backend/net/attempt.h"
#include "backend/net/cosmosauth.h"
#include "backend/net/httpdate.h"

/* The published key of the emulator's account. */
static const char emulator_key[] =
	"C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==";
#define HOST   "https://acct.documents.azure.com"
#define MASTER "type%3Dmaster%26ver%3D1.0%26sig%3D"

static struct secret_text *
text_of(const char *s)
{
	struct secret_text *out = NULL;
	struct err e = { 0 };

	assert_int_equal(secret_text_new(span_str(s), &out, &e), 0);
	return out;
}

/* What an auth puts into a request; the caller clears at. */
static int
apply(struct http_auth *auth, const struct http_request *req, struct http_attempt *at,
      struct err *e)
{
	*e = (struct err){ 0 };
	assert_int_equal(http_attempt_init(at, req, e), 0);
	return auth->ops->apply(auth, at, deadline_in(30 * NS_PER_S), e);
}

/* ---- the account's key */

static const struct {
	const char *method, *path;
	const char *to_sign;   /* but the date */
	const char *signature; /* NULL: not known from elsewhere */
} signed_as[] = {
	{ "GET", "/dbs/db1/colls/c1/docs/item%201", "get\ndocs\ndbs/db1/colls/c1/docs/item 1\n",
	  "DGpzJMijycefeKY%2BjyXrMxTE55vWI5kG%2FilKogGzGfM%3D" },
	{ "GET", "/dbs/db1/clientencryptionkeys/dek1",
	  "get\nclientencryptionkeys\ndbs/db1/clientencryptionkeys/dek1\n",
	  "CwnBSW3WZCmtWy%2FvXbxInLQP6c23NMug6woWRNBdncE%3D" },
	{ "POST", "/dbs/db1/clientencryptionkeys", "post\nclientencryptionkeys\ndbs/db1\n",
	  "jvbTvPhLuDgnCgfy0ZDcXcwaGsP7DFLx3N0PNTtL%2BSM%3D" },
	{ "GET", "/dbs", "get\ndbs\n\n", "%2B7ZrWNxgxd1966vaZHBhcctKAcqcqNzyrMIAkRXPemc%3D" },
	{ "GET", "", "get\n\n\n", "tM4qWd2AzTYpcu87tHykvPGGZ5%2BflQVa0XrYY0U5%2FP8%3D" },
	{ "GET", "/", "get\n\n\n", "tM4qWd2AzTYpcu87tHykvPGGZ5%2BflQVa0XrYY0U5%2FP8%3D" },
	{ "GET", "/dbs/DB", "get\ndbs\ndbs/DB\n", NULL },
	{ "GET", "/dbs/db/colls/C/docs", "get\ndocs\ndbs/db/colls/C\n", NULL },
	{ "POST", "/dbs/db/colls/C/docs?q=a/b", "post\ndocs\ndbs/db/colls/C\n", NULL },
	{ "GET", "/dbs/db/Colls/C/PKRanges", "get\npkranges\ndbs/db/Colls/C\n", NULL },
	{ "GET", "/dbs/d/colls/c/docs/a%2Fb%2fc", "get\ndocs\ndbs/d/colls/c/docs/a/b/c\n", NULL },
	{ "GET", "/dbs/d%2Fe/colls", "get\ncolls\ndbs/d/e\n", NULL },
	{ "GET", "/dbs/d/colls/c/docs/%C3%A9%25%0A", "get\ndocs\ndbs/d/colls/c/docs/\xc3\xa9%\n\n",
	  NULL },
	{ "GET", "/dbs/d/colls/c/docs/..", "get\ndocs\ndbs/d/colls/c/docs/..\n", NULL },
	{ "PUT", "/dbs/d/colls/c/docs/BQ_-x%3D%3D", "put\ndocs\ndbs/d/colls/c/docs/BQ_-x==\n",
	  NULL },
};

static void
a_request_is_signed_over_what_its_path_names(void **state)
{
	AUTO_SECRET_TEXT key = text_of(emulator_key);
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cosmoskey_auth_new(key, &auth, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(signed_as); i++) {
		char url[200], wanted[300];
		const struct http_request req = { .method = signed_as[i].method, .url = url };
		const char *value;
		AUTO_HTTP_ATTEMPT at;
		AUTO_BUF to_sign;

		buf_init(&to_sign, 1024);
		(void)snprintf(url, sizeof(url), HOST "%s", signed_as[i].path);
		(void)snprintf(wanted, sizeof(wanted), "%sfri, 20 nov 2026 00:00:00 gmt\n\n",
			       signed_as[i].to_sign);
		assert_int_equal(apply(auth, &req, &at, &e), 0);
		assert_string_equal(http_attempt_get(&at, "x-ms-date"),
				    "Fri, 20 Nov 2026 00:00:00 GMT");
		assert_int_equal(cosmoskey_string_to_sign(&at, http_attempt_get(&at, "x-ms-date"),
							  &to_sign, &e),
				 0);
		assert_string_equal(buf_str(&to_sign), wanted);
		value = http_attempt_get(&at, "authorization");
		assert_int_equal(strncmp(value, MASTER, strlen(MASTER)), 0);
		if (signed_as[i].signature != NULL)
			assert_string_equal(value + strlen(MASTER), signed_as[i].signature);
	}
	http_auth_free(auth);
}

static void
a_path_that_names_nothing_is_not_signed(void **state)
{
	static const char *const rows[] = { "//",	 "/dbs/",  "/dbs//colls", "//dbs",
					    "/dbs/d%zz", "/dbs/%", "/dbs/%00" };
	AUTO_SECRET_TEXT key = text_of(emulator_key);
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cosmoskey_auth_new(key, &auth, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char url[100];
		const struct http_request req = { .method = "GET", .url = url };
		AUTO_HTTP_ATTEMPT at;

		(void)snprintf(url, sizeof(url), HOST "%s", rows[i]);
		if (apply(auth, &req, &at, &e) != -EINVAL)
			fail_msg("signed: %s", rows[i]);
		assert_null(http_attempt_get(&at, "authorization"));
	}
	http_auth_free(auth);
}

/* ---- what the SDKs sent */

static json_t *
load(const char *set, const char *file)
{
	char path[200];
	json_t *j;

	(void)snprintf(path, sizeof(path), "tests/vectors/%s/%s", set, file);
	j = json_load_file(path, JSON_ALLOW_NUL, NULL);
	if (j == NULL)
		fail_msg("%s cannot be read", path);
	return j;
}

static const char *
member(const json_t *object, const char *name)
{
	const char *s = json_string_value(json_object_get(object, name));

	assert_non_null(s);
	return s;
}

static const char *
header_of(const json_t *request, const char *name)
{
	json_t *pair;
	size_t i;

	json_array_foreach(json_object_get(request, "requestHeaders"), i, pair)
	{
		if (strcasecmp(json_string_value(json_array_get(pair, 0)), name) == 0)
			return json_string_value(json_array_get(pair, 1));
	}
	fail_msg("no header %s", name);
	return NULL;
}

/* Moves the clock to a date as HTTP writes it. */
static void
move_clock(const char *date)
{
	struct tm t = { 0 };

	assert_non_null(strptime(date, "%a, %d %b %Y %H:%M:%S GMT", &t));
	wall_shift_s = 0;
	wall_shift_s = (int64_t)timegm(&t) - fake_wall();
}

/*
 * Links by resource id are signed as the last id alone, in lower case.  One SDK reads pkranges so;
 * this client knows names only.
 */
static bool
is_by_rid(const json_t *request, const char *database)
{
	const char *path = member(request, "path");
	const size_t n = strlen(database);

	return strncmp(path, "/dbs/", 5) == 0 &&
	       (strncmp(path + 5, database, n) != 0 || (path[5 + n] != '\0' && path[5 + n] != '/'));
}

static void
check_request(const json_t *request, struct http_auth *auth)
{
	char url[2048];
	const struct http_request req = { .method = member(request, "method"), .url = url };
	AUTO_HTTP_ATTEMPT at;
	struct err e;

	(void)snprintf(url, sizeof(url), HOST "%s", member(request, "path"));
	move_clock(header_of(request, "x-ms-date"));
	if (apply(auth, &req, &at, &e) != 0)
		fail_msg("%s %s: %s", req.method, url, e.text);
	assert_string_equal(http_attempt_get(&at, "x-ms-date"), header_of(request, "x-ms-date"));
	if (strcmp(http_attempt_get(&at, "authorization"), header_of(request, "authorization")) !=
	    0)
		fail_msg("%s %s: another signature", req.method, url);
}

/* An exchange is one request, or a list of them. */
static void
check_exchange(const json_t *exchange, const char *database, struct http_auth *auth,
	       unsigned *checked, unsigned *by_rid)
{
	json_t *requests = json_object_get(exchange, "requests"), *request;
	size_t i;

	if (requests == NULL) {
		if (is_by_rid(exchange, database)) {
			(*by_rid)++;
			return;
		}
		check_request(exchange, auth);
		(*checked)++;
		return;
	}
	json_array_foreach(requests, i, request)
		check_exchange(request, database, auth, checked, by_rid);
}

static const struct {
	const char *set, *file;
	unsigned checked, by_rid;
} recorded[] = {
	{ "cosmos-js", "http/setup.json", 13, 0 },
	{ "cosmos-js", "http/exchanges.json", 107, 0 },
	{ "cosmos-java", "http/setup.json", 13, 1 },
	{ "cosmos-java", "http/exchanges.json", 46, 5 },
};

static void
every_request_of_the_sdks_has_the_signature_that_we_make(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(recorded); i++) {
		json_t *account = load(recorded[i].set, "account.json");
		json_t *file = load(recorded[i].set, recorded[i].file), *exchange;
		AUTO_SECRET_TEXT key = text_of(member(account, "masterKeyBase64"));
		unsigned checked = 0, by_rid = 0;
		struct http_auth *auth = NULL;
		struct err e = { 0 };
		size_t n;

		assert_int_equal(cosmoskey_auth_new(key, &auth, &e), 0);
		json_array_foreach(file, n, exchange) check_exchange(
			exchange, member(account, "database"), auth, &checked, &by_rid);
		assert_int_equal(checked, recorded[i].checked);
		assert_int_equal(by_rid, recorded[i].by_rid);
		http_auth_free(auth);
		json_decref(file);
		json_decref(account);
	}
	wall_shift_s = 0;
}

static void
each_attempt_is_signed_anew(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 429 Slow\r\nx-ms-retry-after-ms: 5000\r\nContent-Length: "
			  "0\r\n\r\n" },
		{ .text = OK_HI },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	AUTO_SECRET_TEXT key = text_of(emulator_key);
	struct http_client *c = plain_client();
	struct http_auth *auth = NULL;
	struct call_result out;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cosmoskey_auth_new(key, &auth, &e), 0);
	call(c, auth, p, "/dbs/d", (struct http_request){ 0 }, 60 * NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	assert_non_null(strstr(peer_request(p, 0), "x-ms-date: Fri, 20 Nov 2026 00:00:00 GMT"));
	assert_non_null(strstr(peer_request(p, 1), "x-ms-date: Fri, 20 Nov 2026 00:00:05 GMT"));
	call_clear(&out);
	http_auth_free(auth);
	http_client_free(c);
	peer_stop(p);
}

static void
a_key_that_is_not_base64_is_refused(void **state)
{
	static const char *const rows[] = { "", "abc", "a b=", "AAAA\nAAAA", "AAAA-_==" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_SECRET_TEXT key = text_of(rows[i]);
		struct http_auth *auth = NULL;
		struct err e = { 0 };

		assert_int_equal(cosmoskey_auth_new(key, &auth, &e), -EINVAL);
		assert_null(auth);
	}
}

static void
a_date_beyond_the_calendar_is_refused(void **state)
{
	AUTO_BUF out;
	struct err e = { 0 };

	(void)state;
	buf_init(&out, 64);
	assert_int_equal(httpdate_write(0, &out, &e), 0);
	assert_string_equal(buf_str(&out), "Thu, 01 Jan 1970 00:00:00 GMT");
	assert_int_equal(httpdate_write(INT64_MAX, &out, &e), -EINVAL);
}

/* ---- resource tokens */

#define TOKEN "type=resource&ver=1&sig=a+/b==;c==;"

static const struct http_request to_account = { .method = "GET", .url = HOST "/dbs/d/colls/c" };

static void
assert_sends(struct http_auth *auth, const char *wanted)
{
	AUTO_HTTP_ATTEMPT at;
	struct err e;

	if (apply(auth, &to_account, &at, &e) != 0)
		fail_msg("%s", e.text);
	assert_string_equal(http_attempt_get(&at, "authorization"), wanted);
	assert_non_null(http_attempt_secret(&at));
}

static void
a_resource_token_is_sent_encoded(void **state)
{
	AUTO_SECRET_TEXT token = text_of(TOKEN);
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(cosmostoken_auth_new(token, NULL, &auth, &e), 0);
	assert_sends(auth, "type%3Dresource%26ver%3D1%26sig%3Da%2B%2Fb%3D%3D%3Bc%3D%3D%3B");
	http_auth_free(auth);
}

static void
anything_else_is_no_resource_token(void **state)
{
	static const char *const rows[] = {
		"",
		"TOPSECRET",
		"type=master&ver=1.0&sig=TOPSECRET",
		"type=aad&ver=1.0&sig=TOPSECRET",
		"type=resource&ver=2&sig=TOPSECRET",
		"type=resource&ver=1&sig=",
		"type=resource&ver=1",
		"type%3Dresource%26ver%3D1%26sig%3DTOPSECRET",
		"type=resource&ver=1&sig=TOP SECRET",
		"type=resource&ver=1&sig=TOPSECRET\r\nx: y",
		"type=resource&ver=1&sig=TOPSECRET\xc3\xa9",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_SECRET_TEXT token = text_of(rows[i]);
		struct http_auth *auth = NULL;
		struct err e = { 0 };

		if (cosmostoken_auth_new(token, NULL, &auth, &e) != -EINVAL)
			fail_msg("accepted: %s", rows[i]);
		assert_null(auth);
		assert_null(strstr(e.text, "SECRET"));
	}
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode) | close(fd), 0);
}

static void
a_renewed_token_file_is_read_again(void **state)
{
	char path[] = "/tmp/azcryptfs-token-XXXXXX";
	AUTO_SECRET_TEXT token = text_of(TOKEN);
	int fd = mkstemp(path);
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0);
	assert_int_equal(cosmostoken_auth_new(token, path, &auth, &e), 0);
	write_file(path, "type=resource&ver=1&sig=one\n", 0600);
	assert_sends(auth, "type%3Dresource%26ver%3D1%26sig%3Done");
	assert_sends(auth, "type%3Dresource%26ver%3D1%26sig%3Done");
	write_file(path, "type=resource&ver=1&sig=second\n", 0600);
	assert_sends(auth, "type%3Dresource%26ver%3D1%26sig%3Dsecond");
	for (int i = 0; i < 2; i++) {
		AUTO_HTTP_ATTEMPT at;

		write_file(path, i == 0 ? "TOPSECRET" : TOKEN, i == 0 ? 0600 : 0644);
		assert_int_equal(apply(auth, &to_account, &at, &e), i == 0 ? -EINVAL : -EACCES);
		assert_non_null(strstr(e.text, path));
		assert_null(strstr(e.text, "TOPSECRET"));
	}
	assert_int_equal(unlink(path), 0);
	http_auth_free(auth);
}

/* ---- Entra */

#define REPLY(status, n, body) "HTTP/1.1 " status "\r\nContent-Length: " n "\r\n\r\n" body
#define TOKEN_BODY(text)       "{\"expires_in\":3600,\"access_token\":\"" text "\"}"
#define TOKEN_1		       REPLY("200 OK", "44", TOKEN_BODY("eyJ1.-_"))
#define TOKEN_2		       REPLY("200 OK", "44", TOKEN_BODY("eyJ2.-_"))
#define REFUSED(code)                  \
	REPLY("400 Bad Request", "62", \
	      "{\"error\":\"invalid_resource\",\"error_codes\":[" code "]           }")
#define AAD(token) "type%3Daad%26ver%3D1.0%26sig%3D" token

/* An issuer, and sources of tokens for both resources. */
struct fixture {
	struct peer *p;
	struct http_client *c;
	struct identity_env env;
	struct token_source *own, *fallback;
	struct http_auth *auth;
};

static void
set_up(struct fixture *f, const struct peer_reply *script, size_t n, bool with_fallback)
{
	struct err e = { 0 };

	*f = (struct fixture){ .p = peer_start(
				       &(struct peer_config){ .script = script, .n_script = n }) };
	f->c = plain_client();
	f->env.authority = strdup(peer_url(f->p));
	f->env.tenant = strdup("t");
	f->env.client_id = strdup("c");
	f->env.client_secret = text_of("s");
	assert_int_equal(token_source_new(f->c, &f->env, CREDENTIAL_ENVIRONMENT, HOST, &f->own, &e),
			 0);
	assert_int_equal(token_source_new(f->c, &f->env, CREDENTIAL_ENVIRONMENT,
					  "https://cosmos.azure.com", &f->fallback, &e),
			 0);
	assert_int_equal(cosmosaad_auth_new(f->own, with_fallback ? f->fallback : NULL,
					    HOST ":443/dbs", &f->auth, &e),
			 0);
}

static void
tear_down(struct fixture *f)
{
	http_auth_free(f->auth);
	token_source_free(f->own);
	token_source_free(f->fallback);
	http_client_free(f->c);
	identity_env_clear(&f->env);
	peer_stop(f->p);
}

static void
assert_asked_for(struct fixture *f, unsigned i, const char *scope)
{
	assert_non_null(peer_request(f->p, i));
	if (strstr(peer_request(f->p, i), scope) == NULL)
		fail_msg("request %u is not for %s", i, scope);
}

#define OWN_SCOPE      "scope=https%3A%2F%2Facct.documents.azure.com%2F.default&"
#define FALLBACK_SCOPE "scope=https%3A%2F%2Fcosmos.azure.com%2F.default&"

static void
a_token_is_sent_in_the_form_of_cosmos(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 }, { .text = TOKEN_2 } };
	struct fixture f;
	AUTO_HTTP_ATTEMPT at;
	struct err e;

	(void)state;
	set_up(&f, script, 2, true);
	assert_sends(f.auth, AAD("eyJ1.-_"));
	assert_int_equal(apply(f.auth, &to_account, &at, &e), 0);
	assert_int_equal(peer_requests(f.p), 1);
	assert_asked_for(&f, 0, OWN_SCOPE);
	assert_true(f.auth->ops->refused(f.auth, &at));
	assert_sends(f.auth, AAD("eyJ2.-_"));
	tear_down(&f);
}

static void
a_tenant_that_does_not_know_the_account_is_asked_for_all_of_them(void **state)
{
	static const struct peer_reply script[] = { { .text = REFUSED("500011") },
						    { .text = TOKEN_1 },
						    { .text = TOKEN_2 } };
	struct fixture f;
	AUTO_HTTP_ATTEMPT at;
	struct err e;

	(void)state;
	set_up(&f, script, 3, true);
	assert_sends(f.auth, AAD("eyJ1.-_"));
	fake_sleep(60 * NS_PER_S);
	assert_int_equal(apply(f.auth, &to_account, &at, &e), 0);
	assert_int_equal(peer_requests(f.p), 2);
	assert_asked_for(&f, 0, OWN_SCOPE);
	assert_asked_for(&f, 1, FALLBACK_SCOPE);
	assert_true(f.auth->ops->refused(f.auth, &at));
	assert_sends(f.auth, AAD("eyJ2.-_"));
	assert_asked_for(&f, 2, FALLBACK_SCOPE);
	tear_down(&f);
}

static const struct {
	const char *label, *first;
	bool with_fallback;
	const char *says;
} refusals[] = {
	{ "another refusal is final", REFUSED("700016"), true, "AADSTS700016" },
	{ "without a fallback, that one too", REFUSED("500011"), false, "AADSTS500011" },
	{ "what is no JWT is not sent",
	  REPLY("200 OK", "42", "{\"expires_in\":3600,\"access_token\":\"eyJ+/\"}"), true,
	  "no JWT" },
};

static void
other_refusals_are_reported(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		const struct peer_reply script[] = { { .text = refusals[i].first },
						     { .text = TOKEN_1 } };
		AUTO_HTTP_ATTEMPT at;
		struct fixture f;
		struct err e;

		(void)use_fake_clock(state);
		set_up(&f, script, 2, refusals[i].with_fallback);
		if (apply(f.auth, &to_account, &at, &e) != -EACCES)
			fail_msg("%s: sent", refusals[i].label);
		assert_string_equal(e.event, "auth.entra");
		if (strstr(e.text, refusals[i].says) == NULL)
			fail_msg("%s: %s", refusals[i].label, e.text);
		assert_null(http_attempt_get(&at, "authorization"));
		assert_int_equal(peer_requests(f.p), 1);
		tear_down(&f);
	}
}

static void
a_refusal_of_the_fallback_is_the_one_reported(void **state)
{
	static const struct peer_reply script[] = { { .text = REFUSED("500011") },
						    { .text = REFUSED("700016") } };
	AUTO_HTTP_ATTEMPT at;
	struct fixture f;
	struct err e;

	(void)state;
	set_up(&f, script, 2, true);
	assert_int_equal(apply(f.auth, &to_account, &at, &e), -EACCES);
	assert_non_null(strstr(e.text, "AADSTS700016"));
	assert_int_equal(peer_requests(f.p), 2);
	tear_down(&f);
}

static void
a_token_goes_to_its_account_only(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 } };
	static const char *const elsewhere[] = {
		"https://other.documents.azure.com/dbs",
		"https://acct.documents.azure.com:8081/dbs",
		"https://acct.documents.azure.com.evil.example/dbs",
		"http://acct.documents.azure.com/dbs",
	};
	struct http_auth *none = NULL;
	struct fixture f;
	struct err e = { 0 };

	(void)state;
	set_up(&f, script, 1, true);
	for (size_t i = 0; i < ARRAY_LEN(elsewhere); i++) {
		const struct http_request req = { .method = "GET", .url = elsewhere[i] };
		AUTO_HTTP_ATTEMPT at;

		assert_int_equal(apply(f.auth, &req, &at, &e), -EACCES);
		assert_string_equal(e.event, "policy.token");
		assert_null(http_attempt_get(&at, "authorization"));
	}
	assert_int_equal(peer_requests(f.p), 0);
	err_clear(&e);
	assert_int_equal(cosmosaad_auth_new(f.own, NULL, "http://127.0.0.1:1", &none, &e), -EACCES);
	assert_null(none);
	tear_down(&f);
}

#define FAKE(test) cmocka_unit_test_setup(test, use_fake_clock)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(a_request_is_signed_over_what_its_path_names),
		FAKE(a_path_that_names_nothing_is_not_signed),
		FAKE(every_request_of_the_sdks_has_the_signature_that_we_make),
		FAKE(each_attempt_is_signed_anew),
		FAKE(a_key_that_is_not_base64_is_refused),
		FAKE(a_date_beyond_the_calendar_is_refused),
		FAKE(a_resource_token_is_sent_encoded),
		FAKE(anything_else_is_no_resource_token),
		FAKE(a_renewed_token_file_is_read_again),
		FAKE(a_token_is_sent_in_the_form_of_cosmos),
		FAKE(a_tenant_that_does_not_know_the_account_is_asked_for_all_of_them),
		FAKE(other_refusals_are_reported),
		FAKE(a_refusal_of_the_fallback_is_the_one_reported),
		FAKE(a_token_goes_to_its_account_only),
	};

	return cmocka_run_group_tests(tests, use_fake_clock, use_real_clock);
}
