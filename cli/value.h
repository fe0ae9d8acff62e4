/* SPDX-License-Identifier: MIT */
/* Values of options: what each kind looks like. */
#ifndef CLI_VALUE_H
#define CLI_VALUE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "cli/options.h"

/* Whether text (NULL = name alone) fits the option.  -EINVAL says what would. */
int value_check(const struct option_row *row, const char *text, struct err *e) MUST_CHECK;

/*
 * prefix and the file name, made absolute from base (NULL = the current directory); the caller
 * frees.
 */
int value_absolute(const char *name, const char *prefix, const char *base, char **out,
		   struct err *e) MUST_CHECK;

/*
 * A time of RFC 3339, "2026-11-20T12:00:00Z" or "...T13:00:00.5+01:00", in seconds since 1970;
 * fractions are cut.  false: none.
 */
bool value_time(const char *text, int64_t *out) MUST_CHECK;

/* ---- what a checked value says ---- */

int64_t value_ns(const char *text);	/* OPTION_SECONDS */
uint64_t value_count(const char *text); /* OPTION_COUNT */
uint64_t value_bytes(const char *text); /* OPTION_SIZE */
bool value_yes(const char *text);	/* OPTION_FLAG */
mode_t value_mode(const char *text);	/* OPTION_MODE */
uint32_t value_user(const char *text);	/* OPTION_USER */
uint32_t value_group(const char *text); /* OPTION_GROUP */

#endif
