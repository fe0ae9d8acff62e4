/* SPDX-License-Identifier: MIT */
/*
 * The file of a staging: sealed chunks that found no room in memory.  It has no name from its first
 * byte on, so it is gone with the process.  Used by staging.c alone.
 */
#ifndef FS_STAGINGFILE_H
#define FS_STAGINGFILE_H

#include <stdint.h>

#include "base/err.h"

/* fd: -1 until the first write. */
struct staging_file {
	int fd;
};

/* Slots of STAGING_CHUNK bytes, numbered like the chunks.  -ENOSPC (event "local.space"); -EIO
 * (event "local.staging"). */
/* Makes the file, unless there is one.  As staging_file_write. */
int staging_file_need(struct staging_file *f, const char *dir, struct err *e) MUST_CHECK;
int staging_file_write(struct staging_file *f, const char *dir, uint64_t slot, const uint8_t *p,
		       struct err *e) MUST_CHECK;
int staging_file_read(const struct staging_file *f, uint64_t slot, uint8_t *p,
		      struct err *e) MUST_CHECK;
/* Gives back the space from that slot on, as far as it can be. */
void staging_file_cut(struct staging_file *f, uint64_t slot);
void staging_file_close(struct staging_file *f);

#endif
