/* SPDX-License-Identifier: MIT */
/*
 * The program: finds the command and hands over.  Everything else is in the files named after the
 * commands.
 */
#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "cli/command.h"
#include "cli/exit.h"

const struct command *const commands[] = {
	&command_mount,	  &command_ls,	 &command_cat,	&command_get,
	&command_put,	  &command_stat, &command_feed, &command_export,
	&command_version, &command_help, NULL,
};

static const struct command *
find(const char *name)
{
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	for (const struct command *const *c = commands; *c != NULL; c++)
		if (strcmp((*c)->name, name) == 0)
			return *c;
	return NULL;
}

static int
misused(const char *why, const char *word)
{
	(void)fprintf(stderr,
		      "azcryptfs: %s%.60s\nusage: azcryptfs COMMAND [ARGUMENT]...; azcryptfs help "
		      "lists the commands\n",
		      why, word);
	return EXIT_USAGE;
}

/*
 * As /sbin/mount.azcryptfs, which mount(8) calls: SOURCE DIR [-sfnvN] [-o OPTIONS] [-t TYPE].  -f
 * is its dry run, not ours.
 */
static int
run_as_helper(int argc, char **argv)
{
	char *line[] = { (char *)(uintptr_t) "mount", NULL, NULL,
			 (char *)(uintptr_t) "-o",    NULL, NULL };
	bool dry = false;
	int found, n = 3;

	opterr = 0;
	while ((found = getopt(argc, argv, "sfnvN:o:t:")) != -1) {
		if (found == '?')
			return misused("unknown option of mount(8)", "");
		dry |= found == 'f';
		if (found == 'o')
			line[4] = optarg;
	}
	if (argc - optind != 2)
		return misused("SOURCE and DIR are needed", "");
	line[1] = argv[optind];
	line[2] = argv[optind + 1];
	if (line[4] != NULL)
		n = 5;
	else
		line[3] = NULL;
	return dry ? EXIT_DONE : command_mount.run(&command_mount, n, line);
}

static bool
is_helper(const char *name)
{
	const char *slash = strrchr(name, '/');

	return strcmp(slash != NULL ? slash + 1 : name, "mount.azcryptfs") == 0;
}

/*
 * Few arenas and a fixed threshold for large blocks: what a page of a listing
 * needed goes back to the kernel, and memory= means what it says.
 */
static void
tame_malloc(void)
{
	(void)mallopt(M_ARENA_MAX, 4);
	(void)mallopt(M_MMAP_THRESHOLD, 256 << 10);
	(void)mallopt(M_TRIM_THRESHOLD, 2 << 20);
}

/* What was printed counts only when it has arrived. */
static int
finish(int status)
{
	struct err e = { 0 };

	if (fflush(stdout) == 0 && ferror(stdout) == 0)
		return status;
	if (errno == EPIPE) {
		(void)signal(SIGPIPE, SIG_DFL);
		(void)raise(SIGPIPE);
	}
	(void)err_set(&e, errno != 0 ? errno : EIO, "%s",
		      strerrordesc_np(errno != 0 ? errno : EIO));
	return status != EXIT_DONE ? status : exit_report("standard output", "", &e);
}

int
main(int argc, char **argv)
{
	const struct command *c;

	secret_harden_process();
	tame_malloc();
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN); /* a staging file at its limit is ENOSPC, not the end */
	if (argc > 0 && is_helper(argv[0]))
		return finish(run_as_helper(argc, argv));
	if (argc < 2)
		return misused("no command given", "");
	c = find(argv[1]);
	if (c == NULL)
		return misused("unknown command ", argv[1]);
	return finish(c->run(c, argc - 1, argv + 1));
}
