/* SPDX-License-Identifier: MIT */
/*
 * The door to everything outside this process: turns the user's words (a
 * SOURCE, credentials, vault= and keys=) into a store and a keyring.  The only place that
 * knows net, keys and store at once; commands and views see what it returns.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "backend/keys/keyring.h"
#include "backend/store/docstore.h"
#include "backend/store/store.h"
#include "base/err.h"

/* All strings are borrowed for the call, NULL = not given.  Lists end with NULL; NULL = empty. */
struct backend_config {
	const char *source;	   /* see backend_open */
	const char *const *vaults; /* vault= entries */
	const char *const *keys;   /* keys= files */
	const char *kek;     /* a key that is written under: may be asked like one of vaults */
	const char *kek_alg; /* names separated by blanks or ':', narrowing what may unwrap */
	int64_t key_ttl_ns;
	const char *credential, *vault_credential; /* names, see credential_kind_parse */
	const char *storage_key_file, *sas_file;
	const char *cosmos_key_file;   /* the account's key */
	const char *cosmos_token_file; /* a resource token */
	double ru;		       /* request units a second for scans; 0 = no limit */
	const char *ca_file, *proxy;
	const char *const *allow_http;
};

/* What a process needs once, however many sources it has: clients, tokens, credentials. */
struct backend; /* opaque */

/*
 * Takes the credentials out of the environment (AZURE_STORAGE_CONNECTION_STRING, _KEY, _SAS_TOKEN,
 * AZURE_COSMOS_CONNECTION_STRING, _KEY, identity), overwriting them there.
 */
int backend_new(struct backend **out, struct err *e) MUST_CHECK;
/* After the last store and keyring made by it are gone. */
void backend_free(struct backend *b);
/*
 * Running network calls fail soon with -ECANCELED: for a quick end.  Waits for a throttling vault
 * end with clock_stop, which the program calls first.
 */
void backend_stop(struct backend *b);

enum source_kind { SOURCE_BLOBS, SOURCE_DOCUMENTS };

/* What a SOURCE is: one of the two stores, the other is NULL. */
struct backend_store {
	enum source_kind kind;
	struct store *blobs;
	struct docstore *documents;
};
void backend_store_free(struct backend_store *s); /* and zeroes it */

/*
 * Opens cfg->source:
 *  - https://ACCOUNT.blob.core.windows.net[/CONTAINER[/PREFIX]]: sovereign suffixes too;
 *    percent-decoded
 *  - blob:URL: any other host, path style (http://127.0.0.1:10000/ACCOUNT/CONTAINER)
 *  - https://ACCOUNT.documents.azure.com[/DATABASE[/CONTAINER]]: sovereign suffixes too
 *  - cosmos:URL: any other host (https://localhost:8081/DATABASE/CONTAINER)
 *  - dir:PATH: an offline store, of blobs or of documents; dir:PATH/DATABASE[/CONTAINER] shows a
 *    part of one of documents
 *
 * Credentials for storage, in this order: storage_key_file, sas_file, credential (also
 * "anonymous"), then the environment's connection string, key, SAS, then Entra; for http sources
 * without any: anonymous.
 *
 * For Cosmos: cosmos_key_file, cosmos_token_file, credential, then the environment's
 * AZURE_COSMOS_CONNECTION_STRING and AZURE_COSMOS_KEY, then Entra; a connection string counts only
 * for the host that it names.
 *
 *  - -EINVAL: not a SOURCE, or one that holds a secret (a query with sig=, user info): the sentence
 *    says where to put it; contradictory credentials
 *  - -EACCES: a key file that others may read, http where it is not allowed
 *
 * Contacts nothing (store_probe or store_list tell whether it is there).
 */
int backend_open(struct backend *b, const struct backend_config *cfg, struct backend_store *out,
		 struct err *e) MUST_CHECK;

/* The keyring for cfg's keys, vaults, kek_alg and key_ttl. */
int backend_keyring(struct backend *b, const struct backend_config *cfg, struct keyring **out,
		    struct err *e) MUST_CHECK;

#endif
