/* SPDX-License-Identifier: MIT */
/* Selections as SQL: see cosmosquery.h. */
#include "backend/store/cosmosquery.h"

#include <errno.h>
#include <stdio.h>

#include "backend/store/cosmoserror.h"
#include "backend/store/partition.h"
#include "base/jsonscan.h"
#include "base/utf8.h"

static const char absent[] = "{}";

/* The two halves of a body under way. */
struct query {
	struct buf text, parameters;
	unsigned n; /* parameters */
};

bool
cosmosquery_is_needed(const struct docstore_select *sel)
{
	return sel->what == DOCSTORE_PARTITIONS || sel->n_equal > 0;
}

/* c["a"]["b"]; what JSON escapes in a name, the query language unescapes. */
static int
add_path(struct buf *out, const char *const *token, size_t n, struct err *e)
{
	int r = buf_add_str(out, "c", e);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (!utf8_is_valid(span_str(token[i])))
			return err_set(e, EINVAL, "the name of a member is not UTF-8");
		r = buf_add_str(out, "[", e);
		if (r == 0)
			r = jsonscan_quote(span_str(token[i]), out, e);
		if (r == 0)
			r = buf_add_str(out, "]", e);
	}
	return r;
}

static bool
is_scalar(const char *text)
{
	struct jsonscan s;
	enum jsonscan_token token;

	jsonscan_init(&s, span_str(text), 1, NULL);
	token = jsonscan_next(&s);
	return token != JSONSCAN_BAD && token != JSONSCAN_OBJECT && token != JSONSCAN_ARRAY &&
	       jsonscan_next(&s) == JSONSCAN_END;
}

/* Binds a value, and names its parameter in the text. */
static int
add_value(struct query *q, const char *value, struct err *e)
{
	int r;

	if (!is_scalar(value))
		return err_set(e, EINVAL, "a value to compare with is no JSON scalar");
	r = buf_addf(&q->text, e, "@v%u", q->n);
	if (r == 0)
		r = buf_addf(&q->parameters, e,
			     "%s{\"name\":\"@v%u\",\"value\":", q->n > 0 ? "," : "", q->n);
	if (r == 0)
		r = buf_add_str(&q->parameters, value, e);
	if (r == 0)
		r = buf_add_str(&q->parameters, "}", e);
	q->n++;
	return r;
}

static int
add_absent(struct query *q, const struct docstore_equal *equal, struct err *e)
{
	int r = buf_add_str(&q->text, "NOT IS_DEFINED(", e);

	if (r == 0)
		r = add_path(&q->text, equal->token, equal->n_tokens, e);
	return r < 0 ? r : buf_add_str(&q->text, ")", e);
}

/* PATH IN (...) of the values that are there. */
static int
add_values(struct query *q, const struct docstore_equal *equal, size_t n, struct err *e)
{
	int r = add_path(&q->text, equal->token, equal->n_tokens, e);
	const char *between = n == 1 ? " = " : " IN (";

	for (size_t i = 0; r == 0 && i < equal->n_values; i++) {
		if (strcmp(equal->value[i], absent) == 0)
			continue;
		r = buf_add_str(&q->text, between, e);
		if (r == 0)
			r = add_value(q, equal->value[i], e);
		between = ",";
	}
	return r < 0 || n == 1 ? r : buf_add_str(&q->text, ")", e);
}

static int
add_equal(struct query *q, const struct docstore_equal *equal, struct err *e)
{
	size_t present = 0;
	int r;

	for (size_t i = 0; i < equal->n_values; i++)
		present += strcmp(equal->value[i], absent) != 0;
	r = buf_add_str(&q->text, "(", e);
	if (r == 0 && present > 0)
		r = add_values(q, equal, present, e);
	if (r == 0 && present > 0 && present < equal->n_values)
		r = buf_add_str(&q->text, " OR ", e);
	if (r == 0 && present < equal->n_values)
		r = add_absent(q, equal, e);
	return r < 0 ? r : buf_add_str(&q->text, ")", e);
}

static int
add_columns(struct query *q, const struct container_def *def, struct err *e)
{
	int r = 0;

	for (unsigned i = 0; r == 0 && i < def->n_partition; i++) {
		const struct partition_path *path = &def->partition[i];

		if (i > 0)
			r = buf_add_str(&q->text, ",", e);
		if (r == 0)
			r = add_path(&q->text, (const char *const *)path->token, path->n_tokens, e);
		if (r == 0)
			r = buf_addf(&q->text, e, " AS p%u", i);
	}
	return r;
}

static int
add_query(struct query *q, const struct container_def *def, const struct docstore_select *sel,
	  struct err *e)
{
	int r = buf_add_str(&q->text, "SELECT ", e);

	if (r == 0)
		r = sel->what == DOCSTORE_PARTITIONS ? add_columns(q, def, e)
						     : buf_add_str(&q->text, "*", e);
	if (r == 0)
		r = buf_add_str(&q->text, " FROM c", e);
	for (size_t i = 0; r == 0 && i < sel->n_equal; i++) {
		r = buf_add_str(&q->text, i == 0 ? " WHERE " : " AND ", e);
		if (r == 0)
			r = add_equal(q, &sel->equal[i], e);
	}
	return r;
}

int
cosmosquery_body(const struct container_def *def, const struct docstore_select *sel,
		 struct buf *out, struct err *e)
{
	struct query q = { .n = 0 };
	int r;

	buf_init(&q.text, COSMOSQUERY_MAX);
	buf_init(&q.parameters, COSMOSQUERY_MAX);
	r = add_query(&q, def, sel, e);
	if (r == 0)
		r = buf_add_str(out, "{\"query\":", e);
	if (r == 0)
		r = jsonscan_quote(buf_span(&q.text), out, e);
	if (r == 0)
		r = buf_add_str(out, ",\"parameters\":[", e);
	if (r == 0)
		r = buf_add(out, q.parameters.p, q.parameters.n, e);
	if (r == 0)
		r = buf_add_str(out, "]}", e);
	buf_clear(&q.text);
	buf_clear(&q.parameters);
	return r;
}

/* ---- rows */

/* The column that a name is, CONTAINER_PATHS_MAX = none. */
static unsigned
column_of(const struct jsonscan *s)
{
	static const char *const names[CONTAINER_PATHS_MAX] = { "p0", "p1", "p2" };
	unsigned i = 0;

	while (i < CONTAINER_PATHS_MAX && !jsonscan_is(s->token, s->escaped, span_str(names[i])))
		i++;
	return i;
}

static int
bad_row(struct err *e)
{
	return cosmoserror_broken(e, "a row is not what was asked for");
}

static int
scan_row(struct span row, struct span value[CONTAINER_PATHS_MAX], struct err *e)
{
	enum jsonscan_token token;
	struct jsonscan s;

	jsonscan_init(&s, row, 2, NULL);
	if (jsonscan_next(&s) != JSONSCAN_OBJECT)
		return bad_row(e);
	while (jsonscan_next(&s) == JSONSCAN_NAME) {
		const unsigned i = column_of(&s);

		token = jsonscan_next(&s);
		if (i == CONTAINER_PATHS_MAX || value[i].p != NULL || token == JSONSCAN_BAD)
			return bad_row(e);
		/* What is no scalar is no value of a partition key. */
		if (token == JSONSCAN_OBJECT || token == JSONSCAN_ARRAY) {
			if (!jsonscan_jump(&s))
				return bad_row(e);
			continue;
		}
		value[i] = span_of(row.p + s.at, s.end - s.at);
	}
	return s.depth == 0 && jsonscan_next(&s) == JSONSCAN_END ? 0 : bad_row(e);
}

int
cosmosquery_partition(const struct container_def *def, struct span row, struct buf *out,
		      struct err *e)
{
	struct span value[CONTAINER_PATHS_MAX] = { { NULL, 0 } };
	int r = scan_row(row, value, e);

	buf_reset(out);
	for (unsigned i = 0; r == 0 && i < def->n_partition; i++)
		if (partition_add(out, value[i], e) < 0) {
			err_clear(e);
			return bad_row(e);
		}
	return r < 0 ? r : partition_end(out, def, e);
}
