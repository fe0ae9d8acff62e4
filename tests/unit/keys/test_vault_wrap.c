/* SPDX-License-Identifier: MIT */
/*
 * Wrapping under the keys of a vault: backend/keys/vaultwrap.c and vaultpublic.c, over a network
 * that the test answers.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "backend/keys/keyring.h"
#include "tests/unit/keys/vaultsuite.h"

#define KEY EMULATOR "/keys/k"
#define KID KEY "/" VERSION
#define OPS ",\"key_ops\":[\"encrypt\",\"wrapKey\",\"unwrapKey\"]"

/* ---- an RSA key: both halves as a kek, the public one as a vault shows it ---- */

static struct kek *rsa_kek;
static char rsa_json[1000], rsa_n[400];

static int
make_rsa(void **state)
{
	EVP_PKEY *rsa = EVP_RSA_gen(2048);
	BIO *bio = BIO_new(BIO_s_mem());
	BIGNUM *bn = NULL;
	struct err e = { 0 };
	uint8_t n[256];
	char *pem;
	long n_pem;
	AUTO_BUF text;

	buf_init(&text, 400);
	assert_int_equal(EVP_PKEY_get_bn_param(rsa, OSSL_PKEY_PARAM_RSA_N, &bn), 1);
	assert_int_equal(BN_bn2bin(bn, n), sizeof(n));
	BN_free(bn);
	assert_int_equal(base64_encode(BASE64_URL, span_of(n, sizeof(n)), &text, &e), 0);
	(void)snprintf(rsa_n, sizeof(rsa_n), "%s", buf_str(&text));
	(void)snprintf(rsa_json, sizeof(rsa_json),
		       "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\"" OPS, rsa_n);
	assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, rsa, NULL, NULL, 0, NULL, NULL), 1);
	n_pem = BIO_get_mem_data(bio, &pem);
	assert_int_equal(kek_from_pem(span_of(pem, (size_t)n_pem), &rsa_kek, &e), 0);
	BIO_free(bio);
	EVP_PKEY_free(rsa);
	return make_keys(state);
}

static int
free_rsa(void **state)
{
	kek_free(rsa_kek);
	return free_keys(state);
}

/* ---- a clock ---- */

static _Atomic int64_t fake_ns;

static int64_t
fake_now(void)
{
	return fake_ns;
}

static int64_t
fake_wall(void)
{
	return fake_ns / NS_PER_S;
}

static void
fake_sleep(int64_t ns)
{
	fake_ns += ns;
}

static const struct clock_ops fake_clock = { .now_ns = fake_now,
					     .wall_s = fake_wall,
					     .sleep_ns = fake_sleep };

static int
start_fake_clock(void **state)
{
	(void)state;
	fake_ns = 1000 * NS_PER_S;
	clock_replace(&fake_clock);
	return 0;
}

static int
stop_fake_clock(void **state)
{
	(void)state;
	clock_replace(NULL);
	return 0;
}

/* ---- asking ---- */

/* A vault whose current version is that key; its GET shows `shown`. */
static struct provider *
vault_with(struct kek *kek, const char *shown)
{
	fake_vault_reset(EMULATOR, "k");
	fake_vault_add(kek, false);
	fake_vault.v[0].key = shown;
	return provider_for(EMULATOR);
}

static int
wrap_now(struct provider *p, const char *kid, enum wrap_alg alg, struct wrapped_key *out,
	 struct err *e)
{
	int r;

	*e = (struct err){ 0 };
	memset(out, 0xee, sizeof(*out));
	r = provider_wrap(p, kid, alg, span_of(plain, n_plain), deadline_in(20 * NS_PER_S), out, e);
	assert_int_equal(r, -e->no);
	if (r != 0) {
		assert_int_equal((uint8_t)out->kid[0], 0xee); /* outputs are for successes */
		assert_string_equal(e->key, kid);
	}
	return r;
}

static void
expect_opened(const struct kek *kek, const struct wrapped_key *w)
{
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct err e = { 0 };
	size_t n = 0;

	assert_int_equal(kek_unwrap(kek, w->alg, span_of(w->bytes, w->n),
				    (struct room){ out, sizeof(out) }, &n, &e),
			 0);
	assert_int_equal(n, n_plain);
	assert_memory_equal(out, plain, n);
}

/* ---- with the public half ---- */

static void
an_rsa_key_is_read_once_and_wraps_here(void **state)
{
	static const char *const kids[] = { KEY, KID, KEY "/", KID "/", EMULATOR "/keys/K" };
	static const enum wrap_alg algs[] = { 0, WRAP_RSA_OAEP, WRAP_RSA_OAEP_256 };
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kids); i++) {
		struct provider *p = vault_with(rsa_kek, rsa_json);

		for (size_t a = 0; a < ARRAY_LEN(algs); a++) {
			if (wrap_now(p, kids[i], algs[a], &w, &e) != 0)
				fail_msg("%s: %s", kids[i], e.text);
			assert_string_equal(w.kid, KID);
			assert_int_equal(w.alg, algs[a] != 0 ? algs[a] : WRAP_RSA_OAEP);
			expect_opened(rsa_kek, &w);
		}
		assert_int_equal(fake_vault.gets, 1);
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

static void
the_request_is_what_the_service_documents(void **state)
{
	static const struct {
		const char *kid, *url;
	} cases[] = { { KEY, KEY "?api-version=7.4" }, { KID, KID "?api-version=7.4" } };
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct provider *p = vault_with(rsa_kek, rsa_json);

		assert_int_equal(wrap_now(p, cases[i].kid, 0, &w, &e), 0);
		assert_string_equal(fake_vault.url, cases[i].url);
		assert_string_equal(fake_vault.body, "");
		provider_free(p);
	}
}

static void
a_versionless_id_stays_with_its_version(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct wrapped_key w;
	struct err e;

	(void)state;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	fake_vault_add(rsa_kek, false);
	fake_vault.v[1].key = rsa_json;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_string_equal(w.kid, KID);
	assert_int_equal(wrap_now(p, KEY "/" OTHER, 0, &w, &e), 0);
	assert_string_equal(w.kid, KEY "/" OTHER);
	assert_int_equal(fake_vault.gets, 2);
	provider_free(p);
}

static void
once_its_version_expires_a_versionless_id_is_looked_up_anew(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct wrapped_key w;
	struct err e;

	(void)state;
	fake_vault.v[0].attributes = ",\"exp\":1100";
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_int_equal(wrap_now(p, KID, 0, &w, &e), 0);
	fake_vault_add(rsa_kek, false);
	fake_vault.v[1].key = rsa_json;
	fake_ns = 1099 * NS_PER_S;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_string_equal(w.kid, KID);
	fake_ns = 1100 * NS_PER_S;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_string_equal(w.kid, KEY "/" OTHER);
	assert_int_equal(wrap_now(p, KID, 0, &w, &e), -ENOKEY);
	assert_string_equal(e.event, "key.expired");
	assert_int_equal(fake_vault.gets, 4);
	provider_free(p);
}

static const struct {
	const char *attributes;
	bool disabled;
	int no;
	const char *event;
} states[] = {
	{ ",\"exp\":1001,\"nbf\":1000", false, 0, NULL },
	{ ",\"exp\":null,\"nbf\":null", false, 0, NULL },
	{ ",\"exp\":1000", false, ENOKEY, "key.expired" },
	{ ",\"exp\":0", false, ENOKEY, "key.expired" },
	{ ",\"exp\":-5", false, ENOKEY, "key.expired" },
	{ ",\"nbf\":1001", false, ENOKEY, "key.expired" },
	{ NULL, true, ENOKEY, "key.disabled" },
	{ ",\"exp\":\"1001\"", false, EBADMSG, "integrity.cek" },
	{ ",\"nbf\":1.5", false, EBADMSG, "integrity.cek" },
};

static void
a_key_wraps_only_while_the_service_would_let_it(void **state)
{
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(states); i++) {
		struct provider *p = vault_with(rsa_kek, rsa_json);

		fake_vault.v[0].attributes = states[i].attributes;
		fake_vault.v[0].disabled = states[i].disabled;
		if (wrap_now(p, KID, 0, &w, &e) != -states[i].no)
			fail_msg("row %zu: %s", i, e.text);
		if (states[i].no != 0)
			assert_string_equal(e.event, states[i].event);
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

static void
a_verdict_is_remembered_for_30_seconds_and_bad_luck_is_not(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct wrapped_key w;
	struct err e;

	(void)state;
	fake_vault.v[0].disabled = true;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), -ENOKEY);
	fake_vault.v[0].disabled = false;
	fake_ns += 30 * NS_PER_S - 1;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), -ENOKEY);
	assert_int_equal(fake_requests, 1);
	fake_ns += 1;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_int_equal(fake_requests, 2);
	provider_free(p);
	p = vault_with(rsa_kek, rsa_json);
	assert_int_equal(provider_wrap(p, KEY, 0, span_of(plain, n_plain),
				       (struct deadline){ fake_ns - 1 }, &w, &e),
			 -ETIMEDOUT);
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_int_equal(fake_requests, 1);
	provider_free(p);
}

static void
an_operation_that_the_key_lacks_is_refused(void **state)
{
	static const char *const lacking[] = { "[]", "[\"encrypt\",\"unwrapKey\"]", "[7,null]" };
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lacking); i++) {
		char shown[1000];
		struct provider *p;

		(void)snprintf(shown, sizeof(shown),
			       "\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"AQAB\",\"key_ops\":%s", rsa_n,
			       lacking[i]);
		p = vault_with(rsa_kek, shown);
		assert_int_equal(wrap_now(p, KID, 0, &w, &e), -EACCES);
		assert_string_equal(e.event, "auth.vault");
		assert_non_null(strstr(e.advice, "wrapKey"));
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

static void
an_algorithm_must_fit_the_key(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (int alg = WRAP_A128KW; alg <= WRAP_A256KW; alg++) {
		assert_int_equal(wrap_now(p, KID, (enum wrap_alg)alg, &w, &e), -EACCES);
		assert_string_equal(e.event, "policy.kek_alg");
	}
	assert_int_equal(fake_vault.wraps, 0);
	assert_int_equal(wrap_now(p, KID, WRAP_RSA_OAEP, &w, &e), 0);
	provider_free(p);
	p = provider_for("https://v.vault.azure.net");
	fake_requests = 0;
	assert_int_equal(wrap_now(p, "https://v.vault.azure.net/keys/k", WRAP_A256KW, &w, &e),
			 -EACCES);
	assert_string_equal(e.event, "policy.kek_alg");
	assert_int_equal(wrap_now(p, "https://w.vault.azure.net/keys/k", 0, &w, &e), -EACCES);
	assert_string_equal(e.event, "policy.kek");
	assert_int_equal(fake_requests, 0);
	provider_free(p);
}

/* ---- answers that are none ---- */

#define GOOD_STATE "\"attributes\":{\"enabled\":true}"
#define N2048                                                                              \
	"jHia6V9VcgMwGFDFo4_VR5I6c2mU47-RGmHb4i5EFYuul7qU0O2oL49tBVhO-Ko4kidmWB4nocCKamPs" \
	"JO3mpGtMskJKI9WWIhe-rdvElsuOgZc-C-zXsDiY0ZD569rMDLHinGWM2hSV5gr1k70Ezw_WMPHynQ2p" \
	"lT9I8aCfdrWhcLM4OSYwWfKMEF0fsXwjkMGSz9OslK8PId22bK1KJo0Rbs4XOPfZPZwXJBHiC49rDVSb" \
	"bwNnWhYAo1oJmVDYNvZ1zIHnTvXo4l2UDtkEdZUxmF1dncn4GBjoEYkvkCvSPwgkEosvMwxcf9Cmo6RQ" \
	"ZRMnDiaeDTfyp03kUua0OQ"
#define RSA(kid, n, e)                                                             \
	"{\"key\":{\"kid\":\"" kid "\",\"kty\":\"RSA\",\"n\":\"" n "\",\"e\":\"" e \
	"\"}," GOOD_STATE "}"

static const struct {
	const char *body;
	int no;
} answers[] = {
	{ RSA(KID, N2048, "AQAB"), 0 },
	{ RSA("https://KV.Test:8443/keys/K/" VERSION, N2048, "AQAB"), 0 },
	{ RSA(KID, N2048, "Aw"), 0 },
	{ RSA(KID, N2048, "AQ"), EBADMSG }, /* e = 1: the wrapped key would be the key */
	{ RSA(KID, N2048, "Ag"), EBADMSG },
	{ RSA(KID, N2048, ""), EBADMSG },
	{ RSA(KID, N2048, "AQ+B"), EBADMSG },
	{ RSA(KID, N2048 "AA", "AQAB"), EBADMSG }, /* even */
	{ RSA(KID, "AQAB", "AQAB"), EBADMSG },
	{ RSA(KID, "", "AQAB"), EBADMSG },
	{ RSA(KEY, N2048, "AQAB"), EBADMSG },
	{ RSA(KEY "/" OTHER, N2048, "AQAB"), EBADMSG },
	{ RSA(EMULATOR "/keys/other/" VERSION, N2048, "AQAB"), EBADMSG },
	{ RSA("https://kv.evil:8443/keys/k/" VERSION, N2048, "AQAB"), EBADMSG },
	{ RSA("https://kv.test/keys/k/" VERSION, N2048, "AQAB"), EBADMSG },
	{ RSA("http://kv.test:8443/keys/k/" VERSION, N2048, "AQAB"), EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"" N2048 "\"}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"e\":\"AQAB\"}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"n\":\"" N2048 "\",\"e\":\"AQAB\"}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":{\"kty\":\"RSA\",\"n\":\"" N2048 "\",\"e\":\"AQAB\"}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"" N2048 "\",\"n\":\"" N2048
	  "\",\"e\":\"AQAB\"}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"" N2048 "\",\"e\":\"AQAB\"}}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"" N2048
	  "\",\"e\":\"AQAB\"},\"attributes\":{\"enabled\":1}}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"key_ops\":\"wrapKey\",\"n\":\"" N2048
	  "\",\"e\":\"AQAB\"}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"EC\"}," GOOD_STATE "}", EACCES },
	{ "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"oct-HSM\",\"key_size\":100}," GOOD_STATE "}",
	  EBADMSG },
	{ "{\"key\":[]," GOOD_STATE "}", EBADMSG },
	{ "{}", EBADMSG },
	{ "[]", EBADMSG },
	{ "", EBADMSG },
	{ "<html>sign in</html>", EBADMSG },
	{ RSA(KID, N2048, "AQAB") " x", EBADMSG },
};

static void
an_answer_that_is_no_public_key_of_the_asked_one_is_not_believed(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct provider *p = vault_with(rsa_kek, NULL);
		struct wrapped_key w;
		struct err e;

		fake_vault.get = answers[i].body;
		if (wrap_now(p, KID, 0, &w, &e) != -answers[i].no)
			fail_msg("%s: %s", answers[i].body, e.text);
		if (answers[i].no != 0)
			assert_string_equal(e.event, answers[i].no == EBADMSG ? "integrity.cek"
									      : "policy.kek_alg");
		assert_int_equal(fake_requests, 1);
		provider_free(p);
	}
}

static void
a_modulus_of_a_hundred_kilobytes_is_cut_off(void **state)
{
	enum { N = 100 << 10 };
	struct provider *p = vault_with(rsa_kek, NULL);
	char *body = malloc(N + 1000);
	struct wrapped_key w;
	struct err e;
	int at;

	(void)state;
	assert_non_null(body);
	at = snprintf(body, 1000, "{\"key\":{\"kid\":\"" KID "\",\"kty\":\"RSA\",\"n\":\"");
	memset(body + at, 'A', N);
	(void)snprintf(body + at + N, 900 - (size_t)at, "\",\"e\":\"AQAB\"}," GOOD_STATE "}");
	fake_vault.get = body;
	assert_int_equal(wrap_now(p, KID, 0, &w, &e), -EIO);
	assert_string_equal(e.event, "net.protocol");
	provider_free(p);
	free(body);
}

/* ---- by the vault ---- */

static void
without_the_right_to_read_the_vault_wraps(void **state)
{
	static const char *const kids[] = { KEY, KID };
	static const enum wrap_alg algs[] = { 0, WRAP_RSA_OAEP_256 };
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(kids); i++)
		for (size_t a = 0; a < ARRAY_LEN(algs); a++) {
			struct provider *p = vault_with(rsa_kek, rsa_json);

			fake_vault.no_get = true;
			assert_int_equal(wrap_now(p, kids[i], algs[a], &w, &e), 0);
			assert_string_equal(w.kid, KID);
			assert_int_equal(w.alg, algs[a] != 0 ? algs[a] : WRAP_RSA_OAEP);
			expect_opened(rsa_kek, &w);
			fake_vault_add(rsa_kek, false); /* rotated: not for this process */
			assert_int_equal(wrap_now(p, kids[i], algs[a], &w, &e), 0);
			assert_string_equal(w.kid, KID);
			assert_string_equal(fake_vault.url, KID "/wrapkey?api-version=7.4");
			assert_int_equal(fake_vault.gets, 1);
			assert_int_equal(fake_vault.wraps, 2);
			provider_free(p);
		}
}

static void
a_symmetric_key_is_asked_to_wrap_with_the_algorithm_of_its_size(void **state)
{
	static const struct {
		const char *k, *shown;
		enum wrap_alg alg;
		unsigned first, later; /* calls of wrapkey */
	} cases[] = {
		{ "AAAAAAAAAAAAAAAAAAAAAA", "\"kty\":\"oct-HSM\"", WRAP_A128KW, 3, 1 },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\"kty\":\"oct-HSM\"", WRAP_A192KW, 2, 1 },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\"kty\":\"oct\"" OPS, WRAP_A256KW,
		  1, 1 },
		{ "AAAAAAAAAAAAAAAAAAAAAA", "\"kty\":\"oct-HSM\",\"key_size\":128", WRAP_A128KW, 1,
		  1 },
		{ "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\"kty\":\"oct-HSM\",\"key_size\":192",
		  WRAP_A192KW, 1, 1 },
	};
	struct wrapped_key w;
	struct err e;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct kek *kek = new_kek(cases[i].k);
		struct provider *p = vault_with(kek, cases[i].shown);

		assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
		assert_int_equal(fake_vault.wraps, cases[i].first);
		assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
		assert_int_equal(fake_vault.wraps, cases[i].first + cases[i].later);
		assert_int_equal(w.alg, cases[i].alg);
		assert_string_equal(w.kid, KID);
		expect_opened(kek, &w);
		assert_int_equal(wrap_now(p, KEY, WRAP_RSA_OAEP, &w, &e), -EACCES);
		assert_string_equal(e.event, "policy.kek_alg");
		assert_int_equal(fake_vault.gets, 1);
		assert_int_equal(fake_vault.wraps, cases[i].first + cases[i].later);
		provider_free(p);
		kek_free(kek);
	}
}

static void
what_the_vault_wraps_has_the_known_answer(void **state)
{
	/* "2.0" and the content key 00..1f under 20..3f, as in the description of the format. */
	static const uint8_t known[] = {
		0x02, 0xa3, 0x44, 0x2d, 0x98, 0x72, 0xdb, 0x92, 0xc9, 0x9a, 0x88, 0xe5,
		0xce, 0x5c, 0x7a, 0xf5, 0xdd, 0x17, 0xa3, 0x86, 0x33, 0x77, 0x3f, 0x2d,
		0xff, 0x67, 0xad, 0x65, 0xf0, 0xf3, 0xe0, 0x7c, 0xc3, 0xd7, 0xac, 0x3d,
		0xde, 0x6a, 0xed, 0x20, 0x95, 0x56, 0x99, 0x3e, 0x18, 0xfb, 0x06, 0xfb,
	};
	uint8_t bytes[40] = "2.0";
	struct kek *kek = new_kek("ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8");
	struct provider *p = vault_with(kek, NULL);
	struct err e = { 0 };
	struct wrapped_key w;

	(void)state;
	for (unsigned i = 0; i < 32; i++)
		bytes[8 + i] = (uint8_t)i;
	assert_int_equal(provider_wrap(p, KID, WRAP_A256KW, span_of(bytes, sizeof(bytes)),
				       deadline_in(NS_PER_S), &w, &e),
			 0);
	assert_string_equal(
		fake_vault.body,
		"{\"alg\":\"A256KW\",\"value\":\"Mi4wAAAAAAAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB"
		"0eHw\"}");
	assert_int_equal(w.n, sizeof(known));
	assert_memory_equal(w.bytes, known, sizeof(known));
	provider_free(p);
	kek_free(kek);
}

static void
an_algorithm_that_the_vault_rejects_does_not_fit(void **state)
{
	struct provider *p = vault_with(kek_a, NULL);
	struct wrapped_key w;
	struct err e;

	(void)state;
	fake_vault.no_get = true;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), -EACCES); /* RSA-OAEP, of an AES key */
	assert_string_equal(e.event, "policy.kek_alg");
	assert_non_null(strstr(e.advice, "wrap_alg="));
	assert_int_equal(wrap_now(p, KEY, WRAP_A256KW, &w, &e), 0);
	expect_opened(kek_a, &w);
	provider_free(p);
}

/* ---- refusals ---- */

static struct {
	int get_status, post_status;
	const char *get, *post;
} script;

static void
serve_script(const struct http_request *req, struct fake_answer *out)
{
	const char *body = req->body.n > 0 ? script.post : script.get;
	struct err e = { 0 };

	out->status = req->body.n > 0 ? script.post_status : script.get_status;
	if (body != NULL && buf_add_str(&out->body, body, &e) != 0)
		abort();
}

#define ERROR(code, inner)                                                                      \
	"{\"error\":{\"code\":\"" code "\",\"message\":\"x\",\"innererror\":{\"code\":\"" inner \
	"\"}}}"
#define NO_GET 403, ERROR("Forbidden", "ForbiddenByRbac")

static const struct {
	int get_status;
	const char *get;
	int post_status;
	const char *post;
	int no;
	const char *event, *text, *advice;
	unsigned requests;
} refusals[] = {
	{ 400, ERROR("BadParameter", ""), 0, NULL, EIO, NULL, "BadParameter", NULL, 1 },
	{ 401, ERROR("Unauthorized", ""), 0, NULL, EACCES, "auth.vault", "token", "TENANT", 1 },
	{ 403, ERROR("Forbidden", "ForbiddenByFirewall"), 0, NULL, EACCES, "auth.vault", "firewall",
	  "firewall", 1 },
	{ 403, ERROR("Forbidden", "KeyDisabled"), 0, NULL, ENOKEY, "key.disabled", "disabled",
	  "enable", 1 },
	{ 404, ERROR("KeyNotFound", ""), 0, NULL, ENOKEY, "key.missing", "KeyNotFound", "recovered",
	  1 },
	{ 409, ERROR("Conflict", ""), 0, NULL, EIO, NULL, "recovered", NULL, 1 },
	{ 501, "", 0, NULL, EIO, NULL, "501", NULL, 1 },
	{ NO_GET, 403, ERROR("Forbidden", "ForbiddenByRbac"), EACCES, "auth.vault", "may not wrap",
	  "wrapKey", 2 },
	{ NO_GET, 403, ERROR("Forbidden", "AccessDenied"), EACCES, "auth.vault", "may not wrap",
	  "Key Vault Crypto User", 2 },
	{ NO_GET, 403, ERROR("Forbidden", "KeyOperationForbidden"), EACCES, "auth.vault",
	  "to be wrapped with", "wrapKey", 2 },
	{ NO_GET, 403, ERROR("Forbidden", "KeyDisabled"), ENOKEY, "key.disabled", "disabled",
	  "enable", 2 },
	{ NO_GET, 403, ERROR("Forbidden", "KeyExpired"), ENOKEY, "key.expired", "has expired",
	  "new version", 2 },
	{ NO_GET, 403, ERROR("Forbidden", "KeyNotYetValid"), ENOKEY, "key.expired", "not valid yet",
	  "dates", 2 },
	{ NO_GET, 404, ERROR("KeyNotFound", ""), ENOKEY, "key.missing", "KeyNotFound", "recovered",
	  2 },
	{ NO_GET, 400, ERROR("Other", ""), EIO, NULL, "Other", NULL, 2 },
	{ NO_GET, 200, "{\"kid\":\"" KEY "/" OTHER "\",\"value\":\"AAAA\"}", EBADMSG,
	  "integrity.cek", "another key", NULL, 2 },
	{ NO_GET, 200, "{\"kid\":\"" EMULATOR "/keys/other/" VERSION "\",\"value\":\"AAAA\"}",
	  EBADMSG, "integrity.cek", "another key", NULL, 2 },
	{ NO_GET, 200, "{\"kid\":\"" KID "\",\"value\":\"\"}", EBADMSG, "integrity.cek",
	  "no wrapped key", NULL, 2 },
	{ NO_GET, 200, "{\"kid\":\"" KID "\"}", EBADMSG, "integrity.cek", "sound length", NULL, 2 },
};

static void
every_refusal_has_its_own_errno_and_sentence(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct provider *p = vault_with(rsa_kek, rsa_json);
		struct wrapped_key w;
		struct err e;

		script.get_status = refusals[i].get_status;
		script.get = refusals[i].get;
		script.post_status = refusals[i].post_status;
		script.post = refusals[i].post;
		fake_serve = serve_script;
		if (wrap_now(p, KID, 0, &w, &e) != -refusals[i].no)
			fail_msg("row %zu: %s: %s", i, err_name(e.no), e.text);
		if (refusals[i].event != NULL)
			assert_string_equal(e.event, refusals[i].event);
		if (strstr(e.text, refusals[i].text) == NULL)
			fail_msg("row %zu: %s", i, e.text);
		if (refusals[i].advice != NULL)
			assert_non_null(strstr(e.advice, refusals[i].advice));
		assert_int_equal(fake_requests, refusals[i].requests);
		provider_free(p);
	}
}

static void
a_vault_that_refuses_to_wrap_is_asked_again_after_30_seconds(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct wrapped_key w;
	struct err e;

	(void)state;
	fake_vault.no_get = true;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	fake_vault.v[0].disabled = true;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), -ENOKEY);
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), -ENOKEY);
	assert_int_equal(fake_vault.wraps, 2);
	fake_vault_add(rsa_kek, false);
	fake_ns += 30 * NS_PER_S;
	assert_int_equal(wrap_now(p, KEY, 0, &w, &e), 0);
	assert_string_equal(w.kid, KEY "/" OTHER);
	provider_free(p);
}

static void
throttling_holds_for_unwraps_too(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct wrapped_key w;
	struct err e = { 0 };

	(void)state;
	script.get_status = 429;
	script.get = "";
	fake_serve = serve_script;
	assert_int_equal(provider_wrap(p, KID, 0, span_of(plain, n_plain),
				       deadline_in(NS_PER_S / 2), &w, &e),
			 -ETIMEDOUT);
	assert_string_equal(e.event, "net.deadline");
	assert_int_equal(fake_requests, 1);
	assert_int_equal(unwrap_within(p, KID, wrapped_a, deadline_in(NS_PER_S / 2), &e),
			 -ETIMEDOUT);
	assert_int_equal(fake_requests, 1);
	provider_free(p);
}

/* ---- many at once ---- */

enum { THREADS = 32 };

static atomic_uint held; /* 1: answers wait */

static void
serve_when_released(const struct http_request *req, struct fake_answer *out)
{
	while (held != 0)
		usleep(1000);
	fake_vault_serve(req, out);
}

struct wrapper {
	pthread_t thread;
	struct provider *p;
	const char *kid;
	struct wrapped_key w;
	int result;
};

static void *
wrapper_main(void *arg)
{
	struct wrapper *a = arg;
	struct err e = { 0 };

	a->result = provider_wrap(a->p, a->kid, 0, span_of(plain, n_plain),
				  deadline_in(30 * NS_PER_S), &a->w, &e);
	return NULL;
}

static void
many_threads_read_a_key_once(void **state)
{
	struct wrapper *all = calloc(THREADS, sizeof(*all));
	struct provider *p = vault_with(rsa_kek, rsa_json);

	(void)state;
	assert_non_null(all);
	held = 1;
	fake_serve = serve_when_released;
	for (int i = 0; i < THREADS; i++) {
		all[i].p = p;
		all[i].kid = KEY;
		assert_int_equal(pthread_create(&all[i].thread, NULL, wrapper_main, &all[i]), 0);
	}
	usleep(50000);
	held = 0;
	for (int i = 0; i < THREADS; i++) {
		pthread_join(all[i].thread, NULL);
		assert_int_equal(all[i].result, 0);
		assert_string_equal(all[i].w.kid, KID);
		expect_opened(rsa_kek, &all[i].w);
	}
	assert_int_equal(fake_vault.gets, 1);
	assert_int_equal(fake_requests, 1);
	provider_free(p);
	free(all);
}

static void *
churn(void *arg)
{
	struct provider *p = arg;

	for (unsigned i = 0; i < 100; i++) {
		struct wrapped_key w;
		struct err e = { 0 };
		char kid[200];

		(void)snprintf(kid, sizeof(kid), EMULATOR "/keys/k%u", i);
		if (provider_wrap(p, kid, 0, span_of(plain, n_plain), deadline_in(NS_PER_S), &w,
				  &e) != -ENOKEY)
			abort();
		err_clear(&e);
		if (provider_wrap(p, KEY, 0, span_of(plain, n_plain), deadline_in(10 * NS_PER_S),
				  &w, &e) != 0)
			abort();
	}
	return NULL;
}

static void
more_keys_than_are_remembered_do_no_harm(void **state)
{
	struct provider *p = vault_with(rsa_kek, rsa_json);
	pthread_t threads[6];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, churn, p), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	provider_free(p);
}

/* ---- through the keyring ---- */

static void
what_the_keyring_wraps_reads_back_without_an_unwrap(void **state)
{
	static const struct keyring_config cfg = { .ttl_ns = 3600 * NS_PER_S };
	struct provider *p = vault_with(rsa_kek, rsa_json);
	struct keyring *k = NULL;
	struct key_ref *ref = NULL;
	struct err e = { 0 };
	AUTO_ENVELOPE out = { 0 };
	AUTO_CEK cek = { { 7 } };

	(void)state;
	assert_int_equal(keyring_new_take(&cfg, &p, 1, &k, &e), 0);
	assert_int_equal(
		keyring_wrap(k, KEY, 0, PROTOCOL_V2_0, &cek, deadline_in(NS_PER_S), &out, NULL, &e),
		0);
	assert_string_equal(out.kid, KID);
	assert_int_equal(out.alg, WRAP_RSA_OAEP);
	assert_int_equal(keyring_cek(k, &out, deadline_in(NS_PER_S), &ref, &e), 0);
	assert_int_equal(key_ref_cek(ref)->k[0], 7);
	assert_int_equal(fake_vault.unwraps, 0);
	assert_int_equal(fake_requests, 1);
	key_ref_put(ref);
	keyring_free(k);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_rsa_key_is_read_once_and_wraps_here),
		cmocka_unit_test(the_request_is_what_the_service_documents),
		cmocka_unit_test(a_versionless_id_stays_with_its_version),
		cmocka_unit_test_setup_teardown(
			once_its_version_expires_a_versionless_id_is_looked_up_anew,
			start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(a_key_wraps_only_while_the_service_would_let_it,
						start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(
			a_verdict_is_remembered_for_30_seconds_and_bad_luck_is_not,
			start_fake_clock, stop_fake_clock),
		cmocka_unit_test(an_operation_that_the_key_lacks_is_refused),
		cmocka_unit_test(an_algorithm_must_fit_the_key),
		cmocka_unit_test(an_answer_that_is_no_public_key_of_the_asked_one_is_not_believed),
		cmocka_unit_test(a_modulus_of_a_hundred_kilobytes_is_cut_off),
		cmocka_unit_test(without_the_right_to_read_the_vault_wraps),
		cmocka_unit_test(a_symmetric_key_is_asked_to_wrap_with_the_algorithm_of_its_size),
		cmocka_unit_test(what_the_vault_wraps_has_the_known_answer),
		cmocka_unit_test(an_algorithm_that_the_vault_rejects_does_not_fit),
		cmocka_unit_test(every_refusal_has_its_own_errno_and_sentence),
		cmocka_unit_test_setup_teardown(
			a_vault_that_refuses_to_wrap_is_asked_again_after_30_seconds,
			start_fake_clock, stop_fake_clock),
		cmocka_unit_test_setup_teardown(throttling_holds_for_unwraps_too, start_fake_clock,
						stop_fake_clock),
		cmocka_unit_test(many_threads_read_a_key_once),
		cmocka_unit_test(more_keys_than_are_remembered_do_no_harm),
		cmocka_unit_test(what_the_keyring_wraps_reads_back_without_an_unwrap),
	};

	return cmocka_run_group_tests(tests, make_rsa, free_rsa);
}
