/* SPDX-License-Identifier: MIT */
/* One page of a listing: see azpage.h. */
#include "backend/store/azpage.h"

#include <errno.h>

#include "backend/net/url.h"
#include "backend/store/azerror.h"
#include "backend/store/azlist.h"

enum { PAGE_ENTRIES_MAX = 5000 /* the service's own ceiling */ };

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

int
azpage_container_url(const struct azroot *root, struct span container, struct buf *url,
		     struct err *e)
{
	int r = buf_add_str(url, root->url, e);

	if (r == 0)
		r = buf_add_str(url, "/", e);
	if (r == 0 && container.n > 0)
		r = url_encode(url, (const char *)container.p, container.n, false, e);
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

/* List Blobs, or List Containers where the place is among those; wanted is the prefix as the
 * service knows it. */
static int
list_url(const struct azroot *root, const struct azpage *p, struct span wanted, struct buf *url,
	 struct err *e)
{
	int r = azpage_container_url(root, p->place.container, url, e);

	if (r == 0)
		r = buf_add_str(url,
				p->place.container.n > 0
					? "?restype=container&comp=list&include=metadata"
					: "?comp=list",
				e);
	if (r == 0 && p->place.container.n > 0 && p->delimited)
		r = add_query(url, "delimiter", span_str("/"), e);
	if (r == 0 && wanted.n > 0)
		r = add_query(url, "prefix", wanted, e);
	if (r == 0 && p->marker->n > 0)
		r = add_query(url, "marker", buf_span(p->marker), e);
	if (r == 0 && p->max > 0)
		r = buf_addf(url, e, "&maxresults=%u",
			     p->max < PAGE_ENTRIES_MAX ? p->max : PAGE_ENTRIES_MAX);
	return r;
}

int
azpage_refuse(struct err *e, const char *what)
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
		return azpage_refuse(e, "names that do not begin as asked");
	if (entry->kind == STORE_PREFIX && !n->delimited)
		return azpage_refuse(e, "common prefixes that were not asked for");
	if (!n->delimited)
		return 0;
	if (name.n > wanted.n)
		slash = memchr(name.p + wanted.n, '/', name.n - wanted.n);
	if (entry->kind == STORE_PREFIX ? slash != name.p + name.n - 1 : slash != NULL)
		return azpage_refuse(e, "names that were to be folded");
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
		return azpage_refuse(e, "more entries than were asked for");
	n->seen++;
	if (entry->name.n == n->drop)
		return 0; /* the store's own prefix, as a blob: it has no name here */
	renamed.name = span_of(entry->name.p + n->drop, entry->name.n - n->drop);
	if (n->keep > 0) {
		n->name.n = n->keep;
		if (renamed.name.n > STORE_NAME_MAX - n->keep)
			return azpage_refuse(e, "a name that is too long");
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
	static const char *const codes[] = { "PathNotFound",	     "PathConflict",
					     "ResourceTypeMismatch", "ResourceNotFound",
					     "PathIsNotADirectory",  "BlobNotFound" };
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
fetch_page(const struct azroot *root, const struct azpage *p, struct span wanted, struct buf *page,
	   struct deadline d, struct err *e)
{
	AUTO_HTTP_RESPONSE answer;
	AUTO_BUF url;
	int r;

	http_response_init(&answer);
	buf_init(&url, AZPAGE_URL_MAX);
	r = list_url(root, p, wanted, &url, e);
	if (r < 0)
		return r;
	r = azget_text(&root->service, buf_str(&url), azlist_is_complete, page, &answer, d, e);
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
		return azpage_refuse(e, "no end: its marker does not move");
	if (next.n > marker->max)
		return azpage_refuse(e, "a marker that is too long");
	buf_reset(marker);
	return buf_add(marker, next.p, next.n, e);
}

static int
prepare_renamer(const struct azroot *root, const struct azpage *p, struct renamer *n, struct err *e)
{
	int r = 0;

	buf_init(&n->name, STORE_NAME_MAX);
	n->delimited = p->delimited;
	n->max = p->max;
	n->drop = strlen(root->prefix);
	if (root->account && p->place.container.n > 0) {
		r = buf_add(&n->name, p->place.container.p, p->place.container.n, e);
		if (r == 0)
			r = buf_add_str(&n->name, "/", e);
		n->keep = n->name.n;
	}
	return r;
}

int
azpage_list(const struct azroot *root, const struct azpage *p, struct store_list_sink sink,
	    struct deadline d, struct err *e)
{
	struct renamer n = { .sink = sink };
	AUTO_BUF wanted, page;
	int r;

	buf_init(&wanted, 2 * STORE_NAME_MAX);
	buf_init(&page, AZLIST_PAGE_MAX);
	r = prepare_renamer(root, p, &n, e);
	if (r == 0)
		r = buf_add_str(&wanted, root->prefix, e);
	if (r == 0)
		r = buf_add(&wanted, p->place.key.p, p->place.key.n, e);
	n.wanted = buf_span(&wanted);
	if (r == 0)
		r = fetch_page(root, p, n.wanted, &page, d, e);
	if (r == 0)
		r = deliver_page(&n, buf_span(&page), p->marker, e);
	buf_clear(&n.name);
	return r;
}
