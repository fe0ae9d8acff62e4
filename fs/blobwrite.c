/* SPDX-License-Identifier: MIT */
/* Names, times and directories of the blob view that change.  New content is in blobseal.c. */
#include "fs/blobwrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/timetext.h"
#include "base/utf8.h"
#include "fs/blobpath.h"
#include "fs/names.h"

/* ---- names ---- */

static int
place_component(const char *file, size_t n, bool last, struct err *e)
{
	char name[NAMES_FILE_MAX + 1];
	enum names_kind kind;
	AUTO_BUF component;
	int r;

	buf_init(&component, STORE_NAME_MAX);
	if (n > NAMES_FILE_MAX)
		return err_set(e, ENAMETOOLONG, "a name is longer than %d bytes", NAMES_FILE_MAX);
	memcpy(name, file, n);
	name[n] = '\0';
	r = names_unescape(name, &kind, &component, e);
	if (r < 0)
		return r;
	if (kind == NAMES_NOTHING || (kind == NAMES_SHADOWED && !last)) {
		(void)err_set(e, EINVAL, "no blob can be shown under the name '%s'", name);
		return err_mark(e, "name.escape",
				"a % before two of 0-9A-F is written %25; bytes that are not UTF-8 "
				"are written %XX");
	}
	/* Stores have such names, but none takes a new one. */
	if (kind != NAMES_ALIAS && !utf8_is_valid(buf_span(&component)))
		return err_set(e, EINVAL, "a blob's name is Unicode");
	return 0;
}

static int
blob_place(struct view *view, const char *path, enum view_place *out, struct err *e)
{
	int r = path[0] == '\0' ? err_set(e, EISDIR, "is a directory") : 0;

	(void)view;
	while (r == 0 && *path != '\0') {
		size_t n = strcspn(path, "/");

		r = place_component(path, n, path[n] == '\0', e);
		path += path[n] == '\0' ? n : n + 1;
	}
	*out = VIEW_PLACE_SEALED;
	return r;
}

int
blobwrite_name(struct blobview *v, const char *path, bool fresh, struct deadline d, char **out,
	       struct err *e)
{
	enum blob_path_kind kind;
	AUTO_BUF name;
	int r;

	buf_init(&name, STORE_NAME_MAX);
	r = blobpath_name(v->store, path, d, &name, &kind, e);
	if (r == -ENOENT && fresh) { /* a cut name stands for one that is there */
		err_clear(e);
		return err_set(e, EINVAL, "a new blob cannot be given an abbreviated name");
	}
	if (r < 0)
		return r;
	*out = strdup(buf_str(&name));
	return *out != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

int
blobwrite_send(struct blobview *v, const struct store_entry *entry, struct view_sink now,
	       struct err *e)
{
	struct view_record *record = NULL;
	int r = blob_record_new(v->kids, NULL, entry, &record, e);

	if (r == 0)
		r = blobview_send("", entry->etag, entry->mtime_ns, record, 0, false, now, e);
	view_record_put(record);
	return r;
}

/*
 * What is sealed, readable or not, may be replaced by whoever may write to the container; what
 * cannot be read cannot be the beginning of something new either, which opening it says.
 */
static int
blob_may_replace(struct view *view, const char *path, const char *etag, struct view_record *record,
		 bool keeps_content, struct deadline d, struct err *e)
{
	(void)view;
	(void)path;
	(void)etag;
	(void)record;
	(void)keeps_content;
	(void)d;
	(void)e;
	return 0;
}

/* ---- remove, rename ---- */

static int
blob_remove(struct view *view, const char *path, const char *etag, struct view_record *record,
	    struct deadline d, struct err *e)
{
	struct blobview *v = blobview_of(view);
	char *name = NULL;
	int r = blobwrite_name(v, path, false, d, &name, e);

	(void)record;
	if (r == 0)
		r = store_delete(v->store, name, etag, d, e);
	free(name);
	return r;
}

static int
blob_rename(struct view *view, const char *from, const char *etag, struct view_record *record,
	    const char *to, const char *over, struct view_sink now, struct deadline d,
	    struct err *e)
{
	struct blobview *v = blobview_of(view);
	const struct store_condition c = { .absent = over == NULL, .if_match = over };
	struct store_written made;
	char *old = NULL, *new = NULL;
	int r = blobwrite_name(v, from, false, d, &old, e);

	if (r == 0)
		r = blobwrite_name(v, to, over == NULL, d, &new, e);
	if (r == 0)
		r = store_copy(v->store, old, etag, new, c, &made, d, e);
	if (r == 0)
		r = store_delete(v->store, old, etag, d, e);
	if (r == 0) /* the same bytes under another name */
		r = blobview_send("", made.etag, made.mtime_ns, record, 0, false, now, e);
	free(old);
	free(new);
	return r;
}

/* ---- times ---- */

static int
blob_set_mtime(struct view *view, const char *path, const char *etag, struct view_record *record,
	       int64_t mtime_ns, struct view_sink now, struct deadline d, struct err *e)
{
	struct blobview *v = blobview_of(view);
	AUTO_STORE_PROPERTIES p = { 0 };
	char text[TIMETEXT_MAX + 1];
	struct store_written made;
	char *name = NULL;
	int r = blobwrite_name(v, path, false, d, &name, e);

	timetext_print(mtime_ns, text);
	if (r == 0)
		r = store_get_properties(v->store, name, etag, &p, d, e);
	if (r == 0)
		r = store_meta_set(&p, "mtime", text, e);
	if (r == 0)
		r = store_set_metadata(v->store, name, &p, etag, &made, d, e);
	if (r == 0) /* the same bytes, another version */
		r = blobview_send("", made.etag, mtime_ns, record, 0, false, now, e);
	free(name);
	return r;
}

/* ---- directories ---- */

static int
blob_make_dir(struct view *view, const char *path, struct deadline d, struct err *e)
{
	struct blobview *v = blobview_of(view);
	char *name = NULL;
	int r = blobwrite_name(v, path, true, d, &name, e);

	if (r == 0)
		r = store_make_folder(v->store, name, d, e);
	free(name);
	return r;
}

static int
blob_remove_dir(struct view *view, const char *path, struct deadline d, struct err *e)
{
	struct blobview *v = blobview_of(view);
	char *name = NULL;
	int r = blobwrite_name(v, path, false, d, &name, e);

	if (r == 0)
		r = store_remove_folder(v->store, name, d, e);
	free(name);
	return r;
}

const struct view_write_ops blobwrite_ops = {
	.place = blob_place,
	.may_replace = blob_may_replace,
	.seal = blobwrite_seal,
	.region = blobwrite_region,
	.commit = blobwrite_commit,
	.sealing_free = blobwrite_sealing_free,
	.remove = blob_remove,
	.rename = blob_rename,
	.set_mtime = blob_set_mtime,
	.make_dir = blob_make_dir,
	.remove_dir = blob_remove_dir,
};
