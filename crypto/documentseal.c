/* SPDX-License-Identifier: MIT */
/*
 * Sealing a document: see documentseal.h.
 *
 * The plain text passes once, and is copied up to each thing that does not go over as it is, as in
 * document.c.  What the store has to know of the result is then read off the result, by the code
 * that reads it off every stored document: the two cannot differ.
 */
#include "crypto/documentseal.h"

#include <errno.h>

#include "base/number.h"
#include "crypto/documenthead.h"
#include "crypto/documentwork.h"

enum { SEALED_MAX = 2 << 20 }; /* the service takes no more */

struct pass {
	struct document_worker *w;
	const struct document_rules *rules;
	struct buf *out;
	struct err *e;
	struct jsonscan scan;
	struct documenthead keys; /* finds where the partition key lies */
	size_t before;		  /* bytes that out had */
	size_t cells;
	int path;	/* of the policy, that the scan is below; -1 = none */
	bool is_id;	/* the scan is at the document's own id */
	bool kept;	/* a member is in the output */
	bool comma_due; /* the comma after members that were left out at the front goes too */
	size_t copied;	/* bytes of the text that are in the output, or stay out */
	size_t member_end;
};

/* ---- what is wrong, in words ---- */

static int
malformed(struct pass *p)
{
	if (p->scan.no_memory)
		return err_set(p->e, ENOMEM, "out of memory");
	(void)err_set(p->e, EINVAL, "not a JSON document: %s at byte %zu", p->scan.why, p->scan.at);
	return err_mark(p->e, "document.invalid", NULL);
}

/* Of the value that the scan is at.  Says nothing of what it is: it may be secret. */
static int
unfit(struct pass *p, const char *why)
{
	char pointer[DOCUMENT_POINTER_MAX];

	document_pointer(p->w, &p->scan, pointer);
	err_clear(p->e);
	(void)err_set(p->e, EINVAL, "%s: %s", pointer, why);
	return err_mark(p->e, "document.invalid", NULL);
}

static int
invalid(struct err *e, const char *why)
{
	(void)err_set(e, EINVAL, "%s", why);
	return err_mark(e, "document.invalid", NULL);
}

static int
too_large(struct err *e)
{
	err_clear(e);
	(void)err_set(e, EFBIG, "the sealed document would have more than %d bytes", SEALED_MAX);
	return err_mark(e, "document.invalid", NULL);
}

/* ---- copying ---- */

static int
add(struct pass *p, const void *bytes, size_t n)
{
	const size_t have = p->out->n - p->before;

	if (have > SEALED_MAX || n > SEALED_MAX - have)
		return too_large(p->e);
	return buf_add(p->out, bytes, n, p->e);
}

static int
copy_to(struct pass *p, size_t end)
{
	const int r = add(p, p->scan.text + p->copied, end - p->copied);

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

/* The bytes of a string lie in the text, or without their escapes in the worker. */
static int
read_text(struct pass *p, struct span *out)
{
	int r;

	*out = p->scan.token;
	if (!p->scan.escaped)
		return 0;
	buf_reset(&p->w->plain);
	r = jsonscan_unescape(p->scan.token, &p->w->plain, p->e);
	*out = buf_span(&p->w->plain);
	return r;
}

static int
read_number(struct pass *p, struct cell_value *out)
{
	const struct span s = p->scan.token;
	bool is_long = true;
	long long integer;

	for (size_t i = 0; i < s.n; i++)
		is_long = is_long && s.p[i] != '.' && s.p[i] != 'e' && s.p[i] != 'E';
	out->type = is_long ? CELL_LONG : CELL_DOUBLE;
	if (!is_long)
		return number_parse(s, &out->real)
			       ? 0
			       : unfit(p, "a number that is larger than a double can be");
	if (!number_parse_long(s, &integer))
		return unfit(p, "an integer that does not fit 64 bits");
	out->integer = integer;
	return 0;
}

static int
read_value(struct pass *p, enum jsonscan_token t, struct cell_value *out)
{
	if (p->is_id && t != JSONSCAN_STRING)
		return unfit(p, "an id is a string");
	if (t == JSONSCAN_NUMBER)
		return read_number(p, out);
	if (t == JSONSCAN_STRING) {
		out->type = CELL_STRING;
		return read_text(p, &out->text);
	}
	out->type = CELL_BOOLEAN;
	out->boolean = t == JSONSCAN_TRUE;
	return 0;
}

static int
add_cell(struct pass *p, const struct cell_value *v)
{
	const enum cell_kind kind = p->rules->def->path[p->path].kind;
	const struct dek_keys *keys = p->rules->key[p->path].keys;
	int r = add(p, "\"", 1);

	if (r == 0)
		r = cell_seal_kind(p->w->cells, keys, kind, v,
				   p->is_id ? BASE64_URL : BASE64_STANDARD, p->out, p->e);
	if (r == -EINVAL)
		return unfit(p, "a text with half a surrogate pair cannot be encrypted");
	if (r == -EFBIG)
		return too_large(p->e);
	return r == 0 ? add(p, "\"", 1) : r;
}

static int
sealed_leaf(struct pass *p, enum jsonscan_token t)
{
	struct cell_value v;
	int r = read_value(p, t, &v);

	if (r == 0 && p->is_id && v.text.n == 0)
		r = unfit(p, "an id is not empty");
	if (r == 0)
		r = copy_to(p, p->scan.at);
	if (r == 0)
		r = add_cell(p, &v);
	p->copied = p->scan.end;
	p->cells++;
	return r;
}

/* ---- the walk ---- */

static int
scalar(struct pass *p, enum jsonscan_token t)
{
	document_begin_element(&p->w->level[p->scan.depth], false);
	return p->path < 0 || t == JSONSCAN_NULL ? 0 : sealed_leaf(p, t);
}

/* Whether the object or array that has just begun stands where a part of the key should. */
static bool
is_partition_key(const struct pass *p)
{
	const struct container_def *def = p->rules->def;
	const unsigned depth = p->scan.depth - 1;

	for (unsigned i = 0; i < def->n_partition; i++)
		if (p->keys.matched[i] == depth && def->partition[i].n_tokens == depth)
			return true;
	return false;
}

static int
container(struct pass *p, enum jsonscan_token t)
{
	struct document_level *l = &p->w->level[p->scan.depth];

	if (p->path < 0)
		return jsonscan_skip(&p->scan) ? 0 : malformed(p);
	document_begin_element(l - 1, true);
	*l = (struct document_level){ .array = t == JSONSCAN_ARRAY };
	if (!p->is_id && !is_partition_key(p))
		return 0;
	p->scan.depth--; /* the sentence is about all of it */
	return unfit(p, "an id or partition key is no object and no array");
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
			(void)documenthead_name(&p->keys, &p->scan);
			break;
		default:
			r = scalar(p, t);
		}
	} while (r == 0 && p->scan.depth > 1);
	return r;
}

/* Members that the service itself sets; it would keep others, and not what they say. */
static bool
is_of_the_service(const struct jsonscan *s)
{
	static const char *const names[] = { "_rid", "_etag", "_ts", "_self", "_attachments" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (jsonscan_is(s->token, s->escaped, span_str(names[i])))
			return true;
	return false;
}

static int
member(struct pass *p)
{
	const size_t begin = p->scan.at;
	const bool left_out = is_of_the_service(&p->scan);
	int r;

	if (p->comma_due)
		p->copied = begin;
	p->comma_due = false;
	p->w->level[1].name = p->scan.token;
	(void)documenthead_name(&p->keys, &p->scan);
	r = document_find_path(p->w, p->rules->def, &p->scan, &p->path, p->e);
	if (r < 0)
		return r;
	if (left_out)
		p->path = -1;
	p->is_id = p->path >= 0 && p->path == p->rules->def->id_policy;
	if (p->path >= 0 && p->rules->key[p->path].keys == NULL)
		return err_set(p->e, EACCES, "property '%s': its key is not at hand",
			       p->rules->def->path[p->path].name);
	r = value(p);
	if (r == 0 && left_out)
		r = leave_out(p, begin);
	p->kept = p->kept || !left_out;
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
	if (t != JSONSCAN_OBJECT)
		return invalid(p->e, "not a JSON document: no object");
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

/* ---- the head ---- */

/* As it is stored: a URL is made of it. */
static int
check_id(struct document_worker *w, struct span raw, struct err *e)
{
	int r;

	if (raw.p == NULL)
		return invalid(e, "the document has no id, or one that is no string");
	buf_reset(&w->plain);
	r = jsonscan_unescape(raw, &w->plain, e);
	if (r < 0)
		return r;
	if (w->plain.n == 0 || memchr(w->plain.p, '\0', w->plain.n) != NULL)
		return invalid(e, "the document's id is empty, or holds a NUL");
	return w->plain.n <= COSMOS_ID_MAX
		       ? 0
		       : invalid(e, "the document's id is too long: sealed, 703 bytes; in clear, "
				    "1,023");
}

static int
read_head(struct pass *p, struct document_head *head)
{
	const struct span sealed = span_of(p->out->p + p->before, p->out->n - p->before);
	struct document_head h;
	int r = document_scan(p->w, p->rules->def, sealed, &h, p->e);

	if (r == 0)
		r = check_id(p->w, h.id, p->e);
	if (r < 0)
		return r;
	*head = h;
	head->cells = p->cells;
	return 0;
}

int
document_seal(struct document_worker *w, const struct document_rules *rules, struct span text,
	      struct buf *out, struct document_head *head, struct err *e)
{
	struct pass p = {
		.w = w, .rules = rules, .out = out, .e = e, .before = out->n, .path = -1
	};
	int r;

	if (text.n > DOCUMENT_TEXT_MAX)
		return too_large(e);
	jsonscan_init(&p.scan, text, JSONSCAN_DEPTH_MAX, w->names);
	documenthead_init(&p.keys, rules->def);
	r = walk(&p);
	if (r == 0)
		r = read_head(&p, head);
	if (r < 0 && out->n > p.before) {
		explicit_bzero(out->p + p.before, out->n - p.before);
		out->n = p.before;
	}
	buf_reset(&w->plain);
	return r;
}
