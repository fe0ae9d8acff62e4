/* SPDX-License-Identifier: MIT */
/*
 * What every store promises, as a suite of tests over a fixture that can fill
 * one: see backend/store/store.h.  Failures end the test through cmocka.
 */
#ifndef TESTS_CONTRACT_STORE_CONTRACT_H
#define TESTS_CONTRACT_STORE_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/store/store.h"

struct contract_object {
	const char *name;
	struct span bytes;
	const char *metadata_name; /* NULL: no metadata */
	const char *metadata_value;
};

/* One kind of store.  Every function ends the test when it fails. */
struct contract_fixture {
	void *arg;
	bool (*can_hold)(const char *name);
	void (*reset)(void *arg); /* an empty store, from here on */
	void (*put)(void *arg, const struct contract_object *object); /* makes or replaces */
	void (*remove)(void *arg, const char *name);
	struct store *(*open)(void *arg, const char *prefix); /* the caller frees */
	bool sort; /* a page lists its folded entries before the others, as Azurite's do */
	bool slow; /* fewer repetitions */
	bool loses_other_uploads; /* a commit drops the blocks of all other uploads to that name, as
				     the service's does: their commit fails without a look at its
				     condition */
	bool blurs_source; /* a copy of another version onto nothing may fail with -EEXIST: Azurite
			      answers ConditionNotMet where the service says SourceConditionNotMet
			    */
};

enum { STORE_CONTRACT_NAMES_MAX = 64 };
/* Odd names that the store can hold, sorted; their number. */
unsigned store_contract_names(const struct contract_fixture *f,
			      const char *out[STORE_CONTRACT_NAMES_MAX]);

void store_contract_empty(const struct contract_fixture *f);
void store_contract_listing(const struct contract_fixture *f);
void store_contract_paging(const struct contract_fixture *f);
void store_contract_probe(const struct contract_fixture *f);
void store_contract_attributes(const struct contract_fixture *f);
void store_contract_bytes(const struct contract_fixture *f);
void store_contract_versions(const struct contract_fixture *f);
void store_contract_sink_errors(const struct contract_fixture *f);
void store_contract_prefix(const struct contract_fixture *f);

#endif
