/* SPDX-License-Identifier: MIT */
/* Somebody else writes a file: between two uses of it, or while it is being written here. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/fsx/fsx.h"

enum { TRIES = 100 };

static int
write_whole(const char *path, const struct content *c)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	uint64_t done = 0;
	ssize_t did = 0;

	if (fd < 0)
		return -1;
	while (done < c->size && did >= 0) {
		did = write(fd, c->bytes + done, c->size - done);
		done += did > 0 ? (uint64_t)did : 0;
	}
	if (close(fd))
		did = -1;
	return did < 0 ? -1 : 0;
}

/* ---- by a program: it reads lines, and answers each with one that begins with "ok" */

static FILE *to_program, *from_program;

static void
start_program(const char *path)
{
	int there[2], back[2];
	pid_t child;

	if (pipe(there) || pipe(back))
		fsx_die("pipe");
	child = fork();
	if (child < 0)
		fsx_die("fork");
	if (child == 0) {
		dup2(there[0], 0);
		dup2(back[1], 1);
		close(there[1]);
		close(back[0]);
		execl(path, path, (char *)NULL);
		_exit(127);
	}
	close(there[0]);
	close(back[1]);
	to_program = fdopen(there[1], "w");
	from_program = fdopen(back[0], "r");
	if (to_program == NULL || from_program == NULL)
		fsx_die("%s", path);
	signal(SIGPIPE, SIG_IGN);
}

static int
by_program(struct fsx *x, struct slot *s, const struct content *c)
{
	const char *name = strrchr(s->path, '/') + 1;
	char file[] = "/tmp/fsx-remote-XXXXXX", answer[400];
	int fd = mkstemp(file);

	if (to_program == NULL)
		start_program(x->opt.remote);
	if (fd < 0 || write_whole(file, c))
		fsx_die("%s", file);
	close(fd);
	if (c->absent)
		fprintf(to_program, "delete %s\n", name);
	else
		fprintf(to_program, "put %s %s\n", name, file);
	fflush(to_program);
	if (fgets(answer, sizeof(answer), from_program) == NULL)
		fsx_die("%s has ended", x->opt.remote);
	unlink(file);
	return strncmp(answer, "ok", 2) == 0 ? 0 : -1;
}

/* ---- by the second mount, which may believe in an older version for a moment, and is told so */

static int
by_second_mount(struct slot *s, const struct content *c)
{
	int tries;

	for (tries = 0; tries < TRIES; tries++) {
		if ((c->absent ? unlink(s->check) : write_whole(s->check, c)) == 0)
			return 0;
		verify_pause(20);
	}
	return -1;
}

/* ---- */

/* The file is theirs now. */
static void
changed(struct fsx *x, struct slot *s, const struct content *theirs, bool in_use)
{
	unsigned i;

	handle_leave_behind(s);
	for (i = 0; i < s->n_handles; i++)
		s->handles[i].replaced = s->handles[i].behind;
	content_copy(&s->published, theirs);
	if (in_use) {
		s->overtaken = true;
	} else {
		content_copy(&s->local, theirs);
		verify_arrives(x, s);
	}
}

void
op_remote(struct fsx *x, struct slot *s)
{
	struct content theirs = { .absent = false };
	bool in_use = handle_pick(x, s, handle_shares) != NULL;
	uint64_t n = fsx_length(x, s->max_size);
	int failed;

	if (s->overtaken)
		return;
	if (!in_use && !s->local.absent)
		handle_wait_idle(x, s);
	if (!s->published.absent && fsx_one_in(x, 4)) {
		content_remove(&theirs);
	} else {
		fsx_fill(x, x->scratch, n);
		content_write(&theirs, 0, x->scratch, n);
	}
	fsx_say(x, "somebody else %s %u: %llu bytes%s%s",
		theirs.absent	      ? "deletes"
		: s->published.absent ? "makes"
				      : "replaces",
		s->number, (unsigned long long)theirs.size,
		in_use ? ", while it is in use here" : "", s->dirty ? ", and written" : "");
	x->n.remote++;
	failed = strcmp(x->opt.remote, "mount") == 0 ? by_second_mount(s, &theirs)
						     : by_program(x, s, &theirs);
	if (failed && !x->opt.tolerate)
		fsx_mismatch(x, "the change from elsewhere failed: file %u", s->number);
	if (failed)
		verify_settle(x, s, &theirs, NULL);
	else
		changed(x, s, &theirs, in_use);
	content_free(&theirs);
}
