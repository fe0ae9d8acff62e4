/* SPDX-License-Identifier: MIT */
/*
 * What every document store promises, as a suite of tests over a fixture that can fill one: see
 * backend/store/docstore.h.  Failures end the test through cmocka.
 */
#ifndef TESTS_CONTRACT_DOCSTORE_CONTRACT_H
#define TESTS_CONTRACT_DOCSTORE_CONTRACT_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/store/docstore.h"

/* A document as a client would send it: no system members. */
struct contract_document {
	const char *partition; /* header text */
	const char *id;	       /* its bytes */
	const char *members;   /* all but the id: "\"pk\":1,\"x\":2" */
};

/* One kind of store.  Every function ends the test when it fails. */
struct docstore_fixture {
	void *arg;
	const char *database;
	bool (*can_hold)(const char *id);
	/* A new database, without containers and keys, from here on. */
	void (*reset)(void *arg);
	/*
	 * Makes a container, or makes it anew, with another _rid; partition_key: the member's JSON.
	 */
	void (*make)(void *arg, const char *container, const char *partition_key);
	/* Makes or replaces a key; returns its text as stored.  The caller frees. */
	char *(*put_key)(void *arg, const char *id, const char *wrapped);
	/* Makes or replaces a document; returns its text as stored.  The caller frees. */
	char *(*put)(void *arg, const char *container, const struct contract_document *document);
	struct docstore *(*open)(void *arg); /* the caller frees */
};

void docstore_contract_names(const struct docstore_fixture *f);
void docstore_contract_container(const struct docstore_fixture *f);
void docstore_contract_keys(const struct docstore_fixture *f);
void docstore_contract_pages(const struct docstore_fixture *f);
void docstore_contract_partitions(const struct docstore_fixture *f);
void docstore_contract_hierarchical(const struct docstore_fixture *f);
void docstore_contract_equality(const struct docstore_fixture *f);
void docstore_contract_bounds(const struct docstore_fixture *f);
void docstore_contract_get(const struct docstore_fixture *f);
void docstore_contract_recreated(const struct docstore_fixture *f);
void docstore_contract_changes(const struct docstore_fixture *f);
void docstore_contract_refusals(const struct docstore_fixture *f);
void docstore_contract_threads(const struct docstore_fixture *f);

/* docstore_contract_write.c */
void docstore_contract_create(const struct docstore_fixture *f);
void docstore_contract_create_sealed(const struct docstore_fixture *f);
void docstore_contract_replace(const struct docstore_fixture *f);
void docstore_contract_delete(const struct docstore_fixture *f);
void docstore_contract_put_refusals(const struct docstore_fixture *f);
void docstore_contract_put_recreated(const struct docstore_fixture *f);
void docstore_contract_put_races(const struct docstore_fixture *f);
void docstore_contract_put_readers(const struct docstore_fixture *f);
void docstore_contract_put_changes(const struct docstore_fixture *f);

#endif
