/* SPDX-License-Identifier: MIT */
/*
 * File names of partition key values and of documents: docs/SEMANTICS.md, "Documents".  Without
 * loss, and without two values ever meeting.
 *
 *   a string      as it is, escaped like a blob's name (fs/names.h), '/' as %2F; a '=' at its
 *                 beginning as %3D; the empty string as %00
 *   a number      =1 =-2.5 =1e+21       in clear: as a JavaScript client writes it
 *                 =1 =1.0               sealed: a long, a double (they are different values)
 *   the rest      =true =false =null =undefined
 *   in clear      =clear:TOKEN         a number or boolean in clear where it should be sealed
 *   what cannot   =sealed:TEXT          the stored text of a value that does not open, or that is
 *   in
 *   be shown                            clear where it should be sealed
 *
 * Documents are called by their id, with ".json" behind it.  What would be longer than 255 bytes is
 * cut and ends in "%~" and 32 hexadecimal digits of the SHA-256 of the uncut name, the suffix
 * behind them.
 */
#ifndef FS_VALUENAME_H
#define FS_VALUENAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "fs/names.h"

enum docvalue_kind {
	DOCVALUE_STRING, /* text: bytes, UTF-8 or with lone surrogates as base/jsonscan.h gives them
			  */
	DOCVALUE_LONG,	 /* integer: sealed values only */
	DOCVALUE_DOUBLE, /* real: sealed (shown with ".0" when integral) or in clear (without) */
	DOCVALUE_TRUE,
	DOCVALUE_FALSE,
	DOCVALUE_NULL,
	DOCVALUE_ABSENT,
	DOCVALUE_CLEAR, /* text: the token of a number or boolean that should be sealed */
	DOCVALUE_STORED /* text: the stored string's bytes, not opened */
};

struct docvalue {
	enum docvalue_kind kind;
	struct span text; /* borrowed */
	int64_t integer;
	double real;
};

/*
 * The file name of a value; out is reset first and needs a ceiling of at least 255.  sealed: the
 * values of this level are sealed, so that longs and doubles differ.  suffix: "" or ".json".
 */
int valuename_of(const struct docvalue *v, bool sealed, const char *suffix, struct buf *out,
		 struct err *e) MUST_CHECK;

/*
 * What a file name stands for: NAMES_PLAIN and *out (its text lies in bytes, which is reset first),
 * NAMES_ALIAS: a cut name, list the directory and compare; NAMES_NOTHING: no value has it.
 */
int valuename_parse(const char *name, bool sealed, const char *suffix, enum names_kind *kind,
		    struct docvalue *out, struct buf *bytes, struct err *e) MUST_CHECK;

/* "MIN-MAX.jsonl" of bounds of effective partition keys; "" is written "0". */
int valuename_of_range(const char *min, const char *max, struct buf *out, struct err *e) MUST_CHECK;
/* false: no range has that name.  min and max have room for DOCSTORE_EPK_MAX + 1 bytes. */
bool valuename_range(const char *name, char *min, char *max) MUST_CHECK;

#endif
