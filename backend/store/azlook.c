/* SPDX-License-Identifier: MIT */
/* What is there, and whether we made it: see azlook.h. */
#include "backend/store/azlook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "backend/store/azattr.h"
#include "backend/store/azerror.h"
#include "base/log.h"

static const int64_t most_for_looking_ns = 5 * NS_PER_S;

void
azlook_clear(struct azlook *l)
{
	store_properties_clear(&l->p);
}

/* ---- headers */

struct reading {
	struct azlook *look;
	struct err *e;
};

static enum azlook_copy
copy_state(const char *value)
{
	if (strcasecmp(value, "pending") == 0)
		return AZLOOK_PENDING;
	return strcasecmp(value, "success") == 0 ? AZLOOK_COPIED : AZLOOK_FAILED;
}

static int
take_header(void *arg, const char *name, const char *value)
{
	static const char meta[] = "x-ms-meta-";
	static const char *const properties[STORE_PROPERTIES_N] = {
		[STORE_CONTENT_TYPE] = "Content-Type",
		[STORE_CONTENT_ENCODING] = "Content-Encoding",
		[STORE_CONTENT_LANGUAGE] = "Content-Language",
		[STORE_CONTENT_DISPOSITION] = "Content-Disposition",
		[STORE_CACHE_CONTROL] = "Cache-Control",
	};
	const struct reading *r = arg;
	struct azlook *l = r->look;

	if (strncasecmp(name, meta, sizeof(meta) - 1) == 0)
		return store_meta_set(&l->p, name + sizeof(meta) - 1, value, r->e);
	for (unsigned i = 0; i < STORE_PROPERTIES_N; i++)
		if (strcasecmp(name, properties[i]) == 0 && value[0] != '\0')
			return store_property_set(&l->p, (enum store_property)i, value, r->e);
	if (strcasecmp(name, "x-ms-copy-status") == 0)
		l->copy = copy_state(value);
	else if (strcasecmp(name, "x-ms-copy-id") == 0)
		(void)snprintf(l->copy_id, sizeof(l->copy_id), "%s", value);
	return 0;
}

static int
read_headers(const struct http_response *answer, struct azlook *l, struct err *e)
{
	struct reading reading = { l, e };
	struct azattr *attr = calloc(1, sizeof(*attr));
	int r;

	if (attr == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = azattr_from_headers(attr, answer, span_str("-"), answer->content_length, e);
	if (r == 0) {
		l->found = true;
		memcpy(l->version.etag, attr->etag, sizeof(attr->etag));
		l->version.mtime_ns = attr->entry.mtime_ns;
		l->size = attr->entry.size;
		l->folder = attr->entry.folder;
		r = http_header_each(answer, take_header, &reading);
	}
	free(attr);
	return r;
}

int
azlook_head(const struct azservice *s, const char *url, const char *if_match, struct azlook *out,
	    struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	AUTO_AZREQUEST q;
	int r;

	memset(out, 0, sizeof(*out));
	http_response_init(&answer);
	azrequest_init(&q, "HEAD", url);
	azrequest_etag(&q, "If-Match", if_match);
	r = azrequest_send(s, &q, d, &answer, e);
	if (r < 0)
		return r;
	if (answer.status == 200)
		return read_headers(&answer, out, e);
	r = azerror_set(&answer, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r;
}

/* ---- lost answers */

struct deadline
azlook_before(struct deadline d)
{
	int64_t share = deadline_left_ns(d) / 5;

	if (d.at_ns == 0)
		return d;
	return (struct deadline){ d.at_ns -
				  (share < most_for_looking_ns ? share : most_for_looking_ns) };
}

bool
azlook_same_envelope(const struct azlook_write *w, const struct azlook *there)
{
	const char *sent = w->p != NULL ? store_meta_get(w->p, "encryptiondata") : NULL;
	const char *has = store_meta_get(&there->p, "encryptiondata");

	return sent != NULL && has != NULL && strcmp(sent, has) == 0;
}

/* Why the write cannot have happened, when what is there says so: another condition than the one
 * that held. */
static int
lost_to_another(const struct azlook_write *w, const struct azlook *there, struct err *e)
{
	if (w->c.absent && there->found)
		return err_set(e, EEXIST, "a blob of that name is there");
	if (w->c.if_match == NULL ||
	    (there->found && strcmp(there->version.etag, w->c.if_match) == 0))
		return 0;
	(void)err_set(e, ESTALE,
		      there->found ? "the blob has been changed"
				   : "the blob is not there any more");
	return err_mark(e, "remote.changed", NULL);
}

/* Whether the service may have carried out a request that ended so. */
static bool
is_in_doubt(int r, unsigned attempts)
{
	if (r == -ENOMEM || r == -EINVAL || r == -E2BIG || r == -ECANCELED)
		return false;
	return attempts != 1 && (attempts > 1 || r == -EIO || r == -ETIMEDOUT);
}

int
azlook_settle(const struct azlook_write *w, int r, unsigned attempts, struct store_written *out,
	      struct deadline d, struct err *e)
{
	struct err first = *e;
	AUTO_AZLOOK there = { .found = false };
	int looked, why;

	if (!is_in_doubt(r, attempts))
		return r;
	err_clear(e);
	looked = azlook_head(w->service, w->url, NULL, &there, d, e);
	if (looked == 0 && w->is_ours(w, &there)) {
		log_event(LOG_LEVEL_DEBUG, "net.request",
			  "an answer was lost; what is there was written here");
		*out = there.version;
		return 0;
	}
	err_clear(e);
	why = looked == 0 && r != -EEXIST && r != -ESTALE ? lost_to_another(w, &there, e) : 0;
	if (why < 0)
		return why;
	*e = first;
	return r;
}

/* Blocks are gone when somebody else has committed others: the condition tells it better. */
static bool
blocks_are_gone(const struct http_response *r)
{
	char code[AZERROR_CODE_MAX + 1];

	azerror_code(r, code);
	return strcmp(code, "InvalidBlockList") == 0;
}

int
azlook_send(const struct azlook_write *w, struct azrequest *q, struct store_written *out,
	    struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	unsigned attempts = 0;
	int r;

	http_response_init(&answer);
	r = azrequest_send(w->service, q, azlook_before(d), &answer, e);
	if (r == 0 && answer.status >= 200 && answer.status <= 299) {
		if (azrequest_made(&answer, out))
			return 0;
		(void)err_set(e, EIO, "the answer does not name the version that was made");
		r = err_mark(e, "net.protocol", NULL);
	} else if (r == 0) {
		attempts = blocks_are_gone(&answer) ? 0 : answer.attempts;
		r = azerror_set_write(&answer, w->c, e);
	}
	return azlook_settle(w, r, attempts, out, d, e);
}
