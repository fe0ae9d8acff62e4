/* SPDX-License-Identifier: MIT */
/*
 * crypto/document: every document that the official clients of JavaScript and Java stored, and
 * each damaged cell, as a document holds it.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/document.h"
#include "tests/unit/crypto/cosmosset.h"

enum { PLAIN_MAX = 1 << 20 };

/* A container of a set, with the keys of its policy. */
struct opened {
	struct container_def def;
	struct document_key key[POLICY_PATHS_MAX];
	struct document_rules rules;
};

static struct document_worker *worker;

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	return document_worker_new(&worker, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	document_worker_free(worker);
	document_worker_free(NULL);
	return 0;
}

static void
open_container(const char *set, const char *id, struct opened *o)
{
	json_t *file = cosmos_file(set, "containers.json"), *keys, *container;
	size_t i;

	*o = (struct opened){ .rules = { .def = &o->def, .key = o->key } };
	keys = cosmos_file(set, "keys/unwrapped.json");
	json_array_foreach(json_object_get(file, "DocumentCollections"), i, container)
	{
		struct err e = { 0 };
		char *text;

		if (strcmp(cosmos_text(container, "id"), id) != 0)
			continue;
		text = json_dumps(container, 0);
		if (container_def_parse(span_str(text), &o->def, &e) != 0)
			fail_msg("%s", e.text);
		free(text);
	}
	assert_non_null(o->def.id);
	for (i = 0; i < o->def.n_paths; i++)
		o->key[i].keys = cosmos_keys(keys, o->def.path[i].dek_id);
	json_decref(keys);
	json_decref(file);
}

static void
close_container(struct opened *o)
{
	for (size_t i = 0; i < o->def.n_paths; i++)
		dek_keys_free((struct dek_keys *)(uintptr_t)o->key[i].keys);
	container_def_clear(&o->def);
}

/* The text of a file, exact, so that a sanitizer sees a read past its end. */
static struct span
read_file(const char *set, const char *name)
{
	char path[256];
	uint8_t *p;
	FILE *f;
	long n;

	(void)snprintf(path, sizeof(path), "tests/vectors/%s/%s", set, name);
	f = fopen(path, "rbe");
	assert_non_null(f);
	assert_int_equal(fseek(f, 0, SEEK_END), 0);
	n = ftell(f);
	rewind(f);
	p = malloc((size_t)n);
	assert_int_equal(fread(p, 1, (size_t)n, f), n);
	(void)fclose(f);
	return span_of(p, (size_t)n);
}

static bool same(const json_t *a, const json_t *b, bool exact);

static bool
same_members(const json_t *a, const json_t *b, bool exact)
{
	const char *name;
	json_t *value;

	if (json_object_size(a) != json_object_size(b))
		return false;
	json_object_foreach((json_t *)(uintptr_t)a, name,
			    value) if (!same(value, json_object_get(b, name), exact)) return false;
	return true;
}

/* Exact: long and double are different, and so are the two zeros. */
static bool
same(const json_t *a, const json_t *b, bool exact)
{
	size_t i;
	json_t *value;

	if (json_is_number(a) && json_is_number(b) && !exact)
		return json_number_value(a) == json_number_value(b);
	if (json_is_real(a) && json_is_real(b))
		return json_real_value(a) == json_real_value(b) &&
		       signbit(json_real_value(a)) == signbit(json_real_value(b));
	if (json_is_object(a) && json_is_object(b))
		return same_members(a, b, exact);
	if (!json_is_array(a) || !json_is_array(b))
		return json_equal(a, b) == 1;
	json_array_foreach(a, i, value) if (!same(value, json_array_get(b, i), exact)) return false;
	return json_array_size(a) == json_array_size(b);
}

static bool
is_text(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static void
check_document(const char *set, const json_t *entry)
{
	const json_t *clear = json_object_get(entry, "clearInsideEncrypted");
	const char *want_file = json_string_value(json_object_get(entry, "expected"));
	const struct span text = read_file(set, cosmos_text(entry, "stored"));
	struct document_head head;
	struct opened o;
	struct err e = { 0 };
	json_t *want, *got;
	AUTO_BUF out;

	buf_init(&out, PLAIN_MAX);
	open_container(set, cosmos_text(entry, "container"), &o);
	if (clear != NULL) {
		assert_int_equal(document_unseal(worker, &o.rules, text, &out, &head, &e), -EACCES);
		assert_string_equal(e.event, "policy.clear_cell");
		assert_int_equal(out.n, 0);
		err_clear(&e);
		o.rules.clear_cells = CLEAR_CELLS_JAVA;
	}
	if (document_unseal(worker, &o.rules, text, &out, &head, &e) != 0)
		fail_msg("%s: %s", cosmos_text(entry, "stored"), e.text);
	want = cosmos_file(set, want_file != NULL ? want_file : cosmos_text(entry, "decrypted"));
	got = json_loadb(buf_str(&out), out.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (got == NULL || !same(got, want, strcmp(set, "cosmos-java") == 0))
		fail_msg("%s: %s", cosmos_text(entry, "stored"), buf_str(&out));
	assert_null(memchr(out.p, '\n', out.n));
	assert_int_equal(document_set_empty(&head.clear), clear == NULL);
	assert_true(document_set_empty(&head.withheld) && document_set_empty(&head.sibling));
	assert_true(is_text(head.id, cosmos_text(entry, "storedId")));
	assert_true(head.ts > 0 && head.etag.n > 4 && head.rid.n > 0);
	json_decref(want);
	json_decref(got);
	free((void *)(uintptr_t)text.p);
	close_container(&o);
}

static void
every_document_opens_as_the_client_read_it(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *index = cosmos_file(cosmos_sets[s], "index.json"), *entry;
		size_t i;

		assert_true(json_array_size(index) > 30);
		json_array_foreach(index, i, entry) check_document(cosmos_sets[s], entry);
		json_decref(index);
	}
}

/* The partition key given to the client is what the stored leaves stand for. */
static void
check_partition(const char *set, const json_t *entry)
{
	const json_t *given = json_object_get(entry, "partitionKeyInput");
	const struct span text = read_file(set, cosmos_text(entry, "stored"));
	struct document_head head;
	struct err e = { 0 };
	struct opened o;

	open_container(set, cosmos_text(entry, "container"), &o);
	assert_int_equal(document_scan(worker, &o.def, text, &head, &e), 0);
	assert_int_equal(json_array_size(given), o.def.n_partition);
	for (unsigned i = 0; i < o.def.n_partition; i++) {
		const json_t *want = json_array_get(given, i);
		struct span leaf = head.partition[i];
		struct cell_value v;

		assert_non_null(leaf.p);
		if (!json_is_string(want)) {
			assert_true(leaf.p[0] >= '0' && leaf.p[0] <= '9');
			continue;
		}
		leaf = span_of(leaf.p + 1, leaf.n - 2);
		if (o.def.partition[i].policy >= 0) {
			assert_int_equal(document_leaf(worker, &o.rules,
						       (size_t)o.def.partition[i].policy, leaf, &v),
					 CELL_GOOD);
			leaf = v.text;
		}
		assert_true(is_text(leaf, json_string_value(want)));
	}
	free((void *)(uintptr_t)text.p);
	close_container(&o);
}

static void
stored_partition_keys_are_those_of_the_client(void **state)
{
	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *index = cosmos_file(cosmos_sets[s], "index.json"), *entry;
		size_t i;

		json_array_foreach(index, i, entry) check_partition(cosmos_sets[s], entry);
		json_decref(index);
	}
}

/* ---- damaged cells ---- */

/* These open: what is wrong with them lies outside of what the format protects. */
static const char *const opening[] = {
	"intact",
	"base64 without padding", /* its 66 bytes need none: it is the intact one */
	"bool retyped as long",
	"long retyped as double",
	"long retyped as string",
	"url-safe base64 in a member not called id",
};

static bool
is_opening(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(opening); i++)
		if (strcmp(name, opening[i]) == 0)
			return true;
	return false;
}

static bool
opens(const struct document_rules *rules, const char *before, const char *cell, const char *behind)
{
	struct document_head head;
	struct err e = { 0 };
	char text[1000];
	int r;
	AUTO_BUF out;

	buf_init(&out, PLAIN_MAX);
	(void)snprintf(text, sizeof(text), "%s\"%s\"%s", before, cell, behind);
	r = document_unseal(worker, rules, span_str(text), &out, &head, &e);
	if (r == 0)
		return true;
	assert_true(r == -EBADMSG || r == -EACCES);
	assert_int_equal(out.n, 0);
	assert_non_null(strstr(e.text, "/s"));
	return false;
}

static void
damaged_cells_are_refused_wherever_they_stand(void **state)
{
	static const struct {
		const char *before, *behind;
	} forms[] = { { "{\"s\":", "}" }, { "{\"a\":1,\"s\":{\"x\":[[", "]]}}" } };

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *cells = cosmos_file(cosmos_sets[s], "damaged-cells.json"), *cell;
		json_t *keys = cosmos_file(cosmos_sets[s], "keys/unwrapped.json");
		size_t i;

		json_array_foreach(cells, i, cell)
		{
			char name[] = "s";
			struct policy_path path = { .name = name, .n_name = 1 };
			struct container_def def = { .path = &path, .n_paths = 1 };
			struct dek_keys *k = cosmos_keys(
				keys, cosmos_text(cell, "clientEncryptionKeyId"));
			const struct document_key key = { .keys = k };
			const struct document_rules rules = { .def = &def, .key = &key };

			for (size_t f = 0; f < ARRAY_LEN(forms); f++) {
				bool good = false;

				for (int kind = 0; kind <= CELL_RANDOMIZED; kind++) {
					path.kind = (enum cell_kind)kind;
					good = opens(&rules, forms[f].before,
						     cosmos_text(cell, "cell"), forms[f].behind) ||
					       good;
				}
				if (good != is_opening(cosmos_text(cell, "name")))
					fail_msg("%s", cosmos_text(cell, "name"));
			}
			dek_keys_free(k);
		}
		json_decref(keys);
		json_decref(cells);
	}
}

/* ---- the property that a client sealed with the wrong key ---- */

static void
a_wrong_key_of_the_client_is_found_among_the_siblings(void **state)
{
	const struct span text = read_file("cosmos-js", "documents/miskeyed/01.stored.json");
	json_t *keys = cosmos_file("cosmos-js", "keys/unwrapped.json");
	const struct dek_keys *sibling[] = { cosmos_keys(keys, "cek-c"),
					     cosmos_keys(keys, "cek-a") };
	struct document_head head;
	struct err e = { 0 };
	struct opened o;
	int second;
	AUTO_BUF out;

	(void)state;
	buf_init(&out, PLAIN_MAX);
	open_container("cosmos-js", "miskeyed", &o);
	second = container_def_find(&o.def, span_str("second"));
	assert_int_equal(document_unseal(worker, &o.rules, text, &out, &head, &e), -EBADMSG);
	assert_string_equal(e.event, "integrity.cell");
	assert_string_equal(e.text, "/second: authentication failed");
	assert_int_equal(out.n, 0);
	err_clear(&e);
	o.key[second].sibling = sibling;
	o.key[second].n_siblings = 2;
	assert_int_equal(document_unseal(worker, &o.rules, text, &out, &head, &e), 0);
	assert_non_null(strstr(buf_str(&out), "\"second\": \"two\""));
	assert_true(document_set_has(&head.sibling, (size_t)second));
	assert_int_equal(head.by_sibling[second], 1);
	assert_int_equal(head.cells, 2);
	for (size_t i = 0; i < ARRAY_LEN(sibling); i++)
		dek_keys_free((struct dek_keys *)(uintptr_t)sibling[i]);
	json_decref(keys);
	free((void *)(uintptr_t)text.p);
	close_container(&o);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_document_opens_as_the_client_read_it),
		cmocka_unit_test(stored_partition_keys_are_those_of_the_client),
		cmocka_unit_test(damaged_cells_are_refused_wherever_they_stand),
		cmocka_unit_test(a_wrong_key_of_the_client_is_found_among_the_siblings),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
