/* SPDX-License-Identifier: MIT */
/*
 * crypto/bind.  The tags were computed with Python's cryptography 48:
 *
 *	o = HKDF(SHA256(), 40, None, b"azcryptfs bind 1").derive(cek)
 *	m = protocol.ljust(8, b"\0") + b"".join(x.to_bytes(8, "big") for x in (R, k, P)) +
 *bytes([n]) tag = b64encode(b"\1" + o[32:] + hmac.new(o[:32], m, "sha256").digest())
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/bind.h"

static struct cek
key_from(uint8_t first)
{
	struct cek c;

	for (size_t i = 0; i < CEK_LEN; i++)
		c.k[i] = (uint8_t)(first + i);
	return c;
}

static const struct {
	uint8_t cek; /* its first byte; the others count on */
	struct bind_facts facts;
	const char *tag;
} known[] = {
	{ 0,
	  { PROTOCOL_V2_0, 4 << 20, 1, 0, NONCE_PYTHON },
	  "AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys=" },
	{ 0,
	  { PROTOCOL_V2_0, 4 << 20, 2, 4194305, NONCE_PYTHON },
	  "AfwWUEiYt3I4F0hT5ejoqExq17s0MFKx4ZVzJ4ePV0VozkswFELyIlw=" },
	{ 0,
	  { PROTOCOL_V2_1, 16, 3, 33, NONCE_JAVA },
	  "AfwWUEiYt3I4jhMqxsIWm5BDWLX/hxPFC1UziSlUi/V+NQzGiEa/cb8=" },
	{ 32,
	  { PROTOCOL_V2_0, 1 << 30, UINT64_C(1) << 33, INT64_MAX, NONCE_DOTNET },
	  "Ac/M0yRugTpV/P0OddDAm67l8680f6+g1ITX5zbduvDQHZqt+gZyVi8=" },
};

static enum bind_verdict
check(const struct cek *cek, const struct bind_facts *f, const uint8_t *tag)
{
	enum bind_verdict v = BIND_WRONG;
	struct err e = { 0 };

	assert_int_equal(bind_check(cek, f, tag, &v, &e), 0);
	return v;
}

static void
known_tags(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		const struct cek cek = key_from(known[i].cek), other = key_from(99);
		char text[BIND_TEXT_LEN + 1];
		uint8_t tag[BIND_RAW_LEN];
		struct err e = { 0 };

		assert_int_equal(bind_make(&cek, &known[i].facts, text, &e), 0);
		assert_string_equal(text, known[i].tag);
		assert_int_equal(bind_parse(span_str(text), tag, &e), 0);
		assert_int_equal(check(&cek, &known[i].facts, tag), BIND_GOOD);
		assert_int_equal(check(&other, &known[i].facts, tag), BIND_FOREIGN);
	}
}

/* Each fact, each bit of it. */
static void
every_fact_counts(void **state)
{
	const struct cek cek = key_from(0);
	const struct bind_facts right = known[1].facts;
	uint8_t tag[BIND_RAW_LEN];
	struct err e = { 0 };
	struct bind_facts f;

	(void)state;
	assert_int_equal(bind_parse(span_str(known[1].tag), tag, &e), 0);
	for (unsigned bit = 0; bit < 64; bit++) {
		const uint64_t flip = UINT64_C(1) << bit;

		f = right;
		f.region_len ^= flip;
		assert_int_equal(check(&cek, &f, tag), BIND_WRONG);
		f = right;
		f.n_regions ^= flip;
		assert_int_equal(check(&cek, &f, tag), BIND_WRONG);
		f = right;
		f.plain_size ^= flip;
		assert_int_equal(check(&cek, &f, tag), BIND_WRONG);
	}
	f = right;
	f.protocol = PROTOCOL_V2_1;
	assert_int_equal(check(&cek, &f, tag), BIND_WRONG);
	f = right;
	f.nonce = NONCE_JAVA;
	assert_int_equal(check(&cek, &f, tag), BIND_WRONG);
	f.nonce = NONCE_DOTNET;
	assert_int_equal(check(&cek, &f, tag), BIND_WRONG);
	assert_int_equal(check(&cek, &right, tag), BIND_GOOD);
}

static void
every_bit_of_the_tag_counts(void **state)
{
	const struct cek cek = key_from(0);
	uint8_t tag[BIND_RAW_LEN];
	struct err e = { 0 };

	(void)state;
	assert_int_equal(bind_parse(span_str(known[0].tag), tag, &e), 0);
	for (size_t i = 8; i < (size_t)8 * BIND_RAW_LEN; i++) {
		tag[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_int_equal(check(&cek, &known[0].facts, tag),
				 i / 8 < 9 ? BIND_FOREIGN : BIND_WRONG);
		tag[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void
refuses_what_is_no_tag(void **state)
{
	static const char *const wrong[] = {
		"",
		"AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys",   /* no padding */
		"AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Yt=",  /* not canonical */
		"AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys=A", /* more */
		"AfwWUEiYt3I4t7a-XxQi_m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys=",  /* of URLs */
		" AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys",
		"AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5YsA", /* 42 bytes */
		"AfwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Q==", /* 40 bytes */
		"AvwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys=", /* version 2 */
		"APwWUEiYt3I4t7a+XxQi/m9aJdeh95oUEc6htviXy0AZ9nWkgkDJ5Ys=", /* version 0 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		uint8_t tag[BIND_RAW_LEN] = { 77 };
		struct err e = { 0 };

		assert_int_equal(bind_parse(span_str(wrong[i]), tag, &e), -EBADMSG);
		assert_string_equal(e.event, "integrity.bind");
		assert_int_equal(tag[0], 77);
	}
}

static void
v1_has_none(void **state)
{
	const struct cek cek = key_from(0);
	const struct bind_facts f = { .protocol = PROTOCOL_V1 };
	char text[BIND_TEXT_LEN + 1] = "x";
	struct err e = { 0 };

	(void)state;
	assert_int_equal(bind_make(&cek, &f, text, &e), -EINVAL);
	assert_string_equal(text, "x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_tags),
		cmocka_unit_test(every_fact_counts),
		cmocka_unit_test(every_bit_of_the_tag_counts),
		cmocka_unit_test(refuses_what_is_no_tag),
		cmocka_unit_test(v1_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
