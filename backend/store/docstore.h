/* SPDX-License-Identifier: MIT */
/*
 * A document store holds sealed documents in containers in databases, and beside them the
 * resources that say how they are sealed: each container's own, with its policy, and each
 * database's wrapped keys.  All of it is handed out as the bytes that the service sent; nothing
 * here knows keys or plain text.  One file for each driver; decorators (docpace.c) wrap any other.
 *
 * This comment is the contract; the wrappers assert it, and tests/contract/ runs one suite over
 * every driver.
 *
 *  - Every call blocks up to its deadline; any number of threads may call at once.  No lock is held
 *    across I/O.
 *  - A failure says why (err_set); outputs are written on success only.
 *      -ENOENT  no such database, container, key, document (event "remote.gone")
 *      -ESTALE  the container is not the one of at->rid any more (event "remote.recreated"), or its
 *               partition key is another: read the container again
 *      -EACCES  401, 403; -ETIMEDOUT the deadline, throttling included; -EIO; -EOPNOTSUPP
 *      -EBADMSG (dir) what is stored is malformed
 *    e->request_id is the service's activity id where there is one.
 *  - A partition is written as the text of its header: a JSON array of its values as stored, in
 *    ASCII, see partition.h.
 */
#ifndef BACKEND_STORE_DOCSTORE_H
#define BACKEND_STORE_DOCSTORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/container.h"

enum {
	DOCSTORE_CURSOR_MAX = 256 << 10, /* cursors hold a continuation for each feed range */
	DOCSTORE_PAGE_MAX = 32 << 20,	 /* bytes of one answer */
	DOCSTORE_PARTITION_MAX = 16 << 10,
	DOCSTORE_ETAG_MAX = 127,
	DOCSTORE_EPK_MAX = 256,
	DOCSTORE_DOCUMENT_MAX = 2 << 20 /* bytes of a document that is put */
};

/* Where: names as they are, never escaped.  All borrowed. */
struct docstore_at {
	const char *database;
	const char *container; /* NULL where only the database counts */
	const char *rid;       /* the container's _rid that the caller knows, NULL = none yet */
	const struct container_def *def; /* of that container; NULL where only its name counts */
};

/* A member whose value is one of several scalars. */
struct docstore_equal {
	const char *const *token; /* c["a"]["b"]: "a", "b" */
	size_t n_tokens;
	const char *const *value; /* JSON texts as stored; "{}" = the member is absent */
	size_t n_values;
};

enum docstore_what {
	DOCSTORE_DOCUMENTS, /* whole documents */
	DOCSTORE_PARTITIONS /* the partition of each document, as header text; repeats itself */
};

enum docstore_start { DOCSTORE_FROM_BEGINNING, DOCSTORE_FROM_NOW, DOCSTORE_FROM_TIME };

struct docstore_select {
	enum docstore_what what;
	const char *partition;		    /* only of that one; NULL = of all */
	const struct docstore_equal *equal; /* all of them hold */
	size_t n_equal;
	/*
	 * Only partitions whose effective key lies in [min, max), upper-case hexadecimal; NULL,
	 * NULL or "", "FF" = all.  Bounds that docstore_ranges once gave stay good when ranges
	 * split or merge.  Not with partition.
	 */
	const char *min, *max;
	unsigned max_items; /* of a page; 0 = the store's choice */
	/*
	 * The change feed instead: current versions in the order of their change within each
	 * partition, from start on.  Only with DOCSTORE_DOCUMENTS, without partition and equal.
	 */
	bool changes;
	enum docstore_start start;
	int64_t start_s; /* DOCSTORE_FROM_TIME: seconds since 1970 */
};

/* What a page brought besides its documents. */
struct docstore_page {
	double charge; /* request units */
	bool idle;     /* changes: everything up to now has been seen; ask again later */
};

/* Documents, or header texts, in order; text is good until the sink returns.  Non-zero ends the
 * call with that error. */
struct docstore_sink {
	int (*text)(void *arg, struct span text, struct err *e);
	void *arg;
};

/* Names of databases or containers, ids, or feed ranges. */
struct docstore_names {
	int (*name)(void *arg, const char *name, struct err *e);
	void *arg;
};
struct docstore_ranges {
	int (*range)(void *arg, const char *min, const char *max, struct err *e);
	void *arg;
};

/* A sealed document to be kept. */
struct docstore_put {
	const char *partition;
	const char *id;	  /* as stored, the one in text */
	struct span text; /* JSON object, without the service's members */
	const char *etag; /* replaces that version; NULL: creates, and nothing may be there */
};

struct docstore; /* a driver's own struct begins with one */

struct docstore_ops {
	const char *name;
	int (*list)(struct docstore *s, const char *database, struct docstore_names sink,
		    struct deadline d, struct err *e);
	int (*container)(struct docstore *s, const struct docstore_at *at, struct buf *out,
			 struct deadline d, struct err *e);
	int (*key)(struct docstore *s, const char *database, const char *id, const char *etag,
		   struct buf *out, bool *out_same, struct deadline d, struct err *e);
	int (*keys)(struct docstore *s, const char *database, struct docstore_sink sink,
		    struct deadline d, struct err *e);
	int (*ranges)(struct docstore *s, const struct docstore_at *at, struct docstore_ranges sink,
		      struct deadline d, struct err *e);
	int (*page)(struct docstore *s, const struct docstore_at *at,
		    const struct docstore_select *sel, struct buf *cursor,
		    struct docstore_sink sink, struct docstore_page *out, struct deadline d,
		    struct err *e);
	int (*get)(struct docstore *s, const struct docstore_at *at, const char *partition,
		   const char *id, const char *etag, struct buf *out, bool *out_same,
		   struct deadline d, struct err *e);
	/* NULL: the store only reads. */
	int (*put)(struct docstore *s, const struct docstore_at *at, const struct docstore_put *put,
		   char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e);
	int (*delete)(struct docstore *s, const struct docstore_at *at, const char *partition,
		      const char *id, const char *etag, struct deadline d, struct err *e);
	void (*free)(struct docstore *s);
};

struct docstore {
	const struct docstore_ops *ops;
	char label[256]; /* for the log: "account/database/container" or the path; no secret */
	/* What the source names: views begin there.  "" = all of them. */
	char database[256], container[256];
	_Atomic uint64_t charge_milli; /* request units so far, in thousandths */
	_Atomic uint64_t requests;
};

/* Names of the databases (database NULL), or of a database's containers: all of them. */
int docstore_list(struct docstore *s, const char *database, struct docstore_names sink,
		  struct deadline d, struct err *e) MUST_CHECK;
/* The container resource's text; out has a ceiling of CONTAINER_TEXT_MAX and is reset. */
int docstore_container(struct docstore *s, const struct docstore_at *at, struct buf *out,
		       struct deadline d, struct err *e) MUST_CHECK;
/*
 * The text of one wrapped key.  etag: NULL, or a version: *out_same and no text when the store
 * still has that one, asked past any cache on the way.
 */
int docstore_key(struct docstore *s, const char *database, const char *id, const char *etag,
		 struct buf *out, bool *out_same, struct deadline d, struct err *e) MUST_CHECK;
/* The texts of all wrapped keys of a database. */
int docstore_keys(struct docstore *s, const char *database, struct docstore_sink sink,
		  struct deadline d, struct err *e) MUST_CHECK;
/* The ranges of the container as they are now: sorted, without gap or overlap, from "" to "FF". */
int docstore_ranges(struct docstore *s, const struct docstore_at *at, struct docstore_ranges sink,
		    struct deadline d, struct err *e) MUST_CHECK;
/*
 * One page.  *cursor is opaque text, with a ceiling of DOCSTORE_CURSOR_MAX: empty at the start;
 * empty again after the last page (never with changes: it is where to go on later, also in another
 * process).  A page may be empty and not be the last.  Nothing is lost or doubled when a range
 * splits on the way.  The sink is called only once the whole page is here.
 */
int docstore_page(struct docstore *s, const struct docstore_at *at,
		  const struct docstore_select *sel, struct buf *cursor, struct docstore_sink sink,
		  struct docstore_page *out, struct deadline d, struct err *e) MUST_CHECK;
/*
 * One document; id as stored (bytes, may hold '/' or anything else).  etag as in docstore_key, the
 * quotes included or not.  out is reset and has a ceiling of at least 4 MiB.
 */
int docstore_get(struct docstore *s, const struct docstore_at *at, const char *partition,
		 const char *id, const char *etag, struct buf *out, bool *out_same,
		 struct deadline d, struct err *e) MUST_CHECK;
/*
 * Creates or replaces a document; atomic, and kept when it returns 0.  etag: the new version's, as
 * documents have it in _etag, quotes included.  An answer that was lost is cleared up: the driver
 * looks whether what is there is what it sent.  Where that cannot be found out it fails as the call
 * did (-EIO, -ETIMEDOUT), and the document may have been written.
 *   -EEXIST  a document of that id is there (etag NULL)
 *   -ESTALE  another version is there, or none (event "remote.changed"); or the container is
 * another one (event "remote.recreated") -EINVAL  the service takes no such document (400); -EFBIG
 * over 2 MiB; -EACCES; -EROFS
 */
int docstore_put(struct docstore *s, const struct docstore_at *at, const struct docstore_put *put,
		 char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d,
		 struct err *e) MUST_CHECK;
/*
 * Deletes that version (NULL: the current one).  -ENOENT; -ESTALE as above; -EROFS.  When an answer
 * was lost, and nothing is there any more, it has succeeded, whoever took it away.
 */
int docstore_delete(struct docstore *s, const struct docstore_at *at, const char *partition,
		    const char *id, const char *etag, struct deadline d, struct err *e) MUST_CHECK;
void docstore_free(struct docstore *s); /* NULL is fine */

/* For drivers: counts what an answer has cost. */
void docstore_charge(struct docstore *s, double charge);

/* ---- the drivers and decorators ---- */

struct http_client;
struct http_auth;

/*
 * Azure Cosmos DB for NoSQL, in gateway mode.  endpoint: "https://host[:port]"; database and
 * container: "" = all.  client is borrowed for life; auth is taken (also on failure).  Contacts
 * nothing.
 */
struct cosmos_config {
	const char *endpoint, *account, *database, *container;
};
int cosmos_store_open_take(const struct cosmos_config *cfg, struct http_client *client,
			   struct http_auth *auth, struct docstore **out, struct err *e) MUST_CHECK;

/* An export in a local directory: docdir.h. */

/*
 * Paces page(), but for selections of one item: the next page waits until the charge of those
 * before it, spread over time, is at most units a second (> 0).  Takes inner, also on failure.
 */
int docpace_new_take(struct docstore *inner, double units, struct docstore **out,
		     struct err *e) MUST_CHECK;

#endif
