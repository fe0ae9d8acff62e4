/* SPDX-License-Identifier: MIT */
/*
 * azcryptfs get: copies plain files out of a source, several at a time.
 *
 * A file is written under a temporary name beside its place and renamed when it is whole, so that
 * no half file ever has a real name. Nothing is written outside TARGET: names come escaped from
 * the view, and directories below TARGET are entered one by one without following links
 * (cli/target.c).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mutex.h"
#include "base/num.h"
#include "base/pool.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/progress.h"
#include "cli/target.h"

enum { JOBS_DEFAULT = 8, JOBS_MAX = 64, QUEUE_PER_JOB = 8, TICK_MS = 200 };

struct get {
	struct command_context context;
	bool recursive, force;
	unsigned jobs;
	const struct command_target *t;
	int root; /* the target directory */
	struct pool *pool;
	struct progress progress;
	atomic_bool stopped; /* by a signal */
	pthread_mutex_t mu;  /* guards what follows, and stderr */
	pthread_cond_t fewer;
	unsigned queued;
	int status;
	char **pending; /* directories to list, relative to what the user named; the walker's alone
			 */
	size_t n_pending;
	const char *dir; /* the one that is listed now */
	bool ended;	 /* the ticker may go */
};

/* One file on its way. */
struct job {
	struct pool_job base;
	struct get *g;
	char *from; /* path in the view */
	char *to;   /* path below the target */
	char *etag;
	struct view_record *record;
	int64_t mtime_ns;
	uint64_t promised; /* bytes counted into the total */
};

/* ---- the end of a file ---- */

static void
report_failure(struct get *g, const char *what, const struct err *e)
{
	int status;

	mutex_lock(&g->mu);
	progress_erase(&g->progress);
	status = exit_report("get", what, e);
	g->status = g->status == EXIT_DONE && !g->recursive ? status : EXIT_PARTIAL;
	mutex_unlock(&g->mu);
}

static void
job_free(struct job *j)
{
	view_record_put(j->record);
	free(j->from);
	free(j->to);
	free(j->etag);
	free(j);
}

/* ---- one file ---- */

static int
learn_mtime(void *arg, const struct view_item *item, struct err *e)
{
	struct job *j = arg;

	(void)e;
	if (item->mtime_ns != 0)
		j->mtime_ns = item->mtime_ns;
	return 0;
}

static int
write_all(int fd, const uint8_t *p, size_t n, struct err *e)
{
	while (n > 0) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return err_set(e, errno, "write: %s", strerrordesc_np(errno));
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static int
copy(struct job *j, struct view_file *f, int fd, struct err *e)
{
	uint8_t *room = malloc(VIEW_READ_MAX);
	uint64_t off = 0;
	size_t n = 0;
	int r = room == NULL ? err_set(e, ENOMEM, "out of memory") : 0;

	while (r == 0) {
		if (atomic_load(&j->g->stopped))
			r = err_set(e, ECANCELED, "stopped");
		else
			r = view_read_wait(f, off, room, VIEW_READ_MAX,
					   build_deadline(&j->g->t->build), &n, e);
		if (r == 0 && n == 0)
			break;
		if (r == 0)
			r = write_all(fd, room, n, e);
		if (r == 0) {
			off += n;
			(void)atomic_fetch_add(&j->g->progress.bytes, n);
		}
	}
	if (room != NULL)
		explicit_bzero(room, VIEW_READ_MAX);
	free(room);
	return r;
}

/* The file is open: its exact size replaces what the listing promised. */
static int
copy_open(struct job *j, struct view_file *f, struct err *e)
{
	struct get *g = j->g;
	struct target_file to;
	int r;

	(void)atomic_fetch_add(&g->progress.bytes_total, view_file_size(f) - j->promised);
	r = target_begin(g->root, j->to, g->force, &to, e);
	if (r < 0)
		return r;
	r = copy(j, f, to.fd, e);
	if (r < 0) {
		target_abandon(&to);
		return r;
	}
	return target_publish(&to, j->mtime_ns, e);
}

static int
get_file(struct job *j, struct err *e)
{
	const struct view_sink now = { learn_mtime, j };
	struct view_file *f;
	struct view *v = command_target_view(j->g->t);
	const struct deadline d = build_deadline(&j->g->t->build);
	int r = target_check(j->g->root, j->to, j->g->force, e);

	if (r < 0)
		return r;
	r = view_open(v, j->from, j->etag, j->record, now, d, &f, e);
	if (r == -ESTALE) { /* replaced since it was listed: the new one will do */
		err_clear(e);
		r = view_open(v, j->from, NULL, NULL, now, d, &f, e);
	}
	if (r < 0)
		return r;
	r = copy_open(j, f, e);
	view_close(f);
	return r;
}

static void
run_job(struct pool_job *base)
{
	struct job *j = (struct job *)(void *)base;
	struct get *g = j->g;
	struct err e = { 0 };

	if (!atomic_load(&g->stopped) && get_file(j, &e) < 0 && !atomic_load(&g->stopped))
		report_failure(g, j->from, &e);
	(void)atomic_fetch_add(&g->progress.files, 1);
	job_free(j);
	mutex_lock(&g->mu);
	g->queued--;
	(void)pthread_cond_signal(&g->fewer);
	mutex_unlock(&g->mu);
}

/* ---- the walk ---- */

/* Queues a file; waits while many are queued, so that a million names do not fill the memory. */
static int
submit(struct get *g, const char *from, const char *to, const struct view_item *item, struct err *e)
{
	struct job *j = calloc(1, sizeof(*j));

	if (j == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*j = (struct job){ .base.run = run_job,
			   .g = g,
			   .from = strdup(from),
			   .to = strdup(to),
			   .etag = strdup(item->etag),
			   .record = view_record_get(item->record),
			   .mtime_ns = item->mtime_ns,
			   .promised = item->size };
	if (j->from == NULL || j->to == NULL || j->etag == NULL) {
		job_free(j);
		return err_set(e, ENOMEM, "out of memory");
	}
	(void)atomic_fetch_add(&g->progress.files_total, 1);
	(void)atomic_fetch_add(&g->progress.bytes_total, item->size);
	mutex_lock(&g->mu);
	while (g->queued >= g->jobs * QUEUE_PER_JOB)
		(void)pthread_cond_wait(&g->fewer, &g->mu);
	g->queued++;
	mutex_unlock(&g->mu);
	pool_submit(g->pool, &j->base);
	return 0;
}

/* A directory is made at once, and listed later. */
static int
enter(struct get *g, const char *below, struct err *e)
{
	char **more = reallocarray(g->pending, g->n_pending + 1, sizeof(*more)); /* not secret */
	char *kept = strdup(below);

	if (more != NULL)
		g->pending = more;
	if (more == NULL || kept == NULL) {
		free(kept);
		return err_set(e, ENOMEM, "out of memory");
	}
	g->pending[g->n_pending++] = kept;
	return target_make_dir(g->root, below, e);
}

static int
see_item(void *arg, const struct view_item *item, struct err *e)
{
	struct get *g = arg;
	char *below, *from = NULL;
	int r;

	if (atomic_load(&g->stopped))
		return err_set(e, ECANCELED, "stopped");
	below = command_join(g->dir, item->name);
	if (below != NULL)
		from = command_join(buf_str(&g->t->path), below);
	if (from == NULL)
		r = err_set(e, ENOMEM, "out of memory");
	else
		r = item->dir ? enter(g, below, e) : submit(g, from, below, item, e);
	free(below);
	free(from);
	return r;
}

/* One directory; a failure is told, and the rest goes on. */
static void
walk_one(struct get *g, const char *below)
{
	const struct view_sink sink = { see_item, g };
	char *from = below[0] == '\0' ? strdup(buf_str(&g->t->path))
				      : command_join(buf_str(&g->t->path), below);
	struct err e = { 0 };
	int r;

	g->dir = below;
	r = from == NULL ? err_set(&e, ENOMEM, "out of memory")
			 : command_list(g->t, from, sink, &e);
	if (r < 0 && !atomic_load(&g->stopped))
		report_failure(g, below[0] != '\0' ? below : g->t->shown, &e);
	free(from);
}

static void
walk(struct get *g)
{
	walk_one(g, "");
	while (g->n_pending > 0) {
		char *dir = g->pending[--g->n_pending];

		if (!atomic_load(&g->stopped))
			walk_one(g, dir);
		free(dir);
	}
	free(g->pending);
	g->pending = NULL;
}

/* ---- the ticker: the bar, and signals ---- */

static void *
tick(void *arg)
{
	const struct timespec pause = { 0, TICK_MS * NS_PER_MS };
	struct get *g = arg;
	sigset_t set;
	bool ended;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	for (;;) {
		mutex_lock(&g->mu);
		ended = g->ended;
		if (!ended)
			progress_draw(&g->progress);
		mutex_unlock(&g->mu);
		if (ended)
			break;
		if (sigtimedwait(&set, NULL, &pause) > 0 && !atomic_exchange(&g->stopped, true))
			backend_stop(g->t->build.backend);
	}
	return NULL;
}

/* All threads inherit the mask: the signals are the ticker's. */
static void
block_signals(void)
{
	sigset_t set;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGHUP);
	(void)pthread_sigmask(SIG_BLOCK, &set, NULL);
}

static void
stop_ticker(struct get *g, pthread_t ticker)
{
	mutex_lock(&g->mu);
	g->ended = true;
	progress_erase(&g->progress);
	mutex_unlock(&g->mu);
	(void)pthread_join(ticker, NULL);
}

/* ---- what to copy where ---- */

struct named {
	struct get *g;
	bool dir;
	const char *to; /* name in the target directory */
};

/* The file that the user named is copied like any that a listing finds. */
static int
see_named(void *arg, const struct view_item *item, struct err *e)
{
	struct named *n = arg;

	n->dir = item->dir;
	if (item->dir)
		return 0;
	return submit(n->g, buf_str(&n->g->t->path), n->to, item, e);
}

static int
get_single(struct get *g, const char *target, struct err *e)
{
	struct named n = { .g = g };
	char *leaf = NULL;
	int r = target_place(target, command_leaf(buf_str(&g->t->path)), &g->root, &leaf, e);

	if (r < 0)
		return r;
	n.to = leaf;
	atomic_store(&g->progress.total_known, true);
	r = view_lookup(command_target_view(g->t), buf_str(&g->t->path),
			(struct view_sink){ see_named, &n }, build_deadline(&g->t->build), e);
	if (r == 0 && n.dir) {
		r = err_set(e, EISDIR, "is a directory");
		(void)err_mark(e, NULL, "get -r copies directories");
	}
	free(leaf);
	return r;
}

static int
get_tree(struct get *g, const char *target, struct err *e)
{
	bool dir = true;
	int r = 0;

	if (g->t->path.n > 0)
		r = command_is_dir(g->t, &dir, e);
	if (r < 0)
		return r;
	if (!dir)
		return get_single(g, target, e);
	r = target_open_dir(target, &g->root, e);
	if (r < 0)
		return r;
	walk(g);
	atomic_store(&g->progress.total_known, true);
	return 0;
}

static int
get_all(struct get *g, const char *target)
{
	struct err e = { 0 };
	pthread_t ticker;
	int r = pool_new("get", g->jobs, &g->pool, &e);

	if (r < 0)
		return exit_report("get", "", &e);
	progress_start(&g->progress);
	r = pthread_create(&ticker, NULL, tick, g);
	if (r != 0) {
		pool_free(g->pool);
		(void)err_set(&e, r, "thread: %s", strerrordesc_np(r));
		return exit_report("get", "", &e);
	}
	if (g->recursive)
		r = get_tree(g, target, &e);
	else
		r = g->t->path.n > 0 ? get_single(g, target, &e)
				     : err_set(&e, EISDIR, "is a directory; get -r copies it");
	pool_free(g->pool);
	stop_ticker(g, ticker);
	if (r < 0 && !atomic_load(&g->stopped))
		return exit_report("get", g->t->shown, &e);
	return atomic_load(&g->stopped) ? EXIT_PARTIAL : g->status;
}

/* ---- the command line ---- */

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct get *g = arg;
	uint64_t n;

	switch (option) {
	case 'r':
		g->recursive = true;
		return 0;
	case 'F':
		g->force = true;
		return 0;
	default:
		break;
	}
	if (!u64_parse_str(value, &n) || n == 0 || n > JOBS_MAX)
		return err_set(e, EINVAL, "--jobs is a number from 1 to %d", JOBS_MAX);
	g->jobs = (unsigned)n;
	return 0;
}

static int
get_words(struct get *g, int n, char **words)
{
	struct command_target t;
	struct err e = { 0 };
	int status;

	block_signals();
	if (command_target_open(&g->context, words[0], &t, &e) < 0)
		return exit_report("get", t.shown, &e);
	g->t = &t;
	status = get_all(g, n > 1 ? words[1] : ".");
	if (g->root >= 0)
		(void)close(g->root);
	command_target_close(&t);
	return status;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct get g = { .jobs = JOBS_DEFAULT,
			 .root = -1,
			 .mu = PTHREAD_MUTEX_INITIALIZER,
			 .fewer = PTHREAD_COND_INITIALIZER };
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
		"TARGET is the current directory, a directory, or the name for one file.\n",
	.shorts = "rj:",
	.longs = longs,
	.run = run,
};
