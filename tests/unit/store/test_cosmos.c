/* SPDX-License-Identifier: MIT */
/* The Cosmos driver against scripted answers: what it asks, and what it believes. */
#include "tests/unit/store/cosmos_double.h"

static struct container_def plain, sealed = { .has_policy = true };

static struct docstore_at
at_of(const char *rid, const struct container_def *def)
{
	return (struct docstore_at){ "d", "c", rid, def };
}

/* ---- one document */

static int
get(struct docstore *s, struct docstore_at at, const char *id, const char *etag, struct buf *out,
    bool *same, struct err *e)
{
	return docstore_get(s, &at, "[\"p\\u00e9\"]", id, etag, out, same, never, e);
}

static void
test_documents_are_asked_for(void **state)
{
	struct docstore *s = open_store();
	struct err e = { 0 };
	AUTO_BUF out;
	bool same = true;

	(void)state;
	buf_init(&out, 4 << 20);
	PLAY(OK("x-ms-request-charge: 1.25\n", " {\"x\":1.0, \"id\":\"i /%\\u00e9\"}"),
	     OK("x-ms-request-charge: 2\n", "{\"id\":\"i\"}"), { .status = 304 },
	     { .status = 304 });
	assert_int_equal(get(s, at_of(NULL, NULL), "i /%\303\251", NULL, &out, &same, &e), 0);
	assert_false(same);
	assert_string_equal(buf_str(&out), " {\"x\":1.0, \"id\":\"i /%\\u00e9\"}");
	assert_asked(0, "GET " COLL "/docs/i%20%2F%25%C3%A9" ABOUT
			"\nx-ms-documentdb-partitionkey: [\"p\\u00e9\"]");
	assert_int_equal(get(s, at_of("rid=", &plain), "i", NULL, &out, &same, &e), 0);
	assert_asked(1, "GET " COLL "/docs/i" ABOUT "\nx-ms-cosmos-intended-collection-rid: rid="
			"\nx-ms-documentdb-partitionkey: [\"p\\u00e9\"]");
	assert_int_equal(get(s, at_of("rid=", &sealed), "i", "\"v\"", &out, &same, &e), 0);
	assert_true(same);
	assert_int_equal(out.n, 0);
	assert_asked(2, "GET " COLL "/docs/i" ABOUT "\nx-ms-cosmos-intended-collection-rid: rid="
			"\nx-ms-cosmos-is-client-encrypted: True"
			"\nx-ms-documentdb-partitionkey: [\"p\\u00e9\"]\nIf-None-Match: \"v\"");
	assert_int_equal(get(s, at_of(NULL, NULL), "i", "v", &out, &same, &e), 0);
	assert_asked_with(3, "\nIf-None-Match: \"v\"");
	assert_int_equal(s->charge_milli, 3250);
	assert_int_equal(s->requests, 4);
	docstore_free(s);
}

static void
test_names_are_encoded_one_by_one(void **state)
{
	struct docstore_at at = { "..", "a/b?c", NULL, NULL };
	struct docstore *s = open_store();
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 4 << 20);
	PLAY(OK("", "{\"id\":\".\"}"), OK("", "{\"id\":\"..\"}"), OK("", "{\"id\":\"...\"}"));
	assert_int_equal(docstore_get(s, &at, "[1]", ".", NULL, &out, NULL, never, &e), 0);
	assert_asked_with(0, "GET https://a/dbs/%2E%2E/colls/a%2Fb%3Fc/docs/%2E\n");
	assert_int_equal(docstore_get(s, &at, "[1]", "..", NULL, &out, NULL, never, &e), 0);
	assert_asked_with(1, "/docs/%2E%2E\n");
	assert_int_equal(docstore_get(s, &at, "[1]", "...", NULL, &out, NULL, never, &e), 0);
	assert_asked_with(2, "/docs/...\n");
	docstore_free(s);
}

static void
test_odd_etags_are_not_sent(void **state)
{
	static const char *const rows[] = { "a\r\nInjected: 1", "\303\251", "\177" };
	struct docstore *s = open_store();
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 4 << 20);
	script_n = asked_n = 0;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		bool same;

		assert_int_equal(get(s, at_of(NULL, NULL), "i", rows[i], &out, &same, &e), -EINVAL);
	}
	assert_int_equal(asked_n, 0);
	docstore_free(s);
}

static void
test_other_answers_are_asked_for_once_more(void **state)
{
	static const char *const rows[] = { "",
					    "<html>",
					    "[]",
					    "{\"id\":\"other\"}",
					    "{\"no\":\"id\"}",
					    "{\"id\":\"i\"",
					    "{\"id\":1}" };
	struct docstore *s = open_store();
	AUTO_BUF out;
	bool same;

	(void)state;
	buf_init(&out, 4 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		PLAY(OK("", rows[i]), OK("", "{\"id\":\"i\"}"));
		assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), 0);
		PLAY(OK("", rows[i]), OK("", rows[i]));
		assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), -EIO);
		assert_string_equal(e.event, "net.protocol");
		assert_int_equal(out.n, 0);
		assert_int_equal(asked_n, 2);
	}
	for (int status = 201; status < 400;
	     status += 103) { /* 201, and a 304 that nobody asked for */
		struct err e = { 0 };

		PLAY({ .status = status }, { .status = status });
		assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), -EIO);
		assert_string_equal(e.event, "net.protocol");
	}
	docstore_free(s);
}

static void
test_refusals_have_meanings(void **state)
{
	static const struct {
		struct answer answer;
		int no;
	} rows[] = {
		{ STATUS(400, "1024"), -ESTALE },	{ STATUS(400, "1001"), -ESTALE },
		{ STATUS(401, "0"), -EACCES },		{ STATUS(403, "5300"), -EACCES },
		{ STATUS(404, "0"), -ENOENT },		{ STATUS(404, "1003"), -ENOENT },
		{ STATUS(404, "1002"), -EIO },		{ STATUS(413, "0"), -EFBIG },
		{ STATUS(429, "3200"), -ETIMEDOUT },	{ STATUS(503, "0"), -ETIMEDOUT },
		{ { .fails = ETIMEDOUT }, -ETIMEDOUT },
	};
	struct docstore *s = open_store();
	AUTO_BUF out;
	bool same;

	(void)state;
	buf_init(&out, 4 << 20);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		play(&rows[i].answer, 1);
		assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), rows[i].no);
	}
	docstore_free(s);
}

static void
test_what_the_service_wants_repeated_is(void **state)
{
	struct docstore *s = open_store();
	struct answer many[12];
	struct err e = { 0 };
	AUTO_BUF out;
	bool same;

	(void)state;
	buf_init(&out, 4 << 20);
	slept_ns = 0;
	PLAY(STATUS(449, "0"), STATUS(449, "0"), STATUS(410, "1000"), OK("", "{\"id\":\"i\"}"));
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), 0);
	assert_int_equal(slept_ns, 40 * NS_PER_MS); /* 10, 20; 10 for the other reason */

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct answer)STATUS(410, "1007");
	play(many, ARRAY_LEN(many));
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), -EIO);
	assert_int_equal(asked_n, 11);
	err_clear(&e);

	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct answer)STATUS(449, "0");
	play(many, ARRAY_LEN(many));
	struct docstore_at at = at_of(NULL, NULL);
	assert_int_equal(docstore_get(s, &at, "[1]", "i", NULL, &out, &same,
				      deadline_in(100 * NS_PER_MS), &e),
			 -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	assert_int_equal(asked_n, 4); /* 10, 20, 40, and 80 is too long */
	docstore_free(s);
}

static void
test_sessions_are_kept_and_dropped(void **state)
{
	struct docstore_at other = { "d", "other", NULL, NULL };
	struct docstore *s = open_store();
	struct err e = { 0 };
	AUTO_BUF out;
	bool same;

	(void)state;
	buf_init(&out, 4 << 20);
	PLAY(OK("x-ms-session-token: 0:-1#7\n", "{\"id\":\"i\"}"),
	     OK("x-ms-session-token: 1:-1#9\n", "{\"id\":\"i\"}"), STATUS(404, "1002"),
	     OK("", "{\"id\":\"i\"}"), STATUS(404, "1002"), OK("", "{\"id\":\"i\"}"));
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), 0);
	assert_asked_without(0, "session");
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), 0);
	assert_asked_with(1, "\nx-ms-session-token: 0:-1#7");
	/* A replica that is not as far: without the token, once more. */
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), 0);
	assert_asked_with(2, "\nx-ms-session-token: 0:-1#7,1:-1#9");
	assert_asked_without(3, "session");
	/* Nothing was sent that could be dropped. */
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), -EIO);
	err_clear(&e);
	assert_int_equal(docstore_get(s, &other, "[1]", "i", NULL, &out, &same, never, &e), 0);
	assert_asked_without(5, "session");
	docstore_free(s);
}

static void
test_charges_are_taken_strictly(void **state)
{
	struct docstore *s = open_store();
	struct err e = { 0 };
	AUTO_BUF out;
	bool same;

	(void)state;
	buf_init(&out, 4 << 20);
	PLAY(OK("x-ms-request-charge: 1x\n", "{\"id\":\"i\"}"),
	     OK("x-ms-request-charge: -3\n", "{\"id\":\"i\"}"),
	     OK("x-ms-request-charge: nan\n", "{\"id\":\"i\"}"),
	     OK("x-ms-request-charge: 1e999\n", "{\"id\":\"i\"}"),
	     OK("x-ms-request-charge: 2.5\n", "{\"id\":\"i\"}"),
	     { .status = 404, .headers = "x-ms-request-charge: 1\n" });
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), 0);
	assert_int_equal(get(s, at_of(NULL, NULL), "i", NULL, &out, &same, &e), -ENOENT);
	assert_int_equal(s->charge_milli, 3500);
	assert_int_equal(s->requests, 6);
	docstore_free(s);
}

/* ---- containers and keys */

static void
test_containers_are_read(void **state)
{
	struct docstore_at at = at_of("old=", NULL);
	struct docstore *s = open_store();
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, CONTAINER_TEXT_MAX);
	PLAY(OK("", "{\"id\":\"c\",\"_rid\":\"new=\"}"), STATUS(404, "0"));
	assert_int_equal(docstore_container(s, &at, &out, never, &e), 0);
	assert_string_equal(buf_str(&out), "{\"id\":\"c\",\"_rid\":\"new=\"}");
	assert_asked(0, "GET " COLL ABOUT);
	assert_int_equal(docstore_container(s, &at, &out, never, &e), -ENOENT);
	assert_int_equal(out.n, 0);
	docstore_free(s);
}

static void
test_keys_are_read_through_the_cache_of_the_gateway(void **state)
{
#define KEY(id)                                              \
	"GET https://a/dbs/d/clientencryptionkeys/" id ABOUT \
	"\nx-ms-cosmos-allow-cachedreads: True\nx-ms-cosmos-database-rid: R="
	struct docstore *s = open_store();
	struct err e = { 0 };
	AUTO_BUF out;
	bool same;

	(void)state;
	buf_init(&out, 64 << 10);
	PLAY(OK("", "{\"id\":\"d\",\"_rid\":\"R=\"}"), OK("", "{\"id\":\"k 1\"}"),
	     { .status = 304 }, OK("", "{\"id\":\"k 1\",\"x\":2}"), STATUS(404, "0"),
	     OK("", "{\"id\":\"d\",\"_rid\":\"S=\"}"), OK("", "{\"id\":\"k 1\"}"));
	assert_int_equal(docstore_key(s, "d", "k 1", NULL, &out, &same, never, &e), 0);
	assert_false(same);
	assert_string_equal(buf_str(&out), "{\"id\":\"k 1\"}");
	assert_asked(0, "GET https://a/dbs/d" ABOUT);
	assert_asked(1, KEY("k%201"));
	assert_int_equal(docstore_key(s, "d", "k 1", "v", &out, &same, never, &e), 0);
	assert_true(same);
	assert_asked(2, KEY("k%201") "\nIf-None-Match: \"v\""); /* the database is known */
	assert_int_equal(docstore_key(s, "d", "k 1", "\"v\"", &out, &same, never, &e), 0);
	assert_false(same);
	assert_asked(3, KEY("k%201") "\nIf-None-Match: \"v\"");
	/* A database of the same name may be another one. */
	assert_int_equal(docstore_key(s, "d", "k 1", NULL, &out, &same, never, &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(docstore_key(s, "d", "k 1", NULL, &out, &same, never, &e), 0);
	assert_asked(5, "GET https://a/dbs/d" ABOUT);
	assert_asked_with(6, "\nx-ms-cosmos-database-rid: S=");
	docstore_free(s);
#undef KEY
}

static void
test_a_database_without_a_proper_rid(void **state)
{
	static const char *const rows[] = {
		"{}", "{\"_rid\":\"\"}", "{\"_rid\":\"a\\r\\nb\"}", "{\"_rid\":1}",
		"{\"_rid\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"
	};
	struct docstore *s = open_store();
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 64 << 10);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		PLAY(OK("", rows[i]), OK("", rows[i]));
		assert_int_equal(docstore_key(s, "d", "k", NULL, &out, NULL, never, &e), -EIO);
		assert_string_equal(e.event, "net.protocol");
	}
	docstore_free(s);
}

/* ---- lists */

static int
add_name(void *arg, const char *name, struct err *e)
{
	return add_text(arg, span_str(name), e);
}

static int
add_range(void *arg, const char *min, const char *max, struct err *e)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "%s-%s", min, max);
	return add_text(arg, span_str(text), e);
}

static void
test_names_are_listed_to_the_end(void **state)
{
	struct docstore *s = open_store();
	struct lines lines = { .refuse = NULL };
	const struct docstore_names sink = { add_name, &lines };
	struct err e = { 0 };

	(void)state;
	PLAY(OK("x-ms-continuation: more \"1\"\n",
		"{\"Databases\":[{\"id\":\"one\"},{\"id\":\"..\"}]}"),
	     OK("x-ms-continuation: more 2\n", "{\"Databases\":[]}"),
	     OK("",
		"{\"Databases\":[{\"id\":\"a\\u0000b\"},{\"id\":\"tw\\u00f6\"},{\"id\":\"a/b\"}]}"),
	     OK("", "{\"DocumentCollections\":[{\"id\":\"c\"}]}"), STATUS(404, "0"),
	     OK("", "{\"DocumentCollections\":[{\"x\":\"c\"}]}"));
	assert_int_equal(docstore_list(s, NULL, sink, never, &e), 0);
	assert_string_equal(lines.text, "one\ntw\303\266\n");
	assert_asked(0, "GET https://a/dbs" ABOUT);
	assert_asked(1, "GET https://a/dbs" ABOUT "\nx-ms-continuation: more \"1\"");
	assert_asked(2, "GET https://a/dbs" ABOUT "\nx-ms-continuation: more 2");
	lines.text[0] = '\0';
	assert_int_equal(docstore_list(s, "d b", sink, never, &e), 0);
	assert_asked(3, "GET https://a/dbs/d%20b/colls" ABOUT);
	assert_string_equal(lines.text, "c\n");
	assert_int_equal(docstore_list(s, "d", sink, never, &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(docstore_list(s, "d", sink, never, &e), -EIO);
	docstore_free(s);
}

static void
test_all_keys_of_a_database(void **state)
{
	struct docstore *s = open_store();
	struct lines lines = { .refuse = NULL };
	struct err e = { 0 };

	(void)state;
	PLAY(OK("x-ms-continuation: t\n", "{\"ClientEncryptionKeys\":[{\"id\":\"a\"}]}"),
	     OK("", "{\"ClientEncryptionKeys\":[{\"id\": \"b\"}],\"_count\":1}"),
	     OK("x-ms-continuation: \303\251\n", "{\"ClientEncryptionKeys\":[]}"));
	assert_int_equal(docstore_keys(s, "d", lines_sink(&lines), never, &e), 0);
	assert_string_equal(lines.text, "{\"id\":\"a\"}\n{\"id\": \"b\"}\n");
	assert_asked(0, "GET https://a/dbs/d/clientencryptionkeys" ABOUT);
	assert_int_equal(docstore_keys(s, "d", lines_sink(&lines), never, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	docstore_free(s);
}

static void
test_ranges_are_those_of_now(void **state)
{
#define RANGES(inner) OK("", "{\"PartitionKeyRanges\":[" inner "]}")
#define R(id, min, max) \
	"{\"id\":\"" id "\",\"minInclusive\":\"" min "\",\"maxExclusive\":\"" max "\"}"
	struct docstore_at at = at_of(NULL, NULL);
	struct docstore *s = open_store();
	struct lines lines = { .refuse = NULL };
	const struct docstore_ranges sink = { add_range, &lines };
	struct err e = { 0 };

	(void)state;
	PLAY(RANGES(R("0", "", "FF")), RANGES(R("2", "3F", "FF") "," R("1", "", "3F")),
	     RANGES(R("1", "", "3F")), RANGES(R("0", "", "FF")), RANGES(R("1", "", "3F")),
	     RANGES(R("1", "", "3F")));
	assert_int_equal(docstore_ranges(s, &at, sink, never, &e), 0);
	assert_asked(0, "GET " COLL "/pkranges" ABOUT);
	assert_int_equal(docstore_ranges(s, &at, sink, never, &e), 0);
	assert_string_equal(lines.text, "-FF\n-3F\n3F-FF\n");
	/* Pages of two moments; then for good. */
	assert_int_equal(docstore_ranges(s, &at, sink, never, &e), 0);
	assert_int_equal(docstore_ranges(s, &at, sink, never, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	assert_int_equal(asked_n, 6);
	docstore_free(s);
#undef R
#undef RANGES
}

/* ---- opening */

static void
test_configurations_are_checked(void **state)
{
	static const struct {
		struct cosmos_config cfg;
		int no;
		const char *label;
	} rows[] = {
		{ { "https://a", "acct", "", "" }, 0, "acct" },
		{ { "https://a///", "acct", "d", "" }, 0, "acct/d" },
		{ { "https://a", "acct", "d", "c" }, 0, "acct/d/c" },
		{ { "https://a", "acct", "", "c" }, -EINVAL, NULL },
		{ { "https://a", "acct", "..", "" }, -EINVAL, NULL },
		{ { "https://a", "acct", "d", "a/b" }, -EINVAL, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct docstore *s = NULL;
		struct err e = { 0 };

		assert_int_equal(cosmos_store_open_take(&rows[i].cfg, NULL, NULL, &s, &e),
				 rows[i].no);
		if (rows[i].no == 0)
			assert_string_equal(s->label, rows[i].label);
		docstore_free(s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_documents_are_asked_for),
		cmocka_unit_test(test_names_are_encoded_one_by_one),
		cmocka_unit_test(test_odd_etags_are_not_sent),
		cmocka_unit_test(test_other_answers_are_asked_for_once_more),
		cmocka_unit_test(test_refusals_have_meanings),
		cmocka_unit_test(test_what_the_service_wants_repeated_is),
		cmocka_unit_test(test_sessions_are_kept_and_dropped),
		cmocka_unit_test(test_charges_are_taken_strictly),
		cmocka_unit_test(test_containers_are_read),
		cmocka_unit_test(test_keys_are_read_through_the_cache_of_the_gateway),
		cmocka_unit_test(test_a_database_without_a_proper_rid),
		cmocka_unit_test(test_names_are_listed_to_the_end),
		cmocka_unit_test(test_all_keys_of_a_database),
		cmocka_unit_test(test_ranges_are_those_of_now),
		cmocka_unit_test(test_configurations_are_checked),
	};

	replace_clock();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
