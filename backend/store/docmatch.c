/* SPDX-License-Identifier: MIT */
/* Members of a stored document: see docmatch.h. */
#include "backend/store/docmatch.h"

#include <errno.h>

#include "base/jsonscan.h"
#include "base/number.h"

/* A value: what kind of token it is and, for scalars, its text. */
struct value {
	enum jsonscan_token kind; /* JSONSCAN_END: absent */
	struct span token;
	bool escaped;
};

static int
bad_text(struct err *e, const char *why)
{
	(void)err_set(e, EBADMSG, "not JSON as it should be: %s", why);
	return err_mark(e, "integrity.document", NULL);
}

/* After JSONSCAN_OBJECT: goes to the value of a member of it, if there is one. */
static int
enter_member(struct jsonscan *s, struct span name, bool *out_found, struct err *e)
{
	enum jsonscan_token t;

	while ((t = jsonscan_next(s)) == JSONSCAN_NAME) {
		if (jsonscan_is(s->token, s->escaped, name)) {
			*out_found = true;
			return 0;
		}
		if (!jsonscan_skip(s))
			return bad_text(e, s->why);
	}
	if (t == JSONSCAN_BAD)
		return bad_text(e, s->why);
	*out_found = false;
	return 0;
}

/* The value of the member at the end of a path. */
static int
find(struct span text, const char *const *token, size_t n, struct value *out, struct err *e)
{
	struct jsonscan s;
	enum jsonscan_token t;
	bool there = true;
	int r = 0;

	jsonscan_init(&s, text, JSONSCAN_DEPTH_MAX, NULL);
	t = jsonscan_next(&s);
	for (size_t i = 0; r == 0 && i < n && there; i++) {
		there = false;
		if (t == JSONSCAN_OBJECT)
			r = enter_member(&s, span_str(token[i]), &there, e);
		if (r == 0 && there)
			t = jsonscan_next(&s);
	}
	if (r == 0 && t == JSONSCAN_BAD)
		r = bad_text(e, s.why);
	if (r == 0)
		*out = (struct value){ there ? t : JSONSCAN_END, s.token, s.escaped };
	return r;
}

/* ---- comparing */

static bool
is_scalar(enum jsonscan_token t)
{
	return t == JSONSCAN_STRING || t == JSONSCAN_NUMBER || t == JSONSCAN_TRUE ||
	       t == JSONSCAN_FALSE || t == JSONSCAN_NULL;
}

static int
parse_condition(const char *text, struct value *out, struct err *e)
{
	struct jsonscan s;
	enum jsonscan_token t;

	if (strcmp(text, "{}") == 0) {
		*out = (struct value){ .kind = JSONSCAN_END };
		return 0;
	}
	jsonscan_init(&s, span_str(text), 1, NULL);
	t = jsonscan_next(&s);
	*out = (struct value){ t, s.token, s.escaped };
	if (!is_scalar(t) || jsonscan_next(&s) != JSONSCAN_END)
		return err_set(e, EINVAL, "a condition's value is no scalar of JSON");
	return 0;
}

static bool
same_bytes(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static int
same_string(const struct value *a, const struct value *b, bool *out, struct err *e)
{
	AUTO_BUF bytes;
	int r;

	if (!b->escaped) {
		*out = jsonscan_is(a->token, a->escaped, b->token);
		return 0;
	}
	buf_init(&bytes, b->token.n);
	r = jsonscan_unescape(b->token, &bytes, e);
	if (r == 0)
		*out = jsonscan_is(a->token, a->escaped, buf_span(&bytes));
	return r;
}

/* What no double holds equals itself alone. */
static bool
same_number(struct span a, struct span b)
{
	double x, y;

	if (!number_parse(a, &x) || !number_parse(b, &y))
		return same_bytes(a, b);
	return x <= y && y <= x;
}

static int
same_value(const struct value *a, const struct value *b, bool *out, struct err *e)
{
	*out = false;
	if (a->kind != b->kind)
		return 0;
	if (a->kind == JSONSCAN_STRING)
		return same_string(a, b, out, e);
	*out = a->kind != JSONSCAN_NUMBER || same_number(a->token, b->token);
	return 0;
}

static int
holds(struct span text, const struct docstore_equal *equal, bool *out, struct err *e)
{
	struct value stored, wanted;
	bool same = false;
	int r = find(text, equal->token, equal->n_tokens, &stored, e);

	for (size_t i = 0; r == 0 && i < equal->n_values && !same; i++) {
		r = parse_condition(equal->value[i], &wanted, e);
		if (r == 0)
			r = same_value(&stored, &wanted, &same, e);
	}
	if (r == 0)
		*out = same;
	return r;
}

int
docmatch_all(struct span text, const struct docstore_equal *equal, size_t n_equal, bool *out,
	     struct err *e)
{
	bool all = true;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_equal && all; i++)
		r = holds(text, &equal[i], &all, e);
	if (r == 0)
		*out = all;
	return r;
}

int
docmatch_string(struct span text, const char *name, struct buf *out, bool *out_found, struct err *e)
{
	struct value value;
	int r = find(text, &name, 1, &value, e);

	if (r == 0 && value.kind == JSONSCAN_STRING)
		r = jsonscan_unescape(value.token, out, e);
	if (r == 0)
		*out_found = value.kind == JSONSCAN_STRING;
	return r;
}

static struct span
unquoted(struct span s)
{
	return s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"' ? span_of(s.p + 1, s.n - 2) : s;
}

bool
docmatch_same_etag(struct span stored, const char *etag)
{
	return same_bytes(unquoted(stored), unquoted(span_str(etag)));
}

bool
docmatch_etag(struct span raw, const char *etag)
{
	struct err ignored = { 0 };
	AUTO_BUF bytes;

	buf_init(&bytes, 8 * DOCSTORE_ETAG_MAX);
	return raw.p != NULL && jsonscan_unescape(raw, &bytes, &ignored) == 0 &&
	       docmatch_same_etag(buf_span(&bytes), etag);
}
