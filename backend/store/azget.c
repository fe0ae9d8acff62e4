/* SPDX-License-Identifier: MIT */
/* Reading one blob: see azget.h. */
#include "backend/store/azget.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/store/azattr.h"
#include "backend/store/azerror.h"

enum { STATUS_OK = 200, STATUS_PARTIAL = 206, STATUS_SAME = 304, QUOTED_MAX = STORE_ETAG_MAX + 3 };

/* Answers that break the protocol are asked for so often in all. */
enum { TRIES = 2 };

/* One store_get, over all its attempts. */
struct get_call {
	const struct store_get *get;
	struct store_get_sink sink;
	struct azattr *attr;
	bool begun;
	bool broken;	    /* this attempt's answer was not what was asked for */
	uint64_t want, got; /* bytes of this attempt */
	uint64_t total;	    /* the object's size at the first attempt, and its version */
	char etag[STORE_ETAG_MAX + 1];
};

static int
broken(struct err *e, const char *what)
{
	(void)err_set(e, EIO, "%s", what);
	return err_mark(e, "net.protocol", NULL);
}

static bool
is_success(int status)
{
	return status >= 200 && status < 300;
}

/* Header form of an ETag: in quotes. */
static void
quote(const char *etag, char out[QUOTED_MAX])
{
	int n = snprintf(out, QUOTED_MAX, "\"%s\"", etag);

	assert(n > 0 && n < QUOTED_MAX);
}

static void
add_header(struct http_request *req, const char *name, const char *value)
{
	size_t i = 0;

	while (req->header[i].name != NULL)
		i++;
	assert(i + 1 < ARRAY_LEN(req->header));
	req->header[i] = (struct http_header){ name, value };
}

static struct http_request
request(const char *method, const char *url)
{
	struct http_request req = { .method = method, .url = url, .idempotent = true };

	add_header(&req, "x-ms-version", AZGET_VERSION);
	return req;
}

/* ---- attributes */

static int
ignore_begin(void *arg, const struct http_response *r, struct err *e)
{
	(void)arg, (void)r, (void)e;
	return 0;
}

static int
ignore_data(void *arg, struct span piece, struct err *e)
{
	(void)arg, (void)piece, (void)e;
	return 0;
}

static int
send_attributes(const struct http_response *r, const char *name, struct store_list_sink sink,
		struct err *e)
{
	struct azattr *attr = calloc(1, sizeof(*attr));
	int ret;

	if (attr == NULL)
		return err_set(e, ENOMEM, "out of memory");
	ret = azattr_from_headers(attr, r, span_str(name), r->content_length, e);
	if (ret == 0)
		ret = sink.entry(sink.arg, &attr->entry, e);
	free(attr);
	return ret;
}

int
azget_head(const struct azservice *s, const char *url, const char *name, const char *if_none_match,
	   struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	struct http_request req = request("HEAD", url);
	AUTO_HTTP_RESPONSE answer;
	char condition[QUOTED_MAX];
	int r;

	http_response_init(&answer);
	if (if_none_match != NULL) {
		quote(if_none_match, condition);
		add_header(&req, "If-None-Match", condition);
	}
	r = http_call(s->client, s->auth, &req,
		      (struct http_sink){ ignore_begin, ignore_data, NULL }, d, &answer, e);
	if (r < 0)
		return r;
	*out_same = answer.status == STATUS_SAME && if_none_match != NULL;
	if (*out_same)
		return 0;
	if (answer.status != STATUS_OK)
		return azerror_set(&answer, e);
	return send_attributes(&answer, name, sink, e);
}

/* ---- bytes */

/* Whether the answer is the range asked for, all of it, and no other; sets *out_total to the
 * object's size. */
static int
check_range(const struct store_get *get, const struct http_response *r, uint64_t *out_total,
	    struct err *e)
{
	if (r->status != STATUS_PARTIAL)
		return broken(e, "a range was asked for, the answer is something else");
	if (!r->has_range)
		return broken(e, "a range was asked for, the answer does not say which it is");
	if (r->range_first != get->off || r->range_last != get->off + get->len - 1 ||
	    r->range_total <= r->range_last)
		return broken(e, "the answer is not the range asked for");
	if (r->content_length != UINT64_MAX && r->content_length != get->len)
		return broken(e, "the answer's length is not that of the range");
	*out_total = r->range_total;
	return 0;
}

static int
check_whole(const struct http_response *r, uint64_t *out_total, struct err *e)
{
	if (r->status != STATUS_OK)
		return broken(e, "all of a blob was asked for, the answer is something else");
	if (r->content_length == UINT64_MAX)
		return broken(e, "the answer does not say how long the blob is");
	*out_total = r->content_length;
	return 0;
}

/* The version must be the one asked for; and one version has one size, whichever attempt says so.
 */
static int
check_version(struct get_call *c, struct err *e)
{
	const struct store_entry *entry = &c->attr->entry;

	if (c->get->if_match != NULL && strcmp(c->get->if_match, entry->etag) != 0) {
		(void)err_set(e, ESTALE, "the blob has been changed");
		return err_mark(e, "remote.changed", NULL);
	}
	if (strcmp(c->etag, entry->etag) == 0 && c->total != entry->size)
		return broken(e, "the blob's size has changed without its ETag");
	memcpy(c->etag, entry->etag, strlen(entry->etag) + 1);
	c->total = entry->size;
	return 0;
}

static int
begin_sink(struct get_call *c, struct err *e)
{
	int r = 0;

	c->begun = true;
	c->got = 0;
	if (c->sink.begin != NULL)
		r = c->sink.begin(c->sink.arg, &c->attr->entry, e);
	return r;
}

static int
on_begin(void *arg, const struct http_response *r, struct err *e)
{
	struct get_call *c = arg;
	uint64_t total = 0;
	int ret;

	ret = c->get->len > 0 ? check_range(c->get, r, &total, e) : check_whole(r, &total, e);
	if (ret == 0)
		ret = azattr_from_headers(c->attr, r, span_str(c->get->name), total, e);
	if (ret == 0)
		ret = check_version(c, e);
	c->broken = ret == -EIO;
	if (ret == 0)
		ret = begin_sink(c, e);
	if (ret < 0)
		return ret;
	c->want = c->get->len > 0 ? c->get->len : total;
	if (c->get->len == 0 && total > c->get->max)
		return err_set(e, EFBIG, "the blob has %llu bytes, at most %llu are wanted",
			       (unsigned long long)total, (unsigned long long)c->get->max);
	return 0;
}

static int
on_data(void *arg, struct span piece, struct err *e)
{
	struct get_call *c = arg;

	if (piece.n > c->want - c->got) {
		c->broken = true;
		return broken(e, "the answer is longer than it said");
	}
	c->got += piece.n;
	return c->sink.data(c->sink.arg, piece, e);
}

static int
get_once(const struct azservice *s, const struct http_request *req, struct get_call *c,
	 bool *out_same, struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	int r;

	http_response_init(&answer);
	c->begun = false;
	c->broken = false;
	r = http_call(s->client, s->auth, req, (struct http_sink){ on_begin, on_data, c }, d,
		      &answer, e);
	if (r < 0)
		return r;
	if (answer.status == STATUS_SAME && c->get->if_none_match != NULL && c->etag[0] == '\0') {
		*out_same = true;
		return 0;
	}
	if (!is_success(answer.status))
		return azerror_set(&answer, e);
	c->broken = !c->begun || c->got != c->want;
	return c->broken ? broken(e, "the answer is shorter than it said") : 0;
}

static int
get_twice(const struct azservice *s, const struct http_request *req, struct get_call *c,
	  bool *out_same, struct deadline d, struct err *e)
{
	int r;

	for (unsigned try = 1;; try++) {
		r = get_once(s, req, c, out_same, d, e);
		if (!c->broken || try == TRIES)
			return r;
		err_clear(e);
	}
}

int
azget_bytes(const struct azservice *s, const char *url, const struct store_get *get,
	    struct store_get_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	struct http_request req = request("GET", url);
	struct get_call c = { .get = get, .sink = sink };
	char match[QUOTED_MAX], none_match[QUOTED_MAX], range[64];
	int r;

	if (get->len > 0) {
		(void)snprintf(range, sizeof(range), "bytes=%llu-%llu",
			       (unsigned long long)get->off,
			       (unsigned long long)(get->off + get->len - 1));
		add_header(&req, "x-ms-range", range);
	}
	if (get->if_match != NULL) {
		quote(get->if_match, match);
		add_header(&req, "If-Match", match);
	}
	if (get->if_none_match != NULL) {
		quote(get->if_none_match, none_match);
		add_header(&req, "If-None-Match", none_match);
	}
	req.exact_body = get->len;
	req.max_body = get->len > 0 ? get->len
				    : INT64_MAX; /* on_begin knows better, and says it with EFBIG */
	c.attr = calloc(1, sizeof(*c.attr));
	if (c.attr == NULL)
		return err_set(e, ENOMEM, "out of memory");
	*out_same = false;
	r = get_twice(s, &req, &c, out_same, d, e);
	free(c.attr);
	return r;
}

/* ---- text */

static int
text_once(const struct azservice *s, const struct http_request *req,
	  bool (*complete)(struct span body), struct buf *page, struct http_response *out,
	  bool *out_broken, struct deadline d, struct err *e)
{
	int r = http_call(s->client, s->auth, req, http_sink_to_buf(page), d, out, e);

	*out_broken = false;
	if (r < 0)
		return r;
	if (!is_success(out->status))
		return azerror_set(out, e);
	*out_broken = out->status != STATUS_OK || !complete(buf_span(page));
	return *out_broken ? broken(e, "the answer is not complete") : 0;
}

int
azget_text(const struct azservice *s, const char *url, bool (*complete)(struct span body),
	   struct buf *page, struct http_response *out, struct deadline d, struct err *e)
{
	struct http_request req = request("GET", url);
	bool again;
	int r;

	req.max_body = page->max;
	for (unsigned try = 1;; try++) {
		buf_reset(page);
		r = text_once(s, &req, complete, page, out, &again, d, e);
		if (!again || try == TRIES)
			return r;
		err_clear(e);
		http_response_clear(out);
		http_response_init(out);
	}
}
