/* SPDX-License-Identifier: MIT */
/* A directory for the tests of dir: stores of documents, and what is put into it by hand. */
#ifndef TESTS_UNIT_STORE_DOCROOT_H
#define TESTS_UNIT_STORE_DOCROOT_H

#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/store/docdir.h"
#include "backend/store/docname.h"

#define DOC_MARKER    "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"documents\"}"
#define DOC_CONTAINER "{\"id\":\"c\",\"_rid\":\"r1\",\"partitionKey\":{\"paths\":[\"/pk\"]}}"
#define DOC_IN	      "databases/db.d/containers/c.d"

static char docroot[64];

static inline void
docroot_path(const char *path, char out[static 1024])
{
	(void)snprintf(out, 1024, "%s/%s", docroot, path);
}

static inline void
docroot_dir(const char *path)
{
	char whole[1024];

	docroot_path(path, whole);
	if (mkdir(whole, 0755) < 0 && errno != EEXIST)
		fail_msg("mkdir %s", whole);
}

static inline void
docroot_file(const char *path, const char *text)
{
	char whole[1024];
	FILE *f;

	docroot_path(path, whole);
	f = fopen(whole, "w");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

/* The path of a document's file; its directory HH is made. */
static inline void
docroot_place(const char *partition, const char *id, char out[static 256])
{
	char name[DOCNAME_TEXT + 1];
	struct docname docname;
	struct err e = { 0 };

	assert_int_equal(docname_of(span_str(partition), span_str(id), &docname, &e), 0);
	docname_print(&docname, name);
	docroot_dir(DOC_IN "/documents");
	(void)snprintf(out, 256, DOC_IN "/documents/%.2s", name);
	docroot_dir(out);
	(void)snprintf(out, 256, DOC_IN "/documents/%.2s/%s.json", name, name);
}

static inline void
docroot_put(const char *partition, const char *id, const char *text)
{
	char path[256];

	docroot_place(partition, id, path);
	docroot_file(path, text);
}

static inline int
docroot_remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static inline int
docroot_remove(void **state)
{
	(void)state;
	(void)nftw(docroot, docroot_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

/* An empty directory. */
static inline int
docroot_make(void **state)
{
	(void)state;
	(void)snprintf(docroot, sizeof(docroot), "/tmp/azc-docdir-XXXXXX");
	assert_non_null(mkdtemp(docroot));
	return 0;
}

/* A store with one container "c" by /pk in the database "db". */
static inline int
docroot_make_store(void **state)
{
	(void)docroot_make(state);
	docroot_file("azcryptfs-store.json", DOC_MARKER);
	docroot_dir("databases");
	docroot_dir("databases/db.d");
	docroot_dir("databases/db.d/keys");
	docroot_dir("databases/db.d/containers");
	docroot_dir(DOC_IN);
	docroot_file(DOC_IN "/container.json", DOC_CONTAINER);
	return 0;
}

static inline struct docstore *
docroot_open(void)
{
	struct docstore *s = NULL;
	struct err e = { 0 };

	if (docdir_open(docroot, "", "", &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

/* ---- what a call sends, as lines */

struct docroot_lines {
	char text[16384];
	unsigned n;
};

static inline int
docroot_add_line(void *arg, struct span text, struct err *e)
{
	struct docroot_lines *l = arg;
	const size_t at = strlen(l->text);

	(void)e;
	l->n++;
	(void)snprintf(l->text + at, sizeof(l->text) - at, "%.*s\n", (int)text.n,
		       (const char *)text.p);
	return 0;
}

static inline int
docroot_add_name(void *arg, const char *name, struct err *e)
{
	return docroot_add_line(arg, span_str(name), e);
}

/* All pages of a selection; max_items 0 becomes what is usual. */
static inline int
docroot_pages(struct docstore *s, const struct docstore_select *sel, struct docroot_lines *out,
	      struct err *e)
{
	const struct docstore_at at = { .database = "db", .container = "c" };
	AUTO_BUF cursor;
	int r;

	*out = (struct docroot_lines){ .n = 0 };
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	do {
		r = docstore_page(s, &at, sel, &cursor,
				  (struct docstore_sink){ docroot_add_line, out }, NULL,
				  (struct deadline){ 0 }, e);
	} while (r == 0 && cursor.n > 0 && !sel->changes);
	return r;
}

#endif
