/* SPDX-License-Identifier: MIT */
/* The directory that an export or a mount writes: see docdir.h. */
#ifndef BACKEND_STORE_DOCDIRROOT_H
#define BACKEND_STORE_DOCDIRROOT_H

#include "base/attr.h"
#include "base/clock.h"
#include "base/err.h"

/*
 * Makes it, or takes one that is empty or a store of documents, and puts the marker there.
 * -ENOTEMPTY, -EBUSY while another export has it.  It is free again when *out is closed.
 */
int docdirroot_take(const char *path, int *out, struct err *e) MUST_CHECK;

/*
 * Takes the store around its directory databases/ for one write: nobody else, here or in another
 * process, writes meanwhile.  It is free again when *out is closed.  -ETIMEDOUT: somebody had it
 * until the deadline, an export perhaps.
 */
int docdirroot_lock(int databases, struct deadline d, int *out, struct err *e) MUST_CHECK;

#endif
