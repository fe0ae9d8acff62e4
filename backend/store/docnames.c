/* SPDX-License-Identifier: MIT */
/* Sorted names of documents: see docnames.h. */
#include "backend/store/docnames.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/store/dircollect.h"

struct reading {
	struct docnames *into;
	uint8_t first;
};

int
docnames_add(struct docnames *n, const struct docname *name, struct err *e)
{
	const size_t room = n->room == 0 ? 64 : 2 * n->room;
	struct docname *names;

	if (n->n == n->room) {
		names = reallocarray(n->name, room, sizeof(*names));
		if (names == NULL)
			return err_set(e, ENOMEM, "out of memory");
		n->name = names;
		n->room = room;
	}
	n->name[n->n++] = *name;
	return 0;
}

static int
take(void *arg, const char *file, bool link, struct err *e)
{
	struct reading *r = arg;
	struct docname name;
	size_t stem;

	if (link || !dircollect_ends_in(file, docname_suffix, &stem) ||
	    !docname_parse(file, stem, &name) || name.b[0] != r->first)
		return 0;
	return docnames_add(r->into, &name, e);
}

static int
by_name(const void *a, const void *b)
{
	return docname_compare(a, b);
}

void
docnames_sort(struct docnames *n)
{
	if (n->n > 1)
		qsort(n->name, n->n, sizeof(*n->name), by_name);
}

bool
docnames_has(const struct docnames *n, const struct docname *name)
{
	return n->n > 0 && bsearch(name, n->name, n->n, sizeof(*n->name), by_name) != NULL;
}

void
docnames_clear(struct docnames *n)
{
	free(n->name);
	*n = (struct docnames){ .n = 0 };
}

int
docnames_read(int half, uint8_t first, struct docnames *out, struct err *e)
{
	struct docnames names = { .n = 0 };
	struct reading reading = { &names, first };
	int r = dircollect_each(half, take, &reading, e);

	if (r < 0) {
		docnames_clear(&names);
		return r;
	}
	docnames_sort(&names);
	*out = names;
	return 0;
}
