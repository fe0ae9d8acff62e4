/* SPDX-License-Identifier: MIT */
/*
 * The names of files in a dir: store: any component of an object's name in
 * characters and lengths that every filesystem holds, and back.  Only one
 * spelling is right for each component.  Source: docs/FORMATS.md, "The dir: store".
 */
#ifndef BACKEND_STORE_DIRNAME_H
#define BACKEND_STORE_DIRNAME_H

#include <stdbool.h>

#include "base/buf.h"

enum { DIRNAME_PIECE_MAX = 200 };

/* Appends the encoded form of a component (any bytes but NUL and '/'; may be empty). */
int dirname_encode(struct span component, struct buf *out, struct err *e) MUST_CHECK;

/* Bytes of the first piece of an encoded component: n when it is the only one. */
size_t dirname_cut(const char *encoded, size_t n);

/* Appends the component that encoded stands for; false when that is not how it is spelled, or out
 * is full. */
bool dirname_decode(const char *encoded, size_t n, struct buf *out) MUST_CHECK;

/* Appends the path of one component, its last piece with that suffix: for messages. */
int dirname_component(struct span component, const char *suffix, struct buf *out,
		      struct err *e) MUST_CHECK;

/* Appends the path below objects/ of the metadata file of an object: for messages. */
int dirname_path(struct span name, struct buf *out, struct err *e) MUST_CHECK;

#endif
