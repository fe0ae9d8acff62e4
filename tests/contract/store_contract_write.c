/* SPDX-License-Identifier: MIT */
/* The contract of writes as tests: see store_contract_write.h. */
#include "tests/contract/store_contract_write.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/store/storewrite.h"

enum { MIB = 1 << 20, LARGE = 5 * MIB };

static const struct deadline never = { 0 };
static const struct store_condition any = { 0 }, absent = { .absent = true };
static const struct store_properties nothing = { .meta = NULL };

/* ---- calls */

static struct store *
open_writable(const struct contract_fixture *f)
{
	struct store *s;

	f->reset(f->arg);
	s = f->open(f->arg, "");
	if (s->ops->write == NULL) {
		store_free(s);
		skip();
	}
	return s;
}

static struct store_condition
if_match(const char *etag)
{
	return (struct store_condition){ .if_match = etag };
}

static int
put(struct store *s, const char *name, struct span bytes, struct store_condition c,
    struct store_written *out)
{
	struct err e = { 0 };
	int r = store_put(s, name, &nothing, bytes, c, out, never, &e);

	if (r < 0 && r != -EEXIST && r != -ESTALE)
		print_error("put '%s': %s\n", name, e.text);
	return r;
}

static struct store_written
must_put(struct store *s, const char *name, const char *text)
{
	struct store_written w = { .etag = "" };

	assert_int_equal(put(s, name, span_str(text), any, &w), 0);
	assert_true(w.etag[0] != '\0');
	return w;
}

struct whole {
	uint8_t *p;
	size_t n, room;
	char etag[STORE_ETAG_MAX + 1];
	int64_t mtime_ns;
	bool folder;
};

static int
whole_begin(void *arg, const struct store_entry *entry, struct err *e)
{
	struct whole *w = arg;

	(void)e;
	w->n = 0;
	w->room = entry->size;
	free(w->p);
	w->p = malloc(entry->size + 1);
	w->mtime_ns = entry->mtime_ns;
	w->folder = entry->folder;
	(void)snprintf(w->etag, sizeof(w->etag), "%s", entry->etag);
	return 0;
}

static int
whole_data(void *arg, struct span piece, struct err *e)
{
	struct whole *w = arg;

	if (piece.n > w->room - w->n)
		return err_set(e, EDOM, "more than the entry told");
	memcpy(w->p + w->n, piece.p, piece.n);
	w->n += piece.n;
	return 0;
}

static int
read_whole(struct store *s, const char *name, struct whole *w)
{
	const struct store_get get = { .name = name, .max = 64 * MIB };
	struct err e = { 0 };
	int r = store_get(s, &get, (struct store_get_sink){ whole_begin, whole_data, w }, NULL,
			  never, &e);

	if (r < 0 && r != -ENOENT)
		print_error("get '%s': %s\n", name, e.text);
	return r;
}

static void
assert_holds(struct store *s, const char *name, struct span bytes, const char *etag)
{
	struct whole w = { .p = NULL };

	assert_int_equal(read_whole(s, name, &w), 0);
	assert_int_equal(w.n, bytes.n);
	if (bytes.n > 0)
		assert_memory_equal(w.p, bytes.p, bytes.n);
	if (etag != NULL)
		assert_string_equal(w.etag, etag);
	free(w.p);
}

static void
assert_text(struct store *s, const char *name, const char *text, const char *etag)
{
	assert_holds(s, name, span_str(text), etag);
}

static void
assert_nothing(struct store *s, const char *name)
{
	struct whole w = { .p = NULL };

	assert_int_equal(read_whole(s, name, &w), -ENOENT);
	free(w.p);
}

static uint8_t *
new_pattern(size_t n, unsigned seed)
{
	uint8_t *p = malloc(n);

	assert_non_null(p);
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(i * 131 + i / 257 + seed);
	return p;
}

/* ---- whole objects */

void
store_contract_write_sizes(const struct contract_fixture *f)
{
	static const size_t sizes[] = { 0, 1, 4096, LARGE };
	struct store *s = open_writable(f);
	uint8_t *p = new_pattern(LARGE, 1);
	char last[STORE_ETAG_MAX + 1] = "";

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		struct store_written w = { .etag = "" };
		struct whole whole = { .p = NULL };

		assert_int_equal(put(s, "o", span_of(p, sizes[i]), any, &w), 0);
		assert_holds(s, "o", span_of(p, sizes[i]), w.etag);
		assert_string_not_equal(w.etag, last);
		assert_int_equal(read_whole(s, "o", &whole), 0);
		assert_int_equal(whole.mtime_ns, w.mtime_ns);
		(void)snprintf(last, sizeof(last), "%s", w.etag);
		free(whole.p);
	}
	free(p);
	store_free(s);
}

void
store_contract_write_conditions(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	struct store_written a, b, c;

	assert_int_equal(put(s, "o", span_str("x"), if_match("0x8D0000000000000"), NULL), -ESTALE);
	assert_nothing(s, "o");
	assert_int_equal(put(s, "o", span_str("one"), absent, &a), 0);
	assert_int_equal(put(s, "o", span_str("x"), absent, NULL), -EEXIST);
	assert_text(s, "o", "one", a.etag);
	assert_int_equal(put(s, "o", span_str("two"), if_match(a.etag), &b), 0);
	assert_string_not_equal(a.etag, b.etag);
	assert_int_equal(put(s, "o", span_str("x"), if_match(a.etag), NULL), -ESTALE);
	assert_text(s, "o", "two", b.etag);
	assert_int_equal(put(s, "o", span_str("two"), any, &c),
			 0); /* the same bytes, another one */
	assert_string_not_equal(b.etag, c.etag);
	assert_text(s, "o", "two", c.etag);
	store_free(s);
}

/* ---- properties and metadata */

static void
fill_properties(struct store_properties *p)
{
	static const char *const text[STORE_PROPERTIES_N] = { "text/x-odd; charset=\"utf-8\"",
							      "gzip", "de-AT",
							      "attachment; filename=\"a b.txt\"",
							      "max-age=5, private" };
	static const char *const meta[][2] = { { "EncryptionData", "{\"a\": \"b c\"}" },
					       { "azcryptbind", "AQIDBA==" },
					       { "mtime", "2026-11-26T15:04:05.123456789Z" },
					       { "MixedCase_1", "100 % \"quoted\" a=b;c,d" },
					       { "empty_not", "-" } };
	struct err e = { 0 };

	for (unsigned i = 0; i < STORE_PROPERTIES_N; i++)
		assert_int_equal(store_property_set(p, (enum store_property)i, text[i], &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(meta); i++)
		assert_int_equal(store_meta_set(p, meta[i][0], meta[i][1], &e), 0);
}

/* The case of a metadata name need not survive: a service may fold it. */
static void
assert_properties(struct store *s, const char *name, const char *etag,
		  const struct store_properties *want)
{
	AUTO_STORE_PROPERTIES got = { .meta = NULL };
	struct err e = { 0 };

	if (store_get_properties(s, name, etag, &got, never, &e) < 0)
		fail_msg("%s", e.text);
	for (unsigned i = 0; i < STORE_PROPERTIES_N; i++)
		if (want->text[i] != NULL)
			assert_string_equal(got.text[i], want->text[i]);
	assert_int_equal(got.n_meta, want->n_meta);
	for (size_t i = 0; i < want->n_meta; i++) {
		assert_non_null(store_meta_get(&got, want->meta[i].name));
		assert_string_equal(store_meta_get(&got, want->meta[i].name), want->meta[i].value);
	}
}

static int
see_special(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)e;
	assert_int_equal(entry->envelope.n, strlen("{\"a\": \"b c\"}"));
	assert_int_equal(entry->bind.n, 8);
	assert_memory_equal(entry->bind.p, "AQIDBA==", 8);
	assert_int_equal(entry->mtime_ns, INT64_C(1795705445123456789));
	++*(unsigned *)arg;
	return 0;
}

static void
assert_specials(struct store *s, const char *name)
{
	unsigned seen = 0;
	struct err e = { 0 };
	AUTO_BUF cursor;

	buf_init(&cursor, STORE_CURSOR_MAX);
	assert_int_equal(store_head(s, name, NULL, (struct store_list_sink){ see_special, &seen },
				    NULL, never, &e),
			 0);
	assert_int_equal(store_list(s, span_str(name), true, 0, &cursor,
				    (struct store_list_sink){ see_special, &seen }, never, &e),
			 0);
	assert_int_equal(seen, 2);
}

void
store_contract_write_properties(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	AUTO_STORE_PROPERTIES out = { .meta = NULL };
	struct store_written w;
	struct err e = { 0 };

	fill_properties(&p);
	assert_int_equal(store_put(s, "o", &p, span_str("x"), absent, &w, never, &e), 0);
	assert_int_equal(w.mtime_ns, INT64_C(1795705445123456789));
	assert_properties(s, "o", NULL, &p);
	assert_properties(s, "o", w.etag, &p);
	assert_specials(s, "o");
	assert_int_equal(store_get_properties(s, "o", "0x8D0000000000000", &out, never, &e),
			 -ESTALE);
	err_clear(&e);
	assert_int_equal(store_get_properties(s, "none", NULL, &out, never, &e), -ENOENT);
	assert_int_equal(out.n_meta, 0);
	must_put(s, "o", "without");
	assert_properties(s, "o", NULL, &nothing);
	store_free(s);
}

static int
put_item(struct store *s, const char *name, const char *value, size_t n)
{
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	char *text = malloc(n + 1);
	struct err e = { 0 };

	if (value != NULL)
		memcpy(text, value, n);
	else
		memset(text, 'v', n);
	text[n] = '\0';
	assert_int_equal(store_meta_set(&p, name, text, &e), 0);
	free(text);
	return store_put(s, "o", &p, span_str("x"), any, NULL, never, &e);
}

void
store_contract_write_limits(const struct contract_fixture *f)
{
	static const char *const bad_names[] = { "a-b", "1a", "a b", "", "a:b", "\303\244" };
	struct store *s = open_writable(f);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	struct store_written w = must_put(s, "o", "old");
	char name[16];
	struct err e = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++)
		assert_int_equal(put_item(s, bad_names[i], "x", 1), -EINVAL);
	assert_int_equal(put_item(s, "a", "x\r\ny: z", 7), -EINVAL);
	assert_int_equal(put_item(s, "item", NULL, STORE_META_TOTAL_MAX - 3), -E2BIG);
	assert_text(s, "o", "old", w.etag);
	assert_int_equal(put_item(s, "item", NULL, STORE_META_TOTAL_MAX - 4), 0);
	for (unsigned i = 0; i < STORE_META_ITEMS_MAX; i++) {
		(void)snprintf(name, sizeof(name), "i%u", i);
		assert_int_equal(store_meta_set(&p, name, "1", &e), 0);
	}
	assert_int_equal(store_meta_set(&p, "more", "1", &e), -E2BIG);
	err_clear(&e);
	assert_int_equal(store_meta_set(&p, "I0", "2", &e), 0); /* replaces i0 */
	assert_string_equal(store_meta_get(&p, "i0"), "2");
	store_meta_remove(&p, "i1");
	assert_null(store_meta_get(&p, "I1"));
	assert_int_equal(p.n_meta, STORE_META_ITEMS_MAX - 1);
	store_free(s);
}

/* ---- blocks */

static int
send_block(struct store *s, const struct store_upload *u, uint32_t number, uint64_t off,
	   struct span bytes)
{
	const struct store_block b = { number, off, bytes };
	struct err e = { 0 };
	int r = store_put_block(s, "o", u, &b, never, &e);

	if (r < 0)
		print_error("block: %s\n", e.text);
	return r;
}

static int
commit(struct store *s, const struct store_upload *u, uint32_t n, uint64_t size,
       struct store_condition c, struct store_written *out)
{
	struct err e = { 0 };

	return store_commit_blocks(s, "o", u, n, size, &nothing, c, out, never, &e);
}

static void
draw(struct store_upload *u)
{
	struct err e = { 0 };

	assert_int_equal(store_upload_init(u, &e), 0);
}

struct sender {
	struct store *s;
	const struct store_upload *u;
	const uint8_t *p;
	unsigned first;
	int failed;
};

enum { SENDERS = 4, BLOCKS = 20, BLOCK = 100 * 1000 };

static void *
send_some(void *arg)
{
	struct sender *w = arg;

	for (unsigned i = w->first; i < BLOCKS; i += SENDERS) {
		const unsigned k = BLOCKS - 1 - i;

		w->failed |= send_block(w->s, w->u, k, (uint64_t)k * BLOCK,
					span_of(w->p + (size_t)k * BLOCK, BLOCK)) < 0;
	}
	return NULL;
}

void
store_contract_write_blocks(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	uint8_t *p = new_pattern((size_t)BLOCKS * BLOCK, 7);
	struct sender sender[SENDERS];
	pthread_t thread[SENDERS];
	struct store_written w;
	struct store_upload u;

	draw(&u);
	for (unsigned i = 0; i < SENDERS; i++) {
		sender[i] = (struct sender){ s, &u, p, i, 0 };
		assert_int_equal(pthread_create(&thread[i], NULL, send_some, &sender[i]), 0);
	}
	for (unsigned i = 0; i < SENDERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_false(sender[i].failed);
	}
	assert_int_equal(send_block(s, &u, 3, 3 * BLOCK, span_of(p + 3 * BLOCK, BLOCK)), 0);
	assert_nothing(s, "o");
	assert_int_equal(commit(s, &u, BLOCKS, (uint64_t)BLOCKS * BLOCK, absent, &w), 0);
	assert_holds(s, "o", span_of(p, (size_t)BLOCKS * BLOCK), w.etag);
	free(p);
	store_free(s);
}

void
store_contract_write_uploads(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	struct store_written w = must_put(s, "o", "old"), won;
	struct store_upload a, b, c;
	int r;

	draw(&a);
	draw(&b);
	draw(&c);
	assert_memory_not_equal(a.id, b.id, sizeof(a.id));
	assert_true(commit(s, &a, 1, 3, any, NULL) < 0);
	assert_int_equal(send_block(s, &a, 0, 0, span_str("aaa")), 0);
	assert_int_equal(send_block(s, &b, 0, 0, span_str("bbb")), 0);
	assert_int_equal(send_block(s, &c, 0, 0, span_str("ccc")), 0);
	assert_int_equal(send_block(s, &b, 1, 3, span_str("BB")), 0);
	assert_true(commit(s, &a, 2, 5, any, NULL) < 0); /* block 1 is the other one's */
	store_abandon_blocks(s, "o", &c);
	assert_text(s, "o", "old", w.etag);
	assert_int_equal(commit(s, &b, 2, 5, if_match(w.etag), &won), 0);
	r = commit(s, &a, 1, 3, if_match(w.etag), NULL);
	assert_true(f->loses_other_uploads ? r < 0 : r == -ESTALE);
	r = commit(s, &a, 1, 3, absent, NULL);
	assert_true(f->loses_other_uploads ? r < 0 : r == -EEXIST);
	assert_text(s, "o", "bbbBB", won.etag);
	store_abandon_blocks(s, "o", &a);
	assert_text(s, "o", "bbbBB", won.etag);
	store_free(s);
}

/* ---- metadata alone */

void
store_contract_write_metadata(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	struct store_written first, second;
	struct err e = { 0 };
	int r;

	fill_properties(&p);
	assert_int_equal(store_put(s, "o", &p, span_str("bytes"), any, &first, never, &e), 0);
	store_meta_remove(&p, "mixedcase_1");
	assert_int_equal(store_meta_set(&p, "mtime", "2020-01-02T03:04:05Z", &e), 0);
	assert_int_equal(store_set_metadata(s, "o", &p, "0x8D0000000000000", NULL, never, &e),
			 -ESTALE);
	err_clear(&e);
	assert_int_equal(store_set_metadata(s, "o", &p, first.etag, &second, never, &e), 0);
	assert_string_not_equal(first.etag, second.etag);
	assert_int_equal(second.mtime_ns, 1577934245 * NS_PER_S);
	assert_properties(s, "o", second.etag, &p); /* content type and the like are still there */
	assert_text(s, "o", "bytes", second.etag);
	assert_int_equal(store_set_metadata(s, "o", &p, first.etag, NULL, never, &e), -ESTALE);
	err_clear(&e);
	r = store_set_metadata(s, "none", &p, first.etag, NULL, never, &e);
	assert_true(r == -ENOENT || r == -ESTALE);
	assert_nothing(s, "none");
	store_free(s);
}

/* ---- copies */

static int
copy(struct store *s, const char *etag, const char *to, struct store_condition c,
     struct store_written *out)
{
	struct err e = { 0 };
	int r = store_copy(s, "from", etag, to, c, out, never, &e);

	if (r < 0 && r != -ESTALE && r != -EEXIST && r != -ENOENT)
		print_error("copy: %s\n", e.text);
	return r;
}

void
store_contract_write_copy(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	AUTO_STORE_PROPERTIES p = { .meta = NULL };
	struct store_written source, made, over;
	struct err e = { 0 };
	int r;

	assert_int_equal(copy(s, NULL, "to", any, NULL), -ENOENT);
	fill_properties(&p);
	assert_int_equal(store_put(s, "from", &p, span_str("sealed"), any, &source, never, &e), 0);
	assert_int_equal(copy(s, source.etag, "to/b", absent, &made), 0);
	assert_text(s, "to/b", "sealed", made.etag);
	assert_properties(s, "to/b", made.etag, &p);
	assert_text(s, "from", "sealed", source.etag);
	assert_int_equal(copy(s, source.etag, "to/b", absent, NULL), -EEXIST);
	assert_int_equal(copy(s, source.etag, "to/b", if_match("0x8D0000000000000"), NULL),
			 -ESTALE);
	assert_int_equal(copy(s, "0x8D0000000000000", "to/b", any, NULL), -ESTALE);
	r = copy(s, "0x8D0000000000000", "new", absent, NULL);
	assert_true(r == -ESTALE || (f->blurs_source && r == -EEXIST));
	assert_nothing(s, "new");
	assert_text(s, "to/b", "sealed", made.etag);
	over = must_put(s, "to/b", "other");
	assert_int_equal(copy(s, source.etag, "to/b", if_match(over.etag), &made), 0);
	assert_string_not_equal(over.etag, made.etag);
	assert_text(s, "to/b", "sealed", made.etag);
	must_put(s, "from", "changed"); /* what was copied does not follow */
	assert_text(s, "to/b", "sealed", made.etag);
	store_free(s);
}

/* ---- the end of objects, folders */

static int
delete_object(struct store *s, const char *name, const char *etag)
{
	struct err e = { 0 };

	return store_delete(s, name, etag, never, &e);
}

void
store_contract_write_delete(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);
	struct store_written old = must_put(s, "a/b", "1"), new = must_put(s, "a/b", "2");
	int r;

	assert_int_equal(delete_object(s, "a/b", old.etag), -ESTALE);
	assert_text(s, "a/b", "2", new.etag);
	assert_int_equal(delete_object(s, "a/b", new.etag), 0);
	assert_nothing(s, "a/b");
	r = delete_object(s, "a/b", new.etag);
	assert_true(r == -ENOENT || r == -ESTALE);
	assert_int_equal(delete_object(s, "a/b", NULL), -ENOENT);
	must_put(s, "a/b", "3"); /* where the directory may have gone */
	assert_int_equal(delete_object(s, "a/b", NULL), 0);
	assert_nothing(s, "a/b");
	store_free(s);
}

static int
make_folder(struct store *s, const char *name)
{
	struct err e = { 0 };

	return store_make_folder(s, name, never, &e);
}

static int
remove_folder(struct store *s, const char *name)
{
	struct err e = { 0 };

	return store_remove_folder(s, name, never, &e);
}

static int
count(void *arg, const struct store_entry *entry, struct err *e)
{
	(void)e;
	*(unsigned *)arg += entry->kind == STORE_PREFIX || entry->folder;
	return 0;
}

static unsigned
probe(struct store *s, const char *name)
{
	unsigned n = 0;
	struct err e = { 0 };

	assert_int_equal(store_probe(s, name, (struct store_list_sink){ count, &n }, never, &e), 0);
	return n;
}

void
store_contract_write_folders(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);

	assert_int_equal(remove_folder(s, "nothing"), 0);
	assert_int_equal(make_folder(s, "d"), 0);
	assert_int_equal(probe(s, "d"), 1);
	assert_int_equal(make_folder(s, "d"), -EEXIST);
	must_put(s, "d/x", "1");
	assert_int_equal(remove_folder(s, "d"), -ENOTEMPTY);
	assert_int_equal(delete_object(s, "d/x", NULL), 0);
	assert_int_equal(probe(s, "d"), 1);
	assert_int_equal(remove_folder(s, "d"), 0);
	assert_int_equal(probe(s, "d"), 0);
	must_put(s, "implicit/deep/x", "1");
	assert_int_equal(make_folder(s, "implicit"), -EEXIST);
	assert_int_equal(make_folder(s, "implicit/deep"), -EEXIST);
	assert_int_equal(make_folder(s, "implicit/deep/x"), -EEXIST);
	assert_int_equal(remove_folder(s, "implicit"), -ENOTEMPTY);
	assert_int_equal(delete_object(s, "implicit/deep/x", NULL), 0);
	assert_int_equal(remove_folder(s, "implicit"), 0);
	assert_int_equal(probe(s, "implicit"), 0);
	assert_int_equal(make_folder(s, "d"), 0); /* again, and one in the other */
	assert_int_equal(make_folder(s, "d/e"), 0);
	assert_int_equal(remove_folder(s, "d"), -ENOTEMPTY);
	assert_int_equal(remove_folder(s, "d/e"), 0);
	assert_int_equal(remove_folder(s, "d"), 0);
	store_free(s);
}

/* ---- names */

void
store_contract_write_names(const struct contract_fixture *f)
{
	const char *name[STORE_CONTRACT_NAMES_MAX];
	struct store *s = open_writable(f);
	const unsigned n = store_contract_names(f, name);

	for (unsigned i = 0; i < n; i++)
		if (put(s, name[i], span_str(name[i]), absent, NULL) != 0)
			fail_msg("cannot put '%s'", name[i]);
	for (unsigned i = 0; i < n; i++)
		assert_text(s, name[i], name[i], NULL);
	for (unsigned i = 0; i < n; i += 2)
		assert_int_equal(delete_object(s, name[i], NULL), 0);
	for (unsigned i = 0; i < n; i++) {
		if (i % 2 == 0)
			assert_nothing(s, name[i]);
		else
			assert_text(s, name[i], name[i], NULL);
	}
	store_free(s);
}

/* ---- threads */

enum { READERS = 4, WRITERS = 8, VERSION = 300 * 1000 };

struct reading {
	struct store *s;
	atomic_bool *ended;
	unsigned seen;
	const char *wrong;
};

static void *
read_all_the_time(void *arg)
{
	struct reading *r = arg;
	struct whole w = { .p = NULL };

	while (!atomic_load(r->ended)) {
		if (read_whole(r->s, "o", &w) < 0)
			r->wrong = "cannot be read";
		else if (w.n != VERSION && w.n != VERSION + 1)
			r->wrong = "of neither size";
		for (size_t i = 1; i < w.n && r->wrong == NULL; i++)
			if (w.p[i] != w.p[0])
				r->wrong = "a mixture";
		r->seen++;
	}
	free(w.p);
	return NULL;
}

void
store_contract_write_readers(const struct contract_fixture *f)
{
	const unsigned overwrites = f->slow ? 50 : 200;
	struct store *s = open_writable(f);
	struct reading reading[READERS];
	pthread_t thread[READERS];
	uint8_t *p = malloc(VERSION + 1);
	atomic_bool ended = false;

	memset(p, 0, VERSION);
	assert_int_equal(put(s, "o", span_of(p, VERSION), any, NULL), 0);
	for (unsigned i = 0; i < READERS; i++) {
		reading[i] = (struct reading){ .s = s, .ended = &ended };
		assert_int_equal(pthread_create(&thread[i], NULL, read_all_the_time, &reading[i]),
				 0);
	}
	for (unsigned i = 1; i <= overwrites; i++) {
		memset(p, (int)i, VERSION + 1);
		assert_int_equal(put(s, "o", span_of(p, VERSION + i % 2), any, NULL), 0);
	}
	atomic_store(&ended, true);
	for (unsigned i = 0; i < READERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		if (reading[i].wrong != NULL)
			fail_msg("%s", reading[i].wrong);
		assert_true(reading[i].seen > 0);
	}
	free(p);
	store_free(s);
}

struct racer {
	struct store *s;
	pthread_barrier_t *start;
	struct store_condition condition;
	char text[16];
	int r;
};

static void *
race(void *arg)
{
	struct racer *me = arg;

	(void)pthread_barrier_wait(me->start);
	me->r = put(me->s, "o", span_str(me->text), me->condition, NULL);
	return NULL;
}

static void
run_race(struct store *s, struct store_condition condition, int lost)
{
	struct racer racer[WRITERS];
	pthread_t thread[WRITERS];
	pthread_barrier_t start;
	unsigned winners = 0, winner = 0;

	assert_int_equal(pthread_barrier_init(&start, NULL, WRITERS), 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		racer[i] = (struct racer){ .s = s, .start = &start, .condition = condition };
		(void)snprintf(racer[i].text, sizeof(racer[i].text), "racer %u", i);
		assert_int_equal(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		assert_int_equal(pthread_join(thread[i], NULL), 0);
		assert_true(racer[i].r == 0 || racer[i].r == lost);
		if (racer[i].r == 0) {
			winners++;
			winner = i;
		}
	}
	assert_int_equal(winners, 1);
	assert_text(s, "o", racer[winner].text, NULL);
	(void)pthread_barrier_destroy(&start);
}

void
store_contract_write_race(const struct contract_fixture *f)
{
	struct store *s = open_writable(f);

	for (unsigned i = 0; i < 10; i++) {
		struct store_written w;

		run_race(s, absent, -EEXIST);
		w = must_put(s, "o", "again");
		run_race(s, if_match(w.etag), -ESTALE);
		assert_int_equal(delete_object(s, "o", NULL), 0);
	}
	store_free(s);
}
