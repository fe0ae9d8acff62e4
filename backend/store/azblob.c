/* SPDX-License-Identifier: MIT */
/*
 * The Azure Blob driver: which request answers which question.  How a blob is
 * read is in azget.c, how it is written in azwrite.c, what a page of a listing
 * says in azlist.c, what a refusal means in azerror.c.
 *
 * A name is turned into a place (container, key) first; every entry of a
 * listing is checked against what was asked, and turned back.
 */
#include "backend/store/azblob.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/store/azname.h"
#include "backend/store/azwrite.h"
#include "base/utf8.h"

enum {
	PROBE_ENTRIES = 16,
	EMPTY_PAGES_MAX = 1000 /* pages without an answer that a probe sits through */
};

static int
no_container(struct err *e)
{
	(void)err_set(e, ENOENT, "the container does not exist");
	return err_mark(e, "remote.gone", NULL);
}

/* ---- head, get */

static int
azblob_head(struct store *s, const char *name, const char *if_none_match,
	    struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	struct azname_store *b = azname_of(s);
	AUTO_BUF url;
	int r;

	buf_init(&url, AZPAGE_URL_MAX);
	r = azname_url(b, name, &url, e);
	if (r < 0)
		return r;
	return azget_head(&b->root.service, buf_str(&url), name, if_none_match, sink, out_same, d,
			  e);
}

static int
azblob_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	   struct deadline d, struct err *e)
{
	struct azname_store *b = azname_of(s);
	AUTO_BUF url;
	int r;

	buf_init(&url, AZPAGE_URL_MAX);
	r = azname_url(b, get->name, &url, e);
	if (r < 0)
		return r;
	return azget_bytes(&b->root.service, buf_str(&url), get, sink, out_same, d, e);
}

/* ---- probe */

/* What the pages have told so far about one name. */
struct probe {
	struct store_list_sink sink;
	struct span name;
	bool object, below; /* found, and sent */
	bool any, passed;   /* a later name was seen; one beyond "NAME/" */
};

/* The object of a name alone, by HEAD; none is not a failure. */
static int
head_if_any(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	    struct err *e)
{
	bool same;
	int r = azblob_head(s, name, NULL, sink, &same, d, e);

	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r;
}

static int
send_below(struct probe *p, struct err *e)
{
	struct store_entry entry = { .kind = STORE_PREFIX, .etag = "", .content_type = "" };
	AUTO_BUF name;
	int r;

	buf_init(&name, STORE_NAME_MAX);
	r = buf_add(&name, p->name.p, p->name.n, e);
	if (r == 0)
		r = buf_add_str(&name, "/", e);
	if (r < 0)
		return r;
	p->below = true;
	entry.name = buf_span(&name);
	return p->sink.entry(p->sink.arg, &entry, e);
}

static int
probe_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct probe *p = arg;
	const struct span name = entry->name;

	if (name.n == p->name.n && !p->object && entry->kind == STORE_OBJECT) {
		p->object = true;
		return p->sink.entry(p->sink.arg, entry, e);
	}
	p->any = true;
	if (name.n <= p->name.n)
		return 0;
	p->passed |= name.p[p->name.n] > '/';
	if (entry->kind == STORE_PREFIX && name.n == p->name.n + 1 && !p->below)
		return send_below(p, e);
	return 0;
}

/* A page's worth of names that begin with the one in question: sorted, so the object comes first,
 * and "NAME/" after "NAME-" and "NAME.". */
static int
probe_pages(const struct azname_store *b, struct probe *p, struct azplace place, struct deadline d,
	    struct err *e)
{
	AUTO_BUF marker;
	struct azpage page = { place, true, PROBE_ENTRIES, &marker };
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	for (unsigned i = 0; i < EMPTY_PAGES_MAX; i++) {
		r = azpage_list(&b->root, &page, (struct store_list_sink){ probe_entry, p }, d, e);
		if (r < 0)
			return r;
		p->passed |= marker.n == 0;
		if (marker.n == 0 || p->object || p->any)
			return 0;
	}
	return azpage_refuse(e, "nothing but empty pages");
}

static int
found_below(void *arg, const struct store_entry *entry, struct err *e)
{
	struct probe *p = arg;

	(void)entry;
	return p->below ? 0 : send_below(p, e);
}

/* For the rare name that has many neighbours between it and "NAME/": is anything there? */
static int
probe_below(const struct azname_store *b, struct probe *p, struct azplace place, struct deadline d,
	    struct err *e)
{
	AUTO_BUF marker, key;
	struct azpage page = { place, false, 1, &marker };
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	buf_init(&key, STORE_NAME_MAX + 1);
	r = buf_add(&key, place.key.p, place.key.n, e);
	if (r == 0)
		r = buf_add_str(&key, "/", e);
	if (r < 0)
		return r;
	page.place.key = buf_span(&key);
	for (unsigned i = 0; i < EMPTY_PAGES_MAX; i++) {
		r = azpage_list(&b->root, &page, (struct store_list_sink){ found_below, p }, d, e);
		if (r < 0 || p->below || marker.n == 0)
			return r;
	}
	return azpage_refuse(e, "nothing but empty pages");
}

/* A container exists when it can be listed. */
static int
probe_container(const struct azname_store *b, struct probe *p, struct deadline d, struct err *e)
{
	AUTO_BUF marker;
	struct azpage page = { { p->name, { NULL, 0 } }, true, 1, &marker };
	struct probe ignored = { .below = true, .object = true };
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	if (!azname_is_container(p->name))
		return 0;
	r = azpage_list(&b->root, &page, (struct store_list_sink){ probe_entry, &ignored }, d, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r < 0 ? r : send_below(p, e);
}

static int
probe_by_list(const struct azname_store *b, struct probe *p, struct deadline d, struct err *e)
{
	struct azplace place = azname_place(b, p->name);
	int r;

	if (place.container.n == 0)
		return probe_container(b, p, d, e);
	if (!azname_is_container(place.container) || place.key.n == 0 || !utf8_is_valid(place.key))
		return 0;
	r = probe_pages(b, p, place, d, e);
	if (r == 0 && !p->below && !p->passed)
		r = probe_below(b, p, place, d, e);
	if (r == -ENOENT && b->container == NULL) {
		err_clear(e);
		return 0;
	}
	return r;
}

static int
azblob_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	     struct err *e)
{
	struct azname_store *b = azname_of(s);
	struct probe p = { .sink = sink, .name = span_str(name) };
	struct err refused;
	int r;

	if (!s->listable)
		return head_if_any(s, name, sink, d, e);
	r = probe_by_list(b, &p, d, e);
	if (r != -EACCES || p.object || p.below || azname_place(b, p.name).key.n == 0)
		return r;
	/* Who may read but not list gets along with names that are known. */
	refused = *e;
	err_clear(e);
	r = head_if_any(s, name, sink, d, e);
	if (r == 0)
		s->listable = false;
	else if (r == -EACCES)
		*e = refused;
	return r;
}

/* ---- list */

static int
list_single(struct store *s, struct span prefix, struct buf *cursor, struct store_list_sink sink,
	    struct deadline d, struct err *e)
{
	const struct span name = span_str(azname_of(s)->single);

	buf_reset(cursor);
	if (prefix.n > name.n || (prefix.n > 0 && memcmp(prefix.p, name.p, prefix.n) != 0))
		return 0;
	return head_if_any(s, azname_of(s)->single, sink, d, e);
}

static int
azblob_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	    struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct azname_store *b = azname_of(s);
	struct azpage page = { azname_place(b, prefix), delimited, max, cursor };

	if (b->single != NULL)
		return list_single(s, prefix, cursor, sink, d, e);
	if (page.place.container.n == 0 && !delimited)
		return err_set(
			e, EOPNOTSUPP,
			"the blobs of all containers of an account cannot be listed at once");
	if (page.place.container.n > 0 && !azname_is_container(page.place.container))
		return no_container(e);
	if (!utf8_is_valid(prefix)) {
		buf_reset(cursor);
		return 0;
	}
	return azpage_list(&b->root, &page, sink, d, e);
}

/* ---- life */

static void
azblob_free(struct store *s)
{
	struct azname_store *b = azname_of(s);

	http_auth_free(b->root.service.auth);
	free(b->url);
	free(b->container);
	free(b->prefix);
	free(b);
}

static const struct store_ops azblob_ops = {
	.name = "azblob",
	.write = &azwrite_ops,
	.list = azblob_list,
	.probe = azblob_probe,
	.head = azblob_head,
	.get = azblob_get,
	.free = azblob_free,
};

static int
check_config(const struct azblob_config *cfg, struct err *e)
{
	const bool has_prefix = cfg->prefix != NULL && cfg->prefix[0] != '\0';

	if (cfg->container == NULL)
		return has_prefix || cfg->single ? err_set(e, EINVAL, "a prefix needs a container")
						 : 0;
	if (!azname_is_container(span_str(cfg->container)))
		return err_set(e, EINVAL, "'%s' is no container's name", cfg->container);
	if (has_prefix && strlen(cfg->prefix) > STORE_NAME_MAX - 1)
		return err_set(e, EINVAL, "the prefix is too long");
	if (cfg->single && !has_prefix)
		return err_set(e, EINVAL, "a single blob needs a name");
	return 0;
}

static int
copy_config(struct azname_store *b, const struct azblob_config *cfg, struct err *e)
{
	const char *prefix = cfg->prefix != NULL ? cfg->prefix : "", *slash;
	size_t n = strlen(cfg->service);

	while (n > 0 && cfg->service[n - 1] == '/')
		n--;
	b->url = strndup(cfg->service, n);
	b->container = cfg->container != NULL ? strdup(cfg->container) : NULL;
	if (asprintf(&b->prefix, "%s%s", prefix, prefix[0] != '\0' && !cfg->single ? "/" : "") < 0)
		b->prefix = NULL;
	if (b->url == NULL || b->prefix == NULL || (cfg->container != NULL && b->container == NULL))
		return err_set(e, ENOMEM, "out of memory");
	b->root.url = b->url;
	b->root.prefix = b->prefix;
	b->root.account = cfg->container == NULL;
	if (cfg->single) {
		slash = strrchr(b->prefix, '/');
		b->single = slash != NULL ? slash + 1 : b->prefix;
		if (b->single[0] == '\0')
			return err_set(e, EINVAL, "a single blob needs a name");
	}
	(void)snprintf(b->store.label, sizeof(b->store.label), "%s%s%s%s%s", cfg->account,
		       cfg->container != NULL ? "/" : "",
		       cfg->container != NULL ? cfg->container : "", prefix[0] != '\0' ? "/" : "",
		       prefix);
	return 0;
}

int
azblob_store_open_take(const struct azblob_config *cfg, struct http_client *client,
		       struct http_auth *auth, struct store **out, struct err *e)
{
	struct azname_store *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL) {
		http_auth_free(auth);
		return err_set(e, ENOMEM, "out of memory");
	}
	b->store.ops = &azblob_ops;
	b->store.listable = !cfg->single;
	b->root.service = (struct azservice){ client, auth };
	r = check_config(cfg, e);
	if (r == 0)
		r = copy_config(b, cfg, e);
	if (r < 0) {
		azblob_free(&b->store);
		return r;
	}
	*out = &b->store;
	return 0;
}
