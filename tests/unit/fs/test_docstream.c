/* SPDX-License-Identifier: MIT */
/* Streams: every document once and in order, or a reason; memory for a few pages only. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/num.h"
#include "fs/docstream.h"
#include "tests/unit/fs/fakedocstore.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

static struct engine *engine;

/* ---- a read that is waited for ---- */

struct reader {
	struct view_read r; /* first */
	pthread_mutex_t mu;
	pthread_cond_t cond;
	unsigned done;
};

static void
on_done(struct view_read *r)
{
	struct reader *rd = (struct reader *)(void *)r;

	mutex_lock(&rd->mu);
	rd->done++;
	(void)pthread_cond_signal(&rd->cond);
	mutex_unlock(&rd->mu);
}

static void
start_until(struct reader *rd, struct docstream *s, uint64_t off, size_t len, int64_t ns)
{
	*rd = (struct reader){ .r = { .off = off, .len = len, .done = on_done },
			       .mu = PTHREAD_MUTEX_INITIALIZER,
			       .cond = PTHREAD_COND_INITIALIZER };
	rd->r.deadline = deadline_in(ns);
	docstream_read(s, &rd->r);
}

static void
start(struct reader *rd, struct docstream *s, uint64_t off, size_t len)
{
	start_until(rd, s, off, len, 60 * NS_PER_S);
}

static void
wait_done(struct reader *rd)
{
	mutex_lock(&rd->mu);
	while (rd->done == 0)
		(void)pthread_cond_wait(&rd->cond, &rd->mu);
	assert_int_equal(rd->done, 1);
	mutex_unlock(&rd->mu);
}

/* Copies what the read brought; how many bytes. */
static size_t
copy(const struct view_read *r, char *out)
{
	size_t n = 0;

	for (unsigned i = 0; i < r->n_pieces; i++) {
		memcpy(out + n, r->piece[i].iov_base, r->piece[i].iov_len);
		n += r->piece[i].iov_len;
	}
	return n;
}

/* Reads and lets go; *out_n bytes and 0, or a positive errno. */
static int
read_at(struct docstream *s, uint64_t off, size_t len, char *out, size_t *out_n)
{
	struct reader rd;
	int no;

	start(&rd, s, off, len);
	wait_done(&rd);
	no = rd.r.e.no;
	assert_true(no == 0 || rd.r.n_pieces == 0);
	assert_true(rd.r.sequential && rd.r.around.iov_len == 0);
	*out_n = copy(&rd.r, out);
	docstream_read_release(&rd.r);
	return no;
}

static struct docstream *
open_part(const char *min, const char *max)
{
	struct docstream *s = NULL;
	struct err e = { 0 };

	assert_int_equal(docstream_new(engine, &box, min, max, &s, &e), 0);
	return s;
}

static struct docstream *
open_all(void)
{
	return open_part("", "FF");
}

/* Reads from off on, as a program does, to the end; how many bytes were right. */
static uint64_t
read_to_end(struct docstream *s, uint64_t off, size_t len, const char *want, size_t n)
{
	char *got = malloc(len);
	size_t k = 0;

	assert_non_null(got);
	do {
		assert_int_equal(read_at(s, off, len, got, &k), 0);
		assert_true(off + k <= n && (k == len || off + k == n));
		assert_memory_equal(got, want + off, k);
		off += k;
	} while (k > 0);
	free(got);
	return off;
}

/* ---- an engine and a container for each test ---- */

static int
set_up_memory(uint64_t memory)
{
	const struct engine_config cfg = { .memory = memory, .timeout_ns = 60 * NS_PER_S };
	struct err e = { 0 };

	docs_init(0);
	box.at = (struct docstore_at){ .database = "d", .container = "c", .rid = "r" };
	return engine_new(&cfg, &engine, &e);
}

static int
set_up(void **state)
{
	(void)state;
	return set_up_memory(64 * MIB);
}

static int
set_up_small(void **state)
{
	(void)state;
	return set_up_memory(16 * MIB);
}

/* Whatever a test did: all memory comes back, and the box. */
static int
tear_down(void **state)
{
	(void)state;
	engine_drain(engine);
	assert_int_equal(budget_used(engine_budget(engine), BUDGET_DATA), 0);
	engine_free(engine);
	assert_int_equal(atomic_load(&box.refs), 1);
	assert_true(atomic_load(&docs.most_fetching) <= 1 || docs.n == 0);
	docs_clear();
	return 0;
}

static int
tear_down_many(void **state)
{
	atomic_store(&docs.most_fetching, 0);
	return tear_down(state);
}

/* ---- one reader ---- */

static const struct {
	unsigned n, page_items, empty_every;
	size_t least, spread;
} shapes[] = {
	{ 0, 1000, 0, 50, 0 },	    { 0, 1000, 1, 50, 0 },
	{ 1, 1000, 0, 50, 0 },	    { 1000, 1000, 0, 50, 100 },
	{ 1001, 1000, 1, 50, 100 }, { 2000, 3, 0, 50, 3000 },
	{ 300, 1, 3, 50, 100 },	    { 30, 1000, 0, 400 * KIB, 200 * KIB },
	{ 5, 2, 1, 3 * MIB, 1 },    { 40000, 1000, 0, 100, 500 },
};

static void
every_document_comes_once_and_in_order_whatever_the_reads(void **state)
{
	static const size_t lens[] = { 777, 4096, 128 * KIB, MIB };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(shapes) * ARRAY_LEN(lens); i++) {
		const size_t k = i / ARRAY_LEN(lens);
		struct docstream *s;
		size_t n;
		char *want;

		docs.n = shapes[k].n;
		docs.page_items = shapes[k].page_items;
		docs.empty_every = shapes[k].empty_every;
		docs.least = shapes[k].least;
		docs.spread = shapes[k].spread;
		want = docs_text(0, docs.n, &n);
		s = open_all();
		assert_true(read_to_end(s, 0, lens[i % ARRAY_LEN(lens)], want, n) == n);
		docstream_free(s);
		free(want);
	}
}

static void
reads_of_one_byte(void **state)
{
	struct docstream *s;
	size_t n;
	char *want;

	(void)state;
	docs.n = 100;
	docs.page_items = 7;
	want = docs_text(0, docs.n, &n);
	s = open_all();
	assert_true(read_to_end(s, 0, 1, want, n) == n);
	docstream_free(s);
	free(want);
}

static void
at_the_end_and_past_it_there_is_nothing(void **state)
{
	static const uint64_t past[] = { 0, 1, 4096, 1 << 30, UINT64_C(1) << 62 };
	char got[8];
	size_t n, k;
	char *want;

	(void)state;
	docs.n = 100;
	want = docs_text(0, docs.n, &n);
	for (size_t i = 0; i < ARRAY_LEN(past); i++) {
		struct docstream *s = open_all();

		for (int twice = 0; twice < 2; twice++) {
			assert_int_equal(read_at(s, n + past[i], sizeof(got), got, &k), 0);
			assert_int_equal(k, 0);
		}
		assert_int_equal(read_at(s, n - 3, sizeof(got), got, &k), 0); /* still kept */
		assert_int_equal(k, 3);
		assert_memory_equal(got, want + n - 3, 3);
		docstream_free(s);
	}
	free(want);
}

static void
an_empty_container_costs_one_request(void **state)
{
	struct docstream *s = open_part("05C1", "2F");
	char got[8];
	size_t k;

	(void)state;
	assert_int_equal(read_at(s, 0, sizeof(got), got, &k), 0);
	assert_int_equal(k, 0);
	assert_int_equal(read_at(s, 0, sizeof(got), got, &k), 0);
	assert_int_equal(atomic_load(&docs.requests), 1);
	assert_string_equal(docs.min, "05C1");
	assert_string_equal(docs.max, "2F");
	docstream_free(s);
}

static void
nothing_is_asked_for_before_the_first_read(void **state)
{
	(void)state;
	docs.n = 100;
	docstream_free(open_all());
	docstream_free(NULL);
	assert_int_equal(atomic_load(&docs.requests), 0);
}

/* ---- forward only ---- */

static void
what_lies_behind_the_window_is_espipe_and_inside_it_is_kept(void **state)
{
	struct docstream *s;
	char *want, *got = malloc(MIB);
	uint64_t off = 0;
	size_t n, k;

	(void)state;
	docs.n = 60000;
	docs.least = 200;
	want = docs_text(0, docs.n, &n);
	assert_true(n > 12 * MIB && got != NULL);
	s = open_all();
	for (; off < 8 * MIB; off += MIB)
		assert_int_equal(read_at(s, off, MIB, got, &k), 0);
	assert_int_equal(read_at(s, off - MIB - 5000, MIB, got, &k), 0);
	assert_memory_equal(got, want + off - MIB - 5000, MIB);
	assert_int_equal(read_at(s, 0, 100, got, &k), ESPIPE);
	assert_int_equal(read_at(s, 4 * MIB, 100, got, &k), ESPIPE);
	assert_true(read_to_end(s, off, MIB, want, n) == n); /* and it goes on */
	docstream_free(s);
	free(want);
	free(got);
}

static void
a_read_far_ahead_waits_and_what_lies_between_is_passed_over(void **state)
{
	struct docstream *s;
	struct reader far, near;
	char *want, *got = malloc(MIB);
	size_t n, k;

	(void)state;
	docs.n = 100000;
	docs.least = 200;
	want = docs_text(0, docs.n, &n);
	assert_true(n > 20 * MIB && got != NULL);
	s = open_all();
	docs_set_gate(true);
	start(&far, s, 16 * MIB, MIB);
	start(&near, s, 0, 4096);
	docs_set_gate(false);
	wait_done(&near); /* whoever waits is not passed over */
	wait_done(&far);
	assert_int_equal(near.r.e.no, 0);
	assert_int_equal(far.r.e.no, 0);
	assert_int_equal(copy(&near.r, got), 4096);
	assert_memory_equal(got, want, 4096);
	assert_int_equal(copy(&far.r, got), MIB);
	assert_memory_equal(got, want + 16 * MIB, MIB);
	docstream_read_release(&near.r);
	docstream_read_release(&far.r);
	assert_int_equal(read_at(s, 4096, 100, got, &k), ESPIPE);
	assert_true(read_to_end(s, 17 * MIB, MIB, want, n) == n);
	docstream_free(s);
	free(want);
	free(got);
}

/* A read of long text waits for many pages: its deadline counts for all of them together. */
static void
a_read_ends_at_its_deadline_and_the_stream_goes_on(void **state)
{
	struct reader rd;
	struct docstream *s;
	char got[100];
	size_t k;
	int64_t began = clock_now_ns();

	(void)state;
	docs.n = 100000;
	docs.page_items = 10;
	atomic_store(&docs.page_us, 5000);
	s = open_all();
	start_until(&rd, s, 8 * MIB, MIB, 300 * NS_PER_MS);
	wait_done(&rd);
	assert_int_equal(rd.r.e.no, ETIMEDOUT);
	assert_true(clock_now_ns() - began < 20 * NS_PER_S);
	docstream_read_release(&rd.r);
	assert_int_equal(read_at(s, 0, sizeof(got), got, &k), 0); /* nothing was passed over yet */
	assert_int_equal(k, sizeof(got));
	docstream_free(s);
}

/* ---- many readers ---- */

enum { THREADS = 8, EACH = 32 * KIB };

static struct crowd {
	struct docstream *s;
	_Atomic uint64_t next;
	atomic_uint wrong, late;
	const char *want;
	size_t n;
} crowd;

static void *
read_in_turn(void *arg)
{
	char *got = malloc(EACH);

	(void)arg;
	if (got == NULL)
		abort();
	for (uint64_t off; (off = atomic_fetch_add(&crowd.next, EACH)) < crowd.n;) {
		const size_t want = (size_t)u64_min(EACH, crowd.n - off);
		struct reader rd;

		start(&rd, crowd.s, off, EACH);
		wait_done(&rd);
		if (rd.r.e.no == ESPIPE) /* the others were 2 MiB faster */
			atomic_fetch_add(&crowd.late, 1);
		else if (rd.r.e.no != 0 || copy(&rd.r, got) != want ||
			 memcmp(got, crowd.want + off, want) != 0)
			atomic_fetch_add(&crowd.wrong, 1);
		docstream_read_release(&rd.r);
	}
	free(got);
	return NULL;
}

static void
many_threads_read_one_handle(void **state)
{
	pthread_t id[THREADS];
	char *want;

	(void)state;
	docs.n = 30000;
	docs.least = 300;
	want = docs_text(0, docs.n, &crowd.n);
	crowd.want = want;
	crowd.s = open_all();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&id[i], NULL, read_in_turn, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(id[i], NULL);
	assert_int_equal(atomic_load(&crowd.wrong), 0);
	assert_true(atomic_load(&crowd.late) < 10);
	docstream_free(crowd.s);
	free(want);
}

/* ---- failures ---- */

static void
a_page_that_fails_for_now_fails_who_waits_and_is_tried_again(void **state)
{
	static const int passing[] = { EIO, ETIMEDOUT };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		struct reader one, two;
		struct docstream *s;
		char got[100];
		size_t n, k;
		char *want;

		docs.n = 5000;
		want = docs_text(0, docs.n, &n);
		s = open_all();
		docs_set_gate(true);
		atomic_store(&docs.fail_no, passing[i]);
		atomic_store(&docs.fail_next, 2);
		start(&one, s, 0, 100);
		while (atomic_load(&docs.at_gate) == 0)
			usleep(1000);
		start(&two, s, 50, 100); /* comes when the try is under way: has one of its own */
		docs_set_gate(false);
		wait_done(&one);
		wait_done(&two);
		assert_int_equal(one.r.e.no, passing[i]);
		assert_int_equal(two.r.e.no, passing[i]);
		docstream_read_release(&one.r);
		docstream_read_release(&two.r);
		assert_int_equal(read_at(s, 0, sizeof(got), got, &k), 0);
		assert_true(read_to_end(s, 100, 4096, want, n) == n);
		docstream_free(s);
		free(want);
	}
}

static void
a_failure_in_the_middle_costs_one_read_and_no_document(void **state)
{
	struct docstream *s;
	uint64_t off = 0, faulty = 0;
	unsigned failed = 0;
	char *want, *got = malloc(64 * KIB);
	size_t n, k;

	(void)state;
	docs.n = 20000;
	docs.least = 300;
	want = docs_text(0, docs.n, &n);
	assert_non_null(got);
	s = open_all();
	atomic_store(&docs.fail_no, EIO);
	do {
		if (off >= faulty) {
			faulty = off + MIB / 2;
			atomic_store(&docs.fail_next, 3); /* prefetches too */
		}
		if (read_at(s, off, 64 * KIB, got, &k) != 0) {
			failed++;
			k = 1;
			continue;
		}
		assert_memory_equal(got, want + off, k);
		off += k;
	} while (k > 0);
	assert_true(off == n);
	assert_true(failed > 0);
	docstream_free(s);
	free(want);
	free(got);
}

static void
a_failed_prefetch_fails_nobody_and_is_not_repeated(void **state)
{
	struct docstream *s;
	char got[100], *want;
	unsigned requests, before;
	size_t n, k;

	(void)state;
	docs.n = 5000;
	want = docs_text(0, docs.n, &n);
	s = open_all();
	docs_set_gate(true);
	atomic_store(&docs.fail_no, EIO);
	struct reader first;

	start(&first, s, 0, 100);
	while (atomic_load(&docs.at_gate) == 0)
		usleep(1000);
	docs_set_gate(false);
	wait_done(&first);
	atomic_store(&docs.fail_next, UINT32_MAX);
	before = atomic_load(&docs.requests);
	docstream_read_release(&first.r);
	usleep(200000);
	requests = atomic_load(&docs.requests);
	assert_true(requests <= before + 2);
	usleep(200000);
	assert_true(atomic_load(&docs.requests) == requests); /* nobody waits: nobody tries */
	atomic_store(&docs.fail_next, 0);
	assert_int_equal(read_at(s, 0, sizeof(got), got, &k), 0);
	assert_true(read_to_end(s, 100, 64 * KIB, want, n) == n);
	docstream_free(s);
	free(want);
}

static void
a_document_that_does_not_verify_ends_the_stream_at_its_line(void **state)
{
	static const unsigned bad[] = { 0, 1, 999, 1000, 3456, 4999 };

	(void)state;
	docs.n = 5000;
	docs.least = 300;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct docstream *s = open_all();
		char *want, *got = malloc(64 * KIB), name[32];
		struct reader rd;
		uint64_t off = 0;
		size_t n, k = 1;
		unsigned requests;

		docs.bad = bad[i];
		want = docs_text(0, docs.bad, &n);
		assert_non_null(got);
		while (off < n) {
			const size_t left = n - off < 64 * KIB ? n - off : 64 * KIB;

			assert_int_equal(read_at(s, off, left, got, &k), 0);
			assert_int_equal(k, left);
			assert_memory_equal(got, want + off, k);
			off += k;
		}
		requests = 0;
		for (int again = 0; again < 3; again++) {
			/* A read that would reach it fails whole, wherever it begins. */
			start(&rd, s, again == 0 && n > 0 ? n - 1 : n + (again == 2 ? 12345 : 0),
			      4096);
			wait_done(&rd);
			assert_int_equal(rd.r.e.no, EBADMSG);
			(void)snprintf(name, sizeof(name), "document 'd/%u': /ssn", docs.bad);
			assert_non_null(strstr(rd.r.e.text, name));
			docstream_read_release(&rd.r);
			if (again == 0) {
				usleep(20000); /* what is under way comes to its end */
				requests = atomic_load(&docs.requests);
			}
		}
		assert_int_equal(atomic_load(&docs.requests), requests);
		docstream_free(s);
		free(want);
		free(got);
	}
}

static void
a_page_that_fails_for_good_ends_the_stream(void **state)
{
	static const int lasting[] = { ESTALE, EACCES, ENOENT, EBADMSG };

	(void)state;
	docs.n = 1000;
	for (size_t i = 0; i < ARRAY_LEN(lasting); i++) {
		struct docstream *s = open_all();
		char got[10];
		size_t k;

		atomic_store(&docs.fail_no, lasting[i]);
		atomic_store(&docs.fail_next, 1);
		for (int again = 0; again < 2; again++)
			assert_int_equal(read_at(s, 0, 10, got, &k), lasting[i]);
		assert_int_equal(atomic_load(&docs.noted), lasting[i]);
		docstream_free(s);
	}
}

/* Text of pages before it is still good: their readers get it first. */
static void
a_page_that_fails_for_good_fails_behind_the_text_before_it(void **state)
{
	struct docstream *s = open_all();
	char *want, *got = malloc(MIB);
	uint64_t off = 0;
	size_t n, k = 0;
	int no;

	(void)state;
	docs.n = 3000;
	docs.least = 300;
	want = docs_text(0, 100, &n);
	assert_non_null(got);
	atomic_store(&docs.document_us, 20);
	assert_int_equal(read_at(s, 0, 1, got, &k), 0);
	atomic_store(&docs.fail_no, ESTALE);
	atomic_store(&docs.fail_next, UINT32_MAX);
	while ((no = read_at(s, off, 10000, got, &k)) == 0 && k > 0)
		off += k;
	assert_int_equal(no, ESTALE);
	assert_true(off >= n);
	docstream_free(s);
	free(want);
	free(got);
}

static void
a_vault_that_is_away_fails_a_read_and_loses_no_document(void **state)
{
	struct docstream *s = open_all();
	struct reader rd;
	char *want, got[100];
	uint64_t off = 0;
	size_t n, k;
	int failed = 0;

	(void)state;
	docs.n = 5000;
	docs.least = 300;
	docs.unseal_fails_at = 1234;
	atomic_store(&docs.unseal_fails, 2);
	atomic_store(&docs.keys_fail, 1);
	want = docs_text(0, docs.n, &n);
	start(&rd, s, 0, sizeof(got));
	wait_done(&rd);
	assert_int_equal(rd.r.e.no, EIO);
	docstream_read_release(&rd.r);
	for (k = 1; k > 0;) {
		if (read_at(s, off, sizeof(got), got, &k) != 0) {
			failed++;
			k = 1;
			continue;
		}
		assert_memory_equal(got, want + off, k);
		off += k;
	}
	assert_true(off == n);
	assert_in_range(failed, 0, 2); /* who runs ahead fails nobody */
	docstream_free(s);
	free(want);
}

/* ---- the end ---- */

static void
closing_does_not_wait_for_what_runs(void **state)
{
	struct docstream *s = open_all();
	struct reader rd;
	char *got = malloc(MIB);
	int64_t began;

	(void)state;
	docs.n = 100000;
	assert_non_null(got);
	start(&rd, s, 0, 100);
	wait_done(&rd);
	docs_set_gate(true);
	docstream_read_release(&rd.r);
	start(&rd, s, 100, 100); /* makes room for another page */
	wait_done(&rd);
	began = clock_now_ns();
	docstream_free(s);
	assert_true(clock_now_ns() - began < 5 * NS_PER_S);
	docstream_read_release(&rd.r); /* an answer may outlive its file */
	docs_set_gate(false);
	free(got);
}

static void
an_answer_stays_good_when_its_file_is_closed(void **state)
{
	struct docstream *s = open_all();
	struct reader rd;
	char *want, *got = malloc(MIB);
	size_t n;

	(void)state;
	docs.n = 10000;
	docs.least = 300;
	want = docs_text(0, docs.n, &n);
	assert_non_null(got);
	start(&rd, s, 1000, MIB);
	wait_done(&rd);
	docstream_free(s);
	assert_int_equal(copy(&rd.r, got), MIB);
	assert_memory_equal(got, want + 1000, MIB);
	docstream_read_release(&rd.r);
	free(want);
	free(got);
}

static void
streams_that_are_opened_and_closed_all_the_time(void **state)
{
	(void)state;
	docs.n = 100000;
	for (int i = 0; i < 100; i++) {
		struct docstream *s = open_all();
		char got[100];
		size_t k;

		assert_int_equal(read_at(s, (uint64_t)i * 5000, sizeof(got), got, &k), 0);
		assert_int_equal(k, sizeof(got));
		docstream_free(s);
	}
}

/* ---- memory and speed ---- */

static void
a_stream_runs_ahead_a_little_only(void **state)
{
	struct docstream *s = open_all();
	char got[100];
	unsigned requests = 0;
	size_t k;

	(void)state;
	docs.n = 1000000;
	docs.least = 500;
	assert_int_equal(read_at(s, 0, sizeof(got), got, &k), 0);
	for (int i = 0; i < 100 && atomic_load(&docs.requests) != requests; i++) {
		requests = atomic_load(&docs.requests);
		usleep(100000);
	}
	assert_true(requests > 1);
	assert_true(budget_used(engine_budget(engine), BUDGET_DATA) < 16 * MIB);
	docstream_free(s);
}

static void
pages_are_fetched_while_others_are_unsealed(void **state)
{
	struct docstream *s = open_all();
	size_t n;
	char *want;

	(void)state;
	docs.n = 3000;
	docs.page_items = 100;
	atomic_store(&docs.page_us, 2000);
	atomic_store(&docs.document_us, 20);
	want = docs_text(0, docs.n, &n);
	assert_true(read_to_end(s, 0, 128 * KIB, want, n) == n);
	assert_true(atomic_load(&docs.overlapped));
	assert_int_equal(atomic_load(&docs.most_unsealing), 1);
	docstream_free(s);
	free(want);
}

static void *
read_a_stream(void *arg)
{
	struct docstream *s = open_all();

	(void)arg;
	assert_true(read_to_end(s, 0, MIB, crowd.want, crowd.n) == crowd.n);
	docstream_free(s);
	return NULL;
}

/* The smallest memory= there is, and documents as long as they get. */
static void
streams_of_long_documents_share_16_mib(void **state)
{
	pthread_t id[3];
	char *want;

	(void)state;
	docs.n = 40;
	docs.least = 2 * MIB - 1000;
	want = docs_text(0, docs.n, &crowd.n);
	crowd.want = want;
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		assert_int_equal(pthread_create(&id[i], NULL, read_a_stream, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		(void)pthread_join(id[i], NULL);
	free(want);
}

/* Whoever has paused keeps a part of the memory only. */
static void
many_paused_streams_stop_nobody(void **state)
{
	enum { PAUSED = 30 };
	struct docstream *paused[PAUSED], *s;
	char got[100], *want;
	size_t n, k;

	(void)state;
	docs.n = 20000;
	docs.least = 1000;
	want = docs_text(0, docs.n, &n);
	for (int i = 0; i < PAUSED; i++) {
		paused[i] = open_all();
		assert_int_equal(read_at(paused[i], 0, sizeof(got), got, &k), 0);
	}
	usleep(200000);
	s = open_all();
	assert_true(read_to_end(s, 0, MIB, want, n) == n);
	docstream_free(s);
	for (int i = 0; i < PAUSED; i++)
		docstream_free(paused[i]);
	free(want);
}

/* ---- measuring ---- */

static void
measuring_counts_what_a_reader_would_get(void **state)
{
	struct err e = { 0 };
	uint64_t size = 1;
	size_t n;
	char *want;

	(void)state;
	docs.n = 2500;
	docs.empty_every = 2;
	want = docs_text(0, docs.n, &n);
	assert_int_equal(docstream_measure(&box, "", "FF", 60 * NS_PER_S, &size, &e), 0);
	assert_true(size == n);
	docs.bad = 2000;
	size = 1;
	assert_int_equal(docstream_measure(&box, "", "FF", 60 * NS_PER_S, &size, &e), -EBADMSG);
	assert_true(size == 1);
	err_clear(&e);
	atomic_store(&docs.fail_no, EIO);
	atomic_store(&docs.fail_next, 1);
	assert_int_equal(docstream_measure(&box, "", "FF", 60 * NS_PER_S, &size, &e), -EIO);
	docs.n = 0;
	err_clear(&e);
	assert_int_equal(docstream_measure(&box, "", "FF", 60 * NS_PER_S, &size, &e), 0);
	assert_true(size == 0);
	free(want);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t)	 cmocka_unit_test_setup_teardown(t, set_up, tear_down)
#define MANY(t)	 cmocka_unit_test_setup_teardown(t, set_up, tear_down_many)
#define SMALL(t) cmocka_unit_test_setup_teardown(t, set_up_small, tear_down_many)
		WITH(every_document_comes_once_and_in_order_whatever_the_reads),
		WITH(reads_of_one_byte),
		MANY(at_the_end_and_past_it_there_is_nothing),
		WITH(an_empty_container_costs_one_request),
		WITH(nothing_is_asked_for_before_the_first_read),
		WITH(what_lies_behind_the_window_is_espipe_and_inside_it_is_kept),
		WITH(a_read_far_ahead_waits_and_what_lies_between_is_passed_over),
		WITH(a_read_ends_at_its_deadline_and_the_stream_goes_on),
		WITH(many_threads_read_one_handle),
		WITH(a_page_that_fails_for_now_fails_who_waits_and_is_tried_again),
		WITH(a_failure_in_the_middle_costs_one_read_and_no_document),
		WITH(a_failed_prefetch_fails_nobody_and_is_not_repeated),
		MANY(a_document_that_does_not_verify_ends_the_stream_at_its_line),
		WITH(a_page_that_fails_for_good_ends_the_stream),
		WITH(a_page_that_fails_for_good_fails_behind_the_text_before_it),
		WITH(a_vault_that_is_away_fails_a_read_and_loses_no_document),
		WITH(closing_does_not_wait_for_what_runs),
		WITH(an_answer_stays_good_when_its_file_is_closed),
		MANY(streams_that_are_opened_and_closed_all_the_time),
		WITH(a_stream_runs_ahead_a_little_only),
		WITH(pages_are_fetched_while_others_are_unsealed),
		SMALL(streams_of_long_documents_share_16_mib),
		MANY(many_paused_streams_stop_nobody),
		WITH(measuring_counts_what_a_reader_would_get),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
