/* SPDX-License-Identifier: MIT */
/* The dir: driver, what writes: see dirwrite.h. */
#include "backend/store/dirwrite.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/store/dircopy.h"
#include "backend/store/dirlist.h"
#include "backend/store/dirpublish.h"
#include "backend/store/dirstage.h"
#include "backend/store/dirstore.h"
#include "backend/store/dirsweep.h"
#include "crypto/random.h"

enum { CHANGED_MAX = 64 /* times that an object may change while its metadata are replaced */ };

#define SWEEP_EVERY_NS (3600 * NS_PER_S)

static const char folder_item[] = "hdi_isfolder";

/* ---- one call */

struct call {
	struct dir_store *ds;
	int stage;
	struct buf name; /* whole */
	struct deadline d;
	char part[DIRSTAGE_FILE]; /* "" as long as there is none */
};

static int
begin(struct call *c, struct store *s, const char *name, struct deadline d, struct err *e)
{
	struct dir_store *ds = dirstore_of(s);
	const int64_t now = clock_now_ns();
	int64_t sweep_at = atomic_load(&ds->sweep_at_ns);
	int r;

	*c = (struct call){ .ds = ds, .stage = -1, .d = d };
	r = dirstore_name(ds, span_str(name), &c->name, e);
	if (r == 0)
		r = dirstage_open(ds->objects, &c->stage, e);
	if (r == 0 && now >= sweep_at &&
	    atomic_compare_exchange_strong(&ds->sweep_at_ns, &sweep_at, now + SWEEP_EVERY_NS))
		dirsweep(ds->objects, c->stage, d);
	return r;
}

/* A quota that is used up is no room either. */
static int
end(struct call *c, int r, struct err *e)
{
	if (c->part[0] != '\0')
		(void)unlinkat(c->stage, c->part, 0);
	if (c->stage >= 0)
		(void)close(c->stage);
	buf_clear(&c->name);
	if (r == -EDQUOT) {
		e->no = ENOSPC;
		r = -ENOSPC;
	}
	return r;
}

static int
draw_part(struct call *c, struct err *e)
{
	uint8_t id[DIRSTAGE_ID];
	int r = random_public((struct room){ id, sizeof(id) }, e);

	if (r == 0)
		dirstage_name(id, dirstage_part, c->part);
	return r;
}

static struct dirpublish
publication(const struct call *c, struct store_condition condition)
{
	return (struct dirpublish){ .objects = c->ds->objects,
				    .stage = c->stage,
				    .name = buf_span(&c->name),
				    .condition = condition };
}

static bool
is_version(const struct dirmeta *meta, const char *if_match)
{
	return if_match == NULL || strcmp(meta->entry.etag, if_match) == 0;
}

/* ---- properties */

static int
dir_properties(struct store *s, const char *name, const char *if_match,
	       struct store_properties *out, struct deadline d, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	AUTO_DIRMETA meta = { .json = NULL };
	int r = dirstore_find(dirstore_of(s), name, &place, &meta, e);

	(void)d;
	if (r == 0 && !is_version(&meta, if_match))
		r = dirstore_changed(e);
	return r < 0 ? r : dirmeta_properties(&meta, out, e);
}

/* ---- whole objects */

static int
write_part(struct call *c, struct span bytes, struct err *e)
{
	int fd, r = draw_part(c, e);

	if (r == 0)
		r = dirstage_make(c->stage, c->part, &fd, e);
	if (r < 0)
		return r;
	r = dirstage_write(fd, bytes, 0, c->d, e);
	if (r == 0)
		r = dirstage_sync(fd, e);
	(void)close(fd);
	return r;
}

static int
put(struct call *c, const struct store_properties *p, struct span bytes,
    struct store_condition condition, struct store_written *out, struct err *e)
{
	struct dirpublish publish = publication(c, condition);
	int r = write_part(c, bytes, e);

	publish.part = c->part;
	publish.size = bytes.n;
	publish.properties = p;
	return r < 0 ? r : dirpublish(&publish, out, c->d, e);
}

static int
dir_put(struct store *s, const char *name, const struct store_properties *p, struct span bytes,
	struct store_condition condition, struct store_written *out, struct deadline d,
	struct err *e)
{
	struct call c;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = put(&c, p, bytes, condition, out, e);
	return end(&c, r, e);
}

/* ---- blocks */

static int
dir_block(struct store *s, const char *name, const struct store_upload *u,
	  const struct store_block *b, struct deadline d, struct err *e)
{
	struct call c;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = dirupload_block(&c.ds->uploads, c.stage, u, b, d, e);
	return end(&c, r, e);
}

/* After a failure the blocks are still there: who has sent them may try again. */
static int
dir_commit(struct store *s, const char *name, const struct store_upload *u, uint32_t n_blocks,
	   uint64_t size, const struct store_properties *p, struct store_condition condition,
	   struct store_written *out, struct deadline d, struct err *e)
{
	struct dirpublish publish;
	char part[DIRSTAGE_FILE];
	struct call c;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = dirupload_finish(&c.ds->uploads, u, n_blocks, size, e);
	if (r == 0) {
		dirstage_name(u->id, dirstage_part, part);
		publish = publication(&c, condition);
		publish.part = part;
		publish.size = size;
		publish.properties = p;
		r = dirpublish(&publish, out, d, e);
	}
	if (r == 0)
		dirupload_end(&c.ds->uploads, c.stage, u);
	return end(&c, r, e);
}

static void
dir_abandon(struct store *s, const char *name, const struct store_upload *u)
{
	struct deadline never = { 0 };
	struct err ignored = { 0 };
	struct call c;
	int r = begin(&c, s, name, never, &ignored);

	dirupload_end(&c.ds->uploads, c.stage, u);
	r = end(&c, r, &ignored);
	(void)r;
}

/* ---- versions made of others */

static int
set_metadata(struct call *c, const char *name, const struct store_properties *p,
	     const char *if_match, struct store_written *out, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	AUTO_DIRMETA meta = { .json = NULL };
	struct dirpublish publish;
	int r = dirstore_find(c->ds, name, &place, &meta, e);

	if (r < 0)
		return r;
	if (!is_version(&meta, if_match))
		return dirstore_changed(e);
	publish = publication(c, (struct store_condition){ .if_match = meta.entry.etag });
	publish.size = meta.entry.size;
	publish.base = &meta;
	publish.properties = p;
	return dirpublish(&publish, out, c->d, e);
}

static int
dir_set_metadata(struct store *s, const char *name, const struct store_properties *p,
		 const char *if_match, struct store_written *out, struct deadline d, struct err *e)
{
	struct call c;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = set_metadata(&c, name, p, if_match, out, e);
	for (unsigned i = 0; r == -ESTALE && if_match == NULL && i < CHANGED_MAX; i++) {
		err_clear(e);
		r = set_metadata(&c, name, p, NULL, out, e);
	}
	if (r == -ENOENT && if_match != NULL) {
		err_clear(e);
		r = dirstore_changed(e);
	}
	return end(&c, r, e);
}

static int
copy_version(struct call *c, const struct dirmeta *from, int fd, struct store_condition condition,
	     struct store_written *out, struct err *e)
{
	struct dirpublish publish = publication(c, condition);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || (uint64_t)st.st_size != from->entry.size)
		return err_set(e, EIO, "the content file '%s' is not as long as it should be",
			       from->content);
	r = draw_part(c, e);
	if (r == 0)
		r = dircopy_content(fd, from->entry.size, c->stage, c->part, c->d, e);
	publish.part = c->part;
	publish.size = from->entry.size;
	publish.base = from;
	return r < 0 ? r : dirpublish(&publish, out, c->d, e);
}

static int
dir_copy(struct store *s, const char *from, const char *if_match, const char *to,
	 struct store_condition condition, struct store_written *out, struct deadline d,
	 struct err *e)
{
	AUTO_DIRMETA meta = { .json = NULL };
	struct call c;
	int fd, r = begin(&c, s, to, d, e);

	if (r == 0)
		r = dirstore_open_version(c.ds, from, &meta, &fd, e);
	if (r < 0)
		return end(&c, r, e);
	r = is_version(&meta, if_match) ? copy_version(&c, &meta, fd, condition, out, e)
					: dirstore_changed(e);
	(void)close(fd);
	return end(&c, r, e);
}

static int
dir_delete(struct store *s, const char *name, const char *if_match, struct deadline d,
	   struct err *e)
{
	struct call c;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = dirpublish_delete(c.ds->objects, c.stage, buf_span(&c.name), if_match, d, e);
	return end(&c, r, e);
}

/* ---- folders */

/* Whether there are names below that one. */
static int
any_below(const struct call *c, bool *out, struct err *e)
{
	AUTO_BUF below;
	int fd, r;

	*out = false;
	buf_init(&below, c->name.max + 1);
	r = buf_add(&below, c->name.p, c->name.n, e);
	if (r == 0)
		r = buf_add_str(&below, "/", e);
	if (r == 0)
		r = dirplace_open_dir(c->ds->objects, buf_span(&below), &fd, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r < 0)
		return r;
	r = dirlist_has_object(fd, out, e);
	(void)close(fd);
	return r;
}

static int
put_marker(struct call *c, struct err *e)
{
	const struct store_condition absent = { .absent = true };
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	struct store_written ignored;
	int r = store_meta_set(&p, folder_item, "true", e);

	return r < 0 ? r : put(c, &p, span_of(NULL, 0), absent, &ignored, e);
}

static int
dir_make_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	struct call c;
	bool any = false;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = any_below(&c, &any, e);
	if (r == 0)
		r = any ? err_set(e, EEXIST, "there are names below that one") : put_marker(&c, e);
	return end(&c, r, e);
}

/* Nothing at all, or an object that is no folder, is no marker to take away. */
static int
remove_marker(struct call *c, const char *name, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	AUTO_DIRMETA meta = { .json = NULL };
	int r = dirstore_find(c->ds, name, &place, &meta, e);

	if (r == 0 && meta.entry.folder)
		r = dirpublish_delete(c->ds->objects, c->stage, buf_span(&c->name), meta.entry.etag,
				      c->d, e);
	if (r != -ENOENT)
		return r;
	err_clear(e);
	return 0;
}

/* The directory goes too, empty as it should be. */
static void
prune_below(struct call *c)
{
	struct err ignored = { 0 };

	if (buf_add_str(&c->name, "/", &ignored) == 0)
		dirpublish_prune(c->ds->objects, buf_span(&c->name));
}

static int
dir_remove_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	struct call c;
	bool any = false;
	int r = begin(&c, s, name, d, e);

	if (r == 0)
		r = any_below(&c, &any, e);
	if (r == 0)
		r = any ? err_set(e, ENOTEMPTY, "there are names below that one")
			: remove_marker(&c, name, e);
	if (r == 0)
		prune_below(&c);
	return end(&c, r, e);
}

const struct store_write_ops dirwrite_ops = {
	.properties = dir_properties,
	.put = dir_put,
	.block = dir_block,
	.commit = dir_commit,
	.abandon = dir_abandon,
	.set_metadata = dir_set_metadata,
	.copy = dir_copy,
	.delete = dir_delete,
	.make_folder = dir_make_folder,
	.remove_folder = dir_remove_folder,
};
