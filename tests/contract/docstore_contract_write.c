/* SPDX-License-Identifier: MIT */
/* The writing half of the contract of document stores: see docstore_contract.h. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/jsonscan.h"
#include "tests/contract/docstore_contract.h"
#include "tests/contract/docstore_held.h"

enum { WRITERS = 8, VERSIONS = 40, PAD = 3000, QUICK = 24 };

#define SEALED_KEY "the key"
#define BY_SEALED                                                                            \
	"{\"kind\":\"Hash\",\"paths\":[\"/id\"],\"version\":2},\"clientEncryptionPolicy\":{" \
	"\"policyFormatVersion\":2,\"includedPaths\":[{\"path\":\"/id\","                    \
	"\"clientEncryptionKeyId\":\"" SEALED_KEY "\",\"encryptionType\":\"Deterministic\"," \
	"\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_SHA256\"}]}"

/* A store with one empty container. */
struct written {
	struct docstore *s;
	struct docstore_place place;
};

static struct written
start(const struct docstore_fixture *f, const char *container, const char *key)
{
	struct written w;

	f->reset(f->arg);
	free(f->put_key(f->arg, SEALED_KEY, "AAAA"));
	f->make(f->arg, container, key);
	w.s = f->open(f->arg);
	docstore_place_of(f, w.s, container, &w.place);
	return w;
}

static void
stop(struct written *w)
{
	docstore_place_clear(&w->place);
	docstore_free(w->s);
}

/* The at of w, good as long as w stays where it is. */
static const struct docstore_at *
at_of(struct written *w)
{
	w->place.at.rid = w->place.def.rid;
	w->place.at.def = &w->place.def;
	return &w->place.at;
}

static char *
text_of(const struct contract_document *d)
{
	struct err e = { 0 };
	struct buf id;
	char *text;

	buf_init(&id, 1 << 14);
	assert_int_equal(jsonscan_quote(span_str(d->id), &id, &e), 0);
	assert_true(asprintf(&text, "{\"id\":%s,%s}", buf_str(&id), d->members) > 0);
	buf_clear(&id);
	return text;
}

static int
put_text(struct written *w, const struct contract_document *d, const char *text, const char *etag,
	 char out[DOCSTORE_ETAG_MAX + 1], struct err *e)
{
	const struct docstore_put put = { d->partition, d->id, span_str(text), etag };

	return docstore_put(w->s, at_of(w), &put, out, docstore_soon(), e);
}

static int
put(struct written *w, const struct contract_document *d, const char *etag,
    char out[DOCSTORE_ETAG_MAX + 1], struct err *e)
{
	char *text = text_of(d);
	int r = put_text(w, d, text, etag, out, e);

	free(text);
	return r;
}

static void
must_put(struct written *w, const struct contract_document *d, const char *etag,
	 char out[DOCSTORE_ETAG_MAX + 1])
{
	struct err e = { 0 };

	if (put(w, d, etag, out, &e) < 0)
		fail_msg("put '%.60s' in %s: %s", d->id, d->partition, e.text);
}

static void
must_fail(struct written *w, const struct contract_document *d, const char *etag, int wanted,
	  const char *event)
{
	char untouched[DOCSTORE_ETAG_MAX + 1] = "untouched";
	struct err e = { 0 };
	int r = put(w, d, etag, untouched, &e);

	if (r != wanted)
		fail_msg("put '%.60s' in %s: %d %s", d->id, d->partition, r, e.text);
	assert_string_equal(untouched, "untouched");
	if (event != NULL)
		assert_string_equal(e.event, event);
}

static void
must_delete(struct written *w, const struct contract_document *d, const char *etag, int wanted,
	    const char *event)
{
	struct err e = { 0 };
	int r = docstore_delete(w->s, at_of(w), d->partition, d->id, etag, docstore_soon(), &e);

	/* Where an answer was lost, nothing there is as good as deleted. */
	if (r == 0 && wanted == -ENOENT && getenv("AZC_LOST_ANSWERS") != NULL)
		return;
	if (r != wanted)
		fail_msg("delete '%.60s' in %s: %d %s", d->id, d->partition, r, e.text);
	if (event != NULL)
		assert_string_equal(e.event, event);
}

/* What is stored; the caller frees. */
static char *
stored(struct written *w, const struct contract_document *d)
{
	struct err e = { 0 };
	struct buf text;
	char *out;

	buf_init(&text, 4 << 20);
	if (docstore_get(w->s, at_of(w), d->partition, d->id, NULL, &text, NULL, docstore_soon(),
			 &e) < 0)
		fail_msg("get '%.60s' in %s: %s", d->id, d->partition, e.text);
	out = strdup(buf_str(&text));
	buf_clear(&text);
	return out;
}

/* All that was sent is there as it was sent, under that version. */
static void
must_hold(struct written *w, const struct contract_document *d, const char *etag)
{
	char *text = stored(w, d), *sent = text_of(d), found[DOCSTORE_ETAG_MAX + 3];

	sent[strlen(sent) - 1] = '\0'; /* the service adds its members behind */
	if (strncmp(text, sent, strlen(sent)) != 0)
		fail_msg("sent %s\nstored %s", sent, text);
	docstore_etag_of(text, found);
	assert_string_equal(found, etag);
	assert_non_null(strstr(text, "\"_rid\":\""));
	assert_non_null(strstr(text, "\"_ts\":"));
	docstore_held_got(w->s, at_of(w), d, etag, NULL);
	free(sent);
	free(text);
}

/* ---- creating */

static void
create_all(const struct docstore_fixture *f, struct docstore_held *held, const char *container,
	   const char *key)
{
	const struct docstore_select all = { .max_items = 5 }, feed = { .changes = true };
	struct docstore_seen wanted = { .n = 0 }, found = { .n = 0 };
	struct written w = start(f, container, key);
	char other_members[256];

	for (unsigned i = 0; i < held->n; i++) {
		const struct contract_document *d = held->document[i];
		const struct contract_document other = { d->partition, d->id, other_members };
		char etag[DOCSTORE_ETAG_MAX + 1], *text;

		(void)snprintf(other_members, sizeof(other_members), "\"other\":1,%s", d->members);
		must_put(&w, d, NULL, etag);
		must_hold(&w, d, etag);
		must_fail(&w, &other, NULL, -EEXIST, NULL);
		must_hold(&w, d, etag);
		text = stored(&w, d);
		docstore_seen_add(&wanted, text);
		free(text);
	}
	docstore_seen_pages(w.s, at_of(&w), &all, &found);
	docstore_seen_same(&found, &wanted, "pages of what was created");
	docstore_seen_clear(&found);
	docstore_seen_pages(w.s, at_of(&w), &feed, &found);
	docstore_seen_drop(&found, ",\"_lsn\":");
	docstore_seen_same(&found, &wanted, "changes of what was created");
	docstore_seen_clear(&found);
	docstore_seen_clear(&wanted);
	stop(&w);
}

void
docstore_contract_create(const struct docstore_fixture *f)
{
	struct docstore_held held = docstore_held_flat(f);

	create_all(f, &held, "flat", BY_PK);
	docstore_held_clear(&held);
	held = docstore_held_nested(f);
	create_all(f, &held, "nested", BY_ORG);
	docstore_held_clear(&held);
}

void
docstore_contract_create_sealed(const struct docstore_fixture *f)
{
	static const struct contract_document sealed = { "[\"AQ-_bcd==\"]",
							 "AQ-_bcd==", "\"x\":1" },
					      again = { "[\"AQ-_bcd==\"]", "AQ-_bcd==", "\"x\":2" };
	char one[DOCSTORE_ETAG_MAX + 1], two[DOCSTORE_ETAG_MAX + 1];
	struct written w = start(f, "sealed", BY_SEALED);

	assert_true(at_of(&w)->def->has_policy);
	must_put(&w, &sealed, NULL, one);
	must_put(&w, &again, one, two);
	must_hold(&w, &again, two);
	must_delete(&w, &again, two, 0, NULL);
	must_delete(&w, &again, NULL, -ENOENT, "remote.gone");
	stop(&w);
}

/* ---- replacing, deleting */

void
docstore_contract_replace(const struct docstore_fixture *f)
{
	static const struct contract_document first = { "[\"a\"]", "1", "\"pk\":\"a\",\"x\":1" },
					      second = { "[\"a\"]", "1",
							 "\"pk\":\"a\",\"y\":2.50" },
					      third = { "[\"a\"]", "1", "\"pk\":\"a\"" },
					      other = { "[\"b\"]", "1", "\"pk\":\"b\"" };
	char one[DOCSTORE_ETAG_MAX + 1], two[DOCSTORE_ETAG_MAX + 1], three[DOCSTORE_ETAG_MAX + 1];
	struct written w = start(f, "flat", BY_PK);

	must_put(&w, &first, NULL, one);
	must_put(&w, &second, one, two);
	assert_string_not_equal(one, two);
	must_hold(&w, &second, two);
	must_fail(&w, &third, one, -ESTALE, "remote.changed");
	must_fail(&w, &third, "\"no-such\"", -ESTALE, "remote.changed");
	must_fail(&w, &other, two, -ESTALE, "remote.changed");
	must_hold(&w, &second, two);
	two[strlen(two) - 1] = '\0'; /* without its quotes */
	must_put(&w, &third, two + 1, three);
	must_hold(&w, &third, three);
	must_put(&w, &third, three, one); /* the same again is a version of its own */
	assert_string_not_equal(one, three);
	stop(&w);
}

void
docstore_contract_delete(const struct docstore_fixture *f)
{
	static const struct contract_document doc = { "[\"a\"]", "a b", "\"pk\":\"a\",\"x\":1" },
					      other = { "[null]", "a b", "\"pk\":null" };
	const struct docstore_select all = { .max_items = 5 };
	char one[DOCSTORE_ETAG_MAX + 1], two[DOCSTORE_ETAG_MAX + 1], kept[DOCSTORE_ETAG_MAX + 1];
	struct docstore_seen found = { .n = 0 };
	struct written w = start(f, "flat", BY_PK);

	must_put(&w, &other, NULL, kept);
	must_delete(&w, &doc, NULL, -ENOENT, "remote.gone");
	must_delete(&w, &doc, "\"x\"", -ENOENT, "remote.gone");
	must_put(&w, &doc, NULL, one);
	must_put(&w, &doc, one, two);
	must_delete(&w, &doc, one, -ESTALE, "remote.changed");
	must_hold(&w, &doc, two);
	must_delete(&w, &doc, two, 0, NULL);
	must_delete(&w, &doc, two, -ENOENT, "remote.gone");
	must_fail(&w, &doc, two, -ESTALE, "remote.changed");
	must_put(&w, &doc, NULL, one);
	assert_string_not_equal(one, two);
	must_delete(&w, &doc, NULL, 0, NULL);
	must_hold(&w, &other, kept);
	docstore_seen_pages(w.s, at_of(&w), &all, &found);
	assert_int_equal(found.n, 1);
	docstore_seen_clear(&found);
	stop(&w);
}

/* ---- what is refused */

/* A text of n bytes. */
static char *
text_of_size(size_t n)
{
	static const char head[] = "{\"id\":\"1\",\"pk\":\"a\",\"pad\":\"", tail[] = "\"}";
	char *text = malloc(n + 1);

	assert_non_null(text);
	memset(text, 'x', n);
	memcpy(text, head, sizeof(head) - 1);
	memcpy(text + n - (sizeof(tail) - 1), tail, sizeof(tail));
	return text;
}

static void
check_sizes(struct written *w, const struct contract_document *d)
{
	char *fits = text_of_size(2 << 20), *large = text_of_size((2 << 20) + 1), *text;
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct err e = { 0 };

	assert_int_equal(put_text(w, d, large, NULL, etag, &e), -EFBIG);
	err_clear(&e);
	if (put_text(w, d, fits, NULL, etag, &e) < 0)
		fail_msg("2 MiB: %s", e.text);
	text = stored(w, d);
	assert_memory_equal(text, fits, (2 << 20) - 1);
	free(text), free(large), free(fits);
}

void
docstore_contract_put_refusals(const struct docstore_fixture *f)
{
	static const struct contract_document doc = { "[\"a\"]", "1", "\"pk\":\"a\"" };
	static const char *const bad[] = {
		"{\"id\":\"2\",\"pk\":\"a\"}",
		"{\"id\":\"1\",\"pk\":\"b\"}",
		"{\"id\":\"1\"}",
		"{\"pk\":\"a\"}",
		"{\"id\":1,\"pk\":\"a\"}",
		"{\"id\":\"1\",\"pk\":\"a\"",
		"{\"id\":\"1\",\"pk\":\"a\",}",
		"{\"id\":\"1\",\"pk\":\"a\"} x",
	};
	const struct docstore_put put_late = { "[\"a\"]", "1", span_str("{\"id\":\"1\"}"), NULL };
	struct docstore_at missing = { .database = f->database, .container = "none" };
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct written w = start(f, "flat", BY_PK);
	struct err e = { 0 };

	for (unsigned i = 0; i < ARRAY_LEN(bad); i++) {
		int r = put_text(&w, &doc, bad[i], "\"x\"", etag, &e);

		if (r != -EINVAL && r != -ESTALE)
			fail_msg("%s: %d", bad[i], r);
		err_clear(&e);
		if (i == 0) /* a create says no id but in the text */
			continue;
		r = put_text(&w, &doc, bad[i], NULL, etag, &e);
		if (r != -EINVAL)
			fail_msg("%s: %d %s", bad[i], r, e.text);
		err_clear(&e);
	}
	assert_int_equal(docstore_put(w.s, &missing, &put_late, etag, docstore_soon(), &e),
			 -ENOENT);
	err_clear(&e);
	assert_int_equal(docstore_delete(w.s, &missing, "[\"a\"]", "1", NULL, docstore_soon(), &e),
			 -ENOENT);
	err_clear(&e);
	assert_int_equal(docstore_put(w.s, at_of(&w), &put_late, etag, (struct deadline){ 1 }, &e),
			 -ETIMEDOUT);
	must_delete(&w, &doc, NULL, -ENOENT, NULL);
	check_sizes(&w, &doc);
	stop(&w);
}

void
docstore_contract_put_recreated(const struct docstore_fixture *f)
{
	static const struct contract_document doc = { "[\"a\"]", "1", "\"pk\":\"a\"" };
	char one[DOCSTORE_ETAG_MAX + 1], two[DOCSTORE_ETAG_MAX + 1];
	struct written w = start(f, "flat", BY_PK);

	must_put(&w, &doc, NULL, one);
	f->make(f->arg, "flat", BY_PK);
	must_fail(&w, &doc, one, -ESTALE, "remote.recreated");
	must_fail(&w, &doc, NULL, -ESTALE, "remote.recreated");
	must_delete(&w, &doc, one, -ESTALE, "remote.recreated");
	must_delete(&w, &doc, NULL, -ESTALE, "remote.recreated");
	docstore_place_clear(&w.place);
	docstore_place_of(f, w.s, "flat", &w.place);
	must_fail(&w, &doc, one, -ESTALE, "remote.changed");
	must_put(&w, &doc, NULL, two);
	must_hold(&w, &doc, two);
	stop(&w);
}

/* ---- many at once */

/* One writer of many; what differs is its number. */
struct racer {
	const struct docstore_fixture *f;
	const struct docstore_at *at;
	const char *etag; /* of all of them */
	unsigned number;
	int r;
	char made[DOCSTORE_ETAG_MAX + 1];
};

static void *
race(void *arg)
{
	struct racer *x = arg;
	struct docstore *s = x->f->open(x->f->arg); /* as if each were a program */
	struct err e = { 0 };
	char text[64];
	const struct docstore_put doc = { "[\"a\"]", "1", span_str(text), x->etag };
	struct docstore_put put = doc;

	(void)snprintf(text, sizeof(text), "{\"id\":\"1\",\"pk\":\"a\",\"n\":%u}", x->number);
	put.text = span_str(text);
	x->r = docstore_put(s, x->at, &put, x->made, docstore_soon(), &e);
	docstore_free(s);
	return NULL;
}

/* Exactly one wins, and what it has written is what is there; its version in won. */
static void
run_race(const struct docstore_fixture *f, struct written *w, const char *etag, int lost,
	 char won[DOCSTORE_ETAG_MAX + 1])
{
	struct contract_document doc = { "[\"a\"]", "1", NULL };
	struct racer racer[WRITERS];
	pthread_t thread[WRITERS];
	char members[64] = "";

	for (unsigned i = 0; i < WRITERS; i++) {
		racer[i] = (struct racer){ f, at_of(w), etag, i, 1, "" };
		assert_int_equal(pthread_create(&thread[i], NULL, race, &racer[i]), 0);
	}
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	for (unsigned i = 0; i < WRITERS; i++) {
		if (racer[i].r == lost)
			continue;
		assert_int_equal(racer[i].r, 0);
		assert_string_equal(members, ""); /* nobody else has won */
		(void)snprintf(members, sizeof(members), "\"pk\":\"a\",\"n\":%u", i);
		memcpy(won, racer[i].made, sizeof(racer[i].made));
	}
	assert_string_not_equal(members, "");
	doc.members = members;
	must_hold(w, &doc, won);
}

void
docstore_contract_put_races(const struct docstore_fixture *f)
{
	char first[DOCSTORE_ETAG_MAX + 1], next[DOCSTORE_ETAG_MAX + 1];
	struct written w = start(f, "flat", BY_PK);

	run_race(f, &w, NULL, -EEXIST, first);
	for (unsigned i = 0; i < 5; i++) {
		run_race(f, &w, first, -ESTALE, next);
		assert_string_not_equal(first, next);
		memcpy(first, next, sizeof(first));
	}
	stop(&w);
}

/* A text whose beginning and end belong together. */
static const char *
padded(unsigned n, char out[static PAD + 64])
{
	const size_t at = (size_t)snprintf(out, PAD + 64, "\"pk\":\"a\",\"n\":%u,\"pad\":\"", n);
	const size_t pad = 1 + (n * 997) % (PAD - 1);

	memset(out + at, 'a' + (int)(n % 26), pad);
	(void)snprintf(out + at + pad, PAD + 64 - at - pad, "\",\"m\":%u", n);
	return out;
}

struct reader {
	const struct docstore_fixture *f;
	const struct docstore_at *at;
	_Atomic bool done;
};

static void *
read_on(void *arg)
{
	struct reader *x = arg;
	struct docstore *s = x->f->open(x->f->arg);
	char members[PAD + 64];
	unsigned n, last = 0;
	struct buf text;

	buf_init(&text, 4 << 20);
	do {
		struct err e = { 0 };
		const char *at;

		if (docstore_get(s, x->at, "[\"a\"]", "1", NULL, &text, NULL, docstore_soon(), &e) <
		    0)
			abort();
		at = strstr(buf_str(&text), "\"n\":");
		if (at == NULL || sscanf(at, "\"n\":%u", &n) != 1 || n < last ||
		    strstr(buf_str(&text), padded(n, members)) == NULL)
			abort();
		last = n;
	} while (!atomic_load(&x->done));
	buf_clear(&text);
	docstore_free(s);
	return NULL;
}

void
docstore_contract_put_readers(const struct docstore_fixture *f)
{
	struct contract_document doc = { "[\"a\"]", "1", NULL };
	char members[PAD + 64], etag[DOCSTORE_ETAG_MAX + 1], next[DOCSTORE_ETAG_MAX + 1];
	struct written w = start(f, "flat", BY_PK);
	struct reader reader = { f, at_of(&w), false };
	pthread_t thread[4];

	doc.members = padded(0, members);
	must_put(&w, &doc, NULL, etag);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_create(&thread[i], NULL, read_on, &reader), 0);
	for (unsigned n = 1; n < VERSIONS; n++) {
		doc.members = padded(n, members);
		must_put(&w, &doc, etag, next);
		memcpy(etag, next, sizeof(etag));
	}
	atomic_store(&reader.done, true);
	for (unsigned i = 0; i < ARRAY_LEN(thread); i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	stop(&w);
}

/* ---- changes */

/* Whoever goes on after every write misses none and sees none twice, however quick they are. */
void
docstore_contract_put_changes(const struct docstore_fixture *f)
{
	const struct docstore_select feed = { .changes = true, .start = DOCSTORE_FROM_NOW };
	struct docstore_seen found = { .n = 0 };
	struct written w = start(f, "flat", BY_PK);
	struct buf cursor;

	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	docstore_seen_on(w.s, at_of(&w), &feed, &cursor, &found);
	assert_int_equal(found.n, 0);
	for (unsigned i = 0; i < QUICK; i++) {
		char id[16], members[32], etag[DOCSTORE_ETAG_MAX + 1], *text;
		const struct contract_document doc = { "[\"a\"]", id, members };

		(void)snprintf(id, sizeof(id), "%u", i * 7919 % QUICK);
		(void)snprintf(members, sizeof(members), "\"pk\":\"a\",\"n\":%u", i);
		must_put(&w, &doc, NULL, etag);
		docstore_seen_on(w.s, at_of(&w), &feed, &cursor, &found);
		docstore_seen_drop(&found, ",\"_lsn\":");
		assert_int_equal(found.n, 1);
		text = stored(&w, &doc);
		assert_string_equal(found.text[0], text);
		free(text);
		docstore_seen_clear(&found);
	}
	buf_clear(&cursor);
	stop(&w);
}
