/* SPDX-License-Identifier: MIT */
/*
 * Documents: see document.h.
 *
 * The text passes once.  What is to be replaced or left out interrupts the copying: `copied` says
 * how much of the text is in the output or has been decided to stay out of it, and everything
 * between it and the next interruption goes over in one run.
 */
#include "crypto/document.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/num.h"
#include "crypto/documenthead.h"
#include "crypto/documentwork.h"
#include "crypto/mac.h"

struct pass {
	struct document_worker *w;
	const struct document_rules *rules; /* NULL: the head only */
	struct buf *out;
	struct err *e;
	struct jsonscan scan;
	struct documenthead head;
	int sealed;	/* the policy path that the scan is below, and that is opened; -1 = none */
	bool watched;	/* a partition key lies below the member */
	bool broken;	/* the text has line breaks */
	bool kept;	/* a member is in the output */
	bool comma_due; /* the comma after members that were left out at the front goes too */
	size_t copied;	/* bytes of the text */
	size_t member_end; /* of the last member that has passed */
};

/* ---- the worker ---- */

int
document_worker_new(struct document_worker **out, struct err *e)
{
	struct document_worker *w = calloc(1, sizeof(*w));
	uint64_t seed;
	int r;

	if (w == NULL)
		return err_set(e, ENOMEM, "out of memory");
	buf_init(&w->plain, DOCUMENT_TEXT_MAX);
	r = random_bytes((struct room){ (uint8_t *)&seed, sizeof(seed) }, e);
	if (r == 0)
		r = jsonnames_new(seed, &w->names, e);
	if (r == 0)
		r = cell_worker_new(&w->cells, e);
	if (r < 0) {
		document_worker_free(w);
		return r;
	}
	*out = w;
	return 0;
}

void
document_worker_free(struct document_worker *w)
{
	if (w == NULL)
		return;
	jsonnames_free(w->names);
	cell_worker_free(w->cells);
	buf_clear(&w->plain);
	free(w);
}

struct cell_worker *
document_worker_cells(struct document_worker *w)
{
	return w->cells;
}

/* ---- sets ---- */

bool
document_set_empty(const struct document_set *s)
{
	uint64_t all = 0;

	for (size_t i = 0; i < DOCUMENT_SETS; i++)
		all |= s->bits[i];
	return all == 0;
}

static void
add_to(struct document_set *s, int path)
{
	s->bits[path / 64] |= UINT64_C(1) << path % 64;
}

/* ---- what is wrong, in words ---- */

static int
malformed(struct pass *p)
{
	if (p->scan.no_memory)
		return err_set(p->e, ENOMEM, "out of memory");
	(void)err_set(p->e, EBADMSG, "not a JSON document: %s at byte %zu", p->scan.why,
		      p->scan.at);
	return err_mark(p->e, "integrity.document", NULL);
}

void
document_pointer(const struct document_worker *w, const struct jsonscan *scan,
		 char out[static DOCUMENT_POINTER_MAX])
{
	const size_t max = DOCUMENT_POINTER_MAX;
	size_t n = 0;

	out[0] = '\0';
	for (unsigned d = 1; d <= scan->depth && n < max; d++) {
		const struct document_level *l = &w->level[d];
		int len;

		if (l->array)
			len = snprintf(out + n, max - n, "/%zu", l->n - 1);
		else
			len = snprintf(out + n, max - n, "/%.*s", (int)u64_min(l->name.n, max),
				       l->name.p);
		n += (size_t)len;
	}
}

static int
refused(struct pass *p, enum cell_verdict v)
{
	char pointer[DOCUMENT_POINTER_MAX];

	document_pointer(p->w, &p->scan, pointer);
	if (v == CELL_FAILED)
		return err_set(p->e, EIO, "%s: %s", pointer, cell_verdict_text(v));
	if (v == CELL_NOT_ONE) {
		(void)err_set(p->e, EACCES, "%s: in clear, where the policy says encrypted",
			      pointer);
		return err_mark(p->e, "policy.clear_cell", NULL);
	}
	(void)err_set(p->e, EBADMSG, "%s: %s", pointer, cell_verdict_text(v));
	return err_mark(p->e, "integrity.cell", NULL);
}

/* ---- copying ---- */

/* Strings hold no raw line break: each one stands between tokens. */
static void
join_lines(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (p[i] == '\n' || p[i] == '\r')
			p[i] = ' ';
}

static int
copy_to(struct pass *p, size_t end)
{
	const size_t n = end - p->copied;
	int r;

	if (p->rules == NULL)
		return 0;
	r = buf_add(p->out, p->scan.text + p->copied, n, p->e);
	if (r == 0 && p->broken)
		join_lines(p->out->p + p->out->n - n, n);
	p->copied = end;
	return r;
}

/* The member that began at `begin` and ends where the scan is stays out, and one comma with it. */
static int
leave_out(struct pass *p, size_t begin)
{
	const int r = copy_to(p, p->kept ? p->member_end : begin);

	p->copied = p->scan.end;
	p->comma_due = !p->kept;
	return r;
}

/* ---- leaves ---- */

/* Whether s holds a backslash tells the scan, or memchr. */
static enum cell_verdict
unseal_text(struct document_worker *w, const struct document_rules *rules, size_t path,
	    struct span s, bool escaped, struct cell_value *out, size_t *sibling)
{
	const struct document_key *key = &rules->key[path];
	const enum cell_kind kind = rules->def->path[path].kind;
	enum cell_verdict v;

	if (escaped) {
		struct err ignored = { 0 };

		buf_reset(&w->plain);
		if (jsonscan_unescape(s, &w->plain, &ignored) < 0)
			return CELL_FAILED;
		s = buf_span(&w->plain);
	}
	v = cell_unseal(w->cells, key->keys, kind, s, out);
	for (size_t i = 0; v == CELL_WRONG_TAG && i < key->n_siblings; i++) {
		v = cell_unseal(w->cells, key->sibling[i], kind, s, out);
		*sibling = i;
	}
	return v;
}

static void
note_sibling(struct document_head *h, int path, size_t sibling)
{
	if (document_set_has(&h->sibling, (size_t)path))
		return;
	add_to(&h->sibling, path);
	h->by_sibling[path] = (uint16_t)sibling;
}

static bool
may_be_clear(const struct pass *p)
{
	const struct document_level *l = &p->w->level[p->scan.depth];

	switch (p->rules->clear_cells) {
	case CLEAR_CELLS_SHOW:
		return true;
	case CLEAR_CELLS_JAVA:
		return l->array && l->mixed;
	case CLEAR_CELLS_DENY:
		break;
	}
	return false;
}

static int
sealed_leaf(struct pass *p, enum jsonscan_token t)
{
	enum cell_verdict v = CELL_NOT_ONE;
	size_t sibling = SIZE_MAX;
	struct cell_value value;
	int r;

	if (t == JSONSCAN_STRING)
		v = unseal_text(p->w, p->rules, (size_t)p->sealed, p->scan.token, p->scan.escaped,
				&value, &sibling);
	if (v == CELL_NOT_ONE && may_be_clear(p)) {
		add_to(&p->head.head.clear, p->sealed);
		return 0;
	}
	if (v != CELL_GOOD)
		return refused(p, v);
	if (sibling != SIZE_MAX)
		note_sibling(&p->head.head, p->sealed, sibling);
	p->head.head.cells++;
	r = copy_to(p, p->scan.at);
	if (r == 0)
		r = cell_print(&value, p->out, p->e);
	p->copied = p->scan.end;
	return r;
}

/* ---- the walk ---- */

static int
scalar(struct pass *p, enum jsonscan_token t)
{
	document_begin_element(&p->w->level[p->scan.depth], false);
	documenthead_scalar(&p->head, &p->scan, t);
	if (p->sealed < 0 || t == JSONSCAN_NULL)
		return 0;
	return sealed_leaf(p, t);
}

static int
container(struct pass *p, enum jsonscan_token t)
{
	struct document_level *l = &p->w->level[p->scan.depth];

	if (p->sealed < 0 && !p->watched)
		return jsonscan_skip(&p->scan) ? 0 : malformed(p);
	document_begin_element(l - 1, true);
	*l = (struct document_level){ .array = t == JSONSCAN_ARRAY };
	return 0;
}

/* The value of a member of the document, with all that is below it. */
static int
value(struct pass *p)
{
	int r = 0;

	do {
		const enum jsonscan_token t = jsonscan_next(&p->scan);

		switch (t) {
		case JSONSCAN_BAD:
			return malformed(p);
		case JSONSCAN_OBJECT:
		case JSONSCAN_ARRAY:
			r = container(p, t);
			break;
		case JSONSCAN_OBJECT_END:
		case JSONSCAN_ARRAY_END:
			break;
		case JSONSCAN_NAME:
			p->w->level[p->scan.depth].name = p->scan.token;
			(void)documenthead_name(&p->head, &p->scan);
			break;
		default:
			r = scalar(p, t);
		}
	} while (r == 0 && p->scan.depth > 1);
	return r;
}

int
document_find_path(struct document_worker *w, const struct container_def *def,
		   const struct jsonscan *scan, int *out, struct err *e)
{
	struct span name = scan->token;
	int r = 0;

	*out = -1;
	if (def->n_paths == 0)
		return 0;
	if (scan->escaped) {
		buf_reset(&w->plain);
		r = jsonscan_unescape(name, &w->plain, e);
		name = buf_span(&w->plain);
	}
	if (r == 0)
		*out = container_def_find(def, name);
	return r;
}

static int
member(struct pass *p)
{
	const size_t begin = p->scan.at;
	bool withheld;
	int path = -1, r = 0;

	if (p->comma_due)
		p->copied = begin;
	p->comma_due = false;
	p->w->level[1].name = p->scan.token;
	p->watched = documenthead_name(&p->head, &p->scan);
	if (p->rules != NULL)
		r = document_find_path(p->w, p->rules->def, &p->scan, &path, p->e);
	if (r < 0)
		return r;
	withheld = path >= 0 && p->rules->key[path].keys == NULL;
	p->sealed = withheld ? -1 : path;
	r = value(p);
	if (r == 0 && withheld) {
		add_to(&p->head.head.withheld, path);
		r = leave_out(p, begin);
	}
	p->kept = p->kept || !withheld;
	p->member_end = p->scan.end;
	return r;
}

static int
walk(struct pass *p)
{
	enum jsonscan_token t = jsonscan_next(&p->scan);
	int r = 0;

	if (t == JSONSCAN_BAD)
		return malformed(p);
	if (t != JSONSCAN_OBJECT) {
		(void)err_set(p->e, EBADMSG, "not a JSON document: no object");
		return err_mark(p->e, "integrity.document", NULL);
	}
	p->w->level[1] = (struct document_level){ .array = false };
	p->copied = p->scan.at;
	while (r == 0 && (t = jsonscan_next(&p->scan)) == JSONSCAN_NAME)
		r = member(p);
	if (r == 0 && t == JSONSCAN_OBJECT_END)
		r = copy_to(p, p->scan.end);
	if (r == 0 && t != JSONSCAN_BAD)
		t = jsonscan_next(&p->scan);
	return r == 0 && t == JSONSCAN_BAD ? malformed(p) : r;
}

static int
run(struct pass *p, const struct container_def *def, struct span text, struct document_head *head)
{
	int r;

	if (text.n > DOCUMENT_TEXT_MAX)
		return err_set(p->e, EFBIG, "a document of more than %d bytes", DOCUMENT_TEXT_MAX);
	jsonscan_init(&p->scan, text, JSONSCAN_DEPTH_MAX, p->w->names);
	documenthead_init(&p->head, def);
	r = walk(p);
	if (r == 0)
		*head = p->head.head;
	return r;
}

/* ---- from outside ---- */

int
document_scan(struct document_worker *w, const struct container_def *def, struct span text,
	      struct document_head *head, struct err *e)
{
	struct pass p = { .w = w, .sealed = -1, .e = e };

	return run(&p, def, text, head);
}

static bool
has_line_breaks(struct span text)
{
	return text.n > 0 &&
	       (memchr(text.p, '\n', text.n) != NULL || memchr(text.p, '\r', text.n) != NULL);
}

/* Mostly the plain text is shorter than the sealed one.  A buffer that refuses may do later. */
static void
make_room(struct buf *out, size_t n)
{
	struct err ignored = { 0 };
	uint8_t *to;

	(void)!buf_reserve(out, u64_min(n, out->max - out->n), &to, &ignored);
}

int
document_unseal(struct document_worker *w, const struct document_rules *rules, struct span text,
		struct buf *out, struct document_head *head, struct err *e)
{
	struct pass p = { .w = w, .rules = rules, .out = out, .e = e };
	const size_t before = out->n;
	int r;

	p.broken = has_line_breaks(text);
	if (text.n <= DOCUMENT_TEXT_MAX)
		make_room(out, text.n);
	r = run(&p, rules->def, text, head);
	if (r < 0 && out->n > before) {
		explicit_bzero(out->p + before, out->n - before);
		out->n = before;
	}
	return r;
}

enum cell_verdict
document_leaf(struct document_worker *w, const struct document_rules *rules, size_t path,
	      struct span raw, struct cell_value *out)
{
	const bool escaped = raw.n > 0 && memchr(raw.p, '\\', raw.n) != NULL;
	size_t sibling;

	assert(rules->key[path].keys != NULL);
	return unseal_text(w, rules, path, raw, escaped, out, &sibling);
}
