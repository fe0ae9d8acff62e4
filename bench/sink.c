/* SPDX-License-Identifier: MIT */
/*
 * A blob service that has nothing, and swallows what it is sent as fast as the kernel can throw it
 * away.
 *
 *   sink     listens on a port of the loopback, prints the port, and ends with its standard input
 *
 * PUT is 201, with an ETag; HEAD is 404; GET of /stats is "PUTS BYTES" of bodies so far; any other
 * GET is a listing with nothing in it.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

enum { HEAD_MAX = 64 << 10, PIECE = 4 << 20 };

static _Atomic uint64_t n_puts, n_bytes;

struct peer {
	int fd;
	size_t n; /* bytes in head */
	char head[HEAD_MAX + 1];
};

/* Until the end of a request's head: its length, 0 at the end of the connection. */
static size_t
read_head(struct peer *p)
{
	for (;;) {
		const char *end = memmem(p->head, p->n, "\r\n\r\n", 4);
		ssize_t got;

		if (end)
			return (size_t)(end - p->head) + 4;
		got = p->n < HEAD_MAX ? recv(p->fd, p->head + p->n, HEAD_MAX - p->n, 0) : 0;
		if (got <= 0)
			return 0;
		p->n += (size_t)got;
	}
}

/* What the line of that name says, or NULL.  head ends with a NUL. */
static const char *
header(const char *head, const char *name)
{
	const char *at = strcasestr(head, name);

	return at ? at + strlen(name) : NULL;
}

static bool
swallow(struct peer *p, uint64_t n)
{
	const size_t here = p->n < n ? p->n : (size_t)n;

	memmove(p->head, p->head + here, p->n - here);
	p->n -= here;
	for (n -= here; n > 0;) {
		/* TCP copies nothing then. */
		ssize_t got = recv(p->fd, NULL, n < PIECE ? (size_t)n : PIECE, MSG_TRUNC);

		if (got <= 0)
			return false;
		n -= (uint64_t)got;
	}
	return true;
}

static bool
say(const struct peer *p, const char *text)
{
	const size_t n = strlen(text);

	return send(p->fd, text, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static bool
answer(const struct peer *p, const char *status, const char *body)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "HTTP/1.1 %s\r\nContent-Length: %zu\r\nETag: \"0x%016llX\"\r\n"
		 "Last-Modified: Thu, 26 Nov 2026 15:04:05 GMT\r\nx-ms-version: 2021-12-02\r\n"
		 "x-ms-request-id: 00000000-0000-0000-0000-000000000000\r\n\r\n%s",
		 status, strlen(body), (unsigned long long)atomic_load(&n_puts) + 1, body);
	return say(p, text);
}

static bool
answer_get(const struct peer *p, const char *head)
{
	char stats[64];

	if (strncmp(head, "GET /stats ", 11) != 0)
		return answer(p, "200 OK",
			      "<?xml version=\"1.0\"?><EnumerationResults><Blobs/>"
			      "<NextMarker/></EnumerationResults>");
	snprintf(stats, sizeof(stats), "%llu %llu", (unsigned long long)atomic_load(&n_puts),
		 (unsigned long long)atomic_load(&n_bytes));
	return answer(p, "200 OK", stats);
}

static bool
answer_put(struct peer *p, uint64_t n, bool wait)
{
	if (wait && p->n == 0 && !say(p, "HTTP/1.1 100 Continue\r\n\r\n"))
		return false;
	if (!swallow(p, n))
		return false;
	atomic_fetch_add(&n_puts, 1);
	atomic_fetch_add(&n_bytes, n);
	return answer(p, "201 Created", "");
}

static void *
serve(void *arg)
{
	struct peer *p = arg;
	bool more = true;
	size_t n;

	while (more && (n = read_head(p)) > 0) {
		char head[HEAD_MAX + 1];
		const char *length;

		memcpy(head, p->head, n);
		head[n] = '\0';
		memmove(p->head, p->head + n, p->n - n);
		p->n -= n;
		length = header(head, "\r\nContent-Length:");
		if (strncmp(head, "PUT ", 4) == 0)
			more = answer_put(p, length ? strtoull(length, NULL, 10) : 0,
					  header(head, "\r\nExpect:") != NULL);
		else if (strncmp(head, "GET ", 4) == 0)
			more = answer_get(p, head);
		else
			more = answer(p, "404 The specified blob does not exist.", "");
	}
	close(p->fd);
	free(p);
	return NULL;
}

static void *
accept_all(void *arg)
{
	const int listener = *(int *)arg, yes = 1;

	for (;;) {
		struct peer *p = calloc(1, sizeof(*p));
		pthread_t thread;

		if (!p)
			die("no memory");
		p->fd = accept(listener, NULL, NULL);
		if (p->fd < 0)
			die("accept");
		setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		if (pthread_create(&thread, NULL, serve, p))
			die("cannot start a thread");
		pthread_detach(thread);
	}
	return NULL;
}

int
main(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	pthread_t thread;
	char byte;

	signal(SIGPIPE, SIG_IGN);
	if (listener < 0 || bind(listener, (struct sockaddr *)&at, n) || listen(listener, 64) ||
	    getsockname(listener, (struct sockaddr *)&at, &n))
		die("cannot listen");
	printf("%d\n", ntohs(at.sin_port));
	fflush(stdout);
	if (pthread_create(&thread, NULL, accept_all, &listener))
		die("cannot start a thread");
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	return 0;
}
