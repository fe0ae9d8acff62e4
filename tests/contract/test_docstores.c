/* SPDX-License-Identifier: MIT */
/*
 * One suite over every document store: a local directory, the same behind the pacing decorator, and
 * Cosmos DB as a gateway serves it (cosmos_fixture.h).  Beside it AZC_DOCDIRS, directories that
 * something else has written.  What the environment does not name is skipped loudly.
 * AZC_DOCSTORES: only the tests of that pattern, such as "cosmos: *".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/contract/cosmos_fixture.h"
#include "tests/contract/docdir_exports.h"
#include "tests/contract/docdir_fixture.h"

static struct docdir_fixture directory;
static struct cosmos_fixture cosmos;

/* AZC_DOCDIRS: directories that something else has written, and ':' between them; ROOT.copy becomes
 * the copy of each. */
static void
test_exports(void **state)
{
	char *roots = strdup(getenv("AZC_DOCDIRS")), *at = roots, *root, *copy;

	(void)state;
	while ((root = strsep(&at, ":")) != NULL) {
		assert_true(asprintf(&copy, "%s.copy", root) > 0);
		docdir_exports_check(root, copy);
		free(copy);
	}
	free(roots);
}

static struct docstore *
open_paced(void *arg)
{
	struct docstore *inner = docdir_fixture_of(arg).open(arg), *out = NULL;
	struct err e = { 0 };

	if (docpace_new_take(inner, 1000, &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static const struct docstore_fixture *
fixture_of(const char *kind)
{
	static struct docstore_fixture f;

	if (strcmp(kind, "cosmos") == 0) {
		f = cosmos_fixture_of(&cosmos);
		return &f;
	}
	f = docdir_fixture_of(&directory);
	if (strcmp(kind, "paced") == 0)
		f.open = open_paced;
	return &f;
}

static int
set_up_cosmos(void **state)
{
	(void)state;
	return cosmos_fixture_init(&cosmos) ? 0 : -1;
}

static int
tear_down_cosmos(void **state)
{
	(void)state;
	cosmos_fixture_clear(&cosmos);
	return 0;
}

static int
set_up_directory(void **state)
{
	(void)state;
	docdir_fixture_init(&directory);
	return 0;
}

static int
tear_down_directory(void **state)
{
	(void)state;
	docdir_fixture_clear(&directory);
	return 0;
}

#define RUN(part)                                             \
	static void test_##part(void **state)                 \
	{                                                     \
		docstore_contract_##part(fixture_of(*state)); \
	}
RUN(names)
RUN(container)
RUN(keys)
RUN(pages)
RUN(partitions)
RUN(hierarchical)
RUN(equality)
RUN(bounds)
RUN(get)
RUN(recreated)
RUN(changes)
RUN(refusals)
RUN(threads)
RUN(create)
RUN(create_sealed)
RUN(replace)
RUN(delete)
RUN(put_refusals)
RUN(put_recreated)
RUN(put_races)
RUN(put_readers)
RUN(put_changes)

#define CASE(kind, what, part)                                \
	{                                                     \
		kind ": " what, test_##part, NULL, NULL, kind \
	}
#define SUITE(kind)                                                                     \
	{                                                                               \
		CASE(kind, "names of databases and containers", names),                 \
			CASE(kind, "containers and their ranges", container),           \
			CASE(kind, "keys and their versions", keys),                    \
			CASE(kind, "pages make up the container", pages),               \
			CASE(kind, "one partition, and the partitions", partitions),    \
			CASE(kind, "partitions of several levels", hierarchical),       \
			CASE(kind, "equality of members", equality),                    \
			CASE(kind, "bounds cut the container in two", bounds),          \
			CASE(kind, "one document and its versions", get),               \
			CASE(kind, "a container made anew is another one", recreated),  \
			CASE(kind, "changes, and where to go on", changes),             \
			CASE(kind, "cursors, sinks and deadlines that fail", refusals), \
			CASE(kind, "many threads", threads),                            \
			CASE(kind, "documents are created", create),                    \
			CASE(kind, "documents with sealed ids", create_sealed),         \
			CASE(kind, "documents are replaced", replace),                  \
			CASE(kind, "documents are deleted", delete),                    \
			CASE(kind, "puts that are refused", put_refusals),              \
			CASE(kind, "puts to a container made anew", put_recreated),     \
			CASE(kind, "of many writers one wins", put_races),              \
			CASE(kind, "readers see old or new", put_readers),              \
			CASE(kind, "changes show what was put", put_changes),           \
	}

int
main(void)
{
	const struct CMUnitTest exports[] = { cmocka_unit_test(test_exports) };
	const struct CMUnitTest dir_suite[] = SUITE("dir"), paced_suite[] = SUITE("paced"),
				cosmos_suite[] = SUITE("cosmos");
	int failed;

	if (getenv("AZC_DOCSTORES") != NULL)
		cmocka_set_test_filter(getenv("AZC_DOCSTORES"));
	failed = cmocka_run_group_tests_name("dir", dir_suite, set_up_directory,
					     tear_down_directory);
	failed += cmocka_run_group_tests_name("paced", paced_suite, set_up_directory,
					      tear_down_directory);
	if (getenv("AZC_DOCDIRS") == NULL)
		(void)printf("[  SKIPPED  ] exports: AZC_DOCDIRS is not set\n");
	else
		failed += cmocka_run_group_tests_name("exports", exports, NULL, NULL);
	if (getenv("AZC_COSMOS_URL") == NULL) {
		(void)printf("[  SKIPPED  ] cosmos: AZC_COSMOS_URL is not set, the driver has NOT "
			     "been run against a gateway\n");
		return failed;
	}
	return failed +
	       cmocka_run_group_tests_name("cosmos", cosmos_suite, set_up_cosmos, tear_down_cosmos);
}
