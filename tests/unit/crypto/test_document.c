/* SPDX-License-Identifier: MIT */
/*
 * crypto/document: what is copied, what is replaced, what is left out, what is refused and how
 * that is said.
 *
 * In the texts here <lN> stands for the cell of a long, <dN> a double, <bN> a boolean, <s...> a
 * string, sealed under the key of path a; <S...> is a string under the key of path b.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsonscan.h"
#include "base/number.h"
#include "crypto/document.h"

enum { TEXT_MAX = 1 << 20, A = 0, B = 1, W = 2, ID = 3, E_ACUTE = 4, N_PATHS = 5 };

static struct document_worker *worker;
static struct dek_keys *keys_a, *keys_b;
static char names[N_PATHS][4] = { "a", "b", "w", "id", "\xc3\xa9" };
static struct policy_path paths[N_PATHS];
static const struct container_def def = { .path = paths, .n_paths = N_PATHS, .id_policy = ID };
static struct document_key keys[N_PATHS];

static struct dek_keys *
make_keys(uint8_t byte)
{
	struct dek_keys *k = NULL;
	struct err e = { 0 };
	struct cek dek;

	memset(dek.k, byte, sizeof(dek.k));
	assert_int_equal(dek_keys_new(&dek, &k, &e), 0);
	return k;
}

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	keys_a = make_keys(1);
	keys_b = make_keys(2);
	for (int i = 0; i < N_PATHS; i++) {
		paths[i] = (struct policy_path){ .name = names[i], .n_name = strlen(names[i]) };
		keys[i].keys = i == W ? NULL : i == B ? keys_b : keys_a;
	}
	return document_worker_new(&worker, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	dek_keys_free(keys_a);
	dek_keys_free(keys_b);
	document_worker_free(worker);
	return 0;
}

/* ---- texts with cells ---- */

static void
add_cell(const char *what, size_t n, struct buf *out)
{
	struct cell_worker *cells = document_worker_cells(worker);
	const struct span text = span_of(what + 1, n - 1);
	struct cell_value v = { .type = CELL_STRING, .text = text };
	struct err e = { 0 };
	long long integer;
	int r;

	if (what[0] == 'l' || what[0] == 'b') {
		assert_true(number_parse_long(text, &integer));
		v = (struct cell_value){ .type = CELL_LONG, .integer = integer };
		if (what[0] == 'b')
			v = (struct cell_value){ .type = CELL_BOOLEAN, .boolean = integer != 0 };
	} else if (what[0] == 'd') {
		v.type = CELL_DOUBLE;
		assert_true(number_parse(text, &v.real));
	}
	r = buf_add(out, "\"", 1, &e);
	if (r == 0)
		r = cell_seal(cells, what[0] == 'S' ? keys_b : keys_a, &v, BASE64_STANDARD, out,
			      &e);
	if (r == 0)
		r = buf_add(out, "\"", 1, &e);
	assert_int_equal(r, 0);
}

static void
seal(const char *template, struct buf *out)
{
	struct err e = { 0 };

	buf_init(out, TEXT_MAX);
	while (*template != '\0') {
		const size_t clear = strcspn(template, "<");

		assert_int_equal(buf_add(out, template, clear, &e), 0);
		template += clear;
		if (*template == '<') {
			const size_t n = strcspn(template, ">");

			add_cell(template + 1, n - 1, out);
			template += n + 1;
		}
	}
}

/* As document_unseal, of a text with cells, which is exact for the sanitizer. */
static int
unseal(const char *template, enum clear_cells clear, struct buf *out, struct document_head *head,
       struct err *e)
{
	const struct document_rules rules = { .def = &def, .key = keys, .clear_cells = clear };
	uint8_t *exact;
	int r;
	AUTO_BUF text;

	seal(template, &text);
	exact = malloc(text.n > 0 ? text.n : 1);
	if (text.n > 0)
		memcpy(exact, text.p, text.n);
	r = document_unseal(worker, &rules, span_of(exact, text.n), out, head, e);
	free(exact);
	assert_int_equal(r, -e->no);
	return r;
}

/* ---- what becomes of a text ---- */

static const struct {
	const char *text, *plain;
} opened[] = {
	{ "{}", "{}" },
	{ " \n{}\r\n ", "{}" },
	{ "{\"x\":1}", "{\"x\":1}" },
	{ "{\"a\":<shello>}", "{\"a\":\"hello\"}" },
	{ "{\"a\":<s>}", "{\"a\":\"\"}" },
	{ "{\"a\":<l42>}", "{\"a\":42}" },
	{ "{\"a\":<l-9223372036854775808>}", "{\"a\":-9223372036854775808}" },
	{ "{\"a\":<d1>}", "{\"a\":1.0}" },
	{ "{\"a\":<d-0.0>}", "{\"a\":-0.0}" },
	{ "{\"a\":<d0.1>}", "{\"a\":0.1}" },
	{ "{\"a\":<b1>,\"b\":null}", "{\"a\":true,\"b\":null}" },
	{ "{\"a\":<b0>}", "{\"a\":false}" },
	{ "{\"a\":<sx\"\\\n\x01\xc3\xa9>}", "{\"a\":\"x\\\"\\\\\\n\\u0001\xc3\xa9\"}" },
	/* Everything below the path is sealed, whatever its name; nothing elsewhere is. */
	{ "{\"a\":[<l1>,[<l2>],{\"k\":<l3>,\"a\":{\"x\":<l4>}}],\"k\":{\"a\":[1,\"x\"]}}",
	  "{\"a\":[1,[2],{\"k\":3,\"a\":{\"x\":4}}],\"k\":{\"a\":[1,\"x\"]}}" },
	{ "{\"a\":null,\"b\":{}}", "{\"a\":null,\"b\":{}}" },
	{ "{\"a\":[null,{},[],{\"k\":null}]}", "{\"a\":[null,{},[],{\"k\":null}]}" },
	{ "{\"x\":{\"w\":[{\"id\":2}]}}", "{\"x\":{\"w\":[{\"id\":2}]}}" },
	/* Names are compared as what they stand for. */
	{ "{\"\\u0061\":<l1>,\"\\u00e9\":<l2>}", "{\"\\u0061\":1,\"\\u00e9\":2}" },
	{ "{\"\xc3\xa9\":<l2>,\"A\":3}", "{\"\xc3\xa9\":2,\"A\":3}" },
	/* What is in clear comes out as it came in. */
	{ "{\"n\":[18446744073709551615,1e400,0.1,-0,1.0,1E+2],\"a\":<l1>}",
	  "{\"n\":[18446744073709551615,1e400,0.1,-0,1.0,1E+2],\"a\":1}" },
	{ "{\"n\":\"\\u0000\\ud800\\/\\u00e9\",\"\\/\":1,\"a\":<l1>}",
	  "{\"n\":\"\\u0000\\ud800\\/\\u00e9\",\"\\/\":1,\"a\":1}" },
	/* Line breaks between tokens become blanks, other white space stays. */
	{ "{\n\t\"x\" :\r\n 1 ,\n\"a\":\n<l1>\n}\n", "{ \t\"x\" :   1 , \"a\": 1 }" },
	/* Left out, with one comma. */
	{ "{\"w\":1}", "{}" },
	{ "{ \"w\" : 1 }", "{  }" },
	{ "{\"w\":[{\"q\":1}],\"x\":1}", "{\"x\":1}" },
	{ "{\"w\":1 , \"x\":1}", "{\"x\":1}" },
	{ "{\"x\":1,\"w\":\"s\"}", "{\"x\":1}" },
	{ "{\"x\":1 , \"w\":null\n}", "{\"x\":1 }" },
	{ "{\"x\":1,\"w\":true,\"y\":2}", "{\"x\":1,\"y\":2}" },
	{ "{\"a\":<l1>,\"w\":{\"a\":7},\"b\":<Sx>}", "{\"a\":1,\"b\":\"x\"}" },
	{ "{\"w\":<l1>,\"a\":<l2>}", "{\"a\":2}" },
	{ "{\"x\":[],\"\\u0077\":<l1>}", "{\"x\":[]}" },
};

static void
leaves_are_replaced_and_all_else_is_copied(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(opened); i++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, TEXT_MAX);
		assert_int_equal(buf_add(&out, "<", 1, &e), 0);
		if (unseal(opened[i].text, CLEAR_CELLS_DENY, &out, &head, &e) != 0)
			fail_msg("%s: %s", opened[i].text, e.text);
		assert_int_equal(out.p[0], '<');
		assert_string_equal(buf_str(&out) + 1, opened[i].plain);
		assert_true(document_set_empty(&head.clear) && document_set_empty(&head.sibling));
	}
}

/* The first member, the last, those between, and any of them together. */
static void
members_are_left_out_in_any_place(void **state)
{
	char many[8][4];
	struct policy_path path[8];
	struct document_key key[8] = { 0 };
	struct container_def eight = { .path = path, .n_paths = 8 };
	const struct document_rules rules = { .def = &eight, .key = key };

	(void)state;
	for (unsigned i = 0; i < 8; i++) {
		(void)snprintf(many[i], sizeof(many[i]), "m%u", i);
		path[i] = (struct policy_path){ .name = many[i], .n_name = 2 };
	}
	for (unsigned set = 0; set < 64; set++) {
		char text[200] = "{", want[200] = "{";
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, TEXT_MAX);
		for (unsigned i = 0; i < 6; i++) {
			const bool out_of_it = (set >> i & 1) != 0;
			const size_t n = strlen(text), n_want = strlen(want);

			(void)snprintf(text + n, sizeof(text) - n, "%s\"%c%u\":{\"k\":[%u]}",
				       i > 0 ? "," : "", out_of_it ? 'm' : 'k', i, i);
			if (!out_of_it)
				(void)snprintf(want + n_want, sizeof(want) - n_want,
					       "%s\"k%u\":{\"k\":[%u]}", n_want > 1 ? "," : "", i,
					       i);
		}
		(void)strcat(text, "}");
		(void)strcat(want, "}");
		assert_int_equal(document_unseal(worker, &rules, span_str(text), &out, &head, &e),
				 0);
		assert_string_equal(buf_str(&out), want);
		assert_true(head.withheld.bits[0] == set);
	}
}

static void
cells_may_be_escaped(void **state)
{
	const struct document_rules rules = { .def = &def, .key = keys };
	AUTO_BUF cell;

	(void)state;
	seal("<sescaped>", &cell);
	for (int slash_only = 0; slash_only <= 1; slash_only++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF text, out;

		buf_init(&text, TEXT_MAX);
		buf_init(&out, TEXT_MAX);
		assert_int_equal(buf_add_str(&text, "{\"a\":\"", &e), 0);
		for (size_t i = 1; i < cell.n - 1; i++) {
			char one[8];

			(void)snprintf(one, sizeof(one), "\\u00%02x", cell.p[i]);
			if (slash_only)
				(void)snprintf(one, sizeof(one), "%s%c",
					       cell.p[i] == '/' ? "\\" : "", cell.p[i]);
			assert_int_equal(buf_add_str(&text, one, &e), 0);
		}
		assert_int_equal(buf_add_str(&text, "\"}", &e), 0);
		assert_int_equal(document_unseal(worker, &rules, buf_span(&text), &out, &head, &e),
				 0);
		assert_string_equal(buf_str(&out), "{\"a\":\"escaped\"}");
		assert_int_equal(head.cells, 1);
	}
}

/* ---- leaves in clear ---- */

static const struct {
	const char *text;
	const char *deny, *java, *show; /* NULL: it passes; else what is said */
} in_clear[] = {
	{ "{\"a\":1}", "/a", "/a", NULL },
	{ "{\"a\":true}", "/a", "/a", NULL },
	{ "{\"a\":1e400}", "/a", "/a", NULL },
	{ "{\"a\":\"\"}", "/a", "/a", NULL },
	{ "{\"a\":\"in \\n clear\"}", "/a", "/a", NULL },
	{ "{\"a\":{\"k\":[<l1>,2]}}", "/a/k/1", "/a/k/1", NULL },
	{ "{\"a\":[1]}", "/a/0", "/a/0", NULL },
	{ "{\"a\":[1,{}]}", "/a/0", "/a/0", NULL },
	{ "{\"a\":[null,{},1]}", "/a/2", "/a/2", NULL },
	{ "{\"a\":[<l0>,[],\"x\"]}", "/a/2", "/a/2", NULL },
	/* What the Java client leaves in clear. */
	{ "{\"a\":[{},1]}", "/a/1", NULL, NULL },
	{ "{\"a\":[[],\"x\",2.50,true,null]}", "/a/1", NULL, NULL },
	{ "{\"a\":[{\"k\":<l1>},[<l2>],false]}", "/a/2", NULL, NULL },
	{ "{\"a\":{\"k\":[[[<l1>],5]]}}", "/a/k/0/1", NULL, NULL },
	{ "{\"a\":[[],{\"k\":1}]}", "/a/1/k", "/a/1/k", NULL },
	{ "{\"a\":[[],[1]]}", "/a/1/0", "/a/1/0", NULL },
	{ "{\"a\":[[1]]}", "/a/0/0", "/a/0/0", NULL },
	{ "{\"a\":[[],[<l1>,2],3]}", "/a/1/1", "/a/1/1", NULL },
};

static void
check_clear(const char *text, enum clear_cells mode, const char *pointer)
{
	struct document_head head;
	struct err e = { 0 };
	char want[200];
	int r;
	AUTO_BUF out;

	buf_init(&out, TEXT_MAX);
	r = unseal(text, mode, &out, &head, &e);
	if (r != (pointer == NULL ? 0 : -EACCES))
		fail_msg("%s, mode %d: %s", text, (int)mode, e.text);
	if (pointer == NULL) {
		assert_true(document_set_has(&head.clear, A));
		return;
	}
	(void)snprintf(want, sizeof(want), "%s: in clear, where the policy says encrypted",
		       pointer);
	assert_string_equal(e.text, want);
	assert_string_equal(e.event, "policy.clear_cell");
	assert_int_equal(out.n, 0);
}

static void
leaves_in_clear_pass_by_rule_only(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in_clear); i++) {
		check_clear(in_clear[i].text, CLEAR_CELLS_DENY, in_clear[i].deny);
		check_clear(in_clear[i].text, CLEAR_CELLS_JAVA, in_clear[i].java);
		check_clear(in_clear[i].text, CLEAR_CELLS_SHOW, in_clear[i].show);
	}
}

static void
what_passes_in_clear_is_copied_and_cells_beside_it_open(void **state)
{
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, TEXT_MAX);
	assert_int_equal(unseal("{\"a\":[[],\"\\u0041\", 1e400 ,<scell>,null],\"b\":<Sx>}",
				CLEAR_CELLS_JAVA, &out, &head, &e),
			 0);
	assert_string_equal(buf_str(&out),
			    "{\"a\":[[],\"\\u0041\", 1e400 ,\"cell\",null],\"b\":\"x\"}");
	assert_int_equal(head.cells, 2);
	assert_false(document_set_has(&head.clear, B));
}

/* ---- what is never shown ---- */

static const struct {
	const char *text, *said;
} wrong[] = {
	{ "{\"b\":<sx>}", "/b: authentication failed" },
	{ "{\"x\":1,\"a\":[<l1>,{\"k\":[<Sx>]}]}", "/a/1/k/0: authentication failed" },
	{ "{\"a\":[[],<Sx>]}", "/a/1: authentication failed" },
	{ "{\"a\":{\"p\":<l1>,\"q\":{\"r\":<l2>},\"s\":<Sx>}}", "/a/s: authentication failed" },
};

static void
a_cell_that_does_not_open_fails_the_document(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		for (int mode = CLEAR_CELLS_DENY; mode <= (int)CLEAR_CELLS_SHOW; mode++) {
			struct document_head head = { .cells = 77 };
			struct err e = { 0 };
			AUTO_BUF out;

			buf_init(&out, TEXT_MAX);
			assert_int_equal(buf_add(&out, "kept", 4, &e), 0);
			assert_int_equal(
				unseal(wrong[i].text, (enum clear_cells)mode, &out, &head, &e),
				-EBADMSG);
			assert_string_equal(e.text, wrong[i].said);
			assert_string_equal(e.event, "integrity.cell");
			assert_int_equal(out.n, 4);
			assert_string_equal(buf_str(&out), "kept");
			assert_int_equal(head.cells, 77);
		}
	}
}

/* The plain text of what had been opened before the failure is gone from the buffer. */
static void
a_failure_wipes_what_was_added(void **state)
{
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, TEXT_MAX);
	assert_int_equal(
		unseal("{\"a\":[<sSECRET>,<sSECRET>,<Sx>]}", CLEAR_CELLS_DENY, &out, &head, &e),
		-EBADMSG);
	for (size_t i = 0; i + 6 <= out.room; i++)
		assert_memory_not_equal(out.p + i, "SECRET", 6);
}

static const struct {
	const char *text, *why;
} malformed[] = {
	{ "", "not a JSON document: a value is missing at byte 0" },
	{ "[]", "not a JSON document: no object" },
	{ "\"x\"", "not a JSON document: no object" },
	{ "{", "not a JSON document: a name is missing at byte 1" },
	{ "{}x", "not a JSON document: text after the value at byte 2" },
	{ "{\"a\":<l1>,}", "not a JSON document: a name is missing at byte 96" },
	{ "{\"a\":<l1>,\"a\":<l1>}", "not a JSON document: a member is there twice at byte 96" },
	{ "{\"x\":{\"y\":[{\"z\":1,\"z\":1}]}}",
	  "not a JSON document: a member is there twice at byte 18" },
	{ "{\"a\":{\"z\":null,\"\\u007a\":null}}",
	  "not a JSON document: a member is there twice at byte 15" },
	{ "{\"w\":{\"z\":1,\"z\":1}}", "not a JSON document: a member is there twice at byte 12" },
	{ "{\"w\":1,\"\\u0077\":1}", "not a JSON document: a member is there twice at byte 7" },
	{ "{\"x\":\"line\nbreak\"}",
	  "not a JSON document: a control character in a string at byte 10" },
	{ "{\"x\":\"\xff\"}", "not a JSON document: a string is not UTF-8 at byte 6" },
	{ "{\"x\":[1}}", "not a JSON document: a comma or an end is missing at byte 7" },
};

static void
what_is_no_document_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF out, text;

		buf_init(&out, TEXT_MAX);
		assert_int_equal(unseal(malformed[i].text, CLEAR_CELLS_SHOW, &out, &head, &e),
				 -EBADMSG);
		assert_string_equal(e.text, malformed[i].why);
		assert_string_equal(e.event, "integrity.document");
		assert_int_equal(out.n, 0);
		err_clear(&e);
		seal(malformed[i].text, &text);
		assert_int_equal(document_scan(worker, &def, buf_span(&text), &head, &e), -EBADMSG);
		assert_string_equal(e.text, malformed[i].why);
	}
}

static void
nesting_ends_at_64(void **state)
{
	(void)state;
	for (int below = 63; below <= 64; below++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF text, out;

		buf_init(&text, TEXT_MAX);
		buf_init(&out, TEXT_MAX);
		assert_int_equal(buf_add_str(&text, "{\"a\":", &e), 0);
		for (int i = 0; i < below; i++)
			assert_int_equal(buf_add_str(&text, "[", &e), 0);
		assert_int_equal(buf_add_str(&text, "<l5>", &e), 0);
		for (int i = 0; i < below; i++)
			assert_int_equal(buf_add_str(&text, "]", &e), 0);
		assert_int_equal(buf_add_str(&text, "}", &e), 0);
		assert_int_equal(unseal(buf_str(&text), CLEAR_CELLS_DENY, &out, &head, &e),
				 below == 63 ? 0 : -EBADMSG);
		assert_int_equal(out.n, below == 63 ? 6 + 2 * 63 + 1 : 0);
	}
}

static void
sizes_have_ceilings(void **state)
{
	const struct document_rules rules = { .def = &def, .key = keys };
	struct document_head head;
	struct err e = { 0 };
	uint8_t *large = malloc(DOCUMENT_TEXT_MAX + 1);
	AUTO_BUF out;

	(void)state;
	memset(large, ' ', DOCUMENT_TEXT_MAX + 1);
	large[0] = '{';
	large[DOCUMENT_TEXT_MAX - 1] = '}';
	buf_init(&out, 3);
	assert_int_equal(document_scan(worker, &def, span_of(large, DOCUMENT_TEXT_MAX), &head, &e),
			 0);
	assert_int_equal(
		document_scan(worker, &def, span_of(large, DOCUMENT_TEXT_MAX + 1), &head, &e),
		-EFBIG);
	err_clear(&e);
	assert_int_equal(document_unseal(worker, &rules, span_of(large, DOCUMENT_TEXT_MAX + 1),
					 &out, &head, &e),
			 -EFBIG);
	err_clear(&e);
	free(large);
	/* A plain text may fit where the sealed one would not. */
	assert_int_equal(unseal("{\"w\":\"long enough\"}", CLEAR_CELLS_DENY, &out, &head, &e), 0);
	buf_reset(&out);
	assert_int_equal(unseal("{\"a\":<l1>}", CLEAR_CELLS_DENY, &out, &head, &e), -EFBIG);
	assert_int_equal(out.n, 0);
}

/* However long the names on the way are, the reason is there to read. */
static void
long_paths_are_cut_and_the_reason_is_not(void **state)
{
	char text[3000] = "{\"a\":", name[400];
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, TEXT_MAX);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	for (int i = 0; i < 3; i++)
		(void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "{\"%s\":", name);
	(void)strcat(text, "<Sx>}}}}");
	assert_int_equal(unseal(text, CLEAR_CELLS_DENY, &out, &head, &e), -EBADMSG);
	assert_memory_equal(e.text, "/a/nnnn", 7);
	assert_non_null(strstr(e.text, ": authentication failed"));
}

/* ---- keys ---- */

static void
siblings_are_tried_in_order_after_a_wrong_tag(void **state)
{
	struct dek_keys *other = make_keys(3);
	const struct dek_keys *const siblings[] = { other, keys_b, keys_b };
	struct document_key key[N_PATHS];
	const struct document_rules rules = { .def = &def, .key = key };
	struct document_head head;
	struct err e = { 0 };
	struct cell_value v;
	AUTO_BUF text, out;

	(void)state;
	memcpy(key, keys, sizeof(key));
	key[A].sibling = siblings;
	key[A].n_siblings = ARRAY_LEN(siblings);
	buf_init(&out, TEXT_MAX);
	seal("{\"a\":[<Sone>,<stwo>,<Sthree>]}", &text);
	assert_int_equal(document_unseal(worker, &rules, buf_span(&text), &out, &head, &e), 0);
	assert_string_equal(buf_str(&out), "{\"a\":[\"one\",\"two\",\"three\"]}");
	assert_true(document_set_has(&head.sibling, A));
	assert_false(document_set_has(&head.sibling, B));
	assert_int_equal(head.by_sibling[A], 1);
	buf_clear(&text);
	seal("<Sleaf>", &text);
	assert_int_equal(document_leaf(worker, &rules, A, span_of(text.p + 1, text.n - 2), &v),
			 CELL_GOOD);
	assert_memory_equal(v.text.p, "leaf", 4);
	key[A].n_siblings = 1;
	assert_int_equal(document_leaf(worker, &rules, A, span_of(text.p + 1, text.n - 2), &v),
			 CELL_WRONG_TAG);
	dek_keys_free(other);
}

static void
a_leaf_opens_alone(void **state)
{
	const struct document_rules rules = { .def = &def, .key = keys };
	struct cell_value v = { .type = CELL_DOUBLE };
	char escaped[600] = "";
	AUTO_BUF cell;

	(void)state;
	seal("<l7>", &cell);
	for (size_t i = 1; i < cell.n - 1; i++)
		(void)snprintf(escaped + strlen(escaped), sizeof(escaped) - strlen(escaped),
			       "\\u%04x", cell.p[i]);
	assert_int_equal(document_leaf(worker, &rules, A, span_str(escaped), &v), CELL_GOOD);
	assert_true(v.type == CELL_LONG && v.integer == 7);
	v.integer = 8;
	assert_int_equal(document_leaf(worker, &rules, A, span_of(NULL, 0), &v), CELL_NOT_ONE);
	assert_int_equal(document_leaf(worker, &rules, A, span_str("clear"), &v), CELL_NOT_ONE);
	assert_int_equal(document_leaf(worker, &rules, B, span_of(cell.p + 1, cell.n - 2), &v),
			 CELL_WRONG_TAG);
	assert_int_equal(v.integer, 8);
}

/* The last of the 256 paths that a policy may have is a path like others. */
static void
sets_hold_every_path(void **state)
{
	static char name[POLICY_PATHS_MAX][8];
	static struct policy_path path[POLICY_PATHS_MAX];
	static struct document_key key[POLICY_PATHS_MAX];
	const struct container_def large = { .path = path, .n_paths = POLICY_PATHS_MAX };
	const struct document_rules rules = { .def = &large,
					      .key = key,
					      .clear_cells = CLEAR_CELLS_SHOW };
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, TEXT_MAX);
	for (size_t i = 0; i < POLICY_PATHS_MAX; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "p%zu", i);
		path[i] = (struct policy_path){ .name = name[i], .n_name = strlen(name[i]) };
		key[i].keys = i % 2 == 0 ? NULL : keys_a;
	}
	assert_int_equal(document_unseal(worker, &rules,
					 span_str("{\"p254\":1,\"p255\":1,\"p63\":2,\"p64\":3}"),
					 &out, &head, &e),
			 0);
	assert_string_equal(buf_str(&out), "{\"p255\":1,\"p63\":2}");
	for (size_t i = 0; i < POLICY_PATHS_MAX; i++) {
		assert_int_equal(document_set_has(&head.clear, i), i == 255 || i == 63);
		assert_int_equal(document_set_has(&head.withheld, i), i == 254 || i == 64);
	}
}

/* ---- the head ---- */

static const struct {
	const char *text;
	const char *id, *etag, *rid;
	long long ts;
	const char *key[3]; /* of the paths /pk, /t/u/v and /pk/x */
} heads[] = {
	{ "{}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"id\":\"i\\n\",\"_etag\":\"\\\"e\\\"\",\"_rid\":\"r==\",\"_ts\":1795322468}",
	  "i\\n",
	  "\\\"e\\\"",
	  "r==",
	  1795322468,
	  { NULL, NULL, NULL } },
	{ "{\"\\u0069d\":\"\",\"_ts\":0}", "", NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"id\":1,\"_etag\":null,\"_rid\":[\"r\"],\"_ts\":\"1\"}",
	  NULL,
	  NULL,
	  NULL,
	  0,
	  { NULL, NULL, NULL } },
	{ "{\"_ts\":-5,\"x\":{\"id\":\"no\",\"_ts\":7}}",
	  NULL,
	  NULL,
	  NULL,
	  0,
	  { NULL, NULL, NULL } },
	{ "{\"_ts\":1.5}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"pk\":\"p\\u0061\"}", NULL, NULL, NULL, 0, { "\"p\\u0061\"", NULL, NULL } },
	{ "{\"pk\":null,\"t\":{\"u\":{\"v\":-1.50}}}",
	  NULL,
	  NULL,
	  NULL,
	  0,
	  { "null", "-1.50", NULL } },
	{ "{\"pk\":true,\"t\":{\"u\":{\"w\":1,\"v\":false,\"z\":2},\"y\":3}}",
	  NULL,
	  NULL,
	  NULL,
	  0,
	  { "true", "false", NULL } },
	{ "{\"pk\":{\"x\":1},\"t\":{\"u\":{\"v\":{}}}}", NULL, NULL, NULL, 0, { NULL, NULL, "1" } },
	{ "{\"pk\":[\"p\"],\"t\":[{\"u\":{\"v\":1}}]}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"t\":{\"u\":[{\"v\":1}]}}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"t\":{\"u\":{\"x\":{\"v\":1}}}}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"t\":{\"u\":{}},\"u\":{\"v\":1},\"v\":2}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
	{ "{\"t\":{\"t\":{\"v\":1},\"v\":1,\"u\":{\"u\":1,\"\\u0076\":2}}}",
	  NULL,
	  NULL,
	  NULL,
	  0,
	  { NULL, "2", NULL } },
	{ "{\"t\":{\"u\":1,\"v\":2}}", NULL, NULL, NULL, 0, { NULL, NULL, NULL } },
};

static void
check_span(struct span got, const char *want)
{
	assert_int_equal(got.p != NULL, want != NULL);
	if (want == NULL)
		return;
	assert_int_equal(got.n, strlen(want));
	assert_memory_equal(got.p, want, got.n);
}

static void
check_head(size_t i, const struct document_head *head)
{
	check_span(head->id, heads[i].id);
	check_span(head->etag, heads[i].etag);
	check_span(head->rid, heads[i].rid);
	assert_int_equal(head->ts, heads[i].ts);
	for (int k = 0; k < 3; k++)
		check_span(head->partition[k], heads[i].key[k]);
}

static void
the_head_tells_what_was_stored(void **state)
{
	char pk[] = "pk", t[] = "t", u[] = "u", v[] = "v", x[] = "x";
	struct container_def tree = {
		.n_partition = 3,
		.partition = { { .token = { pk }, .n_tokens = 1, .policy = -1 },
			       { .token = { t, u, v }, .n_tokens = 3, .policy = -1 },
			       { .token = { pk, x }, .n_tokens = 2, .policy = -1 } },
	};
	struct policy_path path[] = { { .name = t, .n_name = 1 } };
	const struct document_key withheld = { .keys = NULL };
	struct document_rules rules = { .def = &tree, .key = &withheld };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(heads); i++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, TEXT_MAX);
		assert_int_equal(document_scan(worker, &tree, span_str(heads[i].text), &head, &e),
				 0);
		check_head(i, &head);
		assert_int_equal(
			document_unseal(worker, &rules, span_str(heads[i].text), &out, &head, &e),
			0);
		check_head(i, &head);
		assert_string_equal(buf_str(&out), heads[i].text);
		/* Below what is left out it is found all the same. */
		tree.path = path;
		tree.n_paths = 1;
		assert_int_equal(
			document_unseal(worker, &rules, span_str(heads[i].text), &out, &head, &e),
			0);
		check_head(i, &head);
		tree.n_paths = 0;
	}
}

static void
partition_keys_below_a_sealed_member_are_told_as_stored(void **state)
{
	char a[] = "a", k[] = "k";
	struct container_def tree = def;
	const struct document_rules rules = { .def = &tree, .key = keys };
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF text, out;

	(void)state;
	tree.n_partition = 1;
	tree.partition[0] = (struct partition_path){ .token = { a, k },
						     .n_tokens = 2,
						     .policy = A };
	buf_init(&out, TEXT_MAX);
	seal("{\"a\":{\"j\":<l1>,\"k\":<svalue>}}", &text);
	assert_int_equal(document_unseal(worker, &rules, buf_span(&text), &out, &head, &e), 0);
	assert_string_equal(buf_str(&out), "{\"a\":{\"j\":1,\"k\":\"value\"}}");
	assert_ptr_equal(head.partition[0].p + head.partition[0].n, text.p + text.n - 2);
	assert_int_equal(head.partition[0].p[0], '"');
	assert_int_equal(head.cells, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(leaves_are_replaced_and_all_else_is_copied),
		cmocka_unit_test(members_are_left_out_in_any_place),
		cmocka_unit_test(cells_may_be_escaped),
		cmocka_unit_test(leaves_in_clear_pass_by_rule_only),
		cmocka_unit_test(what_passes_in_clear_is_copied_and_cells_beside_it_open),
		cmocka_unit_test(a_cell_that_does_not_open_fails_the_document),
		cmocka_unit_test(a_failure_wipes_what_was_added),
		cmocka_unit_test(what_is_no_document_is_refused),
		cmocka_unit_test(nesting_ends_at_64),
		cmocka_unit_test(sizes_have_ceilings),
		cmocka_unit_test(long_paths_are_cut_and_the_reason_is_not),
		cmocka_unit_test(siblings_are_tried_in_order_after_a_wrong_tag),
		cmocka_unit_test(a_leaf_opens_alone),
		cmocka_unit_test(sets_hold_every_path),
		cmocka_unit_test(the_head_tells_what_was_stored),
		cmocka_unit_test(partition_keys_below_a_sealed_member_are_told_as_stored),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
