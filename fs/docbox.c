/* SPDX-License-Identifier: MIT */
/*
 * A container that is being shown: see docbox.h.  Values are in docvalue.c, the two small files
 * in doctext.c.
 */
#include "fs/docbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonscan.h"
#include "base/log.h"
#include "base/mutex.h"
#include "fs/docboxfile.h"

enum { ID_SHOWN_MAX = 4 << 10 };

/* ---- life ---- */

static int
refuse_unencrypted(struct err *e)
{
	(void)err_set(e, EACCES, "the container has no client encryption policy");
	return err_mark(e, "policy.unencrypted",
			"mount with unencrypted=show to read such containers");
}

static int
read_container(struct docbox *b, struct deadline d, struct err *e)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, CONTAINER_TEXT_MAX);
	r = docstore_container(b->store, &b->at, &text, d, e);
	if (r == 0)
		r = container_def_parse(buf_span(&text), &b->def, e);
	if (r == 0 && !b->def.has_policy && !b->cfg->show_unencrypted)
		r = refuse_unencrypted(e);
	return r;
}

int
docbox_open(struct docstore *store, struct keyring *keys, const struct docbox_config *cfg,
	    const char *database, const char *container, struct deadline d, struct docbox **out,
	    struct err *e)
{
	static atomic_ullong last_serial;
	struct docbox *b = calloc(1, sizeof(*b));
	int r;

	if (b == NULL)
		return err_set(e, ENOMEM, "out of memory");
	b->refs = 1;
	b->serial = atomic_fetch_add(&last_serial, 1) + 1;
	b->store = store;
	b->cfg = cfg;
	(void)pthread_mutex_init(&b->mu, NULL);
	(void)snprintf(b->database, sizeof(b->database), "%s", database);
	(void)snprintf(b->container, sizeof(b->container), "%s", container);
	b->at = (struct docstore_at){ .database = b->database, .container = b->container };
	r = read_container(b, d, e);
	if (r == 0) {
		b->at.rid = b->def.rid;
		b->at.def = &b->def;
		r = keychest_new(store, keys, b->database, &b->def, cfg->dek_fallback, &b->chest,
				 e);
	}
	if (r < 0) {
		docbox_put(b);
		return err_in(e, "container '%s'", container);
	}
	*out = b;
	return 0;
}

struct docbox *
docbox_get(struct docbox *b)
{
	(void)atomic_fetch_add(&b->refs, 1);
	return b;
}

void
docbox_put(struct docbox *b)
{
	if (b == NULL || atomic_fetch_sub(&b->refs, 1) != 1)
		return;
	while (b->n_idle > 0)
		document_worker_free(b->idle[--b->n_idle]);
	keychest_free(b->chest);
	container_def_clear(&b->def);
	(void)pthread_mutex_destroy(&b->mu);
	free(b);
}

bool
docbox_note_gone(struct docbox *b, const struct err *e)
{
	const bool gone = e->no == ESTALE && e->event != NULL &&
			  strcmp(e->event, "remote.recreated") == 0;

	if (gone)
		atomic_store(&b->gone, true);
	return gone;
}

bool
docbox_is_gone(const struct docbox *b)
{
	return atomic_load(&b->gone);
}

const struct docstore_at *
docbox_at(const struct docbox *b)
{
	return &b->at;
}

uint64_t
docbox_serial(const struct docbox *b)
{
	return b->serial;
}

struct docstore *
docbox_store(const struct docbox *b)
{
	return b->store;
}

const struct container_def *
docbox_def(const struct docbox *b)
{
	return &b->def;
}

int
docbox_keys(struct docbox *b, bool patient, struct deadline d, struct dockeys **out, struct err *e)
{
	if (atomic_load(&b->siblings_wanted)) {
		struct err unsaid = { 0 }; /* most documents need none */

		if (keychest_keys(b->chest, patient, true, d, out, &unsaid) == 0)
			return 0;
	}
	return keychest_keys(b->chest, patient, false, d, out, e);
}

/* ---- workers ---- */

int
docbox_worker_take(struct docbox *b, struct document_worker **out, struct err *e)
{
	struct document_worker *w = NULL;

	mutex_lock(&b->mu);
	if (b->n_idle > 0)
		w = b->idle[--b->n_idle];
	mutex_unlock(&b->mu);
	if (w == NULL)
		return document_worker_new(out, e);
	*out = w;
	return 0;
}

void
docbox_worker_give(struct docbox *b, struct document_worker *w)
{
	mutex_lock(&b->mu);
	if (b->n_idle < DOCBOX_IDLE_MAX) {
		b->idle[b->n_idle++] = w;
		w = NULL;
	}
	mutex_unlock(&b->mu);
	document_worker_free(w);
}

/* ---- versions ---- */

/* FNV-1a over what is left out: tells two views of one stored version apart. */
static uint64_t
withheld_number(const struct document_set *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < DOCUMENT_SETS; i++)
		h = (h ^ s->bits[i]) * UINT64_C(0x100000001b3);
	return h;
}

static bool
is_etag(struct span s)
{
	if (s.n == 0 || s.n > DOCSTORE_ETAG_MAX)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] >= 0x7f || s.p[i] == DOCBOX_WITHHELD_MARK[0])
			return false;
	return true;
}

static int
name_version(struct docplain *p, struct err *e)
{
	struct span s;
	AUTO_BUF etag;
	int r = 0;

	buf_init(&etag, 4 * DOCSTORE_ETAG_MAX);
	if (p->head.etag.p != NULL)
		r = jsonscan_unescape(p->head.etag, &etag, e);
	s = buf_span(&etag);
	if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
		s = span_of(s.p + 1, s.n - 2);
	if (r < 0 || !is_etag(s)) {
		err_clear(e);
		(void)err_set(e, EBADMSG, "the document has no usable _etag");
		return err_mark(e, "integrity.document", NULL);
	}
	(void)snprintf(p->etag, sizeof(p->etag), "%.*s", (int)s.n, (const char *)s.p);
	if (!document_set_empty(&p->head.withheld))
		(void)snprintf(p->etag + s.n, sizeof(p->etag) - s.n, DOCBOX_WITHHELD_MARK "%016llx",
			       (unsigned long long)withheld_number(&p->head.withheld));
	return 0;
}

/* ---- unsealing ---- */

static bool
is_cell_failure(const struct err *e)
{
	return e->no == EBADMSG && e->event != NULL && strcmp(e->event, "integrity.cell") == 0;
}

/* What was left out must be left out for a reason that allows it. */
static int
check_withheld(const struct docbox *b, const struct dockeys *k, const struct document_head *head,
	       struct err *e)
{
	for (size_t i = 0; i < k->n; i++) {
		const struct dockeys_dek *dek = &k->dek[k->dek_of[i]];

		if (!document_set_has(&head->withheld, i) ||
		    (dek->withheld && !b->cfg->withheld_fail))
			continue;
		*e = dek->why;
		return err_in(e, "property '%s'", b->def.path[i].name);
	}
	return 0;
}

/* Says once for each property that clients have sealed it with another DEK. */
static void
tell_siblings(struct docbox *b, const struct dockeys *k, const struct document_head *head)
{
	for (size_t i = 0; i < k->n; i++) {
		char id[COSMOS_ID_MAX + 1];
		bool told;

		if (!document_set_has(&head->sibling, i))
			continue;
		mutex_lock(&b->mu);
		told = document_set_has(&b->sibling_told, i);
		b->sibling_told.bits[i / 64] |= UINT64_C(1) << i % 64;
		mutex_unlock(&b->mu);
		if (told)
			continue;
		docbox_sibling_id(k, i, head->by_sibling[i], id, sizeof(id));
		log_event(LOG_LEVEL_WARNING, "dek.substituted",
			  "%s/%s: property '%s' is sealed under key '%s', not '%s' as the policy "
			  "says",
			  b->database, b->container, b->def.path[i].name, id,
			  b->def.path[i].dek_id);
	}
}

static int
unseal_with(struct docbox *b, struct document_worker *w, const struct dockeys *k, struct span text,
	    struct buf *out, struct document_head *head, struct err *e)
{
	const struct document_rules rules = { .def = &b->def,
					      .key = k->key,
					      .clear_cells = b->cfg->clear_cells };

	return document_unseal(w, &rules, text, out, head, e);
}

/*
 * A cell did not open under its policy's DEK; one of the same KEK may do, since some clients mix
 * them up.  With dek_fallback=same-kek that counts; otherwise it is said and no more.
 */
static int
try_siblings(struct docbox *b, struct document_worker *w, struct dockeys **keys, struct span text,
	     struct buf *out, struct document_head *head, struct deadline d, struct err *e)
{
	struct dockeys *k = NULL, *before = *keys;
	struct err unsaid = { 0 };
	char id[COSMOS_ID_MAX + 1] = "", *property = NULL;
	AUTO_BUF plain;
	int r;

	buf_init(&plain, out->max);
	/* While another key is away nobody waits for it here: listings come this way too. */
	if (keychest_keys(b->chest, before->settled, true, d, &k, &unsaid) < 0)
		return -e->no;
	r = unseal_with(b, w, k, text, &plain, head, &unsaid);
	for (size_t i = 0; r == 0 && i < k->n && property == NULL; i++)
		if (document_set_has(&head->sibling, i)) {
			docbox_sibling_id(k, i, head->by_sibling[i], id, sizeof(id));
			property = b->def.path[i].name;
		}
	if (property != NULL && b->cfg->dek_fallback) {
		atomic_store(&b->siblings_wanted, true);
		err_clear(e);
		r = buf_add(out, plain.p, plain.n, e);
		*keys = k;
		k = before;
	} else if (property != NULL) {
		(void)err_in(e, "it authenticates under key '%s' of the same KEK", id);
		r = err_mark(
			e, NULL,
			"some clients seal with the wrong key: dek_fallback=same-kek opens it");
	} else {
		r = -e->no;
	}
	dockeys_put(k);
	return r;
}

static int
unseal(struct docbox *b, struct document_worker *w, struct dockeys **k, struct span text,
       struct buf *out, struct docplain *plain, struct deadline d, struct err *e)
{
	int r = unseal_with(b, w, *k, text, out, &plain->head, e);

	if (r < 0 && is_cell_failure(e) && !(*k)->with_siblings)
		r = try_siblings(b, w, k, text, out, &plain->head, d, e);
	if (r == 0 && (*k)->with_siblings)
		tell_siblings(b, *k, &plain->head);
	if (r == 0)
		r = check_withheld(b, *k, &plain->head, e);
	if (r == 0)
		r = name_version(plain, e);
	return r < 0 ? r : buf_add(out, "\n", 1, e);
}

int
docbox_unseal(struct docbox *b, struct dockeys **k, struct span text, struct buf *out,
	      struct docplain *plain, struct deadline d, struct err *e)
{
	struct document_worker *w = NULL;
	const size_t before = out->n;
	int r = docbox_worker_take(b, &w, e);

	if (r < 0)
		return r;
	r = unseal(b, w, k, text, out, plain, d, e);
	docbox_worker_give(b, w);
	if (r < 0 && out->n > before) {
		explicit_bzero(out->p + before, out->n - before);
		out->n = before;
	}
	return r;
}

int
docbox_scan(struct docbox *b, struct span text, struct docplain *plain, struct err *e)
{
	struct document_worker *w = NULL;
	int r = docbox_worker_take(b, &w, e);

	if (r < 0)
		return r;
	r = document_scan(w, &b->def, text, &plain->head, e);
	docbox_worker_give(b, w);
	return r < 0 ? r : name_version(plain, e);
}

int
docbox_err_in(struct docbox *b, struct span text, struct err *e)
{
	struct err ignored = { 0 };
	struct docplain plain;
	AUTO_BUF id;

	buf_init(&id, ID_SHOWN_MAX);
	if (docbox_scan(b, text, &plain, &ignored) < 0 || plain.head.id.p == NULL ||
	    jsonscan_unescape(plain.head.id, &id, &ignored) < 0)
		return err_in(e, "a document without id");
	return err_in(e, "document '%.80s'", buf_str(&id));
}
