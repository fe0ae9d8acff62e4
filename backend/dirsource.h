/* SPDX-License-Identifier: MIT */
/* Where the store lies in what a user writes behind dir:, and opening it. */
#ifndef BACKEND_DIRSOURCE_H
#define BACKEND_DIRSOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "backend/backend.h"

struct dirsource {
	enum source_kind kind; /* as its marker says; SOURCE_BLOBS when that cannot be read */
	size_t n;	       /* bytes of the path that name it; 0 = the current directory */
};

/* The nearest store: path itself, or a directory above it.  false when there is none. */
bool dirsource_find(const char *path, struct dirsource *out);

/*
 * Opens the store at path, or what path names in a store of documents: PATH[/DATABASE[/CONTAINER]].
 * -EINVAL: more than that, or names that nothing can have; and the errors of the stores.
 */
int dirsource_open(const char *path, struct backend_store *out, struct err *e) MUST_CHECK;

#endif
