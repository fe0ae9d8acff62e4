/* SPDX-License-Identifier: MIT */
/* The view of Always Encrypted documents: docs/SEMANTICS.md, "Documents", says what it shows. */
#ifndef FS_DOCVIEW_H
#define FS_DOCVIEW_H

#include "backend/keys/keyring.h"
#include "backend/store/docstore.h"
#include "fs/docbox.h"
#include "fs/engine.h"
#include "fs/view.h"

struct docview_config {
	struct docbox_config box;
	int64_t attr_timeout_ns; /* how long what was learnt is believed without asking */
	bool stream_scan;	 /* stream_size=scan */
	bool writable;		 /* rw; then: */
	const char *pin_file;	 /* what policy and DEKs have to be; borrowed for life */
};

/* Takes store and keyring (also on failure). */
int docview_new_take(struct engine *g, const struct docview_config *cfg, struct docstore *store,
		     struct keyring *keys, struct view **out, struct err *e) MUST_CHECK;

/* The store behind a view of documents, borrowed; NULL: another kind of view. */
struct docstore *docview_store(const struct view *view);

/*
 * For who walks over everything: whether what dir has under that name only repeats what items/
 * beside it has (all.jsonl, parts/ and by/ do).  Never in another kind of view.
 */
bool docview_repeats(const struct view *view, const char *dir, const char *name);

#endif
