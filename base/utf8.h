/* SPDX-License-Identifier: MIT */
/* Text that claims to be UTF-8. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>

#include "base/span.h"

/* How many bytes at the front of s are one character: 1..4; 0 when they are none (overlong forms,
 * surrogates, beyond U+10FFFF, cut off) or s is empty. */
size_t utf8_char_len(struct span s);

/* Whether all of it is valid; NUL is a character like any other, nothing at all is valid too. */
bool utf8_is_valid(struct span s);

#endif
