/* SPDX-License-Identifier: MIT */
/*
 * Selections as the service's SQL: names of members are quoted, values are always parameters.
 * Source: docs/FORMATS.md, "Cosmos REST".
 */
#ifndef BACKEND_STORE_COSMOSQUERY_H
#define BACKEND_STORE_COSMOSQUERY_H

#include "backend/store/docstore.h"

enum { COSMOSQUERY_MAX = 1 << 20 };

/* Whether a selection needs a query at all: whole documents are read as a feed. */
bool cosmosquery_is_needed(const struct docstore_select *sel);

/*
 * Appends the body of the request: {"query":...,"parameters":[...]}.  -EINVAL: a value that is no
 * JSON scalar, or a name that is not UTF-8.
 */
int cosmosquery_body(const struct container_def *def, const struct docstore_select *sel,
		     struct buf *out, struct err *e) MUST_CHECK;

/*
 * Turns a row of DOCSTORE_PARTITIONS into the text of its partition; out is reset first.  -EIO
 * ("net.protocol") when it is none.
 */
int cosmosquery_partition(const struct container_def *def, struct span row, struct buf *out,
			  struct err *e) MUST_CHECK;

#endif
