/* SPDX-License-Identifier: MIT */
/*
 * What every store that can be written to promises, as a suite of tests over the same fixtures: see
 * backend/store/storewrite.h.  A store whose driver does not write is reported as skipped.
 */
#ifndef TESTS_CONTRACT_STORE_CONTRACT_WRITE_H
#define TESTS_CONTRACT_STORE_CONTRACT_WRITE_H

#include "tests/contract/store_contract.h"

void store_contract_write_sizes(const struct contract_fixture *f);
void store_contract_write_conditions(const struct contract_fixture *f);
void store_contract_write_properties(const struct contract_fixture *f);
void store_contract_write_limits(const struct contract_fixture *f);
void store_contract_write_blocks(const struct contract_fixture *f);
void store_contract_write_uploads(const struct contract_fixture *f);
void store_contract_write_metadata(const struct contract_fixture *f);
void store_contract_write_copy(const struct contract_fixture *f);
void store_contract_write_delete(const struct contract_fixture *f);
void store_contract_write_folders(const struct contract_fixture *f);
void store_contract_write_names(const struct contract_fixture *f);
void store_contract_write_readers(const struct contract_fixture *f);
void store_contract_write_race(const struct contract_fixture *f);

#endif
