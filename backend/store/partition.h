/* SPDX-License-Identifier: MIT */
/*
 * The text that names a partition: a JSON array of the stored values of the partition key, as the
 * header x-ms-documentdb-partitionkey wants it.  One spelling for each partition, so that texts
 * can be compared: ASCII (every UTF-16 unit from U+007F on escaped), no blanks, numbers as a
 * JavaScript client writes them, absent values "{}", "[]" for a migrated container's documents
 * without key.
 *
 * Source: docs/FORMATS.md, "Partition keys".
 */
#ifndef BACKEND_STORE_PARTITION_H
#define BACKEND_STORE_PARTITION_H

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "crypto/container.h"
#include "crypto/document.h"

/*
 * Appends one value to the array that out holds ("" at the start; partition_end closes it).  raw:
 * a JSON scalar token (strings with their quotes), or p == NULL: absent.  -EINVAL: no scalar, or a
 * number that no double holds.
 */
int partition_add(struct buf *out, struct span raw, struct err *e) MUST_CHECK;
/* The same with a string given as its bytes. */
int partition_add_string(struct buf *out, struct span bytes, struct err *e) MUST_CHECK;
int partition_end(struct buf *out, const struct container_def *def, struct err *e) MUST_CHECK;

/* The partition of a document that has been scanned; out is reset first. */
int partition_of(const struct container_def *def, const struct document_head *head, struct buf *out,
		 struct err *e) MUST_CHECK;

/*
 * Calls each(arg, i, raw token) for the values of a partition text; raw.p == NULL: absent.
 * -EINVAL when the text is not one.
 */
int partition_each(const char *text,
		   int (*each)(void *arg, unsigned i, struct span raw, struct err *e), void *arg,
		   struct err *e) MUST_CHECK;

#endif
