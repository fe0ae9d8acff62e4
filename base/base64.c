/* SPDX-License-Identifier: MIT */
/* Strict base64: see base64.h.  Source: RFC 4648 sections 3.5, 4 and 5. */
#include "base/base64.h"

#include <errno.h>
#include <string.h>

#include "base/num.h"

enum { NOT_A_DIGIT = 0xff };

/* What the digits of one alphabet stand for. */
struct digits {
	uint8_t value[256];
	char letter[65];
};

/* Both alphabets, written out so that the tables are constant: X marks what is no digit. */
#define X	 NOT_A_DIGIT
#define X4	 X, X, X, X
#define X16	 X4, X4, X4, X4
#define X128	 X16, X16, X16, X16, X16, X16, X16, X16
#define NUMERALS 52, 53, 54, 55, 56, 57, 58, 59, 60, 61
#define CAPITALS \
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25
#define SMALL                                                                                   \
	26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, \
		48, 49, 50, 51

/* clang-format off */
static const struct digits alphabets[] = {
	[BASE64_STANDARD] = {
		{ X16, X16, X4, X4, X, X, X, 62, X, X, X, 63, /* '+' '/' */
		  NUMERALS, X, X, X, X, X, X, X, CAPITALS, X, X, X, X, X, X, SMALL, X, X4, X128 },
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" },
	[BASE64_URL] = {
		{ X16, X16, X4, X4, X4, X, 62, X, X, /* '-' */
		  NUMERALS, X, X, X, X, X, X, X, CAPITALS, X, X, X, X, 63, X, SMALL, X, X4, X128 },
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_" },
};
/* clang-format on */

/*
 * The number of digits before the padding; false when the padding is not what the kind asks for.
 * Digits are not looked at.
 */
static bool
count_digits(enum base64_kind kind, struct span text, size_t *out)
{
	size_t n = text.n, pad = 0;

	while (n > 0 && pad < 2 && text.p[n - 1] == '=') {
		n--;
		pad++;
	}
	if (n % 4 == 1)
		return false;
	if (pad == 0 && kind == BASE64_URL) {
		*out = n;
		return true;
	}
	if ((n + pad) % 4 != 0)
		return false;
	*out = n;
	return true;
}

/* Four digits to three bytes; false when one of them is none. */
static inline bool
decode_quad(const struct digits *d, const uint8_t in[static 4], uint8_t out[static 3])
{
	const uint32_t a = d->value[in[0]], b = d->value[in[1]], c = d->value[in[2]],
		       x = d->value[in[3]];
	const uint32_t bits = a << 18 | b << 12 | c << 6 | x;

	if ((a | b | c | x) > 63)
		return false;
	out[0] = (uint8_t)(bits >> 16);
	out[1] = (uint8_t)(bits >> 8);
	out[2] = (uint8_t)bits;
	return true;
}

/* The last two or three digits to n = 1 or 2 bytes; the bits that no byte takes must be zero. */
static bool
decode_rest(const struct digits *d, const uint8_t *in, size_t n, uint8_t *out)
{
	const uint8_t quad[4] = { in[0], in[1], n == 2 ? in[2] : (uint8_t)d->letter[0],
				  (uint8_t)d->letter[0] };
	uint8_t three[3];

	if (!decode_quad(d, quad, three) || three[n] != 0)
		return false;
	memcpy(out, three, n);
	return true;
}

bool
base64_decode(enum base64_kind kind, struct span text, struct room out, size_t *out_n)
{
	const struct digits *d = &alphabets[kind];
	size_t digits, rest, n, at = 0;

	if (!count_digits(kind, text, &digits))
		return false;
	rest = digits % 4 == 0 ? 0 : digits % 4 - 1;
	n = digits / 4 * 3 + rest;
	if (n > out.n)
		return false;
	for (size_t i = 0; i + 4 <= digits; i += 4, at += 3)
		if (!decode_quad(d, text.p + i, out.p + at))
			return false;
	if (rest > 0 && !decode_rest(d, text.p + digits / 4 * 4, rest, out.p + at))
		return false;
	*out_n = n;
	return true;
}

/* Up to three bytes to four characters, padded. */
static void
encode_three(const struct digits *d, const uint8_t *in, size_t n, uint8_t out[static 4])
{
	const uint32_t bits = (uint32_t)in[0] << 16 | (n > 1 ? (uint32_t)in[1] << 8 : 0) |
			      (n > 2 ? (uint32_t)in[2] : 0);

	out[0] = (uint8_t)d->letter[bits >> 18];
	out[1] = (uint8_t)d->letter[bits >> 12 & 63];
	out[2] = n > 1 ? (uint8_t)d->letter[bits >> 6 & 63] : '=';
	out[3] = n > 2 ? (uint8_t)d->letter[bits & 63] : '=';
}

int
base64_encode(enum base64_kind kind, struct span bytes, struct buf *out, struct err *e)
{
	const struct digits *d = &alphabets[kind];
	const size_t rest = bytes.n % 3;
	size_t n;
	uint8_t *to;
	int r;

	if (!size_mul(bytes.n / 3 + (rest > 0), 4, &n))
		return err_set(e, EFBIG, "too many bytes for base64");
	if (kind == BASE64_URL && rest > 0)
		n -= 3 - rest;
	r = buf_reserve(out, n, &to, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i + 3 <= bytes.n; i += 3, to += 4)
		encode_three(d, bytes.p + i, 3, to);
	if (rest > 0) {
		uint8_t last[4];

		encode_three(d, bytes.p + bytes.n - rest, rest, last);
		memcpy(to, last, kind == BASE64_URL ? rest + 1 : 4);
	}
	out->n += n;
	out->p[out->n] = '\0';
	return 0;
}
