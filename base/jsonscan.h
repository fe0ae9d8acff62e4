/* SPDX-License-Identifier: MIT */
/*
 * JSON text, one token after the other, where it stands: strict (RFC 8259, valid UTF-8), bounded,
 * without recursion and without copies.  For text whose bytes matter; what becomes a value goes
 * through jansson.
 *
 * Refused: anything RFC 8259 refuses, bytes that are not UTF-8, nesting deeper than the limit,
 * text after the value, and (where a struct jsonnames is given) two members of one object whose
 * names are the same after unescaping.  Taken: \u0000 and lone surrogates in escapes, numbers of
 * any size.
 */
#ifndef BASE_JSONSCAN_H
#define BASE_JSONSCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

enum { JSONSCAN_DEPTH_MAX = 64 };

enum jsonscan_token {
	JSONSCAN_END, /* the value is complete and nothing but white space follows */
	JSONSCAN_OBJECT,
	JSONSCAN_OBJECT_END,
	JSONSCAN_ARRAY,
	JSONSCAN_ARRAY_END,
	JSONSCAN_NAME, /* a member's name; its value is next */
	JSONSCAN_STRING,
	JSONSCAN_NUMBER,
	JSONSCAN_TRUE,
	JSONSCAN_FALSE,
	JSONSCAN_NULL,
	JSONSCAN_BAD /* malformed at `at`; why says in what way; every further call says so too */
};

struct jsonnames; /* the names of the objects that are open: see jsonnames_new */

struct jsonscan {
	/* --- of the token that jsonscan_next has returned --- */
	struct span token; /* strings and names: what stands between the quotes, escapes and all */
	size_t at;	   /* where it begins in the text (strings: their quote) */
	size_t end;	   /* where the text goes on after it */
	bool escaped;	   /* the string or name holds a backslash */
	unsigned depth;	   /* containers that are open: 1 between '{' and '}' of the outermost */
	const char *why;   /* JSONSCAN_BAD: static text */
	bool no_memory;	   /* JSONSCAN_BAD: not the text is at fault */
	/* --- its own --- */
	const uint8_t *text;
	size_t n, pos;
	uint64_t in_object; /* bit d: the container at depth d + 1 is an object */
	unsigned state, depth_max;
	struct jsonnames *names;
};

/*
 * Starts.  text is borrowed.  depth_max 1..JSONSCAN_DEPTH_MAX; names: NULL = repeated names pass.
 */
void jsonscan_init(struct jsonscan *s, struct span text, unsigned depth_max,
		   struct jsonnames *names);
enum jsonscan_token jsonscan_next(struct jsonscan *s);
/*
 * After JSONSCAN_OBJECT or JSONSCAN_ARRAY: goes on to its end (which becomes the token).  After
 * JSONSCAN_NAME: over its value.  After a scalar: nothing.  false: JSONSCAN_BAD.
 */
bool jsonscan_skip(struct jsonscan *s) MUST_CHECK;
/*
 * Right after JSONSCAN_OBJECT or JSONSCAN_ARRAY: goes on to its end by strings and brackets
 * alone, however deep it is and whatever else it holds.  For text that somebody else will scan:
 * what stands between is not checked.  false: JSONSCAN_BAD.
 */
bool jsonscan_jump(struct jsonscan *s) MUST_CHECK;

/*
 * Appends the bytes that a string or name (as in token) stands for; lone surrogates become the
 * three bytes that UTF-8 would give them (not valid UTF-8).  raw comes from a scan that took it.
 */
int jsonscan_unescape(struct span raw, struct buf *out, struct err *e) MUST_CHECK;
/* Whether raw stands for exactly these bytes.  Copies nothing. */
bool jsonscan_is(struct span raw, bool escaped, struct span bytes);
/* Appends bytes (valid UTF-8) between quotes: '"', '\\' and control characters escaped. */
int jsonscan_quote(struct span bytes, struct buf *out, struct err *e) MUST_CHECK;
/* The same in ASCII alone: every UTF-16 unit from U+007F on becomes \uXXXX; also takes the bytes
 * of lone surrogates that jsonscan_unescape gives. */
int jsonscan_quote_ascii(struct span bytes, struct buf *out, struct err *e) MUST_CHECK;

/*
 * Memory for finding repeated names: reusable from scan to scan, one at a time.  Linear in the
 * number of names whatever they are (the hash is keyed by seed).
 */
int jsonnames_new(uint64_t seed, struct jsonnames **out, struct err *e) MUST_CHECK;
void jsonnames_free(struct jsonnames *n); /* wipes; NULL is fine */

#endif
