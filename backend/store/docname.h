/* SPDX-License-Identifier: MIT */
/*
 * The names of documents in a dir: store of documents: see docdir.h.  "P-I", where P stands for the
 * partition and I for the id.  Their order is that of the files' names.
 */
#ifndef BACKEND_STORE_DOCNAME_H
#define BACKEND_STORE_DOCNAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "crypto/document.h"

enum {
	DOCNAME_PARTITION = 8, /* bytes of P */
	DOCNAME_BYTES = DOCNAME_PARTITION + 16,
	DOCNAME_EPK = 2 * DOCNAME_PARTITION, /* digits of P */
	DOCNAME_TEXT = 2 * DOCNAME_BYTES + 1
};

extern const char docname_suffix[]; /* ".json" */

struct docname {
	uint8_t b[DOCNAME_BYTES];
};

/* Of a partition's text and a stored id. */
int docname_of(struct span partition, struct span id, struct docname *out,
	       struct err *e) MUST_CHECK;

/*
 * Of a document that has been scanned; partition (reset first) becomes its text.  -EBADMSG when it
 * has no id.
 */
int docname_of_document(const struct container_def *def, const struct document_head *head,
			struct buf *partition, struct docname *out, struct err *e) MUST_CHECK;

void docname_print(const struct docname *n, char out[static DOCNAME_TEXT + 1]);
/* n characters that are exactly a name. */
bool docname_parse(const char *text, size_t n, struct docname *out) MUST_CHECK;

static inline int
docname_compare(const struct docname *a, const struct docname *b)
{
	return memcmp(a->b, b->b, DOCNAME_BYTES);
}

#endif
