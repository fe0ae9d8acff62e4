/* SPDX-License-Identifier: MIT */
/* Fills a dir: store of documents for the contract suite; written from the description of the
 * layout, not with the writer. */
#ifndef TESTS_CONTRACT_DOCDIR_FIXTURE_H
#define TESTS_CONTRACT_DOCDIR_FIXTURE_H

#include "tests/contract/docstore_contract.h"

struct docdir_fixture {
	char root[64];
	unsigned serial; /* makes ETags, times and resource ids unlike all others */
};

void docdir_fixture_init(struct docdir_fixture *d);
void docdir_fixture_clear(struct docdir_fixture *d);
struct docstore_fixture docdir_fixture_of(struct docdir_fixture *d);

#endif
