/* SPDX-License-Identifier: MIT */
/* A scripted HTTP peer: see peer.h. */
#include "tests/support/peer.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 512, REQUESTS_MAX = 4096, REQUEST_MAX = 1 << 20 };

struct link {
	struct peer *peer;
	int fd;
	SSL *ssl;
	pthread_t thread;
	bool waiting; /* for a request */
};

struct peer {
	struct peer_config cfg;
	SSL_CTX *ctx;
	int fd;
	char url[64];
	pthread_t thread;
	atomic_bool ending;
	pthread_mutex_t lock; /* guards what follows */
	struct link *links[CONNECTIONS_MAX];
	unsigned n_links;
	char *requests[REQUESTS_MAX];
	unsigned n_requests;
};

static ssize_t
link_read(struct link *l, char *to, size_t n)
{
	return l->ssl != NULL ? SSL_read(l->ssl, to, (int)n) : recv(l->fd, to, n, 0);
}

static bool
link_write(struct link *l, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t did = l->ssl != NULL ? SSL_write(l->ssl, bytes, (int)n)
					     : send(l->fd, bytes, n, MSG_NOSIGNAL);

		if (did <= 0)
			return false;
		bytes += did;
		n -= (size_t)did;
	}
	return true;
}

/* Bytes that the request's body has, by its headers. */
static size_t
body_length(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");

	return at == NULL ? 0 : (size_t)strtoul(at + 17, NULL, 10);
}

/* One whole request; NULL at the end of the connection. */
static char *
read_request(struct link *l)
{
	char *text = calloc(1, REQUEST_MAX), *end;
	size_t n = 0, need = 0;

	while (text != NULL && (need == 0 || n < need) && n < REQUEST_MAX - 1) {
		ssize_t got = link_read(l, text + n, REQUEST_MAX - 1 - n);

		if (got <= 0) {
			free(text);
			return NULL;
		}
		n += (size_t)got;
		end = strstr(text, "\r\n\r\n");
		if (need == 0 && end != NULL)
			need = (size_t)(end + 4 - text) + body_length(text);
	}
	return text;
}

/* Notes a request; the reply for it. */
static const struct peer_reply *
take_request(struct peer *p, char *text)
{
	unsigned i;

	pthread_mutex_lock(&p->lock);
	i = p->n_requests;
	if (i == REQUESTS_MAX)
		abort();
	p->requests[p->n_requests++] = text;
	pthread_mutex_unlock(&p->lock);
	return &p->cfg.script[i < p->cfg.n_script ? i : p->cfg.n_script - 1];
}

static void
pause_ms(struct peer *p, unsigned ms)
{
	for (unsigned i = 0; i < ms && !atomic_load(&p->ending); i += 5)
		(void)usleep(5000);
}

/* Sends a reply; false when the connection is over with it. */
static bool
answer(struct link *l, const struct peer_reply *r)
{
	const struct linger reset = { 1, 0 };

	pause_ms(l->peer, r->wait_ms);
	if (!link_write(l, r->text, r->n != 0 ? r->n : strlen(r->text)))
		return false;
	switch (r->end) {
	case PEER_KEEP:
		return true;
	case PEER_RESET:
		(void)setsockopt(l->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		return false;
	case PEER_STALL:
		while (!atomic_load(&l->peer->ending))
			(void)usleep(5000);
		return false;
	case PEER_REPEAT:
		while (!atomic_load(&l->peer->ending) &&
		       link_write(l, r->repeat, strlen(r->repeat)))
			;
		return false;
	default:
		return false;
	}
}

static bool
serve_one(struct link *l)
{
	char *text;

	pthread_mutex_lock(&l->peer->lock);
	l->waiting = true;
	pthread_mutex_unlock(&l->peer->lock);
	text = read_request(l);
	pthread_mutex_lock(&l->peer->lock);
	l->waiting = false;
	pthread_mutex_unlock(&l->peer->lock);
	return text != NULL && answer(l, take_request(l->peer, text));
}

static void *
serve(void *arg)
{
	struct link *l = arg;
	bool ready = true;

	if (l->peer->ctx != NULL) {
		l->ssl = SSL_new(l->peer->ctx);
		(void)SSL_set_fd(l->ssl, l->fd);
		ready = SSL_accept(l->ssl) == 1;
	}
	while (ready && serve_one(l))
		;
	if (l->ssl != NULL)
		(void)SSL_shutdown(l->ssl);
	pthread_mutex_lock(&l->peer->lock);
	(void)close(l->fd);
	l->fd = -1;
	pthread_mutex_unlock(&l->peer->lock);
	return NULL;
}

static void *
accept_all(void *arg)
{
	struct peer *p = arg;

	for (;;) {
		int fd = accept(p->fd, NULL, NULL);
		struct link *l;

		if (fd < 0 || atomic_load(&p->ending)) {
			if (fd >= 0)
				(void)close(fd);
			return NULL;
		}
		l = calloc(1, sizeof(*l));
		if (l == NULL || p->n_links == CONNECTIONS_MAX)
			abort();
		l->peer = p;
		l->fd = fd;
		pthread_mutex_lock(&p->lock);
		p->links[p->n_links++] = l;
		if (pthread_create(&l->thread, NULL, serve, l) != 0)
			abort();
		pthread_mutex_unlock(&p->lock);
	}
}

struct peer *
peer_start(const struct peer_config *cfg)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct peer *p = calloc(1, sizeof(*p));
	socklen_t n = sizeof(at);

	if (p == NULL)
		abort();
	(void)signal(SIGPIPE, SIG_IGN); /* SSL_write has no flag for it */
	p->cfg = *cfg;
	p->ctx = cfg->tls ? testcert_server(cfg->cert) : NULL;
	(void)pthread_mutex_init(&p->lock, NULL);
	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&at, sizeof(at)) != 0 ||
	    listen(p->fd, 256) != 0 || getsockname(p->fd, (struct sockaddr *)&at, &n) != 0)
		abort();
	(void)snprintf(p->url, sizeof(p->url), "%s://127.0.0.1:%u", cfg->tls ? "https" : "http",
		       (unsigned)ntohs(at.sin_port));
	if (pthread_create(&p->thread, NULL, accept_all, p) != 0)
		abort();
	return p;
}

void
peer_stop(struct peer *p)
{
	atomic_store(&p->ending, true);
	(void)shutdown(p->fd, SHUT_RDWR);
	(void)pthread_join(p->thread, NULL);
	(void)close(p->fd);
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->n_links; i++)
		if (p->links[i]->fd >= 0)
			(void)shutdown(p->links[i]->fd, SHUT_RDWR);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->n_links; i++) {
		(void)pthread_join(p->links[i]->thread, NULL);
		SSL_free(p->links[i]->ssl);
		free(p->links[i]);
	}
	for (unsigned i = 0; i < p->n_requests; i++)
		free(p->requests[i]);
	SSL_CTX_free(p->ctx);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
}

const char *
peer_url(const struct peer *p)
{
	return p->url;
}

unsigned
peer_connections(struct peer *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->n_links;
	pthread_mutex_unlock(&p->lock);
	return n;
}

unsigned
peer_requests(struct peer *p)
{
	unsigned n;

	pthread_mutex_lock(&p->lock);
	n = p->n_requests;
	pthread_mutex_unlock(&p->lock);
	return n;
}

const char *
peer_request(struct peer *p, unsigned i)
{
	const char *text;

	pthread_mutex_lock(&p->lock);
	text = i < p->n_requests ? p->requests[i] : NULL;
	pthread_mutex_unlock(&p->lock);
	return text;
}

void
peer_drop_idle(struct peer *p)
{
	const struct linger reset = { 1, 0 };

	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->n_links; i++)
		if (p->links[i]->fd >= 0 && p->links[i]->waiting) {
			(void)setsockopt(p->links[i]->fd, SOL_SOCKET, SO_LINGER, &reset,
					 sizeof(reset));
			(void)shutdown(p->links[i]->fd, SHUT_RDWR);
		}
	pthread_mutex_unlock(&p->lock);
}
