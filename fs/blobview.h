/* SPDX-License-Identifier: MIT */
/* The view of client-side-encrypted blobs: docs/SEMANTICS.md says what it shows. */
#ifndef FS_BLOBVIEW_H
#define FS_BLOBVIEW_H

#include "backend/keys/keyring.h"
#include "backend/store/store.h"
#include "fs/engine.h"
#include "fs/view.h"

enum binding { BINDING_VERIFY, BINDING_REQUIRE, BINDING_OFF }; /* binding= */

struct blobview_config {
	bool writable;	 /* rw; then: */
	const char *kek; /* key id that new content keys are wrapped under; borrowed for life */
	enum wrap_alg wrap_alg; /* 0: what suits the key */
	enum binding binding;
	bool v1_read;	       /* v1=read */
	bool show_unencrypted; /* unencrypted=show */
	bool recover_order;    /* region_order=recover */
	uint64_t max_region;   /* bytes */
};

/* Sets cfg->wrap_alg by its name; false when there is none of that name. */
bool blobview_wrap_alg(const char *name, struct blobview_config *cfg) MUST_CHECK;

/* Takes store and keyring (also on failure). */
int blobview_new_take(struct engine *g, const struct blobview_config *cfg, struct store *store,
		      struct keyring *keys, struct view **out, struct err *e) MUST_CHECK;

/*
 * Whether the KEK of a writable view wraps: asked once before anything is written, so that a key
 * that cannot be used is found out by who mounts.  Errors of keyring_wrap.
 */
int blobview_check_kek(struct view *view, struct deadline d, struct err *e) MUST_CHECK;

#endif
