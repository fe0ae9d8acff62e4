/* SPDX-License-Identifier: MIT */
/*
 * The Azure Blob driver: which request answers which question.  How a blob is
 * read is in azget.c, what a page of a listing says in azlist.c, what a refusal
 * means in azerror.c.
 *
 * A name is turned into a place (container, key) first; every entry of a
 * listing is checked against what was asked, and turned back.
 */
#include "backend/store/azblob.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "backend/net/url.h"
#include "backend/store/azerror.h"
#include "backend/store/azget.h"
#include "backend/store/azlist.h"

enum {
	URL_MAX = 64 << 10,
	PAGE_ENTRIES_MAX = 5000, /* the service's own ceiling */
	PROBE_ENTRIES = 16,
	EMPTY_PAGES_MAX = 1000 /* pages without an answer that a probe sits through */
};

struct azblob {
	struct store store;
	struct azservice service;
	char *root;	 /* the service's URL, without a '/' at its end */
	char *container; /* NULL: the whole account */
	char *prefix;	 /* "" or with a '/' at its end; single: the whole name */
	const char *single; /* the last component of prefix, NULL when this is no single-object store */
};

/* Where a name, or the names that begin so, lie.  The spans are borrowed from the store and the name. */
struct place {
	struct span container; /* n == 0: among the containers themselves */
	struct span key;       /* below the store's prefix */
};

/* One page to be asked for. */
struct page_request {
	struct place place;
	bool delimited;
	unsigned max; /* 0 = the service's own choice */
	struct buf *marker;
};

/* Between a page and the caller's sink: nothing passes that was not asked for. */
struct renamer {
	struct store_list_sink sink;
	struct span wanted; /* every name of the page begins so */
	size_t drop;	    /* bytes that the store's prefix takes */
	struct buf name;    /* "CONTAINER/" of an account store, then the name */
	size_t keep;
	bool delimited;
	unsigned max, seen;
};

static struct azblob *
of(struct store *s)
{
	return (struct azblob *)s; /* store is the first member */
}

/* ---- names and places */

/* 3 to 63 of a-z 0-9 and '-', or the service's own such as $root: whatever else is asked for does not exist. */
static bool
is_container_name(struct span name)
{
	size_t i = name.n > 0 && name.p[0] == '$' ? 1 : 0;

	if (name.n < 3 || name.n > 63)
		return false;
	for (; i < name.n; i++)
		if (!(name.p[i] >= 'a' && name.p[i] <= 'z') && !(name.p[i] >= '0' && name.p[i] <= '9') && name.p[i] != '-')
			return false;
	return true;
}

static struct place
place_of(const struct azblob *b, struct span name)
{
	const uint8_t *slash;

	if (b->container != NULL)
		return (struct place){ span_str(b->container), name };
	slash = name.n > 0 ? memchr(name.p, '/', name.n) : NULL;
	if (slash == NULL)
		return (struct place){ { NULL, 0 }, name };
	return (struct place){ span_of(name.p, (size_t)(slash - name.p)),
			       span_of(slash + 1, name.n - (size_t)(slash - name.p) - 1) };
}

static int
no_container(struct err *e)
{
	(void)err_set(e, ENOENT, "the container does not exist");
	return err_mark(e, "remote.gone", NULL);
}

static int
no_blob(struct err *e)
{
	(void)err_set(e, ENOENT, "the blob does not exist");
	return err_mark(e, "remote.gone", NULL);
}

static int
container_url(const struct azblob *b, struct span container, struct buf *url, struct err *e)
{
	int r = buf_add_str(url, b->root, e);

	if (r == 0)
		r = buf_add_str(url, "/", e);
	if (r == 0 && container.n > 0)
		r = url_encode(url, (const char *)container.p, container.n, false, e);
	return r;
}

/* The URL of the object of this name; -ENOENT when there can be none. */
static int
blob_url(const struct azblob *b, const char *name, struct buf *url, struct err *e)
{
	struct place place = place_of(b, span_str(name));
	int r;

	if (b->single != NULL) {
		if (strcmp(name, b->single) != 0)
			return no_blob(e);
		place.key = span_of(NULL, 0);
	} else if (place.key.n == 0 || !is_container_name(place.container)) {
		return no_blob(e);
	}
	r = container_url(b, place.container, url, e);
	if (r == 0)
		r = buf_add_str(url, "/", e);
	if (r == 0)
		r = url_encode(url, b->prefix, strlen(b->prefix), true, e);
	if (r == 0 && place.key.n > 0)
		r = url_encode(url, (const char *)place.key.p, place.key.n, true, e);
	return r;
}

static int
add_query(struct buf *url, const char *name, struct span value, struct err *e)
{
	int r = buf_addf(url, e, "&%s=", name);

	if (r == 0 && value.n > 0)
		r = url_encode(url, (const char *)value.p, value.n, false, e);
	return r;
}

/* List Blobs, or List Containers where the place is among those; wanted is the prefix as the service knows it. */
static int
list_url(const struct azblob *b, const struct page_request *p, struct span wanted, struct buf *url, struct err *e)
{
	int r = container_url(b, p->place.container, url, e);

	if (r == 0)
		r = buf_add_str(url, p->place.container.n > 0 ? "?restype=container&comp=list&include=metadata" : "?comp=list", e);
	if (r == 0 && p->place.container.n > 0 && p->delimited)
		r = add_query(url, "delimiter", span_str("/"), e);
	if (r == 0 && wanted.n > 0)
		r = add_query(url, "prefix", wanted, e);
	if (r == 0 && p->marker->n > 0)
		r = add_query(url, "marker", buf_span(p->marker), e);
	if (r == 0 && p->max > 0)
		r = buf_addf(url, e, "&maxresults=%u", p->max < PAGE_ENTRIES_MAX ? p->max : PAGE_ENTRIES_MAX);
	return r;
}

/* ---- pages */

static int
not_asked_for(struct err *e, const char *what)
{
	(void)err_set(e, EIO, "the listing has %s", what);
	return err_mark(e, "net.protocol", NULL);
}

static int
check_name(const struct renamer *n, const struct store_entry *entry, struct err *e)
{
	const struct span name = entry->name, wanted = n->wanted;
	const uint8_t *slash = NULL;

	if (name.n < wanted.n || (wanted.n > 0 && memcmp(name.p, wanted.p, wanted.n) != 0))
		return not_asked_for(e, "names that do not begin as asked");
	if (entry->kind == STORE_PREFIX && !n->delimited)
		return not_asked_for(e, "common prefixes that were not asked for");
	if (!n->delimited)
		return 0;
	if (name.n > wanted.n)
		slash = memchr(name.p + wanted.n, '/', name.n - wanted.n);
	if (entry->kind == STORE_PREFIX ? slash != name.p + name.n - 1 : slash != NULL)
		return not_asked_for(e, "names that were to be folded");
	return 0;
}

static int
rename_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct renamer *n = arg;
	struct store_entry renamed = *entry;
	int r = check_name(n, entry, e);

	if (r < 0)
		return r;
	if (n->max > 0 && n->seen == n->max)
		return not_asked_for(e, "more entries than were asked for");
	n->seen++;
	if (entry->name.n == n->drop)
		return 0; /* the store's own prefix, as a blob: it has no name here */
	renamed.name = span_of(entry->name.p + n->drop, entry->name.n - n->drop);
	if (n->keep > 0) {
		n->name.n = n->keep;
		if (renamed.name.n > STORE_NAME_MAX - n->keep)
			return not_asked_for(e, "a name that is too long");
		r = buf_add(&n->name, renamed.name.p, renamed.name.n, e);
		if (r < 0)
			return r;
		renamed.name = buf_span(&n->name);
	}
	return n->sink.entry(n->sink.arg, &renamed, e);
}

/*
 * With a hierarchical namespace, a prefix that runs through a file is refused; with a flat one
 * it is a page without names.  The documentation does not name the code.
 */
static bool
runs_through_a_file(const struct http_response *r)
{
	static const char *const codes[] = { "PathNotFound", "PathConflict", "ResourceTypeMismatch", "ResourceNotFound",
					     "PathIsNotADirectory", "BlobNotFound" };
	char code[AZERROR_CODE_MAX + 1];

	if (r->status != 400 && r->status != 404 && r->status != 409)
		return false;
	azerror_code(r, code);
	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

/* The XML of one page into page, empty when there can be no names that begin so. */
static int
fetch_page(const struct azblob *b, const struct page_request *p, struct span wanted, struct buf *page,
	   struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	AUTO_BUF url;
	int r;

	http_response_init(&answer);
	buf_init(&url, URL_MAX);
	r = list_url(b, p, wanted, &url, e);
	if (r < 0)
		return r;
	r = azget_text(&b->service, buf_str(&url), azlist_is_complete, page, &answer, d, e);
	if (r < 0 && wanted.n > 0 && runs_through_a_file(&answer)) {
		err_clear(e);
		buf_reset(page);
		return 0;
	}
	return r;
}

/* Parses a page into the caller's sink; the marker moves on. */
static int
deliver_page(struct renamer *n, struct span page, struct buf *marker, struct err *e)
{
	AUTO_BUF next;
	int r;

	buf_init(&next, STORE_CURSOR_MAX);
	if (page.n > 0) {
		r = azlist_parse(page, (struct store_list_sink){ rename_entry, n }, &next, e);
		if (r < 0)
			return r;
	}
	if (next.n > 0 && next.n == marker->n && memcmp(next.p, marker->p, next.n) == 0)
		return not_asked_for(e, "no end: its marker does not move");
	if (next.n > marker->max)
		return not_asked_for(e, "a marker that is too long");
	buf_reset(marker);
	return buf_add(marker, next.p, next.n, e);
}

static int
prepare_renamer(const struct azblob *b, const struct page_request *p, struct renamer *n, struct err *e)
{
	int r = 0;

	buf_init(&n->name, STORE_NAME_MAX);
	n->delimited = p->delimited;
	n->max = p->max;
	n->drop = strlen(b->prefix);
	if (b->container == NULL && p->place.container.n > 0) {
		r = buf_add(&n->name, p->place.container.p, p->place.container.n, e);
		if (r == 0)
			r = buf_add_str(&n->name, "/", e);
		n->keep = n->name.n;
	}
	return r;
}

static int
list_page(const struct azblob *b, const struct page_request *p, struct store_list_sink sink, struct deadline d,
	  struct err *e)
{
	struct renamer n = { .sink = sink };
	AUTO_BUF wanted, page;
	int r;

	buf_init(&wanted, 2 * STORE_NAME_MAX);
	buf_init(&page, AZLIST_PAGE_MAX);
	r = prepare_renamer(b, p, &n, e);
	if (r == 0)
		r = buf_add_str(&wanted, b->prefix, e);
	if (r == 0)
		r = buf_add(&wanted, p->place.key.p, p->place.key.n, e);
	n.wanted = buf_span(&wanted);
	if (r == 0)
		r = fetch_page(b, p, n.wanted, &page, d, e);
	if (r == 0)
		r = deliver_page(&n, buf_span(&page), p->marker, e);
	buf_clear(&n.name);
	return r;
}

/* ---- head, get */

static int
azblob_head(struct store *s, const char *name, const char *if_none_match, struct store_list_sink sink, bool *out_same,
	    struct deadline d, struct err *e)
{
	struct azblob *b = of(s);
	AUTO_BUF url;
	int r;

	buf_init(&url, URL_MAX);
	r = blob_url(b, name, &url, e);
	if (r < 0)
		return r;
	return azget_head(&b->service, buf_str(&url), name, if_none_match, sink, out_same, d, e);
}

static int
azblob_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	   struct deadline d, struct err *e)
{
	struct azblob *b = of(s);
	AUTO_BUF url;
	int r;

	buf_init(&url, URL_MAX);
	r = blob_url(b, get->name, &url, e);
	if (r < 0)
		return r;
	return azget_bytes(&b->service, buf_str(&url), get, sink, out_same, d, e);
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
head_if_any(struct store *s, const char *name, struct store_list_sink sink, struct deadline d, struct err *e)
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

/* A page's worth of names that begin with the one in question: sorted, so the object comes first, and "NAME/" after "NAME-" and "NAME.". */
static int
probe_pages(const struct azblob *b, struct probe *p, struct place place, struct deadline d, struct err *e)
{
	AUTO_BUF marker;
	struct page_request page = { place, true, PROBE_ENTRIES, &marker };
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	for (unsigned i = 0; i < EMPTY_PAGES_MAX; i++) {
		r = list_page(b, &page, (struct store_list_sink){ probe_entry, p }, d, e);
		if (r < 0)
			return r;
		p->passed |= marker.n == 0;
		if (marker.n == 0 || p->object || p->any)
			return 0;
	}
	return not_asked_for(e, "nothing but empty pages");
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
probe_below(const struct azblob *b, struct probe *p, struct place place, struct deadline d, struct err *e)
{
	AUTO_BUF marker, key;
	struct page_request page = { place, false, 1, &marker };
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
		r = list_page(b, &page, (struct store_list_sink){ found_below, p }, d, e);
		if (r < 0 || p->below || marker.n == 0)
			return r;
	}
	return not_asked_for(e, "nothing but empty pages");
}

/* A container exists when it can be listed. */
static int
probe_container(const struct azblob *b, struct probe *p, struct deadline d, struct err *e)
{
	AUTO_BUF marker;
	struct page_request page = { { p->name, { NULL, 0 } }, true, 1, &marker };
	struct probe ignored = { .below = true, .object = true };
	int r;

	buf_init(&marker, STORE_CURSOR_MAX);
	if (!is_container_name(p->name))
		return 0;
	r = list_page(b, &page, (struct store_list_sink){ probe_entry, &ignored }, d, e);
	if (r == -ENOENT) {
		err_clear(e);
		return 0;
	}
	return r < 0 ? r : send_below(p, e);
}

static int
probe_by_list(const struct azblob *b, struct probe *p, struct deadline d, struct err *e)
{
	struct place place = place_of(b, p->name);
	int r;

	if (place.container.n == 0)
		return probe_container(b, p, d, e);
	if (!is_container_name(place.container) || place.key.n == 0)
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
azblob_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct azblob *b = of(s);
	struct probe p = { .sink = sink, .name = span_str(name) };
	struct err refused;
	int r;

	if (!s->listable)
		return head_if_any(s, name, sink, d, e);
	r = probe_by_list(b, &p, d, e);
	if (r != -EACCES || p.object || p.below || place_of(b, p.name).key.n == 0)
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
list_single(struct store *s, struct span prefix, struct buf *cursor, struct store_list_sink sink, struct deadline d,
	    struct err *e)
{
	const struct span name = span_str(of(s)->single);

	buf_reset(cursor);
	if (prefix.n > name.n || (prefix.n > 0 && memcmp(prefix.p, name.p, prefix.n) != 0))
		return 0;
	return head_if_any(s, of(s)->single, sink, d, e);
}

static int
azblob_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	    struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct azblob *b = of(s);
	struct page_request page = { place_of(b, prefix), delimited, max, cursor };

	if (b->single != NULL)
		return list_single(s, prefix, cursor, sink, d, e);
	if (page.place.container.n == 0 && !delimited)
		return err_set(e, EOPNOTSUPP, "the blobs of all containers of an account cannot be listed at once");
	if (page.place.container.n > 0 && !is_container_name(page.place.container))
		return no_container(e);
	return list_page(b, &page, sink, d, e);
}

/* ---- life */

static void
azblob_free(struct store *s)
{
	struct azblob *b = of(s);

	http_auth_free(b->service.auth);
	free(b->root);
	free(b->container);
	free(b->prefix);
	free(b);
}

static const struct store_ops azblob_ops = {
	.name = "azblob",
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
		return has_prefix || cfg->single ? err_set(e, EINVAL, "a prefix needs a container") : 0;
	if (!is_container_name(span_str(cfg->container)))
		return err_set(e, EINVAL, "'%s' is no container's name", cfg->container);
	if (has_prefix && strlen(cfg->prefix) > STORE_NAME_MAX - 1)
		return err_set(e, EINVAL, "the prefix is too long");
	if (cfg->single && !has_prefix)
		return err_set(e, EINVAL, "a single blob needs a name");
	return 0;
}

static int
copy_config(struct azblob *b, const struct azblob_config *cfg, struct err *e)
{
	const char *prefix = cfg->prefix != NULL ? cfg->prefix : "", *slash;
	size_t n = strlen(cfg->service);

	while (n > 0 && cfg->service[n - 1] == '/')
		n--;
	b->root = strndup(cfg->service, n);
	b->container = cfg->container != NULL ? strdup(cfg->container) : NULL;
	if (asprintf(&b->prefix, "%s%s", prefix, prefix[0] != '\0' && !cfg->single ? "/" : "") < 0)
		b->prefix = NULL;
	if (b->root == NULL || b->prefix == NULL || (cfg->container != NULL && b->container == NULL))
		return err_set(e, ENOMEM, "out of memory");
	if (cfg->single) {
		slash = strrchr(b->prefix, '/');
		b->single = slash != NULL ? slash + 1 : b->prefix;
		if (b->single[0] == '\0')
			return err_set(e, EINVAL, "a single blob needs a name");
	}
	(void)snprintf(b->store.label, sizeof(b->store.label), "%s%s%s%s%s", cfg->account,
		       cfg->container != NULL ? "/" : "", cfg->container != NULL ? cfg->container : "",
		       prefix[0] != '\0' ? "/" : "", prefix);
	return 0;
}

int
azblob_store_open_take(const struct azblob_config *cfg, struct http_client *client, struct http_auth *auth,
		       struct store **out, struct err *e)
{
	struct azblob *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL) {
		http_auth_free(auth);
		return err_set(e, ENOMEM, "out of memory");
	}
	b->store.ops = &azblob_ops;
	b->store.listable = !cfg->single;
	b->service = (struct azservice){ client, auth };
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
