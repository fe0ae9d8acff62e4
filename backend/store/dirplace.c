/* SPDX-License-Identifier: MIT */
/* Finding the files of a dir: store: see dirplace.h. */
#include "backend/store/dirplace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_NAME_MAX = DIRNAME_PIECE_MAX + 8 };

void
dirplace_close(struct dirplace *p)
{
	if (p->own && p->fd >= 0)
		(void)close(p->fd);
	*p = (struct dirplace)DIRPLACE_NONE;
}

static int
not_there(struct err *e)
{
	(void)err_set(e, ENOENT, "no such object in the directory store");
	return err_mark(e, "remote.gone", NULL);
}

/* What is of the wrong kind, a link above all, is no part of a store. */
int
dirplace_openat(int at, const char *name, const char *suffix, bool directory, int *out,
		struct err *e)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY |
			  (directory ? O_DIRECTORY : 0);
	char file[FILE_NAME_MAX + DIRNAME_PIECE_MAX];
	struct stat st;
	int fd;

	(void)snprintf(file, sizeof(file), "%s%s", name, suffix);
	fd = openat(at, file, flags);
	if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP || errno == ENXIO))
		return not_there(e);
	if (fd < 0)
		return err_set(e, errno, "cannot open '%s': %s", file, strerrordesc_np(errno));
	if (!directory && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))) {
		(void)close(fd);
		return not_there(e);
	}
	*out = fd;
	return 0;
}

int
dirplace_make_dir(int at, const char *name, const char *suffix, int *out, struct err *e)
{
	char file[FILE_NAME_MAX + DIRNAME_PIECE_MAX];
	int r;

	(void)snprintf(file, sizeof(file), "%s%s", name, suffix);
	if (mkdirat(at, file, 0700) == 0) {
		if (fsync(at) < 0)
			return err_set(e, errno, "cannot sync the directory of '%s': %s", file,
				       strerrordesc_np(errno));
	} else if (errno != EEXIST) {
		return err_set(e, errno, "cannot make '%s': %s", file, strerrordesc_np(errno));
	}
	r = dirplace_openat(at, file, "", true, out, e);
	if (r != -ENOENT)
		return r;
	err_clear(e);
	return err_set(e, ENOTDIR, "'%s' is in the way: no directory", file);
}

/* Goes one directory down. */
static int
descend(struct dirplace *p, const char *name, const char *suffix, bool make, struct err *e)
{
	int fd, r = make ? dirplace_make_dir(p->fd, name, suffix, &fd, e)
			 : dirplace_openat(p->fd, name, suffix, true, &fd, e);

	if (r < 0)
		return r;
	if (p->own)
		(void)close(p->fd);
	p->fd = fd;
	p->own = true;
	return 0;
}

/* p is a directory on entry, and on return the place of the component in it. */
static int
enter_component(struct dirplace *p, struct span component, bool make, struct err *e)
{
	AUTO_BUF encoded;
	size_t at = 0, cut;
	int r;

	buf_init(&encoded, 3 * component.n + 1);
	r = dirname_encode(component, &encoded, e);
	if (r < 0)
		return r;
	for (;; at += cut) {
		cut = dirname_cut(buf_str(&encoded) + at, encoded.n - at);
		memcpy(p->end, encoded.p + at, cut);
		p->end[cut] = '\0';
		if (at + cut == encoded.n)
			return 0;
		r = descend(p, p->end, ".c", make, e);
		if (r < 0)
			return r;
	}
}

static int
place_component(int at, struct span component, bool make, struct dirplace *out, struct err *e)
{
	struct dirplace p = { .fd = at };
	int r = enter_component(&p, component, make, e);

	if (r < 0) {
		dirplace_close(&p);
		return r;
	}
	*out = p;
	return 0;
}

int
dirplace_of_component(int at, struct span component, struct dirplace *out, struct err *e)
{
	return place_component(at, component, false, out, e);
}

int
dirplace_make_component(int at, struct span component, struct dirplace *out, struct err *e)
{
	return place_component(at, component, true, out, e);
}

/* Enters all components of *name but the last, which is left in *name. */
static int
enter_directories(struct dirplace *p, struct span *name, bool make, struct err *e)
{
	const uint8_t *slash;
	int r;

	while (name->n > 0 && (slash = memchr(name->p, '/', name->n)) != NULL) {
		const size_t n = (size_t)(slash - name->p);

		r = enter_component(p, span_of(name->p, n), make, e);
		if (r == 0)
			r = descend(p, p->end, ".d", make, e);
		if (r < 0)
			return r;
		*name = span_of(slash + 1, name->n - n - 1);
	}
	return 0;
}

static int
place_name(int objects, struct span name, bool make, struct dirplace *out, struct err *e)
{
	struct dirplace p = { .fd = objects };
	int r = enter_directories(&p, &name, make, e);

	if (r == 0)
		r = enter_component(&p, name, make, e);
	if (r < 0) {
		dirplace_close(&p);
		return r;
	}
	*out = p;
	return 0;
}

int
dirplace_of_name(int objects, struct span name, struct dirplace *out, struct err *e)
{
	return place_name(objects, name, false, out, e);
}

int
dirplace_make_name(int objects, struct span name, struct dirplace *out, struct err *e)
{
	return place_name(objects, name, true, out, e);
}

int
dirplace_open_dir(int objects, struct span prefix, int *out, struct err *e)
{
	struct dirplace p = { .fd = objects };
	int r = enter_directories(&p, &prefix, false, e);

	if (r == 0 && !p.own)
		r = descend(&p, ".", "", false, e);
	if (r < 0) {
		dirplace_close(&p);
		return r;
	}
	*out = p.fd;
	return 0;
}

static int
too_large(size_t max, struct err *e)
{
	(void)err_set(e, EBADMSG, "larger than %zu bytes", max);
	return err_mark(e, "integrity.dir", NULL);
}

/* Files are replaced by rename: what grows while it is being read is none of the store's. */
static int
read_all(int fd, size_t max, struct buf *out, struct err *e)
{
	size_t got = 0;
	struct stat st;
	uint8_t *to;
	ssize_t n = 1;
	int r;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "cannot look at it: %s", strerrordesc_np(errno));
	if ((uint64_t)st.st_size > max)
		return too_large(max, e);
	r = buf_reserve(out, (size_t)st.st_size, &to, e);
	while (r == 0 && n > 0 && got < (size_t)st.st_size) {
		n = read(fd, to + got, (size_t)st.st_size - got);
		if (n < 0)
			r = err_set(e, errno, "cannot read it: %s", strerrordesc_np(errno));
		else
			got += (size_t)n;
	}
	if (r == 0)
		out->n += got;
	return r;
}

int
dirplace_read_file(int at, const char *name, const char *suffix, size_t max, struct buf *out,
		   struct err *e)
{
	int fd, r = dirplace_openat(at, name, suffix, false, &fd, e);

	if (r < 0)
		return r;
	r = read_all(fd, max, out, e);
	(void)close(fd);
	return r;
}

static int
name_the_file(struct span name, struct err *e)
{
	struct err ignored = { 0 };
	AUTO_BUF path;

	buf_init(&path, 8 * STORE_NAME_MAX);
	if (dirname_path(name, &path, &ignored) < 0)
		return -e->no;
	return err_in(e, "objects/%s", buf_str(&path));
}

int
dirplace_read(const struct dirplace *p, struct span name, struct dirmeta *out, struct err *e)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, DIRMETA_FILE_MAX);
	r = dirplace_read_file(p->fd, p->end, ".m", DIRMETA_FILE_MAX, &text, e);
	if (r == -ENOENT)
		return r;
	if (r == 0)
		r = dirmeta_parse(buf_span(&text), name, p->end, out, e);
	return r < 0 ? name_the_file(name, e) : 0;
}
