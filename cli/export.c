/* SPDX-License-Identifier: MIT */
/*
 * azcryptfs export: containers of documents into a directory, sealed as they are.  No key is asked
 * for; whoever reads the copy needs them as before.
 */
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "backend/dirsource.h"
#include "backend/store/docdir.h"
#include "base/mutex.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/progress.h"
#include "cli/watch.h"
#include "fs/docpath.h"
#include "fs/docview.h"

struct names {
	char **name;
	size_t n;
};

struct export
{
	struct command_context context;
	const struct command_target *t;
	struct docstore *from; /* borrowed */
	struct docdir_writer *to;
	uint64_t documents, bytes; /* of the containers before this one */
	unsigned containers;
	bool many; /* a failure is one of many */
	int status;
	atomic_bool stopped;
	pthread_mutex_t mu; /* guards drawing, and lines on stderr */
	struct progress progress;
};

/* ---- names ---- */

static int
add_name(void *arg, const char *name, struct err *e)
{
	struct names *l = arg;
	char **more = reallocarray(l->name, l->n + 1, sizeof(*more)); /* not secret */

	if (more != NULL)
		l->name = more;
	if (more == NULL || (more[l->n] = strdup(name)) == NULL)
		return err_set(e, ENOMEM, "out of memory");
	l->n++;
	return 0;
}

static void
names_clear(struct names *l)
{
	while (l->n > 0)
		free(l->name[--l->n]);
	free(l->name);
	*l = (struct names){ 0 };
}

static int
list(struct export *x, const char *database, struct names *out, struct err *e)
{
	return docstore_list(x->from, database, (struct docstore_names){ add_name, out },
			     build_deadline(&x->t->build), e);
}

/* ---- copying ---- */

static void
draw(void *arg)
{
	struct export *x = arg;

	mutex_lock(&x->mu);
	progress_draw(&x->progress);
	mutex_unlock(&x->mu);
}

/* One of several that fails is told of, and the rest goes on. */
static int
failed(struct export *x, const char *what, struct err *e)
{
	if (!x->many || atomic_load(&x->stopped))
		return -e->no;
	mutex_lock(&x->mu);
	progress_erase(&x->progress);
	(void)exit_report("export", what, e);
	mutex_unlock(&x->mu);
	x->status = EXIT_PARTIAL;
	err_clear(e);
	return 0;
}

static int
count(void *arg, uint64_t documents, uint64_t bytes, struct err *e)
{
	struct export *x = arg;

	atomic_store(&x->progress.files, x->documents + documents);
	atomic_store(&x->progress.bytes, x->bytes + bytes);
	return atomic_load(&x->stopped) ? err_set(e, ECANCELED, "stopped") : 0;
}

static int
copy_container(struct export *x, const char *database, const char *container, struct err *e)
{
	const struct docdir_progress progress = { count, x };
	char shown[520];
	int r = docdir_copy(x->from, database, container, x->to, progress,
			    engine_timeout_ns(x->t->build.engine), e);

	if (r == 0) {
		x->documents = atomic_load(&x->progress.files);
		x->bytes = atomic_load(&x->progress.bytes);
		x->containers++;
		return 0;
	}
	(void)snprintf(shown, sizeof(shown), "%s/%s", database, container);
	return failed(x, shown, e);
}

static int
copy_database(struct export *x, const char *database, struct err *e)
{
	struct names containers = { 0 };
	int r;

	r = list(x, database, &containers, e);
	if (r < 0)
		r = failed(x, database, e);
	x->many = true;
	for (size_t i = 0; r == 0 && i < containers.n; i++)
		r = copy_container(x, database, containers.name[i], e);
	names_clear(&containers);
	return r;
}

static int
copy_account(struct export *x, struct err *e)
{
	struct names databases = { 0 };
	int r = list(x, NULL, &databases, e);

	x->many = true;
	for (size_t i = 0; r == 0 && i < databases.n; i++)
		r = copy_database(x, databases.name[i], e);
	names_clear(&databases);
	return r;
}

/* ---- from where to where ---- */

static int
copy_place(struct export *x, const struct docpath *p, struct err *e)
{
	switch (p->area) {
	case DOCAREA_ACCOUNT:
		return copy_account(x, e);
	case DOCAREA_DATABASE:
		return copy_database(x, p->database, e);
	case DOCAREA_CONTAINER:
		return copy_container(x, p->database, p->container, e);
	default:
		break;
	}
	(void)err_set(e, EINVAL, "names something inside a container");
	return err_mark(e, NULL, "export takes whole containers, databases or accounts");
}

/* What lies in a store must not be written while it is read from there. */
static int
check_apart(const char *source, const char *to, struct err *e)
{
	struct dirsource at;
	struct stat a, b;
	char *from;
	bool same;

	if (strncmp(source, "dir:", 4) != 0 || !dirsource_find(source + 4, &at))
		return 0;
	from = at.n == 0 ? strdup(".") : strndup(source + 4, at.n);
	if (from == NULL)
		return err_set(e, ENOMEM, "out of memory");
	same = stat(from, &a) == 0 && stat(to, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
	free(from);
	return same ? err_set(e, EINVAL, "SOURCE and target are the same store") : 0;
}

static int
check_source(struct export *x, struct err *e)
{
	x->from = docview_store(command_target_view(x->t));
	if (x->from != NULL)
		return 0;
	(void)err_set(e, EOPNOTSUPP, "holds blobs; export copies containers of documents");
	return err_mark(e, NULL, "azcryptfs get copies plain files");
}

static int
copy_all(struct export *x, const char *to, struct err *e)
{
	AUTO_DOCPATH p = { 0 };
	int r = check_source(x, e);

	if (r == 0)
		r = check_apart(x->t->source, to, e);
	if (r == 0)
		r = docpath_parse(x->from, buf_str(&x->t->path), &p, e);
	if (r == 0)
		r = docdir_writer_new(to, &x->to, e);
	if (r == 0)
		r = copy_place(x, &p, e);
	docdir_writer_free(x->to);
	return r;
}

static void
print_summary(const struct export *x)
{
	char bytes[32];

	progress_human((double)x->bytes, bytes, sizeof(bytes));
	(void)printf("%u container%s, %" PRIu64 " documents, %s\n", x->containers,
		     x->containers == 1 ? "" : "s", x->documents, bytes);
}

static int
run_target(struct export *x, const char *to)
{
	struct watch *watch;
	struct err e = { 0 };
	int r;

	progress_start(&x->progress);
	x->progress.endless = "documents";
	r = watch_start(&(struct watch_config){ x->context.backend, &x->stopped, draw, x }, &watch,
			&e);
	if (r < 0)
		return exit_report("export", "", &e);
	r = copy_all(x, to, &e);
	watch_end(watch);
	progress_erase(&x->progress);
	if (atomic_load(&x->stopped))
		return EXIT_PARTIAL;
	if (r < 0)
		return exit_report("export", x->t->shown, &e);
	print_summary(x);
	return x->status;
}

/* ---- the command line ---- */

static int
run_words(struct export *x, const char *source, const char *to)
{
	struct command_target t;
	struct err e = { 0 };
	int status;

	watch_block_signals();
	if (command_target_open(&x->context, source, &t, &e) < 0)
		return exit_report("export", t.shown, &e);
	x->t = &t;
	status = run_target(x, to);
	command_target_close(&t);
	return status;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct export x = { .mu = PTHREAD_MUTEX_INITIALIZER };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	first = command_parse(c, argc, argv,
			      &(struct command_line){ .options = &x.context.options }, &e);
	if (first > 0 && argc - first != 2)
		first = err_set(&e, EINVAL, "SOURCE and dir:PATH are needed");
	if (first > 0 && (strncmp(argv[first + 1], "dir:", 4) != 0 || argv[first + 1][4] == '\0'))
		first = err_set(&e, EINVAL, "the target is written dir:PATH");
	if (first > 0)
		status = run_words(&x, argv[first], argv[first + 1] + 4);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&x.context);
	return status;
}

const struct command command_export = {
	.name = "export",
	.usage = "[-o OPTIONS] SOURCE dir:PATH",
	.summary = "Copies containers of documents, sealed as they are, for offline use",
	.help = "SOURCE is a container, or a database or an account: all containers of it. No key "
		"is\n"
		"asked for; who reads the copy needs the keys as before. PATH is made, or brought "
		"up\n"
		"to date when an export has made it: documents that are gone go there, too.\n",
	.shorts = "",
	.run = run,
};
