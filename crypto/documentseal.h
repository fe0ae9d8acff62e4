/* SPDX-License-Identifier: MIT */
/*
 * A plain document, sealed under a container's policy by splicing: every byte that is not to be
 * sealed is copied as it was written, every scalar below a path of the policy becomes its cell
 * (null stays null), and the members that the service itself sets (_rid _etag _ts _self
 * _attachments, at the top) are left out.
 *
 * A number keeps the type of its spelling, as the .NET and Java clients have it: without point and
 * exponent it is a Long (-0 is Long 0), else a Double.  In clear, numbers are never read at all.
 *
 * Source: docs/FORMATS.md, "Documents".
 */
#ifndef CRYPTO_DOCUMENTSEAL_H
#define CRYPTO_DOCUMENTSEAL_H

#include "crypto/document.h"

/*
 * Appends the sealed document to out and fills head with what the store needs of it: id and the
 * partition key values as they are stored (spans into out, good until it changes), cells = leaves
 * sealed.  text: one JSON object, white space around it is dropped.  rules->key: every path that
 * the document has needs its key.  On failure out holds what it held before.
 *
 * -EINVAL  no JSON object, members twice, depth over 64, not UTF-8, a string with half a surrogate
 *          pair; no id, one that is no string, empty, or has more bytes than the service takes when
 *          sealed; a number to be sealed that is no 64-bit integer or no finite double; a sealed
 *          id or partition key value that is no scalar (event "document.invalid"; the text names
 *          the path)
 * -EACCES  a path whose key is withheld
 * -EFBIG   over 2 MiB when sealed
 * -EIO     OpenSSL failed
 */
int document_seal(struct document_worker *w, const struct document_rules *rules, struct span text,
		  struct buf *out, struct document_head *head, struct err *e) MUST_CHECK;

#endif
