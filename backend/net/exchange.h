/* SPDX-License-Identifier: MIT */
/*
 * One exchange on the wire: sends a prepared attempt, receives the answer, and says what became
 * of it.  No retry here.
 */
#ifndef BACKEND_NET_EXCHANGE_H
#define BACKEND_NET_EXCHANGE_H

#include "backend/net/attempt.h"
#include "backend/net/client.h"

enum outcome {
	OUTCOME_ANSWER, /* complete, whatever its status */
	OUTCOME_CUT,	/* the connection failed, or the answer ended early */
	OUTCOME_STALE,	/* a kept-alive connection had died before; worth an immediate repetition */
	OUTCOME_UNREACHABLE, /* nobody was reached; nothing was sent */
	OUTCOME_UNTRUSTED,   /* TLS could not be agreed on */
	OUTCOME_PROTOCOL,    /* an answer of the wrong shape or length */
	OUTCOME_TOO_BIG,     /* over the ceiling */
	OUTCOME_REFUSED,     /* the sink said no: why is its error */
	OUTCOME_LATE,	     /* the deadline passed */
	OUTCOME_STOPPED,     /* the client was stopped */
	OUTCOME_FAILED	     /* here: out of memory */
};

struct exchange_result {
	enum outcome outcome;
	bool sent;	/* the service may have seen the request */
	struct err why; /* unless OUTCOME_ANSWER */
	int64_t took_ns;
};

/*
 * repeatable: libcurl may send it again by itself when a kept-alive connection turns out to be
 * dead.  out is filled as far as the answer came.
 */
void exchange_run(struct http_client *c, const struct http_attempt *at, const struct url *u,
		  bool repeatable, struct http_sink sink, struct deadline d,
		  struct http_response *out, struct exchange_result *result);

#endif
