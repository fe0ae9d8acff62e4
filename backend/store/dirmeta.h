/* SPDX-License-Identifier: MIT */
/*
 * The metadata file of one object of a dir: store.  Whoever wrote it is not
 * trusted: it can name no file but its own content, in its own directory.
 * Source: docs/FORMATS.md, "The dir: store".
 */
#ifndef BACKEND_STORE_DIRMETA_H
#define BACKEND_STORE_DIRMETA_H

#include "backend/store/storewrite.h"

enum { DIRMETA_FILE_MAX = 64 << 10 };

struct json_t;

struct dirmeta {
	struct store_entry entry; /* points into json; name is for the caller to set */
	const char *content;	  /* a file in the same directory */
	struct json_t *json;
};

/*
 * name: the object that this place in the tree belongs to.  end: the last piece of its encoded
 * form, which its content file begins with. -EBADMSG, event "integrity.dir", when anything is not
 * as described; the caller adds which file it is.  out is for dirmeta_clear, on success only.
 */
int dirmeta_parse(struct span json, struct span name, const char *end, struct dirmeta *out,
		  struct err *e) MUST_CHECK;
void dirmeta_clear(struct dirmeta *m); /* zeroed ones too */
#define AUTO_DIRMETA struct dirmeta CLEANUP(dirmeta_clear)

/* Properties and metadata of an object.  out is for store_properties_clear, also on failure. */
int dirmeta_properties(const struct dirmeta *m, struct store_properties *out,
		       struct err *e) MUST_CHECK;

/* What a new metadata file says. */
struct dirmeta_record {
	struct span name;
	const char *content;
	uint64_t size;
	const char *etag;
	int64_t modified_s;
	const struct dirmeta *base; /* what is not said here is as there; NULL = nothing */
	const struct store_properties *properties; /* with a base: its metadata only; NULL = as
						      there */
};

/* -EINVAL: a name or a value that is no UTF-8, or larger altogether than a metadata file can be. */
int dirmeta_print(const struct dirmeta_record *record, struct buf *out, struct err *e) MUST_CHECK;

/* Parses hostile JSON: no member twice, nested no deeper than 8.  NULL, with e set (-EBADMSG). */
struct json_t *dirmeta_json(struct span text, struct err *e);

#endif
