/* SPDX-License-Identifier: MIT */
/* Which credential a source gets: backend/credentials.c. */
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

#include "backend/credentials.h"

#define ACCT	"https://acct.blob.core.windows.net"
#define AZURITE "blob:http://127.0.0.1:10000/devstoreaccount1"

static char key_file[] = "/tmp/azcryptfs-test-key-XXXXXX",
	    sas_file[] = "/tmp/azcryptfs-test-sas-XXXXXX",
	    token_file[] = "/tmp/azcryptfs-test-token-XXXXXX";

static void
write_file(char *path, const char *text)
{
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

static int
make_files(void **state)
{
	(void)state;
	write_file(key_file, "RklMRQ==\n");
	write_file(sas_file, "sv=2021&sr=c&sig=FILE\n");
	write_file(token_file, "type=resource&ver=1&sig=FILE\n");
	return 0;
}

static int
remove_files(void **state)
{
	(void)state;
	(void)unlink(key_file);
	(void)unlink(sas_file);
	(void)unlink(token_file);
	return 0;
}

static struct secret_text *
secret(const char *text)
{
	struct secret_text *s = NULL;
	struct err e = { 0 };

	if (text != NULL)
		assert_int_equal(secret_text_new(span_str(text), &s, &e), 0);
	return s;
}

static const struct {
	const char *label;
	const char *source;
	const char *key_file, *sas_file, *credential; /* options */
	const char *connection, *key, *sas, *account; /* environment */
	int no;					      /* and what is picked: */
	enum storage_credential_kind kind;
	const char *secret;
	bool single;
} picks[] = {
	{ "nothing over https is Entra", ACCT "/c", .kind = STORAGE_TOKEN },
	{ "nothing over http is anonymous", AZURITE "/c", .kind = STORAGE_ANONYMOUS },
	{ "a key file goes first", ACCT "/c", .key_file = key_file, .key = "RU5W",
	  .connection = "junk", .kind = STORAGE_KEY, .secret = "RklMRQ==" },
	{ "then a SAS file", ACCT "/c", .sas_file = sas_file, .key = "RU5W", .kind = STORAGE_SAS,
	  .secret = "sv=2021&sr=c&sig=FILE" },
	{ "both contradict", ACCT "/c", .key_file = key_file, .sas_file = sas_file, .no = EINVAL },
	{ "no such key file", ACCT "/c", .key_file = "/nonexistent", .no = ENOENT },
	{ "a named credential beats the environment", ACCT "/c", .credential = "cli", .key = "RU5W",
	  .kind = STORAGE_TOKEN },
	{ "anonymous is one", ACCT "/c", .credential = "anonymous", .key = "RU5W",
	  .kind = STORAGE_ANONYMOUS },
	{ "an unknown one is not", ACCT "/c", .credential = "magic", .no = EINVAL },
	{ "a token never goes over http", AZURITE "/c", .credential = "cli", .no = EINVAL },
	{ "the connection string before the key", ACCT "/c",
	  .connection = "AccountName=acct;AccountKey=Q09OTg==", .key = "RU5W", .kind = STORAGE_KEY,
	  .secret = "Q09OTg==" },
	{ "a connection string with a SAS", ACCT "/c",
	  .connection = "BlobEndpoint=" ACCT ";SharedAccessSignature=sig=C", .kind = STORAGE_SAS,
	  .secret = "sig=C" },
	{ "a connection string of another account", ACCT "/c",
	  .connection = "AccountName=other;AccountKey=Q09OTg==", .no = EINVAL },
	{ "a connection string of another address", ACCT "/c",
	  .connection = "BlobEndpoint=https://custom.example;SharedAccessSignature=sig=C",
	  .no = EINVAL },
	{ "a connection string's SAS never goes to another address",
	  "blob:https://elsewhere.example/acct/c",
	  .connection = "AccountName=acct;SharedAccessSignature=sig=C", .no = EINVAL },
	{ "nor without TLS", "http://acct.blob.core.windows.net/c",
	  .connection = "AccountName=acct;SharedAccessSignature=sig=C", .no = EINVAL },
	{ "the emulator's connection string", AZURITE "/c",
	  .connection = "UseDevelopmentStorage=true", .kind = STORAGE_KEY,
	  .secret = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/"
		    "KBHBeksoGMGw==" },
	{ "the key before the SAS", ACCT "/c", .key = "RU5W", .sas = "sig=E", .kind = STORAGE_KEY,
	  .secret = "RU5W" },
	{ "the SAS", ACCT "/c", .sas = "?sv=1&sig=E", .kind = STORAGE_SAS,
	  .secret = "?sv=1&sig=E" },
	{ "the key's own account", ACCT "/c", .key = "RU5W", .account = "acct", .kind = STORAGE_KEY,
	  .secret = "RU5W" },
	{ "the key of another account", ACCT "/c", .key = "RU5W", .account = "other",
	  .no = EINVAL },
	{ "another account without a key does not matter", ACCT "/c", .account = "other",
	  .kind = STORAGE_TOKEN },
	{ "a blob's SAS", ACCT "/c/dir/b", .sas = "sr=b&sig=E", .kind = STORAGE_SAS,
	  .secret = "sr=b&sig=E", .single = true },
	{ "a blob's SAS without the blob", ACCT "/c", .sas = "sr=b&sig=E", .no = EINVAL },
	{ "a container's SAS without the container", ACCT, .sas = "sr=c&sig=E", .no = EINVAL },
	{ "an account's SAS for the account", ACCT, .sas = "ss=b&srt=sco&sig=E",
	  .kind = STORAGE_SAS, .secret = "ss=b&srt=sco&sig=E" },
};

static void
the_order_of_credentials_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(picks); i++) {
		const struct backend_config cfg = { .source = picks[i].source,
						    .storage_key_file = picks[i].key_file,
						    .sas_file = picks[i].sas_file,
						    .credential = picks[i].credential };
		struct storage_env env = { .connection = secret(picks[i].connection),
					   .key = secret(picks[i].key),
					   .sas = secret(picks[i].sas),
					   .account = picks[i].account != NULL
							      ? strdup(picks[i].account)
							      : NULL };
		AUTO_STORAGE_CREDENTIAL c = { 0 };
		AUTO_CONNECTION connection = { 0 };
		AUTO_SOURCE src = { 0 };
		struct err e = { 0 };
		bool wanted = credentials_want_connection(&env, &cfg);
		int r;

		if (wanted)
			assert_int_equal(connection_parse(env.connection, &connection, &e), 0);
		assert_int_equal(source_parse(cfg.source, NULL, &src, &e), 0);
		r = credentials_pick_storage(&env, wanted ? &connection : NULL, &cfg, &src, &c, &e);
		if (r != -picks[i].no)
			fail_msg("%s: %d %s", picks[i].label, r, e.text);
		if (r == -EINVAL && picks[i].credential != NULL)
			assert_non_null(strstr(e.text, "option credential: "));
		if (r == 0) {
			assert_int_equal(c.kind, picks[i].kind);
			assert_int_equal(c.single, picks[i].single);
			assert_int_equal(c.secret != NULL, picks[i].secret != NULL);
			if (c.secret != NULL)
				assert_string_equal(secret_text_borrow(c.secret), picks[i].secret);
		}
		storage_env_clear(&env);
	}
}

static void
options_of_cosmos_are_not_for_blobs(void **state)
{
	const struct backend_config rows[] = {
		{ .source = ACCT "/c", .cosmos_key_file = key_file },
		{ .source = ACCT "/c", .cosmos_token_file = token_file },
		{ .source = ACCT "/c", .storage_key_file = key_file, .cosmos_key_file = key_file },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct storage_env env = { 0 };
		AUTO_STORAGE_CREDENTIAL c = { 0 };
		AUTO_SOURCE src = { 0 };
		struct err e = { 0 };

		assert_int_equal(source_parse(rows[i].source, NULL, &src, &e), 0);
		assert_int_equal(credentials_pick_storage(&env, NULL, &rows[i], &src, &c, &e),
				 -EINVAL);
		assert_non_null(strstr(e.text, "option cosmos_"));
	}
}

/* ---- Cosmos */

#define DOCS  "https://acct.documents.azure.com"
#define LOCAL "cosmos:http://127.0.0.1:8081"
#define CONN  "AccountEndpoint=" DOCS ":443/;AccountKey=Q09OTg=="

static const struct {
	const char *label;
	const char *source;
	const char *key_file, *token_file, *credential; /* options */
	const char *storage_key_file, *sas_file;
	const char *connection, *key; /* environment */
	const char *says;	      /* refused with -no, or what is picked: */
	int no;
	enum cosmos_credential_kind kind;
	const char *secret;
	enum credential_kind entra;
} cosmos_picks[] = {
	{ "nothing over https is Entra", DOCS "/d", .kind = COSMOS_ENTRA,
	  .entra = CREDENTIAL_CHAIN },
	{ "nothing over http is refused", LOCAL "/d", .no = EINVAL, .says = "needs a key" },
	{ "a key file goes first", DOCS "/d", .key_file = key_file, .credential = "cli",
	  .connection = "junk", .key = "RU5W", .kind = COSMOS_KEY, .secret = "RklMRQ==" },
	{ "then a token file", DOCS "/d", .token_file = token_file, .credential = "cli",
	  .key = "RU5W", .kind = COSMOS_RESOURCE_TOKEN, .secret = "type=resource&ver=1&sig=FILE" },
	{ "both contradict", DOCS "/d", .key_file = key_file, .token_file = token_file,
	  .no = EINVAL, .says = "cosmos_key_file= and cosmos_token_file=" },
	{ "a storage key is not for it", DOCS, .storage_key_file = key_file, .no = EINVAL,
	  .says = "option storage_key_file: " },
	{ "nor a SAS, beside its own key", DOCS, .key_file = key_file, .sas_file = sas_file,
	  .no = EINVAL, .says = "option sas_file: " },
	{ "no such key file", DOCS, .key_file = "/nonexistent", .no = ENOENT },
	{ "no such token file", DOCS, .token_file = "/nonexistent", .no = ENOENT },
	{ "a named credential beats the environment", DOCS, .credential = "cli", .connection = CONN,
	  .key = "RU5W", .kind = COSMOS_ENTRA, .entra = CREDENTIAL_CLI },
	{ "nobody is anonymous", DOCS, .credential = "anonymous", .key = "RU5W", .no = EINVAL,
	  .says = "option credential: " },
	{ "an unknown credential", DOCS, .credential = "magic", .no = EINVAL,
	  .says = "option credential: " },
	{ "a token never goes over http", LOCAL, .credential = "cli", .key = "RU5W", .no = EINVAL,
	  .says = "in the clear" },
	{ "the connection string before the key", DOCS "/d/c", .connection = CONN, .key = "RU5W",
	  .kind = COSMOS_KEY, .secret = "Q09OTg==" },
	{ "it counts for its host only", "https://other.documents.azure.com", .connection = CONN,
	  .key = "RU5W", .kind = COSMOS_KEY, .secret = "RU5W" },
	{ "and for its port", DOCS ":8081", .connection = CONN, .kind = COSMOS_ENTRA,
	  .entra = CREDENTIAL_CHAIN },
	{ "and with TLS", "http://acct.documents.azure.com", .connection = CONN, .no = EINVAL,
	  .says = "needs a key" },
	{ "at any host", LOCAL "/d",
	  .connection = "AccountEndpoint=http://127.0.0.1:8081;AccountKey=Q09OTg==",
	  .kind = COSMOS_KEY, .secret = "Q09OTg==" },
	{ "a malformed one is named", DOCS, .connection = "junk", .key = "RU5W", .no = EINVAL,
	  .says = "AZURE_COSMOS_CONNECTION_STRING: " },
	{ "the key, also over http", LOCAL, .key = "RU5W", .kind = COSMOS_KEY, .secret = "RU5W" },
};

static void
the_order_of_credentials_for_cosmos_is_kept(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cosmos_picks); i++) {
		const struct backend_config cfg = {
			.source = cosmos_picks[i].source,
			.cosmos_key_file = cosmos_picks[i].key_file,
			.cosmos_token_file = cosmos_picks[i].token_file,
			.storage_key_file = cosmos_picks[i].storage_key_file,
			.sas_file = cosmos_picks[i].sas_file,
			.credential = cosmos_picks[i].credential,
		};
		struct cosmos_env env = { .connection = secret(cosmos_picks[i].connection),
					  .key = secret(cosmos_picks[i].key) };
		AUTO_COSMOS_CREDENTIAL c = { 0 };
		AUTO_SOURCE src = { 0 };
		struct err e = { 0 };
		int r;

		assert_int_equal(source_parse(cfg.source, NULL, &src, &e), 0);
		r = credentials_pick_cosmos(&env, &cfg, &src, &c, &e);
		if (r != -cosmos_picks[i].no)
			fail_msg("%s: %d %s", cosmos_picks[i].label, r, e.text);
		if (cosmos_picks[i].says != NULL && strstr(e.text, cosmos_picks[i].says) == NULL)
			fail_msg("%s: %s", cosmos_picks[i].label, e.text);
		assert_int_equal(c.kind, cosmos_picks[i].kind);
		assert_int_equal(c.entra, cosmos_picks[i].entra);
		assert_int_equal(c.secret != NULL, cosmos_picks[i].secret != NULL);
		if (c.secret != NULL)
			assert_string_equal(secret_text_borrow(c.secret), cosmos_picks[i].secret);
		assert_ptr_equal(c.token_file,
				 c.kind == COSMOS_RESOURCE_TOKEN ? cfg.cosmos_token_file : NULL);
		cosmos_env_clear(&env);
	}
}

static void
a_key_file_that_others_may_read_is_refused_by_name(void **state)
{
	const struct backend_config cfg = { .source = ACCT "/c", .storage_key_file = key_file };
	const struct storage_env env = { 0 };
	AUTO_STORAGE_CREDENTIAL c = { 0 };
	AUTO_SOURCE src = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(source_parse(cfg.source, NULL, &src, &e), 0);
	assert_int_equal(chmod(key_file, 0640), 0);
	assert_int_equal(credentials_pick_storage(&env, NULL, &cfg, &src, &c, &e), -EACCES);
	assert_non_null(strstr(e.text, key_file));
	assert_int_equal(chmod(key_file, 0600), 0);
}

static void
the_vault_has_its_own_credential_or_the_common_one(void **state)
{
	static const struct {
		const char *vault, *common;
		int no;
		enum credential_kind kind;
	} cases[] = {
		{ NULL, NULL, 0, CREDENTIAL_CHAIN },
		{ NULL, "cli", 0, CREDENTIAL_CLI },
		{ "managed", "cli", 0, CREDENTIAL_MANAGED },
		{ NULL, "anonymous", 0, CREDENTIAL_CHAIN },
		{ "anonymous", NULL, EINVAL, CREDENTIAL_CHAIN },
		{ "magic", NULL, EINVAL, CREDENTIAL_CHAIN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct backend_config cfg = { .vault_credential = cases[i].vault,
						    .credential = cases[i].common };
		enum credential_kind kind = CREDENTIAL_CHAIN;
		struct err e = { 0 };

		assert_int_equal(credentials_pick_vault(&cfg, &kind, &e), -cases[i].no);
		if (cases[i].no != 0)
			assert_non_null(strstr(e.text, "option vault_credential: "));
		assert_int_equal(kind, cases[i].kind);
	}
}

/* Puts a variable where getenv finds it, without touching what other threads read. */
static void
secrets_are_taken_out_of_the_environment(void **state)
{
	static char connection[] = "AZURE_STORAGE_CONNECTION_STRING=AccountName=a;AccountKey=k";
	static char key[] = "AZURE_STORAGE_KEY=ENVKEY", sas[] = "AZURE_STORAGE_SAS_TOKEN=ENVSAS";
	static char account[] = "AZURE_STORAGE_ACCOUNT=acct";
	static char *variables[] = { connection, key, sas, account, NULL };
	char **before = environ;
	struct storage_env env = { 0 };
	struct err e = { 0 };

	(void)state;
	environ = variables;
	assert_int_equal(storage_env_read(&env, &e), 0);
	assert_string_equal(secret_text_borrow(env.connection), "AccountName=a;AccountKey=k");
	assert_string_equal(secret_text_borrow(env.key), "ENVKEY");
	assert_string_equal(secret_text_borrow(env.sas), "ENVSAS");
	assert_string_equal(env.account, "acct");
	storage_env_clear(&env);
	assert_string_equal(getenv("AZURE_STORAGE_KEY"), "");
	for (size_t i = strlen("AZURE_STORAGE_KEY="); i < sizeof(key); i++)
		assert_int_equal(key[i], 0);
	for (size_t i = strlen("AZURE_STORAGE_CONNECTION_STRING="); i < sizeof(connection); i++)
		assert_int_equal(connection[i], 0);
	assert_int_equal(storage_env_read(&env, &e), 0);
	assert_null(env.key);
	storage_env_clear(&env);
	environ = before;
}

static void
so_are_those_of_cosmos(void **state)
{
	static char connection[] = "AZURE_COSMOS_CONNECTION_STRING=AccountKey=k";
	static char key[] = "AZURE_COSMOS_KEY=ENVKEY";
	static char *variables[] = { connection, key, NULL };
	char **before = environ;
	struct cosmos_env env = { 0 };
	struct err e = { 0 };

	(void)state;
	environ = variables;
	assert_int_equal(cosmos_env_read(&env, &e), 0);
	assert_string_equal(secret_text_borrow(env.connection), "AccountKey=k");
	assert_string_equal(secret_text_borrow(env.key), "ENVKEY");
	cosmos_env_clear(&env);
	for (size_t i = strlen("AZURE_COSMOS_KEY="); i < sizeof(key); i++)
		assert_int_equal(key[i], 0);
	for (size_t i = strlen("AZURE_COSMOS_CONNECTION_STRING="); i < sizeof(connection); i++)
		assert_int_equal(connection[i], 0);
	assert_int_equal(cosmos_env_read(&env, &e), 0);
	assert_null(env.connection);
	assert_null(env.key);
	cosmos_env_clear(&env);
	environ = before;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_order_of_credentials_is_kept),
		cmocka_unit_test(options_of_cosmos_are_not_for_blobs),
		cmocka_unit_test(the_order_of_credentials_for_cosmos_is_kept),
		cmocka_unit_test(a_key_file_that_others_may_read_is_refused_by_name),
		cmocka_unit_test(the_vault_has_its_own_credential_or_the_common_one),
		cmocka_unit_test(secrets_are_taken_out_of_the_environment),
		cmocka_unit_test(so_are_those_of_cosmos),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
