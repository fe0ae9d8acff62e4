/* SPDX-License-Identifier: MIT */
/* Sinks of the contract suite of document stores: what a call has sent. */
#ifndef TESTS_CONTRACT_DOCSTORE_SEEN_H
#define TESTS_CONTRACT_DOCSTORE_SEEN_H

#include "backend/store/docstore.h"

enum { SEEN_MAX = 512 };

struct docstore_seen {
	char *text[SEEN_MAX];
	unsigned n;
	unsigned fail_at; /* fails at that text, counting from 1; 0 = never */
};

void docstore_seen_clear(struct docstore_seen *s);
/* In the order of their bytes. */
void docstore_seen_sort(struct docstore_seen *s);
void docstore_seen_add(struct docstore_seen *s, const char *text);
bool docstore_seen_has(const struct docstore_seen *s, const char *text);
/* Takes a member out of all texts: the change feed of the service adds one.  member: ",\"NAME\":",
 * its value is a number. */
void docstore_seen_drop(struct docstore_seen *s, const char *member);
/* Both hold the same, in whatever order, with all repetitions. */
void docstore_seen_same(struct docstore_seen *found, struct docstore_seen *wanted,
			const char *what);

struct docstore_sink docstore_seen_texts(struct docstore_seen *s);
struct docstore_names docstore_seen_names(struct docstore_seen *s);
/* As "MIN-MAX". */
struct docstore_ranges docstore_seen_ranges(struct docstore_seen *s);

/* All pages of a selection, from the beginning; in changes until it is idle. */
void docstore_seen_pages(struct docstore *store, const struct docstore_at *at,
			 const struct docstore_select *sel, struct docstore_seen *seen);
/* Goes on at the cursor. */
void docstore_seen_on(struct docstore *store, const struct docstore_at *at,
		      const struct docstore_select *sel, struct buf *cursor,
		      struct docstore_seen *seen);

#endif
