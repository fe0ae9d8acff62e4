/* SPDX-License-Identifier: MIT */
/*
 * Entra tokens: each credential, their chain, and when a token is asked for, renewed and forgotten.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/net/calls.h"

#include "backend/net/token.h"

#define RESOURCE	       "https://vault.azure.net"
#define REPLY(status, n, body) "HTTP/1.1 " status "\r\nContent-Length: " n "\r\n\r\n" body
#define TOKEN_1               \
	REPLY("200 OK", "63", \
	      "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"eyJ1\"}")
#define TOKEN_2               \
	REPLY("200 OK", "63", \
	      "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"eyJ2\"}")
#define REFUSED                                                                       \
	REPLY("401 Unauthorized", "130",                                              \
	      "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: " \
	      "hush\",\"error_codes\":[7000215],"                                     \
	      "\"correlation_id\":\"c0ffee-1\"  }        ")

/* An issuer, and identities that point to it. */
struct fixture {
	struct peer *p;
	struct http_client *c;
	struct identity_env env;
	struct token_source *t;
	struct err e;
};

static char *
copy(const char *s)
{
	char *out = strdup(s);

	assert_non_null(out);
	return out;
}

static struct secret_text *
secret(const char *s)
{
	struct secret_text *out = NULL;
	struct err e = { 0 };

	assert_int_equal(secret_text_new(span_str(s), &out, &e), 0);
	return out;
}

static void
set_up(struct fixture *f, const struct peer_reply *script, size_t n)
{
	*f = (struct fixture){ .p = peer_start(
				       &(struct peer_config){ .script = script, .n_script = n }) };
	f->c = plain_client();
	f->env.authority = copy(peer_url(f->p));
	f->env.imds_host = copy("http://127.0.0.1:1");
}

static void
set_secret(struct fixture *f)
{
	f->env.tenant = copy("tenant-1");
	f->env.client_id = copy("client-1");
	f->env.client_secret = secret("p&ss word");
}

static void
make_source(struct fixture *f, enum credential_kind kind)
{
	assert_int_equal(token_source_new(f->c, &f->env, kind, RESOURCE, &f->t, &f->e), 0);
}

static void
tear_down(struct fixture *f)
{
	token_source_free(f->t);
	http_client_free(f->c);
	identity_env_clear(&f->env);
	peer_stop(f->p);
}

static void
assert_begins(const char *text, const char *with)
{
	if (strncmp(text, with, strlen(with)) != 0)
		fail_msg("\"%s\" does not begin with \"%s\"", text, with);
}

static int
get(struct fixture *f, const char *token)
{
	AUTO_SECRET_TEXT got = NULL;
	int r;

	err_clear(&f->e);
	r = token_source_get(f->t, deadline_in(30 * NS_PER_S), &got, &f->e);
	if (r == 0)
		assert_string_equal(secret_text_borrow(got), token);
	else
		assert_null(got);
	return r;
}

static void
a_client_secret_is_exchanged(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 } };
	struct fixture f;
	const char *seen;

	(void)state;
	set_up(&f, script, 1);
	set_secret(&f);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_string_equal(token_source_credential(f.t), "");
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_string_equal(token_source_credential(f.t), "environment");
	assert_int_equal(peer_requests(f.p), 1);
	seen = peer_request(f.p, 0);
	assert_begins(seen, "POST /tenant-1/oauth2/v2.0/token HTTP/1.1\r\n");
	assert_non_null(strstr(seen, "Content-Type: application/x-www-form-urlencoded\r\n"));
	assert_non_null(strstr(
		seen,
		"\r\n\r\ngrant_type=client_credentials&client_id=client-1&"
		"scope=https%3A%2F%2Fvault.azure.net%2F.default&client_secret=p%26ss%20word"));
	tear_down(&f);
}

static void
write_text(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode) | close(fd), 0);
}

static void
a_federated_token_is_read_for_each_request(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 }, { .text = TOKEN_2 } };
	char path[] = "/tmp/azcryptfs-federated-XXXXXX";
	int fd = mkstemp(path);
	struct fixture f;

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0);
	set_up(&f, script, 2);
	f.env.tenant = copy("t");
	f.env.client_id = copy("c");
	f.env.federated_file = copy(path);
	make_source(&f, CREDENTIAL_CHAIN);
	write_text(path, "assert.one\n", 0644);
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_string_equal(token_source_credential(f.t), "workload");
	write_text(path, "assert.two\n", 0644);
	fake_sleep(3601 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ2"), 0);
	assert_non_null(strstr(peer_request(f.p, 0),
			       "client-assertion-type%3Ajwt-bearer&client_assertion=assert.one"));
	assert_non_null(strstr(peer_request(f.p, 1), "&client_assertion=assert.two"));
	assert_int_equal(unlink(path), 0);
	tear_down(&f);
}

static void
an_app_asks_its_own_endpoint(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = REPLY("200 OK", "49",
				"{\"expires_on\":\"1795136400\",\"access_token\":\"eyJ1\"}") },
	};
	char endpoint[80];
	struct fixture f;

	(void)state;
	set_up(&f, script, 1);
	(void)snprintf(endpoint, sizeof(endpoint), "%s/msi/token", peer_url(f.p));
	f.env.identity_endpoint = copy(endpoint);
	f.env.identity_header = secret("header-secret");
	f.env.client_id = copy("user-1");
	make_source(&f, CREDENTIAL_MANAGED);
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_string_equal(token_source_credential(f.t), "managed");
	assert_begins(peer_request(f.p, 0),
		      "GET /msi/token?api-version=2019-08-01&resource=https%3A%2F%2Fvault"
		      ".azure.net&client_id=user-1 HTTP/1.1\r\n");
	assert_non_null(strstr(peer_request(f.p, 0), "X-IDENTITY-HEADER: header-secret\r\n"));
	fake_sleep(3599 *
		   NS_PER_S); /* expires_on is an hour after the start of the fake wall clock */
	assert_int_equal(get(&f, "eyJ1"), 0);
	tear_down(&f);
}

static void
the_metadata_service_is_probed_once(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = REPLY("400 Bad Request", "0", "") },
		{ .text = REPLY("404 Not yet", "0", "") },
		{ .text = REPLY("410 Gone", "0", "") },
		{ .text = TOKEN_1 },
		{ .text = TOKEN_2 },
	};
	struct fixture f;
	int64_t start = fake_now();

	(void)state;
	set_up(&f, script, 5);
	free(f.env.imds_host);
	f.env.imds_host = copy(peer_url(f.p));
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_int_equal((fake_now() - start) / NS_PER_S, 11);
	assert_string_equal(token_source_credential(f.t), "managed");
	fake_sleep(3601 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ2"), 0);
	assert_int_equal(peer_requests(f.p), 5);
	for (unsigned i = 0; i < 5; i++) {
		assert_begins(peer_request(f.p, i),
			      "GET /metadata/identity/oauth2/token?api-version=2018-02-01&"
			      "resource=https%3A%2F%2Fvault.azure.net HTTP/1.1\r\n");
		assert_int_equal(strstr(peer_request(f.p, i), "Metadata: true\r\n") != NULL, i > 0);
	}
	tear_down(&f);
}

/* Other clouds have a service at that address, too; the one of Azure answers a probe with 400. */
static void
the_metadata_service_of_another_cloud_is_passed_over(void **state)
{
	static const struct peer_reply replies[] = {
		{ .text = REPLY("401 Unauthorized", "0", "") },
		{ .text = REPLY("403 Forbidden", "0", "") },
		{ .text = REPLY("404 Not Found", "0", "") },
	};
	char *before = copy(getenv("PATH"));

	(void)state;
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(replies); i++) {
		struct fixture f;

		set_up(&f, &replies[i], 1);
		free(f.env.imds_host);
		f.env.imds_host = copy(peer_url(f.p));
		make_source(&f, CREDENTIAL_CHAIN);
		assert_int_equal(get(&f, NULL), -EACCES);
		assert_non_null(strstr(f.e.text, "cli: the Azure CLI (az) is not installed"));
		assert_int_equal(peer_requests(f.p), 1);
		tear_down(&f);
	}
	assert_int_equal(setenv("PATH", before, 1), 0);
	free(before);
}

/* A directory with a program "az" in front of the path; its text is a shell script. */
static char *
plant_az(const char *script)
{
	static char dir[64];
	char path[96], value[512];

	(void)snprintf(dir, sizeof(dir), "/tmp/azcryptfs-az-XXXXXX");
	assert_non_null(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/az", dir);
	write_text(path, script, 0700);
	(void)snprintf(value, sizeof(value), "%s:/usr/bin:/bin", dir);
	assert_int_equal(setenv("PATH", value, 1), 0);
	return dir;
}

static void
remove_az(const char *dir)
{
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/az", dir);
	(void)unlink(path);
	(void)snprintf(path, sizeof(path), "%s/args", dir);
	(void)unlink(path);
	(void)rmdir(dir);
}

static void
the_cli_is_asked_without_a_shell(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 } };
	static const struct {
		const char *az;
		int rc;
		const char *says;
	} rows[] = {
		{ "#!/bin/sh\necho \"$PWD $AZURE_CORE_NO_COLOR $@\" > ${0%az}args\n"
		  "echo '{\"accessToken\":\"cli-token\",\"expires_on\":'$(($(date +%s) + "
		  "60))',\"expiresOn\":\"2000-01-01 00:00:00.0\"}'\n",
		  0, NULL },
		{ "#!/bin/sh\ndate -d '+1 hour' "
		  "'+{\"accessToken\":\"cli-token\",\"expiresOn\":\"%F %T.000000\"}'\n",
		  0, NULL },
		{ "#!/bin/sh\necho \"ERROR: Please run 'az login' to setup account. hush\" >&2; "
		  "exit 1\n",
		  -EACCES, "nobody is logged in" },
		{ "#!/bin/sh\necho 'AADSTS50076: hush' >&2; exit 1\n", -EACCES, "AADSTS50076" },
		{ "#!/bin/sh\nexit 3\n", -EACCES, "the Azure CLI failed" },
		{ "#!/bin/sh\necho hush\n", -EACCES, "holds no valid token" },
		{ "#!/bin/sh\necho '{\"accessToken\":\"hu sh\",\"expires_on\":'$(($(date +%s) + "
		  "60))'}'\n",
		  -EACCES, "characters" },
		{ "#!/bin/sh\necho '{\"accessToken\":\"hush\",\"expires_on\":'$(($(date +%s) - "
		  "1))'}'\n",
		  -EACCES, "no valid token" },
		{ "#!/bin/sh\nyes hush | head -c 1000000\n", -EACCES, "" },
		{ "#!/bin/missing\n", -EACCES, "" },
	};
	char *before = copy(getenv("PATH"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;
		char *dir;

		set_up(&f, script, 1);
		f.env.tenant = copy("tenant-1");
		dir = plant_az(rows[i].az);
		make_source(&f, CREDENTIAL_CLI);
		if (get(&f, "cli-token") != rows[i].rc)
			fail_msg("row %zu: %s", i, f.e.text);
		assert_null(strstr(f.e.text, "hush"));
		if (rows[i].says != NULL && strstr(f.e.text, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, f.e.text);
		if (i == 0) {
			char path[96], text[300] = "";
			FILE *args;

			(void)snprintf(path, sizeof(path), "%s/args", dir);
			args = fopen(path, "r");
			assert_non_null(args);
			assert_non_null(fgets(text, sizeof(text), args));
			assert_int_equal(fclose(args), 0);
			assert_non_null(strstr(text,
					       "bin true account get-access-token --output json "
					       "--resource " RESOURCE " --tenant tenant-1\n"));
		}
		remove_az(dir);
		tear_down(&f);
	}
	assert_int_equal(setenv("PATH", before, 1), 0);
	free(before);
}

static void
a_cli_that_hangs_is_killed_at_the_deadline(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 } };
	char *before = copy(getenv("PATH")),
	     *dir = plant_az("#!/bin/sh\nexec >&- 2>&-\nsleep 1000\n");
	AUTO_SECRET_TEXT got = NULL;
	struct fixture f;
	int64_t start;

	(void)state;
	set_up(&f, script, 1);
	make_source(&f, CREDENTIAL_CLI);
	start = clock_now_ns();
	assert_int_equal(token_source_get(f.t, deadline_in(300 * NS_PER_MS), &got, &f.e), -EACCES);
	assert_non_null(strstr(f.e.text, "too long"));
	assert_in_range(clock_now_ns() - start, 290 * NS_PER_MS, 2 * NS_PER_S);
	remove_az(dir);
	tear_down(&f);
	assert_int_equal(setenv("PATH", before, 1), 0);
	free(before);
}

static void
without_any_credential_the_answer_says_what_was_tried(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 } };
	char *before = copy(getenv("PATH"));
	struct fixture f;

	(void)state;
	assert_int_equal(setenv("PATH", "/nonexistent", 1), 0);
	set_up(&f, script, 1);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(get(&f, NULL), -EACCES);
	assert_string_equal(f.e.event, "auth.entra");
	assert_non_null(strstr(f.e.text, "environment: AZURE_TENANT_ID is not set"));
	assert_non_null(strstr(f.e.text, "workload: AZURE_FEDERATED_TOKEN_FILE is not set"));
	assert_non_null(strstr(f.e.text, "managed: no metadata service"));
	assert_int_equal(peer_requests(f.p), 0);
	tear_down(&f);
	assert_int_equal(setenv("PATH", before, 1), 0);
	free(before);
}

/* Whoever asks Entra, its number is there to act upon: in a body, or in what the CLI says. */
static void
the_number_of_a_refusal_is_known_whoever_asked(void **state)
{
#define UNKNOWN                                                        \
	REPLY("400 Bad", "90",                                         \
	      "{\"error\":\"invalid_resource\",\"error_description\":" \
	      "\"AADSTS500011: the resource is not there\"}")
	static const struct {
		enum credential_kind kind;
		uint64_t aadsts;
		struct peer_reply script[3];
	} rows[] = {
		{ CREDENTIAL_ENVIRONMENT, 500011, { { .text = UNKNOWN } } },
		{ CREDENTIAL_ENVIRONMENT, 0, { { .text = REPLY("400 Bad", "2", "{}") } } },
		{ CREDENTIAL_WORKLOAD, 500011, { { .text = UNKNOWN } } },
		{ CREDENTIAL_MANAGED,
		  500011,
		  { { .text = REPLY("400 Bad", "0", "") }, { .text = UNKNOWN } } },
		{ CREDENTIAL_MANAGED, 0, { { .text = REPLY("400 Bad", "2", "{}") } } },
		{ CREDENTIAL_CLI, 500011, { { .text = UNKNOWN } } },
	};
	char *before = copy(getenv("PATH"));
	const char *dir = plant_az("#!/bin/sh\necho 'AADSTS500011: hush' >&2; exit 1\n");
	char path[96];

	(void)snprintf(path, sizeof(path), "%s/args", dir);
	write_text(path, "assertion", 0600);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		(void)(rows[i].kind == CREDENTIAL_CLI ? use_real_clock : use_fake_clock)(state);
		set_up(&f, rows[i].script, rows[i].script[1].text != NULL ? 2 : 1);
		set_secret(&f);
		f.env.federated_file = copy(path);
		free(f.env.imds_host);
		f.env.imds_host = copy(peer_url(f.p));
		make_source(&f, rows[i].kind);
		assert_int_equal(token_source_aadsts(f.t), 0);
		assert_int_equal(get(&f, NULL), -EACCES);
		if (token_source_aadsts(f.t) != rows[i].aadsts)
			fail_msg("row %zu: %s", i, f.e.text);
		assert_null(strstr(f.e.text, "is not there"));
		tear_down(&f);
	}
	remove_az(dir);
	assert_int_equal(setenv("PATH", before, 1), 0);
	free(before);
}

static void
a_token_ends_the_refusal(void **state)
{
	static const struct peer_reply script[] = { { .text = REFUSED }, { .text = TOKEN_1 } };
	struct fixture f;

	(void)state;
	set_up(&f, script, 2);
	set_secret(&f);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(get(&f, NULL), -EACCES);
	assert_int_equal(token_source_aadsts(f.t), 7000215);
	fake_sleep(60 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_int_equal(token_source_aadsts(f.t), 0);
	tear_down(&f);
}

/*
 * One answer for ever: the errno, what the text says, and that the next credential was not tried.
 */
static void
a_refusal_is_final_and_repeats_nothing_secret(void **state)
{
	static const struct {
		const char *reply;
		const char *says;
	} rows[] = {
		{ REFUSED, "AADSTS7000215 (invalid_client), correlation id c0ffee-1" },
		{ REPLY("400 Bad", "4", "hush"), "status 400 (no error name)" },
		{ REPLY("403 No", "0", ""), "status 403" },
		{ REPLY("200 OK", "4", "hush"), "is not JSON" },
		{ REPLY("200 OK", "2", "[]"), "is not JSON" },
		{ REPLY("200 OK", "2", "{}"), "holds no token" },
		{ REPLY("200 OK", "23", "{\"access_token\":\"hush\"}"), "no lifetime" },
		{ REPLY("200 OK", "40", "{\"access_token\":\"hush\",\"expires_in\":\"0\"}"),
		  "no lifetime" },
		{ REPLY("200 OK", "39", "{\"access_token\":\"hush\",\"expires_in\":-1}"),
		  "no lifetime" },
		{ REPLY("200 OK", "43", "{\"access_token\":\"hu\\nsh\",\"expires_in\":3600}"),
		  "characters" },
		{ REPLY("200 OK", "37", "{\"access_token\":\"\",\"expires_in\":3600}"), "0 bytes" },
		{ REPLY("200 OK", "60",
			"{\"access_token\":\"hush\",\"expires_in\":3600,\"token_type\":\"pop\"}"),
		  "foreign type" },
		{ REPLY("200 OK", "39", "{\"access_token\":\"a\",\"access_token\":\"b\"}"),
		  "is not JSON" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct peer_reply script[] = { { .text = rows[i].reply } };
		struct fixture f;

		(void)use_fake_clock(state);
		set_up(&f, script, 1);
		set_secret(&f);
		make_source(&f, CREDENTIAL_CHAIN);
		assert_int_equal(get(&f, NULL), -EACCES);
		assert_string_equal(f.e.event, "auth.entra");
		if (strstr(f.e.text, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, f.e.text);
		assert_null(strstr(f.e.text, "hush"));
		assert_null(strstr(f.e.text, "p&ss"));
		assert_int_equal(peer_requests(f.p), 1);
		assert_int_equal(get(&f, NULL), -EACCES); /* believed for a moment */
		assert_int_equal(peer_requests(f.p), 1);
		fake_sleep(6 * NS_PER_S);
		assert_int_equal(get(&f, NULL), -EACCES);
		assert_int_equal(peer_requests(f.p), 2);
		tear_down(&f);
	}
}

static void
troubles_of_the_issuer_are_bounded(void **state)
{
	static const struct {
		struct peer_reply reply;
		int rc;
	} rows[] = {
		{ { .text = REPLY("429 Slow", "0", "") }, -ETIMEDOUT },
		{ { .text = REPLY("503 Busy", "0", "") }, -ETIMEDOUT },
		{ { .text = REPLY("200 OK", "10000000", ""), .end = PEER_STALL }, -EIO },
		{ { .text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		    .end = PEER_REPEAT,
		    .repeat = "1\r\n \r\n" },
		  -EIO },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct fixture f;

		set_up(&f, &rows[i].reply, 1);
		set_secret(&f);
		make_source(&f, CREDENTIAL_CHAIN);
		assert_int_equal(get(&f, NULL), rows[i].rc);
		tear_down(&f);
	}
}

static void
a_stale_assertion_is_read_again_once(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = REPLY("401 No", "41",
				"{\"error\":\"x\",\"error_codes\":[700024]  }   ") },
		{ .text = TOKEN_1 },
	};
	char path[] = "/tmp/azcryptfs-federated-XXXXXX";
	int fd = mkstemp(path);
	struct fixture f;

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0);
	write_text(path, "a", 0600);
	set_up(&f, script, 2);
	f.env.tenant = copy("t");
	f.env.client_id = copy("c");
	f.env.federated_file = copy(path);
	make_source(&f, CREDENTIAL_WORKLOAD);
	assert_int_equal(get(&f, "eyJ1"), 0);
	assert_int_equal(peer_requests(f.p), 2);
	assert_int_equal(unlink(path), 0);
	tear_down(&f);
}

static void *
get_in_thread(void *arg)
{
	struct fixture *f = arg;
	AUTO_SECRET_TEXT got = NULL;
	struct err e = { 0 };

	return (void *)(intptr_t)token_source_get(f->t, deadline_in(20 * NS_PER_S), &got, &e);
}

static void
a_hundred_threads_cause_one_request(void **state)
{
	static const struct {
		struct peer_reply reply;
		int rc;
	} rows[] = { { { .text = TOKEN_1, .wait_ms = 200 }, 0 },
		     { { .text = REFUSED, .wait_ms = 200 }, -EACCES } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		pthread_t threads[100];
		struct fixture f;

		set_up(&f, &rows[i].reply, 1);
		set_secret(&f);
		make_source(&f, CREDENTIAL_CHAIN);
		for (size_t j = 0; j < ARRAY_LEN(threads); j++)
			assert_int_equal(pthread_create(&threads[j], NULL, get_in_thread, &f), 0);
		for (size_t j = 0; j < ARRAY_LEN(threads); j++) {
			void *rc;

			assert_int_equal(pthread_join(threads[j], &rc), 0);
			assert_int_equal((int)(intptr_t)rc, rows[i].rc);
		}
		assert_int_equal(peer_requests(f.p), 1);
		tear_down(&f);
	}
}

static void
wait_for_requests(struct peer *p, unsigned n)
{
	for (int i = 0; i < 1000 && peer_requests(p) < n; i++)
		(void)usleep(5000);
	assert_int_equal(peer_requests(p), n);
}

/* The renewal happens in another thread: look until it shows. */
static void
wait_for_token(struct fixture *f, const char *token)
{
	for (int i = 0; i < 1000; i++) {
		AUTO_SECRET_TEXT got = NULL;
		struct err e = { 0 };

		assert_int_equal(token_source_get(f->t, deadline_in(30 * NS_PER_S), &got, &e), 0);
		if (strcmp(secret_text_borrow(got), token) == 0)
			return;
		(void)usleep(5000);
	}
	fail_msg("the token was not renewed");
}

static void
a_token_is_renewed_ahead_of_its_end(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 }, { .text = TOKEN_2 } };
	struct fixture f;

	(void)state;
	set_up(&f, script, 2);
	set_secret(&f);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(get(&f, "eyJ1"), 0);
	fake_sleep(3299 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ1"), 0);
	(void)usleep(50000);
	assert_int_equal(peer_requests(f.p), 1);
	fake_sleep(2 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ1"), 0); /* nobody waits for the renewal */
	wait_for_requests(f.p, 2);
	wait_for_token(&f, "eyJ2");
	assert_int_equal(peer_requests(f.p), 2);
	tear_down(&f);
}

static void
a_failed_renewal_leaves_the_old_token(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 }, { .text = REFUSED } };
	struct fixture f;

	(void)state;
	set_up(&f, script, 2);
	set_secret(&f);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(get(&f, "eyJ1"), 0);
	fake_sleep(3400 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ1"), 0);
	wait_for_requests(f.p, 2);
	(void)usleep(50000);
	for (int i = 0; i < 10; i++)
		assert_int_equal(get(&f, "eyJ1"), 0);
	assert_int_equal(peer_requests(f.p), 2); /* not again at once */
	fake_sleep(31 * NS_PER_S);
	assert_int_equal(get(&f, "eyJ1"), 0);
	wait_for_requests(f.p, 3);
	(void)usleep(50000);
	fake_sleep(300 * NS_PER_S);
	assert_int_equal(get(&f, NULL), -EACCES);
	tear_down(&f);
}

static void
a_wall_clock_that_jumps_changes_nothing(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 } };
	struct fixture f;

	(void)state;
	set_up(&f, script, 1);
	set_secret(&f);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(get(&f, "eyJ1"), 0);
	wall_shift_s = 2 * 86400;
	assert_int_equal(get(&f, "eyJ1"), 0);
	wall_shift_s = -2 * 86400;
	assert_int_equal(get(&f, "eyJ1"), 0);
	wall_shift_s = 0;
	(void)usleep(50000);
	assert_int_equal(peer_requests(f.p), 1);
	tear_down(&f);
}

static void
a_dropped_token_is_fetched_anew_but_not_for_ever(void **state)
{
	static const struct peer_reply script[] = { { .text = TOKEN_1 }, { .text = TOKEN_2 } };
	AUTO_SECRET_TEXT first = NULL;
	AUTO_SECRET_TEXT second = NULL;
	struct fixture f;

	(void)state;
	set_up(&f, script, 2);
	set_secret(&f);
	make_source(&f, CREDENTIAL_CHAIN);
	assert_int_equal(token_source_get(f.t, deadline_in(NS_PER_S), &first, &f.e), 0);
	assert_true(token_source_drop(f.t, first));
	assert_true(
		token_source_drop(f.t, first)); /* another thread, refused with the same token */
	assert_int_equal(token_source_get(f.t, deadline_in(NS_PER_S), &second, &f.e), 0);
	assert_string_equal(secret_text_borrow(second), "eyJ2");
	assert_true(token_source_drop(f.t, first)); /* late news of the old one */
	assert_int_equal(get(&f, "eyJ2"), 0);
	assert_false(token_source_drop(f.t, second)); /* the service refuses all: stop asking */
	assert_int_equal(get(&f, "eyJ2"), 0);
	assert_int_equal(peer_requests(f.p), 2);
	fake_sleep(31 * NS_PER_S);
	assert_true(token_source_drop(f.t, second));
	tear_down(&f);
}

static void
the_environment_is_read_and_its_secrets_erased(void **state)
{
	static const char *const names[] = { "AZURE_TENANT_ID",	     "AZURE_CLIENT_ID",
					     "AZURE_CLIENT_SECRET",  "IDENTITY_HEADER",
					     "AZURE_AUTHORITY_HOST", "AZURE_TOKEN_CREDENTIALS",
					     "IDENTITY_ENDPOINT" };
	struct identity_env env;
	struct err e = { 0 };
	const char *original;

	(void)state;
	assert_int_equal(setenv("AZURE_TENANT_ID", "t", 1), 0);
	assert_int_equal(setenv("AZURE_CLIENT_ID", "", 1), 0);
	assert_int_equal(setenv("AZURE_CLIENT_SECRET", "canary", 1), 0);
	assert_int_equal(setenv("IDENTITY_HEADER", "canary", 1), 0);
	assert_int_equal(setenv("AZURE_AUTHORITY_HOST", "login.microsoftonline.us/", 1), 0);
	assert_int_equal(setenv("AZURE_TOKEN_CREDENTIALS", "prod", 1), 0);
	original = getenv("AZURE_CLIENT_SECRET");
	assert_int_equal(identity_env_read(&env, &e), 0);
	assert_string_equal(env.tenant, "t");
	assert_null(env.client_id);
	assert_null(env.identity_endpoint);
	assert_string_equal(env.authority, "https://login.microsoftonline.us");
	assert_int_equal(env.kind, CREDENTIAL_PRODUCTION);
	assert_string_equal(secret_text_borrow(env.client_secret), "canary");
	for (int i = 0; i < 6; i++)
		assert_int_equal(original[i], 0);
	assert_string_equal(getenv("IDENTITY_HEADER"), "");
	identity_env_clear(&env);
	assert_int_equal(setenv("AZURE_TOKEN_CREDENTIALS", "PowerShell", 1), 0);
	assert_int_equal(identity_env_read(&env, &e), -EINVAL);
	assert_non_null(strstr(e.text, "AZURE_TOKEN_CREDENTIALS"));
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		assert_int_equal(unsetenv(names[i]), 0);
}

static void
credentials_have_the_names_of_the_sdks(void **state)
{
	static const struct {
		const char *name;
		enum credential_kind kind;
	} rows[] = {
		{ "environment", CREDENTIAL_ENVIRONMENT },
		{ "EnvironmentCredential", CREDENTIAL_ENVIRONMENT },
		{ "AzureCliCredential", CREDENTIAL_CLI },
		{ "managed", CREDENTIAL_MANAGED },
		{ "WorkloadIdentityCredential", CREDENTIAL_WORKLOAD },
		{ "dev", CREDENTIAL_CLI },
	};
	enum credential_kind kind;
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(credential_kind_parse(rows[i].name, &kind, &e), 0);
		assert_int_equal(kind, rows[i].kind);
	}
	assert_int_equal(credential_kind_parse("browser", &kind, &e), -EINVAL);
}

#define FAKE(test) cmocka_unit_test_setup(test, use_fake_clock)
#define REAL(test) cmocka_unit_test_setup(test, use_real_clock)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE(a_client_secret_is_exchanged),
		FAKE(a_federated_token_is_read_for_each_request),
		FAKE(an_app_asks_its_own_endpoint),
		FAKE(the_metadata_service_is_probed_once),
		FAKE(the_metadata_service_of_another_cloud_is_passed_over),
		REAL(the_cli_is_asked_without_a_shell),
		REAL(a_cli_that_hangs_is_killed_at_the_deadline),
		FAKE(without_any_credential_the_answer_says_what_was_tried),
		FAKE(the_number_of_a_refusal_is_known_whoever_asked),
		FAKE(a_token_ends_the_refusal),
		FAKE(a_refusal_is_final_and_repeats_nothing_secret),
		FAKE(troubles_of_the_issuer_are_bounded),
		FAKE(a_stale_assertion_is_read_again_once),
		REAL(a_hundred_threads_cause_one_request),
		FAKE(a_token_is_renewed_ahead_of_its_end),
		FAKE(a_failed_renewal_leaves_the_old_token),
		FAKE(a_wall_clock_that_jumps_changes_nothing),
		FAKE(a_dropped_token_is_fetched_anew_but_not_for_ever),
		FAKE(the_environment_is_read_and_its_secrets_erased),
		FAKE(credentials_have_the_names_of_the_sdks),
	};

	return cmocka_run_group_tests(tests, NULL, use_real_clock);
}
