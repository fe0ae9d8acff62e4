/* SPDX-License-Identifier: MIT */
/* The document view over a dir: store of what the official clients stored: fs/docview.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/fs/docworld.h"

static struct docworld js;
static struct engine *engine;

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

static struct deadline
soon(void)
{
	return deadline_in(10 * NS_PER_S);
}

/* ---- what a directory lists ---- */

struct listed {
	struct {
		char name[300], etag[200];
		bool dir, exact;
		uint64_t size;
		struct view_record *record;
	} item[64];
	unsigned n;
};

static int
note(void *arg, const struct view_item *item, struct err *e)
{
	struct listed *l = arg;

	(void)e;
	assert_true(l->n < ARRAY_LEN(l->item));
	(void)snprintf(l->item[l->n].name, sizeof(l->item[0].name), "%s", item->name);
	(void)snprintf(l->item[l->n].etag, sizeof(l->item[0].etag), "%s", item->etag);
	l->item[l->n].dir = item->dir;
	l->item[l->n].exact = item->exact;
	l->item[l->n].size = item->size;
	l->item[l->n].record = view_record_get(item->record);
	l->n++;
	return 0;
}

static void
listed_clear(struct listed *l)
{
	for (unsigned i = 0; i < l->n; i++)
		view_record_put(l->item[i].record);
	l->n = 0;
}

static int
list(struct view *v, const char *dir, struct listed *l, struct err *e)
{
	AUTO_BUF cursor;
	int r;

	*l = (struct listed){ .n = 0 };
	buf_init(&cursor, VIEW_CURSOR_MAX);
	do {
		r = view_list(v, dir, &cursor, (struct view_sink){ note, l }, soon(), e);
	} while (r == 0 && cursor.n > 0);
	return r;
}

static bool
has(const struct listed *l, const char *name)
{
	for (unsigned i = 0; i < l->n; i++)
		if (strcmp(l->item[i].name, name) == 0)
			return true;
	return false;
}

static void
assert_listed(struct view *v, const char *dir, unsigned n, const char *const *names)
{
	struct listed l;
	struct err e = { 0 };

	if (list(v, dir, &l, &e) != 0)
		fail_msg("%s: %s", dir, e.text);
	for (unsigned i = 0; i < n; i++)
		if (!has(&l, names[i]))
			fail_msg("%s does not list %s", dir, names[i]);
	assert_int_equal(l.n, n);
	listed_clear(&l);
}

/* ---- what a file holds ---- */

static int
read_all(struct view *v, const char *path, struct buf *out, struct err *e)
{
	static uint8_t room[VIEW_READ_MAX];
	struct view_file *f = NULL;
	struct listed now = { .n = 0 };
	size_t n = 0;
	int r = view_open(v, path, NULL, NULL, (struct view_sink){ note, &now }, soon(), &f, e);

	listed_clear(&now);
	while (r == 0) {
		r = view_read_wait(f, out->n, room, sizeof(room), soon(), &n, e);
		if (r < 0 || n == 0)
			break;
		assert_int_equal(buf_add(out, room, n, e), 0);
	}
	view_close(f);
	return r;
}

static void
assert_reads(struct view *v, const char *path, const char *needle)
{
	struct err e = { 0 };
	AUTO_BUF text;

	buf_init(&text, 16 << 20);
	if (read_all(v, path, &text, &e) != 0)
		fail_msg("%s: %s", path, e.text);
	if (strstr(buf_str(&text), needle) == NULL)
		fail_msg("%s has no %s: %s", path, needle, buf_str(&text));
	assert_true(text.n > 0 && text.p[text.n - 1] == '\n');
}

static int
failure_of(struct view *v, const char *path)
{
	struct err e = { 0 };
	AUTO_BUF text;

	buf_init(&text, 16 << 20);
	return read_all(v, path, &text, &e);
}

static int
lookup(struct view *v, const char *path, struct listed *l)
{
	struct err e = { 0 };

	*l = (struct listed){ .n = 0 };
	return view_lookup(v, path, (struct view_sink){ note, l }, soon(), &e);
}

/* ---- tests ---- */

static void
an_account_a_database_and_a_container_are_directories(void **state)
{
	static const char *const inside[] = { "items",	   "by",	 "parts",
					      "all.jsonl", ".keys.json", ".policy.json" };
	const struct docview_config cfg = { .box.show_unencrypted = true };
	struct view *v = docworld_view(&js, engine, &cfg, "", "");
	const char *const databases[] = { js.database };
	char path[160];

	(void)state;
	assert_listed(v, "", 1, databases);
	(void)snprintf(path, sizeof(path), "%s/mixed-det", js.database);
	assert_listed(v, path, ARRAY_LEN(inside), inside);
	view_free(v);
	v = docworld_view(&js, engine, &cfg, js.database, "");
	assert_listed(v, "mixed-det", ARRAY_LEN(inside), inside);
	view_free(v);
	v = docworld_view(&js, engine, &cfg, js.database, "mixed-det");
	assert_listed(v, "", ARRAY_LEN(inside), inside);
	view_free(v);
}

static void
documents_lie_under_their_keys_and_have_exact_sizes(void **state)
{
	static const char *const keys[] = { "p1", "p2" };
	const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-det");
	struct listed l;
	struct err e = { 0 };

	(void)state;
	assert_listed(v, "items", 2, keys);
	assert_int_equal(list(v, "items/p1", &l, &e), 0);
	assert_true(l.n > 0);
	for (unsigned i = 0; i < l.n; i++) {
		char path[400];
		AUTO_BUF text;

		buf_init(&text, 16 << 20);
		(void)snprintf(path, sizeof(path), "items/p1/%s", l.item[i].name);
		assert_int_equal(read_all(v, path, &text, &e), 0);
		assert_int_equal(text.n, l.item[i].size);
		assert_true(l.item[i].exact);
	}
	listed_clear(&l);
	view_free(v);
}

static void
names_that_are_not_there_are_enoent(void **state)
{
	static const char *const paths[] = {
		"nothing",
		"items/nothing",
		"items/p1/nothing.json",
		"items/p1/str-1",
		"items/p1/a/b",
		"parts/x.jsonl",
		"parts/FF-00.jsonl",
		"by/nothing",
		"by/s/no value",
		"by/pk",
		"items/=1",
		"all.jsonl/x",
	};
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-det");
	struct listed l;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++)
		if (lookup(v, paths[i], &l) != -ENOENT)
			fail_msg("%s is there", paths[i]);
	view_free(v);
}

static void
sealed_ids_and_keys_are_shown_plain(void **state)
{
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "id-and-pk");
	struct listed keys, l;
	struct err e = { 0 };
	unsigned documents = 0;

	(void)state;
	assert_int_equal(list(v, "items", &keys, &e), 0);
	for (unsigned i = 0; i < keys.n; i++) {
		char path[400];

		(void)snprintf(path, sizeof(path), "items/%s", keys.item[i].name);
		assert_int_equal(list(v, path, &l, &e), 0);
		documents += l.n;
		for (unsigned k = 0; k < l.n; k++) {
			char file[800];

			assert_null(strstr(l.item[k].name, "=sealed"));
			(void)snprintf(file, sizeof(file), "%s/%s", path, l.item[k].name);
			assert_reads(v, file, "\"ssn\"");
		}
		listed_clear(&l);
	}
	listed_clear(&keys);
	assert_int_equal(documents, 3);
	view_free(v);
}

static void
hierarchical_keys_nest(void **state)
{
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "hierarchical");
	struct listed l[4];
	struct err e = { 0 };
	char path[1200] = "items";

	(void)state;
	for (unsigned level = 0; level < 4; level++) {
		assert_int_equal(list(v, path, &l[level], &e), 0);
		assert_true(l[level].n > 0);
		assert_int_equal(l[level].item[0].dir, level < 3);
		(void)strncat(path, "/", sizeof(path) - strlen(path) - 1); /* bounded above */
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "%.250s",
			       l[level].item[0].name);
		listed_clear(&l[level]);
	}
	assert_reads(v, path, "\"id\"");
	view_free(v);
}

static void
a_stream_has_every_document(void **state)
{
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-rand");
	struct err e = { 0 };
	unsigned lines = 0;
	AUTO_BUF text;

	(void)state;
	buf_init(&text, 16 << 20);
	assert_int_equal(read_all(v, "all.jsonl", &text, &e), 0);
	for (size_t i = 0; i < text.n; i++)
		lines += text.p[i] == '\n';
	assert_int_equal(lines, 4);
	assert_reads(v, "parts/0-FF.jsonl", "str-1");
	view_free(v);
}

static void
by_finds_what_a_sealed_property_equals(void **state)
{
	static const char *const keys[] = { "p1" };
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-det");
	json_t *d = docworld_json("cosmos-js", "documents/strings-det/01.decrypted.json");
	const char *value = json_string_value(json_object_get(d, "s"));
	char path[400];
	struct listed l;
	struct err e = { 0 };

	(void)state;
	(void)snprintf(path, sizeof(path), "by/s/%s", value);
	assert_listed(v, path, 1, keys);
	(void)snprintf(path, sizeof(path), "by/s/%s/p1/str-1.json", value);
	assert_reads(v, path, "\"str-1\"");
	(void)snprintf(path, sizeof(path), "by/s/%s/p1/str-2.json", value);
	assert_int_equal(failure_of(v, path), -ENOENT);
	(void)snprintf(path, sizeof(path), "by/s/%s/p2", value);
	assert_int_equal(lookup(v, path, &l), -ENOENT);
	assert_int_equal(list(v, "by/s", &l, &e), -EOPNOTSUPP);
	json_decref(d);
	view_free(v);
}

static void
by_tries_what_a_number_reads_as(void **state)
{
	static const char *const found[] = {
		"by/j/42/p1/num-1.json",
		"by/j/42.0/p1/num-1.json",
		"by/j/=42/p1/num-1.json",
		"by/i/-42/p1/num-2.json",
		"by/j/9007199254740991/p1/num-2.json",
		"by/f/0.1/p1/num-2.json",
	};
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "numbers-det");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(found); i++)
		assert_reads(v, found[i], "\"num-");
	assert_int_equal(failure_of(v, "by/j/0/p1/num-1.json"), -ENOENT);
	view_free(v);
}

static void
a_container_without_policy_is_refused_unless_asked_for(void **state)
{
	struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "no-policy");
	struct listed l;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(list(v, "", &l, &e), -EACCES);
	assert_string_equal(e.event, "policy.unencrypted");
	view_free(v);
	cfg.box.show_unencrypted = true;
	v = docworld_view(&js, engine, &cfg, js.database, "no-policy");
	err_clear(&e);
	assert_int_equal(list(v, "items", &l, &e), 0);
	assert_true(l.n > 0);
	listed_clear(&l);
	view_free(v);
}

static void
the_small_files_tell_policy_and_keys_and_no_secret(void **state)
{
	const struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-det");

	(void)state;
	assert_reads(v, ".policy.json", "\"policyFormatVersion\": 1");
	assert_reads(v, ".keys.json", "\"state\": \"open\"");
	assert_reads(v, ".keys.json", "\"fingerprint\"");
	view_free(v);
}

static void
a_wrong_key_is_told_and_opens_when_asked_for(void **state)
{
	struct docview_config cfg = { 0 };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "miskeyed");
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	buf_init(&text, 1 << 20);
	for (unsigned i = 0; i < 3; i++) { /* the key that was tried is not kept for the next */
		err_clear(&e);
		assert_int_equal(read_all(v, "all.jsonl", &text, &e), -EBADMSG);
		assert_non_null(strstr(e.text, "it authenticates under key 'cek-a'"));
	}
	view_free(v);
	cfg.box.dek_fallback = true;
	v = docworld_view(&js, engine, &cfg, js.database, "miskeyed");
	assert_reads(v, "all.jsonl", "\"two\"");
	view_free(v);
}

static void
a_stale_etag_is_told_with_what_is_there(void **state)
{
	const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-det");
	struct view_file *f = NULL;
	struct listed now = { .n = 0 }, l;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(view_open(v, "items/p1/str-1.json", "no such etag", NULL,
				   (struct view_sink){ note, &now }, soon(), &f, &e),
			 -ESTALE);
	assert_int_equal(now.n, 1);
	assert_int_equal(lookup(v, "items/p1/str-1.json", &l), 0);
	assert_string_equal(now.item[0].etag, l.item[0].etag);
	err_clear(&e);
	assert_int_equal(view_open(v, "items/p1/str-1.json", l.item[0].etag, NULL,
				   (struct view_sink){ note, &now }, soon(), &f, &e),
			 0);
	assert_int_equal(view_file_size(f), l.item[0].size);
	view_close(f);
	listed_clear(&now);
	listed_clear(&l);
	view_free(v);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_account_a_database_and_a_container_are_directories),
		cmocka_unit_test(documents_lie_under_their_keys_and_have_exact_sizes),
		cmocka_unit_test(names_that_are_not_there_are_enoent),
		cmocka_unit_test(sealed_ids_and_keys_are_shown_plain),
		cmocka_unit_test(hierarchical_keys_nest),
		cmocka_unit_test(a_stream_has_every_document),
		cmocka_unit_test(by_finds_what_a_sealed_property_equals),
		cmocka_unit_test(by_tries_what_a_number_reads_as),
		cmocka_unit_test(a_container_without_policy_is_refused_unless_asked_for),
		cmocka_unit_test(the_small_files_tell_policy_and_keys_and_no_secret),
		cmocka_unit_test(a_wrong_key_is_told_and_opens_when_asked_for),
		cmocka_unit_test(a_stale_etag_is_told_with_what_is_there),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
