/* SPDX-License-Identifier: MIT */
/*
 * The configuration file of mount -c: options_add_file of cli/options.h.
 *
 * inih takes the lines apart.  What it would get wrong in silence is seen to on the way in, line
 * by line: long lines (it cuts them), indented ones (it joins them to the value above), and
 * sections (it says nothing of an empty one).
 */
#include "cli/options.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/num.h"

enum { FILE_MAX = 1 << 20 };

struct reader {
	struct options *to;
	const char *file;
	char *base;	  /* directory of the file */
	const char *next; /* what is not read yet */
	unsigned line;	  /* of the text that inih has in hand; from 1 */
	bool in_section;
	char section[INI_MAX_LINE]; /* its path */
	struct err *e;
};

static void
fail(struct reader *in, const char *what)
{
	if (in->e->no == 0)
		err_set(in->e, EINVAL, "%s, line %u: %s", in->file, in->line, what);
}

/* A line "[path]": from here on, values belong to that section. */
static void
begin_section(struct reader *in, const char *line, size_t n)
{
	const char *end = memchr(line, ']', n), *begin = line + 1;
	struct option_section *made;
	size_t len;

	if (end == NULL) {
		fail(in, "a section needs a closing bracket");
		return;
	}
	while (begin < end && *begin == ' ')
		begin++;
	while (end > begin && end[-1] == ' ')
		end--;
	len = (size_t)(end - begin);
	memcpy(in->section, begin, len);
	in->section[len] = '\0';
	in->in_section = true;
	if (options_section(in->to, in->section, &made, in->e) < 0)
		err_in(in->e, "%s, line %u", in->file, in->line);
}

/* Gives inih one line; NULL at the end, and after the first failure. */
static char *
read_line(char *out, int room, void *arg)
{
	struct reader *in = arg;
	size_t n, blank;

	if (*in->next == '\0' || in->e->no != 0)
		return NULL;
	in->line++;
	n = strcspn(in->next, "\n");
	blank = strspn(in->next, " \t");
	if (blank > n)
		blank = n;
	if (n - blank + 2 > (size_t)room) {
		char what[80];

		(void)snprintf(what, sizeof(what),
			       "longer than %d bytes; a repeatable option may have several lines",
			       room - 2);
		fail(in, what);
		return NULL;
	}
	if (in->next[blank] == '[')
		begin_section(in, in->next + blank, n - blank);
	memcpy(out, in->next + blank, n - blank);
	out[n - blank] = '\n';
	out[n - blank + 1] = '\0';
	in->next += n + (in->next[n] == '\n');
	return out;
}

/* The layer that a value on this line belongs to. */
static int
layer_here(struct reader *in, struct option_layer **out)
{
	struct option_section *s;
	int r;

	if (!in->in_section) {
		*out = &in->to->head;
		return 0;
	}
	r = options_section(in->to, in->section, &s, in->e);
	if (r == 0)
		*out = &s->layer;
	return r;
}

static bool
is_of_mount(const char *name)
{
	for (unsigned i = 0; i < OPTIONS_N; i++)
		if (strcmp(options_table[i].name, name) == 0)
			return options_table[i].scope == OPTION_OF_MOUNT;
	return false;
}

/* inih calls it for each name=value; 1 = go on. */
static int
take_value(void *arg, const char *section, const char *name, const char *value)
{
	struct reader *in = arg;
	struct option_layer *layer = NULL;
	char where[128];

	(void)section;
	if (in->e->no != 0)
		return 0;
	if (strcmp(name, "source") == 0 && !in->in_section) {
		fail(in, "source= belongs into a section: [path in the mount], or [/] for the "
			 "whole mount");
		return 0;
	}
	if (in->in_section && is_of_mount(name)) {
		char what[128];

		(void)snprintf(what, sizeof(what),
			       "option %s is for the whole mount: put it before the first section",
			       name);
		fail(in, what);
		return 0;
	}
	(void)snprintf(where, sizeof(where), "%s, line %u", in->file, in->line);
	return layer_here(in, &layer) == 0 &&
	       options_add(layer, name, value, where, in->base, in->e) == 0;
}

/* The file decides which vaults and hosts are trusted: nobody else may write it. */
static int
check_file(int fd, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	if (!S_ISREG(st.st_mode))
		return err_set(e, EINVAL, "not a regular file");
	if (st.st_uid != 0 && st.st_uid != geteuid())
		return err_set(e, EACCES, "belongs to another user");
	if ((st.st_mode & 022) != 0) {
		err_set(e, EACCES, "can be written by others (mode %04o)", st.st_mode & 07777u);
		return err_mark(e, NULL, "chmod go-w");
	}
	if (st.st_size > FILE_MAX)
		return err_set(e, EFBIG, "more than %d bytes", FILE_MAX);
	return 0;
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
		if (n < 0)
			return err_set(e, errno, "%s", strerrordesc_np(errno));
		if (n == 0)
			break;
		out->n += (size_t)n;
	}
	if (out->n > 0 && memchr(out->p, 0, out->n) != NULL)
		return err_set(e, EINVAL, "not a text file");
	return 0;
}

static int
read_file(const char *path, struct buf *out, struct err *e)
{
	const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	r = check_file(fd, e);
	if (r == 0)
		r = read_all(fd, out, e);
	(void)close(fd);
	return r;
}

/* The directory that relative names in the file start from. */
static int
base_of(const char *path, char **out, struct err *e)
{
	char *real = realpath(path, NULL), *slash;

	if (real == NULL)
		return err_set(e, errno, "%s", strerrordesc_np(errno));
	slash = strrchr(real, '/');
	slash[slash == real ? 1 : 0] = '\0';
	*out = real;
	return 0;
}

static int
parse(struct options *o, const char *path, const struct buf *text, struct err *e)
{
	struct reader in = { .to = o, .file = path, .next = buf_str(text), .e = e };
	int r = base_of(path, &in.base, e), line;

	if (r < 0)
		return r;
	if (strncmp(in.next, "\xef\xbb\xbf", 3) == 0)
		in.next += 3;
	line = ini_parse_stream(read_line, &in, take_value, &in);
	if (line > 0 && e->no == 0) {
		in.line = (unsigned)line;
		fail(&in, "neither name=value nor [section]");
	} else if (line < 0 && e->no == 0) {
		err_set(e, ENOMEM, "out of memory");
	}
	free(in.base);
	return -e->no;
}

int
options_add_file(struct options *o, const char *path, struct err *e)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, FILE_MAX + 4096);
	r = read_file(path, &text, e);
	if (r < 0)
		return err_in(e, "%s", path);
	r = parse(o, path, &text, e);
	if (r == 0 && o->n_sections == 0) {
		err_set(e, EINVAL, "%s: no section, so nothing to mount", path);
		r = err_mark(e, NULL, "write [/] and source=SOURCE");
	}
	return r;
}
