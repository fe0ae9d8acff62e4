/* SPDX-License-Identifier: MIT */
/* What a typed value stands for, and which names are names: fs/docspot.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fs/docworld.h"

#include "fs/docviewfile.h"
#include "fs/valuename.h"

static struct docworld js;
static struct engine *engine;

static struct view *
view_of(const char *container)
{
	static const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S };

	return docworld_view(&js, engine, &cfg, js.database, container);
}

struct finding {
	struct docview *v;
	const struct docpath *p;
	struct docspot *spot;
};

static int
find_in_box(void *arg, struct docbox *box, struct err *e)
{
	const struct finding *f = arg;

	return docspot_resolve_take(f->v, f->p, docbox_get(box), true, deadline_in(10 * NS_PER_S),
				    f->spot, e);
}

static int
find(struct view *view, const char *path, struct docspot *spot)
{
	struct err e = { 0 };
	AUTO_DOCPATH p = { 0 };
	struct finding f = { docview_of(view), &p, spot };
	int r = docpath_parse(docview_store(view), path, &p, &e);

	docspot_init(spot);
	return r < 0 ? r
		     : docview_in_box(f.v, &p, false, find_in_box, &f, deadline_in(10 * NS_PER_S),
				      &e);
}

/* The readings of a value as names: "a" =1 =1.0 ... each opened from what would be asked for. */
static void
print_readings(struct docspot *s, struct buf *out)
{
	struct err e = { 0 };

	buf_reset(out);
	for (unsigned i = 0; i < s->n_values; i++) {
		struct docvalue v;
		AUTO_BUF bytes, name;

		buf_init(&bytes, 16 << 10);
		buf_init(&name, NAMES_FILE_MAX);
		assert_int_equal(docbox_value(s->box, s->keys, s->property, buf_span(&s->value[i]),
					      &v, &bytes, &e),
				 0);
		assert_int_equal(valuename_of(&v, true, "", &name, &e), 0);
		assert_int_equal(buf_addf(out, &e, "%s%s", i > 0 ? " " : "", buf_str(&name)), 0);
	}
}

static void
a_typed_value_is_read_as_all_that_it_can_be(void **state)
{
	static const struct {
		const char *typed, *readings;
	} cases[] = {
		{ "abc", "abc" },
		{ "12", "12 =12.0 =12" },
		{ "-7", "-7 =-7.0 =-7" },
		{ "1.5", "1.5 =1.5" },
		{ "1e3", "1e3 =1000.0 =1000" },
		{ "0", "0 =0.0 =-0.0 =0" },
		{ "-0", "-0 =-0.0 =0.0 =0" },
		{ "0.0", "0.0 =0.0 =-0.0 =0" },
		{ "9007199254740993", "9007199254740993 =9007199254740993" },
		{ "9223372036854775807", "9223372036854775807 =9223372036854775807" },
		{ "-9223372036854775808",
		  "-9223372036854775808 =-9.223372036854776e+18 =-9223372036854775808" },
		{ "9223372036854775808", "9223372036854775808 =9.223372036854776e+18" },
		{ "1e400", "1e400" },
		{ "01", "01" },
		{ "true", "true =true" },
		{ "false", "false =false" },
		{ "null", "null" },
		{ "True", "True" },
		{ "=5", "=5.0 =5" },
		{ "=5.0", "=5.0 =5" },
		{ "=5.5", "=5.5" },
		{ "=true", "=true" },
		{ "=null", "=null" },
		{ "%00", "%00" },
		{ "%3D5", "%3D5" },
	};
	struct view *v = view_of("mixed-det");
	AUTO_BUF text;

	(void)state;
	buf_init(&text, 4 << 10);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char path[200];
		struct docspot spot;

		(void)snprintf(path, sizeof(path), "by/n/%s", cases[i].typed);
		if (find(v, path, &spot) != 0)
			fail_msg("%s", cases[i].typed);
		print_readings(&spot, &text);
		if (strcmp(buf_str(&text), cases[i].readings) != 0)
			fail_msg("%s: %s instead of %s", cases[i].typed, buf_str(&text),
				 cases[i].readings);
		docspot_clear(&spot);
	}
	view_free(v);
}

static void
an_id_is_a_string_only(void **state)
{
	struct view *v = view_of("id-and-pk");
	struct docspot spot;

	(void)state;
	assert_int_equal(find(v, "by/id/12", &spot), 0);
	assert_int_equal(spot.n_values, 1);
	assert_null(strpbrk(buf_str(&spot.value[0]), "+/"));
	docspot_clear(&spot);
	assert_int_equal(find(v, "by/id/=12", &spot), -ENOENT);
	assert_int_equal(find(v, "by/id/=true", &spot), -ENOENT);
	view_free(v);
}

static void
what_is_not_spelt_as_listed_is_no_name(void **state)
{
	static const char *const paths[] = {
		"by/n/=05",   "by/n/=1e3",    "by/n/=NaN",	"by/n/=-0",    "by/n/=",
		"by/n/%41",   "by/%6E/5",     "by/n%00/5",	"by/zz/5",     "items/%70%31",
		"items/=01",  "items/=1.0",   "items/=1e3",	"items/=True", "items/p1/=1.json",
		"items/p1/a", "items/p1/.js", "items/p1/.json",
	};
	struct view *v = view_of("mixed-det");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		struct docspot spot;
		const int r = find(v, paths[i], &spot);

		if (r != -ENOENT)
			fail_msg("%s: %d", paths[i], r);
	}
	view_free(v);
}

/* What opens is called by what it is: its stored text is not a second name of it. */
static void
a_sealed_value_that_opens_has_one_name(void **state)
{
	struct view *v = view_of("id-and-pk");
	json_t *d = docworld_json("cosmos-js", "documents/id-and-pk/01.stored.json");
	const char *tenant = json_string_value(json_object_get(d, "tenant")),
		   *id = json_string_value(json_object_get(d, "id"));
	const struct docvalue stored = { .kind = DOCVALUE_STORED, .text = span_str(tenant) },
			      stored_id = { .kind = DOCVALUE_STORED, .text = span_str(id) };
	struct err e = { 0 };
	char path[1024];
	struct docspot spot;
	AUTO_BUF name;

	(void)state;
	buf_init(&name, NAMES_FILE_MAX);
	assert_int_equal(valuename_of(&stored, true, "", &name, &e), 0);
	(void)snprintf(path, sizeof(path), "items/%s", buf_str(&name));
	assert_int_equal(find(v, path, &spot), -ENOENT);
	(void)snprintf(path, sizeof(path), "items/=sealed:no cell");
	assert_int_equal(find(v, path, &spot), 0);
	assert_string_equal(buf_str(&spot.key[0]), "\"no cell\"");
	docspot_clear(&spot);
	assert_int_equal(valuename_of(&stored_id, true, ".json", &name, &e), 0);
	(void)snprintf(path, sizeof(path), "items/x/%s", buf_str(&name));
	assert_int_equal(find(v, path, &spot), -ENOENT);
	json_decref(d);
	view_free(v);
}

static int
set_up(void **state)
{
	const struct engine_config cfg = { .memory = 64 << 20, .timeout_ns = 10 * NS_PER_S };
	struct err e = { 0 };

	(void)state;
	docworld_make(&js, "cosmos-js");
	return engine_new(&cfg, &engine, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	docworld_remove(&js);
	engine_free(engine);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_typed_value_is_read_as_all_that_it_can_be),
		cmocka_unit_test(an_id_is_a_string_only),
		cmocka_unit_test(what_is_not_spelt_as_listed_is_no_name),
		cmocka_unit_test(a_sealed_value_that_opens_has_one_name),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
