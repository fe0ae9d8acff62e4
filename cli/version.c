/* SPDX-License-Identifier: MIT */
/* azcryptfs version and azcryptfs help. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "cli/exit.h"

#ifndef AZCRYPTFS_VERSION
#define AZCRYPTFS_VERSION "0"
#endif

static int
run_version(const struct command *c, int argc, char **argv)
{
	(void)c;
	(void)argc;
	(void)argv;
	(void)printf("azcryptfs %s\n", AZCRYPTFS_VERSION);
	return EXIT_DONE;
}

static void
print_overview(void)
{
	(void)printf("azcryptfs shows client-side-encrypted Azure blobs and documents as plain "
		     "files.\n\n");
	for (const struct command *const *c = commands; *c != NULL; c++)
		(void)printf("  %-8s %s\n", (*c)->name, (*c)->summary);
	(void)printf(
		"\nSOURCE  https://ACCOUNT.blob.core.windows.net[/CONTAINER[/PREFIX]]\n"
		"        https://ACCOUNT.documents.azure.com[/DATABASE[/CONTAINER]]\n"
		"        blob:URL, cosmos:URL   any other host: http://127.0.0.1:10000/ACCOUNT\n"
		"        dir:PATH               sealed files or documents in a local directory\n"
		"OPTIONS -o name[=value],...; the same names in a file (mount -c FILE DIR)\n"
		"        and as environment variables AZCRYPTFS_NAME\n\n"
		"azcryptfs help COMMAND | help options | help exit; man azcryptfs has it all.\n");
}

static void
print_options(void)
{
	for (unsigned i = 0; i < OPTIONS_N; i++) {
		const struct option_row *row = &options_table[i];
		char shown[64];

		(void)snprintf(shown, sizeof(shown), "%s%s%s", row->name,
			       row->value != NULL ? "=" : "", row->value != NULL ? row->value : "");
		(void)printf("  %-27s %s\n", shown, row->help);
	}
}

static void
print_exit_codes(void)
{
	static const struct {
		enum exit_code code;
		const char *what;
	} rows[] = {
		{ EXIT_DONE, "done" },
		{ EXIT_PARTIAL, "failed in part, or for a reason without a number of its own" },
		{ EXIT_USAGE, "wrong command line, option or configuration" },
		{ EXIT_NOT_FOUND, "no such container, file, or local file that an option names" },
		{ EXIT_DENIED, "refused by the service, the vault, or an option's rule" },
		{ EXIT_KEY, "a key is missing or disabled" },
		{ EXIT_INTEGRITY, "sealed data is damaged or was tampered with" },
		{ EXIT_UNSUPPORTED, "unknown version or algorithm" },
		{ EXIT_CHANGED, "replaced by somebody while it was read" },
		{ EXIT_TIMEOUT, "the deadline (timeout=) passed" },
		{ EXIT_IO, "network, disk or other I/O" },
		{ EXIT_MOUNT, "the mount itself is impossible" },
		{ EXIT_TOO_LARGE, "over max_region= or memory=" },
		{ EXIT_UNAVAILABLE, "archived, leased or immutable; a file that another run uses" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		(void)printf("  %2d  %s\n", (int)rows[i].code, rows[i].what);
}

static int
run_help(const struct command *c, int argc, char **argv)
{
	struct err e = { 0 };

	if (argc < 2) {
		print_overview();
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "options") == 0) {
		print_options();
		return EXIT_DONE;
	}
	if (strcmp(argv[1], "exit") == 0) {
		print_exit_codes();
		return EXIT_DONE;
	}
	for (const struct command *const *p = commands; *p != NULL; p++)
		if (strcmp((*p)->name, argv[1]) == 0) {
			command_print_help(*p);
			return EXIT_DONE;
		}
	(void)err_set(&e, EINVAL, "no command \"%.60s\"", argv[1]);
	return command_misused(c, &e);
}

const struct command command_version = {
	.name = "version",
	.usage = "",
	.summary = "Prints the version",
	.help = "",
	.shorts = "",
	.run = run_version,
};

const struct command command_help = {
	.name = "help",
	.usage = "[COMMAND | options | exit]",
	.summary = "Explains a command, all options, or the exit statuses",
	.help = "",
	.shorts = "",
	.run = run_help,
};
