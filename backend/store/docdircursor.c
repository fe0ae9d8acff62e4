/* SPDX-License-Identifier: MIT */
/* Cursors of a dir: store of documents: see docdircursor.h. */
#include "backend/store/docdircursor.h"

#include <errno.h>
#include <stdio.h>

#include "base/number.h"

enum { NS_DIGITS = 9 };

static const char of_pages[] = "d1:", of_changes[] = "c1:";

static int
no_cursor(struct err *e)
{
	return err_set(e, EINVAL, "this text is no cursor of such a walk");
}

/* Takes what stands before the next ':'; false: there is none. */
static bool
next_part(struct span *text, struct span *out)
{
	const uint8_t *colon = text->n > 0 ? memchr(text->p, ':', text->n) : NULL;

	if (colon == NULL)
		return false;
	*out = span_of(text->p, (size_t)(colon - text->p));
	*text = span_of(colon + 1, text->n - out->n - 1);
	return true;
}

/* "TS", or "TS.NS" where NS is not 0. */
static bool
take_stamp(struct span text, struct docdirstamp *out)
{
	const uint8_t *dot = text.n > 0 ? memchr(text.p, '.', text.n) : NULL;
	const size_t n = dot != NULL ? (size_t)(dot - text.p) : text.n;
	long long ts, ns = 0;

	if (!number_parse_long(span_of(text.p, n), &ts))
		return false;
	for (size_t i = n + 1; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		ns = 10 * ns + (text.p[i] - '0');
	}
	if (dot != NULL && (text.n - n - 1 != NS_DIGITS || ns == 0))
		return false;
	*out = (struct docdirstamp){ ts, (uint32_t)ns };
	return true;
}

int
docdircursor_parse(struct span text, const char *rid, struct docdircursor *out, struct err *e)
{
	const struct span version = span_str(out->changes ? of_changes : of_pages);
	struct docdircursor c = { .changes = out->changes };
	struct span part;

	if (text.n < version.n || memcmp(text.p, version.p, version.n) != 0)
		return no_cursor(e);
	text = span_of(text.p + version.n, text.n - version.n);
	if (c.changes && (!next_part(&text, &part) || !take_stamp(part, &c.stamp)))
		return no_cursor(e);
	if (!next_part(&text, &part) || !docname_parse((const char *)part.p, part.n, &c.name))
		return no_cursor(e);
	if (text.n != strlen(rid) || memcmp(text.p, rid, text.n) != 0) {
		(void)err_set(e, ESTALE, "the container has been made anew since this walk began");
		return err_mark(e, "remote.recreated", NULL);
	}
	*out = c;
	return 0;
}

int
docdircursor_write(const struct docdircursor *c, const char *rid, struct buf *text, struct err *e)
{
	char name[DOCNAME_TEXT + 1], stamp[48] = "";
	const size_t before = text->n;
	AUTO_BUF made;
	uint8_t *to;
	int r;

	docname_print(&c->name, name);
	if (c->changes && c->stamp.ns > 0)
		(void)snprintf(stamp, sizeof(stamp), "%lld.%09u:", (long long)c->stamp.ts,
			       c->stamp.ns);
	else if (c->changes)
		(void)snprintf(stamp, sizeof(stamp), "%lld:", (long long)c->stamp.ts);
	buf_init(&made, text->max);
	r = buf_addf(&made, e, "%s%s%s:%s", c->changes ? of_changes : of_pages, stamp, name, rid);
	if (r == 0 && made.n > before)
		r = buf_reserve(text, made.n - before, &to, e);
	if (r < 0)
		return r;
	buf_reset(text);
	return buf_add(text, made.p, made.n, e);
}
