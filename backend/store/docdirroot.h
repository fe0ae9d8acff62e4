/* SPDX-License-Identifier: MIT */
/* The directory that an export writes: see docdir.h. */
#ifndef BACKEND_STORE_DOCDIRROOT_H
#define BACKEND_STORE_DOCDIRROOT_H

#include "base/attr.h"
#include "base/err.h"

/*
 * Makes it, or takes one that is empty or a store of documents, and puts the marker there.
 * -ENOTEMPTY, -EBUSY while another has it.  It is free again when *out is closed.
 */
int docdirroot_take(const char *path, int *out, struct err *e) MUST_CHECK;

#endif
