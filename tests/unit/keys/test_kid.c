/* SPDX-License-Identifier: MIT */
/* Key ids and the allow-list: backend/keys/kid.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/keys/kid.h"

#define V32 "0123456789abcdef0123456789abcdef"
#define N127                                                                               \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const struct {
	const char *text, *host, *name, *version;
	unsigned port;
} sound[] = {
	{ "https://v.vault.azure.net/keys/k", "v.vault.azure.net", "k", "", 0 },
	{ "https://v.vault.azure.net/keys/k/", "v.vault.azure.net", "k", "", 0 },
	{ "https://v.vault.azure.net/keys/K-1/" V32, "v.vault.azure.net", "K-1", V32, 0 },
	{ "https://v.vault.azure.net/keys/k/" V32 "/", "v.vault.azure.net", "k", V32, 0 },
	{ "https://127.0.0.1:8443/keys/k", "127.0.0.1", "k", "", 8443 },
	{ "https://v:65535/keys/k", "v", "k", "", 65535 },
	{ "https://v/keys/" N127, "v", N127, "", 0 },
};

static void
sound_ids_are_taken_apart(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sound); i++) {
		struct kid k = { 0 };
		struct err e = { 0 };

		assert_int_equal(kid_parse(sound[i].text, &k, &e), 0);
		assert_string_equal(k.host, sound[i].host);
		assert_string_equal(k.name, sound[i].name);
		assert_string_equal(k.version, sound[i].version);
		assert_int_equal(k.port, sound[i].port);
	}
}

static const char *const unsound[] = {
	"",
	"https://",
	"https:///keys/k",
	"http://v.vault.azure.net/keys/k",
	"HTTPS://v.vault.azure.net/keys/k",
	"https://V.vault.azure.net/keys/k",
	"https://v.vault.azure.net",
	"https://v.vault.azure.net/",
	"https://v.vault.azure.net/keys",
	"https://v.vault.azure.net/keys/",
	"https://v.vault.azure.net/keys//",
	"https://v.vault.azure.net/keys/k//",
	"https://v.vault.azure.net/keys/k/" V32 "//",
	"https://v.vault.azure.net/keys/k/" V32 "/unwrapkey",
	"https://v.vault.azure.net/keys/k/0123456789abcdef0123456789abcde",
	"https://v.vault.azure.net/keys/k/" V32 "0",
	"https://v.vault.azure.net/keys/k/0123456789ABCDEF0123456789abcdef",
	"https://v.vault.azure.net/keys/k/current",
	"https://v.vault.azure.net/secrets/k",
	"https://v.vault.azure.net/certificates/k/" V32,
	"https://v.vault.azure.net/Keys/k",
	"https://v.vault.azure.net/keys/k?x=1",
	"https://v.vault.azure.net/keys/k#f",
	"https://v.vault.azure.net/keys/k_1",
	"https://v.vault.azure.net/keys/%6b",
	"https://v.vault.azure.net/keys/..",
	"https://v.vault.azure.net/keys/k/..",
	"https://v.vault.azure.net/keys/k\\x",
	"https://v.vault.azure.net/keys/k\n",
	"https://v.vault.azure.net/keys/k ",
	" https://v.vault.azure.net/keys/k",
	"https://v.vault%2eazure.net/keys/k",
	"https://good@evil.example/keys/k",
	"https://good.vault.azure.net:443@evil.example/keys/k",
	"https://good.vault.azure.net\\@evil.example/keys/k",
	"https://v.vault.azure.net:/keys/k",
	"https://v.vault.azure.net:0/keys/k",
	"https://v.vault.azure.net:0443/keys/k",
	"https://v.vault.azure.net:65536/keys/k",
	"https://v.vault.azure.net:99999999999/keys/k",
	"https://v.vault.azure.net:-1/keys/k",
	"https://[::1]/keys/k",
	"https://v..azure.net/keys/k",
	"https://.azure.net/keys/k",
	"https://-v.azure.net/keys/k",
	"https://v\xc3\xa4ult.azure.net/keys/k",
	"https://v.vault.azure.net/keys/k\xc3\xa4",
	"https://v/keys/a" N127,
	"local:kek1",
	"symmKey1",
};

static void
anything_else_is_refused_and_leaves_the_output_alone(void **state)
{
	struct kid before, k;

	(void)state;
	memset(&before, 0x5a, sizeof(before));
	for (size_t i = 0; i < ARRAY_LEN(unsound); i++) {
		struct err e = { 0 };

		k = before;
		if (kid_parse(unsound[i], &k, &e) != -EINVAL)
			fail_msg("accepted: %s", unsound[i]);
		assert_int_equal(e.no, EINVAL);
		assert_memory_equal(&k, &before, sizeof(k));
	}
}

static void
ids_may_have_512_bytes_and_no_more(void **state)
{
	char text[600] = "https://";
	struct kid k = { 0 };
	struct err e = { 0 };

	(void)state;
	memset(text + 8, 'h', 255);
	(void)snprintf(text + 8 + 255, sizeof(text) - 263, "/keys/%s/%s", N127, V32);
	assert_int_equal(kid_parse(text, &k, &e), 0);
	memset(text + 8, 'h', 256);
	(void)snprintf(text + 8 + 256, sizeof(text) - 264, "/keys/k");
	assert_int_equal(kid_parse(text, &k, &e), -EINVAL);
	err_clear(&e);
	memset(text, 'h', 513);
	text[513] = '\0';
	memcpy(text, "https://", 8);
	assert_int_equal(kid_parse(text, &k, &e), -EINVAL);
	assert_non_null(strstr(e.text, "512"));
}

static const struct {
	const char *entry, *kid;
	bool covers;
} cover[] = {
	{ "https://v.vault.azure.net", "https://v.vault.azure.net/keys/any", true },
	{ "https://v.vault.azure.net/", "https://v.vault.azure.net/keys/any/" V32, true },
	{ "https://v.vault.azure.net:443", "https://v.vault.azure.net/keys/any", true },
	{ "https://v.vault.azure.net", "https://v.vault.azure.net:443/keys/any", false },
	{ "https://v.vault.azure.net", "https://v.vault.azure.net:8443/keys/any", false },
	{ "https://v:8443", "https://v:8443/keys/any", true },
	{ "https://v:8443", "https://v/keys/any", false },
	{ "https://v.vault.azure.net", "https://w.vault.azure.net/keys/any", false },
	{ "https://v.vault.azure.net", "https://xv.vault.azure.net/keys/any", false },
	{ "https://v.vault.azure.net", "https://v.vault.azure.net.evil/keys/any", false },
	{ "https://v.vault.azure.net", "https://v.vault.azure.net./keys/any", false },
	{ "https://v.vault.azure.net/keys/k", "https://v.vault.azure.net/keys/k", true },
	{ "https://v.vault.azure.net/keys/k", "https://v.vault.azure.net/keys/K/" V32, true },
	{ "https://v.vault.azure.net/keys/k", "https://v.vault.azure.net/keys/k2", false },
	{ "https://v.vault.azure.net/keys/k/" V32, "https://v.vault.azure.net/keys/k/" V32, true },
	{ "https://v.vault.azure.net/keys/k/" V32, "https://v.vault.azure.net/keys/k", false },
	{ "https://v.vault.azure.net/keys/k/" V32,
	  "https://v.vault.azure.net/keys/k/f123456789abcdef0123456789abcdef", false },
};

static void
an_entry_covers_its_own_keys_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cover); i++) {
		struct vault_entry entry = { 0 };
		struct kid k = { 0 };
		struct err e = { 0 };

		assert_int_equal(vault_entry_parse(cover[i].entry, &entry, &e), 0);
		assert_int_equal(kid_parse(cover[i].kid, &k, &e), 0);
		if (vault_entry_covers(&entry, &k) != cover[i].covers)
			fail_msg("%s and %s", cover[i].entry, cover[i].kid);
	}
}

static void
a_malformed_entry_is_refused_with_advice(void **state)
{
	static const char *const bad[] = { "",
					   "v",
					   "v.vault.azure.net",
					   "http://v",
					   "https://V",
					   "https://v/x",
					   "https://v//",
					   "https://v?x",
					   "https://v/keys",
					   "https://u@v",
					   "https://*",
					   "https://v/keys/*" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct vault_entry entry;
		struct err e = { 0 };

		if (vault_entry_parse(bad[i], &entry, &e) != -EINVAL)
			fail_msg("accepted: %s", bad[i]);
		assert_non_null(e.advice);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sound_ids_are_taken_apart),
		cmocka_unit_test(anything_else_is_refused_and_leaves_the_output_alone),
		cmocka_unit_test(ids_may_have_512_bytes_and_no_more),
		cmocka_unit_test(an_entry_covers_its_own_keys_only),
		cmocka_unit_test(a_malformed_entry_is_refused_with_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
