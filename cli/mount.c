/* SPDX-License-Identifier: MIT */
/*
 * azcryptfs mount: in the foreground with -f, else as a daemon.
 *
 * The command forks at once and the child does everything: threads, sockets and keys would not
 * survive a later fork.  The parent waits at a pipe.  The child writes one status byte and,
 * unless that is EXIT_DONE, one sentence; the parent repeats it and exits with that status.
 */
#include "fs/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/source.h"
#include "cli/value.h"
#include "fs/staging.h"

struct mounting {
	struct options options;
	bool foreground;
	const char *file; /* of -c */
	const char *source, *dir;
	struct settings settings;
	struct backend *backend;
	struct build build;
	char *mountpoint;
	char fsname[512];
	unsigned lost; /* files */
	int report_fd; /* the parent's pipe; -1 in the foreground and once it was told */
};

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct mounting *m = arg;

	if (option == 'f')
		m->foreground = true;
	else if (m->file != NULL)
		return err_set(e, EINVAL, "more than one -c");
	else
		m->file = value;
	return 0;
}

/* ---- the child's words to the parent ---- */

static void
tell_parent(struct mounting *m, int status, const char *sentence)
{
	const char byte = (char)status;

	if (m->report_fd < 0)
		return;
	if (write(m->report_fd, &byte, 1) == 1 && sentence[0] != '\0' &&
	    write(m->report_fd, sentence, strlen(sentence)) < 0)
		status = EXIT_IO; /* the parent is gone: nobody wants to know */
	(void)close(m->report_fd);
	m->report_fd = -1;
}

/*
 * Nothing of the shell that started us may hang on to us: its terminal, its pipes, its directory.
 */
static void
leave_terminal(const struct mounting *m)
{
	const bool keep_stderr = m->settings.log != NULL && strcmp(m->settings.log, "stderr") == 0;
	const int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)setsid();
	if (chdir("/") < 0 || null < 0)
		return;
	(void)dup2(null, STDIN_FILENO);
	(void)dup2(null, STDOUT_FILENO);
	if (!keep_stderr)
		(void)dup2(null, STDERR_FILENO);
	(void)close(null);
}

static void
on_ready(void *arg)
{
	struct mounting *m = arg;

	log_event(LOG_LEVEL_INFO, "mount.ready", "%s on %s", m->fsname, m->mountpoint);
	if (m->foreground)
		return;
	leave_terminal(m);
	tell_parent(m, EXIT_DONE, "");
}

static void
on_stop(void *arg)
{
	clock_stop();
	backend_stop(((struct mounting *)arg)->backend);
}

/* ---- the mount itself ---- */

/* A failure of the mount as such has a status of its own; a failure before it keeps its own. */
static int
serve(struct mounting *m, struct mount_view *views, struct staging_area *staging, bool *mounted,
      struct err *e)
{
	const struct settings *s = &m->settings;
	const struct mount_config cfg = {
		.mountpoint = m->mountpoint,
		.fsname = m->fsname,
		.views = views,
		.n_views = m->build.n_views,
		.engine = m->build.engine,
		.foreground = m->foreground,
		.staging = staging,
		.term_wait_ns = s->term_wait_ns,
		.allow_other = s->allow_other,
		.has_uid = s->has_uid,
		.has_gid = s->has_gid,
		.uid = s->uid,
		.gid = s->gid,
		.umask = s->umask,
		.attr_timeout_ns = s->attr_timeout_ns,
		.negative_timeout_ns = s->negative_timeout_ns,
		.ready = on_ready,
		.ready_arg = m,
		.stop = on_stop,
		.stop_arg = m,
	};
	struct mount *mount;
	int r = mount_open(&cfg, &mount, e);

	if (r < 0)
		return r;
	*mounted = true;
	r = mount_run(mount, e);
	m->lost = mount_lost(mount);
	mount_close(mount);
	return r;
}

static int
serve_views(struct mounting *m, bool *mounted, struct err *e)
{
	struct mount_view *views = calloc(m->build.n_views, sizeof(*views));
	struct staging_area *staging = NULL;
	int r = 0;

	if (views == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (unsigned i = 0; i < m->build.n_views; i++)
		views[i] = (struct mount_view){ m->settings.sources[i].path, m->build.views[i] };
	if (m->settings.rw)
		r = staging_area_new(engine_budget(m->build.engine), m->settings.staging, &staging,
				     e);
	if (r == 0)
		r = serve(m, views, staging, mounted, e);
	staging_area_free(staging);
	free(views);
	return r;
}

/*
 * In the foreground, and once the parent has gone home, the log is what is left; it may be stderr
 * itself.
 */
static int
finish(struct mounting *m, int status, const char *what, const struct err *e)
{
	const bool logs_to_stderr = m->foreground && (m->settings.log == NULL ||
						      strcmp(m->settings.log, "stderr") == 0);
	char sentence[1200];

	if (m->report_fd < 0 && !logs_to_stderr)
		log_err(LOG_LEVEL_ERROR, e, "%s", what);
	if (m->foreground)
		(void)exit_report("mount", what, e);
	exit_sentence(what, e, sentence, sizeof(sentence));
	tell_parent(m, status, sentence);
	return status;
}

static int
open_log(const struct mounting *m, struct err *e)
{
	const char *fallback = m->foreground ? "stderr" : "syslog";

	return log_open(m->settings.log != NULL ? m->settings.log : fallback, m->settings.log_level,
			e);
}

/* What the sources say, before anything is mounted. */
static int
open_all(struct mounting *m, struct err *e)
{
	int r = open_log(m, e);

	if (r == 0)
		r = backend_new(&m->backend, e);
	if (r == 0)
		r = build_open(m->backend, &m->settings, true, &m->build, e);
	if (r == 0 && !secret_locked())
		log_event(LOG_LEVEL_WARNING, "local.unlocked_keys",
			  "keys could not be locked into memory; raise ulimit -l");
	return r;
}

/* Everything that the daemon does in its life; returns its exit status. */
static int
live(struct mounting *m)
{
	struct err e = { 0 };
	bool mounted = false;
	int status;

	if (open_all(m, &e) < 0) {
		status = finish(m, exit_code_of(e.no), m->fsname, &e);
	} else if (serve_views(m, &mounted, &e) < 0) {
		status = finish(m, mounted ? exit_code_of(e.no) : EXIT_MOUNT, m->mountpoint, &e);
	} else {
		log_event(LOG_LEVEL_INFO, "mount.ended", "%s on %s", m->fsname, m->mountpoint);
		status = m->lost > 0 ? EXIT_LOST : EXIT_DONE;
	}
	build_close(&m->build);
	if (m->backend != NULL)
		backend_free(m->backend);
	return status;
}

/* ---- the parent ---- */

static pid_t child_pid;

static void
pass_on(int signal_number)
{
	const int saved = errno;

	(void)kill(child_pid, signal_number);
	errno = saved;
}

/* What ends the parent while it waits ends the child; the child then says so, and both are gone. */
static void
catch_signals(void)
{
	const struct sigaction action = { .sa_handler = pass_on, .sa_flags = SA_RESTART };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
}

/* The child ended without a word. */
static int
explain_end(void)
{
	int how = 0;

	if (waitpid(child_pid, &how, 0) == child_pid && WIFSIGNALED(how))
		(void)fprintf(stderr, "azcryptfs: mount: ended by signal %d (%s)\n", WTERMSIG(how),
			      sigdescr_np(WTERMSIG(how)));
	else
		(void)fprintf(stderr, "azcryptfs: mount: ended before the mount answered\n");
	return EXIT_MOUNT;
}

static int
await(int fd)
{
	char text[1400];
	size_t n = 0;
	ssize_t k;

	while (n < sizeof(text) - 1 && (k = read(fd, text + n, sizeof(text) - 1 - n)) != 0) {
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			break;
		n += (size_t)k;
	}
	(void)close(fd);
	if (n == 0)
		return explain_end();
	text[n] = '\0';
	if (text[0] != EXIT_DONE)
		(void)fprintf(stderr, "azcryptfs: mount: %s\n", text + 1);
	return text[0];
}

static int
run_in_background(struct mounting *m)
{
	struct err e = { 0 };
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0) {
		(void)err_set(&e, errno, "pipe: %s", strerrordesc_np(errno));
		return exit_report("mount", "", &e);
	}
	(void)fflush(NULL);
	child_pid = fork();
	if (child_pid < 0) {
		(void)err_set(&e, errno, "fork: %s", strerrordesc_np(errno));
		return exit_report("mount", "", &e);
	}
	if (child_pid == 0) {
		(void)close(fds[0]);
		m->report_fd = fds[1];
		return live(m);
	}
	(void)close(fds[1]);
	catch_signals();
	return await(fds[0]);
}

/* ---- the command line ---- */

static int
take_words(struct mounting *m, int n, char **words, struct err *e)
{
	const int wanted = m->file != NULL ? 1 : 2;

	if (n != wanted)
		return err_set(e, EINVAL, "%s",
			       m->file != NULL ? "with -c FILE there is one word left: DIR"
			       : n < wanted    ? "SOURCE and DIR are needed"
					       : "more than SOURCE and DIR");
	m->source = m->file != NULL ? NULL : words[0];
	m->dir = words[n - 1];
	return 0;
}

/* A relative dir: source is kept absolute: the daemon leaves this directory. */
static int
absolute_source(struct mounting *m, char **kept, struct err *e)
{
	if (m->source == NULL || strncmp(m->source, "dir:", 4) != 0)
		return 0;
	if (value_absolute(m->source + 4, "dir:", NULL, kept, e) < 0)
		return -e->no;
	m->source = *kept;
	return 0;
}

static int
find_mountpoint(struct mounting *m, struct err *e)
{
	struct stat st;

	/* Whoever owns the link could send the mount elsewhere. */
	if (lstat(m->dir, &st) == 0 && S_ISLNK(st.st_mode))
		return err_set(e, EINVAL, "%.200s is a symbolic link; name the directory itself",
			       m->dir);
	m->mountpoint = realpath(m->dir, NULL);
	if (m->mountpoint != NULL)
		return 0;
	err_set(e, errno, "%.200s: %s", m->dir, strerrordesc_np(errno));
	return err_mark(e, NULL,
			e->no == ENOTCONN ? "a mount has died there: fusermount3 -u DIR" : NULL);
}

/* Ready to mount: EXIT_DONE, or the status of what was reported. */
static int
prepare(struct mounting *m, char **kept)
{
	struct err e = { 0 };
	int r = absolute_source(m, kept, &e);

	if (r == 0 && m->file != NULL)
		r = options_add_file(&m->options, m->file, &e);
	if (r == 0)
		r = settings_make(&m->options, m->source, budget_cgroup_max(), &m->settings, &e);
	if (r < 0)
		return exit_report("mount", "", &e);
	source_shown(m->source != NULL ? m->source : m->file, m->fsname, sizeof(m->fsname));
	if (find_mountpoint(m, &e) < 0) {
		(void)exit_report("mount", "", &e);
		return EXIT_MOUNT;
	}
	return EXIT_DONE;
}

static int
start(struct mounting *m)
{
	char *kept = NULL;
	int status = prepare(m, &kept);

	if (status == EXIT_DONE)
		status = m->foreground ? live(m) : run_in_background(m);
	settings_clear(&m->settings);
	free(m->mountpoint);
	free(kept);
	return status;
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct mounting m = { .report_fd = -1 };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	options_init(&m.options);
	first = command_parse(c, argc, argv, &(struct command_line){ &m.options, take, &m }, &e);
	if (first > 0 && take_words(&m, argc - first, argv + first, &e) < 0)
		first = -EINVAL;
	if (first > 0)
		status = start(&m);
	else if (e.no != 0)
		status = command_misused(c, &e);
	options_clear(&m.options);
	return status;
}

const struct command command_mount = {
	.name = "mount",
	.usage = "[-f] [-o OPTIONS] SOURCE DIR | mount [-f] [-o OPTIONS] -c FILE DIR",
	.summary = "Mounts a source, or the sections of a file, on a directory",
	.help = "  -f        stay in the foreground, log to stderr\n"
		"  -c FILE   one [section] for each source: its path in the mount, and source=\n"
		"Unmount with fusermount3 -u DIR, or end the process with SIGTERM.\n",
	.shorts = "fc:",
	.run = run,
};
