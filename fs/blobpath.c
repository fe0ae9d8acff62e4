/* SPDX-License-Identifier: MIT */
/* Paths to blob names: see blobpath.h. */
#include "fs/blobpath.h"

#include <errno.h>
#include <string.h>

#include "fs/names.h"

struct search {
	const char *alias;
	size_t n_prefix;
	struct buf *found; /* the component */
	bool done, shadowed;
};

/*
 * Compares one listed name with the alias that is looked for, plain and as a file behind a
 * directory.
 */
static int
compare_entry(void *arg, const struct store_entry *entry, struct err *e)
{
	struct search *s = arg;
	struct span c = { entry->name.p + s->n_prefix, entry->name.n - s->n_prefix };
	AUTO_BUF name;
	int r = 0;

	buf_init(&name, NAMES_FILE_MAX);
	if (entry->kind == STORE_PREFIX && c.n > 0)
		c.n--;
	if (s->done ||
	    c.n < NAMES_FILE_MAX /
			    3) /* too short to be cut, even with every byte escaped and a mark */
		return 0;
	for (int shadowed = 0; shadowed < 2 && r == 0 && !s->done; shadowed++) {
		r = names_escape(c, shadowed != 0, &name, e);
		if (r < 0 || strcmp(buf_str(&name), s->alias) != 0)
			continue;
		s->done = true;
		s->shadowed = shadowed != 0;
		buf_reset(s->found);
		r = buf_add(s->found, c.p, c.n, e);
	}
	return r;
}

static int
find_alias(struct store *store, struct span prefix, struct search *s, struct deadline d,
	   struct err *e)
{
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, 16 << 10);
	do {
		r = store_list(store, prefix, true, 0, &cursor,
			       (struct store_list_sink){ compare_entry, s }, d, e);
	} while (r == 0 && !s->done && cursor.n > 0);
	if (r == 0 && !s->done)
		return err_set(e, ENOENT, "no blob has this abbreviated name");
	return r;
}

/* Appends the component that the file name stands for. */
static int
add_component(struct store *store, const char *file, bool last, struct deadline d, struct buf *out,
	      enum blob_path_kind *kind, struct err *e)
{
	struct search s = { .alias = file, .n_prefix = out->n };
	enum names_kind what;
	AUTO_BUF component;
	int r;

	buf_init(&component, STORE_NAME_MAX);
	r = names_unescape(file, &what, &component, e);
	if (r < 0)
		return r;
	s.found = &component;
	if (what == NAMES_ALIAS) {
		r = find_alias(store, buf_span(out), &s, d, e);
		if (r < 0)
			return r;
		what = s.shadowed ? NAMES_SHADOWED : NAMES_PLAIN;
	}
	if (what == NAMES_NOTHING || (what == NAMES_SHADOWED && !last))
		return err_set(e, ENOENT, "no blob can have this name");
	*kind = what == NAMES_SHADOWED ? BLOB_PATH_SHADOWED : BLOB_PATH_ANY;
	r = buf_add(out, component.p, component.n, e);
	return r == 0 && !last ? buf_add_str(out, "/", e) : r;
}

int
blobpath_name(struct store *store, const char *path, struct deadline d, struct buf *out,
	      enum blob_path_kind *kind, struct err *e)
{
	char file[NAMES_FILE_MAX + 1];
	int r = 0;

	*kind = BLOB_PATH_ANY;
	buf_reset(out);
	while (*path != '\0' && r == 0) {
		size_t n = strcspn(path, "/");
		bool last = path[n] == '\0';

		if (n > NAMES_FILE_MAX)
			return err_set(e, ENAMETOOLONG, "a name is longer than %d bytes",
				       NAMES_FILE_MAX);
		memcpy(file, path, n);
		file[n] = '\0';
		r = add_component(store, file, last, d, out, kind, e);
		path += last ? n : n + 1;
	}
	if (r == -EFBIG) {
		err_clear(e);
		return err_set(e, ENOENT, "no blob has so long a name");
	}
	return r;
}
