/* SPDX-License-Identifier: MIT */
/*
 * Uploads in blocks to a dir: store: each is a file in the staging directory, which the blocks are
 * written into where they belong.  Who commits has to be who has sent the blocks.
 */
#ifndef BACKEND_STORE_DIRUPLOAD_H
#define BACKEND_STORE_DIRUPLOAD_H

#include <pthread.h>

#include "backend/store/storewrite.h"

struct dirupload;

/* All uploads of one store that are under way. */
struct diruploads {
	pthread_mutex_t lock;
	struct dirupload *first;
};

void diruploads_init(struct diruploads *all);
/* No call is under way any more.  Removes what has not been committed. */
void diruploads_clear(struct diruploads *all, int objects);

/* Writes one block. */
int dirupload_block(struct diruploads *all, int stage, const struct store_upload *u,
		    const struct store_block *b, struct deadline d, struct err *e) MUST_CHECK;

/*
 * Makes the file whole: exactly the blocks 0..n_blocks - 1, which have to make up size bytes,
 * synced.
 * -EINVAL when they do not, or when there is no such upload.
 */
int dirupload_finish(struct diruploads *all, const struct store_upload *u, uint32_t n_blocks,
		     uint64_t size, struct err *e) MUST_CHECK;

/* Forgets an upload, whose file has been published or goes now. */
void dirupload_end(struct diruploads *all, int stage, const struct store_upload *u);

#endif
