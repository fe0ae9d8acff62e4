/* SPDX-License-Identifier: MIT */
/* The view of client-side-encrypted blobs: docs/SEMANTICS.md says what it shows. */
#ifndef FS_BLOBVIEW_H
#define FS_BLOBVIEW_H

#include "backend/keys/keyring.h"
#include "backend/store/store.h"
#include "fs/engine.h"
#include "fs/view.h"

struct blobview_config {
	bool v1_read;	       /* v1=read */
	bool show_unencrypted; /* unencrypted=show */
	bool recover_order;    /* region_order=recover */
	uint64_t max_region;   /* bytes */
};

/* Takes store and keyring (also on failure). */
int blobview_new_take(struct engine *g, const struct blobview_config *cfg, struct store *store,
		      struct keyring *keys, struct view **out, struct err *e) MUST_CHECK;

#endif
