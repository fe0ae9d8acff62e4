/* SPDX-License-Identifier: MIT */
/* Values of a container, from the store and to it: see docbox.h. */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/jsonscan.h"
#include "base/number.h"
#include "fs/docboxfile.h"
#include "fs/valuename.h"

/* ---- from the store ---- */

static bool
is_token(struct span raw, const char *word)
{
	return raw.n == strlen(word) && memcmp(raw.p, word, raw.n) == 0;
}

static struct span
without_quotes(struct span raw)
{
	return span_of(raw.p + 1, raw.n - 2);
}

static void
take_cell(const struct cell_value *v, struct docvalue *out)
{
	switch (v->type) {
	case CELL_BOOLEAN:
		out->kind = v->boolean ? DOCVALUE_TRUE : DOCVALUE_FALSE;
		break;
	case CELL_DOUBLE:
		out->kind = DOCVALUE_DOUBLE;
		out->real = v->real;
		break;
	case CELL_LONG:
		out->kind = DOCVALUE_LONG;
		out->integer = v->integer;
		break;
	case CELL_STRING:
		out->kind = DOCVALUE_STRING;
		break;
	}
}

static int
sealed_value(struct docbox *b, const struct dockeys *k, size_t path, struct span raw,
	     struct docvalue *out, struct buf *bytes, struct err *e)
{
	const struct document_rules rules = { .def = &b->def,
					      .key = k->key,
					      .clear_cells = CLEAR_CELLS_DENY };
	struct document_worker *w = NULL;
	struct cell_value v;
	int r;

	out->kind = DOCVALUE_STORED;
	if (k->key[path].keys == NULL)
		return jsonscan_unescape(without_quotes(raw), bytes, e);
	r = docbox_worker_take(b, &w, e);
	if (r < 0)
		return r;
	if (document_leaf(w, &rules, path, without_quotes(raw), &v) == CELL_GOOD) {
		take_cell(&v, out);
		if (v.type == CELL_STRING)
			r = buf_add(bytes, v.text.p, v.text.n, e);
	} else {
		r = jsonscan_unescape(without_quotes(raw), bytes, e);
	}
	docbox_worker_give(b, w);
	return r;
}

static int
clear_value(struct span raw, struct docvalue *out, struct buf *bytes, struct err *e)
{
	if (raw.p[0] == '"') {
		out->kind = DOCVALUE_STRING;
		return jsonscan_unescape(without_quotes(raw), bytes, e);
	}
	if (!number_parse(raw, &out->real))
		return err_set(e, EBADMSG, "a partition key that is no value");
	out->kind = DOCVALUE_DOUBLE;
	return 0;
}

/* Not a value that the policy knows: it must not be called like one that is sealed. */
static int
clear_where_sealed(struct span raw, struct docvalue *out, struct buf *bytes, struct err *e)
{
	out->kind = DOCVALUE_CLEAR;
	return buf_add(bytes, raw.p, raw.n, e);
}

int
docbox_value(struct docbox *b, const struct dockeys *k, int path, struct span raw,
	     struct docvalue *out, struct buf *bytes, struct err *e)
{
	struct docvalue v = { .kind = DOCVALUE_ABSENT };
	int r = 0;

	buf_reset(bytes);
	if (raw.p == NULL)
		v.kind = DOCVALUE_ABSENT;
	else if (is_token(raw, "null"))
		v.kind = DOCVALUE_NULL;
	else if (path >= 0 && raw.p[0] == '"')
		r = sealed_value(b, k, (size_t)path, raw, &v, bytes, e);
	else if (path >= 0)
		r = clear_where_sealed(raw, &v, bytes, e);
	else if (is_token(raw, "true"))
		v.kind = DOCVALUE_TRUE;
	else if (is_token(raw, "false"))
		v.kind = DOCVALUE_FALSE;
	else
		r = clear_value(raw, &v, bytes, e);
	if (r < 0)
		return r;
	v.text = buf_span(bytes);
	*out = v;
	return 0;
}

/* ---- to the store ---- */

static int
no_such_value(struct err *e)
{
	return err_set(e, ENOENT, "no stored value can be this one");
}

static int
add_number(double value, struct buf *out, struct err *e)
{
	char text[NUMBER_TEXT_MAX];
	const size_t n = number_print_js(value, text);

	return buf_add(out, text, n, e);
}

/* The token of a number or boolean, in the one spelling that names a partition. */
static int
add_token(struct span token, struct buf *out, struct err *e)
{
	char text[NUMBER_TEXT_MAX];
	double real;

	if (is_token(token, "true") || is_token(token, "false"))
		return buf_add(out, token.p, token.n, e);
	if (!number_parse(token, &real))
		return no_such_value(e);
	(void)number_print_js(real, text);
	return is_token(token, text) ? buf_add(out, token.p, token.n, e) : no_such_value(e);
}

static int
clear_stored(const struct docvalue *v, struct buf *out, struct err *e)
{
	switch (v->kind) {
	case DOCVALUE_STRING:
	case DOCVALUE_STORED:
		return jsonscan_quote_ascii(v->text, out, e);
	case DOCVALUE_CLEAR:
		return add_token(v->text, out, e);
	case DOCVALUE_DOUBLE:
		return add_number(v->real, out, e);
	case DOCVALUE_LONG:
		return add_number((double)v->integer, out, e);
	case DOCVALUE_TRUE:
		return buf_add_str(out, "true", e);
	case DOCVALUE_FALSE:
		return buf_add_str(out, "false", e);
	case DOCVALUE_NULL:
		return buf_add_str(out, "null", e);
	case DOCVALUE_ABSENT:
		return buf_add_str(out, "{}", e);
	}
	return no_such_value(e);
}

/* Values of these kinds are sealed; the others stay as they are under any policy. */
static bool
to_cell(const struct docvalue *v, struct cell_value *out)
{
	switch (v->kind) {
	case DOCVALUE_STRING:
		*out = (struct cell_value){ .type = CELL_STRING, .text = v->text };
		return true;
	case DOCVALUE_LONG:
		*out = (struct cell_value){ .type = CELL_LONG, .integer = v->integer };
		return true;
	case DOCVALUE_DOUBLE:
		*out = (struct cell_value){ .type = CELL_DOUBLE, .real = v->real };
		return isfinite(v->real);
	case DOCVALUE_TRUE:
	case DOCVALUE_FALSE:
		*out = (struct cell_value){ .type = CELL_BOOLEAN,
					    .boolean = v->kind == DOCVALUE_TRUE };
		return true;
	case DOCVALUE_STORED:
	case DOCVALUE_CLEAR:
	case DOCVALUE_NULL:
	case DOCVALUE_ABSENT:
		break;
	}
	return false;
}

static int
need_key(const struct docbox *b, const struct dockeys *k, size_t path, struct err *e)
{
	if (k->key[path].keys != NULL)
		return 0;
	*e = k->dek[k->dek_of[path]].why;
	return err_in(e, "property '%s'", b->def.path[path].name);
}

static int
seal(struct docbox *b, const struct dockeys *k, size_t path, bool is_id, const struct cell_value *v,
     struct buf *out, struct err *e)
{
	struct document_worker *w = NULL;
	int r = need_key(b, k, path, e);

	if (r == 0)
		r = docbox_worker_take(b, &w, e);
	if (r < 0)
		return r;
	r = buf_add(out, "\"", 1, e);
	if (r == 0)
		r = cell_seal(document_worker_cells(w), k->key[path].keys, v,
			      is_id ? BASE64_URL : BASE64_STANDARD, out, e);
	if (r == 0)
		r = buf_add(out, "\"", 1, e);
	docbox_worker_give(b, w);
	return r;
}

int
docbox_stored(struct docbox *b, const struct dockeys *k, int path, bool is_id,
	      const struct docvalue *v, struct buf *out, struct err *e)
{
	struct cell_value cell;

	if (path < 0 || !to_cell(v, &cell))
		return clear_stored(v, out, e);
	return seal(b, k, (size_t)path, is_id, &cell, out, e);
}
