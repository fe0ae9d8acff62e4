/* SPDX-License-Identifier: MIT */
/*
 * A container of numbered documents for the tests of streams: a document store that pages through
 * them, and a docbox that "unseals" them, both with the faults that a test asks for.  It keeps the
 * contracts of backend/store/docstore.h and fs/docbox.h as far as streams go.  One a program; for a
 * single translation unit.
 */
#ifndef TESTS_UNIT_FS_FAKEDOCSTORE_H
#define TESTS_UNIT_FS_FAKEDOCSTORE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/store/docstore.h"
#include "base/mutex.h"
#include "fs/docbox.h"

/* ---- what there is, and what goes wrong ---- */

static struct fakedocs {
	struct docstore store;
	unsigned n;	      /* documents */
	size_t least, spread; /* their lengths: least .. least + spread */
	unsigned page_items;  /* of a page, whatever is asked for */
	size_t page_bytes;    /* a page ends when it has that many */
	unsigned empty_every; /* so many pages are followed by one without documents, 0 = none */
	unsigned bad;	      /* this document does not verify */
	/* --- faults --- */
	atomic_uint fail_next;		     /* so many requests fail ... */
	atomic_int fail_no;		     /* ... with this errno */
	atomic_uint unseal_fails, keys_fail; /* so many fail with EIO */
	unsigned unseal_fails_at;	     /* at this document */
	atomic_uint page_us, document_us;    /* how long a page and a document take */
	atomic_bool closed_gate;	     /* requests wait while it is closed */
	atomic_uint at_gate;
	/* --- what was seen --- */
	atomic_int noted; /* errno of the last failure that the box was told of */
	atomic_uint requests, fetching, unsealing, most_fetching, most_unsealing;
	atomic_bool overlapped; /* a page was fetched while a document was unsealed */
	char min[DOCSTORE_EPK_MAX + 1], max[DOCSTORE_EPK_MAX + 1];
	atomic_uint largest_page; /* documents asked for */
	/* --- its own --- */
	pthread_mutex_t mu;
	pthread_cond_t gate;
} docs;

enum { NO_DOCUMENT = UINT32_MAX };

static inline size_t
docs_len(unsigned i)
{
	const uint64_t dice = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

	return docs.least + (docs.spread > 0 ? (size_t)(dice >> 32) % docs.spread : 0);
}

/* The stored text of a document: as long as docs_len says, or its frame when that is longer. */
static size_t
docs_print(unsigned i, char *out, size_t n)
{
	int head = snprintf(out, n, "{\"id\":\"d/%u\",\"pad\":\"", i);
	size_t len = docs_len(i);

	if (len < (size_t)head + 2)
		len = (size_t)head + 2;
	if (out != NULL && n > len) {
		for (size_t at = (size_t)head; at < len - 2; at++)
			out[at] = (char)('a' + (at * 7 + i) % 26);
		memcpy(out + len - 2, "\"}", 3);
	}
	return len;
}

/* What a reader of documents [from, to) gets; the caller frees. */
static inline char *
docs_text(unsigned from, unsigned to, size_t *n)
{
	size_t room = 1, at = 0;
	char *text;

	for (unsigned i = from; i < to; i++)
		room += docs_print(i, NULL, 0) + 1;
	text = malloc(room);
	if (text == NULL)
		abort();
	for (unsigned i = from; i < to; i++) {
		at += docs_print(i, text + at, room - at);
		text[at++] = '\n';
	}
	*n = at;
	return text;
}

/* ---- the store ---- */

static void
note_most(atomic_uint *most, unsigned n)
{
	unsigned was = atomic_load(most);

	while (n > was && !atomic_compare_exchange_weak(most, &was, n))
		;
}

static inline void
docs_set_gate(bool closed)
{
	mutex_lock(&docs.mu);
	atomic_store(&docs.closed_gate, closed);
	(void)pthread_cond_broadcast(&docs.gate);
	mutex_unlock(&docs.mu);
}

static void
pass_gate(void)
{
	mutex_lock(&docs.mu);
	atomic_fetch_add(&docs.at_gate, 1);
	while (atomic_load(&docs.closed_gate))
		(void)pthread_cond_wait(&docs.gate, &docs.mu);
	atomic_fetch_sub(&docs.at_gate, 1);
	mutex_unlock(&docs.mu);
}

static bool
spend(atomic_uint *left)
{
	for (unsigned n = atomic_load(left); n > 0;)
		if (atomic_compare_exchange_weak(left, &n, n - 1))
			return true;
	return false;
}

static int
send_documents(unsigned *at, unsigned max_items, struct docstore_sink sink, struct err *e)
{
	const unsigned items = docs.page_items < max_items ? docs.page_items : max_items;
	size_t bytes = 0;
	int r = 0;

	for (unsigned k = 0; r == 0 && k < items && *at < docs.n && bytes < docs.page_bytes;
	     k++, (*at)++) {
		const size_t n = docs_print(*at, NULL, 0);
		char *text = malloc(n + 1);

		if (text == NULL)
			abort();
		(void)docs_print(*at, text, n + 1);
		r = sink.text(sink.arg, span_of(text, n), e);
		free(text);
		bytes += n;
	}
	return r;
}

/* A cursor is the number of the next document; a '.' behind it: an empty page comes first. */
static int
fetch_page(const struct docstore_select *sel, struct buf *cursor, struct docstore_sink sink,
	   struct err *e)
{
	const bool begun = cursor->n > 0, empty = begun && cursor->p[cursor->n - 1] == '.';
	unsigned at = begun ? (unsigned)strtoul(buf_str(cursor), NULL, 10) : 0;
	const unsigned page = at / docs.page_items + 1;
	int r = 0;

	if (!empty)
		r = send_documents(&at, sel->max_items, sink, e);
	if (r < 0)
		return r;
	buf_reset(cursor);
	if (!empty && docs.empty_every > 0 && page % docs.empty_every == 0)
		return buf_addf(cursor, e, "%u.", at);
	return at < docs.n ? buf_addf(cursor, e, "%u", at) : 0;
}

static int
fake_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	  struct buf *cursor, struct docstore_sink sink, struct docstore_page *out,
	  struct deadline d, struct err *e)
{
	int r = 0;

	(void)s;
	(void)at;
	atomic_fetch_add(&docs.requests, 1);
	note_most(&docs.most_fetching, atomic_fetch_add(&docs.fetching, 1) + 1);
	note_most(&docs.largest_page, sel->max_items);
	mutex_lock(&docs.mu);
	(void)snprintf(docs.min, sizeof(docs.min), "%s", sel->min);
	(void)snprintf(docs.max, sizeof(docs.max), "%s", sel->max);
	mutex_unlock(&docs.mu);
	if (atomic_load(&docs.page_us) > 0)
		usleep(atomic_load(&docs.page_us));
	pass_gate();
	if (atomic_load(&docs.unsealing) > 0)
		atomic_store(&docs.overlapped, true);
	if (sel->what != DOCSTORE_DOCUMENTS || sel->changes || sel->partition != NULL)
		r = err_set(e, EINVAL, "a stream wants documents");
	else if (deadline_left_ns(d) == 0)
		r = err_set(e, ETIMEDOUT, "too late");
	else if (spend(&docs.fail_next))
		r = err_set(e, atomic_load(&docs.fail_no), "a fault that was asked for");
	if (r == 0)
		r = fetch_page(sel, cursor, sink, e);
	if (r == 0)
		*out = (struct docstore_page){ .charge = 1 };
	atomic_fetch_sub(&docs.fetching, 1);
	return r;
}

static const struct docstore_ops fake_docstore_ops = { .name = "fake", .page = fake_page };

/* ---- the docbox ---- */

struct docbox {
	atomic_uint refs;
	struct docstore_at at;
};
struct dockeys {
	unsigned refs;
};
static struct docbox box;

struct docbox *
docbox_get(struct docbox *b)
{
	atomic_fetch_add(&b->refs, 1);
	return b;
}

void
docbox_put(struct docbox *b)
{
	if (b != NULL)
		atomic_fetch_sub(&b->refs, 1);
}

const struct docstore_at *
docbox_at(const struct docbox *b)
{
	return &b->at;
}

struct docstore *
docbox_store(const struct docbox *b)
{
	(void)b;
	return &docs.store;
}

int
docbox_keys(struct docbox *b, bool patient, struct deadline d, struct dockeys **out, struct err *e)
{
	(void)b;
	(void)patient;
	(void)d;
	if (spend(&docs.keys_fail))
		return err_set(e, EIO, "the vault is away");
	*out = calloc(1, sizeof(**out));
	return *out != NULL ? 0 : err_set(e, ENOMEM, "out of memory");
}

bool
docbox_note_gone(struct docbox *b, const struct err *e)
{
	(void)b;
	atomic_store(&docs.noted, e->no);
	return e->no == ESTALE;
}

void
dockeys_put(struct dockeys *k)
{
	free(k);
}

int
docbox_scan(struct docbox *b, struct span text, struct docplain *plain, struct err *e)
{
	const size_t front = strlen("{\"id\":\"");
	const uint8_t *quote = text.n > front ? memchr(text.p + front, '"', text.n - front) : NULL;

	(void)b;
	if (quote == NULL)
		return err_set(e, EBADMSG, "no document");
	*plain = (struct docplain){ 0 };
	plain->head.id = span_of(text.p + front, (size_t)(quote - text.p) - front);
	return 0;
}

int
docbox_err_in(struct docbox *b, struct span text, struct err *e)
{
	struct err ignored = { 0 };
	struct docplain plain;

	if (docbox_scan(b, text, &plain, &ignored) < 0)
		return err_in(e, "a document without id");
	return err_in(e, "document '%.*s'", (int)plain.head.id.n, (const char *)plain.head.id.p);
}

int
docbox_unseal(struct docbox *b, struct dockeys **k, struct span text, struct buf *out,
	      struct docplain *plain, struct deadline d, struct err *e)
{
	struct err ignored = { 0 };
	unsigned number = NO_DOCUMENT;
	int r = docbox_scan(b, text, plain, &ignored);

	(void)k;
	(void)d;
	note_most(&docs.most_unsealing, atomic_fetch_add(&docs.unsealing, 1) + 1);
	if (atomic_load(&docs.document_us) > 0)
		usleep(atomic_load(&docs.document_us));
	if (r == 0)
		number = (unsigned)strtoul((const char *)plain->head.id.p + 2, NULL, 10);
	r = 0;
	if (number == docs.bad)
		r = err_set(e, EBADMSG, "/ssn: authentication failed");
	else if (number == docs.unseal_fails_at && spend(&docs.unseal_fails))
		r = err_set(e, EIO, "the vault is away");
	if (r == 0)
		r = buf_add(out, text.p, text.n, e);
	if (r == 0)
		r = buf_add(out, "\n", 1, e);
	atomic_fetch_sub(&docs.unsealing, 1);
	return r;
}

/* ---- life ---- */

/* n documents of a hundred bytes or so. */
static void
docs_init(unsigned n)
{
	memset(&docs, 0, sizeof(docs));
	docs.store.ops = &fake_docstore_ops;
	docs.n = n;
	docs.least = 50;
	docs.spread = 100;
	docs.page_items = 1000;
	docs.page_bytes = 4 << 20;
	docs.bad = docs.unseal_fails_at = NO_DOCUMENT;
	(void)pthread_mutex_init(&docs.mu, NULL);
	(void)pthread_cond_init(&docs.gate, NULL);
	atomic_store(&box.refs, 1);
}

static void
docs_clear(void)
{
	(void)pthread_mutex_destroy(&docs.mu);
	(void)pthread_cond_destroy(&docs.gate);
}

#endif
