/* SPDX-License-Identifier: MIT */
/* Base64 of RFC 4648, strict: canonical, no white space, nothing after the end. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/span.h"

enum base64_kind {
	BASE64_STANDARD, /* "+/", padding required */
	BASE64_URL	 /* "-_", padding absent when written; when read, absent or complete */
};

/*
 * Decodes text into out.  false when a character, the padding or the unused bits of the last
 * character are wrong, or when the result is longer than out.n; *out_n is set on success only.
 */
bool base64_decode(enum base64_kind kind, struct span text, struct room out,
		   size_t *out_n) MUST_CHECK;

/* Appends the encoded bytes. */
int base64_encode(enum base64_kind kind, struct span bytes, struct buf *out,
		  struct err *e) MUST_CHECK;

#endif
