/* SPDX-License-Identifier: MIT */
/* Fills a dir: store for the contract suite; written from the description of the layout, not from
 * the driver. */
#ifndef TESTS_CONTRACT_DIR_FIXTURE_H
#define TESTS_CONTRACT_DIR_FIXTURE_H

#include "tests/contract/store_contract.h"

struct dir_fixture {
	char root[64];
	unsigned serial; /* makes ETags and content names unlike all others */
};

void dir_fixture_init(struct dir_fixture *d);
void dir_fixture_clear(struct dir_fixture *d);
struct contract_fixture dir_fixture_of(struct dir_fixture *d);

#endif
