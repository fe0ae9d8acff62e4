/* SPDX-License-Identifier: MIT */
/* The short way through envelopes that are alike gives what the long way gives, to the byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "crypto/template.h"

/* 48 bytes in base64: a wrapped key; the others differ from it in one place. */
#define KEY_A	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define KEY_B	  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABBBBAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define ESCAPED_A "\\u0041AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

#define RECORD(kid, key, protocol, region, more)                                     \
	"{\"WrappedContentKey\":{\"KeyId\":\"" kid "\",\"EncryptedKey\":\"" key      \
	"\",\"Algorithm\":\"A256KW\"},\"EncryptionAgent\":{\"Protocol\":\"" protocol \
	"\",\"EncryptionAlgorithm\":\"AES_GCM_256\"},\"EncryptedRegionInfo\":{"      \
	"\"DataLength\":" region ",\"NonceLength\":12}" more "}"

/* Read one after the other with one template. */
static const char *const texts[] = {
	RECORD("k", KEY_A, "2.0", "4096", ""),
	RECORD("k", KEY_B, "2.0", "4096", ""),
	RECORD("k", KEY_A, "2.0", "8192", ""),
	RECORD("l", KEY_B, "2.0", "8192", ""),
	RECORD("l", KEY_B, "2.1", "8192", ""),
	RECORD("k", "", "2.0", "4096", ""),
	RECORD("k", KEY_A "AAAA", "2.0", "4096", ""), /* no length that its algorithm gives */
	/* Not the key itself: its likeness in a member that means nothing. */
	RECORD("k", ESCAPED_A, "2.0", "4096", ",\"x\":\"" KEY_A "\""),
	RECORD("k", ESCAPED_A, "2.0", "4096", ",\"x\":\"" KEY_B "\""),
	RECORD("k", KEY_A, "2.0", "4096", ",\"x\":\"" KEY_A "\""),
	RECORD("k", KEY_A, "2.0", "4096", ",\"x\":\"" KEY_B "\""),
	RECORD("k", KEY_B, "2.0", "4096", ",\"x\":\"" KEY_B "\""),
	"{}",
	RECORD("k", KEY_B, "2.0", "4096", ""),
	RECORD("k", KEY_A, "2.0", "4096", ""),
};

static void
a_template_changes_nothing_but_the_time(void **state)
{
	struct envelope_template t = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct envelope want = { 0 }, got = { 0 };
		struct err want_e = { 0 }, got_e = { 0 };
		const int r = envelope_parse(span_str(texts[i]), &want, &want_e);

		assert_int_equal(envelope_template_parse(&t, span_str(texts[i]), &got, &got_e), r);
		assert_string_equal(got_e.text, want_e.text);
		if (r == 0 && !envelope_same(&want, &got))
			fail_msg("text %zu is read in another way", i);
		envelope_clear(&want);
		envelope_clear(&got);
	}
	envelope_template_clear(&t);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_changes_nothing_but_the_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
