/* SPDX-License-Identifier: MIT */
/* The contract of document stores as tests: see docstore_contract.h. */
#include "tests/contract/docstore_contract.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/contract/docstore_held.h"

enum { THREADS = 8, ROUNDS = 5 };

/* ---- names, containers, keys */

void
docstore_contract_names(const struct docstore_fixture *f)
{
	const struct docstore_at missing = { .database = f->database, .container = "none" };
	struct docstore_seen seen = { .n = 0 };
	struct err e = { 0 };
	struct docstore *s;

	f->reset(f->arg);
	s = f->open(f->arg);
	assert_int_equal(
		docstore_list(s, f->database, docstore_seen_names(&seen), docstore_soon(), &e), 0);
	assert_int_equal(seen.n, 0);
	f->make(f->arg, "one", BY_PK);
	f->make(f->arg, "Two blanks & more", BY_PK);
	assert_int_equal(docstore_list(s, NULL, docstore_seen_names(&seen), docstore_soon(), &e),
			 0);
	assert_true(docstore_seen_has(&seen, f->database));
	docstore_seen_clear(&seen);
	assert_int_equal(
		docstore_list(s, f->database, docstore_seen_names(&seen), docstore_soon(), &e), 0);
	docstore_seen_sort(&seen);
	assert_int_equal(seen.n, 2);
	assert_string_equal(seen.text[0], "Two blanks & more");
	assert_string_equal(seen.text[1], "one");
	docstore_seen_clear(&seen);
	assert_int_equal(
		docstore_list(s, "no-such", docstore_seen_names(&seen), docstore_soon(), &e),
		-ENOENT);
	err_clear(&e);
	assert_int_equal(
		docstore_ranges(s, &missing, docstore_seen_ranges(&seen), docstore_soon(), &e),
		-ENOENT);
	err_clear(&e);
	seen.fail_at = 1;
	assert_int_equal(
		docstore_list(s, f->database, docstore_seen_names(&seen), docstore_soon(), &e),
		-EDOM);
	docstore_seen_clear(&seen);
	docstore_free(s);
}

void
docstore_contract_container(const struct docstore_fixture *f)
{
	struct docstore_at missing = { .database = f->database, .container = "ONE" };
	struct docstore_seen seen = { .n = 0 };
	struct err e = { 0 };
	struct docstore *s;
	struct docstore_place place;
	struct buf text;

	f->reset(f->arg);
	f->make(f->arg, "one", BY_ORG);
	s = f->open(f->arg);
	docstore_place_of(f, s, "one", &place);
	assert_string_equal(place.def.id, "one");
	assert_int_equal(place.def.n_partition, 3);
	buf_init(&text, CONTAINER_TEXT_MAX);
	assert_int_equal(docstore_container(s, &missing, &text, docstore_soon(), &e), -ENOENT);
	err_clear(&e);
	missing = (struct docstore_at){ .database = "no-such", .container = "one" };
	assert_int_equal(docstore_container(s, &missing, &text, docstore_soon(), &e), -ENOENT);
	err_clear(&e);
	assert_int_equal(text.n, 0);
	assert_int_equal(
		docstore_ranges(s, &place.at, docstore_seen_ranges(&seen), docstore_soon(), &e), 0);
	docstore_seen_sort(&seen);
	assert_true(seen.n > 0 && seen.text[0][0] == '-');
	for (unsigned i = 0; i < seen.n; i++) {
		const char *max = strchr(seen.text[i], '-') + 1;

		assert_int_equal(i + 1 == seen.n, strcmp(max, "FF") == 0);
		assert_true(i + 1 == seen.n || strncmp(seen.text[i + 1], max, strlen(max)) == 0);
	}
	docstore_seen_clear(&seen);
	docstore_place_clear(&place);
	buf_clear(&text);
	docstore_free(s);
}

static void
assert_key(struct docstore *s, const struct docstore_fixture *f, const char *id, const char *etag,
	   const char *wanted)
{
	struct err e = { 0 };
	bool same = wanted != NULL;
	struct buf text;

	buf_init(&text, 64 << 10);
	if (docstore_key(s, f->database, id, etag, &text, &same, docstore_soon(), &e) < 0)
		fail_msg("key '%s': %s", id, e.text);
	assert_int_equal(same, wanted == NULL);
	assert_string_equal(buf_str(&text), wanted != NULL ? wanted : "");
	buf_clear(&text);
}

void
docstore_contract_keys(const struct docstore_fixture *f)
{
	struct docstore_seen seen = { .n = 0 }, wanted = { .n = 0 };
	char etag[DOCSTORE_ETAG_MAX + 3], bare[DOCSTORE_ETAG_MAX + 3];
	char *one, *two, *again;
	struct err e = { 0 };
	struct docstore *s;
	struct buf text;
	bool same;

	f->reset(f->arg);
	s = f->open(f->arg);
	assert_int_equal(
		docstore_keys(s, f->database, docstore_seen_texts(&seen), docstore_soon(), &e), 0);
	assert_int_equal(seen.n, 0);
	one = f->put_key(f->arg, "key one %", "AAAA");
	two = f->put_key(f->arg, "two", "BBBB");
	assert_key(s, f, "key one %", NULL, one);
	assert_key(s, f, "two", NULL, two);
	docstore_etag_of(one, etag);
	(void)snprintf(bare, sizeof(bare), "%.*s", (int)strlen(etag) - 2, etag + 1);
	assert_key(s, f, "key one %", etag, NULL);
	assert_key(s, f, "key one %", bare, NULL);
	assert_key(s, f, "two", etag, two);
	again = f->put_key(f->arg, "key one %", "CCCC");
	assert_key(s, f, "key one %", etag, again);
	docstore_seen_add(&wanted, again);
	docstore_seen_add(&wanted, two);
	assert_int_equal(
		docstore_keys(s, f->database, docstore_seen_texts(&seen), docstore_soon(), &e), 0);
	docstore_seen_same(&seen, &wanted, "keys");
	buf_init(&text, 64 << 10);
	assert_int_equal(
		docstore_key(s, f->database, "three", NULL, &text, &same, docstore_soon(), &e),
		-ENOENT);
	err_clear(&e);
	assert_int_equal(
		docstore_keys(s, "no-such", docstore_seen_texts(&seen), docstore_soon(), &e),
		-ENOENT);
	docstore_seen_clear(&seen);
	docstore_seen_clear(&wanted);
	buf_clear(&text);
	free(one), free(two), free(again);
	docstore_free(s);
}

/* ---- one document */

static void
assert_missing(struct docstore *s, const struct docstore_at *at, const char *partition,
	       const char *id)
{
	struct err e = { 0 };
	struct buf text;
	bool same = true;
	int r;

	buf_init(&text, 4 << 20);
	r = docstore_get(s, at, partition, id, NULL, &text, &same, docstore_soon(), &e);
	if (r != -ENOENT)
		fail_msg("get '%s' in %s: %d %s", id, partition, r, e.text);
	assert_int_equal(text.n, 0);
	assert_true(same); /* as it was */
	buf_clear(&text);
}

void
docstore_contract_get(const struct docstore_fixture *f)
{
	const struct contract_document changed = { "[\"a\"]", "1", "\"pk\":\"a\",\"new\":true" };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	char etag[DOCSTORE_ETAG_MAX + 3], bare[DOCSTORE_ETAG_MAX + 3];
	struct docstore_place place;
	char *again;

	docstore_place_of(f, s, "flat", &place);
	for (unsigned i = 0; i < held.n; i++)
		docstore_held_got(s, &place.at, held.document[i], NULL, held.text[i]);
	docstore_etag_of(held.text[0], etag);
	(void)snprintf(bare, sizeof(bare), "%.*s", (int)strlen(etag) - 2, etag + 1);
	docstore_held_got(s, &place.at, held.document[0], etag, NULL);
	docstore_held_got(s, &place.at, held.document[0], bare, NULL);
	docstore_held_got(s, &place.at, held.document[1], etag, held.text[1]);
	again = f->put(f->arg, "flat", &changed);
	assert_string_not_equal(again, held.text[0]);
	docstore_held_got(s, &place.at, &changed, etag, again);
	assert_missing(s, &place.at, "[\"a\"]", "no-such");
	assert_missing(s, &place.at, "[\"b\"]", "2");
	assert_missing(s, &place.at, "[2]", "1");
	assert_missing(s, &place.at, "[\"true\"]", "1");
	free(again);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}

void
docstore_contract_recreated(const struct docstore_fixture *f)
{
	const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
	struct docstore_seen seen = { .n = 0 };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	struct docstore_page page;
	struct err e = { 0 };
	struct docstore_place place;
	struct buf text;
	bool same;

	docstore_place_of(f, s, "flat", &place);
	f->make(f->arg, "flat", BY_PK);
	docstore_held_clear(&held);
	buf_init(&text, 4 << 20);
	assert_int_equal(docstore_page(s, &place.at, &all, &text, docstore_seen_texts(&seen), &page,
				       docstore_soon(), &e),
			 -ESTALE);
	err_clear(&e);
	assert_int_equal(
		docstore_get(s, &place.at, "[\"a\"]", "1", NULL, &text, &same, docstore_soon(), &e),
		-ESTALE);
	assert_string_equal(e.event, "remote.recreated");
	assert_int_equal(seen.n, 0);
	docstore_place_clear(&place);
	docstore_place_of(f, s, "flat", &place);
	docstore_seen_pages(s, &place.at, &all, &seen);
	assert_int_equal(seen.n, 0);
	docstore_place_clear(&place);
	buf_clear(&text);
	docstore_free(s);
}

/* ---- changes */

static void
put_changes(const struct docstore_fixture *f, struct docstore_seen *wanted)
{
	static const struct contract_document changes[] = {
		{ "[\"a\"]", "2", "\"pk\":\"a\",\"changed\":1" },
		{ "[\"new\"]", "9", "\"pk\":\"new\"" },
		{ "[{}]", "2", "\"q\":3" },
	};

	for (unsigned i = 0; i < ARRAY_LEN(changes); i++) {
		char *text = f->put(f->arg, "flat", &changes[i]);

		docstore_seen_add(wanted, text);
		free(text);
	}
}

/* As if the cursor had been kept in a file. */
static void
move(struct buf *from, struct buf *to)
{
	struct err e = { 0 };

	assert_int_equal(memchr(from->p, '\0', from->n) == NULL, 1);
	buf_reset(to);
	assert_int_equal(buf_add(to, from->p, from->n, &e), 0);
}

void
docstore_contract_changes(const struct docstore_fixture *f)
{
	static const unsigned sizes[4] = { 1, 2, 7, 0 };
	struct docstore_select feed = { .changes = true };
	struct docstore_seen all = { .n = 0 }, news = { .n = 0 }, found = { .n = 0 };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	struct buf cursor, now, kept;
	struct docstore_place place;

	docstore_place_of(f, s, "flat", &place);
	docstore_held_want(&held, NULL, &all);
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	buf_init(&now, DOCSTORE_CURSOR_MAX);
	buf_init(&kept, DOCSTORE_CURSOR_MAX);
	for (unsigned i = 0; i < 4; i++) {
		feed.max_items = sizes[i];
		buf_reset(&cursor);
		docstore_seen_on(s, &place.at, &feed, &cursor, &found);
		docstore_seen_drop(&found, ",\"_lsn\":");
		docstore_seen_same(&found, &all, "all changes");
		docstore_seen_clear(&found);
	}
	docstore_seen_on(s, &place.at, &feed, &cursor, &found);
	assert_int_equal(found.n, 0);
	feed.start = DOCSTORE_FROM_NOW;
	docstore_seen_on(s, &place.at, &feed, &now, &found);
	assert_int_equal(found.n, 0);
	put_changes(f, &news);
	docstore_free(s);
	s = f->open(f->arg);
	move(&now, &kept);
	docstore_seen_on(s, &place.at, &feed, &kept, &found);
	docstore_seen_drop(&found, ",\"_lsn\":");
	docstore_seen_same(&found, &news, "changes from now on");
	docstore_seen_clear(&found);
	feed.start = DOCSTORE_FROM_BEGINNING;
	feed.max_items = 1;
	move(&cursor, &kept);
	docstore_seen_on(s, &place.at, &feed, &kept, &found);
	docstore_seen_drop(&found, ",\"_lsn\":");
	docstore_seen_same(&found, &news, "changes since a cursor");
	docstore_seen_clear(&found);
	feed.start = DOCSTORE_FROM_TIME; /* far ahead */
	feed.start_s = INT64_C(32503680000);
	docstore_seen_pages(s, &place.at, &feed, &found);
	assert_int_equal(found.n, 0);
	docstore_seen_clear(&all);
	docstore_seen_clear(&news);
	buf_clear(&cursor), buf_clear(&now), buf_clear(&kept);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}

/* ---- what is refused */

static void
assert_bad_cursor(struct docstore *s, const struct docstore_at *at, struct docstore_select sel,
		  const char *text)
{
	struct docstore_seen seen = { .n = 0 };
	struct docstore_page page;
	struct err e = { 0 };
	struct buf cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	assert_int_equal(buf_add_str(&cursor, text, &e), 0);
	r = docstore_page(s, at, &sel, &cursor, docstore_seen_texts(&seen), &page, docstore_soon(),
			  &e);
	if (r == 0)
		fail_msg("the cursor '%s' was taken", text);
	assert_int_equal(r, -EINVAL);
	assert_int_equal(seen.n, 0);
	assert_string_equal(buf_str(&cursor), text);
	buf_clear(&cursor);
}

/* Pages may be empty: the sink fails at the first document, whichever page brings it. */
static void
assert_sink_ends_a_page(struct docstore *s, const struct docstore_at *at)
{
	const struct docstore_select all = { .max_items = 2 };
	struct docstore_seen seen = { .fail_at = 1 };
	char before[1024] = "";
	struct err e = { 0 };
	struct buf cursor;
	int r;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	do {
		(void)snprintf(before, sizeof(before), "%s", buf_str(&cursor));
		r = docstore_page(s, at, &all, &cursor, docstore_seen_texts(&seen), NULL,
				  docstore_soon(), &e);
	} while (r == 0 && cursor.n > 0);
	assert_int_equal(r, -EDOM);
	assert_string_equal(buf_str(&cursor), before);
	buf_clear(&cursor);
}

void
docstore_contract_refusals(const struct docstore_fixture *f)
{
	static const char *const cursors[] = {
		"x", "{}", "[]", "0", "99:", "d1:", "c1:1:", "\001"
	};
	struct docstore_select all = { .max_items = 2 };
	struct docstore_seen seen = { .n = 0 };
	const struct deadline past = { 1 };
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	struct docstore_page page;
	struct err e = { 0 };
	struct docstore_place place;
	struct buf text;
	bool same;

	docstore_place_of(f, s, "flat", &place);
	buf_init(&text, 4 << 20);
	for (unsigned i = 0; i < ARRAY_LEN(cursors); i++) {
		assert_bad_cursor(s, &place.at, all, cursors[i]);
		assert_bad_cursor(s, &place.at, (struct docstore_select){ .changes = true },
				  cursors[i]);
	}
	assert_sink_ends_a_page(s, &place.at);
	assert_int_equal(docstore_page(s, &place.at, &all, &text, docstore_seen_texts(&seen), &page,
				       past, &e),
			 -ETIMEDOUT);
	err_clear(&e);
	assert_int_equal(docstore_get(s, &place.at, "[\"a\"]", "1", NULL, &text, &same, past, &e),
			 -ETIMEDOUT);
	err_clear(&e);
	assert_int_equal(docstore_list(s, f->database, docstore_seen_names(&seen), past, &e),
			 -ETIMEDOUT);
	assert_int_equal(seen.n, 0);
	buf_clear(&text);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}

/* ---- threads */

struct crowd {
	const struct docstore_fixture *f;
	struct docstore *s;
	const struct docstore_at *at;
	const struct docstore_held *held;
};

/* cmocka's assertions are the first thread's: here the program ends. */
static void *
use(void *arg)
{
	const struct docstore_select all = { .max_items = 5 };
	const struct crowd *c = arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		struct docstore_seen seen = { .n = 0 };
		struct docstore_page page;
		struct err e = { 0 };
		struct buf buf;
		bool same;

		buf_init(&buf, 4 << 20);
		do {
			if (docstore_page(c->s, c->at, &all, &buf, docstore_seen_texts(&seen),
					  &page, docstore_soon(), &e) < 0)
				abort();
		} while (buf.n > 0);
		if (seen.n != c->held->n)
			abort();
		docstore_seen_clear(&seen);
		for (unsigned i = 0; i < c->held->n; i++)
			if (docstore_get(c->s, c->at, c->held->document[i]->partition,
					 c->held->document[i]->id, NULL, &buf, &same,
					 docstore_soon(), &e) < 0 ||
			    strcmp(buf_str(&buf), c->held->text[i]) != 0)
				abort();
		buf_clear(&buf);
	}
	return NULL;
}

void
docstore_contract_threads(const struct docstore_fixture *f)
{
	struct docstore_held held = docstore_held_flat(f);
	struct docstore *s = f->open(f->arg);
	pthread_t thread[THREADS];
	struct docstore_place place;
	struct crowd crowd;

	docstore_place_of(f, s, "flat", &place);
	crowd = (struct crowd){ f, s, &place.at, &held };
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, use, &crowd), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	docstore_place_clear(&place);
	docstore_held_clear(&held);
	docstore_free(s);
}
