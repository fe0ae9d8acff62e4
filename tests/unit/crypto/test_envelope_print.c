/* SPDX-License-Identifier: MIT */
/* crypto/envelope, written: the text itself, and that reading it gives the same again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/base64.h"
#include "crypto/envelope.h"

enum { METADATA_MAX = 8192 };

static const char w48[] = "AqNELZhy25LJmojlzlx69d0Xo4Yzdz8t/2etZfDz4HzD16w93mrtIJVWmT4Y+wb7";

static struct envelope
envelope_with(const char *kid)
{
	struct envelope env = { .protocol = PROTOCOL_V2_0,
				.alg = WRAP_A256KW,
				.kid = strdup(kid),
				.wrapped = malloc(48),
				.n_wrapped = 48,
				.region_len = 4 << 20 };
	size_t n = 0;

	assert_true(base64_decode(BASE64_STANDARD, span_str(w48), (struct room){ env.wrapped, 48 },
				  &n));
	return env;
}

static void
expect_text(const char *kid, const char *kid_text)
{
	struct envelope env = envelope_with(kid);
	struct envelope back = { 0 };
	struct err e = { 0 };
	AUTO_BUF text, want;

	buf_init(&text, METADATA_MAX);
	buf_init(&want, METADATA_MAX);
	assert_int_equal(
		buf_addf(&want, &e,
			 "{\"WrappedContentKey\":{\"KeyId\":%s,\"EncryptedKey\":\"%s\","
			 "\"Algorithm\":\"A256KW\"},\"EncryptionAgent\":{\"Protocol\":\"2.0\","
			 "\"EncryptionAlgorithm\":\"AES_GCM_256\"},\"EncryptedRegionInfo\":{"
			 "\"DataLength\":4194304,\"NonceLength\":12},\"KeyWrappingMetadata\":{"
			 "\"EncryptionLibrary\":\"azcryptfs 1\"},\"EncryptionMode\":\"FullBlob\"}",
			 kid_text, w48),
		0);
	assert_int_equal(envelope_print(&env, "azcryptfs 1", &text, &e), 0);
	assert_string_equal(buf_str(&text), buf_str(&want));
	assert_int_equal(envelope_parse(buf_span(&text), &back, &e), 0);
	assert_true(envelope_same(&env, &back));
	envelope_clear(&env);
	envelope_clear(&back);
}

static void
the_text(void **state)
{
	(void)state;
	expect_text("local:kek1", "\"local:kek1\"");
	expect_text("https://v.vault.azure.net/keys/k/0123",
		    "\"https://v.vault.azure.net/keys/k/0123\"");
	expect_text("a\"b\\c\n\x01", "\"a\\\"b\\\\c\\n\\u0001\"");
	expect_text("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f",
		    "\"\\u00e9\\u20ac\\ud83d\\ude00\\u007f\"");
}

static uint64_t
draw(uint64_t *x, uint64_t below)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return (*x >> 11) % below;
}

/* A key id of up to max bytes, of characters of all lengths. */
static char *
draw_kid(uint64_t *x, size_t max)
{
	static const char *const characters[] = { "a",
						  "/",
						  "\"",
						  "\\",
						  "\x1f",
						  "\x7f",
						  "\xc2\x80",
						  "\xdf\xbf",
						  "\xe0\xa0\x80",
						  "\xef\xbf\xbf",
						  "\xf0\x90\x80\x80",
						  "\xf4\x8f\xbf\xbf" };
	char *kid = calloc(1, max + 1);
	size_t n = 0;

	assert_non_null(kid);
	for (;;) {
		const char *c = characters[draw(x, ARRAY_LEN(characters))];

		if (n + strlen(c) > max)
			break;
		memcpy(kid + n, c, strlen(c));
		n += strlen(c);
	}
	if (n == 0)
		kid[0] = 'k';
	return kid;
}

static void
what_is_printed_reads_the_same(void **state)
{
	uint64_t x = 88172645463325252U;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		const bool rsa = draw(&x, 2) == 0;
		struct envelope env = { .protocol = draw(&x, 2) == 0 ? PROTOCOL_V2_0
								     : PROTOCOL_V2_1,
					.alg = rsa ? (enum wrap_alg)(WRAP_RSA_OAEP + draw(&x, 2))
						   : (enum wrap_alg)(WRAP_A128KW + draw(&x, 3)),
					.kid = draw_kid(&x, 1 + draw(&x, ENVELOPE_KID_MAX)),
					.n_wrapped = rsa ? 1 + draw(&x, ENVELOPE_WRAPPED_MAX) : 48,
					.region_len = 1 + draw(&x, UINT64_C(1) << 30) };
		struct envelope back = { 0 };
		struct err e = { 0 };
		AUTO_BUF text;

		buf_init(&text, METADATA_MAX);
		env.wrapped = malloc(env.n_wrapped);
		assert_non_null(env.wrapped);
		for (size_t k = 0; k < env.n_wrapped; k++)
			env.wrapped[k] = (uint8_t)draw(&x, 256);
		assert_int_equal(envelope_print(&env, "azcryptfs 0.6", &text, &e), 0);
		for (size_t k = 0; k < text.n; k++)
			assert_true(text.p[k] >= ' ' && text.p[k] < 0x7f);
		assert_int_equal(envelope_parse(buf_span(&text), &back, &e), 0);
		assert_true(envelope_same(&env, &back));
		envelope_clear(&env);
		envelope_clear(&back);
	}
}

/* The longest key id there is, all of it escaped, with the longest key. */
static void
the_longest_fits_into_metadata(void **state)
{
	struct envelope env = envelope_with("k");
	struct err e = { 0 };
	AUTO_BUF text;

	(void)state;
	buf_init(&text, METADATA_MAX - 1);
	free(env.kid);
	free(env.wrapped);
	env.kid = calloc(1, ENVELOPE_KID_MAX + 1);
	env.wrapped = calloc(1, ENVELOPE_WRAPPED_MAX);
	env.n_wrapped = ENVELOPE_WRAPPED_MAX;
	env.alg = WRAP_RSA_OAEP_256;
	assert_non_null(env.kid);
	memset(env.kid, 1, ENVELOPE_KID_MAX);
	assert_int_equal(envelope_print(&env, "azcryptfs 0.6", &text, &e), 0);
	envelope_clear(&env);
}

static void
refuses_what_it_would_not_read(void **state)
{
	static char long_kid[ENVELOPE_KID_MAX + 2];

	(void)state;
	memset(long_kid, 'k', sizeof(long_kid) - 1);
	for (unsigned i = 0; i < 11; i++) {
		struct envelope env = envelope_with(i == 0   ? ""
						    : i == 1 ? long_kid
						    : i == 2 ? "\xff"
						    : i == 3 ? "\xed\xa0\x80"
							     : "k");
		struct err e = { 0 };
		AUTO_BUF text;

		buf_init(&text, METADATA_MAX);
		assert_int_equal(buf_add_str(&text, "x", &e), 0);
		if (i == 4)
			env.protocol = PROTOCOL_V1;
		else if (i == 5)
			env.n_wrapped = 0;
		else if (i == 6)
			env.n_wrapped = ENVELOPE_WRAPPED_MAX + 1;
		else if (i == 7)
			env.n_wrapped = 40; /* of V1 */
		else if (i == 8)
			env.region_len = 0;
		else if (i == 9)
			env.region_len = (UINT64_C(1) << 30) + 1;
		else if (i == 10)
			env.alg = (enum wrap_alg)0;
		assert_int_equal(envelope_print(&env, "l", &text, &e), -EINVAL);
		assert_string_equal(buf_str(&text), "x");
		envelope_clear(&env);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_text),
		cmocka_unit_test(what_is_printed_reads_the_same),
		cmocka_unit_test(the_longest_fits_into_metadata),
		cmocka_unit_test(refuses_what_it_would_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
