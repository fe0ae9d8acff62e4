/* SPDX-License-Identifier: MIT */
/*
 * Finding the files of an object of a dir: store, one directory at a time: no
 * symbolic link is ever followed below objects/, so nothing outside is reached.
 */
#ifndef BACKEND_STORE_DIRPLACE_H
#define BACKEND_STORE_DIRPLACE_H

#include "backend/store/dirmeta.h"
#include "backend/store/dirname.h"

/* The directory that holds the files of an object or of one component, and the last piece of their
 * names. */
struct dirplace {
	int fd;	  /* -1: not open */
	bool own; /* fd is closed with the place */
	char end[DIRNAME_PIECE_MAX + 1];
};

#define DIRPLACE_NONE    \
	{                \
		.fd = -1 \
	}
void dirplace_close(struct dirplace *p);
#define AUTO_DIRPLACE struct dirplace CLEANUP(dirplace_close)

/* The place of one component in the directory at, which must outlive it.  -ENOENT when a directory
 * is not there. */
int dirplace_of_component(int at, struct span component, struct dirplace *out,
			  struct err *e) MUST_CHECK;

/* The place of a whole name below objects. */
int dirplace_of_name(int objects, struct span name, struct dirplace *out, struct err *e) MUST_CHECK;

/* The same, and makes the directories that are not there. */
int dirplace_make_name(int objects, struct span name, struct dirplace *out,
		       struct err *e) MUST_CHECK;

/* Opens the directory of the names that begin with prefix; prefix is "" or ends in '/'.  The caller
 * closes *out. */
int dirplace_open_dir(int objects, struct span prefix, int *out, struct err *e) MUST_CHECK;

/* The same, and makes the directories (mode 0700) that are not there. */
int dirplace_make_component(int at, struct span component, struct dirplace *out,
			    struct err *e) MUST_CHECK;

/* Opens a directory, made (mode 0700, synced) when it is not there.  The caller closes *out. */
int dirplace_make_dir(int at, const char *name, const char *suffix, int *out,
		      struct err *e) MUST_CHECK;

/* Opens a directory or a regular file in a directory; -ENOENT also for what is a link or of another
 * kind. */
int dirplace_openat(int at, const char *name, const char *suffix, bool directory, int *out,
		    struct err *e) MUST_CHECK;

/*
 * Appends all of a regular file of at most max bytes.  -ENOENT; -EBADMSG (event "integrity.dir")
 * when it is larger, -EFBIG when it does not fit into out.
 */
int dirplace_read_file(int at, const char *name, const char *suffix, size_t max, struct buf *out,
		       struct err *e) MUST_CHECK;

/* Reads and checks the metadata file at a place of the object name.  -ENOENT, -EBADMSG with the
 * file's path in the sentence. */
int dirplace_read(const struct dirplace *p, struct span name, struct dirmeta *out,
		  struct err *e) MUST_CHECK;

#endif
