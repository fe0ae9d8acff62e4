/* SPDX-License-Identifier: MIT */
/* SOURCE/path: what is the container and what the file (cli/source.c). */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/source.h"

#define HOST	 "https://acct.blob.core.windows.net"
#define EMULATOR "blob:http://127.0.0.1:10000/acct"
#define COSMOS	 "https://acct.documents.azure.com"
#define LOCAL	 "cosmos:https://localhost:8081"

static const struct {
	const char *text, *source, *path;
} urls[] = {
	{ HOST, HOST, "" },
	{ HOST "/", HOST "/", "" },
	{ HOST "/c", HOST "/c", "" },
	{ HOST "/c/", HOST "/c", "" },
	{ HOST "/c/a", HOST "/c", "a" },
	{ HOST "/c/a/b.txt", HOST "/c", "a/b.txt" },
	{ HOST "/c/a/", HOST "/c", "a" },
	{ HOST "/c/a//b", HOST "/c", "a/%00/b" },
	{ HOST "/c//a", HOST "/c", "%00/a" },
	{ HOST "/c/a/%00/b", HOST "/c", "a/%00/b" },
	{ HOST "/c/a%00", HOST "/c", "a%00" },
	{ HOST "/c/with%20blank", HOST "/c", "with blank" },
	{ HOST "/c/with blank", HOST "/c", "with blank" },
	{ HOST "/c/a%2Fb", HOST "/c", "a/b" },
	{ HOST "/c/a%2fb", HOST "/c", "a/b" },
	{ HOST "/c/a%0Ab", HOST "/c", "a%0Ab" },
	{ HOST "/c/a%2520b", HOST "/c", "a%2520b" },
	{ HOST "/c/100%", HOST "/c", "100%" },
	{ HOST "/c/100%25", HOST "/c", "100%" },
	{ HOST "/c/%2E%2E/x", HOST "/c", "%2E%2E/x" },
	{ HOST "/c/../x", HOST "/c", "%2E%2E/x" },
	{ HOST "/c/%C3%BC", HOST "/c", "\xc3\xbc" },
	{ HOST "/c/%FF", HOST "/c", "%FF" },
	{ HOST "/c/a%3Fb%23", HOST "/c", "a?b#" },
	{ HOST "/c/a?sv=1&sig=x", HOST "/c/a?sv=1&sig=x", "" },
	{ EMULATOR, EMULATOR, "" },
	{ EMULATOR "/c", EMULATOR "/c", "" },
	{ EMULATOR "/c/a/b", EMULATOR "/c", "a/b" },
	{ COSMOS, COSMOS, "" },
	{ COSMOS "/", COSMOS "/", "" },
	{ COSMOS "/d", COSMOS "/d", "" },
	{ COSMOS "/d/c", COSMOS "/d/c", "" },
	{ COSMOS "/d/c/", COSMOS "/d/c", "" },
	{ COSMOS "/d/c/items", COSMOS "/d/c", "items" },
	{ COSMOS "/d/c/items/k/1.json", COSMOS "/d/c", "items/k/1.json" },
	{ COSMOS "/d/c/items/", COSMOS "/d/c", "items" },
	{ COSMOS "/a%20b/c%25/items/a%20b", COSMOS "/a%20b/c%25", "items/a b" },
	{ COSMOS "/d/c/items/a%2520b", COSMOS "/d/c", "items/a%20b" },
	{ COSMOS "/d/c/items/%C3%BC%0A%00", COSMOS "/d/c", "items/\xc3\xbc\n%00" },
	{ COSMOS "/d/c/../x", COSMOS "/d/c", "../x" },
	{ COSMOS "/d/c/.policy.json?x", COSMOS "/d/c/.policy.json?x", "" },
	{ "https://acct.documents.azure.us/d/c/x", "https://acct.documents.azure.us/d/c", "x" },
	{ LOCAL, LOCAL, "" },
	{ LOCAL "/d/c", LOCAL "/d/c", "" },
	{ LOCAL "/d/c/by/ssn/1", LOCAL "/d/c", "by/ssn/1" },
	{ "nonsense", "nonsense", "" },
	{ "a/b/c/d", "a/b/c/d", "" },
	{ "", "", "" },
};

static void
check(const char *text, const char *wanted_source, const char *wanted_path)
{
	struct err e = { 0 };
	char *source = NULL;
	AUTO_BUF path;

	buf_init(&path, 32 << 10);
	assert_int_equal(source_split(text, &source, &path, &e), 0);
	print_message("%s -> %s + %s\n", text, source, buf_str(&path));
	assert_string_equal(source, wanted_source);
	assert_string_equal(buf_str(&path), wanted_path);
	free(source);
}

static void
test_a_url_is_cut_behind_the_container(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(urls); i++)
		check(urls[i].text, urls[i].source, urls[i].path);
}

static void
test_a_directory_is_cut_at_the_nearest_store(void **state)
{
	char root[] = "/tmp/test_source.XXXXXX", marker[64], text[128], source[128];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(root));
	(void)snprintf(marker, sizeof(marker), "%s/azcryptfs-store.json", root);
	fd = open(marker, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	(void)snprintf(source, sizeof(source), "dir:%s", root);
	check(source, source, "");
	(void)snprintf(text, sizeof(text), "dir:%s/", root);
	(void)snprintf(source, sizeof(source), "dir:%s/", root);
	check(text, source, "");
	(void)snprintf(source, sizeof(source), "dir:%s", root);
	(void)snprintf(text, sizeof(text), "dir:%s/a/b%%20c/", root);
	check(text, source, "a/b%20c");
	assert_int_equal(chdir(root), 0);
	check("dir:.", "dir:.", "");
	check("dir:./a", "dir:.", "a");
	check("dir:a/b", "dir:.", "a/b");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(unlink(marker), 0);
	assert_int_equal(rmdir(root), 0);
	(void)snprintf(text, sizeof(text), "dir:%s/a", root);
	check(text, text, "");
	check("dir:", "dir:", "");
	check("dir:/", "dir:/", "");
}

static void
test_database_and_container_of_a_directory_belong_to_the_source(void **state)
{
	static const struct {
		const char *rest, *source, *path; /* behind the store */
	} rows[] = {
		{ "", "", "" },
		{ "/", "/", "" },
		{ "/D", "/D", "" },
		{ "/D/", "/D", "" },
		{ "/D/C", "/D/C", "" },
		{ "/D//C/", "/D//C", "" },
		{ "/D/C/items/a%20b", "/D/C", "items/a%20b" },
		{ "/D/C/items/", "/D/C", "items" },
	};
	static const char text[] =
		"{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"documents\"}";
	char root[] = "/tmp/test_source.XXXXXX", marker[64], given[128], source[128];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(root));
	(void)snprintf(marker, sizeof(marker), "%s/azcryptfs-store.json", root);
	fd = open(marker, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		(void)snprintf(given, sizeof(given), "dir:%s%s", root, rows[i].rest);
		(void)snprintf(source, sizeof(source), "dir:%s%s", root, rows[i].source);
		check(given, source, rows[i].path);
	}
	assert_int_equal(chdir(root), 0);
	check("dir:.", "dir:.", "");
	check("dir:./D/C/x", "dir:./D/C", "x");
	check("dir:D", "dir:D", "");
	check("dir:D/C/x/y", "dir:D/C", "x/y");
	assert_int_equal(chdir("/"), 0);
	assert_int_equal(unlink(marker), 0);
	assert_int_equal(rmdir(root), 0);
}

static const struct {
	const char *text, *shown;
} shown[] = {
	{ HOST "/c/a?sv=1&sig=secret", HOST "/c/a" },
	{ "https://user:secret@host/c", "https://host/c" },
	{ "blob:http://u:secret@host/c?sig=secret", "blob:http://host/c" },
	{ "https://host/c#secret", "https://host/c" },
	{ "https://host/a@b", "https://host/a@b" },
	{ "https://a@b:secret@host/c", "https://host/c" },
	{ "dir:/a/b", "dir:/a/b" },
	{ "?https://x@y", "" },
	{ "AccountEndpoint=https://a@h/;AccountKey=secret", "AccountEndpoint=https://h/;" },
	{ "accountkey=secret;AccountEndpoint=https://h/", "" },
	{ "", "" },
};

static void
test_what_is_shown_has_no_secret(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shown); i++) {
		char out[128];

		source_shown(shown[i].text, out, sizeof(out));
		assert_string_equal(out, shown[i].shown);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_url_is_cut_behind_the_container),
		cmocka_unit_test(test_a_directory_is_cut_at_the_nearest_store),
		cmocka_unit_test(test_database_and_container_of_a_directory_belong_to_the_source),
		cmocka_unit_test(test_what_is_shown_has_no_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
