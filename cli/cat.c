/* SPDX-License-Identifier: MIT */
/* azcryptfs cat: the plain bytes of files, one after the other, on standard output. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "cli/command.h"
#include "cli/exit.h"

/* A reader that has gone away ends us as it ends any filter; other failures are told. */
static int
write_all(const uint8_t *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t k = write(STDOUT_FILENO, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0 && errno == EPIPE) {
			(void)signal(SIGPIPE, SIG_DFL);
			(void)raise(SIGPIPE);
		}
		if (k < 0)
			return err_set(e, errno, "standard output: %s", strerrordesc_np(errno));
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int
copy_out(const struct command_target *t, struct view_file *f, struct err *e)
{
	uint8_t *room = malloc(VIEW_READ_MAX);
	uint64_t off = 0;
	size_t n = 0;
	int r = 0;

	if (room == NULL)
		return err_set(e, ENOMEM, "out of memory");
	do {
		r = view_read_wait(f, off, room, VIEW_READ_MAX, build_deadline(&t->build), &n, e);
		if (r == 0)
			r = write_all(room, n, e);
		off += n;
	} while (r == 0 && n > 0);
	explicit_bzero(room, VIEW_READ_MAX);
	free(room);
	return r;
}

/* An open that finds nothing may have met a directory: only then is it worth a second look. */
static int
say_what_is_there(const struct command_target *t, struct err *e)
{
	struct err again = { 0 };
	bool dir = t->path.n == 0;

	if (!dir && (e->no != ENOENT || command_is_dir(t, &dir, &again) < 0 || !dir))
		return -e->no;
	err_clear(e);
	return err_set(e, EISDIR, "is a directory");
}

static int
cat_one(void *arg, const char *text)
{
	struct command_target t;
	struct view_file *f = NULL;
	struct err e = { 0 };
	int r = command_target_open(arg, text, &t, &e);

	if (r < 0)
		return exit_report("cat", t.shown, &e);
	r = view_open(command_target_view(&t), buf_str(&t.path), NULL, NULL, view_no_sink(),
		      build_deadline(&t.build), &f, &e);
	if (r == 0) {
		r = copy_out(&t, f, &e);
		view_close(f);
	} else {
		r = say_what_is_there(&t, &e);
	}
	command_target_close(&t);
	return r < 0 ? exit_report("cat", t.shown, &e) : EXIT_DONE;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct command_context context = { 0 };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	first = command_parse(c, argc, argv, &(struct command_line){ .options = &context.options },
			      &e);
	if (first == argc)
		first = err_set(&e, EINVAL, "no SOURCE/PATH given");
	if (first > 0)
		status = command_for_each(argc, argv, first, cat_one, &context);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&context);
	return status;
}

const struct command command_cat = {
	.name = "cat",
	.usage = "[-o OPTIONS] SOURCE/PATH...",
	.summary = "Writes the plain bytes of files to standard output",
	.help = "",
	.shorts = "",
	.run = run,
};
