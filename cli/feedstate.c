/* SPDX-License-Identifier: MIT */
/* The position of a feed in a file: see feedstate.h. */
#include "cli/feedstate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <jansson.h>

#include "backend/store/docstore.h"
#include "base/buf.h"

enum {
	VERSION = 1,
	MEMBERS = 5,
	RID_MAX = 255,
	PART_MAX = 2 * DOCSTORE_EPK_MAX + 1,
	/* A byte of the cursor may become an escape of six. */
	FILE_MAX = 6 * DOCSTORE_CURSOR_MAX + 4096
};

static const char format[] = "azcryptfs-feed";
static const char ADVICE_ANEW[] = "to begin again, remove it or name another file";

struct feedstate {
	int dir, lock;
	char leaf[NAME_MAX + 1], temp[NAME_MAX + 1];
	char part[PART_MAX + 1];
	char *rid, *cursor;
};

static int
failed(struct err *e, const char *what)
{
	const int no = errno;

	return err_set(e, no, "%s%s", what,
		       no == ELOOP ? "it is a symbolic link" : strerrordesc_np(no));
}

/* ---- its place ---- */

static int
name_with(const char *leaf, const char *suffix, char out[NAME_MAX + 1], struct err *e)
{
	const int n = snprintf(out, NAME_MAX + 1, "%s%s", leaf, suffix);

	return n > NAME_MAX ? err_set(e, ENAMETOOLONG, "the name is too long") : 0;
}

static int
open_dir(struct feedstate *s, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/'), *leaf = slash != NULL ? slash + 1 : path;
	char *dir;
	int r;

	if (leaf[0] == '\0' || strcmp(leaf, ".") == 0 || strcmp(leaf, "..") == 0)
		return err_set(e, EINVAL, "names no file");
	r = name_with(leaf, "", s->leaf, e);
	if (r == 0)
		r = name_with(leaf, ".new", s->temp, e);
	if (r < 0)
		return r;
	dir = slash == NULL ? strdup(".")
			    : strndup(path, slash == path ? 1 : (size_t)(slash - path));
	if (dir == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	free(dir);
	return s->dir < 0 ? failed(e, "its directory: ") : 0;
}

static int
take_lock(struct feedstate *s, struct err *e)
{
	char name[NAME_MAX + 1];
	int r = name_with(s->leaf, ".lock", name, e);

	if (r < 0)
		return r;
	s->lock = openat(s->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK,
			 0600);
	if (s->lock < 0)
		return failed(e, "its lock (.lock): ");
	if (flock(s->lock, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return failed(e, "its lock (.lock): ");
	(void)err_set(e, EBUSY, "another feed is using it");
	return err_mark(e, NULL, "give each feed a file of its own, or wait for the other to end");
}

/* ---- reading ---- */

/* Whoever can write it decides what is passed over. */
static int
check_file(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return failed(e, "");
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, EACCES, "belongs to another user");
	if ((st.st_mode & 022) != 0) {
		(void)err_set(e, EACCES, "can be written by others (mode %04o)",
			      st.st_mode & 07777u);
		return err_mark(e, NULL, "chmod go-w");
	}
	return st.st_size > FILE_MAX ? err_set(e, EFBIG, "more than %d bytes", FILE_MAX) : 0;
}

static int
read_all(int fd, struct buf *out, struct err *e)
{
	for (;;) {
		uint8_t *to;
		ssize_t n;
		int r = buf_reserve(out, 4096, &to, e);

		if (r < 0)
			return r;
		n = read(fd, to, 4096);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return failed(e, "");
		if (n == 0)
			return 0;
		out->n += (size_t)n;
	}
}

static int
bad(struct err *e, const char *why)
{
	(void)err_set(e, EINVAL, "not the state of a feed: %s", why);
	return err_mark(e, NULL, ADVICE_ANEW);
}

static int
take_text(const json_t *j, const char *name, size_t max, const char **out, struct err *e)
{
	const json_t *v = json_object_get(j, name);

	if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > max)
		return bad(e, "a member is missing or is not as it should be");
	*out = json_string_value(v);
	return 0;
}

/* Of another version nothing is known but that it is one. */
static int
check_version(const json_t *j, struct err *e)
{
	const char *named = json_string_value(json_object_get(j, "format"));
	const json_t *version = json_object_get(j, "version");

	if (named == NULL || strcmp(named, format) != 0 || !json_is_integer(version))
		return bad(e, "its format is another");
	if (json_integer_value(version) == VERSION)
		return 0;
	(void)err_set(e, EOPNOTSUPP, "a state of version %lld, which is not known",
		      (long long)json_integer_value(version));
	return err_mark(e, NULL, ADVICE_ANEW);
}

static int
keep(struct feedstate *s, const char *rid, const char *cursor, struct err *e)
{
	char *new_rid = strdup(rid), *new_cursor = strdup(cursor);

	if (new_rid == NULL || new_cursor == NULL) {
		free(new_rid);
		free(new_cursor);
		return err_set(e, ENOMEM, "out of memory");
	}
	free(s->rid);
	free(s->cursor);
	s->rid = new_rid;
	s->cursor = new_cursor;
	return 0;
}

static int
take(struct feedstate *s, const json_t *j, struct err *e)
{
	const char *rid, *part, *cursor;
	int r = check_version(j, e);

	if (r == 0 && json_object_size(j) != MEMBERS)
		r = bad(e, "it has other members");
	if (r == 0)
		r = take_text(j, "rid", RID_MAX, &rid, e);
	if (r == 0)
		r = take_text(j, "part", PART_MAX, &part, e);
	if (r == 0)
		r = take_text(j, "cursor", DOCSTORE_CURSOR_MAX, &cursor, e);
	if (r < 0)
		return r;
	if (strcmp(part, s->part) != 0) {
		(void)err_set(e, EINVAL, "the state of part %.80s, not of %.80s", part, s->part);
		return err_mark(e, NULL, "give the same --part, or name another file");
	}
	return keep(s, rid, cursor, e);
}

static int
parse(struct feedstate *s, const struct buf *text, struct err *e)
{
	json_t *j = NULL;
	int r;

	if (text->n > 0)
		j = json_loadb((const char *)text->p, text->n, JSON_REJECT_DUPLICATES, NULL);
	r = json_is_object(j) ? take(s, j, e) : bad(e, "it is not a JSON object");
	json_decref(j);
	return r;
}

static int
read_state(struct feedstate *s, struct err *e)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
	const int fd = openat(s->dir, s->leaf, flags);
	AUTO_BUF text;
	int r;

	if (fd < 0 && errno == ENOENT)
		return 0;
	if (fd < 0)
		return failed(e, "");
	buf_init(&text, FILE_MAX + 4096);
	r = check_file(fd, e);
	if (r == 0)
		r = read_all(fd, &text, e);
	(void)close(fd);
	return r < 0 ? r : parse(s, &text, e);
}

int
feedstate_open(const char *path, const char *part, struct feedstate **out, struct err *e)
{
	struct feedstate *s = calloc(1, sizeof(*s));
	int r;

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->dir = s->lock = -1;
	(void)snprintf(s->part, sizeof(s->part), "%s", part);
	r = open_dir(s, path, e);
	if (r == 0)
		r = take_lock(s, e);
	if (r == 0)
		r = read_state(s, e);
	if (r < 0) {
		feedstate_close(s);
		return err_in(e, "state file %s", path);
	}
	*out = s;
	return 0;
}

void
feedstate_close(struct feedstate *s)
{
	if (s == NULL)
		return;
	if (s->lock >= 0)
		(void)close(s->lock);
	if (s->dir >= 0)
		(void)close(s->dir);
	free(s->rid);
	free(s->cursor);
	free(s);
}

const char *
feedstate_rid(const struct feedstate *s)
{
	return s->rid;
}

const char *
feedstate_cursor(const struct feedstate *s)
{
	return s->cursor;
}

/* ---- writing ---- */

static int
make_text(const struct feedstate *s, const char *rid, const char *cursor, char **out, struct err *e)
{
	json_t *j = json_pack("{s:s, s:i, s:s, s:s, s:s}", "format", format, "version", VERSION,
			      "rid", rid, "part", s->part, "cursor", cursor);
	char *text = j != NULL ? json_dumps(j, JSON_COMPACT) : NULL;

	json_decref(j);
	if (text == NULL)
		return err_set(e, ENOMEM,
			       "cannot be made: no memory, or a position that is no text");
	*out = text;
	return 0;
}

static int
write_all(int fd, const char *p, size_t n, struct err *e)
{
	while (n > 0) {
		const ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return failed(e, "");
		p += k;
		n -= (size_t)k;
	}
	return fsync(fd) < 0 ? failed(e, "") : 0;
}

/* The lock makes the temporary name ours: what a killed run has left there goes. */
static int
write_temp(const struct feedstate *s, const char *text, struct err *e)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(s->dir, s->temp, flags, 0600), r;

	if (fd < 0 && errno == EEXIST && unlinkat(s->dir, s->temp, 0) == 0)
		fd = openat(s->dir, s->temp, flags, 0600);
	if (fd < 0)
		return failed(e, "");
	r = write_all(fd, text, strlen(text), e);
	if (close(fd) < 0 && r == 0)
		r = failed(e, "");
	return r;
}

static int
replace(const struct feedstate *s, const char *text, struct err *e)
{
	int r = write_temp(s, text, e);

	if (r == 0 && renameat(s->dir, s->temp, s->dir, s->leaf) < 0)
		r = failed(e, "");
	if (r == 0 && fsync(s->dir) < 0)
		r = failed(e, "");
	if (r < 0)
		(void)unlinkat(s->dir, s->temp, 0);
	return r;
}

int
feedstate_save(struct feedstate *s, const char *rid, const char *cursor, struct err *e)
{
	char *text = NULL;
	int r;

	if (s->cursor != NULL && strcmp(s->cursor, cursor) == 0 && strcmp(s->rid, rid) == 0)
		return 0;
	r = make_text(s, rid, cursor, &text, e);
	if (r < 0)
		return err_in(e, "state file %s", s->leaf);
	r = replace(s, text, e);
	free(text);
	return r < 0 ? err_in(e, "state file %s", s->leaf) : keep(s, rid, cursor, e);
}
