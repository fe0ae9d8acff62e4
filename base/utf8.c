/* SPDX-License-Identifier: MIT */
/* UTF-8: see utf8.h.  Source: RFC 3629, section 4. */
#include "base/utf8.h"

#include <string.h>

/* The range of the second byte, which alone keeps out overlong forms, surrogates and what lies
 * beyond U+10FFFF; 0 = the first byte begins nothing. */
static size_t
shape_of(uint8_t first, uint8_t *low, uint8_t *high)
{
	*low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
	*high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

size_t
utf8_char_len(struct span s)
{
	uint8_t low, high;
	size_t n;

	if (s.n == 0)
		return 0;
	if (s.p[0] < 0x80)
		return 1;
	n = shape_of(s.p[0], &low, &high);
	if (n == 0 || n > s.n || s.p[1] < low || s.p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s.p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* Eight bytes of ASCII at once: most text is. */
static bool
is_ascii_word(const uint8_t *p)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
	return (word & 0x8080808080808080u) == 0;
}

bool
utf8_is_valid(struct span s)
{
	while (s.n > 0) {
		const size_t n = s.n >= 8 && is_ascii_word(s.p) ? 8 : utf8_char_len(s);

		if (n == 0)
			return false;
		s.p += n;
		s.n -= n;
	}
	return true;
}
