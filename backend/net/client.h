/* SPDX-License-Identifier: MIT */
/* The inside of an HTTP client: its settings and its connections.  Private to this directory. */
#ifndef BACKEND_NET_CLIENT_H
#define BACKEND_NET_CLIENT_H

#include <curl/curl.h>
#include <pthread.h>
#include <stdatomic.h>

#include "backend/net/http.h"
#include "backend/net/url.h"

/*
 * A connection: one easy handle in a multi handle of its own, so that its
 * socket stays with it between calls and a poll on it can be woken.  Owned
 * exclusively by one call between take and put.
 */
struct conn {
	CURLM *multi;
	CURL *easy;
	char *origin; /* "https://host:port", with " direct" when no proxy may be used */
	int64_t idle_since_ns;
	struct conn *next, *prev; /* in one of the two lists of its client */
};

struct http_client {
	char *ca_file, *proxy;
	bool proxy_from_env;
	char **allow_http; /* NULL-terminated; NULL = loopback only */
	int64_t connect_timeout_ns, stall_timeout_ns;
	atomic_bool stopped;
	atomic_uint_least64_t requests;
	pthread_mutex_t lock;	  /* rank 7; guards the lists below */
	struct conn *idle, *busy; /* idle: the one used last comes first */
	unsigned n_idle;
};

/*
 * Once in a process: libcurl and jansson get memory that is wiped when freed; no TLS key log;
 * SIGPIPE ignored.  -EIO.
 */
int net_global_init(struct err *e) MUST_CHECK;

/* Sleeps, awake often enough to notice a stop (-ECANCELED). */
int client_pause(struct http_client *c, int64_t ns, struct err *e) MUST_CHECK;
/* Whether http_client_stop or clock_stop was called. */
bool client_stopping(const struct http_client *c);

/* The warmest idle connection to that origin, or a fresh one. */
int conn_take(struct http_client *c, const char *origin, struct conn **out,
	      struct err *e) MUST_CHECK;
/* keep false: something is odd about it, close it. */
void conn_put(struct http_client *c, struct conn *conn, bool keep);
/* Interrupts the polls of all that are in use. */
void conn_wake_all(struct http_client *c);
void conn_free_idle(struct http_client *c);

#endif
