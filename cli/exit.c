/* SPDX-License-Identifier: MIT */
/* Exit statuses: see exit.h. */
#include "cli/exit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
exit_code_of(int no)
{
	switch (no) {
	case 0:
		return EXIT_DONE;
	case EINVAL:
		return EXIT_USAGE;
	case ENOENT:
		return EXIT_NOT_FOUND;
	case EACCES:
	case ELOOP: /* a file with secrets is a link */
		return EXIT_DENIED;
	case ENOKEY:
		return EXIT_KEY;
	case EBADMSG:
		return EXIT_INTEGRITY;
	case EOPNOTSUPP:
		return EXIT_UNSUPPORTED;
	case ESTALE:
		return EXIT_CHANGED;
	case ETIMEDOUT:
		return EXIT_TIMEOUT;
	case EFBIG:
	case ENOMEM:
		return EXIT_TOO_LARGE;
	case ENODATA:
	case EBUSY:
	case EPERM:
		return EXIT_UNAVAILABLE;
	case EISDIR:
	case ENOTDIR:
	case EEXIST:
		return EXIT_PARTIAL;
	default:
		return EXIT_IO;
	}
}

/* Appends two strings, as far as they fit. */
static void
add(char *text, size_t n, const char *before, const char *value)
{
	const size_t have = strlen(text);

	(void)snprintf(text + have, n - have, "%s%s", before, value);
}

/* What a service's or a vault's people will ask for. */
static void
add_particulars(char *text, size_t n, const struct err *e)
{
	const char *before = " [";

	if (e->no != EINVAL) {
		add(text, n, before, err_name(e->no));
		before = ", ";
	}
	if (e->key[0] != '\0') {
		add(text, n, before, "key ");
		add(text, n, "", e->key);
		before = ", ";
	}
	if (e->request_id[0] != '\0') {
		add(text, n, before, "request ");
		add(text, n, "", e->request_id);
		before = ", ";
	}
	if (before[0] == ',')
		add(text, n, "", "]");
}

void
exit_sentence(const char *what, const struct err *e, char *out, size_t out_n)
{
	(void)snprintf(out, out_n, "%s%s%s", what, what[0] != '\0' ? ": " : "", e->text);
	add_particulars(out, out_n, e);
	if (e->advice != NULL)
		add(out, out_n, "; ", e->advice);
	for (char *p = out; *p != '\0'; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
}

int
exit_report(const char *command, const char *what, const struct err *e)
{
	char sentence[1200];

	exit_sentence(what, e, sentence, sizeof(sentence));
	(void)fflush(stdout);
	(void)fprintf(stderr, "azcryptfs: %s: %s\n", command, sentence);
	return exit_code_of(e->no);
}
