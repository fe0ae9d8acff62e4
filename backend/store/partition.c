/* SPDX-License-Identifier: MIT */
/* The text that names a partition: see partition.h. */
#include "backend/store/partition.h"

#include <errno.h>

#include "base/jsonscan.h"
#include "base/number.h"

static const char absent[] = "{}";

static int
begin_value(struct buf *out, struct err *e)
{
	return buf_add_str(out, out->n == 0 ? "[" : ",", e);
}

int
partition_add_string(struct buf *out, struct span bytes, struct err *e)
{
	int r = begin_value(out, e);

	return r < 0 ? r : jsonscan_quote_ascii(bytes, out, e);
}

static int
add_string(struct buf *out, struct span raw, struct err *e)
{
	AUTO_BUF bytes;
	int r;

	buf_init(&bytes, raw.n);
	r = jsonscan_unescape(raw, &bytes, e);
	return r < 0 ? r : partition_add_string(out, buf_span(&bytes), e);
}

static int
add_number(struct buf *out, struct span raw, struct err *e)
{
	char text[NUMBER_TEXT_MAX];
	double value;
	int r;

	if (!number_parse(raw, &value))
		return err_set(e, EINVAL, "a number of a partition key is beyond what one can be");
	(void)number_print_js(value, text);
	r = begin_value(out, e);
	return r < 0 ? r : buf_add_str(out, text, e);
}

static int
add_word(struct buf *out, struct span raw, struct err *e)
{
	int r = begin_value(out, e);

	return r < 0 ? r : buf_add(out, raw.p, raw.n, e);
}

static int
add_value(struct buf *out, struct span raw, struct err *e)
{
	enum jsonscan_token kind;
	struct jsonscan s;
	struct span inner, whole;

	if (raw.p == NULL)
		return add_word(out, span_str(absent), e);
	jsonscan_init(&s, raw, 1, NULL);
	kind = jsonscan_next(&s);
	inner = s.token;
	whole = span_of(raw.p + s.at, s.end - s.at);
	if (kind == JSONSCAN_BAD || jsonscan_next(&s) != JSONSCAN_END)
		kind = JSONSCAN_BAD;
	switch (kind) {
	case JSONSCAN_STRING:
		return add_string(out, inner, e);
	case JSONSCAN_NUMBER:
		return add_number(out, inner, e);
	case JSONSCAN_TRUE:
	case JSONSCAN_FALSE:
	case JSONSCAN_NULL:
		return add_word(out, whole, e);
	default:
		return err_set(e, EINVAL,
			       "a value of a partition key is neither text, number, boolean nor "
			       "null");
	}
}

int
partition_add(struct buf *out, struct span raw, struct err *e)
{
	const size_t before = out->n;
	int r = add_value(out, raw, e);

	if (r < 0)
		out->n = before;
	return r;
}

int
partition_end(struct buf *out, const struct container_def *def, struct err *e)
{
	if (def->system_key && out->n == 3 && memcmp(out->p, "[{}", 3) == 0)
		out->n = 1;
	return buf_add_str(out, out->n == 0 ? "[]" : "]", e);
}

int
partition_of(const struct container_def *def, const struct document_head *head, struct buf *out,
	     struct err *e)
{
	int r = 0;

	buf_reset(out);
	for (unsigned i = 0; r == 0 && i < def->n_partition; i++)
		r = partition_add(out, head->partition[i], e);
	return r < 0 ? r : partition_end(out, def, e);
}

/* ---- taking it apart */

static int
no_partition(struct err *e)
{
	return err_set(e, EINVAL, "this text names no partition");
}

/* The value whose first token has been read; *raw becomes p == NULL where it is "{}". */
static bool
take_value(struct jsonscan *s, enum jsonscan_token first, const char *text, struct span *raw)
{
	switch (first) {
	case JSONSCAN_STRING:
	case JSONSCAN_NUMBER:
	case JSONSCAN_TRUE:
	case JSONSCAN_FALSE:
	case JSONSCAN_NULL:
		*raw = span_of(text + s->at, s->end - s->at);
		return true;
	case JSONSCAN_OBJECT:
		*raw = span_of(NULL, 0);
		return jsonscan_next(s) == JSONSCAN_OBJECT_END;
	default:
		return false;
	}
}

int
partition_each(const char *text, int (*each)(void *arg, unsigned i, struct span raw, struct err *e),
	       void *arg, struct err *e)
{
	struct span raw[CONTAINER_PATHS_MAX];
	enum jsonscan_token token;
	struct jsonscan s;
	unsigned n = 0;
	int r = 0;

	jsonscan_init(&s, span_str(text), 2, NULL);
	if (jsonscan_next(&s) != JSONSCAN_ARRAY)
		return no_partition(e);
	while ((token = jsonscan_next(&s)) != JSONSCAN_ARRAY_END)
		if (n == CONTAINER_PATHS_MAX || !take_value(&s, token, text, &raw[n++]))
			return no_partition(e);
	if (jsonscan_next(&s) != JSONSCAN_END)
		return no_partition(e);
	for (unsigned i = 0; r == 0 && i < n; i++)
		r = each(arg, i, raw[i], e);
	return r;
}
