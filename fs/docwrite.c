/* SPDX-License-Identifier: MIT */
/*
 * Writing documents: see viewwrite.h, and docs/SEMANTICS.md, "Writing documents".
 *
 * A document is sealed and published in one go, by the commit, under the policy and keys of that
 * moment: when the service says that the container is another one now, everything is done
 * again for the new one.
 */
#include "fs/docwrite.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/store/partition.h"
#include "base/jsonscan.h"

enum {
	PLAIN_MAX = (2 << 20) + (64 << 10), /* sealed it is longer, but for the service's members */
	ID_MAX = 8 << 10
};

struct doc_sealing {
	struct view_sealing base;
	char *path, *over; /* over: as the view calls it; NULL */
};

static struct doc_sealing *
sealing_of(struct view_sealing *s)
{
	return (struct doc_sealing *)(void *)s;
}

/* ---- beginning ---- */

struct beginning {
	const struct docpath *p;
	bool creates;
};

static int
check_place(void *arg, struct docbox *box, struct err *e)
{
	const struct beginning *b = arg;

	return docplace_check(b->p, box, b->creates, e);
}

static int
make_sealing(struct view *view, const char *path, const char *over, struct view_sealing **out,
	     struct err *e)
{
	struct doc_sealing *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ENOMEM, "out of memory");
	s->base = (struct view_sealing){ .view = view, .max_size = PLAIN_MAX };
	s->path = strdup(path);
	s->over = over != NULL ? strdup(over) : NULL;
	if (s->path == NULL || (over != NULL && s->over == NULL)) {
		docwrite_sealing_free(&s->base);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = &s->base;
	return 0;
}

int
docwrite_seal(struct view *view, const char *path, const char *over, struct deadline d,
	      struct view_sealing **out, struct err *e)
{
	struct docview *v = docview_of(view);
	AUTO_DOCPATH p = { 0 };
	struct beginning b = { &p, over == NULL };
	enum view_place place;
	int r = docwrite_place(view, path, &place, e);

	if (r == 0 && place != VIEW_PLACE_SEALED)
		r = err_set(e, EINVAL, "the name of a document ends in .json");
	if (r == 0)
		r = docwrite_may_write(v, over, e);
	if (r == 0)
		r = docpath_parse(v->store, path, &p, e);
	if (r == 0)
		r = docview_in_box(v, &p, true, check_place, &b, d, e);
	return r < 0 ? r : make_sealing(view, path, over, out, e);
}

void
docwrite_sealing_free(struct view_sealing *base)
{
	struct doc_sealing *s = sealing_of(base);

	free(s->path);
	free(s->over);
	free(s);
}

/* ---- the commit ---- */

struct commit {
	struct docview *v;
	const struct docpath *p;
	const char *over; /* the store's ETag; NULL */
	struct span plain;
	struct view_sink now;
	struct deadline d;
	char etag[DOCSTORE_ETAG_MAX + 1]; /* the new one, as the view calls it */
};

/* A value of the path and what the document has there: in words, when that is no secret. */
static int
misplaced(const struct commit *c, struct docspot *s, unsigned level, struct span raw, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	const bool is_id = level == s->n_levels;
	const int policy = is_id ? def->id_policy : def->partition[level].policy;
	struct err ignored = { 0 };
	struct docvalue value;
	AUTO_BUF found, bytes;

	buf_init(&found, NAMES_FILE_MAX);
	buf_init(&bytes, DOCSTORE_PARTITION_MAX);
	if (policy >= 0 ||
	    docbox_value(s->box, s->keys, policy, raw, &value, &bytes, &ignored) < 0 ||
	    valuename_of(&value, false, is_id ? ".json" : "", &found, &ignored) < 0)
		buf_reset(&found);
	(void)err_set(e, EINVAL, "the document's %s is not '%s', as its path says%s%s%s",
		      is_id ? "id" : "partition key", c->p->rest[level],
		      found.n > 0 ? ", but '" : "", buf_str(&found), found.n > 0 ? "'" : "");
	return err_mark(e, "document.path", "write it to the path of its own id and key");
}

static int
compare_key(const struct commit *c, struct docspot *s, const struct document_head *head,
	    unsigned level, struct err *e)
{
	const struct span raw = head->partition[level];
	AUTO_BUF given, found;
	int r;

	buf_init(&given, DOCSTORE_PARTITION_MAX);
	buf_init(&found, DOCSTORE_PARTITION_MAX);
	r = partition_add(&given, docspot_token(&s->key[level]), e);
	if (r == 0)
		r = partition_add(&found, raw, e);
	if (r == 0 && strcmp(buf_str(&given), buf_str(&found)) != 0)
		r = misplaced(c, s, level, raw, e);
	return r;
}

/* Values are sealed deterministically: what is equal is equal when stored. */
static int
check_path(const struct commit *c, struct docspot *s, const struct document_head *head,
	   struct err *e)
{
	AUTO_BUF id;
	int r;

	buf_init(&id, ID_MAX);
	r = jsonscan_unescape(head->id, &id, e);
	for (unsigned i = 0; r == 0 && i < s->n_levels; i++)
		r = compare_key(c, s, head, i, e);
	if (r == 0 && (id.n != s->id.n || memcmp(id.p, s->id.p, id.n) != 0))
		r = misplaced(c, s, s->n_levels, span_of(head->id.p - 1, head->id.n + 2), e);
	return r;
}

/*
 * A key is away: what it seals may be in the version that is there and is not in the one that is
 * written, whose writer has not seen it.
 */
static int
check_withheld(const struct commit *c, struct docspot *s, struct err *e)
{
	AUTO_BUF text;
	AUTO_DOCITEM x;
	int r;

	if (c->over == NULL || docbox_opens_all(s->keys))
		return 0;
	docitem_init(&x);
	buf_init(&text, DOCUMENT_TEXT_MAX);
	r = docstore_get(c->v->store, docbox_at(s->box), buf_str(&s->partition), buf_str(&s->id),
			 NULL, &text, NULL, c->d, e);
	if (r == -ENOENT)
		return docwrite_changed(e);
	if (r == 0)
		r = docitem_make(c->v, s, buf_span(&text), false, c->d, &x, e);
	return r == 0 && !document_set_empty(&x.plain.head.withheld) ? docwrite_withheld(e) : r;
}

/* ---- what is there now ---- */

/* Nobody could be asked what it looks like: no more than that it is there. */
static int
send_unseen(const struct commit *c, struct err *e)
{
	const struct view_item item = {
		.name = "",
		.ask = true,
		.size = 2 * c->plain.n + 4096,
		.mtime_ns = clock_wall_s() * NS_PER_S,
		.etag = c->etag,
	};

	return c->now.item(c->now.arg, &item, e);
}

/*
 * The service has put its own members in, and perhaps spelled the rest anew: only what it says now
 * is what readers will see.  Whatever fails here, the document is kept.
 */
static int
send_now(const struct commit *c, struct docspot *s, struct err *e)
{
	struct err unsaid = { 0 };
	AUTO_BUF text;
	AUTO_DOCITEM x;
	int r;

	docitem_init(&x);
	buf_init(&text, DOCUMENT_TEXT_MAX);
	r = docstore_get(c->v->store, docbox_at(s->box), buf_str(&s->partition), buf_str(&s->id),
			 NULL, &text, NULL, c->d, &unsaid);
	if (r == 0)
		r = docitem_make(c->v, s, buf_span(&text), true, c->d, &x, &unsaid);
	/* Somebody else's version is not what was written, and must not be taken for it. */
	if (r < 0 || strcmp(x.plain.etag, c->etag) != 0)
		return send_unseen(c, e);
	return docitem_send(&x, "", c->now, e);
}

/* ---- publishing ---- */

static void
forget(const struct commit *c, const struct docbox *box)
{
	docscan_forget(c->v, box);
	docmeasure_forget(c->v);
}

/* The directories that it is in are there by the document now. */
static void
forget_directories(const struct commit *c, const struct docspot *s)
{
	for (unsigned n = 1; n <= s->n_keys; n++)
		docdirs_remove(c->v->dirs, s, c->p, n);
}

static void
take_etag(struct commit *c, const char *etag)
{
	const size_t n = strlen(etag);
	const bool quoted = n >= 2 && etag[0] == '"' && etag[n - 1] == '"';

	(void)snprintf(c->etag, sizeof(c->etag), "%.*s", (int)(quoted ? n - 2 : n), etag + quoted);
}

static int
publish(struct commit *c, struct docspot *s, struct err *e)
{
	struct docbox *box = s->box;
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct docstore_put put = { .etag = c->over };
	struct document_head head;
	AUTO_BUF sealed;
	int r;

	buf_init(&sealed, DOCUMENT_TEXT_MAX);
	r = docbox_seal(box, s->keys, c->plain, &sealed, &head, e);
	if (r == 0)
		r = check_path(c, s, &head, e);
	if (r == 0)
		r = check_withheld(c, s, e);
	if (r == 0)
		r = docbox_check_pins(box, s->keys, c->v->cfg.pin_file, c->d, e);
	if (r < 0)
		return r;
	put.partition = buf_str(&s->partition);
	put.id = buf_str(&s->id);
	put.text = buf_span(&sealed);
	r = docstore_put(c->v->store, docbox_at(box), &put, etag, c->d, e);
	forget(c, box); /* also after a failure: nobody knows what has become of it */
	if (r == -EINVAL && e->event == NULL) /* an id that the service does not take */
		return err_mark(e, "document.invalid", NULL);
	if (r < 0)
		return r;
	forget_directories(c, s);
	take_etag(c, etag);
	return send_now(c, s, e);
}

static int
commit_in_box(void *arg, struct docbox *box, struct err *e)
{
	struct commit *c = arg;
	AUTO_DOCSPOT s;
	int r;

	docspot_init(&s);
	r = docplace_check(c->p, box, c->over == NULL, e);
	if (r == 0)
		r = docspot_resolve_take(c->v, c->p, docbox_get(box), true, c->d, &s, e);
	return r < 0 ? r : publish(c, &s, e);
}

int
docwrite_commit(struct view_sealing *base, const struct view_publish *p, struct view_plain plain,
		struct view_sink now, struct deadline d, struct err *e)
{
	struct doc_sealing *s = sealing_of(base);
	struct docview *v = docview_of(base->view);
	AUTO_DOCPATH path = { 0 };
	struct commit c = { .v = v, .p = &path, .now = now, .d = d };
	AUTO_BUF text, over;
	uint8_t *to;
	int r;

	buf_init(&text, PLAIN_MAX);
	buf_init(&over, 2 * DOCSTORE_ETAG_MAX);
	if (p->size > PLAIN_MAX)
		return err_set(e, EFBIG, "a document of more than %d bytes", PLAIN_MAX);
	r = buf_reserve(&text, (size_t)p->size, &to, e);
	if (r == 0 && p->size > 0)
		r = plain.read(plain.arg, 0, to, (size_t)p->size, e);
	if (r == 0 && s->over != NULL)
		r = docwrite_stored_etag(s->over, &over, e);
	if (r == 0)
		r = docpath_parse(v->store, s->path, &path, e);
	if (r < 0)
		return r;
	text.n = (size_t)p->size;
	c.plain = buf_span(&text);
	c.over = s->over != NULL ? buf_str(&over) : NULL;
	return docview_in_box(v, &path, true, commit_in_box, &c, d, e);
}
