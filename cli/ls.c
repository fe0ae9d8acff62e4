/* SPDX-License-Identifier: MIT */
/* azcryptfs ls: names, with -l sizes and times.  Asks no vault: sizes come from the listing. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/exit.h"

struct ls {
	struct command_context context;
	bool with_details, recursive;
	const struct command_target *t; /* the one that is listed now */
	const char *dir;		/* of what is listed now; "" at its top */
	char **pending; /* directories that are still to be listed (paths in the view) */
	size_t n_pending, next_pending;
	const char *top; /* path in the view that the user named */
};

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct ls *ls = arg;

	(void)value;
	(void)e;
	ls->with_details |= option == 'l';
	ls->recursive |= option == 'R';
	return 0;
}

static void
print_details(const struct view_item *item)
{
	char when[COMMAND_TIME_MAX] = "-", size[32] = "-";

	if (!item->dir) {
		command_time(item->mtime_ns, when);
		(void)snprintf(size, sizeof(size), "%s%" PRIu64,
			       item->exact ? "" : "<=", item->size);
	}
	(void)printf("%14s  %20s  ", size, when);
}

/* With -R names are relative to what the user named. */
static void
print_item(const struct ls *ls, const struct view_item *item)
{
	const char *below = ls->dir + strlen(ls->top);

	below += below[0] == '/';
	if (ls->with_details)
		print_details(item);
	(void)printf("%s%s%s%s\n", below, below[0] != '\0' ? "/" : "", item->name,
		     item->dir ? "/" : "");
}

static int
push(struct ls *ls, const char *name, struct err *e)
{
	char **more = reallocarray(ls->pending, ls->n_pending + 1, sizeof(*more)); /* not secret */
	char *path = command_join(ls->dir, name);

	if (more != NULL)
		ls->pending = more;
	if (more == NULL || path == NULL) {
		free(path);
		return err_set(e, ENOMEM, "out of memory");
	}
	ls->pending[ls->n_pending++] = path;
	return 0;
}

static int
see_item(void *arg, const struct view_item *item, struct err *e)
{
	struct ls *ls = arg;

	print_item(ls, item);
	return item->dir && ls->recursive ? push(ls, item->name, e) : 0;
}

/*
 * The directory and, with -R, all below it, level by level.  A directory below that answers to
 * names only (the values of a sealed property) has been shown itself.
 */
static int
list_all(struct ls *ls, struct err *e)
{
	const struct view_sink sink = { see_item, ls };
	int r;

	ls->dir = ls->top;
	r = command_list(ls->t, ls->top, sink, e);
	while (r == 0 && ls->next_pending < ls->n_pending) {
		ls->dir = ls->pending[ls->next_pending++];
		r = command_list(ls->t, ls->dir, sink, e);
		if (r == -EOPNOTSUPP) {
			err_clear(e);
			r = 0;
		}
	}
	while (ls->n_pending > 0)
		free(ls->pending[--ls->n_pending]);
	free(ls->pending);
	ls->pending = NULL;
	ls->next_pending = 0;
	return r;
}

struct kind {
	const struct ls *ls;
	bool dir;
};

/* A file is shown at once, under its own name. */
static int
see_named(void *arg, const struct view_item *item, struct err *e)
{
	struct kind *k = arg;
	struct view_item file = *item;

	(void)e;
	k->dir = item->dir;
	if (item->dir)
		return 0;
	file.name = command_leaf(buf_str(&k->ls->t->path));
	print_item(k->ls, &file);
	return 0;
}

static int
list_target(struct ls *ls, struct err *e)
{
	struct kind k = { .ls = ls, .dir = true };
	int r = 0;

	ls->top = ls->dir = "";
	if (ls->t->path.n > 0)
		r = view_lookup(command_target_view(ls->t), buf_str(&ls->t->path),
				(struct view_sink){ see_named, &k }, build_deadline(&ls->t->build),
				e);
	ls->top = buf_str(&ls->t->path);
	return r == 0 && k.dir ? list_all(ls, e) : r;
}

static int
ls_one(void *arg, const char *text)
{
	struct ls *ls = arg;
	struct command_target t;
	struct err e = { 0 };
	int r = command_target_open(&ls->context, text, &t, &e);

	if (r == 0) {
		ls->t = &t;
		r = list_target(ls, &e);
		command_target_close(&t);
	}
	return r < 0 ? exit_report("ls", t.shown, &e) : EXIT_DONE;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct ls ls = { 0 };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	first = command_parse(c, argc, argv,
			      &(struct command_line){ &ls.context.options, take, &ls }, &e);
	if (first == argc)
		first = err_set(&e, EINVAL, "no SOURCE given");
	if (first > 0)
		status = command_for_each(argc, argv, first, ls_one, &ls);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&ls.context);
	return status;
}

static const struct option longs[] = {
	{ "long", no_argument, NULL, 'l' },
	{ "recursive", no_argument, NULL, 'R' },
	{ 0 },
};

const struct command command_ls = {
	.name = "ls",
	.usage = "[-lR] [-o OPTIONS] SOURCE[/PATH]...",
	.summary = "Lists the plain files of a source, without keys",
	.help = "  -l, --long        plain size (<= where only a bound is known), time and name\n"
		"  -R, --recursive   everything below, too\n",
	.shorts = "lR",
	.longs = longs,
	.run = run,
};
