/* SPDX-License-Identifier: MIT */
/*
 * What the files of streams share, and nobody else: docstream.c (the jobs), docstreamanswer.c (the
 * reads).  All functions that end in _locked want the stream's lock.
 */
#ifndef FS_DOCSTREAMFILE_H
#define FS_DOCSTREAMFILE_H

#include <pthread.h>

#include "fs/docstream.h"
#include "fs/docstreampage.h"

struct docstream {
	struct engine *engine;
	struct docbox *box; /* a reference */
	char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1];
	struct docstore_select sel;
	struct pool_job fetch_job, unseal_job;
	struct buf cursor; /* of the fetch job, as is sel */

	pthread_mutex_t mu; /* rank 3; guards what follows */
	unsigned refs;	    /* the file, and each job that runs */
	bool closed;
	bool fetching, unsealing;
	struct deadline fetch_until, unseal_until;
	uint64_t reserved; /* of the memory, for the page that is being fetched */
	bool fetch_faltered, unseal_faltered; /* the last try failed: the next is for a reader */
	bool fetched_all, complete; /* no page is left to fetch; no text is left to come */
	struct rawpage *raw;	    /* fetched, waits for the unsealer */
	struct rawpage *work;	    /* the unsealer's, until its last document is text */
	struct chunk *first, *last;
	uint64_t start, end;	   /* what the chunks hold */
	uint64_t asked;		   /* how far readers have asked */
	bool has_late;		   /* a read came behind another that lies beyond it */
	struct view_read *waiting; /* in no order; parked: a try has begun since they wait */
	struct err failed;	   /* for good: beyond end there is no text to be had */
};

/* Reads that can be answered, to be called back without the lock. */
struct answers {
	struct view_read *first;
};

/* No text comes after end: it is all there, or something fails there for good. */
static inline bool
docstream_at_end(const struct docstream *s)
{
	return s->complete || s->failed.no != 0;
}

/* Whether the read can be answered now; it is filled, or has its failure, then. */
bool docstream_settle_locked(struct docstream *s, struct view_read *r);
void docstream_settle_waiting_locked(struct docstream *s, struct answers *a);
/*
 * A failure of the moment: whoever waits is told, the next read tries again.  So does one that
 * came when the try was under way already.
 */
void docstream_fail_waiting_locked(struct docstream *s, const struct err *e, struct answers *a);
/* A read may wait for many pages, each of which comes in time. */
void docstream_expire_waiting_locked(struct docstream *s, struct answers *a);
void docstream_call_back(struct answers *a);

#endif
