/* SPDX-License-Identifier: MIT */
/* Checks of a dir: store of documents: see docdir_exports.h. */
#include "tests/contract/docdir_exports.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/docdir.h"
#include "backend/store/docmatch.h"
#include "tests/contract/docstore_held.h"

static struct docstore *
open_store(const char *root)
{
	struct docstore *s = NULL;
	struct err e = { 0 };

	if (docdir_open(root, "", "", &s, &e) < 0)
		fail_msg("%s", e.text);
	return s;
}

static void
assert_found(struct docstore *s, const struct docstore_at *at, const char *partition,
	     const char *text)
{
	struct err e = { 0 };
	struct buf id, got;
	bool any = false, same;

	buf_init(&id, 4096);
	buf_init(&got, 4 << 20);
	assert_int_equal(docmatch_string(span_str(text), "id", &id, &any, &e), 0);
	assert_true(any);
	if (docstore_get(s, at, partition, buf_str(&id), NULL, &got, &same, docstore_soon(), &e) <
	    0)
		fail_msg("get '%s' in %s: %s", buf_str(&id), partition, e.text);
	assert_string_equal(buf_str(&got), text);
	buf_clear(&got);
	buf_clear(&id);
}

static void
check_container(struct docstore *s, const char *root, const char *database, const char *container)
{
	const struct docstore_fixture f = { .database = database };
	struct docstore_select sel = { .what = DOCSTORE_PARTITIONS };
	struct docstore_seen partitions = { .n = 0 };
	struct docstore_place place;
	unsigned n = 0;

	docstore_place_of(&f, s, container, &place);
	docstore_seen_pages(s, &place.at, &sel, &partitions);
	docstore_seen_sort(&partitions);
	sel.what = DOCSTORE_DOCUMENTS;
	for (unsigned i = 0; i < partitions.n; i++) {
		struct docstore_seen documents = { .n = 0 };

		if (i > 0 && strcmp(partitions.text[i], partitions.text[i - 1]) == 0)
			continue;
		sel.partition = partitions.text[i];
		docstore_seen_pages(s, &place.at, &sel, &documents);
		for (unsigned j = 0; j < documents.n; j++)
			assert_found(s, &place.at, sel.partition, documents.text[j]);
		n += documents.n;
		docstore_seen_clear(&documents);
	}
	assert_int_equal(n, partitions.n);
	(void)printf("%s %s: %u documents\n", root, container, n);
	docstore_seen_clear(&partitions);
	docstore_place_clear(&place);
}

static int
count_seen(void *arg, uint64_t documents, uint64_t bytes, struct err *e)
{
	uint64_t *seen = arg;

	assert_true(documents >= *seen && (bytes > 0 || documents == 0));
	*seen = documents;
	(void)e;
	return 0;
}

static void
copy_container(struct docstore *s, const char *database, const char *container, const char *to)
{
	struct docdir_writer *w = NULL;
	struct err e = { 0 };
	uint64_t seen = 0;

	if (docdir_writer_new(to, &w, &e) < 0 ||
	    docdir_copy(s, database, container, w, (struct docdir_progress){ count_seen, &seen },
			60 * NS_PER_S, &e) < 0)
		fail_msg("copy '%s': %s", container, e.text);
	docdir_writer_free(w);
}

void
docdir_exports_check(const char *root, const char *copy)
{
	struct docstore_seen databases = { .n = 0 }, containers = { .n = 0 };
	struct docstore *s = open_store(root);
	struct err e = { 0 };

	assert_int_equal(
		docstore_list(s, NULL, docstore_seen_names(&databases), docstore_soon(), &e), 0);
	assert_int_equal(databases.n, 1);
	assert_int_equal(docstore_list(s, databases.text[0], docstore_seen_names(&containers),
				       docstore_soon(), &e),
			 0);
	for (unsigned i = 0; i < containers.n; i++) {
		check_container(s, root, databases.text[0], containers.text[i]);
		copy_container(s, databases.text[0], containers.text[i], copy);
		copy_container(s, databases.text[0], containers.text[i], copy);
	}
	docstore_seen_clear(&containers);
	docstore_seen_clear(&databases);
	docstore_free(s);
}
