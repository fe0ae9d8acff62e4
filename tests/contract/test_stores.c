/* SPDX-License-Identifier: MIT */
/*
 * One suite over every store: a local directory, the same behind the fault
 * decorator without rules, and Azure Blob as an Azurite serves it.  The last
 * needs AZC_AZURITE_URL (http://127.0.0.1:PORT/ACCOUNT) and the account's key
 * in AZC_AZURITE_KEY (by default that of devstoreaccount1), and is skipped loudly without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/store/fault.h"
#include "tests/contract/azurite_fixture.h"
#include "tests/contract/dir_fixture.h"
#include "tests/contract/store_contract_write.h"

static struct dir_fixture directory;
static struct azurite_fixture azurite;

static struct store *
open_behind_fault(void *arg, const char *prefix)
{
	struct store *inner = dir_fixture_of(arg).open(arg, prefix), *out = NULL;
	struct err e = { 0 };

	if (fault_store_new_take(inner, "", &out, &e) < 0)
		fail_msg("%s", e.text);
	return out;
}

static const struct contract_fixture *
fixture_of(const char *kind)
{
	static struct contract_fixture f;

	if (strcmp(kind, "azblob") == 0) {
		f = azurite_fixture_of(&azurite);
		return &f;
	}
	f = dir_fixture_of(&directory);
	if (strcmp(kind, "fault") == 0)
		f.open = open_behind_fault;
	return &f;
}

static int
set_up_azurite(void **state)
{
	(void)state;
	return azurite_fixture_init(&azurite) ? 0 : -1;
}

static int
tear_down_azurite(void **state)
{
	(void)state;
	azurite_fixture_clear(&azurite);
	return 0;
}

static int
set_up_directory(void **state)
{
	(void)state;
	dir_fixture_init(&directory);
	return 0;
}

static int
tear_down_directory(void **state)
{
	(void)state;
	dir_fixture_clear(&directory);
	return 0;
}

#define RUN(part)                                          \
	static void test_##part(void **state)              \
	{                                                  \
		store_contract_##part(fixture_of(*state)); \
	}
RUN(empty)
RUN(listing)
RUN(paging)
RUN(probe)
RUN(attributes)
RUN(bytes)
RUN(versions)
RUN(sink_errors)
RUN(prefix)
RUN(write_sizes)
RUN(write_conditions)
RUN(write_properties)
RUN(write_limits)
RUN(write_blocks)
RUN(write_uploads)
RUN(write_metadata)
RUN(write_copy)
RUN(write_delete)
RUN(write_folders)
RUN(write_names)
RUN(write_readers)
RUN(write_race)

#define SUITE(kind)                                                                                \
	{                                                                                          \
		{ kind ": an empty store holds nothing", test_empty, NULL, NULL, kind },           \
			{ kind ": listings are sorted and folded", test_listing, NULL, NULL,       \
			  kind },                                                                  \
			{ kind ": pages make up the listing", test_paging, NULL, NULL, kind },     \
			{ kind ": a probe finds object and prefix", test_probe, NULL, NULL,        \
			  kind },                                                                  \
			{ kind ": listing and head tell the same", test_attributes, NULL, NULL,    \
			  kind },                                                                  \
			{ kind ": ranges at all edges", test_bytes, NULL, NULL, kind },            \
			{ kind ": conditions pin a version", test_versions, NULL, NULL, kind },    \
			{ kind ": a sink's error ends the call", test_sink_errors, NULL, NULL,     \
			  kind },                                                                  \
			{ kind ": a prefix is added and removed", test_prefix, NULL, NULL, kind }, \
			{ kind ": whole objects of all sizes", test_write_sizes, NULL, NULL,       \
			  kind },                                                                  \
			{ kind ": a write has a condition", test_write_conditions, NULL, NULL,     \
			  kind },                                                                  \
			{ kind ": properties and metadata survive", test_write_properties, NULL,   \
			  NULL, kind },                                                            \
			{ kind ": metadata have limits", test_write_limits, NULL, NULL, kind },    \
			{ kind ": blocks in any order from four threads", test_write_blocks, NULL, \
			  NULL, kind },                                                            \
			{ kind ": uploads do not mix", test_write_uploads, NULL, NULL, kind },     \
			{ kind ": metadata are replaced alone", test_write_metadata, NULL, NULL,   \
			  kind },                                                                  \
			{ kind ": a copy is of one version", test_write_copy, NULL, NULL, kind },  \
			{ kind ": a version is deleted once", test_write_delete, NULL, NULL,       \
			  kind },                                                                  \
			{ kind ": folders are made and removed", test_write_folders, NULL, NULL,   \
			  kind },                                                                  \
			{ kind ": odd names are written", test_write_names, NULL, NULL, kind },    \
			{ kind ": readers see old or new", test_write_readers, NULL, NULL, kind }, \
			{ kind ": one of eight writers wins", test_write_race, NULL, NULL, kind }, \
	}

int
main(void)
{
	const struct CMUnitTest dir_suite[] = SUITE("dir"), fault_suite[] = SUITE("fault"),
				azblob_suite[] = SUITE("azblob");
	int failed;

	failed = cmocka_run_group_tests_name("dir", dir_suite, set_up_directory,
					     tear_down_directory);
	failed += cmocka_run_group_tests_name("fault", fault_suite, set_up_directory,
					      tear_down_directory);
	if (getenv("AZC_AZURITE_URL") == NULL) {
		(void)printf("[  SKIPPED  ] azblob: AZC_AZURITE_URL is not set, the driver has NOT "
			     "been run against a server\n");
		return failed;
	}
	return failed + cmocka_run_group_tests_name("azblob", azblob_suite, set_up_azurite,
						    tear_down_azurite);
}
