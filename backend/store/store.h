/* SPDX-License-Identifier: MIT */
/*
 * A store holds named sealed objects: bytes, an ETag, and metadata.  It knows
 * nothing of keys, plaintext or files.  One file for each driver, registered in stores.c;
 * decorators (fault.c) wrap any other store.
 *
 * This comment is the contract; the wrappers assert it, and tests/contract/ runs one suite over
 * every store.
 *
 *  - Names are byte strings of 1..STORE_NAME_MAX bytes without NUL, as the service has them:
 * nothing is unescaped, resolved
 *    ("..", "//") or folded.  A store that is opened on a prefix adds and removes it: names are
 * relative to it.
 *  - Every call blocks up to its deadline; any number of threads may call at once.  No call holds a
 * lock across I/O.
 *  - A failure says why (err_set); outputs are written on success only.
 *      -ENOENT    no such object (or container)
 *      -ESTALE    the object is not the version asked for (if_match)
 *      -EACCES    401, 403; -ENODATA archived; -EBUSY leased; -EPERM immutable; -EOPNOTSUPP;
 * -ETIMEDOUT; -EIO -EBADMSG   what describes the object is malformed (dir) -ENAMETOOLONG  the name
 * is longer than STORE_NAME_MAX e->request_id is the service's where there is one.
 *  - ETags are opaque, unquoted text, at most STORE_ETAG_MAX bytes; two versions of an object never
 * have the same.
 */
#ifndef BACKEND_STORE_STORE_H
#define BACKEND_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"

/* A name has at most 1,024 UTF-16 units with the service, which is up to 3,072 bytes, and a
 * container's name before it. */
enum {
	STORE_NAME_MAX = 4096,
	STORE_ETAG_MAX = 127,
	STORE_METADATA_MAX = 32 << 10,
	STORE_CURSOR_MAX = 8 << 10
};

enum store_entry_kind {
	STORE_OBJECT,
	STORE_PREFIX /* names that begin so exist; name ends in '/' (listings with delimiter only)
		      */
};

enum store_blob_type { STORE_BLOCK, STORE_PAGE, STORE_APPEND };

/* What is known of an object.  Pointers are borrowed: good until the callback that got it returns.
 */
struct store_entry {
	enum store_entry_kind kind;
	struct span name; /* not NUL-terminated, may hold any byte but NUL */
	uint64_t size;	  /* stored bytes */
	const char *etag;
	int64_t mtime_ns; /* since 1970: the metadata item mtime where it is one, else the service's
			   */
	enum store_blob_type type;
	bool folder;   /* a directory marker: empty object with hdi_isfolder, or a real directory */
	bool archived; /* content cannot be read now */
	bool metadata_hidden; /* customer-provided key: the service does not show the metadata */
	struct span envelope; /* value of the metadata item encryptiondata (name in any case); p ==
				 NULL: there is none */
	struct span bind;     /* value of the metadata item azcryptbind; p == NULL: there is none */
	const char *content_type; /* "" when unknown */
};

/* One page of a listing goes here, in the service's order.  Non-zero (err_set) ends the listing
 * with that error. */
struct store_list_sink {
	int (*entry)(void *arg, const struct store_entry *entry, struct err *e);
	void *arg;
};

/* The bytes of an object go here: begin at the start of every attempt, then all bytes in order; see
 * http_sink. */
struct store_get_sink {
	int (*begin)(
		void *arg, const struct store_entry *entry,
		struct err *e); /* entry describes the whole object; may be NULL = not wanted */
	int (*data)(void *arg, struct span piece, struct err *e);
	void *arg;
};

struct store_get {
	const char *name;
	uint64_t off, len;    /* range; len 0 = the whole object */
	uint64_t max;	      /* whole object: -EFBIG, after begin, when it is larger than that */
	const char *if_match; /* NULL = any version; else -ESTALE when another one is there */
	const char *if_none_match; /* NULL = no condition; else *out_same when that version is
				      (still) there, and no byte is sent */
};

struct store; /* a driver's own struct begins with one */

struct store_write_ops; /* storewrite.h */

struct store_ops {
	const char *name;
	const struct store_write_ops *write; /* NULL: the store only reads */
	int (*list)(struct store *s, struct span prefix, bool delimited, unsigned max,
		    struct buf *cursor, struct store_list_sink sink, struct deadline d,
		    struct err *e);
	int (*probe)(struct store *s, const char *name, struct store_list_sink sink,
		     struct deadline d, struct err *e);
	int (*head)(struct store *s, const char *name, const char *if_none_match,
		    struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e);
	int (*get)(struct store *s, const struct store_get *get, struct store_get_sink sink,
		   bool *out_same, struct deadline d, struct err *e);
	void (*free)(struct store *s);
};

struct store {
	const struct store_ops *ops;
	char label[256];       /* for the log: "account/container/prefix" or the path; no secret */
	_Atomic bool listable; /* false: a single object, or (found out on the way) no permission to
				  list */
};

/*
 * One page of the names that begin with prefix.  delimited: names that have a further '/' are
 * folded into one STORE_PREFIX entry.  max: most entries wanted, 0 = as many as a page holds.
 * *cursor is opaque, with a ceiling of STORE_CURSOR_MAX: empty at the start; empty again afterwards
 * when that was the last page.  A page may be empty and not be the last.  Nothing is listed that
 * has been deleted, and only the current version of each object.
 */
int store_list(struct store *s, struct span prefix, bool delimited, unsigned max,
	       struct buf *cursor, struct store_list_sink sink, struct deadline d,
	       struct err *e) MUST_CHECK;

/*
 * What is at this name: sends the object of exactly this name, if any, and a STORE_PREFIX entry
 * "name/" if names below it exist. Sends nothing when there is neither (and returns 0).  One
 * request where the service allows.
 */
int store_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
		struct err *e) MUST_CHECK;

/* The object's attributes (one entry sent), or *out_same and no entry when if_none_match still
 * names its version. */
int store_head(struct store *s, const char *name, const char *if_none_match,
	       struct store_list_sink sink, bool *out_same, struct deadline d,
	       struct err *e) MUST_CHECK;

/*
 * Reads a range, or the whole object.  On success the sink has had exactly len bytes (whole:
 * entry->size bytes) of one version, unless *out_same. -EIO (event "net.protocol") when what
 * arrives is not the range asked for, or the object does not reach that far.
 */
int store_get(struct store *s, const struct store_get *get, struct store_get_sink sink,
	      bool *out_same, struct deadline d, struct err *e) MUST_CHECK;

void store_free(struct store *s);

#endif
