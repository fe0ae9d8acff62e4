/* SPDX-License-Identifier: MIT */
/*
 * File names in the order in which they came, each once.  Linear in their number whatever they
 * are (the hash cannot be steered); charged to the metadata share of memory=.
 *
 * No lock of its own: the user's.  A name stays where it is until the set is cleared.
 */
#ifndef FS_NAMESET_H
#define FS_NAMESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/err.h"

struct nameset_entry {
	char *name;
	char *note; /* what the user wants to know of it later, or NULL */
};

struct nameset {
	struct budget *budget;
	struct nameset_entry *entry;
	size_t n;
	size_t room;
	uint32_t *slot; /* open addressing: number + 1; 0 = free */
	size_t n_slots;
	uint64_t charged;
};

void nameset_init(struct nameset *s, struct budget *budget);
void nameset_clear(struct nameset *s);

/* Adds a name (copied, as note is) unless it is there.  -EFBIG: the metadata share is used up. */
int nameset_add(struct nameset *s, const char *name, const char *note, struct err *e) MUST_CHECK;

/* Its number, or -1. */
long nameset_find(const struct nameset *s, const char *name);

#endif
