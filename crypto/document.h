/* SPDX-License-Identifier: MIT */
/*
 * A document, unsealed by splicing: every byte that is not an encrypted leaf is copied as the
 * service sent it (CR and LF between tokens become blanks, so that a document is one line), every
 * encrypted leaf is replaced by its value.  Numbers in clear are never read as numbers.
 *
 * One pass, no recursion, no copy of the input; the result is released only when every leaf has
 * verified.
 *
 * Source: docs/FORMATS.md, "Documents".
 */
#ifndef CRYPTO_DOCUMENT_H
#define CRYPTO_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/cell.h"
#include "crypto/container.h"

enum {
	DOCUMENT_TEXT_MAX = 16 << 20, /* bytes; the service takes 2 MiB */
	DOCUMENT_SETS = POLICY_PATHS_MAX / 64
};

/* Leaves in clear where the policy says sealed. */
enum clear_cells {
	CLEAR_CELLS_DENY,
	CLEAR_CELLS_JAVA, /* only what the Java client leaves so: scalars, after the first element,
			     of an array that begins with an object or an array */
	CLEAR_CELLS_SHOW  /* numbers and booleans, and strings that cannot be cells */
};

/* What opens one path of the policy. */
struct document_key {
	const struct dek_keys *keys; /* NULL: withheld, the member is left out */
	/* Tried in order when a tag is wrong under keys: for clients that use the wrong DEK. */
	const struct dek_keys *const *sibling;
	size_t n_siblings;
};

struct document_rules {
	const struct container_def *def;
	const struct document_key *key; /* one for each def->path */
	enum clear_cells clear_cells;
};

/* A set of policy paths. */
struct document_set {
	uint64_t bits[DOCUMENT_SETS];
};
static inline bool
document_set_has(const struct document_set *s, size_t path)
{
	return (s->bits[path / 64] >> path % 64 & 1) != 0;
}
bool document_set_empty(const struct document_set *s);

/* What the pass has seen; spans lie in the document's text. */
struct document_head {
	struct span id; /* raw, between its quotes, as stored; p == NULL: none, or no string */
	struct span etag, rid; /* the same: still escaped, an etag with its quotes */
	int64_t ts;	       /* seconds since 1970, 0 = none */
	/* The raw token of each partition key value as stored (strings with their quotes; an object
	 * or array counts as absent); p == NULL: absent. */
	struct span partition[CONTAINER_PATHS_MAX];
	struct document_set withheld;	       /* left out */
	struct document_set sibling;	       /* opened by the key of another DEK ... */
	uint16_t by_sibling[POLICY_PATHS_MAX]; /* ... the first that did: its number there */
	struct document_set clear;	       /* hold a leaf in clear that the rules let pass */
	size_t cells;			       /* leaves that were unsealed */
};

struct document_worker; /* scratch; one thread at a time; reusable; wiped when freed */
int document_worker_new(struct document_worker **out, struct err *e) MUST_CHECK;
void document_worker_free(struct document_worker *w);
struct cell_worker *document_worker_cells(struct document_worker *w);

/* Reads the head only: nothing is unsealed, withheld, sibling and clear stay empty.  Strict all the
 * same.  -EBADMSG (event "integrity.document"), -EFBIG. */
int document_scan(struct document_worker *w, const struct container_def *def, struct span text,
		  struct document_head *head, struct err *e) MUST_CHECK;

/*
 * Appends the plain document to out, without a newline and without white space around it, and
 * fills head.  On failure out holds what it held before (what was added is wiped).
 *
 * -EBADMSG  not a JSON object, members twice, depth over 64, not UTF-8 (event
 *           "integrity.document"); a cell that does not open, the text names its path ("/ssn/a/2")
 *           and why (event "integrity.cell")
 * -EACCES   a leaf in clear that the rules do not let pass (event "policy.clear_cell")
 * -EFBIG    over DOCUMENT_TEXT_MAX, or the plain text over what out may hold
 * -EIO      OpenSSL failed
 */
int document_unseal(struct document_worker *w, const struct document_rules *rules, struct span text,
		    struct buf *out, struct document_head *head, struct err *e) MUST_CHECK;

/*
 * The value of one stored leaf of a policy path that is not withheld: for ids and partition keys.
 * raw: a string of a scan that took it, between its quotes.  A string value lies in the worker
 * until its next use.  Verdicts as cell_unseal; siblings are tried.
 */
enum cell_verdict document_leaf(struct document_worker *w, const struct document_rules *rules,
				size_t path, struct span raw, struct cell_value *out) MUST_CHECK;

#endif
