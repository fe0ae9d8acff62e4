/* SPDX-License-Identifier: MIT */
/* What put does with files: several on their way at a time, each published whole or not at all. */
#ifndef CLI_SEND_H
#define CLI_SEND_H

#include "cli/transfer.h"

struct send {
	struct transfer transfer;
	bool force; /* write over what is there */
};

struct send_job; /* one file */

/* from: a local file; to: its path in the view. */
int send_job_new(struct send *s, const char *from, const char *to, uint64_t size,
		 struct send_job **out, struct err *e) MUST_CHECK;
/* Queues the file (taken), see transfer_submit. */
void send_submit(struct send *s, struct send_job *j);

/* Everything that fd gives until its end, on the caller's thread.  what: for the log. */
int send_stream(struct send *s, int fd, const char *to, struct err *e) MUST_CHECK;

#endif
