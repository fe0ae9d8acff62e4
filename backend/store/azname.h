/* SPDX-License-Identifier: MIT */
/*
 * What a blob store is open on, and where a name lies in it: container, key, URL.  Private to the
 * Azure Blob driver (az*.c).
 */
#ifndef BACKEND_STORE_AZNAME_H
#define BACKEND_STORE_AZNAME_H

#include "backend/store/azpage.h"

struct azname_store {
	struct store store;
	struct azroot root;
	char *url, *prefix; /* what root points to; prefix has a '/' at its end, or is "" or
			       (single) the whole name */
	char *container;    /* NULL: the whole account */
	const char *
		single; /* the last component of prefix, NULL when this is no single-object store */
};

static inline struct azname_store *
azname_of(struct store *s)
{
	return (struct azname_store *)s; /* store is the first member */
}

/* 3 to 63 of a-z 0-9 and '-', or the service's own such as $root: whatever else is asked for does
 * not exist. */
bool azname_is_container(struct span name);

/* Borrows from the store and the name. */
struct azplace azname_place(const struct azname_store *b, struct span name);

/* The URL of the object of this name; -ENOENT when there can be none. */
int azname_url(const struct azname_store *b, const char *name, struct buf *url,
	       struct err *e) MUST_CHECK;

/* The same for writing: -EACCES where nothing is written, -EINVAL for what is no blob's name. */
int azname_url_to_write(const struct azname_store *b, const char *name, struct buf *url,
			struct err *e) MUST_CHECK;

#endif
