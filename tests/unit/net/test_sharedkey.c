/* SPDX-License-Identifier: MIT */
/* Shared Key signatures against vectors that the storage emulator accepts, and SAS handling. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/net/calls.h"

#include "backend/net/attempt.h"
#include "backend/net/sharedkey.h"

/* The published key of the storage emulator's account. */
static const char emulator_key[] =
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
#define HOST   "http://127.0.0.1:10000"
#define TWELVE "\n\n\n\n\n\n\n\n\n\n\n\n"

static struct secret_text *
text_of(const char *s)
{
	struct secret_text *out = NULL;
	struct err e = { 0 };

	assert_int_equal(secret_text_new(span_str(s), &out, &e), 0);
	return out;
}

static void
requests_are_signed_as_the_service_does(void **state)
{
	static const struct {
		struct http_request req;
		const char *to_sign, *signature;
	} rows[] = {
		{ { .method = "GET",
		    .url = HOST "/devstoreaccount1/test1/v1.0_1000",
		    .header = { { "x-ms-version", "2021-12-02" },
				{ "x-ms-range", "bytes=0-15" } } },
		  "GET" TWELVE "x-ms-date:Fri, 20 Nov 2026 00:00:00 "
		  "GMT\nx-ms-range:bytes=0-15\nx-ms-version:2021-12-02\n"
		  "/devstoreaccount1/devstoreaccount1/test1/v1.0_1000",
		  "y4F4nFJ/WOiWInc9mL538Sa1qGYe1jtvQ4l2G/r3WQo=" },
		{ { .method = "GET",
		    .url = HOST "/devstoreaccount1/test1?restype=container&comp=list&prefix=a/"
				"&delimiter=/&include=metadata",
		    .header = { { "x-ms-version", "2021-12-02" } } },
		  "GET" TWELVE "x-ms-date:Fri, 20 Nov 2026 00:00:00 GMT\nx-ms-version:2021-12-02\n"
		  "/devstoreaccount1/devstoreaccount1/test1\ncomp:list\ndelimiter:/"
		  "\ninclude:metadata\nprefix:a/\n"
		  "restype:container",
		  "+PXberegz5glWkoYX1A45aONSCUoGI0bYQ+vf7P/0pA=" },
		{ { .method = "PUT",
		    .url = HOST "/devstoreaccount1/c/a%20b?comp=block&BlockId=QUE%3D&x=2&x=1&flag",
		    .header = { { "Content-Type", "text/plain" },
				{ "If-Match", "\"0x1\"" },
				{ "X-Ms-Meta-B", "  v  " } },
		    .body = { (const uint8_t *)"hello", 5 } },
		  "PUT\n\n\n5\n\ntext/plain\n\n\n\"0x1\"\n\n\n\nx-ms-date:Fri, 20 Nov 2026 "
		  "00:00:00 GMT\nx-ms-meta-b:v\n"
		  "/devstoreaccount1/devstoreaccount1/c/"
		  "a%20b\nblockid:QUE=\ncomp:block\nflag:\nx:1,2",
		  NULL },
		{ { .method = "PUT",
		    .url = HOST "/devstoreaccount1/test1/b%2B?comp=blocklist",
		    .header = { { "x-ms-version", "2021-12-02" },
				{ "x-ms-blob-content-type", "t/x" },
				{ "x-ms-meta-a0", "0" },
				{ "x-ms-meta-aa", "a" },
				{ "x-ms-meta-A_b", "_" },
				{ "x-ms-meta-a", "" },
				{ "If-None-Match", "*" } },
		    .body = { (const uint8_t *)"<BlockList></BlockList>", 23 } },
		  "PUT\n\n\n23\n\n\n\n\n\n*\n\n\nx-ms-blob-content-type:t/x\n"
		  "x-ms-date:Fri, 20 Nov 2026 00:00:00 GMT\nx-ms-meta-a:\nx-ms-meta-a_b:_\n"
		  "x-ms-meta-a0:0\nx-ms-meta-aa:a\nx-ms-version:2021-12-02\n"
		  "/devstoreaccount1/devstoreaccount1/test1/b%2B\ncomp:blocklist",
		  "l0x1nfEm1++LUY6gQqRZsvOpYzTBX0QRzMYTi61shcU=" },
	};
	AUTO_SECRET_TEXT key = text_of(emulator_key);
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sharedkey_auth_new("devstoreaccount1", key, &auth, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_HTTP_ATTEMPT at;
		AUTO_BUF to_sign;
		const char *value;

		buf_init(&to_sign, 4096);
		assert_int_equal(http_attempt_init(&at, &rows[i].req, &e), 0);
		assert_int_equal(auth->ops->apply(auth, &at, (struct deadline){ 0 }, &e), 0);
		assert_int_equal(sharedkey_string_to_sign("devstoreaccount1", &at, &to_sign, &e),
				 0);
		assert_string_equal(buf_str(&to_sign), rows[i].to_sign);
		value = http_attempt_get(&at, "authorization");
		assert_int_equal(strncmp(value, "SharedKey devstoreaccount1:", 27), 0);
		if (rows[i].signature != NULL)
			assert_string_equal(value + 27, rows[i].signature);
	}
	http_auth_free(auth);
}

static void
each_attempt_is_signed_anew(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n" },
		{ .text = OK_HI },
	};
	struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
	AUTO_SECRET_TEXT key = text_of(emulator_key);
	struct http_client *c = plain_client();
	struct http_auth *auth = NULL;
	struct call_result out;
	struct err e = { 0 };
	int64_t start = fake_wall();

	(void)state;
	assert_int_equal(sharedkey_auth_new("a", key, &auth, &e), 0);
	call(c, auth, p, "/c/b", (struct http_request){ 0 }, 60 * NS_PER_S, &out);
	assert_int_equal(out.rc, 0);
	assert_true(fake_wall() - start >= 5);
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
	static const char *const rows[] = { "", "abc", "a b=", "AAAA====", "AAAA\nAAAA" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		AUTO_SECRET_TEXT key = text_of(rows[i]);
		struct http_auth *auth = NULL;
		struct err e = { 0 };

		assert_int_equal(sharedkey_auth_new("a", key, &auth, &e), -EINVAL);
		assert_null(auth);
	}
}

/* The URL that an auth makes of url. */
static int
url_with(struct http_auth *auth, const char *url, char *out, size_t n, struct err *e)
{
	const struct http_request req = { .method = "GET", .url = url };
	AUTO_HTTP_ATTEMPT at;
	int r = http_attempt_init(&at, &req, e);

	if (r == 0)
		r = auth->ops->apply(auth, &at, (struct deadline){ 0 }, e);
	(void)snprintf(out, n, "%s", buf_str(&at.url));
	return r;
}

static void
a_sas_is_appended_as_it_is(void **state)
{
	AUTO_SECRET_TEXT sas = text_of("?sv=2021&sig=a%2Bb%3D");
	AUTO_SECRET_TEXT bad = text_of("sv=1&sig=a b");
	struct http_auth *auth = NULL;
	struct err e = { 0 };
	char url[200];

	(void)state;
	assert_int_equal(sas_auth_new(sas, NULL, &auth, &e), 0);
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), 0);
	assert_string_equal(url, "https://h/c?sv=2021&sig=a%2Bb%3D");
	assert_int_equal(url_with(auth, "https://h/c?comp=list", url, sizeof(url), &e), 0);
	assert_string_equal(url, "https://h/c?comp=list&sv=2021&sig=a%2Bb%3D");
	http_auth_free(auth);
	assert_int_equal(sas_auth_new(bad, NULL, &auth, &e), 0);
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), -EINVAL);
	http_auth_free(auth);
	err_clear(&e);
	assert_int_equal(sas_auth_new(NULL, NULL, &auth, &e), -EINVAL);
}

static void
a_sas_goes_with_the_source_of_a_copy(void **state)
{
	const struct http_request req = {
		.method = "PUT",
		.url = "https://h/c/to",
		.header = { { "x-ms-copy-source", "https://h/c/from" }, { "x-ms-other", "o" } },
		.url_header = "x-ms-copy-source",
	};
	struct http_request with_query = req;
	AUTO_SECRET_TEXT sas = text_of("sv=2021&sig=a%2Bb%3D");
	struct http_auth *auth = NULL;
	AUTO_HTTP_ATTEMPT at, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(sas_auth_new(sas, NULL, &auth, &e), 0);
	assert_int_equal(http_attempt_init(&at, &req, &e), 0);
	assert_int_equal(auth->ops->apply(auth, &at, (struct deadline){ 0 }, &e), 0);
	assert_string_equal(buf_str(&at.url), "https://h/c/to?sv=2021&sig=a%2Bb%3D");
	assert_string_equal(http_attempt_get(&at, "x-ms-copy-source"),
			    "https://h/c/from?sv=2021&sig=a%2Bb%3D");
	assert_string_equal(http_attempt_get(&at, "x-ms-other"), "o");
	with_query.header[0].value = "https://h/c/from?snapshot=1";
	assert_int_equal(http_attempt_init(&again, &with_query, &e), 0);
	assert_int_equal(auth->ops->apply(auth, &again, (struct deadline){ 0 }, &e), 0);
	assert_string_equal(http_attempt_get(&again, "x-ms-copy-source"),
			    "https://h/c/from?snapshot=1&sv=2021&sig=a%2Bb%3D");
	http_auth_free(auth);
}

static void
write_file(const char *path, const char *text, mode_t mode)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(close(fd), 0);
}

/* As an archive or rsync does it: another file of the same size and the same time. */
static void
replace_file(const char *path, const char *text)
{
	char other[200];
	struct stat st;

	(void)snprintf(other, sizeof(other), "%s.new", path);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_size, strlen(text));
	assert_int_equal(close(open(other, O_WRONLY | O_CREAT | O_EXCL, 0600)), 0);
	write_file(other, text, 0600);
	assert_int_equal(
		utimensat(AT_FDCWD, other, (const struct timespec[]){ st.st_atim, st.st_mtim }, 0),
		0);
	assert_int_equal(rename(other, path), 0);
}

static void
a_renewed_sas_file_is_read_again(void **state)
{
	char path[] = "/tmp/azcryptfs-sas-XXXXXX", url[200];
	int fd = mkstemp(path);
	struct http_auth *auth = NULL;
	struct err e = { 0 };

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0);
	write_file(path, "?sig=one\n", 0600);
	assert_int_equal(sas_auth_new(NULL, path, &auth, &e), 0);
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), 0);
	assert_string_equal(url, "https://h/c?sig=one");
	write_file(path, "sig=second\n", 0600);
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), 0);
	assert_string_equal(url, "https://h/c?sig=second");
	replace_file(path, "sig=third!\n");
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), 0);
	assert_string_equal(url, "https://h/c?sig=third!");
	write_file(path, "sig=open to all\n", 0644);
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), -EACCES);
	assert_null(strstr(e.text, "open to all"));
	err_clear(&e);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(url_with(auth, "https://h/c", url, sizeof(url), &e), -ENOENT);
	http_auth_free(auth);
}

static void
fields_of_a_sas_are_read_but_its_signature_is_not(void **state)
{
	AUTO_SECRET_TEXT sas = text_of(
		"?sv=2021-12-02&sr=b&se=2026-01-01T00%3A00%3A00Z&xsr=no&sig=secret&e=&bad=%4");
	char out[32];

	(void)state;
	assert_true(sas_field(sas, "sr", out, sizeof(out)));
	assert_string_equal(out, "b");
	assert_true(sas_field(sas, "sv", out, sizeof(out)));
	assert_string_equal(out, "2021-12-02");
	assert_true(sas_field(sas, "se", out, 21));
	assert_string_equal(out, "2026-01-01T00:00:00Z");
	assert_false(sas_field(sas, "se", out, 20));
	assert_false(sas_field(sas, "se", out, 0));
	assert_false(sas_field(sas, "sig", out, sizeof(out)));
	assert_false(sas_field(sas, "s", out, sizeof(out)));
	assert_false(sas_field(sas, "bad", out, sizeof(out)));
}

static void
values_that_would_break_a_request_are_refused(void **state)
{
	static const struct http_header rows[] = {
		{ "x-a", "1\r\nX-Evil: 1" },
		{ "x-a", "1\n" },
		{ "x a", "1" },
		{ "", "1" },
		{ "x:a", "1" },
		{ "x-a", "\x7f" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct http_request req = { .method = "GET",
						  .url = "https://h/",
						  .header = { rows[i] } };
		AUTO_HTTP_ATTEMPT at;
		struct err e = { 0 };

		assert_int_equal(http_attempt_init(&at, &req, &e), -EINVAL);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(requests_are_signed_as_the_service_does),
		cmocka_unit_test_setup(each_attempt_is_signed_anew, use_fake_clock),
		cmocka_unit_test(a_key_that_is_not_base64_is_refused),
		cmocka_unit_test(a_sas_is_appended_as_it_is),
		cmocka_unit_test(a_sas_goes_with_the_source_of_a_copy),
		cmocka_unit_test(a_renewed_sas_file_is_read_again),
		cmocka_unit_test(fields_of_a_sas_are_read_but_its_signature_is_not),
		cmocka_unit_test(values_that_would_break_a_request_are_refused),
	};

	return cmocka_run_group_tests(tests, use_fake_clock, use_real_clock);
}
