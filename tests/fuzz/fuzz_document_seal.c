/* SPDX-License-Identifier: MIT */
/*
 * Target: document_seal (crypto/documentseal.c), and document_unseal behind it.
 *
 * Input: a byte of options, then a plain document.
 *
 * Properties: what is sealed opens, to the same tokens one for one but for the members that the
 * service sets; below a path of the policy nothing is left in clear; what was opened seals and
 * opens to the very same bytes again, which in clear are those of the input; what fails says why
 * and adds nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/jsonscan.h"
#include "base/number.h"
#include "crypto/documentseal.h"

enum { TEXT_MAX = 1 << 16, OUT_MAX = 4 << 20, OPTION_CLEAR_ID = 1, OPTION_WITHHELD = 2 };
enum { PATH_A, PATH_R, PATH_W, PATH_ID, PATHS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct world {
	struct document_worker *worker;
	struct dek_keys *keys;
	struct policy_path path[PATHS];
	struct container_def def;
};

static void
need(bool good)
{
	if (!good)
		abort();
}

static struct world *
world(void)
{
	static char names[PATHS][4] = { "a", "r", "w", "id" };
	static char pk[] = "pk", x[] = "x";
	static struct world w;
	struct err e = { 0 };
	struct cek dek;

	if (w.worker != NULL)
		return &w;
	memset(dek.k, 1, sizeof(dek.k));
	need(document_worker_new(&w.worker, &e) == 0 && dek_keys_new(&dek, &w.keys, &e) == 0);
	for (size_t i = 0; i < PATHS; i++)
		w.path[i] = (struct policy_path){ .name = names[i], .n_name = strlen(names[i]) };
	w.path[PATH_R].kind = CELL_RANDOMIZED;
	w.def = (struct container_def){
		.path = w.path,
		.n_partition = 2,
		.partition = { { .token = { pk }, .n_tokens = 1, .policy = -1 },
			       { .token = { names[PATH_A], x }, .n_tokens = 2, .policy = PATH_A } },
	};
	return &w;
}

/* ---- two plain documents, token by token ---- */

static bool
is_of_the_service(const struct jsonscan *s)
{
	static const char *const names[] = { "_rid", "_etag", "_ts", "_self", "_attachments" };
	bool is = false;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		is |= jsonscan_is(s->token, s->escaped, span_str(names[i]));
	return is;
}

static enum jsonscan_token
next_kept(struct jsonscan *s)
{
	enum jsonscan_token t = jsonscan_next(s);

	while (s->depth == 1 && t == JSONSCAN_NAME && is_of_the_service(s)) {
		need(jsonscan_skip(s));
		t = jsonscan_next(s);
	}
	return t;
}

static bool
same_bytes(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static void
check_number(struct span a, struct span b)
{
	long long i, j;
	double x, y;

	if (number_parse_long(a, &i)) {
		need(number_parse_long(b, &j) && i == j);
		return;
	}
	need(!number_parse_long(b, &j));
	need(number_parse(a, &x) && number_parse(b, &y) && memcmp(&x, &y, sizeof(x)) == 0);
}

/* The value that has passed in both: b was sealed in between. */
static void
check_sealed(const struct jsonscan *a, const struct jsonscan *b, enum jsonscan_token t)
{
	struct err e = { 0 };
	AUTO_BUF text;

	buf_init(&text, TEXT_MAX);
	if (t == JSONSCAN_NUMBER)
		check_number(a->token, b->token);
	if (t != JSONSCAN_STRING)
		return;
	need(jsonscan_unescape(a->token, &text, &e) == 0);
	need(jsonscan_is(b->token, b->escaped, buf_span(&text)));
}

static bool
is_sealed(const struct container_def *def, const struct jsonscan *name)
{
	bool is = false;

	for (size_t i = 0; i < def->n_paths; i++)
		is |= jsonscan_is(name->token, name->escaped, span_str(def->path[i].name));
	return is;
}

static void
check_same(const struct container_def *def, struct span before, struct span after)
{
	enum jsonscan_token t = JSONSCAN_BAD;
	struct jsonscan a, b;
	bool sealed = false;

	jsonscan_init(&a, before, JSONSCAN_DEPTH_MAX, NULL);
	jsonscan_init(&b, after, JSONSCAN_DEPTH_MAX, NULL);
	while (t != JSONSCAN_END) {
		t = next_kept(&a);
		need(t != JSONSCAN_BAD && jsonscan_next(&b) == t && a.depth == b.depth);
		if (t == JSONSCAN_END)
			break;
		if (a.depth == 1 && t == JSONSCAN_NAME)
			sealed = is_sealed(def, &a);
		if (sealed && t != JSONSCAN_NAME)
			check_sealed(&a, &b, t);
		else if (t != JSONSCAN_OBJECT && t != JSONSCAN_ARRAY)
			need(same_bytes(a.token, b.token));
	}
}

/* Nothing below a path but cells and null, nothing of the service's. */
static void
check_cells(const struct container_def *def, struct span stored)
{
	struct jsonscan s;
	enum jsonscan_token t;
	bool sealed = false;

	jsonscan_init(&s, stored, JSONSCAN_DEPTH_MAX, NULL);
	while ((t = jsonscan_next(&s)) != JSONSCAN_END) {
		need(t != JSONSCAN_BAD);
		if (s.depth == 1 && t == JSONSCAN_NAME) {
			need(!is_of_the_service(&s));
			sealed = is_sealed(def, &s);
		}
		need(!sealed ||
		     (t != JSONSCAN_NUMBER && t != JSONSCAN_TRUE && t != JSONSCAN_FALSE));
		need(!sealed || t != JSONSCAN_STRING || (!s.escaped && s.token.n >= CELL_TEXT_MIN));
	}
}

/* ---- one round ---- */

static int
round_trip(struct world *w, const struct document_rules *rules, struct span text,
	   struct buf *stored, struct buf *plain)
{
	struct document_head head = { 0 }, scanned;
	struct err e = { 0 };
	int r;

	need(buf_add(stored, "before", 6, &e) == 0);
	r = document_seal(w->worker, rules, text, stored, &head, &e);
	need(r == -e.no && memcmp(stored->p, "before", 6) == 0);
	if (r < 0) {
		need(r == -EINVAL || r == -EACCES || r == -EFBIG);
		need(stored->n == 6 && e.text[0] != '\0' && head.id.p == NULL);
		need(r != -EINVAL || strcmp(e.event, "document.invalid") == 0);
		return r;
	}
	need(head.id.n > 0 && head.id.p > stored->p && head.id.p < stored->p + stored->n);
	check_cells(rules->def, span_of(stored->p + 6, stored->n - 6));
	need(document_unseal(w->worker, rules, span_of(stored->p + 6, stored->n - 6), plain,
			     &scanned, &e) == 0);
	need(scanned.cells == head.cells && same_bytes(scanned.id, head.id));
	return 0;
}

static void
check(struct world *w, const struct document_rules *rules, struct span text)
{
	AUTO_BUF stored, plain, stored_again, plain_again;

	buf_init(&stored, OUT_MAX);
	buf_init(&plain, OUT_MAX);
	buf_init(&stored_again, OUT_MAX);
	buf_init(&plain_again, OUT_MAX);
	if (round_trip(w, rules, text, &stored, &plain) < 0)
		return;
	check_same(rules->def, text, buf_span(&plain));
	need(round_trip(w, rules, buf_span(&plain), &stored_again, &plain_again) == 0);
	need(same_bytes(buf_span(&plain), buf_span(&plain_again)));
	need(stored.n == stored_again.n);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct world *w = world();
	const uint8_t options = n > 0 ? data[0] : 0;
	struct document_key key[PATHS];
	const struct document_rules rules = { .def = &w->def, .key = key };
	uint8_t *exact;

	if (n < 1 || n > TEXT_MAX)
		return 0;
	for (size_t i = 0; i < PATHS; i++)
		key[i] = (struct document_key){ .keys = w->keys };
	if ((options & OPTION_WITHHELD) != 0)
		key[PATH_W].keys = NULL;
	w->def.n_paths = (options & OPTION_CLEAR_ID) != 0 ? PATH_ID : PATHS;
	w->def.id_policy = (options & OPTION_CLEAR_ID) != 0 ? -1 : PATH_ID;
	exact = malloc(n);
	need(exact != NULL);
	memcpy(exact, data + 1, n - 1);
	check(w, &rules, span_of(exact, n - 1));
	free(exact);
	return 0;
}
