/* SPDX-License-Identifier: MIT */
/* Single documents of a dir: store: what is left by whoever is killed, who waits for whom, and what
 * the feed makes of it. */
#include "tests/unit/store/docroot.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>

#include "backend/store/docdirstamp.h"
#include "base/num.h"

enum { KILLS = 60, WRITERS = 4, EACH = 40 };

static const struct docstore_at here = { .database = "db", .container = "c" };
static const struct deadline never = { 0 };

#define TEXT "{\"id\":\"1\",\"pk\":\"a\"}"

static int
put_text(struct docstore *s, const char *id, const char *text, const char *etag,
	 char out[DOCSTORE_ETAG_MAX + 1], struct deadline d, struct err *e)
{
	const struct docstore_put put = { "[\"a\"]", id, span_str(text), etag };

	return docstore_put(s, &here, &put, out, d, e);
}

static void
must_put(struct docstore *s, const char *id, const char *text, const char *etag,
	 char out[DOCSTORE_ETAG_MAX + 1])
{
	struct err e = { 0 };

	if (put_text(s, id, text, etag, out, never, &e) < 0)
		fail_msg("put %s: %s", text, e.text);
}

static void
must_hold(struct docstore *s, const char *id, const char *part)
{
	struct err e = { 0 };
	struct buf text;

	buf_init(&text, 4 << 20);
	if (docstore_get(s, &here, "[\"a\"]", id, NULL, &text, NULL, never, &e) < 0)
		fail_msg("get: %s", e.text);
	if (strstr(buf_str(&text), part) == NULL)
		fail_msg("no '%s' in %s", part, buf_str(&text));
	buf_clear(&text);
}

/* ---- what is written */

static void
the_service_s_members_are_added(void **state)
{
	struct docstore *s = docroot_open();
	char one[DOCSTORE_ETAG_MAX + 1], two[DOCSTORE_ETAG_MAX + 1], path[256], whole[1024];
	struct stat st;

	(void)state;
	docroot_put("[\"a\"]", "1",
		    "{\"id\":\"1\",\"pk\":\"a\",\"_rid\":\"k\\u0065pt==\",\"_etag\":\"\\\"0\\\"\","
		    "\"_ts\":5}");
	must_put(s, "1", " {\"id\":\"1\", \"pk\":\"a\" }\n", "0", one);
	must_hold(s, "1",
		  " {\"id\":\"1\", \"pk\":\"a\" ,\"_rid\":\"k\\u0065pt==\",\"_etag\":\"\\\"dir-");
	must_put(s, "1", TEXT, one, two);
	must_hold(s, "1", "{\"id\":\"1\",\"pk\":\"a\",\"_rid\":\"k\\u0065pt==\"");
	docroot_place("[\"a\"]", "1", path);
	docroot_path(path, whole);
	assert_int_equal(stat(whole, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	docstore_free(s);
}

static void
what_has_the_service_s_members_is_refused(void **state)
{
	static const char *const texts[] = {
		"{\"id\":\"1\",\"pk\":\"a\",\"_etag\":\"x\"}",
		"{\"id\":\"1\",\"pk\":\"a\",\"_rid\":\"x\"}",
		"{\"id\":\"1\",\"pk\":\"a\",\"_ts\":1}",
		"{\"id\":\"1\",\"pk\":\"a\",\"pk\":\"a\"}",
		"{\"id\":\"1\",\"pk\":\"a\",\"x\":\"\xff\"}",
		"{}",
		"{",
	};
	struct docstore *s = docroot_open();
	char etag[DOCSTORE_ETAG_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(texts); i++) {
		struct err e = { 0 };

		if (put_text(s, "1", texts[i], NULL, etag, never, &e) != -EINVAL)
			fail_msg("%s: %s", texts[i], e.text);
		assert_null(e.event);
	}
	docstore_free(s);
}

static void
a_malformed_document_is_not_replaced(void **state)
{
	struct docstore *s = docroot_open();
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct err e = { 0 };

	(void)state;
	docroot_put("[\"a\"]", "1", "{\"id\":\"1\",\"pk\":\"b\"}");
	assert_int_equal(put_text(s, "1", TEXT, NULL, etag, never, &e), -EBADMSG);
	assert_non_null(strstr(e.text, "documents/"));
	err_clear(&e);
	assert_int_equal(docstore_delete(s, &here, "[\"a\"]", "1", NULL, never, &e), -EBADMSG);
	docstore_free(s);
}

static void
a_link_in_the_way_is_not_followed(void **state)
{
	struct docstore *s = docroot_open();
	char path[256], whole[1024], target[1024], etag[DOCSTORE_ETAG_MAX + 1];
	struct stat st;

	(void)state;
	docroot_file("target", "untouched");
	docroot_path("target", target);
	docroot_place("[\"a\"]", "1", path);
	docroot_path(path, whole);
	assert_int_equal(symlink(target, whole), 0);
	must_put(s, "1", TEXT, NULL, etag);
	assert_int_equal(lstat(whole, &st), 0);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_size, strlen("untouched"));
	docstore_free(s);
}

/* ---- others that write */

static void
an_export_and_a_write_keep_each_other_out(void **state)
{
	struct docstore *s = docroot_open();
	struct docdir_writer *export = NULL;
	char etag[DOCSTORE_ETAG_MAX + 1];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(docdir_writer_new(docroot, &export, &e), 0);
	assert_int_equal(put_text(s, "1", TEXT, NULL, etag, deadline_in(30 * NS_PER_MS), &e),
			 -ETIMEDOUT);
	err_clear(&e);
	assert_int_equal(
		docstore_delete(s, &here, "[\"a\"]", "1", NULL, deadline_in(30 * NS_PER_MS), &e),
		-ETIMEDOUT);
	err_clear(&e);
	docdir_writer_free(export);
	must_put(s, "1", TEXT, NULL, etag);
	assert_int_equal(docdir_writer_new(docroot, &export, &e), 0);
	docdir_writer_free(export);
	docstore_free(s);
}

static void *
write_on(void *arg)
{
	atomic_bool *done = arg;
	struct docstore *s = docroot_open();
	char etag[DOCSTORE_ETAG_MAX + 1], next[DOCSTORE_ETAG_MAX + 1];

	must_put(s, "1", TEXT, NULL, etag);
	while (!atomic_load(done)) {
		must_put(s, "1", TEXT, etag, next);
		memcpy(etag, next, sizeof(etag));
		clock_sleep_ns(5 * NS_PER_MS);
	}
	docstore_free(s);
	return NULL;
}

/* An export does not fail because a mount happens to write one document. */
static void
an_export_waits_for_a_short_write(void **state)
{
	struct docdir_writer *export = NULL;
	atomic_bool done = false;
	struct err e = { 0 };
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_on, &done), 0);
	for (unsigned i = 0; i < 20; i++) {
		if (docdir_writer_new(docroot, &export, &e) < 0)
			fail_msg("%s", e.text);
		docdir_writer_free(export);
	}
	atomic_store(&done, true);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* ---- killed */

/* Replaces the document by ever longer versions until it is killed. */
static _Noreturn void
be_killed(void)
{
	static char pad[200001], text[sizeof(pad) + 64];
	char etag[DOCSTORE_ETAG_MAX + 1] = "v0", next[DOCSTORE_ETAG_MAX + 1];
	struct docstore *s = docroot_open();

	memset(pad, 'x', sizeof(pad) - 1);
	for (unsigned n = 1;; n++) {
		struct err e = { 0 };

		(void)snprintf(text, sizeof(text), "{\"id\":\"1\",\"pk\":\"a\",\"pad\":\"%.*s\"}",
			       (int)(n * 7919 % (sizeof(pad) - 1)), pad);
		if (put_text(s, "1", text, etag, next, never, &e) < 0)
			_exit(1);
		memcpy(etag, next, sizeof(etag));
	}
}

static void
whoever_is_killed_leaves_old_or_new(void **state)
{
	struct docstore *s = docroot_open();
	char etag[DOCSTORE_ETAG_MAX + 1];

	(void)state;
	for (unsigned i = 0; i < KILLS; i++) {
		struct err e = { 0 };
		int status;
		pid_t pid;

		docroot_put("[\"a\"]", "1",
			    "{\"id\":\"1\",\"pk\":\"a\",\"_etag\":\"\\\"v0\\\"\",\"_ts\":1}");
		pid = fork();
		if (pid == 0)
			be_killed();
		clock_sleep_ns((i % 20 + 1) * NS_PER_MS);
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status)); /* it has not failed by itself */
		must_hold(s, "1", "\"_ts\":");
		assert_int_equal(docstore_delete(s, &here, "[\"a\"]", "1", NULL, never, &e), 0);
		must_put(s, "1", TEXT, NULL, etag);
	}
	docstore_free(s);
}

/* ---- the feed, while many write */

struct crowd {
	atomic_uint running;
	atomic_uint next;
};

static void *
create_many(void *arg)
{
	struct crowd *c = arg;
	struct docstore *s = docroot_open();

	for (unsigned i = 0; i < EACH; i++) {
		const unsigned n = atomic_fetch_add(&c->next, 1);
		char id[16], text[64], etag[DOCSTORE_ETAG_MAX + 1], pk[16];
		const struct docstore_put put = { pk, id, span_str(text), NULL };
		struct docstore_put sent = put;
		struct err e = { 0 };

		(void)snprintf(id, sizeof(id), "%u", n);
		(void)snprintf(pk, sizeof(pk), "[%u]", n); /* all over the directories */
		(void)snprintf(text, sizeof(text), "{\"id\":\"%u\",\"pk\":%u}", n, n);
		sent.text = span_str(text);
		if (docstore_put(s, &here, &sent, etag, never, &e) < 0)
			abort();
	}
	docstore_free(s);
	atomic_fetch_sub(&c->running, 1);
	return NULL;
}

static void
a_reader_of_changes_misses_none(void **state)
{
	static bool seen[WRITERS * EACH];
	const struct docstore_select feed = { .changes = true, .max_items = 3 };
	struct crowd crowd = { .running = WRITERS };
	struct docstore *s = docroot_open();
	struct docstore_page page = { .idle = false };
	static struct docroot_lines lines;
	pthread_t thread[WRITERS];
	struct err e = { 0 };
	struct buf cursor;
	unsigned n = 0;

	(void)state;
	buf_init(&cursor, DOCSTORE_CURSOR_MAX);
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, create_many, &crowd), 0);
	for (bool last = false; !last || !page.idle;) {
		last = atomic_load(&crowd.running) == 0;
		lines = (struct docroot_lines){ .n = 0 };
		if (docstore_page(s, &here, &feed, &cursor,
				  (struct docstore_sink){ docroot_add_line, &lines }, &page, never,
				  &e) < 0)
			fail_msg("%s", e.text);
		for (char *at = lines.text; (at = strstr(at, "{\"id\":\"")) != NULL; at++, n++) {
			const unsigned id = (unsigned)strtoul(at + 7, NULL, 10);

			assert_true(id < WRITERS * EACH);
			if (seen[id])
				fail_msg("%u twice", id);
			seen[id] = true;
		}
	}
	for (unsigned i = 0; i < WRITERS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_int_equal(n, WRITERS * EACH);
	buf_clear(&cursor);
	docstore_free(s);
}

/* ---- stamps */

static struct docdirstamp
stamp_of(const char *etag, int64_t ts)
{
	const struct document_head head = { .etag = span_str(etag), .ts = ts };

	return docdirstamp_of(&head);
}

static void
stamps_are_read_from_etags_of_ours(void **state)
{
	/* 5 s and 7 ns. */
	static const char ours[] = "\\\"dir-000000012A05F207-0123456789ABCDEF\\\"";
	static const struct {
		const char *etag;
		int64_t ts;
	} others[] = {
		{ ours, 6 },
		{ ours, -5 },
		{ "dir-000000012A05F207-0123456789ABCDEF", 5 },
		{ "\\\"dir-000000012a05f207-0123456789ABCDEF\\\"", 5 },
		{ "\\\"dir-000000012A05F207-0123456789ABCDE\\\"", 5 },
		{ "\\\"dir-000000012A05F207-0123456789ABCDEF\\\"x", 5 },
		{ "\\\"dir-000000012A05F207", 5 },
		{ "\\\"0000d826-0000-0700-0000-5fd0a4dc0000\\\"", 5 },
		{ "", 5 },
	};
	char etag[DOCSTORE_ETAG_MAX + 1], again[DOCSTORE_ETAG_MAX + 1];
	struct docdirstamp s = stamp_of(ours, 5), next;

	(void)state;
	assert_int_equal(s.ts, 5);
	assert_int_equal(s.ns, 7);
	docdirstamp_etag(&s, etag);
	assert_memory_equal(etag, "\"dir-000000012A05F207-", 22);
	docdirstamp_etag(&s, again);
	assert_string_not_equal(etag, again);
	for (unsigned i = 0; i < ARRAY_LEN(others); i++) {
		s = stamp_of(others[i].etag, others[i].ts);
		assert_int_equal(s.ts, others[i].ts);
		assert_int_equal(s.ns, 0);
	}
	s = (struct docdirstamp){ INT64_C(32503680000), 999999999 }; /* the clock has gone back */
	next = docdirstamp_after(&s);
	assert_int_equal(next.ts, s.ts + 1);
	assert_int_equal(next.ns, 1);
	assert_true(docdirstamp_compare(&s, &next) < 0);
	s.ns = 5;
	next = docdirstamp_after(&s);
	assert_int_equal(next.ns, 6);
}

/* Cursors that an earlier release has kept, and what is none. */
static void
cursors_with_and_without_nanoseconds(void **state)
{
	static const struct {
		const char *stamp;
		int r;
		unsigned left; /* of the documents of seconds 5, 6 and 7 */
	} rows[] = {
		{ "6", 0, 1 },
		{ "6.000000001", 0, 1 },
		{ "5.999999999", 0, 2 },
		{ "6.00000001", -EINVAL, 0 },
		{ "6.", -EINVAL, 0 },
		{ "6.000000000", -EINVAL, 0 },
		{ "6.00000000x", -EINVAL, 0 },
		{ ".000000001", -EINVAL, 0 },
	};
	const struct docstore_select feed = { .changes = true };
	struct docstore *s = docroot_open();
	struct docroot_lines lines;

	(void)state;
	docroot_put("[5]", "1", "{\"id\":\"1\",\"pk\":5,\"_etag\":\"\\\"x\\\"\",\"_ts\":5}");
	docroot_put("[6]", "1", "{\"id\":\"1\",\"pk\":6,\"_etag\":\"\\\"x\\\"\",\"_ts\":6}");
	docroot_put("[7]", "1", "{\"id\":\"1\",\"pk\":7,\"_etag\":\"\\\"x\\\"\",\"_ts\":7}");
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct err e = { 0 };
		struct buf cursor;
		int r;

		lines = (struct docroot_lines){ .n = 0 };
		buf_init(&cursor, DOCSTORE_CURSOR_MAX);
		assert_int_equal(
			buf_addf(&cursor, &e,
				 "c1:%s:FFFFFFFFFFFFFFFF-FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF:r1",
				 rows[i].stamp),
			0);
		r = docstore_page(s, &here, &feed, &cursor,
				  (struct docstore_sink){ docroot_add_line, &lines }, NULL, never,
				  &e);
		if (r != rows[i].r || lines.n != rows[i].left)
			fail_msg("%s: %d %s, %u", rows[i].stamp, r, e.text, lines.n);
		buf_clear(&cursor);
	}
	docstore_free(s);
}

#define TEST(f)                                                 \
	{                                                       \
#f, f, docroot_make_store, docroot_remove, NULL \
	}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_service_s_members_are_added),
		TEST(what_has_the_service_s_members_is_refused),
		TEST(a_malformed_document_is_not_replaced),
		TEST(a_link_in_the_way_is_not_followed),
		TEST(an_export_and_a_write_keep_each_other_out),
		TEST(an_export_waits_for_a_short_write),
		TEST(whoever_is_killed_leaves_old_or_new),
		TEST(a_reader_of_changes_misses_none),
		TEST(stamps_are_read_from_etags_of_ours),
		TEST(cursors_with_and_without_nanoseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
