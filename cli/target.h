/* SPDX-License-Identifier: MIT */
/*
 * Where get writes: files below one directory, whatever their names say.  Paths below the root
 * are components joined by '/', none of them empty, "." or ".." (-EINVAL); directories are never
 * entered through a link (-ELOOP or -ENOTDIR).
 */
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* A file that is being written. */
struct target_file {
	int fd;
	int dir;       /* of its directory */
	char *leaf;    /* its name there */
	char temp[64]; /* its name until then */
	bool force;
};

/* Opens a directory, made if it is not there (its parent is). */
int target_open_dir(const char *path, int *out, struct err *e) MUST_CHECK;

/*
 * Where one file goes: into target when that is a directory (as leaf), else to the name target.
 * The caller closes and frees.
 */
int target_place(const char *target, const char *leaf, int *out_dir, char **out_leaf,
		 struct err *e) MUST_CHECK;

/* Makes a directory below root; one that is there is fine. */
int target_make_dir(int root, const char *below, struct err *e) MUST_CHECK;

/* -EEXIST when a file is there and force is not set; looked at before anything is fetched. */
int target_check(int root, const char *below, bool force, struct err *e) MUST_CHECK;

/*
 * Makes an empty file under a temporary name beside its place.  Then one of publish and abandon
 * ends it.
 */
int target_begin(int root, const char *below, bool force, struct target_file *out,
		 struct err *e) MUST_CHECK;
int target_publish(struct target_file *f, int64_t mtime_ns,
		   struct err *e) MUST_CHECK; /* -EEXIST as above */
void target_abandon(struct target_file *f);

#endif
