/* SPDX-License-Identifier: MIT */
/* The keyring, one caller at a time: backend/keys/keyring.c and keycache.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/keys/steered.h"

/* ---- a clock ---- */

static _Atomic int64_t fake_ns;

static int64_t
fake_now(void)
{
	return atomic_load(&fake_ns);
}

static void
fake_sleep(int64_t ns)
{
	atomic_fetch_add(&fake_ns, ns);
}

static const struct clock_ops fake_clock = { .now_ns = fake_now,
					     .wall_s = fake_now,
					     .sleep_ns = fake_sleep };

static int
stop_fake_clock(void **state)
{
	(void)state;
	clock_replace(NULL);
	return 0;
}

/* The errno of a request; a key that comes is put at once. */
static int
ask(struct keyring *k, const struct envelope *env)
{
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	int r = keyring_cek(k, env, deadline_in(10 * NS_PER_S), &ref, &e);

	assert_int_equal(r, -e.no);
	assert_int_equal(r == 0, ref != NULL);
	if (r != 0)
		assert_string_equal(e.key, env->kid);
	key_ref_put(ref);
	return r;
}

/* ---- tests ---- */

static void
a_key_is_asked_for_once(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256);
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct keyring *k;
	struct keyring_stats st;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_false(keyring_has(k, &env));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e), 0);
		for (size_t b = 0; b < CEK_LEN; b++)
			assert_int_equal(key_ref_cek(ref)->k[b], 0x77);
		key_ref_put(ref);
		assert_true(keyring_has(k, &env));
	}
	assert_int_equal(s.calls, 1);
	keyring_stats(k, &st);
	assert_int_equal(st.hits, 2);
	assert_int_equal(st.unwraps, 1);
	assert_int_equal(st.failures, 0);
	keyring_free(k);
}

static void
whatever_differs_makes_another_entry(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256), other;
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(ask(k, &env), 0);
	other = env, other.alg = WRAP_RSA_OAEP_256;
	assert_false(keyring_has(k, &other));
	other = env, other.protocol = PROTOCOL_V2_1;
	assert_false(keyring_has(k, &other));
	other = env, other.n_wrapped = 257;
	assert_false(keyring_has(k, &other));
	other = request("kk", 256);
	assert_false(keyring_has(k, &other));
	wrapped_bytes[255] ^= 1;
	assert_false(keyring_has(k, &env));
	wrapped_bytes[255] ^= 1;
	assert_true(keyring_has(k, &env));
	keyring_free(k);
}

static void
keys_live_for_the_ttl(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256);
	struct keyring *k;

	(void)state;
	fake_ns = 1000 * NS_PER_S;
	clock_replace(&fake_clock);
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(ask(k, &env), 0);
	fake_ns += hour.ttl_ns - 1;
	assert_int_equal(ask(k, &env), 0); /* use does not renew */
	assert_int_equal(s.calls, 1);
	fake_ns += 1;
	assert_false(keyring_has(k, &env));
	assert_int_equal(ask(k, &env), 0);
	assert_int_equal(s.calls, 2);
	keyring_free(k);
}

static void
a_ttl_of_zero_keeps_nothing(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256);
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, (struct keyring_config){ 0 });
	assert_int_equal(ask(k, &env), 0);
	assert_int_equal(ask(k, &env), 0);
	assert_int_equal(s.calls, 2);
	assert_false(keyring_has(k, &env));
	keyring_free(k);
}

static void
verdicts_are_remembered_for_30_seconds_and_bad_luck_is_not(void **state)
{
	static const struct {
		int no;
		bool remembered;
	} cases[] = { { EACCES, true },	    { ENOKEY, true }, { EBADMSG, true },
		      { ETIMEDOUT, false }, { EIO, false },   { ECANCELED, false } };
	struct envelope env = request("k", 256);

	(void)state;
	fake_ns = 1000 * NS_PER_S;
	clock_replace(&fake_clock);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct steered s;
		struct keyring *k;

		steer(&s, "k");
		s.fail = cases[i].no;
		k = ring_of(&s, hour);
		assert_int_equal(ask(k, &env), -cases[i].no);
		fake_ns += 30 * NS_PER_S - 1;
		assert_int_equal(ask(k, &env), -cases[i].no);
		assert_int_equal(s.calls, cases[i].remembered ? 1 : 2);
		assert_false(keyring_has(k, &env));
		fake_ns += 1;
		s.fail = 0;
		assert_int_equal(ask(k, &env), 0);
		assert_int_equal(s.calls, cases[i].remembered ? 2 : 3);
		keyring_free(k);
	}
}

static void
the_least_recently_used_key_goes_first(void **state)
{
	struct steered s;
	struct envelope env[5];
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, (struct keyring_config){ .ttl_ns = hour.ttl_ns, .max_entries = 4 });
	for (size_t i = 0; i < 5; i++)
		env[i] = request("k", 256 + i);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(ask(k, &env[i]), 0);
	assert_int_equal(ask(k, &env[0]), 0);
	assert_int_equal(ask(k, &env[4]), 0);
	assert_true(keyring_has(k, &env[0]));
	assert_false(keyring_has(k, &env[1]));
	assert_true(keyring_has(k, &env[2]));
	assert_true(keyring_has(k, &env[4]));
	assert_int_equal(s.calls, 5);
	keyring_free(k);
}

static void
a_key_outlives_its_entry_and_is_wiped_with_the_last_reference(void **state)
{
	static const uint8_t zeros[CEK_LEN];
	struct steered s;
	struct envelope env = request("k", 256), other = request("k", 300);
	struct key_ref *ref = NULL, *second;
	struct err e = { 0 };
	struct keyring *k;
	const struct cek *cek;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, (struct keyring_config){ .ttl_ns = hour.ttl_ns, .max_entries = 1 });
	assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e), 0);
	second = key_ref_get(ref);
	assert_int_equal(ask(k, &other), 0);
	assert_false(keyring_has(k, &env));
	keyring_free(k);
	cek = key_ref_cek(second);
	key_ref_put(ref);
	assert_int_equal(cek->k[0], 0x77);
	key_ref_put(second);
	assert_memory_equal(cek->k, zeros, CEK_LEN); /* the arena stays mapped */
}

static void
expired_keys_are_wiped_at_the_next_call(void **state)
{
	static const uint8_t zeros[CEK_LEN];
	struct steered s;
	struct envelope env = request("k", 256), other = request("k", 300);
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	const struct cek *cek;
	struct keyring *k;

	(void)state;
	fake_ns = 1000 * NS_PER_S;
	clock_replace(&fake_clock);
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e), 0);
	cek = key_ref_cek(ref);
	key_ref_put(ref);
	assert_int_equal(cek->k[0], 0x77);
	fake_ns += hour.ttl_ns;
	assert_false(keyring_has(k, &other));
	assert_memory_equal(cek->k, zeros, CEK_LEN);
	keyring_free(k);
}

static void
kek_alg_narrows_without_asking_anybody(void **state)
{
	struct steered s;
	struct envelope env = request("k", 256);
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s,
		    (struct keyring_config){ .ttl_ns = NS_PER_S, .algs = 1u << WRAP_RSA_OAEP_256 });
	assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek_alg");
	assert_non_null(e.advice);
	assert_int_equal(s.calls, 0);
	env.alg = WRAP_RSA_OAEP_256;
	assert_int_equal(ask(k, &env), 0);
	keyring_free(k);
}

static void
a_key_id_that_nobody_claims_is_refused_with_advice(void **state)
{
	struct steered s;
	struct envelope env = request("stranger", 256);
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, hour);
	assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek");
	assert_string_equal(e.key, "stranger");
	assert_non_null(strstr(e.advice, "vault="));
	assert_non_null(strstr(e.advice, "keys="));
	assert_int_equal(s.calls, 0);
	keyring_free(k);
}

static void
the_first_provider_that_claims_serves(void **state)
{
	struct steered first, second;
	struct provider *providers[] = { &first.base, &second.base };
	struct envelope a = request("ab", 256), b = request("a", 256);
	struct err e = { 0 };
	struct keyring *k;

	(void)state;
	steer(&first, "ab");
	steer(&second, "a");
	assert_int_equal(keyring_new_take(&hour, providers, 2, &k, &e), 0);
	assert_int_equal(ask(k, &a), 0);
	assert_int_equal(ask(k, &b), 0);
	assert_int_equal(first.calls, 1);
	assert_int_equal(second.calls, 1);
	keyring_free(k);
}

static const struct {
	enum wrap_alg alg;
	enum protocol protocol;
	size_t n;
	bool fits;
} lengths[] = {
	{ WRAP_RSA_OAEP, PROTOCOL_V2_0, 1, false },
	{ WRAP_RSA_OAEP, PROTOCOL_V2_0, 255, false },
	{ WRAP_RSA_OAEP, PROTOCOL_V2_0, 256, true },
	{ WRAP_RSA_OAEP, PROTOCOL_V2_0, 384, true },
	{ WRAP_RSA_OAEP, PROTOCOL_V2_0, 512, true },
	{ WRAP_RSA_OAEP_256, PROTOCOL_V2_0, 1024, true },
	{ WRAP_RSA_OAEP_256, PROTOCOL_V2_0, 1025, false },
	{ WRAP_A256KW, PROTOCOL_V2_0, 48, true },
	{ WRAP_A256KW, PROTOCOL_V2_0, 40, false },
	{ WRAP_A256KW, PROTOCOL_V2_0, 256, false },
	{ WRAP_A128KW, PROTOCOL_V2_1, 48, true },
	{ WRAP_A128KW, PROTOCOL_V1, 48, false },
	{ WRAP_A128KW, PROTOCOL_V1, 40, true },
};

static void
wrapped_bytes_of_a_wrong_length_are_not_even_sent(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct steered s;
		struct envelope env = request("k", lengths[i].n);
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct keyring *k;
		int r;

		steer(&s, "k");
		k = ring_of(&s, hour);
		env.alg = lengths[i].alg;
		env.protocol = lengths[i].protocol;
		r = keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e);
		assert_int_equal(s.calls, lengths[i].fits ? 1 : 0);
		if (!lengths[i].fits) {
			assert_int_equal(r, -EBADMSG);
			assert_string_equal(e.event, "integrity.cek");
		}
		key_ref_put(ref);
		keyring_free(k);
	}
}

static const struct {
	enum protocol protocol;
	size_t n;
	const char *prefix;
	int no;
} relabelled[] = {
	{ PROTOCOL_V1, 32, "", 0 },
	{ PROTOCOL_V1, 40, "2.0", EBADMSG },
	{ PROTOCOL_V1, 31, "", EBADMSG },
	{ PROTOCOL_V1, 0, "", EBADMSG },
	{ PROTOCOL_V2_0, 40, "2.0", 0 },
	{ PROTOCOL_V2_0, 40, "2.1", EBADMSG },
	{ PROTOCOL_V2_0, 40, "2.0x", EBADMSG },
	{ PROTOCOL_V2_0, 40, "", EBADMSG },
	{ PROTOCOL_V2_0, 32, "", EBADMSG },
	{ PROTOCOL_V2_0, 41, "2.0", EBADMSG },
	{ PROTOCOL_V2_0, 64, "2.0", EBADMSG },
	{ PROTOCOL_V2_1, 40, "2.1", 0 },
	{ PROTOCOL_V2_1, 40, "2.0", EBADMSG },
	{ PROTOCOL_V2_1, 32, "", EBADMSG },
};

static void
a_relabelled_blob_gets_no_key(void **state)
{
	struct envelope env = request("k", 256);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(relabelled); i++) {
		struct steered s;
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct keyring *k;

		steer(&s, "k");
		memset(s.plain, 0, sizeof(s.plain));
		memcpy(s.plain, relabelled[i].prefix, strlen(relabelled[i].prefix));
		s.n_plain = relabelled[i].n;
		env.protocol = relabelled[i].protocol;
		k = ring_of(&s, hour);
		assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &ref, &e),
				 -relabelled[i].no);
		if (relabelled[i].no != 0)
			assert_string_equal(e.event, "integrity.cek");
		assert_int_equal(keyring_has(k, &env), relabelled[i].no == 0);
		key_ref_put(ref);
		keyring_free(k);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_asked_for_once),
		cmocka_unit_test(whatever_differs_makes_another_entry),
		cmocka_unit_test_teardown(keys_live_for_the_ttl, stop_fake_clock),
		cmocka_unit_test(a_ttl_of_zero_keeps_nothing),
		cmocka_unit_test_teardown(
			verdicts_are_remembered_for_30_seconds_and_bad_luck_is_not,
			stop_fake_clock),
		cmocka_unit_test(the_least_recently_used_key_goes_first),
		cmocka_unit_test(a_key_outlives_its_entry_and_is_wiped_with_the_last_reference),
		cmocka_unit_test_teardown(expired_keys_are_wiped_at_the_next_call, stop_fake_clock),
		cmocka_unit_test(kek_alg_narrows_without_asking_anybody),
		cmocka_unit_test(a_key_id_that_nobody_claims_is_refused_with_advice),
		cmocka_unit_test(the_first_provider_that_claims_serves),
		cmocka_unit_test(wrapped_bytes_of_a_wrong_length_are_not_even_sent),
		cmocka_unit_test(a_relabelled_blob_gets_no_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
