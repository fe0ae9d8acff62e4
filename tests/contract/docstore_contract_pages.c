/* SPDX-License-Identifier: MIT */
/* The contract of document stores as tests: pages and what they select. */
#include "tests/contract/docstore_contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/contract/docstore_held.h"

#define ABSENT "{}"

static const unsigned page_sizes[] = { 1, 2, 7, 0 };

static void
assert_selected(struct docstore *s, const struct docstore_at *at, struct docstore_select sel,
		struct docstore_seen *wanted, const char *what)
{
	for (unsigned i = 0; i < ARRAY_LEN(page_sizes); i++) {
		struct docstore_seen found = { .n = 0 };

		sel.max_items = page_sizes[i];
		docstore_seen_pages(s, at, &sel, &found);
		docstore_seen_same(&found, wanted, what);
		docstore_seen_clear(&found);
	}
}

/* ---- pages */

void
docstore_contract_pages(const struct docstore_fixture *f)
{
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	struct docstore_seen wanted = { .n = 0 }, none = { .n = 0 };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	struct docstore_place place;

	docstore_place_of(f, s, "flat", &place);
	docstore_held_want(&held, NULL, &wanted);
	assert_selected(s, &place.at, all, &wanted, "all documents");
	docstore_place_clear(&place);
	f->make(f->arg, "empty", BY_PK);
	docstore_place_of(f, s, "empty", &place);
	assert_selected(s, &place.at, all, &none, "an empty container");
	docstore_place_clear(&place);
	docstore_seen_clear(&wanted);
	docstore_held_clear(&held);
	docstore_free(s);
}

static void
assert_partitions(const struct docstore_fixture *f, struct docstore *s, const char *container,
		  const struct docstore_held *held)
{
	struct docstore_select sel = { .what = DOCSTORE_PARTITIONS };
	struct docstore_seen wanted = { .n = 0 };
	struct docstore_place place;

	docstore_place_of(f, s, container, &place);
	for (unsigned i = 0; i < held->n; i++)
		docstore_seen_add(&wanted, held->document[i]->partition);
	assert_selected(s, &place.at, sel, &wanted, "partitions");
	docstore_seen_clear(&wanted);
	sel.what = DOCSTORE_DOCUMENTS;
	for (unsigned i = 0; i < held->n; i++) {
		sel.partition = held->document[i]->partition;
		docstore_held_want(held, sel.partition, &wanted);
		assert_selected(s, &place.at, sel, &wanted, sel.partition);
		docstore_seen_clear(&wanted);
	}
	sel.partition = held->document[0]->partition[1] == '"' &&
					held->document[0]->partition[2] == 'a'
				? "[\"nobody\"]"
				: "[\"x\",3,\"u\"]";
	assert_selected(s, &place.at, sel, &wanted, "a partition without documents");
	docstore_place_clear(&place);
}

void
docstore_contract_partitions(const struct docstore_fixture *f)
{
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);

	assert_partitions(f, s, "flat", &held);
	docstore_held_clear(&held);
	docstore_free(s);
}

void
docstore_contract_hierarchical(const struct docstore_fixture *f)
{
	struct docstore_held held = docstore_held_nested(f);
	struct docstore *s = f->open(f->arg);
	struct docstore_place place;

	assert_partitions(f, s, "nested", &held);
	docstore_place_of(f, s, "nested", &place);
	for (unsigned i = 0; i < held.n; i++)
		docstore_held_got(s, &place.at, held.document[i], NULL, held.text[i]);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}

/* ---- equality */

static const struct {
	const char *what;
	const char *token[3], *value[3];
	const char *token2[3], *value2[3]; /* a second condition */
	const char *selected;		   /* of partition ["a"] unless it says "all:" */
} equalities[] = {
	{ "a string", { "x" }, { "\"one\"" }, { NULL }, { NULL }, "1 3 " },
	{ "an escaped string", { "x" }, { "\"\\u006f\\u006Ee\"" }, { NULL }, { NULL }, "1 3 " },
	{ "a string outside ASCII",
	  { "x" },
	  { "\"" E_AND_DAY "\"" },
	  { NULL },
	  { NULL },
	  E_AND_DAY " " },
	{ "quotes",
	  { "x" },
	  { "\"a \\\"quote\\\" and \\\\\"" },
	  { NULL },
	  { NULL },
	  "\"quoted\" " },
	{ "a string like a number", { "x" }, { "\"1\"" }, { NULL }, { NULL }, "blank and 100% " },
	{ "the number instead", { "x" }, { "1" }, { NULL }, { NULL }, "" },
	{ "a number", { "n" }, { "1" }, { NULL }, { NULL }, "1 3 " },
	{ "a number written otherwise", { "n" }, { "1.0" }, { NULL }, { NULL }, "1 3 " },
	{ "a fraction", { "n" }, { "-0.0005" }, { NULL }, { NULL }, "blank and 100% " },
	{ "a large number", { "n" }, { "9007199254740991" }, { NULL }, { NULL }, E_AND_DAY " " },
	{ "true", { "b" }, { "true" }, { NULL }, { NULL }, "1 " },
	{ "false", { "b" }, { "false" }, { NULL }, { NULL }, "2 " },
	{ "null", { "z" }, { "null" }, { NULL }, { NULL }, "1 " },
	{ "absent and something else", { "b" }, { ABSENT }, { "n" }, { "1.0" }, "3 " },
	{ "several values",
	  { "x" },
	  { "\"two\"", "\"none\"", "\"1\"" },
	  { NULL },
	  { NULL },
	  "2 blank and 100% " },
	{ "values of several types",
	  { "b" },
	  { "true", ABSENT, "null" },
	  { "x" },
	  { "\"one\"" },
	  "1 3 " },
	{ "below", { "deep", "a b", "c" }, { "2" }, { NULL }, { NULL }, "3 " },
	{ "below, several", { "deep", "a b", "c" }, { "1", "2" }, { NULL }, { NULL }, "2 3 " },
	{ "two conditions", { "x" }, { "\"one\"" }, { "b" }, { "true" }, "1 " },
	{ "two that exclude each other", { "n" }, { "1" }, { "b" }, { "false" }, "" },
	{ "an object equals nothing", { "deep" }, { "null", "1" }, { NULL }, { NULL }, "" },
	{ "no such value", { "x" }, { "\"nothing\"" }, { NULL }, { NULL }, "" },
	{ "the id", { "id" }, { "\"2\"" }, { NULL }, { NULL }, "2 " },
};

static size_t
count(const char *const list[3])
{
	size_t n = 0;

	while (n < 3 && list[n] != NULL)
		n++;
	return n;
}

static void
assert_equality(struct docstore *s, const struct docstore_at *at, const struct docstore_held *held,
		size_t row)
{
	const struct docstore_equal equal[] = {
		{ equalities[row].token, count(equalities[row].token), equalities[row].value,
		  count(equalities[row].value) },
		{ equalities[row].token2, count(equalities[row].token2), equalities[row].value2,
		  count(equalities[row].value2) },
	};
	const struct docstore_select sel = { .partition = "[\"a\"]",
					     .equal = equal,
					     .n_equal = equal[1].n_tokens > 0 ? 2 : 1 };
	struct docstore_seen wanted = { .n = 0 };
	char id[1100];

	for (unsigned i = 0; i < held->n; i++) {
		const struct contract_document *d = held->document[i];
		const char *found;

		(void)snprintf(id, sizeof(id), "%s ", d->id);
		found = strstr(equalities[row].selected, id);
		if (strcmp(d->partition, "[\"a\"]") == 0 && found != NULL &&
		    (found == equalities[row].selected || found[-1] == ' '))
			docstore_seen_add(&wanted, held->text[i]);
	}
	assert_selected(s, at, sel, &wanted, equalities[row].what);
	docstore_seen_clear(&wanted);
}

void
docstore_contract_equality(const struct docstore_fixture *f)
{
	static const char *const n[] = { "n" }, *const one[] = { "1" };
	const struct docstore_equal equal = { n, 1, one, 1 };
	const struct docstore_select everywhere = { .equal = &equal, .n_equal = 1 };
	struct docstore_seen wanted = { .n = 0 };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	struct docstore_place place;

	docstore_place_of(f, s, "flat", &place);
	for (size_t row = 0; row < ARRAY_LEN(equalities); row++)
		assert_equality(s, &place.at, &held, row);
	for (unsigned i = 0; i < held.n; i++)
		if (strstr(held.document[i]->members, "\"n\":1,") != NULL ||
		    strstr(held.document[i]->members, "\"n\":1.0") != NULL ||
		    strcmp(held.document[i]->members, "\"q\":2,\"n\":1") == 0)
			docstore_seen_add(&wanted, held.text[i]);
	assert_int_equal(wanted.n, 3);
	assert_selected(s, &place.at, everywhere, &wanted, "in all partitions");
	docstore_seen_clear(&wanted);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}

/* ---- bounds */

/* What lies on both sides of a bound is all, and nothing lies on both. */
static void
assert_cut(struct docstore *s, const struct docstore_at *at, const char *bound,
	   enum docstore_what what, struct docstore_seen *wanted)
{
	struct docstore_select low = { .what = what, .min = "", .max = bound, .max_items = 3 },
			       high = { .what = what, .min = bound, .max = "FF" };
	struct docstore_seen found = { .n = 0 };

	docstore_seen_pages(s, at, &low, &found);
	docstore_seen_pages(s, at, &high, &found);
	docstore_seen_same(&found, wanted, bound);
	docstore_seen_clear(&found);
}

void
docstore_contract_bounds(const struct docstore_fixture *f)
{
	static const char *const bounds[] = { "05",	  "10", "1FFFFFFFFFFFFFFF",
					      "2AAAAAAA", "3F", "30000000000000000000000000000000",
					      "3FFFFFFF" };
	struct docstore_seen documents = { .n = 0 }, partitions = { .n = 0 }, by_range = { .n = 0 },
			     ranges = { .n = 0 };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	struct err e = { 0 };
	struct docstore_place place;

	docstore_place_of(f, s, "flat", &place);
	docstore_held_want(&held, NULL, &documents);
	for (unsigned i = 0; i < held.n; i++)
		docstore_seen_add(&partitions, held.document[i]->partition);
	for (unsigned i = 0; i < ARRAY_LEN(bounds); i++) {
		assert_cut(s, &place.at, bounds[i], DOCSTORE_DOCUMENTS, &documents);
		assert_cut(s, &place.at, bounds[i], DOCSTORE_PARTITIONS, &partitions);
	}
	assert_int_equal(
		docstore_ranges(s, &place.at, docstore_seen_ranges(&ranges), docstore_soon(), &e),
		0);
	for (unsigned i = 0; i < ranges.n; i++) {
		char *max = strchr(ranges.text[i], '-');
		const struct docstore_select sel = { .min = ranges.text[i], .max = max + 1 };

		*max = '\0';
		docstore_seen_pages(s, &place.at, &sel, &by_range);
	}
	docstore_seen_same(&by_range, &documents, "range by range");
	docstore_seen_clear(&ranges);
	docstore_seen_clear(&by_range);
	docstore_seen_clear(&partitions);
	docstore_seen_clear(&documents);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}
