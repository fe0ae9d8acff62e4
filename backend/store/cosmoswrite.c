/* SPDX-License-Identifier: MIT */
/*
 * Writes to Cosmos DB: see cosmoswrite.h.
 *
 * What the service has refused without doing it (429, 449) is sent again.  When an answer was lost
 * (the connection, 408, 5xx), nobody knows, and the document is looked at first:
 *
 *   create   not there: sent again, which cannot do harm, as it fails where something is.
 *            There, and what was sent: done.  There otherwise: -EEXIST.
 *   replace  still the old version: sent again, on the same condition.  What was sent: done.  Else
 *            somebody else's: -ESTALE.
 *   delete   not there: done.  Still that version: sent again.
 *
 * A replica that lags behind may show what was before a write that was done.  Then the repetition
 * is refused (409, 412), which brings a session token along, and the next look is a later one.  So
 * a refusal is the last word only when no answer has been lost before it.
 *
 * A document of somebody else that is the same in every member counts as done: nobody can tell, nor
 * has to.  What cannot be found out until the deadline fails as its answer was lost.
 */
#include "backend/store/cosmoswrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/net/retry.h"
#include "backend/store/cosmoserror.h"
#include "backend/store/cosmosfeed.h"
#include "backend/store/cosmossame.h"
#include "backend/store/cosmosvisit.h"

enum {
	BODY_MAX = 4 << 20,
	LOST_MAX = 10, /* answers lost, where there is no deadline */
	GONE_MAX = 10
};

static const int64_t backoff_ceiling_ns = 30 * NS_PER_S;

/* Beside 0 (done) and -errno. */
enum { AGAIN = 1, LOOK = 2 };

struct write {
	const struct cosmosservice *s;
	const struct docstore_at *at;
	const char *partition, *id;
	const char *etag; /* the version that must be there; NULL: none, deleting: any */
	struct span text; /* n == 0: it is deleted */
	struct cosmoscall call;
	struct deadline d;
	bool unsure; /* an earlier attempt may have been carried out */
	unsigned lost, gone, busy, throttled;
	struct err why;			  /* how the last answer was lost */
	char made[DOCSTORE_ETAG_MAX + 1]; /* the new version */
};

static bool
deletes(const struct write *w)
{
	return w->text.n == 0;
}

/* ---- the request */

static int
make_url(const struct write *w, struct buf *out, struct err *e)
{
	const bool creates = !deletes(w) && w->etag == NULL;

	return cosmoscall_url(w->s,
			      (const char *const[]){ "dbs", w->at->database, "colls",
						     w->at->container, "docs",
						     creates ? NULL : w->id, NULL },
			      out, e);
}

static void
make_call(struct write *w, const char *url, const char *scope, const char *condition)
{
	struct cosmoscall *c = &w->call;

	cosmoscall_init(c, deletes(w) ? "DELETE" : w->etag != NULL ? "PUT" : "POST", url);
	c->req.idempotent = false;
	c->req.body = w->text;
	c->scope = scope;
	cosmosvisit_about(c, w->at);
	cosmoscall_header(c, "x-ms-documentdb-partitionkey", w->partition);
	if (!deletes(w)) {
		cosmoscall_header(c, "Content-Type", "application/json");
		cosmoscall_header(c, "Prefer", "return=minimal");
	}
	if (w->etag != NULL)
		cosmoscall_header(c, "If-Match", condition);
}

/* ---- judging what comes back */

static bool
is_etag(const char *text)
{
	return strlen(text) <= DOCSTORE_ETAG_MAX && cosmoscall_is_position(text);
}

/* Whether the failure of a call leaves open if the request was carried out. */
static bool
is_lost(const struct err *e)
{
	static const char *const before[] = { "net.tls", "net.unreachable", "net.redirect" };

	if (e->no != EIO && e->no != ETIMEDOUT)
		return false;
	for (size_t i = 0; i < sizeof(before) / sizeof(*before); i++)
		if (e->event != NULL && strcmp(e->event, before[i]) == 0)
			return false;
	return true;
}

static int
note_lost(struct write *w, struct err *e)
{
	w->unsure = true;
	w->lost++;
	w->why = *e;
	err_clear(e);
	return LOOK;
}

static int
judge_success(struct write *w, const struct cosmosanswer *a, struct err *e)
{
	AUTO_BUF scratch;
	const char *etag;

	if (deletes(w) && (a->status == 204 || a->status == 200))
		return 0;
	buf_init(&scratch, HTTP_HEADERS_MAX);
	etag = http_header_get(&a->http, "etag", &scratch);
	if (!deletes(w) && a->status == (w->etag == NULL ? 201 : 200) && etag != NULL &&
	    is_etag(etag)) {
		memcpy(w->made, etag, strlen(etag) + 1);
		return 0;
	}
	(void)cosmoserror_broken(e, "the answer is none to this request");
	err_request(e, a->http.request_id);
	return note_lost(w, e);
}

static int
wait_throttled(struct write *w, const struct cosmosanswer *a, struct err *e)
{
	int64_t ns = retry_after_ns(&a->http, clock_wall_s());

	if (ns <= 0)
		ns = retry_backoff_ns(++w->throttled, backoff_ceiling_ns, arc4random());
	if (ns >= deadline_left_ns(w->d))
		return cosmoserror_set(&a->http, false, e);
	clock_sleep_ns(ns);
	return clock_stopped() ? err_set(e, ECANCELED, "the program is ending") : AGAIN;
}

/* Whether the refusal may be of a repetition only, because the first attempt was carried out. */
static bool
may_be_ours(const struct write *w, const struct cosmosanswer *a)
{
	const bool there = a->status == 409 || a->status == 412;

	return w->unsure && !deletes(w) && there;
}

static int
judge_refusal(struct write *w, const struct cosmosanswer *a, struct err *e)
{
	int r;

	if (a->status == 429)
		return wait_throttled(w, a, e);
	if (a->status == 449 || (a->status == 410 && w->gone < GONE_MAX)) {
		w->unsure = w->unsure || a->status == 410;
		r = cosmoscall_wait(a->status == 449 ? w->busy++ : w->gone++, w->d, e);
		return r < 0 ? r : AGAIN;
	}
	if (a->status == 404 && cosmoserror_substatus(&a->http) == 0 && deletes(w) && w->unsure)
		return 0;
	r = cosmoserror_set_write(&a->http, w->etag != NULL, w->text, e);
	if (a->status == 408 || a->status == 410 || a->status >= 500 || may_be_ours(w, a))
		return note_lost(w, e);
	return r;
}

/* An answer that does not come must leave time to look for what became of the request. */
static struct deadline
of_attempt(struct deadline d)
{
	const int64_t left = deadline_left_ns(d);

	return d.at_ns == 0 ? d : (struct deadline){ d.at_ns - left / 4 };
}

static int
attempt(struct write *w, struct err *e)
{
	AUTO_COSMOSANSWER answer;
	AUTO_BUF body;
	int r;

	cosmosanswer_init(&answer);
	buf_init(&body, BODY_MAX);
	r = cosmoscall_send(w->s, &w->call, &body, &answer, of_attempt(w->d), e);
	if (r < 0)
		return is_lost(e) ? note_lost(w, e) : r;
	return answer.status < 400 ? judge_success(w, &answer, e) : judge_refusal(w, &answer, e);
}

/* ---- looking */

static bool
same_etag(const char *a, const char *b)
{
	char x[COSMOSCALL_QUOTED_MAX], y[COSMOSCALL_QUOTED_MAX];
	struct err ignored = { 0 };

	return cosmoscall_quote(a, x, &ignored) == 0 && cosmoscall_quote(b, y, &ignored) == 0 &&
	       strcmp(x, y) == 0;
}

static int
changed(const struct write *w, struct err *e)
{
	if (!deletes(w) && w->etag == NULL)
		return err_set(e, EEXIST, "a document of that id is there");
	(void)err_set(e, ESTALE, "it has been changed");
	return err_mark(e, "remote.changed", NULL);
}

/* It is there: is it as it was, as was sent, or somebody else's? */
static int
compare(struct write *w, struct span stored, struct err *e)
{
	AUTO_BUF etag;
	int r;

	buf_init(&etag, BODY_MAX);
	r = cosmosfeed_string(stored, "_etag", &etag, e);
	if (r == 0 && !is_etag(buf_str(&etag)))
		r = cosmoserror_broken(e, "the document's _etag is odd");
	if (r < 0)
		return r;
	if (w->etag != NULL ? same_etag(buf_str(&etag), w->etag) : deletes(w))
		return AGAIN;
	if (deletes(w) || !cosmossame(w->text, stored))
		return changed(w, e);
	memcpy(w->made, buf_str(&etag), etag.n + 1);
	return 0;
}

static int
nothing_there(const struct write *w, struct err *e)
{
	if (deletes(w))
		return 0;
	return w->etag == NULL ? AGAIN : changed(w, e);
}

/* A look that fails itself says less than how the answer was lost, but for what ends all of it. */
static int
look(struct write *w, struct err *e)
{
	AUTO_BUF stored;
	int r;

	buf_init(&stored, BODY_MAX);
	r = docstore_get(w->s->store, w->at, w->partition, w->id, NULL, &stored, NULL, w->d, e);
	if (r == 0)
		r = compare(w, buf_span(&stored), e);
	if (r == -ENOENT) {
		err_clear(e);
		r = nothing_there(w, e);
	}
	if (r == -EIO || r == -ETIMEDOUT || r == -EACCES) {
		*e = w->why;
		return -e->no;
	}
	return r;
}

static int
look_and_wait(struct write *w, struct err *e)
{
	const int64_t ns = retry_backoff_ns(w->lost, backoff_ceiling_ns, arc4random());
	int r = look(w, e);

	if (r != AGAIN)
		return r;
	if (ns >= deadline_left_ns(w->d) || (w->d.at_ns == 0 && w->lost >= LOST_MAX)) {
		*e = w->why;
		return -e->no;
	}
	clock_sleep_ns(ns);
	return clock_stopped() ? err_set(e, ECANCELED, "the program is ending") : AGAIN;
}

/* ---- all of it */

static int
run(struct write *w, struct err *e)
{
	char condition[COSMOSCALL_QUOTED_MAX];
	AUTO_BUF url, scope;
	int r = 0;

	buf_init(&url, COSMOSCALL_URL_MAX);
	buf_init(&scope, COSMOSCALL_URL_MAX);
	if (w->etag != NULL)
		r = cosmoscall_quote(w->etag, condition, e);
	if (r == 0)
		r = make_url(w, &url, e);
	if (r == 0)
		r = buf_addf(&scope, e, "%s/%s", w->at->database, w->at->container);
	if (r < 0)
		return r;
	make_call(w, buf_str(&url), buf_str(&scope), condition);
	do {
		r = attempt(w, e);
		if (r == LOOK)
			r = look_and_wait(w, e);
	} while (r == AGAIN);
	return r;
}

int
cosmoswrite_put(const struct cosmosservice *s, const struct docstore_at *at,
		const struct docstore_put *put, char etag[static DOCSTORE_ETAG_MAX + 1],
		struct deadline d, struct err *e)
{
	struct write w = { .s = s,
			   .at = at,
			   .partition = put->partition,
			   .id = put->id,
			   .etag = put->etag,
			   .text = put->text,
			   .d = d };
	int r = run(&w, e);

	if (r == 0)
		memcpy(etag, w.made, sizeof(w.made));
	return r;
}

int
cosmoswrite_delete(const struct cosmosservice *s, const struct docstore_at *at,
		   const char *partition, const char *id, const char *etag, struct deadline d,
		   struct err *e)
{
	struct write w = {
		.s = s, .at = at, .partition = partition, .id = id, .etag = etag, .d = d
	};

	return run(&w, e);
}
