/* SPDX-License-Identifier: MIT */
/* The span cache: right bytes or a reason, one GET for all who wait, memory within its limit. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/num.h"
#include "fs/engine.h"
#include "fs/spans.h"
#include "tests/unit/fs/fakestore.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

static struct engine *engine;
static struct fake_store store;

/* ---- a read that is waited for ---- */

struct reader {
	struct view_read r; /* first */
	pthread_mutex_t mu;
	pthread_cond_t cond;
	bool done;
};

static void
on_done(struct view_read *r)
{
	struct reader *rd = (struct reader *)(void *)r;

	mutex_lock(&rd->mu);
	rd->done = true;
	(void)pthread_cond_signal(&rd->cond);
	mutex_unlock(&rd->mu);
}

static void
start(struct reader *rd, struct version *v, struct ahead *a, uint64_t off, size_t len)
{
	*rd = (struct reader){ .r = { .off = off, .len = len, .done = on_done },
			       .mu = PTHREAD_MUTEX_INITIALIZER,
			       .cond = PTHREAD_COND_INITIALIZER };
	rd->r.deadline = deadline_in(60 * NS_PER_S);
	spans_read(v, a, &rd->r);
}

static void
wait_done(struct reader *rd)
{
	mutex_lock(&rd->mu);
	while (!rd->done)
		(void)pthread_cond_wait(&rd->cond, &rd->mu);
	mutex_unlock(&rd->mu);
}

static bool
is_done(struct reader *rd)
{
	bool done;

	mutex_lock(&rd->mu);
	done = rd->done;
	mutex_unlock(&rd->mu);
	return done;
}

/* Whether the answer is exactly what it must be. */
static bool
is_right(const struct reader *rd, const struct fake_blob *b)
{
	size_t want = rd->r.off >= b->n_plain ? 0
					      : (size_t)u64_min(rd->r.len, b->n_plain - rd->r.off),
	       got = 0;

	for (unsigned i = 0; i < rd->r.n_pieces; i++) {
		const struct iovec *p = &rd->r.piece[i];

		if (got + p->iov_len > want ||
		    memcmp(p->iov_base, b->plain + rd->r.off + got, p->iov_len) != 0)
			return false;
		got += p->iov_len;
	}
	return got == want;
}

/* Reads and lets go; 0 when the bytes are right, a positive errno, or -1 for wrong bytes. */
static int
read_at(struct version *v, struct ahead *a, const struct fake_blob *b, uint64_t off, size_t len)
{
	struct reader rd;
	int no;

	start(&rd, v, a, off, len);
	wait_done(&rd);
	no = rd.r.e.no != 0 ? rd.r.e.no : is_right(&rd, b) ? 0 : -1;
	spans_read_release(&rd.r);
	return no;
}

/* ---- an engine and a store for each test ---- */

static int
set_up_memory(uint64_t memory)
{
	const struct engine_config cfg = { .memory = memory, .timeout_ns = 60 * NS_PER_S };
	struct err e = { 0 };

	fake_init(&store);
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

/* Whatever a test did: all memory comes back. */
static int
tear_down(void **state)
{
	(void)state;
	engine_drain(engine);
	engine_free(engine); /* asserts that no version, no span and no charged byte is left */
	fake_clear(&store);
	return 0;
}

/* ---- one reader ---- */

static const struct {
	uint64_t region;
	size_t plain;
} shapes[] = {
	{ 4 * MIB, 1 },
	{ 4 * MIB, 4 * MIB },
	{ 4 * MIB, 4 * MIB + 1 },
	{ 4 * MIB, 9 * MIB + 77 },
	{ 64 * KIB, 65535 },
	{ 64 * KIB, 65536 },
	{ 64 * KIB, 5 * MIB + 3 },
	{ 1000, 9 * MIB },
	{ 3 * MIB, 7 * MIB },
	{ 1, 300000 },
	{ 16, 100 },
};

static void
reads_are_right_at_every_edge(void **state)
{
	static const int64_t around[] = { -MIB, -4097, -1, 0, 1, 4096 };
	static const size_t lens[] = { 1, 4096, 128 * KIB, VIEW_READ_MAX };

	(void)state;
	for (size_t s = 0; s < ARRAY_LEN(shapes); s++) {
		const struct fake_blob *b = fake_add(&store, shapes[s].region, shapes[s].plain);
		struct version *v = fake_open(engine_spans(engine), &store, b);
		const uint64_t span = version_layout(v)->span_len;
		const uint64_t at[] = { 0, span, 2 * span, b->n_plain };
		struct ahead a = { 0 };

		for (size_t i = 0; i < ARRAY_LEN(at) * ARRAY_LEN(around) * ARRAY_LEN(lens); i++) {
			int64_t off = (int64_t)at[i % 4] + around[i / 4 % 6];

			if (off >= 0)
				assert_int_equal(read_at(v, &a, b, (uint64_t)off, lens[i / 24]), 0);
		}
		fake_close(v);
	}
}

/* Regions of one byte make the shortest spans there are: a long read touches five of them. */
static void
a_read_may_touch_as_many_spans_as_there_are_pieces(void **state)
{
	const struct fake_blob *b = fake_add(&store, 1, 2 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };

	(void)state;
	assert_int_equal(version_layout(v)->span_len, 256 * KIB);
	assert_int_equal(read_at(v, &a, b, 4096, VIEW_READ_MAX), 0);
	assert_int_equal(read_at(v, &a, b, 256 * KIB - 1, VIEW_READ_MAX), 0);
	fake_close(v);
}

static void
at_and_past_the_end_there_is_nothing(void **state)
{
	struct fake_blob *b = fake_add(&store, 64 * KIB, 1000);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };

	(void)state;
	assert_int_equal(read_at(v, &a, b, 1000, 1), 0);
	assert_int_equal(read_at(v, &a, b, UINT64_C(1) << 62, 4096), 0);
	assert_int_equal(atomic_load(&b->gets), 0);
	fake_close(v);
}

/* ---- many readers ---- */

static void
wait_at_gate(unsigned n)
{
	for (int i = 0; i < 5000 && atomic_load(&store.at_gate) < n; i++)
		usleep(1000);
	assert_true(atomic_load(&store.at_gate) >= n);
}

static void
all_who_want_a_span_wait_for_one_get(void **state)
{
	enum { N = 50 };
	static struct reader rd[N];
	struct fake_blob *b = fake_add(&store, 4 * MIB, 3 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a[N] = { 0 };

	(void)state;
	fake_set_gate(&store, true);
	for (int i = 0; i < N; i++)
		start(&rd[i], v, &a[i], (uint64_t)i * 4096, 4096);
	wait_at_gate(1);
	for (int i = 0; i < N; i++)
		assert_false(is_done(&rd[i]));
	fake_set_gate(&store, false);
	for (int i = 0; i < N; i++) {
		wait_done(&rd[i]);
		assert_int_equal(rd[i].r.e.no, 0);
		assert_true(is_right(&rd[i], b));
		spans_read_release(&rd[i].r);
	}
	assert_int_equal(atomic_load(&b->gets), 1);
	fake_close(v);
}

static void
a_failed_load_fails_its_waiters_and_the_next_read_tries_again(void **state)
{
	struct fake_blob *b = fake_add(&store, 4 * MIB, 3 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a[2] = { 0 };
	struct reader one, two;

	(void)state;
	fake_set_gate(&store, true);
	atomic_store(&store.fail_next, 1);
	start(&one, v, &a[0], 0, 4096);
	start(&two, v, &a[1], 8192, 4096);
	wait_at_gate(1);
	fake_set_gate(&store, false);
	wait_done(&one);
	wait_done(&two);
	assert_int_equal(one.r.e.no, EIO);
	assert_int_equal(two.r.e.no, EIO);
	assert_string_equal(two.r.e.key, "test");
	spans_read_release(&one.r);
	spans_read_release(&two.r);
	assert_int_equal(atomic_load(&b->gets), 1);
	assert_int_equal(read_at(v, &a[0], b, 0, 4096), 0);
	fake_close(v);
}

/* Nobody asked for what was fetched ahead: its failure is nobody's, who waits asks for it anew. */
static void
a_failed_prefetch_fails_nobody(void **state)
{
	struct fake_blob *b = fake_add(&store, 4 * MIB, 8 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };
	struct reader rd;

	(void)state;
	assert_int_equal(read_at(v, &a, b, 0, MIB), 0);
	fake_set_gate(&store, true);
	atomic_store(&store.fail_next, 1);
	assert_int_equal(read_at(v, &a, b, MIB, MIB), 0); /* starts span 1 */
	wait_at_gate(1);
	start(&rd, v, &a, 4 * MIB, MIB);
	assert_false(is_done(&rd));
	fake_set_gate(&store, false);
	wait_done(&rd);
	assert_int_equal(rd.r.e.no, 0);
	assert_true(is_right(&rd, b));
	spans_read_release(&rd.r);
	fake_close(v);
}

static void
a_damaged_region_fails_the_reads_that_touch_it_and_no_other(void **state)
{
	struct fake_blob *b = fake_add(&store, 64 * KIB, MIB);
	struct version *v;
	struct ahead a = { 0 };

	(void)state;
	b->stored[3 * (64 * KIB + REGION_OVERHEAD) + 100] ^= 1;
	v = fake_open(engine_spans(engine), &store, b);
	assert_int_equal(read_at(v, &a, b, 0, 3 * 64 * KIB), 0);
	assert_int_equal(read_at(v, &a, b, 4 * 64 * KIB, 12 * 64 * KIB), 0);
	assert_int_equal(read_at(v, &a, b, 3 * 64 * KIB - 1, 2), EBADMSG);
	assert_int_equal(read_at(v, &a, b, 4 * 64 * KIB - 1, 1), EBADMSG);
	assert_int_equal(read_at(v, &a, b, 0, MIB), EBADMSG);
	assert_int_equal(atomic_load(&b->gets), 1);
	fake_close(v);
}

/* Memory of damage is bounded: beyond it all that follows in the span counts as damaged. */
static void
more_damaged_regions_than_are_remembered_spoil_the_rest_of_their_span(void **state)
{
	struct fake_blob *b = fake_add(&store, 1, 12000);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };

	(void)state;
	for (size_t i = 0; i < b->n_plain; i += 2)
		b->stored[i * (1 + REGION_OVERHEAD) + REGION_NONCE_LEN] ^= 1;
	assert_int_equal(read_at(v, &a, b, 1, 1), 0);
	assert_int_equal(read_at(v, &a, b, 2, 1), EBADMSG);
	assert_int_equal(read_at(v, &a, b, 2 * BAD_REGIONS_MAX - 3, 1), 0);
	assert_int_equal(read_at(v, &a, b, 2 * BAD_REGIONS_MAX - 1, 1), EBADMSG);
	assert_int_equal(read_at(v, &a, b, b->n_plain - 1, 1), EBADMSG);
	fake_close(v);
}

static void
another_size_under_the_same_etag_is_refused(void **state)
{
	struct fake_blob *b = fake_add(&store, 64 * KIB, MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };
	struct reader rd;

	(void)state;
	store.grown = 1;
	start(&rd, v, &a, 0, 4096);
	wait_done(&rd);
	assert_int_equal(rd.r.e.no, EIO);
	assert_string_equal(rd.r.e.event, "net.protocol");
	spans_read_release(&rd.r);
	fake_close(v);
}

/* ---- memory ---- */

static void
memory_stays_within_the_limit(void **state)
{
	struct fake_blob *b = fake_add(&store, 4 * MIB, 40 * MIB);
	struct budget *budget = engine_budget(engine);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };

	(void)state;
	for (uint64_t off = 0; off < b->n_plain; off += MIB) {
		assert_int_equal(read_at(v, &a, b, off, MIB), 0);
		assert_true(budget_used(budget, BUDGET_DATA) <= budget_limit(budget, BUDGET_DATA));
	}
	fake_close(v);
}

/*
 * As the kernel reads a file: several requests on their way, some of them across two spans, of a
 * store that is far enough for the deepest read-ahead.
 */
static void
a_sequential_reader_fetches_each_span_once(void **state)
{
	enum { WINDOW = 8, LEN = 256 << 10, SHIFT = 100 << 10, SPANS = 20 };
	struct fake_blob *b = fake_add(&store, 4 * MIB, SPANS * 4 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct reader rd[WINDOW];
	struct ahead a = { 0 };
	unsigned n = 0;

	(void)state;
	atomic_store(&store.far_us, 5000);
	for (uint64_t off = SHIFT; off < b->n_plain; off += LEN, n++) {
		struct reader *r = &rd[n % WINDOW];

		if (n >= WINDOW) {
			wait_done(r);
			assert_true(is_right(r, b));
			spans_read_release(&r->r);
		}
		start(r, v, &a, off, LEN);
	}
	for (unsigned i = 0; i < WINDOW; i++) {
		wait_done(&rd[i]);
		spans_read_release(&rd[i].r);
	}
	assert_int_equal(atomic_load(&b->gets), SPANS);
	fake_close(v);
}

/* A large span needs room: as many small ones go as make that room, not all there are. */
static void
no_more_is_evicted_than_is_needed(void **state)
{
	enum { N = 8 };
	struct version *small[N], *large;
	struct ahead a = { 0 };
	struct spans *s = engine_spans(engine);
	struct budget *budget = engine_budget(engine);
	struct fake_blob *b;
	uint64_t ballast;
	unsigned left = 0;

	(void)state;
	for (int i = 0; i < N; i++) {
		b = fake_add(&store, 64 * KIB, 900 * KIB);
		small[i] = fake_open(s, &store, b);
		assert_int_equal(read_at(small[i], &a, b, 0, 4096), 0);
	}
	ballast = budget_limit(budget, BUDGET_DATA) - budget_used(budget, BUDGET_DATA) - MIB;
	assert_true(budget_try(budget, BUDGET_DATA, ballast)); /* 1 MiB is left */
	b = fake_add(&store, 4 * MIB, 4 * MIB);
	large = fake_open(s, &store, b);
	assert_int_equal(read_at(large, &a, b, 5, 4096), 0);
	for (int i = 0; i < N; i++)
		left += version_has_span(small[i], 0);
	assert_in_range(left, 3, 4);
	assert_true(version_has_span(large, 0));
	budget_give(budget, BUDGET_DATA, ballast);
	for (int i = 0; i < N; i++)
		fake_close(small[i]);
	fake_close(large);
}

/* Most of the time the cache is full: then, too, a sequential reader finds its bytes there. */
static void
a_full_cache_still_fetches_ahead(void **state)
{
	struct fake_blob *b = fake_add(&store, 4 * MIB, 160 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct spans_stats before, after;
	struct ahead a = { 0 };
	uint64_t off = 0;

	(void)state;
	for (; off < 80 * MIB; off += MIB)
		assert_int_equal(read_at(v, &a, b, off, MIB), 0);
	spans_stats(engine_spans(engine), &before);
	assert_true(before.evictions > 0);
	for (; off < 160 * MIB; off += MIB)
		assert_int_equal(read_at(v, &a, b, off, MIB), 0);
	spans_stats(engine_spans(engine), &after);
	assert_true(after.loads - before.loads <= 4); /* of 20 spans */
	assert_int_equal(atomic_load(&b->gets), 40);  /* and none twice */
	fake_close(v);
}

static void
a_span_that_is_held_stays_until_it_is_let_go(void **state)
{
	struct fake_blob *b = fake_add(&store, 4 * MIB, 8 * MIB),
			 *c = fake_add(&store, 4 * MIB, 24 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct version *w = fake_open(engine_spans(engine), &store, c);
	struct ahead a = { 0 }, a2 = { 0 };
	struct reader rd;

	(void)state;
	start(&rd, v, &a, 100, 4096);
	wait_done(&rd);
	fake_close(v); /* its bytes outlive it */
	for (uint64_t off = 0; off < c->n_plain; off += MIB)
		assert_int_equal(read_at(w, &a2, c, off, MIB), 0);
	assert_true(is_right(&rd, b));
	spans_read_release(&rd.r);
	fake_close(w);
}

static void
a_load_that_starts_after_the_last_close_is_cancelled(void **state)
{
	struct fake_blob *b = fake_add(&store, 4 * MIB, 20 * MIB);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct ahead a = { 0 };
	unsigned gets;

	(void)state;
	assert_int_equal(read_at(v, &a, b, 0, MIB), 0);
	version_close(v);
	gets = atomic_load(&b->gets);
	assert_int_equal(read_at(v, &a, b, 16 * MIB, MIB), ECANCELED);
	assert_int_equal(atomic_load(&b->gets), gets);
	version_put(v);
}

/* ---- filling from outside ---- */

static void
a_span_filled_from_outside_is_read_without_a_get(void **state)
{
	struct fake_blob *b = fake_add(&store, 64 * KIB, MIB + 5);
	struct version *v = fake_open(engine_spans(engine), &store, b);
	struct key_ref *key = fake_key_ref();
	struct span_fill *f;
	struct ahead a = { 0 };
	struct err e = { 0 };

	(void)state;
	assert_int_equal(span_fill_new(v, 0, key, deadline_in(NS_PER_S), &f, &e), 0);
	for (int attempt = 0; attempt < 2; attempt++) { /* the first is broken off */
		assert_int_equal(span_fill_begin(f, &e), 0);
		assert_int_equal(
			span_fill_data(f, span_of(b->stored, attempt == 0 ? 70000 : b->n_stored),
				       &e),
			0);
	}
	assert_int_equal(span_fill_finish(f, &e), 0);
	assert_true(version_has_span(v, 0));
	assert_int_equal(read_at(v, &a, b, 0, MIB), 0);
	assert_int_equal(read_at(v, &a, b, MIB, 100), 0);
	assert_int_equal(atomic_load(&b->gets), 0);
	/* Once more: the span is there already, and this one goes. */
	assert_int_equal(span_fill_new(v, 0, key, deadline_in(NS_PER_S), &f, &e), 0);
	assert_int_equal(span_fill_begin(f, &e), 0);
	assert_int_equal(span_fill_data(f, span_of(b->stored, b->n_stored), &e), 0);
	assert_int_equal(span_fill_finish(f, &e), 0);
	/* And one that is given up in the middle. */
	assert_int_equal(span_fill_new(v, 0, key, deadline_in(NS_PER_S), &f, &e), 0);
	assert_int_equal(span_fill_begin(f, &e), 0);
	assert_int_equal(span_fill_data(f, span_of(b->stored, 1000), &e), 0);
	span_fill_abandon(f);
	key_ref_put(key);
	fake_close(v);
}

/* ---- the storm ---- */

enum { THREADS = 64, FILES = 8 };

static struct {
	struct version *v[FILES];
	const struct fake_blob *b[FILES];
	atomic_uint wrong, failed, late, right;
	int64_t until;
} storm;

static void *
storm_reader(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg * 7919 + 1;
	struct ahead a = { 0 };
	uint64_t off = 0;

	while (clock_now_ns() < storm.until) {
		unsigned i;
		size_t len;
		int no;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		i = (unsigned)(x >> 33) % FILES;
		len = 1 + (size_t)(x >> 20) % VIEW_READ_MAX;
		off = (x >> 60) < 8 ? off + len
				    : (x >> 13) % storm.b[i]->n_plain; /* half of them go on */
		if (off >= storm.b[i]->n_plain)
			off = 0;
		no = read_at(storm.v[i], &a, storm.b[i], off, len);
		if (no < 0)
			atomic_fetch_add(&storm.wrong, 1);
		else if (no == 0)
			atomic_fetch_add(&storm.right, 1);
		else if (no == EIO || no == ETIMEDOUT)
			atomic_fetch_add(no == EIO ? &storm.failed : &storm.late, 1);
		else
			atomic_fetch_add(&storm.wrong, 1);
	}
	return NULL;
}

static void
a_storm_of_readers_with_little_memory_and_faults_never_reads_a_wrong_byte(void **state)
{
	const char *seconds = getenv("AZC_STRESS_SECONDS");
	struct spans *s = engine_spans(engine);
	struct spans_stats stats;
	pthread_t id[THREADS];

	(void)state;
	memset(&storm, 0, sizeof(storm));
	for (int i = 0; i < FILES; i++) {
		storm.b[i] = fake_add(&store, i % 2 ? 64 * KIB : 4 * MIB,
				      (size_t)(i % 2 ? 5 : 13) * MIB + (size_t)i);
		storm.v[i] = fake_open(s, &store, storm.b[i]);
	}
	atomic_store(&store.percent, 5);
	storm.until = deadline_in((seconds != NULL ? atoi(seconds) : 2) * NS_PER_S).at_ns;
	for (uintptr_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&id[i], NULL, storm_reader, (void *)i), 0);
	for (int i = 0; i < THREADS; i++)
		(void)pthread_join(id[i], NULL);
	spans_stats(s, &stats);
	print_message("storm: %u right, %u EIO, %u ETIMEDOUT; %llu hits %llu loads %llu ahead %llu "
		      "evicted\n",
		      atomic_load(&storm.right), atomic_load(&storm.failed),
		      atomic_load(&storm.late), (unsigned long long)stats.hits,
		      (unsigned long long)stats.loads, (unsigned long long)stats.ahead_loads,
		      (unsigned long long)stats.evictions);
	assert_int_equal(atomic_load(&storm.wrong), 0);
	assert_true(atomic_load(&storm.right) > 100);
	for (int i = 0; i < FILES; i++)
		fake_close(storm.v[i]);
}

/* Files come and go while others read: versions are shared, keys end with the last opener. */
static void *
opener(void *arg)
{
	uint64_t x = (uint64_t)(uintptr_t)arg + 99;

	while (clock_now_ns() < storm.until) {
		struct version *v;
		struct ahead a = { 0 };
		unsigned i;
		int no;

		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		i = (unsigned)(x >> 33) % FILES;
		v = fake_open(engine_spans(engine), &store, storm.b[i]);
		no = read_at(v, &a, storm.b[i], (x >> 13) % storm.b[i]->n_plain, 4096);
		if (no == 0)
			no = read_at(v, &a, storm.b[i], 0, MIB);
		atomic_fetch_add(no == 0 ? &storm.right : &storm.wrong, 1);
		fake_close(v);
	}
	return NULL;
}

static void
files_that_come_and_go_leave_nothing_behind(void **state)
{
	pthread_t id[16];

	(void)state;
	memset(&storm, 0, sizeof(storm));
	for (int i = 0; i < FILES; i++)
		storm.b[i] = fake_add(&store, 64 * KIB, (size_t)(i + 1) * MIB);
	storm.until = deadline_in(NS_PER_S).at_ns;
	for (uintptr_t i = 0; i < ARRAY_LEN(id); i++)
		assert_int_equal(pthread_create(&id[i], NULL, opener, (void *)i), 0);
	for (size_t i = 0; i < ARRAY_LEN(id); i++)
		(void)pthread_join(id[i], NULL);
	assert_int_equal(atomic_load(&storm.wrong), 0);
	assert_true(atomic_load(&storm.right) > 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
#define WITH(t)	 cmocka_unit_test_setup_teardown(t, set_up, tear_down)
#define SMALL(t) cmocka_unit_test_setup_teardown(t, set_up_small, tear_down)
		WITH(reads_are_right_at_every_edge),
		WITH(a_read_may_touch_as_many_spans_as_there_are_pieces),
		WITH(at_and_past_the_end_there_is_nothing),
		WITH(all_who_want_a_span_wait_for_one_get),
		WITH(a_failed_load_fails_its_waiters_and_the_next_read_tries_again),
		WITH(a_failed_prefetch_fails_nobody),
		WITH(a_damaged_region_fails_the_reads_that_touch_it_and_no_other),
		WITH(more_damaged_regions_than_are_remembered_spoil_the_rest_of_their_span),
		WITH(another_size_under_the_same_etag_is_refused),
		SMALL(memory_stays_within_the_limit),
		WITH(a_sequential_reader_fetches_each_span_once),
		WITH(no_more_is_evicted_than_is_needed),
		WITH(a_full_cache_still_fetches_ahead),
		SMALL(a_span_that_is_held_stays_until_it_is_let_go),
		WITH(a_load_that_starts_after_the_last_close_is_cancelled),
		WITH(a_span_filled_from_outside_is_read_without_a_get),
		SMALL(files_that_come_and_go_leave_nothing_behind),
		SMALL(a_storm_of_readers_with_little_memory_and_faults_never_reads_a_wrong_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
