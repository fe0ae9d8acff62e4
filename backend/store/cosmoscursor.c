/* SPDX-License-Identifier: MIT */
/*
 * Where a walk stands: see cosmoscursor.h.
 *
 *	{"v":1,"kind":"changes","rid":"...","from":-1,"quiet":0,
 *	 "segments":[["","3F","\"17\""],["3F","FF",null]]}
 */
#include "backend/store/cosmoscursor.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include <jansson.h>

#include "backend/store/cosmoscall.h"

enum { VERSION = 1, MEMBERS = 6, SEGMENTS_MAX = COSMOSRANGE_MAX, ROOM_MIN = 8 };

static const char *const kinds[] = { "feed", "query", "partition", "changes" };

static void
clear_segment(struct cosmossegment *s)
{
	free(s->min);
	free(s->max);
	free(s->position);
	*s = (struct cosmossegment){ 0 };
}

void
cosmoscursor_clear(struct cosmoscursor *c)
{
	for (size_t i = 0; i < c->n; i++)
		clear_segment(&c->segment[i]);
	free(c->segment);
	free(c->rid);
	*c = (struct cosmoscursor){ 0 };
}

/* Puts a segment at index; position may be NULL. */
static int
insert(struct cosmoscursor *c, size_t index, const char *min, const char *max, const char *position,
       struct err *e)
{
	struct cosmossegment s = { strdup(min), strdup(max), NULL };

	if (position != NULL)
		s.position = strdup(position);
	if (c->n == c->room) {
		const size_t room = c->room > 0 ? 2 * c->room : ROOM_MIN;
		struct cosmossegment *more = realloc(c->segment,
						     room * sizeof(*more)); /* not secret */

		if (more != NULL) {
			c->segment = more;
			c->room = room;
		}
	}
	if (s.min == NULL || s.max == NULL || (position != NULL && s.position == NULL) ||
	    c->n == c->room) {
		clear_segment(&s);
		return err_set(e, ENOMEM, "out of memory");
	}
	memmove(c->segment + index + 1, c->segment + index, (c->n - index) * sizeof(s));
	c->segment[index] = s;
	c->n++;
	return 0;
}

int
cosmoscursor_new(enum cosmoscursor_kind kind, const char *rid, const char *min, const char *max,
		 struct cosmoscursor *out, struct err *e)
{
	struct cosmoscursor c = { .kind = kind, .rid = strdup(rid), .from_s = -1 };
	int r;

	r = c.rid == NULL ? err_set(e, ENOMEM, "out of memory") : insert(&c, 0, min, max, NULL, e);
	if (r < 0) {
		cosmoscursor_clear(&c);
		return r;
	}
	*out = c;
	return 0;
}

/* ---- as text */

static int
no_cursor(struct err *e)
{
	return err_set(e, EINVAL, "this text is no cursor of such a walk");
}

static int
parse_segment(struct cosmoscursor *c, const json_t *item, struct err *e)
{
	const char *min = json_string_value(json_array_get(item, 0)),
		   *max = json_string_value(json_array_get(item, 1)),
		   *position = json_string_value(json_array_get(item, 2));

	if (json_array_size(item) != 3 || min == NULL || max == NULL ||
	    (position == NULL && !json_is_null(json_array_get(item, 2))))
		return no_cursor(e);
	if (!cosmosrange_is_key(min) || !cosmosrange_is_key(max) || strcmp(min, max) >= 0 ||
	    strcmp(max, "FF") > 0 || (position != NULL && !cosmoscall_is_position(position)))
		return no_cursor(e);
	return insert(c, c->n, min, max, position, e);
}

static int
compare_segments(const void *a, const void *b)
{
	const struct cosmossegment *const *x = a, *const *y = b;

	return strcmp((*x)->min, (*y)->min);
}

/* Where two overlap, documents would come twice. */
static int
check_overlap(const struct cosmoscursor *c, struct err *e)
{
	const struct cosmossegment **sorted = calloc(c->n, sizeof(struct cosmossegment *));
	bool overlap = false;

	if (sorted == NULL)
		return err_set(e, ENOMEM, "out of memory");
	for (size_t i = 0; i < c->n; i++)
		sorted[i] = &c->segment[i];
	qsort(sorted, c->n, sizeof(struct cosmossegment *), compare_segments);
	for (size_t i = 1; i < c->n; i++)
		overlap |= strcmp(sorted[i - 1]->max, sorted[i]->min) > 0;
	free(sorted);
	return overlap ? no_cursor(e) : 0;
}

static int
parse_segments(struct cosmoscursor *c, const json_t *segments, struct err *e)
{
	const json_t *item;
	size_t i;

	if (json_array_size(segments) == 0 || json_array_size(segments) > SEGMENTS_MAX)
		return no_cursor(e);
	json_array_foreach(segments, i, item)
	{
		int r = parse_segment(c, item, e);

		if (r < 0)
			return r;
	}
	return check_overlap(c, e);
}

static bool
take_number(const json_t *j, const char *name, int64_t least, int64_t most, int64_t *out)
{
	const json_t *value = json_object_get(j, name);

	*out = json_integer_value(value);
	return json_is_integer(value) && *out >= least && *out <= most;
}

static int
parse_members(const json_t *j, struct cosmoscursor *c, struct err *e)
{
	const char *kind = json_string_value(json_object_get(j, "kind")),
		   *rid = json_string_value(json_object_get(j, "rid"));
	int64_t version, quiet, most;
	int r;

	if (json_object_size(j) != MEMBERS || !take_number(j, "v", VERSION, VERSION, &version) ||
	    kind == NULL || strcmp(kind, kinds[c->kind]) != 0 || rid == NULL ||
	    !take_number(j, "from", -1, INT64_MAX, &c->from_s))
		return no_cursor(e);
	c->rid = strdup(rid);
	if (c->rid == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = parse_segments(c, json_object_get(j, "segments"), e);
	if (r < 0)
		return r;
	most = c->kind == COSMOSCURSOR_CHANGES ? (int64_t)c->n - 1 : COSMOSCURSOR_QUIET_MAX;
	if (!take_number(j, "quiet", 0, most, &quiet))
		return no_cursor(e);
	c->quiet = (size_t)quiet;
	return 0;
}

int
cosmoscursor_parse(struct span text, enum cosmoscursor_kind kind, struct cosmoscursor *out,
		   struct err *e)
{
	json_t *j = json_loadb((const char *)text.p, text.n, JSON_REJECT_DUPLICATES, NULL);
	struct cosmoscursor c = { .kind = kind };
	int r = parse_members(j, &c, e);

	json_decref(j);
	if (r < 0) {
		cosmoscursor_clear(&c);
		return r;
	}
	*out = c;
	return 0;
}

/* NULL: out of memory. */
static json_t *
as_json(const struct cosmoscursor *c)
{
	json_t *segments = json_array();

	for (size_t i = 0; i < c->n; i++) {
		const struct cosmossegment *s = &c->segment[i];

		if (json_array_append_new(segments,
					  json_pack("[sss?]", s->min, s->max, s->position)) < 0) {
			json_decref(segments);
			return NULL;
		}
	}
	return json_pack("{s:i,s:s,s:s,s:I,s:I,s:o}", "v", VERSION, "kind", kinds[c->kind], "rid",
			 c->rid, "from", (json_int_t)c->from_s, "quiet", (json_int_t)c->quiet,
			 "segments", segments);
}

static int
dump(const char *bytes, size_t n, void *arg)
{
	struct err ignored = { 0 };

	return buf_add(arg, bytes, n, &ignored) < 0 ? -1 : 0;
}

int
cosmoscursor_write(const struct cosmoscursor *c, struct buf *out, struct err *e)
{
	const size_t before = out->n;
	json_t *j = as_json(c);
	int r = 0;

	if (j == NULL)
		return err_set(e, ENOMEM, "out of memory");
	if (json_dump_callback(j, dump, out, JSON_COMPACT) < 0) {
		out->n = before;
		r = err_set(e, EFBIG, "a cursor over %zu ranges is too long", c->n);
	}
	json_decref(j);
	return r;
}

/* ---- going on */

int
cosmoscursor_cut(struct cosmoscursor *c, const struct cosmosrange *range, struct err *e)
{
	struct cosmossegment *first = &c->segment[0];
	char *max;
	int r;

	if (strcmp(first->max, range->max) <= 0)
		return 0;
	max = strdup(range->max);
	if (max == NULL)
		return err_set(e, ENOMEM, "out of memory");
	r = insert(c, 1, range->max, first->max, first->position, e);
	if (r < 0) {
		free(max);
		return r;
	}
	free(c->segment[0].max);
	c->segment[0].max = max;
	return 0;
}

int
cosmoscursor_advance(struct cosmoscursor *c, const char *position, struct err *e)
{
	char *copy;

	assert(c->n > 0);
	if (position == NULL || position[0] == '\0') {
		clear_segment(&c->segment[0]);
		c->n--;
		memmove(c->segment, c->segment + 1, c->n * sizeof(*c->segment));
		return 0;
	}
	copy = strdup(position);
	if (copy == NULL)
		return err_set(e, ENOMEM, "out of memory");
	free(c->segment[0].position);
	c->segment[0].position = copy;
	return 0;
}

void
cosmoscursor_rotate(struct cosmoscursor *c)
{
	const struct cosmossegment first = c->segment[0];

	memmove(c->segment, c->segment + 1, (c->n - 1) * sizeof(first));
	c->segment[c->n - 1] = first;
}
