/* SPDX-License-Identifier: MIT */
/* The ranges of a container: see cosmosrange.h. */
#include "backend/store/cosmosrange.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "backend/store/cosmoserror.h"
#include "backend/store/docstore.h"

enum { ID_MAX = 63, ROOM_MIN = 64 };

static const char end[] = "FF";

static int
bad_ranges(struct err *e)
{
	return cosmoserror_broken(e, "the ranges of the container do not fit together");
}

int
cosmosmap_new(const char *rid, struct cosmosmap **out, struct err *e)
{
	struct cosmosmap *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return err_set(e, ENOMEM, "out of memory");
	m->refs = 1;
	m->rid = strdup(rid);
	m->range = calloc(COSMOSRANGE_MAX, sizeof(*m->range));
	if (m->rid == NULL || m->range == NULL) {
		cosmosmap_free(m);
		return err_set(e, ENOMEM, "out of memory");
	}
	*out = m;
	return 0;
}

static void
clear_range(struct cosmosrange *r)
{
	free(r->id);
	free(r->min);
	free(r->max);
	*r = (struct cosmosrange){ 0 };
}

static void
free_gone(struct cosmosmap *m)
{
	for (size_t i = 0; i < m->n_gone; i++)
		free(m->gone[i]);
	free(m->gone);
	m->gone = NULL;
	m->n_gone = m->room_gone = 0;
}

void
cosmosmap_free(struct cosmosmap *m)
{
	if (m == NULL)
		return;
	for (size_t i = 0; i < m->n; i++)
		clear_range(&m->range[i]);
	free_gone(m);
	free(m->range);
	free(m->rid);
	free(m);
}

bool
cosmosrange_is_key(const char *text)
{
	const size_t n = strlen(text);

	return n <= DOCSTORE_EPK_MAX && strspn(text, "0123456789ABCDEF") == n;
}

/* It becomes a header. */
static bool
is_id(const char *id)
{
	const size_t n = strlen(id);

	return n > 0 && n <= ID_MAX &&
	       strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_") == n;
}

static int
add_range(struct cosmosmap *m, const char *id, const char *min, const char *max, struct err *e)
{
	struct cosmosrange *r = &m->range[m->n];

	if (id == NULL || min == NULL || max == NULL || !is_id(id) || !cosmosrange_is_key(min) ||
	    !cosmosrange_is_key(max) || strcmp(min, max) >= 0 || m->n == COSMOSRANGE_MAX)
		return bad_ranges(e);
	*r = (struct cosmosrange){ strdup(id), strdup(min), strdup(max) };
	if (r->id == NULL || r->min == NULL || r->max == NULL) {
		clear_range(r);
		return err_set(e, ENOMEM, "out of memory");
	}
	m->n++;
	return 0;
}

static int
add_gone(struct cosmosmap *m, const char *id, struct err *e)
{
	char *copy;

	if (id == NULL || m->n_gone == COSMOSRANGE_GONE_MAX)
		return bad_ranges(e);
	if (m->n_gone == m->room_gone) {
		const size_t room = m->room_gone > 0 ? 2 * m->room_gone : ROOM_MIN;
		char **more = realloc(m->gone, room * sizeof(*more)); /* not secret */

		if (more == NULL)
			return err_set(e, ENOMEM, "out of memory");
		m->gone = more;
		m->room_gone = room;
	}
	copy = strdup(id);
	if (copy == NULL)
		return err_set(e, ENOMEM, "out of memory");
	m->gone[m->n_gone++] = copy;
	return 0;
}

static int
add_parents(struct cosmosmap *m, const json_t *parents, struct err *e)
{
	const json_t *item;
	size_t i;
	int r = 0;

	if (parents == NULL || json_is_null(parents))
		return 0;
	if (!json_is_array(parents))
		return bad_ranges(e);
	json_array_foreach(parents, i, item)
	{
		r = add_gone(m, json_string_value(item), e);
		if (r < 0)
			break;
	}
	return r;
}

int
cosmosmap_add(struct cosmosmap *m, struct span item, struct err *e)
{
	json_t *j = json_loadb((const char *)item.p, item.n, JSON_REJECT_DUPLICATES, NULL);
	int r;

	if (!json_is_object(j)) {
		json_decref(j);
		return bad_ranges(e);
	}
	r = add_range(m, json_string_value(json_object_get(j, "id")),
		      json_string_value(json_object_get(j, "minInclusive")),
		      json_string_value(json_object_get(j, "maxExclusive")), e);
	if (r == 0)
		r = add_parents(m, json_object_get(j, "parents"), e);
	json_decref(j);
	return r;
}

static int
compare_texts(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

static int
compare_ranges(const void *a, const void *b)
{
	const struct cosmosrange *x = a, *y = b;

	return strcmp(x->min, y->min);
}

/* During a split a range may be listed beside those that have come from it. */
static void
drop_gone(struct cosmosmap *m)
{
	size_t kept = 0;

	if (m->n_gone == 0)
		return;
	qsort(m->gone, m->n_gone, sizeof(*m->gone), compare_texts);
	for (size_t i = 0; i < m->n; i++) {
		if (bsearch(&m->range[i].id, m->gone, m->n_gone, sizeof(*m->gone), compare_texts) !=
		    NULL)
			clear_range(&m->range[i]);
		else
			m->range[kept++] = m->range[i];
	}
	m->n = kept;
	free_gone(m);
}

int
cosmosmap_finish(struct cosmosmap *m, struct err *e)
{
	const char *at = "";

	drop_gone(m);
	qsort(m->range, m->n, sizeof(*m->range), compare_ranges);
	for (size_t i = 0; i < m->n; i++) {
		if (strcmp(m->range[i].min, at) != 0)
			return bad_ranges(e);
		at = m->range[i].max;
	}
	return strcmp(at, end) == 0 ? 0 : bad_ranges(e);
}

const struct cosmosrange *
cosmosmap_find(const struct cosmosmap *m, const char *key)
{
	size_t low = 0, high = m->n;

	assert(m->n > 0 && strcmp(key, end) < 0);
	while (high - low > 1) {
		const size_t middle = low + (high - low) / 2;

		if (strcmp(m->range[middle].min, key) <= 0)
			low = middle;
		else
			high = middle;
	}
	return &m->range[low];
}
