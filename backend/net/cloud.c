/* SPDX-License-Identifier: MIT */
/* Names of the Azure clouds: see cloud.h.  Source: docs/FORMATS.md, "Clouds". */
#include "backend/net/cloud.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/attr.h"

static const struct {
	const char *suffix;
	const char *resource;
} vaults[] = {
	{ ".vault.azure.net", "https://vault.azure.net" },
	{ ".managedhsm.azure.net", "https://managedhsm.azure.net" },
	{ ".vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net" },
	{ ".managedhsm.usgovcloudapi.net", "https://managedhsm.usgovcloudapi.net" },
	{ ".vault.azure.cn", "https://vault.azure.cn" },
	{ ".managedhsm.azure.cn", "https://managedhsm.azure.cn" },
	{ ".managedhsm.chinacloudapi.cn", "https://managedhsm.chinacloudapi.cn" },
	{ ".vault.microsoftazure.de", "https://vault.microsoftazure.de" },
};

static const char
	*const blob_suffixes[] = {
		".blob.core.windows.net",      ".blob.core.usgovcloudapi.net",
		".blob.core.chinacloudapi.cn", ".blob.core.cloudapi.de",
		".blob.storage.azure.net", /* DNS zones: ACCOUNT.zNN.blob.storage.azure.net */
	};

static const char *const cosmos_suffixes[] = {
	".documents.azure.com",
	".documents.azure.us",
	".documents.azure.cn",
};

static bool
ends_with(const char *host, const char *suffix)
{
	size_t h = strlen(host), s = strlen(suffix);

	return h > s && strcasecmp(host + h - s, suffix) == 0;
}

const char *
cloud_vault_resource(const char *host)
{
	for (size_t i = 0; i < ARRAY_LEN(vaults); i++)
		if (ends_with(host, vaults[i].suffix))
			return vaults[i].resource;
	return vaults[0].resource;
}

/*
 * The first label of host, lower case, when it is all that precedes the suffix (or one more
 * label, a DNS zone).
 */
static bool
take_account(const char *host, const char *suffix, bool zoned, char *out, unsigned long n)
{
	size_t prefix, label = strcspn(host, ".");

	if (!ends_with(host, suffix))
		return false;
	prefix = strlen(host) - strlen(suffix);
	if (zoned) {
		size_t zone = label < prefix ? strcspn(host + label + 1, ".") : 0;

		if (zone < 2 || (host[label + 1] | 0x20) != 'z' || label + 1 + zone != prefix)
			return false;
	} else if (label != prefix) {
		return false;
	}
	if (label == 0 || label >= n)
		return false;
	for (size_t i = 0; i < label; i++)
		out[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] | 0x20 : host[i]);
	out[label] = '\0';
	return true;
}

static void
drop_secondary(char *account)
{
	static const char tail[] = "-secondary";
	size_t n = strlen(account);

	if (n >= sizeof(tail) && strcmp(account + n - (sizeof(tail) - 1), tail) == 0)
		account[n - (sizeof(tail) - 1)] = '\0';
}

bool
cloud_blob_account(const char *host, char *out, unsigned long n)
{
	for (size_t i = 0; i < ARRAY_LEN(blob_suffixes); i++) {
		bool zoned = strstr(blob_suffixes[i], "storage.azure") != NULL;

		if (take_account(host, blob_suffixes[i], zoned, out, n)) {
			drop_secondary(out);
			return true;
		}
	}
	return false;
}

bool
cloud_cosmos_account(const char *host, char *out, unsigned long n)
{
	for (size_t i = 0; i < ARRAY_LEN(cosmos_suffixes); i++)
		if (take_account(host, cosmos_suffixes[i], false, out, n))
			return true;
	return false;
}
