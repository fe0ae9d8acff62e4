/* SPDX-License-Identifier: MIT */
/* What document.c and documentseal.c share with each other, and with nobody else. */
#ifndef CRYPTO_DOCUMENTWORK_H
#define CRYPTO_DOCUMENTWORK_H

#include "base/jsonscan.h"
#include "crypto/document.h"

enum { DOCUMENT_POINTER_MAX = 200 }; /* bytes of a path in a sentence */

/* A container that is open below the member that is being read, or the document itself. */
struct document_level {
	struct span name; /* object: of the member; raw */
	size_t n;	  /* array: elements that have begun */
	bool array;
	bool mixed; /* array: its first element is an object or an array */
};

struct document_worker {
	struct jsonnames *names;
	struct cell_worker *cells;
	struct buf plain;				     /* a string without its escapes */
	struct document_level level[JSONSCAN_DEPTH_MAX + 1]; /* by depth */
};

/* Where the scan is: "/ssn/a/2", the names as they are written in the text. */
void document_pointer(const struct document_worker *w, const struct jsonscan *scan,
		      char out[static DOCUMENT_POINTER_MAX]);

/* An element of an array begins there; container: it is an object or an array. */
static inline void
document_begin_element(struct document_level *l, bool container)
{
	if (!l->array)
		return;
	if (l->n == 0)
		l->mixed = container;
	l->n++;
}

/* The policy path of the name that the scan has returned, -1 = none. */
int document_find_path(struct document_worker *w, const struct container_def *def,
		       const struct jsonscan *scan, int *out, struct err *e) MUST_CHECK;

#endif
