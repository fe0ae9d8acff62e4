/* SPDX-License-Identifier: MIT */
/* The facade: backend/backend.c.  Nothing here may reach the network: opening contacts nobody. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "tests/support/peer.h"

#define ACCT	"https://acct.blob.core.windows.net"
#define AZURITE "blob:http://127.0.0.1:9/devstoreaccount1"

enum { VARIABLES_MAX = 8 };

/* A backend made in an environment of the test's own: "NAME=value", up to three. */
static struct backend *
backend_in(const char *a, const char *b, const char *c)
{
	static char text[VARIABLES_MAX][300];
	static char *variables[VARIABLES_MAX];
	const char *const given[] = { a, b, c };
	char **before = environ;
	struct backend *out = NULL;
	struct err e = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(given); i++) {
		if (given[i] == NULL)
			continue;
		(void)snprintf(text[n], sizeof(text[n]), "%s", given[i]);
		variables[n] = text[n];
		n++;
	}
	variables[n] = NULL;
	environ = variables;
	assert_int_equal(backend_new(&out, &e), 0);
	environ = before;
	return out;
}

static int
open_source(struct backend *b, const struct backend_config *cfg, struct err *e)
{
	struct backend_store s = { 0 };
	int r;

	*e = (struct err){ 0 };
	r = backend_open(b, cfg, &s, e);
	assert_int_equal(r, -e->no);
	assert_int_equal(r == 0, s.blobs != NULL);
	if (r == 0)
		assert_int_equal(s.kind, SOURCE_BLOBS);
	backend_store_free(&s);
	return r;
}

static const char *const nobody[] = { NULL };
static const char *const stack_host[] = { "stack.example", NULL };
static const char *const other_host[] = { "other.example", NULL };

static const struct {
	const char *source, *variable;
	const char *const *allow_http;
	int no;
	const char *says;
} opens[] = {
	{ ACCT, NULL, NULL, 0, NULL },
	{ ACCT "/box/p", NULL, NULL, 0, NULL },
	{ ACCT "/box", "AZURE_STORAGE_KEY=QUJDRA==", NULL, 0, NULL },
	{ ACCT "/box", "AZURE_STORAGE_KEY=not base64", NULL, EINVAL, NULL },
	{ ACCT "/box", "AZURE_STORAGE_SAS_TOKEN=sv=1&sig=a", NULL, 0, NULL },
	{ ACCT "/box/b", "AZURE_STORAGE_SAS_TOKEN=sr=b&sig=a", NULL, 0, NULL },
	{ ACCT "/box", "AZURE_STORAGE_CONNECTION_STRING=AccountName=acct;AccountKey=QUJDRA==", NULL,
	  0, NULL },
	{ ACCT "/box", "AZURE_STORAGE_CONNECTION_STRING=AccountName=other;AccountKey=QUJDRA==",
	  NULL, EINVAL, "other" },
	{ ACCT "/box", "AZURE_STORAGE_CONNECTION_STRING=nonsense", NULL, EINVAL,
	  "AZURE_STORAGE_CONNECTION_STRING" },
	{ "https://custom.example/box",
	  "AZURE_STORAGE_CONNECTION_STRING=AccountName=a;AccountKey=QUJDRA==;BlobEndpoint=https://"
	  "custom.example",
	  NULL, 0, NULL },
	{ "https://custom.example/box", NULL, NULL, EINVAL, "no known host" },
	{ AZURITE "/box", NULL, NULL, 0, NULL },
	{ AZURITE "/box", "AZURE_STORAGE_CONNECTION_STRING=UseDevelopmentStorage=true", NULL, 0,
	  NULL },
	{ AZURITE "/box", NULL, nobody, 0, NULL },
	{ "blob:http://stack.example/acct/box", NULL, NULL, EACCES, NULL },
	{ "blob:http://stack.example/acct/box", NULL, other_host, EACCES, NULL },
	{ "blob:http://stack.example/acct/box", NULL, stack_host, 0, NULL },
	{ "", NULL, NULL, EINVAL, "empty" },
	{ NULL, NULL, NULL, EINVAL, "empty" },
	{ "dir:/nonexistent", NULL, NULL, ENOENT, NULL },
};

static void
a_source_opens_without_contacting_anybody(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(opens); i++) {
		const struct backend_config cfg = { .source = opens[i].source,
						    .allow_http = opens[i].allow_http };
		struct backend *b = backend_in(opens[i].variable, NULL, NULL);
		struct err e;

		if (open_source(b, &cfg, &e) != -opens[i].no)
			fail_msg("row %zu, %s: %s", i, opens[i].source, e.text);
		if (opens[i].says != NULL && strstr(e.text, opens[i].says) == NULL)
			fail_msg("row %zu: %s", i, e.text);
		backend_free(b);
	}
}

/* ---- documents */

#define DOCS "https://acct.documents.azure.com"
#define CONN "AZURE_COSMOS_CONNECTION_STRING=AccountEndpoint=" DOCS ":443/;AccountKey="

static const struct {
	const char *source, *variable;
	const char *const *allow_http;
	const char *credential;
	double ru;
	int no;
	const char *says; /* in the failure, or the label */
} document_opens[] = {
	{ DOCS, NULL, NULL, NULL, 0, 0, "acct" },
	{ DOCS "/Shop", NULL, NULL, NULL, 400, 0, "acct/Shop" },
	{ DOCS "/Shop/a%20b", "AZURE_COSMOS_KEY=QUJDRA==", NULL, NULL, 0, 0, "acct/Shop/a b" },
	{ DOCS "/d/c", "AZURE_COSMOS_KEY=TOP SECRET", NULL, NULL, 0, EINVAL, "not base64" },
	{ DOCS "/d/c", CONN "QUJDRA==", NULL, NULL, 0, 0, "acct/d/c" },
	{ DOCS "/d/c", CONN "TOP SECRET", NULL, NULL, 0, EINVAL, "not base64" },
	{ "https://other.documents.azure.com/d", CONN "TOP SECRET", NULL, NULL, 0, 0, "other/d" },
	{ DOCS "/d/c", "AZURE_COSMOS_CONNECTION_STRING=SECRET", NULL, NULL, 0, EINVAL,
	  "AZURE_COSMOS_CONNECTION_STRING" },
	{ DOCS "/d/c", "AZURE_STORAGE_CONNECTION_STRING=SECRET", NULL, NULL, 0, 0, "acct/d/c" },
	{ DOCS "/d/c", NULL, NULL, "managed", 0, 0, "acct/d/c" },
	{ DOCS "/d/c", NULL, NULL, "anonymous", 0, EINVAL, "anonymous" },
	{ DOCS "/d/c/x", NULL, NULL, NULL, 0, EINVAL, "more than" },
	{ "cosmos:https://localhost:8081/d", NULL, NULL, NULL, 0, 0, "localhost/d" },
	{ "cosmos:http://localhost:8081/d", NULL, NULL, NULL, 0, EINVAL, "needs a key" },
	{ "cosmos:http://localhost:8081/d", "AZURE_COSMOS_KEY=QUJDRA==", NULL, NULL, 0, 0,
	  "localhost/d" },
	{ "cosmos:http://stack.example/d", "AZURE_COSMOS_KEY=QUJDRA==", NULL, NULL, 0, EACCES,
	  NULL },
	{ "cosmos:http://stack.example/d", "AZURE_COSMOS_KEY=QUJDRA==", stack_host, NULL, 0, 0,
	  "stack.example/d" },
	{ "http://acct.documents.azure.com/d", "AZURE_COSMOS_KEY=QUJDRA==", NULL, NULL, 0, EACCES,
	  NULL },
};

static void
an_account_of_documents_opens_without_contacting_anybody(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(document_opens); i++) {
		const struct backend_config cfg = { .source = document_opens[i].source,
						    .allow_http = document_opens[i].allow_http,
						    .credential = document_opens[i].credential,
						    .ru = document_opens[i].ru };
		const char *says = document_opens[i].says;
		struct backend *b = backend_in(document_opens[i].variable, NULL, NULL);
		struct backend_store s = { 0 };
		struct err e = { 0 };

		if (backend_open(b, &cfg, &s, &e) != -document_opens[i].no)
			fail_msg("row %zu, %s: %s", i, cfg.source, e.text);
		assert_null(s.blobs);
		assert_int_equal(s.documents != NULL, document_opens[i].no == 0);
		if (s.documents != NULL) {
			assert_int_equal(s.kind, SOURCE_DOCUMENTS);
			assert_string_equal(s.documents->label, says);
			assert_string_equal(s.documents->ops->name,
					    cfg.ru > 0 ? "docpace" : "cosmos");
		} else if (says != NULL && strstr(e.text, says) == NULL) {
			fail_msg("row %zu: %s", i, e.text);
		}
		assert_null(strstr(e.text, "SECRET"));
		backend_store_free(&s);
		assert_null(s.documents);
		backend_free(b);
	}
}

static int
see_name(void *arg, const char *name, struct err *e)
{
	(void)name;
	(void)e;
	(*(unsigned *)arg)++;
	return 0;
}

static const struct {
	const char *variable;
	const char *token; /* of a file */
	const char *authorization;
} sent[] = {
	{ "AZURE_COSMOS_KEY=QUJDRA==", NULL, "type%3Dmaster%26ver%3D1.0%26sig%3D" },
	{ NULL, "type=resource&ver=1&sig=a=\n", "type%3Dresource%26ver%3D1%26sig%3Da%3D\r\n" },
};

/* What has been picked is what goes over the wire. */
static void
requests_carry_the_credential(void **state)
{
	static const struct peer_reply script[] = {
		{ .text = "HTTP/1.1 200 OK\r\nContent-Length: 56\r\n\r\n"
			  "{\"_rid\":\"\",\"Databases\":[{\"id\":\"Shop\"}],\"_count\":1}      " },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sent); i++) {
		struct peer *p = peer_start(&(struct peer_config){ PEER_SCRIPT(script) });
		char source[100], path[] = "/tmp/azcryptfs-test-token-XXXXXX", wanted[200];
		struct backend_config cfg = { .source = source };
		struct backend *b = backend_in(sent[i].variable, NULL, NULL);
		struct backend_store s = { 0 };
		struct err e = { 0 };
		unsigned names = 0;

		if (sent[i].token != NULL) {
			const int fd = mkstemp(path);

			assert_true(fd >= 0);
			assert_int_equal(write(fd, sent[i].token, strlen(sent[i].token)),
					 (ssize_t)strlen(sent[i].token));
			(void)close(fd);
			cfg.cosmos_token_file = path;
		}
		(void)snprintf(source, sizeof(source), "cosmos:%s", peer_url(p));
		if (backend_open(b, &cfg, &s, &e) != 0)
			fail_msg("%s", e.text);
		if (docstore_list(s.documents, NULL, (struct docstore_names){ see_name, &names },
				  deadline_in(20 * NS_PER_S), &e) != 0)
			fail_msg("%s", e.text);
		assert_int_equal(names, 1);
		(void)snprintf(wanted, sizeof(wanted), "Authorization: %s", sent[i].authorization);
		assert_non_null(strstr(peer_request(p, peer_requests(p) - 1), wanted));
		backend_store_free(&s);
		backend_free(b);
		peer_stop(p);
		if (sent[i].token != NULL)
			(void)unlink(path);
	}
}

static void
a_file_that_holds_no_resource_token_is_refused(void **state)
{
	char path[] = "/tmp/azcryptfs-test-token-XXXXXX";
	const struct backend_config cfg = { .source = DOCS "/d", .cosmos_token_file = path };
	struct backend *b = backend_in(NULL, NULL, NULL);
	struct backend_store s = { 0 };
	struct err e = { 0 };
	const int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "TOPSECRET", 9), 9);
	(void)close(fd);
	assert_int_equal(backend_open(b, &cfg, &s, &e), -EINVAL);
	assert_null(strstr(e.text, "TOPSECRET"));
	(void)unlink(path);
	backend_free(b);
}

/* ---- directories */

static char dir[] = "/tmp/azcryptfs-test-backend-XXXXXX";
static char file[200];

static void
write_file(const char *name, const char *text)
{
	FILE *f;

	(void)snprintf(file, sizeof(file), "%s/%s", dir, name);
	f = fopen(file, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(file, 0600), 0);
}

static int
make_dir(void **state)
{
	char objects[200];

	(void)state;
	assert_non_null(mkdtemp(dir));
	(void)snprintf(objects, sizeof(objects), "%s/objects", dir);
	assert_int_equal(mkdir(objects, 0700), 0);
	write_file("azcryptfs-store.json",
		   "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}");
	return 0;
}

static int
remove_dir(void **state)
{
	static const char *const names[] = { "azcryptfs-store.json", "set.json" };
	char path[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)unlink(path);
	}
	(void)snprintf(path, sizeof(path), "%s/objects", dir);
	(void)rmdir(path);
	return rmdir(dir);
}

static void
a_directory_opens_whatever_the_environment_holds(void **state)
{
	struct backend *b = backend_in("AZURE_STORAGE_CONNECTION_STRING=nonsense", NULL, NULL);
	struct backend_config cfg = { 0 };
	char source[100];
	struct err e;

	(void)state;
	(void)snprintf(source, sizeof(source), "dir:%s", dir);
	cfg.source = source;
	if (open_source(b, &cfg, &e) != 0)
		fail_msg("%s", e.text);
	backend_free(b);
}

static const struct {
	const char *kek_alg;
	bool oaep, oaep256, a256kw;
	int no;
} algs[] = {
	{ NULL, true, true, true, 0 },
	{ "", true, true, true, 0 },
	{ " : ", true, true, true, 0 },
	{ "RSA-OAEP", true, false, false, 0 },
	{ "RSA-OAEP-256:A256KW", false, true, true, 0 },
	{ " RSA-OAEP  A256KW ", true, false, true, 0 },
	{ "RSA1_5", false, false, false, EINVAL },
	{ "rsa-oaep", false, false, false, EINVAL },
	{ "RSA-OAEP,A256KW", false, false, false, EINVAL },
	{ "RSA-OAEP none", false, false, false, EINVAL },
};

/* Whether the keyring refuses the algorithm itself; a key id that nobody claims tells without a
 * call. */
static bool
allows(struct keyring *k, enum wrap_alg alg)
{
	static uint8_t wrapped[256];
	static char kid[] = "nobody's";
	const struct envelope env = { .protocol = PROTOCOL_V2_0,
				      .alg = alg,
				      .kid = kid,
				      .wrapped = wrapped,
				      .n_wrapped = sizeof(wrapped) };
	struct key_ref *ref = NULL;
	struct err e = { 0 };

	assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e), -EACCES);
	return strcmp(e.event, "policy.kek_alg") != 0;
}

static void
kek_alg_names_what_may_unwrap(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		const struct backend_config cfg = { .kek_alg = algs[i].kek_alg };
		struct backend *b = backend_in(NULL, NULL, NULL);
		struct keyring *k = NULL;
		struct err e = { 0 };

		assert_int_equal(backend_keyring(b, &cfg, &k, &e), -algs[i].no);
		if (algs[i].no == 0) {
			assert_int_equal(allows(k, WRAP_RSA_OAEP), algs[i].oaep);
			assert_int_equal(allows(k, WRAP_RSA_OAEP_256), algs[i].oaep256);
			assert_int_equal(allows(k, WRAP_A256KW), algs[i].a256kw);
		}
		keyring_free(k);
		backend_free(b);
	}
}

static void
a_local_key_goes_before_the_vault_of_the_same_id(void **state)
{
	static uint8_t wrapped[] = {
		0x02, 0xa3, 0x44, 0x2d, 0x98, 0x72, 0xdb, 0x92, 0xc9, 0x9a, 0x88, 0xe5,
		0xce, 0x5c, 0x7a, 0xf5, 0xdd, 0x17, 0xa3, 0x86, 0x33, 0x77, 0x3f, 0x2d,
		0xff, 0x67, 0xad, 0x65, 0xf0, 0xf3, 0xe0, 0x7c, 0xc3, 0xd7, 0xac, 0x3d,
		0xde, 0x6a, 0xed, 0x20, 0x95, 0x56, 0x99, 0x3e, 0x18, 0xfb, 0x06, 0xfb,
	};
	static char kid[] = "https://v.vault.azure.net/keys/k";
	static const char *const vaults[] = { "https://v.vault.azure.net", NULL };
	const char *const keys[] = { file, NULL };
	const struct backend_config cfg = { .vaults = vaults,
					    .keys = keys,
					    .key_ttl_ns = NS_PER_S };
	const struct envelope env = { .protocol = PROTOCOL_V2_0,
				      .alg = WRAP_A256KW,
				      .kid = kid,
				      .wrapped = wrapped,
				      .n_wrapped = sizeof(wrapped) };
	struct backend *b = backend_in(NULL, NULL, NULL);
	struct keyring *k = NULL;
	struct key_ref *ref = NULL;
	struct err e = { 0 };

	(void)state;
	write_file("set.json",
		   "{\"keys\":[{\"kid\":\"https://v.vault.azure.net/keys/k\",\"kty\":\"oct\","
		   "\"k\":\"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\"}]}");
	assert_int_equal(backend_keyring(b, &cfg, &k, &e), 0);
	if (keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e) != 0)
		fail_msg("%s", e.text);
	assert_int_equal(key_ref_cek(ref)->k[31], 31);
	key_ref_put(ref);
	keyring_free(k);
	backend_free(b);
}

static void
what_is_wrong_with_keys_or_vaults_is_said_at_the_start(void **state)
{
	static const char *const bad_vault[] = { "https://v.vault.azure.net", "v.vault.azure.net",
						 NULL };
	static const char *const good_vault[] = { "https://v.vault.azure.net", NULL };
	static const char *const no_file[] = { "/nonexistent/set.json", NULL };
	const struct {
		struct backend_config cfg;
		int no;
	} cases[] = {
		{ { .vaults = bad_vault }, EINVAL },
		{ { .keys = no_file }, ENOENT },
		{ { .keys = no_file, .vaults = good_vault }, ENOENT },
		{ { .vaults = good_vault, .vault_credential = "magic" }, EINVAL },
		{ { .vault_credential = "magic" }, EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct backend *b = backend_in(NULL, NULL, NULL);
		struct keyring *k = NULL;
		struct err e = { 0 };
		int r = backend_keyring(b, &cases[i].cfg, &k, &e);

		assert_int_equal(r, -cases[i].no);
		keyring_free(k);
		backend_free(b);
	}
}

static int
nothing(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)arg;
	(void)entry;
	(void)e;
	return 0;
}

static void
after_a_stop_calls_fail_soon(void **state)
{
	const struct backend_config cfg = { .source = AZURITE "/box" };
	struct backend *b = backend_in(NULL, NULL, NULL);
	struct backend_store s = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(backend_open(b, &cfg, &s, &e), 0);
	backend_stop(b);
	assert_int_equal(store_probe(s.blobs, "x", (struct store_list_sink){ .entry = nothing },
				     deadline_in(20 * NS_PER_S), &e),
			 -ECANCELED);
	backend_store_free(&s);
	backend_free(b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_source_opens_without_contacting_anybody),
		cmocka_unit_test(an_account_of_documents_opens_without_contacting_anybody),
		cmocka_unit_test(requests_carry_the_credential),
		cmocka_unit_test(a_file_that_holds_no_resource_token_is_refused),
		cmocka_unit_test(a_directory_opens_whatever_the_environment_holds),
		cmocka_unit_test(kek_alg_names_what_may_unwrap),
		cmocka_unit_test(a_local_key_goes_before_the_vault_of_the_same_id),
		cmocka_unit_test(what_is_wrong_with_keys_or_vaults_is_said_at_the_start),
		cmocka_unit_test(after_a_stop_calls_fail_soon),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
