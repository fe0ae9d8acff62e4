/* SPDX-License-Identifier: MIT */
/* The documents that most tests of document stores put into a container. */
#ifndef TESTS_CONTRACT_DOCSTORE_HELD_H
#define TESTS_CONTRACT_DOCSTORE_HELD_H

#include "tests/contract/docstore_contract.h"
#include "tests/contract/docstore_seen.h"

#define BY_PK	  "{\"kind\":\"Hash\",\"paths\":[\"/pk\"],\"version\":2}"
#define BY_ORG	  "{\"kind\":\"MultiHash\",\"paths\":[\"/org\",\"/team\",\"/user\"],\"version\":2}"
#define E_AND_DAY "\303\251\346\227\245"

/* What a container holds. */
struct docstore_held {
	const struct contract_document *document[64];
	char *text[64]; /* as stored */
	unsigned n;
};

/* What is needed to say where: the definition as it is now. */
struct docstore_place {
	struct container_def def;
	struct docstore_at at;
};

struct deadline docstore_soon(void);

/* A new database with one container, "flat" by /pk or "nested" by /org, /team, /user. */
struct docstore_held docstore_held_flat(const struct docstore_fixture *f);
struct docstore_held docstore_held_nested(const struct docstore_fixture *f);
void docstore_held_clear(struct docstore_held *h);

/* The texts of those in a partition; NULL: of all. */
void docstore_held_want(const struct docstore_held *h, const char *partition,
			struct docstore_seen *out);

/* A get of the document brings that text; NULL: it is the same as etag says. */
void docstore_held_got(struct docstore *s, const struct docstore_at *at,
		       const struct contract_document *document, const char *etag,
		       const char *wanted);

void docstore_place_of(const struct docstore_fixture *f, struct docstore *s, const char *container,
		       struct docstore_place *out);
void docstore_place_clear(struct docstore_place *p);

/* The ETag of a stored text, with its quotes as a header has them. */
void docstore_etag_of(const char *text, char out[DOCSTORE_ETAG_MAX + 3]);

#endif
