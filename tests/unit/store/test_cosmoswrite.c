/* SPDX-License-Identifier: MIT */
/* Writes to Cosmos DB against scripted answers: what is sent, what is believed, and what is looked
 * for when an answer was lost. */
#include "tests/unit/store/cosmos_double.h"

#define TEXT   "{\"id\":\"i /\\u00e9\",\"pk\":\"p\",\"n\":1.0}"
#define RAW_ID "i /\303\251"
#define DOC    COLL "/docs/i%20%2F%C3%A9"
#define KEY    "\nx-ms-documentdb-partitionkey: [\"p\"]"
#define SENDS  "\nContent-Type: application/json\nPrefer: return=minimal"

#define ETAG(status_, etag_)                                          \
	{                                                             \
		.status = status_, .headers = "etag: \"" etag_ "\"\n" \
	}
#define PLAIN(status_)            \
	{                         \
		.status = status_ \
	}
#define LOST                 \
	{                    \
		.fails = EIO \
	}
/* What a look finds: the document with some members, under some version. */
#define STORED(members, etag)                                          \
	OK("", "{\"id\":\"i /\303\251\", \"pk\":\"p\", " members       \
	       ",\"_rid\":\"r\",\"_self\":\"s\",\"_etag\":\"\\\"" etag \
	       "\\\"\",\"_attachments\":\"a\",\"_ts\":1}")

static struct container_def plain, sealed = { .has_policy = true };
static const struct docstore_at here = { "d", "c", "rid=", &plain };

static int
put_at(struct docstore *s, const struct docstore_at *at, const char *etag, struct deadline d,
       char out[DOCSTORE_ETAG_MAX + 1], struct err *e)
{
	const struct docstore_put put = { "[\"p\"]", RAW_ID, span_str(TEXT), etag };

	return docstore_put(s, at, &put, out, d, e);
}

static int
delete_it(struct docstore *s, const char *etag, struct err *e)
{
	return docstore_delete(s, &here, "[\"p\"]", RAW_ID, etag, never, e);
}

/* ---- requests */

static void
test_a_document_is_created(void **state)
{
	struct docstore *s = open_store();
	const struct docstore_at bare = { "d", "c", NULL, NULL },
				 locked = { "d", "c", "rid=", &sealed };
	char etag[DOCSTORE_ETAG_MAX + 1] = "";
	struct err e = { 0 };

	(void)state;
	PLAY(ETAG(201, "one"), ETAG(201, "two"), ETAG(201, "three"));
	assert_int_equal(put_at(s, &bare, NULL, never, etag, &e), 0);
	assert_string_equal(etag, "\"one\"");
	assert_asked(0, "POST " COLL "/docs" ABOUT KEY SENDS "\n" TEXT);
	assert_int_equal(put_at(s, &here, NULL, never, etag, &e), 0);
	assert_asked(1, "POST " COLL "/docs" ABOUT
			"\nx-ms-cosmos-intended-collection-rid: rid=" KEY SENDS "\n" TEXT);
	assert_int_equal(put_at(s, &locked, NULL, never, etag, &e), 0);
	assert_asked(2, "POST " COLL "/docs" ABOUT "\nx-ms-cosmos-intended-collection-rid: rid="
			"\nx-ms-cosmos-is-client-encrypted: True" KEY SENDS "\n" TEXT);
	assert_string_equal(etag, "\"three\"");
	docstore_free(s);
}

static void
test_a_version_is_replaced(void **state)
{
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1] = "";
	struct err e = { 0 };

	(void)state;
	PLAY(ETAG(200, "two"), ETAG(200, "three"));
	assert_int_equal(put_at(s, &here, "\"one\"", never, etag, &e), 0);
	assert_string_equal(etag, "\"two\"");
	assert_asked(0, "PUT " DOC ABOUT "\nx-ms-cosmos-intended-collection-rid: rid=" KEY SENDS
			"\nIf-Match: \"one\"\n" TEXT);
	assert_int_equal(put_at(s, &here, "bare", never, etag, &e), 0);
	assert_asked_with(1, "\nIf-Match: \"bare\"\n");
	assert_int_equal(put_at(s, &here, "no\netag", never, etag, &e), -EINVAL);
	assert_int_equal(asked_n, 2);
	docstore_free(s);
}

static void
test_a_version_is_deleted(void **state)
{
	struct docstore *s = open_store();
	struct err e = { 0 };

	(void)state;
	PLAY(PLAIN(204), PLAIN(204));
	assert_int_equal(delete_it(s, "\"one\"", &e), 0);
	assert_asked(0, "DELETE " DOC ABOUT "\nx-ms-cosmos-intended-collection-rid: rid=" KEY
			"\nIf-Match: \"one\"");
	assert_int_equal(delete_it(s, NULL, &e), 0);
	assert_asked(1, "DELETE " DOC ABOUT "\nx-ms-cosmos-intended-collection-rid: rid=" KEY);
	docstore_free(s);
}

static void
test_a_write_is_read_afterwards(void **state)
{
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct err e = { 0 };
	AUTO_BUF out;

	(void)state;
	buf_init(&out, 4 << 20);
	PLAY({ .status = 201,
	       .headers = "etag: \"one\"\nx-ms-session-token: 0:-1#7\nx-ms-request-charge: 5.5\n" },
	     STORED("\"n\":1", "one"), ETAG(200, "two"));
	assert_int_equal(put_at(s, &here, NULL, never, etag, &e), 0);
	assert_int_equal(s->charge_milli, 5500);
	assert_int_equal(docstore_get(s, &here, "[\"p\"]", RAW_ID, NULL, &out, NULL, never, &e), 0);
	assert_asked_with(1, "\nx-ms-session-token: 0:-1#7");
	assert_int_equal(put_at(s, &here, etag, never, etag, &e), 0);
	assert_asked_without(2, "x-ms-session-token");
	docstore_free(s);
}

/* ---- refusals */

static void
test_refusals(void **state)
{
	static const struct {
		char what; /* create, replace, delete */
		int status;
		const char *headers;
		int no;
		const char *event;
	} rows[] = {
		{ 'c', 400, "", EINVAL, NULL },
		{ 'r', 400, "x-ms-substatus: 1001\n", EINVAL, NULL },
		{ 'c', 400, "x-ms-substatus: 1024\n", ESTALE, "remote.recreated" },
		{ 'r', 400, "x-ms-substatus: 1024\n", ESTALE, "remote.recreated" },
		{ 'd', 400, "x-ms-substatus: 1024\n", ESTALE, "remote.recreated" },
		{ 'c', 401, "", EACCES, "auth.cosmos" },
		{ 'c', 403, "", EACCES, "auth.cosmos" },
		{ 'd', 403, "x-ms-substatus: 5300\n", EACCES, "auth.cosmos" },
		{ 'r', 403, "x-ms-substatus: 3\n", EROFS, NULL },
		{ 'c', 404, "x-ms-substatus: 1003\n", ENOENT, "remote.gone" },
		{ 'c', 404, "", ENOENT, "remote.gone" },
		{ 'r', 404, "", ESTALE, "remote.changed" },
		{ 'r', 404, "x-ms-substatus: 1003\n", ENOENT, "remote.gone" },
		{ 'd', 404, "", ENOENT, "remote.gone" },
		{ 'c', 409, "", EEXIST, NULL },
		{ 'r', 412, "", ESTALE, "remote.changed" },
		{ 'd', 412, "", ESTALE, "remote.changed" },
		{ 'c', 413, "", EFBIG, NULL },
		{ 'r', 413, "", EFBIG, NULL },
	};
	struct docstore *s = open_store();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char etag[DOCSTORE_ETAG_MAX + 1] = "untouched";
		struct err e = { 0 };
		int r;

		PLAY({ .status = rows[i].status, .headers = rows[i].headers });
		r = rows[i].what == 'd' ? delete_it(s, "\"v\"", &e)
					: put_at(s, &here, rows[i].what == 'r' ? "\"v\"" : NULL,
						 never, etag, &e);
		if (r != -rows[i].no)
			fail_msg("row %zu: %d %s", i, r, e.text);
		if (rows[i].event == NULL)
			assert_null(e.event);
		else
			assert_string_equal(e.event, rows[i].event);
		assert_int_equal(asked_n, 1);
		assert_string_equal(etag, "untouched");
		if (rows[i].status == 403 && rows[i].no == EACCES)
			assert_non_null(strstr(e.advice, "Data Contributor"));
	}
	docstore_free(s);
}

static void
test_what_the_service_says_of_a_document(void **state)
{
	static const struct {
		const char *body, *wanted;
	} rows[] = {
		{ "{\"code\":\"BadRequest\",\"message\":\"The input name is "
		  "invalid.\\r\\nActivityId: x\"}",
		  "no such document: The input name is invalid (HTTP 400)" },
		{ "{\"message\":\"Message: {\\\"Errors\\\":[\\\"The word 'secret-of-mine' is "
		  "bad\\\"]}\"}",
		  "Message: {\"Errors\":[\"The word '*' is bad (HTTP 400)" },
		{ "{\"message\":\"bad\\u001b[2J\\u202eword\"}", "bad?[2J???word (HTTP 400)" },
		{ "<html>", "no such document (HTTP 400)" },
		{ "{\"message\":7}", "no such document (HTTP 400)" },
	};
	const struct docstore_put put = { "[\"p\"]", "i",
					  span_str("{\"id\":\"i\",\"pk\":\"secret-of-mine\"}"),
					  NULL };
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1], longest[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };

		PLAY({ .status = 400, .body = rows[i].body });
		assert_int_equal(docstore_put(s, &here, &put, etag, never, &e), -EINVAL);
		if (strstr(e.text, rows[i].wanted) == NULL)
			fail_msg("row %zu: %s", i, e.text);
	}
	for (unsigned n = 1; n < 1000; n += 37) { /* whatever its length */
		struct err e = { 0 };

		(void)snprintf(longest, sizeof(longest), "{\"message\":\"%0*u, %0*u\"}", (int)n, 7,
			       (int)n, 7);
		PLAY({ .status = 400, .body = longest });
		assert_int_equal(docstore_put(s, &here, &put, etag, never, &e), -EINVAL);
		assert_true(strlen(e.text) < 260);
	}
	docstore_free(s);
}

/* ---- what is sent again */

static void
test_what_was_not_done_is_sent_again(void **state)
{
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct err e = { 0 };

	(void)state;
	slept_ns = 0;
	PLAY(PLAIN(449), STATUS(410, "1002"),
	     { .status = 429, .headers = "x-ms-retry-after-ms: 1500\n" }, ETAG(201, "one"));
	assert_int_equal(put_at(s, &here, NULL, never, etag, &e), 0);
	assert_int_equal(asked_n, 4);
	for (unsigned i = 1; i < 4; i++)
		assert_string_equal(asked[i], asked[0]);
	assert_int_equal(slept_ns, (10 + 10 + 1500) * NS_PER_MS);
	PLAY(PLAIN(449), PLAIN(204));
	assert_int_equal(delete_it(s, "\"v\"", &e), 0);
	docstore_free(s);
}

static void
test_waiting_ends_with_the_deadline(void **state)
{
	static const struct answer busy = { .status = 449 },
				   later = { .status = 429,
					     .headers = "x-ms-retry-after-ms: 60000\n" };
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct answer many[DOUBLE_MAX];
	struct err e = { 0 };

	(void)state;
	for (unsigned i = 0; i < DOUBLE_MAX; i++)
		many[i] = busy;
	play(many, DOUBLE_MAX);
	assert_int_equal(put_at(s, &here, NULL, deadline_in(NS_PER_S), etag, &e), -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	err_clear(&e);
	play(&later, 1);
	assert_int_equal(put_at(s, &here, NULL, deadline_in(5 * NS_PER_S), etag, &e), -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	docstore_free(s);
}

/* ---- answers that were lost */

#define OLD    STORED("\"n\":0", "old")
#define SENT   STORED("\"n\":1.0", "new")   /* as it was sent */
#define PRINTS STORED("\"n\" : 1e0", "new") /* the same, printed otherwise */
#define OTHERS STORED("\"n\":2", "others")
#define MORE   STORED("\"n\":1,\"m\":1", "others")
#define LESS   STORED("\"m\":1.0", "others")

static const struct {
	char what;
	const char *name;
	struct answer script[6];
	const char *asked; /* P POST or PUT or DELETE, g GET */
	int r;
	const char *etag;
} lost[] = {
	{ 'c', "done", { LOST, SENT }, "Pg", 0, "\"new\"" },
	{ 'c', "done, printed otherwise", { LOST, PRINTS }, "Pg", 0, "\"new\"" },
	{ 'c', "not done", { LOST, PLAIN(404), ETAG(201, "new") }, "PgP", 0, "\"new\"" },
	{ 'c', "somebody else's", { LOST, OTHERS }, "Pg", -EEXIST, NULL },
	{ 'c', "somebody else's with more", { LOST, MORE }, "Pg", -EEXIST, NULL },
	{ 'c', "somebody else's with less", { LOST, LESS }, "Pg", -EEXIST, NULL },
	{ 'c', "done after a 503", { PLAIN(503), SENT }, "Pg", 0, "\"new\"" },
	{ 'c', "done after a 500", { PLAIN(500), SENT }, "Pg", 0, "\"new\"" },
	{ 'c', "done after a 408", { PLAIN(408), SENT }, "Pg", 0, "\"new\"" },
	{ 'c', "done after a 410", { STATUS(410, "1002"), PLAIN(409), SENT }, "PPg", 0, "\"new\"" },
	{ 'c', "without an ETag", { PLAIN(201), SENT }, "Pg", 0, "\"new\"" },
	{ 'c', "an upsert nobody wanted", { ETAG(200, "new"), SENT }, "Pg", 0, "\"new\"" },
	{ 'c',
	  "done, seen by a replica that lags",
	  { LOST, PLAIN(404), PLAIN(409), SENT },
	  "PgPg",
	  0,
	  "\"new\"" },
	{ 'c',
	  "not done, and then somebody else's",
	  { LOST, PLAIN(404), PLAIN(409), OTHERS },
	  "PgPg",
	  -EEXIST,
	  NULL },
	{ 'c', "lost twice", { LOST, PLAIN(404), LOST, SENT }, "PgPg", 0, "\"new\"" },
	{ 'c', "made anew meanwhile", { LOST, STATUS(400, "1024") }, "Pg", -ESTALE, NULL },
	{ 'c', "not to be looked at", { PLAIN(500), PLAIN(403) }, "Pg", -EIO, NULL },
	{ 'r', "done", { LOST, SENT }, "Pg", 0, "\"new\"" },
	{ 'r', "not done", { LOST, OLD, ETAG(200, "new") }, "PgP", 0, "\"new\"" },
	{ 'r', "somebody else's", { LOST, OTHERS }, "Pg", -ESTALE, NULL },
	{ 'r', "deleted meanwhile", { LOST, PLAIN(404) }, "Pg", -ESTALE, NULL },
	{ 'r', "done, seen late", { PLAIN(503), OLD, PLAIN(412), SENT }, "PgPg", 0, "\"new\"" },
	{ 'r',
	  "not done, then somebody else's",
	  { LOST, OLD, PLAIN(412), OTHERS },
	  "PgPg",
	  -ESTALE,
	  NULL },
	{ 'r',
	  "the same text under the old version",
	  { LOST, STORED("\"n\":1.0", "old"), ETAG(200, "new") },
	  "PgP",
	  0,
	  "\"new\"" },
	{ 'd', "done", { LOST, PLAIN(404) }, "Pg", 0, NULL },
	{ 'd', "not done", { PLAIN(503), OLD, PLAIN(204) }, "PgP", 0, NULL },
	{ 'd', "done, seen late", { LOST, OLD, PLAIN(404) }, "PgP", 0, NULL },
	{ 'd', "another version", { LOST, OTHERS }, "Pg", -ESTALE, NULL },
	{ 'd', "another version later", { LOST, OLD, PLAIN(412) }, "PgP", -ESTALE, NULL },
};

static void
test_an_answer_that_was_lost_is_cleared_up(void **state)
{
	struct docstore *s = open_store();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lost); i++) {
		char etag[DOCSTORE_ETAG_MAX + 1] = "", methods[8] = "";
		const unsigned n = (unsigned)strlen(lost[i].asked);
		struct err e = { 0 };
		int r;

		play(lost[i].script, n);
		r = lost[i].what == 'd'
			    ? delete_it(s, "\"old\"", &e)
			    : put_at(s, &here, lost[i].what == 'r' ? "old" : NULL, never, etag, &e);
		for (unsigned k = 0; k < asked_n && k < n; k++)
			methods[k] = strncmp(asked[k], "GET ", 4) == 0 ? 'g' : 'P';
		if (r != lost[i].r || asked_n != n || strcmp(methods, lost[i].asked) != 0)
			fail_msg("%c %s: %d %s, asked %s", lost[i].what, lost[i].name, r, e.text,
				 methods);
		if (lost[i].r == 0 && lost[i].etag != NULL)
			assert_string_equal(etag, lost[i].etag);
		if (n == 3 && methods[2] == 'P')
			assert_string_equal(asked[2], asked[0]);
	}
	docstore_free(s);
}

/* What failed before anything was sent, or for good, is not looked for. */
static void
test_other_failures_are_final(void **state)
{
	static const int errnos[] = { EACCES, ECANCELED, ENOMEM, EINVAL };
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(errnos); i++) {
		struct err e = { 0 };

		PLAY({ .fails = errnos[i] });
		assert_int_equal(put_at(s, &here, NULL, never, etag, &e), -errnos[i]);
		assert_int_equal(asked_n, 1);
	}
	docstore_free(s);
}

/* Without a deadline there is an end all the same; the reason is the first one's. */
static void
test_a_service_that_never_answers(void **state)
{
	static const struct answer no_answer = LOST, nothing = PLAIN(404);
	struct docstore *s = open_store();
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct answer many[DOUBLE_MAX];
	struct err e = { 0 };

	(void)state;
	PLAY(LOST, LOST);
	assert_int_equal(put_at(s, &here, NULL, never, etag, &e), -EIO);
	assert_string_equal(e.text, "the scripted call fails");
	err_clear(&e);
	for (unsigned i = 0; i < DOUBLE_MAX; i++)
		many[i] = i % 2 == 0 ? no_answer : nothing;
	play(many, DOUBLE_MAX);
	assert_int_equal(put_at(s, &here, NULL, deadline_in(1), etag, &e), -EIO);
	assert_int_equal(asked_n, 2);
	docstore_free(s);
}

static int
set_up(void **state)
{
	(void)state;
	replace_clock();
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_document_is_created),
		cmocka_unit_test(test_a_version_is_replaced),
		cmocka_unit_test(test_a_version_is_deleted),
		cmocka_unit_test(test_a_write_is_read_afterwards),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_what_the_service_says_of_a_document),
		cmocka_unit_test(test_what_was_not_done_is_sent_again),
		cmocka_unit_test(test_waiting_ends_with_the_deadline),
		cmocka_unit_test(test_an_answer_that_was_lost_is_cleared_up),
		cmocka_unit_test(test_other_failures_are_final),
		cmocka_unit_test(test_a_service_that_never_answers),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
