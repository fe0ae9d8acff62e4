/* SPDX-License-Identifier: MIT */
/* What docbox.c, docvalue.c and doctext.c share with each other, and with nobody else. */
#ifndef FS_DOCBOXFILE_H
#define FS_DOCBOXFILE_H

#include <pthread.h>
#include <stdatomic.h>

#include "fs/docbox.h"
#include "fs/dockeys.h"

enum { DOCBOX_IDLE_MAX = 8 };

struct docbox {
	atomic_uint refs;
	uint64_t serial;
	struct docstore *store;
	const struct docbox_config *cfg;
	char database[256], container[256];
	struct docstore_at at;
	struct container_def def;
	struct keychest *chest;
	atomic_bool gone;
	atomic_bool siblings_wanted; /* a document has needed one: from now on all keys come with
					them */
	pthread_mutex_t mu;	     /* rank 3; guards what follows */
	struct document_worker *idle[DOCBOX_IDLE_MAX];
	unsigned n_idle;
	struct document_set sibling_told;
};

int docbox_worker_take(struct docbox *b, struct document_worker **out, struct err *e) MUST_CHECK;
void docbox_worker_give(struct docbox *b, struct document_worker *w);

#endif
