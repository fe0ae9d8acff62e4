/* SPDX-License-Identifier: MIT */
/*
 * Publishing an object of a dir: store: see dirpublish.h.
 *
 * The new content has a name that nobody knows until the new metadata file has been renamed into
 * place, which is the moment.  Between check and rename the name is locked; bulk bytes have been
 * written and synced before.  A second name of the old metadata file stays in the staging directory
 * until the old content is gone, and so does the new one until it is in place: whatever a writer
 * leaves that is killed, one of them tells which content file nobody needs.
 *
 * Directories that have become empty are removed without a lock: who comes to put something there
 * meanwhile finds no directory to put it in, and makes it again.
 */
#include "backend/store/dirpublish.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/store/dirfile.h"
#include "backend/store/dirplace.h"
#include "backend/store/dirstage.h"
#include "backend/store/dirstore.h"
#include "crypto/random.h"

enum {
	PRUNED_MAX = 64,     /* times that the directory may be removed under our feet */
	COMPONENTS_MAX = 254 /* the service's limit, and less than a listing can walk */
};

struct drawn {
	uint8_t file[DIRSTAGE_ID], etag[16], content[8];
};

/* One publication under way. */
struct publishing {
	const struct dirpublish *p;
	struct dirplace place;
	struct dirmeta old; /* what was there, json NULL: nothing, or nothing that can be read */
	bool there;
	bool moved; /* the content is in place */
	bool done;  /* so is the metadata file, which makes it a version */
	char etag[2 * sizeof(((struct drawn *)0)->etag) + 1];
	char content[DIRNAME_PIECE_MAX + 24], meta[DIRNAME_PIECE_MAX + 4];
	char new[DIRSTAGE_FILE], kept[DIRSTAGE_FILE]; /* in the staging directory */
};

static int
failed(struct err *e, const char *what)
{
	return err_set(e, errno, "cannot %s: %s", what, strerrordesc_np(errno));
}

/* ---- conditions */

/* What cannot be read is there, and says nothing. */
static int
read_current(const struct dirplace *place, struct span name, struct dirmeta *out, bool *there,
	     struct err *e)
{
	int r;

	dirmeta_clear(out);
	r = dirplace_read(place, name, out, e);
	*there = r == 0 || r == -EBADMSG;
	if (r != -ENOENT && r != -EBADMSG)
		return r;
	err_clear(e);
	return 0;
}

static int
judge(struct store_condition c, const struct dirmeta *current, bool there, struct err *e)
{
	if (c.absent && there)
		return err_set(e, EEXIST, "there is an object of that name");
	if (c.if_match == NULL)
		return 0;
	if (there && current->json == NULL)
		return err_set(e, EBADMSG, "the metadata file of what is there cannot be read");
	if (!there || strcmp(current->entry.etag, c.if_match) != 0)
		return dirstore_changed(e);
	return 0;
}

static int
check_name(struct span name, struct err *e)
{
	unsigned slashes = 0;

	for (size_t i = 0; i < name.n; i++)
		slashes += name.p[i] == '/';
	if (slashes >= COMPONENTS_MAX)
		return err_set(e, EINVAL, "a name of more than %d components", COMPONENTS_MAX);
	return 0;
}

/* ---- the new metadata file */

static int
print(struct publishing *w, int64_t modified_s, struct buf *text, struct err *e)
{
	const struct dirpublish *p = w->p;
	const struct dirmeta_record record = { .name = p->name,
					       .content = w->content,
					       .size = p->size,
					       .etag = w->etag,
					       .modified_s = modified_s,
					       .base = p->base,
					       .properties = p->properties };

	return dirmeta_print(&record, text, e);
}

/* Reading it back says what everybody will read, and that everybody can. */
static int
prepare_text(struct publishing *w, struct buf *text, struct store_written *out, struct err *e)
{
	AUTO_DIRMETA meta = { .json = NULL };
	int r = print(w, clock_wall_s(), text, e);

	if (r == 0)
		r = dirmeta_parse(buf_span(text), w->p->name, w->place.end, &meta, e);
	if (r < 0)
		return r;
	(void)snprintf(out->etag, sizeof(out->etag), "%s", w->etag);
	out->mtime_ns = meta.entry.mtime_ns;
	return 0;
}

static int
write_new(struct publishing *w, struct span text, struct deadline d, struct err *e)
{
	int fd, r = dirstage_make(w->p->stage, w->new, &fd, e);

	if (r < 0)
		return r;
	r = dirstage_write(fd, text, 0, d, e);
	if (r == 0)
		r = dirstage_sync(fd, e);
	(void)close(fd);
	return r;
}

static int
draw_names(struct publishing *w, struct err *e)
{
	struct drawn drawn;
	int r = random_public((struct room){ (uint8_t *)&drawn, sizeof(drawn) }, e);

	if (r < 0)
		return r;
	dirstage_hex(drawn.etag, sizeof(drawn.etag), w->etag);
	dirstage_name(drawn.file, dirstage_new, w->new);
	dirstage_name(drawn.file, dirstage_old, w->kept);
	(void)snprintf(w->meta, sizeof(w->meta), "%s.m", w->place.end);
	if (w->p->part == NULL) {
		(void)snprintf(w->content, sizeof(w->content), "%s", w->p->base->content);
	} else {
		const int n = snprintf(w->content, sizeof(w->content), "%s.", w->place.end);

		dirstage_hex(drawn.content, sizeof(drawn.content), w->content + n);
		memcpy(w->content + n + 2 * sizeof(drawn.content), ".x", sizeof(".x"));
	}
	return 0;
}

static int
prepare(struct publishing *w, struct store_written *out, struct deadline d, struct err *e)
{
	AUTO_BUF text;
	int r = draw_names(w, e);

	buf_init(&text, 2 * DIRMETA_FILE_MAX);
	if (r == 0)
		r = prepare_text(w, &text, out, e);
	return r < 0 ? r : write_new(w, buf_span(&text), d, e);
}

/* ---- the moment */

/* -EAGAIN: the directory has been removed meanwhile, for being empty. */
static int
move_content(struct publishing *w, struct err *e)
{
	if (w->p->part == NULL)
		return 0;
	if (renameat(w->p->stage, w->p->part, w->place.fd, w->content) < 0) {
		if (errno == ENOENT && faccessat(w->p->stage, w->p->part, F_OK, 0) == 0)
			return err_set(e, EAGAIN, "the directory is removed all the time");
		return failed(e, "put the content in place");
	}
	w->moved = true;
	return dirfile_sync(w->place.fd, e);
}

/*
 * Without hard links an old content may be left over by a writer that is killed, and that is all.
 */
static void
keep_old(const struct publishing *w)
{
	if (w->there && linkat(w->place.fd, w->meta, w->p->stage, w->kept, 0) < 0)
		return;
}

static int
replace_locked(struct publishing *w, struct err *e)
{
	int r = read_current(&w->place, w->p->name, &w->old, &w->there, e);

	if (r == 0)
		r = judge(w->p->condition, &w->old, w->there, e);
	if (r == 0)
		r = move_content(w, e);
	if (r < 0)
		return r;
	keep_old(w);
	if (renameat(w->p->stage, w->new, w->place.fd, w->meta) < 0)
		return failed(e, "put the metadata in place");
	w->done = true;
	return dirfile_sync(w->place.fd, e);
}

static int
replace(struct publishing *w, struct deadline d, struct err *e)
{
	int lock, r = dirstage_lock(w->p->stage, w->p->name, d, &lock, e);

	if (r < 0)
		return r;
	r = replace_locked(w, e);
	if (w->moved && !w->done)
		(void)renameat(w->place.fd, w->content, w->p->stage, w->p->part);
	(void)close(lock);
	return r;
}

/* A version that is to be replaced has a directory already. */
static int
find_place(struct publishing *w, struct err *e)
{
	const struct dirpublish *p = w->p;
	int r;

	dirplace_close(&w->place);
	if (p->condition.if_match != NULL) {
		r = dirplace_of_name(p->objects, p->name, &w->place, e);
		if (r != -ENOENT)
			return r;
		err_clear(e);
		return dirstore_changed(e);
	}
	for (unsigned i = 0;; i++) {
		r = dirplace_make_name(p->objects, p->name, &w->place, e);
		if ((r != -ENOENT && r != -ENOTDIR) || i == PRUNED_MAX)
			return r;
		err_clear(e);
	}
}

static int
publish(struct publishing *w, struct store_written *out, struct deadline d, struct err *e)
{
	int r = check_name(w->p->name, e);

	if (r == 0)
		r = find_place(w, e);
	if (r == 0)
		r = prepare(w, out, d, e);
	if (r == 0)
		r = replace(w, d, e);
	for (unsigned i = 0; r == -EAGAIN && i < PRUNED_MAX; i++) {
		err_clear(e);
		r = find_place(w, e);
		if (r == 0)
			r = replace(w, d, e);
	}
	return r;
}

/* After a sync that failed nobody knows which version there is: both contents stay for now. */
static void
clean_up(const struct publishing *w, int r)
{
	if (r == 0 && w->old.json != NULL && strcmp(w->old.content, w->content) != 0)
		(void)unlinkat(w->place.fd, w->old.content, 0);
	if (r == 0 || !w->done)
		(void)unlinkat(w->p->stage, w->kept, 0);
	if (!w->done)
		(void)unlinkat(w->p->stage, w->new, 0);
}

int
dirpublish(const struct dirpublish *p, struct store_written *out, struct deadline d, struct err *e)
{
	struct publishing w = { .p = p, .place = DIRPLACE_NONE };
	struct store_written made = { .etag = "" };
	int r = publish(&w, &made, d, e);

	if (w.new[0] != '\0')
		clean_up(&w, r);
	dirmeta_clear(&w.old);
	dirplace_close(&w.place);
	if (r == 0)
		*out = made;
	return r;
}

/* ---- the end of an object */

static int
no_object(struct err *e)
{
	(void)err_set(e, ENOENT, "no such object in the directory store");
	return err_mark(e, "remote.gone", NULL);
}

/* The metadata file goes where it tells which content has to go. */
static int
take_away(int stage, const struct dirplace *place, const char kept[static DIRSTAGE_FILE],
	  struct err *e)
{
	char meta[DIRNAME_PIECE_MAX + 4];

	(void)snprintf(meta, sizeof(meta), "%s.m", place->end);
	if (renameat(place->fd, meta, stage, kept) < 0)
		return failed(e, "remove the metadata");
	return dirfile_sync(place->fd, e);
}

static int
delete_locked(int stage, const struct dirplace *place, struct span name, const char *if_match,
	      struct err *e)
{
	const struct store_condition c = { .if_match = if_match };
	AUTO_DIRMETA old = { .json = NULL };
	char kept[DIRSTAGE_FILE];
	uint8_t id[DIRSTAGE_ID];
	bool there;
	int r = read_current(place, name, &old, &there, e);

	if (r == 0 && !there)
		r = no_object(e);
	if (r == 0)
		r = judge(c, &old, there, e);
	if (r == 0)
		r = random_public((struct room){ id, sizeof(id) }, e);
	if (r < 0)
		return r;
	dirstage_name(id, dirstage_old, kept);
	r = take_away(stage, place, kept, e);
	if (r < 0)
		return r;
	if (old.json != NULL)
		(void)unlinkat(place->fd, old.content, 0);
	(void)unlinkat(stage, kept, 0);
	return 0;
}

int
dirpublish_delete(int objects, int stage, struct span name, const char *if_match, struct deadline d,
		  struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int lock, r = dirplace_of_name(objects, name, &place, e);

	if (r == 0)
		r = dirstage_lock(stage, name, d, &lock, e);
	if (r < 0)
		return r;
	r = delete_locked(stage, &place, name, if_match, e);
	(void)close(lock);
	if (r == 0)
		dirpublish_prune(objects, name);
	return r;
}

/* ---- what is left over */

static int
forget_locked(const struct dirplace *place, const struct dirmeta *old, struct span name,
	      struct err *e)
{
	AUTO_DIRMETA current = { .json = NULL };
	bool there;
	int r = read_current(place, name, &current, &there, e);

	if (r < 0 || (there && current.json == NULL) ||
	    (there && strcmp(current.content, old->content) == 0))
		return r;
	return dirfile_remove(place->fd, old->content, e);
}

int
dirpublish_forget(int objects, int stage, const struct dirmeta *old, struct span name,
		  struct deadline d, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	int lock, r = dirplace_of_name(objects, name, &place, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	if (r == 0)
		r = dirstage_lock(stage, name, d, &lock, e);
	if (r < 0)
		return r;
	r = forget_locked(&place, old, name, e);
	(void)close(lock);
	return r;
}

static bool
remove_directory(int objects, struct span name)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	struct err ignored = { 0 };
	char file[DIRNAME_PIECE_MAX + 4];

	if (dirplace_of_name(objects, name, &place, &ignored) < 0)
		return false;
	(void)snprintf(file, sizeof(file), "%s.d", place.end);
	return unlinkat(place.fd, file, AT_REMOVEDIR) == 0;
}

void
dirpublish_prune(int objects, struct span name)
{
	for (size_t n = name.n; n > 0; n--)
		if (name.p[n - 1] == '/' && !remove_directory(objects, span_of(name.p, n - 1)))
			return;
}
