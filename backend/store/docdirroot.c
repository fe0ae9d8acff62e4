/* SPDX-License-Identifier: MIT */
/* Where an export may write: see docdirroot.h. */
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

static int
take(int root, struct err *e)
{
	enum dirmarker_kind kind;
	int r;

	if (flock(root, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, errno == EWOULDBLOCK ? EBUSY : errno,
			       errno == EWOULDBLOCK ? "another export writes there"
						    : "cannot be locked");
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
