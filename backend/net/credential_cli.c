/* SPDX-License-Identifier: MIT */
/*
 * The credential "cli": asks the Azure CLI of the user who mounts.  It is
 * started without a shell, in /bin (so that no planted module is picked up), in a process group
 * of its own that is killed when it takes too long.  Source: docs/FORMATS.md, "Entra tokens".
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "backend/net/client.h"
#include "backend/net/credential.h"
#include "base/num.h"

extern char **environ;

static const int64_t timeout_ns = 10 * NS_PER_S;

/* Whatever the program writes to its two outputs, each bounded. */
struct child {
	pid_t pid;
	int fd[2]; /* read ends of standard output and error; -1 when at their end */
	struct buf text[2];
};

static void
child_close(struct child *c)
{
	for (int i = 0; i < 2; i++) {
		if (c->fd[i] >= 0)
			(void)close(c->fd[i]);
		c->fd[i] = -1;
		buf_clear(&c->text[i]);
	}
}

static bool
is_argument(const char *s)
{
	return s[0] != '\0' && s[0] != '-' &&
	       s[strspn(s,
			"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._:/-")] ==
		       '\0';
}

/* Our environment and one variable more; the strings are shared.  NULL when memory is short. */
static char **
child_environ(void)
{
	static char no_color[] = "AZURE_CORE_NO_COLOR=true";
	size_t n = 0;
	char **out;

	while (environ[n] != NULL)
		n++;
	out = calloc(n + 2, sizeof(*out));
	if (out == NULL)
		return NULL;
	memcpy(out, environ, n * sizeof(*out));
	out[n] = no_color;
	return out;
}

static int
set_up(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr, const int out[2])
{
	sigset_t none, all;
	int r = 0;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	r |= posix_spawn_file_actions_addopen(actions, 0, "/dev/null", O_RDONLY, 0);
	r |= posix_spawn_file_actions_adddup2(actions, out[0], 1);
	r |= posix_spawn_file_actions_adddup2(actions, out[1], 2);
	r |= posix_spawn_file_actions_addchdir_np(actions, "/bin");
	r |= posix_spawn_file_actions_addclosefrom_np(actions, 3);
	r |= posix_spawnattr_setsigmask(attr, &none);
	r |= posix_spawnattr_setsigdefault(attr, &all);
	r |= posix_spawnattr_setpgroup(attr, 0);
	r |= posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
						    POSIX_SPAWN_SETPGROUP);
	return r;
}

/* Starts argv with its outputs going to the write ends out.  Positive errno. */
static int
spawn(char *const argv[], const int out[2], pid_t *pid)
{
	char **env = child_environ();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	int r;

	if (env == NULL)
		return ENOMEM;
	(void)posix_spawn_file_actions_init(&actions);
	(void)posix_spawnattr_init(&attr);
	r = set_up(&actions, &attr, out) != 0
		    ? ENOMEM
		    : posix_spawnp(pid, argv[0], &actions, &attr, argv, env);
	(void)posix_spawn_file_actions_destroy(&actions);
	(void)posix_spawnattr_destroy(&attr);
	free(env);
	return r;
}

static int
start(struct child *c, char *const argv[], struct err *e)
{
	int out[2] = { -1, -1 }, r = 0;

	for (int i = 0; i < 2 && r == 0; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) != 0) {
			r = errno;
			break;
		}
		c->fd[i] = ends[0];
		out[i] = ends[1];
	}
	if (r == 0)
		r = spawn(argv, out, &c->pid);
	for (int i = 0; i < 2; i++)
		if (out[i] >= 0)
			(void)close(out[i]);
	if (r == ENOENT)
		return err_set(e, ENXIO, "the Azure CLI (az) is not installed");
	return r == 0 ? 0
		      : err_set(e, ENXIO, "the Azure CLI cannot be started: %s",
				strerrordesc_np(r));
}

/*
 * One read; false when that output has ended.  What is over the ceiling is dropped: it cannot be
 * an answer.
 */
static bool
drain(int fd, struct buf *text)
{
	struct err full = { 0 };
	char piece[4096];
	ssize_t n = read(fd, piece, sizeof(piece));
	bool more = n > 0 || (n < 0 && errno == EINTR);

	if (n > 0 && buf_add(text, piece, (size_t)n, &full) < 0)
		more = false;
	explicit_bzero(piece, sizeof(piece));
	return more;
}

/* Reads both outputs to their ends; false when the time is over. */
static bool
collect(struct child *c, const struct http_client *client, struct deadline d)
{
	while (c->fd[0] >= 0 || c->fd[1] >= 0) {
		struct pollfd p[2] = { { .fd = c->fd[0], .events = POLLIN },
				       { .fd = c->fd[1], .events = POLLIN } };
		int64_t left = deadline_left_ns(d) / NS_PER_MS;

		if (left == 0 || client_stopping(client))
			return false;
		if (poll(p, 2, left < 100 ? (int)left : 100) < 0 && errno != EINTR)
			return false;
		for (int i = 0; i < 2; i++)
			if (p[i].revents != 0 && !drain(c->fd[i], &c->text[i])) {
				(void)close(c->fd[i]);
				c->fd[i] = -1;
			}
	}
	return true;
}

/*
 * Waits for the child's end; past the deadline it and what it started are killed, and false is
 * returned.
 */
static bool
reap(pid_t pid, struct deadline d, int *status)
{
	*status = 0;
	for (;;) {
		pid_t got = waitpid(pid, status, WNOHANG);

		if (got == pid || (got < 0 && errno != EINTR))
			return true;
		if (deadline_left_ns(d) == 0)
			break;
		clock_sleep_ns(10 * NS_PER_MS);
	}
	(void)kill(-pid, SIGKILL);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return false;
}

/*
 * "2026-11-23 10:00:00.000000" in local time without a zone, as older versions write it; -1 when
 * unreadable.
 */
static int64_t
local_time(const char *text)
{
	struct tm t = { .tm_isdst = -1 };
	const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &t);

	return end == NULL || (*end != '\0' && *end != '.') ? -1 : (int64_t)mktime(&t);
}

static int64_t
lifetime(const json_t *j)
{
	const json_t *on = json_object_get(j, "expires_on");
	const char *local = json_string_value(json_object_get(j, "expiresOn"));
	int64_t at = -1;
	uint64_t n;

	if (json_is_integer(on))
		at = json_integer_value(on);
	else if (json_is_string(on) && u64_parse_str(json_string_value(on), &n) && n < INT64_MAX)
		at = (int64_t)n;
	else if (local != NULL)
		at = local_time(local);
	if (at < 0 || at - clock_wall_s() > 366 * INT64_C(86400))
		return -1;
	return at - clock_wall_s();
}

static int
parse(const struct buf *text, struct token_answer *out, struct err *e)
{
	json_t *j = json_loadb(buf_str(text), text->n, 0, NULL);
	const char *token = json_string_value(json_object_get(j, "accessToken"));
	struct token_answer a = { .lifetime_s = lifetime(j) };
	int r;

	if (token == NULL || a.lifetime_s <= 0) {
		(void)err_set(e, EACCES, "Azure CLI: the answer holds no valid token");
		r = err_mark(e, "auth.entra", "run az login");
	} else {
		r = token_answer_take("Azure CLI", token, &a.token, e);
	}
	json_decref(j);
	if (r == 0)
		*out = a;
	return r;
}

static int
judge(const struct credential_request *rq, const struct child *c, int status,
      struct token_answer *out, struct err *e)
{
	const char *said = buf_str(&c->text[1]);
	const uint64_t code = token_answer_aadsts(said);

	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return parse(&c->text[0], out, e);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return err_set(e, ENXIO, "the Azure CLI (az) is not installed");
	if (code != 0) {
		*rq->aadsts = code;
		return err_set(e, ENXIO, "the Azure CLI failed: AADSTS%llu",
			       (unsigned long long)code);
	}
	if (strstr(said, "az login") != NULL || strstr(said, "not logged in") != NULL)
		return err_set(e, ENXIO, "nobody is logged in to the Azure CLI");
	return err_set(e, ENXIO, "the Azure CLI failed");
}

int
credential_cli(const struct credential_request *rq, struct token_answer *out, struct err *e)
{
	const char *tenant = rq->env->tenant;
	const char *argv[] = {
		"az",	"account",    "get-access-token", "--output",
		"json", "--resource", rq->resource,	  tenant != NULL ? "--tenant" : NULL,
		tenant, NULL
	};
	struct child CLEANUP(child_close) c = { .pid = -1, .fd = { -1, -1 } };
	struct deadline d = deadline_in(timeout_ns);
	bool in_time;
	int r, status;

	if (!is_argument(rq->resource) || (tenant != NULL && !is_argument(tenant)))
		return err_set(e, EINVAL,
			       "the resource or tenant cannot be passed to the Azure CLI");
	for (int i = 0; i < 2; i++)
		buf_init(&c.text[i], TOKEN_ANSWER_MAX);
	r = start(&c, (char *const *)(uintptr_t)argv, e);
	if (r < 0)
		return r;
	if (rq->d.at_ns != 0 && rq->d.at_ns < d.at_ns)
		d = rq->d;
	in_time = collect(&c, rq->client, d);
	if (!reap(c.pid, in_time ? d : deadline_in(0), &status))
		return err_set(e, ENXIO, "the Azure CLI took too long");
	return judge(rq, &c, status, out, e);
}
