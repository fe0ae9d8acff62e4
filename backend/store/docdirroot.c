/* SPDX-License-Identifier: MIT */
/* Where an export or a mount may write: see docdirroot.h. */
#include "backend/store/docdirroot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/store/dircollect.h"
#include "backend/store/dirfile.h"
#include "backend/store/dirmarker.h"

enum {
	/* How long an export waits for the lock: the writes of a mount are shorter. */
	EXPORT_WAIT_MS = 2000,
	STEP_DOUBLINGS = 4,
	STEP_MAX_MS = 16
};

static int
is_other(void *arg, const char *name, bool link, struct err *e)
{
	bool *other = arg;

	(void)e;
	if (link || (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
		     strcmp(name, dirfile_temporary) != 0))
		*other = true;
	return 0;
}

/* Nothing but what a writer leaves that is killed before its marker is there. */
static int
check_empty(int root, struct err *e)
{
	bool other = false;
	int r = dircollect_each(root, is_other, &other, e);

	if (r == 0 && other)
		r = err_set(e, ENOTEMPTY, "not empty, and no directory store of documents");
	return r;
}

/*
 * Asks again and again, so that a deadline counts.  The lock is that of this open descriptor: other
 * threads are kept out as other processes are.
 */
static int
lock(int root, struct deadline d, struct err *e)
{
	for (unsigned nth = 0; flock(root, LOCK_EX | LOCK_NB) < 0; nth++) {
		if (errno != EWOULDBLOCK)
			return err_set(e, errno, "cannot be locked: %s", strerrordesc_np(errno));
		if (clock_stopped())
			return err_set(e, ECANCELED, "the program is ending");
		if (deadline_left_ns(d) == 0)
			return err_set(e, ETIMEDOUT, "somebody else writes to the directory");
		clock_sleep_ns((nth < STEP_DOUBLINGS ? 1 << nth : STEP_MAX_MS) * NS_PER_MS);
	}
	return 0;
}

static int
take(int root, struct err *e)
{
	enum dirmarker_kind kind;
	int r = lock(root, deadline_in(EXPORT_WAIT_MS * NS_PER_MS), e);

	if (r == -ETIMEDOUT) {
		err_clear(e);
		return err_set(e, EBUSY, "another export writes there");
	}
	if (r < 0)
		return r;
	r = dirmarker_read(root, &kind, e);
	if (r == 0 && kind == DIRMARKER_DOCUMENTS)
		return 0;
	if (r < 0 && r != -EINVAL)
		return r;
	err_clear(e);
	r = check_empty(root, e);
	if (r == 0)
		r = dirfile_put(root, dirmarker_file, "",
				span_str(dirmarker_text(DIRMARKER_DOCUMENTS)), e);
	return r < 0 ? r : dirfile_sync(root, e);
}

int
docdirroot_take(const char *path, int *out, struct err *e)
{
	int root, r;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "cannot be made: %s", strerrordesc_np(errno));
	root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	r = take(root, e);
	if (r < 0) {
		(void)close(root);
		return r;
	}
	*out = root;
	return 0;
}

int
docdirroot_lock(int databases, struct deadline d, int *out, struct err *e)
{
	int root = openat(databases, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;

	if (root < 0)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	r = lock(root, d, e);
	if (r < 0) {
		(void)close(root);
		return r;
	}
	*out = root;
	return 0;
}
