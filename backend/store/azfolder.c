/* SPDX-License-Identifier: MIT */
/* Folders: see azfolder.h. */
#include "backend/store/azfolder.h"

#include <errno.h>

#include "backend/store/azlook.h"
#include "backend/store/azwrite.h"

enum { EMPTY_PAGES_MAX = 1000, LOOKED_AT = 2 /* the folder's own "NAME/", and one more */ };

/* What is below a folder. */
struct below {
	struct span itself; /* "NAME/" */
	bool own, others;   /* an empty blob of that very name; anything else */
	char etag[STORE_ETAG_MAX + 1];
};

static int
note(void *arg, const struct store_entry *entry, struct err *e)
{
	struct below *b = arg;

	(void)e;
	if (entry->name.n != b->itself.n || entry->size > 0) {
		b->others = true;
		return 0;
	}
	b->own = true;
	memcpy(b->etag, entry->etag, strlen(entry->etag) + 1);
	return 0;
}

/* out->itself has been set. */
static int
look_below(const struct azname_store *b, struct below *out, struct deadline d, struct err *e)
{
	AUTO_BUF marker;
	struct azpage page = { azname_place(b, out->itself), false, LOOKED_AT, &marker };
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	for (unsigned i = 0; i < EMPTY_PAGES_MAX; i++) {
		r = azpage_list(&b->root, &page, (struct store_list_sink){ note, out }, d, e);
		if (r < 0 || out->others || marker.n == 0)
			return r;
	}
	return azpage_refuse(e, "nothing but empty pages");
}

static int
with_slash(const char *name, struct buf *out, struct err *e)
{
	buf_init(out, STORE_NAME_MAX + 1);
	return buf_addf(out, e, "%s/", name);
}

/* ---- make */

static bool
is_folder(const struct azlook_write *w, const struct azlook *there)
{
	(void)w;
	return there->found && there->folder;
}

static int
make_marker(const struct azname_store *b, const char *url, struct deadline d, struct err *e)
{
	const struct azlook_write w = {
		&b->root.service, url, { .absent = true }, NULL, is_folder
	};
	struct store_written ignored;
	AUTO_AZREQUEST q;

	azrequest_init(&q, "PUT", url);
	azrequest_header(&q, "x-ms-blob-type", "BlockBlob");
	azrequest_header(&q, "x-ms-meta-hdi_isfolder", "true");
	azrequest_condition(&q, w.c);
	return azlook_send(&w, &q, &ignored, d, e);
}

int
azfolder_make(const struct azname_store *b, const char *name, const char *url, struct deadline d,
	      struct err *e)
{
	struct below below = { .own = false };
	AUTO_BUF folder;
	int r = with_slash(name, &folder, e);

	below.itself = buf_span(&folder);
	if (r == 0)
		r = look_below(b, &below, d, e);
	if (r == -EACCES) /* who may not list may still write */
		err_clear(e);
	else if (r < 0)
		return r;
	if (below.own || below.others)
		return err_set(e, EEXIST, "a folder of that name is there");
	return make_marker(b, url, d, e);
}

/* ---- remove */

static int
delete_if_there(const struct azservice *s, const char *url, const char *etag, struct deadline d,
		struct err *e)
{
	int r = azwrite_delete(s, url, etag, d, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r;
}

/* The blob "NAME/", which some tools make for a folder. */
static int
remove_own(const struct azname_store *b, const struct below *below, const char *url,
	   struct deadline d, struct err *e)
{
	AUTO_BUF own;
	int r;

	if (!below->own)
		return 0;
	buf_init(&own, AZPAGE_URL_MAX);
	r = buf_addf(&own, e, "%s/", url);
	return r < 0 ? r : delete_if_there(&b->root.service, buf_str(&own), below->etag, d, e);
}

static int
remove_marker(const struct azname_store *b, const char *url, struct deadline d, struct err *e)
{
	AUTO_AZLOOK there = { .found = false };
	int r = azlook_head(&b->root.service, url, NULL, &there, d, e);

	if (r < 0 || !there.found || !there.folder)
		return r;
	return delete_if_there(&b->root.service, url, there.version.etag, d, e);
}

int
azfolder_remove(const struct azname_store *b, const char *name, const char *url, struct deadline d,
		struct err *e)
{
	struct below below = { .own = false };
	AUTO_BUF folder;
	int r = with_slash(name, &folder, e);

	below.itself = buf_span(&folder);
	if (r == 0)
		r = look_below(b, &below, d, e);
	if (r < 0)
		return r;
	if (below.others)
		return err_set(e, ENOTEMPTY, "the folder is not empty");
	r = remove_own(b, &below, url, d, e);
	return r < 0 ? r : remove_marker(b, url, d, e);
}
