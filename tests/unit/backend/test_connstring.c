/* SPDX-License-Identifier: MIT */
/* Storage connection strings: backend/connstring.c. */
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_portal_and_the_sdks_write_is_read),
		cmocka_unit_test(anything_else_is_refused_without_repeating_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
