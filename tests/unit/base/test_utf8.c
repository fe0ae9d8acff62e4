/* SPDX-License-Identifier: MIT */
/* base/utf8: the edges of the definition, wherever they stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/utf8.h"

static const struct {
	const char *bytes;
	size_t n;
	size_t len; /* of the first character; 0 = none */
} edges[] = {
	{ "", 0, 0 },
	{ "\0", 1, 1 },
	{ "\x7f", 1, 1 },
	{ "\x80", 1, 0 },
	{ "\xbf", 1, 0 },
	{ "\xc0\x80", 2, 0 },
	{ "\xc1\xbf", 2, 0 },
	{ "\xc2\x80", 2, 2 },
	{ "\xc2\x7f", 2, 0 },
	{ "\xc2\xc0", 2, 0 },
	{ "\xc2", 1, 0 },
	{ "\xdf\xbf", 2, 2 },
	{ "\xe0\x9f\xbf", 3, 0 },
	{ "\xe0\xa0\x80", 3, 3 },
	{ "\xe0\xa0", 2, 0 },
	{ "\xe0\xa0\x7f", 3, 0 },
	{ "\xed\x9f\xbf", 3, 3 },
	{ "\xed\xa0\x80", 3, 0 }, /* the first surrogate */
	{ "\xed\xbf\xbf", 3, 0 }, /* and the last */
	{ "\xee\x80\x80", 3, 3 },
	{ "\xef\xbf\xbf", 3, 3 },
	{ "\xf0\x8f\xbf\xbf", 4, 0 },
	{ "\xf0\x90\x80\x80", 4, 4 },
	{ "\xf0\x90\x80", 3, 0 },
	{ "\xf0\x90\x80\xc0", 4, 0 },
	{ "\xf4\x8f\xbf\xbf", 4, 4 },
	{ "\xf4\x90\x80\x80", 4, 0 },
	{ "\xf5\x80\x80\x80", 4, 0 },
	{ "\xff", 1, 0 },
};

static void
characters_have_their_length(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		assert_int_equal(utf8_char_len(span_of(edges[i].bytes, edges[i].n)), edges[i].len);
}

/* At every offset from a word's beginning, between ASCII before and behind. */
static void
one_bad_character_spoils_the_text(void **state)
{
	(void)state;
	for (size_t i = 1; i < ARRAY_LEN(edges); i++)
		for (size_t at = 0; at < 20; at++) {
			uint8_t text[40];

			memset(text, 'a', sizeof(text));
			memcpy(text + at, edges[i].bytes, edges[i].n);
			assert_int_equal(utf8_is_valid(span_of(text, sizeof(text))),
					 edges[i].len > 0);
			assert_int_equal(utf8_is_valid(span_of(text, at + edges[i].n)),
					 edges[i].len > 0);
		}
	assert_true(utf8_is_valid(span_of(NULL, 0)));
}

/* Two-byte sequences, all of them. */
static void
pairs_of_bytes(void **state)
{
	(void)state;
	for (unsigned a = 0; a < 256; a++)
		for (unsigned b = 0; b < 256; b++) {
			const uint8_t text[2] = { (uint8_t)a, (uint8_t)b };
			const bool two = a >= 0xc2 && a <= 0xdf && b >= 0x80 && b <= 0xbf;

			assert_int_equal(utf8_is_valid(span_of(text, 2)),
					 two || (a < 0x80 && b < 0x80));
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_have_their_length),
		cmocka_unit_test(one_bad_character_spoils_the_text),
		cmocka_unit_test(pairs_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
