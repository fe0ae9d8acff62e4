/* SPDX-License-Identifier: MIT */
/*
 * crypto/documentseal: what the official clients of JavaScript and Java stored, made again from
 * what it stands for.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/documentseal.h"
#include "tests/unit/crypto/cosmosset.h"

enum { TEXT_MAX = 4 << 20 };

struct opened {
	struct container_def def;
	struct document_key key[POLICY_PATHS_MAX];
	struct document_rules rules;
};

static struct document_worker *worker;
static unsigned n_equal, n_other; /* cells */

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
	return 0;
}

static void
open_container(const char *set, const char *id, struct opened *o)
{
	json_t *file = cosmos_file(set, "containers.json"), *container,
	       *keys = cosmos_file(set, "keys/unwrapped.json");
	size_t i;

	*o = (struct opened){ .rules = { .def = &o->def, .key = o->key } };
	json_array_foreach(json_object_get(file, "DocumentCollections"), i, container)
	{
		struct err e = { 0 };
		char *text;

		if (strcmp(cosmos_text(container, "id"), id) != 0)
			continue;
		text = json_dumps(container, 0);
		assert_int_equal(container_def_parse(span_str(text), &o->def, &e), 0);
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

static void
read_file(const char *set, const char *name, struct buf *out)
{
	struct err e = { 0 };
	char path[256], piece[4096];
	size_t n;
	FILE *f;

	(void)snprintf(path, sizeof(path), "tests/vectors/%s/%s", set, name);
	f = fopen(path, "rbe");
	assert_non_null(f);
	buf_init(out, TEXT_MAX);
	while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
		assert_int_equal(buf_add(out, piece, n, &e), 0);
	(void)fclose(f);
}

static json_t *
parse(const struct buf *text)
{
	json_t *j = json_loadb(buf_str(text), text->n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL,
			       NULL);

	assert_non_null(j);
	return j;
}

/* ---- two sealed documents ---- */

/* The Java client writes nested members called id in the alphabet of ids: the same bytes. */
static bool
same_cell(const char *a, const char *b)
{
	for (; *a != '\0' && *b != '\0'; a++, b++)
		if (*a != *b && !(*a == '-' && *b == '+') && !(*a == '_' && *b == '/'))
			return false;
	return *a == *b;
}

static void check_value(const json_t *stored, const json_t *made, int kind);

static void
check_members(const json_t *stored, const json_t *made, int kind)
{
	const char *name;
	json_t *value;

	assert_int_equal(json_object_size(stored), json_object_size(made));
	json_object_foreach((json_t *)(uintptr_t)stored, name, value)
		check_value(value, json_object_get(made, name), kind);
}

/* kind: of the policy path that the value is below, -1 = in clear. */
static void
check_value(const json_t *stored, const json_t *made, int kind)
{
	json_t *value;
	size_t i;

	assert_non_null(made);
	assert_int_equal(json_typeof(stored), json_typeof(made));
	if (json_is_object(stored)) {
		check_members(stored, made, kind);
	} else if (json_is_array(stored)) {
		assert_int_equal(json_array_size(stored), json_array_size(made));
		json_array_foreach(stored, i, value)
			check_value(value, json_array_get(made, i), kind);
	} else if (kind < 0 || json_is_null(stored)) {
		assert_true(json_equal(stored, made));
	} else if (kind == CELL_DETERMINISTIC) {
		assert_true(same_cell(json_string_value(stored), json_string_value(made)));
		n_equal++;
	} else {
		assert_int_equal(json_string_length(stored), json_string_length(made));
		assert_string_not_equal(json_string_value(stored), json_string_value(made));
		n_other++;
	}
}

static void
check_document(const struct opened *o, const struct buf *stored, const struct buf *made)
{
	static const char *const service[] = { "_rid", "_etag", "_ts", "_self", "_attachments" };
	json_t *a = parse(stored), *b = parse(made), *value;
	const char *name;

	for (size_t i = 0; i < ARRAY_LEN(service); i++)
		(void)json_object_del(a, service[i]);
	assert_int_equal(json_object_size(a), json_object_size(b));
	json_object_foreach(a, name, value)
	{
		const int path = container_def_find(&o->def, span_str(name));

		if (path == o->def.id_policy && path >= 0)
			assert_string_equal(json_string_value(value),
					    json_string_value(json_object_get(b, name)));
		check_value(value, json_object_get(b, name),
			    path < 0 ? -1 : (int)o->def.path[path].kind);
	}
	json_decref(a);
	json_decref(b);
}

/* plain: what the client says, or NULL: what the stored one opens to. */
static void
seal_again(const char *set, const json_t *entry, const char *plain_file)
{
	struct document_head head;
	struct err e = { 0 };
	struct opened o;
	AUTO_BUF stored, plain, made, opened, again;

	open_container(set, cosmos_text(entry, "container"), &o);
	read_file(set, cosmos_text(entry, "stored"), &stored);
	buf_init(&plain, TEXT_MAX);
	buf_init(&made, TEXT_MAX);
	buf_init(&opened, TEXT_MAX);
	buf_init(&again, TEXT_MAX);
	if (plain_file != NULL)
		read_file(set, plain_file, &plain);
	else
		assert_int_equal(
			document_unseal(worker, &o.rules, buf_span(&stored), &plain, &head, &e), 0);
	if (document_seal(worker, &o.rules, buf_span(&plain), &made, &head, &e) != 0)
		fail_msg("%s: %s", cosmos_text(entry, "stored"), e.text);
	assert_int_equal(head.id.n, strlen(cosmos_text(entry, "storedId")));
	assert_memory_equal(head.id.p, cosmos_text(entry, "storedId"), head.id.n);
	check_document(&o, &stored, &made);
	assert_int_equal(document_unseal(worker, &o.rules, buf_span(&made), &opened, &head, &e), 0);
	assert_int_equal(document_seal(worker, &o.rules, buf_span(&opened), &again, &head, &e), 0);
	assert_int_equal(made.n, again.n);
	close_container(&o);
}

/* The Java client leaves some scalars in clear; nobody else does, and neither do we. */
static bool
is_whole(const json_t *entry)
{
	return json_object_get(entry, "clearInsideEncrypted") == NULL;
}

static void
every_document_of_the_clients_is_made_again(void **state)
{
	(void)state;
	n_equal = n_other = 0;
	for (size_t s = 0; s < ARRAY_LEN(cosmos_sets); s++) {
		json_t *index = cosmos_file(cosmos_sets[s], "index.json"), *entry;
		size_t i;

		json_array_foreach(index, i, entry) if (is_whole(entry))
			seal_again(cosmos_sets[s], entry, NULL);
		json_decref(index);
	}
	assert_true(n_equal > 100 && n_other > 50);
}

/* The texts that the Java client's reader returned have 1 and 1.0 apart: no reader of ours is in
 * between. */
static void
plain_texts_of_the_java_client_become_what_it_stored(void **state)
{
	json_t *index = cosmos_file("cosmos-java", "index.json"), *entry;
	unsigned n = 0;
	size_t i;

	(void)state;
	json_array_foreach(index, i, entry)
	{
		const char *expected = json_string_value(json_object_get(entry, "expected"));

		if (!is_whole(entry))
			continue;
		seal_again("cosmos-java", entry,
			   expected != NULL ? expected : cosmos_text(entry, "decrypted"));
		n++;
	}
	assert_true(n > 25);
	json_decref(index);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_document_of_the_clients_is_made_again),
		cmocka_unit_test(plain_texts_of_the_java_client_become_what_it_stored),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
