/* SPDX-License-Identifier: MIT */
/* The content of a copy in a dir: store. */
#ifndef BACKEND_STORE_DIRCOPY_H
#define BACKEND_STORE_DIRCOPY_H

#include "base/clock.h"
#include "base/err.h"

/*
 * Makes the file in stage of the size bytes of fd, synced: a hard link where that can be, as
 * content files never change, else a copy by the kernel or by hand.
 */
int dircopy_content(int fd, uint64_t size, int stage, const char *file, struct deadline d,
		    struct err *e) MUST_CHECK;

#endif
