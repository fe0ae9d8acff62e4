/* SPDX-License-Identifier: MIT */
/* What all commands share: their list, their command lines, and one opened SOURCE/path. */
#ifndef CLI_COMMAND_H
#define CLI_COMMAND_H

#include <getopt.h>
#include <stdbool.h>

#include "base/buf.h"
#include "cli/build.h"
#include "cli/options.h"
#include "cli/settings.h"

enum { COMMAND_PATH_MAX = 32 << 10 };

struct command {
	const char *name;
	const char *usage;	    /* behind the name: "[-l] SOURCE[/PATH]..." */
	const char *summary;	    /* one line for the list */
	const char *help;	    /* lines about its own options, "" when it has none */
	const char *shorts;	    /* getopt's, without -o and -h */
	const struct option *longs; /* getopt's, without --help, ended by zeros; NULL = none */
	int (*run)(const struct command *c, int argc, char **argv); /* returns the exit status */
};

/* In the order in which help lists them; ended by a NULL name. */
extern const struct command *const commands[];
extern const struct command command_mount, command_ls, command_cat, command_get, command_put,
	command_stat, command_feed, command_export, command_version, command_help;

/*
 * Goes through the command line: -o and the environment into o, -h prints the help, everything
 * else to take (returns 0, or -EINVAL with err_set). Returns the index of the first word that is
 * no option (words are moved to the end), -1 when help was printed, or -EINVAL.
 */
struct command_line {
	struct options *options;
	int (*take)(void *arg, int option, const char *value,
		    struct err *e); /* NULL: the command has no options */
	void *arg;
};
int command_parse(const struct command *c, int argc, char **argv, const struct command_line *to,
		  struct err *e) MUST_CHECK;

/*
 * Prints why the command line is wrong, and the usage.  Returns EXIT_USAGE or what the failure
 * asks for.
 */
int command_misused(const struct command *c, const struct err *e);
void command_print_help(const struct command *c);

/* What a command has for all its targets; zeroed at the start. */
struct command_context {
	struct options options;
	struct backend *backend; /* made with the first target */
};
void command_context_clear(struct command_context *c);

/* One SOURCE/path, opened. */
struct command_target {
	char shown[512]; /* as the user wrote it, without secrets */
	char *source;
	struct settings settings;
	struct build build;
	struct buf path; /* in the view */
};

/*
 * Opens the log (stderr unless options say otherwise) and the source.  After a failure only
 * out->shown is good.
 */
int command_target_open(struct command_context *c, const char *text, struct command_target *out,
			struct err *e) MUST_CHECK;
void command_target_close(struct command_target *t);
struct view *command_target_view(const struct command_target *t);

/*
 * For commands that do the same for each word: `one` for every word from argv[first] on.  The
 * status of all: EXIT_DONE, the one that all failures share, or EXIT_PARTIAL.
 */
int command_for_each(int argc, char **argv, int first, int (*one)(void *arg, const char *word),
		     void *arg);

/* The last component of a path in a view; the path itself when it has only one. */
const char *command_leaf(const char *path);

/* "dir/name", "name" in the root; the caller frees.  NULL when there is no memory. */
char *command_join(const char *dir, const char *name);

/* "2026-11-20T12:00:00Z" */
enum { COMMAND_TIME_MAX = 32 };
void command_time(int64_t ns, char out[COMMAND_TIME_MAX]);

/*
 * Whether the target's path, which is not the root, is a directory.  -ENOENT when there is nothing.
 */
int command_is_dir(const struct command_target *t, bool *out, struct err *e) MUST_CHECK;

/* Every item of a directory, page by page. */
int command_list(const struct command_target *t, const char *dir, struct view_sink sink,
		 struct err *e) MUST_CHECK;

#endif
