/* SPDX-License-Identifier: MIT */
/*
 * Writing to a store: sealed bytes and metadata, in one step that happens or does not.
 *
 * This comment is the contract; the wrappers assert it, and tests/contract/ runs one suite over
 * every store.
 *
 *  - A write is atomic: who reads the name sees the old version or the new one, bytes and metadata
 *    together, whenever the writer is killed.  0 means that it is kept (a dir: store has synced
 *    it).
 *  - A write has a condition.  When it does not hold nothing has changed:
 *      -EEXIST  something is there that should not be
 *      -ESTALE  another version is there than the one to be replaced, or none (event
 *               "remote.changed")
 *  - An answer that was lost is cleared up before a write reports: the driver looks whether what is
 *    there is what it sent.  What cannot be cleared up before the deadline is -ETIMEDOUT or -EIO.
 *  - Other failures: -EACCES, -EBUSY (leased, has snapshots), -EPERM (immutable), -ENODATA
 *    (archived), -ENOENT (no such container; for delete and copy, no such object), -E2BIG (over 8
 *    KiB of metadata), -EINVAL (a name or a metadata item that the service cannot have), -ENOSPC,
 *    -EROFS (the store only reads), -EFBIG, -ETIMEDOUT, -EIO, -ENOMEM.
 *  - Names are those of store.h.  Any number of threads may call at once; no lock is held across
 *    I/O.
 */
#ifndef BACKEND_STORE_STOREWRITE_H
#define BACKEND_STORE_STOREWRITE_H

#include "backend/store/store.h"

enum {
	STORE_PROPERTY_MAX = 1023, /* bytes of a content type and the like */
	STORE_META_ITEMS_MAX = 128,
	STORE_META_TOTAL_MAX = 8 << 10, /* names and values: the service's limit */
	STORE_BLOCKS_MAX = 50000,
	STORE_BLOCK_MAX = 100 << 20 /* bytes: what every service version takes */
};

/* ---- what an object is besides its bytes ---- */

struct store_meta {
	char *name, *value; /* owned; name in the case that the store has */
};

enum store_property {
	STORE_CONTENT_TYPE,
	STORE_CONTENT_ENCODING,
	STORE_CONTENT_LANGUAGE,
	STORE_CONTENT_DISPOSITION,
	STORE_CACHE_CONTROL,
	STORE_PROPERTIES_N
};

struct store_properties {
	char *text[STORE_PROPERTIES_N]; /* owned; NULL = none */
	struct store_meta *meta;	/* owned */
	size_t n_meta;
};
void store_properties_clear(struct store_properties *p); /* and zeroes it */
#define AUTO_STORE_PROPERTIES struct store_properties CLEANUP(store_properties_clear)

/* The value of an item, its name in any case; NULL when there is none. */
const char *store_meta_get(const struct store_properties *p, const char *name);
/* Adds the item, or replaces it (under the name given) whatever the case of the old name.  -ENOMEM,
 * -E2BIG over STORE_META_ITEMS_MAX. */
int store_meta_set(struct store_properties *p, const char *name, const char *value,
		   struct err *e) MUST_CHECK;
void store_meta_remove(struct store_properties *p, const char *name);
int store_property_set(struct store_properties *p, enum store_property which, const char *value,
		       struct err *e) MUST_CHECK;

/* ---- conditions and results ---- */

/* What must be there for a write to happen: one of the two, or neither (whatever is there). */
struct store_condition {
	bool absent;	      /* nothing */
	const char *if_match; /* this version */
};

/* What a write has made. */
struct store_written {
	char etag[STORE_ETAG_MAX + 1];
	int64_t mtime_ns;
};

/* An upload in blocks, told from all others by its id. */
struct store_upload {
	uint8_t id[16]; /* random */
};

struct store_block {
	uint32_t number; /* 0..STORE_BLOCKS_MAX - 1, in the order of the bytes */
	uint64_t off;	 /* where its bytes lie in the object */
	struct span bytes;
};

struct store_write_ops {
	int (*properties)(struct store *s, const char *name, const char *if_match,
			  struct store_properties *out, struct deadline d, struct err *e);
	int (*put)(struct store *s, const char *name, const struct store_properties *p,
		   struct span bytes, struct store_condition c, struct store_written *out,
		   struct deadline d, struct err *e);
	int (*block)(struct store *s, const char *name, const struct store_upload *u,
		     const struct store_block *b, struct deadline d, struct err *e);
	int (*commit)(struct store *s, const char *name, const struct store_upload *u,
		      uint32_t n_blocks, uint64_t size, const struct store_properties *p,
		      struct store_condition c, struct store_written *out, struct deadline d,
		      struct err *e);
	void (*abandon)(struct store *s, const char *name, const struct store_upload *u);
	int (*set_metadata)(struct store *s, const char *name, const struct store_properties *p,
			    const char *if_match, struct store_written *out, struct deadline d,
			    struct err *e);
	int (*copy)(struct store *s, const char *from, const char *if_match, const char *to,
		    struct store_condition c, struct store_written *out, struct deadline d,
		    struct err *e);
	int (*delete)(struct store *s, const char *name, const char *if_match, struct deadline d,
		      struct err *e);
	int (*make_folder)(struct store *s, const char *name, struct deadline d, struct err *e);
	int (*remove_folder)(struct store *s, const char *name, struct deadline d, struct err *e);
};

/*
 * Everything besides the bytes of the version if_match (NULL: of the current one).  -ENOENT,
 * -ESTALE.
 */
int store_get_properties(struct store *s, const char *name, const char *if_match,
			 struct store_properties *out, struct deadline d, struct err *e) MUST_CHECK;

/* A whole object in one request. */
int store_put(struct store *s, const char *name, const struct store_properties *p,
	      struct span bytes, struct store_condition c, struct store_written *out,
	      struct deadline d, struct err *e) MUST_CHECK;

/* Draws the id.  -EIO. */
int store_upload_init(struct store_upload *u, struct err *e) MUST_CHECK;
/*
 * Sends one block, 1..STORE_BLOCK_MAX bytes, which nobody sees before the commit.  Blocks may be
 * sent at the same time and in any order.
 */
int store_put_block(struct store *s, const char *name, const struct store_upload *u,
		    const struct store_block *b, struct deadline d, struct err *e) MUST_CHECK;
/* Makes the object of blocks 0..n_blocks - 1, size bytes in all, n_blocks > 0. */
int store_commit_blocks(struct store *s, const char *name, const struct store_upload *u,
			uint32_t n_blocks, uint64_t size, const struct store_properties *p,
			struct store_condition c, struct store_written *out, struct deadline d,
			struct err *e) MUST_CHECK;
/* Nobody will commit the blocks: what can be freed at once is. */
void store_abandon_blocks(struct store *s, const char *name, const struct store_upload *u);

/*
 * Replaces all metadata of that version, and nothing else: p->meta has to be complete, the envelope
 * included.
 */
int store_set_metadata(struct store *s, const char *name, const struct store_properties *p,
		       const char *if_match, struct store_written *out, struct deadline d,
		       struct err *e) MUST_CHECK;

/* Copies that version within the store, bytes, properties and metadata, without reading it here. */
int store_copy(struct store *s, const char *from, const char *if_match, const char *to,
	       struct store_condition c, struct store_written *out, struct deadline d,
	       struct err *e) MUST_CHECK;

/* Deletes that version (NULL: the current one). */
int store_delete(struct store *s, const char *name, const char *if_match, struct deadline d,
		 struct err *e) MUST_CHECK;

/* A directory without anything in it.  -EEXIST when there is an object or a folder of that name. */
int store_make_folder(struct store *s, const char *name, struct deadline d,
		      struct err *e) MUST_CHECK;
/*
 * Takes the folder's marker away, if there is one.  -ENOTEMPTY when names below it exist; 0 also
 * when nothing at all was there.
 */
int store_remove_folder(struct store *s, const char *name, struct deadline d,
			struct err *e) MUST_CHECK;

#endif
