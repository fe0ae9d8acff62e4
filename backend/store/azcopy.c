/* SPDX-License-Identifier: MIT */
/* Copies within an account: see azcopy.h. */
#include "backend/store/azcopy.h"

#include <errno.h>
#include <stdio.h>

#include "backend/net/url.h"
#include "backend/store/azerror.h"
#include "backend/store/azlook.h"
#include "backend/store/azpage.h"
#include "backend/store/azwrite.h"
#include "base/log.h"

static const int64_t first_pause_ns = 100 * NS_PER_MS, longest_pause_ns = 2 * NS_PER_S;

/* What the answer to the request said. */
struct started {
	struct store_written made;
	bool done;
	char id[64]; /* "": not known */
};

static bool
is_copy_of_this(const struct azlook_write *w, const struct azlook *there)
{
	return there->found && azlook_same_envelope(w, there) &&
	       (w->c.if_match == NULL || strcmp(w->c.if_match, there->version.etag) != 0);
}

/* After a lost answer: a copy has the envelope of its source. */
static int
settle(const struct azcopy *c, int r, unsigned attempts, struct deadline d, struct err *e)
{
	struct azlook_write w = { c->service, c->to, c->c, NULL, is_copy_of_this };
	AUTO_AZLOOK source = { .found = false };
	struct store_written unused;
	struct err first = *e;

	if (attempts == 1)
		return r;
	err_clear(e);
	if (azlook_head(c->service, c->from, c->if_match, &source, d, e) == 0)
		w.p = &source.p;
	*e = first;
	return azlook_settle(&w, r, attempts, &unused, d, e);
}

static void
note_start(const struct http_response *answer, struct started *s)
{
	AUTO_BUF scratch;
	const char *value;

	buf_init(&scratch, HTTP_HEADERS_MAX);
	value = http_header_get(answer, "x-ms-copy-id", &scratch);
	(void)snprintf(s->id, sizeof(s->id), "%s", value != NULL ? value : "");
	value = http_header_get(answer, "x-ms-copy-status", &scratch);
	s->done = value != NULL && strcmp(value, "success") == 0 &&
		  azrequest_made(answer, &s->made);
}

/*
 * Whose condition a refusal is about.  What is not found is the source, since a target that is not
 * there fails its condition; a condition that the service does not say more of is the source's.
 */
static struct store_condition
condition_of(const struct azcopy *c, const struct http_response *answer)
{
	char code[AZERROR_CODE_MAX + 1];

	azerror_code(answer, code);
	return (struct store_condition){ .absent = c->c.absent &&
						   (c->if_match == NULL ||
						    strcmp(code, "ConditionNotMet") != 0) };
}

static int
start(const struct azcopy *c, struct started *s, struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	unsigned attempts = 0;
	AUTO_AZREQUEST q;
	int r;

	http_response_init(&answer);
	azrequest_init(&q, "PUT", c->to);
	azrequest_header(&q, "x-ms-copy-source", c->from);
	q.req.url_header = "x-ms-copy-source";
	azrequest_etag(&q, "x-ms-source-if-match", c->if_match);
	azrequest_condition(&q, c->c);
	r = azrequest_send(c->service, &q, azlook_before(d), &answer, e);
	if (r == 0 && answer.status >= 200 && answer.status <= 299) {
		note_start(&answer, s);
		return 0;
	}
	if (r == 0) {
		attempts = answer.attempts;
		r = azerror_set_write(&answer, condition_of(c, &answer), e);
	}
	return settle(c, r, attempts, d, e);
}

static int
changed(struct err *e)
{
	(void)err_set(e, ESTALE, "somebody else has written what was being copied to");
	return err_mark(e, "remote.changed", NULL);
}

/* An empty blob with the metadata of a full one is what is left of a copy that failed. */
static void
remove_remains(const struct azcopy *c, const struct azlook *there, struct deadline d)
{
	struct err why = { 0 };

	if (there->found && there->size == 0 &&
	    azwrite_delete(c->service, c->to, there->version.etag, d, &why) < 0)
		log_event(LOG_LEVEL_WARNING, "remote.copy",
			  "an empty blob is left of a copy that failed: %s", why.text);
}

static int
failed(const struct azcopy *c, const struct azlook *there, struct deadline d, struct err *e)
{
	remove_remains(c, there, d);
	(void)err_set(e, EIO, "the service could not copy the blob");
	return err_mark(e, "remote.copy", NULL);
}

/* Calls the copy off.  1: too late, it is done. */
static int
call_off(const struct azcopy *c, const char *id, struct deadline d, struct err *e)
{
	enum { CONFLICT = 409 /* there is no copy under way (any more) */ };
	AUTO_AZLOOK there = { .found = false };
	AUTO_HTTP_RESPONSE answer;
	AUTO_AZREQUEST q;
	AUTO_BUF url;
	int r;

	http_response_init(&answer);
	buf_init(&url, AZPAGE_URL_MAX);
	r = buf_addf(&url, e, "%s?comp=copy&copyid=", c->to);
	if (r == 0)
		r = url_encode(&url, id, strlen(id), false, e);
	azrequest_init(&q, "PUT", buf_str(&url));
	azrequest_header(&q, "x-ms-copy-action", "abort");
	if (r == 0)
		r = azrequest_send(c->service, &q, d, &answer, e);
	if (r == 0)
		r = azlook_head(c->service, c->to, NULL, &there, d, e);
	if (r == 0 && answer.status == CONFLICT && there.copy == AZLOOK_COPIED)
		return 1;
	if (r == 0 && strcmp(there.copy_id, id) == 0)
		remove_remains(c, &there, d);
	err_clear(e);
	(void)err_set(e, ETIMEDOUT, "the service had not finished copying before the deadline");
	return err_mark(e, "net.deadline", NULL);
}

/* One look at the target: 0 done, 1 not yet. */
static int
look(const struct azcopy *c, struct started *s, struct store_written *out, struct deadline d,
     struct err *e)
{
	AUTO_AZLOOK there = { .found = false };
	int r = azlook_head(c->service, c->to, NULL, &there, d, e);

	if (r < 0)
		return r;
	if (!there.found || (s->id[0] != '\0' && strcmp(there.copy_id, s->id) != 0))
		return changed(e);
	memcpy(s->id, there.copy_id, sizeof(s->id));
	if (there.copy == AZLOOK_PENDING)
		return 1;
	if (there.copy == AZLOOK_FAILED)
		return failed(c, &there, d, e);
	*out = there.version;
	return 0;
}

static int
wait_for(const struct azcopy *c, struct started *s, struct store_written *out, struct deadline d,
	 struct err *e)
{
	const struct deadline before = azlook_before(d);
	int64_t pause = first_pause_ns;
	int r;

	while ((r = look(c, s, out, d, e)) == 1) {
		if (deadline_left_ns(before) <= pause) {
			r = call_off(c, s->id, d, e);
			return r == 1 ? look(c, s, out, d, e) : r;
		}
		clock_sleep_ns(pause);
		pause = pause < longest_pause_ns ? 2 * pause : longest_pause_ns;
	}
	return r;
}

int
azcopy_run(const struct azcopy *c, struct store_written *out, struct deadline d, struct err *e)
{
	struct started s = { .done = false };
	int r = start(c, &s, d, e);

	if (r < 0)
		return r;
	r = wait_for(c, &s, out, d, e);
	if (r == 0 || !s.done)
		return r;
	/* It is done; only the time that its metadata give it is not known. */
	err_clear(e);
	*out = s.made;
	return 0;
}
