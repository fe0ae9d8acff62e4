/* SPDX-License-Identifier: MIT */
/*
 * Writing a dir: store of documents: what is there while, after, and when it ends before its time.
 */
#include "tests/unit/store/docroot.h"

#include <signal.h>
#include <sys/wait.h>

#define A	     "[\"a\"]"
#define DOC(id, x)   "{\"id\":\"" id "\",\"pk\":\"a\",\"x\":" x "}\r\n"
#define OTHER(rid)   "{\"id\":\"c\",\"_rid\":\"" rid "\",\"partitionKey\":{\"paths\":[\"/pk\"]}}"
#define BY_OTHER_KEY "{\"id\":\"c\",\"_rid\":\"r1\",\"partitionKey\":{\"paths\":[\"/other\"]}}"

static const struct docstore_at at = { .database = "db", .container = "c" };
static const struct docstore_select all = { .what = DOCSTORE_DOCUMENTS };
static const struct deadline never = { 0 };

static struct docdir_writer *
new_writer(void)
{
	struct docdir_writer *w = NULL;
	struct err e = { 0 };

	if (docdir_writer_new(docroot, &w, &e) < 0)
		fail_msg("%s", e.text);
	return w;
}

static void
begin(struct docdir_writer *w, const char *container)
{
	struct err e = { 0 };

	if (docdir_begin_container(w, "db", "c", span_str(container), &e) < 0)
		fail_msg("%s", e.text);
}

static void
put(struct docdir_writer *w, const char *text)
{
	struct err e = { 0 };

	if (docdir_put_document(w, span_str(text), &e) < 0)
		fail_msg("%s", e.text);
}

static void
end(struct docdir_writer *w)
{
	struct err e = { 0 };

	if (docdir_end_container(w, &e) < 0)
		fail_msg("%s", e.text);
	docdir_writer_free(w);
}

/* A store with the documents 1 and 2. */
static void
export_two(void)
{
	struct docdir_writer *w = new_writer();

	begin(w, DOC_CONTAINER);
	put(w, DOC("1", "1"));
	put(w, DOC("2", "1"));
	end(w);
}

/* What the document has, "" when it is not there. */
static void
assert_document(const char *id, const char *wanted)
{
	struct docstore *s = docroot_open();
	struct err e = { 0 };
	AUTO_BUF text;
	int r;

	buf_init(&text, 4 << 20);
	r = docstore_get(s, &at, A, id, NULL, &text, NULL, never, &e);
	if (r < 0 && r != -ENOENT)
		fail_msg("%s", e.text);
	assert_string_equal(buf_str(&text), wanted);
	docstore_free(s);
}

static void
assert_listed(bool listed)
{
	struct docstore *s = docroot_open();
	struct docroot_lines lines = { .n = 0 };
	struct err e = { 0 };
	int r = docstore_list(s, "db", (struct docstore_names){ docroot_add_name, &lines }, never,
			      &e);

	assert_true(r == 0 || r == -ENOENT);
	assert_string_equal(lines.text, listed ? "c\n" : "");
	docstore_free(s);
}

static unsigned
count_documents(void)
{
	struct docstore *s = docroot_open();
	struct docroot_lines lines;
	struct err e = { 0 };

	if (docroot_pages(s, &all, &lines, &e) < 0)
		fail_msg("%s", e.text);
	docstore_free(s);
	return lines.n;
}

static bool
is_file(const char *path)
{
	char whole[1024];

	docroot_path(path, whole);
	return access(whole, F_OK) == 0;
}

/* ---- a whole export */

static void
what_is_put_is_found_byte_for_byte(void **state)
{
	static const char key[] = " {\"id\":\"k 1\" }\n", container[] = "\n" DOC_CONTAINER " ";
	struct docdir_writer *w = new_writer();
	struct err e = { 0 };
	struct docstore *s;
	AUTO_BUF text;

	(void)state;
	assert_int_equal(docdir_put_key(w, "db", "k 1", span_str(key), &e), 0);
	begin(w, container);
	put(w, DOC("1", "1"));
	end(w);
	assert_document("1", DOC("1", "1"));
	s = docroot_open();
	buf_init(&text, CONTAINER_TEXT_MAX);
	assert_int_equal(docstore_key(s, "db", "k 1", NULL, &text, NULL, never, &e), 0);
	assert_string_equal(buf_str(&text), key);
	assert_int_equal(docstore_container(s, &at, &text, never, &e), 0);
	assert_string_equal(buf_str(&text), container);
	assert_true(is_file("databases/db.d/keys/k%201.json"));
	docstore_free(s);
}

static int
assert_mode(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path, (void)ftw;
	assert_int_equal(st->st_mode & 07777, type == FTW_D ? 0700 : 0600);
	return 0;
}

static void
nobody_else_may_read_it(void **state)
{
	(void)state;
	export_two();
	assert_int_equal(nftw(docroot, assert_mode, 16, FTW_PHYS), 0);
}

static void
long_names_are_kept_in_pieces(void **state)
{
	struct docdir_writer *w = new_writer();
	char id[256], text[600];
	struct docroot_lines lines = { .n = 0 };
	struct err e = { 0 };
	struct docstore *s;

	(void)state;
	memset(id, ' ', 255);
	memcpy(id, "a", 1);
	id[254] = 'z';
	id[255] = '\0';
	(void)snprintf(text, sizeof(text),
		       "{\"id\":\"%s\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"]}}", id);
	assert_int_equal(docdir_begin_container(w, id, id, span_str(text), &e), 0);
	put(w, DOC("1", "1"));
	end(w);
	s = docroot_open();
	assert_int_equal(docstore_list(s, id, (struct docstore_names){ docroot_add_name, &lines },
				       never, &e),
			 0);
	assert_int_equal(lines.n, 1);
	assert_memory_equal(lines.text, id, 255);
	docstore_free(s);
}

/* ---- again */

static void
documents_that_vanished_go_at_the_end_and_not_before(void **state)
{
	struct docdir_writer *w;

	(void)state;
	export_two();
	w = new_writer();
	begin(w, DOC_CONTAINER);
	put(w, DOC("1", "2"));
	put(w, DOC("3", "1"));
	assert_document("1", DOC("1", "2"));
	assert_document("2", DOC("2", "1"));
	assert_document("3", DOC("3", "1"));
	assert_listed(true);
	end(w);
	assert_document("1", DOC("1", "2"));
	assert_document("2", "");
	assert_document("3", DOC("3", "1"));
	assert_int_equal(count_documents(), 2);
}

static void
an_export_that_never_ends_removes_nothing(void **state)
{
	struct docdir_writer *w;

	(void)state;
	export_two();
	w = new_writer();
	begin(w, DOC_CONTAINER);
	put(w, DOC("3", "1"));
	begin(w, DOC_CONTAINER);
	put(w, DOC("4", "1"));
	docdir_writer_free(w);
	assert_listed(true);
	assert_int_equal(count_documents(), 4);
}

static void
a_new_container_is_there_at_its_end(void **state)
{
	struct docdir_writer *w = new_writer();

	(void)state;
	begin(w, DOC_CONTAINER);
	put(w, DOC("9", "1"));
	assert_listed(false);
	docdir_writer_free(w);
	assert_listed(false);
	export_two();
	assert_listed(true);
	assert_document("9", "");
	assert_int_equal(count_documents(), 2);
}

static void
another_container_of_that_name_is_never_mixed_with_it(void **state)
{
	static const char *const others[] = { OTHER("r2"), BY_OTHER_KEY };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		struct docdir_writer *w;

		export_two();
		w = new_writer();
		begin(w, others[i]);
		assert_listed(false);
		put(w, DOC("3", "1"));
		assert_listed(false);
		end(w);
		assert_listed(true);
		assert_int_equal(count_documents(), 1);
	}
}

static ino_t
inode(const char *id)
{
	char path[256], whole[1024];
	struct stat st;

	docroot_place(A, id, path);
	docroot_path(path, whole);
	assert_int_equal(stat(whole, &st), 0);
	return st.st_ino;
}

static void
what_has_not_changed_is_not_written(void **state)
{
	struct docdir_writer *w;
	ino_t one, two;

	(void)state;
	export_two();
	one = inode("1");
	two = inode("2");
	w = new_writer();
	begin(w, DOC_CONTAINER);
	put(w, DOC("1", "1"));
	put(w, DOC("2", "2"));
	end(w);
	assert_true(inode("1") == one);
	assert_true(inode("2") != two);
	assert_document("2", DOC("2", "2"));
}

/* ---- where it may write */

static void
only_an_empty_directory_or_a_store_of_documents_is_taken(void **state)
{
	struct docdir_writer *w = NULL, *again = NULL;
	char whole[1024], below[1040];
	struct err e = { 0 };

	(void)state;
	docroot_file("something", "x");
	assert_int_equal(docdir_writer_new(docroot, &w, &e), -ENOTEMPTY);
	assert_non_null(strstr(e.text, docroot));
	err_clear(&e);
	docroot_path("something", whole);
	assert_int_equal(docdir_writer_new(whole, &w, &e), -ENOTDIR);
	err_clear(&e);
	assert_int_equal(unlink(whole), 0);
	docroot_file("azcryptfs-store.json",
		     "{\"format\":\"azcryptfs-dir\",\"version\":1,\"kind\":\"blobs\"}");
	assert_int_equal(docdir_writer_new(docroot, &w, &e), -ENOTEMPTY);
	err_clear(&e);
	docroot_file("azcryptfs-store.json",
		     "{\"format\":\"azcryptfs-dir\",\"version\":2,\"kind\":\"documents\"}");
	assert_int_equal(docdir_writer_new(docroot, &w, &e), -ENOTEMPTY);
	err_clear(&e);
	docroot_path("azcryptfs-store.json", whole);
	assert_int_equal(unlink(whole), 0);
	docroot_path("none", whole);
	(void)snprintf(below, sizeof(below), "%s/below", whole);
	assert_int_equal(docdir_writer_new(below, &w, &e), -ENOENT);
	err_clear(&e);
	assert_null(w);
	assert_int_equal(docdir_writer_new(whole, &w, &e), 0);
	assert_int_equal(docdir_writer_new(whole, &again, &e), -EBUSY);
	err_clear(&e);
	docdir_writer_free(w);
	docroot_file(".tmp-write", "left over");
	docroot_path("none", whole);
	assert_int_equal(docdir_writer_new(whole, &w, &e), 0);
	docdir_writer_free(w);
}

static void
what_a_killed_writer_left_is_written_over(void **state)
{
	char path[256];

	(void)state;
	docroot_file(".tmp-write", "left over");
	export_two();
	docroot_place(A, "1", path);
	(void)snprintf(strrchr(path, '/'), 16, "/.tmp-write");
	docroot_file(path, "left over");
	export_two();
	assert_false(is_file(path));
	assert_false(is_file(".tmp-write"));
	assert_int_equal(count_documents(), 2);
}

/*
 * Each of these leads outside; the export fails or replaces the link, and outside stays as it is.
 */
static void
no_link_leads_outside(void **state)
{
	static const char *const links[] = {
		"databases", "databases/db.d",	 "databases/db.d/keys", "databases/db.d/containers",
		DOC_IN,	     DOC_IN "/documents"
	};
	char outside[] = "/tmp/azc-outside-XXXXXX", whole[1024];
	struct docdir_writer *w;
	struct err e = { 0 };
	int r;

	(void)state;
	assert_non_null(mkdtemp(outside));
	for (size_t i = 0; i < ARRAY_LEN(links); i++) {
		(void)docroot_remove(NULL);
		(void)docroot_make_store(NULL);
		docroot_dir(DOC_IN "/documents");
		docroot_path(links[i], whole);
		(void)nftw(whole, docroot_remove_one, 16, FTW_DEPTH | FTW_PHYS);
		assert_int_equal(symlink(outside, whole), 0);
		err_clear(&e);
		r = docdir_writer_new(docroot, &w, &e);
		if (r == 0) {
			r = docdir_put_key(w, "db", "k", span_str("{\"id\":\"k\"}"), &e);
			if (r == 0)
				r = docdir_begin_container(w, "db", "c", span_str(DOC_CONTAINER),
							   &e);
			docdir_writer_free(w);
		}
		assert_int_equal(r, -ENOTDIR);
		assert_int_equal(rmdir(outside), 0); /* empty still */
		assert_int_equal(mkdir(outside, 0700), 0);
	}
	assert_int_equal(rmdir(outside), 0);
}

static void
a_link_in_the_place_of_a_file_is_replaced(void **state)
{
	char path[256], whole[1024], target[1024], content[16] = "";
	FILE *f;

	(void)state;
	export_two();
	docroot_file("aside", "untouched");
	docroot_path("aside", target);
	docroot_place(A, "1", path);
	docroot_path(path, whole);
	assert_int_equal(unlink(whole), 0);
	assert_int_equal(symlink(target, whole), 0);
	(void)snprintf(strrchr(whole, '/'), 16, "/.tmp-write");
	assert_int_equal(symlink(target, whole), 0);
	docroot_path(DOC_IN "/container.json", whole);
	assert_int_equal(unlink(whole), 0);
	assert_int_equal(symlink(target, whole), 0);
	export_two();
	assert_document("1", DOC("1", "1"));
	assert_listed(true);
	f = fopen(target, "r");
	assert_non_null(f);
	assert_true(fread(content, 1, sizeof(content) - 1, f) > 0);
	(void)fclose(f);
	assert_string_equal(content, "untouched");
}

/* ---- what is refused */

static void
names_and_texts_that_cannot_be_are_refused(void **state)
{
	static const char *const bad[] = { "..", ".", "a/b", "../x", "", "a\nb" };
	static const struct {
		const char *id, *text;
		int no;
	} containers[] = {
		{ "c", "", EBADMSG },
		{ "c", "{\"id\":\"c\"}", EBADMSG },
		{ "d", DOC_CONTAINER, EBADMSG },
		{ "c",
		  "{\"id\":\"c\",\"_rid\":\"r\",\"partitionKey\":{\"paths\":[\"/pk\"]},"
		  "\"clientEncryptionPolicy\":{\"policyFormatVersion\":3,\"includedPaths\":[]}}",
		  EOPNOTSUPP },
	};
	static const char *const documents[] = { "", "[]", "{\"pk\":\"a\"}", "{\"id\":1}",
						 "{\"id\":\"1\",\"id\":\"1\"}" };
	struct docdir_writer *w = new_writer();
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(docdir_put_key(w, bad[i], "k", span_str("{\"id\":\"k\"}"), &e),
				 -EINVAL);
		err_clear(&e);
		assert_true(docdir_put_key(w, "db", bad[i], span_str("{\"id\":\"k\"}"), &e) < 0);
		err_clear(&e);
		assert_true(docdir_begin_container(w, "db", bad[i], span_str(DOC_CONTAINER), &e) <
			    0);
		err_clear(&e);
		assert_int_equal(
			docdir_begin_container(w, bad[i], "c", span_str(DOC_CONTAINER), &e),
			-EINVAL);
		err_clear(&e);
	}
	assert_int_equal(docdir_put_key(w, "db", "j", span_str("{\"id\":\"k\"}"), &e), -EBADMSG);
	err_clear(&e);
	for (size_t i = 0; i < ARRAY_LEN(containers); i++) {
		assert_int_equal(docdir_begin_container(w, "db", containers[i].id,
							span_str(containers[i].text), &e),
				 -containers[i].no);
		err_clear(&e);
	}
	begin(w, DOC_CONTAINER);
	for (size_t i = 0; i < ARRAY_LEN(documents); i++) {
		assert_int_equal(docdir_put_document(w, span_str(documents[i]), &e), -EBADMSG);
		err_clear(&e);
	}
	put(w, DOC("1", "1"));
	end(w);
	assert_int_equal(count_documents(), 1);
}

/* ---- killed */

static void
export_until_killed(void)
{
	char text[64];

	for (unsigned round = 0;; round++) {
		struct docdir_writer *w = new_writer();

		begin(w, DOC_CONTAINER);
		for (unsigned i = 0; i < 40; i++) {
			(void)snprintf(text, sizeof(text), "{\"id\":\"%u\",\"pk\":\"a\",\"x\":%u}",
				       i, round);
			put(w, text);
		}
		end(w);
	}
}

static void
a_killed_export_leaves_a_store_that_opens(void **state)
{
	(void)state;
	export_two();
	for (unsigned i = 1; i <= 20; i++) {
		pid_t child = fork();
		unsigned n;

		if (child == 0)
			export_until_killed();
		assert_true(child > 0);
		(void)usleep(1500 * i);
		assert_int_equal(kill(child, SIGKILL), 0);
		assert_int_equal(waitpid(child, NULL, 0), child);
		assert_listed(true);
		n = count_documents();
		assert_true(n >= 2 && n <= 41);
	}
	export_two();
	assert_int_equal(count_documents(), 2);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, docroot_make, docroot_remove)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_is_found_byte_for_byte),
		TEST(nobody_else_may_read_it),
		TEST(long_names_are_kept_in_pieces),
		TEST(documents_that_vanished_go_at_the_end_and_not_before),
		TEST(an_export_that_never_ends_removes_nothing),
		TEST(a_new_container_is_there_at_its_end),
		TEST(another_container_of_that_name_is_never_mixed_with_it),
		TEST(what_has_not_changed_is_not_written),
		TEST(only_an_empty_directory_or_a_store_of_documents_is_taken),
		TEST(what_a_killed_writer_left_is_written_over),
		TEST(no_link_leads_outside),
		TEST(a_link_in_the_place_of_a_file_is_replaced),
		TEST(names_and_texts_that_cannot_be_are_refused),
		TEST(a_killed_export_leaves_a_store_that_opens),
	};

	return cmocka_run_group_tests_name("docdirwrite", tests, NULL, NULL);
}
