/* SPDX-License-Identifier: MIT */
/* Checks of a dir: store of documents that something else has written. */
#ifndef TESTS_CONTRACT_DOCDIR_EXPORTS_H
#define TESTS_CONTRACT_DOCDIR_EXPORTS_H

/*
 * Every document is found by its partition and by its id; prints "ROOT CONTAINER: N documents".
 * Everything is copied to the directory copy, for the caller to compare.
 */
void docdir_exports_check(const char *root, const char *copy);

#endif
