/* SPDX-License-Identifier: MIT */
/* The names of the documents in one directory HH of a dir: store of documents, sorted. */
#ifndef BACKEND_STORE_DOCNAMES_H
#define BACKEND_STORE_DOCNAMES_H

#include "backend/store/docname.h"

struct docnames {
	struct docname *name;
	size_t n, room;
};

/* The directory must be that of first: what is spelled otherwise is not there. */
int docnames_read(int half, uint8_t first, struct docnames *out, struct err *e) MUST_CHECK;
int docnames_add(struct docnames *n, const struct docname *name, struct err *e) MUST_CHECK;
void docnames_sort(struct docnames *n);
bool docnames_has(const struct docnames *n, const struct docname *name); /* of sorted ones */
void docnames_clear(struct docnames *n);				 /* zeroed ones too */
#define AUTO_DOCNAMES struct docnames CLEANUP(docnames_clear)

#endif
