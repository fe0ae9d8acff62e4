/* SPDX-License-Identifier: MIT */
/* How the program ends: exit statuses, and the one sentence that goes with a failure. */
#ifndef CLI_EXIT_H
#define CLI_EXIT_H

#include <stddef.h>

#include "base/err.h"

/* Stable: docs/ERRORS.md, "Exit codes", says the same. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_PARTIAL =
		1, /* some of several files failed, or something that has no number of its own */
	EXIT_USAGE = 2,	       /* command line, options, configuration */
	EXIT_NOT_FOUND = 3,    /* container, file, or a local file that an option names */
	EXIT_DENIED = 4,       /* refused by the service, by the vault, or by an option's rule */
	EXIT_KEY = 5,	       /* key missing or disabled */
	EXIT_INTEGRITY = 6,    /* sealed data is damaged or was tampered with */
	EXIT_UNSUPPORTED = 7,  /* a version or algorithm that this program does not know */
	EXIT_CHANGED = 8,      /* replaced by somebody while it was read */
	EXIT_TIMEOUT = 9,      /* timeout= is used up */
	EXIT_IO = 10,	       /* network, disk, anything else outside */
	EXIT_MOUNT = 11,       /* the mount itself is impossible: no FUSE, not a directory, busy */
	EXIT_TOO_LARGE = 12,   /* over max_region= or memory= */
	EXIT_UNAVAILABLE = 13, /* archived, leased, immutable; a file that another run uses */
	EXIT_LOST = 75,	       /* a mount ended with files that were written and not published */
};

/* The exit status for a failure's errno; no 0 gives EXIT_DONE. */
int exit_code_of(int no);

/*
 * "what: why [ERRNO, key ..., request ...]; advice", control characters replaced, cut to fit.
 * EINVAL goes without saying.
 */
void exit_sentence(const char *what, const struct err *e, char *out, size_t out_n);

/*
 * Prints "azcryptfs: COMMAND: " and the sentence on stderr, as one line.  Returns the exit status
 * for it.
 */
int exit_report(const char *command, const char *what, const struct err *e);

#endif
