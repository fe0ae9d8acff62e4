/* SPDX-License-Identifier: MIT */
/* Sealing for a container, and what has to hold before anything is sealed: see docbox.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jsonscan.h"
#include "base/log.h"
#include "fs/docboxfile.h"
#include "fs/docpin.h"

enum { CANARY_DOCUMENTS = 1000 };

/* ---- sealing ---- */

/* The first property of the document whose key is not at hand; -1: none. */
static int
find_missing(const struct docbox *b, const struct dockeys *k, struct span text)
{
	struct jsonscan s;
	enum jsonscan_token t;

	jsonscan_init(&s, text, JSONSCAN_DEPTH_MAX, NULL);
	for (t = jsonscan_next(&s); t != JSONSCAN_BAD && t != JSONSCAN_END; t = jsonscan_next(&s)) {
		for (size_t i = 0; t == JSONSCAN_NAME && s.depth == 1 && i < k->n; i++)
			if (k->key[i].keys == NULL &&
			    jsonscan_is(s.token, s.escaped,
					span_of(b->def.path[i].name, b->def.path[i].n_name)))
				return (int)i;
		if (t == JSONSCAN_NAME && !jsonscan_skip(&s))
			return -1;
	}
	return -1;
}

int
docbox_seal(struct docbox *b, const struct dockeys *k, struct span text, struct buf *out,
	    struct document_head *head, struct err *e)
{
	const struct document_rules rules = { .def = &b->def, .key = k->key };
	struct document_worker *w = NULL;
	int r = docbox_worker_take(b, &w, e), path;

	if (r < 0)
		return r;
	r = document_seal(w, &rules, text, out, head, e);
	docbox_worker_give(b, w);
	path = r == -EACCES ? find_missing(b, k, text) : -1;
	if (path < 0)
		return r;
	*e = k->dek[k->dek_of[path]].why;
	return err_in(e, "property '%s'", b->def.path[path].name);
}

bool
docbox_opens_all(const struct dockeys *k)
{
	for (size_t i = 0; i < k->n_deks; i++)
		if (k->dek[i].open == NULL)
			return false;
	return true;
}

/* ---- the canary ---- */

/* Whether what is there is sealed with the keys that are about to be used. */
struct canary {
	struct docbox *b;
	const struct dockeys *k;
	struct document_worker *w;
	const struct docpin_claim *claim;
	const size_t *dek; /* of each key of the claim: its number in k */
	bool *found, *good;
};

/* Only what this key seals counts: to everything else the rules are blind. */
static void
try_key(struct canary *c, size_t i, struct span text)
{
	struct document_key key[POLICY_PATHS_MAX] = { 0 };
	const struct document_rules rules = { .def = &c->b->def,
					      .key = key,
					      .clear_cells = CLEAR_CELLS_SHOW };
	struct document_head head = { 0 };
	struct err why = { 0 };
	AUTO_BUF plain;
	int r;

	for (size_t p = 0; p < c->k->n; p++)
		if (c->k->dek_of[p] == c->dek[i])
			key[p].keys = c->k->key[p].keys;
	buf_init(&plain, DOCUMENT_TEXT_MAX);
	r = document_unseal(c->w, &rules, text, &plain, &head, &why);
	c->good[i] = r == 0 && head.cells > 0;
	c->found[i] |= c->good[i] || (r == -EBADMSG && why.event != NULL &&
				      strcmp(why.event, "integrity.cell") == 0);
}

static int
try_document(void *arg, struct span text, struct err *e)
{
	struct canary *c = arg;

	(void)e;
	for (size_t i = 0; i < c->claim->n_keys; i++)
		if (c->claim->key[i].is_new && !c->good[i])
			try_key(c, i, text);
	return 0;
}

static int
refuse_key(const struct canary *c, const struct docpin_key *key, struct err *e)
{
	(void)err_set(e, EACCES,
		      "key '%s' opens nothing of what is sealed under its name in '%s': nothing is "
		      "written",
		      key->id, c->claim->container);
	return err_mark(e, "policy.dek_changed",
			"find out who changed the key; restore its record");
}

/*
 * One page; a container that has none gives no evidence, and neither does a key nothing is under.
 */
static int
look(struct canary *c, struct deadline d, struct err *e)
{
	const struct docstore_select sel = { .what = DOCSTORE_DOCUMENTS,
					     .max_items = CANARY_DOCUMENTS };
	const struct docstore_sink sink = { try_document, c };
	struct docstore_page page;
	AUTO_BUF cursor;
	int r = 0;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	r = docstore_page(c->b->store, &c->b->at, &sel, &cursor, sink, &page, d, e);
	for (size_t i = 0; r == 0 && i < c->claim->n_keys; i++)
		if (c->found[i] && !c->good[i])
			r = refuse_key(c, &c->claim->key[i], e);
	return r;
}

static int
check_canary(struct docbox *b, const struct dockeys *k, const struct docpin_claim *claim,
	     const size_t *dek, struct deadline d, struct err *e)
{
	bool found[POLICY_PATHS_MAX] = { false }, good[POLICY_PATHS_MAX] = { false };
	struct canary c = { b, k, NULL, claim, dek, found, good };
	int r = docbox_worker_take(b, &c.w, e);

	if (r < 0)
		return r;
	r = look(&c, d, e);
	docbox_worker_give(b, c.w);
	return r;
}

/* ---- pins ---- */

/* ACCOUNT/DATABASE/CONTAINER: the store's label begins with the account or the path. */
static void
name_container(const struct docbox *b, char out[static DOCPIN_NAME_MAX + 1])
{
	const struct docstore *s = b->store;
	size_t n = strlen(s->label), n_tail = 0;

	if (s->database[0] != '\0')
		n_tail += 1 + strlen(s->database);
	if (s->container[0] != '\0')
		n_tail += 1 + strlen(s->container);
	if (n > n_tail)
		n -= n_tail;
	(void)snprintf(out, DOCPIN_NAME_MAX + 1, "%.*s/%s/%s", (int)n, s->label, b->database,
		       b->container);
}

/* What is open of the policy's keys; dek: where each is. */
static int
claim_keys(const struct docbox *b, const struct dockeys *k, struct docpin_claim *c, size_t *dek,
	   struct err *e)
{
	bool taken[POLICY_PATHS_MAX] = { false };
	int r = 0;

	for (size_t i = 0; r == 0 && i < k->n; i++) {
		const size_t at = k->dek_of[i];
		struct docpin_key *key = &c->key[c->n_keys];

		if (taken[at] || k->dek[at].open == NULL)
			continue;
		taken[at] = true;
		key->id = b->def.path[i].dek_id;
		dek[c->n_keys] = at;
		r = dek_fingerprint(k->dek[at].open->keys, key->fingerprint, e);
		c->n_keys++;
	}
	return r;
}

static int
refuse_unencrypted(const struct docpin_claim *c, struct err *e)
{
	(void)err_set(e, EACCES,
		      "'%s' has no client encryption policy: what is written would be in clear",
		      c->container);
	return err_mark(e, "policy.unencrypted", "such containers are read only");
}

/* What is there now is trusted from here on, which somebody should have read once. */
static int
add_pins(const char *file, struct docpin_claim *c, struct err *e)
{
	size_t n_new = 0;
	int r = docpin_add(file, c, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->n_keys; i++)
		n_new += c->key[i].is_new;
	if (c->is_new || n_new > 0)
		log_event(LOG_LEVEL_INFO, "policy.pinned",
			  "%s: its policy and %zu of its keys are pinned in %s", c->container,
			  c->n_keys, file);
	return 0;
}

static int
check_pins(struct docbox *b, const struct dockeys *k, const char *file, struct docpin_claim *c,
	   struct deadline d, struct err *e)
{
	size_t dek[POLICY_PATHS_MAX];
	bool any_new;
	int r = docpin_policy(&b->def, c->policy, e);

	if (r == 0)
		r = claim_keys(b, k, c, dek, e);
	if (r == 0)
		r = docpin_check(file, c, e);
	if (r == 0 && !b->def.has_policy)
		r = refuse_unencrypted(c, e);
	if (r < 0)
		return r;
	any_new = c->is_new;
	for (size_t i = 0; i < c->n_keys; i++)
		any_new |= c->key[i].is_new;
	if (!any_new)
		return 0;
	r = check_canary(b, k, c, dek, d, e);
	return r == 0 ? add_pins(file, c, e) : r;
}

int
docbox_check_pins(struct docbox *b, const struct dockeys *k, const char *file, struct deadline d,
		  struct err *e)
{
	struct docpin_claim *c = calloc(1, sizeof(*c));
	struct docpin_key *keys = calloc(POLICY_PATHS_MAX, sizeof(*keys));
	int r;

	if (c == NULL || keys == NULL) {
		r = err_set(e, ENOMEM, "out of memory");
	} else {
		c->key = keys;
		name_container(b, c->container);
		r = check_pins(b, k, file, c, d, e);
	}
	free(keys);
	free(c);
	return r;
}
