/* SPDX-License-Identifier: MIT */
/*
 * azcryptfs feed: the changes of one container of documents, in plain, as lines on standard output.
 *
 * A page goes out whole before the state says so: whenever a run ends, however it does, the next
 * one begins at or before what is missing.  So lines can come twice, and none is ever passed over.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/num.h"
#include "cli/command.h"
#include "cli/exit.h"
#include "cli/feedstate.h"
#include "cli/progress.h"
#include "cli/value.h"
#include "cli/watch.h"
#include "fs/docfeed.h"
#include "fs/valuename.h"

enum {
	INTERVAL_S = 5,
	INTERVAL_MIN_MS = 100,		   /* asking costs request units */
	LOOK_MS = 200,			   /* how often a wait looks whether it is over */
	LINES_MAX = 4 * DOCSTORE_PAGE_MAX, /* control characters, sealed as a byte, print as six */
	PART_MAX = 2 * DOCSTORE_EPK_MAX + 16
};

struct feed {
	struct command_context context;
	struct docfeed_config start;
	char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1];
	char part[PART_MAX]; /* "MIN-MAX" */
	const char *state_path;
	bool follow;
	int64_t interval_ns;
	/* --- of the run --- */
	const struct command_target *t;
	struct docfeed *docs;
	struct feedstate *state; /* NULL: not wanted */
	atomic_bool stopped;
	bool sync; /* standard output is a file, and a state says what is in it */
	struct buf lines;
	uint64_t documents, bytes;
};

/* ---- standard output ---- */

/* Whoever reads has gone: the end of any filter, and the state knows nothing of what it missed. */
static void
end_as_a_filter(void)
{
	(void)signal(SIGPIPE, SIG_DFL);
	(void)raise(SIGPIPE);
}

/* Waits until something can be written; a reader that takes nothing does not keep a stopped run. */
static int
wait_for_room(struct feed *f, struct err *e)
{
	struct pollfd out = { STDOUT_FILENO, POLLOUT, 0 };

	while (poll(&out, 1, LOOK_MS) <= 0)
		if (atomic_load(&f->stopped))
			return err_set(e, ECANCELED, "stopped");
	return 0;
}

/* A pipe that has room takes PIPE_BUF bytes without waiting. */
static int
write_lines(struct feed *f, struct err *e)
{
	const uint8_t *p = f->lines.p;
	size_t n = f->lines.n;
	int r = 0;

	while (r == 0 && n > 0) {
		ssize_t k;

		r = wait_for_room(f, e);
		k = r < 0 ? 0 : write(STDOUT_FILENO, p, f->sync ? n : u64_min(n, PIPE_BUF));
		if (k < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (k < 0 && errno == EPIPE)
			end_as_a_filter();
		if (k < 0)
			r = err_set(e, errno, "standard output: %s", strerrordesc_np(errno));
		p += r < 0 ? 0 : k;
		n -= r < 0 ? 0 : (size_t)k;
	}
	if (r == 0 && f->sync && f->lines.n > 0 && fsync(STDOUT_FILENO) < 0)
		r = err_set(e, errno, "standard output: %s", strerrordesc_np(errno));
	return r;
}

/* ---- pages ---- */

static uint64_t
count_lines(const struct buf *b)
{
	uint64_t n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += b->p[i] == '\n';
	return n;
}

static bool
is_transient(int r)
{
	return r == -ETIMEDOUT || r == -EIO;
}

/* What may be over soon is told of and counts as nothing new, when there is a next time. */
static int
fetch_page(struct feed *f, bool *out_idle, struct err *e)
{
	int r;

	buf_reset(&f->lines);
	r = docfeed_page(f->docs, build_deadline(&f->t->build), &f->lines, out_idle, e);
	if (r == 0 || !f->follow || !is_transient(r) || atomic_load(&f->stopped))
		return r;
	log_err(LOG_LEVEL_WARNING, e, "feed '%s'", f->t->shown);
	err_clear(e);
	buf_reset(&f->lines);
	*out_idle = true;
	return 0;
}

static int
pass_on(struct feed *f, struct err *e)
{
	int r = write_lines(f, e);

	if (r < 0)
		return r;
	f->documents += count_lines(&f->lines);
	f->bytes += f->lines.n;
	if (f->state == NULL || docfeed_cursor(f->docs)[0] == '\0')
		return 0;
	return feedstate_save(f->state, docfeed_rid(f->docs), docfeed_cursor(f->docs), e);
}

/* A reader that goes away meanwhile is not noticed by writing: there may be nothing for long. */
static void
wait_for_changes(struct feed *f)
{
	const struct deadline d = deadline_in(f->interval_ns);

	while (!atomic_load(&f->stopped) && deadline_left_ns(d) > 0) {
		const int64_t left_ms = deadline_left_ns(d) / NS_PER_MS + 1;
		struct pollfd out = { STDOUT_FILENO, 0, 0 };

		if (poll(&out, 1, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS) > 0 &&
		    (out.revents & (POLLERR | POLLHUP)) != 0)
			end_as_a_filter();
	}
}

static int
run_pages(struct feed *f, struct err *e)
{
	for (;;) {
		bool idle = false;
		int r = fetch_page(f, &idle, e);

		if (r == 0)
			r = pass_on(f, e);
		if (r < 0)
			return r;
		if (atomic_load(&f->stopped))
			return err_set(e, ECANCELED, "stopped");
		if (idle && !f->follow)
			return 0;
		if (idle)
			wait_for_changes(f);
	}
}

static int
open_docs(struct feed *f, struct err *e)
{
	f->start.path = buf_str(&f->t->path);
	if (f->state != NULL) {
		f->start.cursor = feedstate_cursor(f->state);
		f->start.rid = feedstate_rid(f->state);
	}
	return docfeed_open(command_target_view(f->t), &f->start, build_deadline(&f->t->build),
			    &f->docs, e);
}

/* ---- the run ---- */

static void
print_summary(const struct feed *f)
{
	char bytes[32];

	if (isatty(STDERR_FILENO) != 1)
		return;
	progress_human((double)f->bytes, bytes, sizeof(bytes));
	(void)fprintf(stderr, "%" PRIu64 " documents, %s, %.1f request units\n", f->documents,
		      bytes, docfeed_charge(f->docs));
}

/* Stopped by a signal: the way in which one that follows ends, and too early for any other. */
static int
status_of(const struct feed *f, int r, const struct err *e)
{
	if (r < 0 && atomic_load(&f->stopped))
		return f->follow ? EXIT_DONE : EXIT_PARTIAL;
	return r < 0 ? exit_report("feed", f->t->shown, e) : EXIT_DONE;
}

static int
run_target(struct feed *f)
{
	struct watch *watch;
	struct err e = { 0 };
	int status, r;

	r = watch_start(&(struct watch_config){ f->context.backend, &f->stopped, NULL, NULL },
			&watch, &e);
	if (r < 0)
		return exit_report("feed", "", &e);
	r = open_docs(f, &e);
	if (r == 0)
		r = run_pages(f, &e);
	watch_end(watch);
	status = status_of(f, r, &e);
	if (f->docs != NULL)
		print_summary(f);
	docfeed_close(f->docs);
	buf_clear(&f->lines);
	return status;
}

static int
run_source(struct feed *f, const char *source)
{
	struct command_target t;
	struct err e = { 0 };
	struct stat st;
	int status;

	watch_block_signals();
	if (f->state_path != NULL && feedstate_open(f->state_path, f->part, &f->state, &e) < 0)
		return exit_report("feed", "", &e);
	f->sync = f->state != NULL && fstat(STDOUT_FILENO, &st) == 0 && S_ISREG(st.st_mode);
	if (command_target_open(&f->context, source, &t, &e) < 0) {
		status = exit_report("feed", t.shown, &e);
	} else {
		f->t = &t;
		status = run_target(f);
		command_target_close(&t);
	}
	feedstate_close(f->state);
	return status;
}

/* ---- the command line ---- */

static int
take_from(struct feed *f, const char *value, struct err *e)
{
	if (strcmp(value, "beginning") == 0)
		f->start.start = DOCSTORE_FROM_BEGINNING;
	else if (strcmp(value, "now") == 0)
		f->start.start = DOCSTORE_FROM_NOW;
	else if (value_time(value, &f->start.start_s))
		f->start.start = DOCSTORE_FROM_TIME;
	else
		return err_set(e, EINVAL,
			       "--from is \"beginning\", \"now\" or a time like "
			       "2026-11-20T00:00:00Z");
	return 0;
}

static int
take_interval(struct feed *f, const char *value, struct err *e)
{
	static const struct option_row seconds = { .name = "interval", .kind = OPTION_SECONDS };
	int r = value_check(&seconds, value, e);

	if (r < 0)
		return err_in(e, "--interval");
	f->interval_ns = value_ns(value);
	if (f->interval_ns < INTERVAL_MIN_MS * NS_PER_MS)
		return err_set(e, EINVAL, "--interval is at least 0.1");
	return 0;
}

/* As parts/ calls it; kept as it is spelled there, so that a state compares. */
static int
take_part(struct feed *f, const char *value, struct err *e)
{
	char name[PART_MAX];
	AUTO_BUF canonical;
	int r;

	buf_init(&canonical, PART_MAX);
	if ((size_t)snprintf(name, sizeof(name), "%s.jsonl", value) >= sizeof(name) ||
	    !valuename_range(name, f->min, f->max)) {
		(void)err_set(e, EINVAL, "--part is MIN-MAX");
		return err_mark(e, NULL, "azcryptfs ls SOURCE/parts shows them (MIN-MAX.jsonl)");
	}
	r = valuename_of_range(f->min, f->max, &canonical, e);
	if (r < 0)
		return r;
	(void)snprintf(f->part, sizeof(f->part), "%.*s", (int)(canonical.n - strlen(".jsonl")),
		       buf_str(&canonical));
	f->start.min = f->min;
	f->start.max = f->max;
	return 0;
}

static int
take(void *arg, int option, const char *value, struct err *e)
{
	struct feed *f = arg;

	switch (option) {
	case 'f':
		f->follow = true;
		return 0;
	case 'B':
		return take_from(f, value, e);
	case 'I':
		return take_interval(f, value, e);
	case 'P':
		return take_part(f, value, e);
	default:
		f->state_path = value;
		return 0;
	}
}

static int
run(const struct command *c, int argc, char **argv)
{
	struct feed f = { .interval_ns = INTERVAL_S * NS_PER_S, .part = "0-FF" };
	struct err e = { 0 };
	int first, status = EXIT_DONE;

	buf_init(&f.lines, LINES_MAX);
	first = command_parse(c, argc, argv, &(struct command_line){ &f.context.options, take, &f },
			      &e);
	if (first > 0 && argc - first != 1)
		first = err_set(&e, EINVAL, "one SOURCE is needed");
	if (first > 0)
		status = run_source(&f, argv[first]);
	else if (e.no != 0)
		status = command_misused(c, &e);
	command_context_clear(&f.context);
	return status;
}

static const struct option longs[] = {
	{ "from", required_argument, NULL, 'B' },     { "follow", no_argument, NULL, 'f' },
	{ "interval", required_argument, NULL, 'I' }, { "state", required_argument, NULL, 'S' },
	{ "part", required_argument, NULL, 'P' },     { 0 },
};

const struct command command_feed = {
	.name = "feed",
	.usage = "[--from WHEN] [--follow] [--state FILE] [-o OPTIONS] SOURCE",
	.summary = "Prints the changes of a container of documents as plain lines",
	.help = "  --from WHEN         beginning, now, or a time: 2026-11-20T00:00:00Z "
		"(beginning)\n"
		"  -f, --follow        go on, until SIGINT or SIGTERM\n"
		"  --interval SECONDS  how long to wait when there is nothing new (5)\n"
		"  --state FILE        remember in FILE what is out; where it is there already,\n"
		"                      it decides where to go on, and --from counts for nothing\n"
		"  --part MIN-MAX      only this part, as in SOURCE/parts\n"
		"A line is the current version of a document that was written since. What was\n"
		"deleted is not shown. After a kill, lines may come twice; none is left out.\n",
	.shorts = "f",
	.longs = longs,
	.run = run,
};
