/* SPDX-License-Identifier: MIT */
/* base/base64: known answers of RFC 4648 section 10, and what a strict reader refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"

static const struct {
	const char *plain, *standard, *url;
} pairs[] = {
	{ "", "", "" },
	{ "f", "Zg==", "Zg" },
	{ "fo", "Zm8=", "Zm8" },
	{ "foo", "Zm9v", "Zm9v" },
	{ "foob", "Zm9vYg==", "Zm9vYg" },
	{ "fooba", "Zm9vYmE=", "Zm9vYmE" },
	{ "foobar", "Zm9vYmFy", "Zm9vYmFy" },
	{ "\xfb\xff\xbf", "+/+/", "-_-_" },
};

static void
encodes_and_decodes_the_known_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
		for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
			const char *text = kind == BASE64_URL ? pairs[i].url : pairs[i].standard;
			const size_t n = strlen(pairs[i].plain);
			uint8_t bytes[16];
			size_t got = 99;
			struct err e = { 0 };
			AUTO_BUF b;

			buf_init(&b, 64);
			assert_int_equal(base64_encode((enum base64_kind)kind,
						       span_str(pairs[i].plain), &b, &e),
					 0);
			assert_string_equal(buf_str(&b), text);
			assert_true(base64_decode((enum base64_kind)kind, span_str(text),
						  (struct room){ bytes, sizeof(bytes) }, &got));
			assert_int_equal(got, n);
			assert_memory_equal(bytes, pairs[i].plain, n);
		}
	}
}

static const struct {
	const char *name;
	enum base64_kind kind;
	const char *text;
	bool good;
} texts[] = {
	{ "url with complete padding", BASE64_URL, "Zm8=", true },
	{ "url with complete padding of two", BASE64_URL, "Zg==", true },
	{ "url with half the padding", BASE64_URL, "Zg=", false },
	{ "url with padding too many", BASE64_URL, "Zm9v=", false },
	{ "standard without padding", BASE64_STANDARD, "Zm8", false },
	{ "standard with half the padding", BASE64_STANDARD, "Zg=", false },
	{ "one digit", BASE64_STANDARD, "Z", false },
	{ "one digit and padding", BASE64_STANDARD, "Z===", false },
	{ "five digits", BASE64_URL, "Zm9vY", false },
	{ "padding only", BASE64_STANDARD, "====", false },
	{ "padding only, url", BASE64_URL, "==", false },
	{ "padding in the middle", BASE64_STANDARD, "Zg==Zg==", false },
	{ "unused bits of one byte", BASE64_STANDARD, "Zh==", false },
	{ "unused bits of two bytes", BASE64_STANDARD, "Zm9=", false },
	{ "unused bits, url", BASE64_URL, "Zh", false },
	{ "line break", BASE64_STANDARD, "Zm9v\nZm9v", false },
	{ "blank at the end", BASE64_STANDARD, "Zm9v ", false },
	{ "blank before", BASE64_STANDARD, " Zm9v", false },
	{ "url digits in standard", BASE64_STANDARD, "-_-_", false },
	{ "standard digits in url", BASE64_URL, "+/+/", false },
	{ "byte beyond ASCII", BASE64_STANDARD, "Zm9\xc3", false },
};

static void
refuses_what_is_not_canonical(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		uint8_t bytes[16];
		size_t got = 99;
		const bool good = base64_decode(texts[i].kind, span_str(texts[i].text),
						(struct room){ bytes, sizeof(bytes) }, &got);

		if (good != texts[i].good)
			fail_msg("%s", texts[i].name);
		if (!good)
			assert_int_equal(got, 99);
	}
}

/* Every single byte as the last digit: exactly 64 of them are digits, in each alphabet. */
static void
knows_exactly_64_digits(void **state)
{
	(void)state;
	for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
		int digits = 0;

		for (int c = 0; c < 256; c++) {
			const uint8_t text[4] = { 'A', 'A', 'A', (uint8_t)c };
			uint8_t bytes[3];
			size_t n;

			if (c == '=')
				continue;
			if (base64_decode((enum base64_kind)kind, span_of(text, 4),
					  (struct room){ bytes, 3 }, &n)) {
				digits++;
				assert_int_equal(n, 3);
			}
		}
		assert_int_equal(digits, 64);
	}
}

static void
never_writes_beyond_the_room(void **state)
{
	uint8_t bytes[3] = { 1, 2, 3 };
	size_t n = 99;

	(void)state;
	assert_false(
		base64_decode(BASE64_STANDARD, span_str("Zm9v"), (struct room){ bytes, 2 }, &n));
	assert_int_equal(bytes[2], 3);
	assert_true(
		base64_decode(BASE64_STANDARD, span_str("Zm8="), (struct room){ bytes, 2 }, &n));
	assert_int_equal(n, 2);
	assert_int_equal(bytes[2], 3);
}

static void
round_trips_all_lengths(void **state)
{
	uint8_t in[100], back[100];

	(void)state;
	for (size_t i = 0; i < sizeof(in); i++)
		in[i] = (uint8_t)(i * 37 + 11);
	for (size_t n = 0; n <= sizeof(in); n++) {
		for (int kind = BASE64_STANDARD; kind <= BASE64_URL; kind++) {
			struct err e = { 0 };
			size_t got = 0;
			AUTO_BUF b;

			buf_init(&b, 200);
			assert_int_equal(
				base64_encode((enum base64_kind)kind, span_of(in, n), &b, &e), 0);
			assert_true(base64_decode((enum base64_kind)kind, buf_span(&b),
						  (struct room){ back, sizeof(back) }, &got));
			assert_int_equal(got, n);
			assert_memory_equal(back, in, n);
		}
	}
}

static void
keeps_to_the_ceiling_of_the_buffer(void **state)
{
	struct err e = { 0 };
	AUTO_BUF b;

	(void)state;
	buf_init(&b, 7);
	assert_int_equal(base64_encode(BASE64_STANDARD, span_str("foobar"), &b, &e), -27);
	assert_int_equal(b.n, 0);
	err_clear(&e);
	assert_int_equal(base64_encode(BASE64_URL, span_str("fooba"), &b, &e), 0);
	assert_string_equal(buf_str(&b), "Zm9vYmE");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodes_and_decodes_the_known_answers),
		cmocka_unit_test(refuses_what_is_not_canonical),
		cmocka_unit_test(knows_exactly_64_digits),
		cmocka_unit_test(never_writes_beyond_the_room),
		cmocka_unit_test(round_trips_all_lengths),
		cmocka_unit_test(keeps_to_the_ceiling_of_the_buffer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
