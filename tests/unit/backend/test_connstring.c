/* SPDX-License-Identifier: MIT */
/* Connection strings of storage and of Cosmos: backend/connstring.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/connstring.h"

#define DEV_KEY \
	"Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
#define PUBLIC "https://acct.blob.core.windows.net"

static const struct {
	const char *text, *account, *key, *sas, *endpoint;
} good[] = {
	{ "DefaultEndpointsProtocol=https;AccountName=acct;AccountKey=QUJDRA==;EndpointSuffix=core."
	  "windows.net",
	  "acct", "QUJDRA==", NULL, PUBLIC },
	{ "AccountName=acct;AccountKey=QUJDRA==", "acct", "QUJDRA==", NULL, PUBLIC },
	{ "accountname=acct;ACCOUNTKEY=QUJDRA==;", "acct", "QUJDRA==", NULL, PUBLIC },
	{ " AccountName = acct ;; AccountKey = QUJDRA== ;\n", "acct", "QUJDRA==", NULL, PUBLIC },
	{ "AccountName=acct;AccountKey=k;EndpointSuffix=core.chinacloudapi.cn", "acct", "k", NULL,
	  "https://acct.blob.core.chinacloudapi.cn" },
	{ "DefaultEndpointsProtocol=http;AccountName=acct;AccountKey=k", "acct", "k", NULL,
	  "http://acct.blob.core.windows.net" },
	{ "AccountName=acct;AccountKey=k;BlobEndpoint=https://custom.example/", "acct", "k", NULL,
	  "https://custom.example" },
	{ "AccountName=acct;AccountKey=k;BlobEndpoint=https://"
	  "p.example;BlobSecondaryEndpoint=https://s.example",
	  "acct", "k", NULL, "https://p.example" },
	{ "BlobEndpoint=" PUBLIC "/;SharedAccessSignature=sv=2021&sig=a%3D", "acct", NULL,
	  "sv=2021&sig=a%3D", PUBLIC },
	{ "BlobEndpoint=http://127.0.0.1:10000/devstoreaccount1;SharedAccessSignature=?sig=a",
	  "devstoreaccount1", NULL, "?sig=a", "http://127.0.0.1:10000/devstoreaccount1" },
	{ "BlobEndpoint=https://custom.example;SharedAccessSignature=sig=a", NULL, NULL, "sig=a",
	  "https://custom.example" },
	{ "AccountName=acct;SharedAccessSignature=sig=a;AccountKey=k", "acct", "k", NULL, PUBLIC },
	{ "AccountName=acct;AccountKey=k;QueueEndpoint=https://q;FileEndpoint=;Unknown=1", "acct",
	  "k", NULL, PUBLIC },
	{ "UseDevelopmentStorage=true", "devstoreaccount1", DEV_KEY, NULL,
	  "http://127.0.0.1:10000/devstoreaccount1" },
	{ "usedevelopmentstorage=TRUE;DevelopmentStorageProxyUri=http://10.0.0.5/",
	  "devstoreaccount1", DEV_KEY, NULL, "http://10.0.0.5:10000/devstoreaccount1" },
};

static struct secret_text *
secret(const char *text)
{
	struct secret_text *s = NULL;
	struct err e = { 0 };

	assert_int_equal(secret_text_new(span_str(text), &s, &e), 0);
	return s;
}

static void
assert_text(const char *got, const char *wanted)
{
	if (wanted == NULL)
		assert_null(got);
	else
		assert_string_equal(got, wanted);
}

static void
what_the_portal_and_the_sdks_write_is_read(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		AUTO_SECRET_TEXT text = secret(good[i].text);
		AUTO_CONNECTION c = { 0 };
		struct err e = { 0 };

		if (connection_parse(text, &c, &e) != 0)
			fail_msg("%s: %s", good[i].text, e.text);
		assert_text(c.account, good[i].account);
		assert_text(c.key != NULL ? secret_text_borrow(c.key) : NULL, good[i].key);
		assert_text(c.sas != NULL ? secret_text_borrow(c.sas) : NULL, good[i].sas);
		assert_text(c.endpoint, good[i].endpoint);
	}
}

static const char *const bad[] = {
	"TOPSECRET",
	"AccountName",
	"AccountName=acct",
	"AccountName=acct;AccountKey=",
	"AccountKey=TOPSECRET",
	"SharedAccessSignature=TOPSECRET",
	"AccountName=acct;AccountKey=TOPSECRET;AccountKey=TOPSECRET",
	"AccountName=acct;AccountKey=TOPSECRET;accountname=acct",
	"AccountName=acct;AccountKey=TOPSECRET;BlobSecondaryEndpoint=https://s.example",
	"AccountName=acct;AccountKey=TOPSECRET;BlobEndpoint=TOPSECRET",
	"AccountName=acct;AccountKey=TOPSECRET;BlobEndpoint=ftp://x",
	"AccountName=acct;AccountKey=TOPSECRET;BlobEndpoint=https://u:TOPSECRET@x",
	"AccountName=acct;AccountKey=TOPSECRET;BlobEndpoint=https://x?sig=TOPSECRET",
	"AccountName=ac ct;AccountKey=TOPSECRET",
	"AccountName=acct;AccountKey=TOPSECRET;DefaultEndpointsProtocol=ftp",
	"BlobEndpoint=https://custom.example;AccountKey=TOPSECRET",
	"UseDevelopmentStorage=false",
	"UseDevelopmentStorage=true;AccountName=acct;AccountKey=TOPSECRET",
	"",
	";;",
};

static void
anything_else_is_refused_without_repeating_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		AUTO_SECRET_TEXT text = secret(bad[i]);
		AUTO_CONNECTION c = { 0 };
		struct err e = { 0 };

		if (connection_parse(text, &c, &e) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_null(strstr(e.text, "TOPSECRET"));
		assert_null(c.endpoint);
		assert_null(c.key);
	}
}

#define COSMOS "https://acct.documents.azure.com"

static const struct {
	const char *text, *key, *endpoint;
} cosmos_good[] = {
	{ "AccountEndpoint=" COSMOS ":443/;AccountKey=QUJDRA==;", "QUJDRA==", COSMOS },
	{ "AccountKey=QUJDRA==;AccountEndpoint=" COSMOS, "QUJDRA==", COSMOS },
	{ " accountendpoint = " COSMOS "/ ;; ACCOUNTKEY = k ;\n", "k", COSMOS },
	{ "AccountEndpoint=https://ACCT.documents.azure.com:8081/;AccountKey=k;Database=d", "k",
	  COSMOS ":8081" },
	{ "AccountEndpoint=http://127.0.0.1:8081/;AccountKey=k;DisableServerCertificateValidation="
	  "True",
	  "k", "http://127.0.0.1:8081" },
};

static void
those_of_cosmos_name_a_key_and_an_origin(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cosmos_good); i++) {
		AUTO_SECRET_TEXT text = secret(cosmos_good[i].text);
		AUTO_CONNECTION c = { 0 };
		struct err e = { 0 };

		if (connection_parse_cosmos(text, &c, &e) != 0)
			fail_msg("%s: %s", cosmos_good[i].text, e.text);
		assert_string_equal(secret_text_borrow(c.key), cosmos_good[i].key);
		assert_string_equal(c.endpoint, cosmos_good[i].endpoint);
		assert_null(c.sas);
	}
}

static const struct {
	const char *text, *says;
} cosmos_bad[] = {
	{ "TOPSECRET", "without '='" },
	{ "", "no AccountKey" },
	{ "AccountEndpoint=" COSMOS, "no AccountKey" },
	{ "AccountEndpoint=" COSMOS ";AccountKey=", "no AccountKey" },
	{ "AccountKey=TOPSECRET", "no AccountEndpoint" },
	{ "AccountName=acct;AccountKey=TOPSECRET", "no AccountEndpoint" },
	{ "AccountEndpoint=" COSMOS ";AccountKey=TOPSECRET;AccountKey=TOPSECRET", "twice" },
	{ "AccountEndpoint=" COSMOS "/TOPSECRET;AccountKey=k", "no sound" },
	{ "AccountEndpoint=" COSMOS "?sig=TOPSECRET;AccountKey=k", "no sound" },
	{ "AccountEndpoint=https://u:TOPSECRET@x;AccountKey=k", "no sound" },
	{ "AccountEndpoint=acct.documents.azure.com;AccountKey=k", "no sound" },
};

static void
those_of_cosmos_that_lack_one_are_refused(void **state)
{
	char text[3000] = "AccountKey=k;AccountEndpoint=https://x/";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cosmos_bad) + 1; i++) {
		const bool is_long = i == ARRAY_LEN(cosmos_bad);
		AUTO_SECRET_TEXT s = NULL;
		AUTO_CONNECTION c = { 0 };
		struct err e = { 0 };

		if (is_long)
			memset(text + strlen(text), '/', sizeof(text) - 1 - strlen(text));
		s = secret(is_long ? text : cosmos_bad[i].text);
		assert_int_equal(connection_parse_cosmos(s, &c, &e), -EINVAL);
		if (strstr(e.text, is_long ? "no sound" : cosmos_bad[i].says) == NULL)
			fail_msg("row %zu: %s", i, e.text);
		assert_null(strstr(e.text, "TOPSECRET"));
		assert_null(c.key);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_portal_and_the_sdks_write_is_read),
		cmocka_unit_test(anything_else_is_refused_without_repeating_it),
		cmocka_unit_test(those_of_cosmos_name_a_key_and_an_origin),
		cmocka_unit_test(those_of_cosmos_that_lack_one_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
