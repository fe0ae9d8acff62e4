/* SPDX-License-Identifier: MIT */
/*
 * The writing half of the document view, over a dir: store of what the JavaScript client stored:
 * fs/docwrite.h, fs/docpin.h.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fs/viewwrite.h"
#include "tests/unit/fs/docworld.h"

static struct docworld js;
static struct engine *engine;
static char pins[128];

static int
set_up(void **state)
{
	const struct engine_config cfg = { .memory = 64 << 20, .timeout_ns = 10 * NS_PER_S };
	struct err e = { 0 };

	(void)state;
	docworld_make(&js, "cosmos-js");
	(void)snprintf(pins, sizeof(pins), "%s/pins", js.dir);
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

static struct view *
mount(const char *container)
{
	const struct docview_config cfg = { .attr_timeout_ns = 60 * NS_PER_S,
					    .box.show_unencrypted = true,
					    .writable = true,
					    .pin_file = pins };

	return docworld_view(&js, engine, &cfg, js.database, container);
}

/* ---- what the sinks are sent ---- */

struct seen {
	char name[64][300], etag[200];
	unsigned n;
	uint64_t size;
	int64_t mtime_ns;
	bool exact, dir;
	struct view_record *record;
};

static int
note(void *arg, const struct view_item *item, struct err *e)
{
	struct seen *s = arg;

	(void)e;
	assert_true(s->n < ARRAY_LEN(s->name));
	(void)snprintf(s->name[s->n++], sizeof(s->name[0]), "%s", item->name);
	(void)snprintf(s->etag, sizeof(s->etag), "%s", item->etag);
	s->size = item->size;
	s->mtime_ns = item->mtime_ns;
	s->exact = item->exact;
	s->dir = item->dir;
	view_record_put(s->record);
	s->record = view_record_get(item->record);
	return 0;
}

static struct view_sink
sink(struct seen *s)
{
	*s = (struct seen){ .n = 0 };
	return (struct view_sink){ note, s };
}

static void
seen_clear(struct seen *s)
{
	view_record_put(s->record);
	s->record = NULL;
}

/* ---- calls ---- */

static int
read_plain(void *arg, uint64_t off, void *out, size_t n, struct err *e)
{
	(void)e;
	memcpy(out, (const char *)arg + off, n);
	return 0;
}

static int
write_document(struct view *v, const char *path, const char *over, const char *text,
	       struct seen *now, struct err *e)
{
	const struct view_write_ops *w = v->ops->write;
	const struct view_plain plain = { .read = read_plain, .arg = (void *)(uintptr_t)text };
	const struct view_publish p = { .size = strlen(text) };
	struct view_sealing *s = NULL;
	int r = w->seal(v, path, over, soon(), &s, e);

	if (r < 0)
		return r;
	assert_int_equal(s->region, 0);
	r = w->commit(s, &p, plain, sink(now), soon(), e);
	w->sealing_free(s);
	assert_int_equal(r == 0, now->n == 1);
	return r;
}

static void
assert_written(struct view *v, const char *path, const char *over, const char *text,
	       struct seen *now)
{
	struct err e = { 0 };

	if (write_document(v, path, over, text, now, &e) != 0)
		fail_msg("%s: %s", path, e.text);
}

static void
assert_refused(struct view *v, const char *path, const char *over, const char *text, int no,
	       const char *event)
{
	struct err e = { 0 };
	struct seen now = { .n = 0 };
	const int r = write_document(v, path, over, text, &now, &e);

	if (r != -no)
		fail_msg("%s: %s, not %s: %s", text, err_name(-r), err_name(no), e.text);
	if (event != NULL && (e.event == NULL || strcmp(e.event, event) != 0))
		fail_msg("%s: %s", e.text, e.event);
	seen_clear(&now);
}

static int
lookup(struct view *v, const char *path, struct seen *s)
{
	struct err e = { 0 };

	return view_lookup(v, path, sink(s), soon(), &e);
}

static bool
lists(struct view *v, const char *dir, const char *name)
{
	struct err e = { 0 };
	unsigned times = 0;
	struct seen s;
	AUTO_BUF cursor;
	int r;

	buf_init(&cursor, VIEW_CURSOR_MAX);
	do {
		r = view_list(v, dir, &cursor, sink(&s), soon(), &e);
		for (unsigned i = 0; i < s.n; i++)
			times += strcmp(s.name[i], name) == 0;
		seen_clear(&s);
	} while (r == 0 && cursor.n > 0);
	assert_int_equal(r, 0);
	assert_true(times <= 1);
	return times > 0;
}

/* What a reader gets who has seen `now`; the bytes are as many as it said. */
static void
assert_reads(struct view *v, const char *path, const struct seen *now, const char *text)
{
	static char room[1 << 20];
	struct view_file *f = NULL;
	struct err e = { 0 };
	size_t n = 0;

	assert_int_equal(view_open(v, path, now->etag, now->record, view_no_sink(), soon(), &f, &e),
			 0);
	assert_int_equal(view_file_size(f), now->size);
	assert_int_equal(view_read_wait(f, 0, room, sizeof(room) - 1, soon(), &n, &e), 0);
	room[n] = '\0';
	assert_int_equal(n, now->size);
	if (strncmp(room, text, strlen(text)) != 0)
		fail_msg("%s", room);
	view_close(f);
}

/* ---- the world, changed by somebody else ---- */

static void
edit(const char *path, void (*change)(json_t *j, const void *arg), const void *arg)
{
	char full[300], *text;
	json_t *j;

	(void)snprintf(full, sizeof(full), "%s/databases/%s.d/%s", js.store, js.database, path);
	j = json_load_file(full, 0, NULL);
	if (j == NULL)
		fail_msg("%s", full);
	change(j, arg);
	text = json_dumps(j, JSON_PRESERVE_ORDER);
	docworld_write(full, text, strlen(text));
	free(text);
	json_decref(j);
}

static json_t *
included(json_t *container)
{
	return json_object_get(json_object_get(container, "clientEncryptionPolicy"),
			       "includedPaths");
}

static void
drop_path(json_t *j, const void *arg)
{
	(void)arg;
	assert_int_equal(json_array_remove(included(j), 1), 0);
}

static void
flip_type(json_t *j, const void *arg)
{
	(void)arg;
	(void)json_object_set_new(json_array_get(included(j), 0), "encryptionType",
				  json_string("Deterministic"));
}

static void
drop_policy(json_t *j, const void *arg)
{
	(void)arg;
	(void)json_object_del(j, "clientEncryptionPolicy");
}

static void
recreate(json_t *j, const void *arg)
{
	(void)json_object_set_new(j, "_rid", json_string(arg));
}

static void
swap_key(json_t *j, const void *arg)
{
	(void)json_object_set_new(j, "wrappedDataEncryptionKey", json_string(arg));
}

/* Another key's wrapped bytes: what somebody can make who may only wrap. */
static char *
wrapped_key(const char *id)
{
	char full[300], *wrapped;
	json_t *j;

	(void)snprintf(full, sizeof(full), "%s/databases/%s.d/keys/%s.json", js.store, js.database,
		       id);
	j = json_load_file(full, 0, NULL);
	assert_non_null(j);
	wrapped = strdup(json_string_value(json_object_get(j, "wrappedDataEncryptionKey")));
	json_decref(j);
	return wrapped;
}

/* ---- creating, replacing, removing ---- */

static void
a_document_is_created_read_replaced_and_removed(void **state)
{
	static const char path[] = "items/p9/new.json";
	struct view *v = mount("strings-det");
	struct seen now, again;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(lookup(v, path, &again), -ENOENT);
	assert_false(lists(v, "items", "p9"));
	assert_written(v, path, NULL,
		       "{\"_rid\":\"x\",\"id\":\"new\",\"pk\":\"p9\",\"s\":\"secret\"}\n", &now);
	assert_true(now.exact && now.mtime_ns > 0 && now.record != NULL);
	assert_reads(v, path, &now, "{\"id\":\"new\",\"pk\":\"p9\",\"s\":\"secret\"");
	assert_true(lists(v, "items", "p9"));
	assert_true(lists(v, "items/p9", "new.json"));
	assert_int_equal(lookup(v, path, &again), 0);
	assert_string_equal(again.etag, now.etag);
	assert_int_equal(again.size, now.size);
	assert_refused(v, path, NULL, "{\"id\":\"new\",\"pk\":\"p9\"}", EEXIST, NULL);
	seen_clear(&again);

	assert_written(v, path, now.etag, "{\"id\":\"new\",\"pk\":\"p9\",\"s\":\"other\"}", &again);
	assert_string_not_equal(again.etag, now.etag);
	assert_reads(v, path, &again, "{\"id\":\"new\",\"pk\":\"p9\",\"s\":\"other\"");
	assert_refused(v, path, now.etag, "{\"id\":\"new\",\"pk\":\"p9\"}", ESTALE,
		       "remote.changed");
	assert_int_equal(v->ops->write->remove(v, path, now.etag, NULL, soon(), &e), -ESTALE);
	err_clear(&e);
	assert_int_equal(v->ops->write->remove(v, path, again.etag, NULL, soon(), &e), 0);
	seen_clear(&now);
	seen_clear(&again);
	assert_int_equal(lookup(v, path, &again), -ENOENT);
	/* Its directory is there until somebody removes it. */
	assert_true(lists(v, "items", "p9"));
	assert_int_equal(v->ops->write->remove_dir(v, "items/p9", soon(), &e), 0);
	assert_false(lists(v, "items", "p9"));
	assert_int_equal(lookup(v, "items/p9", &again), -ENOENT);
	view_free(v);
}

static void
sealed_ids_and_keys_go_where_their_values_say(void **state)
{
	struct view *v = mount("id-and-pk");
	struct seen now;

	(void)state;
	assert_written(v, "items/t%2F1/a%2Fb.json", NULL,
		       "{\"id\":\"a/b\",\"tenant\":\"t/1\",\"ssn\":1.0,\"balance\":7}", &now);
	assert_reads(v, "items/t%2F1/a%2Fb.json", &now,
		     "{\"id\":\"a/b\",\"tenant\":\"t/1\",\"ssn\":1.0,\"balance\":7");
	seen_clear(&now);
	assert_written(v, "items/=1/x.json", NULL, "{\"id\":\"x\",\"tenant\":1}", &now);
	seen_clear(&now);
	assert_written(v, "items/=1.0/x.json", NULL, "{\"id\":\"x\",\"tenant\":1.0}", &now);
	seen_clear(&now);
	assert_written(v, "items/=null/x.json", NULL, "{\"id\":\"x\",\"tenant\":null}", &now);
	seen_clear(&now);
	assert_written(v, "items/=undefined/x.json", NULL, "{\"id\":\"x\"}", &now);
	seen_clear(&now);
	assert_refused(v, "items/=1/y.json", NULL, "{\"id\":\"y\",\"tenant\":1.0}", EINVAL,
		       "document.path");
	view_free(v);
	v = mount("hierarchical");
	assert_written(v, "items/o/=2/u/d.json", NULL,
		       "{\"id\":\"d\",\"org\":\"o\",\"team\":2.0,\"user\":\"u\",\"note\":[true]}",
		       &now);
	assert_reads(v, "items/o/=2/u/d.json", &now, "{\"id\":\"d\",\"org\":\"o\",\"team\":2");
	seen_clear(&now);
	view_free(v);
}

static void
what_does_not_belong_to_its_path_is_refused(void **state)
{
	static const struct {
		const char *path, *text, *said;
	} cases[] = {
		{ "items/p1/x.json", "{\"id\":\"y\",\"pk\":\"p1\"}",
		  "the document's id is not 'x.json', as its path says, but 'y.json'" },
		{ "items/p1/x.json", "{\"id\":\"x\",\"pk\":\"p2\"}",
		  "the document's partition key is not 'p1', as its path says, but 'p2'" },
		{ "items/p1/x.json", "{\"id\":\"x\",\"pk\":1}",
		  "the document's partition key is not 'p1', as its path says, but '=1'" },
		{ "items/p1/x.json", "{\"id\":\"x\"}",
		  "the document's partition key is not 'p1', as its path says, but '=undefined'" },
	};
	struct view *v = mount("strings-det");
	struct seen now;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct err e = { 0 };

		now.n = 0;
		assert_int_equal(write_document(v, cases[i].path, NULL, cases[i].text, &now, &e),
				 -EINVAL);
		assert_string_equal(e.event, "document.path");
		assert_string_equal(e.text, cases[i].said);
	}
	view_free(v);
	v = mount("id-and-pk");
	struct err e = { 0 };

	now.n = 0;
	assert_int_equal(write_document(v, "items/t/x.json", NULL,
					"{\"id\":\"TOPSECRET\",\"tenant\":\"t\"}", &now, &e),
			 -EINVAL);
	assert_null(strstr(e.text, "TOPSECRET"));
	view_free(v);
}

static void
what_is_no_document_is_refused(void **state)
{
	struct view *v = mount("strings-det");

	(void)state;
	assert_refused(v, "items/p1/x.json", NULL, "", EINVAL, "document.invalid");
	assert_refused(v, "items/p1/x.json", NULL, "{\"id\":\"x\",\"pk\":\"p1\"", EINVAL,
		       "document.invalid");
	assert_refused(v, "items/p1/x.json", NULL, "{\"pk\":\"p1\"}", EINVAL, "document.invalid");
	assert_refused(v, "items/p1/x.json", NULL,
		       "{\"id\":\"x\",\"pk\":\"p1\",\"s\":99999999999999999999}", EINVAL,
		       "document.invalid");
	view_free(v);
}

/* ---- places ---- */

static const struct {
	const char *path;
	int r;
	enum view_place place;
} places[] = {
	{ "items/p1/x.json", 0, VIEW_PLACE_SEALED },
	{ "items/p1/.x.json.swp", 0, VIEW_PLACE_LOCAL },
	{ "items/p1/4913", 0, VIEW_PLACE_LOCAL },
	{ "items/p1/x.json~", 0, VIEW_PLACE_LOCAL },
	{ "items/=1/x.json", 0, VIEW_PLACE_SEALED },
	{ "items/=1.5/x.json", 0, VIEW_PLACE_SEALED },
	{ "items/=1.0/x.json", 0, VIEW_PLACE_SEALED }, /* sealed it may be one */
	{ "items/p1/%25zz.json", -EINVAL, 0 },
	{ "items/p1/.json", -EINVAL, 0 },
	{ "items/=nonsense/x.json", -EINVAL, 0 },
	{ "items", -EROFS, 0 },
	{ "all.jsonl", -EROFS, 0 },
	{ "other.json", -EROFS, 0 },
	{ "parts/0-FF.jsonl", -EROFS, 0 },
	{ "by/s/x/p1/x.json", -EROFS, 0 },
	{ ".policy.json", -EROFS, 0 },
	{ ".keys.json", -EROFS, 0 },
	{ "items/a/b/c/d/x.json", -EROFS, 0 },
};

static void
documents_have_their_places(void **state)
{
	struct view *v = mount("strings-det");
	enum view_place place = VIEW_PLACE_LOCAL;
	struct err e = { 0 };
	struct seen s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		const int r = v->ops->write->place(v, places[i].path, &place, &e);

		if (r != places[i].r)
			fail_msg("%s: %s %s", places[i].path, err_name(-r), e.text);
		if (r == 0)
			assert_int_equal(place, places[i].place);
		err_clear(&e);
	}
	/* How deep is known with the container only. */
	assert_int_equal(v->ops->write->place(v, "items/x.json", &place, &e), 0);
	assert_refused(v, "items/x.json", NULL, "{}", EROFS, NULL);
	assert_int_equal(v->ops->write->place(v, "items/x.json", &place, &e), -EROFS);
	err_clear(&e);
	assert_int_equal(v->ops->write->place(v, "items/x", &place, &e), -EROFS);
	assert_int_equal(lookup(v, "items", &s), 0);
	seen_clear(&s);
	view_free(v);
}

static void
an_abbreviated_name_replaces_but_does_not_create(void **state)
{
	char id[301], name[301], text[700], path[400];
	struct view *v = mount("strings-det");
	struct seen now = { .n = 0 }, s;
	struct err e = { 0 };
	AUTO_BUF cursor;

	(void)state;
	memset(id, 'x', 300);
	id[300] = '\0';
	(void)snprintf(path, sizeof(path), "items/p1/x%%~%032d.json", 7);
	(void)snprintf(text, sizeof(text), "{\"id\":\"%s\",\"pk\":\"long\",\"s\":\"1\"}", id);
	assert_refused(v, path, NULL, text, ENAMETOOLONG, NULL);

	/* Somebody else has made one. */
	const struct docstore_at at = { .database = js.database, .container = "strings-det" };
	char etag[DOCSTORE_ETAG_MAX + 1];

	(void)snprintf(text, sizeof(text), "{\"id\":\"%s\",\"pk\":\"long\"}", id);
	const struct docstore_put put = { .partition = "[\"long\"]",
					  .id = id,
					  .text = span_str(text) };

	if (docstore_put(docview_store(v), &at, &put, etag, soon(), &e) != 0)
		fail_msg("%s", e.text);
	buf_init(&cursor, VIEW_CURSOR_MAX);
	assert_int_equal(view_list(v, "items/long", &cursor, sink(&s), soon(), &e), 0);
	assert_int_equal(s.n, 1);
	assert_non_null(strstr(s.name[0], "%~"));
	(void)snprintf(name, sizeof(name), "%s", s.name[0]);
	(void)snprintf(path, sizeof(path), "items/long/%s", name);
	(void)snprintf(text, sizeof(text), "{\"id\":\"%s\",\"pk\":\"long\",\"s\":\"new\"}", id);
	assert_written(v, path, s.etag, text, &now);
	text[strlen(text) - 1] = '\0'; /* the service's members follow */
	assert_reads(v, path, &now, text);
	seen_clear(&s);
	seen_clear(&now);
	view_free(v);
}

/* ---- times, names, directories ---- */

static void
a_time_is_taken_and_not_kept(void **state)
{
	static const char path[] = "items/p1/str-1.json";
	struct view *v = mount("strings-det");
	struct seen before, now;
	struct err e = { 0 };

	(void)state;
	assert_int_equal(lookup(v, path, &before), 0);
	assert_int_equal(v->ops->write->set_mtime(v, path, before.etag, before.record, 12345,
						  sink(&now), soon(), &e),
			 0);
	assert_string_equal(now.etag, before.etag);
	assert_int_equal(now.mtime_ns, before.mtime_ns);
	assert_int_equal(
		v->ops->write->set_mtime(v, path, "other", NULL, 12345, view_no_sink(), soon(), &e),
		-ESTALE);
	err_clear(&e);
	assert_int_equal(v->ops->write->rename(v, path, before.etag, before.record,
					       "items/p1/other.json", NULL, view_no_sink(), soon(),
					       &e),
			 -EXDEV);
	seen_clear(&before);
	seen_clear(&now);
	view_free(v);
}

static void
directories_are_remembered(void **state)
{
	struct view *v = mount("hierarchical");
	const struct view_write_ops *w = v->ops->write;
	struct err e = { 0 };
	struct seen s;

	(void)state;
#define EXPECT(r, call)                        \
	do {                                   \
		assert_int_equal((call), (r)); \
		err_clear(&e);                 \
	} while (0)
	EXPECT(0, w->make_dir(v, "items/acme", soon(), &e));
	EXPECT(-EEXIST, w->make_dir(v, "items/acme", soon(), &e));
	assert_true(lists(v, "items", "acme"));
	EXPECT(0, lookup(v, "items/acme", &s));
	assert_true(s.dir);
	EXPECT(-ENOENT, lookup(v, "items/acme/x", &s));
	EXPECT(0, w->make_dir(v, "items/acme/=7", soon(), &e));
	assert_true(lists(v, "items/acme", "=7"));
	EXPECT(-ENOTEMPTY, w->remove_dir(v, "items/acme", soon(), &e));
	EXPECT(-EINVAL, w->make_dir(v, "items/=nonsense", soon(), &e));
	EXPECT(-EROFS, w->make_dir(v, "items/a/b/c/d", soon(), &e));
	EXPECT(-EROFS, w->make_dir(v, "new", soon(), &e));
	EXPECT(-EROFS, w->make_dir(v, "by/org", soon(), &e));
	EXPECT(0, w->remove_dir(v, "items/acme/=7", soon(), &e));
	EXPECT(0, w->remove_dir(v, "items/acme", soon(), &e));
	assert_false(lists(v, "items", "acme"));
	EXPECT(-ENOENT, lookup(v, "items/acme", &s));
#undef EXPECT
	view_free(v);
	v = mount("strings-det");
	assert_int_equal(v->ops->write->remove_dir(v, "items/p1", soon(), &e), -ENOTEMPTY);
	err_clear(&e);
	assert_int_equal(v->ops->write->make_dir(v, "items/p1", soon(), &e), -EEXIST);
	view_free(v);
}

/* ---- pins: K07, K08 ---- */

static const char document[] = "{\"id\":\"k\",\"pk\":\"p1\",\"s\":\"v\",\"t\":\"w\"}";
static const char changed_file[] = "containers/strings-rand.d/container.json";

static void
pin_container(void)
{
	struct view *v = mount("strings-rand");
	struct seen now;

	assert_written(v, "items/p1/k.json", NULL, document, &now);
	seen_clear(&now);
	view_free(v);
}

static void
k07_nothing_is_written_under_another_policy(void **state)
{
	static void (*const changes[])(json_t *, const void *) = { drop_path, flip_type,
								   drop_policy };

	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct view *v;
		struct seen s;

		if (i > 0)
			assert_int_equal(set_up(state), 0);
		pin_container();
		edit(changed_file, changes[i], NULL);
		v = mount("strings-rand");
		assert_refused(v, "items/p1/l.json", NULL,
			       "{\"id\":\"l\",\"pk\":\"p1\",\"s\":\"v\"}", EACCES, "policy.pin");
		assert_int_equal(lookup(v, "items/p1/l.json", &s), -ENOENT);
		/*
		 * That is how it is accepted; but what is there has to be readable under it, and
		 * nothing is ever written in clear.
		 */
		assert_int_equal(unlink(pins), 0);
		if (i == 0) {
			assert_written(v, "items/p1/l.json", NULL,
				       "{\"id\":\"l\",\"pk\":\"p1\",\"u\":\"v\"}", &s);
			seen_clear(&s);
		} else {
			assert_refused(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\"}",
				       EACCES,
				       i == 1 ? "policy.dek_changed" : "policy.unencrypted");
		}
		view_free(v);
		if (i + 1 < ARRAY_LEN(changes))
			(void)tear_down(state);
	}
}

static void
k07_a_container_that_was_made_anew_alike_is_written_to(void **state)
{
	struct view *v = mount("strings-rand");
	struct seen now;

	(void)state;
	pin_container();
	assert_int_equal(lookup(v, "items", &now), 0);
	seen_clear(&now);
	edit(changed_file, recreate, "RidOfAnother=");
	assert_written(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\",\"s\":\"v\"}",
		       &now);
	seen_clear(&now);
	view_free(v);
}

/* The view knows the old container; what the service says of the new one counts at once. */
static void
k07_a_container_that_was_made_anew_without_a_path_is_not(void **state)
{
	struct view *v = mount("strings-rand");
	struct seen now;

	(void)state;
	pin_container();
	assert_int_equal(lookup(v, "items", &now), 0);
	seen_clear(&now);
	edit(changed_file, recreate, "RidOfAnother=");
	edit(changed_file, drop_path, NULL);
	assert_refused(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\",\"t\":\"v\"}",
		       EACCES, "policy.pin");
	view_free(v);
}

static void
k08_nothing_is_written_under_another_key(void **state)
{
	char *other = wrapped_key("cek-b");
	struct view *v;

	(void)state;
	pin_container();
	edit("keys/cek-a.json", swap_key, other);
	v = mount("strings-rand");
	assert_refused(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\",\"s\":\"v\"}",
		       EACCES, "policy.dek_changed");
	/* Without a pin there still is what was sealed before. */
	assert_int_equal(unlink(pins), 0);
	assert_refused(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\",\"s\":\"v\"}",
		       EACCES, "policy.dek_changed");
	assert_int_equal(access(pins, F_OK), -1);
	view_free(v);
	free(other);
}

static void
without_a_pin_file_nothing_is_written(void **state)
{
	const struct docview_config cfg = { .writable = true };
	struct view *v = docworld_view(&js, engine, &cfg, js.database, "strings-det");
	struct err e = { 0 };

	(void)state;
	assert_refused(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\"}", EACCES,
		       "policy.pin");
	assert_int_equal(v->ops->write->make_dir(v, "items/p7", soon(), &e), -EACCES);
	view_free(v);
}

/* ---- keys that are away ---- */

static struct view *
mount_without_key(const char *container)
{
	/* Only the KEK of cek-c is at hand. */
	json_t *all = json_load_file(js.keys, 0, NULL), *key;
	char *text;
	size_t i;

	json_array_foreach(
		json_object_get(all, "keys"), i,
		key) if (strstr(json_string_value(json_object_get(key, "kid")), "cmk-one") != NULL)
	{
		(void)json_array_remove(json_object_get(all, "keys"), i);
		break;
	}
	text = json_dumps(all, 0);
	docworld_write(js.keys, text, strlen(text));
	free(text);
	json_decref(all);
	return mount(container);
}

static void
a_version_with_withheld_properties_is_not_replaced(void **state)
{
	struct view *v = mount("strings-det");
	struct err e = { 0 };

	(void)state;
	assert_int_equal(v->ops->write->may_replace(v, "items/p1/str-1.json",
						    "0af~w0123456789abcdef", NULL, true, soon(),
						    &e),
			 -EACCES);
	assert_string_equal(e.event, "policy.withheld");
	err_clear(&e);
	assert_int_equal(v->ops->write->may_replace(v, "items/p1/str-1.json", "0af", NULL, false,
						    soon(), &e),
			 0);
	assert_refused(v, "items/p1/str-1.json", "0af~w0123456789abcdef", "{}", EACCES,
		       "policy.withheld");
	view_free(v);
}

static void
a_property_whose_key_is_away_is_not_written(void **state)
{
	struct view *v = mount_without_key("strings-det");
	struct seen now;

	(void)state;
	assert_refused(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\",\"s\":\"v\"}",
		       EACCES, NULL);
	/* One that needs the other key only is. */
	assert_written(v, "items/p1/l.json", NULL, "{\"id\":\"l\",\"pk\":\"p1\",\"u\":\"v\"}",
		       &now);
	seen_clear(&now);
	/* What is there may hold what its writer has not seen. */
	assert_refused(v, "items/p1/str-1.json", "any", "{\"id\":\"str-1\",\"pk\":\"p1\"}", EACCES,
		       NULL);
	view_free(v);
}

int
main(void)
{
#define FRESH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		FRESH(a_document_is_created_read_replaced_and_removed),
		FRESH(sealed_ids_and_keys_go_where_their_values_say),
		FRESH(what_does_not_belong_to_its_path_is_refused),
		FRESH(what_is_no_document_is_refused),
		FRESH(documents_have_their_places),
		FRESH(an_abbreviated_name_replaces_but_does_not_create),
		FRESH(a_time_is_taken_and_not_kept),
		FRESH(directories_are_remembered),
		FRESH(k07_nothing_is_written_under_another_policy),
		FRESH(k07_a_container_that_was_made_anew_alike_is_written_to),
		FRESH(k07_a_container_that_was_made_anew_without_a_path_is_not),
		FRESH(k08_nothing_is_written_under_another_key),
		FRESH(without_a_pin_file_nothing_is_written),
		FRESH(a_version_with_withheld_properties_is_not_replaced),
		FRESH(a_property_whose_key_is_away_is_not_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
