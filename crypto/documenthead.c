/* SPDX-License-Identifier: MIT */
/* The head of a document: see documenthead.h. */
#include "crypto/documenthead.h"

#include "base/number.h"

void
documenthead_init(struct documenthead *h, const struct container_def *def)
{
	*h = (struct documenthead){ .def = def };
}

static bool
is_name(const struct jsonscan *s, const char *name)
{
	return jsonscan_is(s->token, s->escaped, span_str(name));
}

/* A member of the document itself. */
static void
note_member(struct documenthead *h, const struct jsonscan *s)
{
	h->text = is_name(s, "id")	? &h->head.id
		  : is_name(s, "_etag") ? &h->head.etag
		  : is_name(s, "_rid")	? &h->head.rid
					: NULL;
	h->is_ts = is_name(s, "_ts");
}

/* Below an array the depth is one more than the names on the way, so that nothing matches. */
static void
match(struct documenthead *h, unsigned path, const struct jsonscan *s)
{
	const struct partition_path *p = &h->def->partition[path];
	unsigned *matched = &h->matched[path];

	if (*matched >= s->depth)
		*matched = s->depth - 1;
	if (*matched == s->depth - 1 && s->depth <= p->n_tokens &&
	    is_name(s, p->token[s->depth - 1]))
		*matched = s->depth;
}

bool
documenthead_name(struct documenthead *h, const struct jsonscan *s)
{
	bool below = false;

	if (s->depth == 1)
		note_member(h, s);
	for (unsigned i = 0; i < h->def->n_partition; i++) {
		match(h, i, s);
		below = below ||
			(h->matched[i] == s->depth && s->depth < h->def->partition[i].n_tokens);
	}
	return below;
}

static void
note_ts(struct documenthead *h, struct span token)
{
	long long ts;

	if (number_parse_long(token, &ts) && ts > 0)
		h->head.ts = ts;
}

void
documenthead_scalar(struct documenthead *h, const struct jsonscan *s, enum jsonscan_token t)
{
	for (unsigned i = 0; i < h->def->n_partition; i++)
		if (h->matched[i] == s->depth && s->depth == h->def->partition[i].n_tokens)
			h->head.partition[i] = span_of(s->text + s->at, s->end - s->at);
	if (s->depth != 1)
		return;
	if (h->text != NULL && t == JSONSCAN_STRING)
		*h->text = s->token;
	if (h->is_ts && t == JSONSCAN_NUMBER)
		note_ts(h, s->token);
}
