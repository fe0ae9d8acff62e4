/* SPDX-License-Identifier: MIT */
/* Walks through a Cosmos container: nothing lost, nothing twice, whatever becomes of its ranges. */
#include "tests/unit/store/cosmos_double.h"

#define R(id, min, max) \
	"{\"id\":\"" id "\",\"minInclusive\":\"" min "\",\"maxExclusive\":\"" max "\"}"
#define RANGES(inner)                                                         \
	{                                                                     \
		.status = 200, .body = "{\"PartitionKeyRanges\":[" inner "]}" \
	}
#define ONE_RANGE  RANGES(R("0", "", "FF"))
#define TWO_RANGES RANGES(R("1", "", "3F") "," R("2", "3F", "FF"))
#define SAME(etag)                                           \
	{                                                    \
		.status = 304, .headers = "etag: " etag "\n" \
	}
#define PKRANGES "GET " COLL "/pkranges" ABOUT
#define FEED(items, range)                                        \
	"GET " COLL "/docs" ABOUT "\nx-ms-max-item-count: " items \
	"\nx-ms-documentdb-partitionkeyrangeid: " range
#define LIMIT "\nx-ms-documentdb-responsecontinuationtokenlimitinkb: 1"
#define EPK(min, max)                                                            \
	"\nx-ms-read-key-type: EffectivePartitionKeyRange\nx-ms-start-epk: " min \
	"\nx-ms-end-epk: " max

static char name_pk[] = "pk";
static const struct container_def def = { .partition = { { { name_pk }, 1, -1 } },
					  .n_partition = 1 },
				  sealed = { .has_policy = true };
static const struct docstore_select everything = { .what = DOCSTORE_DOCUMENTS };

static struct docstore_at here = { "d", "c", NULL, &def };

struct walk {
	struct docstore *s;
	const struct docstore_select *sel;
	struct buf cursor;
	struct lines lines;
	struct docstore_page page;
	struct err e;
};

static void
begin(struct walk *w, const struct docstore_select *sel)
{
	*w = (struct walk){ .s = open_store(), .sel = sel };
	buf_init(&w->cursor, DOCSTORE_CURSOR_MAX);
}

static void
end(struct walk *w)
{
	docstore_free(w->s);
	buf_clear(&w->cursor);
}

static int
step(struct walk *w)
{
	w->e = (struct err){ 0 };
	return docstore_page(w->s, &here, w->sel, &w->cursor, lines_sink(&w->lines), &w->page,
			     never, &w->e);
}

static void
assert_page(struct walk *w, const char *wanted)
{
	if (step(w) < 0)
		fail_msg("%s", w->e.text);
	assert_string_equal(w->lines.text, wanted);
}

/* ---- feeds and queries */

static void
test_ranges_are_read_one_after_the_other(void **state)
{
	struct walk w;

	(void)state;
	begin(&w, &everything);
	PLAY(TWO_RANGES,
	     OK("x-ms-continuation: to \"k\\en\"\nx-ms-request-charge: 3.5\n"
		"x-ms-session-token: 1:-1#5\n",
		DOCS("{\"a\": 1.0}")),
	     OK("x-ms-request-charge: 1\n", DOCS("")), OK("", DOCS("{\"b\":2},{\"c\":3}")));
	assert_page(&w, "{\"a\": 1.0}\n");
	assert_true(w.page.charge > 3.4 && w.page.charge < 3.6);
	assert_page(&w, "");
	assert_true(w.cursor.n > 0);
	assert_page(&w, "{\"b\":2}\n{\"c\":3}\n");
	assert_int_equal(w.cursor.n, 0);
	assert_int_equal(asked_n, 4);
	assert_asked(0, PKRANGES);
	assert_asked(1, FEED("1000", "1") LIMIT);
	assert_asked(2, FEED("1000", "1") LIMIT "\nx-ms-continuation: to \"k\\en\""
						"\nx-ms-session-token: 1:-1#5");
	assert_asked(3, FEED("1000", "2") LIMIT);
	/* The ranges are known; sessions are of one range. */
	PLAY(OK("", DOCS("")), OK("", DOCS("")));
	assert_page(&w, "");
	assert_asked(0, FEED("1000", "1") LIMIT "\nx-ms-session-token: 1:-1#5");
	end(&w);
}

static void
test_queries_ask_each_range(void **state)
{
	static const char *const token[] = { "s" }, *const value[] = { "\"cell\"" };
	const struct docstore_equal equal = { token, 1, value, 1 };
	const struct docstore_select sel = { .equal = &equal, .n_equal = 1, .max_items = 7 };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	here.rid = "rid=";
	here.def = &sealed;
	PLAY(ONE_RANGE, OK("", DOCS("{\"a\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_asked(1, "POST " COLL "/docs" ABOUT "\nx-ms-cosmos-intended-collection-rid: rid="
			"\nx-ms-cosmos-is-client-encrypted: True\nx-ms-max-item-count: 7"
			"\nContent-Type: application/query+json\nx-ms-documentdb-isquery: true"
			"\nx-ms-documentdb-query-enablecrosspartition: True"
			"\nx-ms-documentdb-partitionkeyrangeid: 0" LIMIT
			"\n{\"query\":\"SELECT * FROM c WHERE (c[\\\"s\\\"] = @v0)\","
			"\"parameters\":[{\"name\":\"@v0\",\"value\":\"cell\"}]}");
	here.rid = NULL;
	here.def = &def;
	end(&w);
}

static void
test_a_partition_needs_no_ranges(void **state)
{
	static const char *const token[] = { "s" }, *const value[] = { "1" };
	const struct docstore_equal equal = { token, 1, value, 1 };
	const struct docstore_select feed = { .partition = "[\"p\"]" }, query = {
		.partition = "[\"p\"]", .equal = &equal, .n_equal = 1
	};
	struct walk w;

	(void)state;
	begin(&w, &feed);
	PLAY(OK("x-ms-continuation: t\n", DOCS("{\"a\":1}")), OK("", DOCS("{\"b\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_page(&w, "{\"b\":1}\n");
	assert_int_equal(w.cursor.n, 0);
	assert_asked(0, "GET " COLL "/docs" ABOUT "\nx-ms-max-item-count: 1000"
			"\nx-ms-documentdb-partitionkey: [\"p\"]" LIMIT);
	assert_asked(1, "GET " COLL "/docs" ABOUT "\nx-ms-max-item-count: 1000"
			"\nx-ms-documentdb-partitionkey: [\"p\"]" LIMIT "\nx-ms-continuation: t");
	PLAY(STATUS(410, "1008"), STATUS(400, "1001"));
	assert_int_equal(step(&w), -ESTALE);
	assert_string_equal(w.e.event, "remote.recreated");
	end(&w);

	begin(&w, &query);
	PLAY(OK("", DOCS("{\"a\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_asked_with(0, "POST " COLL "/docs");
	assert_asked_with(0, "\nx-ms-documentdb-partitionkey: [\"p\"]");
	assert_asked_without(0, "crosspartition");
	end(&w);
}

static void
test_partitions_are_projected(void **state)
{
	const struct docstore_select sel = { .what = DOCSTORE_PARTITIONS };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	PLAY(ONE_RANGE, OK("", DOCS("{\"p0\":\"\303\251\"},{},{\"p0\":1.50}")),
	     OK("", DOCS("{\"p0\":1},{\"p9\":1}")));
	assert_page(&w, "[\"\\u00e9\"]\n[{}]\n[1.5]\n");
	assert_asked_with(1,
			  "\n{\"query\":\"SELECT c[\\\"pk\\\"] AS p0 FROM c\",\"parameters\":[]}");
	/* A row that is none, after one that is: nothing of the page goes out. */
	assert_int_equal(step(&w), -EIO);
	assert_string_equal(w.lines.text, "");
	end(&w);
}

static void
test_parts_of_ranges_are_asked_for_by_key(void **state)
{
	const struct docstore_select sel = { .min = "10", .max = "5F" };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	PLAY(RANGES(R("1", "", "3F") "," R("2", "3F", "5F") "," R("3", "5F", "FF")),
	     OK("", DOCS("{\"a\":1}")), OK("", DOCS("{\"b\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_asked(1, FEED("1000", "1") EPK("10", "3F") LIMIT);
	assert_page(&w, "{\"b\":1}\n");
	assert_asked(2, FEED("1000", "2") LIMIT); /* a whole one */
	assert_int_equal(w.cursor.n, 0);
	end(&w);
}

static void
test_bounds_that_are_none(void **state)
{
	static const struct docstore_select rows[] = {
		{ .min = "FF", .max = "" },	{ .min = "", .max = "" },
		{ .min = "a", .max = "FF" },	{ .min = "", .max = "FF00" },
		{ .min = "\r\n", .max = "FF" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct walk w;

		begin(&w, &rows[i]);
		script_n = asked_n = 0;
		assert_int_equal(step(&w), -EINVAL);
		assert_int_equal(asked_n, 0);
		end(&w);
	}
}

/* ---- splits and merges */

static void
test_a_range_splits_on_the_way(void **state)
{
	struct walk w;

	(void)state;
	begin(&w, &everything);
	PLAY(ONE_RANGE, OK("x-ms-continuation: t\n", DOCS("{\"a\":1}")), STATUS(410, "1002"),
	     TWO_RANGES, OK("", DOCS("{\"b\":1}")), OK("x-ms-continuation: u\n", DOCS("{\"c\":1}")),
	     OK("", DOCS("{\"d\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_page(&w, "{\"b\":1}\n");
	assert_asked(2, FEED("1000", "0") LIMIT "\nx-ms-continuation: t");
	assert_asked(3, PKRANGES);
	/* Both parts go on where the whole was. */
	assert_asked(4, FEED("1000", "1") LIMIT "\nx-ms-continuation: t");
	assert_page(&w, "{\"c\":1}\n");
	assert_asked(5, FEED("1000", "2") LIMIT "\nx-ms-continuation: t");
	assert_page(&w, "{\"d\":1}\n");
	assert_asked(6, FEED("1000", "2") LIMIT "\nx-ms-continuation: u");
	assert_int_equal(w.cursor.n, 0);
	assert_int_equal(asked_n, 7);
	end(&w);
}

static void
test_ranges_merge_on_the_way(void **state)
{
	struct walk w;

	(void)state;
	begin(&w, &everything);
	PLAY(TWO_RANGES, OK("x-ms-continuation: t\n", DOCS("{\"a\":1}")), STATUS(410, "1007"),
	     ONE_RANGE, OK("", DOCS("{\"b\":1}")), OK("", DOCS("{\"c\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_page(&w, "{\"b\":1}\n");
	assert_asked(4, FEED("1000", "0") EPK("", "3F") LIMIT "\nx-ms-continuation: t");
	assert_page(&w, "{\"c\":1}\n");
	assert_asked(5, FEED("1000", "0") EPK("3F", "FF") LIMIT);
	assert_int_equal(w.cursor.n, 0);
	end(&w);
}

static void
test_ranges_that_stay_gone(void **state)
{
	struct docstore_at other = { "d", "c", "rid=", &def };
	struct answer many[16];
	struct walk w;

	(void)state;
	begin(&w, &everything);
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = i % 2 == 0 ? (struct answer)ONE_RANGE
				     : (struct answer)STATUS(410, "1002");
	play(many, ARRAY_LEN(many));
	assert_int_equal(docstore_page(w.s, &here, &everything, &w.cursor, lines_sink(&w.lines),
				       NULL, deadline_in(NS_PER_S), &w.e),
			 -ETIMEDOUT);
	assert_int_equal(asked_n, 14); /* six waits of 10 to 320 ms; 640 are too many */
	/* Another container of that name has ranges of its own. */
	w.e = (struct err){ 0 };
	PLAY(ONE_RANGE, OK("", DOCS("")), OK("", DOCS("")));
	assert_int_equal(docstore_page(w.s, &other, &everything, &w.cursor, lines_sink(&w.lines),
				       NULL, never, &w.e),
			 0);
	assert_asked(0, PKRANGES);
	assert_int_equal(docstore_page(w.s, &other, &everything, &w.cursor, lines_sink(&w.lines),
				       NULL, never, &w.e),
			 0);
	assert_int_equal(asked_n, 3);
	end(&w);
}

/* ---- what goes wrong */

static void
test_pages_that_are_none(void **state)
{
	static const char *const rows[] = { "", "{}", "<html>", "{\"Documents\":[{}]",
					    "{\"Documents\":[1]}" };
	struct walk w;

	(void)state;
	begin(&w, &everything);
	PLAY(ONE_RANGE, OK("", DOCS("")));
	assert_page(&w, "");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		PLAY(OK("", rows[i]), OK("", DOCS("{\"a\":1}")));
		assert_page(&w, "{\"a\":1}\n");
		PLAY(OK("", rows[i]), OK("", rows[i]));
		assert_int_equal(step(&w), -EIO);
		assert_string_equal(w.e.event, "net.protocol");
		assert_string_equal(w.lines.text, "");
	}
	/* An attempt that breaks off in the middle, then a whole one. */
	PLAY({ .status = 200, .body = DOCS("{\"a\":1}"), .cut = 30 }, OK("", DOCS("{\"b\":1}")));
	assert_page(&w, "{\"b\":1}\n");
	end(&w);
}

static void
test_the_cursor_stays_when_a_page_fails(void **state)
{
	static const int failures[] = { -EDOM, -EACCES, -ENOENT, -ESTALE, -ETIMEDOUT, -EIO };
	struct walk w;
	AUTO_BUF before;

	(void)state;
	buf_init(&before, DOCSTORE_CURSOR_MAX);
	begin(&w, &everything);
	PLAY(ONE_RANGE, OK("x-ms-continuation: t\n", DOCS("{\"a\":1}")),
	     OK("x-ms-continuation: u\n", DOCS("{\"b\":1},{\"c\":1}")), STATUS(403, "0"),
	     STATUS(404, "1003"), STATUS(400, "1024"), { .fails = ETIMEDOUT },
	     OK("x-ms-continuation: \303\251\n", DOCS("{\"d\":1}")),
	     OK("x-ms-continuation: t\n", DOCS("{\"e\":1}")));
	assert_page(&w, "{\"a\":1}\n");
	assert_int_equal(buf_add(&before, w.cursor.p, w.cursor.n, &w.e), 0);
	w.lines.refuse = "{\"c\":1}";
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		assert_int_equal(step(&w), failures[i]);
		assert_string_equal(buf_str(&w.cursor), buf_str(&before));
		assert_string_equal(w.lines.text, i == 0 ? "{\"b\":1}\n" : "");
	}
	assert_page(&w, "{\"e\":1}\n");
	end(&w);
}

/* It may stay where it is for some pages, but not for ever. */
static void
test_a_feed_that_does_not_move(void **state)
{
	static const struct answer still = OK("x-ms-continuation: t\n", DOCS(""));
	struct walk w;

	(void)state;
	begin(&w, &everything);
	PLAY(ONE_RANGE, still, still, OK("x-ms-continuation: t\n", DOCS("{\"a\":1}")));
	assert_page(&w, "");
	assert_page(&w, "");
	assert_page(&w, "{\"a\":1}\n");
	for (unsigned i = 0; i < 100; i++) {
		play(&still, 1);
		assert_page(&w, "");
	}
	play(&still, 1);
	assert_int_equal(step(&w), -EIO);
	assert_string_equal(w.e.event, "net.protocol");
	play(&(struct answer)OK("x-ms-continuation: u\n", DOCS("")), 1);
	assert_page(&w, "");
	play(&(struct answer)OK("", DOCS("")), 1);
	assert_page(&w, "");
	assert_int_equal(w.cursor.n, 0);
	end(&w);
}

static void
test_cursors_of_another_container_or_walk(void **state)
{
	const struct docstore_select changes = { .changes = true },
				     partition = { .partition = "[1]" };
	struct docstore_at old = { "d", "c", "old=", &def }, new = { "d", "c", "new=", &def };
	struct walk w;

	(void)state;
	begin(&w, &everything);
	PLAY(ONE_RANGE, OK("x-ms-continuation: t\n", DOCS("")));
	assert_int_equal(docstore_page(w.s, &old, &everything, &w.cursor, lines_sink(&w.lines),
				       NULL, never, &w.e),
			 0);
	assert_int_equal(docstore_page(w.s, &new, &everything, &w.cursor, lines_sink(&w.lines),
				       NULL, never, &w.e),
			 -ESTALE);
	assert_string_equal(w.e.event, "remote.recreated");
	w.sel = &changes;
	assert_int_equal(step(&w), -EINVAL);
	w.sel = &partition;
	assert_int_equal(step(&w), -EINVAL);
	assert_int_equal(asked_n, 2);
	end(&w);
}

/* ---- changes */

#define CHANGES(range) FEED("1000", range) "\nA-IM: Incremental Feed"

static void
assert_idle(struct walk *w, const char *wanted, bool idle)
{
	assert_page(w, wanted);
	assert_int_equal(w->page.idle, idle);
	assert_true(w->cursor.n > 0);
}

static void
test_changes_from_the_beginning(void **state)
{
	const struct docstore_select sel = { .changes = true };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	PLAY(TWO_RANGES, OK("etag: \"5\"\nx-ms-continuation: wrong\n", DOCS("{\"a\":1}")),
	     SAME("\"7\""), OK("etag: \"6\"\n", DOCS("{\"b\":1}")), SAME("\"8\""), SAME("\"6\""),
	     { .status = 304 }, SAME("\"6\""));
	assert_idle(&w, "{\"a\":1}\n", false);
	assert_asked(1, CHANGES("1"));
	assert_idle(&w, "", false);
	assert_asked(2, CHANGES("2"));
	assert_idle(&w, "{\"b\":1}\n", false);
	assert_asked(3, CHANGES("1") "\nIf-None-Match: \"5\"");
	assert_idle(&w, "", false);
	assert_asked(4, CHANGES("2") "\nIf-None-Match: \"7\"");
	assert_idle(&w, "", true); /* both, since the last document */
	assert_asked(5, CHANGES("1") "\nIf-None-Match: \"6\"");
	assert_idle(&w, "", false); /* a 304 that does not say where: it is where it was */
	assert_asked(6, CHANGES("2") "\nIf-None-Match: \"8\"");
	assert_idle(&w, "", true);
	end(&w);
}

static void
test_changes_from_now_on(void **state)
{
	const struct docstore_select sel = { .changes = true, .start = DOCSTORE_FROM_NOW };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	/* One call pins all of them; as long as one fails, none is. */
	PLAY(TWO_RANGES, SAME("\"5\""), { .fails = EIO }, SAME("\"5\""), SAME("\"7\""),
	     OK("etag: \"6\"\n", DOCS("{\"a\":1}")));
	assert_int_equal(step(&w), -EIO);
	assert_int_equal(w.cursor.n, 0);
	assert_idle(&w, "", true);
	assert_asked(3, CHANGES("1") "\nIf-None-Match: *");
	assert_asked(4, CHANGES("2") "\nIf-None-Match: *");
	assert_int_equal(asked_n, 5);
	assert_idle(&w, "{\"a\":1}\n", false);
	assert_asked(5, CHANGES("1") "\nIf-None-Match: \"5\"");
	end(&w);

	begin(&w, &sel);
	PLAY(ONE_RANGE, { .status = 304 }, OK("etag: \"1\"\n", DOCS("{\"old\":1}")));
	assert_int_equal(step(&w), -EIO); /* where is now? */
	assert_int_equal(step(&w), -EIO); /* a now with a past */
	assert_string_equal(w.e.event, "net.protocol");
	end(&w);
}

static void
test_changes_from_a_time_on(void **state)
{
	const struct docstore_select sel = { .changes = true,
					     .start = DOCSTORE_FROM_TIME,
					     .start_s = 784111777 },
				     other = { .changes = true };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	PLAY(TWO_RANGES, OK("etag: \"5\"\n", DOCS("{\"a\":1}")), SAME("\"7\""));
	assert_idle(&w, "{\"a\":1}\n", false);
	assert_asked(1, CHANGES("1") "\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT");
	/* The cursor knows when it began. */
	w.sel = &other;
	assert_idle(&w, "", false);
	assert_asked(2, CHANGES("2") "\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT");
	end(&w);
}

static void
test_a_range_splits_while_it_is_followed(void **state)
{
	const struct docstore_select sel = { .changes = true };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	PLAY(ONE_RANGE, OK("etag: \"5\"\n", DOCS("{\"a\":1}")), STATUS(410, "1002"), TWO_RANGES,
	     SAME("\"5\""), OK("etag: \"9\"\n", DOCS("{\"b\":1}")), SAME("\"5\""), SAME("\"9\""));
	assert_idle(&w, "{\"a\":1}\n", false);
	assert_idle(&w, "", false);
	assert_asked(4, CHANGES("1") "\nIf-None-Match: \"5\"");
	assert_idle(&w, "{\"b\":1}\n", false);
	assert_asked(5, CHANGES("2") "\nIf-None-Match: \"5\"");
	assert_idle(&w, "", false);
	assert_idle(&w, "", true);
	assert_asked(7, CHANGES("2") "\nIf-None-Match: \"9\"");
	end(&w);
}

static void
test_answers_about_changes_that_are_none(void **state)
{
	const struct docstore_select sel = { .changes = true };
	struct walk w;

	(void)state;
	begin(&w, &sel);
	PLAY(ONE_RANGE, OK("", DOCS("{\"a\":1}")), OK("etag: \303\251\n", DOCS("{\"a\":1}")),
	     OK("etag: \"1\"\n", "{\"Documents\":[{\"old\":1}],\"x\":01}"), SAME("\"5\""));
	assert_int_equal(step(&w), -EIO); /* where does it go on? */
	assert_int_equal(step(&w), -EIO);
	assert_string_equal(w.lines.text, "");
	/* Of a page that is none nothing is left when the second try finds none. */
	assert_idle(&w, "", true);
	end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ranges_are_read_one_after_the_other),
		cmocka_unit_test(test_queries_ask_each_range),
		cmocka_unit_test(test_a_partition_needs_no_ranges),
		cmocka_unit_test(test_partitions_are_projected),
		cmocka_unit_test(test_parts_of_ranges_are_asked_for_by_key),
		cmocka_unit_test(test_bounds_that_are_none),
		cmocka_unit_test(test_a_range_splits_on_the_way),
		cmocka_unit_test(test_ranges_merge_on_the_way),
		cmocka_unit_test(test_ranges_that_stay_gone),
		cmocka_unit_test(test_pages_that_are_none),
		cmocka_unit_test(test_the_cursor_stays_when_a_page_fails),
		cmocka_unit_test(test_a_feed_that_does_not_move),
		cmocka_unit_test(test_cursors_of_another_container_or_walk),
		cmocka_unit_test(test_changes_from_the_beginning),
		cmocka_unit_test(test_changes_from_now_on),
		cmocka_unit_test(test_changes_from_a_time_on),
		cmocka_unit_test(test_a_range_splits_while_it_is_followed),
		cmocka_unit_test(test_answers_about_changes_that_are_none),
	};

	replace_clock();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
