/* SPDX-License-Identifier: MIT */
/*
 * A scripted HTTP peer on loopback, for tests of everything that a server can
 * do right or wrong.  Each request it receives is answered with the next reply of the script;
 * the last one is repeated for ever.  One thread for each connection.
 */
#ifndef TESTS_SUPPORT_PEER_H
#define TESTS_SUPPORT_PEER_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/support/testcert.h"

struct peer; /* opaque */

enum peer_end {
	PEER_KEEP,  /* wait for the next request */
	PEER_CLOSE, /* close after the reply */
	PEER_RESET, /* close with a reset */
	PEER_STALL, /* say nothing more until the test ends */
	PEER_REPEAT /* send `repeat` again and again until the client goes */
};

struct peer_reply {
	const char *text; /* raw bytes: status line, headers, body */
	size_t n;	  /* 0 = strlen(text) */
	enum peer_end end;
	const char *repeat;
	unsigned wait_ms; /* before anything is sent */
};

struct peer_config {
	bool tls;
	enum testcert_kind cert;
	const struct peer_reply *script;
	size_t n_script;
};

/* Aborts on failure: the test could not run.  The script is borrowed. */
struct peer *peer_start(const struct peer_config *cfg);
/* Ends all connections and joins all threads. */
void peer_stop(struct peer *p);

/* "http://127.0.0.1:PORT" or https. */
const char *peer_url(const struct peer *p);
unsigned peer_connections(struct peer *p);
unsigned peer_requests(struct peer *p);
/*
 * The i-th request as received, headers and body; NULL when there were fewer.  Owned by the peer.
 */
const char *peer_request(struct peer *p, unsigned i);
/* Closes the connections that are idle now, as a server does with old ones. */
void peer_drop_idle(struct peer *p);

#define PEER_SCRIPT(array) .script = (array), .n_script = sizeof(array) / sizeof((array)[0])

#endif
