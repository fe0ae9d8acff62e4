/* SPDX-License-Identifier: MIT */
/*
 * fs/staging against a plain array of bytes, with a file of its own making: it counts, has no room
 * when it is told so, and can be altered.  (The real one: test_staging_file.c.)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/num.h"
#include "fs/stagingchunk.h"
#include "fs/stagingfile.h"
#include "tests/unit/fs/stagingworld.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { OPS = 3000 };
#else
enum { OPS = 34000 };
#endif
enum { C = STAGING_CHUNK, CHUNKS = 24, MODEL_MAX = CHUNKS * C - 77, PIECE_MAX = 3 * C };

/* ---- the file: in place of fs/stagingfile.c ---- */

static struct {
	uint8_t *slot[CHUNKS];
	unsigned uses; /* reads and writes */
	bool full;
} file;

int
staging_file_write(struct staging_file *f, const char *dir, uint64_t slot, const uint8_t *p,
		   struct err *e)
{
	(void)dir;
	file.uses++;
	assert_true(slot < CHUNKS);
	if (file.full) {
		(void)err_set(e, ENOSPC, "no room");
		return err_mark(e, "local.space", NULL);
	}
	f->fd = 1000;
	if (file.slot[slot] == NULL)
		file.slot[slot] = malloc(C);
	assert_non_null(file.slot[slot]);
	memcpy(file.slot[slot], p, C);
	return 0;
}

int
staging_file_need(struct staging_file *f, const char *dir, struct err *e)
{
	(void)f;
	(void)dir;
	return file.full ? err_set(e, ENOSPC, "no room") : 0;
}

int
staging_file_read(const struct staging_file *f, uint64_t slot, uint8_t *p, struct err *e)
{
	(void)e;
	file.uses++;
	assert_int_equal(f->fd, 1000);
	assert_non_null(file.slot[slot]);
	memcpy(p, file.slot[slot], C);
	return 0;
}

void
staging_file_cut(struct staging_file *f, uint64_t slot)
{
	(void)f;
	for (; slot < CHUNKS; slot++) {
		free(file.slot[slot]);
		file.slot[slot] = NULL;
	}
}

void
staging_file_close(struct staging_file *f)
{
	staging_file_cut(f, 0);
	f->fd = -1;
}

/* ---- against a model ---- */

static struct {
	struct world w;
	uint8_t bytes[MODEL_MAX], got[MODEL_MAX], piece[PIECE_MAX];
	uint64_t size, near;
	uint64_t random;
	unsigned quick, slow;
	const uint8_t *lent; /* of n_lent bytes from lent_off on, or NULL */
	uint64_t lent_off;
	size_t n_lent;
	unsigned loans, away;
} m;

static uint64_t
draw(uint64_t below)
{
	m.random ^= m.random << 13;
	m.random ^= m.random >> 7;
	m.random ^= m.random << 17;
	return (m.random >> 11) % below;
}

/* Mostly near what was touched last, as programs do; sometimes at the edge of a chunk. */
static uint64_t
draw_offset(uint64_t below)
{
	uint64_t at = m.near + draw(40000);

	if (draw(64) == 0)
		at = draw(below);
	else if (draw(32) == 0)
		at = draw(CHUNKS) * C + draw(3) - u64_min(1, draw(2));
	m.near = at % below;
	return m.near;
}

static size_t
draw_length(void)
{
	static const size_t usual[] = { 1, 17, 4096, 9000, 131072, C, C + 1, 2 * C };

	return draw(256) == 0 ? 1 + draw(PIECE_MAX)
			      : 1 + draw(usual[draw(16) < 12 ? draw(4) : draw(ARRAY_LEN(usual))]);
}

/* Everything, while nothing fails. */
static void
expect_all(void)
{
	const bool base_fails = m.w.base_fails;
	struct err e = { 0 };

	m.w.base_fails = false;
	assert_int_equal(staging_size(m.w.s), m.size);
	memset(m.got, 0xee, sizeof(m.got));
	assert_int_equal(staging_read(m.w.s, 0, m.got, m.size, &e), 0);
	assert_memory_equal(m.got, m.bytes, m.size);
	m.w.base_fails = base_fails;
}

/* After a write that failed: each byte old or new, the size no more than it would have become. */
static void
settle(uint64_t off, size_t n)
{
	const bool base_fails = m.w.base_fails;
	const uint64_t size = staging_size(m.w.s);
	struct err e = { 0 };

	assert_true(size >= m.size && size <= u64_max(m.size, off + n));
	m.w.base_fails = false;
	assert_int_equal(staging_read(m.w.s, 0, m.got, size, &e), 0);
	m.w.base_fails = base_fails;
	for (uint64_t i = 0; i < size; i++)
		if (m.got[i] != m.bytes[i])
			assert_true(i >= off && i < off + n && m.got[i] == m.piece[i - off]);
	memcpy(m.bytes, m.got, size);
	m.size = size;
}

static void
take_back(bool put_away)
{
	const unsigned file_uses = file.uses;

	if (m.lent == NULL)
		return;
	assert_memory_equal(m.lent, m.bytes + m.lent_off, m.n_lent);
	if (put_away)
		staging_put_away(m.w.s);
	m.away += file.uses > file_uses;
	staging_take_back(m.w.s);
	m.lent = NULL;
}

/* Now and then a chunk is lent, while the others are written and all are read. */
static void
do_loan(void)
{
	uint64_t off;

	if (m.lent != NULL) {
		take_back(draw(8) > 0);
		return;
	}
	if (m.size == 0)
		return;
	off = draw_offset(m.size);
	m.n_lent = u64_min(1 + draw(C), m.size - off);
	m.lent = staging_lend(m.w.s, off, m.n_lent);
	m.lent_off = off;
	m.loans += m.lent != NULL;
	if (m.lent != NULL)
		assert_memory_equal(m.lent, m.bytes + off, m.n_lent);
}

static void
do_write(void)
{
	const uint64_t off = draw_offset(u64_min(MODEL_MAX, m.size + 2 * C));
	const size_t n = u64_min(draw_length(), MODEL_MAX - off);
	const uint8_t first = (uint8_t)draw(256);
	const bool quick = staging_is_quick(m.w.s, off, n);
	const unsigned file_uses = file.uses, base_reads = m.w.base_reads;
	struct err e = { 0 };
	int r;

	if (m.lent != NULL && off / C <= m.lent_off / C && (off + n - 1) / C >= m.lent_off / C)
		return;
	for (size_t i = 0; i < n; i++)
		m.piece[i] = (uint8_t)(first + i + (i >> 8));
	r = staging_write(m.w.s, off, span_of(m.piece, n), &e);
	m.quick += quick;
	m.slow += !quick;
	if (quick) {
		assert_int_equal(r, 0);
		assert_int_equal(file.uses, file_uses);
		assert_int_equal(m.w.base_reads, base_reads);
	}
	if (r < 0) {
		assert_true(file.full || m.w.base_fails);
		assert_int_equal(r, -e.no);
		settle(off, n);
		return;
	}
	memcpy(m.bytes + off, m.piece, n);
	m.size = u64_max(m.size, off + n);
}

static void
do_read(void)
{
	struct err e = { 0 };
	uint64_t off;
	size_t n;
	int r;

	if (m.size == 0)
		return;
	off = draw_offset(m.size);
	n = u64_min(draw_length(), m.size - off);
	r = staging_read(m.w.s, off, m.got, n, &e);
	if (r < 0)
		assert_true(m.w.base_fails && r == -EIO);
	else
		assert_memory_equal(m.got, m.bytes + off, n);
}

static void
do_truncate(void)
{
	const uint64_t size = draw(3) == 0 ? draw(MODEL_MAX) : draw_offset(MODEL_MAX);
	struct err e = { 0 };
	int r;

	take_back(true);
	r = staging_truncate(m.w.s, size, &e);
	if (r < 0) {
		const uint64_t now = staging_size(m.w.s);

		assert_true(r == -ENOSPC && file.full && now >= size && now <= m.size);
		memset(m.bytes + now, 0, m.size - now);
		m.size = now;
		return;
	}
	if (size < m.size)
		memset(m.bytes + size, 0, m.size - size);
	m.size = size;
}

static void
run_model(uint64_t left, uint64_t base_size, unsigned failing, uint64_t seed)
{
	memset(&m, 0, sizeof(m));
	memset(&file, 0, sizeof(file));
	m.random = seed;
	world_begin(&m.w, left, "/nowhere");
	if (base_size > 0)
		world_set_base(&m.w, base_size);
	m.size = base_size;
	for (uint64_t i = 0; i < base_size; i++)
		m.bytes[i] = world_base_byte(i);
	for (unsigned i = 0; i < OPS; i++) {
		const uint64_t what = draw(1000);

		if (draw(20) == 0)
			do_loan();
		if (what < 480)
			do_write();
		else if (what < 990)
			do_read();
		else
			do_truncate();
		if (failing > 0 && draw(50) == 0)
			m.w.base_fails = base_size > 0 && draw(failing) == 0;
		if (failing > 0 && draw(50) == 0)
			file.full = draw(failing) == 0;
		if (i % 1000 == 999)
			expect_all();
	}
	take_back(true);
	world_end(&m.w);
	assert_true(m.quick > OPS / 20 && m.loans > OPS / 100);
}

static void
behaves_like_an_array_when_memory_is_plenty(void **state)
{
	(void)state;
	run_model(UINT64_MAX, 0, 0, 11);
	assert_int_equal(file.uses, 0);
}

static void
behaves_like_an_array_when_nearly_all_lies_in_the_file(void **state)
{
	(void)state;
	run_model(0, 0, 0, 12);
	assert_true(file.uses > OPS / 100 && m.slow > 0 && m.away > 10);
}

static void
behaves_like_an_array_with_a_little_memory(void **state)
{
	(void)state;
	run_model(3 * C + 1000, 0, 0, 13);
	assert_true(file.uses > OPS / 500);
}

static void
behaves_like_an_array_over_a_base(void **state)
{
	(void)state;
	run_model(2 * C, 13 * C + 333, 0, 141);
	assert_true(m.w.base_reads > 10 && file.uses > OPS / 500);
}

static void
behaves_like_an_array_when_base_and_file_fail(void **state)
{
	(void)state;
	run_model(0, 20 * C + 1, 3, 15);
	run_model(5 * C, 9 * C, 3, 16);
	assert_true(file.uses > OPS / 500);
}

/* ---- one by one ---- */

static void
write_all(struct world *w, uint64_t off, uint8_t with, size_t n)
{
	struct err e = { 0 };

	assert_true(n <= sizeof(m.piece));
	memset(m.piece, with, n);
	assert_int_equal(staging_write(w->s, off, span_of(m.piece, n), &e), 0);
}

static void
expect_bytes(struct world *w, uint64_t off, uint8_t want, size_t n)
{
	struct err e = { 0 };

	assert_int_equal(staging_read(w->s, off, m.got, n, &e), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(m.got[i], want);
}

static void
a_full_disk_changes_nothing(void **state)
{
	struct err e = { 0 };
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	write_all(&w, 0, 1, C);
	write_all(&w, C, 2, C);
	file.full = true;
	assert_false(staging_is_quick(w.s, 2 * C, 10));
	memset(m.piece, 3, 10);
	assert_int_equal(staging_write(w.s, 2 * C, span_of(m.piece, 10), &e), -ENOSPC);
	assert_string_equal(e.event, "local.space");
	assert_int_equal(staging_size(w.s), 2 * C);
	expect_bytes(&w, 0, 1, C);
	expect_bytes(&w, C, 2, C);
	write_all(&w, 5, 4, 1); /* what is hot can still be written */
	file.full = false;
	write_all(&w, 2 * C, 3, 10);
	expect_bytes(&w, 5, 4, 1);
	expect_bytes(&w, 2 * C, 3, 10);
	world_end(&w);
}

static void
what_was_put_away_is_read_and_cut_on_a_full_disk(void **state)
{
	struct world w;
	struct err e = { 0 };

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 4; i++)
		write_all(&w, i * C, (uint8_t)(i + 1), C);
	file.full = true;
	expect_bytes(&w, 100, 1, 50);
	expect_bytes(&w, 0, 1, C);
	assert_int_equal(staging_truncate(w.s, C + 7, &e), 0); /* what is cut off makes room */
	expect_bytes(&w, C, 2, 7);
	assert_int_equal(staging_truncate(w.s, 2 * C, &e), 0);
	expect_bytes(&w, C + 7, 0, C - 7);
	world_end(&w);
}

static void
zeros_between_and_behind(void **state)
{
	struct world w;
	struct err e = { 0 };

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	world_set_base(&w, 3 * C);
	assert_int_equal(staging_truncate(w.s, C + 10, &e), 0);
	assert_int_equal(staging_truncate(w.s, 4 * C, &e), 0);
	expect_bytes(&w, C + 10, 0, 2 * C);
	write_all(&w, C + 20, 9, 1); /* fills from a base that ends before */
	expect_bytes(&w, C + 10, 0, 10);
	expect_bytes(&w, C + 21, 0, C);
	assert_int_equal(staging_read(w.s, C, m.got, 10, &e), 0);
	for (uint64_t i = 0; i < 10; i++)
		assert_int_equal(m.got[i], world_base_byte(C + i));
	world_end(&w);
}

static void
sizes_have_a_limit(void **state)
{
	const uint64_t limit = UINT64_C(1) << 46;
	struct world w;
	struct err e = { 0 };

	(void)state;
	world_begin(&w, UINT64_MAX, "/nowhere");
	assert_int_equal(staging_truncate(w.s, limit, &e), 0);
	assert_int_equal(staging_truncate(w.s, limit + 1, &e), -EFBIG);
	err_clear(&e);
	write_all(&w, limit - 1, 7, 1); /* a page of the table and its list, no more */
	expect_bytes(&w, limit - 1, 7, 1);
	expect_bytes(&w, limit / 2, 0, 100);
	memset(m.piece, 1, 2);
	assert_int_equal(staging_write(w.s, limit - 1, span_of(m.piece, 2), &e), -EFBIG);
	err_clear(&e);
	assert_int_equal(staging_write(w.s, UINT64_MAX, span_of(m.piece, 2), &e), -EFBIG);
	err_clear(&e);
	assert_int_equal(staging_read(w.s, limit - 1, m.got, 2, &e), -EINVAL);
	assert_int_equal(staging_size(w.s), limit);
	world_end(&w);
}

static void
another_byte_in_the_file_is_found_out(void **state)
{
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 6; i++)
		write_all(&w, i * C, (uint8_t)(i + 1), C);
	for (unsigned at = 0; at < C; at += C / 8 - 1) {
		struct err e = { 0 };

		file.slot[1][at] ^= 0x10;
		assert_int_equal(staging_read(w.s, C, m.got, C, &e), -EIO); /* straight */
		assert_string_equal(e.event, "local.staging");
		err_clear(&e);
		assert_int_equal(staging_read(w.s, C + 5, m.got, 9, &e), -EIO); /* made hot */
		err_clear(&e);
		assert_int_equal(staging_write(w.s, C + 5, span_of("x", 1), &e), -EIO);
		file.slot[1][at] ^= 0x10;
		expect_bytes(&w, C, 2, C);
	}
	world_end(&w);
}

/* Another chunk, and the same chunk as it was before, are as wrong as any bytes. */
static void
a_chunk_counts_in_its_place_and_as_it_was_last(void **state)
{
	struct err e = { 0 };
	uint8_t *swap, *old;
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 6; i++)
		write_all(&w, i * C, 5, C);
	swap = file.slot[0];
	file.slot[0] = file.slot[1];
	file.slot[1] = swap;
	assert_int_equal(staging_read(w.s, 0, m.got, C, &e), -EIO);
	err_clear(&e);
	assert_int_equal(staging_read(w.s, C, m.got, C, &e), -EIO);
	err_clear(&e);
	file.slot[1] = file.slot[0];
	file.slot[0] = swap;
	expect_bytes(&w, 0, 5, 2 * C);
	old = malloc(C);
	assert_non_null(old);
	memcpy(old, file.slot[0], C);
	write_all(&w, 3, 6, 1);
	expect_bytes(&w, C + 1, 5, 1);
	expect_bytes(&w, 2 * C + 1, 5, 1);
	assert_memory_not_equal(old, file.slot[0], C);
	memcpy(file.slot[0], old, C);
	assert_int_equal(staging_read(w.s, 0, m.got, C, &e), -EIO);
	free(old);
	world_end(&w);
}

static void
a_loan_is_of_bytes_that_lie_plain_in_one_chunk(void **state)
{
	const uint8_t *p;
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 6; i++)
		write_all(&w, i * C, (uint8_t)(i + 1), C);
	assert_null(staging_lend(w.s, C, C)); /* it was put away */
	assert_null(staging_lend(w.s, 5 * C - 1, 2));
	p = staging_lend(w.s, 5 * C + 10, C - 10);
	assert_non_null(p);
	expect_bytes(&w, 0, 1, C - 1); /* others come and go */
	expect_bytes(&w, 2 * C, 3, C - 1);
	assert_true(p[0] == 6 && p[C - 11] == 6);
	expect_bytes(&w, 5 * C, 6, C);
	staging_take_back(w.s);
	world_end(&w);
}

/* Once it was put away it makes room for the next chunk at once, and is what it was. */
static void
a_chunk_that_was_lent_is_put_away_before_a_writer_has_to(void **state)
{
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 6; i++) {
		const unsigned uses = file.uses;

		assert_int_equal(staging_is_quick(w.s, i * C, C), i < STAGING_HOT_MIN || i > 3);
		write_all(&w, i * C, (uint8_t)(i + 1), C);
		assert_int_equal(file.uses - uses, i == 2 || i == 3);
		for (uint64_t lent = 0; i >= 3 && lent <= i; lent++) {
			if (staging_lend(w.s, lent * C, C) == NULL)
				continue;
			staging_put_away(w.s);
			staging_take_back(w.s);
		}
	}
	for (uint64_t i = 0; i < 6; i++)
		expect_bytes(&w, i * C, (uint8_t)(i + 1), C);
	world_end(&w);
}

static void
what_cannot_be_put_away_while_it_is_lent_stays(void **state)
{
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 3; i++)
		write_all(&w, i * C, (uint8_t)(i + 1), C);
	for (unsigned early = 0; early < 2; early++) {
		file.full = early; /* before it is lent, or only then */
		assert_non_null(staging_lend(w.s, 2 * C, C));
		file.full = true;
		staging_put_away(w.s);
		staging_take_back(w.s);
		assert_false(staging_is_quick(w.s, 3 * C, 1));
	}
	file.full = false;
	for (uint64_t i = 3; i < 6; i++)
		write_all(&w, i * C, (uint8_t)(i + 1), C);
	for (uint64_t i = 0; i < 6; i++)
		expect_bytes(&w, i * C, (uint8_t)(i + 1), C);
	world_end(&w);
}

static void
two_stagings_seal_the_same_bytes_differently(void **state)
{
	struct err e = { 0 };
	uint8_t first[C];
	struct staging *other = NULL;
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, 0, "/nowhere");
	for (uint64_t i = 0; i < 3; i++)
		write_all(&w, i * C, 8, C);
	memcpy(first, file.slot[0], C);
	assert_int_equal(staging_new(w.area, &other, &e), 0);
	for (uint64_t i = 0; i < 3; i++)
		assert_int_equal(staging_write(other, i * C, span_of(m.piece, C), &e), 0);
	assert_memory_not_equal(first, file.slot[0], C);
	/* Nor does one open what the other has put into its place. */
	assert_int_equal(staging_read(w.s, 0, m.got, C, &e), -EIO);
	staging_free(other);
	world_end(&w);
}

static void
the_area_keeps_to_its_half_of_memory(void **state)
{
	struct world w;

	(void)state;
	memset(&file, 0, sizeof(file));
	world_begin(&w, UINT64_MAX, "/nowhere");
	for (uint64_t i = 0; i < CHUNKS; i++)
		write_all(&w, i * C, 1, C);
	assert_int_equal(file.uses, 0);
	assert_int_equal(budget_used(w.budget, BUDGET_DATA),
			 (CHUNKS - STAGING_HOT_MIN) * C + STAGING_OWN);
	world_end(&w);
	world_begin(&w, UINT64_MAX, "/nowhere");
	{
		/* 24 MiB are for data, 48 chunks in its half: the rest goes to the file. */
		struct staging *many[4];
		struct err e = { 0 };

		for (size_t k = 0; k < ARRAY_LEN(many); k++) {
			assert_int_equal(staging_new(w.area, &many[k], &e), 0);
			for (uint64_t i = 0; i < CHUNKS; i++)
				assert_int_equal(
					staging_write(many[k], i * C, span_of(m.piece, C), &e), 0);
		}
		assert_true(file.uses > 0);
		assert_true(budget_used(w.budget, BUDGET_DATA) <=
			    budget_limit(w.budget, BUDGET_DATA));
		for (size_t k = 0; k < ARRAY_LEN(many); k++)
			staging_free(many[k]);
	}
	world_end(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(behaves_like_an_array_when_memory_is_plenty),
		cmocka_unit_test(behaves_like_an_array_when_nearly_all_lies_in_the_file),
		cmocka_unit_test(behaves_like_an_array_with_a_little_memory),
		cmocka_unit_test(behaves_like_an_array_over_a_base),
		cmocka_unit_test(behaves_like_an_array_when_base_and_file_fail),
		cmocka_unit_test(a_full_disk_changes_nothing),
		cmocka_unit_test(what_was_put_away_is_read_and_cut_on_a_full_disk),
		cmocka_unit_test(zeros_between_and_behind),
		cmocka_unit_test(sizes_have_a_limit),
		cmocka_unit_test(another_byte_in_the_file_is_found_out),
		cmocka_unit_test(a_chunk_counts_in_its_place_and_as_it_was_last),
		cmocka_unit_test(a_loan_is_of_bytes_that_lie_plain_in_one_chunk),
		cmocka_unit_test(a_chunk_that_was_lent_is_put_away_before_a_writer_has_to),
		cmocka_unit_test(what_cannot_be_put_away_while_it_is_lent_stays),
		cmocka_unit_test(two_stagings_seal_the_same_bytes_differently),
		cmocka_unit_test(the_area_keeps_to_its_half_of_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
