/* SPDX-License-Identifier: MIT */
/* Reversible file names of the dir: store: see dirname.h. */
#include "backend/store/dirname.h"

#include <assert.h>
#include <stdint.h>

static const char hex_digits[] = "0123456789ABCDEF";

/* A '.' at the start would hide the file, or be "." or "..". */
static bool
is_kept(uint8_t c, bool first)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || (c == '.' && !first);
}

int
dirname_encode(struct span component, struct buf *out, struct err *e)
{
	uint8_t *to;
	size_t n = 0;
	int r;

	if (component.n == 0)
		return buf_add_str(out, "%", e);
	r = buf_reserve(out, 3 * component.n, &to, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < component.n; i++) {
		const uint8_t c = component.p[i];

		assert(c != '\0' && c != '/');
		if (is_kept(c, i == 0)) {
			to[n++] = c;
			continue;
		}
		to[n++] = '%';
		to[n++] = (uint8_t)hex_digits[c >> 4];
		to[n++] = (uint8_t)hex_digits[c & 15];
	}
	out->n += n;
	return 0;
}

size_t
dirname_cut(const char *encoded, size_t n)
{
	if (n <= DIRNAME_PIECE_MAX)
		return n;
	if (encoded[DIRNAME_PIECE_MAX - 1] == '%')
		return DIRNAME_PIECE_MAX - 1;
	if (encoded[DIRNAME_PIECE_MAX - 2] == '%')
		return DIRNAME_PIECE_MAX - 2;
	return DIRNAME_PIECE_MAX;
}

static int
hex_value(char c)
{
	const char *at = c != '\0' ? strchr(hex_digits, c) : NULL;

	return at != NULL ? (int)(at - hex_digits) : -1;
}

/* One byte at encoded[*at]; false when it is not spelled as it should be. */
static bool
decode_byte(const char *encoded, size_t n, size_t *at, uint8_t *out)
{
	const bool first = *at == 0;
	int high, low;

	if (encoded[*at] != '%') {
		*out = (uint8_t)encoded[(*at)++];
		return is_kept(*out, first);
	}
	if (n - *at < 3)
		return false;
	high = hex_value(encoded[*at + 1]);
	low = hex_value(encoded[*at + 2]);
	if (high < 0 || low < 0)
		return false;
	*out = (uint8_t)(high << 4 | low);
	*at += 3;
	return *out != '\0' && *out != '/' && !is_kept(*out, first);
}

bool
dirname_decode(const char *encoded, size_t n, struct buf *out)
{
	struct err ignored = { 0 };
	const size_t before = out->n;
	uint8_t c;

	if (n == 0)
		return false;
	if (n == 1 && encoded[0] == '%')
		return true;
	for (size_t at = 0; at < n;) {
		if (!decode_byte(encoded, n, &at, &c) || buf_add(out, &c, 1, &ignored) < 0) {
			out->n = before;
			return false;
		}
	}
	return true;
}

int
dirname_component(struct span component, const char *suffix, struct buf *out, struct err *e)
{
	AUTO_BUF encoded;
	size_t cut;
	int r;

	buf_init(&encoded, out->max);
	r = dirname_encode(component, &encoded, e);
	for (size_t at = 0; r == 0 && at < encoded.n; at += cut) {
		const char *rest = buf_str(&encoded) + at;

		cut = dirname_cut(rest, encoded.n - at);
		r = buf_add(out, rest, cut, e);
		if (r == 0)
			r = buf_add_str(out, at + cut < encoded.n ? ".c/" : suffix, e);
	}
	return r;
}

int
dirname_path(struct span name, struct buf *out, struct err *e)
{
	const uint8_t *slash;
	int r;

	while ((slash = memchr(name.p, '/', name.n)) != NULL) {
		const size_t n = (size_t)(slash - name.p);

		r = dirname_component(span_of(name.p, n), ".d/", out, e);
		if (r < 0)
			return r;
		name = span_of(slash + 1, name.n - n - 1);
	}
	return dirname_component(name, ".m", out, e);
}
