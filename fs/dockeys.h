/* SPDX-License-Identifier: MIT */
/*
 * The keys of one container: the DEKs that its policy names, each read from the store and
 * unwrapped by the keyring.  Used by docbox.c alone.
 *
 * States of a DEK: unread -> open | withheld | failed.  Open ones are asked of the keyring again
 * once a second, so that its TTL counts; withheld ones (the vault says that this identity may not)
 * every 30 s, each time after the record was read again in case it has been rewrapped; failures
 * of the moment when a patient caller comes, or after 30 s.
 */
#ifndef FS_DOCKEYS_H
#define FS_DOCKEYS_H

#include "fs/docbox.h"

/* An open DEK: its key and what is derived from it, reference counted. */
struct dek_open {
	_Atomic unsigned refs;
	struct key_ref *ref;
	struct dek_keys *keys;
	char id[COSMOS_ID_MAX + 1];
};
/* Takes ref (also on failure). */
int dek_open_new_take(const char *id, struct key_ref *ref, struct dek_open **out,
		      struct err *e) MUST_CHECK;
struct dek_open *dek_open_get(struct dek_open *o); /* NULL stays NULL */
void dek_open_put(struct dek_open *o);		   /* NULL is fine */

/* One DEK, as it was when the snapshot was made. */
struct dockeys_dek {
	struct dek_open *open;	   /* a reference, or NULL: */
	struct err why;		   /* then this says why */
	bool withheld;		   /* the vault says that this identity may not use it */
	bool passing;		   /* the failure is one of the moment */
	struct dek_open **sibling; /* others under the same KEK: references */
	const struct dek_keys **sibling_keys;
	size_t n_siblings;
};

struct dockeys {
	_Atomic unsigned refs;
	struct dockeys_dek *dek;
	size_t n_deks;
	struct document_key *key; /* one for each path of the policy */
	size_t *dek_of;		  /* for each path */
	size_t n;
	bool passing; /* some DEK's failure is one of the moment */
	bool settled; /* see dockeys_settled */
	bool with_siblings;
};

/* Makes room for a snapshot; keychest.c fills it and calls dockeys_finish. */
int dockeys_new(size_t n_paths, size_t n_deks, struct dockeys **out, struct err *e) MUST_CHECK;
void dockeys_finish(struct dockeys *k);

struct keychest; /* opaque, thread-safe */

/*
 * All is borrowed for life.  show_siblings: who asks without siblings may get them all the same,
 * when somebody else has asked for them.
 */
int keychest_new(struct docstore *store, struct keyring *keys, const char *database,
		 const struct container_def *def, bool show_siblings, struct keychest **out,
		 struct err *e) MUST_CHECK;
void keychest_free(struct keychest *c); /* NULL is fine */

/* As docbox_keys.  siblings: with other DEKs under the same KEK, as far as they open. */
int keychest_keys(struct keychest *c, bool patient, bool siblings, struct deadline d,
		  struct dockeys **out, struct err *e) MUST_CHECK;

size_t keychest_count(const struct keychest *c); /* DEKs that the policy names */
/* What is known of DEK number i, for .keys.json; "" where nothing is. */
struct keychest_entry {
	char id[COSMOS_ID_MAX + 1], kid[1025], kek_name[256];
};
void keychest_entry(struct keychest *c, size_t i, struct keychest_entry *out);

#endif
