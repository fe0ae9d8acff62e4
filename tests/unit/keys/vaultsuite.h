/* SPDX-License-Identifier: MIT */
/*
 * The vault provider over fakevault.h, two keys for it and a content key wrapped with each.  To be
 * included by one file of a test program, behind cmocka.h.
 */
#ifndef TESTS_UNIT_KEYS_VAULTSUITE_H
#define TESTS_UNIT_KEYS_VAULTSUITE_H

#include "backend/keys/provider.h"
#include "tests/unit/keys/fakevault.h"

#define VERSION	 "00000000000000000000000000000001"
#define OTHER	 "00000000000000000000000000000002"
#define EMULATOR "https://kv.test:8443"

/* ---- two AES keys, and a content key wrapped with each ---- */

static struct kek *kek_a, *kek_b;
static uint8_t wrapped_a[64], wrapped_b[64], plain[CEK_UNWRAPPED_MAX];
static size_t n_wrapped, n_plain;

static struct kek *
new_kek(const char *k)
{
	struct kek *kek = NULL;
	struct err e = { 0 };
	char jwk[200];

	(void)snprintf(jwk, sizeof(jwk), "{\"kty\":\"oct\",\"k\":\"%s\"}", k);
	assert_int_equal(kek_from_jwk(span_str(jwk), &kek, &e), 0);
	return kek;
}

static void
wrap(const struct kek *kek, uint8_t out[static 64])
{
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 64);
	assert_int_equal(kek_wrap(kek, WRAP_A256KW, span_of(plain, n_plain), &b, &e), 0);
	memcpy(out, b.p, b.n);
	n_wrapped = b.n;
}

static int
make_keys(void **state)
{
	struct cek cek;

	(void)state;
	memset(cek.k, 0x42, sizeof(cek.k));
	cek_to_unwrapped(PROTOCOL_V2_0, &cek, plain, &n_plain);
	kek_a = new_kek("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	kek_b = new_kek("ICECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8");
	wrap(kek_a, wrapped_a);
	wrap(kek_b, wrapped_b);
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	kek_free(kek_a);
	kek_free(kek_b);
	return 0;
}

/* ---- asking ---- */

static char authority[] = "https://login.microsoftonline.com",
	    tenant[] = "11111111-2222-3333-4444-555555555555";
static const struct identity_env env = { .authority = authority, .tenant = tenant };

static struct provider *
provider_for(const char *entry)
{
	const char *const entries[] = { entry, NULL };
	struct provider *p = NULL;
	struct err e = { 0 };

	assert_int_equal(vault_provider_new(NULL, &env, CREDENTIAL_CHAIN, entries, &p, &e), 0);
	return p;
}

static int
unwrap_within(struct provider *p, const char *kid, const uint8_t *wrapped, struct deadline d,
	      struct err *e)
{
	uint8_t out[CEK_UNWRAPPED_MAX] = { 0 };
	size_t n = 4711;
	int r;

	*e = (struct err){ 0 };
	r = provider_unwrap(p, kid, WRAP_A256KW, span_of(wrapped, n_wrapped), d,
			    (struct room){ out, sizeof(out) }, &n, e);
	assert_int_equal(r, -e->no);
	if (r != 0) {
		assert_int_equal(n, 4711);
		assert_string_equal(e->key, kid);
		return r;
	}
	assert_int_equal(n, n_plain);
	assert_memory_equal(out, plain, n);
	return 0;
}

static inline int
unwrap_now(struct provider *p, const char *kid, const uint8_t *wrapped, struct err *e)
{
	return unwrap_within(p, kid, wrapped, deadline_in(20 * NS_PER_S), e);
}

#endif
