/* SPDX-License-Identifier: MIT */
/* File names of the dir: store: one spelling for each component, and back. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/store/dirname.h"

static const struct {
	const char *component, *encoded;
} spellings[] = {
	{ "", "%" },
	{ "a", "a" },
	{ "A-Z_09.x", "A-Z_09.x" },
	{ ".", "%2E" },
	{ "..", "%2E." },
	{ ".hidden", "%2Ehidden" },
	{ "a.", "a." },
	{ "%", "%25" },
	{ "%2E", "%252E" },
	{ " +~", "%20%2B%7E" },
	{ "\001\177", "%01%7F" },
	{ "\303\244\377", "%C3%A4%FF" },
	{ "back\\slash", "back%5Cslash" },
	{ "x.m", "x.m" },
};

/* What no component is spelled as. */
static const char *const misspellings[] = { "",	   ".",	  "..",	 ".a",	"%2e",	   "%2",
					    "a%",  "a%4", "%41", "%2F", "%00",	   "a%2E",
					    "a/b", "a b", "%%",	 "%GG", "\303\244" };

static void
test_spellings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(spellings); i++) {
		struct err e = { 0 };
		AUTO_BUF encoded, back;

		buf_init(&encoded, 1000);
		buf_init(&back, 1000);
		assert_int_equal(dirname_encode(span_str(spellings[i].component), &encoded, &e), 0);
		assert_string_equal(buf_str(&encoded), spellings[i].encoded);
		assert_true(
			dirname_decode(spellings[i].encoded, strlen(spellings[i].encoded), &back));
		assert_string_equal(buf_str(&back), spellings[i].component);
	}
}

static void
test_misspellings(void **state)
{
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(misspellings); i++) {
		AUTO_BUF back;

		buf_init(&back, 1000);
		assert_int_equal(buf_add_str(&back, "kept", &e), 0);
		if (dirname_decode(misspellings[i], strlen(misspellings[i]), &back))
			fail_msg("'%s' is taken", misspellings[i]);
		assert_string_equal(buf_str(&back), "kept");
	}
}

/* Any bytes come back; no piece is too long or ends inside an escape; no piece is hidden. */
static void
assert_round_trip(struct span component)
{
	struct err e = { 0 };
	AUTO_BUF encoded, back;
	size_t at, cut;

	buf_init(&encoded, 3 * component.n + 1);
	buf_init(&back, component.n);
	assert_int_equal(dirname_encode(component, &encoded, &e), 0);
	assert_true(dirname_decode(buf_str(&encoded), encoded.n, &back));
	assert_int_equal(back.n, component.n);
	if (component.n > 0)
		assert_memory_equal(back.p, component.p, component.n);
	assert_true(encoded.p[0] != '.');
	for (at = 0; at < encoded.n; at += cut) {
		const char *piece = buf_str(&encoded) + at;

		cut = dirname_cut(piece, encoded.n - at);
		assert_true(cut >= 1 && cut <= DIRNAME_PIECE_MAX);
		assert_true(at + cut == encoded.n || cut >= DIRNAME_PIECE_MAX - 2);
		if (at + cut < encoded.n)
			assert_true(piece[cut - 1] != '%' && piece[cut - 2] != '%');
	}
	assert_int_equal(at, encoded.n);
}

static void
test_round_trips(void **state)
{
	uint8_t bytes[1500];
	uint32_t random = 12345;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		size_t n = round < 1400 ? round : random % sizeof(bytes);

		for (size_t i = 0; i < n; i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(random >> 24);
			if (round % 3 == 0 && bytes[i] % 4 != 0)
				bytes[i] = 'a';
			if (bytes[i] == '\0' || bytes[i] == '/')
				bytes[i] = '.';
		}
		assert_round_trip(span_of(bytes, n));
	}
}

static void
test_paths(void **state)
{
	static const struct {
		const char *name, *path;
	} paths[] = {
		{ "a", "a.m" },		  { "a/b c/d", "a.d/b%20c.d/d.m" },
		{ "/", "%.d/%.m" },	  { "trail/", "trail.d/%.m" },
		{ "../x", "%2E..d/x.m" },
	};
	char long_name[256], want[256];
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		AUTO_BUF path;

		buf_init(&path, 1000);
		assert_int_equal(dirname_path(span_str(paths[i].name), &path, &e), 0);
		assert_string_equal(buf_str(&path), paths[i].path);
	}
	for (unsigned n = 198; n <= 200; n++) {
		AUTO_BUF path;

		memset(long_name, 'n', n);
		strcpy(long_name + n, "=x");
		(void)snprintf(want, sizeof(want), "%.*s.c/%s%sx.m", (int)n, long_name,
			       n < 198 ? "" : "%3D", "");
		buf_init(&path, 1000);
		assert_int_equal(dirname_path(span_str(long_name), &path, &e), 0);
		assert_string_equal(buf_str(&path), want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_misspellings),
		cmocka_unit_test(test_round_trips),
		cmocka_unit_test(test_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
