/* SPDX-License-Identifier: MIT */
/* One document as an item of the view: its name, its size, its bytes, and what is said of it. */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/store/partition.h"
#include "base/jsonscan.h"
#include "fs/valuename.h"
#include "fs/docviewfile.h"

enum { NAMES_TEXT_MAX = 4 << 10, ID_MAX = 8 << 10 };

/* What the view remembers of a document for its attributes. */
struct doc_record {
	struct view_record base;
	struct docbox *box; /* a reference */
	uint64_t stored_size;
	char names[]; /* withheld properties NUL properties under a sibling's key, "name=key" NUL */
};

static void
record_free(struct view_record *base)
{
	struct doc_record *r = (struct doc_record *)(void *)base;

	docbox_put(r->box);
	free(r);
}

static int
add_word(struct buf *out, const char *word, struct err *e)
{
	int r = out->n > 0 ? buf_add(out, " ", 1, e) : 0;

	return r == 0 ? buf_add_str(out, word, e) : r;
}

static int
list_properties(const struct docspot *s, const struct document_head *head, struct buf *withheld,
		struct buf *siblings, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	char id[COSMOS_ID_MAX + 1];
	int r = 0;

	for (size_t i = 0; r == 0 && i < def->n_paths; i++) {
		if (document_set_has(&head->withheld, i))
			r = add_word(withheld, def->path[i].name, e);
		if (r == 0 && document_set_has(&head->sibling, i)) {
			docbox_sibling_id(s->keys, i, head->by_sibling[i], id, sizeof(id));
			r = add_word(siblings, def->path[i].name, e);
			if (r == 0)
				r = buf_addf(siblings, e, "=%s", id);
		}
	}
	return r;
}

static int
make_record(const struct docspot *s, const struct docitem *x, size_t stored_size,
	    struct view_record **out, struct err *e)
{
	AUTO_BUF withheld, siblings;
	struct doc_record *record;
	size_t n;
	int r;

	buf_init(&withheld, 256 << 10);
	buf_init(&siblings, 512 << 10);
	r = list_properties(s, &x->plain.head, &withheld, &siblings, e);
	n = sizeof(*record) + withheld.n + siblings.n + 2;
	record = r == 0 ? calloc(1, n) : NULL;
	if (record == NULL)
		return r < 0 ? r : err_set(e, ENOMEM, "out of memory");
	record->base = (struct view_record){ .free = record_free,
					     .refs = 1,
					     .bytes = (unsigned)n + 16 };
	record->box = docbox_get(s->box);
	record->stored_size = stored_size;
	memcpy(record->names, buf_str(&withheld), withheld.n);
	memcpy(record->names + withheld.n + 1, buf_str(&siblings), siblings.n);
	*out = &record->base;
	return 0;
}

/* ---- names ---- */

static int
no_name(const char *why, struct err *e)
{
	err_clear(e);
	(void)err_set(e, EBADMSG, "%s", why);
	return err_mark(e, "integrity.document", NULL);
}

/* What the store can be asked for. */
static int
take_id(struct span raw, struct buf *out, struct err *e)
{
	int r = jsonscan_unescape(raw, out, e);

	if (r == -EFBIG)
		return no_name("the document's id is longer than any can be", e);
	if (r == 0 && (out->n == 0 || memchr(out->p, '\0', out->n) != NULL))
		return no_name("the document's id is empty, or holds a NUL", e);
	return r;
}

static int
name_item(const struct docspot *s, struct docitem *x, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	const struct span id = x->plain.head.id;
	struct docvalue v;
	AUTO_BUF bytes;
	int r;

	if (id.p == NULL)
		return no_name("the document has no id", e);
	buf_init(&bytes, ID_MAX);
	r = take_id(id, &x->id, e);
	if (r == 0)
		r = docbox_value(s->box, s->keys, def->id_policy, span_of(id.p - 1, id.n + 2), &v,
				 &bytes, e);
	if (r == 0)
		r = valuename_of(&v, def->id_policy >= 0, ".json", &x->name, e);
	if (r == 0)
		r = partition_of(def, &x->plain.head, &x->partition, e);
	return r;
}

int
docitem_key(const struct docbox *box, const char *partition, struct span id, const char *etag,
	    struct buf *out, struct err *e)
{
	int r;

	buf_reset(out);
	r = buf_addf(out, e, "%llu\n%s\n%s\n", (unsigned long long)docbox_serial(box), partition,
		     etag);
	return r == 0 ? buf_add(out, id.p, id.n, e) : r;
}

/* ---- making ---- */

static int
remember_body(struct docview *v, struct docspot *s, struct docitem *x, struct span plain, bool must,
	      struct deadline d, struct err *e)
{
	AUTO_BUF key;
	int r;

	buf_init(&key, DOCSTORE_PARTITION_MAX + ID_MAX + 4096);
	r = docitem_key(s->box, buf_str(&x->partition), buf_span(&x->id), x->plain.etag, &key, e);
	return r < 0 ? r
		     : docbodies_add(engine_bodies(v->engine), buf_span(&key), plain, must, d,
				     &x->body, e);
}

/* What cannot be shown now, or ever, still has a place in its directory. */
static bool
can_be_tolerated(const struct err *e)
{
	return e->no != ENOMEM && e->no != ECANCELED;
}

static int
unseal(struct docspot *s, struct span text, bool tolerant, struct buf *plain, struct docitem *x,
       struct deadline d, struct err *e)
{
	int r = docbox_unseal(s->box, &s->keys, text, plain, &x->plain, d, e);

	/*
	 * Tried even when keys are missing: a document that needs none of those has one version
	 * only, and a listing that said otherwise than the open would send the kernel in circles.
	 */
	x->exact = r == 0;
	if (r == 0 || !tolerant || !can_be_tolerated(e))
		return r;
	err_clear(e);
	return docbox_scan(s->box, text, &x->plain, e);
}

static int
make(struct docview *v, struct docspot *s, struct span text, bool tolerant, struct buf *plain,
     struct deadline d, struct docitem *x, struct err *e)
{
	int r = unseal(s, text, tolerant, plain, x, d, e);

	if (r == 0)
		r = name_item(s, x, e);
	if (r < 0)
		return r;
	x->size = x->exact ? plain->n : text.n;
	x->mtime_ns = x->plain.head.ts * NS_PER_S;
	r = make_record(s, x, text.n, &x->record, e);
	if (r == 0 && x->exact)
		r = remember_body(v, s, x, buf_span(plain), !tolerant, d, e);
	return r;
}

int
docitem_make(struct docview *v, struct docspot *s, struct span text, bool tolerant,
	     struct deadline d, struct docitem *out, struct err *e)
{
	AUTO_BUF plain;
	int r;

	docitem_clear(out);
	buf_init(&plain, DOCUMENT_TEXT_MAX);
	r = make(v, s, text, tolerant, &plain, d, out, e);
	/* The text does not outlive the call, and neither do spans that lie in it. */
	out->plain.head.id = out->plain.head.etag = out->plain.head.rid = span_of(NULL, 0);
	if (r < 0)
		docitem_clear(out);
	return r;
}

bool
docitem_is_at_fault(const struct err *why)
{
	return why->no == EBADMSG || why->no == EINVAL || why->no == EFBIG;
}

void
docitem_init(struct docitem *x)
{
	*x = (struct docitem){ 0 };
	buf_init(&x->name, NAMES_FILE_MAX);
	buf_init(&x->partition, DOCSTORE_PARTITION_MAX);
	buf_init(&x->id, ID_MAX);
}

void
docitem_clear(struct docitem *x)
{
	buf_clear(&x->name);
	buf_clear(&x->partition);
	buf_clear(&x->id);
	view_record_put(x->record);
	docbody_put(x->body);
	docitem_init(x);
}

int
docitem_send(const struct docitem *x, const char *name, struct view_sink sink, struct err *e)
{
	const struct view_item item = {
		.name = name,
		.exact = x->exact,
		.size = x->size,
		.mtime_ns = x->mtime_ns,
		.etag = x->plain.etag,
		.record = x->record,
	};

	return sink.item(sink.arg, &item, e);
}

/* ---- attributes ---- */

unsigned
docview_xattrs(struct view *view, const char *etag, uint64_t size, struct view_record *record,
	       struct view_xattr out[VIEW_XATTRS_MAX])
{
	const struct docview *v = docview_of(view);
	const struct doc_record *r = (const struct doc_record *)(const void *)record;
	const struct container_def *def = r != NULL ? docbox_def(r->box) : NULL;
	const char *siblings;
	unsigned n = 0;

	(void)size;
#define PUT(label, ...)                                                          \
	do {                                                                     \
		out[n].name = "user.azcrypt." label;                             \
		(void)snprintf(out[n].value, sizeof(out[n].value), __VA_ARGS__); \
		n++;                                                             \
	} while (0)
	PUT("request_charge", "%.2f", (double)atomic_load(&v->store->charge_milli) / 1000.0);
	if (r == NULL)
		return n;
	PUT("etag", "%.*s", (int)strcspn(etag, "~"), etag);
	PUT("stored_size", "%llu", (unsigned long long)r->stored_size);
	if (def->has_policy) {
		PUT("protocol", "cosmos-policy-%d", def->policy_version);
		PUT("algorithm", "AEAD_AES_256_CBC_HMAC_SHA256");
		PUT("integrity", "cells");
		docbox_kek_ids(r->box, out[n].value, sizeof(out[n].value));
		out[n++].name = "user.azcrypt.key_id";
	} else {
		PUT("protocol", "none");
		PUT("integrity", "none");
	}
	if (r->names[0] != '\0')
		PUT("withheld", "%s", r->names);
	siblings = r->names + strlen(r->names) + 1;
	if (siblings[0] != '\0')
		PUT("substituted", "%s", siblings);
#undef PUT
	return n;
}
