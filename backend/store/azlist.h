/* SPDX-License-Identifier: MIT */
/*
 * The XML of List Blobs and List Containers, straight into a sink.  The text
 * is hostile: no document type, no entities but the predefined ones, bounded
 * depth and sizes.  Source: docs/FORMATS.md, "Blob listing".
 */
#ifndef BACKEND_STORE_AZLIST_H
#define BACKEND_STORE_AZLIST_H

#include "backend/store/store.h"

enum { AZLIST_PAGE_MAX = 64 << 20, AZLIST_DEPTH_MAX = 16 };

/*
 * Reads one whole page.  Every blob, common prefix (STORE_PREFIX) and container (STORE_PREFIX
 * "name/") goes to the sink in the page's order, with its full name; deleted blobs, snapshots and
 * old versions do not.  An entry is good until the sink returns.  *marker is where the next page
 * begins, empty = there is none; set on success only.  -EIO, event "net.protocol", when it is not
 * such a page, or what the sink returned.
 */
int azlist_parse(struct span page, struct store_list_sink sink, struct buf *marker,
		 struct err *e) MUST_CHECK;

/* Whether a page has its last byte: it ends with the tag that it began with. */
bool azlist_is_complete(struct span page);

#endif
