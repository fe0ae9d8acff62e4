/* SPDX-License-Identifier: MIT */
/*
 * One version of an object of a dir: store: see dirstore.h.
 *
 * A metadata file names a content file that is never written again, and both
 * are replaced by a new pair, the metadata last and by rename.  So whoever has
 * read a metadata file and opened the content that it names holds one version,
 * whatever happens meanwhile.
 */
#include "backend/store/dirstore.h"

#include <errno.h>
#include <stdio.h>

enum { REPLACED_MAX = 64 /* times that an object may be replaced while it is being opened */ };

int
dirstore_name(const struct dir_store *ds, struct span name, struct buf *out, struct err *e)
{
	int r;

	buf_init(out, 2 * STORE_NAME_MAX + 1);
	r = buf_add_str(out, ds->prefix, e);
	return r < 0 ? r : buf_add(out, name.p, name.n, e);
}

int
dirstore_find(const struct dir_store *ds, const char *name, struct dirplace *place,
	      struct dirmeta *meta, struct err *e)
{
	AUTO_BUF whole;
	int r = dirstore_name(ds, span_str(name), &whole, e);

	if (r == 0)
		r = dirplace_of_name(ds->objects, buf_span(&whole), place, e);
	if (r == 0)
		r = dirplace_read(place, buf_span(&whole), meta, e);
	if (r == 0)
		meta->entry.name = span_str(name);
	return r;
}

/* Content that is gone although its metadata file has stayed the same is lost. */
int
dirstore_open_version(const struct dir_store *ds, const char *name, struct dirmeta *meta,
		      int *out_fd, struct err *e)
{
	char tried[DIRNAME_PIECE_MAX + 32] = "";
	int r;

	for (unsigned i = 0; i < REPLACED_MAX; i++) {
		AUTO_DIRPLACE place = DIRPLACE_NONE;

		dirmeta_clear(meta);
		r = dirstore_find(ds, name, &place, meta, e);
		if (r < 0)
			return r;
		r = dirplace_openat(place.fd, meta->content, "", false, out_fd, e);
		if (r != -ENOENT)
			return r;
		err_clear(e);
		if (strcmp(tried, meta->content) == 0)
			return err_set(e, EIO, "the content file '%s' is missing", meta->content);
		(void)snprintf(tried, sizeof(tried), "%s", meta->content);
	}
	return err_set(e, EIO, "the object is being replaced all the time");
}

int
dirstore_changed(struct err *e)
{
	(void)err_set(e, ESTALE, "the object has been changed");
	return err_mark(e, "remote.changed", NULL);
}
