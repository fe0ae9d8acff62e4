/* SPDX-License-Identifier: MIT */
/* The contract of the writing half of a view, asserted: see viewwrite.h. */
#include "fs/viewwrite.h"

#include <assert.h>
#include <errno.h>

bool
view_writes(const struct view *v)
{
	return v != NULL && v->ops->write != NULL;
}

bool
view_keeps_bytes(const struct view *v)
{
	return !v->ops->write->respells;
}

/* A function that failed says so twice, and alike. */
static int
checked(int r, const struct err *e)
{
	assert(r <= 0 && (r == 0 ? e->no == 0 : e->no == -r));
	(void)e;
	return r;
}

int
view_place(struct view *v, const char *path, enum view_place *out, struct err *e)
{
	if (!view_writes(v))
		return err_set(e, EROFS, "this source is only read");
	return checked(v->ops->write->place(v, path, out, e), e);
}

int
view_may_replace(struct view *v, const char *path, const char *etag, struct view_record *record,
		 bool keeps_content, struct deadline d, struct err *e)
{
	assert(view_writes(v) && etag[0] != '\0');
	return checked(v->ops->write->may_replace(v, path, etag, record, keeps_content, d, e), e);
}

int
view_seal(struct view *v, const char *path, const char *over, struct deadline d,
	  struct view_sealing **out, struct err *e)
{
	int r;

	assert(view_writes(v) && path[0] != '\0' && (over == NULL || over[0] != '\0'));
	r = checked(v->ops->write->seal(v, path, over, d, out, e), e);
	assert(r < 0 || (*out)->view == v);
	return r;
}

int
view_seal_region(struct view_sealing *s, struct view_plain plain, struct deadline d, struct err *e)
{
	assert(s->region > 0);
	return checked(s->view->ops->write->region(s, plain, d, e), e);
}

int
view_seal_commit(struct view_sealing *s, const struct view_publish *p, struct view_plain plain,
		 struct view_sink now, struct deadline d, struct err *e)
{
	if (p->size > s->max_size)
		return err_set(e, EFBIG, "larger than any file can be there");
	return checked(s->view->ops->write->commit(s, p, plain, now, d, e), e);
}

void
view_sealing_free(struct view_sealing *s)
{
	if (s != NULL)
		s->view->ops->write->sealing_free(s);
}

int
view_remove(struct view *v, const char *path, const char *etag, struct view_record *record,
	    struct deadline d, struct err *e)
{
	assert(view_writes(v) && path[0] != '\0' && etag[0] != '\0');
	return checked(v->ops->write->remove(v, path, etag, record, d, e), e);
}

int
view_rename(struct view *v, const char *from, const char *etag, struct view_record *record,
	    const char *to, const char *over, struct view_sink now, struct deadline d,
	    struct err *e)
{
	assert(view_writes(v) && from[0] != '\0' && to[0] != '\0' && etag[0] != '\0');
	assert(over == NULL || over[0] != '\0');
	return checked(v->ops->write->rename(v, from, etag, record, to, over, now, d, e), e);
}

int
view_set_mtime(struct view *v, const char *path, const char *etag, struct view_record *record,
	       int64_t mtime_ns, struct view_sink now, struct deadline d, struct err *e)
{
	assert(view_writes(v) && etag[0] != '\0');
	return checked(v->ops->write->set_mtime(v, path, etag, record, mtime_ns, now, d, e), e);
}

int
view_make_dir(struct view *v, const char *path, struct deadline d, struct err *e)
{
	assert(view_writes(v) && path[0] != '\0');
	return checked(v->ops->write->make_dir(v, path, d, e), e);
}

int
view_remove_dir(struct view *v, const char *path, struct deadline d, struct err *e)
{
	assert(view_writes(v) && path[0] != '\0');
	return checked(v->ops->write->remove_dir(v, path, d, e), e);
}
