/* SPDX-License-Identifier: MIT */
/*
 * From a path of the document view to what it means: first by its words alone, then, once the
 * container is known, to the stored values that it names.
 *
 *   [DATABASE/][CONTAINER/]items/[KEY.../]ID.json      the levels that the source does not name
 *                          all.jsonl
 *                          parts/MIN-MAX.jsonl
 *                          by/PROPERTY/VALUE/[KEY.../]ID.json
 *                          .policy.json  .keys.json
 */
#ifndef FS_DOCPATH_H
#define FS_DOCPATH_H

#include "backend/store/docstore.h"
#include "fs/docbox.h"

enum docarea {
	DOCAREA_ACCOUNT,   /* lists databases */
	DOCAREA_DATABASE,  /* lists containers */
	DOCAREA_CONTAINER, /* the files and directories above */
	DOCAREA_ITEMS,	   /* items/ and all below it */
	DOCAREA_ALL,
	DOCAREA_PARTS,
	DOCAREA_PART,
	DOCAREA_BY,	  /* by/: lists properties */
	DOCAREA_PROPERTY, /* by/PROPERTY/: can be looked up, not listed */
	DOCAREA_VALUE,	  /* by/PROPERTY/VALUE/ and all below it */
	DOCAREA_POLICY,
	DOCAREA_KEYS
};

enum { DOCPATH_REST_MAX = CONTAINER_PATHS_MAX + 1, DOCPATH_VALUES_MAX = 6 };

struct docpath {
	char *text; /* owned; what the pointers below point into */
	enum docarea area;
	char database[256], container[256]; /* as the store calls them */
	const char *property, *value;	    /* file names; DOCAREA_PROPERTY, DOCAREA_VALUE */
	const char *rest[DOCPATH_REST_MAX]; /* ITEMS, VALUE: file names of keys and document */
	unsigned n_rest;
	char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1]; /* PART */
};

/* -ENOENT when nothing can have that path. */
int docpath_parse(const struct docstore *store, const char *path, struct docpath *out,
		  struct err *e) MUST_CHECK;
void docpath_clear(struct docpath *p);
#define AUTO_DOCPATH struct docpath CLEANUP(docpath_clear)

/* A place of ITEMS or VALUE, in the words of the store.  Large: not for the stack twice. */
struct docspot {
	struct docbox *box;		     /* a reference */
	struct dockeys *keys;		     /* a reference */
	unsigned n_levels;		     /* key levels that this container has */
	unsigned n_keys;		     /* of them given */
	struct buf key[CONTAINER_PATHS_MAX]; /* stored JSON text of each given one */
	bool is_document;
	struct buf id;	      /* of a document: its stored id */
	struct buf id_json;   /* the same as JSON text */
	struct buf partition; /* header text, when all keys are given */
	int property;	      /* VALUE: the policy path, else -1 */
	struct buf value[DOCPATH_VALUES_MAX];
	unsigned n_values;
	/* --- what docspot_select points to --- */
	const char *key_text[CONTAINER_PATHS_MAX], *value_text[DOCPATH_VALUES_MAX];
	const char *id_text, *property_token, *id_token;
	struct docstore_equal equal[CONTAINER_PATHS_MAX + 2];
};

struct docview;

/*
 * box: taken over, also on failure.  patient: see docbox_keys.  A cut name is looked for by listing
 * its directory.  -ENOENT when no stored value can be meant.
 */
int docspot_resolve_take(struct docview *v, const struct docpath *p, struct docbox *box,
			 bool patient, struct deadline d, struct docspot *out,
			 struct err *e) MUST_CHECK;
void docspot_init(struct docspot *s);
void docspot_clear(struct docspot *s);
#define AUTO_DOCSPOT struct docspot CLEANUP(docspot_clear)

/* A stored JSON text as a token of a document: p == NULL where it stands for nothing ("{}"). */
struct span docspot_token(const struct buf *json);

/*
 * The selection of what lies at the spot and below it; borrowed from the spot.  what, max_items are
 * the caller's.  with_id: of a document, by its id too (a query; otherwise its whole partition).
 */
void docspot_select(struct docspot *s, bool with_id, struct docstore_select *out);

#endif
