/* SPDX-License-Identifier: MIT */
/*
 * A container that is being shown: what it says of itself, the keys that its policy names, and the
 * unsealing of its documents.  Here, and nowhere else, stored documents and keys meet.
 *
 * A docbox is one generation of a container: when the service says that the container was
 * re-created, a new one takes its place and the old one lives on for those who hold it.
 */
#ifndef FS_DOCBOX_H
#define FS_DOCBOX_H

#include <stdbool.h>

#include "backend/keys/keyring.h"
#include "backend/store/docstore.h"
#include "crypto/documentseal.h"

struct docbox; /* opaque, reference counted, thread-safe */

struct docbox_config {
	enum clear_cells clear_cells; /* clear_cells= */
	bool dek_fallback;	      /* dek_fallback=same-kek */
	bool withheld_fail;	      /* withheld=fail */
	bool show_unencrypted;	      /* unencrypted=show: containers without policy */
};

/*
 * Reads the container.  store, keys and cfg are borrowed for the box's life.  -EACCES when it has
 * no policy and may not be shown (event "policy.unencrypted"); errors of docstore_container and
 * container_def_parse.
 */
int docbox_open(struct docstore *store, struct keyring *keys, const struct docbox_config *cfg,
		const char *database, const char *container, struct deadline d, struct docbox **out,
		struct err *e) MUST_CHECK;
struct docbox *docbox_get(struct docbox *b);
void docbox_put(struct docbox *b); /* NULL is fine */

/*
 * Whether a failure of the store says that the container is another one now; the box knows it from
 * then on, for whoever looks for the container next.
 */
bool docbox_note_gone(struct docbox *b, const struct err *e);
bool docbox_is_gone(const struct docbox *b);

const struct docstore_at *docbox_at(const struct docbox *b);
/*
 * Another number for each box of the process: what one box has unsealed, under its keys and rules,
 * is not for another, though both say that they are the same container.
 */
uint64_t docbox_serial(const struct docbox *b);
struct docstore *docbox_store(const struct docbox *b);
const struct container_def *docbox_def(const struct docbox *b);

/*
 * The keys as they are now: asked of the keyring, at most once a second; references that stay good
 * whatever happens meanwhile.  Never fails as a whole: what a path lacks is said when a document
 * needs it.  patient: waits for the vault up to the deadline, otherwise a few seconds.
 */
struct dockeys; /* opaque, reference counted, immutable */
int docbox_keys(struct docbox *b, bool patient, struct deadline d, struct dockeys **out,
		struct err *e) MUST_CHECK;
void dockeys_put(struct dockeys *k); /* NULL is fine */
/*
 * Whether every key is there or withheld for good: what is unsealed with them has its final size.
 */
bool dockeys_settled(const struct dockeys *k);
/* Whether what a path of the policy seals can be opened. */
bool dockeys_has(const struct dockeys *k, size_t path);

/* Behind a version's ETag when something is withheld, with 16 digits: "ETAG~w0123456789abcdef". */
#define DOCBOX_WITHHELD_MARK "~w"

/* A sealed document, unsealed. */
struct docplain {
	struct document_head head; /* spans lie in the document's text */
	/*
	 * The version: the document's ETag without quotes; another one when something is withheld.
	 */
	char etag[DOCSTORE_ETAG_MAX + 40];
};

/*
 * Appends the plain document and a newline to out.  Errors of document_unseal; -EACCES, -ENOKEY,
 * -ETIMEDOUT, ... when a key is missing that the document needs (withheld=fail included); out is as
 * it was then.  The failure names a sibling DEK under which a cell would open; with
 * dek_fallback=same-kek it does, and *k, a reference, becomes one to keys with those siblings.
 */
int docbox_unseal(struct docbox *b, struct dockeys **k, struct span text, struct buf *out,
		  struct docplain *plain, struct deadline d, struct err *e) MUST_CHECK;

/* Only the head; the ETag is that of the stored version. */
int docbox_scan(struct docbox *b, struct span text, struct docplain *plain,
		struct err *e) MUST_CHECK;

/*
 * Puts in front of a failure which document it is of: by its stored id, as far as it can be read.
 */
int docbox_err_in(struct docbox *b, struct span text, struct err *e);

/* ---- sealing ---- */

/*
 * What has to hold before anything is sealed for the container: policy and open keys are those that
 * the file pins (docpin.h); for what it does not pin yet, one page of the container is read: where
 * something is sealed under such a key the key must open some of it.  Then it is pinned.  -EACCES:
 * events "policy.pin", "policy.dek_changed", "policy.unencrypted" (no policy, and none was pinned).
 */
int docbox_check_pins(struct docbox *b, const struct dockeys *k, const char *file,
		      struct deadline d, struct err *e) MUST_CHECK;

/* As document_seal; a key that is missing says why. */
int docbox_seal(struct docbox *b, const struct dockeys *k, struct span text, struct buf *out,
		struct document_head *head, struct err *e) MUST_CHECK;
/* Whether there is every key of the policy, so that no property can be withheld. */
bool docbox_opens_all(const struct dockeys *k);

/* ---- values: names of files, and the stored text of what a user names ---- */

struct docvalue; /* fs/valuename.h */

/*
 * The value of a stored scalar: raw is its token, with quotes; p == NULL: absent.  path: of the
 * policy, -1 = in clear.  What does not open is DOCVALUE_STORED.  Text lies in bytes (reset first).
 */
int docbox_value(struct docbox *b, const struct dockeys *k, int path, struct span raw,
		 struct docvalue *out, struct buf *bytes, struct err *e) MUST_CHECK;

/*
 * Appends the JSON text (in ASCII) that the value has in the store: sealed by path's key, or in
 * clear.  is_id: in the alphabet of ids.  -EACCES and so on when the key is not there; -ENOENT when
 * no stored value can be it.
 */
int docbox_stored(struct docbox *b, const struct dockeys *k, int path, bool is_id,
		  const struct docvalue *v, struct buf *out, struct err *e) MUST_CHECK;

/* ---- the two small files ---- */

/* Appends what .policy.json and .keys.json hold. */
int docbox_policy_text(struct docbox *b, struct buf *out, struct err *e) MUST_CHECK;
int docbox_keys_text(struct docbox *b, const struct dockeys *k, struct buf *out,
		     struct err *e) MUST_CHECK;

/* KEK ids behind the policy's keys, separated by blanks, cut to fit: for an attribute. */
void docbox_kek_ids(struct docbox *b, char *out, size_t out_n);
/* The DEK that sibling number i of a path is: for an attribute.  "" when there is none. */
void docbox_sibling_id(const struct dockeys *k, size_t path, unsigned i, char *out, size_t out_n);

#endif
