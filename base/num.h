/* SPDX-License-Identifier: MIT */
/*
 * Checked arithmetic on sizes.  Every sum or product of a number that came
 * from outside goes through here; false means that the result does not fit.
 */
#ifndef BASE_NUM_H
#define BASE_NUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

static inline bool MUST_CHECK
u64_add(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool MUST_CHECK
u64_mul(uint64_t a, uint64_t b, uint64_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline bool MUST_CHECK
size_add(size_t a, size_t b, size_t *out)
{
	return !__builtin_add_overflow(a, b, out);
}

static inline bool MUST_CHECK
size_mul(size_t a, size_t b, size_t *out)
{
	return !__builtin_mul_overflow(a, b, out);
}

static inline uint64_t
u64_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
u64_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/*
 * Parses exactly n decimal digits (1..20, no sign, no blanks, no leading "+") as a number.
 * Returns false and leaves *out alone when there is anything else or the number exceeds 64 bits.
 */
bool u64_parse(const char *digits, size_t n, uint64_t *out) MUST_CHECK;

/* The same for a whole string. */
bool u64_parse_str(const char *s, uint64_t *out) MUST_CHECK;

/* "256M", "4MiB", "1G", "4096": bytes, powers of 1024.  false when malformed or too large. */
bool u64_parse_size(const char *s, uint64_t *out) MUST_CHECK;

#endif
