/* SPDX-License-Identifier: MIT */
/* RFC 3339: see timetext.h. */
#include "base/timetext.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

enum { DAY_S = 86400, SECONDS_LEN = 19 /* "2026-11-26T15:04:05" */ };

/* March counts as the first month, so that a leap day comes last. */
int64_t
timetext_days(int year, int month, int day)
{
	const int64_t y = month <= 2 ? year - 1 : year;
	const int64_t m = month <= 2 ? month + 9 : month - 3;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day - 1 - 719468;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int
digits2(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

/* Whether text begins with a pattern in which '0' stands for any digit. */
static bool
begins_like(const char *text, const char *pattern)
{
	for (; *pattern != '\0'; pattern++, text++)
		if (*pattern == '0' ? !is_digit(*text) : *pattern != *text)
			return false;
	return true;
}

static int
days_of_month(int year, int month)
{
	const int next = month == 12 ? 1 : month + 1;

	return (int)(timetext_days(month == 12 ? year + 1 : year, next, 1) -
		     timetext_days(year, month, 1));
}

/* "2026-11-26T15:04:05", digits for sure. */
static bool
parse_seconds(const char *s, int64_t *out)
{
	const int year = digits2(s) * 100 + digits2(s + 2), month = digits2(s + 5);
	const int day = digits2(s + 8), hour = digits2(s + 11);
	const int minute = digits2(s + 14), second = digits2(s + 17);

	/* A year more on both sides: an offset may lead into the range. */
	if (year < 1969 || year > 2263 || month < 1 || month > 12 || day < 1 ||
	    day > days_of_month(year, month) || hour > 23 || minute > 59 || second > 59)
		return false;
	*out = timetext_days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second;
	return true;
}

/* ".123", or nothing; *s moves behind it. */
static bool
parse_fraction(const char **s, int64_t *out)
{
	int64_t value = NS_PER_S;

	*out = 0;
	if (**s != '.')
		return true;
	++*s;
	if (!is_digit(**s))
		return false;
	for (; is_digit(**s); ++*s) {
		value /= 10;
		if (value == 0)
			return false;
		*out += (**s - '0') * value;
	}
	return true;
}

/* "Z", "+01:00": seconds that the clock there is ahead. */
static bool
parse_offset(const char *s, int64_t *out)
{
	*out = 0;
	if (strcmp(s, "Z") == 0)
		return true;
	if ((*s != '+' && *s != '-') || !begins_like(s + 1, "00:00") || s[6] != '\0' ||
	    digits2(s + 1) > 23 || digits2(s + 4) > 59)
		return false;
	*out = digits2(s + 1) * 3600 + digits2(s + 4) * 60;
	if (*s == '-')
		*out = -*out;
	return true;
}

bool
timetext_parse(const char *text, int64_t *out_ns)
{
	int64_t seconds, fraction, offset, ns;

	if (!begins_like(text, "0000-00-00T00:00:00") || !parse_seconds(text, &seconds))
		return false;
	text += SECONDS_LEN;
	if (!parse_fraction(&text, &fraction) || !parse_offset(text, &offset))
		return false;
	seconds -= offset;
	if (seconds < 0 || __builtin_mul_overflow(seconds, NS_PER_S, &ns) ||
	    __builtin_add_overflow(ns, fraction, &ns))
		return false;
	*out_ns = ns;
	return true;
}

void
timetext_print(int64_t ns, char out[TIMETEXT_MAX + 1])
{
	const int64_t from_1970 = ns < 0 ? 0 : ns;
	const time_t seconds = (time_t)(from_1970 / NS_PER_S);
	int fraction = (int)(from_1970 % NS_PER_S), digits = 9;
	struct tm tm = { 0 };
	size_t n;

	(void)gmtime_r(&seconds, &tm);
	n = strftime(out, TIMETEXT_MAX + 1, "%Y-%m-%dT%H:%M:%S", &tm);
	if (fraction > 0) {
		for (; fraction % 10 == 0; fraction /= 10)
			digits--;
		n += (size_t)snprintf(out + n, TIMETEXT_MAX + 1 - n, ".%0*d", digits, fraction);
	}
	memcpy(out + n, "Z", 2);
}

int64_t
timetext_of_file(const struct timespec *t)
{
	const int64_t most = INT64_MAX / NS_PER_S - 1;

	if (t->tv_sec < 0)
		return 0;
	return (t->tv_sec < most ? t->tv_sec : most) * NS_PER_S + t->tv_nsec;
}
