/* SPDX-License-Identifier: MIT */
/* The keys of a container: fs/dockeys.h. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/clock.h"
#include "fs/dockeys.h"

enum { WRAPPED = 256, DEKS = 3 };

/* A vault that "unwraps" by looking at the first byte: that many times the same byte is the DEK. */
static struct {
	int refuse; /* errno for every unwrap, 0 = none */
	const char *event;
	char refused_kid[128]; /* only this KEK is refused, "" = every one */
	unsigned asked;
} vault;

static int64_t now_ns = 1000 * NS_PER_S;

static int64_t
fake_now(void)
{
	return now_ns;
}

static bool
claims(struct provider *p, const char *kid)
{
	(void)p;
	(void)kid;
	return true;
}

static int
unwrap(struct provider *p, const char *kid, enum wrap_alg alg, struct span wrapped,
       struct deadline d, struct room out, size_t *out_n, struct err *e)
{
	(void)p;
	(void)d;
	assert_int_equal(alg, WRAP_RSA_OAEP);
	vault.asked++;
	if (vault.refuse != 0 &&
	    (vault.refused_kid[0] == '\0' || strcmp(kid, vault.refused_kid) == 0)) {
		(void)err_set(e, vault.refuse, "the vault says no");
		return err_mark(e, vault.event, NULL);
	}
	memset(out.p, wrapped.p[0], 32);
	*out_n = 32;
	return 0;
}

static void
free_nothing(struct provider *p)
{
	(void)p;
}

static const struct provider_ops provider_ops = {
	.name = "fake", .claims = claims, .unwrap = unwrap, .free = free_nothing
};
static struct provider provider = { &provider_ops };

/* A database with a few wrapped keys. */
static struct {
	struct {
		char id[32], kid[128], etag[32];
		uint8_t first; /* byte of the wrapped key */
	} dek[DEKS];
	unsigned n, read, forced, listed;
	int refuse;
	/* A cache on the way: what it hands out, as long as it is not passed by. */
	char cached_kid[128];
} db;

static int
put_record(unsigned i, const char *kid, struct buf *out, struct err *e)
{
	uint8_t wrapped[WRAPPED];
	AUTO_BUF text;
	int r;

	memset(wrapped, 7, sizeof(wrapped));
	wrapped[0] = db.dek[i].first;
	wrapped[1] = kid[strlen(kid) - 1] == '2'; /* a rewrap changes the bytes, not the DEK */
	buf_init(&text, 1024);
	r = base64_encode(BASE64_STANDARD, span_of(wrapped, sizeof(wrapped)), &text, e);
	return r < 0 ? r
		     : buf_addf(out, e,
				"{\"id\":\"%s\",\"encryptionAlgorithm\":\"AEAD_AES_256_CBC_HMAC_"
				"SHA256\","
				"\"wrappedDataEncryptionKey\":\"%s\",\"keyWrapMetadata\":{\"type\":"
				"\"AZURE_KEY_VAULT\",\"name\":\"n\",\"value\":\"%s\",\"algorithm\":"
				"\"RSA-OAEP\"},\"_etag\":\"\\\"%s\\\"\"}",
				db.dek[i].id, buf_str(&text), kid, db.dek[i].etag);
}

static int
db_key(struct docstore *s, const char *database, const char *id, const char *etag, struct buf *out,
       bool *out_same, struct deadline d, struct err *e)
{
	(void)s;
	(void)database;
	(void)d;
	db.read++;
	db.forced += etag != NULL;
	*out_same = false;
	if (db.refuse != 0)
		return err_set(e, db.refuse, "the database says no");
	for (unsigned i = 0; i < db.n; i++) {
		if (strcmp(db.dek[i].id, id) != 0)
			continue;
		if (etag == NULL && db.cached_kid[0] != '\0')
			return put_record(i, db.cached_kid, out, e);
		*out_same = etag != NULL && db.cached_kid[0] == '\0';
		return *out_same ? 0 : put_record(i, db.dek[i].kid, out, e);
	}
	return err_set(e, ENOENT, "no such key");
}

static int
db_keys(struct docstore *s, const char *database, struct docstore_sink sink, struct deadline d,
	struct err *e)
{
	int r = 0;

	(void)s;
	(void)database;
	(void)d;
	db.listed++;
	for (unsigned i = 0; r == 0 && i < db.n; i++) {
		AUTO_BUF text;

		buf_init(&text, 4096);
		r = put_record(i, db.dek[i].kid, &text, e);
		if (r == 0)
			r = sink.text(sink.arg, buf_span(&text), e);
	}
	return r;
}

static const struct docstore_ops store_ops = { .name = "fake", .key = db_key, .keys = db_keys };
static struct docstore store = { .ops = &store_ops, .label = "db" };

/* Three paths under two DEKs. */
static struct policy_path paths[] = {
	{ "a", 1, "dek1", CELL_DETERMINISTIC },
	{ "b", 1, "dek2", CELL_RANDOMIZED },
	{ "c", 1, "dek1", CELL_RANDOMIZED },
};
static const struct container_def def = { .has_policy = true, .path = paths, .n_paths = 3 };

struct world {
	struct keyring *keys;
	struct keychest *chest;
};

static void
world_open(struct world *w)
{
	static const struct clock_ops clock = { .now_ns = fake_now };
	const struct keyring_config cfg = { .ttl_ns = 3600 * NS_PER_S };
	struct provider *p = &provider;
	struct err e = { 0 };

	clock_replace(&clock);
	memset(&vault, 0, sizeof(vault));
	memset(&db, 0, sizeof(db));
	db.n = DEKS;
	for (unsigned i = 0; i < DEKS; i++) {
		(void)snprintf(db.dek[i].id, sizeof(db.dek[i].id), "dek%u", i + 1);
		(void)snprintf(db.dek[i].kid, sizeof(db.dek[i].kid), "kek-%s", i == 1 ? "b" : "a");
		(void)snprintf(db.dek[i].etag, sizeof(db.dek[i].etag), "e%u", i);
		db.dek[i].first = (uint8_t)(i + 1);
	}
	assert_int_equal(keyring_new_take(&cfg, &p, 1, &w->keys, &e), 0);
	assert_int_equal(keychest_new(&store, w->keys, "db", &def, false, &w->chest, &e), 0);
}

static void
world_close(struct world *w)
{
	keychest_free(w->chest);
	keyring_free(w->keys);
	clock_replace(NULL);
}

static struct dockeys *
ask(struct world *w, bool patient, bool siblings)
{
	struct dockeys *k = NULL;
	struct err e = { 0 };

	assert_int_equal(
		keychest_keys(w->chest, patient, siblings, deadline_in(60 * NS_PER_S), &k, &e), 0);
	return k;
}

/* ---- tests ---- */

static void
each_dek_is_read_and_unwrapped_once(void **state)
{
	struct world w;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < 100; i++) {
		struct dockeys *k = ask(&w, i % 2 == 0, false);

		assert_true(dockeys_settled(k));
		assert_non_null(k->key[0].keys);
		assert_ptr_equal(k->key[0].keys, k->key[2].keys);
		assert_ptr_not_equal(k->key[0].keys, k->key[1].keys);
		dockeys_put(k);
		now_ns += NS_PER_S / 2;
	}
	assert_int_equal(vault.asked, 2);
	assert_int_equal(db.read, 2);
	assert_int_equal(db.listed, 0);
	world_close(&w);
}

static void
a_denied_key_is_withheld_after_its_record_was_read_again_past_the_cache(void **state)
{
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	vault.refuse = EACCES;
	vault.event = "auth.vault";
	(void)snprintf(vault.refused_kid, sizeof(vault.refused_kid), "kek-b");
	k = ask(&w, true, false);
	assert_true(dockeys_settled(k));
	assert_null(k->key[1].keys);
	assert_true(k->dek[k->dek_of[1]].withheld);
	assert_int_equal(k->dek[k->dek_of[1]].why.no, EACCES);
	assert_non_null(k->key[0].keys);
	assert_int_equal(db.read, 4); /* both, and the denied one as cached and past the cache */
	assert_int_equal(db.forced, 1);
	dockeys_put(k);
	dockeys_put(ask(&w, true, false));
	assert_int_equal(db.read, 4);
	world_close(&w);
}

static void
a_denied_key_comes_back_when_it_is_granted(void **state)
{
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	vault.refuse = EACCES;
	vault.event = "auth.vault";
	dockeys_put(ask(&w, true, false));
	vault.refuse = 0;
	now_ns += 31 * NS_PER_S;
	k = ask(&w, true, false);
	assert_non_null(k->key[0].keys);
	assert_true(dockeys_settled(k));
	dockeys_put(k);
	world_close(&w);
}

static void
a_rewrapped_key_opens_although_a_cache_hands_out_the_old_record(void **state)
{
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	for (unsigned i = 0; i < DEKS; i++)
		(void)snprintf(db.dek[i].kid, sizeof(db.dek[i].kid), "kek-2");
	(void)snprintf(db.cached_kid, sizeof(db.cached_kid), "kek-1");
	vault.refuse = EACCES;
	vault.event = "auth.vault";
	(void)snprintf(vault.refused_kid, sizeof(vault.refused_kid), "kek-1");
	k = ask(&w, true, false);
	assert_non_null(k->key[0].keys);
	assert_non_null(k->key[1].keys);
	assert_int_equal(db.forced, 2);
	dockeys_put(k);
	world_close(&w);
}

static void
a_key_that_is_not_on_the_allow_list_fails_and_is_not_withheld(void **state)
{
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	vault.refuse = EACCES;
	vault.event = "policy.kek";
	k = ask(&w, true, false);
	assert_null(k->key[0].keys);
	assert_false(k->dek[0].withheld);
	assert_false(dockeys_settled(k));
	assert_int_equal(db.forced, 0);
	dockeys_put(k);
	world_close(&w);
}

static void
a_vault_that_is_away_is_asked_again_by_who_has_patience(void **state)
{
	struct world w;
	struct dockeys *k;
	unsigned asked;

	(void)state;
	world_open(&w);
	vault.refuse = ETIMEDOUT;
	vault.event = "net.deadline";
	k = ask(&w, false, false);
	assert_false(dockeys_settled(k));
	assert_false(k->dek[0].withheld);
	dockeys_put(k);
	asked = vault.asked;
	dockeys_put(ask(&w, false, false));
	assert_int_equal(vault.asked, asked); /* a listing does not wait for it each time */
	vault.refuse = 0;
	k = ask(&w, true, false);
	assert_true(dockeys_settled(k));
	dockeys_put(k);
	world_close(&w);
}

static void
an_open_key_outlives_a_vault_that_is_away_but_not_its_refusal(void **state)
{
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	dockeys_put(ask(&w, true, false));
	now_ns += 3601 * NS_PER_S; /* the keyring has let go of them */
	vault.refuse = ETIMEDOUT;
	k = ask(&w, true, false);
	assert_non_null(k->key[0].keys);
	dockeys_put(k);
	vault.refuse = EACCES;
	vault.event = "auth.vault";
	now_ns += 31 * NS_PER_S;
	k = ask(&w, true, false);
	assert_null(k->key[0].keys);
	dockeys_put(k);
	world_close(&w);
}

static void
siblings_are_other_deks_under_the_same_kek(void **state)
{
	char id[64];
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	k = ask(&w, true, true);
	assert_int_equal(k->key[0].n_siblings, 1);
	assert_int_equal(k->key[1].n_siblings, 0);
	docbox_sibling_id(k, 0, 0, id, sizeof(id));
	assert_string_equal(id, "dek3");
	docbox_sibling_id(k, 1, 0, id, sizeof(id));
	assert_string_equal(id, "");
	dockeys_put(k);
	dockeys_put(ask(&w, true, true));
	assert_int_equal(db.listed, 1);
	world_close(&w);
}

static void
a_record_of_another_key_is_refused(void **state)
{
	struct world w;
	struct dockeys *k;

	(void)state;
	world_open(&w);
	(void)snprintf(db.dek[0].id, sizeof(db.dek[0].id), "dek1x");
	k = ask(&w, true, false);
	assert_int_equal(k->dek[0].why.no, ENOENT);
	assert_non_null(k->key[1].keys);
	dockeys_put(k);
	world_close(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_dek_is_read_and_unwrapped_once),
		cmocka_unit_test(
			a_denied_key_is_withheld_after_its_record_was_read_again_past_the_cache),
		cmocka_unit_test(a_denied_key_comes_back_when_it_is_granted),
		cmocka_unit_test(a_rewrapped_key_opens_although_a_cache_hands_out_the_old_record),
		cmocka_unit_test(a_key_that_is_not_on_the_allow_list_fails_and_is_not_withheld),
		cmocka_unit_test(a_vault_that_is_away_is_asked_again_by_who_has_patience),
		cmocka_unit_test(an_open_key_outlives_a_vault_that_is_away_but_not_its_refusal),
		cmocka_unit_test(siblings_are_other_deks_under_the_same_kek),
		cmocka_unit_test(a_record_of_another_key_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
