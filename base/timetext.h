/* SPDX-License-Identifier: MIT */
/*
 * Points in time as text: RFC 3339, as in "2026-11-26T15:04:05.123456789Z".  Nanoseconds since
 * 1970 in 64 bits, which end in 2262; no earlier ones.
 */
#ifndef BASE_TIMETEXT_H
#define BASE_TIMETEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "base/attr.h"

enum { TIMETEXT_MAX = 30 /* characters, without the NUL */ };

/*
 * Reads all of text: "Z" or an offset such as "+01:00" at its end, none to nine digits of a
 * second's fraction.  false, and *out as it was, for anything else: days that no month has, leap
 * seconds, times outside of 1970..2262.
 */
bool timetext_parse(const char *text, int64_t *out_ns) MUST_CHECK;

/* In UTC, without zeros at the end of the fraction.  What was before 1970 is printed as 1970. */
void timetext_print(int64_t ns, char out[TIMETEXT_MAX + 1]);

/* A file's time in nanoseconds: before 1970 and after 2262, the nearest that can be told. */
int64_t timetext_of_file(const struct timespec *t);

/* Days from 1970-01-01 to a day of the Gregorian calendar; month 1..12. */
int64_t timetext_days(int year, int month, int day);

#endif
