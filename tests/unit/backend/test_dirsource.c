/* SPDX-License-Identifier: MIT */
/* Where the store lies in what is written behind dir: (backend/dirsource.c). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/dirsource.h"

#define MARKER	   "azcryptfs-store.json"
#define MARK(kind) "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"" kind "\"}"

static char root[] = "/tmp/azcryptfs-test-dirsource-XXXXXX";

/* Below root: directories, and files with a text. */
static const struct {
	const char *name, *text;
} tree[] = {
	{ "docs", NULL },
	{ "docs/databases", NULL },
	{ "docs/" MARKER, MARK("documents") },
	{ "docs/inner", NULL },
	{ "docs/inner/objects", NULL },
	{ "docs/inner/" MARKER, MARK("blobs") },
	{ "blobs", NULL },
	{ "blobs/objects", NULL },
	{ "blobs/" MARKER, MARK("blobs") },
	{ "odd", NULL },
	{ "odd/" MARKER, MARK("tables") },
	{ "empty", NULL },
	{ "empty/" MARKER, "" },
};

static void
at_root(const char *name, char *out, size_t n)
{
	assert_true(snprintf(out, n, "%s/%s", root, name) < (int)n);
}

static int
make_tree(void **state)
{
	char path[200];

	(void)state;
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < ARRAY_LEN(tree); i++) {
		FILE *f;

		at_root(tree[i].name, path, sizeof(path));
		if (tree[i].text == NULL) {
			assert_int_equal(mkdir(path, 0700), 0);
			continue;
		}
		f = fopen(path, "w");
		assert_non_null(f);
		assert_true(fputs(tree[i].text, f) >= 0);
		assert_int_equal(fclose(f), 0);
	}
	return 0;
}

static int
remove_tree(void **state)
{
	char path[200];

	(void)state;
	for (size_t i = ARRAY_LEN(tree); i-- > 0;) {
		at_root(tree[i].name, path, sizeof(path));
		(void)(tree[i].text == NULL ? rmdir(path) : unlink(path));
	}
	return rmdir(root);
}

static const struct {
	const char *rest;		  /* behind root */
	const char *store;		  /* where it is found, behind root; NULL = nowhere */
	enum source_kind kind;		  /* and what there is */
	const char *database, *container; /* of documents */
	int no;				  /* of opening it */
	const char *says;
} cases[] = {
	{ "/docs", "/docs", SOURCE_DOCUMENTS, .database = "", .container = "" },
	{ "/docs/", "/docs/", SOURCE_DOCUMENTS, .database = "", .container = "" },
	{ "/docs/Shop", "/docs", SOURCE_DOCUMENTS, .database = "Shop", .container = "" },
	{ "/docs/Shop//Orders/", "/docs", SOURCE_DOCUMENTS, .database = "Shop",
	  .container = "Orders" },
	{ "/docs/a%20b/c d", "/docs", SOURCE_DOCUMENTS, .database = "a%20b", .container = "c d" },
	{ "/docs/Shop/Orders/items", "/docs", SOURCE_DOCUMENTS, .no = EINVAL, .says = "more than" },
	{ "/docs/../blobs", "/docs/../blobs", SOURCE_BLOBS, .no = 0 },
	{ "/docs/../x", "/docs", SOURCE_DOCUMENTS, .no = EINVAL, .says = "a name" },
	{ "/docs/a?b", "/docs", SOURCE_DOCUMENTS, .no = EINVAL, .says = "a name" },
	{ "/docs/d/c#", "/docs", SOURCE_DOCUMENTS, .no = EINVAL, .says = "a name" },
	{ "/docs/inner", "/docs/inner", SOURCE_BLOBS, .no = 0 },
	{ "/docs/databases", "/docs", SOURCE_DOCUMENTS, .database = "databases", .container = "" },
	{ "/blobs", "/blobs", SOURCE_BLOBS, .no = 0 },
	{ "/blobs/a", "/blobs", SOURCE_BLOBS, .no = ENOENT },
	{ "/blobs/objects", "/blobs", SOURCE_BLOBS, .no = EINVAL, .says = "no directory store" },
	{ "/odd", "/odd", SOURCE_BLOBS, .no = EINVAL, .says = "neither" },
	{ "/empty", "/empty", SOURCE_BLOBS, .no = EINVAL, .says = "not JSON" },
	{ "", NULL, .no = EINVAL, .says = "no directory store" },
	{ "/x/y", NULL, .no = ENOENT },
};

static void
check_open(size_t i, const char *path)
{
	struct backend_store s = { 0 };
	struct err e = { 0 };

	if (dirsource_open(path, &s, &e) != -cases[i].no)
		fail_msg("%s: %s", path, e.text);
	if (cases[i].says != NULL && strstr(e.text, cases[i].says) == NULL)
		fail_msg("%s: %s", path, e.text);
	assert_int_equal(s.blobs != NULL, cases[i].no == 0 && cases[i].database == NULL);
	assert_int_equal(s.documents != NULL, cases[i].no == 0 && cases[i].database != NULL);
	if (s.documents != NULL) {
		assert_int_equal(s.kind, SOURCE_DOCUMENTS);
		assert_string_equal(s.documents->database, cases[i].database);
		assert_string_equal(s.documents->container, cases[i].container);
	}
	backend_store_free(&s);
}

static void
the_nearest_store_is_found_and_opened(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct dirsource found = { .n = 12345 };
		char path[400], store[200];

		(void)snprintf(path, sizeof(path), "%s%s", root, cases[i].rest);
		(void)snprintf(store, sizeof(store), "%s%s", root,
			       cases[i].store != NULL ? cases[i].store : "");
		if (dirsource_find(path, &found) != (cases[i].store != NULL))
			fail_msg("%s", path);
		if (cases[i].store != NULL) {
			assert_int_equal(found.n, strlen(store));
			assert_int_equal(found.kind, cases[i].kind);
		} else {
			assert_int_equal(found.n, 12345);
		}
		check_open(i, path);
	}
}

static void
a_name_that_is_too_long_is_refused(void **state)
{
	char path[700];
	struct backend_store s = { 0 };
	struct err e = { 0 };
	int n = snprintf(path, sizeof(path), "%s/docs/", root);

	(void)state;
	memset(path + n, 'a', 256);
	path[n + 256] = '\0';
	assert_int_equal(dirsource_open(path, &s, &e), -EINVAL);
	assert_non_null(strstr(e.text, "too long"));
	path[n + 255] = '\0';
	err_clear(&e);
	assert_int_equal(dirsource_open(path, &s, &e), 0);
	assert_int_equal(strlen(s.documents->database), 255);
	backend_store_free(&s);
}

static void
the_current_directory_may_be_the_store(void **state)
{
	struct backend_store s = { 0 };
	struct dirsource found;
	struct err e = { 0 };
	char path[200];

	(void)state;
	at_root("docs", path, sizeof(path));
	assert_int_equal(chdir(path), 0);
	assert_true(dirsource_find("Shop/Orders", &found));
	assert_int_equal(found.n, 0);
	assert_int_equal(dirsource_open("Shop/Orders", &s, &e), 0);
	assert_string_equal(s.documents->database, "Shop");
	assert_string_equal(s.documents->container, "Orders");
	backend_store_free(&s);
	assert_true(dirsource_find(".", &found));
	assert_int_equal(found.n, 1);
	assert_true(dirsource_find("inner/x", &found));
	assert_int_equal(found.n, 5);
	assert_false(dirsource_find("", &found));
	assert_false(dirsource_find("/nonexistent/x", &found));
	assert_int_equal(chdir("/"), 0);
	assert_false(dirsource_find("x/y", &found));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_store_is_found_and_opened),
		cmocka_unit_test(a_name_that_is_too_long_is_refused),
		cmocka_unit_test(the_current_directory_may_be_the_store),
	};

	return cmocka_run_group_tests(tests, make_tree, remove_tree);
}
