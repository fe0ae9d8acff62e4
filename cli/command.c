/* SPDX-License-Identifier: MIT */
/* What all commands share: see command.h. */
#include "cli/command.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/exit.h"
#include "cli/source.h"

enum { LONGS_MAX = 16 };

/* The command's long options and --help. */
static void
long_options(const struct command *c, struct option out[LONGS_MAX])
{
	static const struct option help = { "help", no_argument, NULL, 'h' };
	unsigned n = 0;

	for (const struct option *p = c->longs; p != NULL && p->name != NULL && n < LONGS_MAX - 2;
	     p++)
		out[n++] = *p;
	out[n++] = help;
	out[n] = (struct option){ 0 };
}

static int
bad_option(int found, char **argv, struct err *e)
{
	const char *const word = argv[optind - 1];

	if (optopt == 0 || strncmp(word, "--", 2) == 0)
		return err_set(e, EINVAL, "%s \"%.60s\"",
			       found == ':' ? "no value for" : "unknown option", word);
	return err_set(e, EINVAL, "%s -%c", found == ':' ? "no value for" : "unknown option",
		       optopt);
}

int
command_parse(const struct command *c, int argc, char **argv, const struct command_line *to,
	      struct err *e)
{
	struct option longs[LONGS_MAX];
	char shorts[32];
	int found, r = options_add_environment(to->options, environ, e);

	long_options(c, longs);
	(void)snprintf(shorts, sizeof(shorts), ":ho:%s", c->shorts);
	opterr = 0;
	optind = 0;
	while (r == 0 && (found = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (found == 'h') {
			command_print_help(c);
			return -1;
		}
		if (found == 'o')
			r = options_add_line(to->options, optarg, e);
		else if (found == '?' || found == ':')
			r = bad_option(found, argv, e);
		else
			r = to->take(to->arg, found, optarg, e);
	}
	return r < 0 ? -EINVAL : optind;
}

int
command_misused(const struct command *c, const struct err *e)
{
	const int status = exit_report(c->name, "", e);

	(void)fprintf(stderr, "usage: azcryptfs %s %s\n", c->name, c->usage);
	return status;
}

void
command_print_help(const struct command *c)
{
	(void)printf("usage: azcryptfs %s %s\n\n%s.\n%s", c->name, c->usage, c->summary, c->help);
}

void
command_context_clear(struct command_context *c)
{
	if (c->backend != NULL)
		backend_free(c->backend);
	options_clear(&c->options);
	c->backend = NULL;
}

static int
build_target(struct command_context *c, const char *source, struct command_target *t, struct err *e)
{
	int r = settings_make(&c->options, source, budget_cgroup_max(), &t->settings, e);

	if (r == 0)
		r = build_open(c->backend, &t->settings, false, &t->build, e);
	if (r < 0)
		settings_clear(&t->settings);
	return r;
}

/*
 * A SAS that is good for one blob opens nothing but that blob: the source is then what the user
 * wrote, and the path what a source of one file shows.  Tried when the container is refused;
 * other causes keep their own error.
 */
static int
build_single(struct command_context *c, const char *text, struct command_target *t, struct err *e)
{
	struct err again = { 0 };
	char *leaf;
	int r;

	if (t->path.n == 0 || strncmp(text, "dir:", 4) == 0 || build_target(c, text, t, &again) < 0)
		return -e->no;
	err_clear(e);
	leaf = strdup(command_leaf(buf_str(&t->path)));
	buf_reset(&t->path);
	if (leaf == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = buf_add_str(&t->path, leaf, e);
	free(leaf);
	return r;
}

static int
open_log(const struct options *o, struct err *e)
{
	const struct option_values *log = options_find(o, NULL, OPT_LOG),
				   *level = options_find(o, NULL, OPT_LOG_LEVEL);
	enum log_level parsed = LOG_LEVEL_WARNING;

	if (level != NULL && log_level_parse(level->text[0], &parsed, e) < 0)
		return -e->no;
	return log_open(log != NULL ? log->text[0] : "stderr", parsed, e);
}

static int
target_open(struct command_context *c, const char *text, struct command_target *t, struct err *e)
{
	int r = source_split(text, &t->source, &t->path, e);

	if (r == 0)
		r = open_log(&c->options, e);
	if (r == 0 && c->backend == NULL)
		r = backend_new(&c->backend, e);
	if (r == 0)
		r = build_target(c, t->source, t, e);
	return r == -EINVAL ? build_single(c, text, t, e) : r;
}

int
command_target_open(struct command_context *c, const char *text, struct command_target *out,
		    struct err *e)
{
	int r;

	*out = (struct command_target){ 0 };
	source_shown(text, out->shown, sizeof(out->shown));
	buf_init(&out->path, COMMAND_PATH_MAX);
	r = target_open(c, text, out, e);
	if (r < 0)
		command_target_close(out);
	return r;
}

void
command_target_close(struct command_target *t)
{
	build_close(&t->build);
	settings_clear(&t->settings);
	buf_clear(&t->path);
	free(t->source);
	t->source = NULL;
}

struct view *
command_target_view(const struct command_target *t)
{
	return t->build.views[0];
}

int
command_for_each(int argc, char **argv, int first, int (*one)(void *arg, const char *word),
		 void *arg)
{
	int status = EXIT_DONE;

	for (int i = first; i < argc; i++) {
		const int r = one(arg, argv[i]);

		if (r != EXIT_DONE && i > first && r != status)
			status = EXIT_PARTIAL;
		else if (r != EXIT_DONE)
			status = r;
		else if (status != EXIT_DONE)
			status = EXIT_PARTIAL;
	}
	return status;
}

const char *
command_leaf(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

char *
command_join(const char *dir, const char *name)
{
	char *path;

	if (asprintf(&path, "%s%s%s", dir, dir[0] != '\0' ? "/" : "", name) < 0)
		return NULL;
	return path;
}

void
command_time(int64_t ns, char out[COMMAND_TIME_MAX])
{
	const time_t seconds = (time_t)(ns / NS_PER_S);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(out, COMMAND_TIME_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		(void)snprintf(out, COMMAND_TIME_MAX, "-");
}

static int
see_kind(void *arg, const struct view_item *item, struct err *e)
{
	(void)e;
	*(bool *)arg = item->dir;
	return 0;
}

int
command_is_dir(const struct command_target *t, bool *out, struct err *e)
{
	return view_lookup(command_target_view(t), buf_str(&t->path),
			   (struct view_sink){ see_kind, out }, build_deadline(&t->build), e);
}

int
command_list(const struct command_target *t, const char *dir, struct view_sink sink, struct err *e)
{
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, VIEW_CURSOR_MAX);
	do
		r = view_list(command_target_view(t), dir, &cursor, sink, build_deadline(&t->build),
			      e);
	while (r == 0 && cursor.n > 0);
	return r;
}
