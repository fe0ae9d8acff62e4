/* SPDX-License-Identifier: MIT */
/* The words of a path: see docpath.h.  What they stand for in the store is in docspot.c. */
#include "fs/docpath.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fs/valuename.h"

enum { PARTS_MAX = 16 };

struct words {
	char *part[PARTS_MAX];
	unsigned n;
};

static int
nothing_here(struct err *e)
{
	return err_set(e, ENOENT, "there is nothing of that name");
}

static int
cut(char *text, struct words *w, struct err *e)
{
	while (*text != '\0') {
		char *slash = strchr(text, '/');

		if (w->n == PARTS_MAX)
			return nothing_here(e);
		w->part[w->n++] = text;
		if (slash == NULL)
			break;
		*slash = '\0';
		text = slash + 1;
	}
	return 0;
}

/* The name of a database or container: what the source names, or the next word. */
static int
take_name(const char *given, const struct words *w, unsigned *at, char out[256], struct err *e)
{
	enum names_kind kind;
	AUTO_BUF name;
	int r;

	if (given[0] != '\0') {
		(void)snprintf(out, 256, "%s", given);
		return 0;
	}
	if (*at == w->n)
		return 0;
	buf_init(&name, 4 * NAMES_FILE_MAX);
	r = names_unescape(w->part[(*at)++], &kind, &name, e);
	if (r == 0 && (kind != NAMES_PLAIN || name.n > 255 || !cosmos_id_is_good(buf_str(&name))))
		return nothing_here(e);
	(void)snprintf(out, 256, "%s", buf_str(&name));
	return r;
}

static int
take_rest(const struct words *w, unsigned at, enum docarea area, struct docpath *out, struct err *e)
{
	out->area = area;
	if (w->n - at > DOCPATH_REST_MAX)
		return nothing_here(e);
	while (at < w->n)
		out->rest[out->n_rest++] = w->part[at++];
	return 0;
}

static int
take_by(const struct words *w, unsigned at, struct docpath *out, struct err *e)
{
	out->area = DOCAREA_BY;
	if (at == w->n)
		return 0;
	out->area = DOCAREA_PROPERTY;
	out->property = w->part[at++];
	if (at == w->n)
		return 0;
	out->value = w->part[at++];
	return take_rest(w, at, DOCAREA_VALUE, out, e);
}

static int
take_part(const struct words *w, unsigned at, struct docpath *out, struct err *e)
{
	out->area = DOCAREA_PARTS;
	if (at == w->n)
		return 0;
	out->area = DOCAREA_PART;
	if (w->n - at > 1 || !valuename_range(w->part[at], out->min, out->max))
		return nothing_here(e);
	return 0;
}

static int
take_inside(const struct words *w, unsigned at, struct docpath *out, struct err *e)
{
	static const struct {
		const char *name;
		enum docarea area;
	} files[] = {
		{ "all.jsonl", DOCAREA_ALL },
		{ ".policy.json", DOCAREA_POLICY },
		{ ".keys.json", DOCAREA_KEYS },
	};
	const char *word;

	out->area = DOCAREA_CONTAINER;
	if (at == w->n)
		return 0;
	word = w->part[at++];
	if (strcmp(word, "items") == 0)
		return take_rest(w, at, DOCAREA_ITEMS, out, e);
	if (strcmp(word, "by") == 0)
		return take_by(w, at, out, e);
	if (strcmp(word, "parts") == 0)
		return take_part(w, at, out, e);
	for (size_t i = 0; i < ARRAY_LEN(files); i++)
		if (strcmp(word, files[i].name) == 0 && at == w->n) {
			out->area = files[i].area;
			return 0;
		}
	return nothing_here(e);
}

static int
parse(const struct docstore *store, struct docpath *p, struct err *e)
{
	struct words w = { .n = 0 };
	unsigned at = 0;
	int r = cut(p->text, &w, e);

	for (unsigned i = 0; r == 0 && i < w.n; i++)
		if (strlen(w.part[i]) > NAMES_FILE_MAX)
			r = err_set(e, ENAMETOOLONG, "a name is longer than %d bytes",
				    NAMES_FILE_MAX);
	if (r == 0)
		r = take_name(store->database, &w, &at, p->database, e);
	if (r == 0 && p->database[0] != '\0')
		r = take_name(store->container, &w, &at, p->container, e);
	if (r < 0)
		return r;
	p->area = p->database[0] == '\0' ? DOCAREA_ACCOUNT : DOCAREA_DATABASE;
	return p->container[0] != '\0' ? take_inside(&w, at, p, e) : 0;
}

int
docpath_parse(const struct docstore *store, const char *path, struct docpath *out, struct err *e)
{
	struct docpath p = { .text = strdup(path) };
	int r = p.text == NULL ? err_set(e, ENOMEM, "out of memory") : parse(store, &p, e);

	if (r < 0) {
		docpath_clear(&p);
		return r;
	}
	*out = p;
	return 0;
}

void
docpath_clear(struct docpath *p)
{
	free(p->text);
	*p = (struct docpath){ 0 };
}
