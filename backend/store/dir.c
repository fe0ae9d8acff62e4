/* SPDX-License-Identifier: MIT */
/* The dir: driver, what reads and what opens: see dir.h. */
#include "backend/store/dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/store/dirlist.h"
#include "backend/store/dirmarker.h"
#include "backend/store/dirstore.h"
#include "backend/store/dirwrite.h"

enum { PIECE = 256 << 10 };

static bool
is_same(const struct dirmeta *meta, const char *if_none_match)
{
	return if_none_match != NULL && strcmp(meta->entry.etag, if_none_match) == 0;
}

/* ---- list, probe, head */

static int
dir_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	 struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct dir_store *ds = dirstore_of(s);
	struct dirlist_request req = { .objects = ds->objects,
				       .drop = strlen(ds->prefix),
				       .delimited = delimited,
				       .max = max };
	AUTO_BUF whole;
	int r = dirstore_name(ds, prefix, &whole, e);

	if (r < 0)
		return r;
	req.prefix = buf_span(&whole);
	return dirlist_page(&req, cursor, sink, d, e);
}

static int
dir_head(struct store *s, const char *name, const char *if_none_match, struct store_list_sink sink,
	 bool *out_same, struct deadline d, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	AUTO_DIRMETA meta = { .json = NULL };
	int r = dirstore_find(dirstore_of(s), name, &place, &meta, e);

	(void)d;
	if (r < 0)
		return r;
	*out_same = is_same(&meta, if_none_match);
	return *out_same ? 0 : sink.entry(sink.arg, &meta.entry, e);
}

static int
probe_below(const struct dir_store *ds, const char *name, struct store_list_sink sink,
	    struct err *e)
{
	struct store_entry entry = { .kind = STORE_PREFIX, .etag = "", .content_type = "" };
	AUTO_BUF whole;
	bool any = false;
	int fd, r = dirstore_name(ds, span_str(name), &whole, e);

	if (r == 0)
		r = buf_add_str(&whole, "/", e);
	if (r == 0)
		r = dirplace_open_dir(ds->objects, buf_span(&whole), &fd, e);
	if (r < 0)
		return r;
	r = dirlist_has_object(fd, &any, e);
	(void)close(fd);
	if (r < 0 || !any)
		return r;
	entry.name = span_of(whole.p + strlen(ds->prefix), whole.n - strlen(ds->prefix));
	return sink.entry(sink.arg, &entry, e);
}

static int
dir_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	  struct err *e)
{
	bool same;
	int r = dir_head(s, name, NULL, sink, &same, d, e);

	if (r < 0 && r != -ENOENT)
		return r;
	err_clear(e);
	if (strlen(name) == STORE_NAME_MAX)
		return 0;
	r = probe_below(dirstore_of(s), name, sink, e);
	if (r != -ENOENT)
		return r;
	err_clear(e);
	return 0;
}

/* ---- get */

static int
check_content(int fd, const struct dirmeta *meta, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot look at the content: %s", strerrordesc_np(errno));
	if ((uint64_t)st.st_size != meta->entry.size)
		return err_set(e, EIO, "the content file '%s' has %lld bytes, not %llu",
			       meta->content, (long long)st.st_size,
			       (unsigned long long)meta->entry.size);
	return 0;
}

static int
send_bytes(int fd, uint64_t off, uint64_t len, struct store_get_sink sink, struct deadline d,
	   struct err *e)
{
	uint8_t *piece = malloc(PIECE);
	ssize_t n;
	int r = 0;

	if (piece == NULL)
		return err_set(e, ENOMEM, "out of memory");
	while (r == 0 && len > 0) {
		n = pread(fd, piece, len < PIECE ? (size_t)len : PIECE, (off_t)off);
		if (d.at_ns != 0 && deadline_left_ns(d) == 0)
			r = err_set(e, ETIMEDOUT, "reading took too long");
		else if (n < 0)
			r = err_set(e, errno, "cannot read the content: %s",
				    strerrordesc_np(errno));
		else if (n == 0)
			r = err_set(e, EIO, "the content file ends early");
		else
			r = sink.data(sink.arg, span_of(piece, (size_t)n), e);
		if (r == 0) {
			off += (uint64_t)n;
			len -= (uint64_t)n;
		}
	}
	free(piece);
	return r;
}

static int
check_range(const struct store_get *get, uint64_t size, struct err *e)
{
	if (get->len == 0 && size > get->max)
		return err_set(e, EFBIG, "the object has %llu bytes, at most %llu are wanted",
			       (unsigned long long)size, (unsigned long long)get->max);
	if (get->len > 0 && get->off + get->len > size) {
		(void)err_set(e, EIO, "the object does not reach that far");
		return err_mark(e, "net.protocol", NULL);
	}
	return 0;
}

static int
send_version(int fd, const struct dirmeta *meta, const struct store_get *get,
	     struct store_get_sink sink, struct deadline d, struct err *e)
{
	const uint64_t size = meta->entry.size;
	int r = check_content(fd, meta, e);

	if (r == 0 && get->len > 0)
		r = check_range(get, size, e);
	if (r == 0 && sink.begin != NULL)
		r = sink.begin(sink.arg, &meta->entry, e);
	if (r == 0 && get->len == 0)
		r = check_range(get, size, e);
	return r != 0 ? r : send_bytes(fd, get->off, get->len > 0 ? get->len : size, sink, d, e);
}

static int
dir_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	struct deadline d, struct err *e)
{
	AUTO_DIRMETA meta = { .json = NULL };
	int fd, r = dirstore_open_version(dirstore_of(s), get->name, &meta, &fd, e);

	if (r < 0)
		return r;
	*out_same = is_same(&meta, get->if_none_match);
	if (get->if_match != NULL && strcmp(meta.entry.etag, get->if_match) != 0) {
		r = dirstore_changed(e);
	} else if (!*out_same) {
		r = send_version(fd, &meta, get, sink, d, e);
	}
	(void)close(fd);
	return r;
}

/* ---- life */

static void
dir_free(struct store *s)
{
	struct dir_store *ds = dirstore_of(s);

	diruploads_clear(&ds->uploads, ds->objects);
	if (ds->objects >= 0)
		(void)close(ds->objects);
	free(ds->prefix);
	free(ds);
}

static const struct store_ops dir_ops = {
	.name = "dir",
	.write = &dirwrite_ops,
	.list = dir_list,
	.probe = dir_probe,
	.head = dir_head,
	.get = dir_get,
	.free = dir_free,
};

int
dir_store_open(const char *path, const char *prefix, struct store **out, struct err *e)
{
	struct dir_store *ds;
	int r;

	if (strlen(prefix) > STORE_NAME_MAX - 1)
		return err_set(e, EINVAL, "the prefix is too long");
	ds = calloc(1, sizeof(*ds));
	if (ds == NULL)
		return err_set(e, ENOMEM, "out of memory");
	ds->objects = -1;
	diruploads_init(&ds->uploads);
	ds->store.ops = &dir_ops;
	ds->store.listable = true;
	(void)snprintf(ds->store.label, sizeof(ds->store.label), "%s%s%s", path,
		       prefix[0] != '\0' ? "/" : "", prefix);
	r = dirmarker_open(path, DIRMARKER_BLOBS, "objects", &ds->objects, e);
	if (r == 0 && asprintf(&ds->prefix, "%s%s", prefix, prefix[0] != '\0' ? "/" : "") < 0) {
		ds->prefix = NULL;
		r = err_set(e, ENOMEM, "out of memory");
	}
	if (r < 0) {
		dir_free(&ds->store);
		return r;
	}
	*out = &ds->store;
	return 0;
}
