/* SPDX-License-Identifier: MIT */
/* Fills a container of an Azurite for the contract suite. */
#ifndef TESTS_CONTRACT_AZURITE_FIXTURE_H
#define TESTS_CONTRACT_AZURITE_FIXTURE_H

#include "backend/net/http.h"
#include "tests/contract/store_contract.h"

struct azurite_fixture {
	struct http_client *client;
	struct http_auth *auth;
	const char *url;
	char account[64];
	char container[32];
	unsigned serial;
};

bool azurite_fixture_init(struct azurite_fixture *a);
void azurite_fixture_clear(struct azurite_fixture *a);
struct contract_fixture azurite_fixture_of(struct azurite_fixture *a);

#endif
