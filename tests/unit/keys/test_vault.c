/* SPDX-License-Identifier: MIT */
/*
 * Key Vault as a provider: what is asked of whom (backend/keys/vault.c), over a network that the
 * test answers.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "backend/keys/keyring.h"
#include "backend/keys/vaultanswer.h"
#include "tests/unit/keys/vaultsuite.h"

#define VAULT "https://v.vault.azure.net"

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
