/* SPDX-License-Identifier: MIT */
/*
 * crypto/documentseal: what is copied, what is sealed and as what, what is left out, what is
 * refused and how that is said.
 *
 * In the texts <lN> stands for the cell of a long, <dN> a double, <bN> a boolean, <s...> a string,
 * <i...> a string in the alphabet of ids; all deterministic, under one key.
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
#include "crypto/documentseal.h"

enum { TEXT_MAX = 4 << 20, N_PATHS = 6, ROUNDS = 4000 };

static struct document_worker *worker;
static struct dek_keys *keys;
static char names[N_PATHS][4] = { "a", "r", "w", "id", "\xc3\xa9", "pk" };
static char pk[] = "pk", k[] = "k";
static struct policy_path paths[N_PATHS];
static struct document_key key[N_PATHS];
static struct container_def def = { .path = paths,
				    .n_paths = N_PATHS,
				    .n_partition = 2,
				    .id_policy = 3,
				    .partition = { { { pk }, 1, 5 }, { { names[0], k }, 2, 0 } } };
static const struct document_rules rules = { .def = &def, .key = key };

static int
set_up(void **state)
{
	struct err e = { 0 };
	struct cek dek;

	(void)state;
	memset(dek.k, 1, sizeof(dek.k));
	if (dek_keys_new(&dek, &keys, &e) != 0)
		return -1;
	for (int i = 0; i < N_PATHS; i++) {
		paths[i] = (struct policy_path){ .name = names[i], .n_name = strlen(names[i]) };
		key[i].keys = strcmp(names[i], "w") == 0 ? NULL : keys;
	}
	paths[1].kind = CELL_RANDOMIZED;
	return document_worker_new(&worker, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	dek_keys_free(keys);
	document_worker_free(worker);
	return 0;
}

/* ---- texts with cells ---- */

static void
add_cell(const char *what, size_t n, struct buf *out)
{
	const struct span text = span_of(what + 1, n - 1);
	struct cell_value v = { .type = CELL_STRING, .text = text };
	struct err e = { 0 };
	long long integer = 0;

	if (what[0] == 'l' || what[0] == 'b') {
		assert_true(number_parse_long(text, &integer));
		v = (struct cell_value){ .type = CELL_LONG, .integer = integer };
		if (what[0] == 'b')
			v = (struct cell_value){ .type = CELL_BOOLEAN, .boolean = integer != 0 };
	} else if (what[0] == 'd') {
		v.type = CELL_DOUBLE;
		assert_true(number_parse(text, &v.real));
	}
	assert_int_equal(buf_add(out, "\"", 1, &e), 0);
	assert_int_equal(cell_seal(document_worker_cells(worker), keys, &v,
				   what[0] == 'i' ? BASE64_URL : BASE64_STANDARD, out, &e),
			 0);
	assert_int_equal(buf_add(out, "\"", 1, &e), 0);
}

static void
expand(const char *template, struct buf *out)
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

/* The text is exact, so that a sanitizer sees a read past its end. */
static int
seal(struct span text, struct buf *out, struct document_head *head, struct err *e)
{
	uint8_t *exact = malloc(text.n > 0 ? text.n : 1);
	int r;

	assert_non_null(exact);
	if (text.n > 0)
		memcpy(exact, text.p, text.n);
	r = document_seal(worker, &rules, span_of(exact, text.n), out, head, e);
	free(exact);
	return r;
}

/* ---- what is copied, sealed, left out ---- */

static const struct {
	const char *plain, *sealed;
} good[] = {
	{ "{\"id\":\"x\"}", "{\"id\":<ix>}" },
	{ " \n{\"id\" : \"x\" , \"c\":[1e400,\"\\u0041\",{}]}\r\n ",
	  "{\"id\" : <ix> , \"c\":[1e400,\"\\u0041\",{}]}" },
	{ "{\"id\":\"x\",\"a\":\"\"}", "{\"id\":<ix>,\"a\":<s>}" },
	{ "{\"id\":\"x\",\"a\":[1,1.0,-0,-0.0,1e3,1E0]}",
	  "{\"id\":<ix>,\"a\":[<l1>,<d1>,<l0>,<d-0.0>,<d1000>,<d1>]}" },
	{ "{\"id\":\"x\",\"a\":[9223372036854775807,-9223372036854775808,5e-324]}",
	  "{\"id\":<ix>,\"a\":[<l9223372036854775807>,<l-9223372036854775808>,<d5e-324>]}" },
	{ "{\"id\":\"x\",\"a\":[true,false,null,[],{}]}",
	  "{\"id\":<ix>,\"a\":[<b1>,<b0>,null,[],{}]}" },
	{ "{\"id\":\"x\",\"a\":[[],\"s\",{\"z\":[\"t\", {\"y\":7}]}]}",
	  "{\"id\":<ix>,\"a\":[[],<ss>,{\"z\":[<st>, {\"y\":<l7>}]}]}" },
	{ "{\"id\":\"x\",\"a\":\"\\u00e9\\n\\ud83d\\ude00\"}",
	  "{\"id\":<ix>,\"a\":<s\xc3\xa9\n\xf0\x9f\x98\x80>}" },
	{ "{\"id\":\"x\",\"a\":\"\xc3\xa9\"}", "{\"id\":<ix>,\"a\":<s\xc3\xa9>}" },
	/* a nested id has the standard alphabet, whatever its type */
	{ "{\"id\":\"hello\",\"a\":{\"id\":\"hello\",\"z\":{\"id\":1}}}",
	  "{\"id\":<ihello>,\"a\":{\"id\":<shello>,\"z\":{\"id\":<l1>}}}" },
	{ "{\"id\":\"x\",\"c\":{\"a\":1,\"id\":2}}", "{\"id\":<ix>,\"c\":{\"a\":1,\"id\":2}}" },
	{ "{\"\\u0069d\":\"x\",\"\\u00e9\":true}", "{\"\\u0069d\":<ix>,\"\\u00e9\":<b1>}" },
	{ "{\"id\":\"x\",\"\xc3\xa9\":true}", "{\"id\":<ix>,\"\xc3\xa9\":<b1>}" },
	/* clear text with half a surrogate pair is copied as any other */
	{ "{\"id\":\"x\",\"c\":\"\\ud800\"}", "{\"id\":<ix>,\"c\":\"\\ud800\"}" },
	/* the service's own members go, with one comma each */
	{ "{\"_rid\":\"r\",\"id\":\"x\"}", "{\"id\":<ix>}" },
	{ "{\"_rid\":\"r\" , \"_ts\":1,\"id\":\"x\"}", "{\"id\":<ix>}" },
	{ "{\"id\":\"x\",\"_etag\":\"\\\"0\\\"\",\"_ts\":[1,{\"q\":2}]}", "{\"id\":<ix>}" },
	{ "{\"id\":\"x\",\"_self\":\"s\",\"c\":1,\"_attachments\":\"a\",\"_rid\":0,\"d\":2 }",
	  "{\"id\":<ix>,\"c\":1,\"d\":2 }" },
	{ "{\"id\":\"x\",\"\\u005frid\":1,\"c\":{\"_rid\":1},\"_rids\":1,\"ttl\":3}",
	  "{\"id\":<ix>,\"c\":{\"_rid\":1},\"_rids\":1,\"ttl\":3}" },
	{ "{\"id\":\"x\",\"pk\":\"p\",\"a\":{\"k\":1}}",
	  "{\"id\":<ix>,\"pk\":<sp>,\"a\":{\"k\":<l1>}}" },
	{ "{\"id\":\"x\",\"pk\":null,\"a\":{\"k\":null,\"q\":{}}}",
	  "{\"id\":<ix>,\"pk\":null,\"a\":{\"k\":null,\"q\":{}}}" },
	{ "{\"id\":\"x\",\"a\":[{\"k\":[]}]}", "{\"id\":<ix>,\"a\":[{\"k\":[]}]}" },
	{ "{\"id\":\"x\",\"a\":{\"q\":{\"k\":{}}}}", "{\"id\":<ix>,\"a\":{\"q\":{\"k\":{}}}}" },
};

static void
what_is_not_sealed_is_copied_and_what_is_becomes_its_cell(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF out, want;

		buf_init(&out, TEXT_MAX);
		expand(good[i].sealed, &want);
		assert_int_equal(buf_add(&out, "kept", 4, &e), 0);
		if (seal(span_str(good[i].plain), &out, &head, &e) != 0)
			fail_msg("%s: %s", good[i].plain, e.text);
		assert_memory_equal(out.p, "kept", 4);
		assert_string_equal(buf_str(&out) + 4, buf_str(&want));
	}
}

static bool
is_text(struct span s, const char *text)
{
	return s.n == strlen(text) && memcmp(s.p, text, s.n) == 0;
}

static void
the_head_says_what_is_stored(void **state)
{
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out, id, p, number;

	(void)state;
	buf_init(&out, TEXT_MAX);
	expand("<ix/y>", &id);
	expand("<sp>", &p);
	expand("<l-3>", &number);
	assert_int_equal(seal(span_str("{\"_etag\":\"e\",\"a\":{\"z\":true,\"k\":-3},\"id\":"
				       "\"x/y\",\"pk\":\"p\",\"_rid\":\"r\"}"),
			      &out, &head, &e),
			 0);
	assert_true(span_of(out.p, out.n).n == out.n && head.id.p > out.p);
	assert_true(is_text(span_of(head.id.p - 1, head.id.n + 2), buf_str(&id)));
	assert_true(is_text(head.partition[0], buf_str(&p)));
	assert_true(is_text(head.partition[1], buf_str(&number)));
	assert_int_equal(head.cells, 4);
	assert_null(head.etag.p);
	assert_null(head.rid.p);
	assert_int_equal(head.ts, 0);
	buf_reset(&out);
	assert_int_equal(seal(span_str("{\"id\":\"x\"}"), &out, &head, &e), 0);
	assert_null(head.partition[0].p);
	assert_null(head.partition[1].p);
}

/* ---- what is refused ---- */

static const struct {
	const char *text;
	int no;
	const char *said;
} bad[] = {
	{ "", EINVAL, "not a JSON document: a value is missing at byte 0" },
	{ "[]", EINVAL, "not a JSON document: no object" },
	{ "{\"id\":\"x\"}{}", EINVAL, "not a JSON document: text after the value at byte 10" },
	{ "{\"id\":\"x\",}", EINVAL, "not a JSON document: a name is missing at byte 10" },
	{ "{\"id\":\"x\",\"\\u0069d\":\"x\"}", EINVAL,
	  "not a JSON document: a member is there twice at byte 10" },
	{ "{\"id\":\"x\",\"_ts\":1,\"_ts\":1}", EINVAL,
	  "not a JSON document: a member is there twice at byte 18" },
	{ "{\"id\":\"x\",\"_ts\":{\"z\":1,\"z\":1}}", EINVAL,
	  "not a JSON document: a member is there twice at byte 23" },
	{ "{\"id\":\"x\",\"c\":\"\xff\"}", EINVAL,
	  "not a JSON document: a string is not UTF-8 at byte 15" },
	{ "{\"id\":\"x\",\"c\":01}", EINVAL,
	  "not a JSON document: a comma or an end is missing "
	  "at byte 15" },
	{ "{}", EINVAL, "the document has no id, or one that is no string" },
	{ "{\"c\":{\"id\":\"x\"}}", EINVAL, "the document has no id, or one that is no string" },
	{ "{\"id\":null}", EINVAL, "the document has no id, or one that is no string" },
	{ "{\"id\":7}", EINVAL, "/id: an id is a string" },
	{ "{\"id\":true}", EINVAL, "/id: an id is a string" },
	{ "{\"id\":\"\"}", EINVAL, "/id: an id is not empty" },
	{ "{\"id\":{}}", EINVAL, "/id: an id or partition key is no object and no array" },
	{ "{\"id\":[\"x\"]}", EINVAL, "/id: an id or partition key is no object and no array" },
	{ "{\"id\":\"x\",\"pk\":[]}", EINVAL,
	  "/pk: an id or partition key is no object and no array" },
	{ "{\"id\":\"x\",\"a\":{\"q\":1,\"k\":{}}}", EINVAL,
	  "/a/k: an id or partition key is no object and no array" },
	{ "{\"id\":\"x\",\"a\":[1,9223372036854775808]}", EINVAL,
	  "/a/1: an integer that does not fit 64 bits" },
	{ "{\"id\":\"x\",\"a\":{\"z\":[[],-9223372036854775809]}}", EINVAL,
	  "/a/z/1: an integer that does not fit 64 bits" },
	{ "{\"id\":\"x\",\"r\":1e309}", EINVAL,
	  "/r: a number that is larger than a double can be" },
	{ "{\"id\":\"x\",\"a\":\"\\udc00\"}", EINVAL,
	  "/a: a text with half a surrogate pair cannot be encrypted" },
	{ "{\"id\":\"x\\ud800\"}", EINVAL,
	  "/id: a text with half a surrogate pair cannot be encrypted" },
	{ "{\"id\":\"x\",\"w\":1}", EACCES, "property 'w': its key is not at hand" },
	{ "{\"id\":\"x\",\"w\":null}", EACCES, "property 'w': its key is not at hand" },
};

static void
what_cannot_be_kept_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct document_head head = { .cells = 77 };
		struct err e = { 0 };
		AUTO_BUF out;

		buf_init(&out, TEXT_MAX);
		assert_int_equal(buf_add(&out, "kept", 4, &e), 0);
		assert_int_equal(seal(span_str(bad[i].text), &out, &head, &e), -bad[i].no);
		assert_string_equal(e.text, bad[i].said);
		if (bad[i].no == EINVAL)
			assert_string_equal(e.event, "document.invalid");
		assert_int_equal(out.n, 4);
		assert_string_equal(buf_str(&out), "kept");
		assert_int_equal(head.cells, 77);
	}
}

static void
id_of_length(size_t n, struct buf *out)
{
	struct err e = { 0 };

	buf_init(out, TEXT_MAX);
	assert_int_equal(buf_add_str(out, "{\"id\":\"", &e), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(buf_add(out, "x", 1, &e), 0);
	assert_int_equal(buf_add_str(out, "\"}", &e), 0);
}

static void
an_id_has_703_bytes_sealed_and_1023_in_clear(void **state)
{
	static const struct {
		size_t n;
		bool sealed;
		int r;
	} cases[] = { { 703, true, 0 },
		      { 704, true, -EINVAL },
		      { 1023, false, 0 },
		      { 1024, false, -EINVAL } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct container_def clear = { .id_policy = -1 };
		const struct document_rules in_clear = { .def = &clear };
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF text, out;

		id_of_length(cases[i].n, &text);
		buf_init(&out, TEXT_MAX);
		assert_int_equal(document_seal(worker, cases[i].sealed ? &rules : &in_clear,
					       buf_span(&text), &out, &head, &e),
				 cases[i].r);
		if (cases[i].r == 0)
			assert_int_equal(head.id.n, cases[i].sealed ? 1008 : 1023);
		else
			assert_int_equal(out.n, 0);
	}
}

static void
an_id_in_clear_holds_no_nul(void **state)
{
	const struct container_def clear = { .id_policy = -1 };
	const struct document_rules in_clear = { .def = &clear };
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, TEXT_MAX);
	assert_int_equal(document_seal(worker, &in_clear, span_str("{\"id\":\"a\\u0000\"}"), &out,
				       &head, &e),
			 -EINVAL);
	err_clear(&e);
	assert_int_equal(
		document_seal(worker, &in_clear, span_str("{\"id\":\"\"}"), &out, &head, &e),
		-EINVAL);
	err_clear(&e);
	assert_int_equal(seal(span_str("{\"id\":\"a\\u0000\"}"), &out, &head, &e), 0);
}

/* 2 MiB as sealed: in clear a byte is a byte, in cells numbers grow forty times. */
static void
a_document_has_2_mib_when_sealed(void **state)
{
	enum { MAX = 2 << 20 };
	static const char head_text[] = "{\"c\":\"";
	const struct container_def clear = { .id_policy = -1 };
	const struct document_rules in_clear = { .def = &clear };
	const char tail[] = "\",\"id\":\"x\"}";
	char *text = malloc(MAX + 1);

	(void)state;
	for (size_t n = MAX; n <= MAX + 1; n++) {
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF out;

		memset(text, 'c', n);
		memcpy(text, head_text, sizeof(head_text) - 1);
		memcpy(text + n - (sizeof(tail) - 1), tail, sizeof(tail) - 1);
		buf_init(&out, TEXT_MAX);
		assert_int_equal(
			document_seal(worker, &in_clear, span_of(text, n), &out, &head, &e),
			n == MAX ? 0 : -EFBIG);
		assert_int_equal(out.n, n == MAX ? MAX : 0);
	}
	memset(text, '1', MAX);
	for (size_t i = 0; i + 1 < 100000; i += 2)
		memcpy(text + i, "1,", 2);
	memcpy(text, "{\"id\":\"x\",\"a\": [", 16);
	memcpy(text + 99999, "]}", 2);
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF out;

	buf_init(&out, TEXT_MAX);
	assert_int_equal(seal(span_of(text, 100001), &out, &head, &e), -EFBIG);
	assert_int_equal(out.n, 0);
	free(text);
}

static void
randomized_cells_are_never_the_same(void **state)
{
	static const char text[] = "{\"id\":\"x\",\"r\":[\"same\",\"same\"]}";
	struct document_head head;
	struct err e = { 0 };
	AUTO_BUF one, two, plain;

	(void)state;
	buf_init(&one, TEXT_MAX);
	buf_init(&two, TEXT_MAX);
	buf_init(&plain, TEXT_MAX);
	assert_int_equal(seal(span_str(text), &one, &head, &e), 0);
	assert_int_equal(seal(span_str(text), &two, &head, &e), 0);
	assert_int_equal(one.n, two.n);
	assert_string_not_equal(buf_str(&one), buf_str(&two));
	assert_int_equal(document_unseal(worker, &rules, buf_span(&one), &plain, &head, &e), 0);
	assert_string_equal(buf_str(&plain), text);
	assert_int_equal(head.cells, 3);
}

/* ---- any document, any policy ---- */

static uint64_t dice_state;

static unsigned
dice(unsigned n)
{
	dice_state = dice_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(dice_state >> 33) % n;
}

static void
put(struct buf *out, const char *text)
{
	struct err e = { 0 };

	assert_int_equal(buf_add_str(out, text, &e), 0);
}

/* As cell_print has it, so that what was sealed comes back byte for byte. */
static void
put_scalar(struct buf *out)
{
	static const char *const texts[] = { "", "x", "\"\\\n", "\xc3\xa9\xf0\x9f\x98\x80",
					     "a text of several blocks, to be longer than one" };
	struct cell_value v = { .type = (enum cell_type)(CELL_BOOLEAN + dice(4)) };
	struct err e = { 0 };

	if (v.type == CELL_STRING)
		v.text = span_str(texts[dice(ARRAY_LEN(texts))]);
	else if (v.type == CELL_BOOLEAN)
		v.boolean = dice(2) == 0;
	else if (v.type == CELL_LONG)
		v.integer = (int64_t)(dice_state * (dice(2) + 1)) >> dice(64);
	else
		v.real = ((double)dice(1 << 30) - (1 << 29)) / (double)(1 + dice(1000));
	if (dice(9) == 0)
		put(out, "null");
	else
		assert_int_equal(cell_print(&v, out, &e), 0);
}

static void
put_value(struct buf *out, unsigned depth)
{
	static const char *const blanks[] = { "", "", " ", "\t " };
	const unsigned kind = depth < 5 ? dice(4) : 0;
	const unsigned n = kind < 2 ? 0 : dice(4);
	struct err e = { 0 };

	if (kind < 2) {
		put_scalar(out);
		return;
	}
	put(out, kind == 2 ? "[" : "{");
	for (unsigned i = 0; i < n; i++) {
		put(out, i > 0 ? "," : "");
		put(out, blanks[dice(4)]);
		if (kind == 3)
			assert_int_equal(buf_addf(out, &e, "\"%c\":", 'd' + (int)i), 0);
		put_value(out, depth + 1);
		put(out, blanks[dice(4)]);
	}
	put(out, kind == 2 ? "]" : "}");
}

/* plain has the service's members too, back does not: as they should be after a round. */
static void
make_document(struct buf *plain, struct buf *back)
{
	static const char *const members[] = { "\"m0\":", "\"m1\":", "\"m2\":", "\"m3\":" };
	static const char *const service[] = { "_rid", "_etag", "_ts", "_self", "_attachments" };
	const unsigned id_at = dice(4);
	unsigned n_kept = 0, n_all = 0;
	struct err e = { 0 };

	buf_init(plain, TEXT_MAX);
	buf_init(back, TEXT_MAX);
	put(plain, "{");
	put(back, "{");
	for (unsigned i = 0; i < ARRAY_LEN(service); i++) {
		size_t at;

		if (dice(3) == 0) {
			assert_int_equal(buf_addf(plain, &e, "%s\"%s\":", n_all++ > 0 ? "," : "",
						  service[i]),
					 0);
			put_value(plain, 0);
		}
		if (i == 4)
			continue;
		put(plain, n_all++ > 0 ? "," : "");
		put(back, n_kept++ > 0 ? "," : "");
		at = plain->n;
		put(plain, i == id_at ? "\"id\":\"x\"," : "");
		put(plain, members[i]);
		put_value(plain, 0);
		assert_int_equal(buf_add(back, plain->p + at, plain->n - at, &e), 0);
	}
	put(plain, "}");
	put(back, "}");
}

static void
what_was_sealed_opens_to_what_it_was(void **state)
{
	static char member[5][4] = { "m0", "m1", "m2", "m3", "id" };

	(void)state;
	for (unsigned seed = 1; seed <= ROUNDS; seed++) {
		struct policy_path policy[5];
		struct document_key with[5];
		struct container_def any = { .path = policy, .id_policy = -1 };
		const struct document_rules r = { .def = &any, .key = with };
		struct document_head head;
		struct err e = { 0 };
		AUTO_BUF plain, want, sealed, got;

		dice_state = seed;
		for (int i = 0; i < 5; i++)
			if (dice(2) == 0) {
				if (i == 4)
					any.id_policy = (int)any.n_paths;
				with[any.n_paths] = (struct document_key){ .keys = keys };
				policy[any.n_paths++] = (struct policy_path){
					.name = member[i],
					.n_name = 2,
					.kind = i < 4 && dice(2) == 0 ? CELL_RANDOMIZED
								      : CELL_DETERMINISTIC
				};
			}
		make_document(&plain, &want);
		buf_init(&sealed, TEXT_MAX);
		buf_init(&got, TEXT_MAX);
		if (document_seal(worker, &r, buf_span(&plain), &sealed, &head, &e) != 0)
			fail_msg("%u: %s: %s", seed, e.text, buf_str(&plain));
		if (document_unseal(worker, &r, buf_span(&sealed), &got, &head, &e) != 0)
			fail_msg("%u: %s: %s", seed, e.text, buf_str(&sealed));
		assert_string_equal(buf_str(&got), buf_str(&want));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_not_sealed_is_copied_and_what_is_becomes_its_cell),
		cmocka_unit_test(the_head_says_what_is_stored),
		cmocka_unit_test(what_cannot_be_kept_is_refused),
		cmocka_unit_test(an_id_has_703_bytes_sealed_and_1023_in_clear),
		cmocka_unit_test(an_id_in_clear_holds_no_nul),
		cmocka_unit_test(a_document_has_2_mib_when_sealed),
		cmocka_unit_test(randomized_cells_are_never_the_same),
		cmocka_unit_test(what_was_sealed_opens_to_what_it_was),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
