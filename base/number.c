/* SPDX-License-Identifier: MIT */
/*
 * Doubles as text: see number.h.
 *
 * The shortest text is looked for among the decimals next to the value.  Where 15 digits are
 * enough they are the only ones (a normal double keeps 15), so trailing zeros tell how many are
 * needed.  With more, the nearest decimal is tried, then its neighbour: at a power of two the
 * value's own range is lopsided, and the shortest text may lie on the far side.
 */
#include "base/number.h"

#include <assert.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	DIGITS_SURE = 15, /* so many survive in every normal double */
	DIGITS_MAX = 17,
	POINT_MIN = -3, /* first and last places of the point that are written without exponent */
	POINT_MAX = 16,
	TEXT_ON_STACK = 128
};

/* 0.DIGITS times ten to the power of point. */
struct decimal {
	char digits[DIGITS_MAX + 1]; /* NUL-terminated; neither begins nor ends with a zero */
	int point;
};

/* ---- reading ---- */

static locale_t c_locale;

static void
make_locale(void)
{
	c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	assert(c_locale != (locale_t)0);
}

/* s is a JSON number and nothing else. */
static double
from_text(const char *s)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, make_locale);
	return strtod_l(s, NULL, c_locale);
}

static size_t
digits_at(struct span text, size_t at)
{
	size_t n = 0;

	while (at + n < text.n && text.p[at + n] >= '0' && text.p[at + n] <= '9')
		n++;
	return n;
}

size_t
number_len(struct span text)
{
	size_t at = text.n > 0 && text.p[0] == '-', n = digits_at(text, at);

	if (n == 0)
		return 0;
	at += text.p[at] == '0' ? 1 : n;
	if (at < text.n && text.p[at] == '.') {
		n = digits_at(text, at + 1);
		if (n == 0)
			return 0;
		at += 1 + n;
	}
	if (at < text.n && (text.p[at] | 0x20) == 'e') {
		at++;
		at += at < text.n && (text.p[at] == '+' || text.p[at] == '-');
		n = digits_at(text, at);
		if (n == 0)
			return 0;
		at += n;
	}
	return at;
}

bool
number_parse(struct span text, double *out)
{
	char small[TEXT_ON_STACK], *large = NULL, *copy = small;
	double v;

	if (text.n == 0 || number_len(text) != text.n)
		return false;
	if (text.n >= sizeof(small)) {
		large = malloc(text.n + 1);
		if (large == NULL)
			return false;
		copy = large;
	}
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	v = from_text(copy);
	free(large);
	if (!isfinite(v))
		return false;
	*out = v;
	return true;
}

bool
number_parse_long(struct span text, long long *out)
{
	const bool negative = text.n > 0 && text.p[0] == '-';
	size_t at = negative;
	long long v = 0;

	if (digits_at(text, at) != text.n - at || at == text.n || number_len(text) != text.n)
		return false;
	for (; at < text.n; at++) {
		const int digit = text.p[at] - '0';

		/* On the side of zero that has one value more. */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, digit, &v))
			return false;
	}
	if (!negative && __builtin_sub_overflow(0, v, &v))
		return false;
	*out = v;
	return true;
}

/* ---- finding the digits ---- */

/* Returns where it ends. */
static char *
add_integer(char *to, unsigned long long value)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value > 0);
	memcpy(to, digits + at, sizeof(digits) - at);
	return to + sizeof(digits) - at;
}

static void
drop_zeros(struct decimal *d)
{
	size_t n = strlen(d->digits);

	while (n > 1 && d->digits[n - 1] == '0')
		n--;
	d->digits[n] = '\0';
}

/* 19.99 and the like: an integer over a power of ten, both exact, so that their quotient is the
 * double that the text is read as. */
static bool
find_short(double v, struct decimal *d)
{
	static const double power[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6 };

	if (v < 1e-4 || v >= 1e15)
		return false;
	for (int i = 0; i < (int)ARRAY_LEN(power); i++) {
		const double scaled = rint(v * power[i]);

		if (scaled >= 1e15)
			return false;
		if (scaled / power[i] == v) {
			char *end = add_integer(d->digits, (unsigned long long)scaled);

			*end = '\0';
			d->point = (int)(end - d->digits) - i;
			drop_zeros(d);
			return true;
		}
	}
	return false;
}

/* The decimal of n digits nearest to v.  Nothing is taken from a locale but its point, which is
 * left out. */
static void
nearest(double v, int n, struct decimal *d)
{
	char text[NUMBER_TEXT_MAX + 16];
	size_t to = 0;
	const char *p = text;

	(void)snprintf(text, sizeof(text), "%.*e", n - 1, v);
	for (; *p != 'e'; p++)
		if (*p >= '0' && *p <= '9')
			d->digits[to++] = *p;
	d->digits[to] = '\0';
	d->point = (int)strtol(p + 1, NULL, 10) + 1;
}

static double
value_of(const struct decimal *d)
{
	char text[NUMBER_TEXT_MAX + 16];

	(void)snprintf(text, sizeof(text), "%se%d", d->digits, d->point - (int)strlen(d->digits));
	return from_text(text);
}

/* The next decimal of as many digits, upwards; a carry beyond the first digit moves the point. */
static void
step_up(struct decimal *d)
{
	size_t i = strlen(d->digits);

	while (i > 0 && d->digits[i - 1] == '9')
		d->digits[--i] = '0';
	if (i > 0) {
		d->digits[i - 1]++;
		return;
	}
	d->digits[0] = '1';
	d->point++;
}

/* The one below. */
static void
step_down(struct decimal *d)
{
	const size_t n = strlen(d->digits);
	size_t i = n;

	while (d->digits[i - 1] == '0')
		d->digits[--i] = '9';
	d->digits[i - 1]--;
	if (d->digits[0] == '0') {
		memset(d->digits, '9', n);
		d->point--;
	}
}

/* A decimal of n digits that is read as v, the nearest of them; false when there is none. */
static bool
find_of(double v, int n, struct decimal *d)
{
	double got;

	nearest(v, n, d);
	got = value_of(d);
	if (got < v)
		step_up(d);
	else if (got > v)
		step_down(d);
	return got == v || value_of(d) == v;
}

static void
find_digits(double v, struct decimal *d)
{
	const int first = v < DBL_MIN ? 1 : DIGITS_SURE;

	if (find_short(v, d))
		return;
	for (int n = first; n < DIGITS_MAX; n++)
		if (find_of(v, n, d)) {
			drop_zeros(d);
			return;
		}
	nearest(v, DIGITS_MAX, d);
	drop_zeros(d);
}

/* ---- writing them ---- */

static char *
add(char *to, const char *text, size_t n)
{
	memcpy(to, text, n);
	return to + n;
}

static char *
add_zeros(char *to, int n)
{
	for (; n > 0; n--)
		*to++ = '0';
	return to;
}

/* How two languages write a number. */
struct style {
	int point_min, point_max; /* beyond them with an exponent */
	int exponent_digits;	  /* at least */
	const char *whole;	  /* behind a number without a fraction */
};
static const struct style python = { POINT_MIN, POINT_MAX, 2, ".0" };
static const struct style javascript = { -5, 21, 1, "" };

static char *
add_scientific(char *to, const struct decimal *d, size_t n, const struct style *s)
{
	const int exponent = d->point - 1;

	*to++ = d->digits[0];
	if (n > 1) {
		*to++ = '.';
		to = add(to, d->digits + 1, n - 1);
	}
	*to++ = 'e';
	*to++ = exponent < 0 ? '-' : '+';
	if (abs(exponent) < 10)
		to = add_zeros(to, s->exponent_digits - 1);
	return add_integer(to, (unsigned long long)abs(exponent));
}

/* Of 25 bytes at most, NUL included. */
static char *
put(char *to, const struct decimal *d, const struct style *s)
{
	const size_t n = strlen(d->digits);
	const int point = d->point, missing = point - (int)n;

	if (point < s->point_min || point > s->point_max)
		to = add_scientific(to, d, n, s);
	else if (point <= 0) {
		to = add_zeros(add(to, "0.", 2), -point);
		to = add(to, d->digits, n);
	} else if (missing >= 0) {
		to = add_zeros(add(to, d->digits, n), missing);
		to = add(to, s->whole, strlen(s->whole));
	} else {
		to = add(to, d->digits, (size_t)point);
		*to++ = '.';
		to = add(to, d->digits + point, n - (size_t)point);
	}
	*to = '\0';
	return to;
}

size_t
number_print_long(long long value, char out[static NUMBER_TEXT_MAX])
{
	char *to = out;

	if (value < 0)
		*to++ = '-';
	to = add_integer(to, value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value);
	*to = '\0';
	return (size_t)(to - out);
}

static size_t
print(double value, const struct style *s, char out[static NUMBER_TEXT_MAX])
{
	struct decimal d = { .digits = "0", .point = 1 };
	char *to = out;

	assert(isfinite(value));
	if (signbit(value))
		*to++ = '-';
	if (value != 0)
		find_digits(fabs(value), &d);
	return (size_t)(put(to, &d, s) - out);
}

size_t
number_print(double value, char out[static NUMBER_TEXT_MAX])
{
	return print(value, &python, out);
}

size_t
number_print_js(double value, char out[static NUMBER_TEXT_MAX])
{
	return print(value + 0.0, &javascript, out); /* -0 becomes 0 */
}
