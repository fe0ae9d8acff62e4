/* SPDX-License-Identifier: MIT */
/*
 * What the tests of this directory share: a clock that only moves when somebody sleeps, and
 * one-line calls.
 */
#ifndef TESTS_UNIT_NET_CALLS_H
#define TESTS_UNIT_NET_CALLS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/net/http.h"
#include "base/clock.h"
#include "tests/support/peer.h"

/* 2026-11-20 00:00:00 UTC */
enum { FAKE_WALL_S = 1795132800, FAKE_START_S = 1000 };

__attribute__((unused)) static atomic_int_least64_t fake_ns;

/* How far somebody has moved the wall clock. */
__attribute__((unused)) static int64_t wall_shift_s;

static inline int64_t
fake_now(void)
{
	return atomic_load(&fake_ns);
}

static inline int64_t
fake_wall(void)
{
	return FAKE_WALL_S + atomic_load(&fake_ns) / NS_PER_S - FAKE_START_S + wall_shift_s;
}

static inline void
fake_sleep(int64_t ns)
{
	atomic_fetch_add(&fake_ns, ns);
}

static inline int
use_fake_clock(void **state)
{
	static const struct clock_ops ops = { fake_now, fake_wall, fake_sleep };

	(void)state;
	atomic_store(&fake_ns, FAKE_START_S * NS_PER_S);
	clock_replace(&ops);
	return 0;
}

static inline int
use_real_clock(void **state)
{
	(void)state;
	clock_replace(NULL);
	return 0;
}

static inline struct http_client *
client_of(const struct http_config *cfg)
{
	struct http_client *c = NULL;
	struct err e = { 0 };

	if (http_client_new(cfg, &c, &e) != 0)
		fail_msg("no client: %s", e.text);
	return c;
}

static inline struct http_client *
plain_client(void)
{
	const struct http_config cfg = { .stall_timeout_ns = 300 * NS_PER_MS };

	return client_of(&cfg);
}

static inline struct http_client *
tls_client(void)
{
	const struct http_config cfg = { .ca_file = testcert_ca_file() };

	return client_of(&cfg);
}

/* A call and all that it fills. */
struct call_result {
	int rc;
	struct http_response r;
	struct buf body;
	struct err e;
	char url[512];
};

static inline void
call_clear(struct call_result *c)
{
	http_response_clear(&c->r);
	buf_clear(&c->body);
}

/* Performs req on path of the peer, within ns (0 = no deadline). */
static inline void
call(struct http_client *client, struct http_auth *auth, struct peer *p, const char *path,
     struct http_request req, int64_t ns, struct call_result *out)
{
	struct deadline d = { 0 };

	memset(out, 0, sizeof(*out));
	http_response_init(&out->r);
	buf_init(&out->body, 16 << 20);
	(void)snprintf(out->url, sizeof(out->url), "%s%s", peer_url(p), path);
	req.url = out->url;
	if (req.method == NULL)
		req.method = "GET";
	if (req.max_body == 0)
		req.max_body = 1 << 20;
	if (ns != 0)
		d = deadline_in(ns);
	out->rc = http_call(client, auth, &req, http_sink_to_buf(&out->body), d, &out->r, &out->e);
}

#define OK_HI "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"

#endif
