/* SPDX-License-Identifier: MIT */
/* Wrapping through the keyring, and what it remembers of it: backend/keys/keyring.c. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/keys/jwks.h"
#include "tests/unit/keys/steered.h"

static struct deadline
soon(void)
{
	return deadline_in(20 * NS_PER_S);
}

/* A content key whose every byte is that. */
static struct cek
cek_of(uint8_t byte)
{
	struct cek cek;

	memset(cek.k, byte, sizeof(cek.k));
	return cek;
}

/* The errno of a wrap; what it gives is cleared. */
static int
wrap(struct keyring *k, const char *kid, enum wrap_alg alg, struct err *e)
{
	const struct cek cek = cek_of(0x31);
	AUTO_ENVELOPE env = { 0 };
	int r;

	*e = (struct err){ 0 };
	r = keyring_wrap(k, kid, alg, PROTOCOL_V2_0, &cek, soon(), &env, NULL, e);
	assert_int_equal(r, -e->no);
	assert_int_equal(r == 0, env.kid != NULL);
	if (r != 0)
		assert_string_equal(e->key, kid);
	return r;
}

/* Reads the key of the envelope back; byte is what it must consist of. */
static void
expect_key(struct keyring *k, const struct envelope *env, uint8_t byte)
{
	struct key_ref *ref = NULL;
	struct err e = { 0 };

	if (keyring_cek(k, env, soon(), &ref, &e) != 0)
		fail_msg("%s", e.text);
	for (size_t i = 0; i < CEK_LEN; i++)
		assert_int_equal(key_ref_cek(ref)->k[i], byte);
	key_ref_put(ref);
}

/* ---- what comes out ---- */

static void
the_envelope_says_what_the_provider_did(void **state)
{
	static const struct {
		enum protocol protocol;
		const char *prefix;
		size_t n;
	} cases[] = { { PROTOCOL_V2_0, "2.0\0\0\0\0", 40 }, { PROTOCOL_V2_1, "2.1\0\0\0\0", 40 } };
	const struct cek cek = cek_of(0x31);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_ENVELOPE env = { 0 };
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct steered s;
		struct keyring *k;

		steer(&s, "k");
		k = ring_of(&s, hour);
		assert_int_equal(
			keyring_wrap(k, "k", 0, cases[i].protocol, &cek, soon(), &env, &ref, &e),
			0);
		assert_int_equal(s.given_alg, 0);
		assert_int_equal(s.n_given, cases[i].n);
		assert_memory_equal(s.given, cases[i].prefix, 8);
		assert_memory_equal(s.given + 8, cek.k, CEK_LEN);
		assert_int_equal(env.protocol, cases[i].protocol);
		assert_int_equal(env.alg, WRAP_RSA_OAEP);
		assert_string_equal(env.kid, "k/version");
		assert_int_equal(env.n_wrapped, 256);
		assert_memory_equal(env.wrapped, s.wrapped.bytes, 256);
		assert_int_equal(env.region_len, 0);
		assert_memory_equal(key_ref_cek(ref)->k, cek.k, CEK_LEN);
		key_ref_put(ref);
		keyring_free(k);
	}
}

static void
reading_back_asks_nobody(void **state)
{
	const struct cek cek = cek_of(0x31);
	AUTO_ENVELOPE env = { 0 };
	struct err e = { 0 };
	struct steered s;
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(keyring_wrap(k, "k", 0, PROTOCOL_V2_0, &cek, soon(), &env, NULL, &e), 0);
	assert_true(keyring_has(k, &env));
	expect_key(k, &env, 0x31);
	assert_int_equal(s.calls, 0);
	env.protocol = PROTOCOL_V2_1;
	assert_false(keyring_has(k, &env));
	keyring_free(k);
}

static void
with_a_ttl_of_zero_nothing_is_remembered(void **state)
{
	const struct cek cek = cek_of(0x31);
	AUTO_ENVELOPE env = { 0 };
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, (struct keyring_config){ 0 });
	assert_int_equal(keyring_wrap(k, "k", 0, PROTOCOL_V2_0, &cek, soon(), &env, &ref, &e), 0);
	assert_int_equal(key_ref_cek(ref)->k[0], 0x31);
	key_ref_put(ref);
	assert_false(keyring_has(k, &env));
	expect_key(k, &env, 0x77); /* what the provider unwraps */
	assert_int_equal(s.calls, 1);
	keyring_free(k);
}

static void
the_key_outlives_the_keyring(void **state)
{
	const struct cek cek = cek_of(0x31);
	AUTO_ENVELOPE env = { 0 };
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(keyring_wrap(k, "k", 0, PROTOCOL_V2_0, &cek, soon(), &env, &ref, &e), 0);
	keyring_free(k);
	assert_int_equal(key_ref_cek(ref)->k[31], 0x31);
	key_ref_put(ref);
}

/* ---- what the keyring already thinks of that envelope ---- */

static void
a_failure_and_another_key_are_replaced(void **state)
{
	static const int before[] = { EBADMSG, EACCES, 0 };
	const struct cek cek = cek_of(0x31);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(before); i++) {
		AUTO_ENVELOPE env = { 0 };
		struct envelope same;
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct steered s;
		struct keyring *k;

		steer(&s, "k");
		k = ring_of(&s, hour);
		same = request("k/version", 256);
		same.wrapped = s.wrapped.bytes;
		s.fail = before[i];
		assert_int_equal(keyring_cek(k, &same, soon(), &ref, &e), -before[i]);
		key_ref_put(ref);
		s.fail = 0;
		err_clear(&e);
		assert_int_equal(
			keyring_wrap(k, "k", 0, PROTOCOL_V2_0, &cek, soon(), &env, NULL, &e), 0);
		expect_key(k, &env, 0x31);
		expect_key(k, &same, 0x31);
		assert_int_equal(s.calls, 1);
		keyring_free(k);
	}
}

struct asker {
	pthread_t thread;
	struct keyring *k;
	struct envelope env;
	int result;
	uint8_t byte;
};

static void *
asker_main(void *arg)
{
	struct asker *a = arg;
	struct key_ref *ref = NULL;
	struct err e = { 0 };

	a->result = keyring_cek(a->k, &a->env, deadline_in(30 * NS_PER_S), &ref, &e);
	if (a->result == 0)
		a->byte = key_ref_cek(ref)->k[0];
	key_ref_put(ref);
	return NULL;
}

/* A leader is inside the provider, others wait for it: the wrap answers all of them, and whatever
 * the provider says later is too late. */
static void
a_flight_for_the_same_key_lands_with_the_wrap(void **state)
{
	static const struct {
		int fail;
		int64_t ttl_ns;
	} cases[] = { { 0, 3600 * NS_PER_S }, { EIO, 3600 * NS_PER_S }, { ENOKEY, 0 }, { 0, 0 } };
	const struct cek cek = cek_of(0x31);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		AUTO_ENVELOPE env = { 0 };
		struct asker askers[4];
		struct keyring_stats st;
		struct err e = { 0 };
		struct steered s;
		struct keyring *k;

		steer(&s, "k");
		s.gate_closed = true;
		k = ring_of(&s, (struct keyring_config){ .ttl_ns = cases[i].ttl_ns });
		for (size_t a = 0; a < ARRAY_LEN(askers); a++) {
			askers[a] = (struct asker){ .k = k, .env = request("k/version", 256) };
			askers[a].env.wrapped = s.wrapped.bytes;
			assert_int_equal(
				pthread_create(&askers[a].thread, NULL, asker_main, &askers[a]), 0);
		}
		do {
			usleep(1000);
			keyring_stats(k, &st);
		} while (st.waited < ARRAY_LEN(askers) - 1 || s.inside < 1);
		assert_int_equal(
			keyring_wrap(k, "k", 0, PROTOCOL_V2_0, &cek, soon(), &env, NULL, &e), 0);
		assert_int_equal(keyring_has(k, &env), cases[i].ttl_ns > 0);
		s.fail = cases[i].fail;
		s.gate_closed = false;
		for (size_t a = 0; a < ARRAY_LEN(askers); a++) {
			pthread_join(askers[a].thread, NULL);
			assert_int_equal(askers[a].result, 0);
			assert_int_equal(askers[a].byte, 0x31);
		}
		if (cases[i].ttl_ns > 0)
			expect_key(k, &env, 0x31);
		assert_int_equal(s.calls, 1);
		keyring_free(k);
	}
}

/* ---- refusals ---- */

static void
algorithms_that_are_not_allowed_are_refused(void **state)
{
	struct steered s;
	struct keyring *k;
	struct err e;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s,
		    (struct keyring_config){ .ttl_ns = NS_PER_S, .algs = 1u << WRAP_RSA_OAEP_256 });
	assert_int_equal(wrap(k, "k", WRAP_RSA_OAEP, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek_alg");
	assert_non_null(strstr(e.advice, "wrap_alg="));
	assert_int_equal(s.wraps, 0);
	assert_int_equal(wrap(k, "k", 0, &e), -EACCES); /* RSA-OAEP is what the key chose */
	assert_string_equal(e.event, "policy.kek_alg");
	assert_int_equal(wrap(k, "k", WRAP_RSA_OAEP_256, &e), 0);
	assert_int_equal(s.given_alg, WRAP_RSA_OAEP_256);
	keyring_free(k);
}

static void
a_key_id_that_nobody_claims_is_refused_with_advice(void **state)
{
	struct steered s;
	struct keyring *k;
	struct keyring_stats st;
	struct err e;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(wrap(k, "stranger", 0, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek");
	assert_non_null(strstr(e.advice, "vault="));
	assert_int_equal(s.wraps, 0);
	keyring_stats(k, &st);
	assert_int_equal(st.failures, 1);
	keyring_free(k);
}

static void
a_failure_is_the_providers_and_is_not_remembered_here(void **state)
{
	static const int failures[] = { EACCES, ENOKEY, EBADMSG, ETIMEDOUT, EIO };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
		struct steered s;
		struct keyring *k;
		struct err e;

		steer(&s, "k");
		k = ring_of(&s, hour);
		s.fail = failures[i];
		assert_int_equal(wrap(k, "k", 0, &e), -failures[i]);
		s.fail = 0;
		assert_int_equal(wrap(k, "k", 0, &e), 0);
		assert_int_equal(s.wraps, 2);
		keyring_free(k);
	}
}

static void
what_no_reader_would_take_is_not_written(void **state)
{
	static const struct {
		enum wrap_alg alg;
		size_t n;
		bool good;
	} cases[] = { { WRAP_RSA_OAEP, 255, false },
		      { WRAP_RSA_OAEP, 512, true },
		      { WRAP_A256KW, 48, true },
		      { WRAP_A256KW, 40, false },
		      { WRAP_A256KW, 256, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct steered s;
		struct keyring *k;
		struct err e;

		steer(&s, "k");
		s.wrapped.alg = cases[i].alg;
		s.wrapped.n = cases[i].n;
		k = ring_of(&s, hour);
		assert_int_equal(wrap(k, "k", 0, &e), cases[i].good ? 0 : -EBADMSG);
		keyring_free(k);
	}
}

static void
a_provider_that_cannot_wrap_says_so(void **state)
{
	struct provider_ops ops = steered_ops;
	struct steered s;
	struct keyring *k;
	struct err e;

	(void)state;
	steer(&s, "k");
	ops.wrap = NULL;
	s.base.ops = &ops;
	k = ring_of(&s, hour);
	assert_int_equal(wrap(k, "k", 0, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek");
	assert_non_null(strstr(e.text, "steered"));
	keyring_free(k);
}

/* ---- local keys ---- */

#define OCT(kid, k) "{\"kid\":\"" kid "\",\"kty\":\"oct\",\"k\":\"" k "\"}"

static struct keyring *
ring_of_local_keys(void)
{
	static const char set[] = "{\"keys\":[" OCT(
		"local:256", "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3O"
			     "Dk6Ozw9Pj8") "," OCT("local:128", "AAAAAAAAAAAAAAAAAAAAAA") "]}";
	struct provider *p = NULL;
	struct keyring *k = NULL;
	struct err e = { 0 };

	assert_int_equal(jwks_provider_from_text(span_str(set), "set", &p, &e), 0);
	assert_int_equal(keyring_new_take(&hour, &p, 1, &k, &e), 0);
	return k;
}

static void
a_local_key_wraps_to_the_known_answer(void **state)
{
	/* "2.0" and the content key 00..1f under 20..3f, from the description of the format. */
	static const uint8_t known[] = {
		0x02, 0xa3, 0x44, 0x2d, 0x98, 0x72, 0xdb, 0x92, 0xc9, 0x9a, 0x88, 0xe5,
		0xce, 0x5c, 0x7a, 0xf5, 0xdd, 0x17, 0xa3, 0x86, 0x33, 0x77, 0x3f, 0x2d,
		0xff, 0x67, 0xad, 0x65, 0xf0, 0xf3, 0xe0, 0x7c, 0xc3, 0xd7, 0xac, 0x3d,
		0xde, 0x6a, 0xed, 0x20, 0x95, 0x56, 0x99, 0x3e, 0x18, 0xfb, 0x06, 0xfb,
	};
	struct keyring *k = ring_of_local_keys(), *fresh = ring_of_local_keys();
	struct key_ref *ref = NULL;
	AUTO_ENVELOPE env = { 0 };
	struct err e = { 0 };
	struct cek cek;

	(void)state;
	for (unsigned i = 0; i < CEK_LEN; i++)
		cek.k[i] = (uint8_t)i;
	assert_int_equal(
		keyring_wrap(k, "local:256", 0, PROTOCOL_V2_0, &cek, soon(), &env, NULL, &e), 0);
	assert_string_equal(env.kid, "local:256");
	assert_int_equal(env.alg, WRAP_A256KW);
	assert_int_equal(env.n_wrapped, sizeof(known));
	assert_memory_equal(env.wrapped, known, sizeof(known));
	assert_int_equal(keyring_cek(fresh, &env, soon(), &ref, &e), 0);
	assert_memory_equal(key_ref_cek(ref)->k, cek.k, CEK_LEN);
	key_ref_put(ref);
	keyring_free(k);
	keyring_free(fresh);
}

static void
local_keys_are_named_exactly_and_wrap_as_they_can(void **state)
{
	static const struct {
		const char *kid;
		enum wrap_alg alg;
		int no;
	} cases[] = {
		{ "local:128", 0, 0 },
		{ "local:128", WRAP_A128KW, 0 },
		{ "local:128", WRAP_A256KW, EACCES },
		{ "local:128", WRAP_RSA_OAEP, EACCES },
		{ "LOCAL:128", 0, EACCES },
		{ "local:1280", 0, EACCES },
	};
	struct keyring *k = ring_of_local_keys();
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		if (wrap(k, cases[i].kid, cases[i].alg, &e) != -cases[i].no)
			fail_msg("row %zu: %s", i, e.text);
	keyring_free(k);
}

/* ---- many at once ---- */

static void *
churn(void *arg)
{
	struct keyring *k = arg;

	for (unsigned i = 0; i < 200; i++) {
		const struct cek cek = cek_of((uint8_t)i);
		AUTO_ENVELOPE env = { 0 };
		struct key_ref *ref = NULL, *back = NULL;
		struct err e = { 0 };

		if (keyring_wrap(k, i % 2 == 0 ? "local:256" : "local:128", 0, PROTOCOL_V2_0, &cek,
				 soon(), &env, &ref, &e) != 0 ||
		    keyring_cek(k, &env, soon(), &back, &e) != 0 ||
		    key_ref_cek(back)->k[5] != (uint8_t)i)
			return k;
		key_ref_put(ref);
		key_ref_put(back);
	}
	return NULL;
}

static void
many_threads_may_wrap_at_once(void **state)
{
	struct keyring *k = ring_of_local_keys();
	pthread_t threads[8];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, k), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *failed = NULL;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	keyring_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_envelope_says_what_the_provider_did),
		cmocka_unit_test(reading_back_asks_nobody),
		cmocka_unit_test(with_a_ttl_of_zero_nothing_is_remembered),
		cmocka_unit_test(the_key_outlives_the_keyring),
		cmocka_unit_test(a_failure_and_another_key_are_replaced),
		cmocka_unit_test(a_flight_for_the_same_key_lands_with_the_wrap),
		cmocka_unit_test(algorithms_that_are_not_allowed_are_refused),
		cmocka_unit_test(a_key_id_that_nobody_claims_is_refused_with_advice),
		cmocka_unit_test(a_failure_is_the_providers_and_is_not_remembered_here),
		cmocka_unit_test(what_no_reader_would_take_is_not_written),
		cmocka_unit_test(a_provider_that_cannot_wrap_says_so),
		cmocka_unit_test(a_local_key_wraps_to_the_known_answer),
		cmocka_unit_test(local_keys_are_named_exactly_and_wrap_as_they_can),
		cmocka_unit_test(many_threads_may_wrap_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
