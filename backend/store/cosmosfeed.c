/* SPDX-License-Identifier: MIT */
/* Pages of feeds: see cosmosfeed.h. */
#include "backend/store/cosmosfeed.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/store/cosmoserror.h"
#include "base/jsonscan.h"

enum { ROOM_MIN = 64 };

static int
bad_page(struct err *e)
{
	return cosmoserror_broken(e, "the answer is not a page of a feed");
}

static int
add_item(struct cosmosfeed *f, struct span item, struct err *e)
{
	if (f->n == COSMOSFEED_ITEMS_MAX)
		return bad_page(e);
	if (f->n == f->room) {
		const size_t room = f->room > 0 ? 2 * f->room : ROOM_MIN;
		struct span *more = realloc(f->item, room * sizeof(*more)); /* not secret */

		if (more == NULL)
			return err_set(e, ENOMEM, "out of memory");
		f->item = more;
		f->room = room;
	}
	f->item[f->n++] = item;
	return 0;
}

/* Behind the name of the array. */
static int
take_array(struct jsonscan *s, const uint8_t *text, struct cosmosfeed *out, struct err *e)
{
	enum jsonscan_token token;

	if (jsonscan_next(s) != JSONSCAN_ARRAY)
		return bad_page(e);
	while ((token = jsonscan_next(s)) == JSONSCAN_OBJECT) {
		const size_t at = s->at;
		int r;

		if (!jsonscan_jump(s))
			return bad_page(e);
		r = add_item(out, span_of(text + at, s->end - at), e);
		if (r < 0)
			return r;
	}
	return token == JSONSCAN_ARRAY_END ? 0 : bad_page(e);
}

int
cosmosfeed_parse(struct span page, const char *member, struct cosmosfeed *out, struct err *e)
{
	bool found = false;
	enum jsonscan_token token;
	struct jsonscan s;

	out->n = 0;
	jsonscan_init(&s, page, JSONSCAN_DEPTH_MAX, NULL);
	if (jsonscan_next(&s) != JSONSCAN_OBJECT)
		return bad_page(e);
	while ((token = jsonscan_next(&s)) == JSONSCAN_NAME) {
		if (!jsonscan_is(s.token, s.escaped, span_str(member))) {
			if (!jsonscan_skip(&s))
				return bad_page(e);
			continue;
		}
		if (found)
			return bad_page(e);
		found = true;
		if (take_array(&s, page.p, out, e) < 0)
			return -e->no;
	}
	if (token != JSONSCAN_OBJECT_END || jsonscan_next(&s) != JSONSCAN_END || !found)
		return bad_page(e);
	return 0;
}

void
cosmosfeed_clear(struct cosmosfeed *f)
{
	free(f->item);
	*f = (struct cosmosfeed){ 0 };
}

int
cosmosfeed_string(struct span object, const char *member, struct buf *out, struct err *e)
{
	struct span raw = { NULL, 0 };
	enum jsonscan_token token;
	struct jsonscan s;

	jsonscan_init(&s, object, 2, NULL);
	if (jsonscan_next(&s) != JSONSCAN_OBJECT)
		return cosmoserror_broken(e, "the answer is not a JSON object");
	while ((token = jsonscan_next(&s)) == JSONSCAN_NAME) {
		const bool wanted = jsonscan_is(s.token, s.escaped, span_str(member));

		token = jsonscan_next(&s);
		if (wanted && (token != JSONSCAN_STRING || raw.p != NULL))
			break;
		if (wanted)
			raw = s.token;
		if ((token == JSONSCAN_OBJECT || token == JSONSCAN_ARRAY) && !jsonscan_jump(&s))
			break;
	}
	if (token != JSONSCAN_OBJECT_END || jsonscan_next(&s) != JSONSCAN_END || raw.p == NULL)
		return cosmoserror_broken(e, "the answer is not what was asked for");
	buf_reset(out);
	return jsonscan_unescape(raw, out, e);
}
