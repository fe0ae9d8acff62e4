/* SPDX-License-Identifier: MIT */
/*
 * Target: document_unseal and document_scan (crypto/document.c, documenthead.c, cell.c).
 *
 * Input: a byte of options, then a document.  A control character 0x01..0x08 in it stands for a
 * cell that is good under the first or the second key, in quotes: no fuzzer finds a tag.
 *
 * Properties: what is shown is one line of JSON, which is a document again and has the head that
 * was told; no cell is left below a path of the policy, no member that is withheld; what fails
 * says why and adds nothing.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/jsonscan.h"
#include "crypto/document.h"

enum { CELLS = 8, TEXT_MAX = 1 << 22, OPTION_CLEAR = 3, OPTION_SIBLING = 4, OPTION_WITHHELD = 8 };
enum { PATH_A, PATH_B, PATH_W, PATH_ID, PATHS };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

struct world {
	struct document_worker *worker;
	struct dek_keys *keys[2];
	struct buf cell[CELLS];
	struct policy_path path[PATHS];
	struct container_def def;
};

static void
need(bool good)
{
	if (!good)
		abort();
}

/* Four values, each under both keys; cells are deterministic, so that they stay the same. */
static void
make_cells(struct world *w)
{
	static const struct cell_value values[] = {
		{ .type = CELL_STRING, .text = { (const uint8_t *)"s\"\n\xc3\xa9", 5 } },
		{ .type = CELL_LONG, .integer = INT64_MIN },
		{ .type = CELL_DOUBLE, .real = 1.0 },
		{ .type = CELL_BOOLEAN, .boolean = true },
	};
	struct err e = { 0 };

	for (size_t i = 0; i < CELLS; i++) {
		buf_init(&w->cell[i], 1000);
		need(cell_seal(document_worker_cells(w->worker), w->keys[i / 4], &values[i % 4],
			       i % 2 == 0 ? BASE64_STANDARD : BASE64_URL, &w->cell[i], &e) == 0);
	}
}

static struct world *
world(void)
{
	static char names[PATHS][4] = { "a", "b", "w", "id" };
	static char pk[] = "pk", x[] = "x";
	static struct world w;
	struct err e = { 0 };
	struct cek dek;

	if (w.worker != NULL)
		return &w;
	need(document_worker_new(&w.worker, &e) == 0);
	for (size_t i = 0; i < ARRAY_LEN(w.keys); i++) {
		memset(dek.k, (int)i + 1, sizeof(dek.k));
		need(dek_keys_new(&dek, &w.keys[i], &e) == 0);
	}
	for (size_t i = 0; i < PATHS; i++)
		w.path[i] = (struct policy_path){ .name = names[i], .n_name = strlen(names[i]) };
	w.def = (struct container_def){
		.path = w.path,
		.n_paths = PATHS,
		.n_partition = 2,
		.partition = { { .token = { pk }, .n_tokens = 1, .policy = -1 },
			       { .token = { names[PATH_A], x }, .n_tokens = 2, .policy = PATH_A } },
	};
	make_cells(&w);
	return &w;
}

/* The document with its cells in place. */
static void
expand(const struct world *w, struct span in, struct buf *out)
{
	struct err e = { 0 };
	int r = 0;

	for (size_t i = 0; i < in.n && r == 0; i++) {
		const uint8_t c = in.p[i];

		if (c < 1 || c > CELLS) {
			r = buf_add(out, &c, 1, &e);
			continue;
		}
		r = buf_add(out, "\"", 1, &e);
		if (r == 0)
			r = buf_add(out, w->cell[c - 1].p, w->cell[c - 1].n, &e);
		if (r == 0)
			r = buf_add(out, "\"", 1, &e);
	}
	need(r == 0);
}

static bool
is_cell(const struct world *w, const struct jsonscan *s)
{
	for (size_t i = 0; i < CELLS; i++)
		if (jsonscan_is(s->token, s->escaped, buf_span(&w->cell[i])))
			return true;
	return false;
}

static int
path_of(const struct world *w, const struct jsonscan *s)
{
	for (int i = 0; i < PATHS; i++)
		if (jsonscan_is(s->token, s->escaped, span_of(w->path[i].name, w->path[i].n_name)))
			return i;
	return -1;
}

/* Through what is shown. */
static void
check_plain(const struct world *w, const struct document_rules *rules, struct span plain,
	    const struct document_head *head)
{
	struct jsonscan s;
	enum jsonscan_token t;
	int path = -1;

	jsonscan_init(&s, plain, JSONSCAN_DEPTH_MAX, NULL);
	for (t = jsonscan_next(&s); t != JSONSCAN_END; t = jsonscan_next(&s)) {
		need(t != JSONSCAN_BAD);
		if (s.depth == 1 && t == JSONSCAN_NAME) {
			path = path_of(w, &s);
			need(path < 0 || rules->key[path].keys != NULL);
		}
		if (t == JSONSCAN_STRING && path >= 0)
			need(!is_cell(w, &s));
	}
	need(memchr(plain.p, '\n', plain.n) == NULL && memchr(plain.p, '\r', plain.n) == NULL);
	need(plain.p[0] == '{' && plain.p[plain.n - 1] == '}');
	for (size_t i = 0; i < PATHS; i++)
		need(!document_set_has(&head->withheld, i) || rules->key[i].keys == NULL);
	need(document_set_empty(&head->clear) || rules->clear_cells != CLEAR_CELLS_DENY);
}

static bool
same_span(struct span a, struct span b)
{
	return a.p == b.p && a.n == b.n;
}

static void
check_heads(const struct document_head *a, const struct document_head *b)
{
	need(same_span(a->id, b->id) && same_span(a->etag, b->etag) && same_span(a->rid, b->rid));
	need(a->ts == b->ts);
	for (size_t i = 0; i < CONTAINER_PATHS_MAX; i++)
		need(same_span(a->partition[i], b->partition[i]));
}

static void
check(struct world *w, const struct document_rules *rules, struct span text)
{
	struct document_head scanned = { 0 }, head = { 0 }, again;
	struct err scan_e = { 0 }, e = { 0 }, again_e = { 0 };
	const int scan_r = document_scan(w->worker, &w->def, text, &scanned, &scan_e);
	AUTO_BUF out;
	int r;

	buf_init(&out, 2 * TEXT_MAX);
	need(buf_add(&out, "before", 6, &again_e) == 0);
	r = document_unseal(w->worker, rules, text, &out, &head, &e);
	need(r == -e.no && scan_r == -scan_e.no && memcmp(out.p, "before", 6) == 0);
	if (r < 0) {
		need(r == -EBADMSG || r == -EACCES);
		need(out.n == 6 && e.text[0] != '\0' && e.event != NULL);
		need(scan_r < 0 || strcmp(e.event, "integrity.document") != 0);
		return;
	}
	need(scan_r == 0);
	check_heads(&scanned, &head);
	check_plain(w, rules, span_of(out.p + 6, out.n - 6), &head);
	need(document_scan(w->worker, &w->def, span_of(out.p + 6, out.n - 6), &again, &again_e) ==
	     0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct world *w = world();
	const uint8_t options = n > 0 ? data[0] : 0;
	const struct dek_keys *const sibling[] = { w->keys[1] };
	struct document_key key[PATHS];
	const struct document_rules rules = { .def = &w->def,
					      .key = key,
					      .clear_cells = (enum clear_cells)(
						      (options & OPTION_CLEAR) % 3) };
	uint8_t *exact;
	AUTO_BUF text;

	if (n > TEXT_MAX / 128)
		return 0;
	for (size_t i = 0; i < PATHS; i++)
		key[i] = (struct document_key){ .keys = w->keys[i == PATH_B] };
	if ((options & OPTION_SIBLING) != 0) {
		key[PATH_A].sibling = sibling;
		key[PATH_A].n_siblings = 1;
	}
	if ((options & OPTION_WITHHELD) != 0)
		key[PATH_W].keys = NULL;
	buf_init(&text, TEXT_MAX);
	expand(w, n > 0 ? span_of(data + 1, n - 1) : span_of(NULL, 0), &text);
	exact = malloc(text.n > 0 ? text.n : 1);
	need(exact != NULL);
	if (text.n > 0)
		memcpy(exact, text.p, text.n);
	check(w, &rules, span_of(exact, text.n));
	free(exact);
	return 0;
}
