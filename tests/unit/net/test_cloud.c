/* SPDX-License-Identifier: MIT */
/* Host names of the Azure clouds. */
#include "tests/unit/net/calls.h"

#include "backend/net/cloud.h"

static void
vault_hosts_have_their_own_resource(void **state)
{
	(void)state;
	assert_string_equal(cloud_vault_resource("v.vault.azure.net"), "https://vault.azure.net");
	assert_string_equal(cloud_vault_resource("h.managedhsm.azure.net"),
			    "https://managedhsm.azure.net");
	assert_string_equal(cloud_vault_resource("v.vault.usgovcloudapi.net"),
			    "https://vault.usgovcloudapi.net");
	assert_string_equal(cloud_vault_resource("v.vault.azure.cn"), "https://vault.azure.cn");
	assert_string_equal(cloud_vault_resource("vault.azure.net.evil.example"),
			    "https://vault.azure.net");
	assert_string_equal(cloud_vault_resource("127.0.0.1"), "https://vault.azure.net");
}

static void
accounts_are_read_off_known_hosts_only(void **state)
{
	static const struct {
		const char *host, *account;
	} rows[] = {
		{ "acct.blob.core.windows.net", "acct" },
		{ "ACCT.Blob.Core.Windows.net", "acct" },
		{ "acct-secondary.blob.core.windows.net", "acct" },
		{ "acct.z01.blob.storage.azure.net", "acct" },
		{ "acct.blob.core.chinacloudapi.cn", "acct" },
		{ "acct.blob.storage.azure.net", NULL },
		{ "acct.x01.blob.storage.azure.net", NULL },
		{ ".blob.core.windows.net", NULL },
		{ "a.b.blob.core.windows.net", NULL },
		{ "acct.blob.core.windows.net.evil.example", NULL },
		{ "blob.core.windows.net", NULL },
		{ "127.0.0.1", NULL },
	};
	char out[32];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		bool known = cloud_blob_account(rows[i].host, out, sizeof(out));

		assert_int_equal(known, rows[i].account != NULL);
		if (known)
			assert_string_equal(out, rows[i].account);
	}
	assert_true(cloud_cosmos_account("acct.documents.azure.com", out, sizeof(out)));
	assert_string_equal(out, "acct");
	assert_false(cloud_cosmos_account("acct.documents.azure.com", out, 4));
	assert_false(cloud_cosmos_account("documents.azure.com", out, sizeof(out)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vault_hosts_have_their_own_resource),
		cmocka_unit_test(accounts_are_read_off_known_hosts_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
