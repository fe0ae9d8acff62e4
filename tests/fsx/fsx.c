/* SPDX-License-Identifier: MIT */
/*
 * fsx [OPTION]... DIRECTORY
 *
 * Works at random on some files of a directory, and stops at the first byte, size, name or success
 * that differs from what a model in memory has.
 *
 *	--seed N, --ops N	the same numbers, the same operations (default 1, 10000)
 *	--files N, --max-size N	so many names (8), so large at most (9 MiB; most are smaller)
 *	--threads N		so many do that at once, each with names of its own; they also read
 *each other's.  No progress for a minute is a mismatch too
 *	--check DIR		a second mount of the same store: it must show what was published
 *	--check-wait MS		... at the latest so long after it (3000)
 *	--check-every N		... looked at after one of N publishes (8)
 *	--reopen-every N	a file is opened anew and read after one of N publishes (2)
 *	--tolerate-errors	operations may fail; what is there then must be one of the states
 *that the error permits: the last published one, or the one that was to become so
 *	--remote-change PROGRAM	reads "put NAME FILE" and "delete NAME", line by line, does that
 *elsewhere and answers "ok"; "mount": the second mount does it
 *	--remote-every N	... at one of N operations (500)
 *	--log N			so many operations are told of at a mismatch (60)
 *	--plant FAULT, --plant-at N	proves the tester: from operation N on a byte is flipped
 *(flip), or a truncate, append or rename is not done, now and then
 *
 * Exit status: 0 all agrees; 1 a mismatch; 2 it could not be run.
 */
#include <errno.h>
#include <getopt.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "tests/fsx/fsx.h"

enum { THREADS_MAX = 64, STUCK_S = 60 };

static uint64_t
number(const char *text)
{
	char *end;
	uint64_t n;

	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0')
		fsx_die("not a number: %s", text);
	return n;
}

static enum plant
plant_of(const char *name)
{
	static const char *const names[] = { "none", "flip", "truncate", "append", "rename" };
	unsigned i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(name, names[i]) == 0)
			return (enum plant)i;
	errno = 0;
	fsx_die("no such fault: %s", name);
}

static const struct option long_options[] = {
	{ "seed", required_argument, NULL, 's' },
	{ "ops", required_argument, NULL, 'n' },
	{ "files", required_argument, NULL, 'f' },
	{ "threads", required_argument, NULL, 'T' },
	{ "max-size", required_argument, NULL, 'm' },
	{ "check", required_argument, NULL, 'c' },
	{ "check-wait", required_argument, NULL, 'w' },
	{ "check-every", required_argument, NULL, 'e' },
	{ "reopen-every", required_argument, NULL, 'r' },
	{ "tolerate-errors", no_argument, NULL, 't' },
	{ "remote-change", required_argument, NULL, 'R' },
	{ "remote-every", required_argument, NULL, 'E' },
	{ "log", required_argument, NULL, 'l' },
	{ "plant", required_argument, NULL, 'p' },
	{ "plant-at", required_argument, NULL, 'P' },
	{ NULL, 0, NULL, 0 },
};

static void
set_option(struct options *o, int c)
{
	switch (c) {
	case 's':
		o->seed = number(optarg);
		break;
	case 'n':
		o->ops = number(optarg);
		break;
	case 'f':
		o->files = (unsigned)number(optarg);
		break;
	case 'T':
		o->threads = (unsigned)number(optarg);
		break;
	case 'm':
		o->max_size = number(optarg);
		break;
	case 'c':
		o->check = optarg;
		break;
	case 'w':
		o->check_wait_ms = number(optarg);
		break;
	case 'e':
		o->check_every = (unsigned)number(optarg);
		break;
	case 'r':
		o->reopen_every = (unsigned)number(optarg);
		break;
	case 't':
		o->tolerate = true;
		break;
	case 'R':
		o->remote = optarg;
		break;
	case 'E':
		o->remote_every = (unsigned)number(optarg);
		break;
	case 'l':
		o->log = (unsigned)number(optarg);
		break;
	case 'p':
		o->plant = plant_of(optarg);
		break;
	case 'P':
		o->plant_at = number(optarg);
		break;
	default:
		exit(2);
	}
}

static void
read_options(struct options *o, int argc, char **argv)
{
	int c;

	while ((c = getopt_long(argc, argv, "", long_options, NULL)) != -1)
		set_option(o, c);
	errno = 0;
	if (optind + 1 != argc)
		fsx_die("one directory, please");
	if (o->files < 1 || o->files > SLOTS_MAX || o->log < 1 || o->max_size < 4096)
		fsx_die("1 to %d files, of at least 4096 bytes, and a log", SLOTS_MAX);
	if (o->threads < 1 || o->threads > THREADS_MAX)
		fsx_die("1 to %d threads", THREADS_MAX);
	if (o->threads > 1 && o->remote != NULL)
		fsx_die("nobody else writes what threads do");
	if (o->remote != NULL && strcmp(o->remote, "mount") == 0 && o->check == NULL)
		fsx_die("--remote-change mount needs --check");
	o->dir = argv[optind];
}

/* Half of the files are small, so that a publish is cheap; some are as large as they may. */
static uint64_t
largest(const struct options *o, unsigned i)
{
	static const uint64_t most[] = { 9000, 70000, 600000, UINT64_MAX };
	uint64_t size = most[i % 4];

	return size < o->max_size ? size : o->max_size;
}

static void
prepare(struct fsx *x)
{
	struct statfs fs;
	unsigned i;

	x->dice = x->opt.seed + x->thread;
	x->scratch = malloc(x->opt.max_size + 8192);
	x->log = calloc(x->opt.log, sizeof(*x->log));
	if (x->scratch == NULL || x->log == NULL)
		fsx_die("no memory");
	if (statfs(x->opt.dir, &fs))
		fsx_die("%s", x->opt.dir);
	x->mounted = fs.f_type == FUSE_SUPER_MAGIC;
	for (i = 0; i < x->opt.files; i++) {
		struct slot *s = &x->slots[i];

		s->number = x->thread * x->opt.files + i;
		s->max_size = largest(&x->opt, i);
		s->local.absent = s->published.absent = true;
		snprintf(s->path, sizeof(s->path), "%s/fsx-%u", x->opt.dir, s->number);
		if (x->opt.check != NULL)
			snprintf(s->check, sizeof(s->check), "%s/fsx-%u", x->opt.check, s->number);
	}
}

/* All is closed, and looked at from both sides. */
static void
finish(struct fsx *x)
{
	unsigned i;

	for (i = 0; i < x->opt.files; i++) {
		struct slot *s = &x->slots[i];

		fsx_say(x, "at the end, file %u", s->number);
		handle_close_every(x, s);
		verify_reopen(x, s);
		if (x->opt.check != NULL)
			verify_check(x, s);
		content_free(&s->local);
		content_free(&s->published);
	}
	free(x->scratch);
	free(x->log);
}

static void *
work(void *arg)
{
	struct fsx *x = arg;

	prepare(x);
	while (x->n.ops < x->opt.ops) {
		struct slot *s = &x->slots[fsx_below(x, x->opt.files)];

		if (x->opt.remote != NULL && fsx_one_in(x, x->opt.remote_every))
			op_remote(x, s);
		else if (x->opt.threads > 1 && fsx_one_in(x, 20))
			op_peek(x);
		else
			op_any(x, s);
		x->n.ops++;
	}
	finish(x);
	return NULL;
}

static void
tell(const char *name, const struct fsx *all, unsigned n_threads, size_t at)
{
	uint64_t one, sum = 0;
	unsigned i;

	for (i = 0; i < n_threads; i++) {
		memcpy(&one, (const char *)&all[i].n + at, sizeof(one));
		sum += one;
	}
	printf(" %s %llu", name, (unsigned long long)sum);
}

static void
report(const struct fsx *all, unsigned n_threads)
{
#define TELL(what) tell(#what, all, n_threads, offsetof(struct counts, what))
	TELL(ops), TELL(reads), TELL(writes), TELL(truncates), TELL(maps), TELL(opens);
	TELL(publishes), TELL(renames), TELL(unlinks), TELL(checks), TELL(reopens), TELL(pinned);
	TELL(behind), TELL(stale), TELL(peeks), TELL(remote), TELL(lost), TELL(errors);
	TELL(settled);
#undef TELL
	printf(" mismatches 0\n");
}

/* Ends the program when none of them gets on. */
static void
watch(const struct fsx *all, unsigned n_threads, const pthread_t *threads)
{
	uint64_t now, last = 0;
	unsigned i, quiet = 0, ended = 0;

	while (ended < n_threads && quiet < STUCK_S) {
		verify_pause(1000);
		for (now = 0, i = 0; i < n_threads; i++)
			now += *(const volatile uint64_t *)&all[i].n.ops + all[i].n.reopens;
		quiet = now == last ? quiet + 1 : 0;
		last = now;
		while (ended < n_threads && pthread_tryjoin_np(threads[ended], NULL) == 0)
			ended++;
	}
	if (ended == n_threads)
		return;
	for (i = 0; i < n_threads; i++)
		fprintf(stderr, "thread %u, operation %llu: %s\n", i,
			(unsigned long long)all[i].n.ops,
			all[i].log[all[i].n.ops % all[i].opt.log]);
	fprintf(stderr, "fsx: MISMATCH: nothing has got on for %d seconds\n", STUCK_S);
	_exit(1);
}

int
main(int argc, char **argv)
{
	struct options o = { .seed = 1,
			     .ops = 10000,
			     .max_size = 9 << 20,
			     .check_wait_ms = 3000,
			     .files = 8,
			     .threads = 1,
			     .log = 60,
			     .check_every = 8,
			     .reopen_every = 2,
			     .remote_every = 500 };
	pthread_t threads[THREADS_MAX];
	struct fsx *all;
	unsigned i;

	read_options(&o, argc, argv);
	all = calloc(o.threads, sizeof(*all));
	if (all == NULL)
		fsx_die("no memory");
	for (i = 0; i < o.threads; i++) {
		all[i].opt = o;
		all[i].thread = i;
		errno = pthread_create(&threads[i], NULL, work, &all[i]);
		if (errno != 0)
			fsx_die("a thread");
	}
	watch(all, o.threads, threads);
	report(all, o.threads);
	free(all);
	return 0;
}
