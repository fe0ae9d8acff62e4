/* SPDX-License-Identifier: MIT */
/*
 * The contract of stores, asserted: every call of a driver goes through here,
 * and so does every entry and every byte that a driver hands out.  What is
 * asserted are promises of our own code; nothing that a service or a user can
 * bring about ends the program.
 */
#include "backend/store/store.h"

#include <assert.h>
#include <errno.h>

/* A caller's sink with what the driver owes it. */
struct watched_list {
	struct store_list_sink sink;
	struct span prefix; /* names must begin so ... */
	bool exact;	    /* ... or be exactly so, or so and a '/' */
	bool prefixes;	    /* STORE_PREFIX entries may come */
	unsigned entries;
};

struct watched_get {
	struct store_get_sink sink;
	bool begun;
	uint64_t size, got;
};

static bool
begins_with(struct span name, struct span prefix)
{
	return name.n >= prefix.n && (prefix.n == 0 || memcmp(name.p, prefix.p, prefix.n) == 0);
}

static void
assert_entry(const struct store_entry *entry)
{
	assert(entry->name.n >= 1 && entry->name.n <= STORE_NAME_MAX);
	assert(memchr(entry->name.p, '\0', entry->name.n) == NULL);
	if (entry->kind == STORE_PREFIX) {
		assert(entry->name.p[entry->name.n - 1] == '/');
		return;
	}
	assert(entry->kind == STORE_OBJECT);
	assert(entry->etag != NULL && entry->etag[0] != '\0');
	assert(strlen(entry->etag) <= STORE_ETAG_MAX);
	assert(entry->content_type != NULL);
	assert(entry->envelope.p != NULL || entry->envelope.n == 0);
	assert(entry->envelope.n <= STORE_METADATA_MAX);
}

static int
on_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct watched_list *w = arg;
	int r;

	assert_entry(entry);
	assert(begins_with(entry->name, w->prefix));
	assert(w->prefixes || entry->kind == STORE_OBJECT);
	if (w->exact)
		assert(entry->name.n == w->prefix.n + (entry->kind == STORE_PREFIX));
	w->entries++;
	r = w->sink.entry(w->sink.arg, entry, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

static int
on_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct watched_get *w = arg;
	int r = 0;

	assert(entry->kind == STORE_OBJECT);
	assert_entry(entry);
	w->begun = true;
	w->got = 0;
	w->size = entry->size;
	if (w->sink.begin != NULL)
		r = w->sink.begin(w->sink.arg, entry, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

static int
on_data(void *arg, struct span piece, struct err *e)
{
	struct watched_get *w = arg;
	int r;

	assert(w->begun);
	w->got += piece.n;
	r = w->sink.data(w->sink.arg, piece, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

static int
check_length(size_t n, struct err *e)
{
	if (n > STORE_NAME_MAX)
		return err_set(e, ENAMETOOLONG, "a name of %zu bytes", n);
	return 0;
}

int
store_list(struct store *s, struct span prefix, bool delimited, unsigned max, struct buf *cursor,
	   struct store_list_sink sink, struct deadline d, struct err *e)
{
	struct watched_list w = { .sink = sink, .prefix = prefix, .prefixes = delimited };
	int r;

	assert(sink.entry != NULL);
	assert(e->no == 0);
	assert(prefix.n == 0 || memchr(prefix.p, '\0', prefix.n) == NULL);
	r = check_length(prefix.n, e);
	if (r < 0)
		return r;
	r = s->ops->list(s, prefix, delimited, max, cursor,
			 (struct store_list_sink){ on_entry, &w }, d, e);
	assert((r == 0) == (e->no == 0));
	assert(max == 0 || w.entries <= max);
	return r;
}

int
store_probe(struct store *s, const char *name, struct store_list_sink sink, struct deadline d,
	    struct err *e)
{
	struct watched_list w = {
		.sink = sink, .prefix = span_str(name), .exact = true, .prefixes = true
	};
	int r;

	assert(name[0] != '\0');
	assert(sink.entry != NULL);
	assert(e->no == 0);
	r = check_length(w.prefix.n, e);
	if (r < 0)
		return r;
	r = s->ops->probe(s, name, (struct store_list_sink){ on_entry, &w }, d, e);
	assert((r == 0) == (e->no == 0));
	assert(w.entries <= 2);
	return r;
}

int
store_head(struct store *s, const char *name, const char *if_none_match,
	   struct store_list_sink sink, bool *out_same, struct deadline d, struct err *e)
{
	struct watched_list w = { .sink = sink, .prefix = span_str(name), .exact = true };
	bool same = false;
	int r;

	assert(name[0] != '\0');
	assert(sink.entry != NULL);
	assert(e->no == 0);
	r = check_length(w.prefix.n, e);
	if (r < 0)
		return r;
	r = s->ops->head(s, name, if_none_match, (struct store_list_sink){ on_entry, &w }, &same, d,
			 e);
	assert((r == 0) == (e->no == 0));
	if (r < 0)
		return r;
	assert(w.entries == (same ? 0 : 1));
	assert(!same || if_none_match != NULL);
	if (out_same != NULL)
		*out_same = same;
	return 0;
}

static void
assert_get(const struct store_get *get)
{
	uint64_t end;

	assert(get->name[0] != '\0');
	assert(!__builtin_add_overflow(get->off, get->len, &end) && end <= INT64_MAX);
	assert(get->len > 0 || get->off == 0);
	assert(get->if_match == NULL || get->if_match[0] != '\0');
}

int
store_get(struct store *s, const struct store_get *get, struct store_get_sink sink, bool *out_same,
	  struct deadline d, struct err *e)
{
	struct watched_get w = { .sink = sink };
	bool same = false;
	int r;

	assert_get(get);
	assert(sink.data != NULL);
	assert(e->no == 0);
	r = check_length(strlen(get->name), e);
	if (r < 0)
		return r;
	r = s->ops->get(s, get, (struct store_get_sink){ on_begin, on_data, &w }, &same, d, e);
	assert((r == 0) == (e->no == 0));
	if (r < 0)
		return r;
	assert(same ? !w.begun && get->if_none_match != NULL : w.begun);
	if (!same)
		assert(w.got == (get->len > 0 ? get->len : w.size));
	if (out_same != NULL)
		*out_same = same;
	return 0;
}

void
store_free(struct store *s)
{
	if (s != NULL)
		s->ops->free(s);
}
