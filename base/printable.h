/* SPDX-License-Identifier: MIT */
/*
 * What may be shown to a person as it is: names come from strangers, and a terminal obeys more
 * than ASCII's control characters.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stddef.h>

/*
 * How many bytes at s (NUL-terminated) are one character that is harmless in a line of text; 0:
 * the byte at s must be replaced.  Not harmless: control characters (C0, DEL, C1), line
 * separators, what changes the direction of writing, bytes that are not UTF-8.
 */
static inline size_t
printable_len(const char *s)
{
	const unsigned char *p = (const unsigned char *)s;
	const size_t len = p[0] < 0x80			 ? 1
			   : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
			   : (p[0] & 0xf0) == 0xe0	 ? 3
			   : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
							 : 0;
	unsigned long c = len == 1 ? p[0] : p[0] & (0xffU >> (len + 1));

	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || (len == 3 && c < 0x800) ||
	    (len == 4 && c < 0x10000) || c > 0x10ffff)
		return 0;
	if ((c >= 0xd800 && c < 0xe000) || c == 0x2028 || c == 0x2029 ||
	    (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
	    c == 0x200f || c == 0x061c)
		return 0;
	return len;
}

#endif
