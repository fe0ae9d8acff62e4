/* SPDX-License-Identifier: MIT */
/* What a user writes as SOURCE: backend/source.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/source.h"
#include "backend/store/store.h"

#define HOST "https://acct.blob.core.windows.net"

static const struct {
	const char *text, *service, *account, *container, *prefix;
	bool https;
} blobs[] = {
	{ HOST, HOST, "acct", NULL, "", true },
	{ HOST "/", HOST, "acct", NULL, "", true },
	{ HOST "/c", HOST, "acct", "c", "", true },
	{ HOST "/c/", HOST, "acct", "c", "", true },
	{ HOST "/c/p", HOST, "acct", "c", "p", true },
	{ HOST "/c/p/q/", HOST, "acct", "c", "p/q", true },
	{ HOST "/c/p//", HOST, "acct", "c", "p", true },
	{ HOST "/c//p", HOST, "acct", "c", "/p", true },
	{ HOST "/c/a%20b%2Fc%3F%25", HOST, "acct", "c", "a b/c?%", true },
	{ HOST "/c/a+b", HOST, "acct", "c", "a+b", true },
	{ HOST "/c/x@y", HOST, "acct", "c", "x@y", true },
	{ HOST "/c/..", HOST, "acct", "c", "..", true },
	{ HOST "/$web", HOST, "acct", "$web", "", true },
	{ HOST "/%24root", HOST, "acct", "$root", "", true },
	{ HOST ":443/c", HOST, "acct", "c", "", true },
	{ "blob:" HOST "/c", HOST, "acct", "c", "", true },
	{ "https://acct.blob.core.usgovcloudapi.net/c", "https://acct.blob.core.usgovcloudapi.net",
	  "acct", "c", "", true },
	{ "https://acct.blob.core.chinacloudapi.cn/c", "https://acct.blob.core.chinacloudapi.cn",
	  "acct", "c", "", true },
	{ "https://acct.z01.blob.storage.azure.net/c", "https://acct.z01.blob.storage.azure.net",
	  "acct", "c", "", true },
	{ "blob:http://127.0.0.1:10000/devstoreaccount1", "http://127.0.0.1:10000/devstoreaccount1",
	  "devstoreaccount1", NULL, "", false },
	{ "blob:http://127.0.0.1:10000/devstoreaccount1/test1/a/b",
	  "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1", "test1", "a/b", false },
	{ "blob:https://stack.example/acct/c", "https://stack.example/acct", "acct", "c", "",
	  true },
	{ "https://custom.example/c/p", "https://custom.example", "known", "c", "p", true },
	{ "blob:https://custom.example/c", "https://custom.example", "known", "c", "", true },
	{ "https://custom.example:443/c", "https://custom.example", "known", "c", "", true },
};

static const struct source_endpoint known = { "https://custom.example", "known" };

static void
every_form_is_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
		AUTO_SOURCE s = { 0 };
		struct err e = { 0 };

		if (source_parse(blobs[i].text, &known, &s, &e) != 0)
			fail_msg("%s: %s", blobs[i].text, e.text);
		assert_int_equal(s.place, SOURCE_AT_BLOBS);
		assert_string_equal(s.service, blobs[i].service);
		assert_string_equal(s.account, blobs[i].account);
		if (blobs[i].container == NULL)
			assert_null(s.container);
		else
			assert_string_equal(s.container, blobs[i].container);
		assert_string_equal(s.prefix, blobs[i].prefix);
		assert_int_equal(s.https, blobs[i].https);
		assert_int_equal(strncmp(s.service, s.origin, strlen(s.origin)), 0);
	}
}

#define COSMOS "https://acct.documents.azure.com"
#define LOCAL  "https://localhost:8081"

static const struct {
	const char *text, *origin, *account, *database, *container;
} documents[] = {
	{ COSMOS, COSMOS, "acct", NULL, NULL },
	{ COSMOS "/", COSMOS, "acct", NULL, NULL },
	{ COSMOS ":443/", COSMOS, "acct", NULL, NULL },
	{ COSMOS ":8081/d", COSMOS ":8081", "acct", "d", NULL },
	{ COSMOS "/Shop", COSMOS, "acct", "Shop", NULL },
	{ COSMOS "/Shop/", COSMOS, "acct", "Shop", NULL },
	{ COSMOS "/Shop/Orders", COSMOS, "acct", "Shop", "Orders" },
	{ COSMOS "/Shop/Orders/", COSMOS, "acct", "Shop", "Orders" },
	{ COSMOS "/a%20b/%C3%A9%25%40", COSMOS, "acct", "a b", "\xc3\xa9%@" },
	{ COSMOS "/a+b/x@y", COSMOS, "acct", "a+b", "x@y" },
	{ "https://ACCT.Documents.Azure.com/d", COSMOS, "acct", "d", NULL },
	{ "https://acct.documents.azure.us/d/c", "https://acct.documents.azure.us", "acct", "d",
	  "c" },
	{ "https://acct.documents.azure.cn/d/c", "https://acct.documents.azure.cn", "acct", "d",
	  "c" },
	{ "http://acct.documents.azure.com/d", "http://acct.documents.azure.com", "acct", "d",
	  NULL },
	{ "cosmos:" COSMOS "/d/c", COSMOS, "acct", "d", "c" },
	{ "cosmos:" LOCAL, LOCAL, "localhost", NULL, NULL },
	{ "cosmos:" LOCAL "/d/c", LOCAL, "localhost", "d", "c" },
	{ "cosmos:http://127.0.0.1:8081/d/c", "http://127.0.0.1:8081", "127.0.0.1", "d", "c" },
};

static void
assert_text(const char *got, const char *wanted)
{
	if (wanted == NULL)
		assert_null(got);
	else
		assert_string_equal(got, wanted);
}

static void
an_account_of_documents_is_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		AUTO_SOURCE s = { 0 };
		struct err e = { 0 };

		if (source_parse(documents[i].text, &known, &s, &e) != 0)
			fail_msg("%s: %s", documents[i].text, e.text);
		assert_int_equal(s.place, SOURCE_AT_COSMOS);
		assert_string_equal(s.origin, documents[i].origin);
		assert_string_equal(s.service, documents[i].origin);
		assert_string_equal(s.account, documents[i].account);
		assert_text(s.database, documents[i].database);
		assert_text(s.container, documents[i].container);
		assert_null(s.prefix);
		assert_int_equal(s.https, strncmp(s.origin, "https:", 6) == 0);
		assert_true(source_is_cosmos(documents[i].text));
	}
}

static void
what_is_no_account_of_documents_is_told_apart(void **state)
{
	static const char *const rows[] = {
		"",
		"dir:/x/cosmos:",
		"dir:" COSMOS,
		"blob:" COSMOS "/a/c",
		HOST "/c",
		"https://example.com/" COSMOS,
		"https://documents.azure.com/d",
		"https://a.b.documents.azure.com/d",
		"https://acct.documents.azure.com.evil/d",
		"ftp://acct.documents.azure.com/d",
		"acct.documents.azure.com",
	};
	char deep[400];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (source_is_cosmos(rows[i]))
			fail_msg("%s", rows[i]);
	(void)snprintf(deep, sizeof(deep), "https://%0300d.documents.azure.com", 0);
	assert_false(source_is_cosmos(deep));
}

static void
a_directory_is_taken_as_it_is(void **state)
{
	AUTO_SOURCE s = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(source_parse("dir:/a b/;AccountKey=/?sig=x#y", NULL, &s, &e), 0);
	assert_int_equal(s.place, SOURCE_AT_DIR);
	assert_string_equal(s.path, "/a b/;AccountKey=/?sig=x#y");
}

static const struct {
	const char *text, *says;
} refused[] = {
	{ "", "none of the forms" },
	{ "acct/c", "none of the forms" },
	{ "ftp://acct.blob.core.windows.net/c", "none of the forms" },
	{ "dir:", "no directory" },
	{ "https://example.com/c", "no known host" },
	{ "http://127.0.0.1:10000/devstoreaccount1/c", "no known host" },
	{ "https://acct.dfs.core.windows.net/c", "no known host" },
	{ "https://acct.blob.core.windows.net.evil/c", "no known host" },
	{ "https://custom.example/c", "no known host" },
	{ "blob:", "" },
	{ "blob:https://stack.example", "account" },
	{ "blob:https://stack.example/", "account" },
	{ "blob:https://stack.example//c", "account" },
	{ "blob:https://stack.example/ACCT/c", "account" },
	{ HOST "/C", "container" },
	{ HOST "/a_b", "container" },
	{ HOST "//c", "container" },
	{ HOST "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "container" },
	{ HOST "/c/%zz", "malformed" },
	{ HOST "/c/%00", "malformed" },
	{ HOST "/c#f", "fragment" },
	{ HOST "/c?restype=container", "query" },
	{ HOST "/c?sv=2021&sig=TOPSECRET", "shared access signature" },
	{ HOST "/c?SIG=TOPSECRET", "shared access signature" },
	{ "blob:http://127.0.0.1:10000/devstoreaccount1/c?sig=TOPSECRET",
	  "shared access signature" },
	{ "https://user:TOPSECRET@acct.blob.core.windows.net/c", "user info" },
	{ "https://TOPSECRET@acct.blob.core.windows.net", "user info" },
	{ "dir", "none of the forms" },
	{ COSMOS "/d/c/items", "more than a database and a container" },
	{ COSMOS "/d/c//", "more than a database and a container" },
	{ COSMOS "//c", "no database or container" },
	{ COSMOS "/d//c", "no database or container" },
	{ COSMOS "/d/%2F", "no database or container" },
	{ COSMOS "/d/a%3Fb", "no database or container" },
	{ COSMOS "/%2E%2E/c", "no database or container" },
	{ COSMOS "/../c", "no database or container" },
	{ COSMOS "/d/%FF", "no database or container" },
	{ COSMOS "/d/%0A", "no database or container" },
	{ COSMOS "/d/%00", "malformed" },
	{ COSMOS "/d/%", "malformed" },
	{ COSMOS "/d/c#f", "fragment" },
	{ COSMOS "/d/c?x", "query" },
	{ COSMOS "/d/c?type=resource&sig=TOPSECRET", "shared access signature" },
	{ "https://user:TOPSECRET@acct.documents.azure.com/d", "user info" },
	{ "cosmos:https://TOPSECRET@localhost:8081/d", "user info" },
	{ "cosmos:AccountEndpoint=" COSMOS ":443/;AccountKey=TOPSECRET", "connection string" },
	{ "AccountEndpoint=" COSMOS ":443/;accountkey=TOPSECRET;", "connection string" },
	{ "AccountKey=TOPSECRET;AccountEndpoint=" COSMOS "/", "connection string" },
	{ "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=TOPSECRET",
	  "connection string" },
	{ "cosmos:", "" },
	{ "cosmos:localhost:8081/d", "" },
	{ "cosmos:dir:/x", "" },
};

static void
anything_else_is_refused_and_no_secret_is_repeated(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct source s = { .https = true };
		struct err e = { 0 };

		if (source_parse(refused[i].text, NULL, &s, &e) != -EINVAL)
			fail_msg("accepted: %s", refused[i].text);
		if (strstr(e.text, refused[i].says) == NULL)
			fail_msg("%s: %s", refused[i].text, e.text);
		assert_null(strstr(e.text, "TOPSECRET"));
		assert_null(s.service);
		if (strstr(refused[i].text, "TOPSECRET") == NULL)
			continue;
		if (strstr(e.text, "connection string") != NULL)
			assert_non_null(strstr(e.advice, "_CONNECTION_STRING"));
		else if (source_is_cosmos(refused[i].text))
			assert_non_null(strstr(e.advice, "cosmos_key_file="));
		else
			assert_non_null(strstr(e.advice, "sas_file="));
	}
}

static void
names_have_a_limit(void **state)
{
	char text[STORE_NAME_MAX + 100] = HOST "/c/";
	struct source s = { 0 };
	struct err e = { 0 };
	size_t n = strlen(text);

	(void)state;
	memset(text + n, 'a', STORE_NAME_MAX);
	assert_int_equal(source_parse(text, NULL, &s, &e), 0);
	assert_int_equal(strlen(s.prefix), STORE_NAME_MAX);
	source_clear(&s);
	text[n + STORE_NAME_MAX] = 'a';
	assert_int_equal(source_parse(text, NULL, &s, &e), -EINVAL);
}

static void
a_known_address_counts_only_where_it_fits(void **state)
{
	static const struct source_endpoint deep = { "https://custom.example/acct", "known" };
	static const struct {
		const char *text, *service, *container;
	} cases[] = {
		{ "blob:https://custom.example/acct/c", "https://custom.example/acct", "c" },
		{ "blob:https://custom.example/acct2/c", "https://custom.example/acct2", "c" },
		{ "blob:http://custom.example/acct/c", "http://custom.example/acct", "c" },
		{ "blob:https://custom.example:8443/acct/c", "https://custom.example:8443/acct",
		  "c" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_SOURCE s = { 0 };
		struct err e = { 0 };

		assert_int_equal(source_parse(cases[i].text, &deep, &s, &e), 0);
		assert_string_equal(s.service, cases[i].service);
		assert_string_equal(s.account,
				    i == 0 ? "known" : strrchr(cases[i].service, '/') + 1);
		assert_string_equal(s.container, cases[i].container);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_taken_apart),
		cmocka_unit_test(an_account_of_documents_is_taken_apart),
		cmocka_unit_test(what_is_no_account_of_documents_is_told_apart),
		cmocka_unit_test(a_directory_is_taken_as_it_is),
		cmocka_unit_test(anything_else_is_refused_and_no_secret_is_repeated),
		cmocka_unit_test(names_have_a_limit),
		cmocka_unit_test(a_known_address_counts_only_where_it_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
