/* SPDX-License-Identifier: MIT */
/* What get does with files: several on their way at a time, each whole or not at all. */
#ifndef CLI_FETCH_H
#define CLI_FETCH_H

#include "cli/transfer.h"

struct fetch {
	struct transfer transfer;
	bool force; /* write over what is there */
	int root;   /* directory that everything goes below; -1 until it is known */
};

struct fetch_job; /* one file */

/*
 * A file that a listing or a lookup told of: from is its path in the view, to its path below root.
 */
int fetch_job_new(struct fetch *f, const char *from, const char *to, const struct view_item *item,
		  struct fetch_job **out, struct err *e) MUST_CHECK;
void fetch_job_free(struct fetch_job *j);

/* Queues the file (taken), see transfer_submit. */
void fetch_submit(struct fetch *f, struct fetch_job *j);

#endif
