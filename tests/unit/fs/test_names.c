/* SPDX-License-Identifier: MIT */
/* File names: the table of docs/SEMANTICS.md, "Names", and no two components with one name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fs/names.h"

static const struct {
	const char *component, *file;
} table[] = {
	{ "report.csv", "report.csv" },
	{ "with blank", "with blank" },
	{ "Gr\xc3\xbc\xc3\x9f"
	  "e",
	  "Gr\xc3\xbc\xc3\x9f"
	  "e" },
	{ "\xf0\x9f\x98\x80", "\xf0\x9f\x98\x80" },
	{ "", "%00" },
	{ ".", "%2E" },
	{ "..", "%2E%2E" },
	{ "...", "..." },
	{ ".hidden", ".hidden" },
	{ "a.", "a." },
	{ "back\\slash", "back\\slash" },
	{ "colon:?*\"<>|", "colon:?*\"<>|" },
	{ "new\nline", "new%0Aline" },
	{ "tab\tdel\x7f", "tab%09del%7F" },
	{ "\x01\x1f", "%01%1F" },
	{ "100%", "100%" },
	{ "100% sure", "100% sure" },
	{ "%2", "%2" },
	{ "%20", "%2520" },
	{ "%2f", "%2f" },
	{ "%2F", "%252F" },
	{ "%%20", "%%2520" },
	{ "%25", "%2525" },
	{ "%00", "%2500" },
	{ "a%00", "a%2500" },
	{ "%~", "%25~" },
	{ "\xff", "%FF" },
	{ "\xc3", "%C3" },
	{ "\xc3\xc3\xbc", "%C3\xc3\xbc" },
	{ "\xc0\xaf", "%C0%AF" },
	{ "\xed\xa0\x80", "%ED%A0%80" },
	{ "\xf4\x90\x80\x80", "%F4%90%80%80" },
	{ "\xe2\x82", "%E2%82" },
	{ "%\xff", "%%FF" },
};

static void
components_have_the_names_of_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		enum names_kind kind;
		struct err e = { 0 };
		AUTO_BUF name, back;

		buf_init(&name, NAMES_FILE_MAX);
		buf_init(&back, 4096);
		assert_int_equal(names_escape(span_str(table[i].component), false, &name, &e), 0);
		assert_string_equal(buf_str(&name), table[i].file);
		assert_int_equal(names_unescape(table[i].file, &kind, &back, &e), 0);
		assert_int_equal(kind, NAMES_PLAIN);
		assert_string_equal(buf_str(&back), table[i].component);
		assert_int_equal(names_escape(span_str(table[i].component), true, &name, &e), 0);
		assert_int_equal(strncmp(buf_str(&name), table[i].file, strlen(table[i].file)), 0);
		assert_string_equal(buf_str(&name) + strlen(table[i].file), "%00");
		assert_int_equal(names_unescape(buf_str(&name), &kind, &back, &e), 0);
		assert_int_equal(kind, NAMES_SHADOWED);
		assert_string_equal(buf_str(&back), table[i].component);
	}
}

static const char *const nothing[] = {
	".",	"..",	 "%2E%2E%2E", "%41",  "%20",  "a%2Fb",
	"%00a", "a%00b", "a%00%00",   "\x01", "\xff", "%C3%BC" /* would be shown as it is */,
	"",	"%25",	 "a\nb",
};

static void
names_that_no_component_has_stand_for_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(nothing); i++) {
		enum names_kind kind = NAMES_PLAIN;
		struct err e = { 0 };
		AUTO_BUF back;

		buf_init(&back, 4096);
		assert_int_equal(names_unescape(nothing[i], &kind, &back, &e), 0);
		if (kind != NAMES_NOTHING)
			fail_msg("'%s' stands for something", nothing[i]);
	}
}

/* Lengths around the limit, for bytes that take 1, 2 (a character), 3 (an escape) and 4 bytes. */
static void
long_names_are_cut_and_marked_and_differ(void **state)
{
	static const char *const unit[] = { "n", "\xc3\xbc", "\x01", "\xf0\x9f\x98\x80", "%41" };
	char text[2048];

	(void)state;
	for (size_t u = 0; u < ARRAY_LEN(unit); u++)
		for (size_t n = 1; n * strlen(unit[u]) < 1200; n++) {
			enum names_kind kind, mark_kind;
			struct err e = { 0 };
			AUTO_BUF name, mark, back;

			buf_init(&name, NAMES_FILE_MAX);
			buf_init(&mark, NAMES_FILE_MAX);
			buf_init(&back, 4096);
			for (size_t i = 0; i < n; i++)
				memcpy(text + i * strlen(unit[u]), unit[u], strlen(unit[u]) + 1);
			assert_int_equal(names_escape(span_str(text), false, &name, &e), 0);
			assert_int_equal(names_escape(span_str(text), true, &mark, &e), 0);
			assert_true(name.n <= NAMES_FILE_MAX && mark.n <= NAMES_FILE_MAX);
			assert_string_not_equal(buf_str(&name), buf_str(&mark));
			assert_int_equal(names_unescape(buf_str(&name), &kind, &back, &e), 0);
			if (kind == NAMES_PLAIN)
				assert_string_equal(buf_str(&back), text);
			else
				assert_int_equal(kind, NAMES_ALIAS);
			assert_int_equal(names_unescape(buf_str(&mark), &mark_kind, &back, &e), 0);
			assert_true(mark_kind == NAMES_SHADOWED || mark_kind == NAMES_ALIAS);
		}
}

static void
the_last_name_that_fits_is_not_cut(void **state)
{
	char text[257];
	enum names_kind kind;
	struct err e = { 0 };
	AUTO_BUF name, back;

	(void)state;
	buf_init(&name, NAMES_FILE_MAX);
	buf_init(&back, 4096);
	memset(text, 'n', 256);
	text[255] = '\0';
	assert_int_equal(names_escape(span_str(text), false, &name, &e), 0);
	assert_string_equal(buf_str(&name), text);
	text[255] = 'n';
	text[256] = '\0';
	assert_int_equal(names_escape(span_str(text), false, &name, &e), 0);
	assert_int_equal(name.n, NAMES_FILE_MAX);
	assert_memory_equal(name.p + NAMES_FILE_MAX - 34, "%~", 2);
	text[253] = '\0'; /* with its mark too long by one */
	assert_int_equal(names_escape(span_str(text), true, &name, &e), 0);
	assert_int_equal(names_unescape(buf_str(&name), &kind, &back, &e), 0);
	assert_int_equal(kind, NAMES_ALIAS);
	text[252] = '\0';
	assert_int_equal(names_escape(span_str(text), true, &name, &e), 0);
	assert_int_equal(names_unescape(buf_str(&name), &kind, &back, &e), 0);
	assert_int_equal(kind, NAMES_SHADOWED);
}

static void
inode_numbers_depend_on_the_path_alone(void **state)
{
	const uint64_t a = names_ino(1, "a");

	(void)state;
	assert_true(a == names_ino(1, "a"));
	assert_true(a != names_ino(1, "b"));
	assert_true(a != names_ino(2, "a"));
	assert_true(names_ino(a, "b") != names_ino(names_ino(1, "b"), "a"));
	for (uint64_t i = 0; i < 100000; i++)
		assert_true(names_ino(i, "") > 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(components_have_the_names_of_the_table),
		cmocka_unit_test(names_that_no_component_has_stand_for_nothing),
		cmocka_unit_test(long_names_are_cut_and_marked_and_differ),
		cmocka_unit_test(the_last_name_that_fits_is_not_cut),
		cmocka_unit_test(inode_numbers_depend_on_the_path_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
