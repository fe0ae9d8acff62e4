/* SPDX-License-Identifier: MIT */
/*
 * What the clouds call things: which suffix belongs to which service, resource and authority.
 * Pure table.
 */
#ifndef BACKEND_NET_CLOUD_H
#define BACKEND_NET_CLOUD_H

#include <stdbool.h>

/*
 * The Entra resource for tokens to a vault or managed HSM host; hosts of no known cloud count as
 * Key Vault of the public one.
 */
const char *cloud_vault_resource(const char *host);

/*
 * The account name when host is ACCOUNT.blob.<a known storage suffix> (also ACCOUNT-secondary and
 * DNS-zone forms); false otherwise.  out: n bytes.
 */
bool cloud_blob_account(const char *host, char *out, unsigned long n);

/* Same for Cosmos: ACCOUNT.documents.<suffix>. */
bool cloud_cosmos_account(const char *host, char *out, unsigned long n);

#endif
