/* SPDX-License-Identifier: MIT */
/*
 * What the blob view remembers of a blob between a listing and an open: its
 * envelope, packed, and what kind of thing it is.  Small: there is one for each entry that
 * the kernel knows.
 */
#ifndef FS_BLOBRECORD_H
#define FS_BLOBRECORD_H

#include <stdbool.h>

#include "backend/store/store.h"
#include "crypto/template.h"
#include "fs/view.h"

enum blob_state {
	BLOB_SEALED,	  /* a good envelope */
	BLOB_UNENCRYPTED, /* no envelope at all */
	BLOB_BROKEN /* an envelope that cannot be used, or one that the service hides: open says why
		     */
};

struct kid_table; /* key ids, each stored once; opaque; has a lock of its own (rank 3) */
int kid_table_new(struct kid_table **out, struct err *e) MUST_CHECK;
void kid_table_free(struct kid_table *t); /* all records are gone */

struct blob_record {
	struct view_record base;
	uint64_t stored_size;
	struct packed_envelope *packed; /* BLOB_SEALED */
	struct kid_text *kid;		/* BLOB_SEALED */
	uint8_t state;			/* enum blob_state */
	bool page_blob, archived;
	bool bound;	/* there is a binding tag: */
	uint8_t bind[]; /* BIND_RAW_LEN bytes */
};

/*
 * From a store's entry; one reference for the caller.  Only -ENOMEM: a bad envelope makes a
 * BLOB_BROKEN record.  like: for many entries in a row, or NULL.
 */
int blob_record_new(struct kid_table *t, struct envelope_template *like,
		    const struct store_entry *entry, struct view_record **out,
		    struct err *e) MUST_CHECK;

/* The full envelope of a BLOB_SEALED record. */
int blob_record_envelope(const struct blob_record *r, struct envelope *out,
			 struct err *e) MUST_CHECK;
const char *blob_record_kid(const struct blob_record *r); /* "" when there is none */

/* The binding tag: BIND_RAW_LEN bytes, NULL when there is none, or none of a version known here. */
const uint8_t *blob_record_bind(const struct blob_record *r);

/* Plain size to show, and whether it is exact. */
uint64_t blob_record_size(const struct blob_record *r, bool *exact);

static inline const struct blob_record *
blob_record_of(const struct view_record *r)
{
	return (const struct blob_record *)(const void *)r;
}

#endif
