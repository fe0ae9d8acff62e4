/* SPDX-License-Identifier: MIT */
/*
 * A view in memory that is written through: files with conditions on their versions, regions that
 * may be given early, and failures that a test asks for.  It holds the contract of fs/viewwrite.h
 * against who uses it: a byte is given once to a sealing, and a sealing is committed once.
 *
 * Names that end in ".local" are local places; "ro" is only read.  For a single translation unit.
 */
#ifndef TESTS_UNIT_FS_FAKEWRITEVIEW_H
#define TESTS_UNIT_FS_FAKEWRITEVIEW_H

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mutex.h"
#include "base/num.h"
#include "fs/viewwrite.h"

enum { FAKE_FILES = 4096, FAKE_REGION = 1 << 20 };

struct fake_content {
	atomic_uint refs;
	size_t n;
	uint8_t p[];
};

struct fake_file {
	char path[300]; /* "": free */
	char etag[24];
	bool dir;
	int64_t mtime_ns;
	struct fake_content *content;
};

enum fake_step { FAKE_SEAL, FAKE_REGION_STEP, FAKE_COMMIT, FAKE_REMOVE, FAKE_RENAME, FAKE_STEPS };

static struct fake_view {
	struct view base;
	pthread_mutex_t mu;
	struct fake_file file[FAKE_FILES];
	unsigned next_etag;
	uint64_t region; /* what a sealing offers; 0: none */
	bool keeps_mtime;
	/* what happened, and what is to happen */
	atomic_uint seals, regions, commits, freed, opens, lookups, stamps;
	atomic_int fail[FAKE_STEPS]; /* errno for the next call of that kind */
	atomic_int_least64_t delay_ns[FAKE_STEPS];
} fake = { .mu = PTHREAD_MUTEX_INITIALIZER, .region = FAKE_REGION, .keeps_mtime = true };

struct fake_sealing {
	struct view_sealing base;
	char path[300];
	char over[24]; /* "": nothing may be there */
	uint8_t *p;
	uint64_t given;
	bool dead;
};

static int
fake_fails(enum fake_step step, struct err *e)
{
	const int64_t ns = atomic_load(&fake.delay_ns[step]);
	const struct timespec pause = { ns / NS_PER_S, ns % NS_PER_S };
	int no;

	if (ns > 0)
		(void)nanosleep(&pause, NULL);
	no = atomic_exchange(&fake.fail[step], 0);
	return no == 0 ? 0 : err_set(e, no, "as the test wants it");
}

static struct fake_file *
fake_at(const char *path)
{
	for (size_t i = 0; i < FAKE_FILES; i++)
		if (fake.file[i].path[0] != '\0' && strcmp(fake.file[i].path, path) == 0)
			return &fake.file[i];
	return NULL;
}

static struct fake_file *
fake_make(const char *path)
{
	for (size_t i = 0; i < FAKE_FILES; i++)
		if (fake.file[i].path[0] == '\0') {
			(void)snprintf(fake.file[i].path, sizeof(fake.file[i].path), "%s", path);
			return &fake.file[i];
		}
	abort();
}

static struct fake_content *
fake_content_new(const void *p, size_t n)
{
	struct fake_content *c = malloc(sizeof(*c) + n);

	if (c == NULL)
		abort();
	atomic_init(&c->refs, 1);
	c->n = n;
	if (n > 0)
		memcpy(c->p, p, n);
	return c;
}

static void
fake_content_put(struct fake_content *c)
{
	if (c != NULL && atomic_fetch_sub(&c->refs, 1) == 1)
		free(c);
}

static void
fake_set_locked(struct fake_file *f, struct fake_content *c, int64_t mtime_ns)
{
	fake_content_put(f->content);
	f->content = c;
	f->mtime_ns = mtime_ns;
	(void)snprintf(f->etag, sizeof(f->etag), "e%u", ++fake.next_etag);
}

/* What somebody else does: another version, or none. */
static void
fake_put(const char *path, const void *p, size_t n)
{
	struct fake_file *f;

	mutex_lock(&fake.mu);
	f = fake_at(path);
	if (f == NULL)
		f = fake_make(path);
	fake_set_locked(f, fake_content_new(p, n), 1000 * NS_PER_S);
	mutex_unlock(&fake.mu);
}

static void
fake_drop_locked(struct fake_file *f)
{
	fake_content_put(f->content);
	memset(f, 0, sizeof(*f));
}

static __attribute__((unused)) void
fake_drop(const char *path)
{
	mutex_lock(&fake.mu);
	if (fake_at(path) != NULL)
		fake_drop_locked(fake_at(path));
	mutex_unlock(&fake.mu);
}

static __attribute__((unused)) void
fake_clear(void)
{
	mutex_lock(&fake.mu);
	for (size_t i = 0; i < FAKE_FILES; i++)
		fake_drop_locked(&fake.file[i]);
	mutex_unlock(&fake.mu);
	fake.seals = fake.regions = fake.commits = fake.freed = 0;
	fake.opens = fake.lookups = fake.stamps = 0;
	for (unsigned i = 0; i < FAKE_STEPS; i++)
		fake.fail[i] = (int)(fake.delay_ns[i] = 0);
	fake.region = FAKE_REGION;
	fake.keeps_mtime = true;
}

/* Whether the file has exactly these bytes. */
static __attribute__((unused)) bool
fake_has(const char *path, const void *p, size_t n)
{
	const struct fake_file *f;
	bool same;

	mutex_lock(&fake.mu);
	f = fake_at(path);
	same = f != NULL && f->content != NULL && f->content->n == n &&
	       memcmp(f->content->p, p, n) == 0;
	mutex_unlock(&fake.mu);
	return same;
}

static __attribute__((unused)) bool
fake_exists(const char *path)
{
	bool there;

	mutex_lock(&fake.mu);
	there = fake_at(path) != NULL;
	mutex_unlock(&fake.mu);
	return there;
}

/* ---- the reading half ---- */

static struct view_item
fake_item(const struct fake_file *f, const char *name)
{
	return (struct view_item){ .name = name,
				   .dir = f->dir,
				   .exact = true,
				   .size = f->dir ? 0 : f->content->n,
				   .mtime_ns = f->mtime_ns,
				   .etag = f->etag };
}

/* The component of path below dir, or NULL; *deeper: there is more behind it. */
static const char *
fake_below(const char *dir, const char *path, bool *deeper)
{
	const size_t n = strlen(dir);

	if (n > 0 && (strncmp(path, dir, n) != 0 || path[n] != '/'))
		return NULL;
	path += n + (n > 0);
	*deeper = strchr(path, '/') != NULL;
	return path;
}

static int
fake_list(struct view *v, const char *dir, struct buf *cursor, struct view_sink sink,
	  struct deadline d, struct err *e)
{
	int r = 0;

	(void)v, (void)cursor, (void)d;
	mutex_lock(&fake.mu);
	for (size_t i = 0; i < FAKE_FILES && r == 0; i++) {
		bool deeper = false;
		const struct fake_file *f = &fake.file[i];
		const char *name = f->path[0] != '\0' ? fake_below(dir, f->path, &deeper) : NULL;
		struct view_item item;

		if (name == NULL || deeper)
			continue;
		item = fake_item(f, name);
		r = sink.item(sink.arg, &item, e);
	}
	mutex_unlock(&fake.mu);
	return r;
}

static int
fake_lookup(struct view *v, const char *path, struct view_sink sink, struct deadline d,
	    struct err *e)
{
	const struct fake_file *f;
	struct view_item item;
	int r;

	(void)v, (void)d;
	(void)atomic_fetch_add(&fake.lookups, 1);
	mutex_lock(&fake.mu);
	f = fake_at(path);
	if (f != NULL)
		item = fake_item(f, "");
	r = f == NULL ? err_set(e, ENOENT, "no such file") : sink.item(sink.arg, &item, e);
	mutex_unlock(&fake.mu);
	return r;
}

struct fake_open {
	struct view_file_base base;
	struct fake_content *content;
};

static int
fake_open(struct view *v, const char *path, const char *etag, struct view_record *record,
	  struct view_sink now, struct deadline d, struct view_file **out, struct err *e)
{
	struct fake_open *o;
	struct fake_file *f;
	struct view_item item;
	int r = 0;

	(void)record, (void)d;
	(void)atomic_fetch_add(&fake.opens, 1);
	mutex_lock(&fake.mu);
	f = fake_at(path);
	if (f == NULL || f->dir) {
		mutex_unlock(&fake.mu);
		return err_set(e, ENOENT, "no such file");
	}
	item = fake_item(f, "");
	(void)now.item(now.arg, &item, e);
	if (etag != NULL && etag[0] != '\0' && strcmp(etag, f->etag) != 0) {
		r = err_set(e, ESTALE, "another version");
	} else {
		o = calloc(1, sizeof(*o));
		if (o == NULL)
			abort();
		o->base = (struct view_file_base){ v, f->content->n, false };
		o->content = f->content;
		(void)atomic_fetch_add(&o->content->refs, 1);
		*out = (struct view_file *)(void *)o;
	}
	mutex_unlock(&fake.mu);
	return r;
}

static void
fake_read(struct view_file *file, struct view_read *r)
{
	const struct fake_open *o = (const struct fake_open *)(void *)file;
	const size_t n = o->content->n;

	if (r->off < n) {
		r->piece[0].iov_base = o->content->p + r->off;
		r->piece[0].iov_len = u64_min(r->len, n - r->off);
		r->n_pieces = 1;
	}
	r->done(r);
}

static void
fake_read_release(struct view_read *r)
{
	(void)r;
}

static unsigned
fake_xattrs(struct view *v, const char *etag, uint64_t size, struct view_record *record,
	    struct view_xattr out[VIEW_XATTRS_MAX])
{
	(void)v, (void)etag, (void)size, (void)record, (void)out;
	return 0;
}

static void
fake_close(struct view_file *file)
{
	struct fake_open *o = (struct fake_open *)(void *)file;

	fake_content_put(o->content);
	free(o);
}

static void
fake_free(struct view *v)
{
	(void)v;
}

/* ---- the writing half ---- */

static int
fake_place(struct view *v, const char *path, enum view_place *out, struct err *e)
{
	const size_t n = strlen(path);

	(void)v;
	if (strcmp(path, "ro") == 0)
		return err_set(e, EROFS, "only read");
	*out = n > 6 && strcmp(path + n - 6, ".local") == 0 ? VIEW_PLACE_LOCAL : VIEW_PLACE_SEALED;
	return 0;
}

static int
fake_may_replace(struct view *v, const char *path, const char *etag, struct view_record *record,
		 bool keeps_content, struct deadline d, struct err *e)
{
	(void)v, (void)etag, (void)record, (void)keeps_content, (void)d;
	return strstr(path, "withheld") != NULL ? err_set(e, EACCES, "a property is withheld") : 0;
}

static int
fake_seal(struct view *v, const char *path, const char *over, struct deadline d,
	  struct view_sealing **out, struct err *e)
{
	struct fake_sealing *s;
	int r = fake_fails(FAKE_SEAL, e);

	(void)d;
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		abort();
	s->base = (struct view_sealing){ v, fake.region, UINT64_C(1) << 40 };
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
	(void)snprintf(s->over, sizeof(s->over), "%s", over != NULL ? over : "");
	(void)atomic_fetch_add(&fake.seals, 1);
	*out = &s->base;
	return 0;
}

static int
fake_take(struct fake_sealing *s, struct view_plain plain, uint64_t n, struct err *e)
{
	const uint8_t *lent = NULL;
	int r = 0;

	s->p = realloc(s->p, s->given + n + 1); /* not secret */
	if (s->p == NULL)
		abort();
	if (n > 0 && plain.lend != NULL)
		lent = plain.lend(plain.arg, s->given, n);
	if (lent != NULL) {
		memcpy(s->p + s->given, lent, n);
		plain.give_back(plain.arg);
	} else if (n > 0) {
		r = plain.read(plain.arg, s->given, s->p + s->given, n, e);
	}
	s->given += n;
	return r;
}

static int
fake_region(struct view_sealing *base, struct view_plain plain, struct deadline d, struct err *e)
{
	struct fake_sealing *s = (struct fake_sealing *)(void *)base;
	int r = s->dead ? err_set(e, EIO, "it is dead") : fake_fails(FAKE_REGION_STEP, e);

	(void)d;
	if (r == 0)
		r = fake_take(s, plain, fake.region, e);
	s->dead = r < 0;
	(void)atomic_fetch_add(&fake.regions, 1);
	return r;
}

static int
fake_condition_locked(const struct fake_file *f, const char *over, struct err *e)
{
	if (over[0] == '\0')
		return f == NULL ? 0 : err_set(e, EEXIST, "the name is taken");
	return f != NULL && strcmp(f->etag, over) == 0 ? 0 : err_set(e, ESTALE, "another version");
}

static int
fake_commit(struct view_sealing *base, const struct view_publish *p, struct view_plain plain,
	    struct view_sink now, struct deadline d, struct err *e)
{
	struct fake_sealing *s = (struct fake_sealing *)(void *)base;
	struct view_item item;
	struct fake_file *f;
	int r;

	(void)d;
	assert(p->size >= s->given);
	if (s->dead)
		return err_set(e, EIO, "it is dead");
	s->dead = true;
	r = fake_take(s, plain, p->size - s->given, e);
	if (r == 0)
		r = fake_fails(FAKE_COMMIT, e);
	if (r < 0)
		return r;
	mutex_lock(&fake.mu);
	f = fake_at(s->path);
	r = fake_condition_locked(f, s->over, e);
	if (r == 0) {
		if (f == NULL)
			f = fake_make(s->path);
		fake_set_locked(f, fake_content_new(s->p, p->size),
				fake.keeps_mtime ? p->mtime_ns : 2000 * NS_PER_S);
		item = fake_item(f, "");
		r = now.item(now.arg, &item, e);
		(void)atomic_fetch_add(&fake.commits, 1);
	}
	mutex_unlock(&fake.mu);
	return r;
}

static void
fake_sealing_free(struct view_sealing *base)
{
	struct fake_sealing *s = (struct fake_sealing *)(void *)base;

	(void)atomic_fetch_add(&fake.freed, 1);
	free(s->p);
	free(s);
}

static int
fake_remove(struct view *v, const char *path, const char *etag, struct view_record *record,
	    struct deadline d, struct err *e)
{
	struct fake_file *f;
	int r = fake_fails(FAKE_REMOVE, e);

	(void)v, (void)record, (void)d;
	if (r < 0)
		return r;
	mutex_lock(&fake.mu);
	f = fake_at(path);
	if (f == NULL)
		r = err_set(e, ENOENT, "no such file");
	else
		r = fake_condition_locked(f, etag, e);
	if (r == 0)
		fake_drop_locked(f);
	mutex_unlock(&fake.mu);
	return r;
}

static int
fake_rename(struct view *v, const char *from, const char *etag, struct view_record *record,
	    const char *to, const char *over, struct view_sink now, struct deadline d,
	    struct err *e)
{
	struct fake_file *f, *t;
	struct view_item item;
	int r = fake_fails(FAKE_RENAME, e);

	(void)v, (void)record, (void)d;
	if (r < 0)
		return r;
	mutex_lock(&fake.mu);
	f = fake_at(from);
	r = f == NULL ? err_set(e, ENOENT, "no such file") : fake_condition_locked(f, etag, e);
	if (r == 0)
		r = fake_condition_locked(fake_at(to), over != NULL ? over : "", e);
	if (r == 0) {
		t = fake_at(to);
		if (t == NULL)
			t = fake_make(to);
		(void)atomic_fetch_add(&f->content->refs, 1);
		fake_set_locked(t, f->content, f->mtime_ns);
		fake_drop_locked(f);
		item = fake_item(t, "");
		r = now.item(now.arg, &item, e);
	}
	mutex_unlock(&fake.mu);
	return r;
}

static int
fake_set_mtime(struct view *v, const char *path, const char *etag, struct view_record *record,
	       int64_t mtime_ns, struct view_sink now, struct deadline d, struct err *e)
{
	struct fake_file *f;
	struct view_item item;
	int r;

	(void)v, (void)record, (void)d;
	if (!fake.keeps_mtime)
		return err_set(e, EOPNOTSUPP, "the time is the store's own");
	mutex_lock(&fake.mu);
	f = fake_at(path);
	r = f == NULL ? err_set(e, ENOENT, "no such file") : fake_condition_locked(f, etag, e);
	if (r == 0) {
		(void)atomic_fetch_add(&f->content->refs, 1);
		fake_set_locked(f, f->content, mtime_ns);
		item = fake_item(f, "");
		r = now.item(now.arg, &item, e);
		(void)atomic_fetch_add(&fake.stamps, 1);
	}
	mutex_unlock(&fake.mu);
	return r;
}

static int
fake_make_dir(struct view *v, const char *path, struct deadline d, struct err *e)
{
	int r = 0;

	(void)v, (void)d;
	mutex_lock(&fake.mu);
	if (fake_at(path) != NULL)
		r = err_set(e, EEXIST, "the name is taken");
	else
		fake_make(path)->dir = true;
	mutex_unlock(&fake.mu);
	return r;
}

static int
fake_remove_dir(struct view *v, const char *path, struct deadline d, struct err *e)
{
	bool deeper;
	int r = 0;

	(void)v, (void)d;
	mutex_lock(&fake.mu);
	for (size_t i = 0; i < FAKE_FILES && r == 0; i++)
		if (fake.file[i].path[0] != '\0' &&
		    fake_below(path, fake.file[i].path, &deeper) != NULL)
			r = err_set(e, ENOTEMPTY, "there is something in it");
	if (r == 0 && fake_at(path) != NULL)
		fake_drop_locked(fake_at(path));
	mutex_unlock(&fake.mu);
	return r;
}

static const struct view_write_ops fake_write_ops = {
	.place = fake_place,
	.may_replace = fake_may_replace,
	.seal = fake_seal,
	.region = fake_region,
	.commit = fake_commit,
	.sealing_free = fake_sealing_free,
	.remove = fake_remove,
	.rename = fake_rename,
	.set_mtime = fake_set_mtime,
	.make_dir = fake_make_dir,
	.remove_dir = fake_remove_dir,
};

static const struct view_ops fake_view_ops = {
	.write = &fake_write_ops,
	.list = fake_list,
	.lookup = fake_lookup,
	.open = fake_open,
	.read = fake_read,
	.read_release = fake_read_release,
	.xattrs = fake_xattrs,
	.close = fake_close,
	.free = fake_free,
};

#endif
