/* SPDX-License-Identifier: MIT */
/* Leftovers of a dir: store: see dirsweep.h. */
#include "backend/store/dirsweep.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "backend/store/dircollect.h"
#include "backend/store/dirpublish.h"
#include "backend/store/dirplace.h"
#include "backend/store/dirstage.h"

struct sweep {
	int objects, stage;
	struct deadline d;
};

/* Written, renamed or linked that long ago. */
static bool
is_old(int stage, const char *file)
{
	struct stat st;

	return fstatat(stage, file, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_ctim.tv_sec < clock_wall_s() - DIRSWEEP_AGE_S;
}

/* Whoever fills it, however slowly, has a lock on it. */
static void
sweep_part(const struct sweep *s, const char *file)
{
	struct err ignored = { 0 };
	int fd;

	if (dirplace_openat(s->stage, file, "", false, &fd, &ignored) < 0)
		return;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		(void)unlinkat(s->stage, file, 0);
	(void)close(fd);
}

/* The place that a metadata file says it is for; it is read as a stranger's all the same. */
static int
forget_content(const struct sweep *s, struct span text, struct span name, struct err *e)
{
	AUTO_DIRPLACE place = DIRPLACE_NONE;
	AUTO_DIRMETA meta = { .json = NULL };
	int r = dirplace_of_name(s->objects, name, &place, e);

	if (r == 0)
		r = dirmeta_parse(text, name, place.end, &meta, e);
	return r < 0 ? r : dirpublish_forget(s->objects, s->stage, &meta, name, s->d, e);
}

static bool
is_name(const char *name)
{
	return name != NULL && name[0] != '\0' && strlen(name) <= (size_t)2 * STORE_NAME_MAX;
}

/* false: its content may have to go another time. */
static bool
forget(const struct sweep *s, const char *file)
{
	struct err e = { 0 };
	struct json_t *json;
	const char *name;
	AUTO_BUF text;
	int r = 0;

	buf_init(&text, DIRMETA_FILE_MAX);
	if (dirplace_read_file(s->stage, file, "", DIRMETA_FILE_MAX, &text, &e) < 0)
		return e.no == EBADMSG;
	json = dirmeta_json(buf_span(&text), &e);
	name = json_string_value(json_object_get(json, "name"));
	if (is_name(name))
		r = forget_content(s, buf_span(&text), span_str(name), &e);
	json_decref(json);
	return r == 0 || r == -ENOENT || r == -EBADMSG;
}

static int
sweep_one(void *arg, const char *name, bool link, struct err *e)
{
	const struct sweep *s = arg;
	size_t stem;

	(void)e;
	if (link || !is_old(s->stage, name))
		return 0;
	if (dircollect_ends_in(name, dirstage_part, &stem))
		sweep_part(s, name);
	else if ((dircollect_ends_in(name, dirstage_new, &stem) ||
		  dircollect_ends_in(name, dirstage_old, &stem)) &&
		 forget(s, name))
		(void)unlinkat(s->stage, name, 0);
	return 0;
}

void
dirsweep(int objects, int stage, struct deadline d)
{
	struct sweep s = { objects, stage, d };
	struct err ignored = { 0 };
	int r = dircollect_each(stage, sweep_one, &s, &ignored);

	(void)r;
}
