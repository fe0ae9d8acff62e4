/* SPDX-License-Identifier: MIT */
/*
 * Borrowed bytes.  A span is read, a room is written; neither owns anything,
 * and both are good only for the call they are passed to.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const uint8_t *p; /* may be NULL when n is 0 */
	size_t n;	  /* bytes */
};

struct room {
	uint8_t *p;
	size_t n; /* bytes that fit */
};

static inline struct span
span_of(const void *p, size_t n)
{
	return (struct span){ (const uint8_t *)p, n };
}

static inline struct span
span_str(const char *s)
{
	return span_of(s, strlen(s));
}

#endif
