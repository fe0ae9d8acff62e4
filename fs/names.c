/* SPDX-License-Identifier: MIT */
/* File names: see names.h. */
#include "fs/names.h"

#include <errno.h>
#include <string.h>

#include "crypto/mac.h"

enum { ALIAS_TAIL = 34, ALIAS_HEX = 32, ESCAPED_MAX = 3 * 4096 + 16 };

static const char hex[] = "0123456789ABCDEF";

/* How many bytes at p (n left) are one valid UTF-8 character; 0 when they are not one. */
static size_t
utf8_len(const uint8_t *p, size_t n)
{
	size_t len = p[0] < 0x80		   ? 1
		     : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
		     : (p[0] & 0xf0) == 0xe0	   ? 3
		     : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
						   : 0;

	if (len == 0 || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
	    (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return len;
}

static bool
is_hex(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F');
}

static int
hex_value(uint8_t c)
{
	return c <= '9' ? c - '0' : c - 'A' + 10;
}

static int
add_escaped(struct buf *out, uint8_t c, struct err *e)
{
	const char s[3] = { '%', hex[c >> 4], hex[c & 15] };

	return buf_add(out, s, 3, e);
}

static bool
is_dots(struct span c)
{
	return (c.n == 1 && c.p[0] == '.') || (c.n == 2 && c.p[0] == '.' && c.p[1] == '.');
}

/* Whether '%' at i would be read as the start of something else. */
static bool
percent_is_ambiguous(struct span c, size_t i)
{
	return (i + 2 < c.n && is_hex(c.p[i + 1]) && is_hex(c.p[i + 2])) ||
	       (i + 1 < c.n && c.p[i + 1] == '~');
}

static int
escape_bytes(struct span c, bool is_value, struct buf *out, struct err *e)
{
	const bool dots = is_dots(c);
	int r = 0;

	for (size_t i = 0; i < c.n && r == 0;) {
		size_t len = utf8_len(c.p + i, c.n - i);
		const uint8_t b = c.p[i];

		if (len == 0 || b < 0x20 || b == 0x7f || dots ||
		    (b == '%' && percent_is_ambiguous(c, i)) ||
		    (is_value && (b == '/' || (b == '=' && i == 0)))) {
			r = add_escaped(out, b, e);
			len = 1;
		} else {
			r = buf_add(out, c.p + i, len, e);
		}
		i += len;
	}
	return r;
}

/*
 * Cuts a long name and puts its fingerprint at the end; the cut never splits an escape or a
 * character.
 */
static int
make_alias(const uint8_t sum[static SHA256_LEN], const struct buf *full, const char *suffix,
	   struct buf *out, struct err *e)
{
	size_t keep = NAMES_FILE_MAX - ALIAS_TAIL - strlen(suffix);
	int r;

	while (keep > 0 && (full->p[keep] & 0xc0) == 0x80)
		keep--;
	if (keep >= 1 && full->p[keep - 1] == '%')
		keep -= 1;
	else if (keep >= 2 && full->p[keep - 2] == '%')
		keep -= 2;
	buf_reset(out);
	r = buf_add(out, full->p, keep, e);
	if (r == 0)
		r = buf_add_str(out, "%~", e);
	for (size_t i = 0; i < ALIAS_HEX / 2 && r == 0; i++)
		r = buf_addf(out, e, "%02x", sum[i]);
	return r == 0 ? buf_add_str(out, suffix, e) : r;
}

int
names_escape(struct span component, bool shadowed, struct buf *out, struct err *e)
{
	uint8_t sum[SHA256_LEN];
	AUTO_BUF full;
	int r;

	buf_init(&full, ESCAPED_MAX);
	r = escape_bytes(component, false, &full, e);
	if (r == 0 && component.n == 0)
		r = buf_add_str(&full, "%00", e);
	if (r == 0 && shadowed)
		r = buf_add_str(&full, "%00", e);
	if (r < 0)
		return r;
	if (full.n <= NAMES_FILE_MAX) {
		buf_reset(out);
		return buf_add(out, full.p, full.n, e);
	}
	r = sha256(component, sum, e);
	if (shadowed)
		sum[0] ^= 0xff;
	return r == 0 ? make_alias(sum, &full, "", out, e) : r;
}

static bool
is_alias(const char *name, size_t n)
{
	if (n < ALIAS_TAIL || memcmp(name + n - ALIAS_TAIL, "%~", 2) != 0)
		return false;
	return strspn(name + n - ALIAS_HEX, "0123456789abcdef") == ALIAS_HEX;
}

static bool
ends_with_mark(const char *name, size_t n)
{
	return n >= 3 && memcmp(name + n - 3, "%00", 3) == 0;
}

static int
unescape_bytes(const uint8_t *p, size_t n, struct buf *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0;) {
		if (p[i] == '%' && i + 2 < n && is_hex(p[i + 1]) && is_hex(p[i + 2])) {
			const uint8_t c = (uint8_t)(hex_value(p[i + 1]) << 4 | hex_value(p[i + 2]));

			r = buf_add(out, &c, 1, e);
			i += 3;
		} else {
			r = buf_add(out, p + i, 1, e);
			i++;
		}
	}
	return r;
}

int
names_unescape(const char *name, enum names_kind *kind, struct buf *out, struct err *e)
{
	size_t n = strlen(name);
	bool shadowed = false;
	AUTO_BUF again;
	int r;

	buf_reset(out);
	buf_init(&again, NAMES_FILE_MAX + 1);
	if (n == 0 || n > NAMES_FILE_MAX) {
		*kind = NAMES_NOTHING;
		return 0;
	}
	if (is_alias(name, n)) {
		*kind = NAMES_ALIAS;
		return 0;
	}
	if (ends_with_mark(name, n) && n > 3) {
		shadowed = true;
		n -= 3;
	}
	r = ends_with_mark(name, n) && n == 3 ? 0
					      : unescape_bytes((const uint8_t *)name, n, out, e);
	if (r == 0 && (memchr(buf_str(out), '\0', out->n) != NULL ||
		       memchr(buf_str(out), '/', out->n) != NULL)) {
		*kind = NAMES_NOTHING;
		return 0;
	}
	if (r == 0)
		r = names_escape(buf_span(out), shadowed, &again, e);
	if (r < 0)
		return r;
	*kind = strcmp(buf_str(&again), name) != 0 ? NAMES_NOTHING
		: shadowed			   ? NAMES_SHADOWED
						   : NAMES_PLAIN;
	return 0;
}

/* ---- values ---- */

/* NUL becomes the two bytes that no valid text holds. */
static int
without_nul(struct span value, struct buf *out, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < value.n && r == 0; i++)
		r = value.p[i] == 0 ? buf_add(out, "\xc0\x80", 2, e)
				    : buf_add(out, value.p + i, 1, e);
	return r;
}

static void
with_nul(struct buf *b)
{
	size_t to = 0;

	for (size_t i = 0; i < b->n; i++) {
		const bool nul = b->p[i] == 0xc0 && i + 1 < b->n && b->p[i + 1] == 0x80;

		b->p[to++] = nul ? 0 : b->p[i];
		i += nul;
	}
	b->n = to;
	if (b->p != NULL)
		b->p[to] = '\0';
}

int
names_escape_value(const char *prefix, struct span value, const char *suffix, struct buf *out,
		   struct err *e)
{
	uint8_t sum[SHA256_LEN];
	AUTO_BUF text, full;
	int r;

	buf_init(&text, ESCAPED_MAX);
	buf_init(&full, ESCAPED_MAX);
	r = without_nul(value, &text, e);
	if (r == 0)
		r = buf_add_str(&full, prefix, e);
	if (r == 0)
		r = text.n == 0 ? buf_add_str(&full, "%00", e)
				: escape_bytes(buf_span(&text), true, &full, e);
	if (r == 0 && full.n + strlen(suffix) > NAMES_FILE_MAX) {
		r = sha256(buf_span(&full), sum, e);
		return r == 0 ? make_alias(sum, &full, suffix, out, e) : r;
	}
	buf_reset(out);
	if (r == 0)
		r = buf_add(out, full.p, full.n, e);
	return r == 0 ? buf_add_str(out, suffix, e) : r;
}

int
names_unescape_value(const char *name, const char *prefix, const char *suffix,
		     enum names_kind *kind, struct buf *out, struct err *e)
{
	const size_t n_prefix = strlen(prefix), n_suffix = strlen(suffix);
	size_t n = strlen(name);
	AUTO_BUF again;
	int r = 0;

	buf_reset(out);
	buf_init(&again, NAMES_FILE_MAX + 1);
	*kind = NAMES_NOTHING;
	if (n > NAMES_FILE_MAX || n <= n_suffix || strcmp(name + n - n_suffix, suffix) != 0)
		return 0;
	n -= n_suffix;
	if (is_alias(name, n)) {
		*kind = NAMES_ALIAS;
		return 0;
	}
	if (n <= n_prefix || strncmp(name, prefix, n_prefix) != 0)
		return 0;
	if (!(n - n_prefix == 3 && ends_with_mark(name, n)))
		r = unescape_bytes((const uint8_t *)name + n_prefix, n - n_prefix, out, e);
	if (r < 0 || memchr(buf_str(out), '\0', out->n) != NULL)
		return r;
	with_nul(out);
	r = names_escape_value(prefix, buf_span(out), suffix, &again, e);
	if (r == 0 && strcmp(buf_str(&again), name) == 0)
		*kind = NAMES_PLAIN;
	return r;
}

/* FNV-1a: a number to tell files apart, not a promise that nobody can make two alike. */
uint64_t
names_ino(uint64_t parent_ino, const char *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325) ^ parent_ino * UINT64_C(0x9e3779b97f4a7c15);

	for (; *name != '\0'; name++)
		h = (h ^ (uint8_t)*name) * UINT64_C(0x100000001b3);
	h ^= h >> 29;
	return h < 2 ? h + 2 : h;
}
