/* SPDX-License-Identifier: MIT */
/* Questions to /proc: see caller.h. */
#include "fs/caller.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"

enum { TEXT_MAX = 4096 };

/* ---- /proc/TID/status ---- */

struct status {
	uint64_t group, pending;
	bool has_memory;
};

enum found { FOUND, NOBODY, CANNOT_LOOK };

/* What the line says that begins with that name. */
static const char *
value_of(const char *line, const char *name)
{
	const size_t n = strlen(name);

	return strncmp(line, name, n) == 0 ? line + n : NULL;
}

static void
take_line(struct status *st, const char *line)
{
	const char *at;

	if ((at = value_of(line, "Tgid:\t")) != NULL)
		st->group = strtoull(at, NULL, 10);
	else if ((at = value_of(line, "SigPnd:\t")) != NULL)
		st->pending = strtoull(at, NULL, 16);
	else if (value_of(line, "VmSize:") != NULL)
		st->has_memory = true;
}

/* Who is in many groups has lines that are longer than a buffer. */
static enum found
read_status(pid_t thread, struct status *st)
{
	char file[64], text[TEXT_MAX];
	bool begins = true;
	FILE *f;

	*st = (struct status){ 0 };
	if (thread <= 0)
		return NOBODY;
	(void)snprintf(file, sizeof(file), "/proc/%ld/status", (long)thread);
	f = fopen(file, "re");
	if (f == NULL)
		return errno == EMFILE || errno == ENFILE || errno == ENOMEM ? CANNOT_LOOK : NOBODY;
	while (fgets(text, sizeof(text), f) != NULL) {
		if (begins)
			take_line(st, text);
		begins = strchr(text, '\n') != NULL;
	}
	(void)fclose(f);
	return st->group != 0 ? FOUND : NOBODY;
}

pid_t
caller_group(pid_t thread)
{
	struct status st;

	return read_status(thread, &st) == FOUND && st.group <= INT_MAX ? (pid_t)st.group : 0;
}

/*
 * A signal that nothing handles kills each thread of the process by a SIGKILL of its own, of which
 * it dies once the kernel lets it.  Who ends gives up its memory before its files.
 */
enum caller_state
caller_state(pid_t thread)
{
	struct status st;
	const enum found found = read_status(thread, &st);

	if (found != FOUND)
		return found == NOBODY ? CALLER_UNKNOWN : CALLER_LIVES;
	if (!st.has_memory)
		return CALLER_ENDING;
	return (st.pending & (UINT64_C(1) << (SIGKILL - 1))) != 0 ? CALLER_KILLED : CALLER_LIVES;
}

/* ---- descriptors ---- */

uint64_t
caller_mount(const char *mountpoint)
{
	struct statx sx;

	/* What the kernel knows: a question to the mount may find nobody to answer it. */
	if (statx(AT_FDCWD, mountpoint, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_MNT_ID, &sx) !=
		    0 ||
	    (sx.stx_mask & STATX_MNT_ID) == 0)
		return 0;
	return sx.stx_mnt_id;
}

/* The digits behind the name that begins a line, or NULL; text holds the file for them. */
static const char *
digits_of(const char *file, const char *name, char text[TEXT_MAX])
{
	const char *at;
	ssize_t n;
	int fd = open(file, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return NULL;
	text[0] = '\n';
	n = read(fd, text + 1, TEXT_MAX - 2);
	(void)close(fd);
	if (n <= 0)
		return NULL;
	text[n + 1] = '\0';
	at = strstr(text, name);
	return at != NULL ? at + strlen(name) : NULL;
}

static bool
has_number(const char *text, const char *name, uint64_t wanted)
{
	const char *at = strstr(text, name);
	uint64_t n;

	if (at == NULL)
		return false;
	at += strlen(name);
	return u64_parse(at, strspn(at, "0123456789"), &n) && n == wanted;
}

/* The last octal digit of the flags is how it was opened.  On doubt it does not write. */
static bool
writes_file(pid_t group, const char *number, uint64_t mount, uint64_t ino)
{
	char file[96], text[TEXT_MAX];
	const char *at;
	size_t n;

	(void)snprintf(file, sizeof(file), "/proc/%ld/fdinfo/%.16s", (long)group, number);
	at = digits_of(file, "\nflags:\t", text);
	n = at != NULL ? strspn(at, "01234567") : 0;
	if (n == 0 || ((at[n - 1] - '0') & O_ACCMODE) == O_RDONLY)
		return false;
	return has_number(text, "\nmnt_id:\t", mount) && has_number(text, "\nino:\t", ino);
}

bool
caller_writes(pid_t group, uint64_t mount, uint64_t ino)
{
	const struct dirent *entry;
	bool found = false;
	char dir[64];
	DIR *fds;

	if (group <= 0 || mount == 0)
		return false;
	(void)snprintf(dir, sizeof(dir), "/proc/%ld/fdinfo", (long)group);
	fds = opendir(dir);
	if (fds == NULL)
		return false;
	while (!found && (entry = readdir(fds)) != NULL)
		found = entry->d_name[0] != '.' && writes_file(group, entry->d_name, mount, ino);
	(void)closedir(fds);
	return found;
}
