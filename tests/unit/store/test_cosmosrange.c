/* SPDX-License-Identifier: MIT */
/* The ranges of a container cover all of its keys, once. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/cosmosrange.h"
#include "base/buf.h"

#define R(id, min, max) \
	"{\"id\":\"" id "\",\"minInclusive\":\"" min "\",\"maxExclusive\":\"" max "\",\"x\":1}"
#define R_OF(id, min, max, parents)                                               \
	"{\"id\":\"" id "\",\"minInclusive\":\"" min "\",\"maxExclusive\":\"" max \
	"\",\"parents\":" parents "}"

enum { ITEMS_MAX = 6 };

static int
map_of(const char *const *item, struct cosmosmap **out, struct err *e)
{
	struct cosmosmap *m = NULL;
	int r = cosmosmap_new("rid", &m, e);

	for (size_t i = 0; r == 0 && i < ITEMS_MAX && item[i] != NULL; i++)
		r = cosmosmap_add(m, span_str(item[i]), e);
	if (r == 0)
		r = cosmosmap_finish(m, e);
	if (r < 0)
		cosmosmap_free(m);
	else
		*out = m;
	return r;
}

static void
test_ranges_are_sorted_and_whole(void **state)
{
	static const struct {
		const char *item[ITEMS_MAX];
		const char *wanted; /* NULL: refused */
	} rows[] = {
		{ { R("0", "", "FF") }, "0:-FF " },
		{ { R("2", "3F", "FF"), R("1", "", "3F") }, "1:-3F 2:3F-FF " },
		/* A range beside those that it was split into. */
		{ { R("0", "", "FF"), R_OF("1", "", "3F", "[\"0\"]"),
		    R_OF("2", "3F", "FF", "[\"0\"]") },
		  "1:-3F 2:3F-FF " },
		/* Two that have become one, and one of another time. */
		{ { R("1", "", "3F"), R("2", "3F", "FF"),
		    R_OF("3", "", "FF", "[\"1\",\"2\",\"0\"]") },
		  "3:-FF " },
		{ { R_OF("0", "", "FF", "[]") }, "0:-FF " },
		{ { R_OF("0", "", "FF", "null") }, "0:-FF " },
		{ { NULL }, NULL },
		{ { R("1", "", "3F") }, NULL },
		{ { R("1", "3F", "FF") }, NULL },
		{ { R("1", "", "3E"), R("2", "3F", "FF") }, NULL },
		{ { R("1", "", "40"), R("2", "3F", "FF") }, NULL },
		{ { R("0", "", "FF"), R("0", "", "FF") }, NULL },
		{ { R("0", "", "FF0") }, NULL },
		{ { R("0", "FF", "") }, NULL },
		{ { R("0", "", "") }, NULL },
		{ { R("", "", "FF") }, NULL },
		{ { R("0\\r\\nx", "", "FF") }, NULL },
		{ { R("0", "", "ff") }, NULL },
		{ { R("0", " ", "FF") }, NULL },
		{ { R_OF("0", "", "FF", "{}") }, NULL },
		{ { R_OF("0", "", "FF", "[1]") }, NULL },
		{ { "{\"id\":0,\"minInclusive\":\"\",\"maxExclusive\":\"FF\"}" }, NULL },
		{ { "{\"id\":\"0\",\"maxExclusive\":\"FF\"}" }, NULL },
		{ { "{\"id\":\"0\",\"id\":\"0\",\"minInclusive\":\"\",\"maxExclusive\":\"FF\"}" },
		  NULL },
		{ { "[]" }, NULL },
		{ { "{" }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cosmosmap *m = NULL;
		struct err e = { 0 };
		AUTO_BUF text;
		int r = map_of(rows[i].item, &m, &e);

		assert_int_equal(r, rows[i].wanted != NULL ? 0 : -EIO);
		if (r < 0) {
			assert_string_equal(e.event, "net.protocol");
			continue;
		}
		buf_init(&text, 1 << 10);
		for (size_t k = 0; k < m->n; k++)
			assert_int_equal(buf_addf(&text, &e, "%s:%s-%s ", m->range[k].id,
						  m->range[k].min, m->range[k].max),
					 0);
		assert_string_equal(buf_str(&text), rows[i].wanted);
		cosmosmap_free(m);
	}
}

static void
test_a_key_is_in_one_range(void **state)
{
	static const char *const item[ITEMS_MAX] = { R("a", "", "1F"), R("b", "1F", "1F8"),
						     R("c", "1F8", "3F"), R("d", "3F", "FF") };
	static const struct {
		const char *key, *wanted;
	} rows[] = { { "", "a" },     { "00", "a" },   { "1EFFFF", "a" }, { "1F", "b" },
		     { "1F00", "b" }, { "1F7F", "b" }, { "1F8", "c" },	  { "3EFF", "c" },
		     { "3F", "d" },   { "FEFF", "d" } };
	struct cosmosmap *m = NULL;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(map_of(item, &m, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(cosmosmap_find(m, rows[i].key)->id, rows[i].wanted);
	cosmosmap_free(m);
	cosmosmap_free(NULL);
}

static void
test_the_number_of_ranges_is_bounded(void **state)
{
	struct err e = { 0 }, none = { 0 };
	struct cosmosmap *m = NULL;
	AUTO_BUF parents;

	(void)state;
	buf_init(&parents, 4 << 20);
	assert_int_equal(cosmosmap_new("", &m, &e), 0);
	for (unsigned i = 0; i < COSMOSRANGE_MAX; i++)
		assert_int_equal(cosmosmap_add(m, span_str(R_OF("0", "", "FF", "[\"9\"]")), &e), 0);
	assert_int_equal(cosmosmap_add(m, span_str(R("0", "", "FF")), &e), -EIO);
	cosmosmap_free(m);
	assert_int_equal(buf_add_str(&parents,
				     "{\"id\":\"1\",\"minInclusive\":\"\","
				     "\"maxExclusive\":\"FF\",\"parents\":[\"0\"",
				     &none),
			 0);
	for (unsigned i = 0; i < COSMOSRANGE_GONE_MAX; i++)
		assert_int_equal(buf_add_str(&parents, ",\"0\"", &none), 0);
	assert_int_equal(buf_add_str(&parents, "]}", &none), 0);
	assert_int_equal(cosmosmap_new("", &m, &none), 0);
	assert_int_equal(cosmosmap_add(m, buf_span(&parents), &none), -EIO);
	cosmosmap_free(m);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_are_sorted_and_whole),
		cmocka_unit_test(test_a_key_is_in_one_range),
		cmocka_unit_test(test_the_number_of_ranges_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
