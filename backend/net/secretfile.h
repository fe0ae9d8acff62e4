/* SPDX-License-Identifier: MIT */
/*
 * A secret in a file that somebody renews: read again when the file was changed or replaced.  Any
 * thread may ask.
 */
#ifndef BACKEND_NET_SECRETFILE_H
#define BACKEND_NET_SECRETFILE_H

#include "base/err.h"
#include "base/secret.h"

/* What requests carry, made of the file's text; it gives a reference of its own. */
typedef int secretfile_take(struct secret_text *raw, struct secret_text **out, struct err *e);

struct secretfile; /* opaque */

/* Reads nothing yet.  what names the kind of file in messages, static. */
int secretfile_new(const char *path, const char *what, secretfile_take *take,
		   struct secretfile **out, struct err *e) MUST_CHECK;
void secretfile_free(struct secretfile *f); /* NULL is fine */

/* The secret as it is now; one reference for the caller.  The errors of secret_text_read_file and
 * of take. */
int secretfile_get(struct secretfile *f, struct secret_text **out, struct err *e) MUST_CHECK;

#endif
