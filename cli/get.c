/* SPDX-License-Identifier: MIT */
/*
 * azcryptfs get: copies plain files out of a source, several at a time.
 *
 * This file walks and shows; cli/fetch.c copies, cli/target.c writes. A file is written under a
 * temporary name beside its place and renamed when it is whole, so that no half file ever has a
 * real name. Nothing is written outside TARGET: names come escaped from the view, and directories
 * below TARGET are entered one by one without following links.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mutex.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/fetch.h"
#include "cli/target.h"
#include "cli/watch.h"
#include "fs/docview.h"

enum { JOBS_DEFAULT = 8, JOBS_MAX = 64 };

/* Things that a listing told of, which are dealt with when it is over. */
struct found {
	void **p;
	size_t n;
};

struct get {
	struct command_context context;
	struct fetch fetch;
	bool recursive;
	const char *dir;   /* the directory that is listed now, relative to what the user named */
	const char *from;  /* the same, in the view */
	struct found dirs; /* char *: directories that are still to be listed, relative too */
	struct found page; /* struct fetch_job *: files of the page at hand */
};

/* ---- the walk ---- */

/* Keeps a pointer; the caller frees it when this fails. */
static int
keep(struct found *f, void *p, struct err *e)
{
	void **more = reallocarray(f->p, f->n + 1, sizeof(*more)); /* not secret */

	if (more == NULL)
		return err_set(e, ENOMEM, "out of memory");
	f->p = more;
	f->p[f->n++] = p;
	return 0;
}

/*
 * A directory is made at once, and listed later; one that cannot be made is told of, and its
 * neighbours go on.
 */
static int
see_dir(struct get *g, const char *below, struct err *e)
{
	struct err why = { 0 };
	char *kept;
	int r;

	if (target_make_dir(g->fetch.root, below, &why) < 0) {
		transfer_failed(&g->fetch.transfer, below, &why);
		return 0;
	}
	kept = strdup(below);
	r = kept == NULL ? err_set(e, ENOMEM, "out of memory") : keep(&g->dirs, kept, e);
	if (r < 0)
		free(kept);
	return r;
}

static int
see_file(struct get *g, const char *below, const struct view_item *item, struct err *e)
{
	char *from = command_join(buf_str(&g->fetch.transfer.t->path), below);
	struct fetch_job *job = NULL;
	int r = from == NULL ? err_set(e, ENOMEM, "out of memory")
			     : fetch_job_new(&g->fetch, from, below, item, &job, e);

	free(from);
	if (r == 0) {
		r = keep(&g->page, job, e);
		if (r < 0)
			fetch_job_free(job);
	}
	return r;
}

static int
see_item(void *arg, const struct view_item *item, struct err *e)
{
	struct get *g = arg;
	char *below;
	int r;

	if (atomic_load(&g->fetch.transfer.stopped))
		return err_set(e, ECANCELED, "stopped");
	if (docview_repeats(command_target_view(g->fetch.transfer.t), g->from, item->name))
		return 0;
	below = command_join(g->dir, item->name);
	if (below == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = item->dir ? see_dir(g, below, e) : see_file(g, below, item, e);
	free(below);
	return r;
}

/*
 * Between two pages there is time to wait for slow files; in the middle of one the listing would
 * time out.
 */
static void
submit_page(struct get *g)
{
	for (size_t i = 0; i < g->page.n; i++)
		fetch_submit(&g->fetch, g->page.p[i]);
	g->page.n = 0;
}

static int
list_dir(struct get *g, const char *from, struct err *e)
{
	const struct view_sink sink = { see_item, g };
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, VIEW_CURSOR_MAX);
	do {
		r = view_list(command_target_view(g->fetch.transfer.t), from, &cursor, sink,
			      build_deadline(&g->fetch.transfer.t->build), e);
		submit_page(g);
	} while (r == 0 && cursor.n > 0);
	return r;
}

static int
walk_one(struct get *g, const char *below, struct err *e)
{
	const char *top = buf_str(&g->fetch.transfer.t->path);
	char *from = below[0] == '\0' ? strdup(top) : command_join(top, below);
	int r;

	g->dir = below;
	g->from = from;
	r = from == NULL ? err_set(e, ENOMEM, "out of memory") : list_dir(g, from, e);
	free(from);
	return r;
}

static void
tell(struct get *g, const char *what, const struct err *e)
{
	if (!atomic_load(&g->fetch.transfer.stopped))
		transfer_failed(&g->fetch.transfer, what, e);
}

/* A directory that fails is told of, and the rest goes on. */
static void
walk_below(struct get *g)
{
	while (g->dirs.n > 0) {
		char *dir = g->dirs.p[--g->dirs.n];
		struct err e = { 0 };

		if (!atomic_load(&g->fetch.transfer.stopped) && walk_one(g, dir, &e) < 0)
			tell(g, dir, &e);
		free(dir);
	}
}

/* Where the top itself cannot be listed at all, that is the failure of the command. */
static int
walk(struct get *g, struct err *e)
{
	struct err why = { 0 };
	int r = walk_one(g, "", &why);

	if (r < 0 && g->dirs.n == 0 && atomic_load(&g->fetch.transfer.progress.files_total) == 0)
		*e = why;
	else if (r < 0)
		tell(g, g->fetch.transfer.t->shown, &why);
	walk_below(g);
	free(g->dirs.p);
	free(g->page.p);
	return -e->no;
}

/* ---- what to copy where ---- */

struct named {
	struct get *g;
	bool dir;
	const char *to; /* name in the target directory */
	struct fetch_job *job;
};

/* The file that the user named is copied like any that a listing finds. */
static int
see_named(void *arg, const struct view_item *item, struct err *e)
{
	struct named *n = arg;

	n->dir = item->dir;
	if (item->dir)
		return 0;
	return fetch_job_new(&n->g->fetch, buf_str(&n->g->fetch.transfer.t->path), n->to, item,
			     &n->job, e);
}

static int
not_a_file(struct err *e)
{
	(void)err_set(e, EISDIR, "is a directory");
	return err_mark(e, NULL, "get -r copies directories");
}

static int
get_single(struct get *g, const char *target, struct err *e)
{
	const struct command_target *t = g->fetch.transfer.t;
	struct named n = { .g = g };
	char *leaf = NULL;
	int r;

	if (t->path.n == 0)
		return not_a_file(e);
	r = target_place(target, command_leaf(buf_str(&t->path)), &g->fetch.root, &leaf, e);
	if (r < 0)
		return r;
	n.to = leaf;
	atomic_store(&g->fetch.transfer.progress.total_known, true);
	r = view_lookup(command_target_view(t), buf_str(&t->path),
			(struct view_sink){ see_named, &n }, build_deadline(&t->build), e);
	if (r == 0 && n.job != NULL)
		fetch_submit(&g->fetch, n.job);
	free(leaf);
	return r == 0 && n.dir ? not_a_file(e) : r;
}

static int
get_tree(struct get *g, const char *target, struct err *e)
{
	bool dir = true;
	int r = 0;

	if (g->fetch.transfer.t->path.n > 0)
		r = command_is_dir(g->fetch.transfer.t, &dir, e);
	if (r < 0)
		return r;
	if (!dir) {
		g->fetch.transfer.many = false;
		return get_single(g, target, e);
	}
	r = target_open_dir(target, &g->fetch.root, e);
	if (r < 0)
		return r;
	r = walk(g, e);
	atomic_store(&g->fetch.transfer.progress.total_known, true);
	return r;
}

static int
get_all(struct get *g, const char *target)
{
	struct transfer *x = &g->fetch.transfer;
	struct err e = { 0 };
	struct watch *watch;
	int r = transfer_start(x, &e);

	if (r < 0)
		return exit_report("get", "", &e);
	r = watch_start(&(struct watch_config){ g->context.backend, &x->stopped, transfer_draw, x },
			&watch, &e);
	if (r < 0) {
		transfer_wait(x);
		return exit_report("get", "", &e);
	}
	r = g->recursive ? get_tree(g, target, &e) : get_single(g, target, &e);
	transfer_wait(x);
	watch_end(watch);
	progress_erase(&x->progress);
	if (atomic_load(&x->stopped))
		return EXIT_PARTIAL;
	return r < 0 ? exit_report("get", x->t->shown, &e) : x->status;
}

/* ---- the command line ---- */

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct get *g = arg;
	uint64_t n;

	switch (option) {
	case 'r':
		g->recursive = g->fetch.transfer.many = true;
		return 0;
	case 'F':
		g->fetch.force = true;
		return 0;
	default:
		break;
	}
	if (!u64_parse_str(value, &n) || n == 0 || n > JOBS_MAX)
		return err_set(e, EINVAL, "--jobs is a number from 1 to %d", JOBS_MAX);
	g->fetch.transfer.jobs = (unsigned)n;
	return 0;
}

static int
get_words(struct get *g, int n, char **words)
{
	struct command_target t;
	struct err e = { 0 };
	int status;

	watch_block_signals();
	if (command_target_open(&g->context, words[0], &t, &e) < 0)
		return exit_report("get", t.shown, &e);
	g->fetch.transfer.t = &t;
	status = get_all(g, n > 1 ? words[1] : ".");
	if (g->fetch.root >= 0)
		(void)close(g->fetch.root);
	command_target_close(&t);
	return status;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct get g = { .fetch = { .transfer = { .command = "get", .jobs = JOBS_DEFAULT },
				    .root = -1 } };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	first = command_parse(c, argc, argv, &(struct command_line){ &g.context.options, take, &g },
			      &e);
	if (first > 0 && (argc - first < 1 || argc - first > 2))
		first = err_set(&e, EINVAL, "SOURCE/PATH and perhaps TARGET are needed");
	if (first > 0)
		status = get_words(&g, argc - first, argv + first);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&g.context);
	return status;
}

static const struct option longs[] = {
	{ "recursive", no_argument, NULL, 'r' },
	{ "force", no_argument, NULL, 'F' },
	{ "jobs", required_argument, NULL, 'j' },
	{ 0 },
};

const struct command command_get = {
	.name = "get",
	.usage = "[-r] [--force] [-j N] [-o OPTIONS] SOURCE/PATH [TARGET]",
	.summary = "Copies plain files to a local directory, several at a time",
	.help = "  -r, --recursive   what is in the directory SOURCE/PATH goes into TARGET, which "
		"is made\n"
		"  --force           write over files that are there\n"
		"  -j, --jobs N      so many files at a time (8)\n"
		"TARGET is the current directory, a directory, or the name for one file.\n"
		"Of a container of documents, -r copies items/; all.jsonl, parts/ and by/ hold "
		"the\n"
		"same documents and are copied where SOURCE/PATH names them.\n",
	.shorts = "rj:",
	.longs = longs,
	.run = run,
};
