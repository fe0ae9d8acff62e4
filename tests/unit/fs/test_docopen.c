/* SPDX-License-Identifier: MIT */
/*
 * Opening documents: which requests it takes, and that it agrees with what was listed:
 * fs/docopen.c, fs/docitem.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include <cmocka.h>

#include "backend/keys/provider.h"
#include "tests/unit/fs/docworld.h"

static struct docworld js;
static struct engine *engine;
static char other_store[128]; /* the same container, but str-1 lacks t and u */

/* ---- a clock that is moved ---- */

static _Atomic int64_t passed_ns;

static int64_t
moved_now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NS_PER_S + t.tv_nsec + atomic_load(&passed_ns);
}

static int64_t
wall(void)
{
	return 1700000000;
}

static void
no_sleep(int64_t ns)
{
	(void)ns;
}

static const struct clock_ops moved = { moved_now, wall, no_sleep };

/* ---- a store that counts, before the one of a directory ---- */

struct counted {
	struct docstore base;
	struct docstore *inner;
};
static struct {
	unsigned gets, conditional, same, pages;
} seen;

static struct docstore *
inner(struct docstore *s)
{
	return ((struct counted *)(void *)s)->inner;
}

static int
c_container(struct docstore *s, const struct docstore_at *at, struct buf *out, struct deadline d,
	    struct err *e)
{
	return inner(s)->ops->container(inner(s), at, out, d, e);
}

static int
c_key(struct docstore *s, const char *database, const char *id, const char *etag, struct buf *out,
      bool *out_same, struct deadline d, struct err *e)
{
	return inner(s)->ops->key(inner(s), database, id, etag, out, out_same, d, e);
}

static int
c_keys(struct docstore *s, const char *database, struct docstore_sink sink, struct deadline d,
       struct err *e)
{
	return inner(s)->ops->keys(inner(s), database, sink, d, e);
}

static int
c_page(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
       struct buf *cursor, struct docstore_sink sink, struct docstore_page *out, struct deadline d,
       struct err *e)
{
	seen.pages++;
	return inner(s)->ops->page(inner(s), at, sel, cursor, sink, out, d, e);
}

static int
c_get(struct docstore *s, const struct docstore_at *at, const char *partition, const char *id,
      const char *etag, struct buf *out, bool *out_same, struct deadline d, struct err *e)
{
	int r = inner(s)->ops->get(inner(s), at, partition, id, etag, out, out_same, d, e);

	seen.gets++;
	seen.conditional += etag != NULL;
	seen.same += r == 0 && *out_same;
	return r;
}

static void
c_free(struct docstore *s)
{
	docstore_free(inner(s));
	free(s);
}

static const struct docstore_ops counted_ops = { .name = "counted",
						 .container = c_container,
						 .key = c_key,
						 .keys = c_keys,
						 .page = c_page,
						 .get = c_get,
						 .free = c_free };

/* ---- keys of a file, of which some are refused ---- */

struct refusing {
	struct provider base;
	struct provider *inner;
};
static struct {
	const char *kek, *event; /* part of the key id, NULL = none */
	int no;
} refused[2];

static bool
r_claims(struct provider *p, const char *kid)
{
	return provider_claims(((struct refusing *)(void *)p)->inner, kid);
}

static int
r_unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
	 struct deadline d, struct room out, size_t *out_n, struct err *e)
{
	for (size_t i = 0; i < ARRAY_LEN(refused); i++)
		if (refused[i].kek != NULL && strstr(kid, refused[i].kek) != NULL) {
			(void)err_set(e, refused[i].no, "the vault says no");
			return err_mark(e, refused[i].event, NULL);
		}
	return provider_unwrap(((struct refusing *)(void *)p)->inner, kid, alg, wrapped, d, out,
			       out_n, e);
}

static void
r_free(struct provider *p)
{
	provider_free(((struct refusing *)(void *)p)->inner);
	free(p);
}

static const struct provider_ops refusing_ops = {
	.name = "refusing", .claims = r_claims, .unwrap = r_unwrap, .free = r_free
};

static struct view *
view_of(const char *dir, const char *container, const struct docview_config *cfg)
{
	const struct keyring_config kc = { .ttl_ns = 3600 * NS_PER_S };
	struct counted *c = calloc(1, sizeof(*c));
	struct refusing *r = calloc(1, sizeof(*r));
	struct provider *p;
	struct keyring *keys = NULL;
	struct view *v = NULL;
	struct err e = { 0 };

	assert_true(c != NULL && r != NULL);
	c->base = (struct docstore){ .ops = &counted_ops, .label = "counted" };
	(void)snprintf(c->base.database, sizeof(c->base.database), "%s", js.database);
	(void)snprintf(c->base.container, sizeof(c->base.container), "%s", container);
	r->base.ops = &refusing_ops;
	p = &r->base;
	if (docdir_open(dir, js.database, container, &c->inner, &e) != 0 ||
	    jwks_provider_new(js.keys, &r->inner, &e) != 0 ||
	    keyring_new_take(&kc, &p, 1, &keys, &e) != 0 ||
	    docview_new_take(engine, cfg, &c->base, keys, &v, &e) != 0)
		fail_msg("%s", e.text);
	memset(&seen, 0, sizeof(seen));
	return v;
}

/* ---- what a name says ---- */

struct said {
	char name[300], etag[200];
	bool exact;
	uint64_t size;
	unsigned n;
};

static int
note(void *arg, const struct view_item *item, struct err *e)
{
	struct said *s = arg;

	(void)e;
	(void)snprintf(s->name, sizeof(s->name), "%s", item->name);
	(void)snprintf(s->etag, sizeof(s->etag), "%s", item->etag);
	s->exact = item->exact;
	s->size = item->size;
	s->n++;
	return 0;
}

static struct deadline
soon(void)
{
	return deadline_in(10 * NS_PER_S);
}

static struct said
look_up(struct view *v, const char *path)
{
	struct said s = { .n = 0 };
	struct err e = { 0 };

	if (view_lookup(v, path, (struct view_sink){ note, &s }, soon(), &e) != 0)
		fail_msg("%s: %s", path, e.text);
	return s;
}

/* Opens that version; the text is the file's. */
static int
open_version(struct view *v, const char *path, const char *etag, struct buf *text)
{
	static uint8_t room[64 << 10];
	struct said s = { .n = 0 };
	struct view_file *f = NULL;
	struct err e = { 0 };
	size_t n = 0;
	int r = view_open(v, path, etag, NULL, (struct view_sink){ note, &s }, soon(), &f, &e);

	if (r < 0)
		return r;
	assert_true(s.n > 0 && s.exact && s.size == view_file_size(f));
	assert_int_equal(view_read_wait(f, 0, room, sizeof(room), soon(), &n, &e), 0);
	view_close(f);
	buf_reset(text);
	return buf_add(text, room, n, &e);
}

static void
assert_opens(struct view *v, const char *path, const char *etag, const char *has, const char *lacks)
{
	AUTO_BUF text;
	int r;

	buf_init(&text, 64 << 10);
	r = open_version(v, path, etag, &text);
	if (r < 0)
		fail_msg("%s: %s", path, strerror(-r));
	if (strstr(buf_str(&text), has) == NULL || strstr(buf_str(&text), lacks) != NULL)
		fail_msg("%s: %s", path, buf_str(&text));
}

/* ---- tests ---- */

static void
a_fresh_body_is_opened_without_a_request(void **state)
{
	const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S };
	struct view *v = view_of(js.store, "strings-rand", &cfg);
	const struct said s = look_up(v, "items/p1/str-1.json");

	(void)state;
	seen.gets = 0;
	for (unsigned i = 0; i < 3; i++)
		assert_opens(v, "items/p1/str-1.json", s.etag, "\"str-1\"", "\"str-2\"");
	assert_int_equal(seen.gets, 0);
	view_free(v);
}

static void
an_old_body_is_asked_for_with_its_etag_and_then_is_fresh_again(void **state)
{
	const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S };
	struct view *v = view_of(js.store, "strings-rand", &cfg);
	const struct said s = look_up(v, "items/p1/str-1.json");

	(void)state;
	seen.gets = 0;
	atomic_fetch_add(&passed_ns, 2 * NS_PER_S);
	for (unsigned i = 0; i < 3; i++)
		assert_opens(v, "items/p1/str-1.json", s.etag, "\"str-1\"", "\"str-2\"");
	assert_int_equal(seen.gets, 1);
	assert_int_equal(seen.conditional, 1);
	assert_int_equal(seen.same, 1);
	view_free(v);
}

static void
a_withheld_version_is_asked_for_by_its_stored_etag(void **state)
{
	const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S };
	struct view *v;
	struct said s;

	(void)state;
	refused[0].kek = "cmk-two";
	refused[0].no = EACCES;
	refused[0].event = "auth.vault";
	v = view_of(js.store, "strings-rand", &cfg);
	s = look_up(v, "items/p1/str-1.json");
	assert_non_null(strstr(s.etag, DOCBOX_WITHHELD_MARK));
	assert_opens(v, "items/p1/str-1.json", s.etag, "\"s\"", "\"u\"");
	atomic_fetch_add(&passed_ns, 2 * NS_PER_S);
	seen.same = 0;
	assert_opens(v, "items/p1/str-1.json", s.etag, "\"s\"", "\"u\"");
	assert_int_equal(seen.same, 1);
	view_free(v);
	memset(refused, 0, sizeof(refused));
}

/* An account and its export, or two exports, in one mount: the same rid, partition, id and ETag. */
static void
views_of_the_same_container_do_not_share_bodies(void **state)
{
	const struct docview_config cfg = { .attr_timeout_ns = 3600 * NS_PER_S };
	struct view *v = view_of(js.store, "strings-rand", &cfg),
		    *other = view_of(other_store, "strings-rand", &cfg);
	struct said s = look_up(v, "items/p1/str-1.json"), o;

	(void)state;
	o = look_up(other, "items/p1/str-1.json");
	assert_string_equal(s.etag, o.etag);
	assert_opens(v, "items/p1/str-1.json", s.etag, "\"u\"", "\"none\"");
	assert_opens(other, "items/p1/str-1.json", o.etag, "\"s\"", "\"u\"");
	view_free(v);
	view_free(other);
}

/*
 * One key is withheld, another cannot be asked for just now; the document needs only the first.
 * Were its version another one for lookups than for opens, no open would ever come through.
 */
static void
lookup_and_open_agree_whatever_is_missing(void **state)
{
	static const int no[] = { EIO, ENOKEY, ETIMEDOUT };
	const struct docview_config cfg = { .attr_timeout_ns = 0 };

	(void)state;
	refused[0].kek = "cmk-one";
	refused[0].no = EACCES;
	refused[0].event = "auth.vault";
	refused[1].kek = "cmk-two";
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		struct view *v;
		struct said s;

		refused[1].no = no[i];
		v = view_of(other_store, "strings-rand", &cfg);
		s = look_up(v, "items/p1/str-1.json");
		assert_true(s.exact);
		assert_opens(v, "items/p1/str-1.json", s.etag, "\"str-1\"", "\"s\"");
		view_free(v);
		v = view_of(js.store, "strings-rand", &cfg); /* this one needs both */
		s = look_up(v, "items/p1/str-1.json");
		assert_false(s.exact);
		view_free(v);
	}
	memset(refused, 0, sizeof(refused));
}

static void
a_stream_is_measured_once_and_again_when_that_is_old(void **state)
{
	const struct docview_config cfg = { .attr_timeout_ns = NS_PER_S, .stream_scan = true };
	struct view *v = view_of(js.store, "strings-rand", &cfg);
	struct said all = look_up(v, "all.jsonl"), none;
	const unsigned pages = seen.pages;

	(void)state;
	assert_true(all.size > 0 && all.exact && pages > 0);
	assert_int_equal(look_up(v, "all.jsonl").size, all.size);
	assert_int_equal(seen.pages, pages);
	none = look_up(v, "parts/0-00.jsonl"); /* its own size */
	assert_int_equal(none.size, 0);
	assert_string_not_equal(none.etag, all.etag);
	assert_int_equal(look_up(v, "parts/0-FF.jsonl").size, all.size);
	for (unsigned i = 0; i < 100; i++) { /* more names than sizes are remembered */
		char path[64];

		(void)snprintf(path, sizeof(path), "parts/0-%02X.jsonl", i + 1);
		(void)look_up(v, path);
	}
	seen.pages = 0;
	assert_int_equal(look_up(v, "all.jsonl").size, all.size); /* forgotten meanwhile */
	assert_true(seen.pages > 0);
	seen.pages = 0;
	atomic_fetch_add(&passed_ns, 3600 * NS_PER_S);
	assert_int_equal(look_up(v, "all.jsonl").size, all.size);
	assert_true(seen.pages > 0);
	view_free(v);
}

/* ---- the world ---- */

static int
set_up(void **state)
{
	const struct engine_config cfg = { .memory = 64 << 20, .timeout_ns = 10 * NS_PER_S };
	json_t *deks, *containers, *document, *x;
	struct docdir_writer *to = NULL;
	struct err e = { 0 };
	char *text;
	size_t i;

	(void)state;
	docworld_make(&js, "cosmos-js");
	(void)snprintf(other_store, sizeof(other_store), "%s/other", js.dir);
	deks = docworld_json("cosmos-js", "clientencryptionkeys.json");
	containers = docworld_json("cosmos-js", "containers.json");
	document = docworld_json("cosmos-js", "documents/strings-rand/01.stored.json");
	(void)json_object_del(document, "t");
	(void)json_object_del(document, "u");
	assert_int_equal(docdir_writer_new(other_store, &to, &e), 0);
	json_array_foreach(json_object_get(deks, "ClientEncryptionKeys"), i, x)
		docworld_put_dek(to, js.database, x);
	x = json_array_get(json_object_get(containers, "DocumentCollections"), 0);
	text = json_dumps(x, JSON_PRESERVE_ORDER);
	assert_int_equal(
		docdir_begin_container(to, js.database, "strings-rand", span_str(text), &e), 0);
	free(text);
	text = json_dumps(document, JSON_PRESERVE_ORDER);
	assert_int_equal(docdir_put_document(to, span_str(text), &e), 0);
	free(text);
	assert_int_equal(docdir_end_container(to, &e), 0);
	docdir_writer_free(to);
	json_decref(deks);
	json_decref(containers);
	json_decref(document);
	clock_replace(&moved);
	return engine_new(&cfg, &engine, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	engine_free(engine);
	clock_replace(NULL);
	docworld_remove(&js);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fresh_body_is_opened_without_a_request),
		cmocka_unit_test(an_old_body_is_asked_for_with_its_etag_and_then_is_fresh_again),
		cmocka_unit_test(a_withheld_version_is_asked_for_by_its_stored_etag),
		cmocka_unit_test(views_of_the_same_container_do_not_share_bodies),
		cmocka_unit_test(lookup_and_open_agree_whatever_is_missing),
		cmocka_unit_test(a_stream_is_measured_once_and_again_when_that_is_old),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
