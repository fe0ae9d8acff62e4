/* SPDX-License-Identifier: MIT */
/* Whether a document is the one that was sent: see cosmossame.h. */
#include "backend/store/cosmossame.h"

#include "base/buf.h"
#include "base/jsonscan.h"
#include "base/num.h"
#include "base/number.h"

/* The members that the service has for itself. */
static const char *const system_members[] = { "_rid",	      "_self", "_etag",
					      "_attachments", "_ts",   "_lsn" };

static bool
is_system(const struct jsonscan *s)
{
	for (size_t i = 0; i < ARRAY_LEN(system_members); i++)
		if (jsonscan_is(s->token, s->escaped, span_str(system_members[i])))
			return true;
	return false;
}

/* The next token of the document without them. */
static enum jsonscan_token
next(struct jsonscan *s)
{
	enum jsonscan_token token = jsonscan_next(s);

	while (token == JSONSCAN_NAME && s->depth == 1 && is_system(s)) {
		if (!jsonscan_skip(s))
			return JSONSCAN_BAD;
		token = jsonscan_next(s);
	}
	return token;
}

static bool
same_bytes(struct span a, struct span b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

static bool
same_string(const struct jsonscan *a, const struct jsonscan *b)
{
	struct err ignored = { 0 };
	AUTO_BUF value;

	if (same_bytes(a->token, b->token))
		return true;
	if (!a->escaped && !b->escaped)
		return false;
	buf_init(&value, a->token.n);
	return jsonscan_unescape(a->token, &value, &ignored) == 0 &&
	       jsonscan_is(b->token, b->escaped, buf_span(&value));
}

static bool
same_number(struct span a, struct span b)
{
	double x, y;

	return same_bytes(a, b) ||
	       (number_parse(a, &x) && number_parse(b, &y) && !(x < y) && !(x > y));
}

bool
cosmossame(struct span sent, struct span stored)
{
	struct jsonscan a, b;
	enum jsonscan_token token;

	jsonscan_init(&a, sent, JSONSCAN_DEPTH_MAX, NULL);
	jsonscan_init(&b, stored, JSONSCAN_DEPTH_MAX, NULL);
	do {
		token = next(&a);
		if (next(&b) != token || token == JSONSCAN_BAD)
			return false;
		if ((token == JSONSCAN_NAME || token == JSONSCAN_STRING) && !same_string(&a, &b))
			return false;
		if (token == JSONSCAN_NUMBER && !same_number(a.token, b.token))
			return false;
	} while (token != JSONSCAN_END);
	return true;
}
