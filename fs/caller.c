/* SPDX-License-Identifier: MIT */
/* Questions to /proc: see caller.h. */
#include "fs/caller.h"

#include <dirent.h>
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
enum { STAT_FLAGS = 7 };   /* blanks between the name and the flags of a task */
enum { PF_EXITING = 0x4 }; /* one of them; it has had this number since Linux 2.5 */

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

/* The same, of a line of a thread's status. */
static const char *
status_of(pid_t thread, const char *name, char text[TEXT_MAX])
{
	char file[64];

	if (thread <= 0)
		return NULL;
	(void)snprintf(file, sizeof(file), "/proc/%ld/status", (long)thread);
	return digits_of(file, name, text);
}

bool
caller_known(pid_t thread)
{
	char text[TEXT_MAX];

	return status_of(thread, "\nSigPnd:\t", text) != NULL;
}

/*
 * A signal that nothing handles kills each thread of the process by a SIGKILL of its own, of which
 * it dies once the kernel lets it.
 */
bool
caller_killed(pid_t thread)
{
	char text[TEXT_MAX];
	const char *at = status_of(thread, "\nSigPnd:\t", text);

	return at != NULL && (strtoull(at, NULL, 16) & (UINT64_C(1) << (SIGKILL - 1))) != 0;
}

pid_t
caller_group(pid_t thread)
{
	char text[TEXT_MAX];
	const char *at = status_of(thread, "\nTgid:\t", text);
	uint64_t group;

	if (at == NULL)
		return 0;
	return u64_parse(at, strspn(at, "0123456789"), &group) && group <= INT_MAX ? (pid_t)group
										   : 0;
}

/* "PID (name) S ppid pgrp session tty tpgid flags": the name may hold anything, ")" too. */
bool
caller_ending(pid_t thread)
{
	char file[64], text[TEXT_MAX];
	const char *at;
	uint64_t flags;

	if (thread <= 0)
		return false;
	(void)snprintf(file, sizeof(file), "/proc/%ld/stat", (long)thread);
	if (digits_of(file, "(", text) == NULL)
		return false;
	at = strrchr(text, ')');
	for (unsigned i = 0; at != NULL && i < STAT_FLAGS; i++)
		at = strchr(at + 1, ' ');
	return at != NULL && u64_parse(at + 1, strspn(at + 1, "0123456789"), &flags) &&
	       (flags & PF_EXITING) != 0;
}

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
