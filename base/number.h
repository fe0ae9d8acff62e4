/* SPDX-License-Identifier: MIT */
/*
 * Doubles as text, independent of any locale.  The shortest decimal text that reads back as the
 * same bits, as repr() of Python writes it: "0.1", "1e+16", "5e-324", "-0.0", "100.0".
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/span.h"

enum { NUMBER_TEXT_MAX = 32 };

/* value is finite.  Returns the length; out is NUL-terminated.  Integral values keep ".0". */
size_t number_print(double value, char out[static NUMBER_TEXT_MAX]);
/* The same digits as JavaScript writes them: "1", "0" also for -0, "0.000001", "1e-7",
 * "100000000000000000000", "1e+21".  So a client writes a number of a partition key. */
size_t number_print_js(double value, char out[static NUMBER_TEXT_MAX]);

/* An integer in decimal. */
size_t number_print_long(long long value, char out[static NUMBER_TEXT_MAX]);

/* How many bytes at the front of text are a JSON number, of any size; 0: they are none. */
size_t number_len(struct span text);

/* A JSON number, correctly rounded; false when it is malformed or beyond what a double holds. */
bool number_parse(struct span text, double *out) MUST_CHECK;
/* A JSON integer (no fraction, no exponent) that fits 64 bits; false otherwise. */
bool number_parse_long(struct span text, long long *out) MUST_CHECK;

#endif
