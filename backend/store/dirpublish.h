/* SPDX-License-Identifier: MIT */
/*
 * The moment in which a version of an object in a dir: store takes the place
 * of another, or of none, or goes: one rename, under a condition that no other
 * writer can slip into, in this process or another.
 */
#ifndef BACKEND_STORE_DIRPUBLISH_H
#define BACKEND_STORE_DIRPUBLISH_H

#include "backend/store/dirmeta.h"

struct dirpublish {
	int objects, stage;
	struct span name;		  /* whole */
	struct store_condition condition; /* with a base that keeps its content: that version */
	const char *part; /* the file in stage that holds the content, synced; NULL: the content
			     stays that of base */
	uint64_t size;
	const struct dirmeta *base;		   /* see struct dirmeta_record */
	const struct store_properties *properties; /* likewise */
};

/*
 * After a failure the part is where it was, and may be published again.  -EEXIST, -ESTALE; -EINVAL
 * for a name that cannot be.
 */
int dirpublish(const struct dirpublish *p, struct store_written *out, struct deadline d,
	       struct err *e) MUST_CHECK;

/* -ENOENT, -ESTALE.  Directories that are empty then go too. */
int dirpublish_delete(int objects, int stage, struct span name, const char *if_match,
		      struct deadline d, struct err *e) MUST_CHECK;

/* Removes the content that a metadata file of that name tells of, unless the object has it now. */
int dirpublish_forget(int objects, int stage, const struct dirmeta *old, struct span name,
		      struct deadline d, struct err *e) MUST_CHECK;

/* Removes the directories that lead to that name, the last first, as long as they are empty. */
void dirpublish_prune(int objects, struct span name);

#endif
