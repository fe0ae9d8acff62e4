/* SPDX-License-Identifier: MIT */
/*
 * The contract of document stores, asserted: every call of a driver goes through here, and so
 * does every text that a driver hands out.  What is asserted are promises of our own code; nothing
 * that a service or a user can bring about ends the program.
 */
#include "backend/store/docstore.h"

#include <assert.h>
#include <errno.h>

static const double charge_max = 1e9; /* of one answer: more cannot be true */

/* A caller's sinks with what the driver owes them. */
struct watched_texts {
	struct docstore_sink sink;
};

struct watched_names {
	struct docstore_names sink;
};

struct watched_ranges {
	struct docstore_ranges sink;
	char last[DOCSTORE_EPK_MAX + 1]; /* where the next one begins */
};

static int
on_text(void *arg, struct span text, struct err *e)
{
	struct watched_texts *w = arg;
	int r;

	assert(text.p != NULL && text.n > 0);
	r = w->sink.text(w->sink.arg, text, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

static int
on_name(void *arg, const char *name, struct err *e)
{
	struct watched_names *w = arg;
	int r;

	assert(cosmos_id_is_good(name));
	r = w->sink.name(w->sink.arg, name, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

static int
on_range(void *arg, const char *min, const char *max, struct err *e)
{
	struct watched_ranges *w = arg;
	int r;

	assert(strcmp(min, w->last) == 0 && strcmp(min, max) < 0);
	assert(strlen(max) <= DOCSTORE_EPK_MAX);
	memcpy(w->last, max, strlen(max) + 1);
	r = w->sink.range(w->sink.arg, min, max, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

static void
assert_at(const struct docstore_at *at)
{
	assert(at->database != NULL && at->database[0] != '\0');
	assert(at->container != NULL && at->container[0] != '\0');
	assert(at->rid == NULL || at->rid[0] != '\0');
}

int
docstore_list(struct docstore *s, const char *database, struct docstore_names sink,
	      struct deadline d, struct err *e)
{
	struct watched_names w = { sink };
	int r;

	assert(database == NULL || database[0] != '\0');
	assert(sink.name != NULL);
	assert(e->no == 0);
	r = s->ops->list(s, database, (struct docstore_names){ on_name, &w }, d, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

int
docstore_container(struct docstore *s, const struct docstore_at *at, struct buf *out,
		   struct deadline d, struct err *e)
{
	int r;

	assert_at(at);
	assert(out->max >= CONTAINER_TEXT_MAX);
	assert(e->no == 0);
	r = s->ops->container(s, at, out, d, e);
	assert((r == 0) == (e->no == 0));
	assert(r < 0 || out->n > 0);
	return r;
}

int
docstore_key(struct docstore *s, const char *database, const char *id, const char *etag,
	     struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	bool same = false;
	int r;

	assert(database != NULL && database[0] != '\0' && id[0] != '\0');
	assert(etag == NULL || etag[0] != '\0');
	assert(e->no == 0);
	r = s->ops->key(s, database, id, etag, out, &same, d, e);
	assert((r == 0) == (e->no == 0));
	if (r < 0)
		return r;
	assert(same ? etag != NULL : out->n > 0);
	if (out_same != NULL)
		*out_same = same;
	return 0;
}

int
docstore_keys(struct docstore *s, const char *database, struct docstore_sink sink,
	      struct deadline d, struct err *e)
{
	struct watched_texts w = { sink };
	int r;

	assert(database != NULL && database[0] != '\0');
	assert(sink.text != NULL);
	assert(e->no == 0);
	r = s->ops->keys(s, database, (struct docstore_sink){ on_text, &w }, d, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

int
docstore_ranges(struct docstore *s, const struct docstore_at *at, struct docstore_ranges sink,
		struct deadline d, struct err *e)
{
	struct watched_ranges w = { .sink = sink };
	int r;

	assert_at(at);
	assert(sink.range != NULL);
	assert(e->no == 0);
	r = s->ops->ranges(s, at, (struct docstore_ranges){ on_range, &w }, d, e);
	assert((r == 0) == (e->no == 0));
	assert(r < 0 || strcmp(w.last, "FF") == 0);
	return r;
}

static void
assert_select(const struct docstore_at *at, const struct docstore_select *sel)
{
	assert(sel->what == DOCSTORE_DOCUMENTS || at->def != NULL);
	assert((sel->min == NULL) == (sel->max == NULL));
	assert(sel->partition == NULL || (sel->min == NULL && sel->partition[0] == '['));
	assert(!sel->changes ||
	       (sel->what == DOCSTORE_DOCUMENTS && sel->partition == NULL && sel->n_equal == 0));
	for (size_t i = 0; i < sel->n_equal; i++)
		assert(sel->equal[i].n_tokens > 0 && sel->equal[i].n_values > 0);
}

int
docstore_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	      struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	      struct deadline d, struct err *e)
{
	struct watched_texts w = { sink };
	struct docstore_page page = { 0 };
	const size_t before = cursor->n;
	int r;

	assert_at(at);
	assert_select(at, sel);
	assert(sink.text != NULL);
	assert(e->no == 0);
	r = s->ops->page(s, at, sel, cursor, (struct docstore_sink){ on_text, &w }, &page, d, e);
	assert((r == 0) == (e->no == 0));
	if (r < 0) {
		assert(cursor->n == before);
		return r;
	}
	assert(sel->changes ? cursor->n > 0 : !page.idle);
	assert(page.charge >= 0);
	if (out != NULL)
		*out = page;
	return 0;
}

int
docstore_get(struct docstore *s, const struct docstore_at *at, const char *partition,
	     const char *id, const char *etag, struct buf *out, bool *out_same, struct deadline d,
	     struct err *e)
{
	bool same = false;
	int r;

	assert_at(at);
	assert(partition[0] == '[' && id[0] != '\0');
	assert(etag == NULL || etag[0] != '\0');
	assert(out->max >= 4 << 20);
	assert(e->no == 0);
	r = s->ops->get(s, at, partition, id, etag, out, &same, d, e);
	assert((r == 0) == (e->no == 0));
	if (r < 0)
		return r;
	assert(same ? etag != NULL : out->n > 0);
	if (out_same != NULL)
		*out_same = same;
	return 0;
}

/* ---- writing */

static int
only_reads(struct err *e)
{
	return err_set(e, EROFS, "this store can only be read");
}

int
docstore_put(struct docstore *s, const struct docstore_at *at, const struct docstore_put *put,
	     char etag[static DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	char made[DOCSTORE_ETAG_MAX + 1] = "";
	int r;

	assert_at(at);
	assert(put->partition[0] == '[' && put->id[0] != '\0');
	assert(put->text.n > 0);
	assert(put->etag == NULL || put->etag[0] != '\0');
	assert(e->no == 0);
	if (s->ops->put == NULL)
		return only_reads(e);
	if (put->text.n > DOCSTORE_DOCUMENT_MAX)
		return err_set(e, EFBIG, "a document of %zu bytes: more than 2 MiB", put->text.n);
	r = s->ops->put(s, at, put, made, d, e);
	assert((r == 0) == (e->no == 0));
	if (r < 0)
		return r;
	assert(made[0] != '\0');
	memcpy(etag, made, sizeof(made));
	return 0;
}

int
docstore_delete(struct docstore *s, const struct docstore_at *at, const char *partition,
		const char *id, const char *etag, struct deadline d, struct err *e)
{
	int r;

	assert_at(at);
	assert(partition[0] == '[' && id[0] != '\0');
	assert(etag == NULL || etag[0] != '\0');
	assert(e->no == 0);
	if (s->ops->delete == NULL)
		return only_reads(e);
	r = s->ops->delete (s, at, partition, id, etag, d, e);
	assert((r == 0) == (e->no == 0));
	return r;
}

void
docstore_free(struct docstore *s)
{
	if (s != NULL)
		s->ops->free(s);
}

void
docstore_charge(struct docstore *s, double charge)
{
	assert(charge >= 0);
	if (charge > charge_max)
		charge = charge_max;
	atomic_fetch_add(&s->charge_milli, (uint64_t)(charge * 1000 + 0.5));
	atomic_fetch_add(&s->requests, 1);
}
