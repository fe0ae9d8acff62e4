/* SPDX-License-Identifier: MIT */
/*
 * What the files of the blob view (blobview.c, bloblist.c, blobopen.c) share with each other, and
 * with nobody else.
 */
#ifndef FS_BLOBFILE_H
#define FS_BLOBFILE_H

#include "fs/blobrecord.h"
#include "fs/blobview.h"
#include "fs/spans.h"
#include "fs/v1guard.h"

struct blobview {
	struct view base;
	struct view_ops ops;
	struct engine *engine;
	struct blobview_config cfg;
	struct store *store;  /* owned */
	struct keyring *keys; /* owned */
	struct kid_table *kids;
	struct v1guard *v1;
};

struct blob_file {
	struct view_file_base base;
	struct version *version; /* open */
	struct ahead ahead;	 /* guarded by the span cache's lock */
};

static inline struct blobview *
blobview_of(struct view *view)
{
	return (struct blobview *)(void *)view;
}

/* Sends the plain attributes of a record. */
int blobview_send(const char *name, const char *etag, int64_t mtime_ns, struct view_record *record,
		  uint64_t exact_size, bool size_known, struct view_sink sink,
		  struct err *e) MUST_CHECK;

int blobview_list(struct view *view, const char *dir, struct buf *cursor, struct view_sink sink,
		  struct deadline d, struct err *e) MUST_CHECK;
int blobview_lookup(struct view *view, const char *path, struct view_sink sink, struct deadline d,
		    struct err *e) MUST_CHECK;
int blobview_open(struct view *view, const char *path, const char *etag, struct view_record *record,
		  struct view_sink now, struct deadline d, struct view_file **out,
		  struct err *e) MUST_CHECK;
unsigned blobview_xattrs(struct view *view, const char *etag, uint64_t size,
			 struct view_record *record, struct view_xattr out[VIEW_XATTRS_MAX]);

#endif
