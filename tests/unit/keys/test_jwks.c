/* SPDX-License-Identifier: MIT */
/* Local keys: backend/keys/jwks.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "backend/keys/keyring.h"
#include "backend/keys/provider.h"
#include "crypto/kek.h"

#define OCT(kid)          \
	"{\"kid\":\"" kid \
	"\",\"kty\":\"oct\",\"k\":\"ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8\"}"

/* "2.0" and the content key 00..1f, wrapped with AES key wrap under 20..3f: from the format's
 * description. */
static const uint8_t wrapped[] = {
	0x02, 0xa3, 0x44, 0x2d, 0x98, 0x72, 0xdb, 0x92, 0xc9, 0x9a, 0x88, 0xe5,
	0xce, 0x5c, 0x7a, 0xf5, 0xdd, 0x17, 0xa3, 0x86, 0x33, 0x77, 0x3f, 0x2d,
	0xff, 0x67, 0xad, 0x65, 0xf0, 0xf3, 0xe0, 0x7c, 0xc3, 0xd7, 0xac, 0x3d,
	0xde, 0x6a, 0xed, 0x20, 0x95, 0x56, 0x99, 0x3e, 0x18, 0xfb, 0x06, 0xfb,
};

static char dir[] = "/tmp/azcryptfs-test-jwks-XXXXXX";

static const char *
path_of(const char *name)
{
	static char path[2][200];
	static unsigned turn;

	turn = (turn + 1) % 2;
	(void)snprintf(path[turn], sizeof(path[turn]), "%s/%s", dir, name);
	return path[turn];
}

static void
write_file(const char *name, const char *text)
{
	FILE *f;

	(void)unlink(path_of(name));
	f = fopen(path_of(name), "w");
	assert_non_null(f);
	assert_int_equal(fputs(text, f) < 0, 0);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path_of(name), 0600), 0);
}

static EVP_PKEY *rsa;

static void
write_rsa_pem(const char *name)
{
	FILE *f = fopen(path_of(name), "w");

	assert_non_null(f);
	assert_int_equal(PEM_write_PrivateKey(f, rsa, NULL, NULL, 0, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(path_of(name), 0600), 0);
}

static int
make_dir(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(dir));
	rsa = EVP_RSA_gen(2048);
	assert_non_null(rsa);
	write_rsa_pem("key.pem");
	return 0;
}

static int
remove_dir(void **state)
{
	(void)state;
	(void)unlink(path_of("set.json"));
	(void)unlink(path_of("key.pem"));
	(void)unlink(path_of("link.pem"));
	EVP_PKEY_free(rsa);
	return rmdir(dir);
}

static int
open_set(const char *text, struct provider **out, struct err *e)
{
	write_file("set.json", text);
	*out = NULL;
	*e = (struct err){ 0 };
	return jwks_provider_new(path_of("set.json"), out, e);
}

static int
unwrap_with(struct provider *p, const char *kid, enum wrap_alg alg, struct span w, struct err *e)
{
	uint8_t out[CEK_UNWRAPPED_MAX];
	struct cek cek;
	size_t n = 0;
	int r;

	*e = (struct err){ 0 };
	r = provider_unwrap(p, kid, alg, w, deadline_in(NS_PER_S),
			    (struct room){ out, sizeof(out) }, &n, e);
	if (r != 0)
		return r;
	assert_int_equal(cek_from_unwrapped(PROTOCOL_V2_0, span_of(out, n), &cek, e), 0);
	for (unsigned i = 0; i < CEK_LEN; i++)
		assert_int_equal(cek.k[i], i);
	return 0;
}

static void
every_key_of_the_set_is_found_by_its_exact_id(void **state)
{
	static const char *const absent[] = { "",	  "local",    "local:B", "LOCAL:b",
					      "local:b ", "local:bb", "local:d" };
	static const char *const present[] = { "local:a", "local:b", "local:c",
					       "https://v.vault.azure.net/keys/k" };
	struct provider *p = NULL;
	struct err e;

	(void)state;
	assert_int_equal(
		open_set("{\"keys\":[" OCT("local:c") "," OCT("local:a") "," OCT("local:b") "," OCT(
				 "https://v.vault.azure.net/keys/k") "],\"other\":1}",
			 &p, &e),
		0);
	for (size_t i = 0; i < ARRAY_LEN(absent); i++)
		assert_false(provider_claims(p, absent[i]));
	for (size_t i = 0; i < ARRAY_LEN(present); i++) {
		assert_true(provider_claims(p, present[i]));
		assert_int_equal(unwrap_with(p, present[i], WRAP_A256KW,
					     span_of(wrapped, sizeof(wrapped)), &e),
				 0);
	}
	provider_free(p);
}

static void
an_algorithm_that_does_not_fit_the_key_is_refused(void **state)
{
	static const enum wrap_alg algs[] = { WRAP_RSA_OAEP, WRAP_RSA_OAEP_256, WRAP_A128KW,
					      WRAP_A192KW };
	struct provider *p = NULL;
	struct err e;

	(void)state;
	assert_int_equal(open_set("{\"keys\":[" OCT("k") "]}", &p, &e), 0);
	for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
		assert_int_equal(
			unwrap_with(p, "k", algs[i], span_of(wrapped, sizeof(wrapped)), &e),
			-EACCES);
		assert_string_equal(e.event, "policy.kek_alg");
		assert_string_equal(e.key, "k");
	}
	provider_free(p);
}

static void
a_pem_file_is_found_beside_the_set(void **state)
{
	struct kek *kek = NULL;
	struct provider *p = NULL;
	struct cek cek;
	uint8_t plain[CEK_UNWRAPPED_MAX];
	char absolute[400];
	AUTO_BUF w;
	size_t n;
	struct err e;

	(void)state;
	for (uint8_t i = 0; i < CEK_LEN; i++)
		cek.k[i] = i;
	cek_to_unwrapped(PROTOCOL_V2_0, &cek, plain, &n);
	buf_init(&w, 1024);
	(void)snprintf(absolute, sizeof(absolute),
		       "{\"keys\":[{\"kid\":\"a\",\"pem\":\"%s/"
		       "key.pem\"},{\"kid\":\"r\",\"pem\":\"key.pem\"}]}",
		       dir);
	assert_int_equal(open_set(absolute, &p, &e), 0);
	{
		AUTO_BUF pem;
		BIO *bio = BIO_new(BIO_s_mem());
		char *text;
		long len;

		buf_init(&pem, 8192);
		assert_int_equal(PEM_write_bio_PrivateKey(bio, rsa, NULL, NULL, 0, NULL, NULL), 1);
		len = BIO_get_mem_data(bio, &text);
		assert_int_equal(kek_from_pem(span_of(text, (size_t)len), &kek, &e), 0);
		BIO_free(bio);
	}
	assert_int_equal(kek_wrap(kek, WRAP_RSA_OAEP_256, span_of(plain, n), &w, &e), 0);
	assert_int_equal(unwrap_with(p, "a", WRAP_RSA_OAEP_256, buf_span(&w), &e), 0);
	assert_int_equal(unwrap_with(p, "r", WRAP_RSA_OAEP_256, buf_span(&w), &e), 0);
	assert_int_equal(unwrap_with(p, "r", WRAP_RSA_OAEP, buf_span(&w), &e), -EBADMSG);
	kek_free(kek);
	provider_free(p);
}

static const struct {
	const char *text, *says;
	int no;
} bad[] = {
	{ "", "JWK Set", EINVAL },
	{ "[]", "JWK Set", EINVAL },
	{ "{}", "JWK Set", EINVAL },
	{ "{\"keys\":{}}", "JWK Set", EINVAL },
	{ "{\"keys\":[]", "JWK Set", EINVAL },
	{ "{\"keys\":[],\"keys\":[]}", "JWK Set", EINVAL },
	{ "{\"keys\":[]} x", "JWK Set", EINVAL },
	{ "{\"keys\":[7]}", "key 1", EINVAL },
	{ "{\"keys\":[" OCT("a") ",{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "key 2", EINVAL },
	{ "{\"keys\":[" OCT("") "]}", "kid", EINVAL },
	{ "{\"keys\":[{\"kid\":7,\"kty\":\"oct\"}]}", "kid", EINVAL },
	{ "{\"keys\":[{\"kid\":\"named\",\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "named", EINVAL },
	{ "{\"keys\":[{\"kid\":\"named\",\"kty\":\"EC\"}]}", "named", EINVAL },
	{ "{\"keys\":[{\"kid\":\"named\"}]}", "named", EINVAL },
	{ "{\"keys\":[{\"kid\":\"named\",\"pem\":7}]}", "pem", EINVAL },
	{ "{\"keys\":[{\"kid\":\"named\",\"pem\":\"key.pem\",\"kty\":\"RSA\"}]}", "both", EINVAL },
	{ "{\"keys\":[{\"kid\":\"named\",\"pem\":\"absent.pem\"}]}", "absent.pem", ENOENT },
	{ "{\"keys\":[{\"kid\":\"named\",\"pem\":\"set.json\"}]}", "named", EINVAL },
	{ "{\"keys\":[" OCT("twice") "," OCT("other") "," OCT("twice") "]}", "twice", EINVAL },
};

static void
a_set_that_is_not_sound_is_refused_and_the_entry_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct provider *p;
		struct err e;

		if (open_set(bad[i].text, &p, &e) != -bad[i].no)
			fail_msg("%s: %s", bad[i].text, e.text);
		if (strstr(e.text, bad[i].says) == NULL)
			fail_msg("%s: %s", bad[i].text, e.text);
		assert_non_null(strstr(e.text, "set.json"));
		assert_null(p);
	}
}

static void
files_that_others_may_read_are_refused_by_name(void **state)
{
	struct provider *p = NULL;
	struct err e;

	(void)state;
	assert_int_equal(open_set("{\"keys\":[{\"kid\":\"r\",\"pem\":\"key.pem\"}]}", &p, &e), 0);
	provider_free(p);
	p = NULL;
	assert_int_equal(chmod(path_of("key.pem"), 0644), 0);
	assert_int_equal(jwks_provider_new(path_of("set.json"), &p, &e), -EACCES);
	assert_non_null(strstr(e.text, "key.pem"));
	assert_int_equal(chmod(path_of("key.pem"), 0600), 0);
	e = (struct err){ 0 };
	assert_int_equal(chmod(path_of("set.json"), 0620), 0);
	assert_int_equal(jwks_provider_new(path_of("set.json"), &p, &e), -EACCES);
	assert_non_null(strstr(e.text, "set.json"));
	assert_null(p);
}

static void
an_empty_set_claims_nothing(void **state)
{
	struct provider *p = NULL;
	struct err e;

	(void)state;
	assert_int_equal(open_set("{\"keys\":[]}", &p, &e), 0);
	assert_false(provider_claims(p, "k"));
	provider_free(p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_of_the_set_is_found_by_its_exact_id),
		cmocka_unit_test(an_algorithm_that_does_not_fit_the_key_is_refused),
		cmocka_unit_test(a_pem_file_is_found_beside_the_set),
		cmocka_unit_test(a_set_that_is_not_sound_is_refused_and_the_entry_named),
		cmocka_unit_test(files_that_others_may_read_are_refused_by_name),
		cmocka_unit_test(an_empty_set_claims_nothing),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
