/* SPDX-License-Identifier: MIT */
/*
 * Fills a Cosmos DB account for the contract suite: the gateway at AZC_COSMOS_URL, with the
 * account's key in AZC_COSMOS_KEY and the certificate to trust in AZC_COSMOS_CA.
 */
#ifndef TESTS_CONTRACT_COSMOS_FIXTURE_H
#define TESTS_CONTRACT_COSMOS_FIXTURE_H

#include "backend/net/http.h"
#include "tests/contract/docstore_contract.h"

struct cosmos_fixture {
	struct http_client *client;
	struct http_auth *auth;
	const char *url;
};

bool cosmos_fixture_init(struct cosmos_fixture *c);
void cosmos_fixture_clear(struct cosmos_fixture *c);
struct docstore_fixture cosmos_fixture_of(struct cosmos_fixture *c);

#endif
