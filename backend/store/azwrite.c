/* SPDX-License-Identifier: MIT */
/* Writing blobs: see azwrite.h. */
#include "backend/store/azwrite.h"

#include <errno.h>
#include <stdio.h>

#include "backend/net/url.h"
#include "backend/store/azcopy.h"
#include "backend/store/azerror.h"
#include "backend/store/azfolder.h"
#include "backend/store/azlook.h"
#include "backend/store/azname.h"
#include "base/base64.h"
#include "base/timetext.h"

enum {
	BLOCK_ID_LEN = 37, /* before base64: what tells the upload, and the number */
	BLOCK_ID_TEXT_MAX = 52,
	BLOCK_LIST_MAX = STORE_BLOCKS_MAX * (BLOCK_ID_TEXT_MAX + 17) + 128
};

/* The object of a name, by its URL. */
static int
place(struct store *s, const char *name, struct buf *url, struct err *e)
{
	buf_init(url, AZPAGE_URL_MAX);
	return azname_url_to_write(azname_of(s), name, url, e);
}

static const struct azservice *
service_of(struct store *s)
{
	return &azname_of(s)->root.service;
}

/* ---- properties */

static int
azwrite_properties(struct store *s, const char *name, const char *if_match,
		   struct store_properties *out, struct deadline d, struct err *e)
{
	AUTO_AZLOOK there = { .found = false };
	AUTO_BUF url;
	int r;

	buf_init(&url, AZPAGE_URL_MAX);
	r = azname_url(azname_of(s), name, &url, e);
	if (r == 0)
		r = azlook_head(service_of(s), buf_str(&url), if_match, &there, d, e);
	if (r < 0)
		return r;
	if (!there.found) {
		(void)err_set(e, ENOENT, "the blob does not exist");
		return err_mark(e, "remote.gone", NULL);
	}
	*out = there.p;
	there.p = (struct store_properties){ .meta = NULL };
	return 0;
}

/* ---- content */

/* The metadata item mtime counts more than what the service says. */
static void
own_mtime(const struct store_properties *p, struct store_written *made)
{
	const char *text = store_meta_get(p, "mtime");
	int64_t ns;

	if (text != NULL && timetext_parse(text, &ns))
		made->mtime_ns = ns;
}

/* Sends what replaces an object as a whole. */
static int
replace(struct store *s, struct azrequest *q, const char *url, const struct store_properties *p,
	struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	const struct azlook_write w = { service_of(s), url, c, p, azlook_same_envelope };
	int r;

	azrequest_properties(q, p);
	azrequest_metadata(q, p);
	azrequest_condition(q, c);
	r = azlook_send(&w, q, out, d, e);
	if (r == 0)
		own_mtime(p, out);
	return r;
}

static int
azwrite_put(struct store *s, const char *name, const struct store_properties *p, struct span bytes,
	    struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	AUTO_AZREQUEST q;
	AUTO_BUF url;
	int r = place(s, name, &url, e);

	azrequest_init(&q, "PUT", buf_str(&url));
	q.req.body = bytes;
	azrequest_header(&q, "x-ms-blob-type", "BlockBlob");
	return r < 0 ? r : replace(s, &q, buf_str(&url), p, c, out, d, e);
}

/* Ids of one upload have one length, and no other upload has them. */
static int
add_block_id(struct buf *out, const struct store_upload *u, uint32_t number, struct err *e)
{
	char text[2 * sizeof(u->id) + 16];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(u->id); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", u->id[i]);
	n += (size_t)snprintf(text + n, sizeof(text) - n, "%05u", number);
	return base64_encode(BASE64_STANDARD, span_of(text, n), out, e);
}

static int
azwrite_block(struct store *s, const char *name, const struct store_upload *u,
	      const struct store_block *b, struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	AUTO_AZREQUEST q;
	AUTO_BUF url, id;
	int r = place(s, name, &url, e);

	http_response_init(&answer);
	buf_init(&id, BLOCK_ID_TEXT_MAX);
	if (r == 0)
		r = add_block_id(&id, u, b->number, e);
	if (r == 0)
		r = buf_add_str(&url, "?comp=block&blockid=", e);
	if (r == 0)
		r = url_encode(&url, buf_str(&id), id.n, false, e);
	azrequest_init(&q, "PUT", buf_str(&url));
	q.req.body = b->bytes;
	if (r == 0)
		r = azrequest_send(service_of(s), &q, d, &answer, e);
	if (r < 0)
		return r;
	return answer.status == 201 ? 0
				    : azerror_set_write(&answer, (struct store_condition){ 0 }, e);
}

static int
block_list(struct buf *out, const struct store_upload *u, uint32_t n, struct err *e)
{
	int r = buf_add_str(out, "<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList>", e);

	for (uint32_t i = 0; r == 0 && i < n; i++) {
		r = buf_add_str(out, "<Latest>", e);
		if (r == 0)
			r = add_block_id(out, u, i, e);
		if (r == 0)
			r = buf_add_str(out, "</Latest>", e);
	}
	return r < 0 ? r : buf_add_str(out, "</BlockList>", e);
}

static int
azwrite_commit(struct store *s, const char *name, const struct store_upload *u, uint32_t n_blocks,
	       uint64_t size, const struct store_properties *p, struct store_condition c,
	       struct store_written *out, struct deadline d, struct err *e)
{
	AUTO_AZREQUEST q;
	AUTO_BUF url, query_url, body;
	int r = place(s, name, &url, e);

	(void)size;
	buf_init(&query_url, AZPAGE_URL_MAX);
	buf_init(&body, BLOCK_LIST_MAX);
	if (r == 0)
		r = buf_addf(&query_url, e, "%s?comp=blocklist", buf_str(&url));
	if (r == 0)
		r = block_list(&body, u, n_blocks, e);
	azrequest_init(&q, "PUT", buf_str(&query_url));
	q.req.body = buf_span(&body);
	return r < 0 ? r : replace(s, &q, buf_str(&url), p, c, out, d, e);
}

/* What nobody commits the service forgets by itself: when the blob is written, or in a week. */
static void
azwrite_abandon(struct store *s, const char *name, const struct store_upload *u)
{
	(void)s, (void)name, (void)u;
}

/* ---- metadata */

static bool
has_this_metadata(const struct azlook_write *w, const struct azlook *there)
{
	if (!there->found || there->p.n_meta != w->p->n_meta ||
	    (w->c.if_match != NULL && strcmp(w->c.if_match, there->version.etag) == 0))
		return false;
	for (size_t i = 0; i < w->p->n_meta; i++) {
		const char *value = store_meta_get(&there->p, w->p->meta[i].name);

		if (value == NULL || strcmp(value, w->p->meta[i].value) != 0)
			return false;
	}
	return true;
}

static int
azwrite_set_metadata(struct store *s, const char *name, const struct store_properties *p,
		     const char *if_match, struct store_written *out, struct deadline d,
		     struct err *e)
{
	struct azlook_write w = { .service = service_of(s),
				  .c = { .if_match = if_match },
				  .p = p,
				  .is_ours = has_this_metadata };
	AUTO_BUF url, query_url;
	AUTO_AZREQUEST q;
	int r = place(s, name, &url, e);

	buf_init(&query_url, AZPAGE_URL_MAX);
	if (r == 0)
		r = buf_addf(&query_url, e, "%s?comp=metadata", buf_str(&url));
	azrequest_init(&q, "PUT", buf_str(&query_url));
	azrequest_metadata(&q, p);
	azrequest_condition(&q, w.c);
	w.url = buf_str(&url);
	if (r == 0)
		r = azlook_send(&w, &q, out, d, e);
	if (r == 0)
		own_mtime(p, out);
	return r;
}

/* ---- copy, delete, folders */

static int
azwrite_copy(struct store *s, const char *from, const char *if_match, const char *to,
	     struct store_condition c, struct store_written *out, struct deadline d, struct err *e)
{
	AUTO_BUF from_url, to_url;
	int r;

	buf_init(&from_url, AZPAGE_URL_MAX);
	r = place(s, to, &to_url, e);
	if (r == 0)
		r = azname_url(azname_of(s), from, &from_url, e);
	if (r < 0)
		return r;
	return azcopy_run(&(struct azcopy){ service_of(s), buf_str(&from_url), if_match,
					    buf_str(&to_url), c },
			  out, d, e);
}

static bool
is_gone(const struct azlook_write *w, const struct azlook *there)
{
	(void)w;
	return !there->found;
}

int
azwrite_delete(const struct azservice *s, const char *url, const char *if_match, struct deadline d,
	       struct err *e)
{
	const struct azlook_write w = {
		.service = s, .url = url, .c = { .if_match = if_match }, .is_ours = is_gone
	};
	struct store_written ignored;
	AUTO_HTTP_RESPONSE answer;
	AUTO_AZREQUEST q;
	unsigned attempts = 0;
	int r;

	http_response_init(&answer);
	azrequest_init(&q, "DELETE", url);
	azrequest_condition(&q, w.c);
	r = azrequest_send(s, &q, azlook_before(d), &answer, e);
	if (r == 0 && answer.status >= 200 && answer.status <= 299)
		return 0;
	if (r == 0) {
		attempts = answer.attempts;
		r = azerror_set_write(&answer, (struct store_condition){ 0 }, e);
	}
	return azlook_settle(&w, r, attempts, &ignored, d, e);
}

static int
azwrite_delete_name(struct store *s, const char *name, const char *if_match, struct deadline d,
		    struct err *e)
{
	AUTO_BUF url;
	int r;

	buf_init(&url, AZPAGE_URL_MAX);
	r = azname_url(azname_of(s), name, &url, e);
	return r < 0 ? r : azwrite_delete(service_of(s), buf_str(&url), if_match, d, e);
}

static int
azwrite_make_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	AUTO_BUF url;
	int r = place(s, name, &url, e);

	return r < 0 ? r : azfolder_make(azname_of(s), name, buf_str(&url), d, e);
}

static int
azwrite_remove_folder(struct store *s, const char *name, struct deadline d, struct err *e)
{
	AUTO_BUF url;
	int r = place(s, name, &url, e);

	return r < 0 ? r : azfolder_remove(azname_of(s), name, buf_str(&url), d, e);
}

const struct store_write_ops azwrite_ops = {
	.properties = azwrite_properties,
	.put = azwrite_put,
	.block = azwrite_block,
	.commit = azwrite_commit,
	.abandon = azwrite_abandon,
	.set_metadata = azwrite_set_metadata,
	.copy = azwrite_copy,
	.delete = azwrite_delete_name,
	.make_folder = azwrite_make_folder,
	.remove_folder = azwrite_remove_folder,
};
