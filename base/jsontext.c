/* SPDX-License-Identifier: MIT */
/* What stands between the quotes of a JSON string, and back: see jsonscan.h. */
#include <errno.h>

#include "base/jsonscan.h"
#include "base/jsonrun.h"
#include "base/num.h"
#include "base/utf8.h"

enum {
	SURROGATES = 0xd800, /* 0xd800-0xdbff begin a pair, 0xdc00-0xdfff end one */
	LOW_SURROGATES = 0xdc00,
	SURROGATES_END = 0xe000,
	REPLACEMENT = 0xfffd,
	DELETE = 0x7f,
	CHARACTER_MAX = 4, /* bytes of one character */
	ESCAPE_LEN = 6	   /* bytes of \uXXXX */
};

/* ---- reading ---- */

static unsigned
hex_value(uint8_t c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

/* The unit of the \uXXXX at the front of raw; false when none stands there. */
static bool
unit_at(struct span raw, unsigned *out)
{
	if (raw.n < ESCAPE_LEN || raw.p[0] != '\\' || raw.p[1] != 'u')
		return false;
	*out = hex_value(raw.p[2]) << 12 | hex_value(raw.p[3]) << 8 | hex_value(raw.p[4]) << 4 |
	       hex_value(raw.p[5]);
	return true;
}

static size_t
put_utf8(unsigned c, uint8_t out[static CHARACTER_MAX])
{
	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (c < 0x800) {
		out[0] = (uint8_t)(0xc0 | c >> 6);
		out[1] = (uint8_t)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		out[0] = (uint8_t)(0xe0 | c >> 12);
		out[1] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
		out[2] = (uint8_t)(0x80 | (c & 0x3f));
		return 3;
	}
	out[0] = (uint8_t)(0xf0 | c >> 18);
	out[1] = (uint8_t)(0x80 | (c >> 12 & 0x3f));
	out[2] = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	out[3] = (uint8_t)(0x80 | (c & 0x3f));
	return 4;
}

/* The escape at the front of raw; how many bytes of raw it took goes to *taken. */
static size_t
unescape_one(struct span raw, uint8_t out[static CHARACTER_MAX], size_t *taken)
{
	static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
	const char *letter;
	unsigned c, low;

	if (unit_at(raw, &c)) {
		*taken = ESCAPE_LEN;
		if (c >= SURROGATES && c < LOW_SURROGATES &&
		    unit_at(span_of(raw.p + ESCAPE_LEN, raw.n - ESCAPE_LEN), &low) &&
		    low >= LOW_SURROGATES && low < SURROGATES_END) {
			c = 0x10000 + ((c - SURROGATES) << 10) + (low - LOW_SURROGATES);
			*taken = 2 * ESCAPE_LEN;
		}
		return put_utf8(c, out);
	}
	letter = strchr(letters, raw.p[1]);
	out[0] = letter != NULL ? (uint8_t)controls[letter - letters] : raw.p[1];
	*taken = 2;
	return 1;
}

/* Takes the next piece off the front of raw: what stands before an escape, or one escape. */
static struct span
next_piece(struct span *raw, uint8_t room[static CHARACTER_MAX])
{
	const uint8_t *escape = memchr(raw->p, '\\', raw->n);
	const size_t clear = escape == NULL ? raw->n : (size_t)(escape - raw->p);
	struct span piece = span_of(raw->p, clear);
	size_t taken = clear;

	if (clear == 0)
		piece = span_of(room, unescape_one(*raw, room, &taken));
	raw->p += taken;
	raw->n -= taken;
	return piece;
}

int
jsonscan_unescape(struct span raw, struct buf *out, struct err *e)
{
	uint8_t room[CHARACTER_MAX], *to;
	size_t n = 0;
	int r;

	for (struct span left = raw; left.n > 0;)
		n += next_piece(&left, room).n;
	r = buf_reserve(out, n, &to, e);
	if (r < 0)
		return r;
	while (raw.n > 0) {
		const struct span piece = next_piece(&raw, room);

		memcpy(to, piece.p, piece.n);
		to += piece.n;
	}
	out->n += n;
	out->p[out->n] = '\0';
	return 0;
}

bool
jsonscan_is(struct span raw, bool escaped, struct span bytes)
{
	uint8_t room[CHARACTER_MAX];

	if (!escaped)
		return raw.n == bytes.n && (raw.n == 0 || memcmp(raw.p, bytes.p, raw.n) == 0);
	while (raw.n > 0) {
		const struct span piece = next_piece(&raw, room);

		if (piece.n > bytes.n || memcmp(piece.p, bytes.p, piece.n) != 0)
			return false;
		bytes.p += piece.n;
		bytes.n -= piece.n;
	}
	return bytes.n == 0;
}

/* ---- writing ---- */

static void
put_unit(unsigned unit, uint8_t out[static ESCAPE_LEN])
{
	static const char digits[] = "0123456789abcdef";

	out[0] = '\\';
	out[1] = 'u';
	for (int i = 0; i < 4; i++)
		out[2 + i] = (uint8_t)digits[unit >> (12 - 4 * i) & 15];
}

/* A control character, quote or backslash. */
static size_t
escape_ascii(uint8_t c, uint8_t out[static ESCAPE_LEN])
{
	static const char controls[] = "\b\f\n\r\t\"\\", letters[] = "bfnrt\"\\";
	const char *found = c == 0 ? NULL : strchr(controls, c);

	if (found == NULL) {
		put_unit(c, out);
		return ESCAPE_LEN;
	}
	out[0] = '\\';
	out[1] = (uint8_t)letters[found - controls];
	return 2;
}

/* The character at the front of s, surrogates alone too; bytes that are none count one each. */
static unsigned
character_at(struct span s, size_t *len)
{
	unsigned c;

	*len = utf8_char_len(s);
	if (*len == 0 && s.n >= 3 && s.p[0] == 0xed && (s.p[1] & 0xe0) == 0xa0 &&
	    (s.p[2] & 0xc0) == 0x80)
		*len = 3;
	if (*len == 0) {
		*len = 1;
		return REPLACEMENT;
	}
	c = *len == 1 ? s.p[0] : s.p[0] & (0x7fU >> *len);
	for (size_t i = 1; i < *len; i++)
		c = c << 6 | (s.p[i] & 0x3f);
	return c;
}

static size_t
escape_character(unsigned c, uint8_t out[static 2 * ESCAPE_LEN])
{
	if (c < 0x10000) {
		put_unit(c, out);
		return ESCAPE_LEN;
	}
	c -= 0x10000;
	put_unit(SURROGATES + (c >> 10), out);
	put_unit(LOW_SURROGATES + (c & 0x3ff), out + ESCAPE_LEN);
	return 2 * ESCAPE_LEN;
}

static struct span
plain_run(struct span bytes, bool ascii)
{
	const uint8_t *end;

	if (!ascii)
		return span_of(bytes.p, jsonrun_len(bytes.p, bytes.n, false));
	bytes.n = jsonrun_len(bytes.p, bytes.n, true);
	end = memchr(bytes.p, DELETE, bytes.n);
	return span_of(bytes.p, end == NULL ? bytes.n : (size_t)(end - bytes.p));
}

/* Takes the next piece off the front: bytes that stand for themselves, or one escape. */
static struct span
next_quoted(struct span *bytes, bool ascii, uint8_t room[static 2 * ESCAPE_LEN])
{
	struct span piece = plain_run(*bytes, ascii);
	size_t taken = piece.n;

	if (taken == 0 && bytes->p[0] >= DELETE)
		piece = span_of(room, escape_character(character_at(*bytes, &taken), room));
	else if (taken == 0) {
		piece = span_of(room, escape_ascii(bytes->p[0], room));
		taken = 1;
	}
	bytes->p += taken;
	bytes->n -= taken;
	return piece;
}

static int
quote(struct span bytes, bool ascii, struct buf *out, struct err *e)
{
	uint8_t room[2 * ESCAPE_LEN], *to;
	size_t n = 2;
	int r;

	for (struct span left = bytes; left.n > 0;)
		if (!size_add(n, next_quoted(&left, ascii, room).n, &n))
			return err_set(e, EFBIG, "too many bytes for a string");
	r = buf_reserve(out, n, &to, e);
	if (r < 0)
		return r;
	*to++ = '"';
	while (bytes.n > 0) {
		const struct span piece = next_quoted(&bytes, ascii, room);

		memcpy(to, piece.p, piece.n);
		to += piece.n;
	}
	*to = '"';
	out->n += n;
	out->p[out->n] = '\0';
	return 0;
}

int
jsonscan_quote(struct span bytes, struct buf *out, struct err *e)
{
	return quote(bytes, false, out, e);
}

int
jsonscan_quote_ascii(struct span bytes, struct buf *out, struct err *e)
{
	return quote(bytes, true, out, e);
}
