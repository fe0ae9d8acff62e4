/* SPDX-License-Identifier: MIT */
/*
 * azcryptfs put: seals local files into a source, several at a time, without a mount.
 *
 * This file walks and shows; cli/send.c seals.  A file is published whole or not at all.  Links and
 * special files are told of and left out: a source has neither.
 */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/exit.h"
#include "cli/send.h"
#include "cli/watch.h"
#include "fs/viewwrite.h"

enum { JOBS_DEFAULT = 8, JOBS_MAX = 64 };

struct put {
	struct command_context context;
	struct send send;
	bool recursive;
};

static struct view *
view_of(const struct put *p)
{
	return command_target_view(p->send.transfer.t);
}

static int
queue(struct put *p, const char *from, const char *to, uint64_t size, struct err *e)
{
	struct send_job *job;
	int r = send_job_new(&p->send, from, to, size, &job, e);

	if (r == 0)
		send_submit(&p->send, job);
	return r;
}

/* ---- directories ---- */

/* A directory is a part of names; only one that has nothing in it must be said. */
static int
make_empty(struct put *p, const char *to, struct err *e)
{
	int r = view_make_dir(view_of(p), to, build_deadline(&p->send.transfer.t->build), e);

	if (r == -EEXIST) {
		err_clear(e);
		r = 0;
	}
	return r;
}

static int
put_entry(struct put *p, FTSENT *x, const char *to, struct err *e)
{
	switch (x->fts_info) {
	case FTS_F:
		return queue(p, x->fts_path, to, (uint64_t)x->fts_statp->st_size, e);
	case FTS_D:
		/* Whether it is empty is seen when it is left. */
		if (x->fts_parent != NULL)
			x->fts_parent->fts_number = 1;
		return 0;
	case FTS_DP:
		return x->fts_number == 0 && x->fts_level > 0 ? make_empty(p, to, e) : 0;
	case FTS_SL:
	case FTS_SLNONE:
		return err_set(e, EINVAL, "is a symbolic link: left out");
	case FTS_DEFAULT:
		return err_set(e, EINVAL, "is no regular file: left out");
	case FTS_DNR:
	case FTS_ERR:
	case FTS_NS:
		return err_set(e, x->fts_errno, "%s", strerrordesc_np(x->fts_errno));
	case FTS_DC:
		return err_set(e, ELOOP, "the directory contains itself");
	default:
		return 0;
	}
}

/* An entry's place: what its path has behind the top's. */
static void
put_found(struct put *p, FTSENT *x, size_t n_top)
{
	const char *below = x->fts_path + n_top;
	struct err e = { 0 };
	char *to;

	while (*below == '/')
		below++;
	if (x->fts_info != FTS_D && x->fts_parent != NULL)
		x->fts_parent->fts_number = 1;
	to = command_join(buf_str(&p->send.transfer.t->path), below);
	if (to == NULL)
		(void)err_set(&e, ENOMEM, "out of memory");
	else
		(void)put_entry(p, x, to, &e);
	if (e.no != 0)
		transfer_failed(&p->send.transfer, x->fts_path, &e);
	free(to);
}

static int
put_tree(struct put *p, const char *top, struct err *e)
{
	char *paths[] = { (char *)(uintptr_t)top, NULL };
	FTS *fts = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
	FTSENT *x;

	if (fts == NULL)
		return err_set(e, errno, "%.200s: %s", top, strerrordesc_np(errno));
	while (errno = 0, (x = fts_read(fts)) != NULL && !atomic_load(&p->send.transfer.stopped)) {
		if (x->fts_level == 0 && x->fts_info == FTS_F) {
			(void)fts_close(fts);
			return err_set(e, ENOTDIR, "%.200s is not a directory", top);
		}
		put_found(p, x, strlen(top));
	}
	if (x == NULL && errno != 0)
		(void)err_set(e, errno, "%.200s: %s", top, strerrordesc_np(errno));
	(void)fts_close(fts);
	return -e->no;
}

/* ---- single files ---- */

static const char *
local_leaf(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* Into the directory that the target is, or to the name that it gives. */
static int
place_of(struct put *p, const char *from, bool into, char **out, struct err *e)
{
	const struct command_target *t = p->send.transfer.t;
	bool dir = t->path.n == 0;
	int r = 0;

	if (!dir) {
		r = command_is_dir(t, &dir, e);
		if (r == -ENOENT) {
			err_clear(e);
			r = 0;
		}
	}
	if (r < 0)
		return r;
	if (into && !dir)
		return err_set(e, ENOTDIR, "several files go into a directory");
	if (dir && strcmp(from, "-") == 0)
		return err_set(e, EISDIR, "standard input needs a name");
	*out = dir ? command_join(buf_str(&t->path), local_leaf(from)) : strdup(buf_str(&t->path));
	return *out != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

static int
put_file(struct put *p, const char *from, bool into, struct err *e)
{
	struct stat st = { 0 };
	char *to = NULL;
	int r;

	if (strcmp(from, "-") != 0 && stat(from, &st) != 0)
		return err_set(e, errno, "%.200s: %s", from, strerrordesc_np(errno));
	if (S_ISDIR(st.st_mode)) {
		(void)err_set(e, EISDIR, "%.200s is a directory", from);
		return err_mark(e, NULL, "put -r copies what is in it");
	}
	r = place_of(p, from, into, &to, e);
	if (r == 0 && strcmp(from, "-") == 0)
		r = send_stream(&p->send, STDIN_FILENO, to, e);
	else if (r == 0)
		r = queue(p, from, to, (uint64_t)st.st_size, e);
	free(to);
	return r;
}

static int
put_words(struct put *p, int n, char **words, struct err *e)
{
	int r = 0;

	for (int i = 0; i < n && r == 0; i++)
		r = p->recursive ? put_tree(p, words[i], e) : put_file(p, words[i], n > 1, e);
	atomic_store(&p->send.transfer.progress.total_known, true);
	return r;
}

static int
put_all(struct put *p, int n, char **words)
{
	struct transfer *x = &p->send.transfer;
	struct err e = { 0 };
	struct watch *watch;
	int r = transfer_start(x, &e);

	if (r < 0)
		return exit_report("put", "", &e);
	r = watch_start(&(struct watch_config){ p->context.backend, &x->stopped, transfer_draw, x },
			&watch, &e);
	if (r < 0) {
		transfer_wait(x);
		return exit_report("put", "", &e);
	}
	r = put_words(p, n, words, &e);
	transfer_wait(x);
	watch_end(watch);
	progress_erase(&x->progress);
	if (atomic_load(&x->stopped))
		return EXIT_PARTIAL;
	return r < 0 ? exit_report("put", x->t->shown, &e) : x->status;
}

/* ---- the command line ---- */

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct put *p = arg;
	uint64_t n;

	switch (option) {
	case 'r':
		p->recursive = p->send.transfer.many = true;
		return 0;
	case 'F':
		p->send.force = true;
		return 0;
	default:
		break;
	}
	if (!u64_parse_str(value, &n) || n == 0 || n > JOBS_MAX)
		return err_set(e, EINVAL, "--jobs is a number from 1 to %d", JOBS_MAX);
	p->send.transfer.jobs = (unsigned)n;
	return 0;
}

/* put writes by what it is: nobody has to say rw. */
static int
say_rw(struct put *p, struct err *e)
{
	if (options_find(&p->context.options, NULL, OPT_RW) != NULL)
		return 0;
	return options_add(&p->context.options.line, "rw", NULL, "put", NULL, e);
}

static int
open_and_put(struct put *p, int n, char **words)
{
	struct command_target t;
	struct err e = { 0 };
	int status;

	watch_block_signals();
	if (say_rw(p, &e) < 0)
		return exit_report("put", "", &e);
	if (command_target_open(&p->context, words[n - 1], &t, &e) < 0)
		return exit_report("put", t.shown, &e);
	p->send.transfer.t = &t;
	p->send.transfer.many |= n > 2;
	status = put_all(p, n - 1, words);
	command_target_close(&t);
	return status;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct put p = { .send = { .transfer = { .command = "put", .jobs = JOBS_DEFAULT } } };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	first = command_parse(c, argc, argv, &(struct command_line){ &p.context.options, take, &p },
			      &e);
	if (first > 0 && argc - first < 2)
		first = err_set(&e, EINVAL, "FILE and SOURCE/PATH are needed");
	if (first > 0)
		status = open_and_put(&p, argc - first, argv + first);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&p.context);
	return status;
}

static const struct option longs[] = {
	{ "recursive", no_argument, NULL, 'r' },
	{ "force", no_argument, NULL, 'F' },
	{ "jobs", required_argument, NULL, 'j' },
	{ 0 },
};

const struct command command_put = {
	.name = "put",
	.usage = "[-r] [--force] [-j N] [-o OPTIONS] FILE... SOURCE/PATH",
	.summary = "Seals local files into a source, several at a time",
	.help = "  -r, --recursive   what is in the directory FILE goes below SOURCE/PATH\n"
		"  --force           write over files that are there\n"
		"  -j, --jobs N      so many files at a time (8)\n"
		"FILE - is standard input.  SOURCE/PATH is a directory, or the name for one "
		"file.\n"
		"Blobs need -o kek=KEYID, documents -o pin=FILE.\n",
	.shorts = "rj:",
	.longs = longs,
	.run = run,
};
