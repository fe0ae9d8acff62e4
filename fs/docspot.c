/* SPDX-License-Identifier: MIT */
/* From the names in a path to stored values: see docpath.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "backend/store/partition.h"
#include "base/jsonscan.h"
#include "base/log.h"
#include "base/number.h"
#include "fs/valuename.h"
#include "fs/docviewfile.h"

enum { VALUE_MAX = 16 << 10, ID_MAX = 8 << 10 };

static const char SUFFIX[] = ".json";

void
docspot_init(struct docspot *s)
{
	*s = (struct docspot){ .property = -1 };
	for (unsigned i = 0; i < CONTAINER_PATHS_MAX; i++)
		buf_init(&s->key[i], VALUE_MAX);
	for (unsigned i = 0; i < DOCPATH_VALUES_MAX; i++)
		buf_init(&s->value[i], VALUE_MAX);
	buf_init(&s->id, ID_MAX);
	buf_init(&s->id_json, VALUE_MAX);
	buf_init(&s->partition, DOCSTORE_PARTITION_MAX);
}

void
docspot_clear(struct docspot *s)
{
	for (unsigned i = 0; i < CONTAINER_PATHS_MAX; i++)
		buf_clear(&s->key[i]);
	for (unsigned i = 0; i < DOCPATH_VALUES_MAX; i++)
		buf_clear(&s->value[i]);
	buf_clear(&s->id);
	buf_clear(&s->id_json);
	buf_clear(&s->partition);
	dockeys_put(s->keys);
	docbox_put(s->box);
	s->keys = NULL;
	s->box = NULL;
}

static int
no_such_name(struct err *e)
{
	return err_set(e, ENOENT, "no stored value can have that name");
}

/* ---- keys ---- */

/* A name that shows the stored text is that of a value that does not open, and of no other. */
static int
check_stored(const struct docspot *s, int policy, const struct docvalue *value,
	     const struct buf *json, struct err *e)
{
	struct docvalue shown;
	AUTO_BUF bytes;
	int r;

	if (value->kind != DOCVALUE_STORED)
		return 0;
	if (policy < 0)
		return no_such_name(e);
	buf_init(&bytes, VALUE_MAX);
	r = docbox_value(s->box, s->keys, policy, buf_span(json), &shown, &bytes, e);
	return r == 0 && shown.kind != DOCVALUE_STORED ? no_such_name(e) : r;
}

static int
take_key(struct docview *v, struct docspot *s, const char *name, struct deadline d, struct err *e)
{
	const int policy = docbox_def(s->box)->partition[s->n_keys].policy;
	struct buf *out = &s->key[s->n_keys];
	struct docvalue value;
	enum names_kind kind;
	AUTO_BUF bytes;
	int r;

	buf_init(&bytes, VALUE_MAX);
	r = valuename_parse(name, policy >= 0, "", &kind, &value, &bytes, e);
	if (r == 0 && kind == NAMES_ALIAS)
		r = docscan_alias(v, s, name, d, out, e);
	else if (r == 0 && kind != NAMES_PLAIN)
		r = no_such_name(e);
	else if (r == 0)
		r = docbox_stored(s->box, s->keys, policy, false, &value, out, e);
	if (r == 0 && kind == NAMES_PLAIN)
		r = check_stored(s, policy, &value, out, e);
	if (r == 0)
		s->n_keys++;
	return r;
}

struct span
docspot_token(const struct buf *json)
{
	const struct span s = buf_span(json);

	return s.n == 2 && memcmp(s.p, "{}", 2) == 0 ? span_of(NULL, 0) : s;
}

/* All levels are given: the partition is known. */
static int
make_partition(struct docspot *s, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	int r = 0;

	if (def->system_key && docspot_token(&s->key[0]).p == NULL && s->n_levels == 1)
		return buf_add_str(&s->partition, "[]", e);
	for (unsigned i = 0; r == 0 && i < s->n_levels; i++)
		r = partition_add(&s->partition, docspot_token(&s->key[i]), e);
	if (r == 0 && s->n_levels == 0)
		r = partition_add(&s->partition, buf_span(&s->id_json), e);
	return r == 0 ? partition_end(&s->partition, def, e) : r;
}

/* ---- the document's name ---- */

struct id_search {
	struct docview *v;
	struct docspot *s;
	const char *name;
	struct deadline d;
	bool found;
};

static int
compare_document(void *arg, struct span text, struct err *e)
{
	struct id_search *search = arg;
	struct err why = { 0 };
	AUTO_DOCITEM x;

	docitem_init(&x);
	if (search->found)
		return 0;
	if (docitem_make(search->v, search->s, text, true, search->d, &x, &why) < 0) {
		if (docitem_is_at_fault(&why))
			return 0;
		*e = why;
		return -why.no;
	}
	if (strcmp(buf_str(&x.name), search->name) != 0)
		return 0;
	search->found = true;
	return buf_add(&search->s->id, x.id.p, x.id.n, e);
}

static int
find_id_alias(struct docview *v, struct docspot *s, const char *name, struct deadline d,
	      struct err *e)
{
	struct id_search search = { v, s, name, d, false };
	struct docstore_select sel;
	struct docstore_page page;
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	docspot_select(s, false, &sel);
	do {
		r = docstore_page(docbox_store(s->box), docbox_at(s->box), &sel, &cursor,
				  (struct docstore_sink){ compare_document, &search }, &page, d, e);
	} while (r == 0 && !search.found && cursor.n > 0);
	return r == 0 && !search.found ? no_such_name(e) : r;
}

/* The text between the quotes of a stored id. */
static int
take_id_value(struct docspot *s, const struct docvalue *value, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	int r;

	if (value->kind != DOCVALUE_STRING && value->kind != DOCVALUE_STORED)
		return no_such_name(e);
	r = docbox_stored(s->box, s->keys, def->id_policy, true, value, &s->id_json, e);
	if (r == 0)
		r = check_stored(s, def->id_policy, value, &s->id_json, e);
	if (r == 0)
		r = jsonscan_unescape(span_of(s->id_json.p + 1, s->id_json.n - 2), &s->id, e);
	return r;
}

static int
take_document(struct docview *v, struct docspot *s, const char *name, struct deadline d,
	      struct err *e)
{
	struct docvalue value;
	enum names_kind kind;
	AUTO_BUF bytes;
	int r;

	buf_init(&bytes, VALUE_MAX);
	r = valuename_parse(name, docbox_def(s->box)->id_policy >= 0, SUFFIX, &kind, &value, &bytes,
			    e);
	if (r == 0 && kind == NAMES_ALIAS) {
		r = find_id_alias(v, s, name, d, e);
		if (r == 0)
			r = jsonscan_quote_ascii(buf_span(&s->id), &s->id_json, e);
	} else if (r == 0 && kind == NAMES_PLAIN) {
		r = take_id_value(s, &value, e);
	} else if (r == 0) {
		r = no_such_name(e);
	}
	if (r == 0 && (s->id.n == 0 || memchr(s->id.p, '\0', s->id.n) != NULL))
		r = no_such_name(e);
	s->is_document = r == 0;
	return r;
}

/* ---- by/PROPERTY/VALUE ---- */

/* By the names that a listing gives them: a long one is cut there too. */
static int
find_property(struct docspot *s, const char *file, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	AUTO_BUF name;

	buf_init(&name, NAMES_FILE_MAX);
	for (size_t i = 0; i < def->n_paths; i++) {
		int r = names_escape(span_str(def->path[i].name), false, &name, e);

		if (r < 0)
			return r;
		if (strcmp(buf_str(&name), file) == 0 && def->path[i].kind == CELL_DETERMINISTIC) {
			s->property = (int)i;
			return 0;
		}
	}
	return err_set(e, ENOENT, "no deterministic property of that name");
}

static int
add_value(struct docspot *s, const struct docvalue *value, struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	const bool is_id = s->property == def->id_policy;
	int r;

	if (is_id && value->kind != DOCVALUE_STRING)
		return 0;
	r = docbox_stored(s->box, s->keys, s->property, is_id, value, &s->value[s->n_values], e);
	if (r == 0)
		s->n_values++;
	return r;
}

/* A number may be stored as a long or as a double, and zero as two doubles. */
static int
add_number(struct docspot *s, double real, bool has_long, int64_t integer, struct err *e)
{
	const double exact = 9223372036854775808.0; /* 2^63 */
	struct docvalue v = { .kind = DOCVALUE_DOUBLE, .real = real };
	int r = 0;

	if (!has_long && real >= -exact && real < exact && (double)(int64_t)real == real) {
		has_long = true;
		integer = (int64_t)real;
	}
	if (!has_long || (real < exact && (int64_t)real == integer))
		r = add_value(s, &v, e);
	if (r == 0 && real == 0) {
		v.real = -real;
		r = add_value(s, &v, e);
	}
	v.kind = DOCVALUE_LONG;
	v.integer = integer;
	return r == 0 && has_long ? add_value(s, &v, e) : r;
}

/* What is typed plainly is tried as a string, and as the number or boolean that it reads as. */
static int
add_readings(struct docspot *s, struct span text, struct err *e)
{
	struct docvalue v = { .kind = DOCVALUE_STRING, .text = text };
	long long integer = 0;
	const bool has_long = number_parse_long(text, &integer);
	double real;
	int r = add_value(s, &v, e);

	if (r == 0 && number_parse(text, &real))
		return add_number(s, real, has_long, integer, e);
	v.kind = text.n == 4 && memcmp(text.p, "true", 4) == 0 ? DOCVALUE_TRUE : DOCVALUE_FALSE;
	if (r == 0 && (v.kind == DOCVALUE_TRUE || (text.n == 5 && memcmp(text.p, "false", 5) == 0)))
		r = add_value(s, &v, e);
	return r;
}

static int
take_value(struct docspot *s, const char *file, struct err *e)
{
	struct docvalue v;
	enum names_kind kind;
	AUTO_BUF bytes;
	int r;

	buf_init(&bytes, VALUE_MAX);
	r = valuename_parse(file, true, "", &kind, &v, &bytes, e);
	if (r == 0 && kind != NAMES_PLAIN)
		return no_such_name(e);
	if (r < 0)
		return r;
	switch (v.kind) {
	case DOCVALUE_STRING:
		r = add_readings(s, v.text, e);
		break;
	case DOCVALUE_LONG:
		r = add_number(s, (double)v.integer, true, v.integer, e);
		break;
	case DOCVALUE_DOUBLE:
		r = add_number(s, v.real, false, 0, e);
		break;
	default:
		r = add_value(s, &v, e);
		break;
	}
	return r == 0 && s->n_values == 0 ? no_such_name(e) : r;
}

/* ---- the whole ---- */

static int
resolve(struct docview *v, const struct docpath *p, struct docspot *s, struct deadline d,
	struct err *e)
{
	const struct container_def *def = docbox_def(s->box);
	int r = 0;

	s->n_levels = def->by_id ? 0 : def->n_partition;
	if (p->property != NULL)
		r = find_property(s, p->property, e);
	if (r == 0 && p->value != NULL)
		r = take_value(s, p->value, e);
	if (r == 0 && p->n_rest > s->n_levels + 1)
		r = no_such_name(e);
	for (unsigned i = 0; r == 0 && i < p->n_rest && i < s->n_levels; i++)
		r = take_key(v, s, p->rest[i], d, e);
	if (r == 0 && s->n_keys == s->n_levels && s->n_levels > 0)
		r = make_partition(s, e);
	if (r == 0 && p->n_rest == s->n_levels + 1)
		r = take_document(v, s, p->rest[s->n_levels], d, e);
	if (r == 0 && s->is_document && s->n_levels == 0)
		r = make_partition(s, e);
	return r;
}

int
docspot_resolve_take(struct docview *v, const struct docpath *p, struct docbox *box, bool patient,
		     struct deadline d, struct docspot *out, struct err *e)
{
	int r;

	docspot_init(out);
	out->box = box;
	r = docbox_keys(box, patient, d, &out->keys, e);
	if (r == 0)
		r = resolve(v, p, out, d, e);
	if (r < 0)
		docspot_clear(out);
	return r;
}

void
docspot_select(struct docspot *s, bool with_id, struct docstore_select *out)
{
	static const char id_name[] = "id";
	const struct container_def *def = docbox_def(s->box);
	size_t n = 0;

	*out = (struct docstore_select){ .what = DOCSTORE_DOCUMENTS, .equal = s->equal };
	if (s->partition.n > 0)
		out->partition = buf_str(&s->partition);
	for (unsigned i = 0; out->partition == NULL && i < s->n_keys; i++) {
		s->key_text[i] = buf_str(&s->key[i]);
		s->equal[n++] = (struct docstore_equal){
			(const char *const *)def->partition[i].token, def->partition[i].n_tokens,
			&s->key_text[i], 1
		};
	}
	if (s->n_values > 0) {
		for (unsigned i = 0; i < s->n_values; i++)
			s->value_text[i] = buf_str(&s->value[i]);
		s->property_token = def->path[s->property].name;
		s->equal[n++] = (struct docstore_equal){ &s->property_token, 1, s->value_text,
							 s->n_values };
	}
	if (with_id && s->is_document) {
		s->id_token = id_name;
		s->id_text = buf_str(&s->id_json);
		s->equal[n++] = (struct docstore_equal){ &s->id_token, 1, &s->id_text, 1 };
	}
	out->n_equal = n;
}
