/* SPDX-License-Identifier: MIT */
/*
 * Writing blobs: what storewrite.h asks for, as requests.  Copies are in azcopy.c, folders in
 * azfolder.c, answers that were lost in azlook.c.  Source: docs/FORMATS.md, "Blob writing".
 */
#ifndef BACKEND_STORE_AZWRITE_H
#define BACKEND_STORE_AZWRITE_H

#include "backend/store/azget.h"
#include "backend/store/storewrite.h"

extern const struct store_write_ops azwrite_ops;

/* As store_delete, of a blob's URL. */
int azwrite_delete(const struct azservice *s, const char *url, const char *if_match,
		   struct deadline d, struct err *e) MUST_CHECK;

#endif
