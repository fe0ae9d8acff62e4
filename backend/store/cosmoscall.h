/* SPDX-License-Identifier: MIT */
/*
 * One question to a Cosmos DB account, over as many requests as it takes: what is not an answer is
 * asked for once more; what the service asks to be repeated is, until the deadline.  Charges and
 * session tokens are noted on the way.
 */
#ifndef BACKEND_STORE_COSMOSCALL_H
#define BACKEND_STORE_COSMOSCALL_H

#include "backend/net/http.h"
#include "backend/store/cosmossession.h"
#include "backend/store/docstore.h"

#define COSMOSCALL_VERSION \
	"2020-07-15" /* x-ms-version of all requests: what the clients that encrypt send */

enum {
	COSMOSCALL_URL_MAX = 8 << 10,
	COSMOSCALL_CONTINUATION_MAX = 32 << 10,
	COSMOSCALL_QUOTED_MAX = DOCSTORE_ETAG_MAX + 3
};

struct cosmosknown;

/* An account, and what is remembered of it. */
struct cosmosservice {
	struct docstore *store; /* pays */
	struct http_client *client;
	struct http_auth *auth; /* NULL = nobody */
	const char *endpoint;	/* without '/' at its end */
	struct cosmossession *session;
	struct cosmosknown *known;
};

struct cosmoscall {
	struct http_request req;
	const char *scope; /* of the session; NULL: none */
	const char *range; /* the one range that is asked */
	bool partitioned;  /* a partition is named */
	bool same_is_fine; /* 304 is an answer */
	bool gone_is_mine; /* so is 410: whoever asks knows where else to ask */
	/* Whether the body is what was asked for; -EIO: not, ask once more. */
	int (*check)(void *arg, struct span body, struct err *e);
	void *check_arg;
};

struct cosmosanswer {
	int status; /* 200, 304 or 410; of cosmoscall_send any */
	double charge;
	struct http_response http;
};
void cosmosanswer_init(struct cosmosanswer *a);
void cosmosanswer_clear(struct cosmosanswer *a);
#define AUTO_COSMOSANSWER struct cosmosanswer CLEANUP(cosmosanswer_clear)

/* Segments, up to a NULL, become a path below the endpoint: each encoded by itself. */
int cosmoscall_url(const struct cosmosservice *s, const char *const *segment, struct buf *out,
		   struct err *e) MUST_CHECK;

void cosmoscall_init(struct cosmoscall *c, const char *method, const char *url);
void cosmoscall_header(struct cosmoscall *c, const char *name, const char *value);

/* An ETag as a header wants it: in quotes.  -EINVAL: it is none. */
int cosmoscall_quote(const char *etag, char out[static COSMOSCALL_QUOTED_MAX],
		     struct err *e) MUST_CHECK;

/* body is reset; its ceiling counts.  out is initialized by the caller, its charge added to. */
int cosmoscall_run(const struct cosmosservice *s, const struct cosmoscall *c, struct buf *body,
		   struct cosmosanswer *out, struct deadline d, struct err *e) MUST_CHECK;

/*
 * One request, and whatever comes back: nothing is judged, nothing repeated that may have been
 * carried out (c->req.idempotent).  No session token goes along: for writes.
 */
int cosmoscall_send(const struct cosmosservice *s, const struct cosmoscall *c, struct buf *body,
		    struct cosmosanswer *out, struct deadline d, struct err *e) MUST_CHECK;

/*
 * The header that says where a feed goes on; out becomes empty when it does not.  -EIO
 * ("net.protocol") when it cannot be sent back.
 */
int cosmoscall_position(const struct cosmosanswer *a, const char *name, struct buf *out,
			struct err *e) MUST_CHECK;
/* Whether text can be sent as such a position: 1.. printable ASCII. */
bool cosmoscall_is_position(const char *text) MUST_CHECK;

/* Waits before the nth (0...) repetition: 10 ms, doubling to 1 s.  -ETIMEDOUT, -ECANCELED. */
int cosmoscall_wait(unsigned nth, struct deadline d, struct err *e) MUST_CHECK;

#endif
