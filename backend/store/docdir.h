/* SPDX-License-Identifier: MIT */
/*
 * dir: sealed documents in a local directory, as `azcryptfs export` leaves them.  No server, no
 * account.  The layout is described in docs/FORMATS.md, "The dir: store":
 *
 *   ROOT/azcryptfs-store.json   {"format":"azcryptfs-dir","version":1,"kind":"documents"}
 *   ROOT/databases/DB.d/keys/KEY.json                       the key resource as the service sent it
 *   ROOT/databases/DB.d/containers/C.d/container.json       the container resource, likewise
 *   ROOT/databases/DB.d/containers/C.d/documents/HH/P-I.json   a document, likewise
 *
 * DB, C and KEY are encoded as in dirname.h; P is the first 16 hexadecimal digits (upper case) of
 * the SHA-256 of the partition's text, HH the first two of them, I the first 32 of the SHA-256 of
 * the stored id.  The effective partition key of this store is P.
 *
 * A symbolic link below ROOT/databases is no part of the store, nor is what is no regular file or
 * is spelled otherwise.  A container without container.json is not there.  A document, key or
 * container whose file is malformed, or that belongs to another partition or id than its name says,
 * fails what reads it, with its path in the sentence.
 *
 * The change feed is in the order of _ts, of names where that is the same.  A document that comes
 * to the directory with an earlier _ts than one that has been seen is not found by going on.
 */
#ifndef BACKEND_STORE_DOCDIR_H
#define BACKEND_STORE_DOCDIR_H

#include "backend/store/docstore.h"

/* -ENOENT, -ENOTDIR, -EINVAL when it is not such a store or of a newer version. */
int docdir_open(const char *path, const char *database, const char *container,
		struct docstore **out, struct err *e) MUST_CHECK;

/* ---- writing one ---- */

struct docdir_writer; /* opaque; one thread at a time */

/*
 * Makes the directory (its parent is there), or goes on with one that is such a store; -ENOTEMPTY
 * when it holds anything else, -EBUSY while another writer is there.  Files (mode 0600, directories
 * 0700) are written under a temporary name, synced and renamed into place.
 */
int docdir_writer_new(const char *path, struct docdir_writer **out, struct err *e) MUST_CHECK;
int docdir_put_key(struct docdir_writer *w, const char *database, const char *id, struct span text,
		   struct err *e) MUST_CHECK;
/*
 * Until the end the container is not there, or is what it was with some documents newer already.
 * The end removes the documents that it had and that were not put again.  One that is begun and
 * never ended stays as it is: so does one whose export is killed.
 */
int docdir_begin_container(struct docdir_writer *w, const char *database, const char *id,
			   struct span text, struct err *e) MUST_CHECK;
/* The bytes as they are.  The last one of a partition and id counts. */
int docdir_put_document(struct docdir_writer *w, struct span text, struct err *e) MUST_CHECK;
int docdir_end_container(struct docdir_writer *w, struct err *e) MUST_CHECK;
void docdir_writer_free(struct docdir_writer *w); /* NULL is fine */

/*
 * Copies a container (policy, the keys it names and their siblings, every document) from any
 * store, sealed as it is.  seen is called after every page with documents and bytes so far, NULL =
 * not wanted; what it returns, when it is not 0, ends the copy as a failure.
 */
struct docdir_progress {
	int (*seen)(void *arg, uint64_t documents, uint64_t bytes, struct err *e);
	void *arg;
};
int docdir_copy(struct docstore *from, const char *database, const char *container,
		struct docdir_writer *to, struct docdir_progress progress, int64_t timeout_ns,
		struct err *e) MUST_CHECK;

#endif
