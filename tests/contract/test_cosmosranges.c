/* SPDX-License-Identifier: MIT */
/*
 * Walks through a Cosmos container whose ranges split and merge between the pages: every document
 * comes once.  AZC_COSMOS_URL is an emulator that can be told to; skipped loudly without.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/contract/cosmos_fixture.h"
#include "tests/contract/docstore_held.h"

enum { DOCUMENTS = 60, ROUNDS = 4, PARTS_MAX = 64, IN_THREE = 3 };

static struct cosmos_fixture account;
static struct docstore_fixture fixture;

/* Repeatable, and good enough to shuffle. */
static unsigned dice_state;

static unsigned
dice(unsigned sides)
{
	dice_state = dice_state * 1664525 + 1013904223;
	return (dice_state >> 16) % sides;
}

/* ---- steering */

/* A range that holds one key and nothing beside it cannot be split: 400. */
static void
tell(const char *what, const char *body)
{
	struct http_request req = { .method = "POST", .max_body = 1 << 16, .idempotent = true };
	AUTO_HTTP_RESPONSE answer;
	AUTO_BUF url, text;
	struct err e = { 0 };

	http_response_init(&answer);
	buf_init(&url, 1 << 10);
	buf_init(&text, 1 << 16);
	assert_int_equal(buf_addf(&url, &e, "%s/_test/%s", account.url, what), 0);
	req.url = buf_str(&url);
	req.body = span_str(body);
	req.header[0] = (struct http_header){ "Content-Type", "application/json" };
	if (http_call(account.client, NULL, &req, http_sink_to_buf(&text), docstore_soon(), &answer,
		      &e) < 0)
		fail_msg("%s: %s", what, e.text);
	if (answer.status != 200 && strcmp(what, "split") != 0)
		fail_msg("%s %s: %d %s", what, body, answer.status, buf_str(&answer.error_body));
}

/* The ids of the ranges in the order of their keys. */
struct ids {
	char id[PARTS_MAX][16];
	unsigned n;
};

/* What the service says, without the driver: "id":"..." of each, which it sends in order. */
static struct ids
ranges_now(void)
{
	struct http_request req = { .method = "GET", .max_body = 1 << 20 };
	AUTO_HTTP_RESPONSE answer;
	AUTO_BUF url, text;
	struct err e = { 0 };
	struct ids out = { .n = 0 };

	http_response_init(&answer);
	buf_init(&url, 1 << 10);
	buf_init(&text, 1 << 20);
	assert_int_equal(
		buf_addf(&url, &e, "%s/dbs/the%%20shop/colls/moving/pkranges", account.url), 0);
	req.url = buf_str(&url);
	req.header[0] = (struct http_header){ "x-ms-version", "2020-07-15" };
	assert_int_equal(http_call(account.client, account.auth, &req, http_sink_to_buf(&text),
				   docstore_soon(), &answer, &e),
			 0);
	assert_int_equal(answer.status, 200);
	for (const char *p = buf_str(&text); (p = strstr(p, "\"id\":")) != NULL; out.n++) {
		p = strchr(p + 5, '"') + 1;
		assert_true(out.n < PARTS_MAX);
		(void)snprintf(out.id[out.n], sizeof(out.id[0]), "%.*s", (int)strcspn(p, "\""), p);
	}
	return out;
}

static void
shuffle_ranges(void)
{
	const struct ids ids = ranges_now();
	char body[128];
	unsigned i;

	if (dice(IN_THREE) == 0)
		tell("state", "{\"session_behind\":1}");
	if (ids.n > 1 && dice(2) == 0) {
		i = dice(ids.n - 1);
		(void)snprintf(body, sizeof(body),
			       "{\"database\":\"the shop\",\"container\":\"moving\","
			       "\"ranges\":[\"%s\",\"%s\"]}",
			       ids.id[i], ids.id[i + 1]);
		tell("merge", body);
	} else if (ids.n < PARTS_MAX / 4) {
		i = dice(ids.n);
		(void)snprintf(body, sizeof(body),
			       "{\"database\":\"the shop\",\"container\":\"moving\","
			       "\"range\":\"%s\"}",
			       ids.id[i]);
		tell("split", body);
	}
}

/* ---- documents */

static void
put_some(unsigned from, unsigned to, struct docstore_seen *wanted, struct docstore_seen *partitions)
{
	for (unsigned i = from; i < to; i++) {
		char partition[32], id[16], members[48], *text;
		const struct contract_document document = { partition, id, members };

		(void)snprintf(partition, sizeof(partition), "[\"p%u\"]", i / 2);
		(void)snprintf(id, sizeof(id), "%u", i);
		(void)snprintf(members, sizeof(members), "\"pk\":\"p%u\",\"n\":%u", i / 2, i % 2);
		text = fixture.put(fixture.arg, "moving", &document);
		docstore_seen_add(wanted, text);
		docstore_seen_add(partitions, partition);
		free(text);
	}
}

/* As docstore_seen_on, with ranges that move now and then. */
static void
walk(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
     struct buf *cursor, struct docstore_seen *seen)
{
	struct docstore_page page;
	struct err e = { 0 };

	do {
		if (dice(2) == 0)
			shuffle_ranges();
		if (docstore_page(s, at, sel, cursor, docstore_seen_texts(seen), &page,
				  docstore_soon(), &e) < 0)
			fail_msg("page: %s", e.text);
	} while (sel->changes ? !page.idle : cursor->n > 0);
}

static void
assert_walk(struct docstore *s, const struct docstore_at *at, const struct docstore_select *sel,
	    struct docstore_seen *wanted, const char *what)
{
	struct docstore_seen seen = { .n = 0 };
	AUTO_BUF cursor;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	walk(s, at, sel, &cursor, &seen);
	docstore_seen_drop(&seen, ",\"_lsn\":");
	docstore_seen_same(&seen, wanted, what);
	docstore_seen_clear(&seen);
}

static void
test_nothing_is_lost_or_twice(void **state)
{
	static const char *const token[] = { "n" }, *const value[] = { "0", "1" };
	const struct docstore_equal equal = { token, 1, value, 2 };
	struct docstore_seen documents = { .n = 0 }, partitions = { .n = 0 };
	struct docstore *s;
	struct docstore_place place;

	(void)state;
	fixture.reset(fixture.arg);
	fixture.make(fixture.arg, "moving", BY_PK);
	put_some(0, DOCUMENTS, &documents, &partitions);
	s = fixture.open(fixture.arg);
	docstore_place_of(&fixture, s, "moving", &place);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct docstore_select feed = { .max_items = 1 + dice(9) },
					     query = { .equal = &equal,
						       .n_equal = 1,
						       .max_items = 1 + dice(9) },
					     keys = { .what = DOCSTORE_PARTITIONS,
						      .max_items = 1 + dice(9) },
					     changes = { .changes = true,
							 .max_items = 1 + dice(9) };

		dice_state = round;
		assert_walk(s, &place.at, &feed, &documents, "a feed");
		assert_walk(s, &place.at, &query, &documents, "a query");
		assert_walk(s, &place.at, &keys, &partitions, "partitions");
		assert_walk(s, &place.at, &changes, &documents, "changes");
	}
	docstore_place_clear(&place);
	docstore_seen_clear(&documents);
	docstore_seen_clear(&partitions);
	docstore_free(s);
}

static void
test_changes_are_followed(void **state)
{
	struct docstore_select changes = { .changes = true,
					   .start = DOCSTORE_FROM_NOW,
					   .max_items = 3 };
	struct docstore_seen wanted = { .n = 0 }, seen = { .n = 0 }, partitions = { .n = 0 };
	struct docstore_place place;
	struct docstore *s;
	AUTO_BUF cursor;

	(void)state;
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	fixture.reset(fixture.arg);
	fixture.make(fixture.arg, "moving", BY_PK);
	put_some(0, DOCUMENTS / 4, &wanted, &partitions);
	docstore_seen_clear(&wanted);
	s = fixture.open(fixture.arg);
	docstore_place_of(&fixture, s, "moving", &place);
	walk(s, &place.at, &changes, &cursor, &seen);
	assert_int_equal(seen.n, 0);
	for (unsigned round = 0; round < ROUNDS; round++) {
		put_some(round * 10, round * 10 + 15, &wanted, &partitions);
		shuffle_ranges();
		if (round == ROUNDS / 2) { /* in another process */
			docstore_free(s);
			s = fixture.open(fixture.arg);
		}
		walk(s, &place.at, &changes, &cursor, &seen);
		docstore_seen_drop(&seen, ",\"_lsn\":");
		docstore_seen_same(&seen, &wanted, "what has changed since");
		docstore_seen_clear(&wanted);
		docstore_seen_clear(&seen);
	}
	docstore_seen_clear(&partitions);
	docstore_place_clear(&place);
	docstore_free(s);
}

static int
set_up(void **state)
{
	(void)state;
	if (!cosmos_fixture_init(&account))
		return -1;
	fixture = cosmos_fixture_of(&account);
	return 0;
}

static int
tear_down(void **state)
{
	(void)state;
	cosmos_fixture_clear(&account);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_is_lost_or_twice),
		cmocka_unit_test(test_changes_are_followed),
	};

	if (getenv("AZC_COSMOS_URL") == NULL) {
		(void)printf("[  SKIPPED  ] cosmos: AZC_COSMOS_URL is not set, no range has been "
			     "split\n");
		return 0;
	}
	return cmocka_run_group_tests_name("cosmos ranges", tests, set_up, tear_down);
}
