/* SPDX-License-Identifier: MIT */
/* The keyring's other kind of key: DEKs of Cosmos databases (backend/keys/keyring.c, wanted.c). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/keys/steered.h"

/* Steers towards an unwrapped key of n bytes of 0x44. */
static struct keyring *
ring_with(struct steered *s, size_t n)
{
	steer(s, "k");
	memset(s->plain, 0x44, sizeof(s->plain));
	s->n_plain = n;
	return ring_of(s, hour);
}

static int
ask(struct keyring *k, const char *kid, size_t n_wrapped, struct key_ref **out, struct err *e)
{
	int r = keyring_dek(k, kid, span_of(wrapped_bytes, n_wrapped), deadline_in(NS_PER_S), out,
			    e);

	assert_int_equal(r, -e->no);
	assert_string_equal(e->key, r == 0 ? "" : kid);
	return r;
}

static void
a_dek_is_asked_for_once_and_is_one_reference(void **state)
{
	struct key_ref *first = NULL, *again = NULL;
	struct keyring_stats st;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k = ring_with(&s, 32);

	(void)state;
	assert_int_equal(ask(k, "k", 256, &first, &e), 0);
	assert_int_equal(ask(k, "k", 256, &again, &e), 0);
	assert_ptr_equal(first, again);
	for (size_t i = 0; i < CEK_LEN; i++)
		assert_int_equal(key_ref_cek(first)->k[i], 0x44);
	assert_int_equal(s.calls, 1);
	keyring_stats(k, &st);
	assert_int_equal(st.hits, 1);
	assert_int_equal(st.unwraps, 1);
	key_ref_put(first);
	key_ref_put(again);
	keyring_free(k);
}

static void
what_is_not_32_bytes_is_no_dek(void **state)
{
	static const size_t lengths[] = { 0, 16, 31, 33, 40, 64 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct steered s;
		struct keyring *k = ring_with(&s, lengths[i]);

		assert_int_equal(ask(k, "k", 256, &ref, &e), -EBADMSG);
		assert_string_equal(e.event, "integrity.cek");
		err_clear(&e);
		assert_int_equal(ask(k, "k", 256, &ref, &e), -EBADMSG);
		assert_int_equal(s.calls, 1);
		assert_null(ref);
		keyring_free(k);
	}
}

static void
wrapped_bytes_that_rsa_does_not_give_are_not_even_sent(void **state)
{
	static const struct {
		size_t n;
		bool fits;
	} lengths[] = { { 0, false },  { 40, false },  { 255, false }, { 256, true },
			{ 512, true }, { 1024, true }, { 1025, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) {
		struct key_ref *ref = NULL;
		struct err e = { 0 };
		struct steered s;
		struct keyring *k = ring_with(&s, 32);

		assert_int_equal(ask(k, "k", lengths[i].n, &ref, &e),
				 lengths[i].fits ? 0 : -EBADMSG);
		assert_int_equal(s.calls, lengths[i].fits ? 1 : 0);
		if (!lengths[i].fits) {
			assert_string_equal(e.event, "integrity.cek");
			assert_non_null(strstr(e.text, "data-encryption key"));
		}
		key_ref_put(ref);
		keyring_free(k);
	}
}

static void
kek_alg_narrows_deks_too(void **state)
{
	struct keyring_config cfg = { .ttl_ns = NS_PER_S, .algs = ~(1u << WRAP_RSA_OAEP) };
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k;

	(void)state;
	steer(&s, "k");
	k = ring_of(&s, cfg);
	assert_int_equal(ask(k, "k", 256, &ref, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek_alg");
	assert_non_null(strstr(e.advice, "kek_alg="));
	assert_int_equal(s.calls, 0);
	keyring_free(k);
}

static void
a_key_id_that_nobody_claims_contacts_nobody(void **state)
{
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k = ring_with(&s, 32);

	(void)state;
	assert_int_equal(ask(k, "https://evil.example/keys/k/1", 256, &ref, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek");
	assert_int_equal(s.calls, 0);
	keyring_free(k);
}

/* A V1 blob's key is 32 bytes as well: the same wrapped bytes under the same key must not make it a
 * DEK without being looked at as one, nor the other way round. */
static void
a_blob_with_the_same_wrapped_bytes_is_another_entry(void **state)
{
	struct envelope env = request("k", 256);
	struct key_ref *dek = NULL, *cek = NULL;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k = ring_with(&s, 32);

	(void)state;
	env.protocol = PROTOCOL_V1;
	assert_int_equal(ask(k, "k", 256, &dek, &e), 0);
	assert_false(keyring_has(k, &env));
	assert_int_equal(keyring_cek(k, &env, deadline_in(NS_PER_S), &cek, &e), 0);
	assert_ptr_not_equal(dek, cek);
	assert_int_equal(s.calls, 2);
	key_ref_put(dek);
	key_ref_put(cek);
	keyring_free(k);
}

static void
what_the_provider_says_is_passed_on_and_remembered(void **state)
{
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	struct steered s;
	struct keyring *k = ring_with(&s, 32);

	(void)state;
	s.fail = ENOKEY;
	assert_int_equal(ask(k, "k", 256, &ref, &e), -ENOKEY);
	s.fail = 0;
	err_clear(&e);
	assert_int_equal(ask(k, "k", 256, &ref, &e), -ENOKEY);
	err_clear(&e);
	assert_int_equal(ask(k, "k", 257, &ref, &e), 0);
	key_ref_put(ref);
	keyring_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_dek_is_asked_for_once_and_is_one_reference),
		cmocka_unit_test(what_is_not_32_bytes_is_no_dek),
		cmocka_unit_test(wrapped_bytes_that_rsa_does_not_give_are_not_even_sent),
		cmocka_unit_test(kek_alg_narrows_deks_too),
		cmocka_unit_test(a_key_id_that_nobody_claims_contacts_nobody),
		cmocka_unit_test(a_blob_with_the_same_wrapped_bytes_is_another_entry),
		cmocka_unit_test(what_the_provider_says_is_passed_on_and_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
