/* SPDX-License-Identifier: MIT */
/*
 * How far text goes on in which every byte stands for itself in a JSON string, many bytes at a
 * time: most of a document is such text.
 */
#ifndef BASE_JSONRUN_H
#define BASE_JSONRUN_H

#include <stdbool.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/span.h"

/*
 * jsonrun_block_ends: which bytes of a block end a run, as bits; how many places a byte has in
 * them is JSONRUN_PLACES, the first byte has the lowest.  Only the lowest bit that is set is sure.
 */
#ifdef __SSE2__

enum { JSONRUN_BLOCK = 16, JSONRUN_PLACES = 1 };

static inline uint64_t
jsonrun_block_ends(const uint8_t *p, bool ascii)
{
	const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)p);
	const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
	const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
	const __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(block, _mm_set1_epi8(0x1f)), block);
	__m128i ends = _mm_or_si128(_mm_or_si128(quote, backslash), control);

	if (ascii)
		ends = _mm_or_si128(ends, block); /* of each byte only the top bit is taken */
	return (uint64_t)(unsigned)_mm_movemask_epi8(ends);
}

#else

enum { JSONRUN_BLOCK = 8, JSONRUN_PLACES = 8 };

#define JSONRUN_EACH(byte) (UINT64_C(0x0101010101010101) * (byte))

/* The top bit of each byte below n (at most 0x80): such a byte minus n borrows into its top bit.
 * Behind the first one the borrow may find others that are none. */
static inline uint64_t
jsonrun_below(uint64_t word, uint8_t n)
{
	return (word - JSONRUN_EACH(n)) & ~word & JSONRUN_EACH(0x80);
}

static inline uint64_t
jsonrun_block_ends(const uint8_t *p, bool ascii)
{
	uint64_t word;

	memcpy(&word, p, sizeof(word));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	word = __builtin_bswap64(word);
#endif
	return jsonrun_below(word, 0x20) | jsonrun_below(word ^ JSONRUN_EACH('"'), 1) |
	       jsonrun_below(word ^ JSONRUN_EACH('\\'), 1) |
	       (ascii ? word & JSONRUN_EACH(0x80) : 0);
}

#endif

static inline bool
jsonrun_is_plain(uint8_t c)
{
	return c >= 0x20 && c != '"' && c != '\\';
}

/* To the first quote, backslash or control character; with ascii also to a byte beyond ASCII. */
static inline size_t
jsonrun_len(const uint8_t *p, size_t n, bool ascii)
{
	size_t at = 0;

	for (; n - at >= JSONRUN_BLOCK; at += JSONRUN_BLOCK) {
		const uint64_t ends = jsonrun_block_ends(p + at, ascii);

		if (ends != 0)
			return at + (size_t)__builtin_ctzll(ends) / JSONRUN_PLACES;
	}
	while (at < n && jsonrun_is_plain(p[at]) && !(ascii && p[at] >= 0x80))
		at++;
	return at;
}

#endif
