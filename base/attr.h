/* SPDX-License-Identifier: MIT */
/* Compiler attributes that the house uses, under one spelling. */
#ifndef BASE_ATTR_H
#define BASE_ATTR_H

#define MUST_CHECK		__attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define CLEANUP(fn)		__attribute__((cleanup(fn)))
#define ARRAY_LEN(a)		(sizeof(a) / sizeof((a)[0]))

#endif
