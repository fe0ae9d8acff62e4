/* SPDX-License-Identifier: MIT */
/* crypto/cell: the cells of two official clients, known answers, and cells forged with the keys. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/cell.h"
#include "crypto/mac.h"
#include "tests/support/sealer.h"
#include "tests/unit/crypto/cosmosset.h"

#define DEK_HEX "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

enum { TAG_AT = 2, IV_AT = 34, BODY_AT = 50 };

static struct cell_worker *worker;
static struct dek_keys *keys; /* of DEK_HEX */

static int
set_up(void **state)
{
	struct err e = { 0 };

	(void)state;
	keys = cosmos_keys_of_hex(DEK_HEX);
	return cell_worker_new(&worker, &e);
}

static int
tear_down(void **state)
{
	(void)state;
	cell_worker_free(worker);
	cell_worker_free(NULL);
	dek_keys_free(keys);
	return 0;
}

static enum cell_verdict
unseal(enum cell_kind kind, const char *text, struct cell_value *out)
{
	return cell_unseal(worker, keys, kind, span_str(text), out);
}

static struct cell_value
string(const char *s)
{
	return (struct cell_value){ .type = CELL_STRING, .text = span_str(s) };
}

static struct cell_value
integer(int64_t i)
{
	return (struct cell_value){ .type = CELL_LONG, .integer = i };
}

static struct cell_value
real(double d)
{
	return (struct cell_value){ .type = CELL_DOUBLE, .real = d };
}

static struct cell_value
boolean(bool b)
{
	return (struct cell_value){ .type = CELL_BOOLEAN, .boolean = b };
}

static void
expect_cell_value(const struct cell_value *have, const struct cell_value *want)
{
	assert_int_equal(have->type, want->type);
	switch (want->type) {
	case CELL_STRING:
		assert_int_equal(have->text.n, want->text.n);
		assert_memory_equal(have->text.p, want->text.p, want->text.n);
		break;
	case CELL_LONG:
		assert_true(have->integer == want->integer);
		break;
	case CELL_BOOLEAN:
		assert_int_equal(have->boolean, want->boolean);
		break;
	case CELL_DOUBLE: /* the sign of zero counts */
		assert_memory_equal(&have->real, &want->real, sizeof(want->real));
		break;
	}
}

static void
expect_sealed(const struct dek_keys *k, const struct cell_value *v, enum base64_kind alphabet,
	      const char *want)
{
	struct err e = { 0 };
	AUTO_BUF b;

	buf_init(&b, 1 << 20);
	assert_int_equal(buf_add_str(&b, "[", &e), 0);
	assert_int_equal(cell_seal(worker, k, v, alphabet, &b, &e), 0);
	assert_string_equal(buf_str(&b) + 1, want);
}

/* ---- known answers ---- */

static void
known_cells_open_and_seal_to_the_same_bytes(void **state)
{
	const struct {
		struct cell_value value;
		enum base64_kind alphabet;
		const char *cell;
	} known[] = {
		{ boolean(true), BASE64_STANDARD,
		  "AgH4KFfM7NbR+U8KbucDdvyZGNSugPYLx1GpV7ytYNKu1lu2jRwHqyMkIh4iz1VjWiIvvczMzHpnXZdX"
		  "4shl2+Y9" },
		{ boolean(false), BASE64_STANDARD,
		  "AgFzhPw2tUBOrmE9X14e6FRsnnuB3tbSSpxcDcPGsmc+7x2wgnCjRtINo0nw9C83HV/9PyCQH3FjdtpP"
		  "7wBvMzfg" },
		{ integer(42), BASE64_STANDARD,
		  "BAFH4Ulq7oMxlbP87SxjqlMKnGWgrBmt2gGyMMdEpqZW3TstgZP+qtDZRfMFct/mOazeoB6nkuAk7frh"
		  "sCVFRWp2" },
		{ integer(-1), BASE64_STANDARD,
		  "BAGgkPd450ablPN5nUIGHYD/MkgVA/P1T7Cv6JAge0IHkuZ+36LL/e6T0d86YyKOBLSH86r11qT2giY6"
		  "TgfGzMX4" },
		{ real(1.5), BASE64_STANDARD,
		  "AwF+FDU3zspwaaTMl3Mdd8wO022b3K2Q5xv2F3ppuUiOEaijGkLyGPe4dDjMd2UCRuX9AqdnlcZduKnN"
		  "EKtcEqQU" },
		{ real(1.0), BASE64_STANDARD,
		  "AwE0GDkAyuE/2t/cguPItfNU+TBFqcrbDQjeedqnaLTqJPK75nOkD25pa32C91HfgcC9SNIupl9laTpZ"
		  "s5ZEz9tM" },
		{ integer(1), BASE64_STANDARD,
		  "BAH4KFfM7NbR+U8KbucDdvyZGNSugPYLx1GpV7ytYNKu1lu2jRwHqyMkIh4iz1VjWiIvvczMzHpnXZdX"
		  "4shl2+Y9" },
		{ string(""), BASE64_STANDARD,
		  "BQF38STXzD5Lg2CUXIdDQRfLI3LjxywGPFSN2VN+ENFfv08s4SsvwW60xTKF+2Uz2Fgnets3sPZJG+RT"
		  "Uo/CoWB6" },
		{ string("hello"), BASE64_STANDARD,
		  "BQFqyvAUJJ5QC62lErj9/ByVU9Pe0o57qmDpNPOPo/BBTPzImBsZ5ODHalR0w6HJUsCLIpNX35zUBqwy"
		  "pI+bbCm3" },
		{ string("\xc3\xa9"), BASE64_STANDARD,
		  "BQHyUI3ox1CUQyeRCAH1IhwlQELt6/Yg3pk2vsrhDkPaZEZvjZf1oCLW1zlm/FLU2CDsulJ2mIIrPoVB"
		  "u2ZOlys6" },
		{ string("hello"), BASE64_URL,
		  "BQFqyvAUJJ5QC62lErj9_ByVU9Pe0o57qmDpNPOPo_BBTPzImBsZ5ODHalR0w6HJUsCLIpNX35zUBqwy"
		  "pI-bbCm3" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		struct cell_value v;

		assert_int_equal(unseal(CELL_DETERMINISTIC, known[i].cell, &v), CELL_GOOD);
		expect_cell_value(&v, &known[i].value);
		/* What was unsealed, and may lie in the worker, can be sealed with it. */
		expect_sealed(keys, &v, known[i].alphabet, known[i].cell);
		assert_int_equal(unseal(CELL_RANDOMIZED, known[i].cell, &v), CELL_WRONG_IV);
	}
}

/* ---- forged cells ---- */

static void
forge(const uint8_t *plain, size_t n, bool pad, bool derived_iv, uint8_t marker, struct buf *out)
{
	uint8_t enc[32], mac[32], iv[32], hash[SHA256_LEN], cell[8192];
	struct err e = { 0 };
	size_t n_cell;

	(void)cosmos_hex("6c0021c6bdb86ca2bc0f82429c9d3233c7c9b85c2bba43cbb2c8aea6fa83011f", enc,
			 32);
	(void)cosmos_hex("a9351df2fd2a875799d79b04e6112871ed4627a836b32ca105f518a3e63a164f", mac,
			 32);
	(void)cosmos_hex("7b1ee9e7322448db999d5fc92947b36d7c034921ecc5f98e088fc87b8174b12e", iv,
			 32);
	assert_true(n + BODY_AT + 17 <= sizeof(cell));
	assert_int_equal(hmac_sha256(span_of(iv, 32), span_of(plain, n), hash, &e), 0);
	if (!derived_iv)
		hash[0] ^= 1;
	memcpy(cell + IV_AT, hash, 16);
	if (pad) {
		n_cell = BODY_AT + sealer_cbc_padded(enc, hash, plain, n, cell + BODY_AT);
	} else {
		sealer_cbc(enc, hash, plain, n, cell + BODY_AT);
		n_cell = BODY_AT + n;
	}
	cell[IV_AT - 1] = 1;
	cell[n_cell] = 1;
	assert_int_equal(hmac_sha256(span_of(mac, 32),
				     span_of(cell + IV_AT - 1, n_cell + 2 - IV_AT), hash, &e),
			 0);
	cell[0] = marker;
	cell[1] = 1;
	memcpy(cell + TAG_AT, hash, sizeof(hash));
	assert_int_equal(base64_encode(BASE64_STANDARD, span_of(cell, n_cell), out, &e), 0);
	while (out->n % 4 != 0)
		assert_int_equal(buf_add(out, "=", 1, &e), 0);
}

/* The verdict on a forged cell; *out must be left alone unless it is good. */
static enum cell_verdict
try_forged(const void *plain, size_t n, bool pad, bool derived_iv, enum cell_kind kind,
	   uint8_t marker, struct cell_value *out)
{
	struct cell_value untouched;
	enum cell_verdict v;
	AUTO_BUF b;

	memset(out, 0x5a, sizeof(*out));
	memcpy(&untouched, out, sizeof(*out));
	buf_init(&b, 1 << 20);
	forge(plain, n, pad, derived_iv, marker, &b);
	v = cell_unseal(worker, keys, kind, buf_span(&b), out);
	if (v != CELL_GOOD)
		assert_memory_equal(out, &untouched, sizeof(*out));
	return v;
}

#define BYTES(s) s, sizeof(s) - 1

static const struct {
	const char *name;
	const char *plain;
	size_t n;
	uint8_t marker;
	enum cell_verdict verdict;
} claims[] = {
	{ "false", BYTES("\0\0\0\0\0\0\0\0"), CELL_BOOLEAN, CELL_GOOD },
	{ "true", BYTES("\1\0\0\0\0\0\0\0"), CELL_BOOLEAN, CELL_GOOD },
	{ "boolean 2", BYTES("\2\0\0\0\0\0\0\0"), CELL_BOOLEAN, CELL_WRONG_PLAIN },
	{ "boolean with a high byte", BYTES("\1\0\0\0\0\0\0\1"), CELL_BOOLEAN, CELL_WRONG_PLAIN },
	{ "boolean of one byte", BYTES("\1"), CELL_BOOLEAN, CELL_WRONG_PLAIN },
	{ "boolean of nothing", "", 0, CELL_BOOLEAN, CELL_WRONG_PLAIN },
	{ "long of 7", BYTES("\1\0\0\0\0\0\0"), CELL_LONG, CELL_WRONG_PLAIN },
	{ "long of 9", BYTES("\1\0\0\0\0\0\0\0\0"), CELL_LONG, CELL_WRONG_PLAIN },
	{ "long of nothing", "", 0, CELL_LONG, CELL_WRONG_PLAIN },
	{ "smallest long", BYTES("\0\0\0\0\0\0\0\x80"), CELL_LONG, CELL_GOOD },
	{ "text of eight bytes as long", BYTES("12345678"), CELL_LONG, CELL_GOOD },
	{ "double of 4", BYTES("\0\0\x80\x3f"), CELL_DOUBLE, CELL_WRONG_PLAIN },
	{ "infinity", BYTES("\0\0\0\0\0\0\xf0\x7f"), CELL_DOUBLE, CELL_WRONG_PLAIN },
	{ "minus infinity", BYTES("\0\0\0\0\0\0\xf0\xff"), CELL_DOUBLE, CELL_WRONG_PLAIN },
	{ "no number", BYTES("\0\0\0\0\0\0\xf8\x7f"), CELL_DOUBLE, CELL_WRONG_PLAIN },
	{ "largest double", BYTES("\xff\xff\xff\xff\xff\xff\xef\x7f"), CELL_DOUBLE, CELL_GOOD },
	{ "smallest double", BYTES("\1\0\0\0\0\0\0\0"), CELL_DOUBLE, CELL_GOOD },
	{ "empty text", "", 0, CELL_STRING, CELL_GOOD },
	{ "text with a NUL", BYTES("a\0b"), CELL_STRING, CELL_GOOD },
	{ "text of one block", BYTES("0123456789abcdef"), CELL_STRING, CELL_GOOD },
	{ "no UTF-8", BYTES("abc\xff"), CELL_STRING, CELL_WRONG_PLAIN },
	{ "overlong", BYTES("\xc0\x80"), CELL_STRING, CELL_WRONG_PLAIN },
	{ "surrogate", BYTES("\xed\xa0\x80"), CELL_STRING, CELL_WRONG_PLAIN },
	{ "cut character", BYTES("abcdefgh\xe2\x82"), CELL_STRING, CELL_WRONG_PLAIN },
	{ "null", "", 0, 1, CELL_VERSION },
	{ "type 0", BYTES("\1\0\0\0\0\0\0\0"), 0, CELL_VERSION },
	{ "type 6", BYTES("\1\0\0\0\0\0\0\0"), 6, CELL_VERSION },
	{ "type 255", BYTES("\1\0\0\0\0\0\0\0"), 255, CELL_VERSION },
};

static void
a_plaintext_must_be_possible_for_its_type(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(claims); i++) {
		struct cell_value v;
		const enum cell_verdict have = try_forged(claims[i].plain, claims[i].n, true, true,
							  CELL_DETERMINISTIC, claims[i].marker, &v);

		if (have != claims[i].verdict)
			fail_msg("%s: %s", claims[i].name, cell_verdict_text(have));
		if (have == CELL_GOOD && claims[i].marker == CELL_STRING) {
			assert_int_equal(v.text.n, claims[i].n);
			assert_memory_equal(v.text.p, claims[i].plain, claims[i].n);
		}
	}
}

static void
the_padding_must_be_one(void **state)
{
	static const uint8_t last[] = { 0, 17, 255, 3 }; /* the bytes before are 1 */

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(last); i++) {
		struct cell_value v;
		uint8_t plain[32];

		memset(plain, 1, sizeof(plain));
		plain[31] = last[i];
		assert_int_equal(
			try_forged(plain, 32, false, true, CELL_RANDOMIZED, CELL_STRING, &v),
			CELL_WRONG_PLAIN);
	}
}

static void
the_iv_must_be_of_its_kind(void **state)
{
	struct cell_value v;

	(void)state;
	assert_int_equal(try_forged("abc", 3, true, true, CELL_DETERMINISTIC, CELL_STRING, &v),
			 CELL_GOOD);
	assert_int_equal(try_forged("abc", 3, true, false, CELL_DETERMINISTIC, CELL_STRING, &v),
			 CELL_WRONG_IV);
	assert_int_equal(try_forged("abc", 3, true, false, CELL_RANDOMIZED, CELL_STRING, &v),
			 CELL_GOOD);
	assert_int_equal(try_forged("abc", 3, true, true, CELL_RANDOMIZED, CELL_STRING, &v),
			 CELL_WRONG_IV);
}

/* Every byte but the marker, for one block and for three. */
static void
every_changed_byte_is_noticed(void **state)
{
	static const char *const texts[] = { "short", "a text that needs three blocks of cipher" };

	(void)state;
	for (size_t t = 0; t < ARRAY_LEN(texts); t++) {
		struct cell_value want = string(texts[t]), v;
		uint8_t cell[256];
		struct err e = { 0 };
		size_t n = 0;
		AUTO_BUF b;

		buf_init(&b, 4096);
		assert_int_equal(cell_seal(worker, keys, &want, BASE64_STANDARD, &b, &e), 0);
		assert_true(base64_decode(BASE64_STANDARD, buf_span(&b),
					  (struct room){ cell, sizeof(cell) }, &n));
		for (size_t i = 1; i < n; i++)
			for (unsigned bit = 1; bit < 256; bit <<= 1) {
				cell[i] ^= (uint8_t)bit;
				buf_reset(&b);
				assert_int_equal(
					base64_encode(BASE64_STANDARD, span_of(cell, n), &b, &e),
					0);
				assert_int_equal(unseal(CELL_DETERMINISTIC, buf_str(&b), &v),
						 i == 1 ? CELL_VERSION : CELL_WRONG_TAG);
				cell[i] ^= (uint8_t)bit;
			}
		buf_reset(&b);
		assert_int_equal(base64_encode(BASE64_STANDARD, span_of(cell, n), &b, &e), 0);
		assert_int_equal(unseal(CELL_DETERMINISTIC, buf_str(&b), &v), CELL_GOOD);
	}
}

/* ---- the text ---- */

static const char hello_mixed[] =
	"BQFqyvAUJJ5QC62lErj9_ByVU9Pe0o57qmDpNPOPo/BBTPzImBsZ5ODHalR0w6HJUsCLIpNX35zUBqwypI-bbCm3";

/* "0123456789abcdef": 82 bytes, so that the text ends with "==". */
static void
the_text_must_be_canonical(void **state)
{
	struct cell_value want = string("0123456789abcdef"), v;
	struct err e = { 0 };
	char text[256];

	(void)state;
	for (int url = 0; url < 2; url++) {
		const enum base64_kind alphabet = url ? BASE64_URL : BASE64_STANDARD;
		size_t n;
		AUTO_BUF b;

		buf_init(&b, 4096);
		assert_int_equal(cell_seal(worker, keys, &want, alphabet, &b, &e), 0);
		n = b.n;
		assert_true(n % 4 == 0 && b.p[n - 1] == '=' && b.p[n - 2] == '=');
		(void)snprintf(text, sizeof(text), "%s", buf_str(&b));
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_GOOD);
		text[n - 1] = '\0';
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
		text[n - 2] = '\0';
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
		(void)snprintf(text, sizeof(text), "%s", buf_str(&b));
		text[n - 3]++; /* a bit that no byte takes */
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
		(void)snprintf(text, sizeof(text), " %s", buf_str(&b));
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
		(void)snprintf(text, sizeof(text), "%.40s\n $$%s", buf_str(&b), buf_str(&b) + 40);
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
		(void)snprintf(text, sizeof(text), "%s====", buf_str(&b));
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
		(void)snprintf(text, sizeof(text), "%sAAAA", buf_str(&b));
		assert_int_equal(unseal(CELL_DETERMINISTIC, text, &v), CELL_NOT_ONE);
	}
	assert_int_equal(unseal(CELL_DETERMINISTIC, hello_mixed, &v), CELL_NOT_ONE);
	assert_int_equal(cell_unseal(worker, keys, CELL_DETERMINISTIC, span_of(NULL, 0), &v),
			 CELL_NOT_ONE);
}

/* Zeros: the version is wrong, but that is looked at only where the length is possible. */
static void
the_length_must_be_one_of_a_cell(void **state)
{
	(void)state;
	for (size_t n = 0; n < 200; n++) {
		static const uint8_t zeros[200];
		struct cell_value v;
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, 4096);
		assert_int_equal(base64_encode(BASE64_STANDARD, span_of(zeros, n), &b, &e), 0);
		assert_int_equal(cell_unseal(worker, keys, CELL_DETERMINISTIC, buf_span(&b), &v),
				 n >= 66 && (n - 50) % 16 == 0 ? CELL_VERSION : CELL_NOT_ONE);
	}
}

static void
long_texts_are_bounded(void **state)
{
	enum { LONGEST = (CELL_MAX - BODY_AT) / 16 * 16 - 1 };
	char *text = calloc(1, 3 << 20);
	struct cell_value v = { .type = CELL_STRING, .text = span_of(text, LONGEST) }, back;
	struct err e = { 0 };
	AUTO_BUF b;

	(void)state;
	assert_non_null(text);
	buf_init(&b, 4 << 20);
	memset(text, 'x', 3 << 20);
	assert_int_equal(cell_seal(worker, keys, &v, BASE64_STANDARD, &b, &e), 0);
	assert_int_equal(cell_unseal(worker, keys, CELL_DETERMINISTIC, buf_span(&b), &back),
			 CELL_GOOD);
	expect_cell_value(&back, &v);
	v.text.n = LONGEST + 1;
	assert_int_equal(cell_seal(worker, keys, &v, BASE64_STANDARD, &b, &e), -EFBIG);
	assert_int_equal(
		cell_unseal(worker, keys, CELL_DETERMINISTIC, span_of(text, 3 << 20), &back),
		CELL_NOT_ONE);
	free(text);
}

/* ---- keys ---- */

/* Freed keys give their memory to the next: the worker must not go by the address. */
static void
a_worker_follows_the_key_not_its_address(void **state)
{
	const void *address = NULL;
	unsigned same = 0;

	(void)state;
	for (uint8_t i = 0; i < 100; i++) {
		struct cell_value want = string("the value"), v;
		struct cek dek = { .k = { i } };
		struct dek_keys *k = NULL;
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, 4096);
		assert_int_equal(dek_keys_new(&dek, &k, &e), 0);
		same += k == address;
		address = k;
		assert_int_equal(cell_seal(worker, k, &want, BASE64_URL, &b, &e), 0);
		assert_int_equal(cell_unseal(worker, k, CELL_DETERMINISTIC, buf_span(&b), &v),
				 CELL_GOOD);
		expect_cell_value(&v, &want);
		dek_keys_free(k);
	}
	assert_true(same > 0);
}

static void
many_keys_take_turns(void **state)
{
	enum { N = 20 };
	struct dek_keys *k[N] = { NULL };
	struct buf b[N];
	struct err e = { 0 };

	(void)state;
	for (size_t i = 0; i < N; i++) {
		struct cek dek = { .k = { 0, (uint8_t)i } };
		struct cell_value v = integer((int64_t)i);

		buf_init(&b[i], 4096);
		assert_int_equal(dek_keys_new(&dek, &k[i], &e), 0);
		assert_int_equal(cell_seal(worker, k[i], &v, BASE64_STANDARD, &b[i], &e), 0);
	}
	for (size_t step = 0; step < 10 * N; step++) {
		const size_t i = step % N, other = (step * 7 + 1) % N;
		struct cell_value v, want = integer((int64_t)i);

		assert_int_equal(cell_unseal(worker, k[i], CELL_DETERMINISTIC, buf_span(&b[i]), &v),
				 CELL_GOOD);
		expect_cell_value(&v, &want);
		assert_int_equal(
			cell_unseal(worker, k[other], CELL_DETERMINISTIC, buf_span(&b[i]), &v),
			i == other ? CELL_GOOD : CELL_WRONG_TAG);
	}
	for (size_t i = 0; i < N; i++) {
		buf_clear(&b[i]);
		dek_keys_free(k[i]);
	}
}

/* ---- the rest ---- */

static void
what_no_client_could_read_is_not_sealed(void **state)
{
	const struct cell_value refused[] = {
		real(NAN),	   real(INFINITY), real(-INFINITY), string("\xed\xa0\x80"),
		string("abc\xff"),
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, 4096);
		assert_int_equal(cell_seal(worker, keys, &refused[i], BASE64_URL, &b, &e), -EINVAL);
		assert_int_equal(b.n, 0);
	}
}

/* 96 characters, of which two are padding: each of them may be the one that does not fit. */
static void
a_cell_that_does_not_fit_leaves_nothing_behind(void **state)
{
	struct cell_value v = string("0123456789abcdef");

	(void)state;
	for (size_t max = 100; max <= 113; max++) {
		struct err e = { 0 };
		AUTO_BUF b;
		int r;

		buf_init(&b, max);
		assert_int_equal(buf_add_str(&b, "x", &e), 0);
		r = cell_seal(worker, keys, &v, BASE64_URL, &b, &e);
		assert_int_equal(r, max < 113 ? -EFBIG : 0);
		assert_int_equal(b.n, max < 113 ? 1 : 113);
	}
}

static void
verdicts_have_their_words(void **state)
{
	(void)state;
	assert_string_equal(cell_verdict_text(CELL_WRONG_TAG), "authentication failed");
	for (int a = CELL_GOOD; a <= CELL_FAILED; a++)
		for (int b = a + 1; b <= CELL_FAILED; b++)
			assert_string_not_equal(cell_verdict_text((enum cell_verdict)a),
						cell_verdict_text((enum cell_verdict)b));
}

static void
values_print_as_json(void **state)
{
	const struct {
		struct cell_value value;
		const char *json;
	} printed[] = {
		{ boolean(true), "true" },
		{ boolean(false), "false" },
		{ integer(INT64_MIN), "-9223372036854775808" },
		{ integer(INT64_MAX), "9223372036854775807" },
		{ integer(0), "0" },
		{ real(0.1), "0.1" },
		{ real(1.0), "1.0" },
		{ real(-0.0), "-0.0" },
		{ real(1e300), "1e+300" },
		{ string(""), "\"\"" },
		{ string("a\"\\\n\x01"), "\"a\\\"\\\\\\n\\u0001\"" },
		{ { .type = CELL_STRING, .text = span_of("\0", 1) }, "\"\\u0000\"" },
		{ string("\xf0\x9f\xa6\x80"), "\"\xf0\x9f\xa6\x80\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(printed); i++) {
		struct err e = { 0 };
		AUTO_BUF b;

		buf_init(&b, 100);
		assert_int_equal(cell_print(&printed[i].value, &b, &e), 0);
		assert_string_equal(buf_str(&b), printed[i].json);
		buf_clear(&b);
		buf_init(&b, strlen(printed[i].json) - 1);
		assert_int_equal(cell_print(&printed[i].value, &b, &e), -EFBIG);
		assert_int_equal(b.n, 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_cells_open_and_seal_to_the_same_bytes),
		cmocka_unit_test(a_plaintext_must_be_possible_for_its_type),
		cmocka_unit_test(the_padding_must_be_one),
		cmocka_unit_test(the_iv_must_be_of_its_kind),
		cmocka_unit_test(every_changed_byte_is_noticed),
		cmocka_unit_test(the_text_must_be_canonical),
		cmocka_unit_test(the_length_must_be_one_of_a_cell),
		cmocka_unit_test(long_texts_are_bounded),
		cmocka_unit_test(a_worker_follows_the_key_not_its_address),
		cmocka_unit_test(many_keys_take_turns),
		cmocka_unit_test(what_no_client_could_read_is_not_sealed),
		cmocka_unit_test(a_cell_that_does_not_fit_leaves_nothing_behind),
		cmocka_unit_test(verdicts_have_their_words),
		cmocka_unit_test(values_print_as_json),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
