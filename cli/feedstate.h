/* SPDX-License-Identifier: MIT */
/*
 * Where a feed has got to, in a file that outlives the run: docs/FORMATS.md, "The state of a feed".
 *
 * One run at a time has the file; whoever has it holds a lock on FILE.lock, which stays behind
 * (whoever removed it could remove another one's).  A new state takes the place of the old one at
 * once and for good, so that whenever the run is killed, or the machine, one of the two is there.
 */
#ifndef CLI_FEEDSTATE_H
#define CLI_FEEDSTATE_H

#include "base/err.h"

struct feedstate; /* opaque */

/*
 * Takes the lock and reads the file, if it is there.  part: "MIN-MAX", what this run is to read.
 *  -EBUSY      another run has it
 *  -EINVAL     not the state of a feed, or of another part
 *  -EOPNOTSUPP written by a newer version
 *  -EACCES     not ours, or others may write it; -ELOOP it is a link; -EFBIG
 */
int feedstate_open(const char *path, const char *part, struct feedstate **out,
		   struct err *e) MUST_CHECK;
void feedstate_close(struct feedstate *s); /* NULL is fine */

/* What was there, or has been written since; NULL, NULL when there is nothing yet. */
const char *feedstate_rid(const struct feedstate *s);
const char *feedstate_cursor(const struct feedstate *s);

/* Writes it down: when this returns 0, it is on the disk.  Nothing is written that is there. */
int feedstate_save(struct feedstate *s, const char *rid, const char *cursor,
		   struct err *e) MUST_CHECK;

#endif
