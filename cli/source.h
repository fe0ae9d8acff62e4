/* SPDX-License-Identifier: MIT */
/* SOURCE/path of the commands: which part names the container, which part the file in it. */
#ifndef CLI_SOURCE_H
#define CLI_SOURCE_H

#include "base/buf.h"
#include "base/err.h"

/*
 * Cuts what the user wrote.  *source (the caller frees) is what backend_open takes; path is reset
 * and gets the path in the view, escaped as fs/names.h says, "" for the root.
 *   https://ACCOUNT.../CONTAINER/a/b   the container and a/b; percent signs decode as in any URL
 *   blob:URL                           the same, but the first component is the account
 *   https://ACCOUNT.../DATABASE/CONTAINER/a/b, cosmos:URL
 *                                      database and container, and a/b as ls shows it, once percent
 *                                      signs are decoded; not escaped here
 *   dir:DIR/a/b                        the nearest directory that is a store, and a/b as ls shows
 *                                      it; of one of documents, database and container come first
 * Anything else, and a URL with a query or user info, goes to *source whole: backend_open says
 * what is wrong with it.
 */
int source_split(const char *text, char **source, struct buf *path, struct err *e) MUST_CHECK;

/* The same without what could be secret (query, user info, a key), for messages; cut to fit. */
void source_shown(const char *text, char *out, size_t out_n);

#endif
